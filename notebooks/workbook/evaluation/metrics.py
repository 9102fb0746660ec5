"""The metrics of the rows: how each is written on an axis and in a table. Add a metric here, nowhere else."""

from typing import NamedTuple


class Metric(NamedTuple):
    """How a metric is written on an axis and in a table, and whether another run of the same finds the same value.

    `repeats` is false for what a clock or the memory tells, and for what is computed from that.
    """

    label: str
    digits: int = 3
    repeats: bool = True


METRICS = {
    "ndcg@10": Metric("NDCG@10"),
    "recall@100": Metric("recall@100"),
    "mrr@10": Metric("MRR@10"),
    "ndcg@10 difference": Metric("NDCG@10 difference"),
    "ndcg@10 over seeds": Metric("NDCG@10, range over seeds"),
    "share kept": Metric("share of NDCG@10 kept", 3),
    "ndcg@10 over tie orders": Metric("NDCG@10 over tie orders"),
    "queries it finds nothing for": Metric("queries it finds nothing for", 0),
    "tie rate@10": Metric("tie rate@10", 3),
    "bytes per vector": Metric("bytes per vector", 0),
    "index seconds": Metric("index build (s)", 2, repeats=False),
    "queries/s": Metric("queries/s", 0, repeats=False),
    "latency ms": Metric("latency (ms)", 2, repeats=False),
    "queries/s with encoding": Metric("queries/s, encoding included", 0, repeats=False),
    "latency ms with encoding": Metric("one query (ms), encoding included", 2, repeats=False),
    "indexed documents/s": Metric("documents/s, encoded and indexed", 0, repeats=False),
    "searched bytes per document": Metric("bytes a search reads per document", 0),
    "computed searched bytes per document": Metric("bytes a search reads per document, computed", 0),
    "texts/s": Metric("texts/s", 0, repeats=False),
    "tokens/s": Metric("tokens/s", 0, repeats=False),
    "best batch": Metric("best batch", 0, repeats=False),
    "texts/s tried": Metric("texts/s, tried", 0, repeats=False),
    "best speed not found": Metric("best speed not found", 0, repeats=False),
    "texts/s beside a plain loop": Metric("texts/s, best batch", 0, repeats=False),
    "texts/s of a plain loop, batches of 64": Metric("plain loop, batches of 64 (texts/s)", 0, repeats=False),
    "texts/s of a plain loop, batches of 32": Metric("plain loop, batches of 32 (texts/s)", 0, repeats=False),
    "share of the plain loop": Metric("share of the faster plain loop", 2, repeats=False),
    "tokenization share": Metric("tokenization, share of time", 2, repeats=False),
    "model share": Metric("model, share of time", 2, repeats=False),
    "pooling share": Metric("pooling, share of time", 2, repeats=False),
    "speed-up": Metric("times as fast", 1, repeats=False),
    "texts/s of the model alone": Metric("texts/s, without tokenization", 0, repeats=False),
    "one query ms": Metric("one query (ms)", 2, repeats=False),
    "least cosine": Metric("least similar vector (cosine to PyTorch's float32)", 5),
    "form not run": Metric("not run", 0),
    "hours per million, computed": Metric("hours per million, computed", 2, repeats=False),
    "price per million, computed": Metric("price per million, computed", 2, repeats=False),
    "kWh per million, computed": Metric("kWh per million, computed", 3, repeats=False),
    "times smaller": Metric("times smaller", 1),
    "load seconds": Metric("load (s)", 2, repeats=False),
    "first text ms": Metric("first text (ms)", 1, repeats=False),
    "warm text ms": Metric("tenth text (ms)", 2, repeats=False),
    "memory MB": Metric("memory of the model (MB)", 0, repeats=False),
    "peak process MB": Metric("peak memory of the process (MB)", 0, repeats=False),
    "load ms": Metric("load (ms)", 1, repeats=False),
    "embedding megabytes": Metric("embeddings (MB)", 1),
    "disk bytes per vector": Metric("disk (bytes per vector)", 0),
    "computed RAM bytes per vector": Metric("RAM, computed (bytes per vector)", 0),
    "phase seconds": Metric("seconds", 2, repeats=False),
    "documents/s": Metric("documents/s", 0, repeats=False),
    "words/s": Metric("words/s", 0, repeats=False),
    "peak MB": Metric("peak resident memory (MB)", 0, repeats=False),
    "disk bytes per document": Metric("disk (bytes per document)", 0),
    "GB per million vectors": Metric("GB per million vectors", 3),
    "ann precision@10": Metric("ANN precision@10", 3),
    "growth exponent": Metric("exponent", 2, repeats=False),
    "growth r2": Metric("R²", 4, repeats=False),
    "resumed documents": Metric("documents of an interrupted attempt", 0, repeats=False),
    "extrapolated hours to encode": Metric("hours to encode, extrapolated", 2, repeats=False),
    "extrapolated hours to encode, at the measured rate": Metric(
        "hours to encode, at the highest rate measured", 2, repeats=False
    ),
    "extrapolated hours to index": Metric("hours to index, extrapolated", 2, repeats=False),
    "extrapolated hours to index, at the measured rate": Metric(
        "hours to index, at the highest rate measured", 2, repeats=False
    ),
    "extrapolated hours to encode, store and index": Metric(
        "hours to encode, store and index, extrapolated", 2, repeats=False
    ),
    "extrapolated hours to encode, store and index, at the measured rate": Metric(
        "hours to encode, store and index, at the highest rate measured", 2, repeats=False
    ),
    "extrapolated RAM GB": Metric("RAM (GB), extrapolated", 1),
    "extrapolated disk GB": Metric("disk (GB), extrapolated", 1),
    "extrapolated nodes": Metric("nodes, extrapolated", 0),
    "extrapolated documents per node": Metric("documents per node, extrapolated", 0),
    "extrapolated times the largest run": Metric("times the largest run", 0),
    "parameters": Metric("parameters", 0),
    "megabytes": Metric("size on disk (MB)", 1),
    "training seconds": Metric("training (s)", 0, repeats=False),
    "peak memory MB": Metric("peak memory of training (MB)", 0, repeats=False),
    "place: memory_mb": Metric("memory at the place (MB)", 1),
    "place: computed memory_mb": Metric("memory at the place, computed (MB)", 1),
    "place: index_hours": Metric("hours to index at the place", 3, repeats=False),
    "place: query_ms": Metric("a query at the place (ms)", 2, repeats=False),
    "words per document": Metric("words of a document, median", 0),
    "words per query": Metric("words of a query, median", 0),
    "distinct words": Metric("different words", 0),
    "query words in the corpus": Metric("of a query's words: in any document", 2),
    "query words in the best matching document": Metric("in the document that has most of them", 2),
    "query words in the relevant document": Metric("in the right document", 2),
    "top ten in common": Metric("best ten documents in common", 2),
    "known-item ndcg@10": Metric("own words searched: NDCG@10"),
    "known-item share kept": Metric("own words searched: share of NDCG@10 kept", 2),
    "gain bought": Metric("share of attention's gain that is bought", 2),
    "queries asked again": Metric("share of queries asked again", 2),
    "weakness asked from": Metric("weakness from which on a query is asked again", 3),
    "mean query ms": Metric("a query on average (ms)", 2, repeats=False),
    "slowest query ms": Metric("95th percentile (ms)", 2, repeats=False),
    "held-out ndcg@10": Metric("NDCG@10 on held-out anchors"),
}
