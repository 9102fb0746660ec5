"""An Edge shard to try `existing` on, for those who have no collection yet."""

import hashlib

import qdrant_edge as edge

from workbook import engine, paths, vectors
from workbook.corpora import Corpus
from workbook.encoders import Encoder


def make(corpus: Corpus, encoder: Encoder) -> str:
    """Store a corpus's documents as float32 in a shard in data/own, or find it there: its folder."""
    rows = vectors.truncate(vectors.encode(encoder, corpus.document_texts, "document"), encoder.dimensions)
    folder = paths.DATA / "own" / f"example-shard-{hashlib.sha256(rows.tobytes()).hexdigest()[:8]}"
    if not folder.is_dir():
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=encoder.dimensions, distance=edge.Distance.Cosine),
            hnsw_config=edge.HnswIndexConfig(m=engine.M, ef_construct=engine.EF_CONSTRUCT, full_scan_threshold=1),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
        )
        with paths.atomic(folder) as temporary:
            temporary.mkdir()
            shard = edge.EdgeShard.create(str(temporary), config)
            points = [edge.Point(number, row, {}) for number, row in enumerate(rows.tolist())]
            shard.update(edge.UpdateOperation.upsert_points(points))
            shard.optimize()
            shard.close()
    return str(folder)
