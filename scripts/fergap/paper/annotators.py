"""What each gap is by each of those who said who is in the pictures, in the paper."""

import pandas as pd

from fergap.audit.by_annotator import ANSWERED, COMMON
from fergap.paper.cells import any_few, estimate, heading, pair, reason, sizes
from fergap.paper.markdown import group as group_name
from fergap.paper.markdown import listing, name, pipe, prose
from fergap.paper.numbers import MISSING, count, interval, missing, percent, with_interval
from fergap.paper.reading import some
from fergap.paper.results import Results
from fergap.study import has_tables

CALLED = {"gap": "a gap"}
STUDY = "the study"
FEWER = 0.5  # of the most faces that anyone labelled, below which an annotator labelled a sample


def shown(results: Results) -> pd.DataFrame:
    """Return the rows on plain attributes and the arms shown in detail, without annotators who can judge no gap."""
    table = results.table("by_annotator")
    table = table[table["arm"].isin(results.headline) & table["attribute"].isin(results.plain)]
    judged = (table["status"] == "ok").groupby([table["attribute"], table["annotator"]], dropna=False)
    return table[judged.transform("any") | table["annotator"].isna()]


def gap_of(row: object | None) -> str:
    """Return a gap with its interval, in bold where its verdict is not the study's, or why there is none."""
    if row is None:
        return MISSING
    text = reason(row.status) if row.status != "ok" and not any_few(row) else estimate(row)
    return f"**{text}**" if row.verdict_differs == 1 else text


def by_annotator(results: Results) -> str:
    """Return each gap by annotator with its verdict, and beside it the gap among the faces that all labelled.

    In bold is what differs from the study's verdict on the same faces. An annotator who gave all the labels that the
    study counts shares its row.
    """
    rows, cells, last = shown(results), [], None
    keys = ["arm", "attribute", "group", "reference"]
    with_common = (rows["among"] == COMMON).any()
    for of, own in rows.groupby(keys, sort=False):
        common = {row.annotator: row for row in own[own["among"] == COMMON].itertuples() if not missing(row.annotator)}
        answered = list(own[own["among"] == ANSWERED].itertuples())
        study = next((row for row in answered if missing(row.annotator)), None)
        same = {row.annotator for row in answered if row is not study and study is not None and alike(row, study)}
        for row in answered:
            if row.annotator in same:
                continue
            by = name(row.annotator) if row is not study else listing([STUDY, *map(name, sorted(same))])
            verdict = f"**{row.verdict}**" if row.verdict_differs == 1 else row.verdict
            beside = common.get(next(iter(sorted(same)), None) if row is study else row.annotator)
            line = [sizes(row), gap_of(row), verdict, *([gap_of(beside)] if with_common else [])]
            cells.append([pair(row) if of != last else "", name(row.arm) if of != last else "", by, *line])
            last = of
    head = heading(results)
    columns = ["gap", "arm", "labels by", "faces", f"points [{head}]", "verdict"]
    return pipe(columns + ["common faces"] * bool(with_common), cells, "lllrrl" + "r" * bool(with_common))


def alike(row: object, other: object) -> bool:
    """Return whether two rows rest on the same labels, as far as groups' sizes and the gap tell."""
    return (row.n_group, row.n_reference, row.estimate) == (other.n_group, other.n_reference, other.estimate)


def share_of(row: object) -> str:
    """Return the share of the faces that an annotator puts into a group, with its interval in percent."""
    return f"{percent(row.share)} {prose(interval(row.share_low, row.share_high))}"


def shares(results: Results) -> str:
    """Say which share of the faces each annotator puts into each group that is compared with a reference."""
    table, parts = shown(results), []
    table = table[(table["among"] == ANSWERED) & table["annotator"].notna()]
    for (_, group), rows in table.groupby(["attribute", "group"], sort=False):
        own = rows[rows["arm"] == rows["arm"].iloc[0]]
        said = [
            f"{results.cite(share_of(row), 'by_annotator', row, 'share, share_low, share_high')} of "
            f"{results.cite(count(row.faces), 'by_annotator', row, 'faces')} faces by {prose(row.annotator)}"
            for row in own.itertuples()
            if not any_few(row) and not missing(row.share)
        ]
        if len(said) > 1:
            parts.append(f"{group_name(group)} {listing(said)}")
    sizes, sources = table.groupby("annotator")["faces"].max(), results.study.get("people", {}).get("sources") or []
    sample = (
        " Who labelled fewer faces labelled a sample: where it was drawn evenly by class and guess, as for the "
        "annotation page, rare groups have a larger share of it than of all faces, which is no disagreement."
        if len(sizes) and has_tables(sources) and sizes.min() < FEWER * sizes.max()
        else ""
    )
    return f"Labelled are {'; '.join(parts)}.{sample}" if parts else ""


def verdicts(results: Results) -> str:
    """Say under whose labels a verdict is another than the study's."""
    rows = shown(results)
    judged = rows[rows["annotator"].notna() & rows["verdict_differs"].notna()]
    if not len(judged):
        return "Under no single annotator's labels could a verdict be given."
    total = results.cite(count(len(judged)), "by_annotator", judged.index, "verdict_differs")
    parts = []
    for row in judged[judged["verdict_differs"] == 1].itertuples():
        text = prose(with_interval(row.estimate, row.ci_low, row.ci_high))
        marked = results.cite(text, "by_annotator", row, "estimate, ci_low, ci_high")
        among = " among the faces that all labelled" if row.among == COMMON else ""
        called = CALLED.get(row.verdict, prose(row.verdict))
        by = prose(row.annotator)
        parts.append(f"{pair(row)} under {prose(row.arm)} is {called} by the labels of {by}{among} ({marked} points)")
    noun = "verdict" if len(judged) == 1 else "verdicts"
    if not parts:
        return f"None of {total} {noun} under a single annotator's labels differs from that under the study's."
    differ = "differs" if len(parts) == 1 else "differ"
    return (
        f"Of {total} {noun} under a single annotator's labels, {count(len(parts))} {differ} from that under the "
        f"study's: {some(parts)}."
    )


def decide(results: Results) -> str:
    """Say how annotators differ in how many they put into each group, and in what follows for the gaps."""
    return " ".join(filter(None, [shares(results), verdicts(results)]))
