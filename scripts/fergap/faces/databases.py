"""Data sets of faces as their owners distribute them: RAF-DB, ExpW, AffectNet and CelebA.

Each is had from its owners alone, on request; :mod:`fergap.faces.locations` says where its files are looked for.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fergap.errors import UserError
from fergap.faces.archives import opened
from fergap.faces.delimited import blocks
from fergap.faces.listing import Listing, Pixels
from fergap.faces.locations import AFFECTNET_PARTS, OWNED
from fergap.faces.pictures import read_pictures
from fergap.faces.vocabulary import (
    AFFECTNET,
    AFFECTNET_ASIDE,
    AS_PUBLISHED,
    EXPW,
    RAFDB_BASIC,
    RAFDB_COMPOUND,
    SMILING,
    decoded,
)
from fergap.progress import Progress
from fergap.tables import CONTROL, OWNER

NO_BOX, NOT_OF_SEVEN = "no box of the face", "contempt, none of the seven"
AFFECTNET_HEADER = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "expression")
RAFDB_LANDMARKS = 5
CELEBA_SQUARE = (0, 20, 178, 198)


def lines_of(path: str) -> Iterator[tuple[int, str]]:
    """Yield a text file's lines that hold something, each with its number.

    Raises
    ------
    UserError
        The file cannot be read as UTF-8.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read ({error})", where=path, expected="text", fix=AS_PUBLISHED) from None


def values(line: str, count: int, where: str, expected: str) -> list[str]:
    """Return the ``count`` values of a line, of which the first, a name, may hold blanks.

    Raises
    ------
    UserError
        There are fewer.
    """
    parts = line.strip().rsplit(maxsplit=count - 1)
    if len(parts) < count:
        raise UserError(f"the line is {line.strip()!r}", where=where, expected=expected, fix=AS_PUBLISHED)
    return parts


def whole_number(text: str, where: str, expected: str) -> int:
    """Return a whole number or raise a UserError."""
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{text!r} is no whole number", where=where, expected=expected, fix=AS_PUBLISHED) from None


def listed(rows: list[dict], where: str) -> pd.DataFrame:
    """Return rows as a listing's frame, all texts but ``line`` and the box.

    Raises
    ------
    UserError
        There is no row.
    """
    if not rows:
        raise UserError("lists no picture", where=where, fix=AS_PUBLISHED)
    frame = pd.DataFrame(rows)
    if (bad := frame["image_id"].str.contains(CONTROL)).any():
        raise UserError(
            f"the picture is {frame['image_id'][bad.idxmax()]!r}",
            where=f"{where}, line {frame['line'][bad.idxmax()]}",
            expected="a name without control characters",
            fix=AS_PUBLISHED,
        )
    text = [column for column in frame if column not in ("line", "left", "top", "right", "bottom")]
    return frame.astype(dict.fromkeys(text, "str"))


def pictures_of(frame: pd.DataFrame, paths: Sequence[Path], faces: dict, threads: int, boxes=None) -> Listing:
    """Return the listing of pictures that lie at ``paths``, cut to ``boxes`` (n × 4) where they are given."""

    def load(rows: np.ndarray) -> Pixels:
        some = None if boxes is None else boxes[rows]
        return read_pictures([paths[row] for row in rows], faces["size"], threads, some)

    return Listing(frame, False, load)


def box_of(frame: pd.DataFrame) -> np.ndarray:
    """Return the columns of the box: float64, shape (n, 4), left, top, right, bottom."""
    return frame[["left", "top", "right", "bottom"]].to_numpy("float64")


def rafdb_people(path: Path) -> dict[str, str | None]:
    """Return the groups of people that RAF-DB's annotators saw in a face, by attribute; None where they were unsure.

    The file holds five lines of landmarks and then a number each for gender, race and age.

    Raises
    ------
    UserError
        The file is missing or is not of this form.
    """
    expected = f"{RAFDB_LANDMARKS} lines of landmarks, then gender (0, 1, 2), race (0, 1, 2) and age (0 to 4)"
    lines = [line for _, line in lines_of(str(path))]
    codes = [line.strip() for line in lines[RAFDB_LANDMARKS:]]
    found = {}
    for i, (attribute, groups) in enumerate(OWNED["rafdb"].items()):
        names = [*groups, None] if attribute == "gender" else list(groups)
        if len(codes) <= i or codes[i] not in map(str, range(len(names))):
            said = codes[i] if len(codes) > i else "missing"
            raise UserError(f"{attribute} is {said!r}", where=str(path), expected=expected, fix=AS_PUBLISHED)
        found[OWNER + attribute] = names[int(codes[i])]
    return found


def rafdb_box(path: Path) -> list[float]:
    """Return the corners of a face in RAF-DB's original picture: left, top, right, bottom in pixels."""
    text = " ".join(line for _, line in lines_of(str(path))).split()
    try:
        left, top, right, bottom = map(float, text)
    except ValueError:
        raise UserError(
            f"holds {' '.join(text)!r}", where=str(path), expected="left, top, right, bottom", fix=AS_PUBLISHED
        ) from None
    return [left, top, right, bottom]


def read_each(read, paths: list[Path], what: str, threads: int) -> list:
    """Return what ``read`` makes of each small file, in order."""
    with ThreadPoolExecutor(threads) as pool, Progress(what, len(paths), "files") as progress:
        found = []
        for answer in pool.map(read, paths):
            found.append(answer)
            progress.step(1)
    return found


def rafdb(faces: dict, files: dict[str, str], threads: int) -> Listing:
    """List RAF-DB, its basic or its compound part, aligned or cut out of the original pictures.

    ``EmoLabel/list_patition_label.txt`` gives a picture's name and the number of its expression in each line; the name
    tells the partition (``train_…``, ``test_…``). Gender, race and age come from ``Annotation/manual`` if asked for;
    the annotators' ``unsure`` is unknown here.

    References
    ----------
    Li, Deng and Du (2017), Reliable crowdsourcing and deep locality-preserving learning for expression recognition in
    the wild, CVPR.
    """
    where, compound = files["labels"], faces.get("subset") == "compound"
    rows = []
    for number, line in lines_of(where):
        here = f"{where}, line {number}"
        name, code = values(line, 2, here, "the name of a picture and the number of its expression")
        label = decoded(code, RAFDB_COMPOUND if compound else RAFDB_BASIC, here)
        part = name.split("_")[0]
        if part not in ("train", "test"):
            raise UserError(f"the picture is {name!r}", where=here, expected="train_….jpg or test_….jpg")
        rows.append({"image_id": name, "label": label, "partition": part, "line": number})
    frame = listed(rows, where)
    stems = [Path(name).stem for name in frame["image_id"]]
    if "people" in files:
        notes = [Path(files["people"]) / f"{stem}_manu_attri.txt" for stem in stems]
        found = pd.DataFrame(read_each(rafdb_people, notes, "reading RAF-DB's notes on people", threads))
        frame = frame.join(found.astype("str"))
    folder, boxes = Path(files["pictures"]), None
    if "boxes" in files:
        notes = [Path(files["boxes"]) / f"{stem}_boundingbox.txt" for stem in stems]
        boxes = np.array(read_each(rafdb_box, notes, "reading RAF-DB's boxes", threads))
        paths = [folder / name for name in frame["image_id"]]
    else:
        paths = [folder / f"{stem}_aligned{Path(n).suffix}" for stem, n in zip(stems, frame["image_id"], strict=True)]
    return pictures_of(frame, paths, faces, threads, boxes)


def expw(faces: dict, files: dict[str, str], threads: int) -> Listing:
    """List the faces of ExpW, each cut out of its picture by the owners' box.

    A line of ``label.lst`` is ``image_name face_id_in_image face_box_top face_box_left face_box_right face_box_bottom
    face_box_cofidence expression_label``. A face's id is the picture's name, ``#`` and the face's number in it.

    References
    ----------
    Zhang, Luo, Loy and Tang (2018), From facial expression recognition to interpersonal relation prediction,
    International Journal of Computer Vision 126, 550-569.
    """
    where, rows = files["labels"], []
    expected = "image_name face_id_in_image top left right bottom confidence label"
    for number, line in lines_of(where):
        here = f"{where}, line {number}"
        name, face, *box, _, code = values(line, 8, here, expected)
        top, left, right, bottom = (whole_number(text, here, expected) for text in box)
        row = {"image_id": f"{name}#{face}", "image": name, "label": decoded(code, EXPW, here), "line": number}
        rows.append(row | {"left": left, "top": top, "right": right, "bottom": bottom})
    frame = listed(rows, where)
    paths = [Path(files["pictures"]) / name for name in frame["image"]]
    boxes = box_of(frame)
    frame = frame[["image_id", "label", "line"]].assign(partition=pd.Series(pd.NA, index=frame.index, dtype="str"))
    return pictures_of(frame, paths, faces, threads, boxes)


def aside(labels: pd.Series, seven: bool) -> pd.Series:
    """Return why a row of AffectNet is put aside by what its label says, empty where it is not."""
    reasons = set(AFFECTNET_ASIDE.values())
    leaves = labels.where(labels.isin(reasons), "")
    return leaves.mask(labels == "contempt", NOT_OF_SEVEN) if seven else leaves


def affectnet_lists(files: dict[str, str]) -> tuple[pd.DataFrame, list[Path], np.ndarray]:
    """Return rows, paths and boxes of AffectNet's manually annotated part, as its two lists give them."""
    parts = []
    for part in AFFECTNET_PARTS:
        where = files[part]
        with opened(where, Path(where).name) as stream:
            batches = [block.columns for block in blocks(stream, where, AFFECTNET_HEADER)]
        text = pa.Table.from_batches(batches).select(list(AFFECTNET_HEADER)).to_pandas()
        parts.append(text.assign(partition=part, line=np.arange(len(text)) + 2, where=where))
    table = pd.concat(parts, ignore_index=True)
    names = AFFECTNET | AFFECTNET_ASIDE
    labels = [
        decoded(code, names, f"{where}, line {line}")
        for code, where, line in zip(table["expression"], table["where"], table["line"], strict=True)
    ]
    frame = table[["partition", "line"]].assign(
        image_id=table["subDirectory_filePath"].str.strip(), label=pd.Series(labels, dtype="str")
    )
    x, y, width, height = (pd.to_numeric(table[name], errors="coerce") for name in AFFECTNET_HEADER[1:5])
    boxes = np.column_stack([x, y, x + width, y + height])
    bad = ~(np.isfinite(boxes).all(axis=1) & (width > 0).to_numpy() & (height > 0).to_numpy())
    paths = [Path(files["pictures"]) / name for name in frame["image_id"]]
    return frame.assign(leaves=np.where(bad, NO_BOX, "")), paths, boxes


def affectnet_number(path: Path) -> str:
    """Return the label that one ``…_exp.npy`` of AffectNet holds, as text."""
    try:
        found = np.load(path, allow_pickle=False)
        return str(int(found.item()))
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"cannot be read ({error})", where=str(path), expected="one number, 0 to 7", fix=AS_PUBLISHED
        ) from None


def affectnet_arrays(files: dict[str, str], threads: int) -> tuple[pd.DataFrame, list[Path]]:
    """Return rows and paths of AffectNet's distribution of eight expressions, whose pictures are cut out already."""
    rows, paths = [], []
    for part, short in AFFECTNET_PARTS.items():
        folder = Path(files[part])
        pictures = sorted((folder / "images").glob("*.jpg"))
        notes = [folder / "annotations" / f"{path.stem}_exp.npy" for path in pictures]
        codes = read_each(affectnet_number, notes, f"reading AffectNet's {part} labels", threads)
        for i, (path, note, code) in enumerate(zip(pictures, notes, codes, strict=True), 1):
            label = decoded(code, AFFECTNET, str(note))
            rows.append({"image_id": f"{short}/{path.name}", "label": label, "partition": part, "line": i})
        paths += pictures
    return listed(rows, str(Path(files["training"]).parent)).assign(leaves=""), paths


def affectnet(faces: dict, files: dict[str, str], threads: int) -> Listing:
    """List AffectNet's manually annotated part, in either of the two forms in which its owners give it.

    The lists ``training.csv`` and ``validation.csv`` name a picture, the face's box in it and its expression; rows of
    no expression, uncertain ones and those without a face are counted and left out. The newer distribution has cut out
    faces in ``train_set/images`` and ``val_set/images`` and each label in an array ``annotations/<name>_exp.npy``.
    With seven expressions contempt is left out.

    References
    ----------
    Mollahosseini, Hasani and Mahoor (2019), AffectNet: a database for facial expression, valence, and arousal
    computing in the wild, IEEE Transactions on Affective Computing 10, 18-31.
    """
    if "pictures" in files:
        frame, paths, boxes = affectnet_lists(files)
    else:
        frame, paths = affectnet_arrays(files, threads)
        boxes = None
    first = aside(frame["label"], faces.get("expressions", 8) == 7)
    frame = frame.assign(leaves=first.where(first != "", frame["leaves"]).astype("str"))
    return pictures_of(frame, paths, faces, threads, boxes)


def celeba(faces: dict, files: dict[str, str], threads: int) -> Listing:
    """List CelebA's aligned pictures; the label is its attribute ``Smiling``, people's groups are ``Male``, ``Young``.

    ``list_attr_celeba.txt`` starts with the number of pictures and the names of the attributes; then each line has a
    picture's name and 1 or -1 for each. ``list_eval_partition.txt`` has 0 (train), 1 (validation) or 2 (test). Of the
    178 × 218 pixels the middle square is taken, which holds the face.

    References
    ----------
    Liu, Luo, Wang and Tang (2015), Deep learning face attributes in the wild, ICCV.
    """
    parts, where = {}, files["partition"]
    names = {0: "train", 1: "validation", 2: "test"}
    for number, line in lines_of(where):
        here = f"{where}, line {number}"
        name, code = values(line, 2, here, "the name of a picture and 0, 1 or 2")
        parts[name] = decoded(code, names, here)
    where, header, rows = files["labels"], [], []
    for number, line in lines_of(where):
        here = f"{where}, line {number}"
        if number == 1 and line.strip().isdigit():
            continue
        if not header:
            header = line.split()
            if missing := {"Smiling", "Male", "Young"} - set(header):
                raise UserError(
                    f"the attributes lack {', '.join(sorted(missing))}",
                    where=here,
                    expected="the names of the 40 attributes",
                    fix=AS_PUBLISHED,
                )
            continue
        name, *codes = values(line, len(header) + 1, here, f"a picture's name and {len(header)} times 1 or -1")
        mark = dict(zip(header, codes, strict=True))
        if name not in parts:
            raise UserError(f"{name} has no line in {files['partition']}", where=here, fix=AS_PUBLISHED)
        row = {"image_id": name, "label": decoded(mark["Smiling"], SMILING, here), "partition": parts[name]}
        row[f"{OWNER}gender"] = decoded(mark["Male"], {1: "male", -1: "female"}, here)
        row[f"{OWNER}young"] = decoded(mark["Young"], {1: "young", -1: "not young"}, here)
        rows.append(row | {"line": number})
    frame = listed(rows, where)
    paths = [Path(files["pictures"]) / name for name in frame["image_id"]]
    return pictures_of(frame, paths, faces, threads, np.tile(np.array(CELEBA_SQUARE, "float64"), (len(frame), 1)))
