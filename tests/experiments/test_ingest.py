"""The pipeline on the sample and a tiny model: what it stores, what it goes on from, and what stops it."""

import os
import signal

import numpy as np
import pytest
from workbook import isolated
from workbook.corpora import corpora, document_streams
from workbook.embedding import encoders, static_encoding, vectors
from workbook.errors import WorkbookError
from workbook.experiments import ingest
from workbook.experiments.ingest import Job
from workbook.qdrant import engine, quantization
from workbook.qdrant.client import Placement
from workbook.qdrant.edge import EdgeIndex
from workbook.qdrant.server import connect

needs_server = pytest.mark.skipif(not os.environ.get("QDRANT_URL"), reason="QDRANT_URL is not set: no Qdrant server")
JOB = Job("sample", 3_000, "tiny-static", 64)
SHARD = 512


@pytest.fixture(autouse=True)
def small_shards(data, monkeypatch):
    monkeypatch.setattr(document_streams, "SHARD", SHARD)


def ignore(count):
    pass


def test_everything_is_stored_in_order_and_timed(tmp_path, monkeypatch):
    kept = []
    prove = engine.prove
    monkeypatch.setattr(engine, "prove", lambda index, rows: kept.append(rows(np.arange(JOB.n))) or prove(index, rows))
    counts = []
    values = ingest.run(JOB, tmp_path / "run", counts.append)
    texts = [text for shard in document_streams.of(corpora.load("sample"), JOB.n, JOB.seed).shards() for text in shard]
    expected = vectors.truncate(encoders.load("tiny-static").encode(texts), 64)
    assert np.allclose(kept[0], expected, atol=1e-6)
    assert counts == [SHARD] * 5 + [JOB.n - 5 * SHARD]
    assert sum(values["seconds"].values()) == pytest.approx(values["total_seconds"], rel=0.02)
    assert set(values["seconds"]) == {"encode", "upsert", "index"}
    assert min(values["busy"].values()) > 0
    assert len(values["latency"]) == len(values["precision"]) == len(corpora.load("sample").queries)
    assert 0.5 < np.mean(values["precision"]) <= 1
    assert values["disk"]["shards"] >= JOB.n * 64 * 4 <= values["disk"]["vectors"]
    assert values["disk"]["codes"] >= JOB.n * 16
    assert values["memory"]["index"] >= values["memory"]["start"] // 2 > 0
    assert values["resumed"] == 0
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_both_tokenizations_give_the_same_index(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(engine, "prove", lambda index, rows: kept.append(rows(np.arange(JOB.n))))
    for way in ({"words_once": True}, {"words_once": False}, {"processes": 2}):
        ingest.run(JOB._replace(**way), tmp_path / "run", ignore)
    np.testing.assert_allclose(kept[0], kept[1], atol=1e-6)
    assert np.array_equal(kept[0], kept[2])


@pytest.mark.slow
def test_processes_that_encode_are_told_of_and_go_on_from_what_is_there(tmp_path):
    values = ingest.run(JOB._replace(processes=2), tmp_path / "run", ignore)
    assert sum(values["seconds"].values()) == pytest.approx(values["total_seconds"], rel=0.02)
    assert min(values["busy"].values()) > 0
    assert values["memory"]["encode"] > values["memory"]["start"] + 100e6, "that of the processes is counted in"
    with pytest.raises(ZeroDivisionError):
        ingest.run(JOB._replace(processes=2), tmp_path / "run", lambda count: 1 / 0)
    whole = len(list((tmp_path / "run" / "shards").glob("0*.npy")))
    assert whole >= 1
    assert ingest.run(JOB._replace(processes=2), tmp_path / "run", ignore)["resumed"] == whole * SHARD


def killed_after(shards, folder, report):
    document_streams.SHARD = SHARD
    left = iter(range(shards))
    ingest.run(JOB, folder, lambda count: next(left, None) is None and os.kill(os.getpid(), signal.SIGKILL))


@pytest.mark.slow
def test_a_killed_run_loses_no_more_than_a_shard(tmp_path, monkeypatch):
    with pytest.raises(WorkbookError, match="exit code -9"):
        isolated.run(killed_after, 3, tmp_path / "run")
    whole = len(list((tmp_path / "run" / "shards").glob("0*.npy")))
    assert whole >= 4, "four shards were stored when it was killed"
    encoded, encode = [], static_encoding.WordEncoder.encode

    def counted(self, texts):
        encoded.append(len(texts))
        return encode(self, texts)

    monkeypatch.setattr(static_encoding.WordEncoder, "encode", counted)
    values = ingest.run(JOB, tmp_path / "run", ignore)
    assert values["resumed"] == whole * SHARD
    assert sum(encoded) == JOB.n - whole * SHARD, "what was encoded is not encoded again"
    assert sum(values["seconds"].values()) == pytest.approx(values["total_seconds"], rel=0.02)


# the stand-in has no codes, and so none with an oracle
ON_SERVER = JOB._replace(n=2_000, setting="scalar-int8", engine_name="server", placement=Placement(3, 2, True, True))


def test_a_server_stores_what_is_encoded_here(tmp_path, server, monkeypatch):
    server.nodes = 3
    kept = []
    monkeypatch.setattr(
        engine,
        "prove",
        lambda index, rows: kept.append((index.n, index._backend.placed().shard_number, index._backend.indexed())),
    )
    values = ingest.run(ON_SERVER, tmp_path / "run", ignore)
    assert kept == [(2_000, 3, 2_000)]
    assert sum(values["seconds"].values()) == pytest.approx(values["total_seconds"], rel=0.02)
    assert min(values["busy"].values()) > 0 and np.mean(values["precision"]) == 1
    parts = {"vectors": 64 * 4, "codes": 68, "graph": quantization.graph_bytes(ON_SERVER.n, engine.M)}
    assert values["disk"].pop("shards") >= ON_SERVER.n * 64 * 4
    assert values["disk"] == {part: round(ON_SERVER.n * each) for part, each in parts.items()}
    assert server.collections == [] and not (tmp_path / "run").exists()


@needs_server
def test_a_real_server_stores_and_quantizes_what_is_encoded_here(tmp_path):
    values = ingest.run(JOB._replace(engine_name="server"), tmp_path / "run", ignore)
    assert sum(values["seconds"].values()) == pytest.approx(values["total_seconds"], rel=0.02)
    assert 0.5 < np.mean(values["precision"]) <= 1 and min(values["latency"]) > 0


def test_a_placement_that_cannot_be_had_is_refused_before_the_first_text(tmp_path, server):
    counts = []
    with pytest.raises(WorkbookError, match="asked for replication_factor 2, the server reports 1"):
        ingest.run(ON_SERVER, tmp_path / "run", counts.append)
    assert counts == [] and server.collections == []


def asked_before(standin):
    """Only the first connection of a process looks for gRPC: all runs of a test then ask the same."""
    connect().close()
    standin.requests.clear()


@pytest.mark.parametrize("share", [0.8, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.2, 0.5, 0.95))])
def test_a_server_that_goes_is_one_line_and_what_was_encoded_is_kept(tmp_path, server, share):
    """It goes after a share of the requests of a whole run: while it stores, is proven or is searched."""
    asked_before(server)
    job = ON_SERVER._replace(placement=Placement())
    whole = ingest.run(job, tmp_path / "run", ignore)
    server.requests_to_live = round(share * len(server.requests))
    with pytest.raises(WorkbookError, match="does not answer") as raised:
        ingest.run(job, tmp_path / "run", ignore)
    assert "\n" not in str(raised.value) and "what was encoded is kept, the next run goes on from there" in str(
        raised.value
    )
    encoded = len(list((tmp_path / "run" / "shards").glob("0*.npy")))
    [left] = server.collections
    server.revive()
    values = ingest.run(job, tmp_path / "run", ignore)
    assert values["resumed"] == min(encoded * SHARD, job.n) > 0
    assert values["precision"] == whole["precision"]
    assert ("DELETE", f"/collections/{left}") in server.requests and server.collections == []


@pytest.fixture
def cluster(server, monkeypatch):
    """Three nodes, of which the last goes when told to; asked few queries, as each is a place to go at."""
    monkeypatch.setattr(ingest, "QUERIES", 5)
    server.nodes = 3
    return server


@pytest.mark.slow
def test_a_node_lost_between_any_two_requests_changes_nothing_where_there_are_copies(tmp_path, cluster, monkeypatch):
    asked_before(cluster)
    kept = []
    prove = engine.prove
    monkeypatch.setattr(
        engine, "prove", lambda index, rows: kept.append(index._backend.indexed()) or prove(index, rows)
    )
    job = ON_SERVER._replace(n=1_000)
    whole = ingest.run(job, tmp_path / "run", ignore)
    for request in range(len(cluster.requests)):
        cluster.lost, cluster.lose_after = None, request
        values = ingest.run(job, tmp_path / "run", ignore)
        assert (values["precision"], values["disk"]) == (whole["precision"], whole["disk"])
        assert values["resumed"] == 0 and kept.pop() == job.n and cluster.lost == 3


@pytest.mark.slow
def test_a_node_lost_with_the_only_copy_is_one_line_and_when_it_is_back_the_run_goes_on(tmp_path, cluster):
    asked_before(cluster)
    job = ON_SERVER._replace(n=1_000, placement=Placement(3, 1))
    whole = ingest.run(job, tmp_path / "run", ignore)
    for request in range(0, len(cluster.requests) - 1, 2):  # what comes last is the end of the collection
        cluster.lost, cluster.lose_after = None, request
        with pytest.raises(WorkbookError, match="Failed to connect") as raised:
            ingest.run(job, tmp_path / "run", ignore)
        told, encoded = str(raised.value), any((tmp_path / "run" / "shards").glob("0*.npy"))
        assert "\n" not in told
        assert told.endswith("; what was encoded is kept, the next run goes on from there") == encoded
        cluster.lost = None
        values = ingest.run(job, tmp_path / "run", ignore)
        assert values["resumed"] >= SHARD * encoded and values["precision"] == whole["precision"]
        assert cluster.collections == []


def killed_on_a_server(folder, report):
    document_streams.SHARD = SHARD
    ingest.run(ON_SERVER._replace(placement=Placement()), folder, lambda _: os.kill(os.getpid(), signal.SIGKILL))


@pytest.mark.slow
def test_a_run_killed_beside_a_server_goes_on_from_its_shards(tmp_path, server):
    with pytest.raises(WorkbookError, match="exit code -9"):
        isolated.run(killed_on_a_server, tmp_path / "run")
    [left] = server.collections
    values = ingest.run(ON_SERVER._replace(placement=Placement()), tmp_path / "run", ignore)
    assert values["resumed"] >= SHARD
    assert ("DELETE", f"/collections/{left}") in server.requests and server.collections == []


def test_an_error_of_the_encoder_stops_the_run_and_keeps_the_shards(tmp_path, monkeypatch):
    encode = static_encoding.WordEncoder.encode

    def broken(self, texts):
        found = encode(self, texts)
        return found if len(texts) != JOB.n - 5 * SHARD else found * np.nan

    monkeypatch.setattr(static_encoding.WordEncoder, "encode", broken)
    with pytest.raises(WorkbookError, match="not finite"):
        ingest.run(JOB, tmp_path / "run", ignore)
    assert len(list((tmp_path / "run" / "shards").glob("0*.npy"))) == 5


def test_an_error_of_the_engine_stops_the_run(tmp_path, monkeypatch):
    def full(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EdgeIndex, "upsert", full)
    with pytest.raises(OSError, match="No space left"):
        ingest.run(JOB, tmp_path / "run", ignore)


def test_a_setting_that_did_not_apply_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(EdgeIndex, "applied", lambda self: {})
    with pytest.raises(WorkbookError, match="asked for quantization"):
        ingest.run(JOB, tmp_path / "run", ignore)
