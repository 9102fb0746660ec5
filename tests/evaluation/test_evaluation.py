"""Scores by hand, by three other implementations, and in the cases where those disagree."""

from copy import deepcopy
from math import log2

import numpy as np
import pytest
import pytrec_eval
from beir.retrieval.evaluation import EvaluateRetrieval
from sklearn.metrics import ndcg_score
from workbook.corpora.corpora import Corpus, Document
from workbook.evaluation import evaluation


def corpus_of(qrels, **options):
    """A corpus with these judgements; only ids matter here."""
    documents = {document: Document("", "text") for grades in qrels.values() for document in grades}
    return Corpus("tiny", documents, dict.fromkeys(qrels, "text"), qrels, **options)


def judge_one(grades, ranking):
    return evaluation.judge(corpus_of({"q": grades}), [ranking]).loc["q"]


@pytest.fixture
def graded():
    """Fifty queries with thirty documents each, all judged 0 to 3, and their distinct scores."""
    random = np.random.default_rng(0)
    qrels, run = {}, {}
    for number in range(50):
        names = [f"d{number}-{document}" for document in range(30)]
        grades = random.choice([0, 0, 0, 1, 2, 3], 30)
        grades[random.integers(30)] = 1
        qrels[f"q{number}"] = dict(zip(names, grades.tolist(), strict=True))
        run[f"q{number}"] = dict(zip(names, random.permutation(30) / 30, strict=True))
    return qrels, run


def ranked(run):
    return [sorted(scores, key=scores.get, reverse=True) for scores in run.values()]


def test_scores_by_hand():
    scores = judge_one({"a": 2, "b": 1, "c": 0, "d": 1}, ["c", "a", "unjudged", "b"])
    gained = 2 / log2(3) + 1 / log2(5)
    ideal = 2 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert scores["ndcg@10"] == pytest.approx(gained / ideal, abs=1e-9)
    assert scores["recall@100"] == pytest.approx(2 / 3, abs=1e-9)
    assert scores["mrr@10"] == 1 / 2


def test_ndcg_is_that_of_sklearn(graded):
    qrels, run = graded
    judged = evaluation.judge(corpus_of(qrels), ranked(run))
    expected = [ndcg_score([list(qrels[query].values())], [list(run[query].values())], k=10) for query in qrels]
    np.testing.assert_allclose(judged["ndcg@10"], expected, atol=1e-9)


def test_means_are_those_of_beir(graded):
    qrels, run = graded
    means = evaluation.judge(corpus_of(qrels), ranked(run)).mean()
    ndcg, _, recall, _ = EvaluateRetrieval.evaluate(qrels, deepcopy(run), [10, 100])
    mrr = EvaluateRetrieval.evaluate_custom(qrels, deepcopy(run), [10], metric="mrr")
    expected = [ndcg["NDCG@10"], recall["Recall@100"], mrr["MRR@10"]]
    np.testing.assert_allclose(means[["ndcg@10", "recall@100", "mrr@10"]], expected, atol=1e-5)


def test_tied_scores_are_judged_as_trec_eval_does(graded):
    """Binary scores as an engine returns them; pytrec_eval sorts the same ties by itself."""
    qrels, _ = graded
    documents = ["é1", "z", *(f"d{number}" for number in range(58))]
    random = np.random.default_rng(1)
    qrels = {query: dict.fromkeys(random.choice(documents, 6, replace=False).tolist(), 1) for query in qrels}
    ids = np.array([random.permutation(60)[:40] for _ in qrels])
    scores = -np.sort(-random.integers(0, 4, ids.shape)).astype(np.float32)
    raw = {
        query: {documents[number]: float(score) for number, score in zip(*row, strict=True)}
        for query, *row in zip(qrels, ids, scores, strict=True)
    }
    expected = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.100"}).evaluate(raw)
    judged = evaluation.judge(corpus_of(qrels), evaluation.order_ties(ids, scores, documents))
    np.testing.assert_allclose(judged["ndcg@10"], [expected[query]["ndcg_cut_10"] for query in qrels], atol=1e-9)
    np.testing.assert_allclose(judged["recall@100"], [expected[query]["recall_100"] for query in qrels], atol=1e-9)


def test_ties_by_descending_id_and_no_missing_hits():
    ids = np.array([[3, 0, 1, 2], [2, 1, -1, -1]])
    scores = np.array([[9, 5, 5, 5], [7, 7, -np.inf, -np.inf]], dtype=np.float32)
    ordered = evaluation.order_ties(ids, scores, ["d10", "d9", "D9", "a"])
    assert ordered == [["a", "d9", "d10", "D9"], ["d9", "D9"]]


def test_a_query_without_hits_counts_as_zero():
    judged = evaluation.judge(corpus_of({"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1}}), [["a"], [], ["a"]])
    assert (judged.index.tolist(), judged.index.name) == (["q1", "q2", "q3"], "query")
    assert judged.to_numpy().tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_queries_with_nothing_to_find_do_not_kill_the_process():
    """With them pytrec_eval ends in a segmentation fault."""
    qrels = {"q1": {"a": 0}, "q2": {"b": -2}, "q3": {"a": 1}, "q4": {}}
    judged = evaluation.judge(corpus_of(qrels), [["c"], [], ["a"], ["a"]])
    assert judged.to_numpy().tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 1], [0, 0, 0]]
    nothing = evaluation.judge(corpus_of({"q1": {"a": 0}, "q2": {}}), [[], []])
    assert (nothing == 0).all(axis=None)


@pytest.mark.parametrize(("drop_identical", "reciprocal"), [(True, 1), (False, 1 / 2)])
def test_the_query_itself_is_passed_over_only_where_the_corpus_says_so(drop_identical, reciprocal):
    corpus = corpus_of({"a": {"b": 1, "a": 0}}, drop_identical=drop_identical)
    assert evaluation.judge(corpus, [["a", "b"]]).loc["a", "mrr@10"] == reciprocal


@pytest.mark.parametrize(("before", "reciprocal", "recall"), [(9, 1 / 10, 1), (10, 0, 1), (99, 0, 1), (100, 0, 0)])
def test_reciprocal_rank_ends_at_ten_and_recall_at_a_hundred_without_the_query_itself(before, reciprocal, recall):
    corpus = corpus_of({"q": {"a": 1}}, drop_identical=True)
    scores = evaluation.judge(corpus, [["q", *(f"filler{number}" for number in range(before)), "a"]]).loc["q"]
    assert scores[["mrr@10", "recall@100"]].tolist() == pytest.approx([reciprocal, recall])


def test_a_ranking_for_each_query_is_asked_for():
    with pytest.raises(ValueError, match="shorter"):
        evaluation.judge(corpus_of({"q1": {"a": 1}, "q2": {"b": 1}}), [["a"]])


def test_the_range_of_ties_by_hand():
    """Three equals, of which one is relevant, at places 2 to 4; the row number of a missing hit is nobody's."""
    corpus = corpus_of({"q": {"a": 0, "b": 1, "c": -1, "d": 0}})
    ids, scores = np.array([[0, 1, 2, 3, -1]]), np.array([[2, 1, 1, 1, -np.inf]], dtype=np.float32)
    ends = evaluation.tie_range(corpus, ids, scores, ["a", "b", "c", "d"])
    assert ends == pytest.approx((1 / log2(5), 1 / log2(3)), abs=1e-9)
    assert evaluation.tie_range(corpus, ids, -np.arange(5)[np.newaxis], ["a", "b", "c", "d"]) == (
        pytest.approx(1 / log2(3)), pytest.approx(1 / log2(3)),
    )  # fmt: skip
    with pytest.raises(ValueError, match="shorter"):
        evaluation.tie_range(corpus, ids[:0], scores, ["a", "b", "c", "d"])


def test_the_share_of_the_exact_results_that_was_found():
    nothing = -np.inf
    exact = np.array([[9.0, 8, 7, 6], [5, 4, nothing, nothing], [nothing] * 4])
    found = np.array([[9.0, 6, 5, 4], [4, 3, nothing, nothing], [nothing] * 4])
    assert evaluation.ann_precision(found, exact).tolist() == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    equals = np.array([[9.0, 6, 6, 6], [4, 4, nothing, nothing], [nothing] * 4])
    assert evaluation.ann_precision(equals, exact)[:2].tolist() == [1, 1], "as good as the last of the exact"


def test_similarities_are_of_the_rows_that_are_named():
    rows = np.eye(3, 2, dtype=np.float32)
    near = evaluation.similarities(np.array([[2, 3]], dtype=np.float32), np.array([[1, 0, -1]]), lambda ids: rows[ids])
    assert near.tolist() == [[3, 2, -np.inf]]


@pytest.mark.parametrize(
    ("scores", "depth", "rate"),
    [
        ([[3, 2, 1]], 10, 0),
        ([[3, 3, 1]], 10, 2 / 3),
        ([[1, 1], [2, 1]], 10, 1 / 2),
        ([[5, 5, 5, 5]], 10, 1),
        ([[3, 2, 2]], 2, 1 / 2),  # the second ties with the third, which is cut off
        ([[3, 2, 1, 1]], 2, 0),
        ([[0.5, np.nextafter(0.5, 0)]], 10, 0),
        ([[3, 2, -np.inf, -np.inf]], 10, 0),  # missing hits are no ties and are not counted
        ([[3, 3, -np.inf, -np.inf]], 10, 1),
        ([[3, -np.inf, -np.inf, -np.inf]], 10, 0),
        ([[-np.inf] * 3] * 2, 10, 0),
    ],
)
def test_tie_rate(scores, depth, rate):
    assert evaluation.tie_rate(np.array(scores, dtype=float), depth) == pytest.approx(rate)


def test_what_is_judged_is_left_as_it_was():
    corpus = corpus_of({"q": {"q": 0, "b": 2}}, drop_identical=True)
    rankings = [["q", "b"]]
    before = deepcopy((corpus, rankings))
    evaluation.judge(corpus, rankings)
    assert (corpus, rankings) == before


def test_queries_are_taken_in_slices_that_fit_into_memory(monkeypatch):
    monkeypatch.setattr(evaluation, "CELLS", 10)
    assert [list(range(7))[some] for some in evaluation.slices(7, 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(list(evaluation.slices(3, 100))) == 3 and list(evaluation.slices(2, 0)) == [slice(0, 10)]


def test_a_ranking_of_all_is_cut_after_it_is_in_order():
    scores = np.array([[0.1, 0.5, 0.5, -np.inf]])
    assert evaluation.order_all(scores, ["a", "b", "c", "d"]) == [["c", "b", "a"]]
    assert evaluation.order_all(scores, ["a", "b", "c", "d"], 2) == [["c", "b"]]
