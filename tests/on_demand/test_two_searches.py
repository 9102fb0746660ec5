"""Searching twice: scores are those of the methods alone, one index serves both, known items are of held-out text."""

from dataclasses import replace

import numpy as np
import pytest
from workbook.corpora import corpora, pairs
from workbook.corpora.corpora import Document
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import retrieval_methods
from workbook.on_demand import signals, two_searches
from workbook.on_demand.signals import FirstSearch
from workbook.qdrant import engine
from workbook.qdrant.bm25 import Idf
from workbook.qdrant.engine import Hits


def not_again(*_):
    raise AssertionError("this was measured before")


def test_scores_are_those_of_the_two_methods(sample, methods, measured):
    alone = retrieval_methods.measure(sample, [methods["table"], methods["transformer"]], repeats=1)
    for found, other in zip((measured.queries.first, measured.queries.second), alone, strict=True):
        assert found.tolist() == pytest.approx(other.scores.tolist())
        assert list(found.index) == list(sample.queries)
    assert measured.methods == ("table + BM25 (dbsf)", "transformer + BM25 (dbsf)")


def test_signals_and_times_are_of_the_queries(sample, measured):
    table = measured.queries.signals
    assert list(table) == list(signals.SIGNALS) and list(table.index) == list(sample.queries)
    assert table["agreement with BM25"].between(0, 10).all() and (table["top score"] <= 1).all()
    assert {name: each.shape for name, each in measured.seconds.items()} == dict.fromkeys(
        ("first", "signals", "second"), (2, len(sample.queries))
    )
    assert all((each > 0).all() for each in measured.seconds.values())


def test_known_items_are_of_held_out_documents_of_all_where_none_is_there(sample, methods, measured):
    held_out = pairs.hold_out(corpora.unlabelled("sample"), 0)
    assert {query.removeprefix("q:") for query in measured.items.first.index} <= held_out
    foreign = two_searches.measure(sample, methods["static"], methods["transformer"], ["foreign"], repeats=1)
    assert len(foreign.items.first) > len(held_out), "documents of another corpus were trained on"


def test_it_is_measured_once_and_read_back_by_its_key(sample, methods, measured, monkeypatch):
    monkeypatch.setattr(two_searches, "_measure", not_again)
    held_out = pairs.hold_out(corpora.unlabelled("sample"), 0)
    again = two_searches.measure(sample, methods["table"], methods["transformer"], held_out, repeats=2)
    read = two_searches.read(sample.name, results.read("attention", measured.key))
    for found in (again, read):
        assert found.queries.signals.equals(measured.queries.signals) and found.items.second.equals(
            measured.items.second
        )


def test_one_index_serves_a_table_of_queries_and_its_transformer(sample, methods, monkeypatch):
    built, real = [], engine.build

    def build(*given, **more):
        built.append(given)
        return real(*given, **more)

    monkeypatch.setattr(engine, "build", build)
    for first, count in (("table", 1), ("static", 2)):
        built.clear()
        two_searches._measure(sample, replace(sample, queries={}), (methods[first], methods["transformer"]), "edge", 1)
        assert len(built) == count


def test_documents_too_short_for_known_items_give_none(methods, tmp_path):
    documents = {f"d{number}": Document("", word) for number, word in enumerate(["loan", "river", "snow", "bank"])}
    short = corpora.Corpus("short", documents, {"q": "loan"}, {"q": {"d0": 1}})
    found = two_searches.measure(short, methods["static"], methods["transformer"], repeats=1)
    assert found.items is None and len(found.queries.first) == 1, "one query, four results"
    assert found.queries.signals["agreement with BM25"].tolist() == [1]


def test_a_query_without_a_known_word_comes_back_as_the_weakest(sample, methods):
    odd = replace(sample, queries={"q": "ᛝᛝᛝᛝ", "p": "bank"}, qrels={"q": {}, "p": {}})
    found = two_searches.measure(odd, methods["static"], methods["transformer"], repeats=1)
    assert np.isneginf(found.queries.signals.loc["q"]).all() and np.isfinite(found.queries.signals.loc["p"]).all()


def test_a_document_that_is_the_query_itself_is_no_signal(sample):
    own = replace(sample, queries={"a": "x", "b": "y"}, drop_identical=True)
    ids = own.document_ids
    own = replace(own, queries={ids[3]: "x", "b": "y"})
    hits = Hits(np.array([[3, 1, 2], [3, 1, 2]]), np.array([[9, 5, 4], [9, 5, 4]], dtype=np.float32), 0.0)
    found = two_searches._without_itself(own, FirstSearch(hits, hits, hits, [], Idf()))
    for each in (found.by_vectors, found.by_words, found.fused):
        assert each.ids.tolist() == [[1, 2, -1], [3, 1, 2]] and each.scores[:, 0].tolist() == [5, 9]
    same = FirstSearch(hits, hits, hits, [], Idf())
    assert two_searches._without_itself(sample, same) is same


def test_both_need_a_model_and_bm25_by_one_fusion(sample, methods):
    alone = retrieval_methods.bm25_alone(sample)[0]
    for first in (alone, methods["rrf"], methods["table"].parts[0]):
        with pytest.raises(WorkbookError, match="both searches need a model and BM25, by one fusion"):
            two_searches.measure(sample, first, methods["transformer"])
