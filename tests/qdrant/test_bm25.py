"""BM25's vectors, and scores by the formula written out; and that every engine ranks by it, alone and fused.

The server's part runs where QDRANT_URL is set.
"""

import math

import numpy as np
import pytest
from standin import needs_server
from workbook.errors import WorkbookError
from workbook.qdrant import bm25, edge, engine, server
from workbook.qdrant.bm25 import Bm25, Sparse
from workbook.qdrant.engine import Search

EXACT = Search(exact=True)
TEXTS = ["The cats are running", "A dog and a cat", "dogs, dogs, dogs!", "Rivers run to the sea"]


def test_the_length_is_in_words_or_as_the_engine_counts_it():
    assert bm25.average_words(TEXTS) == (4 + 5 + 3 + 5) / 4
    assert bm25.average_tokens(TEXTS) == (2 + 2 + 3 + 3) / 4, "without the, are, a, and, to"
    assert bm25.average_words([""]) == bm25.average_tokens(["the of"]) == 1, "the engine refuses 0"


def test_the_length_in_tokens_is_what_the_formula_compares_with():
    average = bm25.average_tokens(["one cat", "two cats ran home fast"])
    [short] = Bm25(average).documents(["dog bird fish"])
    norm = 1 - bm25.B + bm25.B * 3 / average
    assert short.values == pytest.approx([(bm25.K + 1) / (1 + bm25.K * norm)] * 3, rel=1e-6)


def test_a_query_weighs_each_word_once_and_a_document_by_how_often():
    model = Bm25(3)
    [query] = model.queries(["dog dog dog"])
    once, thrice = model.documents(["dog cat cat", "dog dog dog"])
    assert query.values == [1]
    assert dict(zip(*thrice, strict=True))[query.indices[0]] > dict(zip(*once, strict=True))[query.indices[0]]


def test_stop_words_alone_are_no_words():
    assert Bm25(3).documents(["the of and"]) == [Sparse([], [])]


def test_the_oracle_is_the_formula():
    documents, queries = Bm25(3).documents([*TEXTS, "the"]), Bm25(3).queries(["cat", "dog sea", ""])
    found = bm25.scores(queries, documents)
    assert found.shape == (3, 5)
    weight = dict(zip(*documents[0], strict=True))[queries[0].indices[0]]
    assert found[0, 0] == pytest.approx(weight * math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))), (
        "two of four texts have a cat"
    )
    assert found[0, [2, 3, 4]].tolist() == [0, 0, 0]
    assert not found[2].any()


@pytest.mark.parametrize(("length", "language", "said"), [(0, "english", "avg_doc_len"), (5, "klingon", "klingon")])
def test_what_qdrant_refuses_is_said(length, language, said):
    with pytest.raises(WorkbookError, match=f"BM25 cannot be had like this: .*{said}"):
        Bm25(length, language)


def test_another_language_has_other_stop_words():
    [german] = Bm25(3, "german").documents(["der die das und the"])
    assert len(german.indices) == 1


@pytest.mark.parametrize("name", ["edge", "memory", pytest.param("server", marks=needs_server)])
class TestWordsOnEveryEngine:
    """BM25 alone, and fused with vectors: the same on each engine."""

    @pytest.fixture
    def model(self, texts):
        return Bm25(bm25.average_words(texts))

    @pytest.fixture
    def words(self, texts, model):
        """Of twenty texts that are asked for."""
        return model.queries(texts[:20])

    @pytest.fixture
    def index(self, name, unit_vectors, texts, model, monkeypatch):
        monkeypatch.setattr(edge, "BATCH", 200)
        monkeypatch.setattr(server, "BATCH", 200)
        with engine.build(unit_vectors, engine=name, words=model.documents(texts)) as index:
            yield index

    def test_words_alone_need_no_vectors(self, name, texts, model, words):
        documents = model.documents(texts)
        with engine.build(None, engine=name, words=documents) as index:
            hits = index.search_words(words, 500)
        for expected, ids, scores in zip(bm25.scores(words, documents), hits.ids, hits.scores, strict=True):
            kept = ids >= 0
            assert kept.sum() == (expected > 0).sum()
            np.testing.assert_allclose(scores[kept], expected[ids[kept]], rtol=1e-4)

    def test_words_are_ranked_by_the_formula_beside_vectors(self, index, texts, model, words, queries, top_ten):
        best = -np.sort(-bm25.scores(words, model.documents(texts)), axis=1)[:, :10]
        np.testing.assert_allclose(index.search_words(words, 10).scores, best, rtol=1e-4)
        np.testing.assert_array_equal(index.search(queries, 10, EXACT).ids, top_ten[0])

    def test_a_query_without_a_word_finds_nothing(self, index, model):
        assert (index.search_words(model.queries(["the of", "word1"]), 5).ids[0] == -1).all()

    def test_a_text_without_a_word_is_never_found(self, name, unit_vectors, texts, model, words):
        spoilt = ["the of", *texts[1:]]
        with engine.build(unit_vectors, engine=name, words=model.documents(spoilt)) as index:
            hits = index.search_words(words, 500)
        assert not (hits.ids == 0).any() and (hits.ids >= 0).any()

    def test_reciprocal_ranks_are_added_up(self, index, words, queries):
        fused = index.fuse(queries, words, 20, EXACT, "rrf", candidates=10)
        legs = index.search(queries, 10, EXACT).ids, index.search_words(words, 10).ids
        for row in range(20):
            expected = {}
            for leg in legs:
                for rank, number in enumerate(leg[row][leg[row] >= 0]):
                    expected[number] = expected.get(number, 0) + 1 / (edge.RRF_K + rank)
            best = sorted(expected.values(), reverse=True)
            np.testing.assert_allclose(fused.scores[row][: len(best)], best, rtol=1e-5)
            assert set(fused.ids[row]) - {-1} == set(expected)

    def test_scores_are_brought_to_a_common_scale(self, index, words, queries):
        fused = index.fuse(queries, words, 20, EXACT, "dbsf", candidates=10)
        kept = fused.ids >= 0
        assert fused.scores[kept].min() >= 0 and 1 < fused.scores[kept].max() <= 2, "found by both: above 1"
        assert all((np.diff(row[row > -np.inf]) <= 0).all() for row in fused.scores)

    def test_an_unknown_fusion_is_refused(self, index, words, queries):
        with pytest.raises(WorkbookError, match="unknown fusion 'sum': give one of rrf, dbsf"):
            index.fuse(queries, words, 10, EXACT, "sum")


def test_edge_and_memory_fuse_alike(unit_vectors, texts, queries):
    """By scores: by ranks, equals in BM25's ranking may be in another order."""
    model, found = Bm25(6), []
    for name in ("edge", "memory"):
        with engine.build(unit_vectors, engine=name, words=model.documents(texts)) as index:
            found.append(index.fuse(queries, model.queries(texts[:20]), 10, EXACT, "dbsf").scores)
    np.testing.assert_allclose(*found, atol=1e-3)
