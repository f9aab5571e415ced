"""Speed of the audit on one core: the bootstrap on the table against SciPy's and a NumPy loop, counting, and the whole.

All are measured in one run; the best of several repeats is compared where a run is short. SciPy's bootstrap gets codes
of (true, predicted) for macro F1 and right or wrong for accuracy, vectorised, with as many resamples as the audit.

    python benchmarks/audit.py [--faces 16000] [--resamples 10000] [--out benchmarks/audit.json]
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fergap.audit import audit
from fergap.audit.bootstrap import bootstrap
from fergap.audit.counts import split
from fergap.audit.engine import NAMES, audit_arms, audit_contrasts
from fergap.audit.inputs import Sample, make_sample
from fergap.audit.settings import Settings, contrasts_of
from fergap.files import write_text

CLASSES = ("angry", "happy", "neutral", "surprise")
K = len(CLASSES)
CONFIDENCE = 0.95


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several runs."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return min(taken)


def predictions_of(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predictions of two arms and people with two attributes; child 20 %, right 77 % of the time, or 71 %."""
    ids = np.char.add("face", np.arange(n).astype(str)).astype(object)
    child, female = rng.random(n) < 0.2, rng.random(n) < 0.5
    labels = np.array(CLASSES, object)
    true = rng.integers(K, size=n)
    arms = []
    for arm, accuracy in (("before", 0.77 - 0.06 * child), ("after", 0.78 - 0.02 * child)):
        predicted = np.where(rng.random(n) < accuracy, true, (true + rng.integers(1, K, n)) % K)
        arms.append(pd.DataFrame({"image_id": ids, "arm": arm, "true": labels[true], "predicted": labels[predicted]}))
    people = [
        pd.DataFrame({"image_id": ids, "attribute": name, "group": np.where(mask, yes, no)})
        for name, mask, yes, no in (("gender", female, "female", "male"), ("age", child, "child", "adult"))
    ]
    return pd.concat(arms, ignore_index=True), pd.concat(people, ignore_index=True)


def codes_of(n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the (true, predicted) codes, 0 … K² − 1, of a fifth of n faces and of the rest."""
    out = []
    for size, accuracy in ((n // 5, 0.71), (n - n // 5, 0.77)):
        true = rng.integers(K, size=size)
        predicted = np.where(rng.random(size) < accuracy, true, (true + rng.integers(1, K, size)) % K)
        out.append(true * K + predicted)
    return out


def macro_f1(table: np.ndarray) -> np.ndarray:
    """Return the macro F1 of (…, K²) counts."""
    table = table.reshape(*table.shape[:-1], K, K)
    right = np.diagonal(table, axis1=-2, axis2=-1)
    return (2 * right / (table.sum(-1) + table.sum(-2))).mean(-1)


def count_rows(codes: np.ndarray) -> np.ndarray:
    """Return the (…, K²) counts of (…, n) codes."""
    rows = codes.reshape(-1, codes.shape[-1])
    shifted = rows + K * K * np.arange(len(rows))[:, None]
    return np.bincount(shifted.ravel(), minlength=len(rows) * K * K).reshape(*codes.shape[:-1], K * K)


def scipy_bca(samples: list[np.ndarray], statistic: Callable, resamples: int, rng: np.random.Generator) -> tuple:
    found = scipy.stats.bootstrap(
        samples,
        statistic,
        n_resamples=resamples,
        method="BCa",
        vectorized=True,
        paired=False,
        batch=100,
        confidence_level=CONFIDENCE,
        rng=rng,
    )
    return tuple(map(float, found.confidence_interval))


def table_bca(tables: list[np.ndarray], metric: Callable, resamples: int, rng: np.random.Generator) -> tuple:
    one, other = (bootstrap(table, lambda t: metric(t)[..., None], resamples, rng) for table in tables)
    return (one - other).bca(0, CONFIDENCE)


def looped(codes: list[np.ndarray], metric: Callable, resamples: int, rng: np.random.Generator) -> tuple:
    """Return the percentile interval of a well-written loop: draw positions, count by bincount, compute, one by one."""
    values = np.empty(resamples)
    for b in range(resamples):
        one, other = (np.bincount(c[rng.integers(len(c), size=len(c))], minlength=K * K) for c in codes)
        values[b] = metric(one) - metric(other)
    return tuple(map(float, np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])))


def bootstraps(n: int, resamples: int, repeats: int, rng: np.random.Generator) -> list[dict]:
    """Compare the three ways for the accuracy gap and the macro-F1 gap."""
    codes = codes_of(n, rng)
    right = [(c // K == c % K).astype(float) for c in codes]
    full = [np.bincount(c, minlength=K * K) for c in codes]
    two_cells = [np.array([int(r.sum()), int(len(r) - r.sum())]) for r in right]
    cases = (
        (
            "accuracy gap",
            right,
            lambda a, b, axis=-1: a.mean(axis) - b.mean(axis),
            two_cells,
            lambda t: t[..., 0] / t.sum(-1),
            lambda t: np.trace(t.reshape(K, K)) / t.sum(),
        ),
        (
            "macro-F1 gap",
            codes,
            lambda a, b, axis=-1: macro_f1(count_rows(a)) - macro_f1(count_rows(b)),
            full,
            macro_f1,
            macro_f1,
        ),
    )
    out = []
    for name, samples, statistic, tables, metric, of_table in cases:
        ends: dict[str, tuple] = {}

        def keep(way: str, interval: tuple, ends: dict = ends) -> None:
            ends[way] = interval

        ours = seconds(lambda: keep("table", table_bca(tables, metric, resamples, rng)), repeats)  # noqa: B023
        theirs = seconds(lambda: keep("scipy", scipy_bca(samples, statistic, resamples, rng)), 1)  # noqa: B023
        loop = seconds(lambda: keep("loop", looped(codes, of_table, resamples, rng)), 1)  # noqa: B023
        row = {
            "statistic": name,
            "faces": n,
            "resamples": resamples,
            "scipy_resamples": resamples,
            "table_bca_seconds": ours,
            "scipy_bca_seconds": theirs,
            "numpy_loop_percentile_seconds": loop,
            "ratio_to_scipy": theirs / ours,
            "ratio_to_numpy_loop": loop / ours,
            "intervals": ends,
        }
        out.append(row)
        print(
            f"{name}, {n:,} faces, {resamples:,} resamples: table {ours * 1e3:.1f} ms, SciPy's BCa {theirs:.1f} s "
            f"({theirs / ours:,.0f} times), NumPy loop {loop:.2f} s ({loop / ours:.0f} times)"
        )
    return out


def sample_of(predictions: pd.DataFrame, people: pd.DataFrame) -> Sample:
    return make_sample(
        predictions,
        people,
        attributes=["gender", "age"],
        reference={"gender": "male", "age": "adult"},
        groups={},
        arms=None,
        classes=CLASSES,
    )


def scaling(sizes: tuple[int, ...], repeats: int, rng: np.random.Generator) -> list[dict]:
    """Measure loading, counting and, once counted, the whole audit of two arms and two attributes."""
    out = []
    for n in sizes:
        predictions, people = predictions_of(n, rng)
        started = time.perf_counter()
        sample = sample_of(predictions, people)
        loaded = time.perf_counter() - started
        arm = sample.arms["before"]
        counted = seconds(lambda: split(arm, sample.attributes[1], K), repeats)  # noqa: B023
        settings = settings_of(sample)

        def audited(sample: Sample = sample, settings: Settings = settings) -> None:
            tables: dict = {name: [] for name in NAMES}
            audit_arms(sample, settings, tables)
            audit_contrasts(sample, settings, tables)

        taken = seconds(audited, repeats)
        print(f"{n:,} faces: checked {loaded:.2f} s, counted {counted * 1e3:.1f} ms, audited {taken:.2f} s")
        out.append({"faces": n, "check_seconds": loaded, "count_seconds": counted, "audit_seconds": taken})
    return out


def settings_of(sample: Sample) -> Settings:
    contrasts = contrasts_of([{"before": "before", "after": "after"}], list(sample.arms))
    return Settings(0.05, CONFIDENCE, 10_000, 10, 1, contrasts)


def published(repeats: int, rng: np.random.Generator) -> float:
    """Return the seconds of the whole audit of 2,710 faces, two attributes and two arms."""
    predictions, people = predictions_of(2710, rng)
    return seconds(
        lambda: audit(
            predictions,
            people,
            attributes=["gender", "age"],
            reference={"gender": "male", "age": "adult"},
            contrasts=[{"before": "before", "after": "after"}],
            classes=CLASSES,
            seed=1,
        ),
        repeats,
    )


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--faces", type=int, default=16_000)
    options.add_argument("--resamples", type=int, default=10_000)
    options.add_argument("--sizes", type=int, nargs=2, default=[10_000, 1_000_000])
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    asked = options.parse_args()
    threadpool_limits(1)
    rng = np.random.default_rng(1)
    whole = published(asked.repeats, rng)
    print(f"2,710 faces, 2 attributes, 2 arms, all tables: {whole:.2f} s")
    ratios = bootstraps(asked.faces, asked.resamples, asked.repeats, rng)
    sizes = scaling(tuple(asked.sizes), asked.repeats, rng)
    ratio = sizes[1]["audit_seconds"] / sizes[0]["audit_seconds"]
    print(f"audit once counted, {asked.sizes[1]:,} against {asked.sizes[0]:,} faces: {ratio:.2f} times")
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python benchmarks/audit.py",
        "processor": processor(),
        "threads": 1,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": pd.__version__,
        "repeats": asked.repeats,
        "published_size_seconds": whole,
        "bootstraps": ratios,
        "sizes": sizes,
        "audit_ratio_of_sizes": ratio,
    }
    write_text(json.dumps(found, indent=2) + "\n", asked.out)


if __name__ == "__main__":
    main()
