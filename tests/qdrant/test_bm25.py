"""BM25's vectors: lengths, weights and the oracle, against the formula written out and against the engine."""

import math

import numpy as np
import pytest
from workbook.errors import WorkbookError
from workbook.qdrant import bm25, engine
from workbook.qdrant.bm25 import Bm25, Sparse

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


def test_the_engine_scores_as_the_oracle_does():
    model, random = Bm25(6), np.random.default_rng(0)
    names = [f"word{number}" for number in range(40)]
    texts = [" ".join(random.choice(names, random.integers(1, 12))) for _ in range(300)]
    documents, queries = model.documents(texts), model.queries(texts[:20])
    with engine.build(None, words=documents) as index:
        hits = index.search_words(queries, 300)
    expected = bm25.scores(queries, documents)
    for row, ids, scores in zip(expected, hits.ids, hits.scores, strict=True):
        kept = ids >= 0
        assert kept.sum() == (row > 0).sum()
        np.testing.assert_allclose(scores[kept], row[ids[kept]], rtol=1e-4)


@pytest.mark.parametrize(("length", "language", "said"), [(0, "english", "avg_doc_len"), (5, "klingon", "klingon")])
def test_what_qdrant_refuses_is_said(length, language, said):
    with pytest.raises(WorkbookError, match=f"BM25 cannot be had like this: .*{said}"):
        Bm25(length, language)


def test_another_language_has_other_stop_words():
    [german] = Bm25(3, "german").documents(["der die das und the"])
    assert len(german.indices) == 1
