"""Qdrant Edge: Qdrant's own Rust segments, HNSW and quantization, in this process.

The shard lives on a RAM disk where there is one with room for it, without a write-ahead log, and is deleted when the
index is closed or, after a kill, when the next one is made.
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

from workbook import locks, paths
from workbook.errors import WorkbookError
from workbook.qdrant.bm25 import Sparse
from workbook.qdrant.quantization import Search, Setting, edge_config

RAM_DISK = Path("/dev/shm")
BATCH = 1_000  # points per upsert
COPIES = 4  # of all float32 vectors while they are indexed: the segment before and after, and what is on its way
POINT, EMPTY = 4_096, 2**27  # bytes beside the vectors: of a point, its payload and words, and of a shard without any
RRF_K = 2  # Qdrant's own constant of reciprocal rank fusion
DENSE, WORDS = "", "bm25"  # the names of a point's two vectors; Qdrant's own name for the only dense one is none

Answers = tuple[list[list[int]], list[list[float]], float]  # ids and scores of each query, seconds of the engine's call


class EdgeIndex:
    """An index of float32 vectors, of words, or of both, in one Edge shard; point id = row number. Cosine distance."""

    name = "edge"

    def __init__(
        self, setting: Setting, dimension: int, m: int, ef_construct: int, place: Path, words: bool = False,
    ):  # fmt: skip
        """`dimension` 0: no dense vectors; `words`: sparse ones; `place`: the folder to make the shard's in."""
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine) if dimension else None,
            sparse_vectors={WORDS: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)} if words else None,
            # thresholds of 1 KB: a small corpus would otherwise stay unindexed and, silently, float32
            hnsw_config=edge.HnswIndexConfig(m=m, ef_construct=ef_construct, full_scan_threshold=1),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
            quantization_config=edge_config(setting),
            wal_enabled=False,
        )
        locks.remove_left(place)
        self._scratch = locks.Scratch(place)
        self._path = self._scratch.path / "shard"
        try:
            with paths.told_when_unwritable(self._path):
                self._shard = edge.EdgeShard.create(str(self._path), config)
        except BaseException:
            self._scratch.close()
            raise

    def upsert(
        self, vectors: np.ndarray | None, payloads: Sequence[dict] | None, first: int = 0,
        words: Sequence[Sparse] | None = None,
    ) -> None:  # fmt: skip
        """Store vectors, words or both as points `first`, `first` + 1, ..."""
        for start in range(0, len(words if vectors is None else vectors), BATCH):
            rows = slice(start, start + BATCH)
            # the engine takes a list in half the time of an array
            parts = {} if vectors is None else {DENSE: vectors[rows].tolist()}
            if words is not None:
                parts[WORDS] = [edge.SparseVector(*each) for each in words[rows]]
            points = [
                edge.Point(first + row, dict(zip(parts, point, strict=True)), payloads[row] if payloads else {})
                for row, point in enumerate(zip(*parts.values(), strict=True), start)
            ]
            with paths.told_when_unwritable(self._path):
                self._shard.update(edge.UpdateOperation.upsert_points(points))

    def optimize(self) -> None:
        """Build HNSW and quantize; returns when no segment is left to optimize."""
        with paths.told_when_unwritable(self._path):
            self._shard.optimize()
            self._shard.flush()  # until then the segments that were replaced stay, in memory and on disk

    def indexed(self) -> int:
        """Number of vectors whose segment has its HNSW graph, and so its quantization."""
        return self._shard.info().indexed_vectors_count

    def applied(self) -> dict[str, dict[str, str]]:
        """The quantization of the built segments, read back from their files, in the words of REST."""
        configs = [json.loads(file.read_text("utf-8")) for file in self._segment_files("quantized.config.json")]
        built = [each["quantization_config"] for each in configs if each["vector_parameters"].get("count")]
        found = {json.dumps(each, sort_keys=True) for each in built}
        if len(found) > 1:
            raise WorkbookError(f"segments of one shard are quantized differently: {', '.join(sorted(found))}")
        return json.loads(found.pop()) if found else {}

    def code_bytes(self) -> int:
        """Bytes of all codes on disk; 0 if nothing is quantized."""
        return sum(file.stat().st_size for file in self._segment_files("quantized.data"))

    def disk_bytes(self) -> dict[str, int]:
        """Bytes on disk by what they are for: vectors, codes, graph, other, and words if their index is there."""
        sizes = dict.fromkeys(("vectors", "codes", "graph", "other"), 0)
        for file in self._path.rglob("*"):
            if file.is_file():
                allocated = file.stat().st_blocks * 512  # some files have holes
                sizes[_part(file)] = sizes.get(_part(file), 0) + allocated
        return sizes

    def search(self, queries: np.ndarray, limit: int, search: Search) -> Answers:
        """Search vectors for all queries as one planned batch: ids, scores, and the seconds of the engine's call."""
        return nearest(self._shard, queries, limit, params(search))

    def search_words(self, words: Sequence[Sparse], limit: int) -> Answers:
        """Search words alone, by BM25; a query without a word finds nothing."""
        return query(self._shard, [edge.QueryRequest(limit=limit, query=_nearest(own)) for own in words])

    def fuse(
        self, queries: np.ndarray, words: Sequence[Sparse], limit: int, candidates: int, fusion: str, search: Search
    ) -> Answers:
        """Search vectors and words for so many candidates each, and let the engine fuse the two rankings."""
        told = params(search)
        how = edge.Fusion.Rrf(k=RRF_K) if fusion == "rrf" else edge.Fusion.Dbsf()
        requests = []
        for vector, own in zip(queries, words, strict=True):
            by_vector = edge.Prefetch(limit=candidates, query=edge.Query.Nearest(vector), params=told)
            by_words = edge.Prefetch(limit=candidates, query=_nearest(own))
            legs = [by_vector, by_words] if vector.any() else [by_words]
            requests.append(edge.QueryRequest(limit=limit, query=how, prefetches=legs))
        return query(self._shard, requests)

    def payloads(self, ids: Iterable[int]) -> list[dict]:
        wanted = list(ids)
        records = {record.id: record for record in self._shard.retrieve(wanted, with_payload=True, with_vector=False)}
        return [dict(records[number].payload or {}) for number in wanted]

    def close(self) -> None:
        self._shard.close()
        self._scratch.close()

    def _segment_files(self, name: str) -> Iterable[Path]:
        return self._path.glob(f"segments/*/vector_storage/{name}")


def place_for(n: int, dimension: int) -> Path:
    """Where a shard of n vectors has room: the RAM disk, or the folder for temporary files.

    Raises WorkbookError if neither has: the engine maps its files into memory, and a full disk kills the process.
    """
    needed = COPIES * n * dimension * 4 + n * POINT + EMPTY
    for place in (RAM_DISK, Path(tempfile.gettempdir())):
        if place.is_dir() and shutil.disk_usage(place).free > needed:
            return place
    raise WorkbookError(
        f"an index of {n:,} vectors x {dimension} may take {needed / 1e6:,.0f} MB, and {place} has less: make room, or "
        f"set TMPDIR to another folder"
    )


def nearest(
    shard: edge.EdgeShard, queries: np.ndarray, limit: int, told: edge.SearchParams | None, using: str = DENSE
) -> Answers:
    """Search the vectors named `using` for all queries; None: the shard searches by its own defaults."""
    each = [edge.Query.Nearest(vector, using=using or None) for vector in queries]
    return query(shard, [edge.QueryRequest(limit=limit, query=one, params=told) for one in each])


def query(shard: edge.EdgeShard, requests: list[edge.QueryRequest]) -> Answers:
    """Search all as one planned batch: ids, scores, and the seconds of the engine's call."""
    batch = edge.QueryBatchRequest(requests)
    start = time.perf_counter()
    hits = shard.query_batch(batch)
    seconds = time.perf_counter() - start
    return [[hit.id for hit in row] for row in hits], [[hit.score for hit in row] for row in hits], seconds


def params(search: Search) -> edge.SearchParams:
    """The search as Edge takes it, told in full: the engine's own defaults differ by quantization."""
    quantization = edge.QuantizationSearchParams(rescore=search.rescore, oversampling=search.oversampling)
    return edge.SearchParams(hnsw_ef=search.hnsw_ef, exact=search.exact, quantization=quantization)


def _nearest(words: Sparse) -> edge.Query:
    return edge.Query.Nearest(edge.SparseVector(*words), using=WORDS)


def _part(file: Path) -> str:
    if "vector_index" in file.parts:
        return "graph"
    if f"vector_index-{WORDS}" in file.parts:
        return "words"
    if "vector_storage" not in file.parts:
        return "other"
    return "codes" if "quantized" in file.name or "quantized_data" in file.parts else "vectors"
