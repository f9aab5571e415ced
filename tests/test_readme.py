"""What the README promises is there."""

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def documents(root: Path) -> str:
    return "\n".join((root / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))


def test_every_make_target_named_is_one(documents: str, root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^make (\w+)", documents, flags=re.MULTILINE))
    assert {"demo", "test", "lint"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_every_file_named_is_there(documents: str, root: Path) -> None:
    paths = re.findall(r"\]\(([\w./-]+)\)", documents) + re.findall(
        r"`((?:studies|schemas|scripts)/[\w./-]+)`", documents
    )
    assert len(paths) > 8
    for path in paths:
        assert (root / path).exists(), path


def test_ci_runs_the_readmes_commands(documents: str, root: Path) -> None:
    steps = re.findall(r"^make \w+", (root / ".ci" / "run").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {"make lint", "make test", "make demo"} <= set(steps)
    for step in steps:
        assert step in documents
