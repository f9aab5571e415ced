"""What the audit was asked to do, and the words for what it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fergap.errors import UserError

BOOTSTRAPS = ("stratified", "plain", "clustered")
BOOTSTRAP_FACES = 30  # below it no bootstrap interval is given
BOOTSTRAP_ANSWERS = 5  # nor for an accuracy with fewer correct or fewer wrong answers
CONFIDENCE_THRESHOLDS = (0.6, 0.7, 0.8, 0.9)
POOLED = "pooled into the main effects"


@dataclass(frozen=True)
class Contrast:
    """A before arm and an after arm, and where there is one the arm retrained without the intervention."""

    before: str
    after: str
    placebo: str | None = None

    @property
    def name(self) -> str:
        return f"{self.before} to {self.after}"


@dataclass(frozen=True)
class Settings:
    """The audit's numbers; see :func:`fergap.audit.audit`."""

    margin: float
    confidence: float
    resamples: int
    minimum_faces: int
    seed: int
    contrasts: tuple[Contrast, ...]
    bootstrap: str = "stratified"
    confidence_thresholds: tuple[float, ...] = CONFIDENCE_THRESHOLDS

    def __post_init__(self) -> None:
        def refuse(key: str, value: Any, expected: str) -> None:
            raise UserError(f"{value!r} is not allowed", where=f"audit.{key}", expected=expected)

        if not 0 < self.margin < 1:
            refuse("margin", self.margin, "a gap as a fraction between 0 and 1, such as 0.03 for 3 points")
        if not 0.5 < self.confidence < 1:
            refuse("confidence", self.confidence, "a number between 0.5 and 1, such as 0.95")
        if self.resamples < 100:
            refuse("resamples", self.resamples, "at least 100")
        if self.minimum_faces < 2:
            refuse("minimum_faces", self.minimum_faces, "at least 2")
        if self.bootstrap not in BOOTSTRAPS:
            refuse("bootstrap", self.bootstrap, "one of " + ", ".join(BOOTSTRAPS))
        if not all(0 < t <= 1 for t in self.confidence_thresholds):
            refuse("confidence_thresholds", list(self.confidence_thresholds), "numbers above 0 and at most 1")

    @property
    def alpha(self) -> float:
        return 1 - self.confidence

    @property
    def equivalence_confidence(self) -> float:
        """Confidence of the interval that two one-sided tests at level alpha amount to."""
        return round(2 * self.confidence - 1, 12)


def contrasts_of(contrasts: Sequence[Any], arms: Sequence[str]) -> tuple[Contrast, ...]:
    """Return contrasts given as mappings with ``before`` and ``after``; every arm that they name must be there."""
    made = []
    for i, contrast in enumerate(contrasts):
        for end in ("before", "after", *["placebo"] * ("placebo" in contrast)):
            if contrast.get(end) not in arms:
                raise UserError(
                    f"there is no prediction by arm {contrast.get(end)!r} (arms there: {', '.join(arms)})",
                    where=f"audit.contrasts[{i}].{end}",
                    expected="one of the arms",
                )
        made.append(Contrast(contrast["before"], contrast["after"], contrast.get("placebo")))
    return tuple(made)


def faces(n: int) -> str:
    """Return ``3 faces`` or ``1 face``."""
    return f"{n:,} face" + ("" if n == 1 else "s")


def pooled(*groups: str) -> str:
    """Return what is added to a status about small groups: faces of an intersection still count in its parts."""
    return f" ({POOLED})" if any("*" in group for group in groups) else ""


def too_few(n: int, minimum: int, group: str = "") -> str:
    """Return ``ok``, or the status of a group of n faces below the minimum."""
    return "ok" if n >= minimum else f"not estimable: {faces(n)}{pooled(group)}"


def few_answers(*counts: int) -> str:
    """Return ``ok``, or why no bootstrap interval is given; ``counts`` are correct answers and faces of each group.

    A group whose answers are nearly all alike varies too little in its resamples.
    """
    right, n = counts[::2], counts[1::2]
    if min(n) < BOOTSTRAP_FACES:
        return f"interval not estimable: fewer than {BOOTSTRAP_FACES} faces"
    if min(min(x, m - x) for x, m in zip(right, n, strict=True)) < BOOTSTRAP_ANSWERS:
        return f"interval not estimable: fewer than {BOOTSTRAP_ANSWERS} correct or wrong answers"
    return "ok"


def pair_status(sizes: Sequence[int], names: Sequence[str], minimum: int) -> str:
    """Return ``ok``, or the status that names the groups that are too small."""
    small = {name: f"{faces(n)} of {name}" for n, name in zip(sizes, names, strict=True) if n < minimum}
    return "not estimable: " + " and ".join(small.values()) + pooled(*small) if small else "ok"
