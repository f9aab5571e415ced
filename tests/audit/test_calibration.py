"""The calibration certificate: its shape and rough bounds, with few simulations."""

import functools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fergap.audit import audit


@pytest.fixture(scope="module")
def calibrate(benchmark_named):
    return benchmark_named("calibrate")


@pytest.fixture(scope="module")
def certificate(calibrate) -> pd.DataFrame:
    rows = [
        *calibrate.gap_rows(calibrate.TwoGroups("no gap", 30, 0.8, 60, 0.8), 150, 20, 1),
        *calibrate.gap_rows(calibrate.TwoGroups("gap at the margin", 1500, 0.72, 3000, 0.77), 150, 20, 1),
        *calibrate.change_rows(calibrate.CHANGES[4], 150, 20, 1),
        *calibrate.f1_rows(calibrate.F1[0], 20, 1),
        *calibrate.duplicate_rows(calibrate.DUPLICATES[0], 40, 1),
    ]
    return calibrate.noted(rows)


def test_every_quantity_is_there(certificate: pd.DataFrame):
    assert list(certificate) == [
        "scenario",
        "quantity",
        "method",
        "primary",
        "nominal",
        "estimate",
        "monte_carlo_se",
        "average",
        "simulations",
        "seed",
        "note",
    ]
    quantities = set(certificate["quantity"])
    for of in (
        "group's accuracy",
        "accuracy gap",
        "class-adjusted gap",
        "group's change",
        "gap's change",
        "macro-F1 gap",
    ):
        assert {f"coverage of the {of}", f"mean width of the {of}"} <= quantities
    assert not certificate.duplicated(["scenario", "quantity", "method"]).any()
    shares = certificate[~certificate["quantity"].str.startswith("mean width")]
    assert shares["estimate"].between(0, 1).all()


def test_coverage_and_errors_are_roughly_nominal(certificate: pd.DataFrame):
    coverage = certificate[certificate["quantity"].str.startswith("coverage") & (certificate["primary"] == 1)]
    assert (coverage["estimate"] + 4 * coverage["monte_carlo_se"] > 0.93).all()
    errors = certificate[certificate["quantity"].str.startswith("rate") & certificate["nominal"].notna()]
    assert len(errors) >= 3
    assert (errors["estimate"] - 4 * errors["monte_carlo_se"] < 0.06).all()


def test_enumeration_agrees_with_simulation(calibrate):
    case = calibrate.TwoGroups("no gap", 30, 0.8, 60, 0.8)
    exact = pd.DataFrame(calibrate.gap_rows(case, 10, 0, 1)).set_index(["quantity", "method"])["estimate"]
    calibrate_all = calibrate.ENUMERABLE
    try:
        calibrate.ENUMERABLE = 0
        drawn = pd.DataFrame(calibrate.gap_rows(case, 1500, 0, 1)).set_index(["quantity", "method"])
    finally:
        calibrate.ENUMERABLE = calibrate_all
    key = ("coverage of the accuracy gap", "newcombe")
    assert abs(drawn.loc[key, "estimate"] - exact[key]) < 5 * drawn.loc[key, "monte_carlo_se"]


def test_verdicts_are_the_audits(calibrate):
    """The verdict on drawn tables is that of the audit of the faces."""
    rng = np.random.default_rng(5)
    for case in (calibrate.TwoGroups("a", 60, 0.6, 90, 0.8), calibrate.TwoGroups("b", 40, 0.97, 50, 0.97)):
        for counts in zip(*calibrate.draw_strata(case, 2, rng), strict=True):
            x1, n1, x0, n0 = counts
            faces = [
                (group, c, right)
                for group, x, n in (("one", x1, n1), ("other", x0, n0))
                for c in range(4)
                for right in [1] * int(x[c]) + [0] * int(n[c] - x[c])
            ]
            frame = pd.DataFrame(faces, columns=["group", "true", "right"]).reset_index(names="image_id")
            frame["image_id"] = "face" + frame["image_id"].astype(str)
            frame["predicted"] = np.where(frame["right"] == 1, frame["true"], (frame["true"] + 1) % 4).astype(str)
            frame["true"] = frame["true"].astype(str)
            people = frame[["image_id", "group"]].assign(attribute="kind")
            out = audit(
                frame[["image_id", "true", "predicted"]],
                people,
                attributes=["kind"],
                reference={"kind": "other"},
                margin=calibrate.MARGIN,
                resamples=100,
            )
            found = calibrate.gap_verdict(calibrate.Strata(*counts), calibrate.newcombe)
            assert out["verdicts"]["verdict"].tolist() == [found]


def test_changes_of_a_small_group_are_enumerated(calibrate):
    case = calibrate.BeforeAfter("small", 12, 0.7, 0.1, 0.2, 300, 0.8, 0.05, 0.05)
    found = pd.DataFrame(calibrate.change_rows(case, 50, 0, 1)).set_index(["quantity", "method"])
    small = found.loc[("coverage of the group's change", "tango")]
    rng, tango = np.random.default_rng(2), functools.cache(calibrate.tango)
    drawn = rng.multinomial(12, [0.1, 0.2, 0.7], 4000)[:, :2].tolist()
    ends = np.array([tango(lost, gained, 12, 0.95) for lost, gained in drawn])
    simulated = np.mean((ends[:, 0] <= 0.1 + 1e-12) & (ends[:, 1] >= 0.1 - 1e-12))
    assert small["simulations"] == 0
    assert small["estimate"] == pytest.approx(simulated, abs=0.015)
    assert 0.9 < small["average"] <= 1
    assert found.loc[("coverage of the reference's change", "tango"), "simulations"] == 50


def test_copies_taken_for_faces_make_intervals_too_short(calibrate):
    rows = pd.DataFrame(calibrate.duplicate_rows(calibrate.DUPLICATES[0], 150, 1)).set_index(["quantity", "method"])
    coverage = rows.loc["coverage of the accuracy gap", "estimate"]
    assert coverage["newcombe, copies taken for faces"] < 0.88
    assert coverage["bootstrap bca, clustered"] > 0.89


def test_what_misses_says_why(calibrate):
    row = {"estimate": 0.915, "average": 0.952}
    assert calibrate.note(row) == "few tables are possible: 95.2 % on average over chances within 5 points"
    assert calibrate.note({"estimate": 0.996, "average": 0.99}).endswith(
        "99.0 % on average over chances within 5 points, conservative"
    )
    assert calibrate.note({"estimate": 0.95, "average": math.nan}) == ""


def test_misses_and_figure(calibrate, certificate: pd.DataFrame, tmp_path: Path):
    worse = certificate.assign(estimate=np.where(certificate["primary"] == 1, 0.5, certificate["estimate"]))
    worse["monte_carlo_se"] = 0.0
    assert len(calibrate.misses(worse)) > 5
    calibrate.draw(certificate, tmp_path / "calibration.svg")
    assert "how often the verdict is wrong" in (tmp_path / "calibration.svg").read_text()
