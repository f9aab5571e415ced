"""The metrics of a :class:`fergap.audit.GapFrame`: by name or by function, and what is known of them.

A metric that is a share of faces (accuracy, recall, selection rate) has an interval in closed form; every metric of the
table of true and predicted classes can be resampled many tables at a time; any other function is called once per
resample.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fergap.audit.classification import accuracy, per_class, share
from fergap.errors import UserError

Tables = np.ndarray
Share = Callable[[Tables], tuple[np.ndarray, np.ndarray]]
# scikit-learn's and Fairlearn's functions, by the name that this module gives them
FUNCTIONS = {
    "accuracy_score": "accuracy",
    "zero_one_loss": "zero_one_loss",
    "balanced_accuracy_score": "balanced_accuracy",
    "recall_score": "recall",
    "precision_score": "precision",
    "f1_score": "f1",
    "selection_rate": "selection_rate",
    "true_positive_rate": "true_positive_rate",
    "true_negative_rate": "true_negative_rate",
    "false_positive_rate": "false_positive_rate",
    "false_negative_rate": "false_negative_rate",
}
AVERAGED = ("recall_score", "precision_score", "f1_score")
OF_A_CLASS = (
    "recall",
    "precision",
    "f1",
    "selection_rate",
    "true_positive_rate",
    "true_negative_rate",
    "false_positive_rate",
    "false_negative_rate",
)
OF_ALL = ("accuracy", "zero_one_loss", "balanced_accuracy", "count")
MACRO = tuple(f"{m}_{average}" for m in ("precision", "recall", "f1") for average in ("macro", "weighted"))


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes
    ----------
    name : str
        Its column.
    function : callable or None
        ``function(y_true, y_pred)``, or None where the table gives the value.
    of_tables : callable or None
        (…, classes, classes) counts, true × predicted → (…) values.
    share : callable or None
        The same tables → counted faces and faces in all, for a metric that is their quotient.
    """

    name: str
    function: Callable[[np.ndarray, np.ndarray], Any] | None
    of_tables: Callable[[Tables], np.ndarray] | None
    share: Share | None

    @property
    def weighs(self) -> bool:
        """Whether the function takes ``sample_weight``."""
        try:
            return "sample_weight" in inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            return False


def share_of(name: str, p: int) -> Share | None:
    """Return the counts whose quotient a metric is, class ``p`` being the positive one; None if it is no share."""

    def right(t: Tables) -> np.ndarray:
        return np.trace(t, axis1=-2, axis2=-1)

    def total(t: Tables) -> np.ndarray:
        return t.sum((-2, -1))

    def of_class(t: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right answers in the class, faces of the class, answers with the class."""
        return t[..., p, p], t[..., p, :].sum(-1), t[..., :, p].sum(-1)

    def negatives(t: Tables) -> tuple[np.ndarray, np.ndarray]:
        """Faces of other classes taken for the class, and faces of other classes."""
        tp, support, predicted = of_class(t)
        return predicted - tp, total(t) - support

    return {
        "accuracy": lambda t: (right(t), total(t)),
        "zero_one_loss": lambda t: (total(t) - right(t), total(t)),
        "recall": lambda t: of_class(t)[:2],
        "true_positive_rate": lambda t: of_class(t)[:2],
        "false_negative_rate": lambda t: (of_class(t)[1] - of_class(t)[0], of_class(t)[1]),
        "precision": lambda t: of_class(t)[::2],
        "selection_rate": lambda t: (of_class(t)[2], total(t)),
        "false_positive_rate": negatives,
        "true_negative_rate": lambda t: (negatives(t)[1] - negatives(t)[0], negatives(t)[1]),
    }.get(name)


def average_of(name: str, p: int) -> Callable[[Tables], np.ndarray]:
    """Return a metric that is no share: F1, a macro or weighted average over the classes that occur, or the count."""

    def averaged(t: Tables, metric: str, average: str) -> np.ndarray:
        values = dict(zip(("precision", "recall", "f1"), per_class(t), strict=True))[metric]
        support, predicted = t.sum(-1), t.sum(-2)
        # scikit-learn averages over the classes of this group's truth and answers
        weight = support if average == "weighted" else ((support + predicted) > 0).astype(float)
        return share((values * weight).sum(-1), weight.sum(-1))

    def balanced(t: Tables) -> np.ndarray:
        there = (t.sum(-1) > 0).astype(float)
        return share((per_class(t)[1] * there).sum(-1), there.sum(-1))

    if name in MACRO:
        return partial(averaged, metric=name.split("_")[0], average=name.split("_")[1])
    return {
        "f1": lambda t: per_class(t)[2][..., p],
        "balanced_accuracy": balanced,
        "count": lambda t: t.sum((-2, -1)),
    }[name]


def known(function: Callable) -> tuple[str, Any] | None:
    """Return the name and positive class of scikit-learn's or Fairlearn's function, or None for any other."""
    keywords: dict[str, Any] = {}
    while isinstance(function, partial):
        if function.args:
            return None
        keywords, function = function.keywords | keywords, function.func
    module = str(getattr(function, "__module__", "")).split(".")[0]
    found = getattr(function, "__name__", "")
    if module not in ("sklearn", "fairlearn") or found not in FUNCTIONS:
        return None
    positive = keywords.pop("pos_label", None)
    if keywords.get("zero_division") in ("warn", 0, 0.0):
        del keywords["zero_division"]
    name = FUNCTIONS[found]
    if found in AVERAGED:
        average = keywords.pop("average", "binary")
        if average == "micro":
            name = "accuracy"
        elif average in ("macro", "weighted"):
            name = f"{name}_{average}"
        elif average != "binary":
            return None
    return None if keywords else (name, 1 if positive is None else positive)


def position(name: str, positive: Any, classes: Sequence[Any]) -> int:
    """Return the positive class's place; by default that of 1, which with only 0 and 1 as classes need not occur."""
    for i, label in enumerate(classes):
        if label == positive or (isinstance(positive, str) and str(label) == positive):
            return i
    if positive == 1 and all(label in (0, -1) for label in classes):
        return len(classes)
    raise UserError(
        f"metric {name!r} has no class {positive!r}",
        where="metrics",
        expected=f"one of the classes {', '.join(map(str, classes))}",
        fix=f"name the class, such as '{name.split('[')[0]}[{classes[0]}]', or average, such as 'recall_macro'",
    )


def make_metric(column: str, given: Any, classes: Sequence[Any]) -> Metric:
    """Return a metric from a name or a function.

    Parameters
    ----------
    column : str
        The metric's name in the results.
    given : str or callable
        A name of ``OF_ALL``, ``OF_A_CLASS`` (of the class 1, or ``recall[happy]``) or ``MACRO``; or a function.
    classes : sequence
        The classes, in the order of the tables; a table has one class more, for a positive class that never occurs.
    """
    if callable(given):
        found, function = known(given), given
        if found is None:
            return Metric(column, function, None, None)
        name, positive = found
    elif isinstance(given, str):
        name, _, label = given.partition("[")
        positive, function = label.removesuffix("]") if label else 1, None
    else:
        name, positive, function = "", None, None
    if name not in OF_ALL + OF_A_CLASS + MACRO:
        raise UserError(
            f"{given!r} is no metric",
            where="metrics",
            expected="a function of y_true and y_pred, or one of " + ", ".join(OF_ALL + OF_A_CLASS + MACRO),
        )
    p = position(str(given) if isinstance(given, str) else name, positive, classes) if name in OF_A_CLASS else 0
    counted = share_of(name, p)
    if name == "accuracy":
        return Metric(column, function, accuracy, counted)
    if counted is not None:
        return Metric(column, function, lambda t: share(*counted(t)), counted)
    return Metric(column, function, average_of(name, p), None)
