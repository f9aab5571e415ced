"""Tables of counts: everything that the audit estimates is computed from them."""

from dataclasses import dataclass

import numpy as np

from fergap.audit.inputs import Arm, Attribute
from fergap.audit.paired import Pairs
from fergap.audit.stratified import Strata


def tabulate(codes: list[np.ndarray], sizes: list[int], kept: np.ndarray) -> np.ndarray:
    """Return the counts of every combination of codes among the ``kept`` faces: int64, of shape ``sizes``."""
    cell = np.ravel_multi_index([c[kept] for c in codes], sizes)
    return np.bincount(cell, minlength=int(np.prod(sizes))).reshape(sizes)


@dataclass(frozen=True)
class Split:
    """Counts of one arm by one attribute: (groups, classes, classes), group × true × predicted."""

    attribute: str
    groups: tuple[str, ...]
    reference: int
    table: np.ndarray

    @property
    def n(self) -> np.ndarray:
        return self.table.sum((1, 2))

    @property
    def right(self) -> np.ndarray:
        return np.trace(self.table, axis1=1, axis2=2)

    @property
    def support(self) -> np.ndarray:
        """(groups, classes) faces by true class."""
        return self.table.sum(2)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Each group with the reference."""
        return [(g, self.reference) for g in range(len(self.groups)) if g != self.reference]

    def strata(self, group: int, reference: int) -> Strata:
        right = np.diagonal(self.table, axis1=1, axis2=2)
        return Strata(right[group], self.support[group], right[reference], self.support[reference])

    def common(self, minimum_faces: int, least: int = 5) -> np.ndarray:
        """Classes with at least ``least`` faces in every group of ``minimum_faces`` or more."""
        large = self.n >= minimum_faces
        return (self.support[large] >= least).all(0) if large.any() else np.zeros(self.table.shape[1], bool)


@dataclass(frozen=True)
class PairedSplit:
    """Counts of a contrast by one attribute: (groups, classes, classes, classes), group × true × before × after."""

    attribute: str
    groups: tuple[str, ...]
    reference: int
    table: np.ndarray

    @property
    def before(self) -> Split:
        return Split(self.attribute, self.groups, self.reference, self.table.sum(3))

    @property
    def after(self) -> Split:
        return Split(self.attribute, self.groups, self.reference, self.table.sum(2))

    def pairs_of(self, group: int) -> Pairs:
        table, classes = self.table[group], np.arange(self.table.shape[1])
        n11 = int(table[classes, classes, classes].sum())
        before, after = (int(np.trace(table.sum(axis))) for axis in (2, 1))
        return Pairs(n11, before - n11, after - n11, int(table.sum()) - before - after + n11)

    def pairs_of_class(self, group: int, label: int) -> Pairs:
        """Faces of one true class in a group: right before and after, lost, gained, wrong twice."""
        table = self.table[group, label]
        n11, before, after = int(table[label, label]), int(table[label].sum()), int(table[:, label].sum())
        return Pairs(n11, before - n11, after - n11, int(table.sum()) - before - after + n11)


def split(arm: Arm, attribute: Attribute | None, classes: int) -> Split:
    """Count one arm's predictions by group; without an attribute, all faces as the one group ``all``."""
    if attribute is None:
        table = tabulate([arm.true, arm.predicted], [classes, classes], arm.covered)[None]
        return Split("all", ("all",), 0, table)
    kept = arm.covered & (attribute.codes >= 0)
    sizes = [len(attribute.groups), classes, classes]
    table = tabulate([attribute.codes, arm.true, arm.predicted], sizes, kept)
    return Split(attribute.name, attribute.groups, attribute.reference, table)


def paired_split(before: Arm, after: Arm, attribute: Attribute | None, classes: int) -> PairedSplit:
    """Count two arms' predictions of the same faces by group."""
    answers = [before.true, before.predicted, after.predicted]
    if attribute is None:
        return PairedSplit("all", ("all",), 0, tabulate(answers, [classes] * 3, before.covered)[None])
    kept = before.covered & (attribute.codes >= 0)
    table = tabulate([attribute.codes, *answers], [len(attribute.groups)] + [classes] * 3, kept)
    return PairedSplit(attribute.name, attribute.groups, attribute.reference, table)
