"""The tables of the paper: functions that take a study's results and return a Markdown pipe table, by name."""

from fergap.paper import (
    annotators,
    asked,
    correction,
    data_sets,
    dataset,
    human,
    model_bias,
    planted_found,
    planting,
    raters,
    tables_appendix,
    tables_arms,
    tables_changes,
    tables_classes,
    tables_data,
    tables_fairness,
    tables_files,
    tables_gaps,
    tables_networks,
    tables_performance,
    tables_sample,
    tables_scores,
    tables_sensitivity,
    tables_tradeoff,
    tables_training,
)

TABLES = {"planted": planting.table} | {
    make.__name__: make
    for make in (
        *(tables_data.dropped, tables_data.labels, tables_data.overlaps, tables_data.annotators, tables_data.checks),
        *(tables_training.arms, tables_training.composition, tables_training.recipe),
        *(tables_training.versions, tables_performance.accuracy, tables_performance.fold_metrics),
        *(tables_performance.groups, tables_performance.printed_groups, tables_gaps.gaps, tables_gaps.tests),
        *(
            tables_gaps.replicates,
            tables_gaps.effects,
            tables_gaps.pairwise,
            tables_gaps.size_matched,
            tables_gaps.optimism,
        ),
        *(tables_classes.adjusted, tables_classes.adjusted_tests, tables_classes.decomposition),
        *(tables_classes.class_gaps, tables_classes.models, tables_classes.interactions),
        *(tables_fairness.fairness, tables_changes.changes, tables_changes.gap_changes, tables_changes.equivalence),
        *(tables_changes.models_compared, tables_changes.models_over_folds, tables_changes.mean_ranks),
        *(tables_sensitivity.clusters, tables_sensitivity.label_noise, tables_sensitivity.detectable),
        *(tables_sensitivity.needed, tables_appendix.ledger, tables_appendix.confirmatory),
        *(tables_appendix.not_estimable, tables_appendix.calibration, tables_appendix.false_verdicts),
        *(tables_sample.steps, tables_sample.duplicates, tables_sample.ambiguity, tables_sample.network),
        *(tables_sample.timings, tables_appendix.values, tables_networks.networks, tables_networks.beyond_placebo),
        *(tables_networks.published_protocol, tables_changes.gap_change_methods, tables_scores.scores),
        *(
            tables_scores.score_gaps,
            tables_scores.calibration_errors,
            tables_sensitivity.effective,
            tables_sensitivity.sensitivity,
            tables_sensitivity.validated,
            tables_files.files,
        ),
        *(data_sets.recognition, data_sets.recognition_matrix, data_sets.unseen_sources, planted_found.planted_found),
        *(dataset.dataset_bias, dataset.published_measures),
        *(human.human_reference, raters.agreement, annotators.by_annotator, asked.unanswered),
        *(tables_arms.verdicts_of_arms, tables_arms.changes_of_arms),
        *(tables_arms.classes_of_arms, tables_changes.class_changes),
        *(model_bias.model_bias, model_bias.model_bias_metrics, model_bias.model_bias_ranks),
        *(correction.correction, correction.misclassification),
        *(tables_tradeoff.tradeoff, tables_tradeoff.tradeoff_cost, tables_tradeoff.fairness_of_arms),
    )
}

OF_ALL_ARMS = frozenset(
    (
        *("arms", "accuracy", "networks", "mean_ranks", "verdicts_of_arms", "changes_of_arms", "classes_of_arms"),
        *(
            "tradeoff",
            "tradeoff_cost",
            "fairness_of_arms",
            "planted_found",
            "model_bias",
            "model_bias_ranks",
            "ledger",
            "not_estimable",
            "files",
            "values",
        ),
    )
)
"""Tables with a row of each arm, or that count over all; every other table is of the arms that are told in full."""
