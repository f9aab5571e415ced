"""Arms in the order of their accuracy, and which of them cannot be told from the best."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fergap.audit.inputs import Arm
from fergap.audit.proportions import wilson

Row = dict[str, Any]


def families(arms: Sequence[Arm]) -> list[list[Arm]]:
    """Return the arms in families that are compared: those that predict the same faces, such as one split's test part.

    Arms that share their faces with no other form one family together, to be compared on the faces that all predict.
    """
    same: dict[bytes, list[Arm]] = {}
    for arm in arms:
        same.setdefault(np.packbits(arm.covered).tobytes(), []).append(arm)
    alone = [family[0] for family in same.values() if len(family) == 1]
    found = [family for family in same.values() if len(family) > 1]
    return [*found, alone] if alone else found


def ranking(compared: Iterable[Row], arms: Sequence[Arm], confidence: float) -> Iterator[Row]:
    """Yield the rows of ``ranking``: each family's arms from the best accuracy to the worst.

    An arm is not distinguishable from the best if the adjusted p of its paired comparison with it is not below
    1 - ``confidence``; the adjustment is over all pairs of the family, so choosing the best among many is paid for.

    Parameters
    ----------
    compared : iterable of mappings
        The rows of ``models_compared``.
    """
    tests = {(row["first"], row["second"]): row for row in compared if row["test"] == "mcnemar mid-p"}
    for family in families(arms):
        if len(family) < 2:
            continue
        common = np.logical_and.reduce([arm.covered for arm in family])
        n = int(common.sum())
        if not n:
            continue
        right = [int((arm.true == arm.predicted)[common].sum()) for arm in family]
        order = sorted(range(len(family)), key=lambda i: -right[i])
        best = order[0]
        for i in order:
            row = {"arms": ", ".join(arm.name for arm in family), "arm": family[i].name, "best": family[best].name}
            row |= {"rank": 1 + sum(x > right[i] for x in right), "n": n, "count": right[i], "estimate": right[i] / n}
            low, high = wilson(right[i], n, confidence)
            row |= {"ci_low": low, "ci_high": high, "confidence": confidence, "method": "wilson", "status": "ok"}
            row |= {"difference": (right[i] - right[best]) / n, "indistinguishable": 1}
            if i != best:
                pair = (min(i, best), max(i, best))
                found = tests[family[pair[0]].name, family[pair[1]].name]
                row |= {"p_value": found["p_value"], "p_adjusted": found["p_adjusted"]}
                row["indistinguishable"] = int(found["p_adjusted"] >= 1 - confidence)
            yield row
