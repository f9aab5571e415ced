"""Alternative text: what each figure shows, in words, from the tables that the figure is drawn from."""

import numpy as np
import pandas as pd

from fergap.audit.validation import INDEPENDENT
from fergap.paper.cells import any_few, faces, told
from fergap.paper.correction import description as corrected_gaps
from fergap.paper.drawing import label
from fergap.paper.figures_arms import changed, panels_of, rows_of
from fergap.paper.figures_data import class_shares
from fergap.paper.figures_model_bias import shown_blocks
from fergap.paper.figures_shares import blocks, told_z
from fergap.paper.human import description as gaps_by_ambiguity
from fergap.paper.model_bias import scores
from fergap.paper.numbers import MINUS, count, fixed, percent, points, with_interval
from fergap.paper.raters import description as agreement_of_raters
from fergap.paper.results import WHOLE, Results
from fergap.paper.tables_sensitivity import choice_name, choices
from fergap.paper.tables_tradeoff import compared_arms, gap_pairs, of_pair
from fergap.study import all_drawn, entries


def group_of(row: object) -> str:
    """Return a row's group, or ``all faces``."""
    return "all faces" if row.attribute == WHOLE else row.group


def classes_by_group(results: Results) -> str:
    """Describe the bars of classes by group."""
    parts = []
    for attribute in results.plain:
        shares = class_shares(results, attribute)
        for group in results.groups[attribute]:
            own = shares[shares["group"] == group]
            inside = ", ".join(
                f"{r[1]} {faces(r[2])}" for r in own[["group", "class", "count"]].itertuples(index=False, name=None)
            )
            parts.append(f"{group}: {inside}")
    return "Bar charts of the classes within each group, in faces. " + "; ".join(parts) + "."


def shares(results: Results, depth: int) -> str:
    """Describe the heat maps of classes by ``depth`` attributes: in each group the class that it has most too often."""
    parts = []
    for block in blocks(results, depth):
        for group, n, z in zip(block.groups, block.n, told_z(block), strict=True):
            if np.isnan(z).all():
                parts.append(f"{label(group)}, {faces(n)} faces")
                continue
            most, least = (results.classes[int(f(z))] for f in (np.nanargmax, np.nanargmin))
            parts.append(
                f"{label(group)}, {faces(n)} faces: {most} {fixed(np.nanmax(z), 2)}, {least} {fixed(np.nanmin(z), 2)}"
            )
    return f"Heat maps of classes by group; the highest and the lowest of Ducher's Z in each. {'; '.join(parts)}."


def shares_by_one(results: Results) -> str:
    """Describe the heat maps of classes by one attribute."""
    return shares(results, 1)


def shares_by_two(results: Results) -> str:
    """Describe the heat maps of classes by two attributes."""
    return shares(results, 2)


def shares_by_three(results: Results) -> str:
    """Describe the heat maps of classes by three attributes."""
    return shares(results, 3)


def confusion_matrices(results: Results) -> str:
    """Describe the confusion matrices by the most frequent confusion of each arm."""
    table, parts = results.confusion(), []
    for arm in results.arms:
        own = table[table["arm"] == arm]
        wrong = own[own["true"] != own["predicted"]]
        if len(own) and wrong["count"].sum():
            top = wrong.loc[wrong["count"].idxmax()]
            right = own.loc[own["true"] == own["predicted"], "count"].sum()
            parts.append(
                f"{arm}: {percent(right / own['count'].sum())} on the diagonal; most often {top['true']} is taken "
                f"for "
                f"{top['predicted']} ({count(top['count'])} faces)"
            )
    return "Confusion matrices, one per arm. " + "; ".join(parts) + "."


def learning_curves(results: Results) -> str:
    """Describe the learning curves by their ends and the chosen epochs."""
    history, parts = results.table("history"), []
    for arm in results.arms:
        own = history[history["arm"] == arm]
        if len(own):
            last, chosen = own[own["epoch"] == own["epoch"].max()], own.loc[own["chosen"] == 1, "epoch"]
            parts.append(
                f"{arm}: at epoch {own['epoch'].max()} mean training accuracy "
                f"{percent(last['train_accuracy'].mean())}, "
                f"validation {percent(last['validation_accuracy'].mean())}; chosen epochs {chosen.min()} to "
                f"{chosen.max()}"
            )
    return "Loss and accuracy by epoch. " + "; ".join(parts) + "."


def gap_forest(results: Results) -> str:
    """Describe every gap with its interval, and the margin."""
    parts = [
        f"{r.group} {MINUS} {r.reference}, {r.arm}: "
        + (told(r.status) if pd.isna(r.estimate) else with_interval(r.estimate, r.ci_low, r.ci_high))
        for r in results.gaps().itertuples(index=False)
    ]
    margin = points(results.margin, signed=False)
    return f"Gaps in accuracy in percentage points, against a margin of {margin} points. " + "; ".join(parts) + "."


def optimism(results: Results) -> str:
    """Describe accuracy out of fold and on training faces."""
    parts = [
        f"{group_of(r)}, {r.arm}: {percent(r.out_of_fold)} and {percent(r.in_sample)}"
        for r in results.in_order(results.table("optimism")).itertuples(index=False)
    ]
    return "Accuracy out of fold and on training faces. " + "; ".join(parts) + "."


def changes(results: Results) -> str:
    """Describe each group's accuracy before and after."""
    rows = results.table("changes")
    rows = results.in_order(rows[rows["primary"] == 1])
    parts = [
        f"{group_of(r)}, {r.contrast}: "
        + (
            told(r.status)
            if pd.isna(r.estimate)
            else f"{percent((r.n11 + r.n10) / r.n)} to {percent((r.n11 + r.n01) / r.n)}"
        )
        for r in rows.itertuples(index=False)
    ]
    return "Accuracy before and after, by group. " + "; ".join(parts) + "."


def class_gaps(results: Results) -> str:
    """Describe the gap within each class."""
    rows = results.class_gaps()
    rows = rows[rows["arm"].isin(results.headline[:2])].rename(columns={"class": "label"})
    parts = [
        f"{r.group} {MINUS} {r.reference}, {r.label}, {r.arm}: "
        + ("not estimable" if pd.isna(r.estimate) or any_few(r) else points(r.estimate))
        for r in rows.itertuples()
    ]
    return "Gaps in recall within each class, in percentage points. " + "; ".join(parts) + "."


def fold_gaps(results: Results) -> str:
    """Describe the spread of each gap over the folds."""
    table, parts = results.table("replicates"), []
    table = table[table["attribute"].isin(results.plain) & table["arm"].isin(results.headline) & table["fold"].notna()]
    for (_, group, reference, arm), own in table.groupby(["attribute", "group", "reference", "arm"], sort=False):
        if own["gap"].notna().any():
            low, high = points(own["gap"].min()), points(own["gap"].max())
            parts.append(
                f"{group} {MINUS} {reference}, {arm}: {low} to {high} over {count(own['gap'].notna().sum())} folds"
            )
    return "The gap in accuracy in every fold, in percentage points. " + "; ".join(parts) + "."


def montage(results: Results) -> str:
    """Describe the montage by its rows."""
    kind = "Drawn faces" if all_drawn(results.study["faces"]) else "Faces"
    sources = [entry.get("name", entry["source"]) for entry in entries(results.study["faces"])]
    blocks = f"; blocks of columns from left to right: {', '.join(sources)}" if len(sources) > 1 else ""
    return f"{kind}, one row per class from top to bottom: {', '.join(results.classes)}{blocks}."


def gap_changes(results: Results) -> str:
    """Describe each gap before and after, and the change of its two groups."""
    rows, changes = results.table("gap_changes"), results.table("changes")
    rows = rows[(rows["metric"] == "accuracy") & (rows["primary"] == 1) & rows["attribute"].isin(results.plain)]
    changes = changes[changes["primary"] == 1].set_index(["contrast", "attribute", "group"])["estimate"]
    parts = []
    for r in rows.itertuples():
        if pd.isna(r.estimate):
            parts.append(f"{r.group} {MINUS} {r.reference}: {told(r.status)}")
            continue
        moved = ", ".join(f"{g} {points(changes.get((r.contrast, r.attribute, g)))}" for g in (r.group, r.reference))
        gap = f"{points(r.gap_before)} before, {points(r.gap_after)} after"
        parts.append(f"{r.group} {MINUS} {r.reference}, {r.contrast}: {gap}; change of {moved}")
    return "Gaps before and after, and the change of each group, in percentage points. " + "; ".join(parts) + "."


def arms(results: Results) -> str:
    """Describe the accuracy and every gap of every arm."""
    parts = []
    for panel in panels_of(results):
        rows, moved = rows_of(results, panel), changed(results, panel)
        shown = [
            f"{arm} {percent(row.estimate) if panel is None else points(row.estimate)}" + " (changed)" * (arm in moved)
            for arm, row in rows.items()
        ]
        parts.append(f"{'accuracy' if panel is None else f'{panel[1]} {MINUS} {panel[2]}'}: {', '.join(shown)}")
    return "Accuracy in percent and gaps in percentage points, one row of each arm. " + "; ".join(parts) + "."


def model_bias(results: Results) -> str:
    """Describe each arm's scores and what a group-blind model would score."""
    rows, parts = scores(results), []
    for row in rows[rows["attribute"].isin(shown_blocks(results)) & rows["estimate"].notna()].itertuples():
        of = "all attributes" if row.attribute == WHOLE else row.attribute
        found, blind = (points(x, signed=False) for x in (row.estimate, row.expected))
        parts.append(f"{row.arm} by {of}, {row.form}: {found} against {blind}")
    return "Bias scores in percent, each against that of a group-blind model. " + "; ".join(parts) + "."


def tradeoff(results: Results) -> str:
    """Describe every arm by its accuracy and each gap, and the Pareto front."""
    rows, parts = compared_arms(results), []
    for gap in gap_pairs(results):
        own = [r for r in of_pair(rows, gap).itertuples() if pd.notna(r.gap)]
        shown = ", ".join(f"{r.arm} {percent(r.accuracy)} and {points(r.gap)}" for r in own)
        front = ", ".join(r.arm for r in own if r.front == 1)
        parts.append(f"{gap[1]} {MINUS} {gap[2]}: {shown}; on the Pareto front {front}")
    return (
        "Accuracy and gap in percentage points of every arm, with joint confidence ellipses. " + "; ".join(parts) + "."
    )


def label_noise(results: Results) -> str:
    """Describe the gap as labelled and at the poorest annotator drawn."""
    table = results.table("label_noise")
    table = table[table["arm"].isin(results.headline[:2]) & table["attribute"].isin(results.plain)]
    given = table[(table["scenario"] == "labels as given") & table["estimate"].notna()]
    parts = [f"{r.group} {MINUS} {r.reference}, {r.arm}: {points(r.estimate)} as labelled" for r in given.itertuples()]
    sample = table[(table["scenario"] == INDEPENDENT) & table["ci_low"].notna()]
    parts += [
        f"{r.group} {MINUS} {r.reference}, {r.arm}: {with_interval(r.estimate, r.ci_low, r.ci_high)} by the "
        "validation sample"
        for r in sample.itertuples()
    ]
    return "Gaps corrected for wrong group labels, further from zero the worse the labels. " + "; ".join(parts) + "."


def sensitivity(results: Results) -> str:
    """Describe each gap among every choice of faces."""
    parts = []
    for _, own in choices(results).groupby(["attribute", "group", "reference", "arm"], sort=False):
        first = next(own.itertuples())
        inside = ", ".join(
            f"{choice_name(r)} {'not estimable' if pd.isna(r.estimate) else points(r.estimate)}"
            for r in own.itertuples()
        )
        parts.append(f"{first.group} {MINUS} {first.reference}, {first.arm}: {inside}")
    return "Gaps in accuracy by the choice of faces, in percentage points. " + "; ".join(parts) + "."


def calibration(results: Results) -> str:
    """Describe the certificate by the lowest and highest coverage of each interval."""
    table = results.table("calibration")
    rows = table[(table["primary"] == 1) & table["quantity"].str.startswith("coverage of ")]
    parts = [
        f"{quantity.removeprefix('coverage of ')} {percent(own.min())} to {percent(own.max())}"
        for quantity, own in rows.groupby("quantity", sort=False)["estimate"]
    ]
    return "Coverage of the primary intervals in every scenario, lowest and highest: " + "; ".join(parts) + "."


def recognition(results: Results) -> str:
    """Describe how many faces of each source are named rightly."""
    rows = results.table("source_recognition")
    rows = rows[(rows["metric"] == "share") & (rows["true"] == rows["predicted"])]
    parts = [f"{r.true} by {r.arm}: {percent(r.estimate)} of {count(r.n)}" for r in rows.itertuples()]
    return f"What the faces of each source are taken for; named rightly: {'; '.join(parts)}."


def unseen(results: Results) -> str:
    """Describe the accuracy on each source by networks that saw it and by others."""
    rows = results.table("unseen_sources")
    rows = rows[(rows["attribute"] == WHOLE) & rows["estimate"].notna()]
    parts = [
        f"{'all sources' if r.source == WHOLE else r.source}, {r.arm}: {percent(r.accuracy_seen)} to "
        f"{percent(r.accuracy_unseen)}"
        for r in rows.itertuples()
    ]
    return f"Accuracy on each source by networks that saw it, and by others that never did. {'; '.join(parts)}."


DESCRIPTIONS = {
    f.__name__: f
    for f in (
        *(classes_by_group, confusion_matrices, learning_curves, gap_forest, class_gaps, fold_gaps, optimism, changes),
        *(shares_by_one, shares_by_two, shares_by_three),
        *(montage, gap_changes, arms, tradeoff, model_bias, label_noise, sensitivity, calibration, recognition, unseen),
    )
} | {"correction": corrected_gaps, "ambiguity": gaps_by_ambiguity, "agreement": agreement_of_raters}
