"""Numbers against others': metrics by trec_eval, scikit-learn and BEIR, codes by the engine, statistics by simulation.

Metrics are compared on random runs; intervals and tests are asked how often they are right where the truth is known.
"""

from itertools import chain, permutations, product

import engine_codes
import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from beir.retrieval.evaluation import EvaluateRetrieval
from sklearn.metrics import ndcg_score
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import vectors
from workbook.evaluation import evaluation, statistics
from workbook.qdrant import engine

QUERIES = 40  # of one random corpus
SEEDS = range(80)


def random_run(seed):
    """A corpus and what an engine might return for it: ids (queries, limit), -1 where it found less, and scores."""
    random = np.random.default_rng(seed)
    documents = [str(number) for number in random.choice(2_000, random.integers(2, 260), replace=False)]
    documents[::7] = [f"é{name}-🙂" for name in documents[::7]]
    queries = [*documents[: QUERIES // 4], *(f"q{number}" for number in range(QUERIES))][:QUERIES]
    qrels = {}
    for query in queries:
        judged = random.choice(documents, random.integers(1, min(len(documents), 30) + 1), replace=False).tolist()
        grades = random.choice([-2, 0, 1, 1, 2, 3] if random.random() < 0.8 else [-1, 0], len(judged))
        qrels[query] = dict(zip(judged, grades.tolist(), strict=True))
    corpus = Corpus(
        "random", dict.fromkeys(documents, Document("", "text")), dict.fromkeys(queries, "text"), qrels,
        drop_identical=bool(seed % 2),
    )  # fmt: skip
    limit = min(len(documents), int(random.choice([1, 5, 10, 30, 100, 130])))
    levels = random.choice([1, 3, 20, 10_000])
    ids = np.array([random.permutation(len(documents))[:limit] for _ in queries])
    scores = -np.sort(-random.integers(0, levels, ids.shape)).astype(np.float32) / np.float32(8)
    missing = np.arange(limit) >= np.where(random.random(QUERIES) < 0.3, random.integers(0, limit + 1, QUERIES), limit)[
        :, np.newaxis
    ]  # fmt: skip
    ids[missing], scores[missing] = -1, -np.inf
    return corpus, ids, scores, documents


def raw(corpus, ids, scores, documents):
    """The run as trec_eval takes it, ties and all, without the documents that are the query itself."""
    return {
        query: {
            documents[number]: float(score)
            for number, score in zip(row, row_scores, strict=True)
            if number >= 0 and not (corpus.drop_identical and documents[number] == query)
        }
        for query, row, row_scores in zip(corpus.queries, ids, scores, strict=True)
    }


@pytest.fixture(scope="module")
def runs():
    """Random runs with their judgements, 3,200 queries."""
    found = []
    for seed in SEEDS:
        corpus, *hits = random_run(seed)
        found.append((corpus, hits, evaluation.judge(corpus, evaluation.order_ties(*hits))))
    return found


def test_scores_of_random_runs_are_those_that_trec_eval_gives_the_tied_scores(runs):
    for corpus, hits, judged in runs:
        run = {query: found for query, found in raw(corpus, *hits).items() if found}
        qrels = {query: grades for query, grades in corpus.qrels.items() if max(grades.values()) > 0}  # else it crashes
        theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.100", "recip_rank"}).evaluate(run)
        for query, ndcg, recall, reciprocal in judged.itertuples():
            other = theirs.get(query, dict.fromkeys(("ndcg_cut_10", "recall_100", "recip_rank"), 0))
            assert ndcg == pytest.approx(other["ndcg_cut_10"], abs=1e-12)
            assert recall == pytest.approx(other["recall_100"], abs=1e-12)
            first = other["recip_rank"]
            assert reciprocal == pytest.approx(first if first > 1 / 10.5 else 0, abs=1e-12)


def test_scores_of_random_runs_are_those_of_scikit_learn_and_beir(runs):
    """scikit-learn ranks all documents, so those not found follow ten without worth; it knows no grade below 0."""
    for corpus, hits, judged in runs:
        rankings = evaluation.order_ties(*hits)
        kept = {
            query: [document for document in ranking if not (corpus.drop_identical and document == query)]
            for query, ranking in zip(corpus.queries, rankings, strict=True)
        }
        for query, ranking in kept.items():
            grades = corpus.qrels[query]
            missed = [document for document in grades if document not in ranking]
            worth = [max(grades.get(document, 0), 0) for document in [*ranking, *[""] * 10, *missed]]
            expected = ndcg_score([worth], [np.arange(len(worth), 0, -1)], k=10, ignore_ties=True)
            assert judged.loc[query, "ndcg@10"] == pytest.approx(expected, abs=1e-12)
            relevant = {document for document, grade in grades.items() if grade > 0}
            found = len(relevant.intersection(ranking[:100])) / max(1, len(relevant))
            assert judged.loc[query, "recall@100"] == pytest.approx(found, abs=1e-12)
        run = {query: {name: 1 / rank for rank, name in enumerate(ranking, 1)} for query, ranking in kept.items()}
        theirs = EvaluateRetrieval.evaluate_custom(corpus.qrels, run, [10], metric="mrr")
        assert judged["mrr@10"].mean() == pytest.approx(theirs["MRR@10"], abs=1e-5)


def test_the_rate_of_ties_is_counted_one_by_one(runs):
    for _, (_, scores, _), _ in runs:
        found = [[score for score in row if score > -np.inf] for row in scores.tolist()]
        tied = [row.count(score) > 1 for row in found for score in row[:10]]
        assert evaluation.tie_rate(scores) == pytest.approx(sum(tied) / max(1, len(tied)))


def orders(ranking, scores):
    """All rankings that differ in the order of equal scores."""
    groups = [
        [name for name, own in zip(ranking, scores, strict=True) if own == score] for score in dict.fromkeys(scores)
    ]
    return [list(chain.from_iterable(chosen)) for chosen in product(*map(permutations, groups))]


@pytest.mark.parametrize("drop_identical", [False, True])
def test_the_range_of_ties_is_that_of_all_orders(drop_identical):
    """Thirteen results in groups of at most three equals, one of which may lie across the tenth place."""
    random = np.random.default_rng(0)
    documents = [f"d{number}" for number in range(20)]
    for _ in range(20):
        queries = [*documents[:3], "q"]
        grades = random.choice([-1, 0, 0, 1, 2], (4, 20)).tolist()
        qrels = {query: dict(zip(documents, own, strict=True)) for query, own in zip(queries, grades, strict=True)}
        corpus = Corpus("ties", dict.fromkeys(documents), dict.fromkeys(queries, "text"), qrels, drop_identical)
        ids = np.array([random.permutation(20)[:13] for _ in queries])
        sizes = [random.permutation([3, 3, 2, 2, 1, 1, 1]) for _ in queries]
        scores = np.array([np.repeat(np.arange(7, 0, -1), size) for size in sizes], dtype=np.float32)
        ids[-1, -2:], scores[-1, -2:] = -1, -np.inf
        ends = []
        for query, row, row_scores in zip(queries, ids, scores, strict=True):
            ways = orders([documents[number] for number in row], row_scores.tolist())
            ways = [[name for name in way[: (row >= 0).sum()] if not drop_identical or name != query] for way in ways]
            copies = {str(number): qrels[query] for number in range(len(ways))}
            judged = evaluation.judge(Corpus("ways", {}, dict.fromkeys(copies, "text"), copies), ways)["ndcg@10"]
            ends.append((judged.min(), judged.max()))
        assert evaluation.tie_range(corpus, ids, scores, documents) == pytest.approx(np.mean(ends, axis=0), abs=1e-12)


def population(share):
    """NDCG@10 of 100,000 queries, many of them 0 or 1, and what it becomes where that share of them is searched anew.

    Of those, half lose something; one-bit codes of MiniLM's vectors differ in 37% of SciFact's queries, int8 in 5%.
    """
    random, n = np.random.default_rng(0), 100_000
    scores = np.choose(random.choice(3, n, p=[0.25, 0.35, 0.4]), [np.zeros(n), np.ones(n), random.beta(3, 2, n)])
    anew = np.where(random.random(n) < 0.5, scores * random.random(n), random.beta(2, 2, n))
    return np.where(random.random(n) < share, anew, scores), scores


def coverage(share, n, times=1_500):
    """How often the intervals of mean, mean difference and share kept hold the population's, by n of its queries."""
    values, baseline = population(share)
    truth = [values.mean(), values.mean() - baseline.mean(), values.mean() / baseline.mean()]
    held, random = np.zeros(3), np.random.default_rng(1)
    for _ in range(times):
        drawn = random.integers(0, len(values), n)
        one, other = pd.Series(values[drawn]), pd.Series(baseline[drawn])
        intervals = [
            statistics.mean(one), statistics.mean_difference(one, other), statistics.share_kept(one, other),
        ]  # fmt: skip
        held += [interval.low <= true <= interval.high for interval, true in zip(intervals, truth, strict=True)]
    return held / times


@pytest.fixture
def few_resamples(monkeypatch):
    """Enough for what is asked of them here, a thousand times."""
    monkeypatch.setattr(statistics, "RESAMPLES", 999)


@pytest.mark.slow
@pytest.mark.parametrize("n", [150, 300])
def test_intervals_of_skewed_scores_hold_the_truth_as_often_as_they_say(few_resamples, n):
    held = coverage(0.5, n)
    assert ((held > 0.93) & (held < 0.97)).all(), held


@pytest.mark.slow
@pytest.mark.parametrize(("n", "at_least", "at_most"), [(10, 0.82, 0.93), (25, 0.9, 0.945)])
def test_intervals_of_means_of_few_queries_are_too_narrow(few_resamples, n, at_least, at_most):
    """As every percentile bootstrap's; `Interval` says so. Those of differences, by which one decides, are not."""
    mean, difference, share = coverage(0.5, n)  # ten queries may all score 0, and then there is no share
    assert at_least < mean < at_most and at_least < share < at_most
    assert difference > 0.93


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.04, 0.01])
def test_intervals_of_differences_hold_the_truth_where_few_queries_differ_too(few_resamples, share):
    """300 queries, of which about 26, 10 and 3 differ."""
    mean, difference, _ = coverage(share, 300)
    assert mean > 0.93 and difference > 0.925, difference


def at_the_margin(share):
    """Differences whose mean is a loss of exactly the margin, (queries,)."""
    values, baseline = population(share)
    differences = values - baseline
    return differences * (-statistics.MARGIN / differences.mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "n", "at_least", "at_most"),
    [(1, 150, 0.01, 0.045), (0.5, 300, 0.01, 0.06), (0.03, 150, 0, 0.002), (0.03, 300, 0, 0.045)],
)
def test_a_loss_of_the_margin_is_ruled_out_about_as_rarely_as_the_interval_says(
    monkeypatch, share, n, at_least, at_most
):
    """Rare large losses are the hard case: without the rule of three, 150 queries would be fooled in 16% of cases."""
    monkeypatch.setattr(statistics, "RESAMPLES", 99)
    random, differences, wrong = np.random.default_rng(4), at_the_margin(share), 0
    for _ in range(1_000):
        drawn = pd.Series(differences[random.integers(0, len(differences), n)])
        wrong += statistics.keeps(statistics.mean_difference(drawn, 0 * drawn), statistics.MARGIN)
    assert at_least <= wrong / 1_000 <= at_most, wrong / 1_000


CLOUDS = {
    "signs and zeros": lambda random, shape: random.integers(-1, 2, shape),
    "of all sizes": lambda random, shape: random.standard_normal(shape) * 10.0 ** random.integers(-30, 30, shape),
    "zero vectors": lambda random, shape: random.standard_normal(shape) * random.integers(0, 2, (shape[0], 1)),
    "one vector": lambda random, shape: np.repeat(random.standard_normal((1, shape[1])), shape[0], axis=0),
    "all positive": lambda random, shape: random.random(shape),
    "one number": lambda random, shape: np.ones(shape),
    "long tails": lambda random, shape: random.standard_normal(shape) ** 5,
}


@pytest.mark.parametrize("setting", ["binary", "scalar-int8"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_engines_codes_of_odd_vectors_are_those_that_numpy_computes(cloud, setting):
    for dimension in (7, 9, 16, 33, 63, 65, 129):
        random = np.random.default_rng(dimension)
        rows = vectors.truncate(CLOUDS[cloud](random, (60, dimension)).astype(np.float32), dimension)
        with engine.build(rows, setting) as index:
            engine_codes.assert_stored(index, rows)
