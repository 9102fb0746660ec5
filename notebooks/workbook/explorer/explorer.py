"""Several methods asked at once: what each finds, in how many milliseconds and bytes, and what a setting moved.

Whole float32 vectors are indexed before the first question. Any other position of the sliders is built when it is first
asked for, in a second or so, and kept. No widgets: see `explorer_view`.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from workbook.corpora.corpora import Corpus
from workbook.embedding import vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, stopwatch
from workbook.experiments import grid, rankings
from workbook.experiments.rankings import RetrievalMethod
from workbook.explorer import contributions, judged
from workbook.explorer.again import Again
from workbook.explorer.contributions import Contributions
from workbook.explorer.explored import (
    BM25,
    CUSTOM,
    HYBRID,
    NO_WORD,
    REACH,
    SNIPPET,
    STATIC,
    TRANSFORMER,
    WORDS,
    Answer,
    Found,
)  # fmt: skip
from workbook.explorer.judged import Judged
from workbook.names import TRAINED, plain, with_bm25
from workbook.progress import bar
from workbook.qdrant import bm25, engine, quantization
from workbook.qdrant.bm25 import Bm25, Sparse
from workbook.qdrant.engine import Index, Search
from workbook.qdrant.quantization import SETTINGS


class Explorer:
    """One corpus, searched by the custom or else the static model with BM25, a transformer, BM25, and static models."""

    def __init__(
        self, corpus: Corpus, static: Encoder, custom: Encoder | None = None, transformer: Encoder | None = None,
        dimensions: Sequence[int] = (), settings: Sequence[str] = ("float32", "scalar-int8", "binary-2bit", "binary"),
        top: int = 5, hnsw_ef: int = 0, fusion: str = "dbsf", language: str = "english",
    ):  # fmt: skip
        """Index whole float32 vectors of each model, and warm up; without dimensions, the static model's own.

        A model that lacks a dimension takes the nearest it has. `top`: results of each method; `hnsw_ef`: 0 for the
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
        self._judged = Judged(corpus)
        self._vectors: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # of documents and of judged queries, by model
        self._indexes: dict[tuple[str, int, str], Index] = {}
        for encoder in self.models:
            quantization.check(self.settings, [self._nearest(encoder, dimension) for dimension in self.dimensions])
        with ExitStack() as self._stack:
            self._index_whole()
            self._bytes_of_words = round(self._of_words.disk_bytes().get("words", 0) / self._of_words.n)
            method = RetrievalMethod(HYBRID, self.hybrid, self._bm25, fusion, setting="float32", search="exact")
            self._again = Again(self._of_words, method, corpus, self._words) if transformer else None
            self.ready(self.dimensions[-1], self.settings[0])
            self.ask(corpus.query_texts[0], self.dimensions[-1], self.settings[0])  # warm
            self._stack = self._stack.pop_all()
        self.close = weakref.finalize(self, self._stack.close)  # at the latest when Python ends

    @property
    def indexes(self) -> int:
        """Number of indexes built so far."""
        return len(self._indexes)

    def ready(self, dimension: int, setting: str) -> int:
        """Build the indexes of a position of the sliders, where they are not; how many were built."""
        before = self.indexes
        for encoder in self.models:
            self._index(encoder, self._nearest(encoder, dimension), setting)
        return self.indexes - before

    def examples(self) -> dict[str, str]:
        """A judged query for each of these that has one: static wins, the transformer wins, word search wins.

        Each method searches whole float32 vectors exactly, or words. A method wins where it ranks the right answer
        before those it is no part of, and shows it; see `judged.example`. The static model is the one fused with BM25.
        """
        ranks = {way: self._judged.ranks(self._all_ranked(way)) for way in (HYBRID, *self._alone)}
        found = {}
        for way in self._alone:
            label = {TRANSFORMER: self.title(way), BM25: "Word search"}.get(way, "Static")
            others = [ranks[other] for other in self._alone if other != way]
            others += [ranks[HYBRID]] * (way == TRANSFORMER)
            if text := judged.example(self.corpus.query_texts, ranks[way], others, self.top):
                found[f"{label} wins"] = text
        return found

    def again(self, query: str) -> str:
        """Why a query that is not empty would be asked again with the transformer; empty if it would not be."""
        return self._again.why(query) if self._again else ""

    def title(self, way: str) -> str:
        """A method in plain words."""
        if way in (BM25, HYBRID):
            return WORDS if way == BM25 else f"{self.title(CUSTOM if self.custom else STATIC)} + BM25"
        return plain(TRAINED if way == CUSTOM else self.encoder(way).name)

    def encoder(self, way: str) -> Encoder | None:
        """The model of a way to search; None for BM25, and where there is no such model."""
        return {STATIC: self.static, CUSTOM: self.custom, TRANSFORMER: self.transformer, HYBRID: self.hybrid}.get(way)

    def ask(
        self, query: str, dimension: int, setting: str, rescore: bool = False, oversampling: float | None = None
    ) -> list[Answer]:
        """Ask every method, those of MAIN first. Scores are the engine's own; `explorer_html.meaning` says of what.

        Raises WorkbookError for an empty query, a dimension or setting that was not built, and for a search that the
        engine would ignore: rescoring float32 vectors, oversampling without rescoring.
        """
        self._check(query, dimension, setting, rescore)
        self.ready(dimension, setting)
        search = Search(self._hnsw_ef, rescore=rescore, oversampling=oversampling)
        # one thread: more wait for each other in a text this short
        with stopwatch.threads(1):
            asked = {
                each.name: (*_timed(partial(each.encode, [query], "query")), each.knows([query])[0])
                for each in self.models
            }
        words = _timed(partial(self._bm25.queries, [query]))
        by_vectors = partial(self._by_vectors, query, asked, dimension, setting, search)
        untrained = (
            f"No model trained on {self.corpus.name} is in data/models. To train one: "
            f"make run-notebooks NOTEBOOK=05_train_your_own CORPUS={self.corpus.name}"
        )
        return [
            by_vectors(HYBRID, *words),
            *([by_vectors(TRANSFORMER)] if self.transformer else []),
            self._by_words(query, *words),
            by_vectors(STATIC),
            by_vectors(CUSTOM) if self.custom else Answer(CUSTOM, self.title(CUSTOM), "", problem=untrained),
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

    @property
    def _alone(self) -> list[str]:
        """The methods that a query is won between: the static model that is fused, the transformer, BM25."""
        return [CUSTOM if self.custom else STATIC, *([TRANSFORMER] if self.transformer else []), BM25]

    @property
    def _of_words(self) -> Index:
        """The index that BM25 alone searches."""
        return self._indexes[self.hybrid.name, self.hybrid.dimensions, "float32"]

    def _index_whole(self) -> None:
        """Index whole float32 vectors of each model: all other rankings are compared with theirs."""
        self._words = self._bm25.documents(self.corpus.document_texts)
        with bar(total=len(self.models), desc=f"indexes of {self.corpus.name}", unit="index") as progress:
            for encoder in self.models:
                self._vectors[encoder.name] = grid.encode(self.corpus, encoder)
                self._index(encoder, encoder.dimensions, "float32")
                progress.update()

    def _index(self, encoder: Encoder, dimension: int, setting: str) -> Index:
        """The index of a model's vectors, built if it is not yet; the one that is fused has the words too."""
        key = encoder.name, dimension, setting
        if key not in self._indexes:
            rows = vectors.truncate(self._vectors[encoder.name][0], dimension)
            built = engine.build(rows, setting, words=self._words if encoder is self.hybrid else None)
            self._indexes[key] = self._stack.enter_context(built)
        return self._indexes[key]

    def _all_ranked(self, way: str) -> Iterator[list[str]]:
        """Ids of the first REACH of each judged query, by whole float32 vectors, words or both."""
        words = self._bm25.queries(self.corpus.query_texts)
        if way == BM25:
            hits = rankings.by_words(self._of_words, words, REACH)
        else:
            encoder = self.encoder(way)
            index = self._indexes[encoder.name, encoder.dimensions, "float32"]
            rows, exact = vectors.truncate(self._vectors[encoder.name][1], encoder.dimensions), Search(exact=True)
            if way == HYBRID:
                hits = index.fuse(rows, words, REACH, exact, self._fusion)
            else:
                hits = rankings.by_vectors(index, rows, REACH, exact)
        return evaluation.order_ties(hits.ids, hits.scores, self._ids, REACH)

    def _check(self, query: str, dimension: int, setting: str, rescore: bool) -> None:
        if not query.strip():
            raise WorkbookError("the query is empty: type what you are looking for")
        if dimension not in self.dimensions or setting not in self.settings:
            raise WorkbookError(f"no slider has {setting} in {dimension} dimensions: give it at the start")
        if rescore and not SETTINGS[setting].config:
            raise WorkbookError(f"{setting} vectors are the originals: there is nothing to rescore")

    def _by_vectors(
        self, query: str, asked: Mapping[str, tuple], dimension: int, setting: str, search: Search, way: str,
        words: list[Sparse] | None = None, words_seconds: float = 0,
    ) -> Answer:  # fmt: skip
        """Search by a model's vectors, or, given words, by these too; `asked`: see `ask`."""
        encoder = self.encoder(way)
        rows, seconds, known = asked[encoder.name]
        name = with_bm25(encoder.name, self._fusion) if words else encoder.name
        if not (rows.any() and known):
            unknown = f"{encoder.name} knows no word of this query."
            if not words:
                return Answer(way, self.title(way), name, problem=unknown)
            name, rows = f"BM25 alone: {unknown}", np.zeros_like(rows)
        own = self._nearest(encoder, dimension)
        index = self._indexes[encoder.name, own, setting]
        whole = self._indexes[encoder.name, encoder.dimensions, "float32"]

        def find(index: Index, limit: int, search: Search) -> engine.Hits:
            cut = vectors.truncate(rows, index.dimension)
            return index.fuse(cut, words, limit, search, self._fusion) if words else index.search(cut, limit, search)

        # rescored, more results would be another search: of more candidates
        hits = find(index, self.top if search.rescore else REACH, search)
        parts = self._compared(query, hits, find(whole, REACH, Search(exact=True)))
        return Answer(
            way, self.title(way), name, own, setting, index.bytes_per_vector, self._bytes_of_words if words else 0,
            1000 * (seconds + words_seconds), 1000 * hits.seconds, rescored=search.rescore,
            fusion=self._fusion if words else "", **parts,
        )  # fmt: skip

    def _by_words(self, query: str, words: list[Sparse], seconds: float) -> Answer:
        hits = rankings.by_words(self._of_words, words, REACH)
        return Answer(
            BM25, self.title(BM25), "", bytes_of_words=self._bytes_of_words, encode_ms=1000 * seconds,
            search_ms=1000 * hits.seconds, **self._compared(query, hits, hits),
        )  # fmt: skip

    def _compared(self, query: str, hits: engine.Hits, reference: engine.Hits) -> dict[str, Any]:
        """What an `Answer` has of one query's documents, and of those of the reference's first that it lacks."""
        now, before = self._ranked(hits), self._ranked(reference)
        was = {key: rank for rank, (key, _) in enumerate(before, 1)}
        relevant, ranked = self._judged.relevant(query), [key for key, _ in now[:REACH]]
        first = enumerate(now[: self.top], 1)
        found = [self._found(rank, key, score, was.get(key), key in relevant) for rank, (key, score) in first]
        shown = {each.id for each in found}
        first = enumerate(before[: self.top], 1)
        left = [self._found(rank, key, score, rank) for rank, (key, score) in first if key not in shown]
        return {
            "found": found, "left": left, "problem": "" if found else NO_WORD, "ranked": ranked,
            "right": self._judged.rank(query, ranked),
        }  # fmt: skip

    def _ranked(self, hits: engine.Hits) -> list[tuple[str, float]]:
        """Ids and scores, best first, equal scores by descending id."""
        kept = hits.ids[0] >= 0
        names = [self._ids[number] for number in hits.ids[0][kept]]
        scores = hits.scores[0][kept]
        order = evaluation.order_ties(np.arange(len(names))[None], scores[None], names)[0]
        score_of = dict(zip(names, scores.tolist(), strict=True))
        return [(name, score_of[name]) for name in order]

    def _found(self, rank: int, key: str, score: float, was: int | None, is_right: bool = False) -> Found:
        title, text = self.corpus.documents[key]
        return Found(rank, key, title, text if len(text) <= SNIPPET else f"{text[:SNIPPET]}…", score, was, is_right)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started
