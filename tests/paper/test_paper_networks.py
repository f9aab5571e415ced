"""Tables of arms against arms, from a hand-made study."""

import pandas as pd
import pytest
import yaml

from fergap import tables
from fergap.paper.results import Results
from fergap.paper.tables_networks import beyond_placebo, networks


@pytest.fixture
def results(tmp_path):
    ranking = pd.DataFrame(
        {
            "arms": "b16_n8_k5, b16_n4_k3, theirs",
            "arm": ["b16_n8_k5", "b16_n4_k3", "theirs"],
            "rank": [1, 2, 3],
            "n": 200,
            "count": [130, 126, 100],
            "estimate": [0.65, 0.63, 0.5],
            "ci_low": [0.58, 0.56, 0.43],
            "ci_high": [0.71, 0.69, 0.57],
            "confidence": 0.95,
            "method": "wilson",
            "best": "b16_n8_k5",
            "difference": [0.0, -0.02, -0.15],
            "p_value": [None, 0.4, 0.0001],
            "p_adjusted": [None, 0.4, 0.0003],
            "indistinguishable": [1, 1, 0],
            "status": "ok",
        }
    )
    runs = pd.DataFrame(
        {
            "arm": ["b16_n8_k5", "b16_n8_k5", "b16_n4_k3"],
            "seed": [1, 2, 1],
            "repeat": 0,
            "fold": 0,
            "network": ["b16_n8_k5", "b16_n8_k5", "b16_n4_k3"],
            "parameters": [506_468, 506_468, 41_636],
            "device": "cpu: made up",
            "precision": "fp32",
            "torch": "2",
            "epochs": 10,
            "chosen": 3,
            "training_rows": 1000,
            "seconds": [100.0, 120.0, 40.0],
            "flops": [446_789_120, 446_789_120, 75_000_000],
            "memory": 10**9,
        }
    )
    change = {
        "arm": "treated",
        "attribute": "age",
        "status": "ok",
        "contrast": "baseline to treated",
        "before": "baseline",
        "after": "treated",
        "placebo": "placebo",
        "group": "child",
        "reference": "adult",
        "n_group": 100,
        "n_reference": 300,
        "change": 0.04,
        "change_placebo": 0.01,
        "estimate": 0.03,
        "se": 0.02,
        "ci_low": -0.01,
        "ci_high": 0.07,
        "confidence": 0.95,
        "method": "welch",
        "statistic": 1.5,
        "df": 200,
        "p_value": 0.13,
        "p_adjusted": 0.13,
        "adjustment": "holm",
        "verdict": "not shown beyond the placebo",
    }
    tables.write(ranking, tmp_path / "audit/ranking.csv", "ranking")
    tables.write(pd.DataFrame([change]), tmp_path / "audit/beyond_placebo.csv", "beyond_placebo")
    tables.write(runs, tmp_path / "training/runs.csv", "runs")
    return Results(
        tmp_path, {"arms": [{"name": a} for a in ranking["arm"]], "audit": {"attributes": ["age"], "confidence": 0.95}}
    )


def cells(text):
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
    return [[c.strip().replace("\N{NO-BREAK SPACE}", " ") for c in row] for row in rows]


def test_the_networks_with_their_cost_and_a_star_at_the_best(results):
    rows = cells(networks(results, "b16_n8_k5, b16_n4_k3, theirs"))
    assert [row[0].endswith("\\*") for row in rows] == [True, True, False]
    assert rows[0][1] == "65.0 [58.0, 71.0]"
    assert rows[0][4:] == ["506,468", "447", "11.0"]
    assert rows[1][2:4] == ["−2.0", "0.400"]
    assert rows[2][3] == "< 0.001"
    assert rows[2][4:] == ["–"] * 3


def test_the_published_accuracies_stand_beside_their_networks(results, root):
    published = yaml.safe_load((root / "report" / "published.yaml").read_text(encoding="utf-8"))
    text = networks(results, "b16_n8_k5, b16_n4_k3, theirs", published)
    assert text.splitlines()[0].endswith("printed |")
    assert [row[-1] for row in cells(text)] == ["62.3 %", "58.2 %", "–"]


def test_the_change_beyond_the_placebo(results):
    row = cells(beyond_placebo(results))[0]
    assert row[:2] == ["child − adult", "100 / 300"]
    assert row[2:5] == ["+4.0", "+1.0", "+3.0 [−1.0, 7.0]"]
    assert row[-1] == "not shown beyond the placebo"
