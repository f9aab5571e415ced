"""Find broken references in a Quarto document before an engine hides them: Quarto prints ``?@fig-x`` and goes on."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from fergap.errors import UserError
from fergap.paper.qmd import PREFIXES, Cell, Document, Text, without_code

CROSSREF = re.compile(rf"(?:{'|'.join(PREFIXES)})-")
DEFINED = re.compile(rf"\{{[^{{}}\n]*?#((?:{'|'.join(PREFIXES)})-[\w-]+)")
REFERENCE = re.compile(r"(?<![\w\\.])@\{?(\w+(?:[:.#$%&+?<>~/-]+\w+)*)")
FIGURE = re.compile(r"!\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^)>\s]+)")
ENTRY = re.compile(r"^\s*@(\w+)\s*[{(]\s*([^\s,]+)\s*,", re.M)


@dataclass
class Found:
    """What a document defines and uses, each with its line."""

    defined: dict[str, list[int]] = field(default_factory=dict)
    used: list[tuple[int, str]] = field(default_factory=list)
    figures: list[tuple[int, str]] = field(default_factory=list)


def scan(text: str, line: int, found: Found, *, counted: bool = True) -> None:
    """Add ids, references and picture files of a piece of Markdown to ``found``.

    Parameters
    ----------
    text : str
        The Markdown.
    line : int
        Where it stands in the document.
    found : Found
        What is known so far.
    counted : bool
        False: all of it counts as that one line, being what a cell there gave.
    """
    plain = without_code(text)

    def at(position: int) -> int:
        return line + plain.count("\n", 0, position) * counted

    for match in DEFINED.finditer(plain):
        found.defined.setdefault(match[1], []).append(at(match.start()))
    found.used += [(at(match.start()), match[1]) for match in REFERENCE.finditer(plain)]
    found.figures += [(at(match.start()), match[1]) for match in FIGURE.finditer(plain)]


def scan_source(document: Document) -> Found:
    """Collect ids, references and picture files of a document, as far as they do not come out of its cells."""
    found = Found()
    for part in document.parts:
        if isinstance(part, Text):
            scan(part.text, part.line, found)
            continue
        label = str(part.options.get("label", ""))
        if CROSSREF.match(label):
            found.defined.setdefault(label, []).append(part.line)
        for key in ("fig-cap", "tbl-cap"):
            scan(str(part.options.get(key, "")), part.line, found, counted=False)
    return found


def scan_assembled(parts: list[Text | Cell]) -> Found:
    """Collect ids, references and picture files of what :func:`fergap.paper.assembling.assemble` returned."""
    found = Found()
    for part in parts:
        text, counted = (part.text, True) if isinstance(part, Text) else (part.source, False)
        scan(text, part.line, found, counted=counted)
    return found


def bibliography_keys(files: list[Path]) -> set[str]:
    """Return the keys of BibTeX files.

    Raises
    ------
    UserError
        A file is missing, or a key stands in it twice.
    """
    keys: set[str] = set()
    for file in files:
        if not file.is_file():
            raise UserError("there is no such bibliography", where=str(file))
        for kind, key in ENTRY.findall(file.read_text(encoding="utf-8")):
            if kind.lower() in ("comment", "string", "preamble"):
                continue
            if key in keys:
                raise UserError(f"the key {key!r} is there twice", where=str(file), fix="remove one of the entries")
            keys.add(key)
    return keys


def check(found: Found, folder: Path, keys: set[str], where: str, *, complete: bool = True) -> None:
    """Check that references, citations and picture files of a document exist.

    Parameters
    ----------
    found : Found
        What :func:`scan_source` or :func:`scan_assembled` collected.
    folder : Path
        The folder that picture files are relative to.
    keys : set of str
        Citation keys of the bibliography.
    where : str
        What to call the document in a message.
    complete : bool
        False: cells may still define ids, so an unknown ``@fig-`` is not an error yet.

    Raises
    ------
    UserError
        An id is defined twice, a reference or citation is unknown, or a picture is not there; line and name are told.
    """
    for name, lines in found.defined.items():
        if len(lines) > 1:
            raise UserError(
                f"the id {name!r} is defined twice (lines {', '.join(map(str, lines))})",
                where=f"{where}, line {lines[1]}",
                fix="give one of them another id",
            )
    for line, name in found.used:
        if CROSSREF.match(name):
            if complete and name not in found.defined:
                raise UserError(
                    f"unknown reference @{name}",
                    where=f"{where}, line {line}",
                    expected="an id of this document: " + (", ".join(sorted(found.defined)) or "there is none"),
                )
        elif name not in keys:
            raise UserError(
                f"unknown citation @{name}",
                where=f"{where}, line {line}",
                expected="a key of the bibliography: " + (", ".join(sorted(keys)) or "there is none"),
            )
    for line, name in found.figures:
        if re.match(r"\w+:", name) or Path(name).is_absolute():
            raise UserError(
                f"the picture {name} lies outside", where=f"{where}, line {line}", expected="a relative path"
            )
        if not (folder / name).is_file():
            raise UserError(
                f"there is no picture {name}",
                where=f"{where}, line {line}",
                fix="name it as the rule's figures are named, or draw it",
            )
