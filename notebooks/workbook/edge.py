"""Qdrant Edge: Qdrant's own Rust segments, HNSW and quantization, in this process.

The shard lives on a RAM disk where there is one, without a write-ahead log, and is deleted when the index is closed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import qdrant_edge as edge

from workbook.errors import WorkbookError
from workbook.quantization import Setting, edge_config

RAM_DISK = Path("/dev/shm")
BATCH = 1_000  # points per upsert


class EdgeIndex:
    """An index of float32 vectors in one Edge shard; point id = row number. Cosine distance."""

    name = "edge"

    def __init__(self, setting: Setting, dimension: int, m: int, ef_construct: int, place: Path | None = None):
        """`place`: a folder on a real disk to make the shard in, instead of the RAM disk."""
        self._path = Path(tempfile.mkdtemp(prefix="workbook-", dir=place or (RAM_DISK if RAM_DISK.is_dir() else None)))
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine),
            # thresholds of 1 KB: a small corpus would otherwise stay unindexed and, silently, float32
            hnsw_config=edge.HnswIndexConfig(m=m, ef_construct=ef_construct, full_scan_threshold=1),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
            quantization_config=edge_config(setting),
            wal_enabled=False,
        )
        try:
            self._shard = edge.EdgeShard.create(str(self._path), config)
        except BaseException:
            shutil.rmtree(self._path, ignore_errors=True)
            raise

    def upsert(self, vectors: np.ndarray, payloads: Sequence[dict] | None, first: int = 0) -> None:
        """Store vectors as points `first`, `first` + 1, ..."""
        for start in range(0, len(vectors), BATCH):
            part = vectors[start : start + BATCH].tolist()  # the engine takes a list in half the time of an array
            points = [
                edge.Point(first + row, vector, payloads[row] if payloads else {})
                for row, vector in enumerate(part, start)
            ]
            self._shard.update(edge.UpdateOperation.upsert_points(points))

    def optimize(self) -> None:
        """Build HNSW and quantize; returns when no segment is left to optimize."""
        self._shard.optimize()
        self._shard.flush()  # until then the segments that were replaced stay, in memory and on disk

    def indexed(self) -> int:
        """Number of vectors whose segment has its HNSW graph, and so its quantization."""
        return self._shard.info().indexed_vectors_count

    def applied(self) -> dict[str, dict[str, str]]:
        """The quantization of the built segments, read back from their files, in the words of REST."""
        configs = [json.loads(file.read_text()) for file in self._segment_files("quantized.config.json")]
        found = {
            json.dumps(config["quantization_config"], sort_keys=True)
            for config in configs
            if config["vector_parameters"].get("count")
        }
        if len(found) > 1:
            raise WorkbookError(f"segments of one shard are quantized differently: {', '.join(sorted(found))}")
        return json.loads(found.pop()) if found else {}

    def codes(self) -> bytes:
        """All codes as they lie on disk, overhead included, in the order of the points."""
        return b"".join(file.read_bytes() for file in self._segment_files("quantized.data"))

    def code_bytes(self) -> int:
        """Bytes of all codes on disk; 0 if nothing is quantized."""
        return sum(file.stat().st_size for file in self._segment_files("quantized.data"))

    def disk_bytes(self) -> dict[str, int]:
        """Bytes on disk by what they are for: vectors, codes, graph, and everything else."""
        sizes = dict.fromkeys(("vectors", "codes", "graph", "other"), 0)
        for file in self._path.rglob("*"):
            if file.is_file():
                sizes[_part(file)] += file.stat().st_blocks * 512  # what is allocated: some files have holes
        return sizes

    def search(
        self,
        queries: np.ndarray,
        limit: int,
        exact: bool,
        hnsw_ef: int | None,
        rescore: bool,
        oversampling: float | None,
    ) -> tuple[list[list[int]], list[list[float]], float]:
        """Search all queries as one planned batch: ids, scores, and the seconds of the engine's call alone."""
        quantization = edge.QuantizationSearchParams(rescore=rescore, oversampling=oversampling)
        params = edge.SearchParams(hnsw_ef=hnsw_ef, exact=exact, quantization=quantization)
        requests = [edge.QueryRequest(limit=limit, query=edge.Query.Nearest(query), params=params) for query in queries]
        batch = edge.QueryBatchRequest(requests)
        start = time.perf_counter()
        hits = self._shard.query_batch(batch)
        seconds = time.perf_counter() - start
        return [[hit.id for hit in row] for row in hits], [[hit.score for hit in row] for row in hits], seconds

    def payloads(self, ids: Iterable[int]) -> list[dict]:
        wanted = list(ids)
        records = {record.id: record for record in self._shard.retrieve(wanted, with_payload=True, with_vector=False)}
        return [dict(records[number].payload or {}) for number in wanted]

    def close(self) -> None:
        self._shard.close()
        shutil.rmtree(self._path, ignore_errors=True)

    def _segment_files(self, name: str) -> Iterable[Path]:
        return self._path.glob(f"segments/*/vector_storage/{name}")


def _part(file: Path) -> str:
    if "vector_index" in file.parts:
        return "graph"
    if "vector_storage" not in file.parts:
        return "other"
    return "codes" if "quantized" in file.name or "quantized_data" in file.parts else "vectors"
