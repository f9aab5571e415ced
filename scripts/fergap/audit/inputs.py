"""The audit's input, checked and turned into codes: who was predicted as what by which arm, and who is who."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fergap.audit.scoring import Scores, score
from fergap.errors import UserError, no_such_reference

ROLES = ("train", "validation", "test")


@dataclass(frozen=True)
class Attribute:
    """A way to split the faces.

    Attributes
    ----------
    name : str
        ``gender``, or a combination, ``gender*age``.
    groups : tuple of str
        The declared groups, then those found; groups of a combination are joined by ``*``.
    codes : numpy.ndarray of int
        (faces,) position in ``groups``, −1 where unknown.
    reference : int
        Position of the group that the others are compared with.
    chosen : bool
        Whether the reference was chosen here (the largest group) rather than given.
    """

    name: str
    groups: tuple[str, ...]
    codes: np.ndarray
    reference: int
    chosen: bool

    @property
    def combined(self) -> bool:
        return "*" in self.name


@dataclass(frozen=True)
class Arm:
    """An arm's out-of-fold predictions in its first replicate; arrays over all faces, −1 where not predicted.

    ``scores`` are those of its probabilities, None where the predictions have none.
    """

    name: str
    seed: int
    repeat: int
    true: np.ndarray
    predicted: np.ndarray
    fold: np.ndarray
    scores: Scores | None = None

    @property
    def covered(self) -> np.ndarray:
        return self.true >= 0


@dataclass(frozen=True)
class Sample:
    """Everything that the audit counts.

    ``rows`` holds one line per prediction: arm, seed, repeat, fold, role, face (position in ``faces``), correct.
    ``clusters`` holds each face's cluster, or is None where none is known; ``given`` each face's true class where no
    arm tells it.
    """

    arms: dict[str, Arm]
    classes: tuple[str, ...]
    faces: pd.Index
    attributes: tuple[Attribute, ...]
    rows: pd.DataFrame
    probabilities: dict[str, tuple[int, int]]
    unpredicted_people: int
    clusters: np.ndarray | None = None
    given: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        """Each face's true class as the first arm that predicts it has it, (faces,), −1 where none does."""
        found = np.full(len(self.faces), -1) if self.given is None else self.given
        for arm in self.arms.values():
            found = np.where(found < 0, arm.true, found)
        return found


def fail_first(bad: np.ndarray, frame: pd.DataFrame, problem: str, where: str, **more: str) -> None:
    """Raise a UserError that names the first bad row's face, if there is one."""
    if bad.any():
        row = int(np.argmax(bad))
        count = int(bad.sum())
        others = f" ({count:,} rows in all)" if count > 1 else ""
        raise UserError(f"face {frame['image_id'].iloc[row]!r}: {problem}{others}", where=where, **more)


def codes_of(values: pd.Series, labels: Sequence[str]) -> np.ndarray:
    """Return the position in ``labels`` of each value, −1 where it is none of them."""
    codes, found = pd.factorize(values)
    position = {label: i for i, label in enumerate(labels)}
    return np.array([position.get(str(label), -1) for label in found] + [-1], np.int32)[codes]


def completed(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions with the columns that a plain table of true and predicted classes leaves out."""
    needed = ("image_id", "true", "predicted")
    if absent := [c for c in needed if c not in predictions.columns]:
        raise UserError(
            f"column {absent[0]!r} is missing (found: {', '.join(map(str, predictions.columns))})",
            where="predictions",
            expected=f"the columns {', '.join(needed)}",
        )
    if predictions.empty:
        raise UserError("there is no row", where="predictions", expected="one row per face")
    defaults = {"arm": "model", "seed": 0, "repeat": 0, "fold": 0, "role": "test"}
    frame = predictions.reset_index(drop=True)
    return frame.assign(**{c: value for c, value in defaults.items() if c not in frame.columns})


def check_probabilities(frame: pd.DataFrame, classes: Sequence[str]) -> tuple[int, int] | None:
    """Return how many rows have probabilities and how many of those are largest for another class than predicted."""
    columns = [f"p_{c}" for c in classes]
    if not set(columns) <= set(frame.columns):
        return None
    p = frame[columns].to_numpy(float)
    given = ~np.isnan(p).all(1)
    outside = ((p < 0) | (p > 1)).any(1)
    fail_first(outside, frame, "one of its probabilities is none", "predictions", expected="numbers from 0 to 1")
    off = given & ~(np.abs(p.sum(1) - 1) <= 0.01)
    fail_first(off, frame, "its probabilities do not sum to 1", "predictions", expected="one probability per class")
    if not given.any():
        return None
    p, predicted = p[given], pd.Index(classes).get_indexer(frame["predicted"][given])
    return int(given.sum()), int((p[np.arange(len(p)), predicted] < p.max(1) - 1e-6).sum())


def first_replicate(rows: pd.DataFrame, arm: str, size: int, probabilities: pd.DataFrame | None) -> Arm:
    """Return an arm's predictions for the seed listed first and that seed's smallest repeat.

    ``probabilities`` has the rows of ``rows`` and one column per class, or is None.
    """
    test = rows[(rows["arm"] == arm) & (rows["role"] == "test")]
    if test.empty:
        raise UserError(
            f"arm {arm!r} has no out-of-fold prediction",
            where="predictions",
            expected="rows whose role is 'test'",
            fix="predict every face by a model that never saw it, or leave the arm out of the configuration",
        )
    seed = int(test["seed"].iloc[0])
    repeat = int(test.loc[test["seed"] == seed, "repeat"].min())
    chosen = test[(test["seed"] == seed) & (test["repeat"] == repeat)]
    arrays = {c: np.full(size, -1, np.int32) for c in ("true", "predicted", "fold")}
    for c, array in arrays.items():
        array[chosen["face"].to_numpy()] = chosen[c].to_numpy()
    scores = None
    if probabilities is not None and probabilities.loc[chosen.index].notna().all(axis=None):
        p = probabilities.loc[chosen.index].to_numpy(float)
        found = score(p, chosen["true"].to_numpy(), chosen["predicted"].to_numpy())
        scores = Scores(*(np.full(size, np.nan) for _ in found))
        for array, values in zip(scores, found, strict=True):
            array[chosen["face"].to_numpy()] = values
    return Arm(arm, seed, repeat, **arrays, scores=scores)


def group_codes(
    name: str, people: pd.DataFrame, faces: pd.Index, declared: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return an attribute's groups and each face's code, from the long table of people."""
    if "*" in name:
        parts = [group_codes(part.strip(), people, faces, declared) for part in name.split("*")]
        groups, codes = parts[0]
        for more, their in parts[1:]:
            codes = np.where((codes < 0) | (their < 0), -1, codes * len(more) + their)
            groups = tuple(f"{first}*{second}" for first in groups for second in more)
        return groups, codes
    known = people[(people["attribute"] == name).to_numpy()]
    if known.empty:
        there = ", ".join(sorted(people["attribute"].unique())) or "none"
        raise UserError(
            f"nobody's {name!r} is given (attributes there: {there})",
            where="people",
            expected=f"rows whose attribute is {name!r}",
            fix="add it to the annotation table, or take it out of audit.attributes",
        )
    repeated = known["image_id"].duplicated().to_numpy()
    fail_first(repeated, known, f"its {name} is given twice", "people", expected="one row per face and attribute")
    known = known[known["group"].notna()]
    if known.empty:
        raise UserError(f"every face's {name} is unknown", where="people", expected=f"at least one known {name}")
    found = sorted(str(group) for group in known["group"].unique())
    wanted = [str(g) for g in declared.get(name, ())]
    groups = tuple(wanted + [g for g in found if g not in wanted])
    position = pd.Index(known["image_id"]).get_indexer(faces)
    if not (position >= 0).any():
        raise UserError(
            f"no predicted face has a known {name} (ids are like {faces[0]!r} in the predictions and like "
            f"{known['image_id'].iloc[0]!r} among the people)",
            where="people",
            expected="the same image_id in both tables",
        )
    own = codes_of(known["group"], groups)
    return groups, np.where(position >= 0, own[position], -1).astype(np.int32)


def make_attribute(
    name: str,
    people: pd.DataFrame,
    faces: pd.Index,
    counted: np.ndarray,
    declared: Mapping[str, Sequence[str]],
    reference: Mapping[str, str],
) -> Attribute:
    """Return an attribute with its reference; without one given, the largest group among the ``counted`` faces."""
    name = "*".join(part.strip() for part in name.split("*"))
    groups, codes = group_codes(name, people, faces, declared)
    given = reference.get(name)
    if given is None and "*" in name and all(part in reference for part in name.split("*")):
        given = "*".join(reference[part] for part in name.split("*"))
    if given is not None:
        if given not in groups:
            raise no_such_reference(name, given, groups, f"audit.reference.{name}")
        return Attribute(name, groups, codes, groups.index(given), False)
    sizes = np.bincount(codes[counted & (codes >= 0)], minlength=len(groups))
    return Attribute(name, groups, codes, int(np.argmax(sizes)), True)


def make_sample(
    predictions: pd.DataFrame,
    people: pd.DataFrame,
    *,
    attributes: Sequence[str],
    reference: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
    arms: Sequence[str] | None,
    classes: Sequence[str] | None,
) -> Sample:
    """Check predictions and people and code them.

    Raises
    ------
    UserError
        A column, class or role is missing or unknown; a face is predicted twice in one replicate, or is not among the
        people; an arm, attribute or reference is not there, or no attribute has two groups; probabilities do not sum
        to 1.
    """
    frame = completed(predictions)
    for c in ("image_id", "true", "predicted"):
        fail_first(frame[c].isna().to_numpy(), frame, f"its {c!r} is empty", "predictions", expected="a value")
    there = [str(arm) for arm in frame["arm"].unique()]
    arms = list(arms) if arms is not None else there
    if absent := [a for a in arms if a not in there]:
        raise UserError(
            f"there is no prediction by arm {absent[0]!r} (arms there: {', '.join(map(str, there))})",
            where="predictions",
            expected="predictions by every arm of the configuration",
        )
    if set(there) - set(arms):
        frame = frame[codes_of(frame["arm"], arms) >= 0].reset_index(drop=True)
    found = {str(label) for c in ("true", "predicted") for label in frame[c].unique()}
    # a class that no face has and nobody predicts still has its probability
    shared = {str(c).removeprefix("p_") for c in frame.columns if str(c).startswith("p_")}
    found |= shared if found <= shared else set()
    labels = tuple(str(c) for c in classes) if classes else tuple(sorted(found))
    codes = {c: codes_of(frame[c], labels) for c in ("true", "predicted")}
    for c, values in codes.items():
        fail_first(
            values < 0, frame, f"its {c!r} is no declared class", "predictions", expected="one of " + ", ".join(labels)
        )
    roles = codes_of(frame["role"], ROLES)
    fail_first(roles < 0, frame, "its role is unknown", "predictions", expected=", ".join(ROLES))
    face, faces = pd.factorize(frame["image_id"])
    rows = frame[["seed", "repeat", "fold"]].assign(
        arm=pd.Categorical.from_codes(codes_of(frame["arm"], arms), arms),
        role=pd.Categorical.from_codes(roles, ROLES),
        face=face,
        true=codes["true"],
        predicted=codes["predicted"],
        correct=codes["true"] == codes["predicted"],
    )
    test = rows["role"] == "test"
    twice = test & rows[test].duplicated(["arm", "seed", "repeat", "face"]).reindex(rows.index, fill_value=False)
    fail_first(
        twice.to_numpy(),
        frame,
        "it is predicted twice by one arm in one repeat",
        "predictions",
        expected="each face once in role 'test' for each arm, seed and repeat",
    )
    columns = [f"p_{c}" for c in labels]
    probabilities = frame[columns] if set(columns) <= set(frame.columns) else None
    made = {arm: first_replicate(rows, arm, len(faces), probabilities) for arm in arms}
    for c in ("image_id", "attribute", "group"):
        if c not in people.columns:
            raise UserError(f"column {c!r} is missing", where="people", expected="image_id, attribute, group")
    counted = np.logical_or.reduce([arm.covered for arm in made.values()])
    known = pd.Index(people["image_id"].unique())
    compared = tuple(make_attribute(name, people, pd.Index(faces), counted, groups, reference) for name in attributes)
    if all(len(attribute.groups) < 2 for attribute in compared):
        alone = ", ".join(f"every {a.name} is {a.groups[0]!r}" for a in compared)
        raise UserError(
            f"there is nothing to compare: {alone}",
            where="people",
            expected="at least two groups of one attribute",
            fix="audit another attribute, or declare the groups that have no face under audit.groups",
        )
    fail_first(
        known.get_indexer(frame["image_id"]) < 0,
        frame,
        "it is predicted, and nobody says who it shows",
        "predictions",
        expected="ids of the people table",
        fix="correct the id, or add it to the people table, with empty cells where its groups are unknown",
    )
    return Sample(
        made,
        labels,
        pd.Index(faces),
        compared,
        rows,
        {arm: p for arm in arms if (p := check_probabilities(frame[frame["arm"] == arm], labels))},
        int((pd.Index(faces[counted]).get_indexer(known) < 0).sum()),
    )


def make_data_sample(
    labels: pd.Series,
    people: pd.DataFrame,
    *,
    attributes: Sequence[str],
    reference: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
) -> Sample:
    """Code the faces of a study without arms: their classes, ``labels`` by ``image_id``, and their groups.

    Raises
    ------
    UserError
        An attribute or reference is not there.
    """
    faces, classes = pd.Index(labels.index), tuple(sorted(labels.unique()))
    every = np.ones(len(faces), bool)
    compared = tuple(make_attribute(name, people, faces, every, groups, reference) for name in attributes)
    given = codes_of(labels.reset_index(drop=True), classes)
    rows = pd.DataFrame(columns=["seed", "repeat", "fold", "arm", "role", "face", "true", "predicted", "correct"])
    return Sample({}, classes, faces, compared, rows, {}, 0, given=given)
