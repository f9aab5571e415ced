"""What a study's configuration says of its faces, people and arms; standard library alone, as the workflow calls it."""

SEVERAL = "several"
SOURCE = "source"  # what the attribute is called that tells the faces of several sources apart
OF_ONE = ("folder", "table", "subset", "pictures", "expressions")  # keys of ``faces`` that say something of one source


def prefix_of(faces: dict) -> str:
    """Return what stands before the ids and the files of a source: its name and / among several, else nothing."""
    return f"{faces['name']}/" if "name" in faces else ""


def entries(faces: dict) -> list[dict]:
    """Return each source of a study as a ``faces`` mapping of its own: one, or those of ``faces.sources``.

    What a source of several does not state it has from ``faces``, but for what belongs to one source alone; its
    ``name`` is that of the source where it has no other. The truth behind drawn faces is the study's, with what the
    source states of its own.
    """
    if faces["source"] != SEVERAL:
        return [faces]
    common = {key: value for key, value in faces.items() if key not in (*OF_ONE, "sources", "classes", "drawn")}
    found = [{**common, "name": entry["source"], **entry} for entry in faces["sources"]]
    truth = faces.get("drawn", {})
    return [e | ({"drawn": truth | e.get("drawn", {})} if e["source"] == "drawn" else {}) for e in found]


def drawn_sources(faces: dict) -> dict[str, dict]:
    """Return the truth behind each source of drawn faces by what stands before its ids (see :func:`prefix_of`)."""
    return {prefix_of(entry): entry["drawn"] for entry in entries(faces) if entry["source"] == "drawn"}


def all_drawn(faces: dict) -> bool:
    """Return whether every face of a study is drawn."""
    return all(entry["source"] == "drawn" for entry in entries(faces))


def recognising(config: dict) -> list[str]:
    """Return the arms that recognise the source of a face and not what it shows."""
    return [arm["name"] for arm in config["arms"] if arm.get("label") == SOURCE]


def audited(config: dict) -> list[str]:
    """Return the arms that recognise what a face shows."""
    return [arm["name"] for arm in config["arms"] if arm["name"] not in recognising(config)]


def has_tables(sources: list[str | dict]) -> bool:
    """Return whether a source of people is a table of answers."""
    return any(isinstance(source, dict) and "table" in source for source in sources)


def simulated_raters(sources: list[str | dict]) -> list[dict]:
    """Return the settings of the simulated raters among the sources of people."""
    return [source["simulated"] for source in sources if isinstance(source, dict) and "simulated" in source]


def standing_for_models(sources: list[str | dict]) -> list[str]:
    """Return the simulated raters who stand for models: who answer about every face, where others stand for people.

    ``sources`` are those of people, ``people.sources`` of the configuration.
    """
    raters = simulated_raters(sources)
    tireless = [rater["name"] for rater in raters if rater["share"] == 1]
    people = len(tireless) < len(raters) or has_tables(sources)
    return tireless if people else []


def arms_given(config: dict) -> list[str]:
    """Return the arms whose predictions were made elsewhere, or from such predictions."""
    arms, found = {arm["name"]: arm for arm in config["arms"]}, []
    for called, arm in arms.items():
        while arm.get("from") in arms:
            arm = arms[arm["from"]]
        if arm.get("predictions") or arm.get("endpoint"):
            found.append(called)
    return found
