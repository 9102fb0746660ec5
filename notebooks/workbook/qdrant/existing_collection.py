"""An existing collection on the server at QDRANT_URL: only read; what is changed is a copy, deleted at the end.

The copy is another collection on the same server, with this one vector and no payload, placed as the original is, and
with its settings but one: segments are indexed from 1 KB on, so that a small collection's quantization applies, too. Of
strict mode, each has its own: what it allows is what is asked at once, and what it forbids is told before any work.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from typing import Any

import numpy as np
from qdrant_client import models

from workbook.errors import WorkbookError
from workbook.qdrant import client, existing_facts, server
from workbook.qdrant.edge import Answers
from workbook.qdrant.existing_facts import Facts
from workbook.qdrant.patience import patiently
from workbook.qdrant.quantization import Search, Setting, client_config
from workbook.qdrant.server import Server
from workbook.qdrant.strict_mode import CHANGE_IT, CONDITIONS, NEW, StrictMode

IDS = 10_000  # ids read at once


def look(collection: str, vector_name: str, limit: int = 1) -> tuple[str, dict[str, Any]]:
    """Name and configuration of the vector that is meant; `limit`: how many results will be asked for.

    Raises WorkbookError for a server that does not answer, a collection that is not there, a vector that cannot be
    measured, or a strict mode that forbids to.
    """
    with closing(server.connect()) as qdrant:
        return _look(qdrant, collection, vector_name, limit)[:2]


@contextmanager
def opened(collection: str, vector_name: str) -> Iterator["Collection"]:
    """Open a collection for reading; its copy, if one is made, is gone afterwards. Raises WorkbookError as `look`."""
    with ExitStack() as stack:
        qdrant = stack.enter_context(closing(server.connect()))
        name, params, strict = _look(qdrant, collection, vector_name, 1)
        yield Collection(qdrant, collection, name, params, strict, stack)


class Collection:
    """One vector of a collection; after `rebuild`, of its copy."""

    def __init__(
        self, qdrant: Server, name: str, vector: str, params: dict[str, Any], strict: StrictMode,
        stack: ExitStack,
    ):  # fmt: skip
        self._qdrant, self._name, self._vector, self._params, self._stack = qdrant, name, vector, params, stack
        self._searched, self._strict = name, {name: strict}
        self._size = server.batch(params["size"])
        self._has_it = models.Filter(must=[models.HasVectorCondition(has_vector=vector)])

    def facts(self) -> Facts:
        """What the collection is now; quantization is what it is told to have, which it has where it is indexed."""
        info = self._info()
        vectors, sparse = _vectors(info)
        graph = info.config.hnsw_config.model_dump() | (self._params.get("hnsw_config") or {})
        datatype = self._params.get("datatype") or "float32"
        return Facts(
            "server collection", self._name, self._vector, self._params["size"], self._params["distance"], datatype,
            points=self._count(None), vectors=self._count(self._has_it),
            setting=existing_facts.label(self._quantization(info), datatype),
            indexed=info.indexed_vectors_count if len(vectors) + len(sparse) == 1 else None,  # told of all together
            m=graph["m"], ef_construct=graph["ef_construct"], full_scan_kb=graph["full_scan_threshold"],
            segments=info.segments_count, sha256=None,
        )  # fmt: skip

    def ids(self) -> list:
        """Ids of the points that have the vector, in order."""
        pages = self._pages(self._name, self._has_it, self._strict[self._name].page(IDS))
        return [record.id for page in pages for record in page]

    def payloads(self, ids: Sequence) -> list[dict[str, Any]]:
        """The payloads of points."""
        return [record.payload or {} for record in self._records(ids, with_payload=True)]

    def vectors(self, ids: Sequence) -> np.ndarray:
        """The stored vectors of points that have one: float32 (ids, size)."""
        records = self._records(ids, with_vectors=self._wanted)
        return np.array([self._own(record.vector) for record in records], dtype=np.float32)

    def search(self, queries: np.ndarray, limit: int, search: Search | None) -> Answers:
        """Search float32 queries (q, size) in batches; None: the server searches by its own defaults.

        Seconds are those of the calls, network included.
        """
        told = search and client.params(search)
        requests = [
            models.QueryRequest(query=query.tolist(), using=self._vector or None, limit=limit, params=told)
            for query in queries
        ]
        return self._query(self._searched, requests, conditions=0)

    def scores(self, queries: np.ndarray, ids: Sequence[Sequence]) -> list[list[float]]:
        """Exact scores of some points of the original for each query."""
        step = self._strict[self._name].listed(self._size)
        parts = [
            (row, wanted[start : start + step])
            for row, wanted in enumerate(ids)
            for start in range(0, len(wanted), step)
        ]
        requests = [
            models.QueryRequest(
                query=queries[row].tolist(), using=self._vector or None, limit=len(part),
                params=models.SearchParams(exact=True), filter=_only(part),
            )
            for row, part in parts
        ]  # fmt: skip
        found: list[list[float]] = [[] for _ in ids]
        for (row, _), scores in zip(parts, self._query(self._name, requests, CONDITIONS)[1], strict=True):
            found[row] += scores
        return found

    def check(self, limit: int, searches: Sequence[Search]) -> None:
        """Make the copy, still empty; raise WorkbookError if strict mode forbids what will be asked of it or of this.

        `limit`: results of each search; `searches`: how the copy will be searched.
        """
        _check_original(self._strict[self._name], self._name, limit)
        needed = _needed(limit, searches) | {"max_points_count": self._count(self._has_it)}
        self._strict[self._copy].check(needed, NEW, CHANGE_IT)

    def rebuild(self) -> None:
        """Fill the copy, index every vector of it, and search that from now on."""
        own, copy = self._quantization(self._info()), self._copy
        step = min(self._strict[self._name].page(self._size), self._strict[copy].points(self._size))
        for page in self._pages(self._name, self._has_it, step, with_vectors=self._wanted):
            points = [models.PointStruct(id=each.id, vector=self._named(self._own(each.vector))) for each in page]
            patiently(self._qdrant.bulk.upsert, copy, points, wait=True)
        expected, self._searched = self._count(self._has_it), copy
        if self._count(None) != expected:
            raise self._changed("copied")
        self._wait(own)

    def quantize(self, setting: Setting) -> None:
        """Give the copy that quantization and wait. Raises WorkbookError if the server does not report it then."""
        config = client_config(setting.config) or models.Disabled.DISABLED
        patiently(self._qdrant.update_collection, self._searched, quantization_config=config)
        self._wait(setting.config)

    @cached_property
    def _copy(self) -> str:
        """The name of the copy: empty when it is first asked for, and placed as the original is."""
        info, copy = self._info(), self._stack.enter_context(server.own_collection(self._qdrant))
        params, placed = models.VectorParams(**self._params | {"quantization_config": None}), info.config.params
        server.create(
            self._qdrant, copy,
            vectors_config=self._named(params),
            hnsw_config=models.HnswConfigDiff(**info.config.hnsw_config.model_dump(exclude_none=True)),
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1, default_segment_number=1),
            quantization_config=client_config(self._quantization(info)),
            shard_number=placed.shard_number,
            replication_factor=placed.replication_factor,
            write_consistency_factor=placed.write_consistency_factor,
        )  # fmt: skip
        self._strict[copy] = StrictMode.of(patiently(self._qdrant.get_collection, copy))
        return copy

    def _own(self, vector: Any) -> Any:
        """This vector of those that a point was read with: one that has no name may come with others or alone."""
        return vector[self._vector] if isinstance(vector, dict) and vector else vector

    def _named(self, vector: Any) -> Any:
        return {self._vector: vector} if self._vector else vector

    @property
    def _wanted(self) -> bool | list[str]:
        """What to ask for to be given the vector."""
        return [self._vector] if self._vector else True

    def _records(self, ids: Sequence, **wanted: Any) -> list[models.Record]:
        """What is wanted of points, in the order of these ids."""
        found, step = {}, self._strict[self._searched].listed(self._size)
        for start in range(0, len(ids), step):
            for page in self._pages(self._searched, _only(ids[start : start + step]), step, **wanted):
                found |= {record.id: record for record in page}
        if len(found) < len(set(ids)):
            raise self._changed("measured")
        return [found[each] for each in ids]

    def _pages(
        self, collection: str, which: models.Filter, limit: int, with_payload: bool = False,
        with_vectors: bool | list[str] = False,
    ) -> Iterator[list[models.Record]]:  # fmt: skip
        """Points page by page, in the order of their ids, with what is wanted of them."""
        offset = None
        while True:
            records, offset = patiently(
                self._qdrant.scroll, collection, which, limit=limit, offset=offset, with_payload=with_payload,
                with_vectors=with_vectors,
            )  # fmt: skip
            yield records
            if offset is None:
                return

    def _query(self, collection: str, requests: Sequence[models.QueryRequest], conditions: int) -> Answers:
        """Search in batches as large as strict mode lets them be; each query has so many conditions."""
        step = self._strict[collection].queries(self._size, conditions)
        return server.query(self._qdrant.bulk, collection, requests, step)

    def _changed(self, how: str) -> WorkbookError:
        return WorkbookError(f"{self._name} changed while it was {how}: stop what writes to it and measure again")

    def _info(self) -> models.CollectionInfo:
        return patiently(self._qdrant.get_collection, self._searched)

    def _count(self, which: models.Filter | None) -> int:
        return patiently(self._qdrant.count, self._searched, count_filter=which, exact=True).count

    def _quantization(self, info: models.CollectionInfo) -> dict[str, Any]:
        """What the vector is told to be quantized to: its own, or else what holds for all vectors; {} if nothing."""
        own, of_all = _vectors(info)[0][self._vector].get("quantization_config"), info.config.quantization_config
        return own or (of_all.model_dump(mode="json", exclude_none=True) if of_all else {})

    def _wait(self, quantization: dict[str, Any]) -> None:
        """Until all is indexed; raise WorkbookError unless every vector is, with that quantization."""
        server.wait_until_green(self._qdrant, self._searched)
        info, n = self._info(), self._count(None)
        if self._quantization(info) != quantization:
            raise WorkbookError(f"asked for quantization {quantization}, the server reports {self._quantization(info)}")
        if (info.indexed_vectors_count or 0) < n:
            raise WorkbookError(f"only {info.indexed_vectors_count} of {n} vectors are indexed (none below 1 KB)")


def _look(
    qdrant: Server, collection: str, vector_name: str, limit: int
) -> tuple[str, dict[str, Any], StrictMode]:  # fmt: skip
    if not patiently(qdrant.collection_exists, collection):
        there = [each.name for each in patiently(qdrant.get_collections).collections]
        raise WorkbookError(f"no collection {collection!r} at QDRANT_URL: it has {', '.join(sorted(there)) or 'none'}")
    info = patiently(qdrant.get_collection, collection)
    vectors, sparse = _vectors(info)
    name = existing_facts.choose(vectors, sparse, vector_name, f"collection {collection}")
    if vectors[name].get("datatype") == "turbo4" and vectors[name]["distance"] != "Cosine":
        raise WorkbookError(
            f"collection {collection} stores {name!r} as turbo4 under {vectors[name]['distance']}: a server gives its "
            f"vectors decoded, which coded again have other lengths, so that no copy would be the same; measure the "
            f"folder of an Edge shard with them instead"
        )
    strict = StrictMode.of(info)
    _check_original(strict, collection, limit)
    return name, vectors[name], strict


def _check_original(strict: StrictMode, collection: str, limit: int) -> None:
    strict.check(_needed(limit), f"collection {collection}", "lift that for the measurement, by update_collection")


def _needed(limit: int, searches: Sequence[Search] = ()) -> dict[str, float]:
    """The least that strict mode must allow to ask for `limit` results, exactly and by these searches."""
    return {
        "search_allow_exact": True,  # an exact search is the truth, and an exact count tells whether points are missing
        "max_query_limit": limit,
        "search_max_hnsw_ef": max((search.hnsw_ef or 0 for search in searches), default=0),
        "search_max_oversampling": max((search.oversampling or 0 for search in searches), default=0),
        "search_max_batchsize": 1,
        "upsert_max_batchsize": 1,
        "filter_max_conditions": CONDITIONS,
        "condition_max_size": 1,
        "read_rate_limit": 1 + CONDITIONS,
    }


def _only(ids: Sequence) -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids))])


def _vectors(info: models.CollectionInfo) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Configuration of each dense vector by name, in the words of REST, and the names of the sparse ones."""
    params = info.config.params
    dense = {"": params.vectors} if isinstance(params.vectors, models.VectorParams) else params.vectors or {}
    told = {name: each.model_dump(mode="json", exclude_none=True) for name, each in dense.items()}
    return told, list(params.sparse_vectors or {})
