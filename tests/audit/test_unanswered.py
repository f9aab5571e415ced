"""How often a model that was asked gave no answer, for whom and why."""

import numpy as np
import pandas as pd
import pytest

from fergap.audit import audit


def study(n=60):
    """Two arms on the same faces; of one's answers a third of the women's and a sixth of the men's are none."""
    ids = [f"f{i:02d}" for i in range(n)]
    gender = np.where(np.arange(n) < n // 2, "female", "male")
    true = np.where(np.arange(n) % 2, "happy", "sad")
    arms = [
        pd.DataFrame({"image_id": ids, "true": true, "predicted": true, "arm": arm, "role": "test"})
        for arm in ("vlm", "net")
    ]
    people = pd.DataFrame({"image_id": ids, "attribute": "gender", "group": gender})
    status = np.full(n, "answered", object)
    status[:10], status[30:35] = "refused", "no class"
    answers = pd.DataFrame({"arm": "vlm", "image_id": ids, "status": status})
    return pd.concat(arms), people, answers


def audited(predictions, people, answers):
    return audit(predictions, people, attributes=["gender"], resamples=100, answers=answers)["unanswered"]


def test_shares_by_group_and_by_reason():
    rows = audited(*study()).set_index(["arm", "group", "why"])
    assert rows["count"].to_dict() == {
        ("vlm", "all", "any"): 15,
        ("vlm", "all", "no class"): 5,
        ("vlm", "all", "refused"): 10,
        ("vlm", "female", "any"): 10,
        ("vlm", "male", "any"): 5,
    }
    female = rows.loc["vlm", "female", "any"]
    # Wilson 1927 by hand: (x + z²/2 ± z √(x (n − x) / n + z²/4)) / (n + z²) with z = 1.959964
    middle, half, total = 10 + 1.920729, 1.959964 * (10 * 20 / 30 + 0.960365) ** 0.5, 30 + 3.841459
    assert female[["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [1 / 3, (middle - half) / total, (middle + half) / total], abs=1e-6
    )
    assert rows.loc["vlm", "all", "refused"]["n"] == 60


def test_faces_that_were_not_asked_about_are_not_counted():
    predictions, people, answers = study()
    rows = audited(predictions, people, answers[answers["image_id"] < "f30"]).set_index(["group", "why"])
    assert rows["n"].to_dict() == {
        ("all", "any"): 30,
        ("all", "refused"): 30,
        ("female", "any"): 30,
        ("male", "any"): 0,
    }
    assert rows.loc[("male", "any"), "status"] == "not estimable: 0 faces"


def test_without_questions_there_is_nothing():
    predictions, people, answers = study()
    assert audited(predictions, people, None).empty
    assert audited(predictions, people, answers.assign(arm="other")).empty
