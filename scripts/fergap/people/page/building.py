"""The annotation page: one HTML file that holds faces, questions and its program, and asks no server for anything."""

import base64
import hashlib
import html
import io
import json
import os
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fergap import seeds, tables
from fergap.errors import UserError
from fergap.files import write_text
from fergap.people.annotation import sample
from fergap.people.page.sample import draw_sample, guesses, kept_sample, listed_sample

HERE = Path(__file__).parent
PROGRAM = ("order", "answers", "files", "pictures", "grid", "app")  # each uses those before it alone
SIDE = 10  # faces along a side of a sheet; a random order shows few of each sheet, so that small ones decode sooner
COMMANDS = "uxzyphn"  # keys that are no answers: unclear, not a face, undo, redo, pause, help, next
UNCLEAR, NO_FACE = "unclear", "not a face"


def answer_keys(groups: list[str], taken: set[str]) -> dict[str, str]:
    """Return one key per answer: the first free letter of its name, else the first free digit or letter.

    Parameters
    ----------
    groups : list of str
        Names of the answers.
    taken : set of str
        Keys that are not to be had; those given are added.

    Raises
    ------
    UserError
        There are more answers than keys.
    """
    keys = {}
    for group in groups:
        wishes = [c for c in group.lower() if c.isascii() and c.isalnum()]
        free = [c for c in (*wishes, *"123456789abcdefghijklmnopqrstuvwxyz") if c not in taken]
        if not free:
            raise UserError(
                "there are more answers than keys", where="config: people.annotation", expected="fewer groups"
            )
        keys[group] = free[0]
        taken.add(free[0])
    return keys


def looks_aged(first: float, last: float) -> str:
    """Return in words the ages from ``first`` to ``last``, both inclusive; a limit of 100 years or more is none."""
    if first <= 0:
        return f"looks younger than {last + 1:g}"
    return f"looks {first:g} or older" if last >= 100 else f"looks {first:g} to {last:g} years old"


def questions(
    groups: dict[str, list[str]], age_groups: dict[str, list[float]], definitions: dict[str, dict[str, str]]
) -> list[dict]:
    """Return what the page asks: for each attribute its answers, each with a key and a definition.

    Parameters
    ----------
    groups : dict
        The study's groups by attribute.
    age_groups : dict
        Name to [first, last] year: the definition of an age group that has none of its own.
    definitions : dict
        Attribute to group to the study's own words; a group of it that ``groups`` lacks is asked as well.

    Raises
    ------
    UserError
        The study declares no group, or calls one as the page calls faces without an answer.
    """
    asked = {a: list(dict.fromkeys([*groups.get(a, []), *definitions.get(a, {})])) for a in groups | definitions}
    asked = {a: answers for a, answers in asked.items() if answers}
    if not asked:
        raise UserError(
            "the study declares no groups of people to ask about",
            where="config: people.annotation.definitions",
            expected='attributes with their groups, such as {gender: {female: "", male: ""}}',
        )
    taken, out = set(COMMANDS), []
    for attribute, answers in asked.items():
        if clash := {UNCLEAR, NO_FACE} & set(answers):
            raise UserError(
                f"{attribute} has a group named {clash.pop()!r}, which the page says of faces without an answer",
                where="config: people.annotation.definitions",
                fix="leave it out",
            )
        keys = answer_keys(answers, taken)
        own = definitions.get(attribute, {})
        years = age_groups if attribute == "age" else {}
        said = {g: own.get(g) or (looks_aged(*years[g]) if g in years else f"looks {g}") for g in answers}
        rows = [{"group": g, "key": keys[g], "definition": said[g]} for g in answers]
        out.append({"attribute": attribute, "answers": rows})
    return out


def sheets(pixels: np.ndarray) -> Iterator[str]:
    """Yield sheets of 10 × 10 faces as PNG in base64, row by row.

    Parameters
    ----------
    pixels : uint8, n × height × width or n × channels × height × width
    """
    for start in range(0, len(pixels), SIDE * SIDE):
        part = np.asarray(pixels[start : start + SIDE * SIDE])
        if part.ndim == 3:
            part = part[:, None]
        channels, height, width = part.shape[1:]
        sheet = np.zeros((SIDE * SIDE, channels, height, width), dtype=np.uint8)
        sheet[: len(part)] = part
        sheet = sheet.reshape(SIDE, SIDE, channels, height, width).transpose(0, 3, 1, 4, 2)
        sheet = sheet.reshape(SIDE * height, SIDE * width, channels)
        file = io.BytesIO()
        Image.fromarray(sheet[..., 0] if channels == 1 else sheet[..., :3]).save(file, "PNG", compress_level=6)
        yield base64.b64encode(file.getvalue()).decode("ascii")


def counted(n: int) -> str:
    """Return a number of faces in words."""
    return "1 face" if n == 1 else f"{n:,} faces"


def build_page(
    *,
    study: str,
    image_ids: list[str],
    pixels: np.ndarray,
    asked: list[dict],
    raters: list[str],
    repeats: float,
    suggestions: list[dict[str, str]] | None,
    disputed: list[list[str]] | None,
    seed: int,
) -> str:
    """Return the annotation page as HTML.

    Parameters
    ----------
    study : str
        Its name.
    image_ids : list of str, length n
    pixels : uint8, n × height × width or n × channels × height × width
    asked : list of dict
        As :func:`questions` returns it.
    raters : list of str
        Names to choose from; none where each types a name. Who adjudicates may type another.
    repeats : float
        Share of the faces that each rater sees twice, without being told.
    suggestions : list of dict, length n, or None
        For each face what the study has so far, by attribute; None hides it: it is then not in the file.
    disputed : list of list of str, length n, or None
        The page adjudicates: for each face the attributes on which answers differ, which alone are asked. None asks
        everything of every face.
    seed : int
        Decides, with a rater's name, the order in which that rater sees the faces.
    """
    content = {
        "study": study,
        "questions": asked,
        "raters": raters,
        "repeats": repeats,
        "seed": str(seed),
        "ids": image_ids,
        "suggestions": suggestions,
        "disputed": disputed,
        "side": SIDE,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    content["page"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    program = "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in PROGRAM)
    again = min(int(repeats * len(image_ids) + 0.5), len(image_ids) // 3)  # as viewingOrder in order.js has it
    faces = f"{counted(len(image_ids))} of the study <b>{html.escape(study)}</b>"
    twice = f", some of them twice ({len(image_ids) + again:,} in all)" if again else ""
    parts = {
        "study": html.escape(study),
        "title": "Who is in the pictures?" if disputed is None else "Where answers differ",
        "intro": (
            f"{faces}{twice}. Say for each what it looks like, with one key per answer."
            if disputed is None
            else f"{faces} on which answers differ, each with what is asked. Decide by what you see, with one key per "
            "answer; who said what is not in this file. Your answers count before all others."
        ),
        "again": " Some faces come again." if again else "",
        "style": (HERE / "page.css").read_text(encoding="utf-8"),
        "theme": (HERE / "theme.js").read_text(encoding="utf-8"),
        "content": text,
        "sheets": "\n".join(
            f'<script type="text/plain" id="sheet-{i}">{sheet}</script>' for i, sheet in enumerate(sheets(pixels))
        ),
        "program": program,
    }
    first, *rest = (HERE / "page.html").read_text(encoding="utf-8").split("{{")
    return first + "".join(parts[name] + after for name, after in (piece.split("}}", 1) for piece in rest))


def write_page(
    *,
    study: str,
    settings: dict,
    sample_per_class: int | None,
    age_groups: dict[str, list[float]],
    groups: dict[str, list[str]],
    seed: int,
    faces: str | os.PathLike,
    pixels: str | os.PathLike,
    people: str | os.PathLike,
    page: str | os.PathLike,
    drawn: str | os.PathLike,
) -> None:
    """Draw the faces that people are asked about and write the page and the table of its sample.

    Parameters
    ----------
    settings : dict
        The configuration's ``people.annotation``.
    sample_per_class, age_groups : see :func:`fergap.people.annotation.annotate_people`
    groups : dict
        The study's groups by attribute.
    faces, pixels, people : path
        The study's faces, their pictures, and who is in them so far.
    page, drawn : path
        Where the HTML file and the table ``annotation_sample`` go.

    Raises
    ------
    UserError
        There is nothing to ask, or the listed faces are not the study's.
    """
    table = tables.read(faces, "faces")
    known = tables.read(people, "people")
    of_study, seed = seed, own_seed(settings, seed)
    if settings["faces"] is None:
        # the faces whose answers count, whatever the page's own seed
        candidates = table[sample(table["label"], sample_per_class, of_study)].reset_index(drop=True)
        chosen = kept_sample(Path(drawn), candidates["image_id"], settings["size"], seed)
        if chosen is None:
            chosen = draw_sample(candidates, known, settings["size"], seed)
    else:
        listed = tables.load(settings["faces"])
        if "image_id" not in listed.columns:
            found = ", ".join(listed.columns)
            raise UserError(f"found the columns {found}", where=settings["faces"], expected="a column image_id")
        everything = draw_sample(table, known, None, seed)
        chosen = listed_sample(everything, listed["image_id"].astype("str"), settings["faces"])
    mixed = mixed_places(len(chosen), seed)
    shown = guesses(chosen["image_id"], known) if settings["suggestions"] == "shown" else None
    text = build_page(
        study=study,
        image_ids=chosen["image_id"].iloc[mixed].tolist(),
        pixels=pictures_of(chosen["image_id"].iloc[mixed], table, pixels),
        asked=questions(groups, age_groups, settings["definitions"]),
        raters=settings["raters"],
        repeats=settings["repeats"],
        suggestions=None if shown is None else shown.iloc[mixed].to_dict("records"),
        disputed=None,
        seed=seed,
    )
    tables.write(chosen, drawn, "annotation_sample")
    write_text(text, page)


def own_seed(settings: dict, seed: int) -> int:
    """Return the page's seed: its own, else the study's."""
    return seed if settings["seed"] is None else settings["seed"]


def mixed_places(n: int, seed: int) -> np.ndarray:
    """Return a random order, so that nobody reads classes or sources out of that of the pictures in the file."""
    return seeds.generator(seed, "annotation", "order").permutation(n)


def pictures_of(image_ids: pd.Series, faces: pd.DataFrame, pixels: str | os.PathLike) -> np.ndarray:
    """Return the pictures of some faces of the table ``faces``, in the order of ``image_ids``."""
    rows = faces.set_index("image_id")["row"].loc[image_ids].to_numpy()
    return tables.load_pixels(pixels, faces["row"])[rows]


def write_adjudication(
    *,
    study: str,
    settings: dict,
    age_groups: dict[str, list[float]],
    groups: dict[str, list[str]],
    seed: int,
    faces: str | os.PathLike,
    pixels: str | os.PathLike,
    adjudication: str | os.PathLike,
    page: str | os.PathLike,
) -> None:
    """Write the page on which somebody decides where answers differ, without what the others said.

    What was adjudicated before stays on it, so that it is the same page until new answers differ.

    Parameters
    ----------
    settings, age_groups, groups, seed, faces, pixels, page : see :func:`write_page`
    adjudication : path
        The table ``adjudication``.

    Raises
    ------
    UserError
        There is nothing to decide.
    """
    table = tables.read(faces, "faces")
    seed = own_seed(settings, seed)
    differ = tables.read(adjudication, "adjudication")
    if settings["disputes"] == "people":
        differ = differ[differ["people_differ"] == 1]
    known = [a for a in groups | settings["definitions"] if a in set(differ["attribute"])]
    differ = differ[differ["attribute"].isin(known)]
    if differ.empty:
        raise UserError(
            "no two answers about who is in a face differ, so there is nothing to adjudicate",
            where=str(adjudication),
            expected="answers of several people in people.sources, about the study's groups",
            fix="with people.annotation.disputes: all it asks where models and others differ, too",
        )
    by_face = differ.groupby("image_id", sort=True)["attribute"].agg(
        lambda names: [a for a in known if a in set(names)]
    )
    by_face = by_face.iloc[mixed_places(len(by_face), seed)]
    text = build_page(
        study=study,
        image_ids=by_face.index.tolist(),
        pixels=pictures_of(by_face.index, table, pixels),
        asked=questions(
            {a: groups.get(a, []) for a in known},
            age_groups,
            {a: told for a, told in settings["definitions"].items() if a in known},
        ),
        raters=settings["raters"],
        repeats=0,
        suggestions=None,
        disputed=by_face.tolist(),
        seed=seed,
    )
    write_text(text, page)


def show_page(page: str | os.PathLike) -> None:
    """Say where the page lies, and open it in a browser where there is a terminal and a screen."""
    address = Path(page).resolve().as_uri()
    print(f"\nopen this page in a browser: {address}\nIt holds faces: whoever has the file has them.")
    if sys.stderr.isatty() and (
        sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        webbrowser.open(address)
