"""The figures of the paper, by name, each with the table that it is drawn from.

Every function takes a :class:`fergap.paper.results.Results` and reads what it needs from the audit's tables, so that a
figure cannot show what no table holds. Shares are drawn in percent and gaps in percentage points.
"""

from matplotlib.figure import Figure

from fergap.paper import figures_data, figures_gaps, figures_sensitivity, figures_sources, figures_tradeoff
from fergap.paper.results import Results

FIGURES = {
    "montage": (figures_data.montage, "faces"),
    "classes_by_group": (figures_data.classes_by_group, "dataset_shares"),
    "confusion_matrices": (figures_data.confusion_matrices, "confusion"),
    "learning_curves": (figures_data.learning_curves, "history"),
    "gap_forest": (figures_gaps.gap_forest, "gaps"),
    "class_gaps": (figures_gaps.class_gaps, "gaps"),
    "fold_gaps": (figures_gaps.fold_gaps, "replicates"),
    "optimism": (figures_gaps.optimism, "optimism"),
    "changes": (figures_gaps.changes, "changes"),
    "gap_changes": (figures_gaps.gap_changes, "gap_changes"),
    "tradeoff": (figures_tradeoff.tradeoff, "tradeoff"),
    "label_noise": (figures_sensitivity.label_noise, "label_noise"),
    "sensitivity": (figures_gaps.sensitivity, "sensitivity"),
    "recognition": (figures_sources.recognition, "source_recognition"),
    "unseen": (figures_sources.unseen, "unseen_sources"),
    "calibration": (figures_sensitivity.calibration, "calibration"),
}


def draw(results: Results) -> dict[str, Figure]:
    """Return the figures that a study has tables for, by name."""
    hidden = {"montage"} if results.pixels is None else set()
    return {n: make(results) for n, (make, table) in FIGURES.items() if n not in hidden and results.has(table)}
