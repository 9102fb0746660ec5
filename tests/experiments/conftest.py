"""What the tests of several measurements share."""

import pytest
from workbook import paths
from workbook.corpora import corpora


@pytest.fixture(scope="module")
def sample():
    return corpora.load("sample")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder that the tests of a module share, so that what they ask for is measured once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        yield paths.DATA
