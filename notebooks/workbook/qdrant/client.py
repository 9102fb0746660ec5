"""Qdrant through qdrant-client: a server or cluster at QDRANT_URL, or the client's own in-memory re-implementation.

The latter searches exactly and silently drops `quantization_config`: `engine` refuses to give it one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields, replace

import numpy as np
from qdrant_client import QdrantClient, models

from workbook.errors import WorkbookError
from workbook.qdrant import bm25, server
from workbook.qdrant.bm25 import Sparse
from workbook.qdrant.edge import DENSE, RRF_K, WORDS, Answers
from workbook.qdrant.patience import patiently
from workbook.qdrant.quantization import SETTINGS, Search, Setting, client_config
from workbook.qdrant.strict_mode import CHANGE_IT, NEW, StrictMode


@dataclass(frozen=True)
class Placement:
    """Where a server keeps a collection; what is left out is the server's to decide.

    `shard_number` parts, each on `replication_factor` nodes; `on_disk`: the original vectors are read from disk;
    `always_ram`: the codes are kept in RAM.
    """

    shard_number: int | None = None
    replication_factor: int | None = None
    on_disk: bool = False
    always_ram: bool = False

    @classmethod
    def of(cls, parameter: Mapping[str, object]) -> Placement:
        """The placement that a notebook's parameter describes. Raises WorkbookError for what makes no sense."""
        if not isinstance(parameter, Mapping):
            raise WorkbookError(f'{parameter!r} is not {{"shard_number": 2}} or the like')
        known = [field.name for field in fields(cls)]
        for name, value in parameter.items():
            if name not in known:
                raise WorkbookError(f"unknown placement {name!r}: give one of {', '.join(known)}")
            if name in ("on_disk", "always_ram") and not isinstance(value, bool):
                raise WorkbookError(f"placement {name} is true or false, not {value!r}")
            if name in ("shard_number", "replication_factor") and (type(value) is not int or value < 1):
                raise WorkbookError(f"placement {name} is a whole number, 1 or more, not {value!r}")
        return cls(**parameter)

    def for_setting(self, setting: str) -> Placement:
        """This placement, of a grid's settings, for one of them: float32 has no codes to keep in RAM."""
        return self if SETTINGS[setting].config else replace(self, always_ram=False)

    def check(self, setting: Setting) -> None:
        """Raise WorkbookError for codes that are to be kept in RAM where the setting has none."""
        if self.always_ram and not setting.config:
            raise WorkbookError(f"always_ram keeps codes in RAM, and {setting.name} has none: leave it out")


ANYWHERE = Placement()
PIECE = 10  # requests that are sent again together if one of them fails
FULL_SCAN_KB = 10  # the least that a server takes: smaller segments are scanned whole, not by the graph


class ClientIndex:
    """An index of float32 vectors, of words, or of both, in a collection of its own; point id = row number. Cosine.

    A server counts the IDF of words in each shard by itself. So that scores do not depend on shards, it is not asked
    to: the IDF of all documents is counted here and multiplied into the queries.
    """

    def __init__(
        self, setting: Setting, dimension: int, m: int, ef_construct: int, *, memory: bool,
        placement: Placement = ANYWHERE, words: bool = False, idf_by_shard: bool = False,
    ):  # fmt: skip
        """`dimension` 0: no dense vectors; `words`: sparse ones; `idf_by_shard`: leave their IDF to the server.

        Raises WorkbookError for a placement or a setting that the server cannot have.
        """
        placement.check(setting)
        self.name = "memory" if memory else "server"
        self._placement = placement if dimension else replace(placement, on_disk=False)  # words alone have no originals
        self._size = server.batch(dimension)
        self._strict = StrictMode({})
        self._n = 0
        self._idf = None if memory or idf_by_shard else bm25.Idf()
        with ExitStack() as stack:
            self._client = stack.enter_context(closing(QdrantClient(":memory:") if memory else server.connect()))
            self._bulk = self._client if memory else self._client.bulk
            self._collection = "workbook" if memory else stack.enter_context(server.own_collection(self._client))
            in_ram = {"always_ram": True} if placement.always_ram else {}
            dense = models.VectorParams(
                size=dimension or 1, distance=models.Distance.COSINE, on_disk=placement.on_disk or None
            )
            sparse = models.SparseVectorParams(modifier=None if self._idf else models.Modifier.IDF)
            server.create(
                self._client,
                self._collection,
                vectors_config=dense if dimension else None,
                sparse_vectors_config={WORDS: sparse} if words else None,
                hnsw_config=models.HnswConfigDiff(m=m, ef_construct=ef_construct, full_scan_threshold=FULL_SCAN_KB),
                # as on Edge: a small corpus must not stay unindexed
                optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1, default_segment_number=1),
                quantization_config=client_config(
                    {family: options | in_ram for family, options in setting.config.items()}
                ),
                shard_number=placement.shard_number,
                replication_factor=placement.replication_factor,
            )
            if not memory:
                self._strict = StrictMode.of(self._info())
                self._check_placement()
            self._resources = stack.pop_all()

    def check_strict(self, limit: int, ef: int) -> None:
        """Raise WorkbookError if the server's strict mode forbids an exact search, so many results or such an ef."""
        least = {"search_allow_exact": True, "max_query_limit": limit, "search_max_hnsw_ef": ef}
        self._strict.check(least, NEW, CHANGE_IT)

    def upsert(
        self, vectors: np.ndarray | None, payloads: Sequence[dict] | None, first: int = 0,
        words: Sequence[Sparse] | None = None,
    ) -> None:  # fmt: skip
        """Store vectors, words or both as points `first`, `first` + 1, ...; each once, or its words count twice.

        A server goes on storing what it has taken: `optimize` waits for that, too.
        """
        n, size = len(words if vectors is None else vectors), self._strict.points(self._size)
        if self._idf and words is not None:
            self._idf.count(words)
        for start in range(0, n, PIECE * size):
            rows = slice(start, min(start + PIECE * size, n))
            dense = None if vectors is None else vectors[rows]
            points = dense if words is None else list(_points(dense, words[rows]))
            patiently(
                self._bulk.upload_collection, self._collection, points, payloads[rows] if payloads else None,
                range(first + start, first + rows.stop), batch_size=size, max_retries=0, wait=False,
            )  # fmt: skip
        self._n = max(self._n, first + n)

    def optimize(self) -> None:
        """Wait until the server has built HNSW and quantized; in-memory mode does neither."""
        if self.name == "server":
            server.wait_until_stored(self._client, self._collection, self._n)
            server.wait_until_green(self._client, self._collection)

    def indexed(self) -> int:
        """Number of vectors, dense and sparse, that the server says are indexed; a vector without a word is none."""
        return self._info().indexed_vectors_count or 0

    def applied(self) -> dict[str, dict[str, str]]:
        """The quantization in the collection's config, in the words of REST; without where its codes are kept."""
        config = self._info().config.quantization_config
        told = config.model_dump(mode="json", exclude_none=True) if config else {}
        return {family: {k: v for k, v in options.items() if k != "always_ram"} for family, options in told.items()}

    def placed(self) -> Placement:
        """Where the collection really is. Shards and their copies are counted, as a server's config repeats whatever
        `replication_factor` was asked for, however few nodes there are. A copy whose node is lost counts: it was made.
        """
        config = self._info().config
        copies = Counter(shard.shard_id for shard in self._shards())
        quantization = config.quantization_config.model_dump() if config.quantization_config else {}
        return Placement(
            shard_number=len(copies),
            replication_factor=min(copies.values(), default=0),
            on_disk=bool(getattr(config.params.vectors, "on_disk", None)),
            always_ram=any(bool(options["always_ram"]) for options in quantization.values()),
        )

    def tell_lost(self) -> None:
        """Say once how many copies of shards cannot be reached, of a collection that has others of each."""
        shards = self._shards()
        if lost := sum(shard.state != models.ReplicaState.ACTIVE for shard in shards):
            server.tell(
                f"{lost} of {len(shards)} copies of shards cannot be reached: a node is lost, others do its work"
            )

    def search(self, queries: np.ndarray, limit: int, search: Search) -> Answers:
        """Search vectors in batches of requests: ids, scores, and the seconds of the calls, network included."""
        told = self._told(search)
        return self._query([models.QueryRequest(query=query.tolist(), limit=limit, params=told) for query in queries])

    def search_words(self, words: Sequence[Sparse], limit: int) -> Answers:
        """Search words alone, by BM25; a query without a word finds nothing."""
        return self._query(
            [models.QueryRequest(query=_sparse(query), using=WORDS, limit=limit) for query in self._weighted(words)]
        )

    def fuse(
        self, queries: np.ndarray, words: Sequence[Sparse], limit: int, candidates: int, fusion: str, search: Search
    ) -> Answers:
        """Search vectors and words for so many candidates each, and let the engine fuse the two rankings."""
        told, dbsf = self._told(search), models.FusionQuery(fusion=models.Fusion.DBSF)
        how = models.RrfQuery(rrf=models.Rrf(k=RRF_K)) if fusion == "rrf" else dbsf
        requests = []
        for query, own in zip(queries, self._weighted(words), strict=True):
            by_vector = models.Prefetch(limit=candidates, query=query.tolist(), params=told)
            by_words = models.Prefetch(limit=candidates, query=_sparse(own), using=WORDS)
            legs = [by_vector, by_words] if query.any() else [by_words]
            requests.append(models.QueryRequest(limit=limit, query=how, prefetch=legs))
        return self._query(requests, prefetches=2)

    def payloads(self, ids: Iterable[int]) -> list[dict]:
        wanted = list(ids)
        records = patiently(self._client.retrieve, self._collection, wanted, with_payload=True)
        found = {record.id: record for record in records}
        return [dict(found[number].payload or {}) for number in wanted]

    def close(self) -> None:
        """Delete the collection. Raises WorkbookError if the server does not; the next run then will."""
        self._resources.close()

    def _check_placement(self) -> None:
        """Raise WorkbookError unless the collection is where it was asked to be."""
        if self._placement == ANYWHERE:
            return
        placed = self.placed()
        for field in fields(Placement):
            asked, found = getattr(self._placement, field.name), getattr(placed, field.name)
            if asked and asked != found:
                advice = ", as each copy is on a node of its own" if field.name == "replication_factor" else ""
                raise WorkbookError(f"asked for {field.name} {asked}, the server reports {found}{advice}")

    def _told(self, search: Search) -> models.SearchParams | None:
        """Nothing in-memory: it searches exactly whatever it is told, and warns; `engine` refuses other searches."""
        return None if self.name == "memory" else params(search)

    def _query(self, requests: list[models.QueryRequest], prefetches: int = 0) -> Answers:
        return server.query(self._bulk, self._collection, requests, self._strict.queries(self._size, prefetches))

    def _weighted(self, words: Sequence[Sparse]) -> Sequence[Sparse]:
        return self._idf.weighted(words) if self._idf else words

    def _shards(self) -> list[models.LocalShardInfo | models.RemoteShardInfo]:
        cluster = patiently(self._client.collection_cluster_info, self._collection)
        return [*cluster.local_shards, *cluster.remote_shards]

    def _info(self) -> models.CollectionInfo:
        return patiently(self._client.get_collection, self._collection)


def params(search: Search) -> models.SearchParams:
    """The search as a server takes it, told in full: its own defaults differ by quantization."""
    quantization = models.QuantizationSearchParams(rescore=search.rescore, oversampling=search.oversampling)
    return models.SearchParams(hnsw_ef=search.hnsw_ef, exact=search.exact, quantization=quantization)


def _points(vectors: np.ndarray | None, words: Sequence[Sparse]) -> Iterator[dict[str, object]]:
    """The vectors of each point by name; a text without a word has no sparse one, which would count in the IDF."""
    for row, own in enumerate(words):
        dense = {} if vectors is None else {DENSE: vectors[row]}
        yield dense | ({WORDS: _sparse(own)} if own.indices else {})


def _sparse(words: Sparse) -> models.SparseVector:
    return models.SparseVector(indices=words.indices, values=words.values)
