"""Edge shards as other programs leave them, made by Qdrant Edge itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import qdrant_edge
from qdrant_edge import Distance, EdgeConfig, EdgeOptimizersConfig, EdgeShard, EdgeVectorParams

INDEXED = EdgeOptimizersConfig(indexing_threshold=1)  # from 1 KB on: a small shard, too
ONE_BIT = qdrant_edge.BinaryQuantizationConfig(encoding=qdrant_edge.BinaryQuantizationEncoding.OneBit)


def make(folder: Path, rows: list, ids: Callable[[int], int | str] = int, **config: object) -> Path:
    """A shard in `folder` whose rows are vectors, each a list, or a dict by name; `ids` gives the id of a row."""
    folder.mkdir(parents=True)
    shard = EdgeShard.create(str(folder), EdgeConfig(**config))
    points = [qdrant_edge.Point(ids(row), vector, {"row": row}) for row, vector in enumerate(rows)]
    if points:
        shard.update(qdrant_edge.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.flush()
    shard.close()
    return folder


def plain(folder: Path, vectors: np.ndarray, **config: object) -> Path:
    """A shard of one unnamed vector, cosine."""
    return make(folder, vectors.tolist(), vectors=params(vectors.shape[1]), **config)


def params(size: int, distance: object = Distance.Cosine, **options: object) -> EdgeVectorParams:
    return EdgeVectorParams(size=size, distance=distance, **options)


def words(row: int) -> qdrant_edge.SparseVector:
    return qdrant_edge.SparseVector([row % 7, 8], [1.0, 2.0])


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, byte for byte."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
