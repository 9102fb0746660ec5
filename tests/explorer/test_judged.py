"""The right answer's rank for judged queries, and queries that one method wins."""

import pytest
from workbook.corpora.corpora import Corpus, Document
from workbook.explorer.judged import Judged, example

DOCUMENTS = {key: Document("", key) for key in ("a", "b", "c")}


@pytest.mark.parametrize(
    ("text", "ranked", "rank"),
    [
        ("Where is  B", ["a", "b", "c"], 2),
        ("where is b", ["c", "a"], 1),
        ("where is b", ["a"], None),
        ("where is b", [], None),
        ("where is nothing", ["b"], None),
    ],
)
def test_the_rank_is_that_of_the_first_relevant_document(text, ranked, rank):
    judged = Judged(Corpus("x", DOCUMENTS, {"q": "where is b"}, {"q": {"b": 1, "c": 2, "a": 0}}))
    assert judged.rank(text, ranked) == rank
    assert judged.ranks([ranked]) == [judged.rank("where is b", ranked)]


def test_a_document_that_is_the_query_itself_is_passed_over():
    corpus = Corpus("x", DOCUMENTS, {"a": "a"}, {"a": {"a": 1, "b": 1}}, True)
    judged = Judged(corpus)
    assert judged.relevant("a") == {"b"}
    assert judged.rank("a", ["a", "b"]) == 1
    assert judged.rank("a", ["c", "a", "b"]) == 2


@pytest.mark.parametrize(
    ("own", "others", "found"),
    [
        ([1, 1, 2], [[2, 9, None], [3, 8, None]], "two"),  # first itself, the best other last
        ([1, None, 1], [[None, 1, None]], "one"),  # of equals the shortest
        ([5, 6, 6], [[6, None, None]], "one"),  # among the first five
        ([6, 6, 6], [[None, None, None]], None),
        ([2, 2, 2], [[1, 2, None], [None, None, 1]], None),  # not before all others
        ([1, 1, 1], [], None),
    ],
)
def test_an_example_is_won_by_the_most(own, others, found):
    assert example(["one", "two", "three"], own, others, most=5) == found
