"""Printed code: run as it stands, it creates the setting it is for, stores vectors and finds them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from standin import skip_if_too_old
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.qdrant import code_snippets, engine
from workbook.qdrant.quantization import SETTINGS

# the client asks for the version in a thread of its own, sometimes when the test is over
pytestmark = pytest.mark.filterwarnings("ignore:Failed to obtain server version")

IDS, PAYLOADS = list(range(500)), [{"row": row} for row in range(500)]
every_setting = pytest.mark.parametrize("setting", SETTINGS)


def search_of(setting):
    return "ef-64" if setting == "float32" else "rescore-x2.5-ef-64"


def with_ram(setting):
    """The setting in the words of REST, its codes in RAM."""
    return {family: {**options, "always_ram": True} for family, options in SETTINGS[setting].config.items()}


def run(code):
    names = {}
    exec(compile(code, "snippet", "exec"), names)
    return names


@every_setting
def test_the_client_code_asks_a_server_for_the_setting(setting, server, unit_vectors):
    names = run(code_snippets.client_code(setting, 32, search_of(setting), whole=64, m=8, ef_construct=50))
    names["store"](IDS, unit_vectors, PAYLOADS)
    assert names["search"](unit_vectors[7], limit=3)[0].payload == {"row": 7}
    found = names["client"].get_collection("my-collection").config
    names["client"].close()
    bodies = {(method, path): body for method, path, body, _ in server.asked}
    created = bodies["PUT", "/collections/my-collection"]
    searched = bodies["POST", "/collections/my-collection/points/query"]
    assert created["hnsw_config"] == {"m": 8, "ef_construct": 50}
    assert (searched["limit"], len(searched["query"]["nearest"])) == (3, 32)
    assert (found.params.vectors.size, found.params.vectors.distance) == (32, "Cosine")
    assert searched["params"]["hnsw_ef"] == 64
    if setting == "float32":
        assert not created["vectors"].get("on_disk") and found.quantization_config is None
        assert not searched["params"].get("quantization")
    else:
        assert created["vectors"]["on_disk"]
        assert found.quantization_config.model_dump(mode="json", exclude_none=True) == with_ram(setting)
        assert searched["params"]["quantization"] == {"rescore": True, "oversampling": 2.5}


def test_the_key_comes_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    code = code_snippets.client_code("binary", 32, "default-ef")
    with pytest.warns(UserWarning, match="insecure connection"):
        run(code)["client"].close()
    assert "secret" not in code
    assert {key for method, *_, key in server.asked if method == "PUT"} == {"secret"}


def test_default_ef_tells_the_server_not_to_rescore(server, unit_vectors):
    names = run(code_snippets.client_code("binary", 64, "default-ef"))
    names["search"](unit_vectors[0])
    names["client"].close()
    assert server.asked[-1][2]["params"] == {"quantization": {"rescore": False}}


def test_float32_code_runs_in_memory_too(unit_vectors):
    """There it is float32 alone: QdrantClient(":memory:") would drop a quantization without a word."""
    code = re.sub(
        r"QdrantClient\(url.*\)", 'QdrantClient(":memory:")', code_snippets.client_code("float32", 64, "default-ef")
    )
    names = run(code)
    names["store"](IDS, unit_vectors, PAYLOADS)
    assert [hit.payload["row"] for hit in names["search"](unit_vectors[7], limit=1)] == [7]


def test_the_query_code_searches_a_collection_and_changes_nothing(server, data):
    """Here one table gives the documents' vectors and the queries'."""
    encoder, texts = encoders.load("tiny-static"), ["river bank", "savings account", "a mountain lake"]
    names = run(code_snippets.client_code("float32", 64, "ef-64"))
    names["store"]([0, 1, 2], encoder.encode(texts), [{"text": text} for text in texts])
    names["client"].close()
    before = len(server.asked)
    asking = run(code_snippets.query_code(str(encoders.folder_of(encoder)), "all-MiniLM-L6-v2"))
    assert [asking["search"](text, limit=1)[0].payload["text"] for text in texts] == texts
    asking["client"].close()
    assert {path for method, path, *_ in server.asked[before:] if method != "GET"} == {
        "/collections/my-collection/points/query"
    }


HYBRID = ["the bank of a river", "a savings account", "", "a mountain lake in winter"]


def hybrid(setting, fusion, collection="my-collection"):
    """Run the code that stores and searches vectors and words."""
    encoder = encoders.load("tiny-static")
    folder = str(encoders.folder_of(encoder))
    search = "exact" if setting == "float32" else "rescore-x3"
    code = code_snippets.hybrid_code(setting, 32, search, fusion, folder, encoder.dimensions, collection)
    names = run(code)
    names["store"](list(range(len(HYBRID))), HYBRID)
    return names


@pytest.mark.parametrize(("setting", "fusion", "told"), [
    ("float32", "rrf", {"rrf": {"k": 2}}), ("binary", "dbsf", {"fusion": "dbsf"}),
])  # fmt: skip
def test_the_hybrid_code_stores_and_fuses_vectors_and_words(setting, fusion, told, server, data):
    names = hybrid(setting, fusion)
    assert [names["search"](text, limit=1)[0].payload["text"] for text in HYBRID if text] == [t for t in HYBRID if t]
    names["client"].close()
    body = server.asked[-1][2]
    by_vector, by_words = body["prefetch"]
    assert body["query"] == told and (by_words["using"], by_words["limit"]) == ("words", 100)
    rescored = {"quantization": {"rescore": True, "oversampling": 3.0}}
    assert by_vector.get("params") == (None if setting == "float32" else rescored)


@pytest.mark.skipif(not os.environ.get("QDRANT_URL"), reason="QDRANT_URL is not set: no server")
@pytest.mark.parametrize("fusion", engine.FUSIONS)
@pytest.mark.parametrize("setting", ["float32", "binary"])
def test_the_hybrid_code_runs_on_a_server(setting, fusion, data):
    collection = f"workbook-snippet-hybrid-{setting}-{fusion}"
    with_client = QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
    with_client.delete_collection(collection)
    try:
        names = hybrid(setting, fusion, collection)
        found = [names["search"](text, limit=1)[0].payload["text"] for text in HYBRID if text]
        assert found == [text for text in HYBRID if text] and names["search"]("zzz qqq")
        names["client"].close()
    finally:
        with_client.delete_collection(collection)


@pytest.mark.skipif(not os.environ.get("QDRANT_URL"), reason="QDRANT_URL is not set: no server")
@every_setting
def test_the_client_code_creates_the_setting_on_a_server(setting, unit_vectors, data):
    skip_if_too_old(setting)
    collection = f"workbook-snippet-{setting}"
    with_client = QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
    with_client.delete_collection(collection)
    try:
        names = run(code_snippets.client_code(setting, 32, search_of(setting), whole=64, m=8, collection=collection))
        names["store"](IDS, unit_vectors, PAYLOADS)
        found = names["client"].get_collection(collection)
        assert names["search"](unit_vectors[7], limit=1)[0].id == 7
    finally:
        with_client.delete_collection(collection)
    config = found.config.quantization_config
    assert (config.model_dump(mode="json", exclude_none=True) if config else {}) == with_ram(setting)
    assert (found.config.hnsw_config.m, found.config.params.vectors.size) == (8, 32)


@every_setting
def test_the_edge_code_creates_the_setting(setting, unit_vectors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run(code_snippets.edge_code(setting, 32, search_of(setting), whole=64, m=8, ef_construct=50))
    names["store"](IDS, unit_vectors, PAYLOADS)
    names["shard"].optimize()
    names["shard"].flush()
    assert names["shard"].info().indexed_vectors_count == 500
    (hit,) = names["search"](unit_vectors[7], limit=1)
    assert hit.payload == {"row": 7}
    assert hit.score == pytest.approx(1, abs=1e-5), "the cosine of the 32 dimensions kept"
    names["shard"].close()
    applied = [json.loads(file.read_text()) for file in Path("my-shard").rglob("quantized.config.json")]
    assert {json.dumps(one["quantization_config"], sort_keys=True) for one in applied} == (
        {json.dumps(with_ram(setting), sort_keys=True)} if setting != "float32" else set()
    )
    config = json.loads(Path("my-shard", "edge_config.json").read_text(encoding="utf-8"))
    assert config["vectors"][""].get("on_disk", False) == (setting != "float32")
    assert config["vectors"][""]["size"] == 32
    assert (config["hnsw_config"]["m"], config["hnsw_config"]["ef_construct"]) == (8, 50)


@pytest.mark.parametrize("write", [code_snippets.client_code, code_snippets.edge_code])
@pytest.mark.parametrize("whole", [64, 128])
def test_the_code_is_as_ruff_would_format_it(write, whole, tmp_path):
    for setting in SETTINGS:
        code = write(setting, 64, search_of(setting), whole)
        (tmp_path / f"{write.__name__}_{setting.replace('.', '_')}.py").write_text(code, encoding="utf-8")
        assert ("[:64]" in code, "[:, :64]" in code) == (whole == 128,) * 2
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--isolated", "--config", "line-length=120", "."]
        told = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True)
        assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("write", [code_snippets.client_code, code_snippets.edge_code])
@pytest.mark.parametrize(
    ("setting", "dimension", "search", "message"),
    [
        ("binary-9bit", 64, "default-ef", "unknown quantization"),
        ("product-x64", 24, "default-ef", "does not divide"),
        ("binary", 64, "nearly", "unknown search"),
        ("float32", 64, "exact", "nobody runs it"),
        ("binary", 64, "full-ef", "nobody runs it"),
        ("float32", 64, "rescore", "nothing to rescore"),
    ],
)
def test_what_nobody_would_run_is_not_printed(write, setting, dimension, search, message):
    with pytest.raises(WorkbookError, match=message):
        write(setting, dimension, search)
