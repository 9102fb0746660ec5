"""What the tests of models share: no hub, and one data folder for a file, so that no test makes its models again."""

import huggingface_hub.constants
import pytest
from workbook import paths


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test may reach for the hub, nor wait until it cannot."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A data folder for the whole file."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def in_shared(shared, monkeypatch):
    monkeypatch.setattr(paths, "DATA", shared)
