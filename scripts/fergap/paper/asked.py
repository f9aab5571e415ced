"""Models that were asked in words, in the paper: who was asked what, and whose faces have no answer."""

from urllib.parse import urlsplit

from fergap.paper.cells import any_few, faces, find, reason, renamed
from fergap.paper.markdown import listing, name, pipe, prose
from fergap.paper.numbers import MISSING, count, interval, missing, percent
from fergap.paper.results import WHOLE, Results

ANY = "any"
WHY = {
    "refused": "refused",
    "several classes": "naming several classes",
    "no class": "naming none",
    "unreadable": "no response of the protocol",
}


def unanswered(results: Results) -> str:
    """Return the faces of each group for which a model named no class."""
    rows = results.table("unanswered")
    cells = []
    for row in renamed(rows[rows["why"] == ANY]):
        shown = reason(row.status) if missing(row.estimate) else f"{percent(row.estimate)} {around(row)}"
        shown = MISSING if any_few(row) else shown
        group = "all faces" if row.attribute == WHOLE else name(row.group)
        cells.append([name(row.arm), group, faces(row.n), faces(row.count_), shown])
    return pipe(["arm", "group", "faces asked about", "no answer", "share [CI]"], cells, "llrrr")


def around(row: object) -> str:
    """Return a row's interval."""
    return interval(row.ci_low, row.ci_high)


def asked(results: Results) -> str:
    """Say of each model that was asked: its name, where, when and how it was asked, and what had no answer."""
    return "\n\n".join(told(results, arm) for arm in results.study["arms"] if arm.get("endpoint"))


def told(results: Results, arm: dict) -> str:
    """Return the paragraph on one arm."""
    settings, table = arm["endpoint"], results.table("unanswered")
    answers = results.table("answers")
    own = answers[answers["arm"] == arm["name"]]
    models = [name(model) for model in own["model"].dropna().unique()]
    called = f" (which answered as {listing(models)})" if models and models != [name(settings["model"])] else ""
    days = sorted(own["date"].unique())
    when = (
        f", {'on' if len(days) == 1 else 'between'} {' and '.join(dict.fromkeys((days[0], days[-1])))}" if days else ""
    )
    place, classes = urlsplit(settings["url"]).netloc, ", ".join(c.replace("_", " ") for c in results.classes)
    prompt = settings["prompt"].replace("{classes}", classes)
    text = (
        f"{name(arm['name'])} is the model {name(settings['model'])}{called} at {name(place)}, which was shown each "
        f"face once{when} and asked in words, without being trained: “{prose(prompt)}” An answer "
        "counts if it names one class alone, or a usual word for it."
    )
    row = find(table, arm=arm["name"], attribute=WHOLE, why=ANY)
    if row is None or missing(row.estimate):
        return text
    share = results.cite(percent(row.estimate), "unanswered", row, "estimate")
    parts = [
        f"{results.cite(count(part.count_), 'unanswered', part, 'count')} {WHY[part.why]}"
        for part in renamed(table[(table["arm"] == arm["name"]) & (table["why"] != ANY)])
    ]
    if not parts:
        return f"{text} Every face has an answer."
    return (
        f"{text} {share} of the faces have no answer ({listing(parts)}; @tbl-unanswered). They count as wrong, since a "
        "model that answers where it is easy would otherwise look better than it is: each is put down as one of the "
        "wrong classes in turn, which leaves accuracy, recall and their gaps exact and spreads over the classes what "
        "precision and the selection rates hold of predictions that nobody made."
    )
