"""Where a value of a finished paper comes from: table and line, then rule by rule back to what was given."""

import csv
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fergap.errors import UserError

BLOCK = 1 << 20


@dataclass(frozen=True)
class Made:
    """How a file was made: the rule, its data and code as files, and whether it is what a run now would make."""

    rule: str
    data: tuple[str, ...]
    code: tuple[str, ...]
    plan: str


def digest(path: Path) -> str:
    """Return the first sixteen letters of a file's SHA-256, or that there is no such file."""
    if not path.is_file():
        return "a folder" if path.is_dir() else "not there"
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()[:16]


def read_values(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a paper's ``values.csv`` by id.

    Raises
    ------
    UserError
        The paper has not been rendered.
    """
    if not path.is_file():
        raise UserError("the paper's values are not there", where=str(path), fix="run the workflow, which makes them")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def detailed_summary(root: Path, arguments: list[str]) -> str:
    """Return what ``snakemake --detailed-summary`` says of a study's files.

    Raises
    ------
    UserError
        Snakemake fails; its last lines are told.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), *arguments]
    done = subprocess.run([*command, "--detailed-summary"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            "snakemake cannot tell how the files were made:\n" + "\n".join(done.stderr.strip().splitlines()[-4:]),
            fix="give the study's --configfile",
        )
    return done.stdout


def rules_of(summary: str) -> dict[str, Made]:
    """Return how each file was made, from Snakemake's detailed summary (tab-separated, with a header)."""
    made = {}
    for row in csv.DictReader(summary.splitlines(), delimiter="\t"):
        files = [f for f in (row["input-file(s)"] or "").split(",") if f and f != "-"]
        code = tuple(f for f in files if Path(f).suffix == ".py")
        made[row["output_file"]] = Made(row["rule"], tuple(f for f in files if f not in code), code, row["plan"])
    return made


def chain(file: str, made: dict[str, Made], depth: int = 0, seen: set[str] | None = None) -> Iterator[tuple[int, str]]:
    """Yield (depth, line) for a file, the rule that made it, and what that rule read, back to what was given."""
    seen = set() if seen is None else seen
    how = made.get(file)
    known = how is not None and file in seen
    yield depth, f"{file}  sha256 {digest(Path(file))}" + ("  (as above)" if known else "" if how else "  (given)")
    if how is None or known:
        return
    seen.add(file)
    stale = "" if how.plan == "no update" else f"; {how.plan}"
    yield depth + 1, f"made by rule {how.rule} from {len(how.code)} files of code{stale}"
    for read in how.data:
        yield from chain(read, made, depth + 1, seen)


def lines_of(path: Path, lines: str, column: str) -> Iterator[str]:
    """Yield what stands in the column(s) of the first lines of a table, beside what tells the row apart."""
    if not path.is_file() or path.suffix != ".csv" or not lines:
        return
    wanted = {int(part.split("–")[0]) for part in lines.split()}
    columns = [c.strip() for c in column.split(",")]
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            if number in wanted:
                names = [f"{k}={v}" for k, v in row.items() if v and k in columns]
                keys = [f"{k}={row[k]}" for k in ("arm", "contrast", "attribute", "group", "reference") if row.get(k)]
                yield f"line {number}: {', '.join(keys)}: {', '.join(names)}"


def why(value: str, results: Path, made: dict[str, Made], commit: str | None) -> list[str]:
    """Return the lines that say where a value comes from.

    Parameters
    ----------
    value : str
        An id such as ``v12``, as the paper's tooltips and its last appendix give it.
    results : Path
        The study's folder of results.
    made : dict
        See :func:`rules_of`.
    commit : str or None
        Of the code as it is now.

    Raises
    ------
    UserError
        There is no such value.
    """
    values = read_values(results / "paper" / "values.csv")
    if value not in values:
        raise UserError(
            f"there is no value {value!r}",
            where=str(results / "paper" / "values.csv"),
            expected=f"one of v1 … v{len(values)}",
        )
    row = values[value]
    table = results / row["table"]
    found = [f"{value}: {row['value']}", f"from {row['table']}" + (f", line {row['line']}" if row["line"] else "")]
    found += lines_of(table, row["line"], row["column"])
    if row["rule"] == "configuration":
        found[1] = f"from the configuration: {row['column']}"
    else:
        found += ["  " * depth + line for depth, line in chain(str(table), made)]
    return [*found, f"commit {commit or 'unknown'}"]
