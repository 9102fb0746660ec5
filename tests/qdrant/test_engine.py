"""One contract for all engines; on Edge, that each setting really applied; and that a build without proof stops.

The server's part runs where QDRANT_URL is set.
"""

from pathlib import Path

import numpy as np
import pytest
from standin import needs_server
from workbook.errors import WorkbookError
from workbook.qdrant import edge, engine, quantization, server
from workbook.qdrant.bm25 import Bm25
from workbook.qdrant.client import Placement
from workbook.qdrant.edge import EdgeIndex
from workbook.qdrant.engine import ALL, Search
from workbook.qdrant.quantization import SETTINGS, binary_scores

EXACT = Search(exact=True)


def assert_hits(hits, expected):
    np.testing.assert_array_equal(hits.ids, expected[0])
    np.testing.assert_allclose(hits.scores, expected[1], atol=1e-5)


@pytest.mark.parametrize("name", ["edge", "memory", pytest.param("server", marks=needs_server)])
class TestEveryEngine:
    @pytest.fixture
    def index(self, name, unit_vectors, monkeypatch):
        """Float32 in batches of at most 200, the last one smaller; each row's payload names the row."""
        monkeypatch.setattr(edge, "BATCH", 200)
        monkeypatch.setattr(server, "BATCH", 200)
        with engine.build(unit_vectors, engine=name, payloads=[{"row": row} for row in range(500)]) as index:
            yield index

    def test_exact_search_finds_what_numpy_finds(self, index, queries, top_ten):
        assert_hits(index.search(queries, 10, EXACT), top_ten)

    def test_more_queries_than_a_batch(self, index, unit_vectors):
        np.testing.assert_array_equal(index.search(unit_vectors, 1, EXACT).ids[:, 0], np.arange(500))

    def test_no_more_columns_than_vectors(self, index, queries):
        hits = index.search(queries, 1_000, EXACT)
        assert hits.scores.shape == (20, 500)
        np.testing.assert_array_equal(np.sort(hits.ids, axis=1), np.tile(np.arange(500), (20, 1)))

    def test_payloads_come_in_the_order_of_the_ids_one_asked_for_twice_too(self, index):
        ids = np.array([499, 3, 200, 3])
        assert index.payloads(ids) == [{"row": 499}, {"row": 3}, {"row": 200}, {"row": 3}]

    def test_without_payloads_they_are_empty(self, name, unit_vectors):
        with engine.build(unit_vectors, engine=name) as index:
            assert index.payloads([1, 0]) == [{}, {}]

    def test_is_closed_after_the_with_statement(self, name, unit_vectors, queries):
        with engine.build(unit_vectors, engine=name) as index:
            pass
        index.close()  # a second time is harmless
        with pytest.raises(Exception, match=r"closed|not initialized|not found|doesn't exist"):
            index.search(queries, 10, EXACT)


@pytest.mark.parametrize("setting", ["scalar-int8", "binary"])
def test_codes_beside_words_are_codes(unit_vectors, texts, queries, setting):
    with engine.build(unit_vectors, setting, words=Bm25(6).documents(texts)) as index:
        assert index.bytes_per_vector == SETTINGS[setting].bytes_per_vector(64)
        coded, exact = (index.search(queries, 10, search).scores for search in (Search(hnsw_ef=ALL), EXACT))
    assert np.abs(coded - exact).max() > 1e-4


def test_a_search_reads_codes_the_graph_and_the_index_of_words(unit_vectors, texts):
    with engine.build(unit_vectors, "binary", words=Bm25(6).documents(texts)) as index:
        parts = index.disk_bytes()
        assert index.searched_bytes() == 16 + (parts["graph"] + parts["words"]) / 500
        assert min(parts["graph"], parts["words"]) > 500
    with engine.build(unit_vectors) as index:
        assert index.searched_bytes() == 4 * 64 + index.disk_bytes()["graph"] / 500
    words = Bm25(6).documents(texts)
    with engine.build(unit_vectors, engine="memory", words=words) as index:
        assert index.searched_bytes() == quantization.searched_bytes(SETTINGS["float32"], 64, 500, engine.M, words)


@pytest.fixture(scope="module", params=[name for name in SETTINGS if name != "float32"])
def quantized(request, unit_vectors):
    with engine.build(unit_vectors, request.param) as index:
        yield index


class TestEverySettingOnEdge:
    def test_the_segments_say_that_they_have_it(self, quantized):
        assert quantized._backend.applied() == quantized.setting.config != {}

    def test_the_formula_for_its_size_is_true_of_the_file(self, quantized):
        [codes] = [file for file in quantized._backend._path.rglob("quantized.data") if file.stat().st_size]
        assert codes.stat().st_size == 500 * quantized.setting.bytes_per_vector(64)
        assert quantized.bytes_per_vector == quantized.setting.bytes_per_vector(64)

    def test_without_rescoring_the_codes_are_scored(self, quantized, queries, top_ten):
        scores = quantized.search(queries, 10, Search(hnsw_ef=ALL)).scores
        assert np.abs(scores - top_ten[1]).max() > 1e-4

    def test_exact_search_passes_the_codes_by(self, quantized, queries, top_ten):
        """The trap: `exact=True` shows no quantization loss at all; only `hnsw_ef=ALL` does."""
        assert_hits(quantized.search(queries, 10, EXACT), top_ten)

    def test_rescoring_all_candidates_is_exact(self, quantized, queries, top_ten):
        assert_hits(quantized.search(queries, 10, Search(hnsw_ef=ALL, rescore=True, oversampling=50)), top_ten)


def test_full_ef_removes_the_loss_of_the_graph(unit_vectors, queries, top_ten):
    with engine.build(unit_vectors) as index:
        assert index._backend.applied() == {}
        assert_hits(index.search(queries, 10, Search(hnsw_ef=ALL)), top_ten)
        hurried = index.search(unit_vectors, 10, Search(hnsw_ef=1)).ids
        assert (hurried != index.search(unit_vectors, 10, EXACT).ids).any(), "even a small corpus uses its graph"


def test_binary_ranks_as_its_oracle(unit_vectors, queries):
    vectors, queries = np.where(np.abs(unit_vectors) < 0.02, 0, unit_vectors), queries.copy()
    queries[:, :5] = 0
    with engine.build(vectors, "binary") as index:
        hits = index.search(queries, 10, Search(hnsw_ef=ALL))
    oracle = binary_scores(queries, vectors)
    np.testing.assert_array_equal(hits.scores, -np.sort(-oracle, axis=1)[:, :10])
    np.testing.assert_array_equal(hits.scores, np.take_along_axis(oracle, hits.ids, axis=1))


def test_missing_hits_are_minus_one(unit_vectors, monkeypatch):
    with engine.build(unit_vectors) as index:
        monkeypatch.setattr(EdgeIndex, "search", lambda *_: ([[7], [], [1, 2]], [[0.5], [], [0.9, 0.8]], 0.1))
        hits = index.search(unit_vectors[:3], 2, EXACT)
    np.testing.assert_array_equal(hits.ids, [[7, -1], [-1, -1], [1, 2]])
    np.testing.assert_allclose(hits.scores, [[0.5, -np.inf], [-np.inf, -np.inf], [0.9, 0.8]])


@pytest.mark.parametrize(
    ("name", "search", "words"),
    [
        ("edge", Search(oversampling=2), "oversampling without rescoring does nothing"),
        ("edge", Search(exact=True, rescore=True), "exact search compares the original vectors"),
        ("memory", Search(), "only searches exactly"),
        ("memory", Search(hnsw_ef=ALL), "only searches exactly"),
    ],
)
def test_a_search_that_would_be_ignored_is_refused(unit_vectors, name, search, words):
    with engine.build(unit_vectors, engine=name) as index, pytest.raises(WorkbookError, match=words):
        index.search(unit_vectors[:1], 10, search)


def test_a_plan_of_searches_that_would_be_ignored_is_refused_before_anything_is_built():
    with pytest.raises(WorkbookError, match="only searches exactly: full-ef needs engine edge or server"):
        engine.check("memory", ["float32"], ["exact", "full-ef"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"engine": "qdrant"}, "unknown engine 'qdrant': give one of edge, memory, server"),
        ({"setting": "int4"}, "unknown quantization 'int4'"),
        (
            {"setting": "binary", "engine": "memory"},
            "drops quantization without a word and would score binary as float",
        ),
        ({"setting": "product-x64", "vectors": np.ones((100, 20), dtype=np.float32)}, "does not divide 20 dimensions"),
        ({"placement": Placement(shard_number=2)}, "a placement is for the server engine; engine edge has no cluster"),
        ({"placement": Placement(shard_number=2), "engine": "memory"}, "engine memory has no cluster"),
        ({"idf_by_shard": True}, "only a server counts its IDF by shard; engine edge has one shard"),
        ({"engine": "memory", "place": Path("any")}, "a place .* is for the edge engine; engine memory has its own"),
        ({"vectors": np.full((10, 8), np.nan, dtype=np.float32)}, "some vectors are not finite numbers"),
        ({"vectors": np.empty((0, 8), dtype=np.float32)}, "there are no documents to store"),
        ({"vectors": np.empty((0, 8), dtype=np.float32), "engine": "memory"}, "there are no documents to store"),
        ({"vectors": np.zeros((10, 0), dtype=np.float32)}, "neither vectors nor words"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is_stored(unit_vectors, tmp_path, monkeypatch, asked, said):
    monkeypatch.setattr(edge, "RAM_DISK", tmp_path)
    with pytest.raises(WorkbookError, match=said):
        engine.build(**{"vectors": unit_vectors, **asked})
    assert not list(tmp_path.iterdir())


class TestTheProof:
    """A build whose setting did not apply stops, and its storage is gone."""

    @pytest.fixture(autouse=True)
    def ram_disk(self, tmp_path, monkeypatch):
        """A place of its own for the shards: other processes come and go on the real one."""
        monkeypatch.setattr(edge, "RAM_DISK", tmp_path)
        yield
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("method", "says", "words"),
        [
            ("optimize", None, "only 0 of 500 vectors are indexed"),  # a real shard, left unindexed
            ("indexed", 499, "only 499 of 500 vectors are indexed"),
            ("applied", {}, r"asked for quantization .*int8.*, the engine reports \{\}"),
            ("applied", SETTINGS["binary"].config, r"asked for quantization .*int8.*, the engine reports .*one_bit"),
        ],
        ids=["never indexed", "one not indexed", "nothing applied", "another applied"],
    )
    def test_an_engine_that_did_not_do_it(self, unit_vectors, monkeypatch, method, says, words):
        monkeypatch.setattr(EdgeIndex, method, lambda self: says)
        with pytest.raises(WorkbookError, match=words):
            engine.build(unit_vectors, "scalar-int8")

    def test_scores_that_are_not_those_of_binary_codes(self, unit_vectors, monkeypatch):
        search = EdgeIndex.search

        def of_float32(self, queries, limit, _):
            return search(self, queries, limit, EXACT)

        monkeypatch.setattr(EdgeIndex, "search", of_float32)
        with pytest.raises(WorkbookError, match="scores are not sign"):
            engine.build(unit_vectors, "binary")

    def test_a_graph_that_misses_the_nearest(self, unit_vectors, monkeypatch):
        search = EdgeIndex.search

        def without_best(self, queries, limit, how):
            ids, scores, seconds = search(self, queries, limit + 1, how)
            return [row[1:] for row in ids], [row[1:] for row in scores], seconds

        monkeypatch.setattr(EdgeIndex, "search", without_best)
        with pytest.raises(WorkbookError, match="does not reach every nearest vector"):
            engine.build(unit_vectors, "binary")

    def test_words_that_are_not_indexed(self, texts, monkeypatch):
        monkeypatch.setattr(EdgeIndex, "indexed", lambda self: 0)
        with pytest.raises(WorkbookError, match="only 0 of 500 vectors are indexed"):
            engine.build(None, words=Bm25(6).documents(texts))

    def test_scores_that_are_not_those_of_bm25(self, unit_vectors, texts, monkeypatch):
        search = EdgeIndex.search_words

        def without_idf(self, words, limit):
            ids, scores, seconds = search(self, words, limit)
            return ids, [[score / 2 for score in row] for row in scores], seconds

        monkeypatch.setattr(EdgeIndex, "search_words", without_idf)
        with pytest.raises(WorkbookError, match="BM25 did not apply"):
            engine.build(unit_vectors, words=Bm25(6).documents(texts))

    def test_the_user_interrupts(self, unit_vectors, monkeypatch):
        def interrupt(self):
            raise KeyboardInterrupt

        monkeypatch.setattr(EdgeIndex, "optimize", interrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.build(unit_vectors)


def test_the_time_of_indexing_is_part_of_that_of_building(unit_vectors):
    with engine.build(unit_vectors, "scalar-int8") as index:
        assert 0 < index.index_seconds <= index.build_seconds
        assert (index.bytes_per_vector, type(index.bytes_per_vector)) == (68, int)
