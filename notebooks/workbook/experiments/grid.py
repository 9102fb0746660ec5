"""The measurement itself: dimensions x settings x searches of one model on one corpus, each judged per query.

Vectors are encoded once and truncated; one index serves all searches on it; what was measured before is not again.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.embedding import vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, results, statistics, stopwatch
from workbook.experiments import rankings
from workbook.progress import bar
from workbook.qdrant import engine, quantization, server
from workbook.qdrant.client import ANYWHERE, Placement
from workbook.qdrant.engine import Index, Search

LATENCY_QUERIES = 100  # searched one by one for the latency
NEAREST = 10  # neighbours that ANN precision looks at


@dataclass(frozen=True)
class Cell:
    """One measured combination: judgements (queries, metrics), sizes, and seconds of each repeat.

    `ann_precision` is, of each query, the share of its ten best that are as near as the ten nearest by exact search: it
    needs no judgements. `nothing_found`: number of queries of which the model knows nothing; they score 0. `tie_range`
    is what the mean NDCG@10 could be over the orders of equal scores. `index_seconds` is HNSW and quantization,
    `build_seconds` everything up to the proof. `seconds` is for all queries as one batch,
    `latency` for single ones; both empty where nothing was timed.
    """

    model: str
    dimension: int
    setting: str
    search: str
    key: str
    limit: int
    judgements: pd.DataFrame
    rankings_sha256: str
    tie_rate: float
    tie_range: list[float]
    bytes_per_vector: int
    index_seconds: float
    build_seconds: float
    seconds: list[float]
    latency: list[float]
    nothing_found: int = 0
    ann_precision: list[float] = field(default_factory=list)


def measure(
    corpus: Corpus, encoder: Encoder, dimensions: Sequence[int], settings: Sequence[str], searches: Sequence[str],
    engine_name: str = "edge", limit: int = evaluation.DEPTH, repeats: int = 3, placement: Placement = ANYWHERE,
) -> list[Cell]:  # fmt: skip
    """Measure every combination that means something, dimension by dimension, setting by setting.

    `exact` is measured on float32 only and rescoring on quantized settings only: elsewhere the engine would ignore it.
    Searches that one would run, all but exact and full-ef, are also timed. With rescoring, `limit` x oversampling
    candidates are rescored, so `limit` is part of what is measured.
    Raises WorkbookError before any work for a setting, search, dimension or engine that does not fit.
    """
    engine.check(engine_name, settings, searches)
    if engine_name == "server":
        server.check_version(settings)
    check_model(encoder, dimensions, settings)
    named = {name: Search.named(name) for name in searches}
    codes, whole = ([name for name in named if not getattr(named[name], what)] for what in ("exact", "rescore"))
    plan = {setting: whole if setting == "float32" else codes for setting in settings}
    check_codebooks(f"{corpus.name} has {len(corpus.documents)} documents", len(corpus.documents), settings)
    document_vectors, query_vectors = encode(corpus, encoder)
    fixed = {
        "corpus": corpus.sha256, "documents": encoder.identity("document"), "queries": encoder.identity("query"),
        "engine": engine_name, "m": engine.M, "ef_construct": engine.EF_CONSTRUCT, "limit": limit, "repeats": repeats,
        "nearest": NEAREST,
    }  # fmt: skip
    if engine_name == "server":
        fixed |= {"server": server.identity(), "placement": asdict(placement)}
    cells = []
    total = len(dimensions) * sum(map(len, plan.values()))
    with bar(total=total, desc=f"{encoder.name} on {corpus.name}", unit="cell") as progress:
        for dimension in dimensions:
            documents = vectors.truncate(document_vectors, dimension)
            queries = vectors.truncate(query_vectors, dimension)
            for setting, names in plan.items():
                about = {**fixed, "dimension": dimension, "setting": setting}
                for name, record in _on_one_index(corpus, documents, queries, names, about, placement):
                    judged = pd.DataFrame(record["values"]["judgements"], index=pd.Index(corpus.queries, name="query"))
                    values = {**record["values"], "judgements": judged}
                    cells.append(Cell(encoder.name, dimension, setting, name, record["key"], limit, **values))
                    progress.update()
    return cells


def check_model(encoder: Encoder, dimensions: Sequence[int], settings: Sequence[str]) -> None:
    """Raise WorkbookError for a setting or dimension that does not fit the model, and for random weights."""
    quantization.check(list(settings), list(dimensions))
    if encoder.speed_only:
        raise WorkbookError(f"{encoder.name} has random weights: it is for timing, its scores would mean nothing")
    vectors.check_dimensions(encoder, dimensions)


def check_codebooks(told: str, n: int, settings: Sequence[str]) -> None:
    """Raise WorkbookError, which says what was told, if product codebooks hold all of so few vectors."""
    if n <= quantization.CENTROIDS and any(quantization.SETTINGS[name].family == "product" for name in settings):
        raise WorkbookError(
            f"{told}: product codebooks of {quantization.CENTROIDS} hold them all and would lose nothing; "
            f"leave the product settings out"
        )


def encode(corpus: Corpus, encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the documents and of the queries, encoded now or before: float32 (n, d), not normalised.

    Raises WorkbookError if most texts get a vector of zeros: nothing can be ranked by those.
    """
    found = (
        vectors.encode(encoder, corpus.document_texts, "document"),
        vectors.encode(encoder, corpus.query_texts, "query"),
    )
    for what, rows in zip(("documents", "queries"), found, strict=True):
        empty = int((~rows.any(axis=1)).sum())
        if empty > len(rows) / 2:
            raise WorkbookError(
                f"{encoder.name} knows no word of {empty:,} of the {len(rows):,} {what} of {corpus.name}: "
                f"take a model for their language"
            )
    return found


def find(cells: Sequence[Cell], **facts: object) -> Cell:
    """The one cell with these facts, e.g. find(cells, dimension=384, setting="float32", search="exact")."""
    found = [cell for cell in cells if all(getattr(cell, name) == value for name, value in facts.items())]
    if len(found) != 1:
        raise WorkbookError(f"{len(found)} cells with {facts}; expected one")
    return found[0]


def check_applied(cells: Sequence[Cell]) -> None:
    """Raise WorkbookError if codes at full ef rank every query as float32 does, exactly or at full ef."""
    for cell in cells:
        if cell.setting != "float32" and cell.search == "full-ef":
            alike = [c for c in cells if (c.model, c.dimension, c.setting) == (cell.model, cell.dimension, "float32")]
            if cell.rankings_sha256 in {c.rankings_sha256 for c in alike if c.search in ("exact", "full-ef")}:
                raise WorkbookError(f"{cell.setting} at {cell.dimension} dimensions ranks as float32: it did not apply")


def rows(corpus: Corpus, cells: Sequence[Cell]) -> pd.DataFrame:
    """The cells in the long format of `results`: a row for each metric of each cell, with interval or range and n."""
    return pd.DataFrame([row for cell in cells for row in _rows(corpus, cell)])


def _on_one_index(
    corpus: Corpus, documents: np.ndarray, queries: np.ndarray, names: Sequence[str], about: dict, placement: Placement
) -> Iterator[tuple[str, dict]]:
    """Measure the searches on one index, which is not even built if all of them were measured before."""
    abouts = {name: {**about, "search": Search.named(name)._asdict()} for name in names}
    with ExitStack() as stack:
        index = None
        if any(results.find("cells", described) is None for described in abouts.values()):
            index = engine.build(
                documents, about["setting"], about["engine"], placement=placement.for_setting(about["setting"])
            )
            stack.enter_context(index)
        for name, described in abouts.items():
            search = Search.named(name)
            work = partial(_values, corpus, index, documents, queries, search, about["limit"], about["repeats"])
            yield name, results.remember("cells", described, work)


def _values(
    corpus: Corpus, index: Index, documents: np.ndarray, queries: np.ndarray, search: Search, limit: int, repeats: int
) -> dict:  # fmt: skip
    depth, names = limit + corpus.drop_identical, corpus.document_ids
    timed = not search.exact and search.hnsw_ef != engine.ALL
    hits = rankings.by_vectors(index, queries, depth, search)
    ids, scores = evaluation.in_order(hits.ids, hits.scores, names)
    ranked = [[names[number] for number in row[:depth] if number >= 0] for row in ids]
    judged = evaluation.judge(corpus, ranked)
    tie_rate = evaluation.tie_rate(scores)
    mean = float(judged["ndcg@10"].mean())
    ties = evaluation.tie_range(corpus, ids, scores, names) if tie_rate else (mean, mean)
    near, nearest = (
        evaluation.similarities(queries, found[:, :NEAREST], lambda rows: documents[rows])
        for found in (ids, index.search(queries, NEAREST, Search(exact=True)).ids)
    )
    one_by_one = [query[None] for query in queries[queries.any(axis=1)][:LATENCY_QUERIES]]
    return {
        "judgements": {metric: judged[metric].tolist() for metric in judged},
        "rankings_sha256": hashlib.sha256(json.dumps(ranked).encode()).hexdigest(),
        "nothing_found": evaluation.nothing_found(ids),
        "tie_rate": tie_rate,
        "tie_range": ties,
        "bytes_per_vector": index.bytes_per_vector,
        "index_seconds": index.index_seconds,
        "build_seconds": index.build_seconds,
        "seconds": [index.search(queries, depth, search).seconds for _ in range(repeats if timed else 0)],
        "latency": [index.search(query, depth, search).seconds for query in (one_by_one if timed else [])],
        "ann_precision": evaluation.ann_precision(near, nearest),
    }


def _rows(corpus: Corpus, cell: Cell) -> Iterator[dict]:
    names = {
        "corpus": corpus.name, "model": cell.model, "dimension": cell.dimension, "setting": cell.setting,
        "search": cell.search, "key": cell.key,
    }  # fmt: skip
    for metric in evaluation.METRICS:
        if cell.limit >= int(metric.split("@")[1]):  # recall@100 of ten results would be recall@10
            yield {**names, "metric": metric, **statistics.mean(cell.judgements[metric])._asdict()}
    if cell.search in ("exact", "full-ef"):  # elsewhere a tie that the limit cuts through is not seen whole
        low, high = cell.tie_range
        score = cell.judgements["ndcg@10"].mean()
        yield {**names, "metric": "ndcg@10 over tie orders", "value": score, "low": low, "high": high}
        yield {**names, "metric": "tie rate@10", "value": cell.tie_rate, "n": len(cell.judgements)}
    if cell.nothing_found:
        yield {**names, "metric": results.NOTHING_KNOWN, "value": cell.nothing_found, "n": len(cell.judgements)}
    precision = pd.Series(cell.ann_precision, index=cell.judgements.index, dtype=float).dropna()
    yield {**names, "metric": f"ann precision@{NEAREST}", **statistics.mean(precision)._asdict()}
    yield {**names, "metric": "bytes per vector", "value": cell.bytes_per_vector}
    yield {**names, "metric": "index seconds", "value": cell.index_seconds, "n": 1}
    if cell.seconds:
        speeds = [len(cell.judgements) / seconds for seconds in cell.seconds]
        yield {**names, "metric": "queries/s", **stopwatch.Times.of(speeds)._asdict()}
        yield {**names, "metric": "latency ms", **stopwatch.Times.of([1000 * s for s in cell.latency])._asdict()}
