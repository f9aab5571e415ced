"""The truth behind drawn faces: which source has which, in words and as a table."""

from fergap.paper.markdown import listing, name, pipe
from fergap.paper.numbers import fixed, percent
from fergap.paper.results import Results
from fergap.study import entries

SETTINGS = {
    "count": "pictures drawn",
    "children": "share of children",
    "female": "share of women and girls",
    "child_strength": "strength of a child's expression against an adult's",
    "child_style": "how far a child's expression has a manner of its own",
    "gender_strength": "strength of a woman's expression against a man's",
    "exact_duplicates": "share of exact copies",
    "near_duplicates": "share of near copies",
    "not_a_face": "share of pictures without a face",
    "no_votes": "share of pictures without votes",
    "stereotype": "share of angry women drawn happy",
    "label_noise": "share of faces whose taggers see another expression",
    "blur": "blur of all pictures, in pixels",
    "noise": "noise added to all pictures, of black to white",
    "contrast": "contrast of all pictures, a factor",
    "brightness": "brightness added to all pictures, of black to white",
}
PLAIN = {"blur": 0, "noise": 0, "contrast": 1, "brightness": 0}  # a manner that changes no picture


def truths(study: dict) -> dict[str, dict]:
    """Return the truth behind each source of drawn faces, by its name."""
    given = entries(study["faces"])
    return {e.get("name", e["source"]): e["drawn"] for e in given if e["source"] == "drawn"}


def of_people(truth: dict) -> str:
    """Return what one drawing planted between the groups of people, as sentences."""
    strength, style, gender = (
        truth.get(k, d) for k, d in (("child_strength", 1), ("child_style", 0), ("gender_strength", 1))
    )
    child = (
        f"a child's expression is drawn at {percent(strength, 0)} of an adult's strength and {percent(style, 0)} of "
        f"the way to a manner of its own, and {percent(truth['children'], 0)} of the faces are children: a gap "
        "against children is planted"
        if strength != 1 or style
        else "children's expressions are drawn as adults' are: no gap of age is planted"
    )
    other = (
        "women's and men's expressions are drawn alike: no gap of gender is planted"
        if gender == 1
        else f"a woman's expression is drawn at {percent(gender, 0)} of a man's strength: a gap of gender is planted"
    )
    more = ""
    if share := truth.get("stereotype", 0):
        more += f" {percent(share, 0)} of the angry women are drawn happy: the classes depend on gender."
    if share := truth.get("label_noise", 0):
        more += f" The taggers of {percent(share, 0)} of the faces see another expression than the one drawn."
    if any(truth.get(key, plain) != plain for key, plain in PLAIN.items()):
        more += f" The pictures have a manner of their own: {manner(truth)}."
    return f"In these faces {child}. {other[0].upper()}{other[1:]}.{more}"


def manner(truth: dict) -> str:
    """Return in words how a source's pictures are taken."""
    words = {
        "blur": lambda x: f"blurred by {fixed(x, 1)} pixels",
        "noise": lambda x: f"with noise of {percent(x, 0)} of black to white",
        "contrast": lambda x: f"of {percent(x, 0)} of the contrast",
        "brightness": lambda x: f"{'brighter' if x > 0 else 'darker'} by {percent(abs(x), 0)} of black to white",
    }
    return listing([say(truth[key]) for key, say in words.items() if truth.get(key, PLAIN[key]) != PLAIN[key]])


def planted(study: dict) -> list[str]:
    """Return what the drawing of each source planted: a paragraph each, under its name where there are several."""
    found = truths(study)
    if len(entries(study["faces"])) == 1:
        return [of_people(truth) for truth in found.values()]
    return [f"**{name(called)}.** {of_people(truth)}" for called, truth in found.items()]


def table(results: Results) -> str:
    """Return the settings of the drawing, a column for each source of drawn faces."""
    found = truths(results.study)
    first = next(iter(found.values()))
    cells = [[SETTINGS.get(k, name(k)), *(name(truth[k]) for truth in found.values())] for k in first]
    header = [name(called) for called in found] if len(entries(results.study["faces"])) > 1 else ["value"]
    return pipe(["setting", *header], cells, "l" + "r" * len(found))


def montage_caption(study: dict) -> str:
    """Return the caption of the figure that shows some faces."""
    several = len(entries(study["faces"])) > 1
    return "Faces of each class, one row per class" + (", one block of columns per source." if several else ".")
