"""What several test files share: a data folder of their own and small corpora with real shapes."""

import os
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")  # a test log is read by people
if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and torch start as many threads as there are cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
from workbook import names, paths
from written_files import write_beir
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ["standin", "browser", "smoke", "elsewhere", "planted"]  # their fixtures
# Files that look at one run of the smoke profile: the run is made once, so they are one worker's.
SMOKE = {f"test_{name}" for name in ("notebooks", "faults", "kills", "repeatability", "leaks", "browser_report")}
# The same examples each time, here and in CI. Machines are shared: no deadline. `make test` asks for the profile "few"
same = hypothesis.settings(derandomize=True, deadline=None, max_examples=100, database=None)
hypothesis.settings.register_profile("same", same)
hypothesis.settings.register_profile("few", same, max_examples=20)
hypothesis.settings.load_profile("same")


class ByFile(LoadFileScheduling):
    """Gives each worker whole files, so that what a file's tests share is made once, and one worker all of SMOKE."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "smoke" if Path(file).stem in SMOKE else file


def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """What takes longest begins first."""
    items.sort(key=lambda item: item.path.stem not in SMOKE)


@pytest.fixture(autouse=True)
def told_apart():
    """Each test begins as a process does: no corpus and no model has taken a name."""
    names.CORPORA._contents.clear()
    names.MODELS._contents.clear()


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty data folder, so that a test neither sees nor leaves anything in the real one."""
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.delenv("BEIR_DATA_DIR", raising=False)
    return tmp_path / "data"


@pytest.fixture
def beir_folder(tmp_path):
    """A corpus of three documents and two queries in BEIR layout, to be spoilt by the test."""
    documents = {
        "d1": ("Rivers", "Water flows to the sea."),
        "d2": ("", "Banks lend money."),
        "d3": ("Snow", "It is cold."),
    }
    queries, qrels = {"q1": "where does water go", "q2": "loan"}, {"q1": {"d1": 2, "d3": 0}, "q2": {"d2": 1}}
    return Path(write_beir(tmp_path / "tiny", documents, queries, qrels))


@pytest.fixture(scope="session")
def unit_vectors():
    """500 vectors of length 1 in 64 dimensions, with some structure: float32 (500, 64)."""
    random = np.random.default_rng(0)
    vectors = (random.standard_normal((500, 16)) @ random.standard_normal((16, 64))).astype(np.float32)
    vectors += 0.3 * random.standard_normal((500, 64)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
