"""The table of faults names tests that exist, and every test of a fault is in it."""

import re
from pathlib import Path


def named_in(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_table_of_faults_and_the_tests_agree(root: Path) -> None:
    folder = root / "tests" / "faults"
    text = (root / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./]+\.py)::(test_\w+)`", text))
    assert len(named) > 40
    for file, test in named:
        assert test in named_in(folder / file), f"{file}::{test}"
    # checks of the checks themselves, which try no fault
    aside = {"test_the_schema_is_walked_to_its_ends", "test_the_names_of_networks_are_those_of_the_registry"}
    for path in folder.glob("test_*.py"):
        if path.name != Path(__file__).name:
            left = named_in(path) - aside - {test for file, test in named if file == path.name}
            assert not left, f"{path.name}: {left} is not in docs/reliability.md"
