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

import pandas as pd

from fergap.paper.methods import title_of
from fergap.paper.rendering import render
from fergap.tables import write

PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "torch", "snakemake")


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


def timings(folder: str | os.PathLike) -> pd.DataFrame:
    """Return the time in seconds and the memory in MB of each rule, from the benchmark files in a study's logs."""
    found = []
    for path in sorted(Path(folder).rglob("*.benchmark.tsv")):
        row = pd.read_csv(path, sep="\t", na_values=["-"]).iloc[0]
        first = path.relative_to(folder).parts[0].removesuffix(".benchmark.tsv")
        found.append({"rule": first, "jobs": 1, "seconds": row["s"], "memory": row["max_rss"]})
    table = pd.DataFrame(found, columns=["rule", "jobs", "seconds", "memory"])
    return table.groupby("rule", as_index=False).agg({"jobs": "sum", "seconds": "sum", "memory": "max"})


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
    more: dict[str, str | os.PathLike] | None = None,
    logs: str | os.PathLike | None = None,
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
    more : dict, optional
        Of ``values.csv``, the paper's values with their sources, and ``tables``, a folder of its tables as printed:
        where they go.
    logs : path, optional
        Folder of the study's logs, whose benchmark files tell the time of each rule.

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
        if logs and len(spent_by := timings(logs)):
            write(spent_by, Path(folder, "timings.csv"), "timings")
            work["paper/timings.csv"] = Path(folder, "timings.csv")
        absent = "without-arms" if study["arms"] else "with-arms"
        front = {"title": title_of(study)} | (
            {"author": study["paper"]["authors"]} if study["paper"]["authors"] else {}
        )
        engine = render(
            source, work | {"study.json": about}, outputs, study["paper"]["engine"], front, more=more, left_out=absent
        )
    spent = time.monotonic() - started
    print(f"paper: {', '.join(map(str, outputs.values()))} by {engine} in {spent:.1f} s", file=sys.stderr, flush=True)
    return engine
