"""The embedded source: drawn faces with a known truth, in the file formats of FER2013 and FER+."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fergap.errors import UserError
from fergap.faces import taggers
from fergap.faces.cues import CUES, EXPRESSIONS, SHARES, move
from fergap.faces.looks import looks, taken
from fergap.faces.sketch import clutter, sketch
from fergap.files import whole, write_text
from fergap.seeds import generator

FER2013_CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest")
USAGE_SHARES = (0.8, 0.1, 0.1)
SAME_PHOTOGRAPH = 0.95  # a re-encoded picture keeps at least this correlation with its original
FILES = ("fer2013.csv", "fer2013new.csv", "people.csv")


@dataclass(frozen=True)
class DrawnFaces:
    """Drawn pictures and what is known of them, row by row.

    Attributes
    ----------
    pixels : (n, 48, 48) uint8 array
    emotion : (n,) int64 array
        FER2013's label: one more tagger's choice, a position in ``FER2013_CODES``.
    usage : (n,) array of str
        FER2013's parts, in the order of ``USAGES``.
    votes : pandas.DataFrame
        ``Image name`` (empty where the picture shows no face) and one column per vote, n rows.
    people : pandas.DataFrame
        ``image_id``, ``gender``, ``age_years``, ``annotator``: one row per named picture.
    truth : pandas.DataFrame
        n rows: ``expression`` and ``strength`` as drawn, ``kind`` (face, exact, near, not_a_face), ``original`` (the
        row of the picture that a duplicate repeats, else its own row), ``female``, ``child``, ``age_years``.
    """

    pixels: np.ndarray
    emotion: np.ndarray
    usage: np.ndarray
    votes: pd.DataFrame
    people: pd.DataFrame
    truth: pd.DataFrame


def draw(config: Mapping[str, float], seed: int) -> DrawnFaces:
    """Draw the pictures, votes and people of a study.

    Parameters
    ----------
    config : mapping
        The section ``faces.drawn`` of the configuration: ``count`` rows in all; ``exact_duplicates``,
        ``near_duplicates``, ``not_a_face`` and ``no_votes``, shares of the rows; ``children`` and ``female``, shares of
        the people; ``child_strength``, ``child_style`` and ``gender_strength``, see :func:`fergap.faces.cues.move`;
        ``stereotype``, the share of angry women who are drawn happy; ``label_noise``, the share of faces whose taggers
        see one of the six other expressions; ``blur`` (pixels), ``noise``, ``contrast`` and ``brightness`` of the
        pictures, see :func:`fergap.faces.looks.taken`.
    seed : int
        The same seed gives the same bytes.

    Raises
    ------
    UserError
        The shares leave no picture for the faces themselves.
    """
    count = config["count"]
    exact, near, things, silent = (
        round(count * config[share]) for share in ("exact_duplicates", "near_duplicates", "not_a_face", "no_votes")
    )
    n = count - exact - near - things
    if n <= silent:
        raise UserError(
            "exact_duplicates, near_duplicates, not_a_face and no_votes take all pictures",
            where="faces.drawn",
            expected="at least one face with votes",
            fix="raise count or lower the shares",
        )
    faces, chance = _people(n, config, seed)
    pixels = _pictures(faces, config, seed)
    rng = generator(seed, "drawn", "votes")
    votes = taggers.vote(chance, rng)
    emotion = _fer2013_labels(chance, rng)
    votes[:silent] = 0  # rows are shuffled below, so the first are any

    rng = generator(seed, "drawn", "duplicates")
    again = rng.integers(silent, n, exact + near)
    copies = faces.iloc[again].assign(kind=["exact"] * exact + ["near"] * near)
    copy_votes = np.vstack([votes[again[:exact]], taggers.vote(chance[again[exact:]], rng)])
    copy_pixels = np.concatenate([pixels[again[:exact]], reencode(pixels[again[exact:]], rng)])
    rng = generator(seed, "drawn", "things")
    nothing = pd.DataFrame({"kind": ["not_a_face"] * things, "original": np.arange(n, n + things)})

    pixels = np.concatenate([pixels, clutter(things, rng), copy_pixels])
    votes = np.vstack([votes, taggers.vote_no_face(things, rng), copy_votes])
    emotion = np.concatenate([emotion, rng.integers(0, len(FER2013_CODES), things), emotion[again]])
    truth = pd.concat([faces, nothing, copies], ignore_index=True)
    return _shuffled(pixels, votes, emotion, truth, generator(seed, "drawn", "order"))


def _people(n: int, config: Mapping[str, float], seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw who is in ``n`` pictures and with which expression, and the chances of the taggers' votes."""
    rng = generator(seed, "drawn", "people")
    child = rng.random(n) < config["children"]
    female = rng.random(n) < config["female"]
    age = np.where(child, rng.integers(3, 13, n), rng.integers(20, 76, n))
    expression = rng.choice(len(EXPRESSIONS), n, p=SHARES)
    strength = 0.6 + 0.4 * rng.beta(2.5, 1.5, n)
    angry, happy = (EXPRESSIONS.index(e) for e in ("anger", "happiness"))
    happier = female & (expression == angry) & (generator(seed, "drawn", "stereotype").random(n) < config["stereotype"])
    expression = np.where(happier, happy, expression)
    faces = pd.DataFrame(
        {
            "kind": "face",
            "original": np.arange(n),
            "expression": np.array(EXPRESSIONS, dtype=object)[expression],
            "strength": strength,
            "female": female,
            "child": child,
            "age_years": age,
        }
    )
    other = generator(seed, "drawn", "label_noise")
    wrong = other.random(n) < config["label_noise"]
    seen = np.where(wrong, (expression + other.integers(1, len(EXPRESSIONS), n)) % len(EXPRESSIONS), expression)
    return faces, taggers.chances(seen, strength)


def _pictures(faces: pd.DataFrame, config: Mapping[str, float], seed: int) -> np.ndarray:
    female, child = faces["female"].to_numpy(), faces["child"].to_numpy()
    expression = pd.Index(EXPRESSIONS).get_indexer(faces["expression"])
    rng = generator(seed, "drawn", "cues")
    cues = move(expression, faces["strength"].to_numpy(), child, female, config, rng)
    traits = taken(looks(female, faces["age_years"].to_numpy(), generator(seed, "drawn", "looks")), config)
    return sketch(traits | dict(zip(CUES, cues.T, strict=True)), generator(seed, "drawn", "sketch"))


def _fer2013_labels(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    seven = chance[:, [taggers.VOTES.index(e) for e in FER2013_CODES]]
    steps = np.cumsum(seven / seven.sum(axis=1, keepdims=True), axis=1)
    return np.minimum((rng.random((len(chance), 1)) > steps).sum(axis=1), len(FER2013_CODES) - 1)


def reencode(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pictures as they come back from another camera roll: other brightness, a slight blur, noise and shift.

    Each keeps a correlation of at least 0.95 with its original and differs from it in some pixel.

    Parameters
    ----------
    pixels : (n, side, side) uint8 array
    rng : numpy.random.Generator

    Returns
    -------
    (n, side, side) uint8 array
    """
    n = len(pixels)
    original = pixels.astype(np.float64)
    share = rng.uniform(0, 0.6, (n, 1, 1))  # of a pixel's way to its neighbour: blur and shift in one
    axis = rng.integers(1, 3, (n, 1, 1))
    moved = np.where(axis == 1, np.roll(original, 1, axis=1), np.roll(original, 1, axis=2))
    other = (1 - share) * original + share * moved
    other = rng.uniform(0.85, 1.1, (n, 1, 1)) * (other - 128) + 128 + rng.uniform(-14, 14, (n, 1, 1))
    other += rng.normal(0, 1, other.shape) * rng.uniform(1, 4, (n, 1, 1))
    for _ in range(12):
        copy = np.clip(np.rint(other), 0, 255)
        far = correlation(original, copy) < SAME_PHOTOGRAPH
        if not far.any():
            break
        other[far] = 0.7 * other[far] + 0.3 * original[far]
    same = (copy == original).all(axis=(1, 2))
    copy[same, 0, 0] = np.where(copy[same, 0, 0] < 128, copy[same, 0, 0] + 1, copy[same, 0, 0] - 1)
    return copy.astype(np.uint8)


def correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of the pixels of each pair of pictures; (n,) float64, 0 for a blank one."""
    a, b = (x.reshape(len(x), np.prod(x.shape[1:])).astype(np.float64) for x in (first, second))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return (a * b).sum(axis=1) / np.where(size > 0, size, 1)


def _shuffled(
    pixels: np.ndarray, votes: np.ndarray, emotion: np.ndarray, truth: pd.DataFrame, rng: np.random.Generator
) -> DrawnFaces:
    """Deal the rows out to FER2013's parts, which follow one another, and number the pictures that show a face."""
    n = len(truth)
    part = rng.choice(len(USAGES), n, p=USAGE_SHARES)
    order = np.lexsort((rng.permutation(n), part))
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    truth = truth.iloc[order].reset_index(drop=True)
    truth["original"] = place[truth["original"]]
    named = (truth["kind"] != "not_a_face").to_numpy()
    number = np.cumsum(named) - 1
    names = pd.Series([f"fer{i:07d}.png" if is_face else "" for i, is_face in zip(number, named, strict=True)])
    table = pd.DataFrame(votes[order], columns=list(taggers.VOTES))
    table.insert(0, "Image name", names)
    who = truth[named]
    people = pd.DataFrame(
        {
            "image_id": names[named],
            "gender": np.where(who["female"].to_numpy(dtype=bool), "female", "male"),
            "age_years": who["age_years"].to_numpy(dtype=np.int64),
            "annotator": "drawn",
        }
    ).reset_index(drop=True)
    return DrawnFaces(pixels[order], emotion[order], np.array(USAGES)[part[order]], table, people, truth)


def write(drawn: DrawnFaces, folder: str | Path) -> None:
    """Write ``fer2013.csv``, ``fer2013new.csv`` and ``people.csv`` into ``folder``, each whole or not at all."""
    folder = Path(folder)
    with whole(folder / "fer2013.csv") as draft, open(draft, "wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for start in range(0, len(drawn.pixels), 2000):
            rows = slice(start, start + 2000)
            file.write(_pixel_lines(drawn.pixels[rows], drawn.emotion[rows], drawn.usage[rows]))
    votes = drawn.votes.copy()
    votes.insert(0, "Usage", drawn.usage)
    write_text(votes.to_csv(index=False, lineterminator="\n"), folder / "fer2013new.csv")
    write_text(drawn.people.to_csv(index=False, lineterminator="\n"), folder / "people.csv")


def _pixel_lines(pixels: np.ndarray, emotion: np.ndarray, usage: np.ndarray) -> bytes:
    """Return rows of ``fer2013.csv``: fields of fixed width, filled up with null bytes that are then removed."""
    n = len(pixels)
    # four bytes a pixel: up to three digits and the blank, or after the last pixel the comma
    digits = np.array([str(value).encode() for value in range(256)], dtype="S4")
    fields = np.char.add(digits, b" ").astype("S4")[pixels.reshape(n, -1)]
    fields[:, -1] = np.char.add(digits, b",").astype("S4")[pixels.reshape(n, -1)[:, -1]]
    labels = np.array([f"{code},".encode() for code in range(len(FER2013_CODES))], dtype="S2")[emotion]
    ends = np.char.add(usage.astype("S11"), b"\n").astype("S12")
    lines = np.hstack([part.reshape(n, -1).view(np.uint8).reshape(n, -1) for part in (labels, fields, ends)])
    return lines.tobytes().translate(None, b"\0")


def contact_sheet(drawn: DrawnFaces, faces: int = 2) -> np.ndarray:
    """Lay the first faces of each kind side by side.

    Parameters
    ----------
    drawn : DrawnFaces
    faces : int
        How many of each kind; a cell without a face stays white.

    Returns
    -------
    (7 * side, 4 * faces * side) uint8 array
        One row per expression in the order of ``EXPRESSIONS``; columns woman, man, girl, boy, ``faces`` of each.
    """
    side = drawn.pixels.shape[1]
    truth = drawn.truth[drawn.truth["kind"] == "face"]
    columns = (truth["child"].astype(int) * 2 + (~truth["female"].astype(bool)).astype(int)).to_numpy()
    rows = pd.Index(EXPRESSIONS).get_indexer(truth["expression"])
    sheet = np.full((len(EXPRESSIONS), 4, faces, side, side), 255, dtype=np.uint8)
    for row in range(len(EXPRESSIONS)):
        for column in range(4):
            chosen = truth.index[(rows == row) & (columns == column)][:faces]
            sheet[row, column, : len(chosen)] = drawn.pixels[chosen]
    return sheet.transpose(0, 3, 1, 2, 4).reshape(len(EXPRESSIONS) * side, 4 * faces * side)
