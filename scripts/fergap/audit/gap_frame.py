"""Metrics by group in the way of ``fairlearn.metrics.MetricFrame``, with an interval for every number."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from fergap.audit.frame_inputs import feature_table, labels, name_of
from fergap.audit.frame_metrics import Metric, make_metric
from fergap.audit.proportions import newcombe, wilson
from fergap.audit.ratios import against_whole, score_ratio
from fergap.errors import UserError
from fergap.seeds import generator

Method = Literal["between_groups", "to_overall"]
METHODS = ("between_groups", "to_overall")
CELLS = 4_000_000  # drawn at a time, which bounds the memory


class GapFrame:
    """Metrics of groups of people, their largest difference and smallest ratio, each with its interval.

    A drop-in for ``fairlearn.metrics.MetricFrame``: ``overall``, ``by_group``, ``group_min()``, ``group_max()``,
    ``difference()`` and ``ratio()`` have the values, indices and types that they have there. What is added is names for
    metrics, intervals that are right for small groups, and speed: one pass over the faces makes a table of counts, from
    which everything else comes.

    Parameters
    ----------
    metrics : callable, str or dict
        A function ``f(y_true, y_pred)`` that returns a number; or a name: ``accuracy``, ``balanced_accuracy``,
        ``zero_one_loss``, ``count``; ``recall``, ``precision``, ``f1``, ``selection_rate`` and ``true_positive_rate``,
        ``true_negative_rate``, ``false_positive_rate``, ``false_negative_rate`` of the class 1, or of the class in
        brackets, ``recall[happy]``; ``recall_macro``, ``recall_weighted`` and so for ``precision`` and ``f1``. Or a
        dict of column → function or name. Several metrics give a Series or a DataFrame where one gives a number or a
        Series, also if the dict has one entry. 0/0 is 0. The functions of scikit-learn and Fairlearn are recognised;
        of any other, an interval calls it for every resample.
    y_true, y_pred : array-like
        (faces,) true and predicted labels.
    sensitive_features : list, Series, DataFrame, dict of arrays or array
        (faces,) or (faces, features): who is compared. A combination without a face is NaN.
    control_features : the same, optional
        Everything is computed within each of their levels.
    confidence : float
        Of the intervals.
    resamples : int
        Bootstrap resamples of metrics that are no share of faces.
    seed : int
        Of the resamples.

    Raises
    ------
    UserError
        The lengths differ, a value is missing, two features have one name, or a metric is unknown.

    Notes
    -----
    Intervals come as ``[low, high]``, each of the type of the estimate, as in Fairlearn's ``*_ci``. Shares of faces
    have Wilson's interval, their differences Newcombe's, and their ratios the hybrid score interval (Donner & Zou 2012,
    Newcombe's counterpart). Other metrics have the percentile bootstrap, groups drawn separately.

    ``difference()`` is the largest of all differences, so never below 0 and above 0 even between equal groups; a
    percentile interval of it would not contain 0 as often as it should. Its interval is therefore that of the signed
    difference of the two groups found, simultaneously over all m pairs (level 1 − α/m): below 0 means that their order
    is not sure. ``ratio()`` likewise, above 1. Between two groups m is 1. NaN where a group has no face that counts.

    Examples
    --------
    >>> frame = GapFrame(
    ...     metrics="accuracy",
    ...     y_true=["happy", "sad"] * 10,
    ...     y_pred=["happy"] * 15 + ["sad"] * 5,
    ...     sensitive_features=["child"] * 10 + ["adult"] * 10,
    ... )
    >>> frame.by_group.to_dict()
    {'adult': 0.6, 'child': 0.5}
    >>> low, high = frame.difference_ci()
    >>> print(f"{frame.difference():.2f} ({low:.2f} to {high:.2f})")
    0.10 (-0.29 to 0.45)
    """

    def __init__(
        self,
        *,
        metrics: Callable | str | Mapping[str, Callable | str],
        y_true: Any,
        y_pred: Any,
        sensitive_features: Any,
        control_features: Any = None,
        confidence: float = 0.95,
        resamples: int = 10_000,
        seed: int = 0,
    ):
        if not 0 < confidence < 1:
            raise UserError(f"{confidence!r} is not allowed", where="confidence", expected="a number between 0 and 1")
        if resamples < 100:
            raise UserError(f"{resamples!r} is not allowed", where="resamples", expected="at least 100")
        self.confidence, self.resamples, self.seed = confidence, resamples, seed
        self._one = not isinstance(metrics, Mapping)
        self._true, self._predicted = labels(y_true, "y_true"), labels(y_pred, "y_pred")
        n = len(self._true)
        if len(self._predicted) != n or n == 0:
            raise UserError(
                f"{n:,} true labels and {len(self._predicted):,} predicted", where="y_pred", expected="equal"
            )
        sensitive = feature_table(sensitive_features, "sensitive_feature_", n)
        control = pd.DataFrame() if control_features is None else feature_table(control_features, "control_feature_", n)
        self.sensitive_levels = list(sensitive)
        self.control_levels = list(control) or None
        features = {**control, **sensitive}
        if len(features) < control.shape[1] + sensitive.shape[1]:
            raise UserError("a name stands for two features", where="control_features", expected="different names")

        self._count(pd.DataFrame(features))
        given = metrics if isinstance(metrics, Mapping) else {name_of(metrics): metrics}
        self._metrics = [make_metric(str(column), metric, self._classes) for column, metric in given.items()]
        found = self._counts[self._cells.get_indexer(self._found)]
        values = [self._values(rows, counts) for rows, counts in zip(self._rows, found, strict=True)]
        self._by_group = self._frame(values, self._found, self._cells)
        self._overall = self._overall_values()

    def _count(self, features: pd.DataFrame) -> None:
        """Count the faces of every group and pair of labels; remember which faces each group has."""
        grouped = features.groupby(list(features))
        codes = grouped.ngroup().to_numpy()
        self._found = grouped.size().index
        self._cells = self._found
        if features.shape[1] > 1:
            levels = [np.unique(features[name]) for name in features]
            self._cells = pd.MultiIndex.from_product(levels, names=list(features))
        either = [self._true, self._predicted]
        if either[0].dtype.kind != either[1].dtype.kind:
            either = [a.astype(object) for a in either]
        code, self._classes = pd.factorize(np.concatenate(either))
        true, predicted = code[: len(codes)], code[len(codes) :]
        size = len(self._classes) + 1  # one more for a positive class that never occurs
        pair, self._pairs = pd.factorize(true.astype(np.int64) * size + predicted, sort=True)
        shape = (len(self._found), len(self._pairs))
        counts = np.bincount(codes * shape[1] + pair, minlength=shape[0] * shape[1]).reshape(shape)
        place = self._found.get_indexer(self._cells)
        self._counts = np.where(place[:, None] >= 0, counts[place], 0)
        order = np.argsort(codes, kind="stable")
        self._rows = np.split(order, np.cumsum(np.bincount(codes))[:-1])

    def _tables(self, counts: np.ndarray) -> np.ndarray:
        """Return (…, pairs) counts as (…, classes + 1, classes + 1) tables."""
        size = len(self._classes) + 1
        tables = np.zeros((*counts.shape[:-1], size * size), counts.dtype)
        tables[..., self._pairs] = counts
        return tables.reshape(*counts.shape[:-1], size, size)

    def _values(self, rows: np.ndarray | slice, counts: np.ndarray) -> np.ndarray:
        """Return the metrics of some faces, of which ``counts`` are the counts by pair of labels."""
        # numbers rather than classes, which only a function can be given, would make it large
        table = self._tables(counts) if any(m.function is None for m in self._metrics) else None
        values = {}
        for metric in self._metrics:
            if metric.function is None:
                values[metric.name] = metric.of_tables(table)[()]
                continue
            values[metric.name] = value = metric.function(self._true[rows], self._predicted[rows])
            if not np.isscalar(value):
                raise UserError(
                    f"metric {metric.name!r} returns {type(value).__name__}", where="metrics", expected="a number"
                )
        return pd.Series(values).to_numpy()

    def _frame(self, rows: list[np.ndarray], found: pd.Index, cells: pd.Index) -> pd.DataFrame:
        frame = pd.DataFrame(np.vstack(rows), index=found, columns=pd.Index([m.name for m in self._metrics]))
        return frame.reindex(cells) if len(found) != len(cells) or found.nlevels > 1 else frame

    def _overall_values(self) -> pd.Series | pd.DataFrame:
        names = pd.Index([m.name for m in self._metrics])
        if not self.control_levels:
            return pd.Series(self._values(slice(None), self._counts.sum(0)), index=names)
        members: dict[Any, list[int]] = {}
        for i, key in enumerate(self._level_of(self._found)):
            members.setdefault(key, []).append(i)
        counts = self._counts[self._cells.get_indexer(self._found)]
        values = [
            self._values(np.sort(np.concatenate([self._rows[i] for i in group])), counts[group].sum(0))
            for group in members.values()
        ]
        return self._frame(values, self._index_of(list(members)), self._levels)

    def _level_of(self, index: pd.Index) -> list[Any]:
        """Return the control level, a value or a tuple, of each entry of a by-group index."""
        return list(index.droplevel(self.sensitive_levels))

    def _index_of(self, keys: list[Any]) -> pd.Index:
        if len(self.control_levels) > 1:
            return pd.MultiIndex.from_tuples(keys, names=self.control_levels)
        return pd.Index(keys, name=self.control_levels[0])

    @cached_property
    def _levels(self) -> pd.Index:
        """The control levels, those without a face included."""
        return self._index_of(list(dict.fromkeys(self._level_of(self._cells))))

    def _result(self, found: pd.Series | pd.DataFrame) -> Any:
        """Return what is known of the only metric, or of all."""
        if not self._one:
            return found
        return found.iloc[:, 0] if isinstance(found, pd.DataFrame) else found.iloc[0]

    @property
    def overall(self) -> Any:
        """The metrics of all faces: a number, or a Series over metrics; within control levels, their index."""
        return self._result(self._overall)

    @property
    def by_group(self) -> pd.Series | pd.DataFrame:
        """The metrics of each group: a Series, or a DataFrame with a column per metric."""
        return self._by_group.iloc[:, 0] if self._one else self._by_group

    def _over_groups(self, values: pd.DataFrame, how: str) -> pd.Series | pd.DataFrame:
        return values.groupby(level=self.control_levels).agg(how) if self.control_levels else values.agg(how)

    def _overall_by_group(self) -> pd.Series | pd.DataFrame:
        """The overall value that each entry of ``by_group`` is compared with."""
        if not self.control_levels:
            return self._overall
        position = self._levels.get_indexer(self._index_of(self._level_of(self._cells)))
        return self._overall.iloc[position].set_axis(self._cells)

    def group_min(self) -> Any:
        """Return the smallest value over groups; the type of ``overall``."""
        return self._result(self._over_groups(self._by_group, "min"))

    def group_max(self) -> Any:
        """Return the largest value over groups; the type of ``overall``."""
        return self._result(self._over_groups(self._by_group, "max"))

    def difference(self, method: Method = "between_groups") -> Any:
        """Return the largest absolute difference between two groups, or between a group and all; as ``overall``."""
        if check_method(method) == "between_groups":
            return self._result(self._over_groups(self._by_group, "max") - self._over_groups(self._by_group, "min"))
        return self._result(self._over_groups((self._by_group - self._overall_by_group()).abs(), "max"))

    def ratio(self, method: Method = "between_groups") -> Any:
        """Return the smallest ratio between two groups, or between a group and all, either way; as ``overall``."""
        if check_method(method) == "between_groups":
            return self._result(self._over_groups(self._by_group, "min") / self._over_groups(self._by_group, "max"))
        ratios = self._by_group / self._overall_by_group()
        return self._result(self._over_groups(ratios.where(~(ratios > 1), 1 / ratios), "min"))

    @property
    def overall_ci(self) -> list[Any]:
        """The interval of ``overall``: [low, high], each of its type."""
        return self._ends(self._level_interval)

    @cached_property
    def by_group_ci(self) -> list[pd.Series] | list[pd.DataFrame]:
        """The interval of ``by_group``: [low, high], each of its type; not simultaneous over groups."""
        ends = np.full((2, *self._by_group.shape), np.nan)
        for _, rows in self._members():
            for m, metric in enumerate(self._metrics):
                for i, row in enumerate(rows):
                    if self._counts[row].any():
                        ends[:, row, m] = self._one_interval(metric, self._counts[row], rows, m, i)
        frames = [pd.DataFrame(end, index=self._cells, columns=self._by_group.columns) for end in ends]
        return [frame.iloc[:, 0] for frame in frames] if self._one else frames

    def difference_ci(self, method: Method = "between_groups") -> list[Any]:
        """Return the interval of the signed difference that ``difference`` found; see the notes of the class."""
        check_method(method)
        return self._ends(lambda rows, m: self._comparison(rows, m, method, ratio=False))

    def ratio_ci(self, method: Method = "between_groups") -> list[Any]:
        """Return the interval of the ratio that ``ratio`` found, above 1 included; see the notes of the class."""
        check_method(method)
        return self._ends(lambda rows, m: self._comparison(rows, m, method, ratio=True))

    def _members(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield each control level's position and the rows of ``by_group`` that have faces in it."""
        levels = np.zeros(len(self._cells), int)
        if self.control_levels:
            levels = self._levels.get_indexer(self._index_of(self._level_of(self._cells)))
        for level in range(levels.max() + 1):
            rows = tuple(int(r) for r in np.flatnonzero((levels == level) & self._counts.any(1)))
            if rows:
                yield level, rows

    def _ends(self, interval: Callable[[tuple[int, ...], int], tuple[float, float]]) -> list[Any]:
        """Return both ends of an interval of each metric in each control level, shaped like ``overall``."""
        shape = (2, len(self._levels) if self.control_levels else 1, len(self._metrics))
        ends = np.full(shape, np.nan)
        for level, rows in self._members():
            for m in range(len(self._metrics)):
                ends[:, level, m] = interval(rows, m)
        if self.control_levels:
            frames = [pd.DataFrame(end, index=self._levels, columns=self._by_group.columns) for end in ends]
            return [self._result(frame) for frame in frames]
        return [self._result(pd.Series(end[0], index=self._by_group.columns)) for end in ends]

    def _level_interval(self, rows: tuple[int, ...], m: int) -> tuple[float, float]:
        return self._one_interval(self._metrics[m], self._counts[list(rows)].sum(0), rows, m, len(rows))

    def _one_interval(
        self, metric: Metric, counts: np.ndarray, rows: tuple[int, ...], m: int, i: int
    ) -> tuple[float, float]:
        """Return the interval of one value, the i-th of a level's replicates."""
        if metric.share is None:
            return quantiles(self._replicates(rows)[i, :, m], 1 - self.confidence)
        x, n = metric.share(self._tables(counts))
        return wilson(int(x), int(n), self.confidence) if n else (np.nan, np.nan)

    def _comparison(self, rows: tuple[int, ...], m: int, method: str, ratio: bool) -> tuple[float, float]:
        """Return the interval of the comparison that :meth:`difference` or :meth:`ratio` picks in one level."""
        values = self._by_group.iloc[list(rows), m].to_numpy(float)
        k = int((~np.isnan(values)).sum())
        if k < 2:
            return np.nan, np.nan
        metric, alpha = self._metrics[m], 1 - self.confidence
        shares = None
        if metric.share is not None:
            shares = np.transpose(metric.share(self._tables(self._counts[list(rows)])))
        if method == "between_groups":
            pair = np.nanargmin(values), np.nanargmax(values)
            first, second = pair if ratio else pair[::-1]
            level = 1 - alpha / (k * (k - 1) // 2)
            if shares is None:
                return self._resampled(rows, m, first, second, 1 - level, ratio)
            if not shares[first][1] or not shares[second][1]:
                return np.nan, np.nan
            counts = [int(c) for c in (*shares[first], *shares[second])]
            return (score_ratio if ratio else newcombe)(*counts, level)

        overall = self._overall_of(rows, m)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.abs(np.log(values / overall)) if ratio else np.abs(values - overall)
        if np.isnan(far).all():
            return np.nan, np.nan
        g = int(np.nanargmax(far))
        above = bool(values[g] > overall)
        level = 1 - alpha / (1 if k == 2 else k)  # two groups have one difference
        if shares is None:
            ends = (g, len(rows)) if above != ratio else (len(rows), g)
            return self._resampled(rows, m, *ends, 1 - level, ratio)
        x, n = (int(c) for c in shares[g])
        rest = [int(c) for c in shares.sum(0) - shares[g]]
        if not n or not rest[1]:
            return np.nan, np.nan
        return against_whole(x, n, *rest, level, ratio=ratio, above=above)

    def _overall_of(self, rows: tuple[int, ...], m: int) -> float:
        if not self.control_levels:
            return float(self._overall.iloc[m])
        level = self._levels.get_loc(self._level_of(self._cells[[rows[0]]])[0])
        return float(self._overall.iloc[level, m])

    def _resampled(
        self, rows: tuple[int, ...], m: int, first: int, second: int, alpha: float, ratio: bool
    ) -> tuple[float, float]:
        """Return the percentile interval of a level's first − second (or first/second) replicates."""
        drawn = self._replicates(rows)[:, :, m]
        if ratio:
            with np.errstate(divide="ignore", invalid="ignore"):
                return quantiles(drawn[first] / drawn[second], alpha)
        return quantiles(drawn[first] - drawn[second], alpha)

    def _replicates(self, rows: tuple[int, ...]) -> np.ndarray:
        """Return (groups + 1, resamples, metrics): each group of a control level, drawn by itself, and all of them."""
        if not hasattr(self, "_drawn"):
            self._drawn: dict[tuple[int, ...], np.ndarray] = {}
        if rows not in self._drawn:
            streams = [generator(self.seed, "gap frame", row) for row in rows]
            size = max(len(self._pairs), (len(self._classes) + 1) ** 2 if self._tabled else 1)
            chunk = max(1, min(self.resamples, CELLS // size))
            parts = []
            for done in range(0, self.resamples, chunk):
                b = min(chunk, self.resamples - done)
                drawn = np.zeros((len(rows) + 1, b, len(self._pairs)), np.int64)
                for i, (row, stream) in enumerate(zip(rows, streams, strict=True)):
                    counts = self._counts[row]
                    cells = np.flatnonzero(counts)
                    drawn[i][:, cells] = stream.multinomial(counts.sum(), counts[cells] / counts.sum(), size=b)
                drawn[-1] = drawn[:-1].sum(0)
                parts.append(np.stack([self._statistics(counts) for counts in drawn]))
            self._drawn[rows] = np.concatenate(parts, axis=1)
        return self._drawn[rows]

    @property
    def _tabled(self) -> bool:
        return any(metric.of_tables is not None for metric in self._metrics)

    def _statistics(self, counts: np.ndarray) -> np.ndarray:
        """Return (resamples, metrics) of (resamples, pairs) counts; of metrics with an interval in closed form, 0."""
        out = np.zeros((len(counts), len(self._metrics)))
        if self._tabled:
            tables = self._tables(counts)
        size = len(self._classes) + 1
        true, predicted = (np.asarray(self._classes)[c] for c in np.divmod(self._pairs, size))
        for m, metric in enumerate(self._metrics):
            if metric.share is not None:
                continue
            if metric.of_tables is not None:
                out[:, m] = metric.of_tables(tables)
            elif metric.weighs:
                for b, weight in enumerate(counts):
                    kept = weight > 0
                    out[b, m] = metric.function(true[kept], predicted[kept], sample_weight=weight[kept])
            else:
                for b, weight in enumerate(counts):
                    out[b, m] = metric.function(np.repeat(true, weight), np.repeat(predicted, weight))
        return out


def quantiles(values: np.ndarray, alpha: float) -> tuple[float, float]:
    """Return the quantiles α/2 and 1 − α/2 of the values that are numbers; NaN without any."""
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)


def check_method(method: str) -> str:
    """Return the method, or raise a UserError if there is none of that name."""
    if method not in METHODS:
        raise UserError(f"{method!r} is not allowed", where="method", expected=" or ".join(METHODS))
    return method
