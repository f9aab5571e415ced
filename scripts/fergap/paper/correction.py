"""Gaps corrected for wrong labels in the paper: by the labels alone, by people alone, and by both together."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from fergap.audit.correction import BY_ANSWER, MODEL_ALONE
from fergap.audit.gold_sample import MODELS, of_people
from fergap.audit.tipping import MOST_TIMES
from fergap.paper.cells import find, heading, key_of, pair, reason, told
from fergap.paper.drawing import aside, group_looks, label, rows_axis, rows_height, shade_margin
from fergap.paper.markdown import bullets, listing, name, pipe, prose
from fergap.paper.markdown import group as group_name
from fergap.paper.numbers import MINUS, MISSING, count, fixed, interval, missing, percent, points, with_interval
from fergap.paper.reading import of_arms, some
from fergap.paper.results import Results
from fergap.paper.style import FAINT, INK, Look, new_figure, sheet
from fergap.study import has_tables, standing_for_models

MOST_NAMED = 4  # raters of the gold sample
MOST_ROWS = 36  # of the figure; with more, it shows the labels alone and the estimate to be read


def gaps(results: Results) -> pd.DataFrame:
    """Return the rows on accuracy gaps of plain attributes under the arms shown in detail."""
    rows = of_arms(results, results.table("correction"))
    return rows[rows["reference"].notna() & (rows["metric"] == "accuracy")]


def quantity(results: Results, row: object, metric: str) -> object | None:
    """Return the row on another quantity of the same arm and pair, None where it has no value."""
    table = results.table("correction")
    found = find(table[table["class"].isna()], **key_of(row), metric=metric)
    return None if found is None or missing(found.estimate) else found


def points_of(row: object) -> str:
    """Return an estimate with its interval in points, bounds with theirs, or why there is none."""
    if not missing(row.bound_low):
        return f"{points(row.bound_low)} to {points(row.bound_high)} {interval(row.ci_low, row.ci_high)}"
    if missing(row.estimate):
        return reason(row.status)
    return with_interval(row.estimate, row.ci_low, row.ci_high) if not missing(row.ci_low) else points(row.estimate)


def correction(results: Results) -> str:
    """Return each gap by every estimator, with its interval, the faces that it is worth, and what intervals say."""
    cells = []
    for row in gaps(results).itertuples():
        star = "\\*" if row.primary == 1 else ""
        faces = MISSING if missing(row.effective_n) else count(round(row.effective_n))
        verdict = MISSING if missing(row.verdict) else row.verdict
        cells.append([pair(row), name(row.arm), row.estimator + star, points_of(row), faces, verdict])
    columns = ["gap", "arm", "by", f"points [{heading(results)}]", "worth faces", "reading"]
    return pipe(columns, cells, "lllrrl")


def misclassification(results: Results) -> str:
    """Return how often faces of each group have another label, among all, those read right and those read wrong."""
    table = of_arms(results, results.table("misclassification"))
    wrong = table[table["class"].isna() & (table["label"] != table["group"])]
    keys, cells = ["arm", "attribute", "group", "label"], []
    for (arm, _, group, other), rows in wrong.groupby(keys, sort=False):
        found = {row.among: row for row in rows.itertuples()}
        shown = [
            f"{percent(row.estimate)} {interval(row.ci_low, row.ci_high)}" if row else MISSING
            for row in (found.get(among) for among in ("all", "right", "wrong"))
        ]
        n = next(iter(found.values())).n if "all" not in found else found["all"].n
        cells.append([group_name(group), group_name(other), name(arm), count(n), *shown])
    head = heading(results)
    columns = ["shows", "labelled", "arm", "gold faces", f"all [{head}]", "read right", "read wrong"]
    return pipe(columns, cells, "lllrrrr")


def gold_raters(results: Results, labels: str) -> str:
    """Return who stands for people in the gold sample, by name where they are few: people, simulated raters, or both.

    Simulated raters who stand for models, and ``labels``, who labelled the faces, are none of them.
    """
    sources = results.study.get("people", {}).get("sources") or []
    drawn = [source["simulated"]["name"] for source in sources if isinstance(source, dict) and "simulated" in source]
    simulated = [rater for rater in drawn if rater not in (*standing_for_models(sources), labels)]
    parts = []
    if has_tables(sources):
        table = results.table("agreement")
        named = pd.concat([table["first"], table["second"]]).dropna()
        models = [
            *MODELS,
            *drawn,
            *(Path(s["deepface"]).stem for s in sources if isinstance(s, dict) and "deepface" in s),
        ]
        parts.append(called("people", list(dict.fromkeys(named[of_people(named, models, labels)]))))
    if simulated:
        parts.append(called("simulated raters who stand for people", simulated))
    return listing(parts or ["people"])


def called(what: str, names: list[str]) -> str:
    """Return what raters are, with their names in brackets where they are few."""
    return f"{what} ({listing([prose(n) for n in names])})" if 0 < len(names) <= MOST_NAMED else what


def who(results: Results) -> str:
    """Say who labelled all faces and how large the gold sample is."""
    rows = gaps(results)
    row = next(rows.itertuples())
    gold = results.cite(count(row.gold), "correction", row, "gold")
    n = results.cite(count(row.n), "correction", row, "n")
    people = gold_raters(results, row.labels)
    return f"Labels by {prose(row.labels)} are there for {n} faces, of which {people} answered about {gold}"


def turning(results: Results, row: object) -> str:
    """Say how wrong the labels would have to be for the verdict to change."""
    parts = []
    factor, ratio = (quantity(results, row, metric) for metric in ("tipping_factor", "tipping_ratio"))
    if factor is not None:
        times = results.cite(fixed(factor.estimate, 1), "correction", factor, "estimate")
        parts.append(
            f"the reading of the labels alone would change if labels erred {times} times as often as in the gold sample"
        )
    if ratio is not None:
        times = results.cite(fixed(ratio.estimate, 2), "correction", ratio, "estimate")
        seen = quantity(results, row, "error_ratio")
        found = ""
        if seen is not None and not missing(seen.ci_low):
            ends = f"{fixed(seen.estimate, 2)} [{fixed(seen.ci_low, 2)},\N{NO-BREAK SPACE}{fixed(seen.ci_high, 2)}]"
            found = f", where the gold sample shows {results.cite(prose(ends), 'correction', seen, 'estimate')}"
        parts.append(
            "the one corrected for errors alike would change if labels erred "
            f"{times} times as often on faces read wrong as on those read right{found}"
        )
    if parts:
        return "; ".join(parts)
    table = results.table("correction")
    searched = table["metric"].isin(["tipping_factor", "tipping_ratio"]) & (table["status"] == "not reached")
    rows = [find(table[searched], **key_of(row), metric=metric) for metric in ("tipping_factor", "tipping_ratio")]
    if any(found is None for found in rows):
        return "what errors would turn the reading cannot be told"
    return f"up to {MOST_TIMES:.0f} times as many errors, or as uneven ones, would not turn the reading"


def one_gap(results: Results, row: object) -> str:
    """Say what a gap is by the labels alone and corrected, and what would turn its verdict."""
    naive = find(gaps(results), **key_of(row), estimator=MODEL_ALONE)
    if missing(row.estimate) or missing(naive.estimate):
        return ""
    before = results.cite(prose(points_of(naive)), "correction", naive, "estimate")
    after = results.cite(prose(points_of(row)), "correction", row, "estimate")
    how = "with errors that may depend on the answer" if row.estimator == BY_ANSWER else "with errors alike"
    shrunk = quantity(results, row, "attenuation")
    by = ""
    if shrunk is not None:
        share = results.cite(percent(shrunk.estimate, 0), "correction", shrunk, "estimate")
        by = f" (errors alike leave {share} of a gap)"
    return (
        f"The gap {pair(row)} under {prose(row.arm)} is {before} points by the labels alone and {after} corrected "
        f"{how}{by}; {turning(results, row)}."
    )


def read_otherwise(results: Results) -> str:
    """Say for which gaps the estimate to be read has another reading than the study's verdict; empty without any."""
    rows, verdicts, said = gaps(results), results.verdicts(), []
    for row in rows[rows["primary"] == 1].itertuples():
        study = find(verdicts[verdicts["contrast"].isna()], **key_of(row))
        if study is None or missing(row.verdict) or row.verdict == study.verdict:
            continue
        size = results.cite(prose(points_of(row)), "correction", row, "estimate, ci_low, ci_high")
        reading = results.cite("a gap" if row.verdict == "gap" else prose(row.verdict), "correction", row, "verdict")
        said.append(
            f"{pair(row)} under {prose(row.arm)} is {reading} ({size} points) instead of {prose(study.verdict)}"
        )
    if not said:
        return ""
    return f"Corrected by people's answers for wrong labels, the gap {some(said)} (@tbl-correction)."


def depends(results: Results) -> str:
    """Say whether the gold sample allows for errors that depend on the answer, and whether they make a difference."""
    rows = gaps(results)
    thin = rows[(rows["estimator"] == BY_ANSWER) & rows["estimate"].isna()]
    apart = of_arms(results, results.table("correction"))
    apart = apart[(apart["metric"] == "by_answer_minus_alike") & apart["ci_low"].notna()]
    shown = apart[(apart["ci_low"] > 0) | (apart["ci_high"] < 0)]
    parts = []
    if len(shown):
        named = "; ".join(f"{pair(r)} under {prose(r.arm)}" for r in shown.itertuples())
        parts.append(f"That labels err alike on right and wrong answers is contradicted for {named}.")
    elif len(apart):
        parts.append("Nowhere does the gold sample show that errors by answer move a gap; it may be too small to.")
    if len(thin):
        named = "; ".join(f"{pair(r)} under {prose(r.arm)} ({reason(r.status)})" for r in thin.itertuples())
        parts.append(
            f"The gold sample is too small to tell errors by answer for {named}: there errors alike are assumed, and "
            "the bounds say how far errors of any kind could move the gap."
        )
    return " ".join(parts)


def corrected(results: Results) -> str:
    """Return who answered, the method, one sentence for each gap by the estimator to be read, and the limits."""
    primary = gaps(results)[lambda rows: rows["primary"] == 1]
    said = [one_gap(results, row) for row in primary.itertuples()]
    how = (
        f"{who(results)}: the gold sample. @tbl-correction and @fig-correction take each gap from the labels alone, "
        "from the gold sample alone, and from both: with labels that err alike on faces read right and wrong (maximum "
        "likelihood [@dempster1977]), with errors that may differ between them (the inverse matrix method "
        "[@marshall1990] within each answer), and by multiple imputation [@rubin1987] of the groups that people did "
        "not give. The bounds use only how often each label is right. A gold face counts for all of its class and "
        "label in equal parts; intervals resample gold sample and audited faces together. A star marks the estimate "
        "to be read, and *worth faces* is how many faces of known groups would give an interval as wide, which says "
        "nothing of a bias. The reading is what the intervals alone say. @tbl-misclassification shows how the labels "
        "err."
    )
    limits = (
        "What people say is taken for true here: their own errors, which @tbl-agreement shows, are not corrected. Gold "
        "faces must be a random part of those of their class and label, also after faces that nobody could answer left."
    )
    return "\n\n".join(part for part in (how, bullets([s for s in said if s]), depends(results), limits) if part)


def figure(results: Results) -> Figure:
    """Draw each gap by every estimator with its interval, against the margin."""
    with sheet():
        rows, style = gaps(results), group_looks(results)
        if len(rows) > MOST_ROWS:
            rows = rows[(rows["primary"] == 1) | (rows["estimator"] == MODEL_ALONE)]
        keys = ["attribute", "group", "reference", "arm"]
        blocks = rows[keys].drop_duplicates()
        axes = new_figure(rows_height(len(rows) + len(blocks), len(blocks))).subplots()
        shade_margin(axes, results)
        ticks, words, y = [], [], 0.0
        for (attribute, group, reference, arm), own in rows.groupby(keys, sort=False):
            look = style.get((attribute, group), Look(INK, "o"))
            y += 0.5 if ticks else 0
            ticks.append(y)
            words.append(f"{label(group)} {MINUS} {label(reference)}, {arm}")
            for row in own.itertuples():
                y += 1
                ticks.append(y)
                words.append(f"    {row.estimator}")
                if not missing(row.ci_low):
                    axes.plot([100 * row.ci_low, 100 * row.ci_high], [y, y], "-", color=look.colour, linewidth=1.4)
                if not missing(row.bound_low):
                    ends = [100 * row.bound_low, 100 * row.bound_high]
                    axes.plot(ends, [y, y], "-", color=look.colour, linewidth=4, alpha=0.35, solid_capstyle="butt")
                elif missing(row.estimate):
                    aside(axes, y, "not estimable", FAINT)
                else:
                    fill = look.colour if row.primary == 1 else "white"
                    axes.plot(100 * row.estimate, y, look.marker, color=look.colour, markerfacecolor=fill, markersize=5)
                if not missing(row.effective_n):
                    aside(axes, y, f"{count(round(row.effective_n))} faces", FAINT)
            y += 1
        rows_axis(axes, words, ticks)
        for text in axes.get_yticklabels():
            text.set_fontweight("normal" if text.get_text().startswith(" ") else "bold")
        axes.grid(axis="x")
        axes.set_xlabel("gap, percentage points")
        return axes.figure


def description(results: Results) -> str:
    """Describe the figure: each gap by every estimator."""
    parts = []
    for row in gaps(results).itertuples():
        if not missing(row.bound_low):
            shown = f"{points(row.bound_low)} to {points(row.bound_high)}"
        elif missing(row.estimate):
            shown = told(row.status)
        else:
            shown = points_of(row)
        parts.append(f"{row.group} {MINUS} {row.reference}, {row.arm}, {row.estimator}: {shown}")
    return "Gaps by the labels alone, people alone and both, in percentage points. " + "; ".join(parts) + "."
