"""Each signal by hand, and what makes a first search hard to read: few results, equal scores, no known word."""

import numpy as np
import pytest
from workbook.on_demand import signals
from workbook.on_demand.signals import FirstSearch
from workbook.qdrant.bm25 import Bm25, Idf
from workbook.qdrant.engine import Hits

BM25 = Bm25(3)
DOCUMENTS = ["water flows to the sea", "banks lend money", "water in winter", ""]


def hits(ids, scores):
    return Hits(np.array(ids), np.array(scores, dtype=np.float32), 0.0)


def first_search(ids, scores, by_words=None, fused=None, texts=("water",)):
    one = hits(ids, scores)
    idf = Idf()
    idf.count(BM25.documents(DOCUMENTS))
    return FirstSearch(one, by_words or one, fused or one, BM25.queries(texts), idf)


def test_signals_by_hand():
    ids = [list(range(12))]
    scores = [[0.9, *np.linspace(0.5, 0.1, 9), 0.0, 0.0]]
    words = hits([[3, 2, 1, 0, 50, 51, 52, 53, 54, 55]], [np.linspace(9, 1, 10)])
    fused = hits(ids, [np.linspace(1.2, 0.1, 12)])
    [row] = signals.of(first_search(ids, scores, words, fused, ["water money"])).to_dict("records")
    assert row["top score"] == pytest.approx(0.9) and row["spread of the top ten"] == pytest.approx(0.8)
    assert row["variance of the top ten"] == pytest.approx(np.var(scores[0][:10]))
    assert row["BM25's top score a word"] == pytest.approx(9 / 2)
    assert row["top fused score"] == pytest.approx(1.2) and row["spread of the fused top ten"] == pytest.approx(0.9)
    assert row["agreement with BM25"] == 4
    assert row["number of words"] == 2 and row["share of known words"] == 1
    assert row["rarest word"] == pytest.approx(np.log(1 + (3 - 1 + 0.5) / 1.5)), "money is in one of three with words"


def test_words_that_no_document_has():
    found = first_search([[0, 1]] * 3, [[0.5, 0.4]] * 3, texts=["zebra", "water zebra", "the"])
    table = signals.of(found)
    assert table["share of known words"][0] == table["rarest word"][0] == 0
    assert 0 < table["share of known words"][1] < 0.5, "a word that nobody has is rarer than one that two have"
    assert (
        table["number of words"].tolist() == [1, 2, 0]
        and table.loc[2, ["share of known words", "rarest word"]].eq(0).all()
    )


def test_fewer_than_ten_results_and_equal_scores():
    few = first_search([[4, 2, -1]], [[0.5, 0.3, -np.inf]])
    assert signals.spread(few) == pytest.approx(0.2) and signals.agreement(few) == 2
    assert signals.variance(few) == pytest.approx(0.01)
    one = first_search([[4, -1, -1]], [[0.5, -np.inf, -np.inf]])
    alike = first_search([[1, 2, 3]], [[0.5, 0.5, 0.5]])
    for found in (one, alike):
        assert signals.spread(found) == signals.variance(found) == 0 and np.isfinite(signals.of(found)).all(axis=None)


def test_words_that_find_nothing_leave_what_the_vectors_say():
    found = first_search([[1, 2]], [[0.5, 0.3]], by_words=hits([[-1, -1]], [[-np.inf, -np.inf]]))
    assert signals.agreement(found) == signals.bm25_score(found) == 0 and np.isfinite(signals.of(found)).all(axis=None)


def test_a_query_that_the_vectors_know_nothing_of_is_the_weakest_by_every_signal():
    found = first_search(
        [[1, 2], [-1, -1]], [[0.5, 0.3], [-np.inf, -np.inf]], texts=["water", "money"],
        by_words=hits([[1, 2], [1, 2]], [[2, 1], [2, 1]]),
    )  # fmt: skip
    table = signals.of(found)
    assert np.isneginf(table.loc[1]).all() and np.isfinite(table.loc[0]).all()


def test_one_query_that_nothing_is_found_for():
    table = signals.of(first_search([[]], np.zeros((1, 0)), texts=["zebra"]))
    assert np.isneginf(table).all(axis=None)
