"""Retrieval methods, from text to ranked documents: BM25, a model, and a model with BM25.

A method is judged on all queries, and timed with all that it takes: encoding of queries and search, and encoding,
storing and indexing of documents. BM25 is what a model has to beat. A static model with BM25 searches
without any attention.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.embedding import encoders, static_encoding
from workbook.embedding.encoders import Encoder
from workbook.evaluation import batches, evaluation, results, statistics, stopwatch
from workbook.evaluation.statistics import Interval
from workbook.evaluation.stopwatch import Times
from workbook.experiments import grid
from workbook.experiments.rankings import DEPTH, RetrievalMethod
from workbook.names import BM25, BM25_BY_SHARD, BM25_TOKENS, with_bm25
from workbook.progress import bar
from workbook.qdrant import engine, server
from workbook.qdrant.bm25 import Bm25, average_tokens, average_words
from workbook.qdrant.client import ANYWHERE, Placement
from workbook.qdrant.engine import Index

TIMED_QUERIES, TIMED_DOCUMENTS = 100, 64  # encoded and searched, and encoded (at least), in each repeat


class MeasuredMethod(NamedTuple):
    """What was measured of a retrieval method: judgements (queries, metrics), seconds with encoding, and bytes.

    `model` is the name of its model, empty for BM25 alone. `searching` has the seconds of `queries` queries as one
    batch in each repeat, `latency` those of each single query, and `indexing` those of one document in each repeat:
    some were encoded, all were stored and indexed. `searched_bytes`: what a search reads of one document, see
    `Index`, `bytes_computed` where the engine does not tell them, None in an older record. `tie_rate`, `tie_range` and
    `nothing_found` are as in `grid.Cell`. `notebook`: whose rows named it, where it was read back from a run.
    """

    label: str
    model: str
    dimension: int | None
    setting: str
    search: str
    key: str
    documents: int
    judgements: pd.DataFrame
    searched_bytes: float | None
    queries: int
    searching: list[float]
    latency: list[float]
    indexing: list[float]
    tie_rate: float | None = None
    tie_range: list[float] | None = None
    nothing_found: int = 0
    bytes_computed: bool = False
    notebook: str = ""

    @property
    def scores(self) -> pd.Series:
        """NDCG@10 of each query."""
        return self.judgements["ndcg@10"]

    @property
    def is_whole(self) -> bool:
        """Whether it searches whole float32 vectors, or words alone."""
        return self.setting in ("", "float32") and self.dimension is None

    @property
    def queries_per_second(self) -> Times:
        return Times.of([self.queries / seconds for seconds in self.searching])

    @property
    def query_ms(self) -> Times:
        return Times.of([1000 * seconds for seconds in self.latency])

    @property
    def documents_per_second(self) -> Times:
        return Times.of([1 / seconds for seconds in self.indexing])

    def minus(self, other: "MeasuredMethod") -> Interval:
        """Interval of the difference in NDCG@10, paired by query."""
        return statistics.mean_difference(self.scores, other.scores)


def find(methods: Sequence[MeasuredMethod], label: str) -> MeasuredMethod | None:
    """The method with that label that was measured last; None if it was not."""
    return next((each for each in reversed(methods) if each.label == label), None)


def bm25_alone(corpus: Corpus, language: str = "english") -> list[RetrievalMethod]:
    """BM25 as Qdrant's documentation has it, with the length of a document in words."""
    return [RetrievalMethod(BM25, bm25=Bm25(average_words(corpus.document_texts), language))]


def bm25_variants(corpus: Corpus, engine_name: str, language: str = "english") -> list[RetrievalMethod]:
    """BM25 with the length in tokens; on a server also as that ranks words itself, by an IDF of each shard."""
    found = [RetrievalMethod(BM25_TOKENS, bm25=Bm25(average_tokens(corpus.document_texts, language), language))]
    if engine_name == "server":
        found += [each._replace(label=BM25_BY_SHARD, idf_by_shard=True) for each in bm25_alone(corpus, language)]
    return found


def with_models(
    corpus: Corpus, models: Mapping[str, Encoder], setting: str = "float32", search: str = "exact",
    language: str = "english", dimension: int | None = None,
) -> list[RetrievalMethod]:  # fmt: skip
    """Each model alone, and with BM25 by either fusion; `models` has the label that names it in rows and figures.

    Vectors are whole or cut to `dimension`, stored with `setting` and searched by `search`.
    """
    (words,), found = bm25_alone(corpus, language), []
    for label, encoder in models.items():
        alone = RetrievalMethod(label, encoder, dimension=dimension, setting=setting, search=search)
        both = [alone._replace(label=with_bm25(label, how), bm25=words.bm25, fusion=how) for how in engine.FUSIONS]
        found += [alone, *both]
    return found


def measure(
    corpus: Corpus, methods: Sequence[RetrievalMethod], engine_name: str = "edge", repeats: int = 3,
    placement: Placement = ANYWHERE,
) -> list[MeasuredMethod]:  # fmt: skip
    """Judge methods and time them in turn, or find them measured.

    Raises WorkbookError before any work for what does not fit an engine or model, or a model with random weights.
    """
    stopwatch.check_repeats(repeats)
    by_model = [each for each in methods if each.encoder]
    settings = [each.setting for each in by_model]
    engine.check(engine_name, settings, [each.search for each in by_model])
    if engine_name == "server":
        server.check_version([*settings, *engine.FUSIONS])
    for each in by_model:
        grid.check_model(each.encoder, [each.dimension or each.encoder.dimensions], [each.setting])
    about = {
        "corpus": corpus.sha256, "documents": len(corpus.documents), "alone": static_encoding.ALONE,
        "methods": [each.identity() for each in methods], "engine": engine_name, "repeats": repeats,
        "candidates": engine.CANDIDATES, "timed": [TIMED_QUERIES, TIMED_DOCUMENTS, encoders.BATCH],
        **({"server": server.identity(), "placement": asdict(placement)} if engine_name == "server" else {}),
        **({} if engine_name == "edge" else {"searched_bytes": "computed"}),
    }  # fmt: skip
    record = results.remember("baselines", about, partial(_measure, corpus, methods, engine_name, placement, repeats))
    found = []
    for method, values in zip(methods, record["values"]["ways"], strict=True):
        judged = pd.DataFrame(values["judgements"], index=pd.Index(corpus.queries, name="query"))
        facts = {
            "model": method.encoder.name if method.encoder else "", "dimension": method.dimension,
            "setting": method.setting, "search": method.search, "key": record["key"],
            "documents": len(corpus.documents), "judgements": judged,
        }  # fmt: skip
        found.append(MeasuredMethod(**{**values, **facts}))
    return found


def rows(corpus: Corpus, methods: Sequence[MeasuredMethod], against: str = "") -> pd.DataFrame:
    """The methods in the long format of `results`; with `against`, a label, paired differences from that one too."""
    found = [row for each in methods for row in _rows(corpus, each)]
    for each in methods:
        if against and each.label != against:
            names = {**_names(corpus, each), "against": against}
            interval = each.minus(find(methods, against))
            found.append({**names, "metric": "ndcg@10 difference", **interval._asdict()})
    return pd.DataFrame(found)


def table(methods: Sequence[MeasuredMethod], against: str) -> pd.DataFrame:
    """The methods as people read them, best first: a row each, with the paired difference from one of them."""
    found, other = {}, find(methods, against)
    told = any(each.nothing_found for each in methods)
    for each in sorted(methods, key=lambda one: -one.scores.mean()):
        found[each.label] = {
            "NDCG@10": str(statistics.mean(each.scores)),
            **({results.NOTHING_KNOWN: each.nothing_found} if told else {}),
            f"against {against}": "" if each is other else str(each.minus(other)),
            "queries/s": _in_words(each.queries_per_second, 0),
            "one query (ms)": _in_words(each.query_ms, 2),
            "indexed documents/s": _in_words(each.documents_per_second, 0),
        }
    return pd.DataFrame.from_dict(found, orient="index")


def _measure(
    corpus: Corpus, methods: Sequence[RetrievalMethod], engine_name: str, placement: Placement, repeats: int
) -> dict[str, list[dict]]:  # fmt: skip
    indexes, storing, encoding = {}, {}, {}  # the last two: seconds of one document in each repeat
    texts, few = corpus.document_texts, corpus.query_texts[:TIMED_QUERIES]
    with ExitStack() as stack, stopwatch.threads(results.machine()["cores"]):
        _built(corpus, methods[-1], engine_name, placement, repeats=1)[0].close()  # the engine is warm
        for method in bar(methods, desc=f"retrieval methods on {corpus.name}", unit="method"):
            if method.stored not in indexes:
                index, storing[method.stored] = _built(corpus, method, engine_name, placement, repeats)
                indexes[method.stored] = stack.enter_context(index)
            for part in method.parts:
                if part.encodes_by not in encoding:
                    encode = partial(part.encode, role="document")
                    encoding[part.encodes_by] = batches.seconds_each(encode, texts, TIMED_DOCUMENTS, repeats)
        timed = zip(methods, _searching(methods, indexes, few, repeats), strict=True)
        return {
            "ways": [
                {
                    "label": method.label, **_judged(corpus, method, indexes[method.stored]),
                    "searched_bytes": indexes[method.stored].searched_bytes(),
                    **({} if engine_name == "edge" else {"bytes_computed": True}),
                    "queries": len(few), "searching": searching, "latency": latency,
                    "indexing": storing[method.stored] + sum(encoding[part.encodes_by] for part in method.parts),
                }
                for method, (searching, latency) in timed
            ]
        }  # fmt: skip


def _searching(
    methods: Sequence[RetrievalMethod], indexes: Mapping[tuple, Index], queries: Sequence[str], repeats: int
) -> list[tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """Seconds of each method from texts to documents: all queries at once, (repeats,), and one by one, (queries,).

    What encodes queries is timed once for all methods that it is a part of, and added to the search of each.
    """
    parts = {part.asks_by: part for method in methods for part in method.parts}
    encoders = [partial(part.encode, queries, "query") for part in parts.values()]
    ready = dict(zip(parts, (encode() for encode in encoders), strict=True))
    asks = [partial(method.ask, indexes[method.stored], *method.joined(ready)) for method in methods]
    at_once = [np.array(seconds) for seconds in stopwatch.rounds([*encoders, *asks], repeats, warm_ups=1)]
    encoding = dict(zip(parts, at_once, strict=False))
    single = {name: [stopwatch.timed(partial(parts[name].encode, [one], "query")) for one in queries] for name in parts}
    found = []
    for method, seconds in zip(methods, at_once[len(parts) :], strict=True):
        by = [part.asks_by for part in method.parts]
        alone = []
        for own in zip(*(single[name] for name in by), strict=True):
            asked = method.joined({name: encoded for name, (_, encoded) in zip(by, own, strict=True)})
            searched = stopwatch.seconds_of(partial(method.ask, indexes[method.stored], *asked))
            alone.append(searched + sum(spent for spent, _ in own))
        found.append((seconds + sum(encoding[name] for name in by), np.array(alone)))
    return found


def _built(
    corpus: Corpus, method: RetrievalMethod, engine_name: str, placement: Placement, repeats: int
) -> tuple[Index, np.ndarray]:  # fmt: skip
    """An index of the documents, and the seconds for each that storing, indexing and proving took, (repeats,)."""
    rows, words = method.encode(corpus.document_texts, "document", kept=True)
    setting = method.setting or "float32"
    build = partial(
        engine.build, rows, setting, engine_name, placement=placement.for_setting(setting), words=words,
        idf_by_shard=method.idf_by_shard,
    )  # fmt: skip
    seconds = []
    for _ in range(repeats - 1):
        with build() as index:
            seconds.append(index.build_seconds)
    index = build()
    return index, np.array([*seconds, index.build_seconds]) / len(corpus.documents)


def _judged(corpus: Corpus, method: RetrievalMethod, index: Index) -> dict:
    """What `MeasuredMethod` has of scores, of equal scores and of queries without a result."""
    names = corpus.document_ids
    hits = method.rank(index, *method.encode(corpus.query_texts, "query", kept=True), names)
    ids, scores = evaluation.in_order(hits.ids, hits.scores, names)
    judged = evaluation.judge(corpus, [[names[number] for number in row[:DEPTH] if number >= 0] for row in ids])
    return {
        "judgements": {metric: judged[metric].tolist() for metric in judged},
        "tie_rate": evaluation.tie_rate(scores), "tie_range": evaluation.tie_range(corpus, ids, scores, names),
        "nothing_found": evaluation.nothing_found(ids),
    }  # fmt: skip


def _in_words(times: Times, digits: int) -> str:
    return statistics.with_range(*times[:3], f",.{digits}f")


def _names(corpus: Corpus, each: MeasuredMethod) -> dict[str, object]:
    return {
        "corpus": corpus.name, "model": each.model, "dimension": each.dimension, "setting": each.setting,
        "search": each.search, "method": each.label, "key": each.key,
    }  # fmt: skip


def _rows(corpus: Corpus, each: MeasuredMethod) -> Iterator[dict]:
    names, n = _names(corpus, each), len(each.judgements)
    for metric in evaluation.METRICS:
        yield {**names, "metric": metric, **statistics.mean(each.judgements[metric])._asdict()}
    if each.search in ("", "exact", "full-ef"):  # elsewhere a tie that the limit cuts through is not seen whole
        low, high = each.tie_range
        yield {**names, "metric": "ndcg@10 over tie orders", "value": each.scores.mean(), "low": low, "high": high}
        yield {**names, "metric": "tie rate@10", "value": each.tie_rate, "n": n}
    if each.nothing_found:
        yield {**names, "metric": results.NOTHING_KNOWN, "value": each.nothing_found, "n": n}
    yield {**names, "metric": "queries/s with encoding", **each.queries_per_second._asdict()}
    yield {**names, "metric": "latency ms with encoding", **each.query_ms._asdict()}
    yield {**names, "metric": "indexed documents/s", **each.documents_per_second._asdict()}
    how = "computed " if each.bytes_computed else ""
    yield {**names, "metric": f"{how}searched bytes per document", "value": each.searched_bytes}
