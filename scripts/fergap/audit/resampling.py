"""Bootstrap replicates of every metric of every group, for one arm and for the change between two."""

from collections.abc import Callable

import numpy as np

from fergap.audit.bootstrap import Replicates, bootstrap
from fergap.audit.classification import accuracy, averages, per_class
from fergap.audit.counts import PairedSplit, Split
from fergap.audit.joint import Patterns, joint_bootstrap
from fergap.audit.settings import BOOTSTRAP_FACES, Settings
from fergap.seeds import generator

Metric = tuple[str, str]
AVERAGED: list[Metric] = [
    ("precision", "macro_all"),
    ("precision", "macro_common"),
    ("precision", "macro_present"),
    ("precision", "weighted"),
    ("recall", "macro_all"),
    ("recall", "macro_common"),
    ("recall", "macro_present"),
    ("f1", "macro_all"),
    ("f1", "macro_common"),
    ("f1", "macro_present"),
    ("f1", "weighted"),
    ("balanced_accuracy", "macro_present"),
]
GAP_METRICS: list[Metric] = [("accuracy", ""), *((m, "macro_common") for m in ("precision", "recall", "f1"))]


def group_statistics(
    table: np.ndarray, common: np.ndarray, present: np.ndarray, seen: np.ndarray | None = None
) -> np.ndarray:
    """Return accuracy, the averaged metrics in the order of ``AVERAGED`` and F1 by class, as (…, metrics)."""
    averaged = averages(table, common, present, seen)
    columns = [accuracy(table), *(averaged[m] for m in AVERAGED), *np.moveaxis(per_class(table)[2], -1, 0)]
    return np.stack(columns, -1)


def gap_statistics(table: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Return the metrics of ``GAP_METRICS`` as (…, metrics)."""
    averaged = averages(table, common, common)
    return np.stack([accuracy(table), *(averaged[m] for m in GAP_METRICS[1:])], -1)


def accuracy_worth(classes: int) -> np.ndarray:
    """Return what a face counts in accuracy by true and predicted class: 1 where they agree."""
    return np.eye(classes)


def change_worth(classes: int) -> np.ndarray:
    """Return what a face counts in the change of accuracy by true class, class before and after: −1, 0 or 1."""
    right = np.eye(classes)
    return right[:, None, :] - right[:, :, None]


def jointly(
    name: str,
    split: Split | PairedSplit,
    patterns: Patterns,
    statistic: Callable[[int], Callable[[np.ndarray], np.ndarray]],
    settings: Settings,
    worth: np.ndarray,
) -> list[Replicates | None]:
    """Return each group's replicates when all groups share each draw, or None for a group too small to resample."""
    table = split.table
    chosen = [statistic(g) if table[g].sum() >= BOOTSTRAP_FACES else None for g in range(len(table))]
    stream = generator(settings.seed, "audit", name, split.attribute, settings.bootstrap)
    return joint_bootstrap(patterns, table.shape, chosen, settings.resamples, stream, worth, split.reference)


def resample_split(
    arm: str, split: Split, settings: Settings, patterns: Patterns | None = None
) -> list[Replicates | None]:
    """Return each group's replicates of :func:`group_statistics`, or None for a group too small to resample.

    With ``patterns`` all groups are drawn together; without, each by itself.
    """
    common = split.common(settings.minimum_faces)

    def of(g: int) -> Callable[[np.ndarray], np.ndarray]:
        support, predicted = split.table[g].sum(1), split.table[g].sum(0)
        return lambda t: group_statistics(t, common, support > 0, support + predicted > 0)

    worth = accuracy_worth(len(common))
    if patterns is not None:
        return jointly(arm, split, patterns, of, settings, worth)

    def one(g: int) -> Replicates | None:
        table = split.table[g]
        if table.sum() < BOOTSTRAP_FACES:
            return None
        stream = generator(settings.seed, "audit", arm, split.attribute, split.groups[g])
        return bootstrap(table, of(g), settings.resamples, stream, worth)

    return [one(g) for g in range(len(split.groups))]


def resample_change(
    contrast: str, split: PairedSplit, settings: Settings, patterns: Patterns | None = None
) -> list[Replicates | None]:
    """Return each group's replicates of the change (after − before) of ``GAP_METRICS``; ``patterns`` as above."""
    common = split.before.common(settings.minimum_faces)

    def change(t: np.ndarray) -> np.ndarray:
        return gap_statistics(t.sum(-2), common) - gap_statistics(t.sum(-1), common)

    worth = change_worth(len(common))
    if patterns is not None:
        return jointly(contrast, split, patterns, lambda g: change, settings, worth)

    def one(g: int) -> Replicates | None:
        if split.table[g].sum() < BOOTSTRAP_FACES:
            return None
        stream = generator(settings.seed, "audit", contrast, split.attribute, split.groups[g])
        return bootstrap(split.table[g], change, settings.resamples, stream, worth)

    return [one(g) for g in range(len(split.groups))]
