"""Fixtures of the stage ``faces``."""

from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="session")
def config(root: Path) -> dict:
    """The embedded study's ``faces``."""
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))["faces"]
