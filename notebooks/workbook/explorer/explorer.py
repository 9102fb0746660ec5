"""Several ways to search asked at once: what each finds, in how many milliseconds and bytes, and what a setting moved.

Every index that a slider can ask for is built and warmed up before the first question. No widgets: see
`explorer_view`.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from workbook.corpora.corpora import Corpus
from workbook.embedding import vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, stopwatch
from workbook.experiments import grid, rankings
from workbook.explorer import contributions
from workbook.explorer.contributions import Contributions
from workbook.names import with_bm25
from workbook.progress import bar
from workbook.qdrant import bm25, engine, quantization
from workbook.qdrant.bm25 import Bm25, Sparse
from workbook.qdrant.engine import Index, Search
from workbook.qdrant.quantization import SETTINGS

STATIC, CUSTOM, TRANSFORMER, BM25, HYBRID = "static", "custom", "transformer", "BM25", "hybrid"
REACH = 100  # ranks of the whole float32 vectors' ranking that are known
SNIPPET = 180  # characters
NO_WORD = "No document has a word of this query."


class Found(NamedTuple):
    """A ranked document; `was` is its rank by whole float32 vectors searched exactly, None below the first REACH."""

    rank: int
    id: str
    title: str
    snippet: str
    score: float
    was: int | None


@dataclass(frozen=True)
class Answer:
    """What one way to search found; `left` is what whole float32 vectors would have shown and it does not.

    `bytes_per_vector` is 0 where there are no vectors, `bytes_of_words`, of the index of words for each document, where
    there are no words; `problem` is why nothing was found, in a sentence.
    """

    way: str
    model: str
    dimension: int = 0
    setting: str = ""
    bytes_per_vector: int = 0
    bytes_of_words: int = 0
    encode_ms: float = 0
    search_ms: float = 0
    found: list[Found] = field(default_factory=list)
    left: list[Found] = field(default_factory=list)
    problem: str = ""
    rescored: bool = False


class Explorer:
    """Static, custom and transformer model, BM25, and the custom or else the static model with BM25, on one corpus."""

    def __init__(
        self, corpus: Corpus, static: Encoder, custom: Encoder | None = None, transformer: Encoder | None = None,
        dimensions: Sequence[int] = (), settings: Sequence[str] = ("float32", "scalar-int8", "binary-2bit", "binary"),
        top: int = 5, hnsw_ef: int = 0, fusion: str = "dbsf", language: str = "english",
    ):  # fmt: skip
        """Build and warm up an index for each model, dimension and setting; without dimensions, the static model's own.

        A model that lacks a dimension takes the nearest it has. `top`: results of each way; `hnsw_ef`: 0 for the
        engine's default. Raises WorkbookError, leaving nothing behind, for what cannot be built.
        """
        self.corpus, self.static, self.custom, self.transformer = corpus, static, custom, transformer
        self.models = [each for each in (static, custom, transformer) if each]
        self.hybrid = custom or static  # the model that is fused with BM25
        self.dimensions = sorted(dimensions or static.matryoshka)
        self.settings, self.top = list(settings), top
        self._hnsw_ef, self._fusion = hnsw_ef or None, fusion
        self._ids = corpus.document_ids
        self._bm25 = Bm25(bm25.average_words(corpus.document_texts), language)
        self._indexes: dict[tuple[str, int, str], Index] = {}
        with ExitStack() as stack:
            self._build(stack)
            self._of_words = self._indexes[self.hybrid.name, self.hybrid.dimensions, "float32"]
            self._bytes_of_words = round(self._of_words.disk_bytes().get("words", 0) / self._of_words.n)
            self._warm_up()
            self.close = weakref.finalize(self, stack.pop_all().close)  # at the latest when Python ends

    @property
    def indexes(self) -> int:
        """Number of indexes built."""
        return len(self._indexes)

    def encoder(self, way: str) -> Encoder | None:
        """The model of a way to search; None for BM25, and where there is no such model."""
        return {STATIC: self.static, CUSTOM: self.custom, TRANSFORMER: self.transformer, HYBRID: self.hybrid}.get(way)

    def ask(
        self, query: str, dimension: int, setting: str, rescore: bool = False, oversampling: float | None = None
    ) -> list[Answer]:
        """Search in every way. Scores are those of the engine: cosines, BM25's, fused ones, or counts of equal bits.

        Raises WorkbookError for an empty query, a dimension or setting that was not built, and for a search that the
        engine would ignore: rescoring float32 vectors, oversampling without rescoring.
        """
        self._check(query, dimension, setting, rescore)
        search = Search(self._hnsw_ef, rescore=rescore, oversampling=oversampling)
        # one thread: more wait for each other in a text this short
        with stopwatch.threads(1):
            asked = {
                each.name: (*_timed(partial(each.encode, [query], "query")), each.knows([query])[0])
                for each in self.models
            }
        words = _timed(partial(self._bm25.queries, [query]))
        by_vectors = partial(self._by_vectors, asked, dimension, setting, search)
        untrained = (
            f"No model trained on {self.corpus.name} is in data/models. To train one: "
            f"make run-notebooks NOTEBOOK=05_train_your_own CORPUS={self.corpus.name}"
        )
        return [
            by_vectors(STATIC),
            by_vectors(CUSTOM) if self.custom else Answer(CUSTOM, "", problem=untrained),
            *([by_vectors(TRANSFORMER)] if self.transformer else []),
            self._by_words(*words),
            by_vectors(HYBRID, *words),
        ]

    def explain(self, way: str, query: str, document: str, dimension: int) -> Contributions:
        """Take the float32 cosine of a static model's match apart, by the document's id; see `contributions`."""
        encoder = self.encoder(way)
        if encoder is None:
            raise WorkbookError(f"{way} has no model: only a static model's match can be explained")
        return contributions.explain(
            encoder, query, self.corpus.documents[document].full, self._nearest(encoder, dimension)
        )

    def _nearest(self, encoder: Encoder, dimension: int) -> int:
        """The dimension that a model is asked in: the static one in that given, others in their nearest."""
        if encoder is self.static:
            return dimension
        return min(encoder.matryoshka, key=lambda own: (abs(own - dimension), -own))

    def _build(self, stack: ExitStack) -> None:
        """Build an index for each dimension and setting; whole float32 always: other rankings are compared with its."""
        wanted = {}
        for encoder in self.models:
            sizes = [self._nearest(encoder, dimension) for dimension in self.dimensions]
            quantization.check(self.settings, sizes)
            wanted[encoder] = list(dict.fromkeys([(encoder.dimensions, "float32"), *product(sizes, self.settings)]))
        words = self._bm25.documents(self.corpus.document_texts)
        total = sum(map(len, wanted.values()))
        with bar(total=total, desc=f"indexes of {self.corpus.name}", unit="index") as progress:
            for encoder, keys in wanted.items():
                whole, _ = grid.encode(self.corpus, encoder)
                for dimension, setting in keys:
                    rows = vectors.truncate(whole, dimension)
                    index = engine.build(rows, setting, words=words if encoder is self.hybrid else None)
                    self._indexes[encoder.name, dimension, setting] = stack.enter_context(index)
                    progress.update()

    def _warm_up(self) -> None:
        query = self.corpus.query_texts[0]
        for dimension, setting in product(self.dimensions, self.settings):
            for rescore in {False, setting != "float32"}:
                self.ask(query, dimension, setting, rescore)

    def _check(self, query: str, dimension: int, setting: str, rescore: bool) -> None:
        if not query.strip():
            raise WorkbookError("the query is empty: type what you are looking for")
        if dimension not in self.dimensions or setting not in self.settings:
            raise WorkbookError(f"no index of {setting} in {dimension} dimensions was built: give it at the start")
        if rescore and not SETTINGS[setting].config:
            raise WorkbookError(f"{setting} vectors are the originals: there is nothing to rescore")

    def _by_vectors(
        self, asked: dict[str, tuple], dimension: int, setting: str, search: Search, way: str,
        words: list[Sparse] | None = None, words_seconds: float = 0,
    ) -> Answer:  # fmt: skip
        """Search by a model's vectors, or, given words, by these too; `asked`: see `ask`."""
        encoder = self.encoder(way)
        rows, seconds, known = asked[encoder.name]
        name = with_bm25(encoder.name, self._fusion) if words else encoder.name
        if not (rows.any() and known):
            unknown = f"{encoder.name} knows no word of this query."
            if not words:
                return Answer(way, name, problem=unknown)
            name, rows = f"BM25 alone: {unknown}", np.zeros_like(rows)
        own = self._nearest(encoder, dimension)
        index = self._indexes[encoder.name, own, setting]
        whole = self._indexes[encoder.name, encoder.dimensions, "float32"]

        def find(index: Index, limit: int, search: Search) -> engine.Hits:
            cut = vectors.truncate(rows, index.dimension)
            return index.fuse(cut, words, limit, search, self._fusion) if words else index.search(cut, limit, search)

        hits = find(index, self.top, search)
        found, left = self._compared(hits, find(whole, REACH, Search(exact=True)))
        sizes = index.bytes_per_vector, self._bytes_of_words if words else 0
        milliseconds = 1000 * (seconds + words_seconds), 1000 * hits.seconds
        problem = "" if found else NO_WORD
        return Answer(way, name, own, setting, *sizes, *milliseconds, found, left, problem, search.rescore)

    def _by_words(self, words: list[Sparse], seconds: float) -> Answer:
        hits = rankings.by_words(self._of_words, words, self.top)
        found, _ = self._compared(hits, hits)
        return Answer(
            BM25, "", bytes_of_words=self._bytes_of_words, encode_ms=1000 * seconds, search_ms=1000 * hits.seconds,
            found=found, problem="" if found else NO_WORD,
        )  # fmt: skip

    def _compared(self, hits: engine.Hits, reference: engine.Hits) -> tuple[list[Found], list[Found]]:
        """The documents of one query, and those of the reference's first that are not among them."""
        now, before = self._ranked(hits), self._ranked(reference)
        was = {key: rank for rank, (key, _) in enumerate(before, 1)}
        first = enumerate(now[: self.top], 1)
        found = [self._found(rank, key, score, was.get(key)) for rank, (key, score) in first]
        shown = {each.id for each in found}
        first = enumerate(before[: self.top], 1)
        return found, [self._found(rank, key, score, rank) for rank, (key, score) in first if key not in shown]

    def _ranked(self, hits: engine.Hits) -> list[tuple[str, float]]:
        """Ids and scores, best first, equal scores by descending id."""
        kept = hits.ids[0] >= 0
        names = [self._ids[number] for number in hits.ids[0][kept]]
        scores = hits.scores[0][kept]
        order = evaluation.order_ties(np.arange(len(names))[None], scores[None], names)[0]
        score_of = dict(zip(names, scores.tolist(), strict=True))
        return [(name, score_of[name]) for name in order]

    def _found(self, rank: int, key: str, score: float, was: int | None) -> Found:
        title, text = self.corpus.documents[key]
        return Found(rank, key, title, text if len(text) <= SNIPPET else f"{text[:SNIPPET]}…", score, was)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started
