"""Signals that a first search without attention was weak, from what it found anyway: no judgement, no second model.

Every signal is low where a query needs attention. Scores say how far the first results stand out; the two rankings,
whether they agree; words, what there was to go by. None alone carries over from one corpus to another, see `combined`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.qdrant.bm25 import Idf, Sparse
from workbook.qdrant.engine import Hits

TOP = 10  # results that a signal looks at, or as many as there are


class FirstSearch(NamedTuple):
    """What a first search found for some queries: best first by vectors, by words, and fused (ids, scores: (q, limit)).

    `words` are those of each query; `idf` has counted those of the documents. `two_searches.search_first` makes it.
    """

    by_vectors: Hits
    by_words: Hits
    fused: Hits
    words: Sequence[Sparse]
    idf: Idf


def of(found: FirstSearch, names: Sequence[str] = ()) -> pd.DataFrame:
    """The signals of every query, all or those named: (queries, signals).

    All are -inf for a query that the vectors found nothing for: one without a word that the model knows, or whose
    documents all score alike. It is asked again first of all.
    """
    table = pd.DataFrame({name: SIGNALS[name](found) for name in names or SIGNALS}, dtype=float)
    table[(found.by_vectors.ids < 0).all(axis=1)] = -np.inf
    return table


def top_score(found: FirstSearch) -> np.ndarray:
    """The best document's cosine."""
    return _best(found.by_vectors)[:, 0].filled(0)


def spread(found: FirstSearch) -> np.ndarray:
    """How far the best cosine is above the tenth."""
    return _above_the_last(found.by_vectors)


def variance(found: FirstSearch) -> np.ndarray:
    """Variance of the ten best cosines."""
    return _best(found.by_vectors).var(axis=1).filled(0)


def bm25_score(found: FirstSearch) -> np.ndarray:
    """BM25's score of its best document, for each distinct word of the query: 0 where words find nothing."""
    return _best(found.by_words)[:, 0].filled(0) / np.maximum(length(found), 1)


def fused_score(found: FirstSearch) -> np.ndarray:
    """The best document's fused score: high if both rankings have it far above their others."""
    return _best(found.fused)[:, 0].filled(0)


def fused_spread(found: FirstSearch) -> np.ndarray:
    """How far the best fused score is above the tenth."""
    return _above_the_last(found.fused)


def agreement(found: FirstSearch) -> np.ndarray:
    """How many of the ten best documents vectors and words both find."""
    one, other = (hits.ids[:, :TOP] for hits in (found.by_vectors, found.by_words))
    return np.array([len({*mine} & {*theirs} - {-1}) for mine, theirs in zip(one, other, strict=True)])


def length(found: FirstSearch) -> np.ndarray:
    """Number of distinct words, without stop words."""
    return np.array([len(each.indices) for each in found.words])


def known_words(found: FirstSearch) -> np.ndarray:
    """Share of the query's words that any document has, weighed by IDF; 0 for a query without a word."""
    return np.array([_share(_idfs(found, each), found.idf.having(each)) for each in found.words])


def rarest_word(found: FirstSearch) -> np.ndarray:
    """The highest IDF of its words that any document has; 0 without one."""
    return np.array(
        [(_idfs(found, each) * (found.idf.having(each) > 0)).max(initial=0) for each in found.words]
    )  # fmt: skip


# by what they look at: the ranking by vectors, words, or both
BY_VECTORS = {"top score": top_score, "spread of the top ten": spread, "variance of the top ten": variance}
BY_WORDS = {
    "BM25's top score a word": bm25_score, "number of words": length, "share of known words": known_words,
    "rarest word": rarest_word,
}  # fmt: skip
BY_BOTH = {
    "top fused score": fused_score, "spread of the fused top ten": fused_spread, "agreement with BM25": agreement
}  # fmt: skip
SIGNALS: dict[str, Callable[[FirstSearch], np.ndarray]] = {**BY_VECTORS, **BY_WORDS, **BY_BOTH}


def _best(hits: Hits) -> np.ma.MaskedArray:
    """The scores of the first TOP results, float64 (queries, up to TOP), those that are missing masked."""
    scores = hits.scores[:, :TOP].astype(float) if hits.scores.shape[1] else np.full((len(hits.scores), 1), -np.inf)
    return np.ma.masked_array(scores, ~np.isfinite(scores))


def _above_the_last(hits: Hits) -> np.ndarray:
    best = _best(hits)
    return (best[:, 0] - best.min(axis=1)).filled(0)


def _idfs(found: FirstSearch, words: Sparse) -> np.ndarray:
    return np.array(found.idf.weighted([words])[0].values)


def _share(weights: np.ndarray, having: np.ndarray) -> float:
    return float(weights @ (having > 0) / weights.sum()) if len(weights) else 0.0
