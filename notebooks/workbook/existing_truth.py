"""Queries for an existing collection, and what an exact search of it finds for them: the truth of ANN precision.

The exact search is the engine's own, as in Qdrant's tutorial on retrieval quality; numpy finds the same, or all stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbook.engine import PROBES, Search
from workbook.errors import WorkbookError
from workbook.existing_collection import Collection
from workbook.existing_facts import Facts
from workbook.existing_shard import Shard

# what can be searched; after `rebuild`, which comes before `quantize`, it is a copy
Existing = Shard | Collection

EXACT = Search(exact=True)
RIVALS = 1_000  # stored vectors, spread over all, that numpy compares with what the exact search found
TINY = np.finfo(np.float32).tiny  # instead of the length 0 of a vector of zeros


@dataclass(frozen=True)
class Questions:
    """Query vectors, float32 (q, size), the ids of the stored points they are, if they are, and the exact k of each."""

    vectors: np.ndarray
    own: list
    k: int
    truth: list[list]

    @property
    def limit(self) -> int:
        """How many results to ask for: a stored point spends one on itself."""
        return self.k + bool(self.own)

    def others(self, found: Sequence[Sequence]) -> list[list]:
        """The first k of each query's results that are not the query itself."""
        own = self.own or [None] * len(found)
        return [[each for each in row if each != this][: self.k] for this, row in zip(own, found, strict=True)]


def ask(one: Existing, facts: Facts, queries: int | np.ndarray, k: int, seed: int) -> Questions:
    """Draw so many stored vectors by seed, or take these, (q, size), and search exactly for the k nearest of each.

    Raises WorkbookError for vectors that do not fit, too few points, or if numpy finds others for some of the queries.
    """
    _check(facts, queries, k)
    ids, own = one.ids(), []
    if np.ndim(queries) == 0:
        own = [ids[place] for place in np.random.default_rng(seed).choice(len(ids), queries, replace=False)]
    asked = Questions(one.vectors(own) if own else np.asarray(queries, dtype=np.float32), own, k, [])
    found, scores, _ = one.search(asked.vectors, asked.limit, EXACT)
    near = {each for row in found[:PROBES] for each in row}
    rivals = one.vectors([*near, *(each for each in ids[:: max(1, len(ids) // RIVALS)] if each not in near)])
    best = _best(facts.distance, asked.vectors[:PROBES], rivals, asked.limit)
    if not np.allclose(best, scores[:PROBES], rtol=1e-3, atol=1e-3 * np.abs(best).max()):
        raise WorkbookError(
            f"{facts.name}: exact search does not find what numpy finds; there is no truth to compare with"
        )
    return Questions(asked.vectors, own, k, asked.others(found))


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
    if k < 1 or np.size(queries) < 1 or drawn < 0 or (np.ndim(queries) == 0 and drawn == 0):
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


def _best(distance: str, queries: np.ndarray, vectors: np.ndarray, limit: int) -> np.ndarray:
    """The scores of the nearest, best first, as Qdrant tells them: (queries, limit)."""
    if distance in ("Euclid", "Manhattan"):
        order = 2 if distance == "Euclid" else 1
        return np.sort([np.linalg.norm(vectors - query, order, axis=1) for query in queries], axis=1)[:, :limit]
    if distance == "Cosine":
        queries, vectors = (
            each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), TINY) for each in (queries, vectors)
        )
    return -np.sort(-(queries @ vectors.T), axis=1)[:, :limit]
