"""What wrong group labels would have done to the gap."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fergap.audit.counts import Split
from fergap.audit.gaps import answers, pairs
from fergap.audit.proportions import newcombe
from fergap.audit.settings import Settings

Row = dict[str, Any]
SENSITIVITY = (0.7, 0.8, 0.9, 0.95, 0.99)
SPECIFICITY = (0.9, 0.95, 0.97, 0.99, 0.999)


class Labelling(NamedTuple):
    """The true share of the group among both, and the share of each label that is right."""

    share: float
    ppv_group: float
    ppv_reference: float

    @property
    def attenuation(self) -> float:
        """Observed gap ÷ true gap when errors of the label do not depend on the model's: PPV1 + PPV0 − 1."""
        return self.ppv_group + self.ppv_reference - 1


def predictive_values(share: float, sensitivity: float, specificity: float) -> tuple[float, float]:
    """Return the share of right labels among those labelled group and reference, from the group's true share."""
    labelled = share * sensitivity + (1 - share) * (1 - specificity)
    return share * sensitivity / labelled, (1 - share) * specificity / (1 - labelled)


def labelling(labelled: float, sensitivity: float, specificity: float) -> Labelling | None:
    """Return the true share and predictive values behind an observed share of labels; None where there is none.

    Parameters
    ----------
    labelled : float
        Share of the faces of both groups that is labelled as the group, in (0, 1).
    sensitivity, specificity : float
        Of the annotator, for the group; their sum above 1.

    Notes
    -----
    Rogan and Gladen (1978): share = (labelled + specificity − 1)/(sensitivity + specificity − 1).
    """
    share = (labelled + specificity - 1) / (sensitivity + specificity - 1)
    if not 0 < share < 1:
        return None
    return Labelling(share, *predictive_values(share, sensitivity, specificity))


def label_noise(arm: str, split: Split, settings: Settings) -> Iterator[Row]:
    """Yield the rows of ``label_noise`` for one arm and attribute.

    The gap and its Newcombe interval are divided by the attenuation of each scenario, which is taken as known; the
    errors of the label must not depend on the model's. With more than two groups, the labels confused are the pair's.
    """
    for g, r, head in pairs(arm, split, settings):
        x1, n1, x0, n0 = answers(split, g, r)
        head |= {"n_group": n1, "n_reference": n0, "confidence": settings.confidence, "method": "newcombe"}
        if head["status"] != "ok":
            yield head | {"scenario": "labels as given"}
            continue
        gap, (low, high) = x1 / n1 - x0 / n0, newcombe(x1, n1, x0, n0, settings.confidence)
        given = {"scenario": "labels as given", "sensitivity": 1.0, "specificity": 1.0, "share": n1 / (n1 + n0)}
        given |= {"ppv_group": 1.0, "ppv_reference": 1.0, "ppv_sum": 2.0, "attenuation": 1.0}
        yield head | given | {"estimate": gap, "ci_low": low, "ci_high": high}
        for sensitivity in SENSITIVITY:
            for specificity in SPECIFICITY:
                row = head | {"scenario": "grid", "sensitivity": sensitivity, "specificity": specificity}
                yield row | corrected(labelling(n1 / (n1 + n0), sensitivity, specificity), gap, low, high)
        yield from tipping_points(
            gap, low, high, newcombe(x1, n1, x0, n0, settings.equivalence_confidence), head, settings
        )


def corrected(found: Labelling | None, gap: float, low: float, high: float) -> Row:
    """Return a scenario's columns; an interval is cut at ±1."""
    if found is None:
        return {"status": "not estimable: such an annotator would have labelled another share"}
    row: Row = {"share": found.share, "ppv_group": found.ppv_group, "ppv_reference": found.ppv_reference}
    row |= {"ppv_sum": found.ppv_group + found.ppv_reference, "attenuation": found.attenuation}
    if found.attenuation <= 1e-9 or abs(gap / found.attenuation) > 1:
        return row | {"status": "not estimable: the gap would exceed 100 points"}
    row |= {"estimate": gap / found.attenuation}
    return row | {"ci_low": max(-1.0, low / found.attenuation), "ci_high": min(1.0, high / found.attenuation)}


def tipping_points(
    gap: float, low: float, high: float, equivalence: tuple[float, float], head: Row, settings: Settings
) -> Iterator[Row]:
    """Yield the sums of predictive values at which a conclusion turns.

    Division by the attenuation moves an interval away from 0 and never over it, so what can turn is where the
    interval lies against the margin: *within* it (the narrower interval of the equivalence test) and *not beyond* it.
    """
    margin = settings.margin
    excludes = low > 0 or high < 0
    row = head | {"scenario": "tipping point: interval reaches 0"}
    yield row | {"status": f"not reached: the interval {'excludes' if excludes else 'holds'} 0 at every PPV sum"}

    confidence = settings.equivalence_confidence
    row = head | {"scenario": "tipping point: no longer within the margin", "confidence": confidence}
    yield row | turning(max(map(abs, equivalence)) / margin, gap, equivalence, "is not within the margin as it is")

    row = head | {"scenario": "tipping point: wholly beyond the margin"}
    if excludes:
        yield row | turning(min(abs(low), abs(high)) / margin, gap, (low, high), "is beyond the margin as it is")
    else:
        yield row | {"status": "not reached: the interval holds 0 at every PPV sum"}


def turning(attenuation: float, gap: float, interval: tuple[float, float], already: str) -> Row:
    """Return the columns of the scenario at which an interval, divided by ``attenuation``, touches the margin."""
    if attenuation >= 1:
        return {"status": f"not reached: the interval {already}"}
    if attenuation <= 1e-9 or abs(gap) > attenuation:
        return {"status": "not reached: the gap would exceed 100 points"}
    row = {"ppv_sum": 1 + attenuation, "attenuation": attenuation, "estimate": gap / attenuation}
    return row | {
        "ci_low": max(-1.0, interval[0] / attenuation),
        "ci_high": min(1.0, interval[1] / attenuation),
    }
