"""How often the intervals of the corrected gap hold the truth, and what wrong labels do to the naive one.

Studies are drawn from a known population: classes of unequal size and difficulty, a group whose faces are read worse,
labels that err, and a gold sample. In each, audit/correction's estimators are computed as the audit computes them.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from fergap.audit.correction import ALIKE, BY_ANSWER, GOLD_ALONE, IMPUTATIONS, IMPUTED, MODEL_ALONE
from fergap.audit.gold_sample import Counts
from fergap.audit.label_errors import (
    accuracies,
    alike_over_classes,
    attenuation,
    by_answer,
    completed,
    drawn,
    rubin,
    weighted,
    within,
)
from fergap.audit.proportions import newcombe
from fergap.files import whole
from fergap.seeds import generator

CLASSES = np.array([0.4, 0.3, 0.2, 0.1])  # shares
HARDER = np.array([0.08, 0.0, -0.05, -0.14])  # accuracy by class, beside the group's
ACCURACY = (0.75, 0.65)  # adult, child
CONFIDENCE = 0.95
# faces, gold faces, share of children, errors on (adult, child), errors read wrong ÷ read right, how gold is drawn
SCENARIOS = {
    "10 % errors, alike": (4000, 600, 0.2, (0.1, 0.1), 1.0, "random"),
    "errors twice as often on faces read wrong": (4000, 600, 0.2, (0.06, 0.12), 2.0, "random"),
    "10 % errors, alike, gold by class": (4000, 600, 0.2, (0.1, 0.1), 1.0, "class"),
    "errors twice as often, gold by class": (4000, 600, 0.2, (0.06, 0.12), 2.0, "class"),
    "children missed, alike": (4000, 600, 0.2, (0.03, 0.25), 1.0, "random"),
    "errors twice as often, gold by class and label": (4000, 600, 0.2, (0.06, 0.12), 2.0, "class and label"),
    "errors half as often": (4000, 600, 0.2, (0.12, 0.2), 0.5, "random"),
    "few faces, alike": (1500, 300, 0.2, (0.05, 0.15), 1.0, "random"),
}
# estimators that promise the truth within their interval as often as they say: all but the labels alone, and errors
# alike only where they are
PROMISING = (GOLD_ALONE, BY_ANSWER, IMPUTED)
BOOTSTRAPPED = {GOLD_ALONE: weighted, ALIKE: alike_over_classes, BY_ANSWER: by_answer}


def promises(scenario: str, estimator: str) -> bool:
    """Return whether an interval is meant to cover as often as it says."""
    return estimator in PROMISING or (estimator == ALIKE and SCENARIOS[scenario][4] == 1)


def population(children: float, errors: tuple[float, float], ratio: float) -> np.ndarray:
    """Return probabilities of class × label × answer × group."""
    table = np.zeros((4, 2, 2, 2))
    for y, share in enumerate(CLASSES):
        for g, of_group in enumerate((1 - children, children)):
            right = ACCURACY[g] + HARDER[y]
            for answer, p in ((0, 1 - right), (1, right)):
                error = errors[g] * (1 if answer else ratio)
                table[y, g, answer, g] += share * of_group * p * (1 - error)
                table[y, 1 - g, answer, g] += share * of_group * p * error
    return table


def study(whole: np.ndarray, faces: int, gold: int, design: str, rng: np.random.Generator) -> Counts:
    """Draw the faces of a study, and of them the gold sample."""
    table = rng.multinomial(faces, whole.ravel()).reshape(whole.shape)
    if design == "random":
        strata, cells = table.reshape(1, -1), 1
    elif design == "class":
        strata, cells = table.reshape(4, -1), 4
    else:
        strata, cells = table.reshape(8, -1), 8
    taken = [rng.multivariate_hypergeometric(own, min(gold // cells, int(own.sum()))) for own in strata]
    taken = np.stack(taken).reshape(whole.shape)
    return Counts(taken, (table - taken).sum(-1))


def gap(found: np.ndarray) -> np.ndarray:
    a = accuracies(found)
    return a[..., 1] - a[..., 0]


def estimates(counts: Counts, resamples: int, rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """Return each estimator's gap and interval."""
    n = counts.all.sum(0)
    x1, n1, x0, n0 = (int(v) for v in (n[1, 1], n[1].sum(), n[0, 1], n[0].sum()))
    found = {MODEL_ALONE: (x1 / n1 - x0 / n0, *newcombe(x1, n1, x0, n0, CONFIDENCE))}
    draws = drawn(counts, resamples, rng)
    for name, of in BOOTSTRAPPED.items():
        found[name] = (float(gap(of(counts))), *within(gap(of(draws)), CONFIDENCE))
    table = completed(counts, IMPUTATIONS, rng)
    a, sizes = accuracies(table), table.sum((1, 2))
    whole = rubin(gap(table), (a * (1 - a) / sizes).sum(1))
    return found | {IMPUTED: (whole.estimate, *whole.interval(CONFIDENCE))}


def measure(name: str, studies: int, resamples: int, seed: int) -> list[dict]:
    """Return one row per estimator: mean and spread of the gap, coverage and width of its interval."""
    faces, gold, children, errors, ratio, design = SCENARIOS[name]
    whole = population(children, errors, ratio)
    truth, rng = float(gap(whole.sum(0))), generator(seed, "benchmark", "correction", name)
    runs = [estimates(study(whole, faces, gold, design, rng), resamples, rng) for _ in range(studies)]
    formula = truth * float(attenuation(whole.sum(0), 1, 0)) if ratio == 1 else math.nan
    rows = []
    for estimator in runs[0]:
        values = np.array([run[estimator] for run in runs])
        held = (values[:, 1] <= truth) & (truth <= values[:, 2])
        rows.append(
            {
                "scenario": name,
                "estimator": estimator,
                "faces": faces,
                "gold": gold,
                "truth": round(truth, 4),
                "by_formula": "" if estimator != MODEL_ALONE or math.isnan(formula) else round(formula, 4),
                "mean": round(float(values[:, 0].mean()), 4),
                "monte_carlo_se": round(float(values[:, 0].std(ddof=1)) / math.sqrt(studies), 4),
                "coverage": round(float(held.mean()), 4),
                "coverage_se": round(math.sqrt(max(held.mean() * (1 - held.mean()), 1e-9) / studies), 4),
                "width": round(float((values[:, 2] - values[:, 1]).mean()), 4),
                "studies": studies,
                "resamples": resamples,
                "seed": seed,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20231127)
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only these; all by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("correction.csv"))
    given = parser.parse_args()
    rows, start = [], time.perf_counter()
    for name in given.scenario or SCENARIOS:
        rows += measure(name, given.studies, given.resamples, given.seed)
        for row in rows[-5:]:
            shown = (f"{row[c]!s:<12}" for c in ("truth", "mean", "coverage", "width"))
            print(*shown, name, "·", row["estimator"], flush=True)
        with whole(given.out) as draft:  # after each, so that what is done stays
            pd.DataFrame(rows).to_csv(draft, index=False, lineterminator="\n")
    print(f"{time.perf_counter() - start:.0f} s; written to {given.out}")


if __name__ == "__main__":
    main()
