"""What the tests of training share."""

import pytest

from .examples import study


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder, and in it the files of a small study, by name."""
    folder = tmp_path_factory.mktemp("study")
    return folder, study(folder)
