"""What contradicts latent alignment is told before anything runs."""

import copy

import pytest
import yaml

from fergap.config import check_given_files, checked
from fergap.errors import UserError


@pytest.fixture(scope="module")
def check(root):
    demo = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    demo["audit"]["contrasts"] = []

    def check(passes=8, **arm):
        config = copy.deepcopy(demo)
        config["training"]["epochs"] = passes
        config["training"]["recipes"]["falling"] = {"schedule": "plateau"}
        config["arms"] = [{"name": "aligned", "network": "latent_alignment"} | arm]
        return checked(config, root / "schemas" / "config.schema.yaml")

    return check


def test_the_defaults_are_the_papers_where_it_has_any(check):
    arm = check(alignment={"by": "gender*age"})["arms"][0]
    assert arm["alignment"] == {
        "by": "gender*age",
        "first": 0.5,
        "kl": 1,
        "discriminator": 1,
        "style": 10,
        "features": "random",
    }
    assert "alignment" not in check()["arms"][0]


@pytest.mark.parametrize(
    ("arm", "epochs", "said"),
    [
        ({"network": "pyramid"}, 8, "the network 'pyramid' has no latent to align"),
        ({"alignment": {"by": "gender", "kl": 0, "discriminator": 0, "style": 0}}, 8, "nothing to learn"),
        ({}, 1, "two stages, and epochs is 1"),
        ({"epochs": 1}, 8, "two stages, and epochs is 1"),
        ({"adversary": {"by": "age"}}, 8, "exclude each other"),
        ({"alignment": {"by": "hair"}}, 8, "'hair' is not known"),
        ({"alignment": {"by": "age*class"}}, 8, "holds the class"),
        ({"alignment": {"by": "age", "first": 1}}, 8, "alignment.first"),
        ({"alignment": {"kl": 1}}, 8, "alignment.by: this key is missing"),
        ({"alignment": {"by": "age", "style": -1}}, 8, "alignment.style"),
    ],
)
def test_what_contradicts_it_is_told(check, arm, epochs, said):
    with pytest.raises(UserError, match=said):
        check(epochs, **({"alignment": {"by": "age"}} | arm))


def test_a_schedule_that_follows_the_loss_of_the_classes_is_refused(check):
    with pytest.raises(UserError, match="alignment learns no classes in its first epochs"):
        check(alignment={"by": "age"}, recipe="falling")


def test_its_network_needs_it_not(check):
    assert check(network="Latent_Alignment_wide")["arms"][0]["network"] == "Latent_Alignment_wide"


def test_a_missing_file_of_features_is_told(check, tmp_path):
    here = tmp_path / "vgg16.pth"
    config = check(alignment={"by": "age", "features": str(here)})
    with pytest.raises(UserError, match="there is no such file"):
        check_given_files(config)
    here.touch()
    check_given_files(config)
