"""The measurement: every query searched without attention and with it, the signals of the first search, and times.

Both searches have BM25 beside the vectors, by one fusion. Where the first asks the transformer's document vectors by a
table, both search one index. Known items, cut out of held-out documents, are searched the same way: they stand for
queries where nobody has judged. Kept under one key, see `results.remember`.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.errors import WorkbookError
from workbook.evaluation import corpus_facts, evaluation, results, statistics, stopwatch
from workbook.evaluation.statistics import Interval
from workbook.experiments.rankings import DEPTH, RetrievalMethod, with_halves
from workbook.on_demand import combined, signals
from workbook.on_demand.signals import FirstSearch
from workbook.qdrant import engine
from workbook.qdrant.bm25 import Idf
from workbook.qdrant.engine import Hits, Index, Search

TIMED = 100  # queries, one by one
ITEMS = 200  # known items at most


class Asked(NamedTuple):
    """Queries, or known items, that were searched twice: signals (queries, SIGNALS), and NDCG@10 of both searches."""

    signals: pd.DataFrame
    first: pd.Series
    second: pd.Series

    @classmethod
    def of(cls, values: dict) -> "Asked":
        """As a record has it."""
        index = pd.Index(values["queries"], name="query")
        columns = [pd.Series(values[name], index, dtype=float) for name in ("first", "second")]
        return cls(pd.DataFrame(values["signals"], index=index, dtype=float).replace(np.nan, -np.inf), *columns)

    @property
    def gain(self) -> pd.Series:
        """What the second search finds more, of each query."""
        return self.second - self.first

    @property
    def added(self) -> Interval:
        """What attention adds to NDCG@10 on average, paired by query."""
        return statistics.mean_difference(self.second, self.first)

    @property
    def weakness(self) -> pd.Series:
        """How weak each first search is among these."""
        return combined.weakness(self.signals, self.signals)


class Twice(NamedTuple):
    """What was measured: judged queries, known items (None if too few documents have words enough), and seconds.

    `seconds`: of each timed query in each repeat, (repeats, queries): "first" and "second" search with encoding, and
    "signals". `key` is that of the record, `methods` are the labels of both.
    """

    corpus: str
    methods: tuple[str, str]
    queries: Asked
    items: Asked | None
    seconds: dict[str, np.ndarray]
    key: str

    @property
    def names(self) -> dict[str, str]:
        """What rows call it."""
        return {"corpus": self.corpus, "method": self.methods[0], "against": self.methods[1], "key": self.key}


def measure(
    corpus: Corpus, first: RetrievalMethod, second: RetrievalMethod, held_out: Collection[str] = (),
    engine_name: str = "edge", repeats: int = 3, seed: int = 0,
) -> Twice:  # fmt: skip
    """Search all queries and known items by both methods, which have a model, BM25 and one fusion; or find it measured.

    Known items are of documents `held_out` from training, of all where none of those is in the corpus.
    Raises WorkbookError before any work for a method that lacks one of the three.
    """
    stopwatch.check_repeats(repeats)
    for each in (first, second):
        if not (each.encoder and each.bm25 and each.fusion and each.fusion == first.fusion):
            raise WorkbookError(f"{each.label}: both searches need a model and BM25, by one fusion")
        engine.check(engine_name, [each.setting], [each.search])
    among = sorted({*held_out} & {*corpus.documents}) or None
    about = {
        "corpus": corpus.sha256, "methods": [first.identity(), second.identity()], "engine": engine_name,
        "among": among, "seed": seed, "items": ITEMS, "timed": TIMED, "repeats": repeats,
        "signals": list(signals.SIGNALS), "candidates": engine.CANDIDATES,
    }  # fmt: skip
    items = corpus_facts.known_items(corpus, ITEMS, seed, among)
    work = partial(_measure, corpus, items, (first, second), engine_name, repeats)
    return read(corpus.name, results.remember("attention", about, work))


def read(corpus: str, record: dict) -> Twice:
    """A measurement from its record, see `results.read`."""
    values = record["values"]
    items = Asked.of(values["items"]) if values["items"] else None
    seconds = {name: np.array(each) for name, each in values["seconds"].items()}
    first, second = (each["label"] for each in record["about"]["methods"])
    return Twice(corpus, (first, second), Asked.of(values["queries"]), items, seconds, record["key"])


def search_first(
    index: Index, method: RetrievalMethod, texts: Sequence[str], idf: Idf, ids: Sequence[str], kept: bool = False
) -> FirstSearch:
    """Search texts in an index of the documents with these ids, and keep what signals are made of.

    `idf` has counted the documents' words; `kept`: vectors of the texts may be found encoded.
    """
    rows, words = method.encode(texts, "query", kept)
    rows[~method.encoder.knows(texts)] = 0  # finds nothing; those that are kept have it already
    found = with_halves(index, rows, words, Search.named(method.search), method.fusion, ids)
    return FirstSearch(*found, words, idf)


def _measure(
    corpus: Corpus, items: Corpus, methods: tuple[RetrievalMethod, RetrievalMethod], engine_name: str, repeats: int
) -> dict:
    with ExitStack() as stack, stopwatch.threads(results.machine()["cores"]):
        indexes = _built(stack, corpus, corpus, methods, engine_name)
        found = {"queries": _asked(corpus, methods, indexes), "seconds": _timed(corpus, methods, indexes, repeats)}
        found["items"] = None
        if items.queries:
            found["items"] = _asked(items, methods, _built(stack, items, corpus, methods, engine_name))
        return found


def _built(
    stack: ExitStack, corpus: Corpus, encoded: Corpus, methods: Sequence[RetrievalMethod], engine_name: str
) -> list[Index]:
    """An index for each method, one for both if they store the same. Only texts that `encoded` lacks are encoded."""
    made: dict[tuple, Index] = {}
    texts, kept = corpus.document_texts, encoded.document_texts
    changed = [number for number, text in enumerate(texts) if text != kept[number]]
    for each in methods:
        if each.stored not in made:
            rows, words = each.encode(kept, "document", kept=True)
            if changed:
                some, _ = each.encode([texts[number] for number in changed], "document", kept=True)
                rows[changed], words = some, each.bm25.documents(texts)
            built = engine.build(rows, each.setting or "float32", engine_name, words=words)
            made[each.stored] = stack.enter_context(built)
    return [made[each.stored] for each in methods]


def _asked(corpus: Corpus, methods: Sequence[RetrievalMethod], indexes: Sequence[Index]) -> dict:
    ids, idf = corpus.document_ids, _idf(corpus, methods[0])
    found = [
        search_first(index, method, corpus.query_texts, idf, ids, kept=True)
        for method, index in zip(methods, indexes, strict=True)
    ]
    first, second = (_judged(corpus, each.fused) for each in found)
    table = signals.of(_without_itself(corpus, found[0])).replace(-np.inf, None)  # JSON knows no infinity
    made = {name: table[name].tolist() for name in table}
    return {"queries": list(corpus.queries), "signals": made, "first": first, "second": second}


def _idf(corpus: Corpus, method: RetrievalMethod) -> Idf:
    idf = Idf()
    idf.count(method.bm25.documents(corpus.document_texts))
    return idf


def _judged(corpus: Corpus, hits: Hits) -> list[float]:
    names = corpus.document_ids
    ranked = evaluation.order_ties(hits.ids, hits.scores, names, DEPTH)
    return evaluation.judge(corpus, ranked)["ndcg@10"].tolist()


def _without_itself(corpus: Corpus, found: FirstSearch) -> FirstSearch:
    """The same without the document that is the query itself, where the corpus says that it is passed over."""
    if not corpus.drop_identical:
        return found
    places = {key: place for place, key in enumerate(corpus.document_ids)}
    own = np.array([places.get(query, -2) for query in corpus.queries])

    def without(hits: Hits) -> Hits:
        same = hits.ids == own[:, None]
        ids, scores = np.where(same, -1, hits.ids), np.where(same, -np.inf, hits.scores)
        return Hits(*evaluation.in_order(ids, scores, corpus.document_ids), hits.seconds)

    return found._replace(**{name: without(getattr(found, name)) for name in ("by_vectors", "by_words", "fused")})


def _timed(
    corpus: Corpus, methods: Sequence[RetrievalMethod], indexes: Sequence[Index], repeats: int
) -> dict[str, list[list[float]]]:
    """Seconds of the timed queries, one by one, in each repeat; the first round is the warm-up."""
    (first, second), (index, other) = methods, indexes
    idf, ids = _idf(corpus, first), corpus.document_ids
    works: dict[str, list[Callable[[], object]]] = {"first": [], "signals": [], "second": []}
    for text in corpus.query_texts[:TIMED]:
        found = search_first(index, first, [text], idf, ids)
        works["first"].append(partial(_first, first, index, text))
        works["signals"].append(partial(signals.of, found, combined.CHOSEN))
        works["second"].append(partial(_second, second, other, text))
    return {name: np.array(stopwatch.rounds(own, repeats, warm_ups=1)).T.tolist() for name, own in works.items()}


def _first(method: RetrievalMethod, index: Index, text: str) -> None:
    """The search and, for the signals, the best document of each half."""
    rows, words = method.encode([text], "query")
    method.ask(index, rows, words)
    index.search(rows, 1, Search.named(method.search))
    index.search_words(words, 1)


def _second(method: RetrievalMethod, index: Index, text: str) -> None:
    method.ask(index, *method.encode([text], "query"))
