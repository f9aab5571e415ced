"""Put a document and what its code gave together as Markdown in Quarto's own syntax."""

import base64
from pathlib import Path

from fergap.errors import UserError
from fergap.paper.execution import Results
from fergap.paper.qmd import INLINE, Cell, Document, Text


def attribute(text: str) -> str:
    """Return text as the value of a Markdown attribute."""
    return '"' + " ".join(str(text).split()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def pictures(data: dict, stem: str, folder: Path) -> str | None:
    """Write the picture that an output holds into ``folder`` and return its name, None where it holds none."""
    if "image/svg+xml" in data:
        (folder / f"{stem}.svg").write_text(data["image/svg+xml"], encoding="utf-8")
        return f"{stem}.svg"
    if "image/png" in data:
        (folder / f"{stem}.png").write_bytes(base64.b64decode(data["image/png"]))
        return f"{stem}.png"
    return None


def shown(cell: Cell, outputs: list, folder: Path, where: str) -> str:
    """Return a cell's outputs as Markdown.

    Raises
    ------
    UserError
        An output is neither Markdown nor a picture, or a labelled cell gives nothing to label.
    """
    where = f"{where}, line {cell.line}"
    if cell.options.get("include", True) is False or cell.options.get("output", True) is False:
        return ""
    label, asis = str(cell.options.get("label", "")), cell.options.get("output") == "asis"
    caption, alt = " ".join(str(cell.options.get("fig-cap", "")).split()), cell.options.get("fig-alt")
    pieces: list[str] = []
    for i, output in enumerate(outputs):
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if not asis:
                raise UserError(f"{cell.name} prints {output.text.strip()[:60]!r}", where=where, fix="#| output: asis")
            pieces.append(output.text)
        elif "text/markdown" in output.data:
            pieces.append(output.data["text/markdown"])
        elif name := pictures(output.data, f"cell-{cell.line}-{i}", folder):
            words = f" fig-alt={attribute(alt)}" if alt else ""
            if label.startswith("fig-"):
                pieces.append(f"![{caption}]({name}){{#{label}{words}}}")
                caption = label = ""
            else:
                pieces.append(f"![]({name}){{{words.strip()}}}" if words else f"![]({name})")
        else:
            kinds = ", ".join(sorted(output.data))
            raise UserError(
                f"{cell.name} shows {kinds}",
                where=where,
                expected="Markdown, SVG or PNG, which look the same in both engines",
                fix="end the cell with Markdown(…), or with a semicolon to show nothing",
            )
    text = "\n\n".join(piece.strip("\n") for piece in pieces)
    if label.startswith("tbl-"):
        caption = " ".join(str(cell.options.get("tbl-cap", "")).split())
    elif not label.startswith("fig-"):
        return text
    if not text.strip():
        raise UserError(f"{cell.name} shows nothing to label", where=where)
    words = f" fig-alt={attribute(alt)}" if alt else ""
    return f"::: {{#{label}{words}}}\n\n{text}\n\n{caption}\n\n:::"


def assemble(document: Document, results: Results, folder: Path, where: str) -> list[Text | Cell]:
    """Return the document's parts as Markdown without code.

    Parameters
    ----------
    document : Document
        The parsed document.
    results : Results
        What its code gave.
    folder : Path
        Where pictures that cells draw are written.
    where : str
        What to call the document in a message.

    Returns
    -------
    list
        A Text for prose, with inline values in place, line by line as in the document; a Cell for a cell, whose source
        is now its output.
    """
    parts: list[Text | Cell] = []
    for part in document.parts:
        if isinstance(part, Cell):
            parts.append(Cell(part.line, shown(part, results.outputs[part.line], folder, where)))
        else:
            values = (results.inline[part.line, i] for i in range(len(INLINE.findall(part.text))))
            parts.append(Text(part.line, INLINE.sub(lambda _, values=values: next(values), part.text)))
    return parts
