"""Every field of R's answers that the audit computes, from the audit's tables; the others are named."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from oracle_cases import ARMS, DATASETS, answers, faces, people_of, predictions_of

from fergap.audit import audit

GROUPS = {"gender": ("female", "male"), "age": ("child", "adult")}
Z = 1.959963984540054
Compared = tuple[str, Any, Any, float]  # field, found, expected, relative tolerance

ELSEWHERE = {  # field: the module of tests that compares it
    "fairness": "test_audit_fairness",
    "logistic": "test_audit_models",
    "folds": "test_audit_power",
    "boot": "test_audit_bootstrap, test_audit_joint",
    "clustered": "test_audit_models, where the audit gives cluster-robust errors",
}
NOT_COMPUTED = {  # field: what the audit gives instead
    **dict.fromkeys(
        ("prop_test_cc.conf_int", "prop_test_cc.estimate", "wilson1_cc", "wilson0_cc"),
        "no interval with a continuity correction",
    ),
    **dict.fromkeys(("mantelhaen_cc", "mcnemar_cc"), "no continuity correction but Yates'"),
    **dict.fromkeys(("clopper1", "clopper0"), "Clopper-Pearson below the minimum of faces alone; test_audit_formulas"),
    **dict.fromkeys(("fisher.odds_ratio_cmle", "fisher.conf_int"), "the sample odds ratio"),
    **dict.fromkeys(("mantelhaen_exact.estimate", "mantelhaen_exact.conf_int"), "Mantel-Haenszel's odds ratio"),
    **dict.fromkeys(("fisher.p_less", "fisher.p_greater"), "two-sided tests"),
    **dict.fromkeys(("tost_wald_formula", "tost_mn_score_formula"), "the score test at the declared margin"),
    "miettinen_nurminen90_formula": "Newcombe's at 90 %",
    "unconditional.boschloo_exactpkg_two_sided_formula": "Boschloo's test as SciPy doubles it",
    "phi_formula": "Cramer's V for more than two groups, Cohen's h for two",
    "min_expected": "decides the test; test_audit_formulas",
    "specificity": "the false-positive rates behind equalized odds",
    "woolf_test_vcd": "Breslow and Day's test",
    "mh_rd_metafor.se": "its interval",
    "strata_used": "its degrees of freedom",
    "weights": "a text",
    **dict.fromkeys(("mcnemar.statistic", "mcnemar.df"), "its p"),
    "se_change_formula": "test_audit_formulas",
    "conditional_odds_ratio_formula": "the counts n01 and n10",
    **dict.fromkeys(("did_formula.z", "did_formula.p", "did_formula.ci", "did_wilcoxon_p"), "Welch's test"),
    "pairwise_bh": "Holm's",
    "fisher_mc": "R had no answer",
    "mixed_fold": "no mixed model",
    "multiplicity_fisher_per_class": "the family of chi-square and Fisher tests; test_audit_formulas on fixed p values",
}


@functools.cache
def tables(name: str) -> dict[str, pd.DataFrame]:
    """The audit of all attributes, and of gender and age together, under the command of a user."""
    frame = faces(name)
    own = ("gender", "age", *(["race"] if "race" in frame else []))
    return audit(
        predictions_of(frame),
        people_of(frame, own),
        attributes=[*own, "gender*age"],
        reference={"gender": "male", "age": "adult"},
        contrasts=[{"before": "before", "after": "after"}],
        minimum_faces=2,
        resamples=100,
        classes=answers()["datasets"][name]["classes"],
    )


def rows(frame: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """The rows with these values; None asks for a missing one, ``label`` is the class."""
    for column, value in wanted.items():
        own = frame["class" if column == "label" else column]
        frame = frame[own.isna() if value is None else own == value]
    return frame


def one(frame: pd.DataFrame, **wanted: Any) -> pd.Series:
    """The only one of these rows."""
    found = rows(frame, **wanted)
    assert len(found) == 1, (wanted, found)
    return found.iloc[0]


def ends(row: pd.Series) -> list[float]:
    return row[["ci_low", "ci_high"]].tolist()


def compare_metrics(out: pd.DataFrame, r: dict, classes: list[str]) -> Iterator[Compared]:
    """The metrics of one group of faces."""
    accuracy = one(out, metric="accuracy")
    for field in ("accuracy", "micro"):
        yield field, accuracy["estimate"], r[field], 1e-12
    yield "n", accuracy["n"], r["n"], 0
    for average in ("macro_all", "macro_present", "weighted"):
        for metric in ("precision", "recall", "f1"):
            if (metric, average) == ("recall", "weighted"):  # the accuracy
                yield "avg_recall.weighted", accuracy["estimate"], r["avg_recall"]["weighted"], 1e-9
            else:
                found = one(out, metric=metric, average=average)
                yield f"avg_{metric}.{average}", found["estimate"], r[f"avg_{metric}"][average], 1e-9
    yield "balanced_accuracy", one(out, metric="balanced_accuracy")["estimate"], r["balanced_accuracy"], 1e-9
    for c, label in enumerate(classes):
        for metric, of in (("recall", "support"), ("precision", "predicted")):
            found = one(out, metric=metric, label=label)
            yield of, found["n"], r[of][c], 0
            # R prints 0 for 0/0
            yield metric, found["estimate"], r[metric][c] if r[of][c] else math.nan, 1e-9
        none = r["support"][c] + r["predicted"][c] == 0
        yield "f1", one(out, metric="f1", label=label)["estimate"], math.nan if none else r["f1"][c], 1e-9


def compare_two(out: dict[str, pd.DataFrame], r: dict, groups: tuple[str, str]) -> Iterator[Compared]:
    """Two groups' proportions, their difference and its tests."""
    accuracies = [one(out["group_metrics"], group=g, metric="accuracy") for g in groups]
    for i, row in zip("10", accuracies, strict=True):
        yield f"x{i}", row["count"], r[f"x{i}"], 0
        yield f"n{i}", row["n"], r[f"n{i}"], 0
        yield f"p{i}", row["estimate"], r[f"p{i}"], 1e-9
        yield f"wilson{i}", ends(row), r[f"wilson{i}"], 1e-7
    plain = rows(out["gaps"], metric="accuracy", adjusted_for=None)
    methods = ("newcombe", "agresti-caffo", "miettinen-nurminen", "wald")
    by_method = {method: one(plain, method=method) for method in methods}
    yield "gap", by_method["newcombe"]["estimate"], r["gap"], 1e-9
    for method, row in by_method.items():
        expected = [max(-1, min(1, x)) for x in r[f"{method.replace('-', '_')}_formula"]]
        if method == "agresti-caffo":  # kept around the estimate
            expected = [min(expected[0], r["gap"]), max(expected[1], r["gap"])]
        yield f"{method.replace('-', '_')}_formula", ends(row), expected, 1e-6
    yield "prop_test.conf_int", ends(by_method["wald"]), [max(-1, min(1, x)) for x in r["prop_test"]["conf_int"]], 1e-7
    yield "prop_test.estimate", [row["estimate"] for row in accuracies], r["prop_test"]["estimate"], 1e-9
    for field, name in (("prop_test", "chi-square"), ("prop_test_cc", "chi-square, yates")):
        found = one(out["tests"], test=name, label=None)
        for of in (field, field.replace("prop", "chisq")):
            alike = not isinstance(r[of]["p_value"], float)  # every answer alike: R gives none
            for part in ("statistic", "df", "p_value"):
                own = {"statistic": 0.0, "df": 1, "p_value": 1.0}[part] if alike else r[of][part]
                yield f"{of}.{part}", found[part], own, 1e-7
    small = r["min_expected"] < 5
    if len(rows(out["tests"], test="fisher", label=None)):
        yield "fisher.p_value", one(out["tests"], test="fisher", label=None)["p_value"], r["fisher"]["p_value"], 1e-7
    else:
        assert small
    if "unconditional" in r:
        own = r["unconditional"]
        yield (
            "unconditional.barnard_pooled_two_sided_formula",
            one(out["tests"], test="barnard")["p_value"],
            own["barnard_pooled_two_sided_formula"],
            1e-7,
        )
        found = one(out["tests"], test="boschloo")["p_value"]
        yield "unconditional.boschloo_scipy_two_sided_formula", found, own["boschloo_scipy_two_sided_formula"], 1e-3
    equivalence = out["equivalence"].iloc[0]
    yield "newcombe90_formula", ends(equivalence), r["newcombe90_formula"], 1e-7
    yield "tost_mn_score_formula.m05", equivalence["p_value"], r["tost_mn_score_formula"]["m05"], 1e-6
    effects = {name: one(out["effects"], effect=name) for name in ("cohen_h", "risk_ratio", "odds_ratio")}
    yield "cohen_h", effects["cohen_h"]["estimate"], r["cohen_h"], 1e-7
    yield "risk_ratio_formula", effects["risk_ratio"]["estimate"], r["risk_ratio_formula"] or math.nan, 1e-7
    if r["x1"] and r["x0"]:
        yield "risk_ratio_log_ci_formula", ends(effects["risk_ratio"]), r["risk_ratio_log_ci_formula"], 1e-7
    if min(r["x1"], r["x0"], r["n1"] - r["x1"], r["n0"] - r["x0"]):
        yield "odds_ratio_formula", effects["odds_ratio"]["estimate"], r["odds_ratio_formula"], 1e-7
        yield "odds_ratio_log_ci_formula", ends(effects["odds_ratio"]), r["odds_ratio_log_ci_formula"], 1e-7
    else:
        assert effects["odds_ratio"]["method"] == "woolf logit, 0.5 added"
        yield "odds_ratio_haldane_formula", effects["odds_ratio"]["estimate"], r["odds_ratio_haldane_formula"], 1e-7


def compare_strata(out: dict[str, pd.DataFrame], r: dict) -> Iterator[Compared]:
    """Two groups compared within classes."""
    cmh, ratio = one(out["tests"], test="cmh"), one(out["effects"], effect="adjusted_odds_ratio")
    for part in ("statistic", "df", "p_value"):
        yield f"mantelhaen.{part}", cmh[part], r["mantelhaen"][part], 1e-7
    finite = isinstance(r["mantelhaen"]["estimate"], float | int) and r["mantelhaen"]["estimate"] > 0
    yield "mantelhaen.estimate", ratio["estimate"], r["mantelhaen"]["estimate"] if finite else math.nan, 1e-7
    yield "breslow_day_formula.or_mh", ratio["estimate"], r["mantelhaen"]["estimate"] if finite else math.nan, 1e-7
    if finite:
        yield "mantelhaen.conf_int", ends(ratio), r["mantelhaen"]["conf_int"], 1e-7
    exact = one(out["tests"], test="class-stratified exact")
    yield "mantelhaen_exact.p_value", exact["p_value"], r["mantelhaen_exact"]["p_value"], 1e-7
    for name, statistic, p in (("breslow-day", "statistic", "p"), ("breslow-day, tarone", "tarone", "p_tarone")):
        found, own = one(out["tests"], test=name), r["breslow_day_formula"]
        if found["status"] == "ok":
            yield f"breslow_day_formula.{statistic}", found["statistic"], own[statistic], 1e-7
            yield "breslow_day_formula.df", found["df"], own["df"], 0
            yield f"breslow_day_formula.{p}", found["p_value"], own[p], 1e-7
        else:
            assert not finite or own["df"] < 1
    adjusted = {m: one(out["gaps"], adjusted_for="class", method=m) for m in ("mantel-haenszel", "standardised")}
    own = r["mh_rd_metafor"]
    yield "mh_rd_metafor.estimate", adjusted["mantel-haenszel"]["estimate"], own["estimate"], 1e-7
    yield "mh_rd_metafor.ci", ends(adjusted["mantel-haenszel"]), [max(-1, min(1, x)) for x in own["ci"]], 1e-7
    own = r["standardised_gap_formula"]
    yield "standardised_gap_formula.estimate", adjusted["standardised"]["estimate"], own["estimate"], 1e-7
    expected = [max(-1, min(1, own["estimate"] + s * Z * own["se"])) for s in (-1, 1)]
    yield "standardised_gap_formula.se", ends(adjusted["standardised"]), expected, 1e-7
    for label, own in r["per_class"].items():
        gap = one(out["gaps"], metric="recall", label=label)
        test = one(out["tests"], family="per class", label=label)
        if own.get("missing_group"):
            yield "per_class.missing_group", gap["status"].startswith("not estimable: 0 faces of the class"), True, 0
            continue
        yield "per_class.n1", gap["n_group"], own["n1"], 0
        yield "per_class.n0", gap["n_reference"], own["n0"], 0
        yield "per_class.gap", gap["estimate"], own["gap"], 1e-9
        yield "per_class.newcombe_formula", ends(gap), own["newcombe_formula"], 1e-7
        field = {"fisher": "fisher_p", "chi-square": "chisq_p"}[test["test"]]
        yield f"per_class.{field}", test["p_value"], own[field] if own[field] is not None else 1.0, 1e-7
        recalls = [one(out["group_metrics"], group=g, metric="recall", label=label) for g in (gap.group, gap.reference)]
        for i, found in zip("10", recalls, strict=True):
            yield f"per_class.x{i}", found["count"], own[f"x{i}"], 0


def compare_pairs(out: dict[str, pd.DataFrame], r: dict, attribute: str) -> Iterator[Compared]:
    """Changes on the same faces, in each group and of the gap."""
    changes = rows(out["changes"], attribute=attribute)
    for group in GROUPS.get(attribute, ("all",)):
        own = r[group] if attribute in GROUPS else r
        by_test = {t: one(changes, group=group, test=f"mcnemar {t}") for t in ("mid-p", "exact")}
        plain, wald = (one(changes, group=group, test=t) for t in ("mcnemar", "wald"))
        for field in ("n11", "n10", "n01", "n00", "n"):
            yield field, by_test["mid-p"][field], own[field], 0
        yield "change", by_test["mid-p"]["estimate"], own["change"], 1e-9
        yield "midp_formula", by_test["mid-p"]["p_value"], own["midp_formula"], 1e-7
        yield "exact_binom_p", by_test["exact"]["p_value"], own["exact_binom_p"], 1e-7
        price = changes[changes["group"].eq(group) & changes["method"].eq("bonett-price")].iloc[0]
        limits = [max(-1, min(1, x)) for x in own["bonett_price_ci_formula"]]
        yield "bonett_price_ci_formula", ends(price), limits, 1e-7
        unchanged = own["n10"] + own["n01"] == 0  # R gives no p
        yield "mcnemar.p_value", plain["p_value"], 1.0 if unchanged else own["mcnemar"]["p_value"], 1e-7
        yield "wald_ci_formula", ends(wald), [max(-1, min(1, x)) for x in own["wald_ci_formula"]], 1e-7
    if attribute in GROUPS:
        own, group = r["did_formula"], GROUPS[attribute][0]
        found = rows(out["gap_changes"], attribute=attribute, metric="accuracy", group=group)
        welch = one(found, method="welch")
        yield "did_formula.estimate", welch["estimate"], own["estimate"], 1e-9
        yield "did_lm_HC0.estimate", welch["estimate"], r["did_lm_HC0"]["estimate"], 1e-9
        for mover in found[found["method"].str.startswith("mover")].itertuples():
            # R's standard error has divisor n, Welch's n − 1
            yield "did_formula.se", mover.se, own["se"], 1e-7
            yield "did_lm_HC0.se", mover.se, r["did_lm_HC0"]["se"], 1e-7


def compare_groups(out: dict[str, pd.DataFrame], r: dict, separator: str) -> Iterator[Compared]:
    """More than two groups at once."""
    named = {group.replace(separator, "*"): i for i, group in enumerate(r["groups"])}
    for group, i in named.items():
        accuracy = one(out["group_metrics"], group=group, metric="accuracy")
        yield "x", accuracy["count"], r["x"][i], 0
        yield "n", accuracy["n"], r["n"][i], 0
        if "acc" in r:
            yield "acc", accuracy["estimate"], r["acc"][i], 1e-9
            yield "prop_test_k.estimate", accuracy["estimate"], r["prop_test_k"]["estimate"][i], 1e-9
    if min(r["n"]) >= 2:
        test, field = one(out["tests"], test="chi-square of all groups"), "chisq" if "chisq" in r else "prop_test_k"
        for part in ("statistic", "df", "p_value"):
            yield f"{field}.{part}", test[part], r[field][part], 1e-7
    if "cramers_v_vcd" in r:
        yield "cramers_v_vcd", one(out["effects"], effect="cramers_v")["estimate"], r["cramers_v_vcd"], 1e-7
        for key, column in (("pairwise_none", "p_value"), ("pairwise_holm", "p_adjusted")):
            for i, row in enumerate(r[key]["rows"]):
                for j, other in enumerate(r[key]["cols"][: i + 1]):
                    two = out["pairwise"][out["pairwise"][["group", "reference"]].isin([row, other]).all(axis=1)]
                    assert len(two) == 1
                    yield f"{key}.p", two.iloc[0][column], r[key]["p"][i][j], 1e-7


@functools.cache
def comparisons(name: str) -> list[Compared]:
    """Every comparison of a data set; fields are named without data set, arm, attribute, group and class."""
    r, out, made = answers()["datasets"][name], tables(name), []

    def note(prefix: str, compared: Iterator[Compared]) -> None:
        made.extend((f"{prefix}.{field}", *rest) for field, *rest in compared)

    for arm in ARMS:
        every = rows(out["group_metrics"], arm=arm, attribute="all")
        note("overall", compare_metrics(every, r[arm]["overall"], r["classes"]))
        for attribute in ("gender", "age", "race", "intersection"):
            if attribute not in r[arm]:
                continue
            column = {"intersection": "gender*age"}.get(attribute, attribute)
            kept = ("group_metrics", "gaps", "tests", "effects", "equivalence", "pairwise")
            own = {k: rows(out[k], arm=arm, attribute=column) for k in kept}
            if attribute not in GROUPS:
                note(attribute, compare_groups(own, r[arm][attribute], "_" if attribute == "intersection" else "*"))
                continue
            for group, metrics in r[arm][attribute]["metrics"].items():
                mine = rows(own["group_metrics"], group=group)
                note("attribute.metrics", compare_metrics(mine, metrics, r["classes"]))
            note("attribute.two_proportion", compare_two(own, r[arm][attribute]["two_proportion"], GROUPS[attribute]))
            note("attribute.stratified_by_class", compare_strata(own, r[arm][attribute]["stratified_by_class"]))
    for attribute in ("all", *GROUPS):
        note("paired", compare_pairs(out, r["paired"][attribute if attribute in GROUPS else "overall"], attribute))
    return made


@pytest.mark.parametrize("name", DATASETS)
def test_every_number_is_rs(name):
    wrong = []
    for field, found, expected, tolerance in comparisons(name):
        value = np.array(expected, float)
        close = pytest.approx(value, rel=max(tolerance, 1e-12), abs=max(tolerance / 10, 1e-12), nan_ok=True)
        if np.array(found, float) != close:
            wrong.append((field, found, expected))
    assert not wrong, wrong[:20]
    assert len(comparisons(name)) > 400


@pytest.mark.parametrize("name", DATASETS)
def test_confusion_counts_are_rs(name):
    r, confusion = answers()["datasets"][name], tables(name)["confusion"]
    classes = r["classes"]
    for arm in ARMS:
        wanted = {("all", "all"): r[arm]["overall"]} | {
            (a, g): r[arm][a]["metrics"][g] for a, groups in GROUPS.items() for g in groups
        }
        for (attribute, group), metrics in wanted.items():
            own = rows(confusion, arm=arm, attribute=attribute, group=group)
            found = own.pivot(index="true", columns="predicted", values="count").loc[classes, classes]
            assert found.to_numpy().tolist() == metrics["confusion"]


def leaves(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(found, dict):
        for key, value in found.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def short(path: list[str]) -> tuple[str, ...]:
    """A field's path without the arm, the attribute and the group."""
    labels = {*ARMS, *GROUPS, *(g for groups in GROUPS.values() for g in groups), "attribute", "overall"}
    return tuple(part for part in path if part not in labels)


def test_every_field_is_compared_or_named():
    """A field of R's answers that no test compares is listed with what the audit gives instead."""
    compared = {field for name in DATASETS for field, *_ in comparisons(name)}
    tails = {short(field.split(".")) for field in compared} | {("metrics", "confusion"), ("confusion",)}
    known = [short(key.split(".")) for key in (*ELSEWHERE, *NOT_COMPUTED)]
    missing = set()
    for data in answers()["datasets"].values():
        for path in leaves({k: v for k, v in data.items() if k != "classes"}):
            field = short([p for p in path if p not in data["classes"]])
            if field not in tails and not any(field[i : i + len(k)] == k for k in known for i in range(len(field))):
                missing.add(".".join(field))
    # lists that name the order of other fields
    order = ("groups", "classes", "classes_both_groups", "rows", "cols")
    assert sorted(m for m in missing if m.split(".")[-1] not in order) == []
