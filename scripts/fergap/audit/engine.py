"""The audit as a whole: from predictions and people to every table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from fergap import tables
from fergap.audit import data_sets
from fergap.audit.adjustment import adjusted_effects, adjusted_gaps, decomposition, homogeneity
from fergap.audit.agreement import agreement, agreement_confusion
from fergap.audit.annotators import annotators
from fergap.audit.by_ambiguity import by_ambiguity
from fergap.audit.by_annotator import by_annotator
from fergap.audit.calibration_metrics import calibration_metrics
from fergap.audit.changes import changes, class_gap_changes, gap_changes
from fergap.audit.checks import checks
from fergap.audit.class_adjusted import adjusted_changes
from fergap.audit.clusters import cluster_codes, clustering, contrast_arms, patterns
from fergap.audit.compared import models_compared
from fergap.audit.correction import correction, misclassification
from fergap.audit.counts import paired_split, split
from fergap.audit.crude import crude_gaps, crude_tests
from fergap.audit.dataset_bias import dataset_bias, dataset_shares
from fergap.audit.effective_size import clustered_gaps
from fergap.audit.fairness import fairness
from fergap.audit.fold_metrics import fold_metrics
from fergap.audit.gaps import effects, equivalence, gaps, tests
from fergap.audit.gold_sample import MODELS
from fergap.audit.groups import confusion, group_metrics
from fergap.audit.human_reference import human_reference
from fergap.audit.inputs import Sample, make_data_sample, make_sample
from fergap.audit.label_noise import label_noise
from fergap.audit.model_bias import SCORE, model_bias, shared_faces
from fergap.audit.model_bias_ranks import model_bias_ranks
from fergap.audit.models import models
from fergap.audit.multiplicity import adjust, ledger, ledger_order, max_t
from fergap.audit.not_estimable import left_out, left_out_of_fairness, not_estimable
from fergap.audit.pairwise import group_effects, group_tests, pairwise
from fergap.audit.placebo import beyond_placebo, judge
from fergap.audit.planning import planning
from fergap.audit.ranking import ranking
from fergap.audit.resampling import resample_change, resample_split
from fergap.audit.sensitivity import sensitivity
from fergap.audit.settings import CONFIDENCE_THRESHOLDS, Contrast, Settings, contrasts_of
from fergap.audit.size_matched import size_matched
from fergap.audit.spread import optimism, replicates
from fergap.audit.tradeoff import tradeoff
from fergap.audit.unanswered import unanswered
from fergap.audit.validation import validation_rows
from fergap.audit.verdicts import change_verdicts, gap_verdicts
from fergap.errors import UserError

Row = dict[str, Any]
NAMES = (
    "checks",
    "group_metrics",
    "calibration_metrics",
    "confusion",
    "gaps",
    "effects",
    "decomposition",
    "pairwise",
    "models",
    "tests",
    "fairness",
    "optimism",
    "replicates",
    "fold_metrics",
    "annotators",
    "changes",
    "gap_changes",
    "beyond_placebo",
    "equivalence",
    "verdicts",
    "power",
    "label_noise",
    "sensitivity",
    "clusters",
    "size_matched",
    "multiplicity",
    "models_compared",
    "ranking",
    "model_bias",
    "model_bias_ranks",
    "tradeoff",
    "not_estimable",
    "dataset_bias",
    "dataset_shares",
    "human_reference",
    "by_ambiguity",
    "source_recognition",
    "unseen_sources",
    "agreement",
    "agreement_confusion",
    "unanswered",
    "by_annotator",
    "correction",
    "misclassification",
)


def check_pairing(sample: Sample, contrast: Contrast) -> None:
    """Raise a UserError unless both arms of a contrast predict the same faces with the same true classes."""
    before, after = sample.arms[contrast.before], sample.arms[contrast.after]
    other = before.covered != after.covered
    if other.any():
        face = sample.faces[int(other.argmax())]
        one, not_other = (before, after) if before.covered[other.argmax()] else (after, before)
        raise UserError(
            f"arms {before.name!r} and {after.name!r} do not predict the same faces: {int(other.sum()):,} are "
            f"predicted by one alone, such as {face!r} by {one.name!r} and not by {not_other.name!r}",
            where="predictions",
            expected="both arms of a contrast on the same faces",
            fix="predict the missing faces, or take the contrast out of audit.contrasts",
        )
    differs = before.true != after.true
    if differs.any():
        i = int(differs.argmax())
        raise UserError(
            f"face {sample.faces[i]!r} is {sample.classes[before.true[i]]!r} in arm {before.name!r} and "
            f"{sample.classes[after.true[i]]!r} in arm {after.name!r} ({int(differs.sum()):,} faces in all)",
            where="predictions",
            expected="one true class per face",
        )


def audit(
    predictions: pd.DataFrame,
    people: pd.DataFrame,
    *,
    attributes: Sequence[str],
    reference: Mapping[str, str] | None = None,
    margin: float = 0.05,
    confidence: float = 0.95,
    resamples: int = 10_000,
    minimum_faces: int = 10,
    contrasts: Sequence[Mapping[str, str]] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    arms: Sequence[str] | None = None,
    labels: pd.Series | None = None,
    classes: Sequence[str] | None = None,
    bootstrap: str = "stratified",
    clusters: Mapping[Any, Any] | pd.Series | None = None,
    duplicates: Mapping[str, Mapping[Any, Any] | pd.Series] | None = None,
    confidence_thresholds: Sequence[float] = CONFIDENCE_THRESHOLDS,
    validation: pd.DataFrame | None = None,
    tried: Mapping[str, int] | None = None,
    taggers: pd.DataFrame | None = None,
    raters: pd.DataFrame | None = None,
    model_raters: Sequence[str] = MODELS,
    recognition: pd.DataFrame | None = None,
    unseen: Mapping[str, str] | None = None,
    answers: pd.DataFrame | None = None,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """Audit predictions for gaps between groups of people.

    Parameters
    ----------
    predictions : pandas.DataFrame
        ``image_id``, ``true``, ``predicted``, and optionally ``arm``, ``seed``, ``repeat``, ``fold``, ``role`` (only
        ``test`` rows are out of fold) and ``p_<class>``. Each arm's first seed and that seed's smallest repeat carry
        the tests and intervals; the others appear in the table ``replicates``.
    people : pandas.DataFrame
        ``image_id``, ``attribute``, ``group`` (missing where unknown), one row per face and attribute, and optionally
        ``confidence``, the annotator's of the group (0 … 1, missing where none was given).
    attributes : sequence of str
        Attributes to compare by; ``gender*age`` combines two.
    reference : mapping, optional
        Attribute → the group that the others are compared with; without one, the largest. A combination's is made of
        its parts'. A gap is group − reference.
    margin : float
        Gaps inside ±margin are equivalent; a fraction in (0, 1).
    confidence : float
        Of two-sided intervals; equivalence uses 2 confidence − 1.
    resamples : int
        Bootstrap resamples.
    minimum_faces : int
        A group with fewer is counted and not compared.
    contrasts : sequence of mappings
        ``before`` and ``after`` arms, and optionally ``placebo``, the arm retrained without the intervention.
    groups : mapping, optional
        Attribute → groups that appear even without a face.
    arms : sequence of str, optional
        Arms to audit, in order; all of them by default. With none the data set alone is audited, by ``labels``.
    labels : pandas.Series, optional
        Each face's class by ``image_id``; of no account where there are arms.
    classes : sequence of str, optional
        The data set's classes, in order; by default those found.
    bootstrap : {"stratified", "plain", "clustered"}
        Faces are drawn within each group, from all faces, or with all faces of their cluster.
    clusters : mapping or pandas.Series, optional
        ``image_id`` → cluster of faces that are not independent (one person, one picture); by default the column
        ``cluster_id`` of ``people``, if it is there.
    duplicates : mapping, optional
        Kind of duplicate, such as ``exact`` and ``near`` → ``image_id`` → set of faces that repeat each other; the
        table ``sensitivity`` gives the gaps with one face of each set.
    confidence_thresholds : sequence of float
        In (0, 1]; the table ``sensitivity`` gives the gaps among faces whose group is at least as sure.
    validation : pandas.DataFrame, optional
        Faces whose true group is known: ``image_id``, ``attribute``, ``truth``, and optionally ``group``, the label,
        by default that of ``people``. Corrects gaps for wrong labels, in the table ``label_noise``.
    tried : mapping, optional
        Arm → settings that were tried before its own were taken, to be told in the table ``checks``.
    taggers : pandas.DataFrame, optional
        What those who voted on the labels say of each face: by ``image_id``, ``answered``, ``right``, ``kept`` and
        ``ambiguity`` (:func:`fergap.faces.leave_one_out.readings`). Gives ``human_reference`` and
        ``by_ambiguity``.
    raters : pandas.DataFrame, optional
        Every answer to who is in a face: ``image_id``, ``attribute``, ``answer``, ``rater``, ``adjudication`` (0, or 1
        where the others' disagreement was decided) and ``repeat`` (0, or 1 where the rater answered again). Gives the
        tables ``agreement``, ``agreement_confusion`` and ``by_annotator``, and where a model labelled all faces and
        people some, ``correction`` and ``misclassification``.
    model_raters : sequence of str
        Those of the raters who are models.
    recognition : pandas.DataFrame, optional
        Predictions of the source that a face comes from, as ``predictions``. Gives the table ``source_recognition``.
    unseen : mapping, optional
        Arm that predicts each source by a model that never saw it → the arm whose models saw all sources. Gives the
        table ``unseen_sources``.
    answers : pandas.DataFrame, optional
        What became of each question that an arm put to a model in words: ``arm``, ``image_id`` and ``status``. Gives
        the table ``unanswered``.
    seed : int
        Every resample derives from it.

    Returns
    -------
    dict of str to pandas.DataFrame
        The tables of ``NAMES``, as ``fergap.tables`` describes them; proportions as fractions, nothing rounded.

    Raises
    ------
    UserError
        The input cannot be audited; see :func:`fergap.audit.inputs.make_sample`.
    """
    asked = {"attributes": attributes, "reference": reference or {}, "groups": groups or {}}
    alone = labels is not None and arms is not None and not arms
    if alone:
        sample = make_data_sample(labels, people, **asked)
    else:
        sample = make_sample(predictions, people, arms=arms, classes=classes, **asked)
    pairs = contrasts_of(contrasts, list(sample.arms))
    settings = Settings(
        margin, confidence, resamples, minimum_faces, seed, pairs, bootstrap, tuple(confidence_thresholds)
    )
    sample = replace(sample, clusters=cluster_codes(sample.faces, people, clusters))
    for contrast in settings.contrasts:
        check_pairing(sample, contrast)
        if contrast.placebo:
            check_pairing(sample, Contrast(contrast.placebo, contrast.after))
    out: dict[str, list[Row]] = {name: [] for name in NAMES}
    if alone:
        out["checks"] += checks(sample, settings, [])
        out["source_recognition"] += data_sets.recognition(recognition, people, attributes, groups or {}, settings)
        audit_data(sample, people, raters, model_raters, settings, out)
        return {name: as_table(rows, name) for name, rows in out.items()}
    out["clusters"] += clustering(sample, settings)
    out["checks"] += checks(sample, settings, out["clusters"], tried)
    out["optimism"] += optimism(sample)
    out["replicates"] += replicates(sample)
    out["fold_metrics"] += fold_metrics(sample)
    out["calibration_metrics"] += calibration_metrics(sample, settings)
    audit_arms(sample, settings, out)
    out["label_noise"] += validation_rows(sample, validation, settings)
    out["sensitivity"] += sensitivity(sample, people, duplicates or {}, settings)
    out["models"] += models(sample, settings)
    audit_contrasts(sample, settings, out)
    out["models_compared"] += models_compared(sample, settings.confidence)
    out["ranking"] += ranking(out["models_compared"], list(sample.arms.values()), settings.confidence)
    biased = shared_faces(sample, settings)
    out["model_bias"] += model_bias(sample, biased, settings)
    out["model_bias_ranks"] += model_bias_ranks(sample, biased, settings)
    adjust((r for r in out["model_bias"] if r["form"] == "corrected" and r["metric"] != SCORE), ["arm"], "holm")
    out["tradeoff"] += tradeoff(sample, settings, out["verdicts"])
    out["source_recognition"] += data_sets.recognition(recognition, people, attributes, groups or {}, settings)
    out["unseen_sources"] += data_sets.unseen_sources(sample, people, unseen or {}, groups or {}, settings)
    out["multiplicity"] += ledger_order([*ledger(out), *max_t(sample, settings)])
    out["human_reference"] += human_reference(sample, taggers, settings)
    out["by_ambiguity"] += by_ambiguity(sample, taggers, settings)
    out["unanswered"] += unanswered(sample, answers, settings)
    out["by_annotator"] += by_annotator(sample, raters, settings)
    out["correction"] += correction(sample, raters, people, model_raters, settings)
    out["misclassification"] += misclassification(sample, raters, people, model_raters, settings)
    audit_data(sample, people, raters, model_raters, settings, out)
    return {name: as_table(rows, name) for name, rows in out.items()}


def audit_data(
    sample: Sample,
    people: pd.DataFrame,
    raters: pd.DataFrame | None,
    model_raters: Sequence[str],
    settings: Settings,
    out: dict[str, list[Row]],
) -> None:
    """Add every row that concerns the data set, whatever any arm says, and of all rows those without an estimate."""
    out["annotators"] += annotators(people, sample.faces)
    out["dataset_bias"] += dataset_bias(sample, settings)
    out["dataset_shares"] += dataset_shares(sample, settings)
    out["agreement"] += agreement(sample, raters, settings, model_raters)
    out["agreement_confusion"] += agreement_confusion(raters)
    adjust((r for r in out["dataset_bias"] if r["form"] == "corrected"), ["metric"], "holm")
    out["not_estimable"] += not_estimable(out)


def audit_arms(sample: Sample, settings: Settings, out: dict[str, list[Row]]) -> None:
    """Add every row that concerns one arm alone."""
    splits = {
        (arm.name, attribute.name if attribute else "all"): split(arm, attribute, len(sample.classes))
        for arm in sample.arms.values()
        for attribute in (None, *sample.attributes)
    }
    for (arm, _), counts in splits.items():
        drawn = patterns(sample, settings, (sample.arms[arm],), counts)
        resampled = resample_split(arm, counts, settings, drawn)
        out["group_metrics"] += group_metrics(arm, counts, sample.classes, resampled, settings)
        out["confusion"] += confusion(arm, counts, sample.classes)
        if counts.attribute != "all":
            out["gaps"] += gaps(arm, counts, sample.classes, resampled, settings)
            out["tests"] += tests(arm, counts, sample.classes, settings)
            out["effects"] += effects(arm, counts, settings)
            out["gaps"] += [*adjusted_gaps(arm, counts, settings), *crude_gaps(arm, counts, settings)]
            out["tests"] += [*homogeneity(arm, counts, settings), *crude_tests(arm, counts, settings)]
            out["tests"] += group_tests(arm, counts, settings)
            out["effects"] += [*adjusted_effects(arm, counts, settings), *group_effects(arm, counts, settings)]
            out["pairwise"] += pairwise(arm, counts, settings)
            out["decomposition"] += decomposition(arm, counts, sample.classes, settings)
            out["equivalence"] += equivalence(arm, counts, settings)
            out["fairness"] += fairness(arm, counts, sample.classes, settings)
            out["power"] += planning(arm, counts, sample.classes, settings)
            out["label_noise"] += label_noise(arm, counts, settings)
            out["size_matched"] += size_matched(arm, counts, settings)
            out["not_estimable"] += left_out(arm, counts, sample.classes, settings.minimum_faces)
            out["not_estimable"] += left_out_of_fairness(arm, counts, sample.classes, settings.minimum_faces)
    known = {(r["arm"], r["attribute"], r["group"]): r for r in out["clusters"] if r["quantity"] == "gap"}
    for arm in sample.arms.values():
        out["gaps"] += clustered_gaps(sample, arm, known, settings)
    adjust((r for r in out["tests"] if r["primary"]), ["arm", "family"], "holm")
    adjust(out["pairwise"], ["arm", "attribute"], "holm")
    adjust((r for r in out["tests"] if r.get("family") == "per class"), ["arm"], "fdr_bh")
    adjust((r for r in out["fairness"] if r.get("family")), ["arm", "attribute"], "fdr_bh")
    tested = {(r["arm"], r["attribute"], r["group"], r["reference"]): r for r in out["tests"] if r["primary"]}
    for (arm, attribute), counts in splits.items():
        if attribute != "all":
            out["verdicts"] += gap_verdicts(arm, counts, tested, settings)


def audit_contrasts(sample: Sample, settings: Settings, out: dict[str, list[Row]]) -> None:
    """Add every row that compares two arms."""
    splits = {
        (contrast, attribute.name if attribute else "all"): paired_split(
            sample.arms[contrast.before], sample.arms[contrast.after], attribute, len(sample.classes)
        )
        for contrast in settings.contrasts
        for attribute in (None, *sample.attributes)
    }
    for (contrast, attribute), counts in splits.items():
        out["changes"] += changes(contrast, counts, settings)
        if attribute != "all":
            drawn = patterns(sample, settings, contrast_arms(sample, contrast), counts)
            out["gap_changes"] += gap_changes(
                contrast, counts, resample_change(contrast.name, counts, settings, drawn), settings
            )
            out["gap_changes"] += adjusted_changes(contrast, counts, sample, settings)
            out["gap_changes"] += class_gap_changes(contrast, counts, sample.classes, settings)
    for contrast in settings.contrasts:
        out["beyond_placebo"] += beyond_placebo(sample, contrast, settings)
    adjust_contrasts(out["beyond_placebo"])
    judge(out["beyond_placebo"], settings.alpha)
    primary = [r for r in out["gap_changes"] if r["primary"] and r["metric"] == "accuracy"]
    adjust_contrasts(primary)
    adjust_contrasts([r for r in out["gap_changes"] if r.get("class") is not None])
    tested = {(r["contrast"], r["attribute"], r["group"], r["reference"]): r for r in primary}
    for (contrast, attribute), counts in splits.items():
        if attribute != "all":
            out["verdicts"] += change_verdicts(contrast, counts, tested, settings)


def adjust_contrasts(rows: Sequence[Row]) -> None:
    """Adjust each contrast's p values by Holm; combinations of attributes are a family of their own."""
    for combined in (False, True):
        adjust((row for row in rows if ("*" in row["attribute"]) == combined), ["contrast"], "holm")


def as_table(rows: list[Row], name: str) -> pd.DataFrame:
    """Return rows as table ``name``: its columns in order, empty ones included, and no others."""
    columns = tables.TABLES[name].columns
    frame = pd.DataFrame(rows, columns=list(columns))
    return tables.check(frame, name, f"table {name}")
