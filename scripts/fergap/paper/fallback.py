"""Render a document with nbclient, pandoc and typst from PyPI, where there is no Quarto."""

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pypandoc
import typst

from fergap.errors import UserError
from fergap.paper.assembling import assemble
from fergap.paper.checking import check, scan_assembled
from fergap.paper.execution import run
from fergap.paper.qmd import Cell, Document

HERE = Path(__file__).resolve().parent
# what the front matter and _quarto.yml may say: what is used here, then what only Quarto reads
USED = (
    *("title", "subtitle", "author", "date", "abstract", "keywords", "lang", "bibliography", "csl", "nocite"),
    *("link-citations", "citeproc", "number-sections", "toc", "toc-depth", "format"),
)
QUARTO_ONLY = (
    *("project", "jupyter", "engine", "execute", "embed-resources", "html-math-method", "theme", "papersize", "margin"),
    *("fontsize", "keep-typ", "include-in-header", "toc-title", "toc-location", "fig-format", "mainfont", "minimal"),
)


def name() -> str:
    """Return the engine's name and versions."""
    return f"pandoc {pypandoc.get_pandoc_version()} and typst {metadata.version('typst')} (fallback)"


def options_for(settings: dict, target: str, where: str) -> dict:
    """Return the settings of one output: those of ``format: <target>`` over the general ones.

    Raises
    ------
    UserError
        A setting is unknown, or its value cannot be kept.
    """
    formats = settings.get("format") or {}
    own = formats.get(target) if isinstance(formats, dict) else None
    merged = {k: v for k, v in settings.items() if k != "format"} | (own if isinstance(own, dict) else {})
    for key in merged:
        if key not in USED and key not in QUARTO_ONLY:
            raise UserError(f"unknown setting {key!r}", where=where, expected="one of " + ", ".join(sorted(USED)))
    if not str(merged.get("lang", "en")).startswith("en"):
        raise UserError(f"lang: {merged['lang']!r}", where=where, expected="English: captions are numbered in it")
    if str(merged.get("date", "")) in ("today", "now", "last-modified"):
        raise UserError(f"date: {merged['date']!r}", where=where, expected="a date as text")
    return merged


def authors(value: object) -> list[dict[str, str]]:
    """Return authors as maps of name, affiliation and plain (name without Markdown), from names or Quarto's maps."""
    found = []
    for author in value if isinstance(value, list) else [value] if value else []:
        entry = author if isinstance(author, dict) else {"name": str(author)}
        affiliations = entry.get("affiliation", entry.get("affiliations")) or []
        affiliations = affiliations if isinstance(affiliations, list) else [affiliations]
        places = ", ".join(str(a.get("name", "")) if isinstance(a, dict) else str(a) for a in affiliations)
        shown = {"name": str(entry.get("name", "")), "plain": str(entry.get("name", "")).replace('"', "")}
        found.append(shown | ({"affiliation": places} if places else {}))
    return found


def pandoc(arguments: list[str], folder: Path, where: str) -> None:
    """Run pandoc in ``folder``; anything that it or the filter warns of is an error."""
    command = [pypandoc.get_pandoc_path(), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode == 0 and not done.stderr.strip():
        return
    if told := re.search(r"fergap: (.*?) :end", done.stderr, re.S):
        raise UserError(" ".join(told[1].split()), where=where)
    raise UserError(f"pandoc stops: {done.stderr.strip()[:2000]}", where=where)


def write(target: str, options: dict, folder: Path, engine: str, where: str) -> Path:
    """Turn ``paper.md`` of ``folder`` into ``paper.html`` or ``paper.typ`` there and return its path."""
    language, _, region = str(options.get("lang", "en")).partition("-")
    kept = ("title", "subtitle", "abstract", "keywords", "nocite", "bibliography", "csl", "number-sections")
    values = {key: options[key] for key in kept if options.get(key)}
    values |= {"author": authors(options.get("author")), "date": str(options.get("date") or "")}
    values |= {"lang": language, "region": region} if target == "typst" else {"lang": str(options.get("lang", "en"))}
    values |= {"link-citations": bool(options.get("link-citations", True)), "engine": engine}
    (folder / "meta.json").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    suffix = {"html": "html", "typst": "typ"}[target]
    arguments = ["paper.md", "--from=markdown", "--standalone", "--wrap=none", "--eol=lf", "--fail-if-warnings"]
    arguments += ["--metadata-file=meta.json", f"--lua-filter={HERE / 'filter.lua'}", "--citeproc"]
    arguments += [f"--template={HERE / 'template'}.{suffix}", f"--output=paper.{suffix}"]
    if target == "html":
        arguments += ["--to=html5", "--mathml", "--embed-resources", "--section-divs"]
    else:
        arguments += ["--to=typst-citations"]
    if options.get("number-sections"):
        arguments.append("--number-sections")
    if options.get("toc"):
        arguments += ["--toc", f"--toc-depth={options.get('toc-depth', 3)}"]
    pandoc(arguments, folder, where)
    return folder / f"paper.{suffix}"


def compile_pdf(source: Path, where: str) -> Path:
    """Compile a typst file to PDF beside it, with the fonts of the typst package alone, and return its path.

    Raises
    ------
    UserError
        typst stops or warns.
    """
    target = source.with_suffix(".pdf")
    try:
        data, warnings = typst.Compiler(
            str(source), root=str(source.parent), ignore_system_fonts=True
        ).compile_with_warnings(format="pdf", timestamp=0)
    except typst.TypstError as error:
        raise UserError(f"typst stops: {error}", where=where) from None
    if warnings:
        raise UserError("typst warns: " + "; ".join(str(w) for w in warnings), where=where)
    target.write_bytes(data)
    return target


def render(
    document: Document,
    settings: dict,
    folder: Path,
    scratch: Path,
    targets: list[str],
    keys: set[str],
    where: str,
    environment: dict[str, str],
) -> dict[str, Path]:
    """Run a document and write its outputs into ``folder``.

    Parameters
    ----------
    document : Document
        The parsed document.
    settings : dict
        Its front matter over those of ``_quarto.yml``.
    folder : Path
        Working folder: holds all that the document reads.
    scratch : Path
        An existing empty folder outside of ``folder``.
    targets : list of str
        Of ``html`` and ``pdf``.
    keys : set of str
        Citation keys of the bibliography.
    where : str
        What to call the document in a message.
    environment : dict
        Variables of the process that runs the cells.

    Returns
    -------
    dict
        The path of each target.

    Raises
    ------
    UserError
        A cell fails, or pandoc or typst stop or warn.
    """
    every = {"html": options_for(settings, "html", where), "pdf": options_for(settings, "typst", where)}
    results = run(document, folder, scratch, environment, where)
    parts = assemble(document, results, folder, where)
    check(scan_assembled(parts), folder, keys, where)
    text = "".join(f"\n{part.source}\n\n" if isinstance(part, Cell) else part.text for part in parts)
    (folder / "paper.md").write_text(text, encoding="utf-8")
    made = {}
    for target in targets:
        if target == "html":
            made[target] = write("html", every[target], folder, name(), where)
        else:
            made[target] = compile_pdf(write("typst", every[target], folder, name(), where), where)
    return made
