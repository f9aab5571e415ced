"""Several data sets: recognising them, and a data set that no network saw."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from fergap.audit import audit
from fergap.audit.data_sets import recognised
from fergap.audit.proportions import tango, wilson
from fergap.audit.settings import Settings

SOURCES = ("lab", "street", "web")
SETTINGS = Settings(0.05, 0.95, 200, 10, 1, ())
QUICK = {"attributes": ["gender"], "resamples": 200, "groups": {"source": SOURCES, "gender": ["female", "male"]}}


def simulated(n=900, seed=1, told=0.6, lost=(0.2, 0.0, 0.0), lost_women=0.0):
    """Return predictions of two arms, of the sources, and the people.

    ``told`` of the sources are recognised, the rest guessed; an arm that never saw a source loses ``lost`` of the right
    answers on it, and ``lost_women`` more of women's.
    """
    rng = np.random.default_rng(seed)
    ids = [f"f{i}" for i in range(n)]
    source = np.array(SOURCES, object)[rng.integers(0, 3, n)]
    female = rng.random(n) < 0.5
    true = rng.choice(["anger", "fear"], n)
    other = np.where(true == "anger", "fear", "anger")
    right = rng.random(n) < 0.8
    kept = right & (rng.random(n) > pd.Series(source).map(dict(zip(SOURCES, lost, strict=True))) + lost_women * female)
    head = {"image_id": ids, "seed": 1, "repeat": 0, "role": "test"}
    arms = [
        pd.DataFrame(head | {"arm": arm, "fold": fold, "true": true, "predicted": np.where(hit, true, other)})
        for arm, fold, hit in (
            ("seen", rng.integers(0, 5, n), right),
            ("unseen", pd.Series(source).map(dict(zip(SOURCES, range(3), strict=True))), kept),
        )
    ]
    guess = np.where(rng.random(n) < told, source, rng.choice(SOURCES, n))
    which = pd.DataFrame(head | {"arm": "which", "fold": 0, "true": source, "predicted": guess})
    parts = {"source": source, "gender": np.where(female, "female", "male")}
    people = [pd.DataFrame({"image_id": ids, "attribute": a, "group": g}) for a, g in parts.items()]
    return pd.concat(arms, ignore_index=True), which, pd.concat(people, ignore_index=True)


@pytest.fixture(scope="module")
def found() -> dict[str, pd.DataFrame]:
    predictions, which, people = simulated()
    return audit(predictions, people, recognition=which, unseen={"unseen": "seen"}, **QUICK)


def test_recognition_is_counted_from_the_predictions(found):
    _, which, people = simulated()
    table = found["source_recognition"]
    accuracy = table[table["metric"] == "accuracy"].set_index(["attribute", "group"])
    assert accuracy.index.tolist() == [("all", "all"), ("gender", "female"), ("gender", "male")]
    right = which["true"] == which["predicted"]
    every = accuracy.loc[("all", "all")]
    assert (every["count"], every["n"]) == (right.sum(), 900)
    assert (every["ci_low"], every["ci_high"]) == pytest.approx(wilson(right.sum(), 900, 0.95))
    shares = which["true"].value_counts(normalize=True) * which["predicted"].value_counts(normalize=True)
    assert every["expected"] == pytest.approx(shares.sum())
    assert every["p_value"] == pytest.approx(1 / 10_001)
    women = people.query("attribute == 'gender' and group == 'female'")["image_id"]
    assert accuracy.loc[("gender", "female"), "count"] == right[which["image_id"].isin(women)].sum()
    assert accuracy.loc[("gender", "female"), "adjustment"] == "holm"
    cells = table[table["metric"] == "share"].set_index(["true", "predicted"])
    crossed = pd.crosstab(which["true"], which["predicted"])
    for (true, predicted), row in cells.iterrows():
        assert row["count"] == crossed.loc[true, predicted]
        assert row["estimate"] == pytest.approx(crossed.loc[true, predicted] / crossed.loc[true].sum())
    assert cells.groupby("true")["estimate"].sum().tolist() == pytest.approx([1, 1, 1])


def test_sources_that_are_alike_are_recognised_by_chance_as_often_as_p_says():
    small, inside = [], 0
    rng = np.random.default_rng(5)
    for i in range(200):
        counts = rng.multinomial(150, np.outer([0.5, 0.3, 0.2], [0.2, 0.5, 0.3]).ravel()).reshape(3, 3)
        head = {"arm": f"a{i}", "attribute": "all", "group": "all"}
        row = next(iter(recognised(head, counts, SOURCES, SETTINGS)))
        small.append(row["p_value"] < 0.05)
        inside += row["ci_low"] <= row["expected"] <= row["ci_high"]
    assert sum(small) <= 18  # P(more) < 0.01 under Binomial(200, 0.05)
    assert inside >= 180


def test_a_single_source_is_not_recognised():
    rows = list(recognised({"arm": "a", "attribute": "all", "group": "all"}, np.diag([40, 0, 0]), SOURCES, SETTINGS))
    assert rows[0]["status"] == "not estimable: faces of a single source"
    assert "p_value" not in rows[0]


def test_an_unseen_source_is_compared_face_by_face(found):
    predictions, _, people = simulated()
    table = found["unseen_sources"].set_index(["source", "attribute", "group"])
    assert table.index.tolist()[:3] == [("all", "all", "all"), ("all", "gender", "female"), ("all", "gender", "male")]
    wide = predictions.assign(right=predictions["true"] == predictions["predicted"]).pivot(
        index="image_id", columns="arm", values="right"
    )
    groups = people.pivot(index="image_id", columns="attribute", values="group")
    for source in SOURCES:
        own = wide[groups["source"] == source]
        row = table.loc[(source, "all", "all")]
        lost, gained = (own["seen"] & ~own["unseen"]).sum(), (~own["seen"] & own["unseen"]).sum()
        assert (row["n"], row["n10"], row["n01"]) == (len(own), lost, gained)
        assert row["accuracy_seen"] == pytest.approx(own["seen"].mean())
        assert row["accuracy_unseen"] == pytest.approx(own["unseen"].mean())
        assert row["estimate"] == pytest.approx(own["unseen"].mean() - own["seen"].mean())
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(tango(lost, gained, len(own), 0.95))
        exact = binomtest(int(lost), int(lost + gained)).pvalue if lost + gained else 1
        assert row["p_value"] <= exact
    assert table.loc[("lab", "all", "all"), "ci_high"] < 0
    assert table.loc[("lab", "all", "all"), "p_adjusted"] == pytest.approx(
        3 * table.loc[("lab", "all", "all"), "p_value"]
    )
    assert table.loc[("street", "all", "all"), "estimate"] == 0
    both = table.loc[[("lab", "gender", "female"), ("lab", "gender", "male")]]
    assert both["n"].sum() == table.loc[("lab", "all", "all"), "n"]
    # the larger group is the reference
    change = both.loc[both["reference"].notna()].iloc[0]
    rest = both.loc[both["reference"].isna()].iloc[0]
    assert change["gap_change"] == pytest.approx(change["estimate"] - rest["estimate"])
    families = found["multiplicity"]
    assert set(families.loc[families["table"] == "unseen_sources", "summary"]) == set(SOURCES)


def test_a_loss_of_one_group_widens_its_gap():
    predictions, _, people = simulated(n=3000, lost=(0.1, 0.1, 0.1), lost_women=0.2)
    table = audit(predictions, people, unseen={"unseen": "seen"}, reference={"gender": "male"}, **QUICK)[
        "unseen_sources"
    ]
    women = table.query("source == 'all' and group == 'female'").iloc[0]
    assert women["gap_change_low"] < -0.16 < women["gap_change_high"]
    assert women["gap_change_high"] < 0


def test_few_changed_faces_take_the_interval_for_small_cells():
    predictions, _, people = simulated(n=300, lost=(0.02, 0.0, 0.0))
    table = audit(predictions, people, unseen={"unseen": "seen"}, **QUICK)["unseen_sources"]
    told = table[table["gap_change"].notna()].set_index("source")
    assert set(told.index) == {"all", *SOURCES}
    assert (told["gap_change_low"] < told["gap_change"]).all()
    assert (told["gap_change"] < told["gap_change_high"]).all()
    none = told.loc["web"]  # no face changed: not known to a hair, and not unknown
    assert none["gap_change"] == 0
    assert -0.1 < none["gap_change_low"] < 0 < none["gap_change_high"] < 0.1


def test_fold_by_fold_only_arms_of_the_same_folds_are_compared(found):
    rows = found["models_compared"]
    assert (rows["unit"] == "face").all()
    predictions, _, people = simulated()
    predictions.loc[predictions["arm"] == "unseen", "fold"] = predictions.loc[
        predictions["arm"] == "seen", "fold"
    ].to_numpy()
    again = audit(predictions, people, **QUICK)["models_compared"]
    assert (again["unit"] == "fold").any()


def test_without_several_sources_there_are_no_such_rows():
    predictions, _, people = simulated(300)
    tables = audit(predictions, people, **QUICK)
    assert tables["source_recognition"].empty
    assert tables["unseen_sources"].empty
