"""The arrays that a :class:`fergap.audit.GapFrame` is made of, as Fairlearn takes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fergap.errors import UserError


def name_of(metric: Any) -> str:
    """Return the column of a single metric, as Fairlearn names it."""
    return metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")


def labels(values: Any, where: str) -> np.ndarray:
    """Return (faces,) labels."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    array = np.squeeze(array) if array.ndim > 1 else array
    if array.ndim != 1:
        raise UserError(f"{array.ndim} dimensions", where=where, expected="one label per face")
    missing = pd.isna(array)
    if missing.any():
        raise UserError(f"face {int(missing.argmax())} has no label", where=where, expected="one label per face")
    return array


def feature_table(features: Any, base: str, n: int) -> pd.DataFrame:
    """Return features as columns; names that are not given are ``base`` and their position.

    Raises
    ------
    UserError
        A name is no string, a value is missing, or there are not ``n`` rows.
    """
    where = base[:-1] + "s"
    if isinstance(features, pd.Series):
        columns = [(features.name, features)]
    elif isinstance(features, pd.DataFrame | Mapping):
        columns = [(name, features[name]) for name in features]
    else:
        array = np.squeeze(np.asarray(features, dtype=object)) if len(features) != 1 else np.asarray(features, object)
        if array.ndim > 2:
            raise UserError(f"{array.ndim} dimensions", where=where, expected="one or two")
        columns = [(None, array)] if array.ndim == 1 else [(None, column) for column in array.T]
    out = {}
    for i, (name, column) in enumerate(columns):
        if name is not None and not isinstance(name, str):
            raise UserError(f"the name {name!r} is no string", where=where, expected="names that are strings")
        column = list(column)
        if len(column) != n:
            raise UserError(f"{len(column):,} values for {n:,} faces", where=where, expected="one value per face")
        name = name if name is not None else f"{base}{i}"
        out[name] = pd.Series(column)
        if out[name].isna().any():
            raise UserError(f"{name} has no value for face {int(out[name].isna().argmax())}", where=where)
    if not out:
        raise UserError("there is no feature", where=where, expected="at least one")
    return pd.DataFrame(out)
