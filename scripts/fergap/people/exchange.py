"""Answers given in other tools: Label Studio, CVAT, FiftyOne and FairFace, read into the table ``raters``, and back.

The formats are told apart by their columns (a JSON list is Label Studio's, XML is CVAT's).
"""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from fergap.errors import UserError
from fergap.files import write_text
from fergap.people.raters import long_form

LABEL_STUDIO = ("id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time", "agreement")
FAIRFACE = ("gender", "age", "race")
OF_A_PICTURE = re.compile(r"_face\d+(\.\w+)$")  # what FairFace's predict.py puts after the name of a picture
UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of a file that was uploaded
PICTURE = re.compile(r"\.(png|jpe?g|bmp|gif|webp|tiff?)(\?.*)?$", re.IGNORECASE)


def file_name(address: str) -> str:
    """Return the file's name in a path or address of a picture."""
    return re.split(r"[/\\]", str(address).partition("?")[0])[-1]


def matched(found: pd.Series, image_ids: pd.Series) -> pd.Series:
    """Return the study's id of each picture that another tool names, or the name itself where no id fits.

    An id fits that is the same, or else the only one with the same file name, with or without what Label Studio
    puts before it.

    Parameters
    ----------
    found, image_ids : pandas.Series of str
    """
    names = pd.Series(image_ids.to_numpy(), index=image_ids.map(file_name))
    unique = names[~names.index.duplicated(keep=False)].to_dict()
    known = set(image_ids)

    def fitting(name: str) -> str:
        short = file_name(name)
        return name if name in known else unique.get(short) or unique.get(UPLOADED.sub("", short)) or name

    return found.map({name: fitting(name) for name in found.unique()}).astype("str")


def age_range(text: str, age_groups: dict[str, list[float]]) -> str | None:
    """Return the age group of a range (``20-29``, ``70+``, ``more than 70``) or of that name; None where none fits."""
    if text in age_groups:
        return text
    years = [float(number) for number in re.findall(r"\d+", text)]
    if not years or len(years) > 2:
        return None
    first, last = years[0], years[-1]
    if re.search(r"more than|\+", text):
        last = max(limit for _, limit in age_groups.values())
    return next((name for name, (low, high) in age_groups.items() if low <= first and last <= high), None)


def single(value: object, where: str) -> str | None:
    """Return a choice of Label Studio: a text, or the only one of ``{"choices": […]}``.

    Raises
    ------
    UserError
        Several were chosen.
    """
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, dict):
        value = value.get("choices", [])
    if isinstance(value, list):
        if len(value) > 1:
            raise UserError(
                f"several answers to one question: {', '.join(map(str, value))[:80]}",
                where=where,
                expected='one: in Label Studio <Choices choice="single">',
            )
        value = value[0] if value else None
    return None if value is None or pd.isna(value) or value == "" else str(value)


def from_label_studio(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the answers of Label Studio's JSON_MIN or CSV: the picture's address, a column per ``Choices``.

    Raises
    ------
    UserError
        No column, or more than one, holds addresses of pictures, or a question has several answers.
    """
    other = [c for c in table.columns if c not in LABEL_STUDIO]
    pictures = [c for c in other if table[c].map(lambda v: isinstance(v, str) and bool(PICTURE.search(v))).all()]
    if len(pictures) != 1 or len(other) < 2:
        raise UserError(
            f"found the columns {', '.join(map(str, table.columns))}",
            where=where,
            expected="Label Studio's JSON_MIN or CSV with one picture per task and at least one <Choices>",
        )
    attributes = [c for c in other if c not in pictures]
    wide = pd.DataFrame({c: [single(v, f"{where}, column {c!r}") for v in table[c]] for c in attributes}, dtype="str")
    wide["image_id"] = table[pictures[0]].astype("str").to_numpy()
    wide["rater"] = _raters(table.get("annotator"), where, len(table))
    wide["time"] = table["updated_at"].astype("str").to_numpy() if "updated_at" in table else pd.NA
    wide["seconds"] = table["lead_time"].to_numpy() if "lead_time" in table else pd.NA
    return long_form(wide, attributes, where)


def _raters(names: pd.Series | None, where: str, count: int) -> list[str]:
    own = Path(where).stem
    if names is None:
        return [own] * count
    # numbers beside missing ones became fractions
    return [own if pd.isna(n) or n == "" else f"{n:.0f}" if isinstance(n, float) else str(n) for n in names]


def read_label_studio(path: Path) -> pd.DataFrame:
    """Read Label Studio's JSON_MIN; see :func:`from_label_studio`.

    Raises
    ------
    UserError
        The file is damaged or another of its JSON formats.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"is no JSON ({error})", where=str(path), fix="export it again") from error
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, dict) for task in tasks):
        raise UserError("is no list of tasks", where=str(path), expected="Label Studio's export JSON_MIN")
    if "annotations" in tasks[0] or "data" in tasks[0]:
        raise UserError("is Label Studio's full JSON", where=str(path), expected="its export JSON_MIN or CSV")
    return from_label_studio(pd.DataFrame(tasks), str(path))


def read_cvat(path: Path) -> pd.DataFrame:
    """Read *CVAT for images 1.1*: attributes of the one tag or box of each picture.

    Raises
    ------
    UserError
        The file is damaged, or a picture has several answers to one question.
    """
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UserError("declares a document type, which CVAT never does", where=str(path))
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"is no XML ({error})", where=str(path), fix="export it again") from error
    rows = []
    for image in root.iter("image"):
        given: dict[str, str] = {}
        for answer in image.iterfind("*/attribute"):
            name, value = answer.get("name", ""), (answer.text or "").strip()
            if given.setdefault(name, value) != value:
                raise UserError(
                    f"{image.get('name')!r} has two answers to {name!r}: {given[name]}, {value}",
                    where=str(path),
                    expected="one face in each picture",
                )
        rows.append({"image_id": image.get("name"), **given})
    attributes = list(dict.fromkeys(name for row in rows for name in row if name != "image_id"))
    if not attributes:
        raise UserError(
            "holds no attribute of a picture", where=str(path), expected="CVAT for images 1.1, tags with attributes"
        )
    task = next((e.text for e in root.iter("assignee") if e.text and e.text.strip()), None)
    table = pd.DataFrame(rows, dtype="str").replace({"__undefined__": pd.NA})
    return long_form(table.assign(rater=(task or path.stem).strip()), attributes, str(path))


def from_fiftyone(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the answers of FiftyOne's CSVDataset: ``filepath`` and fields such as ``gender`` or ``gender.label``."""
    fields = [c for c in table.columns if c not in ("id", "filepath", "tags", "created_at", "last_modified_at")]
    fields = [c for c in fields if "." not in c or c.endswith(".label")]
    names = {c: c.removesuffix(".label") for c in fields}
    wide = table[["filepath", *fields]].rename(columns={"filepath": "image_id", **names})
    return long_form(wide.assign(rater=Path(where).stem), list(names.values()), where)


def from_fairface(table: pd.DataFrame, where: str, age_groups: dict[str, list[float]]) -> pd.DataFrame:
    """Return the answers of FairFace's columns: ``file`` (or ``face_name_align``), ``age`` in ranges, ``gender``, …

    Genders are written small, as elsewhere; a range of ages that lies in no single age group is no answer. In
    ``face_name_align`` a picture's name is followed by the number of the face in it; a picture with several has none,
    because no face is known to be the study's.
    """
    picture = "file" if "file" in table.columns else "face_name_align"
    if picture == "face_name_align":
        names = table[picture].str.replace(OF_A_PICTURE, r"\1", regex=True)
        table = table.assign(face_name_align=names)[~names.duplicated(keep=False) | names.isna()].reset_index(drop=True)
    wide = pd.DataFrame({"image_id": table[picture]})
    for name in FAIRFACE:
        if name in table.columns:
            wide[name] = table[name]
    if "gender" in wide:
        wide["gender"] = wide["gender"].str.lower()
    if "age" in wide:
        wide["age"] = pd.Series([None if pd.isna(a) else age_range(a, age_groups) for a in wide["age"]], dtype="str")
    return long_form(wide.assign(rater=Path(where).stem), [c for c in FAIRFACE if c in wide], where)


def foreign(table: pd.DataFrame, where: str, age_groups: dict[str, list[float]]) -> pd.DataFrame | None:
    """Return the answers of another tool's CSV, read as text; None where its columns are no tool's.

    Raises
    ------
    UserError
        It is a tool's, and damaged.
    """
    columns = set(table.columns)
    if {"annotation_id", "annotator"} <= columns:
        return from_label_studio(table, where)
    if "filepath" in columns:
        return from_fiftyone(table, where)
    if columns & {"file", "face_name_align"} and columns & set(FAIRFACE) and "image_id" not in columns:
        return from_fairface(table, where, age_groups)
    return None


def to_label_studio(groups: pd.DataFrame) -> str:
    """Return groups as Label Studio's JSON_MIN: a list of tasks, an attribute that is unknown left out.

    Parameters
    ----------
    groups : pandas.DataFrame of str
        ``image_id`` and one column per attribute, missing where unknown; so in the functions below.
    """
    tasks = []
    for number, row in enumerate(groups.to_dict("records"), 1):
        known = {name: value for name, value in row.items() if name != "image_id" and not pd.isna(value)}
        ids = {"id": number, "annotation_id": number, "annotator": "fergap"}
        tasks.append({"image": row["image_id"], **known, **ids})
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def to_label_studio_csv(groups: pd.DataFrame) -> str:
    """Return groups as Label Studio's CSV."""
    numbers = range(1, len(groups) + 1)
    table = groups.rename(columns={"image_id": "image"}).assign(id=numbers, annotation_id=numbers, annotator="fergap")
    return table.to_csv(index=False, lineterminator="\n")


def to_cvat(groups: pd.DataFrame, size: int) -> str:
    """Return groups as *CVAT for images 1.1*: one tag ``face`` for each picture of ``size`` × ``size`` pixels."""
    attributes = [c for c in groups.columns if c != "image_id"]
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    for number, row in enumerate(groups.to_dict("records")):
        where = {"id": str(number), "name": row["image_id"], "width": str(size), "height": str(size)}
        tag = ElementTree.SubElement(ElementTree.SubElement(root, "image", where), "tag", label="face", source="manual")
        for name in attributes:
            if not pd.isna(row[name]):
                ElementTree.SubElement(tag, "attribute", name=name).text = row[name]
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def to_fiftyone(groups: pd.DataFrame) -> str:
    """Return groups as FiftyOne's CSVDataset: ``filepath`` and one field per attribute."""
    return groups.rename(columns={"image_id": "filepath"}).to_csv(index=False, lineterminator="\n")


def to_fairface(groups: pd.DataFrame) -> str:
    """Return groups with FairFace's columns; genders with a capital letter, ages as the study's groups."""
    table = groups.rename(columns={"image_id": "file"})
    table = table[["file", *(name for name in ("age", "gender", "race") if name in table.columns)]]
    if "gender" in table.columns:
        table = table.assign(gender=table["gender"].str.capitalize())
    return table.to_csv(index=False, lineterminator="\n")


def export_people(people: pd.DataFrame, size: int, folder: Path) -> None:
    """Write a study's groups for other tools: a file per format into ``folder``.

    Parameters
    ----------
    people : pandas.DataFrame
        Table ``people``; faces of which nothing is known are left out.
    size : int
        Height and width of the pictures in pixels.
    """
    wide = people.pivot(index="image_id", columns="attribute", values="group").dropna(how="all")
    groups = wide.astype("str").reset_index().rename_axis(columns=None)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "label_studio.json": to_label_studio(groups),
        "label_studio.csv": to_label_studio_csv(groups),
        "cvat.xml": to_cvat(groups, size),
        "fiftyone.csv": to_fiftyone(groups),
        "fairface.csv": to_fairface(groups),
    }.items():
        write_text(text, folder / name)
