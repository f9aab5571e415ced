"""The configuration: every key checked, every message short and to the point."""

import copy
from pathlib import Path

import pytest
import yaml

from fergap.config import check_given_files, check_references, checked, declared_groups, owners_ages
from fergap.errors import UserError
from fergap.study import drawn_sources


@pytest.fixture(scope="module")
def demo(root: Path) -> dict:
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema(root: Path) -> Path:
    return root / "schemas" / "config.schema.yaml"


def merged(base: dict, update: dict) -> dict:
    """Merge as Snakemake does: mappings key by key, anything else replaced."""
    out = copy.deepcopy(base)
    for key, value in update.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def test_the_demo_is_valid_and_gets_its_defaults(demo: dict, schema: Path) -> None:
    config = checked(demo, schema)
    assert config["people"]["age_groups"] == {"child": [0, 14], "adult": [15, 120]}
    assert declared_groups(config) == {"gender": ["female", "male"], "age": ["child", "adult"]}


def test_every_study_is_valid(demo: dict, schema: Path, root: Path) -> None:
    studies = sorted((root / "studies").glob("*.yaml"))
    assert studies
    for study in studies:
        checked(merged(demo, yaml.safe_load(study.read_text(encoding="utf-8"))), schema)


def levels(schema: dict, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return every mapping of the schema that lists its keys."""
    found = [path] if schema.get("properties") else []
    for key, part in schema.get("properties", {}).items():
        found += levels(part, (*path, key))
    return found


def test_every_level_refuses_unknown_keys_and_describes_each(schema: Path, demo: dict) -> None:
    rules = yaml.safe_load(schema.read_text(encoding="utf-8"))
    for path in levels(rules):
        part = rules
        for key in path:
            part = part["properties"][key]
        assert part["additionalProperties"] is False, path
        for key, value in part["properties"].items():
            assert value.get("properties") or value.get("description"), (*path, key)
        mistaken = demo
        for key in path:
            mistaken = mistaken.get(key, {})
        update: dict = {"maring": 1}
        for key in reversed(path):
            update = {key: update}
        with pytest.raises(UserError, match="maring: there is no such key"):
            checked(merged(demo, update), schema)


def test_several_sources_are_audited_unless_attributes_are_stated(demo: dict, schema: Path) -> None:
    sources = [{"name": name, "source": "drawn", "drawn": {"count": 100}} for name in ("one", "two")]
    several = merged(demo, {"faces": {"sources": sources}})
    assert checked(demo, schema)["audit"]["attributes"] == ["gender", "age", "gender*age"]
    assert checked(several, schema)["audit"]["attributes"] == ["gender", "age", "gender*age", "source"]
    stated = merged(several, {"audit": {"attributes": ["age"]}})
    assert checked(stated, schema)["audit"]["attributes"] == ["age"]


def test_arms_of_a_study_need_no_contrasts(demo: dict, schema: Path) -> None:
    assert checked(demo, schema)["audit"]["contrasts"] == [{"before": "baseline", "after": "child_oversampled"}]
    assert checked(merged(demo, {"arms": []}), schema)["audit"]["contrasts"] == []
    own = [{"name": name, "network": "pyramid"} for name in ("one", "two", "three")]
    compared = checked(merged(demo, {"arms": own}), schema)["audit"]["contrasts"]
    assert compared == [{"before": "one", "after": "two"}, {"before": "one", "after": "three"}]
    assert checked(merged(demo, {"arms": own, "audit": {"contrasts": []}}), schema)["audit"]["contrasts"] == []


def test_a_reference_that_no_table_knows_is_told_at_once(demo: dict, schema: Path, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("image_id,gender,age_years\na,Female,12\nb,Male,40\nc,,\n", encoding="utf-8")

    def study(**people: object) -> dict:
        return checked(merged(demo, {"people": {"sources": [{"table": str(table)}], **people}}), schema)

    with pytest.raises(UserError, match="gender has no group 'male'; did you mean 'Male'") as told:
        check_references(study())
    assert "reference: {gender: Male}" in str(told.value)
    check_references(study(rename={"gender": {"Male": "male"}}))
    other = merged(demo, {"audit": {"reference": {"gender": "Male", "age": "grown"}}})
    other = merged(other, {"people": {"sources": [{"table": str(table)}]}})
    with pytest.raises(UserError, match="age has no group 'grown'"):
        check_references(checked(other, schema))
    table.write_text("file;gender\na;Male\n", encoding="utf-8")
    check_references(study())  # the reader of the table tells


def rater(name: str) -> dict:
    return {"simulated": {"name": name, "error": 0.1, "share": 0.5}}


def arm(**options: object) -> dict:
    return {"arms": [{"name": "a", "network": "pyramid"} | options]}


def test_options_that_go_together_are_allowed(demo: dict, schema: Path) -> None:
    more = {"gender*age": "female*child", "within": "class", "to": "parity"}
    weights = {"reweight": {"by": ["age", "gender*class"]}, "confidence_weights": {"power": 1, "by": "class"}}
    allowed = arm(composition={"class": "as_found"}, oversample=more, **weights)
    allowed["audit"] = {"contrasts": []}
    found = checked(merged(demo, allowed), schema)["arms"][0]["reweight"]
    assert found == {"by": ["age", "gender*class"], "kind": "inverse_frequency", "power": 1}


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"audit": {"margn": 0.03}}, "config: audit.margn: there is no such key; did you mean 'margin'?"),
        ({"audit": {"margin": 0}}, "config: audit.margin: 0 is less than or equal to the minimum of 0"),
        ({"folds": {"count": 1}}, "config: folds.count: 1 is less than the minimum of 2"),
        ({"seed": "one"}, "config: seed: 'one' is not of type 'integer'"),
        ({"training": {"device": "gpu"}}, "config: training.device: 'gpu' is not allowed"),
        ({"faces": {"source": "ferplu"}}, "config: faces.source: 'ferplu' is not allowed; did you mean 'ferplus'?"),
        ({"faces": {"labels": "emotion8"}}, "config: faces.labels: 'emotion8' is not known; did you mean 'emotion7'?"),
        ({"study": "a/b"}, "config: study: 'a/b' does not match"),
        (
            {"audit": {"contrasts": [{"before": "baseline", "after": "child"}]}},
            "contrasts.0.after: 'child' is not known",
        ),
        ({"audit": {"reference": {"age": "adults"}}}, "config: audit.reference.age: 'adults' is not known"),
        ({"arms": [{"name": "a"}]}, "config: arms.0 (a): needs either network or predictions"),
        ({"arms": [{"name": "a", "network": "pyramid"}] * 2}, "config: arms.0 (a): two arms have this name"),
        ({"arms": [{"network": "pyramid"}]}, "config: arms.0.name: this key is missing"),
        (
            {"arms": [{"name": "baseline", "network": "pyramid"}, {"name": "placebo", "like": "basline"}]},
            "arms.1 (placebo).like: 'basline' is not known; did you mean 'baseline'?",
        ),
        ({"folds": {"split": [0.7, 0.2, 0.2]}}, "config: folds.split: [0.7, 0.2, 0.2] sums to 1.1"),
        ({"training": {"grid": {"kernels": [4]}}}, "config: training.grid.kernels.0"),
        (
            {"audit": {"contrasts": [{"before": "baseline", "after": "child_oversampled", "placebo": "none"}]}},
            "contrasts.0.placebo: 'none' is not known",
        ),
        (
            {"paper": {"arms_in_full": ["baseline", "child_oversample"]}},
            "paper.arms_in_full.1: 'child_oversample' is not known; did you mean 'child_oversampled'?",
        ),
        ({"people": {"age_groups": {"child": [0, 20], "adult": [15, 99]}}}, "overlap at 15"),
        ({"people": {"sources": ["age_and_gender"]}}, "config: people.sources.0"),
        ({"faces": {"source": "none"}}, "nothing to train on: faces.source is none"),
        ({"people": {"sources": ["drawn", rater("drawn")]}}, "another source is called 'drawn'"),
        ({"people": {"sources": ["drawn", rater("ann"), rater("ann")]}}, "another source is called 'ann'"),
        (
            {"faces": {"source": "ferplus"}, "people": {"sources": ["age-and-gender", rater("ann")]}},
            "simulated has no meaning for faces from ferplus",
        ),
        ({"people": {"sources": [{"simulated": {"name": "ann", "error": 2, "share": 1}}]}}, "simulated.error"),
        ({"training": {"recipe": "publishd"}}, "recipe: 'publishd' is not known; did you mean 'published'?"),
        (
            {"arms": [{"name": "baseline", "network": "pyramid", "oversample": {"age": "kid", "to": "parity"}}]},
            "oversample.age: 'kid' is not known",
        ),
        (arm(composition={"gender": {"female": 0.5, "male": 0.6}}), "composition.gender: {'female': 0.5, 'male': 0.6}"),
        (arm(composition={"gender": {"femal": 1}}), "composition.gender: 'femal' is not known; did you mean 'female'?"),
        (arm(composition={"gendr": "as_found"}), "composition: 'gendr' is not known; did you mean 'gender'?"),
        (arm(composition={"gender": "found"}), "composition.gender: 'found' is not"),
        (arm(composition={"gender*age": {"female": 1}}), "composition.gender*age: 'female' is no group of gender*age"),
        (arm(composition={"gender*age": {"female*kid": 1}}), "composition.gender*age: 'kid' is not known"),
        (
            arm(composition={"gender*age": "as_found"}, oversample={"age": "child", "to": "parity"}),
            "arms.0 (a): composition and oversample both decide the shares of age",
        ),
        (
            arm(composition={"age": "as_found"}, undersample={"age*class": "all", "to": "parity"}),
            "arms.0 (a): composition and undersample both decide the shares of age",
        ),
        (
            arm(oversample={"to": "parity", "within": "class"}),
            "oversample: {'to': 'parity', 'within': 'class'} names no",
        ),
        (arm(oversample={"age": "all", "to": 0.5}), "oversample.to: all groups cannot have a share"),
        (
            arm(undersample={"age": "adult", "within": "age*class", "to": 0.5}),
            "undersample.within: age is what the rows are repeated or left out by",
        ),
        (arm(reweight={"by": ["class", "race"]}), "reweight.by: 'race' is not known"),
        (arm(reweight={"by": "age", "power": 2}), "reweight.power: 2 is greater than the maximum of 1"),
        (
            arm(reweight={"by": "age*class", "kind": "reweighing"}),
            "reweight.by: reweighing makes a group and the class",
        ),
        (arm(confidence_weights={"by": "age*age", "power": 1}), "confidence_weights.by: 'age*age' is not allowed"),
        (
            {"arms": [{"name": "a", "predictions": "a.csv", "reweight": {"by": "age"}}]},
            "arms.0 (a): reweight has no meaning beside predictions",
        ),
        (
            arm(loss={"focal": {}, "symmetric_cross_entropy": {}}),
            "config: arms.0.loss: {'focal': {}, 'symmetric_cross_entropy': {}} has too many properties",
        ),
        (arm(loss={"focall": {}}), "arms.0.loss.focall: there is no such key; did you mean 'focal'?"),
        (
            arm(penalty={"equalized_odds": {}}),
            "penalty.equalized_odds.by: this key is missing",
        ),
        (
            arm(penalty={"equalized_odds": {"by": "agee"}}),
            "arms.0 (a).penalty.equalized_odds.by: 'agee' is not known; did you mean 'age'?",
        ),
        (arm(adversary={"by": ["gender", "age*class"]}), "(a).adversary.by: 'age*class' holds the class"),
        (
            arm(group_dro={"by": "age"}, reweight={"by": "class"}),
            "arms.0 (a): group_dro and reweight both say how much a row counts",
        ),
        (arm(adversary={"by": "age", "strength": -1}), "arms.0.adversary.strength: -1 is less than"),
        (
            arm(group_dro={"by": "age*clas"}),
            "group_dro.by: 'clas' is not known; did you mean",
        ),
        (
            arm(group_dro={"by": "age"}, path={"of": "group_dro.strength", "values": [0.5, 2]}),
            "arms.1.group_dro.strength: 2 is greater than the maximum of 1",
        ),
        (
            {"arms": [{"name": "given", "predictions": "a.csv", "group_dro": {"by": "age"}}]},
            "group_dro has no meaning beside predictions",
        ),
    ],
)
def test_a_mistake_is_named_in_a_few_lines(demo: dict, schema: Path, update: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        checked(merged(demo, update), schema)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) <= 6


def test_a_path_of_strengths_becomes_arms_and_contrasts(demo: dict, schema: Path) -> None:
    path = {"of": "penalty.equalized_odds.strength", "values": [1, 2.5]}
    arms = [
        *demo["arms"][:1],
        {"name": "fair", "network": "pyramid"} | ({"penalty": {"equalized_odds": {"by": "gender*age"}}, "path": path}),
    ]
    contrasts = [{"before": "baseline", "after": "fair"}]
    config = checked(merged(demo, {"arms": arms, "audit": {"contrasts": contrasts}}), schema)
    assert [arm["name"] for arm in config["arms"]] == ["baseline", "fair_1", "fair_2p5"]
    assert config["arms"][2]["penalty"] == {"equalized_odds": {"by": "gender*age", "strength": 2.5}}
    assert [c["after"] for c in config["audit"]["contrasts"]] == ["fair_1", "fair_2p5"]
    assert checked(config, schema)["arms"] == config["arms"]


def test_a_missing_validation_table_is_told_before_the_run(demo: dict, schema: Path, tmp_path: Path) -> None:
    table = tmp_path / "validation.csv"
    config = checked(merged(demo, {"audit": {"validation": str(table)}}), schema)
    with pytest.raises(UserError, match=r"validation\.csv: there is no such file"):
        check_given_files(config)
    table.write_text("image_id,attribute,truth\n")
    check_given_files(config)
    assert checked(merged(demo, {"audit": {}}), schema)["audit"]["validation"] is None


def test_weights_that_are_not_there_are_told(demo: dict, schema: Path, tmp_path: Path) -> None:
    weights = tmp_path / "resnet50.pth"
    arm = {"name": "tuned", "network": "resnet50", "weights": str(weights), "tuned": "last_block"}
    config = checked(merged(demo, {"arms": [arm], "audit": {"contrasts": []}}), schema)
    with pytest.raises(UserError, match=r"resnet50\.pth: there is no such file\n  expected: weights of the arm's"):
        check_given_files(config)
    weights.touch()
    check_given_files(config)


RAFDB = {"faces": {"source": "rafdb", "folder": "data/rafdb"}, "people": {"sources": ["owners"]}}
RAFDB |= {"audit": {"attributes": ["gender", "race", "age"], "reference": {"age": "20-39"}}}
RAFDB |= {"arms": [{"name": "baseline", "network": "pyramid"}]}


def rafdb(demo: dict, update: dict) -> dict:
    base = merged(demo, {"audit": {"contrasts": []}})
    return merged(merged(base, RAFDB), update)


def test_owners_declare_their_groups(demo: dict, schema: Path) -> None:
    config = checked(rafdb(demo, {}), schema)
    groups = declared_groups(config)
    assert groups["race"] == ["Caucasian", "African-American", "Asian"]
    assert groups["age"] == ["0-3", "4-19", "20-39", "40-69", "70+"]
    assert owners_ages(config) == {name: name for name in groups["age"]}


def test_owners_ages_become_the_study_s_where_each_range_lies_in_one_group(demo: dict, schema: Path) -> None:
    ages = {"age_groups": {"minor": [0, 19], "grown": [20, 120]}}
    config = checked(rafdb(demo, {"people": ages, "audit": {"reference": {"age": "grown"}}}), schema)
    assert declared_groups(config)["age"] == ["minor", "grown"]
    assert owners_ages(config)["4-19"] == "minor"
    assert owners_ages(config)["70+"] == "grown"


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"people": {"sources": ["owners", "age-and-gender"]}}, "lie across the study's groups"),
        ({"faces": {"source": "expw"}}, "the owners of expw tell nothing of the people in it"),
        ({"faces": {"expressions": 7}}, "expressions has no meaning for faces from rafdb"),
        ({"faces": {"source": "celeba"}}, "'race' is not known"),
        ({"faces": {"source": "celeba"}, "audit": {"attributes": ["gender", "age"]}}, "'age' is not known"),
        ({"faces": {"subset": "mixed"}}, "'mixed' is not allowed"),
    ],
)
def test_what_a_data_set_does_not_have_is_refused(demo: dict, schema: Path, update: dict, says: str) -> None:
    with pytest.raises(UserError) as caught:
        checked(rafdb(demo, update), schema)
    assert says in str(caught.value)


FAIRFACE = {"fairface": {"weights": "fairface.pt", "sha256": "0" * 64}}


def test_fairface_declares_its_groups_as_the_study_calls_them(demo: dict, schema: Path) -> None:
    races = {"East Asian": "Asian", "Southeast Asian": "Asian"}
    update = {"people": {"sources": [FAIRFACE], "rename": {"race": races}}, "audit": {"attributes": ["race", "age"]}}
    groups = declared_groups(checked(merged(demo, update), schema))
    assert groups["race"] == ["White", "Black", "Latino_Hispanic", "Asian", "Indian", "Middle Eastern"]
    assert groups["age"] == ["child", "adult"]
    with pytest.raises(UserError, match="'race' is not known"):
        checked(merged(demo, {"audit": {"attributes": ["race", "age"]}}), schema)
    update["people"]["sources"] = ["drawn", {"deepface": "faces.json"}]
    assert "race" not in declared_groups(checked(merged(demo, update), schema))


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ([{"fairface": {"weights": "fairface.pt"}}], "fairface.sha256: this key is missing"),
        ([{"fairface": {"weights": "fairface.pt", "sha256": "abc"}}], "'abc' does not match"),
        ([FAIRFACE, FAIRFACE], "fairface stands twice"),
        ([{"deepface": ["a.json"]}], "people.sources.0.deepface"),
        ([{"fairface": FAIRFACE["fairface"] | {"straddling": "both"}}], "'both' is not allowed"),
    ],
)
def test_what_models_cannot_be_given_is_told(demo: dict, schema: Path, sources: list, says: str) -> None:
    with pytest.raises(UserError) as caught:
        checked(merged(demo, {"people": {"sources": sources}}), schema)
    assert says in str(caught.value)


def test_missing_weights_are_told_with_where_to_get_them(demo: dict, schema: Path, tmp_path: Path) -> None:
    config = checked(merged(demo, {"people": {"sources": ["drawn", FAIRFACE]}}), schema)
    with pytest.raises(UserError) as caught:
        check_given_files(config)
    for words in ("fairface.pt: there is no such file", "res34_fair_align_multi_7_20190809.pt", "joojs/fairface"):
        assert words in str(caught.value)


SEVERAL = {"faces": {"sources": [{"source": "rafdb", "folder": "a"}, {"source": "drawn"}]}}
SEVERAL |= {"people": {"sources": ["owners", "drawn"], "age_groups": {"minor": [0, 19], "adult": [20, 120]}}}


def several(demo: dict, update: dict) -> dict:
    return merged(merged(demo, {"audit": {"contrasts": []}, "arms": RAFDB["arms"]}), merged(SEVERAL, update))


def test_sources_stand_in_place_of_source(demo: dict, schema: Path) -> None:
    config = checked(several(demo, {}), schema)
    assert config["faces"]["source"] == "several"
    assert list(drawn_sources(config["faces"])) == ["drawn/"]
    assert list(drawn_sources(checked(demo, schema)["faces"])) == [""]
    assert declared_groups(config)["race"] == ["Caucasian", "African-American", "Asian"]
    assert owners_ages(config)["40-69"] == "adult"


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"faces": {"sources": [{"source": "rafdb"}]}}, "faces.sources"),
        ({"faces": {"sources": [{"source": "rafdb"}, {"source": "rafdb"}]}}, "two sources are called rafdb"),
        ({"faces": {"sources": [{"source": "rafdb"}, {"source": "several"}]}}, "'several' is not allowed"),
        ({"faces": {"sources": [{"source": "expw", "subset": "basic"}, {"source": "drawn"}]}}, "sources.0.subset"),
        ({"faces": {"sources": [{"source": "rafdb", "size": 5}, {"source": "drawn"}]}}, "sources.0.size"),
        ({"faces": {"sources": [{"source": "rafdb"}, {"source": "drawn", "labels": "seven"}]}}, "sources.1.labels"),
        ({"faces": {"sources": [{"source": "rafdb"}, {"source": "drawn", "drop": ["nf >"]}]}}, "sources.1.drop.0"),
        ({"faces": {"sources": [{"source": "drawn"}, {"source": "drawn"}]}}, "two sources are called drawn"),
        (
            {"faces": {"sources": [{"source": "rafdb", "drawn": {"count": 500}}, {"source": "drawn"}]}},
            "sources.0.drawn",
        ),
        (
            {"faces": {"sources": [{"source": "drawn"}, {"source": "drawn", "name": "b", "drawn": {"not_a_face": 2}}]}},
            "faces.sources.1.drawn.not_a_face",
        ),
        (
            {
                "faces": {
                    "sources": [
                        {"source": "rafdb"},
                        {"source": "drawn", "name": "b", "drawn": {"near_duplicates": 0.5, "exact_duplicates": 0.5}},
                    ]
                }
            },
            "faces.sources (b).drawn",
        ),
        ({"faces": {"folder": "data"}}, "folder has no meaning beside sources"),
        ({"faces": {"sources": [{"source": "rafdb"}, {"source": "expw"}]}}, "drawn has no meaning"),
        ({"people": {"age_groups": {"minor": [0, 14], "adult": [15, 120]}}}, "of which drawn speaks"),
    ],
)
def test_what_does_not_go_together_in_several_sources_is_refused(
    demo: dict, schema: Path, update: dict, says: str
) -> None:
    with pytest.raises(UserError) as caught:
        checked(several(demo, update), schema)
    assert says in str(caught.value)


def test_classes_need_sources(demo: dict, schema: Path) -> None:
    with pytest.raises(UserError, match="classes has no meaning without sources"):
        checked(merged(demo, {"faces": {"classes": ["a", "b"]}}), schema)


TWO = {"faces": {"sources": [{"source": "drawn"}, {"source": "drawn", "name": "b"}]}, "audit": {"contrasts": []}}
WITHIN, BEYOND = {"name": "a", "network": "pyramid"}, {"name": "u", "network": "pyramid", "folds": {"by": "source"}}
WHICH = {"name": "w", "network": "pyramid", "label": "source"}


def test_arms_may_leave_sources_out_and_recognise_them(demo: dict, schema: Path) -> None:
    update = TWO | {"arms": [WITHIN, BEYOND, WHICH], "audit": {"contrasts": [], "attributes": ["source", "source*age"]}}
    config = checked(merged(demo, update), schema)
    assert declared_groups(config)["source"] == ["drawn", "b"]


@pytest.mark.parametrize(
    ("update", "says"),
    [
        (TWO | {"arms": [BEYOND]}, "no arm is the same but for its folds"),
        (TWO | {"arms": [WITHIN, BEYOND | {"epochs": 3}]}, "no arm is the same but for its folds"),
        (TWO | {"arms": [WITHIN, BEYOND | {"label": "source"}]}, "cannot be recognised"),
        (TWO | {"arms": [WITHIN, BEYOND], "folds": {"split": [0.6, 0.2, 0.2]}}, "exclude each other"),
        ({"arms": [WITHIN, BEYOND], "audit": {"contrasts": []}}, "'source' is not known"),
        ({"arms": [WITHIN, WHICH], "audit": {"contrasts": []}}, "a single source of faces"),
        (TWO | {"arms": [WITHIN, {"name": "t", "from": "w", "temperature": {}}, WHICH]}, "recognises the source"),
        (TWO | {"arms": [WITHIN, WHICH], "audit": {"contrasts": [{"before": "a", "after": "w"}]}}, "contrasts.0.after"),
        ({"audit": {"attributes": ["source"]}}, "audit.attributes.0"),
    ],
)
def test_what_contradicts_arms_by_source_is_refused(demo: dict, schema: Path, update: dict, says: str) -> None:
    with pytest.raises(UserError) as caught:
        checked(merged(demo, update), schema)
    assert says in str(caught.value)
