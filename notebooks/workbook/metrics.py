"""The metrics of the rows: how each is written on an axis and in a table. Add a metric here, nowhere else."""

from typing import NamedTuple


class Metric(NamedTuple):
    """How a metric is written on an axis and in a table."""

    label: str
    digits: int = 4


METRICS = {
    "ndcg@10": Metric("NDCG@10"),
    "recall@100": Metric("recall@100"),
    "mrr@10": Metric("MRR@10"),
    "ndcg@10 difference": Metric("NDCG@10 difference"),
    "ndcg@10 over seeds": Metric("NDCG@10, range over seeds"),
    "p difference": Metric("p, difference (Holm)"),
    "p margin": Metric("p, no worse than the margin (Holm)"),
    "share kept": Metric("share of NDCG@10 kept", 3),
    "ndcg@10 over tie orders": Metric("NDCG@10 over tie orders"),
    "tie rate@10": Metric("tie rate@10", 3),
    "bytes per vector": Metric("bytes per vector", 0),
    "index seconds": Metric("index build (s)", 2),
    "queries/s": Metric("queries/s", 0),
    "latency ms": Metric("latency (ms)", 2),
    "queries/s with encoding": Metric("queries/s, encoding included", 0),
    "latency ms with encoding": Metric("one query (ms), encoding included", 2),
    "indexed documents/s": Metric("documents/s, encoded and indexed", 0),
    "searched bytes per document": Metric("bytes a search reads per document", 0),
    "texts/s": Metric("texts/s", 0),
    "tokens/s": Metric("tokens/s", 0),
    "best batch": Metric("best batch", 0),
    "texts/s tried": Metric("texts/s, tried once", 0),
    "tokenization share": Metric("tokenization, share of time", 2),
    "model share": Metric("model, share of time", 2),
    "pooling share": Metric("pooling, share of time", 2),
    "speed-up": Metric("times as fast", 1),
    "times smaller": Metric("times smaller", 1),
    "load seconds": Metric("load (s)", 2),
    "first text ms": Metric("first text (ms)", 1),
    "warm text ms": Metric("tenth text (ms)", 2),
    "memory MB": Metric("memory of the model (MB)", 0),
    "peak process MB": Metric("peak memory of the process (MB)", 0),
    "load ms": Metric("load (ms)", 1),
    "embedding megabytes": Metric("embeddings (MB)", 1),
    "disk bytes per vector": Metric("disk (bytes per vector)", 0),
    "computed RAM bytes per vector": Metric("RAM, computed (bytes per vector)", 0),
    "phase seconds": Metric("seconds", 2),
    "documents/s": Metric("documents/s", 0),
    "peak MB": Metric("peak resident memory (MB)", 0),
    "disk bytes per document": Metric("disk (bytes per document)", 0),
    "GB per million vectors": Metric("GB per million vectors", 3),
    "ann precision@10": Metric("ANN precision@10", 3),
    "growth exponent": Metric("exponent", 2),
    "growth r2": Metric("R²", 4),
    "resumed documents": Metric("documents of an interrupted attempt", 0),
    "extrapolated hours to encode": Metric("hours to encode, extrapolated", 2),
    "extrapolated hours to index": Metric("hours to index, extrapolated", 2),
    "extrapolated RAM GB": Metric("RAM (GB), extrapolated", 1),
    "extrapolated disk GB": Metric("disk (GB), extrapolated", 1),
    "extrapolated nodes": Metric("nodes, extrapolated", 0),
    "extrapolated documents per node": Metric("documents per node, extrapolated", 0),
    "extrapolated times the largest run": Metric("times the largest run", 0),
    "parameters": Metric("parameters", 0),
    "megabytes": Metric("size on disk (MB)", 1),
    "training seconds": Metric("training (s)", 0),
    "peak memory MB": Metric("peak memory of training (MB)", 0),
    "place: memory_mb": Metric("memory at the place (MB)", 1),
    "place: index_hours": Metric("hours to index at the place", 3),
    "place: query_ms": Metric("a query at the place (ms)", 2),
    "held-out ndcg@10": Metric("NDCG@10 on held-out anchors"),
}
