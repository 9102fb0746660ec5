"""What belongs to qdrant-client alone: the trap in its in-memory mode, and servers that are not there."""

import os
import socket

import pytest
from qdrant_client import QdrantClient, models
from workbook import client, engine
from workbook.client import ClientIndex
from workbook.errors import WorkbookError
from workbook.quantization import SETTINGS, client_config


def test_memory_still_drops_quantization():
    """When this fails, qdrant-client has learnt it: `engine.check` need not refuse it any more."""
    memory = QdrantClient(":memory:")
    memory.create_collection(
        "any",
        vectors_config=models.VectorParams(size=8, distance=models.Distance.COSINE),
        quantization_config=client_config(SETTINGS["binary"]),
    )
    assert memory.get_collection("any").config.quantization_config is None


def test_the_server_engine_asks_for_its_address(unit_vectors, monkeypatch):
    monkeypatch.delenv("QDRANT_URL", raising=False)
    with pytest.raises(WorkbookError, match="needs QDRANT_URL"):
        engine.build(unit_vectors, "binary", engine="server")


def test_a_server_that_is_not_there(unit_vectors, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("QDRANT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("QDRANT_API_KEY", raising=False)
    with pytest.raises(WorkbookError, match=r"no Qdrant answers at QDRANT_URL .* is it running"):
        engine.build(unit_vectors, engine="server")


@pytest.fixture
def forgetful(monkeypatch):
    """A server that takes every setting and keeps none: qdrant-client's in-memory mode in its place."""
    memory = QdrantClient(":memory:")
    monkeypatch.setattr(client, "_connect", lambda: memory)
    monkeypatch.setattr(memory, "close", lambda: None)  # to see what is left in it
    yield memory
    assert memory.get_collections().collections == []


def test_a_server_that_does_not_index_is_found_out(unit_vectors, forgetful):
    with pytest.raises(WorkbookError, match="only 0 of 500 vectors are indexed"):
        engine.build(unit_vectors, "binary", engine="server")


def test_a_server_that_drops_quantization_is_found_out(unit_vectors, forgetful, monkeypatch):
    monkeypatch.setattr(ClientIndex, "indexed", lambda self: 500)
    with pytest.raises(WorkbookError, match=r"asked for quantization .*one_bit.*, the engine reports \{\}"):
        engine.build(unit_vectors, "binary", engine="server")


def test_patience_with_a_server_ends(unit_vectors, forgetful, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", -1)
    with pytest.raises(WorkbookError, match="did not finish indexing"):
        engine.build(unit_vectors, engine="server")


@pytest.mark.skipif(not os.environ.get("QDRANT_URL"), reason="QDRANT_URL is not set: no Qdrant server")
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_server_builds_it_and_keeps_no_collection(unit_vectors, setting):
    with engine.build(unit_vectors, setting, engine="server") as index:
        name = index._backend._collection
        assert index._backend.applied() == SETTINGS[setting].config
    server = QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
    assert name not in [collection.name for collection in server.get_collections().collections]


@pytest.mark.parametrize("url", ["not a url", "http://localhost:port"])
def test_an_address_that_is_none(unit_vectors, monkeypatch, url):
    monkeypatch.setenv("QDRANT_URL", url)
    monkeypatch.delenv("QDRANT_API_KEY", raising=False)
    with pytest.raises(WorkbookError, match="no Qdrant answers at QDRANT_URL"):
        engine.build(unit_vectors, engine="server")
