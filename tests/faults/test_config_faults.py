"""Every key of the schema mistyped, of a wrong type and out of its bounds; generated, so that new keys are covered."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fergap.config import check_written_once, checked
from fergap.errors import UserError
from fergap.models import names
from fergap.models.pretrained import BACKBONES
from fergap.models.registry import NETWORKS
from fergap.training.plan import AFTER, asked_arms, asked_paths, asked_settings, trained_arms

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "schemas" / "config.schema.yaml"
RULES = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
DEMO = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
OF_TYPE = {"string": "text", "integer": 3, "number": 0.7, "array": [], "object": {}, "null": None, "boolean": True}
LINES, WIDTH = 6, 600
ITEM = 0  # a step of a path into a list; a step into a mapping with keys of the user's own is "ours"


def keys(schema: dict, path: tuple = ()) -> Iterator[tuple[tuple, dict]]:
    """Yield the path and the schema of every key, through lists, free mappings and alternatives."""
    for key, part in schema.get("properties", {}).items():
        yield (*path, key), part
        yield from keys(part, (*path, key))
    if isinstance(other := schema.get("additionalProperties"), dict):
        yield (*path, "ours"), other
        yield from keys(other, (*path, "ours"))
    if isinstance(items := schema.get("items"), dict):
        yield (*path, ITEM), items
        yield from keys(items, (*path, ITEM))
    for part in schema.get("anyOf", []):
        yield from keys(part, path)


def types(schema: dict) -> set[str]:
    """Return the JSON types that a schema allows."""
    if "anyOf" in schema:
        return set().union(*map(types, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return {"string"}
    named = schema["type"]
    return set([named] if isinstance(named, str) else named)


def sample(schema: dict) -> object:
    """Return a value that a schema allows."""
    for key in ("default", "const"):
        if key in schema:
            return copy.deepcopy(schema[key])
    if "enum" in schema:
        return schema["enum"][0]
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return sample(schema["anyOf"][-1])
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "object":
        named = {key: sample(schema["properties"][key]) for key in schema.get("required", [])}
        by = named.get("by") in schema.get("properties", {}).get("by", {}).get("enum", [])
        return named | ({"by": "age"} if "by" in named and not by else {})  # no attribute is called text
    if kind == "array":
        return [sample(schema["items"]) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        return low + (0.01 if kind == "number" else 0)
    return OF_TYPE[kind]


KEYS = list(keys(RULES))
NAMED = [path for path, _ in KEYS if path[-1] not in (ITEM, "ours")]
PARTS = dict(reversed(KEYS))  # by path; the first alternative that knows it


def opened(schema: dict) -> dict | list:
    """Return a value that holds others, also where the default is null."""
    return sample({key: value for key, value in schema.items() if key != "default" or value is not None})


def study(path: tuple, value: object) -> dict:
    """Return the demo with a value at a path; what is missing on the way there is made from the schema."""
    config = copy.deepcopy(DEMO)
    here = config
    for depth, step in enumerate(path[:-1], 1):
        part = PARTS[path[:depth]]
        if step == ITEM and not here:
            here.append(opened(part))
        elif step != ITEM and step not in here:
            here[step] = opened(part)
        # an alternative without keys, such as `drawn` among people.sources, gives way to the one that has them
        if not isinstance(here[step], (dict, list)):
            here[step] = opened(part)
        if isinstance(path[depth], int) and not here[step]:
            here[step] = [sample(PARTS[*path[:depth], ITEM])]
        here = here[step]
    if path[-1] == ITEM and isinstance(here, list):
        here[:] = [value, *here[1:]]
    else:
        here[path[-1]] = value
    return config


def told(config: dict) -> str:
    """Return the message for a mistaken configuration, and check its shape."""
    with pytest.raises(UserError) as caught:
        checked(config, SCHEMA)
    message = str(caught.value)
    assert message.startswith("config: ")
    assert len(message.splitlines()) <= LINES, message
    assert max(map(len, message.splitlines())) <= WIDTH, message
    return message


def dotted(path: tuple) -> str:
    return ".".join(map(str, path))


def beyond(schema: dict) -> Iterator[object]:
    """Yield values of the right type that the schema does not allow."""
    whole = "integer" in types(schema)
    step = 1 if whole else 1e-6
    if "minimum" in schema:
        yield schema["minimum"] - step
    if "maximum" in schema:
        yield schema["maximum"] + step
    for key in ("exclusiveMinimum", "exclusiveMaximum"):
        if key in schema:
            yield schema[key]
    if {"integer", "number"} & types(schema):
        yield from (float("nan"), float("inf"), float("-inf"))
        if whole and "number" not in types(schema):
            yield 1.5
    if "enum" in schema:
        yield schema["enum"][0] + "x"
    if "string" in types(schema) and "enum" not in schema:
        yield "a\x00b"
        if "pattern" in schema:
            yield from ("a/b", "../a", "", "a\n", "-a", "a b")
        if "maxLength" in schema:
            yield "a" * (schema["maxLength"] + 1)
        if "minLength" in schema:
            yield ""
    if schema.get("type") == "array":
        item = sample(schema["items"])
        if schema.get("minItems"):
            yield [item] * (schema["minItems"] - 1)
        if "maxItems" in schema:
            yield [item] * (schema["maxItems"] + 1)
        if schema.get("uniqueItems"):
            yield [item, item]


def test_the_schema_is_walked_to_its_ends() -> None:
    paths = {dotted(path) for path, _ in KEYS}
    assert {
        "study", "faces.schemes.ours.classes.0.when", "people.sources.0.table", "people.age_groups.ours.0",
        "training.recipes.ours.learning_rate", "arms.0.oversample.to", "audit.contrasts.0.after", "paper.title",
    } <= paths  # fmt: skip
    assert len(KEYS) > 80


def test_the_untouched_demo_is_allowed() -> None:
    checked(copy.deepcopy(DEMO), SCHEMA)
    for path, schema in KEYS:
        if "default" in schema and "ours" not in path:
            config = study(path, schema["default"])
            if len(path) > 3 and path[2] in AFTER:  # stands on an arm that is made of another's predictions
                option = config["arms"][0].pop(path[2]) | {"by": "age"}
                config["arms"].append({"name": "after", "from": "baseline", path[2]: option})
            if path[2:3] == ("endpoint",):
                asked = config["arms"][0]["endpoint"] | {"url": "http://localhost/v1"}
                config["arms"][0] = {"name": "baseline", "endpoint": asked}
            if "alignment" in path:
                config["arms"][0]["network"] = "latent_alignment"
            checked(config, SCHEMA)


@pytest.mark.parametrize("path", NAMED, ids=dotted)
def test_a_mistyped_key_is_told_with_the_nearest_spelling(path: tuple) -> None:
    key = path[-1]
    parent = RULES if len(path) == 1 else None
    swapped = key[:-2] + key[-1] + key[-2] if len(key) > 3 and key[-1] != key[-2] else key + "s"
    message = told(study((*path[:-1], swapped), 1))
    if path[:-1] and path[-2] in ("oversample", "undersample"):  # hold attributes of the user's own
        assert path[-2] in message
        return
    assert f"config: {dotted((*path[:-1], swapped))}: there is no such key" in message, (message, parent)
    assert re.search(r"did you mean '\w+'\?", message), message
    assert key in message.partition("expected:")[2], message


@pytest.mark.parametrize(("path", "schema"), KEYS, ids=lambda p: dotted(p) if isinstance(p, tuple) else "")
def test_a_value_of_a_wrong_type_is_told(path: tuple, schema: dict) -> None:
    right = types(schema) | ({"integer"} if "number" in types(schema) else set())
    for kind in set(OF_TYPE) - right:
        value = OF_TYPE[kind]
        if kind == "number" and "integer" in right:
            value = 1.5
        message = told(study(path, value))
        assert f"config: {dotted(path)}" in message, (kind, message)
        assert repr(value) in message, (kind, message)
        assert "expected: " in message, (kind, message)


@pytest.mark.parametrize(
    ("path", "schema"),
    [(path, schema) for path, schema in KEYS if any(True for _ in beyond(schema))],
    ids=lambda p: dotted(p) if isinstance(p, tuple) else "",
)
def test_a_value_out_of_bounds_is_told(path: tuple, schema: dict) -> None:
    for value in beyond(schema):
        message = told(study(path, value))
        assert f"config: {dotted(path)}" in message, (value, message)
        assert str(value)[:30] in message or repr(value)[:30] in message, (value, message)
        assert "expected: " in message, (value, message)


def merged(base: dict, update: dict) -> dict:
    """Merge as Snakemake does: mappings key by key, anything else replaced."""
    out = copy.deepcopy(base)
    for key, value in update.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def with_arms(*arms: dict, **more: dict) -> dict:
    return {"arms": list(arms), "audit": {"contrasts": []}} | more


def scheme(*classes: dict) -> dict:
    return {"faces": {"schemes": {"s": {"classes": list(classes)}}}}


PYRAMID = {"name": "a", "network": "pyramid"}
RESNET = {"name": "a", "network": "resnet50"}
ASKED = {"name": "a", "endpoint": {"url": "http://localhost:8000/v1", "model": "m"}}
AFTERWARDS = {"name": "b", "from": "a", "temperature": {"by": "age"}}


def after(**changes: object) -> dict:
    """A study with an arm and another that is made of its predictions; a change to None takes a key away."""
    arm = {key: value for key, value in (AFTERWARDS | changes).items() if value is not None}
    return with_arms(PYRAMID, arm)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"audit": {"contrasts": [{"before": "baselin", "after": "child_oversampled"}]}},
         "audit.contrasts.0.before: 'baselin' is not known; did you mean 'baseline'?"),
        ({"audit": {"contrasts": [{"before": "baseline", "after": "baseline"}]}}, "before and after are the same arm"),
        ({"audit": {"margin": 0}}, "audit.margin: 0 is less than or equal to the minimum of 0"),
        ({"audit": {"reference": {"age": "infant"}}}, "audit.reference.age: 'infant' is not known"),
        ({"audit": {"reference": {"gendr": "male"}}},
         "audit.reference.gendr: 'gendr' is not known; did you mean 'gender'?"),
        ({"audit": {"groups": {"race": ["a"]}}}, "audit.groups.race: 'race' is not known"),
        ({"audit": {"attributes": ["gendr"]}}, "audit.attributes.0: 'gendr' is not known; did you mean 'gender'?"),
        ({"audit": {"attributes": ["gender*gender"]}}, "audit.attributes.0: 'gender*gender' is not allowed"),
        ({"audit": {"attributes": ["gender*"]}}, "audit.attributes.0: 'gender*' is not allowed"),
        (with_arms(PYRAMID | {"oversample": {"age": "kid", "to": "parity"}}), "oversample.age: 'kid' is not known"),
        (with_arms(PYRAMID | {"oversample": {"agee": "child", "to": "parity"}}), "did you mean 'age'?"),
        (with_arms(PYRAMID | {"network": "pyramd"}), "there is no network 'pyramd'; did you mean 'pyramid'?"),
        (with_arms(PYRAMID | {"network": "b16_n8_k4"}), "there is no network 'b16_n8_k4'; did you mean 'b16_n8_k"),
        (with_arms(PYRAMID | {"weights": "imagenet"}), "arms.0 (a).weights: weights has no meaning for pyramid"),
        (with_arms(PYRAMID | {"tuned": "head"}), "arms.0 (a).tuned: tuned has no meaning for pyramid"),
        (with_arms(RESNET | {"tuned": "head"}), "arms.0 (a).tuned: head of a network that knows nothing"),
        (with_arms(RESNET | {"weights": "imagenet", "tuned": "haed"}), "did you mean 'head'?"),
        (with_arms({"name": "a", "network": "xception", "weights": "imagenet"}), "no ImageNet weights of xception"),
        (with_arms(ASKED | {"network": "pyramid"}), "needs either network or predictions or endpoint"),
        (with_arms(ASKED | {"epochs": 3}), "epochs has no meaning beside endpoint"),
        (with_arms(ASKED | {"loss": {"focal": {}}}), "loss has no meaning beside endpoint"),
        (with_arms({"name": "a", "endpoint": {"url": "localhost", "model": "m"}}), "'localhost' is no such address"),
        (with_arms({"name": "a", "endpoint": {"url": "http://[1/v1", "model": "m"}}), "is no such address"),
        (with_arms({"name": "a", "endpoint": {"url": "http://me:x@y/v1", "model": "m"}}), "holds a name or a password"),
        (with_arms({"name": "a", "endpoint": {"url": "http://x/v1"}}), "endpoint.model: this key is missing"),
        (
            with_arms(ASKED, faces={"source": "none"}, people={"sources": [{"table": "t.csv"}]}),
            "nothing to show the model: faces.source is none",
        ),
        (with_arms({"name": "a", "predictions": "a.csv", "weights": "imagenet"}), "weights has no meaning beside"),
        (with_arms(PYRAMID | {"network": "Baseline_CNN"}, faces={"size": 21}),
         "pictures of 21×21 are too small for Baseline_CNN\n  expected: at least 22×22"),
        (with_arms(PYRAMID, PYRAMID), "two arms have this name"),
        (with_arms({"name": "a"}), "needs either network or predictions"),
        (with_arms(PYRAMID | {"predictions": "a.csv"}), "needs either network or predictions"),
        (with_arms({"name": "a", "predictions": "a.csv", "epochs": 3}), "epochs has no meaning beside predictions"),
        (with_arms(PYRAMID | {"recipe": "other"}), "recipe: 'other' is not known"),
        (after(network="pyramid"), "arms.1 (b): network has no meaning beside from: nothing is trained"),
        (after(epochs=3), "arms.1 (b): epochs has no meaning beside from"),
        (after(oversample={"age": "child", "to": "parity"}), "arms.1 (b): oversample has no meaning beside from"),
        (after(placebo=True), "arms.1 (b): placebo has no meaning beside from"),
        (after(predictions="a.csv"), "arms.1 (b): predictions has no meaning beside from"),
        (after(temperature=None), "arms.1 (b): nothing is done to what the other arm predicts"),
        (after(**{"from": "c"}), "arms.1 (b).from: 'c' is not known"),
        (after(**{"from": "b"}), "arms.1 (b).from: b is made of another arm's predictions itself"),
        (after(ensemble="seeds"), "arms.1 (b).ensemble: there is one seed alone, 1"),
        (after(temperature={"by": "agee"}), "arms.1 (b).temperature.by: 'agee' is not known; did you mean 'age'?"),
        (after(thresholds={"by": "age*", "goal": "likelihood"}), "arms.1 (b).thresholds.by: 'age*' is not allowed"),
        (after(thresholds={"by": "class", "goal": "likelihood"}), "thresholds.by: 'class' holds the class, which"),
        (after(thresholds={"by": "age", "goal": "equal_recal"}), "did you mean 'equal_recall'?"),
        (after(thresholds={"by": "age"}), "arms.1.thresholds.goal: this key is missing"),
        (with_arms(PYRAMID | {"temperature": {}}), "arms.0 (a): temperature has no meaning without from"),
        (with_arms(PYRAMID, AFTERWARDS, AFTERWARDS | {"name": "c", "from": "b"}),
         "arms.2 (c).from: b is made of another arm's predictions itself"),
        (with_arms({"name": "a", "predictions": "a.csv"}, AFTERWARDS), "a brings predictions of its own"),
        ({"faces": {"drop": ["NFF > 0"]}}, "faces.drop.0: 'NFF' is not known; did you mean 'NF'?"),
        ({"faces": {"drop": ["NF >"]}}, "faces.drop.0: the rule 'NF >' cannot be read"),
        ({"faces": {"schemes": {"s": {"majority": ["angr", "fear"]}}}}, "schemes.s.majority.0: 'angr' is not known"),
        ({"faces": {"schemes": {"s": {"majority": ["fear", "fear"]}}}}, "'fear' stands twice"),
        ({"faces": {"schemes": {"s": {"share": 0.4}}}}, "needs either majority or classes"),
        (scheme({"label": "x", "when": "angr > 1"}, {"label": "y", "when": "NF > 0"}),
         "faces.schemes.s.classes.0.when: 'angr' is not known; did you mean 'anger'?"),
        (scheme({"label": "x", "when": "NF > 1"}, {"label": "x", "when": "NF > 0"}), "'x' stands twice"),
        ({"faces": {"labels": "emotion77"}}, "faces.labels: 'emotion77' is not known; did you mean 'emotion7'?"),
        ({"faces": {"source": "none"}}, "nothing to train on"),
        ({"faces": {"drawn": {"exact_duplicates": 0.5, "near_duplicates": 0.5}}}, "less than 1 in all"),
        ({"people": {"age_groups": {"child": [14, 3], "adult": [15, 99]}}}, "[14, 3] ends before it begins"),
        ({"people": {"age_groups": {"child": [0, 15], "adult": [15, 99]}}}, "overlap at 15"),
        ({"folds": {"count": 1000, "repeats": 1000}}, "networks for each arm"),
        ({"training": {"recipe": "publishe"}}, "did you mean 'published'?"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told(update: dict, message: str) -> None:
    config = merged(DEMO, update)
    assert message in told(config)


def test_an_arm_that_asks_has_defaults_and_trains_nothing() -> None:
    made = checked(merged(DEMO, with_arms(PYRAMID, ASKED | {"name": "b"})), SCHEMA)
    asked = made["arms"][1]["endpoint"]
    assert "{classes}" in asked["prompt"]
    assert asked["request"] == {"temperature": 0, "max_tokens": 20}
    assert (asked["key_from"], asked["budget"], asked["retries"], asked["synonyms"]) == (None, None, 6, {})
    assert trained_arms(made) == ["a"]
    assert asked_arms(made) == ["b"]
    assert asked_paths(made, "answers.csv") == ["results/demo/training/b/asked/answers.csv"]
    assert asked_settings(made, "b") == {"name": "b", "endpoint": asked}
    contrast = {"audit": {"contrasts": [{"before": "a", "after": "b"}]}}
    checked(merged(merged(DEMO, with_arms(PYRAMID, ASKED | {"name": "b"})), contrast), SCHEMA)


def test_a_placebo_may_not_hold_the_composition_that_is_compared() -> None:
    mixed = PYRAMID | {"name": "mixed", "composition": {"gender": "as_found"}}
    female = PYRAMID | {"name": "female", "composition": {"gender": {"female": 1}}}

    def compared(like: str) -> dict:
        arms = with_arms(mixed, female, {"name": "p", "like": like, "placebo": True})
        arms["audit"]["contrasts"] = [{"before": "mixed", "after": "female", "placebo": "p"}]
        return merged(DEMO, arms)

    assert checked(compared("mixed"), SCHEMA)["arms"][2]["composition"] == {"gender": "as_found"}
    assert "audit.contrasts.0.placebo: p is trained on the composition of female" in told(compared("female"))


def test_arms_that_are_made_of_others_are_allowed() -> None:
    longer = {"name": "c", "like": "b", "thresholds": {"by": "gender * age", "goal": "equal_shares"}, "tried": 4}
    arms = with_arms(PYRAMID, AFTERWARDS, longer, training={"seeds": [1, 2]})
    arms["audit"]["contrasts"] = [{"before": "a", "after": "c", "placebo": "b"}]
    made = {arm["name"]: arm for arm in checked(merged(DEMO, arms), SCHEMA)["arms"]}
    assert made["c"]["from"] == "a"
    assert made["c"]["temperature"] == {"by": "age", "minimum": 20, "strength": 1}
    assert made["c"]["thresholds"]["minimum"] == 20
    assert [made[name]["tried"] for name in "abc"] == [1, 1, 4]
    checked(merged(DEMO, with_arms(PYRAMID, {"name": "b", "from": "a", "temperature": {}})), SCHEMA)
    grid = {"training": {"seeds": [1, 2], "grid": {"channels": [16], "blocks": [4], "kernels": [3]}}}
    of_grid = {"name": "b", "from": "b16_n4_k3", "ensemble": "seeds"}
    checked(merged(DEMO, with_arms(of_grid, **grid)), SCHEMA)


def test_a_key_written_twice_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("study: a\naudit:\n  margin: 0.1\nseed: 1\naudit: {margin: 0.2}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"study.yaml, line 5: the key 'audit' stands in line 2 already"):
        check_written_once(path)
    for text in ("a: &x [*x]\n", "", "a: [", "- 1\n", "a: 1\nb: {a: 1}\n"):
        path.write_text(text, encoding="utf-8")
        check_written_once(path)


def test_a_file_that_holds_itself_is_told() -> None:
    config = copy.deepcopy(DEMO)
    config["audit"]["groups"] = config
    assert "the file never ends" in told(config)


def test_a_key_that_yaml_reads_as_no_text_is_told() -> None:
    assert "the key True is no text" in told(DEMO | {True: 1})
    assert "the key 5 is no text" in told(study(("audit", "groups"), {5: ["a"]}))


def test_a_whole_number_written_with_a_point_is_that_number() -> None:
    assert checked(study(("folds", "count"), 3.0), SCHEMA)["folds"]["count"] == 3
    assert isinstance(checked(study(("folds", "count"), 3.0), SCHEMA)["folds"]["count"], int)


def test_the_names_of_networks_are_those_of_the_registry() -> None:
    assert set(names.PRETRAINED) == set(BACKBONES)
    assert set(names.NAMED) == {*NETWORKS, *BACKBONES}
    for name in (*names.NAMED, *names.PUBLISHED, "B16_N8_FC2_K5_AP20", "b1_n1_k1", "PYRAMID"):
        assert names.is_known(name), name
    for name in ("b0_n1_k1", "b16_n8_k4", "b16_n8_fc2_k5", "b16_n8_k5_ap20", "b16_n8_k5_", "x"):
        assert not names.is_known(name), name
