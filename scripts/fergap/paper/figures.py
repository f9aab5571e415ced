"""The figures of the paper, by name, each with the table that it is drawn from.

Every function takes a :class:`fergap.paper.results.Results` and reads what it needs from the audit's tables, so that a
figure cannot show what no table holds. Shares are drawn in percent and gaps in percentage points.
"""

from matplotlib.figure import Figure

from fergap.paper import (
    correction,
    figures_arms,
    figures_data,
    figures_gaps,
    figures_model_bias,
    figures_sensitivity,
    figures_shares,
    figures_sources,
    figures_tradeoff,
    human,
    raters,
)
from fergap.paper.results import Results

FIGURES = {
    "montage": (figures_data.montage, "faces"),
    "classes_by_group": (figures_data.classes_by_group, "dataset_shares"),
    "shares_by_one": (figures_shares.shares_by_one, "dataset_shares"),
    "shares_by_two": (figures_shares.shares_by_two, "dataset_shares"),
    "shares_by_three": (figures_shares.shares_by_three, "dataset_shares"),
    "confusion_matrices": (figures_data.confusion_matrices, "confusion"),
    "learning_curves": (figures_data.learning_curves, "history"),
    "gap_forest": (figures_gaps.gap_forest, "gaps"),
    "class_gaps": (figures_gaps.class_gaps, "gaps"),
    "fold_gaps": (figures_gaps.fold_gaps, "replicates"),
    "optimism": (figures_gaps.optimism, "optimism"),
    "changes": (figures_gaps.changes, "changes"),
    "gap_changes": (figures_gaps.gap_changes, "gap_changes"),
    "arms": (figures_arms.arms, "gaps"),
    "tradeoff": (figures_tradeoff.tradeoff, "tradeoff"),
    "model_bias": (figures_model_bias.model_bias, "model_bias"),
    "label_noise": (figures_sensitivity.label_noise, "label_noise"),
    "sensitivity": (figures_gaps.sensitivity, "sensitivity"),
    "recognition": (figures_sources.recognition, "source_recognition"),
    "unseen": (figures_sources.unseen, "unseen_sources"),
    "correction": (correction.figure, "correction"),
    "ambiguity": (human.figure, "by_ambiguity"),
    "agreement": (raters.figure, "agreement"),
    "calibration": (figures_sensitivity.calibration, "calibration"),
}


COMPARING = frozenset(("arms", "tradeoff", "model_bias"))
"""Figures of all arms; every other is of the arms that the paper tells in full."""


def draw(results: Results) -> dict[str, Figure]:
    """Return the figures that a study has tables for, by name."""
    told = results.detail()
    hidden = {"montage"} if results.pixels is None else set()
    hidden |= {name for name, depth in figures_shares.DEPTHS.items() if depth > len(results.plain)}
    hidden |= {"arms"} if told is results else set()
    hidden |= set() if raters.coefficients(told) else {"agreement"}
    hidden |= set() if len(human.bands(told)) else {"ambiguity"}
    return {
        name: make(results if name in COMPARING else told)
        for name, (make, table) in FIGURES.items()
        if name not in hidden and results.has(table)
    }
