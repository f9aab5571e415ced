"""The tables that pass between stages: their columns, and how they are read, checked and written."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from fergap.errors import UserError
from fergap.files import whole

REMAKE = "if it lies in results/, delete it and start the study again, which makes it anew; else put a whole file there"
LONGEST_NUMBER, LARGEST = 300, 9e18  # characters; what an int64 holds
LONGEST_ROW = 1 << 20  # bytes at the end of a CSV in which its last row is looked for
NO_GROUP = ("unclear", "not a face")  # answers to who is in a picture that name no group
CONTROL = r"[\x00-\x1f\x7f]"
OWNER = "owner_"  # begins the columns of ``faces`` that hold what the owners of a data set noted of people
KINDS = {"text": "str", "integer": "int64", "number": "float64"}


@dataclass(frozen=True)
class Column:
    """What one column holds.

    Attributes
    ----------
    kind : {"text", "integer", "number"}
        Text is a pandas string, an integer int64 (float64 where values may be missing), a number float64.
    missing : bool
        Whether values may be missing.
    optional : bool
        Whether the column itself may be missing.
    low, high : float or None
        Bounds, inclusive.
    values : tuple of str
        The only values allowed, if given.
    """

    kind: str
    missing: bool = False
    optional: bool = False
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """The columns of a table, the columns that identify a row, and what else is allowed.

    ``prefixes`` names families of further columns, such as ``p_`` for one probability per class.
    """

    columns: dict[str, Column]
    key: tuple[str, ...] = ()
    prefixes: dict[str, Column] = field(default_factory=dict)


TEXT, OPEN_TEXT = Column("text"), Column("text", missing=True)
COUNT, OPEN_COUNT = Column("integer", low=0), Column("integer", missing=True, low=0)
NUMBER, OPEN_NUMBER = Column("number"), Column("number", missing=True)
SHARE = Column("number", low=0, high=1)
OPEN_SHARE = Column("number", missing=True, low=0, high=1)
GAP = Column("number", missing=True, low=-1, high=1)
FLAG = Column("integer", low=0, high=1)
OPEN_FLAG = Column("integer", missing=True, low=0, high=1)
ROLE = Column("text", values=("train", "validation", "test"))
ESTIMATE = {"estimate": OPEN_NUMBER, "ci_low": OPEN_NUMBER, "ci_high": OPEN_NUMBER}
HEAD = {"arm": TEXT, "attribute": TEXT, "status": TEXT}
PAIR = {"group": TEXT, "reference": TEXT}
CONTRAST = {"contrast": TEXT, "before": TEXT, "after": TEXT}

TABLES = {
    # faces
    "faces": Table(
        {
            "image_id": TEXT,
            "source": TEXT,
            "partition": OPEN_TEXT,
            "label": TEXT,
            "row": COUNT,
            "exact_set": COUNT,
            "duplicate_set": COUNT,
            "ambiguity": Column("number", missing=True, low=0),
        },
        key=("image_id",),
        prefixes={"votes_": COUNT, "tagger_": SHARE, OWNER: OPEN_TEXT},
    ),
    "dropped": Table({"reason": TEXT, "count": COUNT, "examples": OPEN_TEXT}, key=("reason",)),
    "labels": Table({"label": TEXT, "matched": COUNT, "assigned": COUNT}, key=("label",)),
    "overlaps": Table({"first": TEXT, "second": TEXT, "count": COUNT}, key=("first", "second")),
    # people
    "people": Table(
        {
            "image_id": TEXT,
            "attribute": TEXT,
            "group": OPEN_TEXT,
            "value": OPEN_NUMBER,
            "confidence": OPEN_SHARE,
            "annotator": OPEN_TEXT,
            "cluster_id": Column("text", missing=True, optional=True),
        },
        key=("image_id", "attribute"),
    ),
    "fairface": Table(
        {"image_id": TEXT}, key=("image_id",), prefixes={"race_": SHARE, "gender_": SHARE, "age_": SHARE}
    ),
    "raters": Table(
        {
            "image_id": TEXT,
            "attribute": TEXT,
            "answer": TEXT,
            "rater": TEXT,
            "adjudication": FLAG,
            "repeat": FLAG,
            "time": OPEN_TEXT,
            "seconds": Column("number", missing=True, low=0),
            "order": OPEN_COUNT,
            "suggestion_shown": OPEN_FLAG,
            "page": OPEN_TEXT,
        },
        key=("image_id", "attribute", "rater", "adjudication", "repeat"),
    ),
    "adjudication": Table(
        {
            "image_id": TEXT,
            "attribute": TEXT,
            "group": OPEN_TEXT,
            "answers": TEXT,
            "people_differ": FLAG,
            "adjudicated": OPEN_TEXT,
        },
        key=("image_id", "attribute"),
    ),
    "validation": Table(
        {
            "image_id": TEXT,
            "attribute": TEXT,
            "group": Column("text", missing=True, optional=True),
            "truth": TEXT,
        },
        key=("image_id", "attribute"),
    ),
    "annotation_sample": Table(
        {
            "image_id": TEXT,
            "label": TEXT,
            "guess": TEXT,
            "stratum_faces": COUNT,
            "stratum_sampled": COUNT,
            "probability": OPEN_SHARE,
            "seed": COUNT,
        },
        key=("image_id",),
    ),
    # training
    "folds": Table({"image_id": TEXT, "repeat": COUNT, "fold": COUNT}, key=("image_id", "repeat")),
    "predictions": Table(
        {
            "arm": TEXT,
            "image_id": TEXT,
            "seed": COUNT,
            "repeat": COUNT,
            "fold": COUNT,
            "role": ROLE,
            "true": TEXT,
            "predicted": TEXT,
        },
        prefixes={"p_": OPEN_SHARE},
    ),
    "history": Table(
        {
            "arm": TEXT,
            "seed": COUNT,
            "repeat": COUNT,
            "fold": COUNT,
            "epoch": COUNT,
            "train_loss": NUMBER,
            "train_accuracy": SHARE,
            "validation_loss": NUMBER,
            "validation_accuracy": SHARE,
            "learning_rate": NUMBER,
            "seconds": NUMBER,
            "test_accuracy": Column("number", optional=True, missing=True, low=0, high=1),
            "chosen": Column("integer", low=0, high=1),
        },
        key=("arm", "seed", "repeat", "fold", "epoch"),
    ),
    "composition": Table(
        {
            "arm": TEXT,
            "seed": COUNT,
            "repeat": COUNT,
            "fold": COUNT,
            "attribute": TEXT,
            "group": TEXT,
            "faces": COUNT,
            "rows": COUNT,
        },
        key=("arm", "seed", "repeat", "fold", "attribute", "group"),
    ),
    "runs": Table(
        {
            "arm": TEXT,
            "seed": COUNT,
            "repeat": COUNT,
            "fold": COUNT,
            "network": TEXT,
            "parameters": COUNT,
            "device": TEXT,
            "precision": TEXT,
            "torch": TEXT,
            "epochs": COUNT,
            "chosen": COUNT,
            "training_rows": COUNT,
            "seconds": NUMBER,
            "flops": COUNT,
            "memory": COUNT,
            "published_protocol_accuracy": Column("number", optional=True, missing=True, low=0, high=1),
        },
        key=("arm", "seed", "repeat", "fold"),
    ),
    "answers": Table(
        {
            "arm": TEXT,
            "image_id": TEXT,
            "status": Column("text", values=("answered", "refused", "several classes", "no class", "unreadable")),
            "named": OPEN_TEXT,
            "text": OPEN_TEXT,
            "model": OPEN_TEXT,
            "date": TEXT,
            "tokens": COUNT,
            "requests": COUNT,
        },
        key=("arm", "image_id"),
    ),
    "adjustments": Table(
        {
            "arm": TEXT,
            "seed": COUNT,
            "repeat": COUNT,
            "fold": COUNT,
            "quantity": TEXT,
            "attribute": OPEN_TEXT,
            "group": TEXT,
            "class": OPEN_TEXT,
            "n": COUNT,
            "value": NUMBER,
            "status": TEXT,
        },
        key=("arm", "seed", "repeat", "fold", "quantity", "group", "class"),
    ),
    # audit
    "checks": Table(
        {"check": TEXT, "arm": OPEN_TEXT, "attribute": OPEN_TEXT, "group": OPEN_TEXT, "value": TEXT, "verdict": TEXT}
    ),
    "group_metrics": Table(
        HEAD
        | {"group": TEXT, "class": OPEN_TEXT, "metric": TEXT, "average": OPEN_TEXT, "n": COUNT, "count": OPEN_NUMBER}
        | ESTIMATE
        | {"confidence": OPEN_SHARE, "method": OPEN_TEXT}
    ),
    "calibration_metrics": Table(
        HEAD
        | {"group": TEXT, "reference": OPEN_TEXT, "metric": TEXT, "n": COUNT, "n_reference": OPEN_COUNT}
        | ESTIMATE
        | {"expected_if_calibrated": OPEN_NUMBER, "confidence": OPEN_SHARE, "method": OPEN_TEXT, "primary": FLAG}
        | {"bins": OPEN_COUNT, "p_value": OPEN_SHARE, "resamples": OPEN_COUNT}
    ),
    "confusion": Table(HEAD | {"group": TEXT, "true": TEXT, "predicted": TEXT, "count": COUNT}),
    "gaps": Table(
        HEAD
        | PAIR
        | {
            "metric": TEXT,
            "class": OPEN_TEXT,
            "average": OPEN_TEXT,
            "adjusted_for": OPEN_TEXT,
            "n_group": COUNT,
            "n_reference": COUNT,
        }
        | {"estimate": GAP, "ci_low": GAP, "ci_high": GAP}
        | {"confidence": OPEN_SHARE, "method": OPEN_TEXT, "primary": FLAG}
        | {"resampling": OPEN_TEXT, "error_low": OPEN_NUMBER, "error_high": OPEN_NUMBER}
        | {"resamples_left_out": OPEN_COUNT, "design_effect": OPEN_NUMBER, "note": OPEN_TEXT}
    ),
    "effects": Table(HEAD | PAIR | {"effect": TEXT} | ESTIMATE | {"confidence": OPEN_SHARE, "method": OPEN_TEXT}),
    "tests": Table(
        HEAD
        | PAIR
        | {
            "class": OPEN_TEXT,
            "test": TEXT,
            "statistic": OPEN_NUMBER,
            "df": OPEN_NUMBER,
            "p_value": OPEN_SHARE,
            "family": OPEN_TEXT,
            "p_adjusted": OPEN_SHARE,
            "adjustment": OPEN_TEXT,
            "primary": FLAG,
        }
    ),
    "fairness": Table(
        HEAD
        | {"metric": TEXT, "class": OPEN_TEXT, "summary": OPEN_TEXT, "groups": COUNT}
        | ESTIMATE
        | {"confidence": OPEN_SHARE, "method": OPEN_TEXT, "statistic": OPEN_NUMBER}
        | {"expected_without_gap": OPEN_NUMBER, "excess": OPEN_NUMBER, "p_value": OPEN_SHARE, "family": OPEN_TEXT}
        | {"p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT, "decided_by": OPEN_TEXT}
        | {"highest": OPEN_TEXT, "lowest": OPEN_TEXT, "n": COUNT, "left_out": OPEN_TEXT}
    ),
    "optimism": Table(
        HEAD | {"group": TEXT, "n": COUNT, "in_sample": OPEN_SHARE, "out_of_fold": OPEN_SHARE, "optimism": GAP}
    ),
    "replicates": Table(
        HEAD
        | PAIR
        | {"seed": COUNT, "repeat": COUNT, "fold": OPEN_COUNT, "n_group": COUNT, "n_reference": COUNT}
        | {"accuracy_group": OPEN_SHARE, "accuracy_reference": OPEN_SHARE, "gap": GAP}
    ),
    "fold_metrics": Table(
        {"arm": TEXT, "status": TEXT, "seed": COUNT, "repeat": COUNT, "fold": COUNT, "n": COUNT, "metric": TEXT}
        | {"average": OPEN_TEXT, "estimate": OPEN_SHARE}
    ),
    "annotators": Table({"attribute": TEXT, "group": TEXT, "annotator": OPEN_TEXT, "n": COUNT}),
    "changes": Table(
        HEAD
        | CONTRAST
        | {"group": TEXT, "n": COUNT, "n11": COUNT, "n10": COUNT, "n01": COUNT, "n00": COUNT}
        | {"estimate": GAP, "ci_low": GAP, "ci_high": GAP, "confidence": OPEN_SHARE, "method": OPEN_TEXT}
        | {"test": TEXT, "p_value": OPEN_SHARE, "primary": FLAG}
    ),
    "gap_changes": Table(
        HEAD
        | CONTRAST
        | PAIR
        | {"metric": TEXT, "class": OPEN_TEXT, "average": OPEN_TEXT, "adjusted_for": OPEN_TEXT}
        | {"n_group": COUNT, "n_reference": COUNT, "gap_before": GAP, "gap_after": GAP}
        | {"estimate": OPEN_NUMBER, "se": OPEN_NUMBER, "ci_low": OPEN_NUMBER, "ci_high": OPEN_NUMBER}
        | {"confidence": OPEN_SHARE, "statistic": OPEN_NUMBER, "df": OPEN_NUMBER, "p_value": OPEN_SHARE}
        | {"p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT, "method": OPEN_TEXT, "primary": FLAG}
        | {"resampling": OPEN_TEXT, "error_low": OPEN_NUMBER, "error_high": OPEN_NUMBER}
        | {"resamples_left_out": OPEN_COUNT}
    ),
    "beyond_placebo": Table(
        HEAD
        | CONTRAST
        | {"placebo": TEXT}
        | PAIR
        | {"n_group": COUNT, "n_reference": COUNT, "change": GAP, "change_placebo": GAP}
        | {"estimate": OPEN_NUMBER, "se": OPEN_NUMBER, "ci_low": OPEN_NUMBER, "ci_high": OPEN_NUMBER}
        | {"confidence": OPEN_SHARE, "method": OPEN_TEXT, "statistic": OPEN_NUMBER, "df": OPEN_NUMBER}
        | {"p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT, "verdict": TEXT}
    ),
    "equivalence": Table(
        HEAD
        | PAIR
        | {"margin": OPEN_SHARE, "estimate": GAP, "ci_low": GAP, "ci_high": GAP, "confidence": OPEN_SHARE}
        | {"p_value": OPEN_SHARE, "smallest_margin": OPEN_SHARE, "method": OPEN_TEXT}
    ),
    "verdicts": Table(
        HEAD
        | PAIR
        | {"contrast": OPEN_TEXT, "before": OPEN_TEXT, "after": OPEN_TEXT, "verdict": TEXT}
        | {"estimate": OPEN_NUMBER, "ci_low": OPEN_NUMBER, "ci_high": OPEN_NUMBER, "confidence": OPEN_SHARE}
        | {"p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT, "test": OPEN_TEXT}
        | {"margin": OPEN_SHARE, "smallest_margin": OPEN_SHARE, "minimum_detectable_gap": OPEN_SHARE}
        | {"n_group": COUNT, "n_reference": COUNT, "accuracy_group": OPEN_SHARE, "accuracy_reference": OPEN_SHARE}
        | {"gap_before": GAP, "gap_after": GAP, "change_group": GAP, "change_reference": GAP}
        | {"gap_mean": GAP, "gap_mean_low": OPEN_NUMBER, "gap_mean_high": OPEN_NUMBER}
        | {"levelling_down": Column("integer", missing=True, low=0, high=1), "lost": OPEN_TEXT, "sentence": TEXT}
        | {"simpson": Column("integer", missing=True, low=0, high=1), "simpson_reading": OPEN_TEXT}
    ),
    "decomposition": Table(
        HEAD
        | PAIR
        | {"component": TEXT, "class": OPEN_TEXT, "estimate": GAP, "ci_low": GAP, "ci_high": GAP}
        | {"confidence": OPEN_SHARE, "method": OPEN_TEXT}
    ),
    "pairwise": Table(
        HEAD
        | PAIR
        | {"n_group": COUNT, "n_reference": COUNT, "estimate": GAP, "ci_low": GAP, "ci_high": GAP}
        | {"simultaneous_low": GAP, "simultaneous_high": GAP, "confidence": OPEN_SHARE, "method": OPEN_TEXT}
        | {"test": OPEN_TEXT, "statistic": OPEN_NUMBER, "df": OPEN_NUMBER, "p_value": OPEN_SHARE}
        | {"family": OPEN_TEXT, "p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT}
    ),
    "models": Table(
        HEAD
        | {"model": TEXT, "term": TEXT, "quantity": TEXT, "estimate": OPEN_NUMBER, "se": OPEN_NUMBER}
        | {"ci_low": OPEN_NUMBER, "ci_high": OPEN_NUMBER, "confidence": OPEN_SHARE}
        | {"statistic": OPEN_NUMBER, "df": OPEN_NUMBER, "p_value": OPEN_SHARE}
        | {"covariance": TEXT, "clusters": OPEN_COUNT, "note": OPEN_TEXT}
    ),
    "power": Table(
        HEAD
        | PAIR
        | {"question": TEXT, "method": TEXT, "gap": OPEN_SHARE, "margin": OPEN_SHARE, "power": OPEN_SHARE}
        | {"n_group": COUNT, "n_reference": COUNT, "accuracy_reference": OPEN_SHARE}
        | {"comparisons": COUNT, "confidence": OPEN_SHARE}
    ),
    "label_noise": Table(
        HEAD
        | PAIR
        | {"scenario": TEXT, "sensitivity": OPEN_SHARE, "specificity": OPEN_SHARE, "share": OPEN_SHARE}
        | {"ppv_group": OPEN_SHARE, "ppv_reference": OPEN_SHARE, "ppv_sum": OPEN_NUMBER, "attenuation": OPEN_NUMBER}
        | {"n_group": COUNT, "n_reference": COUNT, "estimate": GAP, "ci_low": GAP, "ci_high": GAP}
        | {"confidence": OPEN_SHARE}
        | {"validated_group": OPEN_COUNT, "validated_reference": OPEN_COUNT, "method": OPEN_TEXT}
    ),
    "sensitivity": Table(
        HEAD
        | PAIR
        | {"choice": TEXT, "threshold": OPEN_SHARE, "faces": COUNT, "n_group": COUNT, "n_reference": COUNT}
        | {"estimate": GAP, "ci_low": GAP, "ci_high": GAP, "confidence": OPEN_SHARE, "method": OPEN_TEXT}
        | {"p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "verdict": TEXT}
        | {"verdict_differs": Column("integer", missing=True, low=0, high=1)}
    ),
    "clusters": Table(
        HEAD
        | {"group": TEXT, "reference": OPEN_TEXT, "quantity": TEXT, "n": COUNT, "clusters": COUNT}
        | {"largest": OPEN_COUNT, "se_independent": OPEN_NUMBER, "se_clustered": OPEN_NUMBER}
        | {"design_effect": OPEN_NUMBER, "effective_n": OPEN_NUMBER, "note": OPEN_TEXT}
    ),
    "size_matched": Table(
        HEAD
        | PAIR
        | {"metric": TEXT, "average": OPEN_TEXT, "n_group": COUNT, "n_reference": COUNT}
        | {"value_group": OPEN_SHARE, "value_reference": OPEN_SHARE, "matched_mean": OPEN_SHARE}
        | {"range_low": OPEN_SHARE, "range_high": OPEN_SHARE, "gap": GAP, "gap_matched": GAP}
        | {"monte_carlo_error": OPEN_NUMBER, "draws": OPEN_COUNT, "confidence": OPEN_SHARE, "p_value": OPEN_SHARE}
    ),
    "multiplicity": Table(
        {"table": TEXT, "family": TEXT, "m": COUNT, "arm": OPEN_TEXT, "contrast": OPEN_TEXT, "attribute": OPEN_TEXT}
        | {"group": OPEN_TEXT, "reference": OPEN_TEXT, "metric": OPEN_TEXT, "class": OPEN_TEXT, "summary": OPEN_TEXT}
        | {"statistic": OPEN_NUMBER}
        | {"p_value": SHARE, "p_adjusted": SHARE, "method": TEXT, "draws": OPEN_COUNT, "status": TEXT}
    ),
    "models_compared": Table(
        {"arms": TEXT, "first": OPEN_TEXT, "second": OPEN_TEXT, "test": TEXT, "unit": TEXT, "n": COUNT}
        | {"lost": OPEN_COUNT, "gained": OPEN_COUNT}
        | ESTIMATE
        | {"confidence": OPEN_SHARE, "statistic": OPEN_NUMBER, "df": OPEN_NUMBER, "p_value": OPEN_SHARE}
        | {"p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT, "primary": FLAG, "note": OPEN_TEXT, "status": TEXT}
    ),
    "ranking": Table(
        {"arms": TEXT, "arm": TEXT, "rank": COUNT, "n": COUNT, "count": COUNT, "estimate": SHARE}
        | {"ci_low": SHARE, "ci_high": SHARE, "confidence": SHARE, "method": TEXT, "best": TEXT, "difference": GAP}
        | {"p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "indistinguishable": FLAG, "status": TEXT}
    ),
    "model_bias": Table(
        HEAD
        | {"metric": TEXT, "summary": OPEN_TEXT, "form": Column("text", values=("corrected", "published"))}
        | {"groups": COUNT, "n": COUNT}
        | {c: Column("number", missing=True, low=0) for c in ("estimate", "ci_low", "ci_high")}
        | {"confidence": SHARE, "method": OPEN_TEXT, "expected": Column("number", missing=True, low=0)}
        | {"excess": OPEN_NUMBER, "p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT}
        | {"decided_by": OPEN_TEXT, "left_out": OPEN_TEXT}
    ),
    "model_bias_ranks": Table(
        {"arms": TEXT, "attribute": TEXT, "metric": TEXT, "form": Column("text", values=("corrected", "published"))}
        | {"arm": TEXT, "ranked": COUNT, "rank": OPEN_COUNT, "rank_low": OPEN_COUNT, "rank_high": OPEN_COUNT}
        | {"n": COUNT, "estimate": Column("number", missing=True, low=0), "confidence": SHARE, "method": OPEN_TEXT}
        | {"like_most_biased": OPEN_FLAG, "like_least_biased": OPEN_FLAG, "status": TEXT}
    ),
    "tradeoff": Table(
        HEAD
        | PAIR
        | {"baseline": TEXT, "arms": COUNT, "n": OPEN_COUNT, "n_group": OPEN_COUNT, "n_reference": OPEN_COUNT}
        | {"accuracy": OPEN_SHARE, "gap": GAP, "se_accuracy": OPEN_SHARE, "se_gap": OPEN_SHARE, "correlation": GAP}
        | {"confidence": OPEN_SHARE, "front": OPEN_FLAG, "front_share": OPEN_SHARE}
        | {"accuracy_change": GAP, "accuracy_change_low": GAP, "accuracy_change_high": GAP}
        | {"accuracy_p_value": OPEN_SHARE, "accuracy_p_adjusted": OPEN_SHARE}
        | {"gap_change": OPEN_NUMBER, "gap_change_low": OPEN_NUMBER, "gap_change_high": OPEN_NUMBER}
        | {"gap_p_value": OPEN_SHARE, "gap_p_adjusted": OPEN_SHARE, "method": OPEN_TEXT}
        | {"levelling_down": OPEN_FLAG, "lost": OPEN_TEXT, "indistinguishable": OPEN_FLAG}
        | {"verdict": TEXT, "sentence": TEXT}
    ),
    "not_estimable": Table(
        {"table": TEXT, "arm": OPEN_TEXT, "contrast": OPEN_TEXT, "attribute": OPEN_TEXT, "group": OPEN_TEXT}
        | {"reference": OPEN_TEXT, "class": OPEN_TEXT, "metric": OPEN_TEXT, "average": OPEN_TEXT}
        | {"method": OPEN_TEXT, "reason": TEXT}
    ),
    "dataset_bias": Table(
        {
            "attribute": TEXT,
            "with": OPEN_TEXT,
            "metric": TEXT,
            "form": Column("text", values=("corrected", "published")),
        }
        | {"n": COUNT, "estimate": OPEN_NUMBER, "ci_low": OPEN_NUMBER, "ci_high": OPEN_NUMBER}
        | {"confidence": OPEN_SHARE, "expected": OPEN_NUMBER, "p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE}
        | {"adjustment": OPEN_TEXT, "status": TEXT}
    ),
    "dataset_shares": Table(
        {"attribute": TEXT, "group": TEXT, "label": TEXT, "count": COUNT, "n": COUNT, "share": OPEN_SHARE}
        | {"ci_low": OPEN_SHARE, "ci_high": OPEN_SHARE, "confidence": OPEN_SHARE, "overall": SHARE}
        | {"duchers_z": GAP, "status": TEXT}
    ),
    "source_recognition": Table(
        HEAD
        | {"group": TEXT, "metric": Column("text", values=("accuracy", "share")), "true": OPEN_TEXT}
        | {"predicted": OPEN_TEXT, "count": COUNT, "n": COUNT}
        | {"estimate": OPEN_SHARE, "ci_low": OPEN_SHARE, "ci_high": OPEN_SHARE, "confidence": OPEN_SHARE}
        | {"expected": OPEN_SHARE, "p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT}
    ),
    "unseen_sources": Table(
        HEAD
        | {"seen": TEXT, "source": TEXT, "group": TEXT, "reference": OPEN_TEXT}
        | {"n": COUNT, "n11": COUNT, "n10": COUNT, "n01": COUNT, "n00": COUNT}
        | {f"{what}_{part}": OPEN_SHARE for what in ("seen", "unseen") for part in ("low", "high")}
        | {"accuracy_seen": OPEN_SHARE, "accuracy_unseen": OPEN_SHARE}
        | {"estimate": GAP, "ci_low": GAP, "ci_high": GAP, "confidence": OPEN_SHARE, "method": OPEN_TEXT}
        | {"p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "adjustment": OPEN_TEXT}
        | {"gap_change": OPEN_NUMBER, "gap_change_low": OPEN_NUMBER, "gap_change_high": OPEN_NUMBER}
    ),
    "unanswered": Table(
        HEAD
        | {"group": TEXT, "why": TEXT, "n": COUNT, "count": COUNT}
        | ESTIMATE
        | {"confidence": OPEN_SHARE, "method": OPEN_TEXT},
        key=("arm", "attribute", "group", "why"),
    ),
    "by_annotator": Table(
        HEAD
        | PAIR
        | {"annotator": OPEN_TEXT, "among": TEXT, "faces": COUNT, "n_group": COUNT, "n_reference": COUNT}
        | {"share": OPEN_SHARE, "share_low": OPEN_SHARE, "share_high": OPEN_SHARE}
        | {"estimate": GAP, "ci_low": GAP, "ci_high": GAP, "confidence": OPEN_SHARE, "method": OPEN_TEXT}
        | {"p_value": OPEN_SHARE, "p_adjusted": OPEN_SHARE, "verdict": TEXT, "verdict_differs": OPEN_FLAG}
    ),
    "agreement": Table(
        {"attribute": TEXT, "among": TEXT, "first": OPEN_TEXT, "second": OPEN_TEXT, "answer": OPEN_TEXT}
        | {"metric": TEXT, "raters": COUNT, "n": COUNT}
        | ESTIMATE
        | {"confidence": OPEN_SHARE, "method": OPEN_TEXT, "status": TEXT}
    ),
    "agreement_confusion": Table(
        {"attribute": TEXT, "first": TEXT, "second": TEXT, "first_group": TEXT, "second_group": TEXT, "count": COUNT}
    ),
    "correction": Table(
        HEAD
        | {"group": TEXT, "reference": OPEN_TEXT, "metric": TEXT, "class": OPEN_TEXT, "estimator": TEXT}
        | {"primary": FLAG, "labels": TEXT, "n": COUNT, "gold": COUNT, "effective_n": OPEN_NUMBER}
        | ESTIMATE
        | {"bound_low": GAP, "bound_high": GAP, "confidence": OPEN_SHARE, "method": OPEN_TEXT, "verdict": OPEN_TEXT}
    ),
    "misclassification": Table(
        HEAD
        | {"class": OPEN_TEXT, "among": TEXT, "group": TEXT, "label": TEXT, "count": COUNT, "n": COUNT}
        | {"estimate": OPEN_SHARE, "ci_low": OPEN_SHARE, "ci_high": OPEN_SHARE, "confidence": OPEN_SHARE}
    ),
    "human_reference": Table(
        HEAD
        | {"group": TEXT, "reference": OPEN_TEXT, "metric": TEXT, "adjusted_for": OPEN_TEXT}
        | {"n": COUNT, "n_reference": OPEN_COUNT}
        | ESTIMATE
        | {"se": OPEN_NUMBER, "confidence": OPEN_SHARE, "method": OPEN_TEXT}
        | {"answered": OPEN_SHARE, "compared": OPEN_SHARE}
    ),
    "by_ambiguity": Table(
        HEAD
        | PAIR
        | {"metric": TEXT, "bits_above": NUMBER, "bits_to": OPEN_NUMBER, "n_group": COUNT, "n_reference": COUNT}
        | {"accuracy_group": OPEN_SHARE, "accuracy_reference": OPEN_SHARE}
        | ESTIMATE
        | {"se": OPEN_NUMBER, "confidence": OPEN_SHARE, "method": OPEN_TEXT}
    ),
    # what the paper makes of Snakemake's benchmark files
    "timings": Table({"rule": TEXT, "jobs": COUNT, "seconds": NUMBER, "memory": OPEN_NUMBER}, key=("rule",)),
    # benchmarks/calibration.csv, which the paper shows
    "calibration": Table(
        {"scenario": TEXT, "quantity": TEXT, "method": TEXT, "primary": FLAG, "nominal": OPEN_SHARE}
        | {"estimate": NUMBER, "monte_carlo_se": OPEN_NUMBER, "simulations": COUNT, "seed": COUNT},
        key=("scenario", "quantity", "method"),
    ),
}


def empty(name: str) -> pd.DataFrame:
    """Return table ``name`` without rows."""
    return pd.DataFrame({c: pd.Series(dtype=KINDS[column.kind]) for c, column in TABLES[name].columns.items()})


def joined(paths: Sequence[str | os.PathLike], name: str) -> pd.DataFrame:
    """Return several files of table ``name`` as one table, without rows where there is no file."""
    return pd.concat([read(path, name) for path in paths], ignore_index=True) if paths else empty(name)


def to_numbers(values: pd.Series) -> pd.Series:
    """Return values as numbers, missing where one is none or no computer's arithmetic holds it."""
    try:
        return pd.to_numeric(values, errors="coerce")
    except OverflowError:  # thousands of digits
        return pd.to_numeric(
            values.map(lambda value: value if len(str(value)) < LONGEST_NUMBER else None), errors="coerce"
        )


def first_bad(values: pd.Series, column: Column) -> tuple[object, str] | None:
    """Return the index label of the first value that ``column`` does not allow and what was expected, or None."""
    lost = values.isna()
    if not column.missing and lost.any():
        return lost.idxmax(), "a value in every row"
    present = values[~lost]
    if column.kind == "text":
        if column.values and not (ok := present.isin(column.values)).all():
            return ok.idxmin(), "one of " + ", ".join(column.values)
        if (bad := present.astype("str").str.contains(CONTROL)).any():
            return bad.idxmax(), "a text without line breaks and other control characters"
        return None
    numbers = to_numbers(present)
    if (bad := numbers.isna() | np.isinf(numbers.astype("float64"))).any():
        return bad.idxmax(), "a number"
    if column.kind == "integer" and (bad := (numbers != numbers.round()) | (numbers.abs() > LARGEST)).any():
        return bad.idxmax(), "a whole number"
    if column.low is not None and (bad := numbers < column.low - 1e-9).any():
        return bad.idxmax(), f"at least {column.low:g}"
    if column.high is not None and (bad := numbers > column.high + 1e-9).any():
        return bad.idxmax(), f"at most {column.high:g}"
    return None


def check(frame: pd.DataFrame, name: str, where: str) -> pd.DataFrame:
    """Return ``frame`` with the column order and types of table ``name``; extra columns follow unchanged.

    Parameters
    ----------
    frame : pandas.DataFrame
        Row i stands in line i + 2 of a CSV.
    name : str
        A key of ``TABLES``.
    where : str
        What to call the frame in a message: the file's path.

    Raises
    ------
    UserError
        A column is missing or a value is not allowed (column, line and value are named), or a row's key repeats.
    """
    table = TABLES[name]
    frame = frame.reset_index(drop=True)
    needed = [c for c, column in table.columns.items() if not column.optional]
    if absent := [c for c in needed if c not in frame.columns]:
        raise UserError(
            f"column {absent[0]!r} is missing (found: {', '.join(map(str, frame.columns))})",
            where=where,
            expected=f"the columns {', '.join(needed)}",
        )
    columns = {c: column for c, column in table.columns.items() if c in frame.columns}
    for c in frame.columns:
        for prefix, column in table.prefixes.items():
            if c not in columns and str(c).startswith(prefix):
                columns[c] = column
    out = {}
    for c, column in columns.items():
        if bad := first_bad(frame[c], column):
            row, expected = bad
            raise UserError(
                f"column {c!r}, line {row + 2}: {frame[c][row]!r}",
                where=where,
                expected=expected,
                fix="correct that line and run again",
            )
        kind = "number" if column.kind == "integer" and column.missing else column.kind
        out[c] = frame[c].astype(KINDS[kind])
    if table.key and (twice := frame.duplicated(list(table.key))).any():
        row = frame.loc[twice.idxmax()]
        raise UserError(
            f"line {twice.idxmax() + 2} repeats {', '.join(f'{k} {row[k]!r}' for k in table.key)}",
            where=where,
            expected=f"each {' × '.join(table.key)} once",
            fix="remove the repeated row",
        )
    return pd.DataFrame(out | {c: frame[c] for c in frame.columns if c not in out})


RISKY = r"'*[=+\-@]"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def neutral(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with an apostrophe before each text that a spreadsheet would run as a formula.

    These are texts that begin with ``=``, ``+``, ``-`` or ``@`` and are no plain number (control characters, which
    could hide one of these, are in no table). Where apostrophes stand before them already, there is one more, so that
    :func:`plain` loses nothing.
    """
    return _each_text(frame, lambda text: text.str.match(RISKY) & ~text.str.fullmatch(NUMBER), lambda text: "'" + text)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` as it was before :func:`neutral`."""
    return _each_text(frame, lambda text: text.str.match("'" + RISKY), lambda text: text.str[1:])


def _each_text(frame: pd.DataFrame, which: Callable, change: Callable) -> pd.DataFrame:
    changed = {}
    for c in frame.columns:
        if pd.api.types.is_string_dtype(frame[c]):
            text = frame[c].astype("str")
            if (rows := which(text.fillna(""))).any():
                changed[c] = text.where(~rows, change(text))
    return frame.assign(**changed)


def check_end(path: Path, columns: int) -> None:
    """Refuse a CSV whose last row has too few values: pandas would take a file that was cut off for one with gaps."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - LONGEST_ROW))
        last = file.read().rstrip(b"\r\n").rpartition(b"\n")[2].decode("utf-8", errors="replace")
    # a quoted value may hold line breaks, and then this is no whole row
    if '"' not in last and last.strip() and last.count(",") + 1 < columns:
        raise UserError(
            f"ends in the middle of a row ({last[:60]!r})",
            where=str(path),
            expected=f"{columns} values in its last row as in the others",
            fix="put the whole file there, or mend its last row",
        )


def load(
    path: str | os.PathLike, columns: list[str] | None = None, text: tuple[str, ...] = ("image_id",)
) -> pd.DataFrame:
    """Read a CSV or Parquet file by its suffix.

    Parameters
    ----------
    columns : list of str, optional
        Read only these.
    text : tuple of str
        Columns of a CSV that stay as written (``007`` is an id, ``NA`` may be a group's name); only an empty cell is
        missing there.

    Raises
    ------
    UserError
        The file is missing or cannot be read.
    """
    path = Path(path)
    try:
        if path.suffix == ".parquet":
            return _parquet(path, columns)
        header = pd.read_csv(path, nrows=0).columns
        check_end(path, len(header))
        frame = pd.read_csv(
            path,
            usecols=columns,
            dtype={c: "str" for c in header if c in text},
            keep_default_na=False,
            na_values={c: [""] if c in text else ["", "NA", "NaN", "nan"] for c in header},
            low_memory=False,
        )
        if not isinstance(frame.index, pd.RangeIndex):  # what pandas makes of cells beyond the header
            raise ValueError("the first row has more cells than the header")
        return frame
    except FileNotFoundError:
        raise UserError("there is no such file", where=str(path)) from None
    except (ValueError, OSError) as error:  # pandas' parser and pyarrow raise subclasses of these
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"cannot be read ({reason})", where=str(path), expected="a whole CSV or Parquet file with a header"
        ) from error


def _parquet(path: Path, columns: list[str] | None) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=columns, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file makes pandas and pyarrow raise nearly anything
        raise ValueError(str(error) or type(error).__name__) from error


def load_pixels(path: str | os.PathLike, rows: pd.Series) -> np.ndarray:
    """Return the memory map of the study's pictures, uint8 of shape (n, size, size) or (n, channels, size, size).

    Parameters
    ----------
    rows : pandas.Series of int
        Column ``row`` of the table ``faces``: the pictures that must be there.

    Raises
    ------
    UserError
        The file is missing, damaged or shorter than the table says. A pickled array is refused unopened.
    """
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
            raise ValueError("it holds something else")
        if len(rows) and rows.max() >= len(pixels):
            raise ValueError(f"{len(pixels)} pictures, but the table of faces has row {rows.max()}")
    except FileNotFoundError:
        raise UserError("there is no such file", where=str(path), fix=REMAKE) from None
    except Exception as error:  # NumPy's reader raises nearly anything for a damaged header
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"cannot be read ({reason})", where=str(path), expected="the pixels that read_faces wrote", fix=REMAKE
        ) from error
    return pixels


def read(path: str | os.PathLike, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    """Read table ``name`` from a CSV or Parquet file and check it (see :func:`check`).

    ``columns`` limits the read to some columns, which are then not checked.
    """
    text = tuple(c for c, column in TABLES[name].columns.items() if column.kind == "text")
    try:
        frame = load(path, columns, text)
    except UserError as error:
        raise UserError(error.problem, where=error.where, expected=error.expected, fix=REMAKE) from error
    if Path(path).suffix != ".parquet":
        frame = plain(frame)
    return frame if columns else check(frame, name, str(path))


def write(frame: pd.DataFrame, path: str | os.PathLike, name: str) -> None:
    """Check ``frame`` as table ``name`` and write it to a CSV or Parquet file, whole or not at all."""
    frame = check(frame, name, f"table {name} for {path}")
    with whole(path) as draft:
        if draft.suffix == ".parquet":
            frame.to_parquet(draft, index=False, compression="zstd", write_page_checksum=True)
        else:
            neutral(frame).to_csv(draft, index=False, lineterminator="\n")
