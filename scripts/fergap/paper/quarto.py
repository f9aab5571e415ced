"""Render a document with Quarto, and read its log and output for what it only warns of."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from fergap.errors import UserError

FORMATS = {"html": ("html", "paper.html"), "pdf": ("typst", "paper.pdf")}
# Quarto and its pandoc end with success although these happened
WARNED = re.compile(
    r"^.*(?:\?@\w|unable to resolve crossref|citation \S+ not found|citeproc: citation|could not fetch resource"
    r"|unknown citation|duplicate (?:label|identifier)).*$",
    re.I | re.M,
)
UNRESOLVED = re.compile(r"\?@[\w-]+|(?<=class=\"citation\")[^>]*>[(\[]?<strong>[^<]*\?</strong>")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def version() -> str | None:
    """Return the version of the Quarto on PATH, None where there is none that runs."""
    program = shutil.which("quarto")
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().splitlines()[-1] if done.returncode == 0 and done.stdout.strip() else None


def render(folder: Path, targets: list[str], where: str, environment: dict[str, str]) -> dict[str, Path]:
    """Render ``paper.qmd`` of ``folder`` with Quarto.

    Parameters
    ----------
    folder : Path
        Working folder: holds ``paper.qmd``, ``_quarto.yml`` and all that the document reads.
    targets : list of str
        Of ``html`` and ``pdf``.
    where : str
        What to call the document in a message.
    environment : dict
        Variables of Quarto's process, beside the present ones.

    Returns
    -------
    dict
        The path of each target.

    Raises
    ------
    UserError
        Quarto fails, or a reference or citation stays unresolved.
    """
    made = {}
    for target in targets:
        form, file = FORMATS[target]
        place = f"_{target}"
        done = subprocess.run(
            ["quarto", "render", "paper.qmd", "--to", form, "--output-dir", place],
            cwd=folder,
            env=os.environ | environment | {"QUARTO_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        log = COLOUR.sub("", done.stdout)
        print(log, end="", file=sys.stderr)
        if done.returncode:
            told = "\n".join(log.strip().splitlines()[-15:])
            raise UserError(f"Quarto stops with exit code {done.returncode}:\n{told}", where=where)
        if warned := WARNED.search(log):
            raise UserError(f"Quarto warns: {warned[0].strip()}", where=where)
        output = folder / place / file
        if not output.is_file():
            raise UserError(f"Quarto says nothing and leaves no {file}", where=where)
        sources = [folder / "paper.typ", folder / place / "paper.typ"] if target == "pdf" else [output]
        for text in filter(Path.is_file, sources):
            if found := UNRESOLVED.search(without_resources(text.read_text(encoding="utf-8"))):
                raise UserError(f"unresolved in Quarto's {target}: {found[0]}", where=where)
        made[target] = output
    return made


def without_resources(text: str) -> str:
    """Drop embedded scripts, styles and pictures, which may hold any character."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.S)
    return re.sub(r"data:[\w/+.-]+[;,][^\"')\s]*", "", text)
