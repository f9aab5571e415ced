"""Make the paper from a Quarto document: with Quarto where there is one, else with pandoc and typst from PyPI."""

import os
import shutil
import tempfile
from pathlib import Path

import yaml

from fergap.errors import UserError
from fergap.files import whole
from fergap.paper import checking, quarto
from fergap.paper.qmd import Cell, mapping, parse, split_front, without

SCRIPTS = Path(__file__).resolve().parents[2]
FORMATS = ("html", "pdf")
ENGINES = ("auto", "quarto", "fallback")
LEFT_BEHIND = shutil.ignore_patterns("_output", ".quarto", ".*", "__pycache__")


def chosen(engine: str) -> tuple[bool, str]:
    """Return whether Quarto renders, and the name and version of what does.

    Raises
    ------
    UserError
        The engine is unknown, or Quarto is asked for and not there.
    """
    if engine not in ENGINES:
        raise UserError(f"unknown engine {engine!r}", where="paper.engine", expected="one of " + ", ".join(ENGINES))
    version = None if engine == "fallback" else quarto.version()
    if version:
        return True, f"Quarto {version}"
    if engine == "quarto":
        raise UserError(
            "there is no quarto on PATH that runs",
            where="paper.engine",
            fix="install it from https://quarto.org, run with --use-conda, or write engine: auto",
        )
    from fergap.paper import fallback  # its packages are not needed where Quarto is

    return False, fallback.name()


def bring(source: Path, target: Path) -> None:
    """Copy a file or a folder to ``target``."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=LEFT_BEHIND, dirs_exist_ok=True)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    else:
        raise UserError(
            "there is no such file or folder", where=str(source), expected=f"what the paper reads as {target.name}"
        )


def listed(value: object) -> list:
    """Return a setting that may be one value or many as a list."""
    return value if isinstance(value, list) else [value] if value else []


def render(
    source: str | os.PathLike,
    work: dict[str, str | os.PathLike],
    outputs: dict[str, str | os.PathLike],
    engine: str = "auto",
    metadata: dict | None = None,
    keep: str | os.PathLike | None = None,
    more: dict[str, str | os.PathLike] | None = None,
    left_out: str = "",
) -> str:
    """Render a Quarto document to HTML and PDF, in a copy so that nothing lands beside it.

    Cells run in a folder that holds the document's own folder and everything of ``work``, with ``fergap`` importable
    and the engine's name in the environment variable ``FERGAP_ENGINE``.

    Parameters
    ----------
    source : path
        The document, such as ``report/paper.qmd``.
    work : dict
        Name in the working folder (``audit``, ``study.json``, ``faces/labels.csv``) → file or folder to copy there.
    outputs : dict
        Of ``html`` and ``pdf``: where the file goes. All are written, or none.
    engine : {"auto", "quarto", "fallback"}
        ``auto``: Quarto where one is on PATH.
    metadata : dict, optional
        Front matter (title, author, date, abstract, …) that wins over the document's.
    keep : path, optional
        Folder that receives the working folder after success, to look at what lies between.
    more : dict, optional
        Name in the working folder of a file or folder that the document's code writes → where it goes.
    left_out : str
        Class of the headings whose sections are left out (see :func:`fergap.paper.qmd.without`).

    Returns
    -------
    str
        Name and version of the engine.

    Raises
    ------
    UserError
        The document has a mistake (an unknown reference, citation, picture or option; an id defined twice; a cell
        that fails), something of ``work`` is missing, or the engine asked for is not there.
    """
    source, where = Path(source), str(source)
    for form in outputs:
        if form not in FORMATS:
            raise UserError(f"unknown format {form!r}", where="paper.formats", expected="one of " + ", ".join(FORMATS))
    if not source.is_file():
        raise UserError("there is no such file", where=where)
    with_quarto, engine_name = chosen(engine)
    text = source.read_text(encoding="utf-8")
    text = without(text, left_out) if left_out else text
    document = parse(text, where)
    with tempfile.TemporaryDirectory(prefix="fergap-paper-") as temporary:
        folder, scratch = Path(temporary, "paper"), Path(temporary, "scratch")
        scratch.mkdir()
        bring(source.parent, folder)
        for target, origin in work.items():
            bring(Path(origin), folder / target)
        project = folder / "_quarto.yml"
        general = mapping(project.read_text(encoding="utf-8"), str(project.name)) if project.is_file() else {}
        front = document.front | (metadata or {})
        settings = general | front
        keys = checking.bibliography_keys([folder / name for name in listed(settings.get("bibliography"))])
        computed = any(isinstance(p, Cell) and p.options.get("include", True) for p in document.parts)
        checking.check(checking.scan_source(document), folder, keys, where, complete=not computed)
        environment = {"FERGAP_ENGINE": engine_name, "PYTHONPATH": python_path(), "PYTHONDONTWRITEBYTECODE": "1"}
        if with_quarto:
            # the front matter of the copy is the merged one: Quarto has no option that wins over it for every key
            _, body, _ = split_front(text, where)
            (folder / source.name).unlink()
            (folder / "paper.qmd").write_text(f"---\n{as_yaml(front)}---\n{body}", encoding="utf-8")
            made = quarto.render(folder, list(outputs), where, environment)
        else:
            from fergap.paper import fallback

            made = fallback.render(document, settings, folder, scratch, list(outputs), keys, where, environment)
        wanted = dict(outputs)
        for name, target in (more or {}).items():
            if not (folder / name).exists():
                raise UserError(f"the document writes no {name}", where=where)
            made[name], wanted[name] = folder / name, target
        if keep:
            shutil.copytree(folder, keep, dirs_exist_ok=True)
        place(made, wanted)
    return engine_name


def place(made: dict[str, Path], outputs: dict[str, str | os.PathLike]) -> None:
    """Move finished files to where they go."""
    for form, path in outputs.items():
        if made[form].is_dir():
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(made[form], path)
            continue
        with whole(path) as draft:
            shutil.copyfile(made[form], draft)


def python_path() -> str:
    """Return PYTHONPATH with the library's folder first."""
    return os.pathsep.join(filter(None, [str(SCRIPTS), os.environ.get("PYTHONPATH", "")]))


def as_yaml(values: dict) -> str:
    """Return front matter as YAML."""
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=120)
