"""Make the paper of one study: its configuration, tables and figures beside the document, then the rendering."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from fergap.paper.rendering import render

PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "torch", "snakemake")


def title_of(study: dict) -> str:
    """Return the title that the configuration gives, else one made from the study's attributes and name."""
    if given := study["paper"].get("title"):
        return given
    attributes = [name for name in study["audit"]["attributes"] if "*" not in name]
    return f"Accuracy by {' and '.join(attributes)}: {study['study']}"


def commit() -> str | None:
    """Return the commit of the library's repository, marked where files differ from it; None outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Return the versions of Python and of those of the study's packages that are installed here."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def beside(folder: str, files: str | os.PathLike | Iterable[str | os.PathLike]) -> dict[str, str | os.PathLike]:
    """Map names in a folder of the paper to files; a single directory becomes that folder."""
    files = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    if len(files) == 1 and Path(files[0]).is_dir():
        return {folder: files[0]}
    return {f"{folder}/{Path(file).name}": file for file in files}


def render_study(
    source: str | os.PathLike,
    study: dict,
    tables: dict[str, str | os.PathLike | Iterable[str | os.PathLike]],
    outputs: dict[str, str | os.PathLike],
) -> str:
    """Render the paper of one study.

    Parameters
    ----------
    source : path
        ``report/paper.qmd``.
    study : dict
        The study's whole configuration.
    tables : dict
        Folder beside the paper (``audit``, ``figures``, ``faces``, ``training``) → files, or one directory.
    outputs : dict
        Of ``html`` and ``pdf``: where the file goes.

    Returns
    -------
    str
        Name and version of the engine.

    Raises
    ------
    UserError
        See :func:`fergap.paper.rendering.render`.
    """
    started = time.monotonic()
    work = {name: path for folder, files in tables.items() for name, path in beside(folder, files).items()}
    with tempfile.TemporaryDirectory(prefix="fergap-study-") as folder:
        about = Path(folder, "study.json")
        about.write_text(json.dumps(study | {"versions": versions(), "commit": commit()}, indent=1), encoding="utf-8")
        front = {"title": title_of(study)} | (
            {"author": study["paper"]["authors"]} if study["paper"]["authors"] else {}
        )
        engine = render(source, work | {"study.json": about}, outputs, study["paper"]["engine"], front)
    spent = time.monotonic() - started
    print(f"paper: {', '.join(map(str, outputs.values()))} by {engine} in {spent:.1f} s", file=sys.stderr, flush=True)
    return engine
