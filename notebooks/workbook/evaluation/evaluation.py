"""From what an engine returned to scores per query: NDCG@10, recall@100 and MRR@10, by trec_eval's own code.

Many binary scores are equal, and an engine orders equals differently from build to build. So equals are put in
trec_eval's order (document id, descending), which makes a score repeatable and comparable with others'; `rankings` sees
to it that they are all here. pytrec_eval then gets ranks instead of scores, so that it does not sort again.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import pytrec_eval

from workbook.corpora.corpora import Corpus

DEPTH = 100
METRICS = ("ndcg@10", "recall@100", "mrr@10")
CELLS = 2**22  # scores that are computed at once without an engine: 32 MB
EQUAL = 1e-6  # cosines that differ by less are equal: a document is encoded to about 1e-7


def in_order(ids: np.ndarray, scores: np.ndarray, document_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sort row numbers into `document_ids` and their scores, (queries, limit): best first, equals by descending id.

    Row numbers of -1, which have scores of -inf, come last.
    """
    names = np.array(document_ids)
    place = np.empty(len(names), dtype=int)
    place[np.argsort(names, kind="stable")[::-1]] = np.arange(len(names))
    order = np.lexsort((place[ids], -scores), axis=1)
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1)


def order_ties(
    ids: np.ndarray, scores: np.ndarray, document_ids: Sequence[str], depth: int | None = None
) -> list[list[str]]:  # fmt: skip
    """Document ids of each query in the order of `in_order`, the first `depth`; row numbers of -1 are left out."""
    ranked, _ = in_order(ids, scores, document_ids)
    return [[document_ids[number] for number in row if number >= 0] for row in ranked[:, :depth]]


def order_all(scores: np.ndarray, document_ids: Sequence[str], depth: int | None = None) -> list[list[str]]:
    """All document ids of each query, or the first `depth`, ranked by scores (queries, documents), none of -inf."""
    ids = np.where(np.isfinite(scores), np.arange(scores.shape[1]), -1)
    return order_ties(ids, scores, document_ids, depth)


def slices(queries: int, documents: int) -> Iterator[slice]:
    """Queries, some at a time, so that there are CELLS scores of these and of all documents at most."""
    some = max(1, CELLS // max(1, documents))
    for start in range(0, queries, some):
        yield slice(start, start + some)


def nothing_found(ids: np.ndarray) -> int:
    """Number of queries without a single result; row numbers, (queries, limit), are -1 where there is none."""
    return int((ids < 0).all(axis=1).sum())


def tie_rate(scores: np.ndarray, depth: int = 10) -> float:
    """Share of the first `depth` results whose score another result of the same query has too; scores best first.

    Missing results, of score -inf, do not count; without any result it is 0.
    """
    there = np.isfinite(scores)
    same = (scores[:, 1:] == scores[:, :-1]) & there[:, 1:]
    tied = np.zeros(scores.shape, dtype=bool)
    tied[:, 1:] |= same
    tied[:, :-1] |= same
    return float(tied[:, :depth].sum() / max(1, there[:, :depth].sum()))


def tie_range(corpus: Corpus, ids: np.ndarray, scores: np.ndarray, document_ids: Sequence[str]) -> tuple[float, float]:
    """Lowest and highest mean NDCG@10 that another order of equal scores could give; arguments as `order_ties`."""
    ends = []
    for sign in (1, -1):
        rankings = []
        for query, row, row_scores in zip(corpus.queries, ids, scores, strict=True):
            grades = np.array([corpus.qrels[query].get(document_ids[number], 0) for number in row])
            order = np.lexsort((sign * grades, -row_scores))[: 10 + corpus.drop_identical]
            rankings.append([document_ids[number] for number in row[order] if number >= 0])
        ends.append(float(judge(corpus, rankings)["ndcg@10"].mean()))
    return ends[0], ends[1]


def ann_precision(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Share of the exact search's results that an approximate search found: (queries,).

    Both are `similarities` to the original vectors, (queries, k): of equally near documents each is as good a hit. Not
    a number where exact search finds nothing.
    """
    there = np.isfinite(exact)
    worst = np.min(exact, axis=1, where=there, initial=np.inf)
    hits = (np.isfinite(found) & (found >= worst[:, None] - EQUAL)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.minimum(hits, there.sum(axis=1)) / there.sum(axis=1)


def similarities(queries: np.ndarray, ids: np.ndarray, rows: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Dot products, float64 (queries, k), of queries (q, d) with the documents of these row numbers (queries, k).

    `rows` gives the vectors of row numbers, an array of any shape, with d added to it. -inf where the number is -1.
    """
    near = np.einsum("qd,qkd->qk", queries.astype(float), rows(np.maximum(ids, 0)).astype(float))
    return np.where(ids >= 0, near, -np.inf)


def judge(corpus: Corpus, rankings: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Score one ranking per query of the corpus, in its order: a frame (queries, METRICS) indexed by query id.

    A query without hits scores 0 and stays in the mean. Where the corpus says so, a document that is the query itself
    is passed over, as BEIR does.
    """
    run = {}
    for query, ranking in zip(corpus.queries, rankings, strict=True):
        kept = [document for document in ranking if not (corpus.drop_identical and document == query)]
        run[query] = {document: float(DEPTH - rank) for rank, document in enumerate(kept[:DEPTH])}
    first_ten = {query: dict(list(ranked.items())[:10]) for query, ranked in run.items()}
    whole = _trec_eval(corpus, run, {"ndcg_cut.10", "recall.100"})
    reciprocal = _trec_eval(corpus, first_ten, {"recip_rank"})
    nothing = {"ndcg_cut_10": 0.0, "recall_100": 0.0, "recip_rank": 0.0}  # in the order of METRICS
    scores = [{**nothing, **whole.get(query, {}), **reciprocal.get(query, {})} for query in corpus.queries]
    frame = pd.DataFrame(scores, columns=list(nothing), index=pd.Index(corpus.queries, name="query"))
    return frame.set_axis(METRICS, axis=1)


def _trec_eval(corpus: Corpus, run: dict, measures: set[str]) -> dict[str, dict[str, float]]:
    """Scores of the queries that have something to find; trec_eval's C code crashes where all grades are below -1."""
    qrels = {query: grades for query, grades in corpus.qrels.items() if max(grades.values(), default=0) > 0}
    return pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
