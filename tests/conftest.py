"""What several test files share: a data folder of their own and small corpora with real shapes."""

import json
import os

os.environ.setdefault("TQDM_DISABLE", "1")  # a test log is read by people

import hypothesis
import numpy as np
import pytest
from workbook import names, paths

# The same examples each time, here and in CI. Machines are shared: no deadline
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, max_examples=100, database=None)
hypothesis.settings.load_profile("same")

pytest_plugins = ["standin", "browser", "smoke", "elsewhere"]  # fixtures: `server`; `lab`, `page`; `smoke`; `elsewhere`


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
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    documents = [
        ("d1", "Rivers", "Water flows to the sea."),
        ("d2", "", "Banks lend money."),
        ("d3", "Snow", "It is cold."),
    ]
    rows = [json.dumps({"_id": key, "title": title, "text": text}) for key, title, text in documents]
    (folder / "corpus.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    queries = [json.dumps({"_id": key, "text": text}) for key, text in [("q1", "where does water go"), ("q2", "loan")]]
    (folder / "queries.jsonl").write_text("\n".join(queries) + "\n", encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t0\nq2\td2\t1\n")
    return folder


@pytest.fixture(scope="session")
def unit_vectors():
    """500 vectors of length 1 in 64 dimensions, with some structure: float32 (500, 64)."""
    random = np.random.default_rng(0)
    vectors = (random.standard_normal((500, 16)) @ random.standard_normal((16, 64))).astype(np.float32)
    vectors += 0.3 * random.standard_normal((500, 64)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
