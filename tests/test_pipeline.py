"""The pipeline on the sample and a tiny model: what it stores, what it goes on from, and what stops it."""

import os
import signal

import numpy as np
import pytest
from workbook import corpora, encoders, engine, isolated, pipeline, streams, vectors
from workbook.edge import EdgeIndex
from workbook.errors import WorkbookError
from workbook.pipeline import Job

JOB = Job("sample", 3_000, "tiny-static", 64)
SHARD = 512


@pytest.fixture(autouse=True)
def small_shards(data, monkeypatch):
    monkeypatch.setattr(streams, "SHARD", SHARD)


def ignore(count):
    pass


def test_everything_is_stored_in_order_and_timed(tmp_path, monkeypatch):
    kept = []
    prove = engine.prove
    monkeypatch.setattr(engine, "prove", lambda index, rows: kept.append(rows(np.arange(JOB.n))) or prove(index, rows))
    counts = []
    values = pipeline.run(JOB, tmp_path / "run", counts.append)
    texts = [text for shard in streams.of(corpora.load("sample"), JOB.n, JOB.seed).shards() for text in shard]
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


def test_both_tokenizations_give_the_same_index(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(engine, "prove", lambda index, rows: kept.append(rows(np.arange(JOB.n))))
    for words_once in (True, False):
        pipeline.run(JOB._replace(words_once=words_once), tmp_path / "run", ignore)
    assert np.array_equal(*kept)


def killed_after(shards, folder, report):
    streams.SHARD = SHARD
    left = iter(range(shards))
    pipeline.run(JOB, folder, lambda count: next(left, None) is None and os.kill(os.getpid(), signal.SIGKILL))


def test_a_killed_run_loses_no_more_than_a_shard(tmp_path, monkeypatch):
    with pytest.raises(WorkbookError, match="exit code -9"):
        isolated.run(killed_after, 3, tmp_path / "run")
    whole = len(list((tmp_path / "run" / "shards").glob("0*.npy")))
    assert whole >= 4, "four shards were stored when it was killed"
    encoded, encode = [], encoders.Encoder.encode

    def counted(self, texts, *arguments, **options):
        encoded.append(len(texts))
        return encode(self, texts, *arguments, **options)

    monkeypatch.setattr(encoders.Encoder, "encode", counted)
    values = pipeline.run(JOB, tmp_path / "run", ignore)
    assert values["resumed"] == whole * SHARD
    queries_and_warm_up = len(corpora.load("sample").queries) + len(corpora.load("sample").documents)
    assert sum(encoded) == JOB.n - whole * SHARD + queries_and_warm_up, "what was encoded is not encoded again"
    assert sum(values["seconds"].values()) == pytest.approx(values["total_seconds"], rel=0.02)


def test_an_error_of_the_encoder_stops_the_run_and_keeps_the_shards(tmp_path, monkeypatch):
    encode = encoders.Encoder.encode

    def broken(self, texts, *arguments, **options):
        found = encode(self, texts, *arguments, **options)
        return found if len(texts) != JOB.n - 5 * SHARD else found * np.nan

    monkeypatch.setattr(encoders.Encoder, "encode", broken)
    with pytest.raises(WorkbookError, match="not finite"):
        pipeline.run(JOB, tmp_path / "run", ignore)
    assert len(list((tmp_path / "run" / "shards").glob("0*.npy"))) == 5


def test_an_error_of_the_engine_stops_the_run(tmp_path, monkeypatch):
    def full(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EdgeIndex, "upsert", full)
    with pytest.raises(OSError, match="No space left"):
        pipeline.run(JOB, tmp_path / "run", ignore)


def test_a_setting_that_did_not_apply_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(EdgeIndex, "applied", lambda self: {})
    with pytest.raises(WorkbookError, match="asked for quantization"):
        pipeline.run(JOB, tmp_path / "run", ignore)
