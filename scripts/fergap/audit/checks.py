"""Is the input fit to be audited? One row per check, with what was found and whether to look at it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import proportions_ztest

from fergap.audit.dataset_bias import cross
from fergap.audit.inputs import Arm, Attribute, Sample
from fergap.audit.settings import Settings

Row = dict[str, Any]
LEARNED = "right more often than the largest class alone"
CLEAR = 1.1  # design effect from which the interval of dependent faces is clearly the wider: by 5 %


def row(check: str, value: str, fine: bool = True, **where: str) -> Row:
    return {"check": check, "value": value, "verdict": "ok" if fine else "look"} | where


def checks(
    sample: Sample, settings: Settings, clusters: Sequence[Row], tried: Mapping[str, int] | None = None
) -> Iterator[Row]:
    """Yield the rows of ``checks``; ``clusters`` are the rows of that table.

    ``tried`` tells for each arm how many settings were tried before its own were taken: arms that were tuned more than
    others are better for that alone.
    """
    yield row("faces", f"{len(sample.faces):,}")
    yield row("classes", ", ".join(sample.classes), len(sample.classes) > 1)
    if sample.arms:
        yield row("people without a prediction", f"{sample.unpredicted_people:,}", sample.unpredicted_people == 0)
    yield row("resamples", f"{settings.resamples:,} (seed {settings.seed})")
    for arm in sample.arms.values():
        yield from arm_checks(sample, arm)
    budgets = {arm: count for arm, count in (tried or {}).items() if arm in sample.arms}
    for arm, count in budgets.items():
        yield row("settings tried", f"{count:,}", count == min(budgets.values()), arm=arm)
    counted = sample.labels >= 0
    for attribute in sample.attributes:
        yield from attribute_checks(sample, attribute, counted, settings)
    yield from dependence_checks(sample, clusters)
    for contrast in settings.contrasts:
        before, after = sample.arms[contrast.before], sample.arms[contrast.after]
        same = bool(np.array_equal(before.fold, after.fold))
        value = f"{int(before.covered.sum()):,} faces, " + ("same folds" if same else "other folds")
        yield row(f"pairing: {contrast.name}", value, same, arm=contrast.after)


def arm_checks(sample: Sample, arm: Arm) -> Iterator[Row]:
    """Yield the checks of one arm's predictions."""
    covered = int(arm.covered.sum())
    missing = len(sample.faces) - covered
    yield row("faces without a prediction", f"{missing:,}", missing == 0, arm=arm.name)
    rows = sample.rows
    test = rows[(rows["arm"] == arm.name) & (rows["role"] == "test")]
    count = len(test[["seed", "repeat"]].drop_duplicates())
    yield row("replicates", f"{count} (tests from seed {arm.seed}, repeat {arm.repeat})", arm=arm.name)
    right = int((arm.true == arm.predicted)[arm.covered].sum())
    yield row("accuracy", f"{right:,} of {covered:,}", arm=arm.name)
    yield against_largest_class(sample, arm)
    unseen = set(range(len(sample.classes))) - set(arm.true[arm.covered])
    value = ", ".join(sample.classes[c] for c in sorted(unseen)) or "none"
    yield row("classes without a face", value, not unseen, arm=arm.name)
    if arm.name in sample.probabilities:
        given, other = sample.probabilities[arm.name]
        value = f"{given:,} rows with probabilities, {other:,} largest for another class than predicted"
        yield row("probabilities", value, other == 0, arm=arm.name)


def against_largest_class(sample: Sample, arm: Arm) -> Row:
    """Return whether an arm is shown to be right more often than one that always says the class with the most faces.

    By McNemar's test, one-sided at 5 %: of the faces on which one of the two is right alone, more must be the arm's.
    Gaps of an arm that is not are gaps between shares of classes.
    """
    true, predicted = arm.true[arm.covered], arm.predicted[arm.covered]
    largest = int(np.argmax(np.bincount(true, minlength=len(sample.classes))))
    right, constant = true == predicted, true == largest
    alone, other = int((right & ~constant).sum()), int((~right & constant).sum())
    fine = bool(alone > other and norm.sf((alone - other) / np.sqrt(alone + other)) < 0.05)
    value = f"{int(right.sum()):,} right, {int(constant.sum()):,} by always saying {sample.classes[largest]}"
    return row(LEARNED, value, fine, arm=arm.name)


def seen_in_training(sample: Sample, arm: Arm) -> int | None:
    """Return how many of an arm's test faces the model of their fold was trained on; None without training rows."""
    rows = sample.rows
    own = rows[(rows["arm"] == arm.name) & (rows["role"] == "train")]
    own = own[(own["seed"] == arm.seed) & (own["repeat"] == arm.repeat)]
    if own.empty:
        return None
    tested = np.flatnonzero(arm.covered)
    folds = max(int(own["fold"].max()), int(arm.fold.max())) + 1
    trained = own["face"].to_numpy(np.int64) * folds + own["fold"].to_numpy()
    return int(np.isin(tested.astype(np.int64) * folds + arm.fold[tested], trained).sum())


def split_clusters(sample: Sample, arm: Arm) -> int:
    """Return how many clusters have faces in more than one test fold: the model of one has seen the other."""
    pairs = np.stack([sample.clusters[arm.covered], arm.fold[arm.covered]], 1)
    return int((np.unique(np.unique(pairs, axis=0)[:, 0], return_counts=True)[1] > 1).sum())


def dependence_checks(sample: Sample, clusters: Sequence[Row]) -> Iterator[Row]:
    """Yield whether folds share a face or a cluster, and by how much clusters widen each gap's standard error."""
    for arm in sample.arms.values():
        if (seen := seen_in_training(sample, arm)) is not None:
            yield row("tested faces that their model was trained on", f"{seen:,}", seen == 0, arm=arm.name)
        if sample.clusters is not None:
            torn = split_clusters(sample, arm)
            yield row("clusters with faces in more than one fold", f"{torn:,}", torn == 0, arm=arm.name)
    for gap in clusters:
        if gap["quantity"] == "gap" and gap["status"] == "ok" and "design_effect" in gap:
            effect = gap["design_effect"]
            value = f"design effect {effect:.2f} of the gap to {gap['reference']} ({gap['clusters']:,} clusters)"
            where = {key: gap[key] for key in ("arm", "attribute", "group")}
            yield row("independent faces", value, effect < CLEAR, **where)


def attribute_checks(sample: Sample, attribute: Attribute, counted: np.ndarray, settings: Settings) -> Iterator[Row]:
    """Yield the checks of one attribute: unknown groups, empty cells, whether the annotated faces are like others."""
    where = {"attribute": attribute.name}
    unknown = int((counted & (attribute.codes < 0)).sum())
    yield row("faces of unknown group", f"{unknown:,} of {int(counted.sum()):,}", unknown == 0, **where)
    reference = attribute.groups[attribute.reference]
    yield row(
        "reference", reference + (" (the largest group; none is configured)" if attribute.chosen else ""), **where
    )
    labels = next((arm.true for arm in sample.arms.values()), sample.labels)
    support_of = cross(attribute.codes, labels, (len(attribute.groups), len(sample.classes)))
    empty = [f"{attribute.groups[g]} × {sample.classes[c]}" for g, c in np.argwhere(support_of == 0)]
    yield row("empty cells", ", ".join(empty) or "none", not empty, **where)
    for g, group in enumerate(attribute.groups):
        support = support_of[g]
        n = int(support.sum())
        yield row("faces", f"{n:,}", n >= settings.minimum_faces, group=group, **where)
        few = [f"{sample.classes[c]} ({support[c]})" for c in np.flatnonzero(support < 5)]
        yield row("classes with fewer than 5 faces", ", ".join(few) or "none", not few, group=group, **where)
    for arm in sample.arms.values():
        right = arm.true == arm.predicted
        known = arm.covered & (attribute.codes >= 0)
        rest = arm.covered & (attribute.codes < 0)
        x, n = np.array([right[known].sum(), right[rest].sum()]), np.array([known.sum(), rest.sum()])
        if n.min() >= settings.minimum_faces and 0 < x.sum() < n.sum():
            z, p = proportions_ztest(x, n)
            value = f"{x[0]:,} of {n[0]:,} against {x[1]:,} of {n[1]:,} correct, z = {z:.2f}"
            yield row("annotated faces against the rest", value, p >= 0.001, arm=arm.name, **where)
