"""From a source's files to the faces of a study: cleaned, labelled, read, and with their duplicate sets."""

import os
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fergap import tables
from fergap.errors import UserError
from fergap.faces.duplicates import exact_sets, near_sets
from fergap.faces.expressions import evaluate
from fergap.faces.labels import columns_of, label
from fergap.faces.leave_one_out import readings
from fergap.faces.listing import Listing
from fergap.faces.pictures import MISSING, UNREADABLE
from fergap.faces.sources import SOURCES
from fergap.faces.vocabulary import unified
from fergap.faces.votes import VOTES, ambiguity
from fergap.files import whole
from fergap.study import SEVERAL, entries

NO_VOTES, NO_LABEL = "no votes", "no label"
OTHER_CLASS = "not in faces.classes"
NO_NAME, REPEATED = "no image name", "repeated name"
MOST_UNREADABLE = 0.01
EXAMPLES = 5


class Dropped:
    """Count what leaves, by reason, with the first few ids."""

    def __init__(self):
        self.rows: dict[str, tuple[int, list[str]]] = {}

    def drop(self, frame: pd.DataFrame, leaves: np.ndarray | pd.Series, reason: str) -> pd.DataFrame:
        """Return the rows of ``frame`` that stay; count those that leave, also when there are none."""
        leaves = np.asarray(leaves, dtype=bool)
        count, examples = self.rows.get(reason, (0, []))
        first = frame[leaves].head(EXAMPLES - len(examples))
        examples = examples + [i or f"line {n}" for i, n in zip(first["image_id"], first["line"], strict=True)]
        self.rows[reason] = (count + int(leaves.sum()), examples)
        return frame[~leaves]

    def take(self, other: "Dropped", name: str) -> None:
        """Add what left one of several sources; its name stands before each reason."""
        self.rows |= {f"{name}: {reason}": row for reason, row in other.rows.items()}

    def table(self) -> pd.DataFrame:
        """Return the table ``dropped``."""
        rows = [(reason, count, "; ".join(examples)) for reason, (count, examples) in self.rows.items()]
        return pd.DataFrame(rows, columns=["reason", "count", "examples"])


@dataclass(frozen=True)
class Selection:
    """What cleaning and labelling keep.

    Attributes
    ----------
    frame : pandas.DataFrame
        Rows of the listing with ``label`` and, where there are votes, ``ambiguity``; the index is the listing's.
    matched : dict of str to int
        Rows on which each class's rule holds, in the order of the classes.
    overlaps : pandas.DataFrame
        The table ``overlaps``.
    """

    frame: pd.DataFrame
    matched: dict[str, int]
    overlaps: pd.DataFrame


def select_by_votes(frame: pd.DataFrame, faces: dict, dropped: Dropped) -> Selection:
    """Apply the drop rules and the label scheme to rows of votes, then leave one row per image name.

    Of the rows that share a name the file's last one stays, whether or not it is kept otherwise: its picture is the one
    that survived in FER+'s folders.
    """
    repeated = frame["image_id"].ne("") & frame["image_id"].duplicated(keep="last")
    for position, rule in enumerate(faces["drop"]):
        holds = evaluate(rule, columns_of(frame), key=f"faces.drop[{position}]")
        frame = dropped.drop(frame, holds, rule)
    frame = dropped.drop(frame, frame[list(VOTES)].sum(axis=1) == 0, NO_VOTES)
    labelling = label(frame, faces["labels"], faces["schemes"])
    frame = frame.assign(label=np.append(labelling.classes, "")[labelling.code])
    matched = dict(zip(labelling.classes, labelling.matched.sum(axis=0).tolist(), strict=True))
    why = pd.Series(labelling.reason, index=frame.index)
    for reason in labelling.reasons:
        frame = dropped.drop(frame, why[frame.index] == reason, reason)
    frame = dropped.drop(frame, frame["image_id"] == "", NO_NAME)
    frame = dropped.drop(frame, repeated[frame.index], REPEATED)
    return Selection(frame.assign(ambiguity=ambiguity(frame)), matched, labelling.overlaps())


def select_labelled(frame: pd.DataFrame, dropped: Dropped) -> Selection:
    """Leave the rows that have a label; the classes are the labels that occur, in alphabetical order.

    What a source puts aside leaves with the source's reason; of rows that share an id the first stays.
    """
    if "leaves" in frame:
        why = frame["leaves"]
        for reason in dict.fromkeys(why[why != ""]):
            frame = dropped.drop(frame, why[frame.index] == reason, reason)
        frame = frame.drop(columns="leaves")
    frame = dropped.drop(frame, frame["label"] == "", NO_LABEL)
    if (repeated := frame["image_id"].duplicated()).any():
        frame = dropped.drop(frame, repeated, REPEATED)
    return Selection(
        frame, frame["label"].value_counts().sort_index().to_dict(), pd.DataFrame(columns=["first", "second", "count"])
    )


def drop_unreadable(frame: pd.DataFrame, reason: np.ndarray, dropped: Dropped) -> pd.DataFrame:
    """Leave the rows whose picture was read.

    Raises
    ------
    UserError
        More than 1 % of the pictures could not be read.
    """
    why = pd.Series(reason, index=frame.index)
    lost = why != ""
    if lost.sum() > MOST_UNREADABLE * len(frame):
        names = frame["image_id"][lost]
        raise UserError(
            f"{lost.sum():,} of {len(frame):,} pictures cannot be read: {', '.join(names[:EXAMPLES])}"
            + (", …" if len(names) > EXAMPLES else "")
            + f" ({', '.join(sorted(set(why[lost])))})",
            where="faces",
            expected=f"at most {MOST_UNREADABLE:.0%}; so few are counted in dropped.csv and left out",
            fix="put the missing pictures there and make the broken ones anew, or remove their rows",
        )
    for each in dict.fromkeys([UNREADABLE, MISSING, *why[lost]]):
        frame = dropped.drop(frame, why[frame.index] == each, each)
    return frame


def check_classes(counts: dict[str, int], faces: dict, voted: bool) -> None:
    """Refuse a study in which a class has no face, or which has a single class."""
    where = f"faces.schemes.{faces['labels']}" if voted else "the column label"
    found = ", ".join(f"{name}: {count:,}" for name, count in counts.items())
    if empty := [name for name, count in counts.items() if not count]:
        raise UserError(
            f"no face belongs to the class {empty[0]!r} ({found})",
            where=where,
            expected="at least one face of every class",
            fix="take that class out of the scheme, change its rule, or add such faces",
        )
    if len(counts) < 2:
        raise UserError(f"there is but one class ({found or 'no face is left'})", where=where, expected="two or more")


@dataclass(frozen=True)
class Part:
    """The faces of one source.

    Attributes
    ----------
    frame : pandas.DataFrame
        The table ``faces`` but for its last columns, ``row`` and the duplicate sets.
    pixels : ndarray of uint8, shape (n, size, size)
    matched : dict of str to int
        Rows on which each class's rule holds, in the order of the classes.
    overlaps : pandas.DataFrame
        The table ``overlaps``.
    voted : bool
        Whether there are votes.
    """

    frame: pd.DataFrame
    pixels: np.ndarray
    matched: dict[str, int]
    overlaps: pd.DataFrame
    voted: bool


def read_source(faces: dict, files: dict[str, str], threads: int, dropped: Dropped) -> Part:
    """Clean, label and read the faces of one source."""
    listing: Listing = SOURCES[faces["source"]](faces, files, threads)
    if listing.voted:
        selection = select_by_votes(listing.frame, faces, dropped)
    else:
        selection = select_labelled(listing.frame, dropped)
    counts = dict.fromkeys(selection.matched, 0)
    check_classes(counts | selection.frame["label"].value_counts().to_dict(), faces, listing.voted)

    pixels, reason = listing.load(selection.frame.index.to_numpy("int64"))
    frame = drop_unreadable(selection.frame, reason, dropped)
    pixels = pixels[reason == ""] if len(frame) < len(reason) else pixels
    check_classes(counts | frame["label"].value_counts().to_dict(), faces, listing.voted)

    if listing.voted:
        frame = frame.join(readings(frame, faces["labels"], faces["schemes"]).add_prefix("tagger_"))
    else:
        frame["ambiguity"] = np.nan
    frame = frame.drop(columns="line").rename(columns={name: f"votes_{name}" for name in VOTES})
    frame["source"] = faces.get("name", faces["source"])
    return Part(frame, pixels, selection.matched, selection.overlaps, listing.voted)


def renamed(part: Part, names: dict[str, str]) -> Part:
    """Return a source's faces with the one name of each expression, or the class that ``names`` makes of it."""
    new = {word: names.get(word, names.get(unified(word), unified(word))) for word in part.matched}
    matched = dict.fromkeys(new.values(), 0)
    for word, count in part.matched.items():
        matched[new[word]] += count
    overlaps = part.overlaps.assign(**{side: part.overlaps[side].replace(new) for side in ("first", "second")})
    overlaps = overlaps[overlaps["first"] != overlaps["second"]]
    frame = part.frame.assign(label=part.frame["label"].map(new).astype("str"))
    return replace(part, frame=frame, matched=matched, overlaps=overlaps)


def check_agreement(parts: dict[str, Part], classes: list[str]) -> None:
    """Refuse sources whose faces are not of the same classes.

    Raises
    ------
    UserError
        A source has a class that another one, or ``classes`` where they are given, has not.
    """
    found = {name: set(part.frame["label"]) for name, part in parts.items()}
    (first, wanted), *others = ([("faces.classes", set(classes))] if classes else []) + list(found.items())
    for name, some in others:
        if some != wanted:
            raise UserError(
                f"{name} has the classes {', '.join(sorted(some))}, but {first} {', '.join(sorted(wanted))}",
                where="faces.sources",
                expected="faces of the same classes in every source",
                fix="name the classes that count in faces.classes, give a source rename: {its label: the class}, or "
                "choose another scheme of labels for it",
            )


def joined(faces: dict, files: dict[str, str], threads: int, dropped: Dropped) -> Part:
    """Read several sources into one: ids get their source's name before them, expressions one name each.

    Votes, and what follows from them of single taggers, stay where every source has them.
    """
    parts = {}
    for entry in entries(faces):
        name, own = entry["name"], Dropped()
        some = {key.removeprefix(f"{name}/"): path for key, path in files.items() if key.startswith(f"{name}/")}
        part = renamed(read_source(entry, some, threads, own), entry.get("rename", {}))
        if classes := faces.get("classes", []):
            kept = part.frame["label"].isin(classes).to_numpy()
            frame = own.drop(part.frame.assign(line=0), ~kept, OTHER_CLASS).drop(columns="line")
            matched = {word: count for word, count in part.matched.items() if word in classes}
            among = part.overlaps["first"].isin(classes) & part.overlaps["second"].isin(classes)
            part = replace(part, frame=frame, pixels=part.pixels[kept], matched=matched, overlaps=part.overlaps[among])
        parts[name] = replace(part, frame=part.frame.assign(image_id=f"{name}/" + part.frame["image_id"]))
        dropped.take(own, name)
    check_agreement(parts, faces.get("classes", []))
    order = faces.get("classes") or list(next(iter(parts.values())).matched)
    frame = pd.concat([part.frame for part in parts.values()], ignore_index=True)
    voted = all(part.voted for part in parts.values())
    if not voted:
        frame = frame.drop(columns=[column for column in frame if column.startswith(("votes_", "tagger_"))])
    overlaps = pd.concat([part.overlaps for part in parts.values()], ignore_index=True)
    overlaps = overlaps.groupby(["first", "second"], sort=False, as_index=False)["count"].sum()
    return Part(
        frame,
        np.concatenate([part.pixels for part in parts.values()]),
        {word: sum(part.matched[word] for part in parts.values()) for word in order},
        overlaps,
        voted,
    )


@dataclass(frozen=True)
class Faces:
    """What :func:`gather` returns: pixels (uint8, shape (n, size, size)) and the tables of the stage by name."""

    pixels: np.ndarray
    tables: dict[str, pd.DataFrame]


def gather(faces: dict, files: dict[str, str], threads: int = 1) -> Faces:
    """Clean, label and read the faces of a source and find their duplicate sets.

    Parameters
    ----------
    faces : dict
        The configuration's ``faces`` mapping; of it ``source`` (or ``sources`` and ``classes``), ``size``,
        ``near_duplicate`` and, for sources with votes, ``drop``, ``labels`` and ``schemes``.
    files : dict of str to str
        The source's files by name (see :func:`fergap.faces.locations.source_files`).
    threads : int
        For decoding pictures and parsing text.

    Returns
    -------
    Faces
        With the tables ``faces``, ``dropped``, ``labels`` and ``overlaps``.

    Raises
    ------
    UserError
        A file is missing, broken or not what it should be, a rule is not understood, more than 1 % of the pictures
        cannot be read, a class has no face, or several sources do not agree in their classes.
    """
    dropped = Dropped()
    if faces["source"] == SEVERAL:
        part = joined(faces, files, threads, dropped)
    else:
        part = read_source(faces, files, threads, dropped)
    frame = part.frame.reset_index(drop=True).assign(
        row=np.arange(len(part.frame)),
        exact_set=exact_sets(part.pixels),
        duplicate_set=near_sets(part.pixels, faces["near_duplicate"]),
    )
    assigned = frame["label"].value_counts()
    labels = pd.DataFrame(
        {"label": list(part.matched), "matched": part.matched.values(), "assigned": [assigned[k] for k in part.matched]}
    )
    found = {"faces": frame, "dropped": dropped.table(), "labels": labels, "overlaps": part.overlaps}
    return Faces(part.pixels, found)


def read_faces(
    faces: dict,
    files: dict[str, str],
    *,
    pixels: str | os.PathLike,
    table: str | os.PathLike,
    dropped: str | os.PathLike,
    labels: str | os.PathLike,
    overlaps: str | os.PathLike,
    threads: int = 1,
) -> None:
    """Write what :func:`gather` returns, after all of it is computed: an error leaves earlier files as they were.

    Parameters
    ----------
    faces, files, threads
        As for :func:`gather`.
    pixels : path
        Of the ``.npy`` file of pixels: uint8, shape (n, size, size); face ``row`` of ``faces.parquet`` is row ``row``.
    table, dropped, labels, overlaps : path
        Of ``faces.parquet`` and of the three CSV files.
    """
    found = gather(faces, files, threads)
    with whole(pixels) as draft:
        np.save(draft, found.pixels)
    for name, path in {"faces": table, "dropped": dropped, "labels": labels, "overlaps": overlaps}.items():
        tables.write(found.tables[name], path, name)
