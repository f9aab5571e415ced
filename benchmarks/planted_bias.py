"""How much of a planted gap each intervention removes, and how often the audit's verdict about it is wrong.

Faces are drawn so that children are recognised as often as adults, or 3 or 6 points less often, for one of three
reasons: they are under-represented in training (and express themselves in a way of their own), their expressions are
weaker, or their training labels are wrong. The strength of each mechanism is the one at which networks trained without
an intervention have that gap in the population, on average over seeds; it is found once (--calibrate) and kept in
planted_bias.json. Then, for every seed, every intervention trains on the same faces; its gap in the population, on
thousands of fresh faces, is the truth against which the audit of fresh faces of its own is judged.

    python benchmarks/planted_bias.py --seeds 20 --cores 2
    python benchmarks/planted_bias.py --calibrate --seeds 6 --cores 2

What is done already (in --folder) is not done again. The numbers do not depend on --cores.
"""

import argparse
import json
import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fergap.audit.changes import gap_change
from fergap.audit.counts import PairedSplit, Split, tabulate
from fergap.audit.gaps import tests
from fergap.audit.settings import Contrast, Settings
from fergap.audit.verdicts import change_verdicts, gap_verdicts
from fergap.config import checked
from fergap.faces.cues import CUES, EXPRESSIONS, SHARES, move
from fergap.faces.looks import looks
from fergap.faces.sketch import sketch
from fergap.files import whole, write_text
from fergap.seeds import generator

Row = dict[str, Any]
HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent / "schemas" / "config.schema.yaml"
README = HERE.parent / "README.md"
BEGIN, END = "<!-- planted bias: begin -->", "<!-- planted bias: end -->"
GAPS = (0, 3, 6)  # points by which children are to be recognised less often
GROUPS = ("adult", "child")
CONFIDENCE = 0.95
STYLE = 0.5  # of children under --under-representation: how far they express themselves in a way of their own
# mechanism: how a reader calls it, and the settings among which --calibrate looks
MECHANISMS = {
    "signal": ("weaker signal", (1.00, 1.15, 1.30, 1.50)),
    "labels": ("label noise", (0.0, 0.2, 0.4, 0.6)),
    "representation": ("under-representation", (0.10, 0.16, 0.22, 0.30, 0.40)),
}
BASELINE = "baseline"
OTHERS = 1001  # first seed of the calibration
# an intervention is a dict of an arm's options, as in a study; those that this version does not know are left out
ARMS: dict[str, dict] = {
    BASELINE: {},
    "oversample": {"oversample": {"age": "child", "to": "parity"}},
    "undersample": {"undersample": {"age": "adult", "to": "parity"}},
    "reweight": {"reweight": {"by": "age"}},
    "reweight by class": {"reweight": {"by": "age*class"}},
    "group DRO": {"group_dro": {"by": "age"}},
    "equalised odds": {"penalty": {"equalized_odds": {"by": "age", "strength": 10}}},
    "adversary": {"adversary": {"by": "age", "strength": 1}},
    "symmetric loss": {"loss": {"symmetric_cross_entropy": {"alpha": 0.1, "beta": 1.0}}},
}


@dataclass(frozen=True)
class Sizes:
    """How much is drawn and trained.

    Attributes
    ----------
    side : int
        Of the pictures, in pixels.
    train, audit : int
        Faces of a seed, the validation part among those of ``train``.
    population, pool : int
        Children, and as many adults, on whom a network's truth is measured: a draw for each seed out of a pool.
    children : float
        Their share in the audit, and in training where they are not under-represented.
    margin : float
        Of equivalence.
    """

    side: int = 24
    train: int = 1500
    audit: int = 3000
    population: int = 3000
    pool: int = 12_000
    children: float = 0.3
    epochs: int = 12
    network: str = "pyramid"
    validation: float = 0.15
    margin: float = 0.05


@dataclass(frozen=True)
class Condition:
    """What is planted: how children express themselves, their share in training, and how many labels are wrong."""

    strength: float = 1.0
    style: float = 0.0
    children: float = 0.3
    noise: float = 0.0

    @property
    def kind(self) -> tuple[float, float]:
        """What decides how children look."""
        return self.strength, self.style


@dataclass(frozen=True)
class Faces:
    """Drawn faces of one age group: (n, side, side) uint8 pixels and (n,) positions of their expressions."""

    pixels: np.ndarray
    expression: np.ndarray

    def part(self, rows: np.ndarray) -> "Faces":
        return Faces(self.pixels[rows], self.expression[rows])


def draw(n: int, child: bool, kind: tuple[float, float], side: int, *names: str | int) -> Faces:
    """Draw ``n`` faces of adults or children from the random stream of ``names``."""
    rng = generator(0, "planted bias", "child" if child else "adult", *names)
    own = np.full(n, child)
    female = rng.random(n) < 0.5
    age = rng.integers(3, 13, n) if child else rng.integers(20, 76, n)
    expression = rng.choice(len(EXPRESSIONS), n, p=SHARES)
    strength = 0.6 + 0.4 * rng.beta(2.5, 1.5, n)
    truth = {"child_strength": kind[0], "child_style": kind[1], "gender_strength": 1.0}
    cues = move(expression, strength, own, female, truth, rng)
    traits = looks(female, age, rng) | dict(zip(CUES, cues.T, strict=True))
    return Faces(sketch(traits, rng, side), expression)


def pool_file(folder: Path, child: bool, kind: tuple[float, float], sizes: Sizes) -> Path:
    kind = kind if child else (1.0, 0.0)
    name = f"{'child' if child else 'adult'}_{kind[0]:.4f}_{kind[1]:.4f}_{sizes.side}_{sizes.pool}"
    return folder / "pools" / f"{name}.npz"


def draw_pool(path: Path, child: bool, kind: tuple[float, float], sizes: Sizes) -> None:
    """Draw the population's faces of one age group, unless they are there."""
    if not path.exists():
        faces = draw(sizes.pool, child, kind, sizes.side, "population", *(kind if child else ()))
        with whole(path) as draft, open(draft, "wb") as file:
            np.savez(file, pixels=faces.pixels, expression=faces.expression)


def load_pool(path: Path) -> Faces:
    with np.load(path, allow_pickle=False) as found:
        return Faces(found["pixels"], found["expression"])


def parts_of(condition: Condition, seed: int, sizes: Sizes, folder: Path) -> dict[str, dict[str, Faces]]:
    """Return the faces of training, audit and population by age group; only training may lack children."""
    found: dict[str, dict[str, Faces]] = {}
    for part, total, share in (("train", sizes.train, condition.children), ("audit", sizes.audit, sizes.children)):
        children = round(total * share)
        found[part] = {
            "adult": draw(total - children, False, (1.0, 0.0), sizes.side, part, seed),
            "child": draw(children, True, condition.kind, sizes.side, part, seed),
        }
    found["population"] = {}
    for group in GROUPS:
        pool = load_pool(pool_file(folder, group == "child", condition.kind, sizes))
        rows = generator(seed, "planted bias", "population", group).permutation(len(pool.expression))
        found["population"][group] = pool.part(rows[: sizes.population])
    return found


def wrong_labels(expression: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return labels of which about ``share`` are another expression, each as likely."""
    wrong = rng.random(len(expression)) < share
    other = (expression + rng.integers(1, len(EXPRESSIONS), len(expression))) % len(EXPRESSIONS)
    return np.where(wrong, other, expression)


def tables_of(
    parts: Mapping[str, Mapping[str, Faces]], condition: Condition, seed: int
) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return pixels and the tables ``faces`` (with column ``part``), ``people`` and ``folds``, as training reads them.

    Labels are wrong in the training part alone, where its children's are to be; audit and population know the truth.
    """
    pixels, rows = [], []
    for part, groups in parts.items():
        for group, faces in groups.items():
            label = faces.expression
            if part == "train" and group == "child":
                label = wrong_labels(label, condition.noise, generator(seed, "planted bias", "labels"))
            pixels.append(faces.pixels)
            rows.append(pd.DataFrame({"part": part, "group": group, "label": np.array(EXPRESSIONS)[label]}))
    faces = pd.concat(rows, ignore_index=True)
    faces = faces.assign(row=np.arange(len(faces)), image_id=[f"f{i:06d}" for i in range(len(faces))])
    people = pd.DataFrame({"image_id": faces["image_id"], "attribute": "age", "group": faces["group"]})
    fold = (faces["part"] == "train").astype(int)  # fold 0 is tested by a network that the rest trains
    folds = pd.DataFrame({"image_id": faces["image_id"], "repeat": 0, "fold": fold})
    return np.concatenate(pixels), faces, people, folds


def known(options: Mapping) -> bool:
    """Return whether this version has every option."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return set(options) <= set(schema["properties"]["arms"]["items"]["properties"])


def job_of(options: Mapping, seed: int, sizes: Sizes) -> dict:
    """Return the job that trains one arm on one seed's faces."""
    from fergap.training.plan import job_settings

    config = yaml.safe_load((HERE.parent / "config.yaml").read_text(encoding="utf-8"))
    recipe = {
        "learning_rate": 0.004,
        "schedule": "one_cycle",
        "batch_size": 64,
        "flip": 0.5,
        "rotation": 0,
        "shift": 0.05,
    }
    config["seed"], config["study"] = 1, "planted-bias"
    config["faces"] |= {"near_duplicate": 1.0}
    config["folds"] |= {"count": 2, "repeats": 1, "validation": sizes.validation, "keep_together": [], "split": None}
    config["training"] |= {"device": "cpu", "precision": "fp32", "epochs": sizes.epochs, "recipes": {"drawn": recipe}}
    config["training"] |= {"recipe": "drawn", "seeds": [seed], "report_published_protocol": False, "grid": None}
    config["arms"] = [{"name": "arm", "network": sizes.network} | dict(options)]
    config["audit"] |= {"attributes": ["age"], "contrasts": []}
    job = job_settings(checked(config, SCHEMA), "arm", 0)
    return job | {"units": [[seed, 0, 0]]}


def predict(
    options: Mapping,
    seed: int,
    sizes: Sizes,
    pixels: np.ndarray,
    faces: pd.DataFrame,
    people: pd.DataFrame,
    folds: pd.DataFrame,
) -> np.ndarray:
    """Train one network and return the class that it says for every face, as positions among the sorted labels."""
    from fergap.training.device import choose_device
    from fergap.training.pack import make_tasks
    from fergap.training.together import train_together
    from fergap.training.unit import Voice

    silent = Voice(report=lambda count, note: None, say=lambda line: None, tick=lambda: None)
    job = job_of(options, seed, sizes)
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        np.save(place / "pixels.npy", pixels)
        device = choose_device(job["device"], job["precision"])
        tasks, _ = make_tasks(job, faces, people, folds, place / "pixels.npy", device, place, place / "weights")
        return train_together(tasks, silent)[0].probabilities.argmax(1)


def counted(before: np.ndarray, after: np.ndarray, true: np.ndarray, child: np.ndarray) -> np.ndarray:
    """Return the count of faces by group, true class, and class said before and after: (2, c, c, c) int."""
    classes = len(EXPRESSIONS)
    every = np.full(len(true), True)
    return tabulate([child.astype(np.int64), true, before, after], [2, classes, classes, classes], every)


def judged(table: np.ndarray, margin: float) -> Row:
    """Return the audit's estimate and verdict of the gap after, and its estimate and verdict on the change.

    ``table`` is that of :func:`counted`; it is what is kept of a network, so that the audit may judge it anew.
    """
    contrast = Contrast("before", "after")
    settings = Settings(margin, CONFIDENCE, 100, 10, 0, (contrast,))
    paired = PairedSplit("age", GROUPS, 0, table)
    split = Split("age", GROUPS, 0, table.sum(2))
    found = next(row for row in tests("after", split, EXPRESSIONS, settings) if row["primary"])
    key = ("after", "age", "child", "adult")
    verdict = next(
        gap_verdicts("after", split, {key: found | {"p_adjusted": found["p_value"], "adjustment": None}}, settings)
    )
    _, change = gap_change(paired.pairs_of(1), paired.pairs_of(0), CONFIDENCE)
    tested = {"p_value": change.p_value, "p_adjusted": change.p_value, "adjustment": None, "status": "ok"}
    changed = next(change_verdicts(contrast, paired, {(contrast.name, *key[1:]): tested}, settings))
    found = {"audit_gap": verdict["estimate"], "verdict": verdict["verdict"]}
    return found | {"audit_change": changed["estimate"], "change_verdict": changed["verdict"]}


def shares_right(said: np.ndarray, true: np.ndarray, child: np.ndarray) -> tuple[float, float]:
    """Return the accuracy among adults and among children."""
    right = said == true
    return float(right[~child].mean()), float(right[child].mean())


def wrong_verdict(verdict: str, estimate: float, gap: float, margin: float) -> bool:
    """Return whether a verdict on a gap is wrong about the network's own gap in the population.

    *Equivalent* is, where the gap reaches the margin; *gap*, where the gap has the other sign. *Undecided* never is.
    """
    if verdict == "equivalent":
        return abs(gap) >= margin
    return verdict == "gap" and estimate * gap <= 0


def wrong_change(verdict: str, estimate: float, before: float, after: float, margin: float) -> bool:
    """Return whether a verdict on the change of a gap is wrong about the two networks' gaps in the population.

    ``estimate`` is the change that the audit found; *moved* names no more than its direction.
    """
    if "equivalent" in verdict and "not shown equivalent" not in verdict and abs(after) >= margin:
        return True
    if verdict.startswith("narrowed"):
        return abs(after) >= abs(before)
    if verdict == "reversed":
        return before * after >= 0
    if verdict.startswith("moved"):
        return (after - before) * estimate <= 0
    return verdict == "widened" and abs(after) <= abs(before)


def cell(
    condition: Condition, seed: int, sizes: Sizes, arms: Mapping[str, Mapping], folder: Path, done: Path
) -> list[Row]:
    """Train the arms that ``done`` does not hold yet on one seed's faces, and return the rows of all."""
    kept = json.loads(done.read_text(encoding="utf-8")) if done.exists() else {}
    names = [BASELINE, *(name for name in arms if name != BASELINE)]
    if missing := [name for name in names if name not in kept or kept[name]["options"] != arms[name]]:
        pixels, faces, people, folds = tables_of(parts_of(condition, seed, sizes, folder), condition, seed)
        classes = sorted(EXPRESSIONS)
        true = faces["label"].map({c: i for i, c in enumerate(classes)}).to_numpy()
        child = (faces["group"] == "child").to_numpy()
        audit, population = ((faces["part"] == part).to_numpy() for part in ("audit", "population"))
        base: np.ndarray | None = None
        for name in missing if missing[0] == BASELINE else [BASELINE, *missing]:
            started = time.perf_counter()
            said = predict(arms[name], seed, sizes, pixels, faces, people, folds)
            base = said if base is None else base
            adult, own = shares_right(said[population], true[population], child[population])
            row = {"options": dict(arms[name]), "adult": adult, "child": own, "gap": own - adult}
            table = counted(base[audit], said[audit], true[audit], child[audit])
            row |= {"shape": table.shape, "counts": table.ravel().tolist()}
            kept[name] = row | {"seconds": round(time.perf_counter() - started, 2)}
        write_text(json.dumps(kept, indent=1), done)
    return [{"arm": name, "seed": seed} | kept[name] for name in names]


def fingerprint(condition: Condition, sizes: Sizes) -> str:
    """Return eight letters that differ for another condition or other sizes."""
    return sha256(json.dumps([asdict(condition), asdict(sizes)], sort_keys=True).encode()).hexdigest()[:8]


def trained(
    jobs: Sequence[tuple[Condition, int]], sizes: Sizes, arms: Mapping[str, Mapping], folder: Path, cores: int
) -> Iterator[tuple[int, list[Row]]]:
    """Yield the position of each job and its rows, as they get ready; what ``folder`` holds is read."""
    kinds = {pool_file(folder, child, c.kind, sizes): (child, c.kind) for c, _ in jobs for child in (False, True)}
    started = time.perf_counter()
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in [pool.submit(draw_pool, path, *kind, sizes) for path, kind in kinds.items()]:
            future.result()
        futures = {}
        for job in dict.fromkeys(jobs):  # no mechanism at all is the same condition under two names
            done = folder / "cells" / f"{fingerprint(job[0], sizes)}_{job[1]}.json"
            futures[pool.submit(cell, *job, sizes, arms, folder, done)] = job
        for count, future in enumerate(as_completed(futures), start=1):
            spent = time.perf_counter() - started
            print(f"{count} of {len(futures)} done, {spent:,.0f} s", file=sys.stderr, flush=True)
            found = future.result()
            yield from ((i, found) for i, job in enumerate(jobs) if job == futures[future])


def condition_of(mechanism: str, setting: float, base: Mapping[str, float]) -> Condition:
    """Return a mechanism at one setting; ``base`` holds the strengths at which there is no gap without it."""
    if mechanism == "signal":
        return Condition(strength=setting)
    if mechanism == "labels":
        return Condition(strength=base["signal"], noise=setting)
    return Condition(strength=base["style"], style=STYLE, children=setting)


def solved(settings: Sequence[float], gaps: Sequence[float], wanted: float) -> float:
    """Return the setting at which a gap, made monotone over the settings and linear between them, is ``wanted``.

    Neighbours in the wrong order are averaged (pool adjacent violators). Beyond the ends it is the nearest end.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(settings)
    x, y = np.asarray(settings, float)[order], np.asarray(gaps, float)[order]
    rising = float(np.polyfit(x, y, 1)[0]) > 0
    smooth = isotonic_regression(y, increasing=rising).x
    if not rising:
        x, smooth = x[::-1], smooth[::-1]
    # a plateau has no single setting: its middle
    levels, place = np.unique(smooth, return_inverse=True)
    middle = np.array([x[place == i].mean() for i in range(len(levels))])
    return float(np.interp(wanted, levels, middle))


def calibrate(sizes: Sizes, seeds: int, cores: int, folder: Path) -> dict:
    """Return for each mechanism the settings at which networks without an intervention have each gap on average.

    First the children's strengths without a gap, with an adult's manner and with their own, then the other settings.
    Seeds are others than the benchmark's.
    """
    measured: dict[str, dict[str, float]] = {}

    def gaps(name: str, conditions: Mapping[float, Condition]) -> Callable[[float], float]:
        jobs = [(c, OTHERS + s) for c in conditions.values() for s in range(seeds)]
        rows = dict(trained(jobs, sizes, {BASELINE: {}}, folder, cores))
        means = [float(np.mean([rows[i * seeds + s][0]["gap"] for s in range(seeds)])) for i in range(len(conditions))]
        measured[name] = {f"{k:g}": round(100 * gap, 2) for k, gap in zip(conditions, means, strict=True)}
        return lambda points: round(solved(list(conditions), means, -points / 100), 4)

    strengths = MECHANISMS["signal"][1]
    signal = gaps("signal", {k: Condition(strength=k) for k in strengths})
    style = gaps("style", {k: Condition(strength=k, style=STYLE) for k in strengths})
    base = {"signal": signal(0), "style": style(0)}
    chosen = {"signal": {str(p): signal(p) for p in GAPS}}
    for mechanism in ("labels", "representation"):
        found = gaps(mechanism, {k: condition_of(mechanism, k, base) for k in MECHANISMS[mechanism][1]})
        chosen[mechanism] = {str(p): found(p) for p in GAPS}
    chosen["labels"]["0"] = 0.0  # the condition without a gap by signal, and no wrong label
    return {"sizes": asdict(sizes), "seeds": seeds, "base": base, "measured": measured, "settings": chosen}


def conditions(calibration: Mapping) -> dict[tuple[str, int], Condition]:
    """Return the condition of every mechanism and gap, from what :func:`calibrate` returned."""
    return {
        (mechanism, points): condition_of(
            mechanism, calibration["settings"][mechanism][str(points)], calibration["base"]
        )
        for mechanism in MECHANISMS
        for points in GAPS
    }


def run(
    calibration: Mapping, seeds: int, sizes: Sizes, arms: Mapping[str, Mapping], folder: Path, cores: int
) -> pd.DataFrame:
    """Return one row per mechanism, planted gap, arm and seed, with the verdicts and whether they are wrong."""
    planted = conditions(calibration)
    keys = [(key, seed) for seed in range(1, seeds + 1) for key in planted]
    found = dict(trained([(planted[key], seed) for key, seed in keys], sizes, arms, folder, cores))
    rows = []
    for i, ((mechanism, points), _) in enumerate(keys):
        before = found[i][0]["gap"]
        for row in found[i]:
            told = {k: v for k, v in row.items() if k not in ("options", "seconds", "shape", "counts")}
            told |= judged(np.array(row["counts"]).reshape(row["shape"]), sizes.margin)
            wrong = {"wrong": int(wrong_verdict(told["verdict"], told["audit_gap"], row["gap"], sizes.margin))}
            if row["arm"] == BASELINE:
                told |= {"audit_change": None, "change_verdict": None}
                wrong["wrong_change"] = None
            else:
                changed = told["change_verdict"], told["audit_change"], before, row["gap"]
                wrong["wrong_change"] = int(wrong_change(*changed, sizes.margin))
            rows.append({"mechanism": mechanism, "planted": points} | told | wrong)
    order = [list(MECHANISMS).index(r["mechanism"]) * 10 + r["planted"] for r in rows]
    frame = pd.DataFrame(rows).assign(order=order)
    return frame.sort_values(["order", "seed"], kind="stable").drop(columns="order").reset_index(drop=True)


def removed(base: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the share of the mean gap that is gone, 1 − mean(other)/mean(base), and its standard error.

    The error is the delta method's over the seeds, which both share.
    """
    ratio = float(other.mean() / base.mean())
    rest = other - ratio * base
    return 1 - ratio, float(rest.std(ddof=1) / math.sqrt(len(base)) / abs(base.mean())) if len(base) > 1 else math.nan


def signed(value: float, decimals: int = 1) -> str:
    """Return a number with its sign, a true minus."""
    text = f"{value:+.{decimals}f}"
    return "0" if float(text) == 0 and decimals == 0 else text.replace("-", "\N{MINUS SIGN}")


def give_or_take(se: float, decimals: int = 1) -> str:
    """Return `` ± 0.4``, or nothing where one seed tells no spread."""
    return "" if math.isnan(se) else f" ± {se:.{decimals}f}"


def each_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without those of a network that two mechanisms share because neither plants a gap."""
    return frame[(frame["planted"] > 0) | ~frame.duplicated([c for c in frame if c != "mechanism"])]


def summary(frame: pd.DataFrame) -> str:
    """Return the README's table: one row per arm; shares of planted gaps removed, with standard errors."""
    planted = [(m, p) for m in MECHANISMS for p in GAPS if p]
    head = ["", *(f"{MECHANISMS[m][0]}, {p} points" for m, p in planted), "no gap planted", "accuracy"]
    lines = [[*head, "wrong verdicts on gaps", "on changes"]]
    by = {key: rows.set_index("seed") for key, rows in frame.groupby(["mechanism", "planted", "arm"])}
    networks = each_once(frame)
    for arm in dict.fromkeys(frame["arm"]):
        cells = [arm]
        for m, p in planted:
            base, own = by[m, p, BASELINE]["gap"].to_numpy(), by[m, p, arm]["gap"].to_numpy()
            if arm == BASELINE:
                se = 100 * base.std(ddof=1) / math.sqrt(len(base)) if len(base) > 1 else math.nan
                cells.append(f"gap {signed(100 * base.mean())}{give_or_take(se)}")
            else:
                share, se = removed(base, own)
                cells.append(f"{signed(100 * share, 0)}{give_or_take(100 * se, 0)} %")
        none = networks[(networks["planted"] == 0) & (networks["arm"] == arm)]["gap"]
        cells.append(signed(100 * none.mean()))
        own = networks[networks["arm"] == arm]
        accuracy = 0.7 * own["adult"] + 0.3 * own["child"]
        base = networks[networks["arm"] == BASELINE]
        against = (0.7 * base["adult"] + 0.3 * base["child"]).mean()
        cells.append(f"{100 * accuracy.mean():.1f} %" if arm == BASELINE else signed(100 * (accuracy.mean() - against)))
        cells.append(f"{int(own['wrong'].sum())} of {len(own)}")
        cells.append("" if arm == BASELINE else f"{int(own['wrong_change'].sum())} of {len(own)}")
        lines.append(cells)
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(frame: pd.DataFrame, sizes: Sizes, command: str, date: str) -> str:
    """Return what stands between the markers of the README."""
    seeds = frame["seed"].nunique()
    return (
        f"{summary(frame)}\n\n"
        "Share of the planted child − adult gap that is gone, ± standard error over seeds (first row: the gap itself, "
        "in points), each network's gap measured on "
        f"{2 * sizes.population:,} fresh faces; where no gap is planted, the gap left, in points; change of accuracy "
        f"in points. A verdict of the audit ({sizes.audit:,} faces, margin ±{100 * sizes.margin:g} points) is wrong if "
        "it says *equivalent* of a gap beyond the margin, names the wrong group, or calls a gap narrowed, widened, "
        f"reversed or moved that was not; *undecided* is not wrong. {seeds} seeds, `{sizes.network}`, {sizes.train:,} "
        f"training faces of {sizes.side} pixels, {sizes.epochs} epochs; networks that two reasons share, where nothing "
        f"is planted, are counted once. {date}, `{command}`."
    )


def put(text: str, readme: Path) -> None:
    """Write ``text`` between the markers of a README."""
    old = readme.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        raise SystemExit(f"{readme}: expected one {BEGIN} and one {END}")
    before, rest = old.split(BEGIN)
    write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", readme)


def main(arguments: Iterable[str] | None = None) -> None:
    """Calibrate, or run, print and write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--cores", type=int, default=2)
    options.add_argument("--calibrate", action="store_true", help="find the strength of each mechanism anew")
    options.add_argument("--arms", nargs="+", help="by default all that this version has")
    options.add_argument("--settings", type=Path, default=HERE / "planted_bias.json")
    options.add_argument("--out", type=Path, default=HERE / "planted_bias.csv")
    options.add_argument("--readme", type=Path, default=README)
    options.add_argument("--folder", type=Path, default=Path("results") / "planted-bias")
    asked = options.parse_args(None if arguments is None else list(arguments))
    kept = json.loads(asked.settings.read_text(encoding="utf-8")) if asked.settings.exists() else {}
    sizes = replace(Sizes(), **kept.get("sizes", {}))
    if asked.calibrate:
        found = calibrate(sizes, asked.seeds, asked.cores, asked.folder)
        write_text(json.dumps(found, indent=2) + "\n", asked.settings)
        print(json.dumps(found, indent=2))
        return
    wanted = [BASELINE, *(asked.arms or ARMS)]
    arms = {name: ARMS[name] for name in dict.fromkeys(wanted) if known(ARMS[name])}
    if left := [name for name in dict.fromkeys(wanted) if name not in arms]:
        print(f"left out, because this version has no such option: {', '.join(left)}", file=sys.stderr)
    frame = run(kept, asked.seeds, sizes, arms, asked.folder, asked.cores)
    with whole(asked.out) as draft:
        frame.to_csv(draft, index=False, lineterminator="\n", float_format="%.6g")
    command = " ".join(["python benchmarks/planted_bias.py", *(sys.argv[1:] if arguments is None else arguments)])
    text = section(frame, sizes, command, datetime.now(UTC).date().isoformat())
    put(text, asked.readme)
    print(text)


if __name__ == "__main__":
    main()
