import subprocess
import sys
from pathlib import Path

import pytest

from fergap.errors import UserError
from fergap.models.names import PUBLISHED
from fergap.study import audited, recognising
from fergap.training.plan import (
    arm_packs,
    check_device,
    derived_arms,
    derived_paths,
    derived_settings,
    expanded,
    expanded_contrasts,
    external_arms,
    given_weights,
    job_settings,
    pack_paths,
    packs,
    trained_arms,
    tried,
    unit_label,
    unseen,
)

CONFIG = {
    "study": "s",
    "seed": 3,
    "folds": {"count": 3, "repeats": 2, "validation": 0.1, "keep_together": []},
    "training": {
        "device": "auto",
        "precision": "auto",
        "epochs": 8,
        "folds_per_job": 4,
        "seeds": [1, 5],
        "recipe": "published",
        "recipes": {"published": {"optimizer": "adam"}, "fast": {"learning_rate": 0.01}},
    },
    "arms": [
        {"name": "baseline", "network": "pyramid"},
        {"name": "theirs", "predictions": "theirs.csv"},
        {"name": "quick", "network": "pyramid", "recipe": "fast", "epochs": 2},
    ],
}


def test_every_unit_is_in_one_pack():
    jobs = packs([1, 5], 2, 3, 4)
    assert [len(j) for j in jobs] == [4, 4, 4]
    units = [u for j in jobs for u in j]
    assert units == sorted(set(units))
    assert len(units) == 12


def test_arms_by_kind():
    assert trained_arms(CONFIG) == ["baseline", "quick"]
    assert external_arms(CONFIG) == {"theirs": "theirs.csv"}
    paths = pack_paths(CONFIG, "history.csv")
    assert len(paths) == 6
    assert paths[-1] == "results/s/training/quick/pack_2/history.csv"


def test_an_arm_may_have_its_own_recipe_and_epochs():
    job = job_settings(CONFIG, "quick", 0)
    assert (job["epochs"], job["recipe"]["learning_rate"], job["recipe"]["batch_size"]) == (2, 0.01, 64)
    assert job_settings(CONFIG, "baseline", 0)["epochs"] == 8


def test_what_another_arm_does_is_no_part_of_a_job():
    other = CONFIG | {"arms": CONFIG["arms"][:1]}
    assert job_settings(CONFIG, "baseline", 1) == job_settings(other, "baseline", 1)


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        ({"publishd": {}}, "did you mean 'publishd'"),
        ({"published": {"learning_rat": 1}}, "did you mean 'learning_rate'"),
        ({"published": {"optimizer": "adm"}}, "did you mean 'adam'"),
    ],
)
def test_a_recipe_that_does_not_exist(recipes, said):
    config = CONFIG | {"training": CONFIG["training"] | {"recipes": recipes}}
    with pytest.raises(UserError, match=said):
        job_settings(config, "baseline", 0)


def test_an_arm_like_another_has_its_keys_and_a_placebo_none_of_its_interventions():
    arms = [
        {"name": "more", "network": "pyramid", "recipe": "fast", "oversample": {"age": "child", "to": "parity"}},
        {"name": "longer", "like": "more", "epochs": 9},
        {"name": "placebo", "like": "more", "placebo": True},
    ]
    config = CONFIG | {"arms": arms}
    made = expanded(config)
    assert made[1] == arms[0] | {"name": "longer", "epochs": 9}
    assert made[2] == {"name": "placebo", "network": "pyramid", "recipe": "fast", "placebo": True}
    assert expanded(config | {"arms": made}) == made
    jobs = {arm["name"]: job_settings(config | {"arms": made}, arm["name"], 0) for arm in made}
    assert jobs["more"]["stream"] == jobs["longer"]["stream"] == "training"
    assert jobs["placebo"]["stream"] == "placebo placebo"
    assert jobs["placebo"]["arm"] == {"name": "placebo", "network": "pyramid"}
    assert jobs["placebo"]["recipe"] == jobs["more"]["recipe"]


def test_a_placebo_keeps_the_composition_and_nothing_else_that_is_done():
    shares = {"gender": {"female": 1.0}}
    arms = [
        {"name": "more", "network": "pyramid", "composition": shares, "loss": {"focal": {"gamma": 2}}},
        {"name": "placebo", "like": "more", "placebo": True},
        {"name": "own", "like": "more", "placebo": True, "composition": {"gender": "as_found"}},
    ]
    config = CONFIG | {"arms": arms}
    config["arms"] = expanded(config)
    assert config["arms"][1] == {"name": "placebo", "network": "pyramid", "composition": shares, "placebo": True}
    assert config["arms"][2]["composition"] == {"gender": "as_found"}
    jobs = [job_settings(config, name, 0)["arm"]["composition"] for name in ("more", "placebo")]
    assert jobs[0] == jobs[1]


def test_a_placebo_starts_from_the_same_weights():
    start = {"network": "resnet50", "weights": "w.pth", "tuned": "head"}
    arms = [
        {"name": "more", "oversample": {"age": "child", "to": "parity"}} | start,
        {"name": "placebo", "like": "more", "placebo": True},
        {"name": "fetched", "network": "resnet50", "weights": "imagenet"},
        {"name": "fresh", "network": "resnet50"},
    ]
    config = CONFIG | {"arms": arms}
    config["arms"] = expanded(config)
    assert job_settings(config, "placebo", 0)["arm"] == {"name": "placebo"} | start
    assert given_weights(config) == {"more": "w.pth", "placebo": "w.pth"}


def test_an_arm_made_of_anothers_predictions_trains_nothing():
    after = {"name": "after", "from": "quick", "temperature": {"by": "age"}, "ensemble": "seeds", "tried": 3}
    config = CONFIG | {"arms": [*CONFIG["arms"], after]}
    assert trained_arms(config) == ["baseline", "quick"]
    assert pack_paths(config, "runs.csv") == pack_paths(CONFIG, "runs.csv")
    assert pack_paths(config, "runs.csv", ["quick"]) == pack_paths(CONFIG, "runs.csv")[3:]
    assert derived_arms(config) == {"after": "quick"}
    assert derived_paths(config, "predictions.parquet") == ["results/s/training/after/predictions.parquet"]
    assert derived_settings(config, "after") == {k: v for k, v in after.items() if k != "tried"}
    assert expanded(config | {"arms": [*config["arms"], {"name": "too", "like": "after"}]})[-1] == after | {
        "name": "too"
    }


def test_how_many_settings_were_tried_is_no_part_of_a_job():
    config = CONFIG | {"arms": [CONFIG["arms"][0] | {"tried": 12}, *CONFIG["arms"][1:]]}
    assert job_settings(config, "baseline", 0) == job_settings(CONFIG, "baseline", 0)
    assert tried(config) == {"baseline": 12, "theirs": 1, "quick": 1}


def test_a_grid_is_an_arm_for_every_network():
    grid = {"channels": [16, 32], "blocks": [4, 8], "kernels": [3, 5, 7], "split": [0.7, 0.15, 0.15]}
    config = CONFIG | {"training": CONFIG["training"] | {"grid": grid}}
    config["arms"] = expanded(config)
    assert [arm["name"] for arm in config["arms"][3:]] == list(PUBLISHED)
    assert expanded(config) == config["arms"]
    assert arm_packs(config, "b16_n8_k5") == [[(1, 0, 0), (5, 0, 0)]]
    assert len(arm_packs(config, "baseline")) == 3
    assert len(pack_paths(config, "runs.csv")) == 2 * 3 + 12
    job = job_settings(config, "b32_n4_k7", 0)
    assert job["arm"] == {"name": "b32_n4_k7", "network": "b32_n4_k7"}
    assert job["folds"]["split"] == [0.7, 0.15, 0.15]
    assert job_settings(config, "baseline", 0)["folds"]["split"] is None
    del grid["split"]
    crossed = config | {"arms": expanded(CONFIG | {"training": CONFIG["training"] | {"grid": grid}})}
    assert len(arm_packs(crossed, "b16_n8_k5")) == 3


def test_one_split_for_the_whole_study():
    config = CONFIG | {"folds": CONFIG["folds"] | {"split": [0.7, 0.15, 0.15]}}
    assert arm_packs(config, "baseline") == [[(1, 0, 0), (5, 0, 0)]]
    assert unit_label((1, 0, 0), 1) == "one split"


def test_a_gpu_that_is_asked_for_and_absent_is_told_before_any_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fergap.training.plan.shutil.which", lambda name: None)
    monkeypatch.setattr("fergap.training.plan.Path.exists", lambda self: False)
    check_device(CONFIG)
    config = CONFIG | {"training": CONFIG["training"] | {"device": "cuda"}}
    with pytest.raises(UserError, match=r"has no NVIDIA GPU\n.*auto or cpu"):
        check_device(config)
    monkeypatch.setattr("fergap.training.plan.Path.exists", lambda self: self.name == "runs.csv")
    check_device(config)


def test_labels_count_from_one():
    assert unit_label((1, 0, 2), 10) == "fold 3 of 10"
    assert unit_label((5, 1, 0), 10, seeds=2) == "fold 1 of 10, repeat 2, seed 5"


@pytest.mark.parametrize(
    ("module", "banned"),
    [
        ("fergap.training.plan", ("numpy", "pandas", "torch")),
        ("fergap.training.collect", ("torch", "sklearn", "fergap.models")),
        ("fergap.training.folds", ("torch",)),
        ("fergap.training.afterwards", ("torch", "sklearn", "fergap.models")),
    ],
)
def test_what_a_module_imports(module, banned):
    scripts = Path(__file__).parents[2] / "scripts"
    code = f"import sys; sys.path.insert(0, {str(scripts)!r}); import {module}; print(set(sys.modules) & set({banned}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


PENALTY = {"equalized_odds": {"by": "age", "strength": 1}}


def test_a_path_is_an_arm_for_each_value_and_so_are_its_contrasts():
    arms = [
        {"name": "baseline", "network": "pyramid"},
        {
            "name": "fair",
            "like": "baseline",
            "penalty": PENALTY,
            "path": {"of": "penalty.equalized_odds.strength", "values": [0.1, 10, 1e-7, 1e9]},
        },
        {"name": "longer", "network": "pyramid", "epochs": 9, "path": {"of": "epochs", "values": [9]}},
    ]
    contrasts = [{"before": "baseline", "after": "fair"}, {"before": "longer", "after": "baseline", "placebo": "none"}]
    config = CONFIG | {"arms": arms, "audit": {"contrasts": contrasts}}
    made = expanded(config)
    names = ["fair_0p1", "fair_10", "fair_1e-07", "fair_1e09"]
    assert [arm["name"] for arm in made] == ["baseline", *names, "longer_9"]
    assert [arm["penalty"]["equalized_odds"] for arm in made[1:5]] == [
        {"by": "age", "strength": value} for value in (0.1, 10, 1e-7, 1e9)
    ]
    assert made[5] == {"name": "longer_9", "network": "pyramid", "epochs": 9}
    assert PENALTY["equalized_odds"]["strength"] == 1
    compared = expanded_contrasts(config)
    assert compared == [{"before": "baseline", "after": name} for name in names] + [
        {"before": "longer_9", "after": "baseline", "placebo": "none"}
    ]
    again = config | {"arms": made, "audit": {"contrasts": compared}}
    assert expanded(again) == made
    assert expanded_contrasts(again) == compared


def test_without_contrasts_the_first_arm_is_compared_with_each_other():
    arms = [{"name": "baseline", "network": "pyramid"}, {"name": "which", "like": "baseline", "label": "source"}]
    arms += [{"name": "longer", "like": "baseline", "epochs": 9, "path": {"of": "epochs", "values": [3, 9]}}]
    given = {"audit": {"contrasts": None}}
    grid = {"training": {"grid": {"channels": [16], "blocks": [8], "kernels": [5]}}}
    made = expanded_contrasts(CONFIG | grid | given | {"arms": arms})
    assert made == [{"before": "baseline", "after": name} for name in ("longer_3", "longer_9")]
    assert expanded_contrasts(CONFIG | given | {"arms": arms[:2]}) == []
    assert expanded_contrasts(CONFIG | given | {"arms": []}) == []


def test_a_path_along_what_the_arm_does_not_have_is_told():
    arm = {"name": "fair", "network": "pyramid", "penalty": PENALTY}
    for of in ("penalty.equalised_odds.strength", "penalty.equalized_odds.by", "name"):
        config = CONFIG | {"arms": [arm | {"path": {"of": of, "values": [1]}}]}
        with pytest.raises(UserError, match=r"path\.of: .* no number '.*\n.*one of penalty\.equalized_odds\.strength"):
            expanded(config)


def test_an_arm_leaves_each_source_out_in_turn_and_one_recognises_them():
    faces = {"source": "several", "sources": [{"source": "drawn", "name": n} for n in ("lab", "street", "web")]}
    schemes = {"labels": "two", "schemes": {"two": {"majority": ["anger", "fear"]}}}
    arms = [
        {"name": "baseline", "network": "pyramid", "tried": 2},
        {"name": "unseen", "network": "pyramid", "folds": {"by": "source"}, "tried": 1},
        {"name": "other", "network": "pyramid", "epochs": 2, "folds": {"by": "source"}},
        {"name": "which", "network": "pyramid", "label": "source"},
    ]
    soft = {"recipes": {"published": {"soft_labels": 1.0}}}
    config = CONFIG | {"faces": faces | schemes, "arms": arms, "training": CONFIG["training"] | soft}
    assert [unit for pack in arm_packs(config, "unseen") for unit in pack] == [
        (s, 0, f) for s in (1, 5) for f in range(3)
    ]
    assert len([unit for pack in arm_packs(config, "which") for unit in pack]) == 12
    job = job_settings(config, "unseen", 0)
    assert job["folds"] == {
        "count": 3,
        "validation": 0.1,
        "keep_together": [],
        "split": None,
        "by": ["lab", "street", "web"],
    }
    assert "folds" not in job["arm"]
    assert job["scheme"]["name"] == "two"
    which = job_settings(config, "which", 0)
    assert (which["arm"]["label"], which["scheme"], "by" in which["folds"]) == ("source", None, False)
    assert recognising(config) == ["which"]
    assert audited(config) == ["baseline", "unseen", "other"]
    assert unseen(config) == {"unseen": "baseline"}
