"""Which files each source of faces needs, and where they lie; nothing beyond the standard library, for Snakemake."""

import tarfile
import zipfile
from pathlib import Path

from fergap.errors import UserError

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
FILES = {
    "drawn": ("fer2013", "votes"),
    "fer2013": ("fer2013", "votes"),
    "ferplus": ("votes", *PARTITION_FOLDERS),
    "image_table": ("table",),
    "none": (),
}
"""Names of the files of each source, in the order in which :func:`source_files` gives them."""

GET_TABLE = (
    'take part in Kaggle\'s "Challenges in Representation Learning: Facial Expression Recognition Challenge", '
    f"download it and put {TABLE_NAME} (35,887 rows), or the archive that holds it, there"
)
GET_VOTES = f"download {VOTES_NAME} from https://github.com/microsoft/FERPlus and put it there"
GET_FOLDERS = (
    "run generate_training_data.py of https://github.com/microsoft/FERPlus with this folder as its -d, which makes "
    + ", ".join(PARTITION_FOLDERS.values())
)


def folder_of(faces: dict) -> Path:
    """Return ``faces.folder``, which the sources ``fer2013`` and ``ferplus`` need."""
    if not faces.get("folder"):
        raise UserError(
            "is not given",
            where="faces.folder",
            expected=f"the folder of the pictures, which the source {faces['source']} needs",
            fix=f"add `folder: data/{faces['source']}` under `faces:` in the study's file",
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


def source_files(faces: dict, drawn_folder: str) -> dict[str, str]:
    """Return the files that the configured source needs, by name, and check that they are there.

    Parameters
    ----------
    faces : dict
        The configuration's ``faces`` mapping: ``source`` and, by source, ``folder`` or ``table``.
    drawn_folder : str
        Where the drawn faces are written; they are not looked for, since another rule makes them.

    Returns
    -------
    dict of str to str
        Named and ordered as ``FILES[source]``.

    Raises
    ------
    UserError
        The source is unknown, or a file is missing: the message tells what to put where.
    """
    source = faces["source"]
    if source == "drawn":
        return {"fer2013": f"{drawn_folder}/{TABLE_NAME}", "votes": f"{drawn_folder}/{VOTES_NAME}"}
    if source == "fer2013":
        folder = folder_of(faces)
        table = table_in(folder)
        return {"fer2013": str(table), "votes": needed(folder / VOTES_NAME, "FER+'s votes", GET_VOTES)}
    if source == "ferplus":
        folder = folder_of(faces)
        votes = {"votes": needed(folder / VOTES_NAME, "FER+'s votes", GET_VOTES)}
        return votes | {
            partition: needed(folder / name, "a folder of FER+'s pictures", GET_FOLDERS, folder=True)
            for partition, name in PARTITION_FOLDERS.items()
        }
    if source == "image_table":
        fix = "put a CSV there with the columns image (a path, relative to the CSV's folder) and label"
        if not faces.get("table"):
            raise UserError("is not given", where="faces.table", expected="the path of a CSV", fix=fix)
        return {"table": needed(Path(faces["table"]), "a CSV of pictures and labels", fix)}
    if source == "none":
        return {}
    raise UserError(f"{source!r} is no source", where="faces.source", expected=", ".join(FILES))
