"""Which networks are trained, and in which jobs; standard library alone, because the workflow itself calls it."""

from collections.abc import Mapping
from dataclasses import asdict

from fergap.training.recipe import recipe_of

Unit = tuple[int, int, int]


def packs(seeds: list[int], repeats: int, folds: int, folds_per_job: int) -> list[list[Unit]]:
    """Return an arm's units of work, in the jobs that train them.

    A unit is one network: ``(seed, repeat, fold)``, repeats and folds counted from 0. Each job takes up to
    ``folds_per_job`` of them, in order of seed, repeat and fold.
    """
    units = [(s, r, f) for s in seeds for r in range(repeats) for f in range(folds)]
    return [units[i : i + folds_per_job] for i in range(0, len(units), folds_per_job)]


def config_packs(config: Mapping) -> list[list[Unit]]:
    """Return the packs that the whole config asks for; they are the same for every trained arm."""
    training, folds = config["training"], config["folds"]
    return packs(training["seeds"], folds["repeats"], folds["count"], training["folds_per_job"])


def trained_arms(config: Mapping) -> list[str]:
    """Return the names of the arms that train a network."""
    return [arm["name"] for arm in config["arms"] if not arm.get("predictions")]


def external_arms(config: Mapping) -> dict[str, str]:
    """Return the arms that bring predictions of their own: name to file."""
    return {arm["name"]: arm["predictions"] for arm in config["arms"] if arm.get("predictions")}


def pack_paths(config: Mapping, table: str) -> list[str]:
    """Return the path of ``table`` (such as ``history.csv``) in every job of every trained arm."""
    return [
        f"results/{config['study']}/training/{arm}/pack_{i}/{table}"
        for arm in trained_arms(config)
        for i in range(len(config_packs(config)))
    ]


def job_settings(config: Mapping, arm: str, pack: int) -> dict:
    """Return what decides the result of one training job, and nothing else of the config.

    So another arm, recipe or seed added to the config trains nothing again.

    Returns
    -------
    dict
        ``arm`` (without its recipe and epochs), ``units``, ``recipe``, ``epochs``, ``device``, ``precision``,
        ``folds`` (``count``, ``validation``, ``keep_together``) and ``seed``; plain values throughout.
    """
    training, folds = config["training"], config["folds"]
    entry = next(a for a in config["arms"] if a["name"] == arm)
    recipe, epochs = recipe_of(entry, training)
    return {
        "arm": {key: value for key, value in entry.items() if key not in ("recipe", "epochs")},
        "units": config_packs(config)[pack],
        "recipe": asdict(recipe),
        "epochs": epochs,
        "device": training["device"],
        "precision": training["precision"],
        "folds": {key: folds[key] for key in ("count", "validation", "keep_together")},
        "seed": config["seed"],
    }


def unit_name(unit: Unit) -> str:
    """Return the stem of a unit's files."""
    seed, repeat, fold = unit
    return f"seed_{seed}_repeat_{repeat}_fold_{fold}"


def unit_label(unit: Unit, folds: int, seeds: int = 1) -> str:
    """Return what progress calls a unit, such as ``fold 3 of 10``; people count from 1."""
    seed, repeat, fold = unit
    return f"fold {fold + 1} of {folds}" + f", repeat {repeat + 1}" * bool(repeat) + f", seed {seed}" * bool(seeds > 1)
