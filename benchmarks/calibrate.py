"""How often the audit's intervals contain the truth and its verdicts are wrong, on tables drawn from a known truth.

Faces are drawn from known accuracies and judged by the audit's own functions. Where a pair of groups has few possible
tables, all are enumerated instead, and the coverage has no Monte-Carlo error.

    python benchmarks/calibrate.py [--simulations 10000] [--bootstraps 1000] [--out benchmarks/calibration.csv]
"""

import argparse
import functools
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom, multinomial

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fergap.audit.bootstrap import Replicates, bootstrap
from fergap.audit.changes import SMALL_CELL, gap_change
from fergap.audit.joint import cluster_patterns, joint_bootstrap
from fergap.audit.paired import Pairs, mcnemar_midp, mover_change, welch
from fergap.audit.proportions import bonett_price, clopper_pearson, miettinen_nurminen, newcombe, tango, wilson
from fergap.audit.resampling import gap_statistics
from fergap.audit.settings import BOOTSTRAP_ANSWERS, BOOTSTRAP_FACES
from fergap.audit.stratified import Strata, exact_conditional, risk_difference
from fergap.audit.verdicts import CHANGED, certified, judged_change
from fergap.files import whole
from fergap.seeds import generator

Row = dict[str, Any]
CONFIDENCE, MARGIN, MINIMUM_FACES = 0.95, 0.05, 10  # the audit's defaults
ALPHA = 1 - CONFIDENCE
ENUMERABLE = 10_000  # tables
RESAMPLES = 2_000
MIX = (0.35, 0.15, 0.30, 0.20)  # shares of four classes
HARDNESS = np.array([0.6, 1.4, 1.0, 1.4])  # share of wrong answers in each class, over that of all under MIX
PRIMARY_LOW, PRIMARY_HIGH = 0.94, 0.975
NEARBY = np.linspace(-0.05, 0.05, 11)  # from the truth: the chances over which coverage is averaged
QUANTITIES = {  # the figure's markers: label, colour, shape, shift within the scenario's row
    "coverage of the group's accuracy": ("group's accuracy", "#56b4e9", "o", -0.22),
    "coverage of the reference's accuracy": ("reference's accuracy", "#0072b2", "s", 0),
    "coverage of the accuracy gap": ("accuracy gap", "#d55e00", "D", 0.22),
    "coverage of the macro-F1 gap": ("macro-F1 gap", "#e69f00", "P", 0.3),
    "coverage of the group's change": ("group's change", "#009e73", "^", -0.22),
    "coverage of the reference's change": ("reference's change", "#005a43", "v", 0),
    "coverage of the gap's change": ("gap's change", "#cc79a7", "D", 0.22),
}
ERRORS = {
    "rate of the verdict gap": ("gap, where there is none", "#d55e00", "D", 0),
    "rate of the verdict equivalent": ("equivalent, at the margin or beyond", "#0072b2", "s", 0),
    "rate of the verdict changed": ("a change, where nothing changed", "#cc79a7", "D", 0.15),
    "rate of p below 0.05": ("McNemar's p below 0.05, where nothing changed", "#009e73", "^", -0.15),
}


@dataclass(frozen=True)
class TwoGroups:
    """A group and a reference with their sizes and accuracies; ``mix`` are the group's shares of the classes."""

    name: str
    n1: int
    p1: float
    n0: int
    p0: float
    mix: tuple[float, ...] = MIX

    @property
    def recalls(self) -> np.ndarray:
        """(2, classes) recall of the group and of the reference."""
        return 1 - np.outer([1 - self.p1, 1 - self.p0], HARDNESS)

    @property
    def accuracy(self) -> float:
        """The group's accuracy, given its classes."""
        return float(np.dot(self.mix, self.recalls[0]))

    @property
    def gap(self) -> float:
        return self.accuracy - self.p0

    @property
    def compared(self) -> bool:
        return min(self.n1, self.n0) >= MINIMUM_FACES


@dataclass(frozen=True)
class BeforeAfter:
    """Two groups on the same faces twice: sizes, accuracies before, and shares of faces lost and gained."""

    name: str
    n1: int
    p1: float
    lost1: float
    gained1: float
    n0: int
    p0: float
    lost0: float
    gained0: float

    @property
    def cells(self) -> list[np.ndarray]:
        """(4,) chances of right twice, lost, gained and wrong twice, of the group and of the reference."""
        parts = ((self.p1, self.lost1, self.gained1), (self.p0, self.lost0, self.gained0))
        return [np.array([p - lost, lost, gained, 1 - p - gained]) for p, lost, gained in parts]

    @property
    def change(self) -> float:
        return (self.gained1 - self.lost1) - (self.gained0 - self.lost0)


GAPS = (
    TwoGroups("537 at .71, 2,173 at .77", 537, 0.71, 2173, 0.77),
    TwoGroups("40 at .70, 200 at .77", 40, 0.70, 200, 0.77),
    TwoGroups("15 at .70, 100 at .77", 15, 0.70, 100, 0.77),
    TwoGroups("3 at .70, 60 at .77", 3, 0.70, 60, 0.77),
    TwoGroups("20 at .97, 100 at .80", 20, 0.97, 100, 0.80),
    TwoGroups("60 at .97, 2,000 at .99", 60, 0.97, 2000, 0.99),
    TwoGroups("no gap, 537 and 2,173 at .77", 537, 0.77, 2173, 0.77),
    TwoGroups("no gap, 40 and 200 at .77", 40, 0.77, 200, 0.77),
    TwoGroups("no gap, 5,000 and 20,000 at .77", 5000, 0.77, 20000, 0.77),
    TwoGroups("no gap within classes, 537 and 2,173, other classes", 537, 0.77, 2173, 0.77, (0.20, 0.30, 0.15, 0.35)),
    TwoGroups("gap at the margin, 537 at .72, 2,173 at .77", 537, 0.72, 2173, 0.77),
    TwoGroups("gap at the margin, 5,000 at .72, 20,000 at .77", 5000, 0.72, 20000, 0.77),
)
CHANGES = (
    BeforeAfter("537 from .71 to .76, 2,173 from .77 to .78", 537, 0.71, 0.03, 0.08, 2173, 0.77, 0.045, 0.055),
    BeforeAfter("60 from .70 to .77, 240 from .77 to .78", 60, 0.70, 0.03, 0.10, 240, 0.77, 0.05, 0.06),
    BeforeAfter("12 from .70 to .78, 60 from .77 to .78", 12, 0.70, 0.04, 0.12, 60, 0.77, 0.05, 0.06),
    BeforeAfter("no change, 537 at .71, 2,173 at .77", 537, 0.71, 0.05, 0.05, 2173, 0.77, 0.05, 0.05),
    BeforeAfter("no change, 60 at .70, 240 at .77", 60, 0.70, 0.05, 0.05, 240, 0.77, 0.05, 0.05),
    BeforeAfter("no change, 540 at .96, 2,170 at .98", 540, 0.96, 0.01, 0.01, 2170, 0.98, 0.005, 0.005),
)
F1 = (GAPS[0], replace(GAPS[1], name="60 at .70, 300 at .77", n1=60, n0=300))


@dataclass(frozen=True)
class Duplicates:
    """Two groups of which some faces are there several times, all copies judged alike: numbers of different faces."""

    name: str
    n1: int
    p1: float
    n0: int
    p0: float
    copied: float  # share of the faces that have copies
    copies: int


DUPLICATES = (
    Duplicates("duplicates: 100 at .70, 400 at .77, every fourth face four times", 100, 0.70, 400, 0.77, 0.25, 4),
)


class Tally:
    """Intervals by method, turned into rows of coverage and mean width."""

    def __init__(self, scenario: str, of: str, truth: float, seed: int):
        self.scenario, self.of, self.truth, self.seed = scenario, of, truth, seed
        self.methods: dict[str, tuple[int, list[tuple[float, float]]]] = {}

    def add(self, method: str, interval: tuple[float, float], primary: bool = False) -> None:
        self.methods.setdefault(method, (int(primary), []))[1].append((float(interval[0]), float(interval[1])))

    def rows(self, weights: np.ndarray | None = None, nearby: Sequence[tuple[float, np.ndarray]] = ()) -> Iterator[Row]:
        """Yield the rows; with weights, the intervals are those of every possible table.

        ``nearby`` are other truths with the weights of the same tables, over which the coverage is averaged too.
        """
        for method, (primary, intervals) in self.methods.items():
            ends = np.array(intervals)

            def covered(truth: float, ends: np.ndarray = ends) -> np.ndarray:
                # an end that should lie on the truth may miss it by a rounding error
                return ((ends[:, 0] <= truth + 1e-12) & (truth - 1e-12 <= ends[:, 1])).astype(float)

            around = [float(np.average(covered(truth), weights=w)) for truth, w in nearby]
            for quantity, nominal, values in (
                ("coverage", CONFIDENCE, covered(self.truth)),
                ("mean width", math.nan, ends[:, 1] - ends[:, 0]),
            ):
                exact = weights is not None
                average = float(np.mean(around)) if around and quantity == "coverage" else math.nan
                yield {
                    "scenario": self.scenario,
                    "quantity": f"{quantity} of the {self.of}",
                    "method": method,
                    "primary": primary,
                    "nominal": nominal,
                    "estimate": float(np.average(values, weights=weights)),
                    "monte_carlo_se": 0.0 if exact else float(values.std() / math.sqrt(len(values))),
                    "average": average,
                    "simulations": 0 if exact else len(values),
                    "seed": self.seed,
                }


def rate(scenario: str, method: str, found: list[bool], nominal: float, seed: int) -> Row:
    """Return the row of how often something is found, still without its quantity."""
    share = sum(found) / len(found)
    return {
        "scenario": scenario,
        "quantity": "",
        "method": method,
        "primary": 1,
        "nominal": nominal,
        "estimate": share,
        "monte_carlo_se": math.sqrt(share * (1 - share) / len(found)),
        "average": math.nan,
        "simulations": len(found),
        "seed": seed,
    }


def rates(scenario: str, method: str, verdicts: list[str], nominal: dict[str, float], seed: int) -> Iterator[Row]:
    """Yield how often each verdict is given; ``nominal`` is the most that it may be, where it is an error."""
    for verdict in sorted({*verdicts, *nominal}):
        row = rate(scenario, method, [v == verdict for v in verdicts], nominal.get(verdict, math.nan), seed)
        yield row | {"quantity": f"rate of the verdict {verdict}"}


def draw_strata(case: TwoGroups, simulations: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return (simulations, classes) right answers and faces of the group, and of the reference."""
    n1, n0 = rng.multinomial(case.n1, case.mix, simulations), rng.multinomial(case.n0, MIX, simulations)
    recalls = case.recalls
    return rng.binomial(n1, recalls[0]), n1, rng.binomial(n0, recalls[1]), n0


def gap_rows(case: TwoGroups, simulations: int, bootstraps: int, seed: int) -> Iterator[Row]:
    """Yield coverage and width of the intervals of the accuracies and the gap, and the rates of its verdicts."""
    drawn = draw_strata(case, simulations, generator(seed, "calibrate", case.name))
    x1, x0 = drawn[0].sum(1), drawn[2].sum(1)
    for group, n, p, x in (("group", case.n1, case.accuracy, x1), ("reference", case.n0, case.p0, x0)):
        tally = Tally(case.name, f"{group}'s accuracy", p, seed)
        counts, weights, nearby = x, None, []
        if n < ENUMERABLE:
            counts, weights = range(n + 1), binom.pmf(range(n + 1), n, p)
            nearby = [(q, binom.pmf(counts, n, q)) for q in p + NEARBY if 0 <= q <= 1]
        for count in counts:
            tally.add("wilson", wilson(int(count), n, CONFIDENCE), primary=n >= MINIMUM_FACES)
            tally.add("clopper-pearson", clopper_pearson(int(count), n, CONFIDENCE), primary=n < MINIMUM_FACES)
        yield from tally.rows(weights, nearby)

    tally = Tally(case.name, "accuracy gap", case.gap, seed)
    tables, weights = list(zip(x1.tolist(), x0.tolist(), strict=True)), None
    if (case.n1 + 1) * (case.n0 + 1) <= ENUMERABLE:
        tables = [(a, b) for a in range(case.n1 + 1) for b in range(case.n0 + 1)]
        chances = (binom.pmf(range(n + 1), n, p) for n, p in ((case.n1, case.accuracy), (case.n0, case.p0)))
        weights = np.outer(*chances).ravel()
    methods = {
        name: functools.cache(f) for name, f in (("newcombe", newcombe), ("miettinen-nurminen", miettinen_nurminen))
    }
    for a, b in tables:
        for name, interval in methods.items():
            primary = name == "newcombe" and case.compared
            tally.add(name, interval(a, case.n1, b, case.n0, CONFIDENCE), primary=primary)
    yield from tally.rows(weights)

    yield from bootstrap_gap_rows(case, list(zip(x1.tolist(), x0.tolist(), strict=True))[:bootstraps], seed)
    if case.compared:
        yield from verdict_rows(case, drawn, methods["newcombe"], seed)


def bootstrap_gap_rows(case: TwoGroups, tables: list[tuple[int, int]], seed: int) -> Iterator[Row]:
    """Yield coverage and width of the bootstrap intervals of the gap, on the tables for which the report gives them."""
    tally = Tally(case.name, "accuracy gap", case.gap, seed)
    rng = generator(seed, "calibrate", case.name, "bootstrap")
    for a, b in tables:
        if min(case.n1, case.n0) < BOOTSTRAP_FACES or min(a, case.n1 - a, b, case.n0 - b) < BOOTSTRAP_ANSWERS:
            continue
        one, other = (bootstrap(np.array([x, n - x]), share, RESAMPLES, rng) for x, n in ((a, case.n1), (b, case.n0)))
        add_bootstraps(tally, one - other)
    yield from tally.rows()


def share(table: np.ndarray) -> np.ndarray:
    return (table[..., 0] / table.sum(-1))[..., None]


def add_bootstraps(tally: Tally, both: Replicates, primary: bool = False) -> None:
    tally.add("bootstrap bca", both.bca(0, CONFIDENCE), primary)
    tally.add("bootstrap percentile", both.percentile(0, CONFIDENCE))
    tally.add("bootstrap basic", both.basic(0, CONFIDENCE))


def gap_verdict(strata: Strata, interval: Callable) -> str:
    """Return the verdict on a gap that is alone in its family."""
    x1, n1, x0, n0 = (int(a.sum()) for a in strata)
    if certified(interval(x1, n1, x0, n0, 2 * CONFIDENCE - 1), MARGIN):
        return "equivalent"
    return "gap" if exact_conditional(strata).p_value < ALPHA else "undecided"


def verdict_rows(case: TwoGroups, drawn: tuple[np.ndarray, ...], interval: Callable, seed: int) -> Iterator[Row]:
    """Yield how often each verdict on the gap is given, and the class-adjusted gap's coverage where its truth is 0."""
    within = case.p1 - case.p0
    nominal = {"gap": ALPHA} if within == 0 else {}
    if abs(case.gap) >= MARGIN - 1e-9:
        nominal["equivalent"] = ALPHA
    strata = [Strata(*counts) for counts in zip(*drawn, strict=True)]
    verdicts = [gap_verdict(s, interval) for s in strata]
    yield from rates(case.name, "class-stratified exact test, newcombe at 90 %", verdicts, nominal, seed)
    if within == 0:
        tally = Tally(case.name, "class-adjusted gap", 0.0, seed)
        for s in strata:
            tally.add("mantel-haenszel", risk_difference(s, CONFIDENCE)[1:])
        yield from tally.rows()


def change_rows(case: BeforeAfter, simulations: int, bootstraps: int, seed: int) -> Iterator[Row]:
    """Yield coverage and width of the intervals of the changes and the gap's change, and the rates of its verdicts."""
    rng = generator(seed, "calibrate", case.name)
    drawn = [
        [Pairs(*counts) for counts in rng.multinomial(n, cells, simulations).tolist()]
        for n, cells in zip((case.n1, case.n0), case.cells, strict=True)
    ]
    for group, n, pairs, lost, gained in (
        ("group", case.n1, drawn[0], case.lost1, case.gained1),
        ("reference", case.n0, drawn[1], case.lost0, case.gained0),
    ):
        truth = gained - lost
        tally = Tally(case.name, f"{group}'s change", truth, seed)
        price, score, midp = functools.cache(bonett_price), functools.cache(tango), functools.cache(mcnemar_midp)
        tables, weights, nearby = [(counts.n10, counts.n01) for counts in pairs], None, []
        if (n + 1) * (n + 2) // 2 <= ENUMERABLE:
            tables = [(a, b) for a in range(n + 1) for b in range(n + 1 - a)]
            weights = chances_of_pairs(tables, n, lost, gained)
            around = ((lost + a, gained + b) for a in NEARBY for b in NEARBY if min(lost + a, gained + b) >= 0)
            nearby = [(b - a, chances_of_pairs(tables, n, a, b)) for a, b in around]
        for a, b in tables:
            tally.add("tango", score(a, b, n, CONFIDENCE), primary=True)
            tally.add("bonett-price", price(a, b, n, CONFIDENCE))
        yield from tally.rows(weights, nearby)
        below = [midp(counts.n10, counts.n01) < ALPHA for counts in pairs]
        row = rate(case.name, f"mcnemar mid-p, {group}", below, ALPHA if truth == 0 else math.nan, seed)
        yield row | {"quantity": "rate of p below 0.05"}

    tally = Tally(case.name, "gap's change", case.change, seed)
    verdicts = []
    for one, other in zip(*drawn, strict=True):
        method, found = gap_change(one, other, CONFIDENCE)
        ends = (found.ci_low, found.ci_high)
        tally.add("welch, or mover where a cell is below 5", ends, primary=True)
        plain = welch(one, other, CONFIDENCE) if method != "welch" else found
        # no face changed: no interval, which contains nothing
        tally.add("welch", (plain.ci_low, plain.ci_high))
        verdicts.append(verdict_on_change(one, other, found))
    yield from tally.rows()
    nominal = {}
    if case.change == 0:
        verdicts = ["changed" if v.startswith(CHANGED) else "no change shown" for v in verdicts]
        nominal = {"changed": ALPHA}
    yield from rates(case.name, "welch or mover, newcombe at 90 %", verdicts, nominal, seed)

    tally = Tally(case.name, "gap's change", case.change, seed)
    rng = generator(seed, "calibrate", case.name, "bootstrap")
    for one, other in list(zip(*drawn, strict=True))[:bootstraps]:
        tally.add("mover", limits(mover_change(one, other, CONFIDENCE)))
        cells = (one.n10, one.n01, other.n10, other.n01)
        if min(one.n, other.n) >= BOOTSTRAP_FACES and min(cells) >= SMALL_CELL:
            parts = (bootstrap(np.array(pairs), mean_change, RESAMPLES, rng) for pairs in (one, other))
            add_bootstraps(tally, next(parts) - next(parts))
    yield from tally.rows()


def chances_of_pairs(tables: list[tuple[int, int]], n: int, lost: float, gained: float) -> np.ndarray:
    """Return the chance of each number of faces lost and gained, of n."""
    return multinomial.pmf([(a, b, n - a - b) for a, b in tables], n, [lost, gained, 1 - lost - gained])


def limits(found: Any) -> tuple[float, float]:
    return found.ci_low, found.ci_high


def mean_change(table: np.ndarray) -> np.ndarray:
    return ((table[..., 2] - table[..., 1]) / table.sum(-1))[..., None]


def verdict_on_change(one: Pairs, other: Pairs, found: Any) -> str:
    """Return the verdict on the change of a gap that is alone in its family."""
    (a1, n1), (a0, n0) = ((pairs.n11 + pairs.n01, pairs.n) for pairs in (one, other))
    row = {
        "estimate": found.estimate,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "p_adjusted": found.p_value,
        "equivalent_after": certified(newcombe(a1, n1, a0, n0, 2 * CONFIDENCE - 1), MARGIN),
    }
    return judged_change(row, one, other, CONFIDENCE)["verdict"]


def f1_rows(case: TwoGroups, bootstraps: int, seed: int) -> Iterator[Row]:
    """Yield coverage and width of the bootstrap intervals of the gap of macro F1."""
    right = case.recalls
    chances = []
    for recall, mix in zip(right, (case.mix, MIX), strict=True):
        confused = np.outer(1 - recall, np.ones(4) / 3)
        np.fill_diagonal(confused, recall)
        chances.append(np.array(mix)[:, None] * confused)
    common = np.ones(4, bool)

    def macro_f1(table: np.ndarray) -> np.ndarray:
        return gap_statistics(table, common)[..., 3:]

    truth = float(np.subtract(*(macro_f1(p[None])[0, 0] for p in chances)))
    tally = Tally(case.name, "macro-F1 gap", truth, seed)
    rng = generator(seed, "calibrate", case.name, "f1")
    for _ in range(bootstraps):
        tables = [rng.multinomial(n, p.ravel()).reshape(4, 4) for n, p in zip((case.n1, case.n0), chances, strict=True)]
        if min(table.sum(1).min() for table in tables) < 5:
            continue
        one, other = (bootstrap(table, macro_f1, RESAMPLES // 2, rng) for table in tables)
        add_bootstraps(tally, one - other, primary=True)
    yield from tally.rows()


def duplicate_rows(case: Duplicates, bootstraps: int, seed: int) -> Iterator[Row]:
    """Yield coverage and width of the gap's intervals that take copies for faces, and of the clustered bootstrap."""
    tally = Tally(case.name, "accuracy gap", case.p1 - case.p0, seed)
    rng = generator(seed, "calibrate", case.name)
    for _ in range(bootstraps):
        group = np.repeat([0, 1], [case.n1, case.n0])
        right = rng.random(len(group)) < np.array([case.p1, case.p0])[group]
        cluster = np.repeat(np.arange(len(group)), np.where(rng.random(len(group)) < case.copied, case.copies, 1))
        cells = (2 * group + ~right)[cluster]
        (x1, y1), (x0, y0) = np.bincount(cells, minlength=4).reshape(2, 2).tolist()
        tally.add("newcombe, copies taken for faces", newcombe(x1, x1 + y1, x0, x0 + y0, CONFIDENCE))
        patterns = cluster_patterns(cells, cluster, 4)
        one, other = joint_bootstrap(patterns, (2, 2), [share, share], RESAMPLES, rng)
        both = one - other
        for method in ("bca", "percentile"):
            tally.add(f"bootstrap {method}, clustered", getattr(both, method)(0, CONFIDENCE))
    yield from tally.rows()


def note(row: Row) -> str:
    """Return why a primary interval covers as it does, where that is outside what is promised."""
    if not outside(row["estimate"]):
        return ""
    few = "few tables are possible"
    if row["average"] != row["average"]:
        return f"{few}: conservative" if row["estimate"] > CONFIDENCE else few
    around = f"{100 * row['average']:.1f} % on average over chances within 5 points"
    return f"{few}: {around}" + (", conservative" if row["average"] > PRIMARY_HIGH else "")


def outside(coverage: float) -> bool:
    return not PRIMARY_LOW <= coverage <= PRIMARY_HIGH


def calibrate(
    simulations: int, bootstraps: int, seed: int, say: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """Return the certificate: scenario × quantity × method."""
    rows: list[Row] = []
    parts: Iterable[tuple[str, Callable[[], Iterator[Row]]]] = [
        *((c.name, functools.partial(gap_rows, c, simulations, bootstraps, seed)) for c in GAPS),
        *((c.name, functools.partial(change_rows, c, simulations, bootstraps, seed)) for c in CHANGES),
        *((c.name, functools.partial(f1_rows, c, bootstraps, seed)) for c in F1),
        *((c.name, functools.partial(duplicate_rows, c, bootstraps, seed)) for c in DUPLICATES),
    ]
    for name, part in parts:
        started = time.perf_counter()
        rows += part()
        say(f"{name}: {time.perf_counter() - started:.1f} s")
    return noted(rows)


def noted(rows: list[Row]) -> pd.DataFrame:
    """Return the rows as a table, with a note where a primary interval covers less or more than promised."""
    primary = [row["primary"] == 1 and row["quantity"].startswith("coverage") for row in rows]
    return pd.DataFrame([row | {"note": note(row) if own else ""} for row, own in zip(rows, primary, strict=True)])


def misses(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that break the promise: primary coverage outside 94–97.5 %, an error more often than nominal.

    Errors are allowed two Monte-Carlo standard errors, because they are nominal at best.
    """
    coverage = table["quantity"].str.startswith("coverage") & (table["primary"] == 1)
    wrong = table["estimate"].map(outside)
    errors = table["quantity"].str.startswith("rate") & table["nominal"].notna()
    return table[(coverage & wrong) | (errors & (table["estimate"] - 2 * table["monte_carlo_se"] > table["nominal"]))]


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw, scenario by scenario, the coverage of every primary interval and the rate of every error.

    A dotted line leads from an interval outside the promised band to its average over chances nearby.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.rcParams |= {"svg.hashsalt": "fergap", "font.size": 8, "svg.fonttype": "none", "font.family": "sans-serif"}
    coverage = table[table["quantity"].str.startswith("coverage") & (table["primary"] == 1)]
    errors = table[table["quantity"].str.startswith("rate") & table["nominal"].notna()]
    scenarios = list(dict.fromkeys([*coverage["scenario"], *errors["scenario"]]))
    place = {name: i for i, name in enumerate(scenarios)}
    figure, (left, right) = plt.subplots(
        1, 2, sharey=True, figsize=(9, 0.27 * len(scenarios) + 1.6), width_ratios=(3, 2), layout="constrained"
    )
    left.axvspan(100 * PRIMARY_LOW, 100 * PRIMARY_HIGH, color="#e6e6e6", lw=0, zorder=0)
    left.axvline(100 * CONFIDENCE, color="#999999", lw=0.8, zorder=0)
    right.axvspan(0, 100 * ALPHA, color="#e6e6e6", lw=0, zorder=0)
    rows_of = pd.concat([coverage, errors])
    for quantity, (label, colour, marker, shift) in (QUANTITIES | ERRORS).items():
        axis = left if quantity in QUANTITIES else right
        rows = rows_of[rows_of["quantity"] == quantity]
        if rows.empty:
            continue
        y = rows["scenario"].map(place) + shift
        x, reach = 100 * rows["estimate"], 196 * rows["monte_carlo_se"]
        look = {"color": colour, "ms": 4, "lw": 0.9, "mec": "white", "mew": 0.4}
        axis.errorbar(x, y, xerr=reach, fmt=marker, label=label, **look)
        for at, estimate, average in zip(y, x, 100 * rows["average"], strict=True):
            if axis is left and outside(estimate / 100) and average == average:
                axis.plot([estimate, average], [at, at], color=colour, lw=0.9, ls=":")
                axis.plot([average], [at], marker, ms=4, mfc="white", mec=colour, mew=0.9)
    left.set_yticks(range(len(scenarios)), scenarios)
    left.set(xlabel="coverage of the primary 95 % interval, %", ylim=(len(scenarios) - 0.4, -0.6))
    right.set(xlabel="how often the verdict is wrong, %", xlim=(-0.2, None))
    for axis in (left, right):
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.set_axisbelow(True)
        for y in range(1, len(scenarios)):
            axis.axhline(y - 0.5, color="#eeeeee", lw=0.6, zorder=0)
    for axis, place_of, title in (
        (left, "outside upper left", "intervals of the"),
        (right, "outside lower left", "errors"),
    ):
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc=place_of,
            ncols=7 if axis is left else 2,
            frameon=False,
            fontsize=7,
            title=title,
            alignment="left",
        )
    with whole(path) as part:
        figure.savefig(part, format="svg", metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Simulate, write and tell what misses."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--simulations", type=int, default=10_000)
    options.add_argument("--bootstraps", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path(__file__).with_name("calibration.csv"))
    asked = options.parse_args()
    started = time.perf_counter()
    table = calibrate(asked.simulations, asked.bootstraps, asked.seed, print)
    with whole(asked.out) as part:
        table.to_csv(part, index=False, float_format="%.6g", lineterminator="\n")
    draw(pd.read_csv(asked.out), asked.out.with_suffix(".svg"))  # of what was written, so that it can be drawn again
    missed = misses(table)
    columns = ["scenario", "quantity", "method", "estimate", "monte_carlo_se", "note"]
    print(f"{len(table)} rows in {time.perf_counter() - started:.0f} s; {len(missed)} outside what is promised")
    if len(missed):
        print(missed[columns].to_string(index=False))


if __name__ == "__main__":
    main()
