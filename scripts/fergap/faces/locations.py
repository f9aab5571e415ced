"""Which files each source of faces needs, and where they lie; nothing beyond the standard library, for Snakemake."""

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from fergap.errors import UserError
from fergap.study import SEVERAL, entries, prefix_of

TABLE_NAME = "fer2013.csv"
VOTES_NAME = "fer2013new.csv"
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTES = (*EMOTIONS, "unknown", "NF")
PARTITION_FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
ARCHIVES = (
    "fer2013.csv.zip",
    "fer2013.zip",
    "fer2013.tar.gz",
    "challenges-in-representation-learning-facial-expression-recognition-challenge.zip",
)
AFFECTNET_PARTS = {"training": "train_set", "validation": "val_set"}
AFFECTNET_PICTURES = (
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated_Images",
    "Manually_Annotated_Images",
)
PUBLISHED = {
    "fer2013": 35_887,
    "ferplus": 35_887,
    "rafdb": 15_339,
    "expw": 91_793,
    "affectnet": 420_299,
    "celeba": 202_599,
}
"""Faces of each data set, as its publication counts them."""

SEXES = ("male", "female")
OWNED = {
    "rafdb": {
        "gender": SEXES,
        "race": ("Caucasian", "African-American", "Asian"),
        "age": ("0-3", "4-19", "20-39", "40-69", "70+"),
    },
    "celeba": {"gender": SEXES, "young": ("young", "not young")},
}
"""Attributes of people that a source's owners annotated, with their groups; RAF-DB's in the order of its numbers."""

GET_TABLE = (
    'take part in Kaggle\'s "Challenges in Representation Learning: Facial Expression Recognition Challenge", '
    f"download it and put {TABLE_NAME} (35,887 rows), or the archive that holds it, there"
)
GET_VOTES = f"download {VOTES_NAME} from https://github.com/microsoft/FERPlus and put it there"
GET_FOLDERS = (
    "run generate_training_data.py of https://github.com/microsoft/FERPlus with this folder as its -d, which makes "
    + ", ".join(PARTITION_FOLDERS.values())
)

GET_RAFDB = (
    "request RAF-DB from Shan Li and Weihong Deng (http://www.whdeng.cn/RAF/model1.html; for research, from a "
    "university's address) and unpack it there, the archives within it too"
)
GET_EXPW = (
    "get ExpW from the Multimedia Laboratory of the Chinese University of Hong Kong "
    "(http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html) and unpack it there"
)
GET_AFFECTNET = (
    "request AffectNet from Mohammad H. Mahoor (http://mohammadmahoor.com/affectnet/; laboratory managers and "
    "professors may) and unpack it there"
)
GET_CELEBA = (
    "get CelebA from the Multimedia Laboratory of the Chinese University of Hong Kong "
    "(http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html), for research alone, and unpack img_align_celeba.zip there"
)


def folder_of(faces: dict) -> Path:
    """Return ``faces.folder``, which every source of a data set needs."""
    if not faces.get("folder"):
        raise UserError(
            "is not given",
            where=f"faces.sources ({faces['name']}).folder" if "name" in faces else "faces.folder",
            expected=f"the folder of the pictures, which the source {faces['source']} needs",
            fix=f"add `folder: data/{faces['source']}` beside `source: {faces['source']}` in the study's file",
        )
    return Path(faces["folder"])


def needed(path: Path, what: str, fix: str, *, folder: bool = False) -> str:
    """Return ``path`` as text if it is a file (or a folder); tell what to put there if not."""
    if not (path.is_dir() if folder else path.is_file()):
        raise UserError(f"there is no such {'folder' if folder else 'file'}", where=str(path), expected=what, fix=fix)
    return str(path)


def holds_table(archive: Path) -> bool:
    """Return whether an archive holds ``fer2013.csv``, itself or in a ``fer2013.tar.gz`` within."""
    try:
        if archive.name.endswith(".tar.gz"):
            with tarfile.open(archive) as tar:
                return any(Path(name).name == TABLE_NAME for name in tar.getnames())
        with zipfile.ZipFile(archive) as zipped:
            return any(Path(name).name in (TABLE_NAME, "fer2013.tar.gz") for name in zipped.namelist())
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError):
        return False


def table_in(folder: Path) -> Path:
    """Return the file of a folder that is ``fer2013.csv`` or holds it; the plain file wins.

    Raises
    ------
    UserError
        There is none. An archive under one of the usual names is returned unopened: the reader tells what it lacks.
    """
    for name in (TABLE_NAME, *ARCHIVES):
        if (folder / name).is_file():
            return folder / name
    others = sorted(path for path in folder.glob("*.zip") if path.is_file())
    if found := next((path for path in others if holds_table(path)), None):
        return found
    raise UserError(
        f"holds neither {TABLE_NAME} nor an archive of it" if folder.is_dir() else "there is no such folder",
        where=str(folder),
        expected=f"{TABLE_NAME}, {', '.join(ARCHIVES[:-1])} or Kaggle's zip as downloaded"
        + (f" (found: {', '.join(path.name for path in others)})" if others else ""),
        fix=GET_TABLE,
    )


def drawn_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return the drawn faces' files, which are not looked for, since another rule makes them."""
    folder = f"{drawn_folder}/{prefix_of(faces)}"
    return {"fer2013": f"{folder}{TABLE_NAME}", "votes": f"{folder}{VOTES_NAME}"}


def fer2013_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return Kaggle's table and FER+'s votes."""
    folder = folder_of(faces)
    table = table_in(folder)
    return {"fer2013": str(table), "votes": needed(folder / VOTES_NAME, "FER+'s votes", GET_VOTES)}


def ferplus_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return FER+'s votes and its folders of pictures."""
    folder = folder_of(faces)
    votes = {"votes": needed(folder / VOTES_NAME, "FER+'s votes", GET_VOTES)}
    return votes | {
        partition: needed(folder / name, "a folder of FER+'s pictures", GET_FOLDERS, folder=True)
        for partition, name in PARTITION_FOLDERS.items()
    }


def table_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return the table of pictures."""
    fix = "put a CSV there with the columns image (a path, relative to the CSV's folder) and label"
    if not faces.get("table"):
        raise UserError("is not given", where="faces.table", expected="the path of a CSV", fix=fix)
    return {"table": needed(Path(faces["table"]), "a CSV of pictures and labels", fix)}


def rafdb_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return RAF-DB's list, its aligned or its original pictures with their boxes, and the notes on people."""
    part = faces.get("subset", "basic")
    folder, fix = folder_of(faces) / part, f"{GET_RAFDB}, so that the folder {part} lies in {folder_of(faces)}"
    kind = faces.get("pictures", "aligned")
    files = {
        "labels": needed(folder / "EmoLabel" / "list_patition_label.txt", "RAF-DB's list of labels", fix),
        "pictures": needed(folder / "Image" / kind, f"RAF-DB's {kind} pictures", fix, folder=True),
    }
    if kind == "original":
        what = "RAF-DB's boxes, <picture>_boundingbox.txt"
        files["boxes"] = needed(folder / "Annotation" / "boundingbox", what, fix, folder=True)
    if people:
        what = "RAF-DB's notes on people, <picture>_manu_attri.txt"
        files["people"] = needed(folder / "Annotation" / "manual", what, fix, folder=True)
    return files


def expw_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return ExpW's list and its pictures."""
    folder = folder_of(faces)
    lists = [folder / "label" / "label.lst", folder / "label.lst"]
    pictures = folder / "image" / "origin"
    return {
        "labels": needed(next((path for path in lists if path.is_file()), lists[0]), "ExpW's labels", GET_EXPW),
        "pictures": needed(pictures, "ExpW's pictures, from its archives origin.7z", GET_EXPW, folder=True),
    }


def affectnet_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return AffectNet's two lists and the folder of their pictures, or the two folders of its newer distribution."""
    folder = folder_of(faces)
    if all((folder / short).is_dir() for short in AFFECTNET_PARTS.values()):
        for short in AFFECTNET_PARTS.values():
            for kind in ("images", "annotations"):
                needed(folder / short / kind, f"AffectNet's {kind}", GET_AFFECTNET, folder=True)
        return {part: str(folder / short) for part, short in AFFECTNET_PARTS.items()}
    kinds = [folder / name for name in AFFECTNET_PICTURES]
    pictures = next((path for path in kinds if path.is_dir()), kinds[0])
    what = "AffectNet's list of manually annotated pictures (or train_set and val_set of its newer distribution)"
    lists = folder / "Manually_Annotated_file_lists"
    return {part: needed(lists / f"{part}.csv", what, GET_AFFECTNET) for part in AFFECTNET_PARTS} | {
        "pictures": needed(pictures, "AffectNet's manually annotated pictures", GET_AFFECTNET, folder=True)
    }


def celeba_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return CelebA's attributes, its partition and its aligned pictures, in the owners' folders or side by side."""
    folder = folder_of(faces)

    def found(owners: str, name: str) -> Path:
        return folder / name if (folder / name).exists() else folder / owners / name

    pictures = found("Img", "img_align_celeba")
    return {
        "labels": needed(found("Anno", "list_attr_celeba.txt"), "CelebA's attributes", GET_CELEBA),
        "partition": needed(found("Eval", "list_eval_partition.txt"), "CelebA's partition", GET_CELEBA),
        "pictures": needed(pictures, "CelebA's aligned pictures", GET_CELEBA, folder=True),
    }


def published_count(faces: dict) -> int:
    """Return how many faces the study's data sets hold as published; sources whose number is not known count none."""
    return sum(PUBLISHED.get(entry["source"], 0) for entry in entries(faces))


def several_files(faces: dict, drawn_folder: str, people: bool) -> dict[str, str]:
    """Return the files of every source, each by its source's name and its own."""
    return {
        f"{entry['name']}/{key}": path
        for entry in entries(faces)
        for key, path in source_files(entry, drawn_folder, people).items()
    }


LOCATIONS: dict[str, Callable[[dict, str, bool], dict[str, str]]] = {
    "drawn": drawn_files,
    "fer2013": fer2013_files,
    "ferplus": ferplus_files,
    "image_table": table_files,
    "rafdb": rafdb_files,
    "expw": expw_files,
    "affectnet": affectnet_files,
    "celeba": celeba_files,
    SEVERAL: several_files,
    "none": lambda faces, drawn_folder, people: {},
}
"""Takes what :func:`source_files` does."""


def source_files(faces: dict, drawn_folder: str, people: bool = False) -> dict[str, str]:
    """Return the files that the configured source needs, by name, and check that they are there.

    Parameters
    ----------
    faces : dict
        The configuration's ``faces`` mapping: ``source`` and, by source, ``folder`` or ``table``.
    drawn_folder : str
        Where the drawn faces are written; they are not looked for, since another rule makes them.
    people : bool
        Whether the owners' own annotation of people is needed.

    Returns
    -------
    dict of str to str
        By the names that the source's reader uses.

    Raises
    ------
    UserError
        The source is unknown, or a file is missing: the message tells what to put where.
    """
    if faces["source"] not in LOCATIONS:
        raise UserError(f"{faces['source']!r} is no source", where="faces.source", expected=", ".join(LOCATIONS))
    return LOCATIONS[faces["source"]](faces, drawn_folder, people)
