"""Qdrant through qdrant-client: a server or cluster at QDRANT_URL, or the client's own in-memory re-implementation.

The latter searches exactly and drops `quantization_config` without a word, so it is not given one: see `engine`.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Sequence

import numpy as np
from qdrant_client import QdrantClient, models

from workbook.errors import WorkbookError
from workbook.quantization import Setting, client_config

BATCH = 500  # points or queries per request
PATIENCE = 600  # seconds to wait for a server to index


class ClientIndex:
    """An index of float32 vectors in a collection of its own; point id = row number. Cosine distance."""

    def __init__(
        self, setting: Setting, dimension: int, m: int, ef_construct: int, *, memory: bool,
        shard_number: int | None = None, replication_factor: int | None = None,
    ):  # fmt: skip
        self.name = "memory" if memory else "server"
        self._client = QdrantClient(":memory:") if memory else _connect()
        self._collection = f"workbook-{uuid.uuid4().hex[:12]}"
        self._client.create_collection(
            self._collection,
            vectors_config=models.VectorParams(size=dimension, distance=models.Distance.COSINE),
            hnsw_config=models.HnswConfigDiff(m=m, ef_construct=ef_construct, full_scan_threshold=1),
            # as on Edge: a small corpus must not stay unindexed
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1, default_segment_number=1),
            quantization_config=client_config(setting),
            shard_number=shard_number,
            replication_factor=replication_factor,
        )
        self._open = True

    def upsert(self, vectors: np.ndarray, payloads: Sequence[dict] | None) -> None:
        for start in range(0, len(vectors), BATCH):
            rows = range(start, min(start + BATCH, len(vectors)))
            batch = models.Batch(
                ids=list(rows),
                vectors=vectors[start : rows.stop].tolist(),
                payloads=list(payloads[start : rows.stop]) if payloads else None,
            )
            self._client.upsert(self._collection, points=batch, wait=True)

    def optimize(self) -> None:
        """Wait until the optimizers have been idle twice in a row: the status is GREEN between two of them, too."""
        deadline = time.monotonic() + PATIENCE
        green = 0
        while green < 2:
            if time.monotonic() > deadline:
                raise WorkbookError(f"the server did not finish indexing within {PATIENCE} s; see its log")
            time.sleep(0 if self.name == "memory" else 0.5)
            green = green + 1 if self._info().status == models.CollectionStatus.GREEN else 0

    def indexed(self) -> int:
        return self._info().indexed_vectors_count or 0

    def applied(self) -> dict[str, dict[str, str]]:
        config = self._info().config.quantization_config
        return config.model_dump(mode="json", exclude_none=True) if config else {}

    def code_bytes(self) -> int:
        """Not told by a server: 0."""
        return 0

    def search(
        self,
        queries: np.ndarray,
        limit: int,
        exact: bool,
        hnsw_ef: int | None,
        rescore: bool,
        oversampling: float | None,
    ) -> tuple[list[list[int]], list[list[float]], float]:
        """Search in batches of requests: ids, scores, and the seconds of the calls, network included."""
        quantization = models.QuantizationSearchParams(rescore=rescore, oversampling=oversampling)
        params = models.SearchParams(hnsw_ef=hnsw_ef, exact=exact, quantization=quantization)
        if self.name == "memory":
            params = (
                None  # it searches exactly whatever it is told, and warns; `engine` lets only exact searches through
            )
        requests = [models.QueryRequest(query=query.tolist(), limit=limit, params=params) for query in queries]
        start = time.perf_counter()
        answers = [
            answer.points
            for first in range(0, len(requests), BATCH)
            for answer in self._client.query_batch_points(self._collection, requests[first : first + BATCH])
        ]
        seconds = time.perf_counter() - start
        return [[hit.id for hit in row] for row in answers], [[hit.score for hit in row] for row in answers], seconds

    def payloads(self, ids: Iterable[int]) -> list[dict]:
        wanted = list(ids)
        records = {record.id: record for record in self._client.retrieve(self._collection, wanted, with_payload=True)}
        return [dict(records[number].payload or {}) for number in wanted]

    def close(self) -> None:
        if self._open:
            self._open = False
            try:
                self._client.delete_collection(self._collection)
            finally:
                self._client.close()

    def _info(self) -> models.CollectionInfo:
        return self._client.get_collection(self._collection)


def server_identity() -> dict[str, str]:
    """What tells one server's measurements from another's: hash of its address, and its version."""
    url_sha256 = hashlib.sha256(os.environ.get("QDRANT_URL", "").encode()).hexdigest()[:16]
    return {"url_sha256": url_sha256, "version": _connect().info().version}


def _connect() -> QdrantClient:
    url = os.environ.get("QDRANT_URL")
    if not url:
        raise WorkbookError("the server engine needs QDRANT_URL (and QDRANT_API_KEY, if the server asks for one)")
    try:
        # its own version check warns from a thread of its own, after our one line
        client = QdrantClient(url=url, api_key=os.environ.get("QDRANT_API_KEY"), timeout=60, check_compatibility=False)
        client.get_collections()
    except Exception as error:  # qdrant-client lets each transport's own exceptions through
        raise WorkbookError(f"no Qdrant answers at QDRANT_URL ({type(error).__name__}); is it running?") from error
    return client
