"""What every source of faces gives: its pictures listed, and a function that reads some of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Pixels = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Listing:
    """The pictures of a source, before any is read.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per picture listed: ``image_id`` (text, empty where there is none), ``partition`` (text or missing),
        ``line`` (of the file that lists it), and either the ten columns of votes or ``label``. Beside ``label`` there
        may be ``leaves`` (text: why the source's owners' own word puts the row aside, else empty) and
        ``owner_<attribute>``, the group of people to which the owners assign the face (text or missing).
    voted : bool
        Whether there are votes.
    load : callable
        Takes ascending positions in ``frame`` (int64, shape (k,)); returns pixels (uint8, shape (k, size, size)) and
        for each why it cannot be read (text, empty where it can).
    """

    frame: pd.DataFrame
    voted: bool
    load: Callable[[np.ndarray], Pixels]
