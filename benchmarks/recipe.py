"""What each ingredient of a recipe is worth: the recipe whole, and without one after the other, on the same faces.

Every row is trained and tested on the same folds with the same seed; its epoch is chosen on the validation part, its
accuracy is that of the test faces, and its difference to the whole recipe is paired by face (Bonett and Price's
interval). The study's faces, people and folds must be there:

    snakemake --cores 2 --configfile studies/fer2013-cpu-strong.yaml --until split_folds
    python benchmarks/recipe.py [--study studies/fer2013-cpu-strong.yaml] [--recipe strong] [--folds 0]

What is trained already is not trained again.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fergap import tables
from fergap.audit.proportions import bonett_price
from fergap.config import checked
from fergap.training.pack import train_pack
from fergap.training.plan import job_settings
from fergap.training.recipe import Recipe

HERE = Path(__file__).resolve().parent
# ingredients that mean nothing without one another
TOGETHER = [
    ("optimizer", "weight_decay", "decay_all", "momentum"),
    ("schedule", "warmup", "learning_rate"),
    ("rotation", "shift", "zoom"),
    ("brightness", "contrast"),
]
CONFIDENCE = 0.95


def merged(base: dict, change: dict) -> dict:
    """Return the configuration that Snakemake makes of two: mappings merged, everything else replaced."""
    nested = {k: merged(base[k], v) for k, v in change.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return base | change | nested


def without(recipe: dict, published: dict) -> Iterator[tuple[str, dict]]:
    """Yield the recipe without each of its ingredients, that is as the published recipe has it, and what that is."""
    for keys in [*TOGETHER, *[(k,) for k in recipe if not any(k in group for group in TOGETHER)]]:
        changed = [k for k in keys if recipe[k] != published[k]]
        if changed:
            yield (
                ", ".join(k.replace("_", " ") for k in changed) + " as published",
                recipe | {k: published[k] for k in keys},
            )


def trained(config: dict, arm: dict, recipe: dict, folds: list[int], workers: int, folder: Path) -> pd.DataFrame:
    """Return the test faces' predictions of one row of the table, with the seconds of training in ``attrs``."""
    seed = config["training"]["seeds"][0]
    training = config["training"] | {"recipe": "tried", "recipes": {"tried": recipe}}
    entry = {k: v for k, v in arm.items() if k != "recipe"}
    job = job_settings(config | {"training": training, "arms": [entry]}, arm["name"], 0)
    job["units"] = [[seed, 0, fold] for fold in folds]
    results = Path("results") / config["study"]
    kept = folder / "job.json"
    if not kept.exists() or json.loads(kept.read_text(encoding="utf-8")) != json.loads(json.dumps(job)):
        train_pack(
            job,
            faces=results / "faces" / "faces.parquet",
            people=results / "people" / "people.parquet",
            folds=results / "training" / "folds.parquet",
            pixels=results / "faces" / "pixels.npy",
            workers=workers,
            checkpoints=folder / "checkpoints",
            weights=folder / "weights",
            **{n: folder / f"{n}.csv" for n in ("history", "composition", "runs")},
            predictions=folder / "predictions.parquet",
        )
        kept.write_text(json.dumps(job), encoding="utf-8")
    found = tables.read(folder / "predictions.parquet", "predictions").query("role == 'test'")
    found = found.sort_values(["fold", "image_id"], ignore_index=True)
    found.attrs["seconds"] = float(tables.read(folder / "runs.csv", "runs")["seconds"].sum())
    return found


def probability_of_truth(predictions: pd.DataFrame) -> np.ndarray:
    """Return the probability that each face's own class was given, at least 1e-12: (n,)."""
    names = [c for c in predictions if c.startswith("p_")]
    place = predictions["true"].map({c.removeprefix("p_"): i for i, c in enumerate(names)}).to_numpy()
    return np.maximum(predictions[names].to_numpy()[np.arange(len(place)), place], 1e-12)


def points(share: float, sign: str = "") -> str:
    """Return a share in percentage points with a typographic minus."""
    return f"{100 * share:{sign}.1f}".replace("-", "\N{MINUS SIGN}")


def table(rows: list[dict], recipe: str) -> str:
    """Return the rows as a Markdown table."""
    lines = [f"| recipe | accuracy, % | minus {recipe}, points [95 %] | cross-entropy | s |", "| --- " * 5 + "|"]
    for r in rows:
        change = f"{points(r['difference'], '+')} [{points(r['ci_low'])}, {points(r['ci_high'])}]"
        cells = [r["recipe"], points(r["accuracy"]), "" if r["recipe"] == recipe else change]
        cells += [f"{r['cross_entropy']:.3f}", f"{r['seconds']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def row(name: str, own: pd.DataFrame, whole: pd.DataFrame) -> dict:
    """Return one row of the table: accuracy, and how it differs from the whole recipe's on the same faces."""
    if not own["image_id"].equals(whole["image_id"]):
        raise RuntimeError(f"{name} was tested on other faces")
    right, other = (t["predicted"].eq(t["true"]).to_numpy() for t in (own, whole))
    lost, gained = int((other & ~right).sum()), int((right & ~other).sum())
    low, high = bonett_price(lost, gained, len(right), CONFIDENCE)
    return {
        "recipe": name,
        "n": len(right),
        "accuracy": float(right.mean()),
        "difference": (gained - lost) / len(right),
        "ci_low": low,
        "ci_high": high,
        "lost": lost,
        "gained": gained,
        "cross_entropy": float(-np.log(probability_of_truth(own)).mean()),
        "seconds": own.attrs["seconds"],
    }


def main() -> None:
    """Train, compare, print and write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--study", type=Path, default=HERE.parent / "studies" / "fer2013-cpu-strong.yaml")
    options.add_argument("--recipe", default="strong")
    options.add_argument("--arm", default="baseline", help="the arm whose network and epochs are taken")
    options.add_argument("--folds", type=int, nargs="+", default=[0])
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--out", type=Path, default=HERE / "recipe.json")
    asked = options.parse_args()
    change = yaml.safe_load(asked.study.read_text(encoding="utf-8"))
    base = yaml.safe_load((HERE.parent / "config.yaml").read_text(encoding="utf-8"))
    config = checked(merged(base, change), HERE.parent / "schemas" / "config.schema.yaml")
    arm = next(a for a in config["arms"] if a["name"] == asked.arm)
    off = asdict(Recipe())
    published, strong = (off | config["training"]["recipes"][name] for name in ("published", asked.recipe))
    tried = [(asked.recipe, arm["network"], strong), ("published", arm["network"], published)]
    tried += [(name, arm["network"], recipe) for name, recipe in without(strong, published)]
    if arm["network"] != "pyramid":
        tried.append(("network pyramid", "pyramid", strong))
    folder = Path("results") / config["study"] / "recipe"
    found = {}
    for name, network, recipe in tried:
        entry = arm | {"network": network}
        found[name] = trained(config, entry, recipe, asked.folds, asked.workers, folder / name.replace(" ", "_"))
        said = row(name, found[name], found[asked.recipe])
        print(f"{name}: {said['accuracy']:.4f} of {said['n']} test faces", flush=True)
    rows = [
        row(name, found[name], found[asked.recipe]) for name in ["published", *(n for n in found if n != "published")]
    ]
    runs = tables.read(folder / asked.recipe / "runs.csv", "runs").iloc[0]
    said = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python benchmarks/recipe.py", *sys.argv[1:]]),
        "study": config["study"],
        "network": arm["network"],
        "epochs": int(runs["epochs"]),
        "folds": asked.folds,
        "faces": rows[0]["n"],
        "device": runs["device"],
        "precision": runs["precision"],
        "torch": runs["torch"],
        "confidence": CONFIDENCE,
        "recipes": {name: recipe for name, _, recipe in tried},
        "rows": rows,
    }
    asked.out.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    print(table(rows, asked.recipe))


if __name__ == "__main__":
    main()
