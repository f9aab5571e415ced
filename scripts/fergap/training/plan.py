"""Which networks are trained, and in which jobs; standard library alone, because the workflow itself calls it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fergap.errors import UserError
from fergap.models.names import family_name
from fergap.study import entries, recognising
from fergap.training.recipe import recipe_of

Unit = tuple[int, int, int]
# what an arm is without its interventions; its composition is what a placebo is trained on, too
BARE = ("network", "weights", "tuned", "recipe", "epochs", "split", "folds", "label", "composition")
AFTER = ("ensemble", "temperature", "thresholds")  # what an arm may make of another's predictions, in this order
NO_TRAINING = (
    "recipe",
    "epochs",
    "split",
    "folds",
    "placebo",
    "tried",
)  # keys of an arm that its job has elsewhere, or not


def packs(seeds: list[int], repeats: int, folds: int, folds_per_job: int) -> list[list[Unit]]:
    """Return an arm's units of work, in the jobs that train them.

    A unit is one network: ``(seed, repeat, fold)``, repeats and folds counted from 0. Each job takes up to
    ``folds_per_job`` of them, in order of seed, repeat and fold.
    """
    units = [(s, r, f) for s in seeds for r in range(repeats) for f in range(folds)]
    return [units[i : i + folds_per_job] for i in range(0, len(units), folds_per_job)]


def _alike(config: Mapping) -> list[dict]:
    """Return the config's arms with the keys of those that they are ``like``."""
    named = {arm["name"]: arm for arm in config["arms"]}
    arms = []
    for arm in config["arms"]:
        base = named.get(arm.get("like"), {})
        taken = {k: v for k, v in base.items() if k in BARE or not arm.get("placebo")}
        arms.append({k: v for k, v in (taken | arm).items() if k != "like" or not base})
    return arms


def _numbers(entry: Mapping, above: str = "") -> list[str]:
    """Return the dotted keys of an entry's numbers."""
    found = []
    for key, value in entry.items():
        if isinstance(value, Mapping):
            found += _numbers(value, f"{above}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append(above + key)
    return found


def _changed(entry: Mapping, keys: list[str], value: float) -> dict:
    first, *rest = keys
    return dict(entry) | {first: _changed(entry[first], rest, value) if rest else value}


def points(arm: Mapping) -> list[dict]:
    """Return the arms along an arm's ``path``, one for each value, or the arm alone.

    They are named by the value, with p for the decimal point, as ``fair_0p1`` and ``fair_10``.

    Raises
    ------
    UserError
        The arm has no such number.
    """
    if not (path := arm.get("path")):
        return [dict(arm)]
    entry = {key: value for key, value in arm.items() if key != "path"}
    if path["of"] not in _numbers(entry):
        raise UserError(
            f"this arm has no number {path['of']!r}",
            where=f"config: arms ({arm['name']}): path.of",
            expected="one of " + ", ".join(_numbers(entry)) if _numbers(entry) else "a key such as penalty.….strength",
        )
    made = []
    for value in path["values"]:
        name = f"{arm['name']}_{value:g}".replace(".", "p").replace("+", "")
        made.append(_changed(entry, path["of"].split("."), value) | {"name": name})
    return made


def expanded(config: Mapping) -> list[dict]:
    """Return the config's arms as they are to be trained.

    An arm ``like`` another has its keys, where it does not state its own; a ``placebo`` has those alone that are no
    intervention, and its composition. An arm with a ``path`` becomes one arm for each of its values (see
    :func:`points`). Behind them stands one arm for each network of ``training.grid``, named after it. Expanding twice
    changes nothing.

    Raises
    ------
    UserError
        A path leads along a number that its arm does not have.
    """
    arms = [point for arm in _alike(config) for point in points(arm)]
    if grid := config["training"].get("grid"):
        given = {key: grid[key] for key in ("recipe", "epochs", "split") if grid.get(key) is not None}
        names = [family_name(b, n, k) for b in grid["channels"] for n in grid["blocks"] for k in grid["kernels"]]
        named = {arm["name"] for arm in arms}
        arms += [{"name": name, "network": name} | given for name in names if name not in named]
    return arms


def expanded_contrasts(config: Mapping) -> list[dict]:
    """Return the config's contrasts; one that names an arm with a ``path`` becomes one for each arm along it.

    Where the config has None, the first arm is compared with each other one that recognises what a face shows, but for
    the networks of ``training.grid``.
    """
    along = {arm["name"]: [point["name"] for point in points(arm)] for arm in _alike(config)}
    if config["audit"]["contrasts"] is None:
        skipped = recognising({"arms": _alike(config)})
        first, *others = [name for arm, names in along.items() if arm not in skipped for name in names] or [""]
        return [{"before": first, "after": other} for other in others]
    return [
        contrast | {"before": before, "after": after}
        for contrast in config["audit"]["contrasts"]
        for before in along.get(contrast["before"], [contrast["before"]])
        for after in along.get(contrast["after"], [contrast["after"]])
    ]


def arm_of(config: Mapping, name: str) -> dict:
    """Return an arm's entry."""
    return next(arm for arm in config["arms"] if arm["name"] == name)


def split_of(config: Mapping, arm: str) -> list[float] | None:
    """Return the shares of an arm's training, validation and test part, or None where it is cross-validated."""
    return arm_of(config, arm).get("split") or config["folds"].get("split")


def left_out(config: Mapping, arm: str) -> list[str]:
    """Return the sources of faces of which each is left out by one fold of an arm, in order; none as a rule."""
    by = arm_of(config, arm).get("folds", {}).get("by")
    return [entry["name"] for entry in entries(config["faces"])] if by else []


def unseen(config: Mapping) -> dict[str, str]:
    """Return the arms that leave sources out, each with the first arm that is the same but for that.

    An arm without one is not there.
    """

    def bare(arm: Mapping) -> dict:
        return {key: value for key, value in arm.items() if key not in ("name", "folds", "tried")}

    seen = [arm for arm in config["arms"] if not arm.get("folds")]
    pairs = (
        (arm["name"], next((other["name"] for other in seen if bare(other) == bare(arm)), None))
        for arm in config["arms"]
        if arm.get("folds")
    )
    return {arm: other for arm, other in pairs if other}


def arm_packs(config: Mapping, arm: str) -> list[list[Unit]]:
    """Return the packs of one trained arm: all folds of all repeats.

    Where it has a single split there is one unit for each seed, where it leaves sources out one for each of these.
    """
    training, folds = config["training"], config["folds"]
    repeats, count = (1, 1) if split_of(config, arm) else (folds["repeats"], folds["count"])
    if sources := left_out(config, arm):
        repeats, count = 1, len(sources)
    return packs(training["seeds"], repeats, count, training["folds_per_job"])


def trained_arms(config: Mapping) -> list[str]:
    """Return the names of the arms that train a network."""
    others = ("predictions", "from", "endpoint")
    return [arm["name"] for arm in config["arms"] if not any(arm.get(key) for key in others)]


def asked_arms(config: Mapping) -> list[str]:
    """Return the names of the arms that ask a model behind an address."""
    return [arm["name"] for arm in config["arms"] if arm.get("endpoint")]


def asked_settings(config: Mapping, arm: str) -> dict:
    """Return what decides what an arm asks, and whom: ``name`` and ``endpoint``."""
    return {key: arm_of(config, arm)[key] for key in ("name", "endpoint")}


def asked_paths(config: Mapping, table: str) -> list[str]:
    """Return the path of ``table`` in every arm that asks a model behind an address."""
    return [f"results/{config['study']}/training/{arm}/asked/{table}" for arm in asked_arms(config)]


def derived_arms(config: Mapping) -> dict[str, str]:
    """Return the arms that are made of another's predictions: name to the other's name."""
    return {arm["name"]: arm["from"] for arm in config["arms"] if arm.get("from")}


def derived_settings(config: Mapping, arm: str) -> dict:
    """Return what decides how an arm is made of another's predictions: ``name``, ``from`` and its keys of ``AFTER``."""
    entry = arm_of(config, arm)
    return {key: entry[key] for key in ("name", "from", *AFTER) if key in entry}


def tried(config: Mapping) -> dict[str, int]:
    """Return by arm how many settings were tried before its own were taken, as the study declares it."""
    return {arm["name"]: arm.get("tried", 1) for arm in config["arms"]}


def external_arms(config: Mapping) -> dict[str, str]:
    """Return the arms that bring predictions of their own: name to file."""
    return {arm["name"]: arm["predictions"] for arm in config["arms"] if arm.get("predictions")}


def given_weights(config: Mapping) -> dict[str, str]:
    """Return the arms that start from a file of weights: name to file."""
    found = {arm["name"]: arm.get("weights", "none") for arm in config["arms"]}
    return {name: weights for name, weights in found.items() if weights not in ("none", "imagenet")}


def given_features(config: Mapping) -> dict[str, str]:
    """Return the arms whose alignment compares pictures by a network from a file: name to file."""
    found = {arm["name"]: arm.get("alignment", {}).get("features", "random") for arm in config["arms"]}
    return {name: features for name, features in found.items() if features != "random"}


def pack_paths(config: Mapping, table: str, arms: Sequence[str] | None = None) -> list[str]:
    """Return the path of ``table`` (such as ``history.csv``) in every job of some trained arms, by default of all."""
    return [
        f"results/{config['study']}/training/{arm}/pack_{i}/{table}"
        for arm in (trained_arms(config) if arms is None else arms)
        for i in range(len(arm_packs(config, arm)))
    ]


def composed(config: Mapping, entry: Mapping) -> dict:
    """Return what decides the composition of an arm's training part (see :func:`fergap.training.compositions.compose`).

    Where no size is set, this holds every composition of the study, because all of them have to be had at one size: an
    arm with another composition may then change the size, and so train the others again.
    """
    size = config["training"].get("composition_size")
    study = {json.dumps(arm["composition"], sort_keys=True) for arm in config["arms"] if arm.get("composition")}
    return {
        "shares": entry["composition"],
        "study": [] if size else [json.loads(text) for text in sorted(study)],
        "size": size,
    }


def derived_paths(config: Mapping, table: str) -> list[str]:
    """Return the path of ``table`` in every arm that is made of another's predictions."""
    return [f"results/{config['study']}/training/{arm}/{table}" for arm in derived_arms(config)]


def job_settings(config: Mapping, arm: str, pack: int) -> dict:
    """Return what decides the result of one training job, and nothing else of the config.

    So another arm, recipe or seed added to the config trains nothing again; an arm with another composition may (see
    :func:`composed`).

    Returns
    -------
    dict
        ``arm`` (without its recipe and epochs; its composition as :func:`composed` gives it), ``units``, ``recipe``,
        ``scheme`` (what made the labels, where the recipe has soft ones), ``epochs``, ``device``, ``precision``,
        ``folds`` (``count``, ``validation``, ``keep_together``, ``split``, and ``by`` with the sources that are left
        out in turn, if they are), ``seed``, ``stream`` (the name under which
        random numbers derive from it) and ``published`` (whether the test part's accuracy is recorded at each epoch);
        plain values throughout.
    """
    training, folds = config["training"], config["folds"]
    entry = arm_of(config, arm)
    recipe, epochs = recipe_of(entry, training)
    own = {key: value for key, value in entry.items() if key not in NO_TRAINING}
    dealt = {k: folds[k] for k in ("count", "validation", "keep_together")} | {"split": split_of(config, arm)}
    if sources := left_out(config, arm):
        dealt |= {"count": len(sources), "split": None, "by": sources}
    soft = recipe.soft_labels and arm not in recognising(config)  # the taggers voted on what a face shows
    return {
        "arm": own | ({"composition": composed(config, entry)} if entry.get("composition") else {}),
        "units": arm_packs(config, arm)[pack],
        "recipe": asdict(recipe),
        "scheme": scheme_of(config["faces"]) if soft else None,
        "epochs": epochs,
        "device": training["device"],
        "precision": training["precision"],
        "folds": dealt,
        "seed": config["seed"],
        "stream": f"placebo {arm}" if entry.get("placebo") else "training",
        "published": bool(training.get("report_published_protocol")),
    }


def check_device(config: Mapping) -> None:
    """Raise a UserError if there is something to train on a GPU and this machine shows no sign of one."""
    done = all(Path(path).exists() for path in pack_paths(config, "runs.csv"))
    found = shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists()
    if config["training"]["device"] == "cuda" and not done and not found:
        raise UserError(
            "cuda is asked for, and this machine has no NVIDIA GPU",
            where="training: device",
            fix="run where there is one, or set training: device to auto or cpu",
        )


def scheme_of(faces: Mapping) -> dict:
    """Return the scheme that makes the labels, and its name, from the config's ``faces``."""
    return {"name": faces["labels"], "scheme": faces["schemes"][faces["labels"]]}


def unit_name(unit: Unit) -> str:
    """Return the stem of a unit's files."""
    seed, repeat, fold = unit
    return f"seed_{seed}_repeat_{repeat}_fold_{fold}"


def unit_label(unit: Unit, folds: int, seeds: int = 1) -> str:
    """Return what progress calls a unit, such as ``fold 3 of 10``; people count from 1."""
    seed, repeat, fold = unit
    part = f"fold {fold + 1} of {folds}" if folds > 1 else "one split"
    return part + f", repeat {repeat + 1}" * bool(repeat) + f", seed {seed}" * bool(seeds > 1)
