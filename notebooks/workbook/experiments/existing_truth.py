"""Queries for an existing collection, and what an exact search of it finds for them: the truth of ANN precision.

The exact search is the engine's own, as in Qdrant's tutorial on retrieval quality; numpy finds the same, or all stops.
Hits are compared by their exact scores: of equal vectors any is as good as the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbook.errors import WorkbookError
from workbook.qdrant import existing_facts
from workbook.qdrant.engine import PROBES, Search
from workbook.qdrant.existing_collection import Collection
from workbook.qdrant.existing_facts import Facts
from workbook.qdrant.existing_shard import Shard

# what can be searched; after `rebuild`, which comes before `quantize`, it is a copy
Existing = Shard | Collection

EXACT = Search(exact=True)
RIVALS = 1_000  # stored vectors, spread over all, that numpy compares with what the exact search found
EQUAL = 1e-6  # share of a query's largest score by which equal ones may differ: rounding of float32
# share by which numpy's scores may differ; of turbo4 numpy knows the lengths no better, as four bits change them
NUMPY, NUMPY_TURBO4 = 1e-3, 0.15
TINY = np.finfo(np.float32).tiny  # instead of the length 0 of a vector of zeros
DISTANCES = ("Euclid", "Manhattan")  # of which less is better


@dataclass(frozen=True)
class Questions:
    """Query vectors, float32 (q, size), and for each the ids of its exact k, `truth`, and their `scores`, best first.

    `own`: the ids of the stored points that the queries are, if they are such.
    """

    vectors: np.ndarray
    own: list
    k: int
    truth: list[list]
    scores: list[list[float]]

    @property
    def limit(self) -> int:
        """How many results to ask for: a stored point spends one on itself."""
        return self.k + bool(self.own)

    def others(self, found: Sequence[Sequence]) -> list[list]:
        """The first k of each query's results that are not the query itself."""
        return [[row[place] for place in places] for row, places in zip(found, self._places(found), strict=True)]

    def _places(self, found: Sequence[Sequence]) -> list[list[int]]:
        own = self.own or [None] * len(found)
        return [
            [place for place, each in enumerate(row) if each != this][: self.k]
            for this, row in zip(own, found, strict=True)
        ]


def ask(one: Existing, facts: Facts, queries: int | np.ndarray, k: int, seed: int) -> Questions:
    """Draw so many stored vectors by seed, or take these, (q, size), and search exactly for the k nearest of each.

    Raises WorkbookError for vectors that do not fit, too few points, points that came or went since the facts, or if
    numpy finds others for some of the queries.
    """
    _check(facts, queries, k)
    ids, own = one.ids(), []
    if len(ids) != facts.vectors:
        raise WorkbookError(f"{facts.name} changed while it was read: stop what writes to it and measure again")
    if np.ndim(queries) == 0:
        own = [ids[place] for place in np.random.default_rng(seed).choice(len(ids), queries, replace=False)]
    asked = Questions(one.vectors(own) if own else np.asarray(queries, dtype=np.float32), own, k, [], [])
    found, scores, _ = one.search(asked.vectors, asked.limit, EXACT)
    near = {each for row in found[:PROBES] for each in row}
    rivals = one.vectors([*near, *(each for each in ids[:: max(1, len(ids) // RIVALS)] if each not in near)])
    if not _agrees(facts, asked.vectors[:PROBES], rivals, np.array(scores[:PROBES])):
        raise WorkbookError(
            f"{facts.name}: exact search does not find what numpy finds; there is no truth to compare with"
        )
    places = asked._places(found)
    best = [[row[place] for place in own] for row, own in zip(scores, places, strict=True)]
    return Questions(asked.vectors, own, k, asked.others(found), best)


def precision(one: Existing, facts: Facts, asked: Questions, found: Sequence[Sequence]) -> np.ndarray:
    """The share of k that are as near as the exact k-th, of what a search found for each query: (q,)."""
    others = asked.others(found)
    good = np.array([len(set(row) & set(best)) for row, best in zip(others, asked.truth, strict=True)])
    doubtful = [[each for each in row if each not in best] for row, best in zip(others, asked.truth, strict=True)]
    rows = [row for row, ids in enumerate(doubtful) if ids]
    scored = one.scores(asked.vectors[rows], [doubtful[row] for row in rows]) if rows else []
    for row, scores in zip(rows, scored, strict=True):
        exact, sign = np.array(asked.scores[row]), -1 if facts.distance in DISTANCES else 1
        good[row] += (sign * np.array(scores) >= sign * exact[-1] - EQUAL * np.abs(exact).max()).sum()
    return good / asked.k


def prove_applied(one: Existing, asked: Questions, setting: str) -> None:
    """Stop if a search by codes gives the scores of the vectors themselves: to be configured is not to apply."""
    probes = asked.vectors[:PROBES]
    exact, coded = (
        {(row, each): score for row, ids in enumerate(found) for each, score in zip(ids, scores[row], strict=True)}
        for found, scores, _ in (one.search(probes, asked.limit, search) for search in (EXACT, Search()))
    )
    both = exact.keys() & coded.keys()
    if both and np.allclose([exact[each] for each in both], [coded[each] for each in both], rtol=1e-6, atol=0):
        raise WorkbookError(f"{setting} did not apply: the scores are those of the vectors themselves")


def _check(facts: Facts, queries: int | np.ndarray, k: int) -> None:
    drawn = queries if np.ndim(queries) == 0 else 0
    if k < 1 or np.size(queries) < 1 or (np.ndim(queries) == 0 and drawn < 1):
        raise WorkbookError("k and queries must be 1 or more")
    if facts.vectors < drawn + k:
        raise WorkbookError(
            f"{facts.name}: {facts.vectors} of {facts.points} points have the vector {facts.vector!r}, too few for "
            f"{drawn} queries and {k} results" + (f": ask {facts.vectors - k} at most" if facts.vectors > k else "")
        )
    if np.ndim(queries) == 0:
        return
    if np.ndim(queries) != 2 or np.shape(queries)[1] != facts.size:
        raise WorkbookError(f"the queries have the shape {np.shape(queries)}: it must be (queries, {facts.size})")
    if not np.isfinite(queries).all():
        raise WorkbookError("some query vectors are not finite numbers; no engine ranks by those")


def _agrees(facts: Facts, queries: np.ndarray, vectors: np.ndarray, scores: np.ndarray) -> bool:
    """Whether the best scores of the vectors that were read, (q, limit), are those that the engine gives."""
    turbo = existing_facts.is_turbo(facts.datatype)
    best = _best(facts.distance, queries, vectors, scores.shape[1], 0.5 if turbo else TINY)
    if not turbo or facts.distance == "Manhattan":
        return np.allclose(best, scores, rtol=NUMPY, atol=NUMPY * np.abs(best).max())
    # a score of codes is a product of lengths, a distance of codes the root of a difference of such
    share = NUMPY_TURBO4 if facts.datatype == "turbo4" else NUMPY
    longest = [np.linalg.norm(each, axis=1).max() for each in (queries, vectors)]
    if facts.distance == "Euclid":
        return np.allclose(best**2, scores**2, rtol=share, atol=share * sum(longest) ** 2)
    size = 1 if facts.distance == "Cosine" else np.prod(longest)
    return np.allclose(best, scores, rtol=share, atol=share * size)


def _best(distance: str, queries: np.ndarray, vectors: np.ndarray, limit: int, shortest: float) -> np.ndarray:
    """The scores of the nearest, best first, as Qdrant tells them: (queries, limit).

    `shortest`: vectors that are shorter have no direction: a vector of zeros.
    """
    if distance in DISTANCES:
        order = 2 if distance == "Euclid" else 1
        return np.sort([np.linalg.norm(vectors - query, order, axis=1) for query in queries], axis=1)[:, :limit]
    if distance == "Cosine":
        queries = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), TINY)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), shortest)
    return -np.sort(-(queries @ vectors.T), axis=1)[:, :limit]
