"""Compositions: exactly the shares that are asked for, of one size, of faces that arms share as far as they can."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fergap import tables
from fergap.errors import UserError
from fergap.training.compositions import apportion, class_order, compose, largest_size
from fergap.training.folds import roles
from fergap.training.plan import job_settings

from .examples import job
from .test_pack import run
from .test_together import UNITS, Heard, tasks_of, train_together, without_seconds

FACES = pd.DataFrame(
    {
        "gender": ["female"] * 40 + ["male"] * 24 + ["unknown"] * 6,
        "age": (["child"] * 10 + ["adult"] * 30) + (["child"] * 4 + ["adult"] * 20) + ["adult"] * 6,
        "class": ["fear", "joy", "joy", "anger"] * 16 + ["joy"] * 6,
    },
    dtype=object,
)
ROWS = np.arange(70)
SIX = {
    "male_only": {"gender": {"male": 1}},
    "female_only": {"gender": {"female": 1}},
    "mixed": {"gender": "as_found"},
    "balanced": {"gender": {"female": 0.5, "male": 0.5}},
    "male_dominant": {"gender": {"female": 0.25, "male": 0.75}},
    "female_dominant": {"gender": {"female": 0.75, "male": 0.25}},
}


def composed(shares, among=(), size=None, rows=ROWS, groups=FACES, seed=1):
    asked = {"shares": shares, "study": list(among), "size": size}
    return compose(rows, groups, asked, np.random.default_rng(seed))


def held(rows, column="gender", groups=FACES):
    return groups[column].to_numpy()[rows]


@pytest.mark.parametrize(
    ("size", "shares", "counts"),
    [
        (10, [0.5, 0.3, 0.2], [5, 3, 2]),
        (7, [0.5, 0.25, 0.25], [3, 2, 2]),  # 3.5, 1.75, 1.75
        (100, [0.29, 0.71], [29, 71]),
        (3, [0.5, 0.5], [2, 1]),
        (9, [1, 0], [9, 0]),
        (0, [0.4, 0.6], [0, 0]),
    ],
)
def test_largest_remainders_by_hand(size, shares, counts):
    assert apportion(size, np.array(shares)).tolist() == counts


@given(st.integers(0, 100_000), st.lists(st.integers(0, 1000), min_size=1, max_size=8))
def test_largest_remainders_sum_and_stay_within_one(size, parts):
    assume(sum(parts))
    shares = np.array(parts) / sum(parts)
    counts = apportion(size, shares)
    assert counts.sum() == size
    assert (np.abs(counts - size * shares) < 1 + 1e-6).all()
    assert not counts[shares == 0].any()


def three(most):
    return st.lists(st.integers(0, most), min_size=3, max_size=3)


@given(st.lists(st.tuples(three(60), three(9).filter(any)), min_size=1, max_size=4))
def test_the_size_is_the_largest_that_all_can_have(some):
    wanted = [(np.array(faces), np.array(parts) / sum(parts)) for faces, parts in some]

    def possible(size):
        return all((apportion(size, shares) <= faces).all() for faces, shares in wanted)

    size = largest_size(wanted)
    assert possible(size)
    assert not any(possible(more) for more in range(size + 1, 200))  # no group has more than 60 faces


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(0, 9))
def test_every_beginning_of_the_order_has_the_classes_in_webster_s_proportions(classes, seed):
    classes = np.array(classes)
    order = class_order(np.arange(len(classes)), classes, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(classes)))
    total = np.bincount(classes, minlength=5)
    present = total > 0
    for size in range(1, len(classes) + 1):
        own = np.bincount(classes[order[:size]], minlength=5)
        # the last seat of any class had at least the claim of the next seat of any other (Balinski & Young 2001)
        last, following = (2 * own - 1) / np.maximum(total, 1), (2 * own + 1) / np.maximum(total, 1)
        assert last[present].max() <= following[present & (own < total)].min(initial=np.inf) + 1e-12


def test_six_compositions_by_hand():
    found = {name: composed(shares, SIX.values()) for name, shares in SIX.items()}
    # there are 24 men, so that no arm has more rows; 40 of 64 are women
    women = {"male_only": 0, "female_only": 24, "mixed": 15, "balanced": 12, "male_dominant": 6, "female_dominant": 18}
    for name, rows in found.items():
        assert len(rows) == len(set(rows)) == 24, name
        assert (held(rows) == "female").sum() == women[name], name
        assert "unknown" not in held(rows)
        assert rows.tolist() == sorted(rows)
    # a quarter of each gender fears, half is joyful
    for rows in found.values():
        counts = pd.Series(held(rows, "class")).value_counts()
        assert abs(counts["joy"] - 12) <= 1
        assert abs(counts["fear"] - 6) <= 1


def test_the_size_without_the_other_arms_is_the_arms_own():
    assert len(composed(SIX["female_only"])) == 40
    assert len(composed(SIX["balanced"])) == 49  # 25 women and 24 men
    assert len(composed(SIX["mixed"])) == 64


@st.composite
def some_study(draw):
    count = draw(st.integers(6, 60))
    groups = pd.DataFrame(
        {
            "gender": draw(st.lists(st.sampled_from(["f", "m", "x", "unknown"]), min_size=count, max_size=count)),
            "class": draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count)),
        },
        dtype=object,
    )
    rows = np.array(sorted(draw(st.sets(st.integers(0, count - 1), min_size=3))))
    names = sorted(set(groups["gender"].iloc[rows]) - {"unknown"})
    assume(names)
    parts = draw(
        st.lists(st.lists(st.integers(0, 5), min_size=len(names), max_size=len(names)), min_size=1, max_size=4)
    )
    arms = [{"gender": {n: p / sum(own) for n, p in zip(names, own, strict=True)}} for own in parts if sum(own)]
    return groups, rows, [*arms, {"gender": "as_found"}]


@settings(max_examples=40, deadline=None)
@given(some_study(), st.integers(0, 3))
def test_any_study_has_exact_shares_equal_sizes_and_nested_faces(made, seed):
    groups, rows, arms = made
    found = [composed(arm, arms, rows=rows, groups=groups, seed=seed) for arm in arms]
    assert len({len(own) for own in found}) == 1
    names = sorted(set(groups["gender"]) - {"unknown"})
    here = held(rows, groups=groups)
    for arm, own in zip(arms, found, strict=True):
        assert set(own) <= set(rows)
        assert len(set(own)) == len(own)
        shares = arm["gender"]
        if shares == "as_found":
            counts = np.array([(here == n).sum() for n in names])
            shares = dict(zip(names, counts / counts.sum(), strict=True))
        asked = apportion(len(own), np.array([shares.get(n, 0) for n in names]))
        assert [(held(own, groups=groups) == n).sum() for n in names] == asked.tolist()
    for name in names:
        parts = sorted(({i for i in own if groups["gender"][i] == name} for own in found), key=len)
        assert all(small <= large for small, large in itertools.pairwise(parts))


def test_combined_attributes():
    shares = {"gender*age": {"female*child": 0.5, "male × adult": 0.5}}
    rows = composed(shares)
    assert len(rows) == 20  # ten girls
    both = held(rows) + held(rows, "age")
    assert (both == "femalechild").sum() == (both == "maleadult").sum() == 10


def test_a_fixed_size():
    rows = composed(SIX["balanced"], size=10)
    assert (held(rows) == "male").sum() == 5
    assert set(rows) < set(composed(SIX["balanced"], size=40))
    with pytest.raises(UserError, match=r"composition_size: 50 rows .* cannot be had(.|\n)*at most 49"):
        composed(SIX["balanced"], size=50)


@pytest.mark.parametrize(
    ("shares", "rows", "said"),
    [
        ({"gender": {"femal": 1}}, ROWS, r"no face of gender 'femal'(.|\n)*gender: female, male"),
        ({"race": {"a": 1}}, ROWS, "no face of race 'a'|no attribute 'race'"),
        ({"race": "as_found"}, ROWS, "no attribute 'race'"),
        ({"gender": {"male": 1}}, ROWS[:40], "too few training faces in this fold"),
        ({"gender": "as_found"}, ROWS[64:], "too few training faces in this fold"),
    ],
)
def test_what_cannot_be_had_is_told(shares, rows, said):
    with pytest.raises(UserError, match=said):
        composed(shares, rows=rows)


CONFIG = {
    "seed": 1,
    "faces": {"labels": "x", "schemes": {"x": {}}},
    "training": {"seeds": [1], "folds_per_job": 5, "epochs": 1, "device": "cpu", "precision": "fp32", "recipe": "r"}
    | {"recipes": {"r": {}}},
    "folds": {"count": 5, "repeats": 1, "validation": 0.1, "keep_together": [], "split": None},
    "arms": [{"name": "base", "network": "pyramid"}]
    + [{"name": name, "network": "pyramid", "composition": shares} for name, shares in SIX.items()],
}


def test_a_job_knows_every_composition_of_the_study_or_the_size():
    own = job_settings(CONFIG, "balanced", 0)["arm"]["composition"]
    assert own["shares"] == SIX["balanced"]
    assert sorted(map(str, own["study"])) == sorted(map(str, SIX.values()))
    assert "composition" not in job_settings(CONFIG, "base", 0)["arm"]
    turned = CONFIG | {"arms": [*CONFIG["arms"][::-1], CONFIG["arms"][2] | {"name": "again"}]}
    fewer = CONFIG | {"arms": CONFIG["arms"][:-1]}
    jobs = [job_settings(config, "balanced", 0) for config in (CONFIG, turned, fewer)]
    assert jobs[0] == jobs[1] != jobs[2]
    fixed = [config | {"training": config["training"] | {"composition_size": 9}} for config in (CONFIG, fewer)]
    assert job_settings(fixed[0], "balanced", 0) == job_settings(fixed[1], "balanced", 0)
    assert job_settings(fixed[0], "balanced", 0)["arm"]["composition"]["size"] == 9


def arm(name, shares, *others, **more):
    about = {"shares": {"age": shares}, "study": [{"age": s} for s in (shares, *others)], "size": None}
    return {"name": name, "network": "pyramid", "composition": about} | more


def test_a_run_has_equal_sizes_and_says_what_it_was_trained_on(inputs, tmp_path):
    _, paths = inputs
    shares = ({"child": 1.0}, {"child": 0.25, "adult": 0.75})
    sizes = []
    for i, own in enumerate(shares):
        folder = run(paths, tmp_path / str(i), arm=arm(f"arm_{i}", own, *shares), epochs=1)
        counts = tables.read(folder / "composition.csv", "composition").query("fold == 0").set_index("group")
        runs = tables.read(folder / "runs.csv", "runs").query("fold == 0")
        sizes.append(runs["training_rows"].item())
        assert counts["rows"].sum() == sizes[-1]
        assert counts["rows"]["unknown"] == 0 < counts["faces"]["unknown"]
        assert counts["rows"]["child"] == apportion(sizes[-1], np.array([own.get("adult", 0), own["child"]]))[1]
        predictions = tables.read(folder / "predictions.parquet", "predictions")
        assert predictions.groupby("fold").size().tolist() == [120, 120]
    assert sizes == [counts["faces"]["child"]] * 2


def test_what_changes_nothing_predicts_the_same_bits(inputs, tmp_path):
    """Faces as found, of which none is unknown, are the whole training part."""
    _, paths = inputs
    faces, people, folds = (tables.read(paths[name], name) for name in ("faces", "people", "folds"))
    known = people.assign(group=people["group"].fillna("adult"))
    tables.write(known, tmp_path / "people.parquet", "people")
    paths = paths | {"people": tmp_path / "people.parquet"}
    role = roles(faces, known, folds, 7, 0, 0, validation=0.2, keep_together=["exact", "near"])
    plain, found = (
        tasks_of(paths, tmp_path / entry["name"], arm=entry, units=UNITS[:1])
        for entry in (job()["arm"], arm("as_found", "as_found"))
    )
    assert found[0].training.tolist() == np.flatnonzero(role == "train").tolist()
    one, other = (train_together(tasks, Heard().voice)[0] for tasks in (plain, found))
    assert (one.probabilities == other.probabilities).all()


def test_together_as_alone(inputs, tmp_path):
    _, paths = inputs
    entry = arm("half", {"child": 0.5, "adult": 0.5}, reweight={"by": "age*class"})
    entry |= {"confidence_weights": {"power": 1, "by": "age"}}
    packed = train_together(tasks_of(paths, tmp_path / "a", arm=entry, units=UNITS[:2]), Heard().voice)
    alone = [
        train_together(tasks_of(paths, tmp_path / str(unit), arm=entry, units=[unit]), Heard().voice)[0]
        for unit in UNITS[:2]
    ]
    assert [without_seconds(o) for o in packed] == [without_seconds(o) for o in alone]
