"""Which files the sources of people name; standard library alone, because the workflow itself calls it."""


def table_files(source: str | dict) -> list[str]:
    """Return the files of a source of people: none, the table, or those of several raters."""
    if not isinstance(source, dict):
        return []
    return [source["table"]] if isinstance(source["table"], str) else list(source["table"])
