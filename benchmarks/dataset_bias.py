"""How often the intervals of a data set's bias hold the truth, and how often independence is rejected.

Tables of groups by labels are drawn from known shares, most of them independent, and measured as the audit measures
them; so are the sizes of single groups.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from fergap.audit.association import ASSOCIATIONS, PUBLISHED, UNEVENNESS
from fergap.audit.dataset_bias import associations, unevenness
from fergap.files import whole
from fergap.seeds import generator

CONFIDENCE = 0.95
FOUR = np.array([0.28, 0.28, 0.24, 0.20])  # shares of the labels
SEVEN = np.array([0.27, 0.20, 0.15, 0.13, 0.12, 0.08, 0.05])
HALVES, FEW, THREE = np.array([0.5, 0.5]), np.array([0.1, 0.9]), np.array([0.6, 0.3, 0.1])


@dataclass(frozen=True)
class Scenario:
    """Shares of groups, of the labels of all faces, and the part of the first group's faces that has other labels."""

    faces: int
    groups: np.ndarray
    labels: np.ndarray | None = None  # none: the groups alone
    moved: float = 0  # from the first label to the last, of the first group's faces

    @property
    def cells(self) -> np.ndarray:
        """(k, n) chances, or (k,) of the groups alone."""
        if self.labels is None:
            return self.groups
        cells = np.outer(self.groups, self.labels)
        cells[0, [0, -1]] += self.groups[0] * np.array([-self.moved, self.moved])
        return cells

    @property
    def truth(self) -> dict[str, float]:
        """What each measure is in the population."""
        measures = UNEVENNESS if self.labels is None else ASSOCIATIONS | PUBLISHED
        return {name: float(measure(self.cells * 1e12)) for name, measure in measures.items()}  # as of endless faces

    @property
    def null(self) -> bool:
        """Whether labels are independent of groups, or groups of equal size."""
        return self.moved == 0 if self.labels is not None else bool(np.ptp(self.groups) == 0)


SCENARIOS = {
    "100 faces, 2 groups, 4 labels": Scenario(100, HALVES, FOUR),
    "300 faces, 2 groups, 7 labels": Scenario(300, HALVES, SEVEN),
    "300 faces, 3 groups, 7 labels": Scenario(300, THREE, SEVEN),
    "2,000 faces, 2 groups, one of 10 %, 7 labels": Scenario(2000, FEW, SEVEN),
    "2,000 faces, 3 groups, 7 labels": Scenario(2000, THREE, SEVEN),
    "16,000 faces, 2 groups, one of 10 %, 4 labels": Scenario(16000, FEW, FOUR),
    "300 faces, 2 groups, 7 labels, 10 points moved": Scenario(300, HALVES, SEVEN, 0.1),
    "2,000 faces, 2 groups, one of 10 %, 7 labels, 10 points moved": Scenario(2000, FEW, SEVEN, 0.1),
    "16,000 faces, 2 groups, one of 10 %, 4 labels, 5 points moved": Scenario(16000, FEW, FOUR, 0.05),
    "100 faces, 2 equal groups": Scenario(100, HALVES),
    "1,000 faces, 3 equal groups": Scenario(1000, np.full(3, 1 / 3)),
    "16,000 faces, 7 equal groups": Scenario(16000, np.full(7, 1 / 7)),
    "1,000 faces, groups of 60, 30 and 10 %": Scenario(1000, THREE),
}


def measure(name: str, tables: int, resamples: int, seed: int) -> Iterator[dict]:
    """Yield a row per measure: coverage, on which side intervals miss, how often p is below 0.05, and mean values."""
    case, rng = SCENARIOS[name], generator(seed, "benchmark", "dataset bias", name)
    make = unevenness if case.labels is None else associations
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for _ in range(tables):
        counts = rng.multinomial(case.faces, case.cells.ravel()).reshape(case.cells.shape)
        for row in make(counts, CONFIDENCE, rng, resamples):
            values = tuple(row[c] for c in ("ci_low", "ci_high", "estimate", "expected", "p_value"))
            found.setdefault((row["form"], row["metric"]), []).append(values)
    for (form, metric), values in found.items():
        low, high, estimate, expected, p = np.array(values).T
        truth = case.truth[metric]
        above, below = low > truth + 1e-9, high < truth - 1e-9  # rounding may part an end from the truth that it is
        share = float(1 - (above | below).mean())
        yield {
            "scenario": name,
            "independent": int(case.null),
            "form": form,
            "metric": metric,
            "truth": round(truth, 5) + 0.0,  # no −0
            "coverage": round(share, 4),
            "coverage_se": round(math.sqrt(max(share * (1 - share), 1e-9) / tables), 4),
            "intervals_above": round(float(above.mean()), 4),
            "intervals_below": round(float(below.mean()), 4),
            "p_below_0.05": round(float((p < 1 - CONFIDENCE).mean()), 4),
            "mean_estimate": round(float(estimate.mean()), 5),
            "mean_expected": round(float(expected.mean()), 5),
            "mean_width": round(float((high - low).mean()), 5),
            "tables": tables,
            "resamples": resamples,
            "seed": seed,
        }


def main() -> None:
    """Draw, measure, write, and tell what covers less than it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20231127)
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only these; all by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    given = parser.parse_args()
    rows, start = [], time.perf_counter()
    for name in given.scenario or SCENARIOS:
        rows += measure(name, given.tables, given.resamples, given.seed)
        with whole(given.out) as draft:  # after each, so that what is done stays
            pd.DataFrame(rows).to_csv(draft, index=False, lineterminator="\n")
        print(f"{time.perf_counter() - start:5.0f} s  {name}", flush=True)
    short = [r for r in rows if r["coverage"] + 2 * r["coverage_se"] < CONFIDENCE]
    for row in short:
        print(f"{row['coverage']:.3f} ± {row['coverage_se']:.3f}", row["form"], row["metric"], row["scenario"])
    print(f"{len(rows)} intervals, {len(short)} cover less than they say; written to {given.out}")


if __name__ == "__main__":
    main()
