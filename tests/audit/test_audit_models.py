"""The logistic models against R's glm, anova and confint on every data set of the oracle."""

import math

import numpy as np
import pandas as pd
import pytest
from oracle_cases import ARMS, DATASETS, answers, audited

from fergap.audit import audit

MAIN = "correct ~ gender + age + class"
MODELS = {
    "main": ("gender*age", MAIN),
    "inter": ("gender*age", f"{MAIN} + gender:age"),
    "gender_class": ("gender", "correct ~ gender + class"),
    "age_class": ("age", "correct ~ age + class"),
}
RATIOS = {
    "gender_given_class": ("correct ~ gender + class", "gender"),
    "age_given_class": ("correct ~ age + class", "age"),
    "gender_given_age_class": (MAIN, "gender"),
    "age_given_gender_class": (MAIN, "age"),
    "interaction": (f"{MAIN} + gender:age", "gender × age"),
    "gender_by_class": (f"{MAIN} + gender:class", "gender × class"),
    "age_by_class": (f"{MAIN} + age:class", "age × class"),
}
CASES = [pytest.param(name, arm, id=f"{name}-{arm}") for name in DATASETS for arm in ARMS]


def rows(name: str, arm: str, **wanted: str) -> pd.DataFrame:
    found = audited(name)["models"]
    for column, value in (wanted | {"arm": arm}).items():
        found = found[found[column] == value]
    return found


def term(name: str) -> str:
    """R's name of a coefficient as ours."""
    for factor in ("gender", "age", "true"):
        if ":" not in name and name.startswith(factor):
            return f"{'class' if factor == 'true' else factor}: {name.removeprefix(factor)}"
    return {"(Intercept)": "intercept", "genderfemale:agechild": "gender: female × age: child"}[name]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("name", "arm"), CASES)
def test_coefficients_and_deviance_equal_r(name, arm, model):
    # glm(formula, binomial, epsilon = 1e-14)
    r = answers()["datasets"][name][arm]["logistic"]["models"][model]
    found = rows(name, arm, attribute=MODELS[model][0], model=MODELS[model][1])
    deviance = found[found["quantity"] == "deviance"].iloc[0]
    assert deviance["estimate"] == pytest.approx(r["deviance"], rel=1e-7, abs=1e-9)
    assert deviance["df"] == r["df_residual"]
    if r["separation_or_aliasing"]:
        kept = found[found["quantity"].isin(["log odds ratio", "odds ratio", "average marginal effect"])]
        assert set(kept["status"]) == {"not estimable: separation"}
        assert kept["estimate"].isna().all()
        return
    for name_of, coefficient, se in zip(r["terms"], r["coef"], r["se"], strict=True):
        own = found[(found["term"] == term(name_of)) & found["quantity"].isin(["log odds", "log odds ratio"])].iloc[0]
        assert own["estimate"] == pytest.approx(coefficient, rel=1e-7, abs=1e-8)
        assert own["se"] == pytest.approx(se, rel=1e-6)
        assert own["statistic"] == pytest.approx(coefficient / se, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("name", "arm"), CASES)
def test_likelihood_ratios_equal_r_also_under_separation(name, arm):
    # anova(smaller, larger, test = "Chisq")
    for key, (model, of) in RATIOS.items():
        r = answers()["datasets"][name][arm]["logistic"]["lr"][key]
        own = rows(name, arm, model=model, term=of, quantity="likelihood ratio").iloc[0]
        assert own["statistic"] == pytest.approx(r["deviance"], rel=1e-7, abs=1e-7), key
        assert own["df"] == r["df"], key
        assert own["p_value"] == pytest.approx(r["p"], rel=1e-6, abs=1e-9) or abs(r["deviance"]) < 1e-6, key


@pytest.mark.parametrize(("name", "arm"), CASES)
def test_marginal_effects_and_profiles_equal_r(name, arm):
    r = answers()["datasets"][name][arm]["logistic"]
    for model in ("main", "inter"):
        if r["models"][model]["separation_or_aliasing"]:
            continue
        for attribute, group in (("gender", "female"), ("age", "child")):
            own = rows(
                name,
                arm,
                model=MODELS[model][1],
                term=f"{attribute}: {group}",
                quantity="average marginal effect",
            ).iloc[0]
            # mean(P(correct | group) − P(correct | reference)) over the faces, delta method with vcov
            expected = r["ame_formula"][f"{attribute}_{model}"]
            assert own["estimate"] == pytest.approx(expected["ame"], rel=1e-7, abs=1e-9)
            assert own["se"] == pytest.approx(expected["se_delta"], rel=1e-6)
    if r["profile_ci_main"] == "separation":
        return
    for attribute, group in (("gender", "female"), ("age", "child")):
        own = rows(name, arm, model=MAIN, term=f"{attribute}: {group}", quantity="odds ratio").iloc[0]
        found = math.log(own["ci_low"]), math.log(own["ci_high"])
        # confint(glm), which interpolates the profile by a spline
        assert found == pytest.approx(r["profile_ci_main"][attribute + group], abs=1e-3)


def faces_of(counts: dict[tuple[str, str], tuple[int, int]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and people of (group, class) → (right, wrong)."""
    made = [
        (group, label, label if i < right else "other")
        for (group, label), (right, wrong) in counts.items()
        for i in range(right + wrong)
    ]
    frame = pd.DataFrame(made, columns=["group", "true", "predicted"])
    frame["image_id"] = [f"face{i}" for i in range(len(frame))]
    return frame[["image_id", "true", "predicted"]], frame[["image_id", "group"]].assign(attribute="kind")


def models_of(counts: dict[tuple[str, str], tuple[int, int]]) -> pd.DataFrame:
    return audit(*faces_of(counts), attributes=["kind"], reference={"kind": "one"}, resamples=100)["models"]


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({("one", "a"): (20, 0), ("two", "a"): (20, 0)}, "not estimable: every answer alike"),
        ({("one", "a"): (20, 0), ("two", "a"): (0, 20)}, "not estimable: separation"),
        ({("one", "a"): (12, 8), ("two", "a"): (1, 0)}, "not estimable: fewer than two groups of kind to compare"),
    ],
)
def test_what_cannot_be_fitted_says_why(counts, status):
    found = models_of(counts)
    assert status in set(found["status"])
    assert found["estimate"].isna().all()


def test_a_small_group_is_named_and_left_out():
    counts = {("one", "a"): (15, 6), ("one", "b"): (12, 8), ("two", "a"): (11, 9), ("two", "b"): (14, 5)}
    expected = models_of(counts)
    found = models_of(counts | {("three", "a"): (2, 1)})
    small = found[found["term"] == "kind: three"]
    assert small["status"].tolist() == ["not estimable: 3 faces of three"]
    rest = found.drop(small.index)
    assert rest["estimate"].to_numpy() == pytest.approx(expected["estimate"].to_numpy(), nan_ok=True)


def test_three_groups_of_one_class_have_the_accuracies_odds_ratios():
    found = models_of({("one", "a"): (30, 10), ("two", "a"): (20, 20), ("three", "a"): (10, 30)})
    ratios = found[found["quantity"] == "odds ratio"].set_index("term")["estimate"]
    effects = found[found["quantity"] == "average marginal effect"].set_index("term")["estimate"]
    assert ratios["kind: two"] == pytest.approx(1 / 3)
    assert ratios["kind: three"] == pytest.approx(1 / 9)
    assert effects["kind: two"] == pytest.approx(-0.25)
    assert effects["kind: three"] == pytest.approx(-0.5)
    assert np.isfinite(found.loc[found["quantity"] == "odds ratio", ["ci_low", "ci_high"]]).all(axis=None)
