"""The pictures of the README: what stands on them."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fergap.faces.drawn import EXPRESSIONS

ROOT = Path(__file__).resolve().parent.parent
HEAD, LEFT = 24, 84


@pytest.fixture(scope="module")
def labelled():
    return runpy.run_path(str(ROOT / "docs" / "pictures.py"))["labelled"]


def test_drawn_faces_have_their_kinds_above_and_expressions_beside_them(labelled) -> None:
    kinds = np.repeat(np.arange(4, dtype=np.uint8) * 50 + 60, 96)[None].repeat(len(EXPRESSIONS) * 48, axis=0)
    board = np.asarray(labelled(kinds))
    faces = board[HEAD:, LEFT:]
    assert [faces[0, 102 * i] for i in range(4)] == [60, 110, 160, 210]
    assert (faces[:, 96:102] == 255).all()
    ink = (board < 128)[:HEAD, LEFT:]
    for i in range(4):  # a word over the middle of each kind, and nothing beside it
        columns = np.flatnonzero(ink[:, 102 * i : 102 * i + 96].any(axis=0))
        assert 20 < np.ptp(columns) < 80
        assert abs(columns.mean() - 48) < 4
    for i in range(len(EXPRESSIONS)):
        assert (board < 128)[HEAD + 48 * i : HEAD + 48 * (i + 1), :LEFT].any()
    assert (board[:, 0] == 255).all()  # the longest word is not cut


def test_the_readme_shows_the_labelled_faces(labelled) -> None:
    shown = Image.open(ROOT / "docs" / "drawn-faces.png")
    made = labelled(np.full((len(EXPRESSIONS) * 48, 16 * 48), 128, np.uint8))
    assert shown.size == made.size
    assert (np.asarray(shown)[:HEAD] == np.asarray(made)[:HEAD]).all()
