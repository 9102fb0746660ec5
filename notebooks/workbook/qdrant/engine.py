"""One interface to three Qdrant engines: build an index, prove that the setting applied, search.

An index holds vectors, the words of texts (BM25, see `bm25`), or both; of both, the engine fuses the two rankings.

| engine | what it is                                                                          |
|--------|-------------------------------------------------------------------------------------|
| edge   | Qdrant Edge: Qdrant's own segments in this process (default)                         |
| memory | qdrant-client's Python re-implementation: exact search only, refuses quantization    |
| server | a node or cluster at QDRANT_URL                                                      |
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbook.errors import WorkbookError
from workbook.qdrant import bm25, edge, quantization
from workbook.qdrant.bm25 import Sparse
from workbook.qdrant.client import ANYWHERE, ClientIndex, Placement
from workbook.qdrant.edge import Answers, EdgeIndex
from workbook.qdrant.quantization import ALL, SETTINGS, Search, Setting, binary_scores

ENGINES = ("edge", "memory", "server")
M, EF_CONSTRUCT = 16, 100  # Qdrant's own defaults for the HNSW graph
PROBES = 8  # stored vectors, or texts, that are searched for after a build, to compare with an oracle
FUSIONS = ("rrf", "dbsf")  # reciprocal ranks; scores, each ranking's brought to a common scale
CANDIDATES = 100  # of each of the two rankings that are fused


class Hits(NamedTuple):
    """Row numbers (-1 where there were fewer than asked) and scores, best first, (queries, limit); engine seconds."""

    ids: np.ndarray
    scores: np.ndarray
    seconds: float

    @classmethod
    def empty(cls, queries: int, limit: int, seconds: float = 0.0) -> "Hits":
        """Nothing found yet."""
        return cls(np.full((queries, limit), -1), np.full((queries, limit), -np.inf, dtype=np.float32), seconds)


@dataclass
class Index:
    """A built and proven index; use it in a `with` statement, or close it."""

    engine: str
    setting: Setting
    n: int
    dimension: int
    index_seconds: float
    build_seconds: float
    bytes_per_vector: int
    _backend: EdgeIndex | ClientIndex
    computed_bytes: float | None = None  # `searched_bytes` where the engine does not tell it

    def search(self, queries: np.ndarray, limit: int, search: Search) -> Hits:
        """Search float32 queries (q, d). A query of zeros, whose text the model knows nothing of, finds nothing.

        Raises WorkbookError for a search this engine would silently ignore.
        """
        search, limit = self._checked(search), min(limit, self.n)
        known = np.flatnonzero(queries.any(axis=1))
        answers = self._backend.search(queries[known], limit, search) if len(known) else ([], [], 0.0)
        return _hits(answers, known, len(queries), limit)

    def search_words(self, words: Sequence[Sparse], limit: int) -> Hits:
        """Rank by BM25 alone; an index built without words finds nothing."""
        limit = min(limit, self.n)
        return _hits(self._backend.search_words(words, limit), range(len(words)), len(words), limit)

    def fuse(
        self, queries: np.ndarray, words: Sequence[Sparse], limit: int, search: Search, fusion: str,
        candidates: int = CANDIDATES,
    ) -> Hits:  # fmt: skip
        """Search float32 queries (q, d) and their words for so many candidates each; the engine fuses the rankings.

        A query of zeros is searched by its words alone. Raises WorkbookError for an unknown fusion, or a search
        this engine would silently ignore.
        """
        check_fusion(fusion)
        limit, candidates = min(limit, self.n), min(candidates, self.n)
        answers = self._backend.fuse(queries, words, limit, candidates, fusion, self._checked(search))
        return _hits(answers, range(len(words)), len(words), limit)

    def _checked(self, search: Search) -> Search:
        """The search with its number of candidates; raises WorkbookError for one this engine would silently ignore."""
        if search.oversampling and not search.rescore:
            raise WorkbookError("oversampling without rescoring does nothing; set rescore=True or leave it out")
        if search.exact and search.rescore:
            raise WorkbookError("exact search compares the original vectors: there is nothing to rescore")
        if self.engine == "memory" and not search.exact:
            raise WorkbookError('QdrantClient(":memory:") only searches exactly; set exact=True or use engine edge')
        return search.among(self.n)

    def payloads(self, ids: Iterable[int]) -> list[dict]:
        """The payloads stored with these rows, in the order of the ids."""
        return self._backend.payloads(int(number) for number in ids)

    def searched_bytes(self) -> float | None:
        """Bytes of one document that a search reads: codes (float32: the vector), HNSW graph, and the index of words.

        This is what one would keep in RAM, with original vectors, ids and texts on disk. Edge's files are measured; for
        other engines `quantization.searched_bytes` computes it. None for an index that `build` did not make.
        """
        if self.engine != "edge":
            return self.computed_bytes
        parts = self.disk_bytes()
        return self.bytes_per_vector + (parts["graph"] + parts.get("words", 0)) / self.n

    def disk_bytes(self) -> dict[str, int]:
        """Bytes on disk by part: vectors, codes, graph, other, and words if there are any.

        Raises WorkbookError for an engine other than edge.
        """
        if self.engine != "edge":
            raise WorkbookError(f"engine {self.engine} does not tell its bytes on disk: use engine edge")
        return self._backend.disk_bytes()

    def close(self) -> None:
        self._backend.close()

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build(
    vectors: np.ndarray | None, setting: str = "float32", engine: str = "edge",
    payloads: Sequence[dict] | None = None, m: int = M, ef_construct: int = EF_CONSTRUCT, place: Path | None = None,
    placement: Placement = ANYWHERE, words: Sequence[Sparse] | None = None, idf_by_shard: bool = False,
) -> Index:  # fmt: skip
    """Store float32 vectors (n, d) with a quantization setting, wait until all is indexed, and prove that it applied.

    `words`: what BM25 searches, a sparse vector for each row, beside the vectors or, where these are None, alone.
    `place` (edge only): a folder to store in, instead of the RAM disk; `placement` (server only): shards, replicas,
    and what is on disk; `idf_by_shard` (server only): IDF as the server counts it, see `client`. Raises WorkbookError
    if the engine cannot do the setting or the proof fails; nothing is left behind then.
    """
    if vectors is not None and not np.isfinite(vectors).all():
        raise WorkbookError("some vectors are not finite numbers; no engine ranks those")
    n, dimension = (len(words), 0) if vectors is None else vectors.shape
    if not n:
        raise WorkbookError("there are no documents to store: give one or more")
    place = place or (edge.place_for(n, dimension) if engine == "edge" else None)
    started = time.perf_counter()
    backend = start(setting, dimension, engine, m, ef_construct, place, placement, words is not None, idf_by_shard)
    try:
        if engine == "server":  # rankings ask for twice as many as count, and proofs of codes for all of the graph
            backend.check_strict(min(n, 2 * CANDIDATES), n if SETTINGS[setting].is_oracle_known and dimension else 0)
        backend.upsert(vectors, payloads, words=words)
        index = finish(backend, setting, n, dimension)
        if not idf_by_shard:
            _prove_words(index, words or [])
        prove(index, lambda ids: vectors[ids], sum(bool(each.indices) for each in words or []))
        if dimension and index.setting.is_oracle_known:
            _prove_reach(index, vectors)
        index.build_seconds = time.perf_counter() - started
        index.computed_bytes = quantization.searched_bytes(index.setting, dimension, n, m, words)
    except BaseException:
        backend.close()
        raise
    return index


def start(
    setting: str, dimension: int, engine: str = "edge", m: int = M, ef_construct: int = EF_CONSTRUCT,
    place: Path | None = None, placement: Placement = ANYWHERE, words: bool = False, idf_by_shard: bool = False,
) -> EdgeIndex | ClientIndex:  # fmt: skip
    """An empty index of that setting, for its `upsert` to fill piece by piece and `finish` to build."""
    check(engine, [setting])
    quantization.check([setting], [dimension] if dimension else [])
    if not (dimension or words):
        raise WorkbookError("neither vectors nor words are given: there is nothing to store")
    if placement != ANYWHERE and engine != "server":
        raise WorkbookError(f"a placement is for the server engine; engine {engine} has no cluster")
    if idf_by_shard and engine != "server":
        raise WorkbookError(f"only a server counts its IDF by shard; engine {engine} has one shard")
    if place and engine != "edge":
        raise WorkbookError(f"a place to store in is for the edge engine; engine {engine} has its own")
    if engine == "edge":
        return EdgeIndex(SETTINGS[setting], dimension, m, ef_construct, place, words)
    return ClientIndex(
        SETTINGS[setting], dimension, m, ef_construct, memory=engine == "memory", placement=placement, words=words,
        idf_by_shard=idf_by_shard,
    )  # fmt: skip


def finish(backend: EdgeIndex | ClientIndex, setting: str, n: int, dimension: int) -> Index:
    """Build HNSW and quantize n stored vectors, and wait; `prove` then tells whether the setting applied."""
    started = time.perf_counter()
    backend.optimize()
    seconds = time.perf_counter() - started
    chosen = SETTINGS[setting]
    measured = backend.code_bytes() // n if backend.name == "edge" else 0  # other engines do not tell it
    size = measured or chosen.bytes_per_vector(dimension)
    return Index(backend.name, chosen, n, dimension, seconds, seconds, size, backend)


def prove(index: Index, rows: Callable[[np.ndarray], np.ndarray], words: int = 0) -> None:
    """Stop unless every vector is indexed, the setting reads back as asked, and one-bit scores are their oracle's.

    `rows` gives the stored vectors of row numbers, an array of any shape, with d added to it; `words` is the number of
    sparse vectors beside them, or alone, which the engine counts too.
    """
    if index.engine == "memory":
        return
    backend, setting = index._backend, index.setting
    stored = words + (index.n if index.dimension else 0)
    if backend.indexed() != stored:
        raise WorkbookError(f"only {backend.indexed()} of {stored} vectors are indexed (none below 1 KB in all)")
    if backend.applied() != setting.config:
        raise WorkbookError(f"asked for quantization {setting.config}, the engine reports {backend.applied()}")
    if index.engine == "server":
        backend.tell_lost()
    if not (setting.is_oracle_known and index.dimension):
        return
    probes, hits = _probe(index, rows)
    scores = [binary_scores(probe[None], rows(ids))[0] for probe, ids in zip(probes, hits.ids, strict=True)]
    if not np.array_equal(scores, hits.scores):
        raise WorkbookError("binary quantization did not apply: the engine's scores are not sign(q) . sign(d)")


def check(engine: str, settings: Sequence[str], searches: Sequence[str] = ()) -> None:
    """Raise WorkbookError for an unknown engine, or a setting or search it would silently ignore."""
    if engine not in ENGINES:
        raise WorkbookError(f"unknown engine {engine!r}: give one of {', '.join(ENGINES)}")
    quantized = [name for name in settings if name != "float32"]
    if engine == "memory" and quantized:
        raise WorkbookError(
            f'QdrantClient(":memory:") drops quantization without a word and would score {", ".join(quantized)} '
            f"as float32; use engine edge or server"
        )
    for name in searches:
        if not Search.named(name).exact and engine == "memory":
            raise WorkbookError(f'QdrantClient(":memory:") only searches exactly: {name} needs engine edge or server')


def check_fusion(fusion: str) -> None:
    """Raise WorkbookError for an unknown way to fuse rankings."""
    if fusion not in FUSIONS:
        raise WorkbookError(f"unknown fusion {fusion!r}: give one of {', '.join(FUSIONS)}")


def _prove_reach(index: Index, vectors: np.ndarray) -> None:
    """Stop unless a search of the whole HNSW graph finds the best one-bit scores there are."""
    probes, hits = _probe(index, lambda ids: vectors[ids])
    best = -np.sort(-binary_scores(probes, vectors), axis=1)[:, : hits.ids.shape[1]]
    if not np.array_equal(best, hits.scores):
        raise WorkbookError(
            "the HNSW graph does not reach every nearest vector even at hnsw_ef = n; "
            "many equal vectors do that: remove duplicate documents or raise m"
        )


def _prove_words(index: Index, words: Sequence[Sparse]) -> None:
    """Stop unless some of the stored texts, searched for, get the scores that BM25's formula gives, IDF included."""
    probes = words[:: max(1, len(words) // PROBES)][:PROBES]
    if not any(each.indices for each in probes):
        return
    hits = index.search_words(probes, 10)
    expected = bm25.scores(probes, words)
    found = hits.ids >= 0
    best = -np.sort(-expected, axis=1)[:, : hits.ids.shape[1]]
    if not np.allclose(np.where(found, hits.scores, 0), best, rtol=1e-4, atol=1e-4):
        raise WorkbookError("BM25 did not apply: the engine's scores are not those of its formula with the IDF")


def _hits(answers: Answers, rows: Sequence[int], queries: int, limit: int) -> Hits:
    """The answers to some of the queries, those in `rows`; the others found nothing."""
    ids, scores, seconds = answers
    hits = Hits.empty(queries, limit, seconds)
    for row, row_ids, row_scores in zip(rows, ids, scores, strict=True):
        hits.ids[row, : len(row_ids)] = row_ids
        hits.scores[row, : len(row_ids)] = row_scores
    return hits


def _probe(index: Index, rows: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, Hits]:
    """Some of the stored vectors, and what a search of the whole graph finds for them."""
    probes = np.asarray(rows(np.arange(index.n)[:: max(1, index.n // PROBES)][:PROBES]))
    probes = probes[probes.any(axis=1)]  # for zeros nothing is searched
    return probes, index.search(probes, 10, Search(hnsw_ef=ALL))
