"""A pickle that leaves a mark where it is read without care, and the fixture `mark`, which looks for that mark."""

import os

import pytest


class Planted:
    """A pickle that makes a folder when it is read without care."""

    def __init__(self, mark):
        self._mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self._mark),)


@pytest.fixture
def mark(tmp_path):
    """Where the planted code would leave its mark."""
    yield tmp_path / "planted"
    assert not (tmp_path / "planted").exists(), "planted code was run"
