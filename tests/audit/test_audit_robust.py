"""Standard errors of the logistic models for faces in clusters, against R and a loop over clusters."""

import numpy as np
import pandas as pd
import pytest
from oracle_cases import ARMS, answers, faces, people_of, predictions_of

from fergap.audit import audit

NAME = "o7_clustered"
MAIN = "correct ~ gender + age + class"


def models_of(clusters: pd.Series | None, name: str = NAME) -> pd.DataFrame:
    frame = faces(name)
    return audit(
        predictions_of(frame),
        people_of(frame),
        attributes=["gender", "age"],
        reference={"gender": "male", "age": "adult"},
        classes=answers()["datasets"][name]["classes"],
        clusters=clusters,
        resamples=100,
        minimum_faces=2,
    )["models"]


@pytest.fixture(scope="module")
def clustered() -> pd.DataFrame:
    return models_of(faces(NAME).set_index("image_id")["cluster_id"])


def term(name: str) -> str:
    for factor in ("gender", "age", "true"):
        if name.startswith(factor):
            return f"{'class' if factor == 'true' else factor}: {name.removeprefix(factor)}"
    return "intercept"


@pytest.mark.parametrize("arm", ARMS)
def test_coefficients_equal_r(clustered, arm):
    # geeglm(ok ~ gender + age + true, binomial, id = cluster, corstr = "independence")
    # sandwich::vcovCL(glm(ok ~ gender + age + true, binomial), cluster, type = "HC0", cadjust = FALSE)
    r = answers()["datasets"][NAME][arm]["clustered"]
    own = clustered.query("arm == @arm and model == @MAIN and covariance == 'cluster'")
    own = own[own["quantity"].isin(["log odds", "log odds ratio"])].set_index("term")
    gee, sandwich = r["independence"], r["sandwich_HC0_cluster"]
    for name, coefficient, robust, se in zip(gee["terms"], gee["coef"], gee["robust_se"], sandwich["se"], strict=True):
        row = own.loc[term(name)]
        assert row["estimate"] == pytest.approx(coefficient, rel=1e-7)
        assert row["se"] == pytest.approx(robust, rel=1e-7)
        assert row["se"] == pytest.approx(se, rel=1e-6)
        assert row["clusters"] == r["n_clusters"]


@pytest.mark.parametrize("arm", ARMS)
def test_marginal_effects_are_a_delta_method_over_clusters(clustered, arm):
    frame = faces(NAME)
    right = (frame["true"] == frame[f"pred_{arm}"]).to_numpy(float)
    classes = answers()["datasets"][NAME]["classes"]
    x = np.stack(
        [np.ones(len(frame)), frame["gender"] == "female", frame["age"] == "child"]
        + [frame["true"] == c for c in classes[1:]],
        1,
    ).astype(float)
    own = clustered.query("arm == @arm and model == @MAIN and covariance == 'cluster'")
    b = own[own["quantity"].isin(["log odds", "log odds ratio"])]["estimate"].to_numpy()
    p = 1 / (1 + np.exp(-x @ b))
    bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    meat = np.zeros_like(bread)
    for _, part in frame.groupby("cluster_id"):
        s = sum(x[i] * (right[i] - p[i]) for i in part.index)
        meat += np.outer(s, s)
    v = bread @ meat @ bread
    ends = []
    for value in (1.0, 0.0):
        moved = x.copy()
        moved[:, 2] = value
        q = 1 / (1 + np.exp(-moved @ b))
        ends.append((q.mean(), (moved * (q * (1 - q))[:, None]).mean(0)))
    slope = ends[0][1] - ends[1][1]
    row = own[(own["quantity"] == "average marginal effect") & (own["term"] == "age: child")].iloc[0]
    assert row["estimate"] == pytest.approx(ends[0][0] - ends[1][0])
    assert row["se"] == pytest.approx(np.sqrt(slope @ v @ slope), rel=1e-7)
    wald = own[own["quantity"] == "wald chi-square"].set_index("term").loc["age"]
    assert (wald["statistic"], wald["df"]) == (pytest.approx(b[2] ** 2 / v[2, 2], rel=1e-7), 1)


def test_every_term_is_tested_both_ways(clustered):
    for arm in ARMS:
        own = clustered[clustered["arm"] == arm]
        ratio, wald = (own[own["quantity"] == q] for q in ("likelihood ratio", "wald chi-square"))
        both = ratio.merge(wald, on=["attribute", "model", "term"])
        assert len(both) == len(ratio) == len(wald) == 9
        assert (both["df_x"] == both["df_y"]).all()
        assert set(ratio["covariance"]) == {"model"}


def test_without_clusters_nothing_is_added(clustered):
    plain = models_of(None)
    assert set(plain["covariance"]) == {"model"}
    kept = clustered[clustered["covariance"] == "model"].reset_index(drop=True)
    pd.testing.assert_frame_equal(plain, kept)


def test_few_clusters_are_named_and_copies_of_faces_do_not_add_certainty():
    frame = faces("o5_gap_zero")
    few = models_of(pd.Series(np.arange(len(frame)) % 20, index=frame["image_id"]), "o5_gap_zero")
    own = few[few["covariance"] == "cluster"]
    assert set(own["note"]) == {"fewer than 40 clusters: the clustered error is too small"}
    assert few.loc[few["covariance"] == "model", "note"].isna().all()

    copied = pd.concat([frame, frame.assign(image_id=frame["image_id"] + "b")], ignore_index=True)
    keep = {"attributes": ["gender"], "reference": {"gender": "male"}, "resamples": 100}
    se = {}
    for key, data in {"once": frame, "twice": copied}.items():
        out = audit(
            predictions_of(data),
            people_of(data),
            clusters=pd.Series(data["image_id"].str.rstrip("b").to_numpy(), index=data["image_id"]),
            **keep,
        )["models"]
        se[key] = out[out["covariance"] == "cluster"].set_index(["arm", "term", "quantity"])["se"]
    pd.testing.assert_series_equal(se["once"], se["twice"])
