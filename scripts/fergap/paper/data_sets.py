"""Several data sets in the paper: which one a face comes from, and one that a network never saw."""

import pandas as pd

from fergap.paper.cells import any_few, estimate, faces, heading, reason, whole_name
from fergap.paper.markdown import listing, name, pipe, prose
from fergap.paper.numbers import MISSING, count, interval, missing, p_value, percent, points, with_interval
from fergap.paper.reading import related
from fergap.paper.results import WHOLE, Results
from fergap.study import SOURCE, recognising


def recognisers(results: Results) -> list[str]:
    """Return the arms that recognise the source of a face."""
    return list(dict.fromkeys(results.table("source_recognition")["arm"]))


def accuracies(results: Results) -> pd.DataFrame:
    """Return the accuracy rows of ``source_recognition``, of all faces and of plain attributes."""
    rows = results.table("source_recognition")
    return rows[(rows["metric"] == "accuracy") & rows["attribute"].isin([WHOLE, *results.plain])]


def recognition(results: Results) -> str:
    """Return how many sources were recognised of all faces and of each group, beside what chance would give."""
    cells = []
    for row in accuracies(results).itertuples():
        told = row.status == "ok" and not any_few(row)
        cells.append(
            [
                whole_name(row.attribute, row.group),
                name(row.arm),
                faces(row.n),
                f"{percent(row.estimate)} {interval(row.ci_low, row.ci_high)}" if told else reason(row.status),
                percent(row.expected) if told else MISSING,
                p_value(row.p_value if row.attribute == WHOLE else row.p_adjusted) if told else MISSING,
            ]
        )
    columns = ["faces of", "arm", "faces", f"recognised [{heading(results)}]", "by chance", "p"]
    return pipe(columns, cells, "llrrrr")


def recognition_matrix(results: Results) -> str:
    """Return what each source's faces were taken for, with intervals."""
    rows = results.table("source_recognition")
    rows, cells = rows[rows["metric"] == "share"], []
    sources = list(dict.fromkeys(rows["true"]))
    for (arm, true), own in rows.groupby(["arm", "true"], sort=False):
        found = own.set_index("predicted").loc[sources]
        shares = [
            f"{percent(r.estimate)} {interval(r.ci_low, r.ci_high)}" if r.status == "ok" else MISSING
            for r in found.itertuples()
        ]
        cells.append([name(true), name(arm), count(own["n"].iloc[0]), *shares])
    columns = ["source", "arm", "faces", *(f"taken for {name(source)}" for source in sources)]
    return pipe(columns, cells, "llr" + "r" * len(sources))


def recognised(results: Results) -> str:
    """Say how well each arm tells the sources apart."""
    said = []
    for row in accuracies(results).query("attribute == @WHOLE").itertuples():
        if missing(row.estimate):
            continue
        cites = {
            key: results.cite(text, "source_recognition", row, key)
            for key, text in (
                ("estimate", percent(row.estimate)),
                ("ci_low", interval(row.ci_low, row.ci_high)),
                ("expected", percent(row.expected)),
                ("p_value", related(row.p_value)),
            )
        }
        numbers = f"{cites['estimate']} {cites['ci_low']} of {count(row.n)} faces"
        chance = f"answers of the same shares that know nothing of the face would be right for {cites['expected']}"
        if row.p_value < results.alpha:
            verdict = "the data sets can be told apart by their pictures"
        else:
            verdict = "that the data sets can be told apart by their pictures is not shown"
        said.append(
            f"{prose(row.arm)} names the source of {numbers}, where {chance} (p {cites['p_value']}): {verdict}."
        )
    return " ".join(said)


def compared(results: Results) -> pd.DataFrame:
    """Return the rows of ``unseen_sources`` on all faces and plain attributes."""
    rows = results.table("unseen_sources")
    return rows[rows["attribute"].isin([WHOLE, *results.plain])]


def source_name(source: str) -> str:
    """Return a source's name for a reader: ``all sources`` for all of them."""
    return "all sources" if source == WHOLE else name(source)


def unseen_sources(results: Results) -> str:
    """Return the accuracy on each source by networks that saw it and by others that never did, with the change."""
    cells = []
    for row in compared(results).itertuples():
        told = row.status == "ok" and not any_few(row)
        beyond = with_interval(row.gap_change, row.gap_change_low, row.gap_change_high)
        cells.append(
            [
                source_name(row.source),
                whole_name(row.attribute, row.group),
                name(row.arm),
                faces(row.n),
                percent(row.accuracy_seen) if told else MISSING,
                percent(row.accuracy_unseen) if told else MISSING,
                estimate(row) if told else reason(row.status),
                p_value(row.p_value if missing(row.p_adjusted) else row.p_adjusted) if told else MISSING,
                f"{beyond} (to {name(row.reference)})" if told and not missing(row.gap_change) else MISSING,
            ]
        )
    columns = ["source", "faces of", "arm", "faces", "seen", "unseen", f"change [{heading(results)}]", "p"]
    return pipe([*columns, "change of the gap"], cells, "lllrrrrrr")


def unseen(results: Results) -> str:
    """Say of each source what a network loses on it that never saw it, and which gaps that widens."""
    rows, said = compared(results), []
    for row in rows[(rows["attribute"] == WHOLE) & (rows["source"] != WHOLE)].itertuples():
        if missing(row.estimate):
            continue

        def cite(text: str, column: str, row: object = row) -> str:
            return results.cite(text, "unseen_sources", row, column)

        change = f"{cite(points(abs(row.estimate), signed=False), 'estimate')} points"
        around = cite(interval(row.ci_low, row.ci_high), "ci_low")
        p = f"p {cite(related(row.p_adjusted), 'p_adjusted')}"
        if row.p_adjusted < results.alpha:
            way = "less" if row.estimate < 0 else "more"
            said.append(
                f"{prose(row.arm)}: {name(row.source)} faces are recognised {change} {way} often by networks that "
                f"never saw the source ({around}; {p})."
            )
        else:
            change = cite(points(row.estimate), "estimate")
            said.append(
                f"{prose(row.arm)}: that {name(row.source)} faces are recognised more or less often by networks that "
                f"never saw the source is not shown ({change} {around}; {p})."
            )
    wider = rows[(rows["gap_change_low"] > 0) | (rows["gap_change_high"] < 0)]
    named = []
    for r in wider.itertuples():
        size = with_interval(r.gap_change, r.gap_change_low, r.gap_change_high)
        size = results.cite(size, "unseen_sources", r, "gap_change")
        named.append(f"{name(r.group)} against {name(r.reference)} on {source_name(r.source)} ({size})")
    if named:
        said.append(f"Gaps that change with it, by intervals that are not adjusted: {listing(named)}.")
    elif rows["gap_change"].notna().any():
        said.append("No gap between groups is shown to change with it.")
    return "\n".join(f"- {line}" for line in said)


def words(arm: dict) -> str:
    """Return in words what an arm has to do with sources; empty where nothing."""
    if arm.get("label") == SOURCE:
        return "recognises the source of a face"
    return "leaves each source out in turn" if arm.get("folds") else ""


def protocol(study: dict) -> str:
    """Return how arms that recognise sources or leave them out are trained, as sentences."""
    said = []
    if arms := [name(arm) for arm in recognising(study)]:
        said.append(
            f"{listing(arms)} {'is' if len(arms) == 1 else 'are'} trained on the same folds to tell from which source "
            "a face comes, and not what it shows."
        )
    if arms := [name(arm["name"]) for arm in study["arms"] if arm.get("folds")]:
        said.append(
            f"{listing(arms)} {'leaves' if len(arms) == 1 else 'leave'} each source out in turn: the faces of a source "
            "are predicted by a network that saw none of them, and no copy of one; its epoch is chosen on faces of the "
            "other sources."
        )
    return " ".join(said)
