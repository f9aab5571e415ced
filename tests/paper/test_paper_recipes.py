"""The paper names the ingredients of a recipe."""

from dataclasses import asdict

from fergap.paper.recipes import worded
from fergap.training.recipe import Recipe

PUBLISHED = asdict(Recipe())
STRONG = PUBLISHED | {
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "decay_all": False,
    "schedule": "one_cycle",
    "clip": 1.0,
    "rotation": 0,
    "shift": 0.05,
    "mixup": 0.2,
    "soft_labels": 0.8,
    "average": 0.9,
    "test_flip": True,
}


def test_a_reader_sees_what_a_recipe_has_and_nothing_else():
    assert worded(PUBLISHED) == {
        "optimizer": "Adam",
        "learning_rate": "0.001",
        "weight_decay": "0.0001",
        "batch_size": "64",
        "flip": "horizontal, probability 0.5",
        "rotation": "up to ±10°",
    }
    shown = worded(STRONG)
    assert set(shown) == {k for k, v in STRONG.items() if v and k not in ("momentum", "factor", "patience")}
    assert shown["soft_labels"] == "share 0.8 of the target, from the taggers' votes"
    assert shown["weight_decay"] == "0.05, not of norms and biases"
    assert shown["schedule"] == "one cycle, up from 1/25 and down to 0"
    assert shown["test_flip"] == "probabilities averaged with the mirror image's"
    plateau = {"schedule": "reduced on a plateau", "patience": "3 epochs without a lower validation loss"}
    plateau |= {"factor": "what a plateau reduces the rate to, 0.1"}
    assert worded({"schedule": "plateau"}) == plateau
    assert worded({"schedule": "plateau", "patience": 0, "factor": 0.5}) == plateau | {
        "patience": "0 epochs without a lower validation loss",
        "factor": "what a plateau reduces the rate to, 0.5",
    }
    assert worded({"optimizer": "sgd", "momentum": 0.8, "schedule": "constant", "warmup": 0.1}) == {
        "optimizer": "SGD, Nesterov's momentum",
        "momentum": "0.8",
        "schedule": "constant",
        "warmup": "0.1 of the steps",
    }
