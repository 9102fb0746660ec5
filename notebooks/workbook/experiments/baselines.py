"""What a model has to beat: BM25, and models together with BM25, from text to ranked documents.

Each way to search is judged, and timed with all that it takes: encoding of queries and search, and encoding, storing
and indexing of documents. A static model with BM25 is a search without any attention.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.embedding import encoders, vectors
from workbook.embedding.encoders import Encoder, Role
from workbook.errors import WorkbookError
from workbook.evaluation import batches, evaluation, results, statistics, stopwatch
from workbook.evaluation.stopwatch import Times
from workbook.experiments import rankings
from workbook.names import BM25, BM25_BY_SHARD, BM25_TOKENS
from workbook.progress import bar
from workbook.qdrant import engine, quantization, server
from workbook.qdrant.bm25 import Bm25, Sparse, average_tokens, average_words
from workbook.qdrant.client import ANYWHERE, Placement
from workbook.qdrant.engine import Hits, Index, Search

DEPTH = evaluation.DEPTH + 1  # results; one more, where a document that is the query itself is passed over
TIMED_QUERIES, TIMED_DOCUMENTS = 100, 128  # encoded and searched, and encoded (at least), in each repeat


@dataclass(frozen=True)
class Baseline:
    """One way to search, judged: (queries, metrics). Times are seconds, one of each repeat but `latency`.

    `searching` is of `queries` queries as one batch and `latency` of single ones, encoding included; `indexing` is of
    one document: encoding (of some of them), storing and indexing (of all). `tie_rate`, `tie_range` and `nothing_found`
    are as in `sweep.Cell`. `dimension` is None for whole vectors. `searched_bytes` of one document: what a search
    reads, see `Index`; `bytes_computed` where the engine does not tell.
    """

    label: str
    model: str
    dimension: int | None
    setting: str
    search: str
    judgements: pd.DataFrame
    tie_rate: float
    tie_range: list[float]
    nothing_found: int
    searched_bytes: float
    queries: int
    searching: list[float]
    latency: list[float]
    indexing: list[float]
    key: str
    bytes_computed: bool = False


class _Way(NamedTuple):
    """What a baseline searches by: a model, BM25, or both and how they are fused."""

    label: str
    encoder: Encoder | None = None
    bm25: Bm25 | None = None
    fusion: str = ""
    dimension: int | None = None
    idf_by_shard: bool = False

    @property
    def stored(self) -> tuple[str, str, float, bool]:
        """What is in its index; ways that differ in fusion alone share one."""
        model = (self.encoder.name, self.encoder.revision) if self.encoder else ("", "")
        return *model, self.bm25.average_length if self.bm25 else 0, self.idf_by_shard

    @property
    def parts(self) -> "list[_Way]":
        """The ways to search by the model alone and by BM25 alone that this one is made of."""
        model = [self._replace(bm25=None, fusion="")] if self.encoder else []
        return model + ([self._replace(encoder=None, fusion="")] if self.bm25 else [])

    def encode(self, texts: Sequence[str], role: Role) -> tuple[np.ndarray | None, list[Sparse] | None]:
        """Vectors (n, d) and words of texts, each None if not searched by."""
        words = (self.bm25.queries if role == "query" else self.bm25.documents)(texts) if self.bm25 else None
        return self.cut(self.encoder.encode(texts, role)) if self.encoder else None, words

    def cut(self, rows: np.ndarray) -> np.ndarray:
        """Vectors as they are stored and asked with: (n, dimension), of length 1."""
        return vectors.truncate(rows, self.dimension or rows.shape[1])

    def ask(self, index: Index, rows: np.ndarray | None, words: list[Sparse] | None, search: Search) -> Hits:
        """Search an index for encoded queries as one would, for the time that it takes."""
        if self.encoder and self.bm25:
            return index.fuse(rows, words, DEPTH, search, self.fusion)
        return index.search(rows, DEPTH, search) if self.encoder else index.search_words(words, DEPTH)

    def rank(
        self, index: Index, rows: np.ndarray | None, words: list[Sparse] | None, search: Search, ids: Sequence[str]
    ) -> Hits:  # fmt: skip
        """The same for the score: no group of equals is cut, see `rankings`; of two rankings, all that is fused."""
        if self.encoder and self.bm25:
            return rankings.by_both(index, rows, words, search, self.fusion, ids)
        by_vectors = partial(rankings.by_vectors, index, rows, DEPTH, search)
        return by_vectors() if self.encoder else rankings.by_words(index, words, DEPTH)


def measure(
    corpus: Corpus, models: Mapping[str, Encoder], setting: str = "float32", search: str = "exact",
    engine_name: str = "edge", repeats: int = 3, language: str = "english", placement: Placement = ANYWHERE,
    dimension: int | None = None,
) -> list[Baseline]:  # fmt: skip
    """Judge and time BM25, each model alone, and each with BM25 by either fusion, in turn; or find them measured.

    `models` has a label for each model, which then names it in rows and figures. Vectors are whole or cut to
    `dimension`, stored with `setting` and searched by `search`. Raises WorkbookError before any work for a setting,
    search, dimension or engine that does not fit, or a model with random weights.
    """
    engine.check(engine_name, [setting], [search])
    if engine_name == "server":
        server.check_version([setting, *engine.FUSIONS])
    quantization.check([setting], [dimension or encoder.dimensions for encoder in models.values()])
    for encoder in models.values():
        encoders.check_dimensions(encoder, [dimension] if dimension else [])
        if encoder.speed_only:
            raise WorkbookError(f"{encoder.name} has random weights: it is for timing, its scores would mean nothing")
    identities = [[each.identity(role) for role in ("document", "query")] for each in models.values()]
    about = {
        "corpus": corpus.sha256, "documents": len(corpus.documents), "models": identities, "labels": list(models),
        "dimension": dimension,
        "setting": setting, "search": Search.named(search)._asdict(), "engine": engine_name, "repeats": repeats,
        "language": language, "candidates": engine.CANDIDATES,
        "timed": [TIMED_QUERIES, TIMED_DOCUMENTS, encoders.BATCH],
        **({"server": server.identity(), "placement": asdict(placement)} if engine_name == "server" else {}),
        **({} if engine_name == "edge" else {"searched_bytes": "computed"}),
    }  # fmt: skip
    ways = _ways(corpus, models, language, dimension, engine_name)
    work = partial(_measure, corpus, ways, engine_name, placement, setting, Search.named(search), repeats)
    record = results.remember("baselines", about, work)
    return [
        _baseline(corpus, way, setting, search, record["key"], values)
        for way, values in zip(ways, record["values"]["ways"], strict=True)
    ]


def rows(corpus: Corpus, baselines: Sequence[Baseline], against: str = "") -> pd.DataFrame:
    """The baselines in the long format of `results`; with `against`, a label, paired differences from that one too."""
    found = [row for each in baselines for row in _rows(corpus, each)]
    others = [each for each in baselines if against and each.label != against]
    for each in others:
        interval = statistics.mean_difference(each.judgements["ndcg@10"], find(baselines, against)["ndcg@10"])
        names = {**_names(corpus, each), "against": against}
        found.append({**names, "metric": "ndcg@10 difference", **interval._asdict()})
    return pd.DataFrame(found)


def find(baselines: Sequence[Baseline], label: str) -> pd.DataFrame:
    """Judgements of the baseline with that label, (queries, metrics)."""
    return next(each.judgements for each in baselines if each.label == label)


def table(baselines: Sequence[Baseline], against: str) -> pd.DataFrame:
    """The baselines as people read them, best first: a row each, with the paired difference from one of them."""
    found, other = {}, find(baselines, against)["ndcg@10"]
    told = any(each.nothing_found for each in baselines)
    for each in sorted(baselines, key=lambda one: -one.judgements["ndcg@10"].mean()):
        scores = each.judgements["ndcg@10"]
        found[each.label] = {
            "NDCG@10": str(statistics.mean(scores)),
            **({results.NOTHING_KNOWN: each.nothing_found} if told else {}),
            f"against {against}": "" if each.label == against else str(statistics.mean_difference(scores, other)),
            "queries/s": _in_words(_rates(each), 0),
            "one query (ms)": _in_words(_milliseconds(each), 2),
            "indexed documents/s": _in_words(_documents(each), 0),
        }
    return pd.DataFrame.from_dict(found, orient="index")


def _ways(
    corpus: Corpus, models: Mapping[str, Encoder], language: str, dimension: int | None, engine_name: str
) -> list[_Way]:  # fmt: skip
    """On a server, words also as it ranks them itself, by an IDF of each shard, which the others do not depend on."""
    texts = corpus.document_texts
    usual = Bm25(average_words(texts), language)
    ways = [_Way(BM25, bm25=usual), _Way(BM25_TOKENS, bm25=Bm25(average_tokens(texts, language), language))]
    if engine_name == "server":
        ways.append(_Way(BM25_BY_SHARD, bm25=usual, idf_by_shard=True))
    for label, encoder in models.items():
        ways.append(_Way(label, encoder, dimension=dimension))
        ways += [_Way(f"{label} + BM25 ({how})", encoder, usual, how, dimension) for how in engine.FUSIONS]
    return ways


def _measure(
    corpus: Corpus,
    ways: Sequence[_Way],
    engine_name: str,
    placement: Placement,
    setting: str,
    search: Search,
    repeats: int,
) -> dict[str, list[dict]]:
    indexes: dict[tuple[str, str, float, bool], Index] = {}
    storing: dict[tuple[str, str, float, bool], np.ndarray] = {}
    encoding: dict[tuple[str, str, float, bool], np.ndarray] = {}
    with ExitStack() as stack, stopwatch.threads(results.machine()["cores"]):
        for way in bar(ways, desc=f"baselines on {corpus.name}", unit="way"):
            if way.stored not in indexes:
                index, storing[way.stored] = _built(corpus, way, engine_name, placement, setting, repeats)
                indexes[way.stored] = stack.enter_context(index)
            for part in way.parts:
                if part.stored not in encoding:
                    encoding[part.stored] = _encoding(corpus, part, repeats)
        few = corpus.query_texts[:TIMED_QUERIES]

        def ask(way: _Way, texts: list[str]) -> None:
            way.ask(indexes[way.stored], *way.encode(texts, "query"), search)

        searching = stopwatch.rounds([partial(ask, way, few) for way in ways], repeats)
        found = []
        for way, seconds in zip(ways, searching, strict=True):
            judged, ties = _judged(corpus, way, indexes[way.stored], search)
            indexing = storing[way.stored] + sum(encoding[part.stored] for part in way.parts)
            latency = [stopwatch.seconds_of(partial(ask, way, [text])) for text in few]
            told = {} if engine_name == "edge" else {"bytes_computed": True}
            found.append(
                {
                    "label": way.label, "judgements": {metric: judged[metric].tolist() for metric in judged},
                    **ties, "searched_bytes": indexes[way.stored].searched_bytes(), **told,
                    "queries": len(few), "searching": seconds, "latency": latency, "indexing": indexing,
                }
            )  # fmt: skip
    return {"ways": found}


def _built(
    corpus: Corpus, way: _Way, engine_name: str, placement: Placement, setting: str, repeats: int
) -> tuple[Index, np.ndarray]:  # fmt: skip
    """An index of the way's documents, and the seconds for each that storing, indexing and proving took, (repeats,).

    Built once more to warm up.
    """
    rows = way.cut(vectors.encode(way.encoder, corpus.document_texts, "document")) if way.encoder else None
    words = way.bm25.documents(corpus.document_texts) if way.bm25 else None
    setting = setting if way.encoder else "float32"
    placement = placement.for_setting(setting)
    build = partial(
        engine.build, rows, setting, engine_name, placement=placement, words=words, idf_by_shard=way.idf_by_shard
    )
    seconds = []
    for _ in range(repeats):
        with build() as index:
            seconds.append(index.build_seconds)
    index = build()
    return index, np.array([*seconds[1:], index.build_seconds]) / len(corpus.documents)


def _encoding(corpus: Corpus, way: _Way, repeats: int) -> np.ndarray:
    """Seconds to encode one document, (repeats,), timed on some of them, drawn evenly: enough for a second, or all."""
    texts = corpus.document_texts

    def some(count: int) -> list[str]:
        return texts[:: len(texts) // count][:count]

    def encode(documents: Sequence[str], _: int) -> object:
        return way.encode(documents, "document")

    batches.warm_up(encode, texts, batches.SIZES[0])
    count, _ = batches.fill(encode, some, min(TIMED_DOCUMENTS, len(texts)), batches.SECONDS, len(texts))
    return np.array(stopwatch.rounds([partial(encode, some(count), count)], repeats, warm_ups=0)[0]) / count


def _judged(corpus: Corpus, way: _Way, index: Index, search: Search) -> tuple[pd.DataFrame, dict]:
    """Judgements of each query, and what `Baseline` has of equal scores and of queries without a result."""
    rows = way.cut(vectors.encode(way.encoder, corpus.query_texts, "query")) if way.encoder else None
    words = way.bm25.queries(corpus.query_texts) if way.bm25 else None
    names = corpus.document_ids
    hits = way.rank(index, rows, words, search, names)
    ids, scores = evaluation.in_order(hits.ids, hits.scores, names)
    ranked = [[names[number] for number in row[:DEPTH] if number >= 0] for row in ids]
    tie_range = evaluation.tie_range(corpus, ids, scores, names)
    ties = {"tie_rate": evaluation.tie_rate(scores), "tie_range": tie_range}
    return evaluation.judge(corpus, ranked), {**ties, "nothing_found": evaluation.nothing_found(ids)}


def _baseline(corpus: Corpus, way: _Way, setting: str, search: str, key: str, values: dict) -> Baseline:
    judged = pd.DataFrame(values["judgements"], index=pd.Index(corpus.queries, name="query"))
    names = (way.encoder.name, way.dimension, setting, search) if way.encoder else ("", None, "", "")
    values = {name: value for name, value in values.items() if name != "label"}  # there for who reads the record
    return Baseline(way.label, *names, **{**values, "judgements": judged}, key=key)


def _rates(each: Baseline) -> list[float]:
    return [each.queries / seconds for seconds in each.searching]


def _milliseconds(each: Baseline) -> list[float]:
    return [1000 * seconds for seconds in each.latency]


def _documents(each: Baseline) -> list[float]:
    return [1 / seconds for seconds in each.indexing]


def _in_words(samples: Sequence[float], digits: int) -> str:
    times = Times.of(samples)
    return f"{times.value:,.{digits}f} [{times.low:,.{digits}f}, {times.high:,.{digits}f}]"


def _names(corpus: Corpus, each: Baseline) -> dict[str, object]:
    return {
        "corpus": corpus.name, "model": each.model, "dimension": each.dimension, "setting": each.setting,
        "search": each.search, "method": each.label, "key": each.key,
    }  # fmt: skip


def _rows(corpus: Corpus, each: Baseline) -> Iterator[dict]:
    names = _names(corpus, each)
    for metric in evaluation.METRICS:
        yield {**names, "metric": metric, **statistics.mean(each.judgements[metric])._asdict()}
    n = len(each.judgements)
    if each.search in ("", "exact", "full-ef"):  # elsewhere a tie that the limit cuts through is not seen whole
        score, (low, high) = each.judgements["ndcg@10"].mean(), each.tie_range
        yield {**names, "metric": "ndcg@10 over tie orders", "value": score, "low": low, "high": high}
        yield {**names, "metric": "tie rate@10", "value": each.tie_rate, "n": n}
    if each.nothing_found:
        yield {**names, "metric": results.NOTHING_KNOWN, "value": each.nothing_found, "n": n}
    yield {**names, "metric": "queries/s with encoding", **Times.of(_rates(each))._asdict()}
    yield {**names, "metric": "latency ms with encoding", **Times.of(_milliseconds(each))._asdict()}
    yield {**names, "metric": "indexed documents/s", **Times.of(_documents(each))._asdict()}
    how = "computed " if each.bytes_computed else ""
    yield {**names, "metric": f"{how}searched bytes per document", "value": each.searched_bytes}
