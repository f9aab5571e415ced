"""The benchmark of planted gaps: its definitions by hand, and the whole of it in a very small form."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from fergap.audit import audit


@pytest.fixture(scope="module")
def benchmark(benchmark_named):
    return benchmark_named("planted_bias")


def test_a_verdict_is_wrong_about_the_network_s_own_gap(benchmark):
    wrong = benchmark.wrong_verdict
    assert wrong("equivalent", -0.01, -0.06, 0.05)
    assert not wrong("equivalent", -0.01, -0.04, 0.05)
    assert wrong("gap", -0.04, 0.01, 0.05)
    assert not wrong("gap", -0.04, -0.01, 0.05)
    assert not wrong("undecided", -0.04, 0.2, 0.05)


@pytest.mark.parametrize(
    ("verdict", "before", "after", "expected"),  # of an audit that found a change by 0.03
    [
        ("narrowed, not shown equivalent", -0.06, -0.03, False),
        ("narrowed, not shown equivalent", -0.03, 0.06, True),
        ("narrowed and equivalent", -0.08, -0.06, True),
        ("narrowed and equivalent", -0.08, 0.04, False),
        ("widened", -0.03, -0.06, False),
        ("widened", -0.06, -0.03, True),
        ("reversed", -0.03, 0.04, False),
        ("reversed", -0.03, -0.01, True),
        ("moved, not shown equivalent", -0.03, 0.04, False),
        ("moved, not shown equivalent", -0.03, -0.06, True),
        ("moved and equivalent", -0.03, 0.06, True),
        ("equivalent, change not shown", 0.0, 0.07, True),
        ("no change shown", 0.0, 0.07, False),
    ],
)
def test_a_verdict_on_a_change_is_wrong_about_the_two_gaps(benchmark, verdict, before, after, expected):
    assert benchmark.wrong_change(verdict, 0.03, before, after, 0.05) is expected


def test_the_share_removed_and_its_error(benchmark):
    base, other = np.array([-0.06, -0.04, -0.05]), np.array([-0.03, -0.02, -0.025])
    assert benchmark.removed(base, other) == pytest.approx((0.5, 0.0))
    share, se = benchmark.removed(np.array([-0.04, -0.06]), np.array([0.0, -0.02]))
    # mean 0.01 of 0.05: 80 % gone; the rest is ±0.012 about the line through the means, over √2 and 0.05
    assert (share, se) == pytest.approx((0.8, np.std([0.008, -0.008], ddof=1) / np.sqrt(2) / 0.05))


def test_settings_are_read_off_a_monotone_line(benchmark):
    assert benchmark.solved([0, 1, 2], [0.0, -0.03, -0.06], -0.045) == pytest.approx(1.5)
    assert benchmark.solved([0, 1, 2], [-0.06, -0.03, 0.0], -0.045) == pytest.approx(0.5)
    # the second and the third are in the wrong order: both count as their mean, in their middle
    assert benchmark.solved([0, 1, 2, 3], [0.0, -0.04, -0.02, -0.06], -0.03) == pytest.approx(1.5)
    assert benchmark.solved([0, 1], [0.0, -0.03], -0.06) == 1


def test_labels_are_wrong_at_the_stated_rate_and_never_the_right_one(benchmark):
    true = np.arange(7).repeat(1000)
    said = benchmark.wrong_labels(true, 0.3, np.random.default_rng(1))
    assert (said != true).mean() == pytest.approx(0.3, abs=0.02)
    assert np.bincount((said - true)[said != true] % 7, minlength=7)[1:].min() > 250
    assert (benchmark.wrong_labels(true, 0.0, np.random.default_rng(1)) == true).all()


def test_the_verdicts_are_the_audit_s(benchmark):
    draw = np.random.default_rng(2)
    n, classes = 900, sorted(benchmark.EXPRESSIONS)
    true, child = draw.integers(0, 7, n), draw.random(n) < 0.3
    before, after = (np.where(draw.random(n) < 0.8 - gap * child, true, (true + 1) % 7) for gap in (0.2, 0.05))
    found = benchmark.judged(benchmark.counted(before, after, true, child), 0.05)
    ids = [f"f{i:04d}" for i in range(n)]
    names = np.array(classes)
    said = [
        pd.DataFrame({"arm": arm, "image_id": ids, "true": names[true], "predicted": names[own]})
        for arm, own in (("before", before), ("after", after))
    ]
    people = pd.DataFrame({"image_id": ids, "attribute": "age", "group": np.where(child, "child", "adult")})
    contrast = [{"before": "before", "after": "after"}]
    told = {"attributes": ["age"], "reference": {"age": "adult"}, "margin": 0.05, "contrasts": contrast}
    verdicts = audit(pd.concat(said), people, **told, resamples=100)["verdicts"]
    gap = verdicts[(verdicts["arm"] == "after") & verdicts["contrast"].isna()].iloc[0]
    change = verdicts[verdicts["contrast"].notna()].iloc[0]
    assert found == {
        "audit_gap": pytest.approx(gap["estimate"]),
        "verdict": gap["verdict"],
        "audit_change": pytest.approx(change["estimate"]),
        "change_verdict": change["verdict"],
    }


def test_the_table_counts_and_averages(benchmark):
    rows = [
        {
            "mechanism": mechanism,
            "planted": points,
            "arm": arm,
            "seed": seed,
            "adult": 0.8,
            "child": 0.8 - gap,
            "gap": -gap,
            "wrong": int(seed == 1),
            "wrong_change": None if arm == benchmark.BASELINE else 0,
        }
        for mechanism in benchmark.MECHANISMS
        for points in benchmark.GAPS
        for seed in (1, 2)
        for arm, gap in ((benchmark.BASELINE, points / 100), ("oversample", points / 200))
    ]
    text = benchmark.summary(pd.DataFrame(rows)).splitlines()
    assert len({line.count("|") for line in text}) == 1
    base, other = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in text[2:])
    assert base[1:3] == ["gap −3.0 ± 0.0", "gap −6.0 ± 0.0"]
    assert other[1:7] == ["+50 ± 0 %"] * 6
    assert base[-1] == "7 of 14"  # no change of its own; what is the same where nothing is planted counts once
    assert other[-1] == "0 of 14"


def test_it_runs_and_goes_on_where_it_stopped(benchmark, tmp_path, capsys):
    sizes = benchmark.Sizes(side=16, train=210, audit=120, population=60, pool=70, epochs=1, validation=0.2)
    settings = {"signal": {"0": 1.0, "3": 0.9, "6": 0.8}, "labels": {"0": 0.0, "3": 0.2, "6": 0.4}}
    settings["representation"] = {"0": 0.3, "3": 0.25, "6": 0.2}
    kept = {"sizes": asdict(sizes), "base": {"signal": 1.0, "style": 1.0}, "settings": settings}
    (tmp_path / "kept.json").write_text(json.dumps(kept), encoding="utf-8")
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{benchmark.BEGIN}\nto be replaced\n{benchmark.END}\nbelow\n", encoding="utf-8")
    places = ["--settings", tmp_path / "kept.json", "--out", tmp_path / "out.csv", "--readme", readme]
    command = [str(a) for a in (*places, "--folder", tmp_path / "work", "--arms", "oversample", "--cores", 1)]
    benchmark.main([*command, "--seeds", "1"])
    first = (tmp_path / "out.csv").read_bytes()
    frame = pd.read_csv(tmp_path / "out.csv")
    assert len(frame) == 9 * 2
    assert (frame["gap"] - (frame["child"] - frame["adult"])).abs().max() < 1e-5
    # conditions without a gap by signal and by labels are one and the same
    same = frame[(frame["planted"] == 0) & frame["mechanism"].isin(["signal", "labels"])]
    assert same.groupby("arm")["gap"].nunique().tolist() == [1, 1]
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "to be replaced" not in text
    assert "| oversample |" in text
    assert "nan" not in text  # one seed has no spread
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*.json")}
    assert len(times) == 8
    benchmark.main([*command, "--seeds", "1"])
    assert (tmp_path / "out.csv").read_bytes() == first
    assert times == {path: path.stat().st_mtime_ns for path in times}
    broken = next(iter(times))
    broken.unlink()
    benchmark.main([*command, "--seeds", "1"])
    assert (tmp_path / "out.csv").read_bytes() == first
