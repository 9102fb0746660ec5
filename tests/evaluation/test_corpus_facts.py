"""What is told of a corpus before anybody judges: counted by hand on a small one, and by properties on the sample."""

import math
from dataclasses import replace

import numpy as np
import pytest
from workbook.corpora import corpora
from workbook.corpora.corpora import Corpus, Document
from workbook.evaluation import corpus_facts
from workbook.evaluation.metrics import METRICS

DOCUMENTS = {
    "d1": Document("River", "the River flows"), "d2": Document("", "the bank"), "d3": Document("", "the money"),
}  # fmt: skip
QUERIES = {"q1": "the river bank", "q2": "The xyzzy", "q3": "?!"}
SMALL = Corpus("small", DOCUMENTS, QUERIES, {"q1": {"d2": 1, "d3": 1}, "q2": {"d1": 0}, "q3": {"d1": 1}})
IN_CORPUS, BEST, RELEVANT = (f"query words in the {where}" for where in ("corpus", "best matching document",
                                                                         "relevant document"))  # fmt: skip


def idf(having, n=3):
    return math.log(1 + (n - having + 0.5) / (having + 0.5))


def told(corpus):
    return corpus_facts.of(corpus).set_index("metric")


def shares(corpus, monkeypatch):
    """Each share of each query, before they become means."""
    found, mean = {}, corpus_facts.statistics.mean
    with monkeypatch.context() as patch:
        patch.setattr(corpus_facts.statistics, "mean", lambda each: found.update({len(found): each}) or mean(each))
        metrics = told(corpus).index[3:]
    return dict(zip(metrics, found.values(), strict=True))


def test_words_are_counted():
    found = told(SMALL)
    assert found["value"][["words per document", "words per query", "distinct words"]].tolist() == [2, 2, 5]
    assert found["n"][["words per document", "words per query", "distinct words"]].tolist() == [3, 3, 3]
    assert set(found["corpus"]) == {"small"} and set(found.index) <= set(METRICS)


def test_characters_of_scripts_without_spaces_are_words():
    assert corpus_facts.words("Straße 東京") == ["strasse", "東", "京"]


def test_shares_of_a_querys_words_are_weighed_by_how_rare_they_are(monkeypatch):
    found = shares(SMALL, monkeypatch)
    whole, rare = idf(3) + 2 * idf(1), idf(3) + idf(0)
    assert found[IN_CORPUS].to_dict() == pytest.approx({"q1": 1, "q2": idf(3) / rare})
    assert found[BEST].to_dict() == pytest.approx({"q1": (idf(3) + idf(1)) / whole, "q2": idf(3) / rare})
    assert found[RELEVANT].to_dict() == pytest.approx({"q1": (idf(3) + idf(1)) / whole}), "the better of two"


def test_a_share_that_no_query_has_is_no_row():
    unjudged = told(replace(SMALL, qrels={query: {"gone": 1} for query in QUERIES}))
    assert RELEVANT not in unjudged.index and BEST in unjudged.index


def test_a_query_that_is_a_document_does_not_find_itself(monkeypatch):
    alike = replace(SMALL, queries={"d1": "River the River flows"}, qrels={"d1": {"d2": 1}})
    assert shares(alike, monkeypatch)[BEST].tolist() == [1]
    alone = shares(replace(alike, drop_identical=True), monkeypatch)
    assert alone[BEST].tolist() == alone[RELEVANT].tolist() == pytest.approx([idf(3) / (idf(3) + 2 * idf(1))])


def test_many_queries_are_looked_up_as_few_are(monkeypatch):
    sample = corpora.load("sample")
    whole = corpus_facts.of(sample)
    monkeypatch.setattr(corpus_facts.evaluation, "CELLS", 3 * len(sample.documents))
    assert corpus_facts.of(sample).equals(whole)
    values = whole.set_index("metric")["value"]
    assert 0 < values[RELEVANT] <= values[BEST] <= values[IN_CORPUS] <= 1


def test_agreement_is_the_share_of_the_first_results_in_common():
    one = [["a", "b", "c"], ["a", "b"], [], [], ["a"]]
    other = [["b", "a", "x"], ["b", "x"], ["a"], [], ["a"]]
    found = corpus_facts.agreement(one, other, depth=2)
    assert (found.value, found.n) == (np.mean([1, 0.5, 0, 1]), 4), "without the query that neither answers"
    assert corpus_facts.agreement([["a"]], [["a", "b"]]).value == 0.5


def test_known_items_are_words_that_their_document_lacks():
    sample = corpora.load("sample")
    items = corpus_facts.known_items(sample, count=20)
    assert items.document_ids == sample.document_ids and len(items.queries) == 20
    for query, asked in items.queries.items():
        [(key, grade)] = items.qrels[query].items()
        whole, rest = sample.documents[key].full.split(), items.documents[key].full.split()
        assert grade == 1 and query not in items.documents
        span = asked.split()
        assert len(span) == min(corpus_facts.SPAN, len(whole) // 2)
        assert any(
            whole[:n] + whole[n + len(span) :] == rest and whole[n : n + len(span)] == span for n in range(len(whole))
        )
    changed = [key for key, document in items.documents.items() if document != sample.documents[key]]
    assert len(changed) <= 20 and not items.drop_identical


def test_known_items_follow_the_seed():
    sample = corpora.load("sample")
    first, again, other = (corpus_facts.known_items(sample, 20, seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_document_of_few_words_is_not_asked_for():
    assert not corpus_facts.known_items(SMALL, 10).queries.keys() - {"q:d1"}
    asked = corpus_facts.known_items(SMALL, 10).queries["q:d1"]
    assert len(asked.split()) == 2
    assert not corpus_facts.known_items(replace(SMALL, documents={"d2": DOCUMENTS["d2"]}), 10).queries
