"""What was planted in several drawn data sets, beside what the study found of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from fergap.paper import interventions
from fergap.paper.cells import any_few, estimate, pair
from fergap.paper.data_sets import recognisers
from fergap.paper.dataset import measured
from fergap.paper.markdown import listing, name, pipe, prose
from fergap.paper.numbers import fixed, interval, missing, p_value, percent
from fergap.paper.planting import PLAIN, truths
from fergap.paper.reading import related
from fergap.paper.results import WHOLE, Results
from fergap.study import all_drawn

YES, NO, INDIRECT, EITHER = "yes", "no", "through the sources", "either way"
CAPTION = (
    "What the drawing planted between sources and groups, and what was found of it. *Through the sources*: not planted "
    "itself, but a consequence of what was. *Either way*: both sources are made harder, each in its own way."
)
HARDER = PLAIN | {"label_noise": 0}  # settings that make a source harder to recognise, and where they do not
DRAWN = ("source", "gender", "age")  # the attributes that the drawing decides on


@dataclass(frozen=True)
class Question:
    """Something that the drawing planted or did not, and what was found: a row of a table."""

    what: str
    planted: str  # YES, NO, INDIRECT (it follows from other things that were planted) or EITHER (of unknown sign)
    found: bool
    called: str
    size: str
    table: str
    row: object
    column: str = "p_adjusted"  # of the table: the p-value that was looked at

    @property
    def p(self) -> float:
        return getattr(self.row, self.column)


def by_p_value(
    results: Results, what: str, planted: str, size: str, table: str, row: object, column: str = "p_adjusted"
) -> Question:
    """Return a question that is answered by whether p is below the level."""
    found = getattr(row, column) < results.alpha
    return Question(what, planted, found, "found" if found else "not shown", size, table, row, column)


def differs(found: dict[str, dict], *settings: str) -> bool:
    """Whether the sources' truths differ in any of some settings."""
    return any(len({truth.get(key) for truth in found.values()}) > 1 for key in settings)


def depends(found: dict[str, dict], first: str, second: str) -> str:
    """Return whether the drawing makes two attributes, or an attribute and the class, depend on one another."""
    both = {first, second}
    by_source = {
        "age": differs(found, "children"),
        "gender": differs(found, "female"),
        "label": differs(found, "stereotype", "label_noise"),
    }
    if "source" in both:
        return YES if by_source[(both - {"source"}).pop()] else NO
    if both == {"gender", "label"} and any(truth.get("stereotype") for truth in found.values()):
        return YES
    return INDIRECT if all(by_source[a] for a in both) else NO


def gap(found: dict[str, dict], attribute: str, group: str, reference: str) -> str:
    """Return whether the drawing makes one group harder to recognise than the other within the classes."""
    harder = {
        "age": any(t.get("child_strength", 1) != 1 or t.get("child_style") for t in found.values()),
        "gender": any(t.get("gender_strength", 1) != 1 for t in found.values()),
    }
    if attribute != "source":
        return YES if harder[attribute] else NO
    two = {source: found[source] for source in (group, reference)}
    own = [tuple(truth.get(key, plain) for key, plain in HARDER.items()) for truth in two.values()]
    if own[0] != own[1]:
        return YES if tuple(HARDER.values()) in own else EITHER
    people = ("children", "child_strength", "child_style", "female", "gender_strength", "stereotype")
    return INDIRECT if differs(two, *people) else NO


def questions(results: Results) -> list[Question]:
    """Return everything that was planted or could have been, and was looked for; none where faces are not drawn.

    Of arms only those are asked that intervene in nothing, since an intervention may take away what was planted.
    """
    found = truths(results.study)
    if len(found) < 2 or not all_drawn(results.study["faces"]):
        return []
    return [*_dependences(results, found), *_recognitions(results, found), *_gaps(results, found)]


def _dependences(results: Results, found: dict[str, dict]) -> Iterator[Question]:
    for (attribute, other), rows in measured(results).items():
        if attribute not in DRAWN or other not in (*DRAWN, "label"):
            continue
        row = rows["cramers_v"]
        if missing(row.p_adjusted):
            continue
        yield by_p_value(
            results,
            f"{name(attribute)} and {'class' if other == 'label' else name(other)} go together",
            depends(found, attribute, other),
            f"V = {fixed(row.estimate, 2)} [{fixed(row.ci_low, 2)}, {fixed(row.ci_high, 2)}]",
            "dataset_bias",
            row,
        )


def _recognitions(results: Results, found: dict[str, dict]) -> Iterator[Question]:
    table = results.table("source_recognition")
    for arm in recognisers(results):
        own = table[(table["arm"] == arm) & (table["metric"] == "accuracy") & (table["attribute"] == WHOLE)]
        for row in own.itertuples():
            if missing(row.estimate):
                continue
            yield by_p_value(
                results,
                f"pictures tell their source ({name(arm)})",
                YES if differs(found, *PLAIN) else INDIRECT if differs(found, "children", "female") else NO,
                f"{percent(row.estimate)} {interval(row.ci_low, row.ci_high)} named, {percent(row.expected)} by chance",
                "source_recognition",
                row,
                "p_value",
            )


def _gaps(results: Results, found: dict[str, dict]) -> Iterator[Question]:
    left = {arm["name"] for arm in results.study["arms"] if interventions.words(arm) == "none"}
    rows = results.verdicts()
    rows = rows[rows["contrast"].isna() & rows["attribute"].isin(DRAWN) & rows["arm"].isin(left)]
    for row in rows.itertuples():
        if any_few(row) or missing(row.p_adjusted):
            continue
        yield Question(
            f"gap {pair(row)} ({name(row.arm)})",
            gap(found, row.attribute, row.group, row.reference),
            row.verdict == "gap",
            prose(row.verdict),
            f"{estimate(row)} points",
            "verdicts",
            row,
        )


def about(study: dict) -> str:
    """Say what the table holds against what."""
    arms = " Arms that intervene are left out, since they may take away what was planted." if study["arms"] else ""
    return (
        "The faces are drawn, so that it is known which differences there are. @tbl-planted-found sets each beside "
        f"what was found: a dependence where p is below the level, a gap where that is the verdict.{arms}"
    )


def planted_found(results: Results) -> str:
    """Return each thing that was planted or not, with what was found of it."""
    cells = [[q.what, q.planted, q.called, q.size, p_value(q.p)] for q in questions(results)]
    return pipe(["", "planted", "found", "measured [CI]", "p, adjusted"], cells, "lllrr")


def held(results: Results) -> str:
    """Say how much of what was planted was found, and how much was found that was not planted."""
    asked = questions(results)
    planted, fair = ([q for q in asked if q.planted == kind] for kind in (YES, NO))
    missed, wrong = [q for q in planted if not q.found], [q for q in fair if q.found]
    said = []
    if planted:
        rest = f"; missed: {listing([_cited(results, q) for q in missed])}" if missed else ""
        said.append(
            f"Of {len(planted)} differences that were planted, {_found(len(planted) - len(missed), planted)}{rest}."
        )
    if fair:
        rest = f": {listing([_cited(results, q) for q in wrong])}" if wrong else ""
        said.append(f"Of {len(fair)} that were not planted, {_found(len(wrong), fair)}{rest}.")
    return " ".join(said)


def _found(number: int, asked: list[Question]) -> str:
    shown = "all" if number == len(asked) > 1 else number or "none"
    return f"{shown} {'is' if number < 2 else 'are'} found"


def _cited(results: Results, question: Question) -> str:
    p = results.cite(related(question.p), question.table, question.row, question.column)
    return f"{question.what} (p {p})"
