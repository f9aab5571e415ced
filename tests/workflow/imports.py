"""What a rule's script imports, directly or through the library, at its start or later."""

import ast
import re
import sys
from pathlib import Path


def _names(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _modules(scripts: Path, name: str) -> list[Path]:
    """Return the library's files that an import of ``name`` runs."""
    parts = name.split(".")
    stems = [scripts.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    return [path for stem in stems for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.exists()]


def _code(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".qmd":
        return "\n".join(re.findall(r"^(?:from|import) .+$", text, re.MULTILINE))
    return text


def followed(root: Path, *starts: Path) -> tuple[set[Path], set[str]]:
    """Return what files import at whatever depth: the project's files, and packages outside Python and the project."""
    scripts, waiting, seen, outside = root / "scripts", list(starts), set(), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _names(_code(path)):
            package = name.split(".")[0]
            if package == "fergap":
                waiting += _modules(scripts, name)
            elif package not in sys.stdlib_module_names:
                outside.add(package)
    return seen, outside


def imported(root: Path, *starts: Path) -> set[str]:
    """Return the packages outside Python and this project that files need."""
    return followed(root, *starts)[1]


def parts(root: Path, *starts: Path) -> set[str]:
    """Return the parts of the library that files need: its folders, such as ``audit``, and its own modules."""
    library = root / "scripts" / "fergap"
    inside = [path.relative_to(library) for path in followed(root, *starts)[0] if path.is_relative_to(library)]
    return {path.stem if path.parent == Path() else path.parent.as_posix() for path in inside}


def environments(root: Path) -> dict[str, list[Path]]:
    """Return each environment's name and what runs in it: the scripts of its rules, and the paper's cells."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "rules").glob("*.smk")))
    found: dict[str, list[Path]] = {}
    for rule, env in re.findall(r'^rule (\w+):.*?\.\./envs/([\w{}-]+)\.yaml"', text, re.MULTILINE | re.DOTALL):
        names = ("training", "training-cuda") if env == "{TRAINING_ENV}" else (env,)
        for name in names:
            found.setdefault(name, []).append(root / "scripts" / f"{rule}.py")
    found["paper"].append(root / "report/paper.qmd")
    return found
