"""Table of the files behind the paper: every table of numbers, with one line on what it holds."""

from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import count
from fergap.paper.results import Results, relative

FILES = {
    "dropped": "pictures left out, by reason",
    "labels": "pictures for which each label's rule holds, and that got it",
    "overlaps": "pictures for which the rules of two labels hold",
    "history": "loss, accuracy, learning rate and seconds of every epoch",
    "composition": "faces and rows of each group in every training part",
    "runs": "every trained network: size, operations, memory, device, time, chosen epoch",
    "answers": "what became of every question to a model that was asked in words",
    "checks": "checks of the audit's input",
    "group_metrics": "accuracy, precision, recall and F1 of every group, by class and averaged",
    "calibration_metrics": "log-loss, Brier score, overconfidence, calibration error, and their gaps",
    "confusion": "true against predicted classes of every group",
    "gaps": "every gap by every method, crude and adjusted, with its interval",
    "effects": "gaps as ratios, odds ratios, Cohen's h and Cramér's V",
    "decomposition": "gaps taken apart into class mix and accuracy within classes",
    "pairwise": "every two groups of an attribute with more than two",
    "models": "logistic models: coefficients, marginal effects, tests; by faces and by sets",
    "tests": "every test of no gap, with its family",
    "fairness": "fairness metrics beside their mean without a gap",
    "optimism": "accuracy on training faces and out of fold",
    "replicates": "gaps by seed, repeat and fold",
    "fold_metrics": "metrics of every fold",
    "annotators": "faces by group and annotator",
    "changes": "faces lost and gained in every group, by four tests with their intervals",
    "gap_changes": "the change of every gap by every method, crude, adjusted, and within each class",
    "beyond_placebo": "changes beyond those of a placebo",
    "equivalence": "two one-sided tests against the margin",
    "verdicts": "the verdict on every gap and change, with its sentence",
    "power": "detectable gaps, power, and faces needed",
    "label_noise": "gaps corrected for wrong group labels",
    "sensitivity": "gaps and verdicts on surer group labels and without duplicates",
    "clusters": "what faces that belong together cost the standard errors",
    "size_matched": "macro averages at equal group sizes",
    "multiplicity": "every adjusted test, with its family",
    "models_compared": "every two arms, face by face and fold by fold",
    "ranking": "arms in the order of their accuracy on the same faces",
    "model_bias": "bias of every arm by attribute and over all, published and corrected, beside what no gap would give",
    "model_bias_ranks": "arms from the most to the least biased, with the ranks that the data allow",
    "tradeoff": "arms by accuracy and gap together, against the baseline",
    "not_estimable": "what could not be estimated, and why",
    "dataset_bias": "how far labels and attributes depend on each other, whatever any model says",
    "source_recognition": "which source each face was taken for",
    "unseen_sources": "accuracy on each source by networks that saw it and by others that never did",
    "agreement": "how far those agree who said who is in the pictures",
    "agreement_confusion": "the answers of every two of them, one against the other",
    "correction": "group metrics and gaps by a model's labels alone, people's alone, and corrected by both",
    "misclassification": "how often the model labels faces of each group as what, by class and answer",
    "unanswered": "faces for which a model that was asked in words named no class",
    "by_annotator": "every gap and verdict by each annotator's labels alone",
    "human_reference": "the taggers against one another, and the gaps at equal ambiguity",
    "by_ambiguity": "every gap, the model's and the taggers', by how far the votes on a face differ",
    "dataset_shares": "share of each class by one, two and three attributes",
}


def files(results: Results) -> str:
    """Return every table of the study's folder: its file, rows, and what it holds."""
    cells = [
        [name(relative(table)), count(len(results.table(table))), words]
        for table, words in FILES.items()
        if results.path(table).exists() and (results.has(table) or results.study["arms"])
    ]
    return pipe(["file", "rows", "what it holds"], cells, "lrl")
