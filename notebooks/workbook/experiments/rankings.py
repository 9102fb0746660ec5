"""Retrieval methods, and the rankings that they give: these follow from the documents alone, never from chance.

Which of several documents with equal scores an engine returns, where its limit cuts through them, follows the order of
the file or of the build. So more is asked for until the group is whole, and equals are put in trec_eval's order, also
before two rankings are fused. Only where a larger limit would change the search itself, with HNSW at another ef than
ALL and with rescoring, does the cut stay the engine's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.embedding import routes, vectors
from workbook.embedding.encoders import Encoder, Role
from workbook.errors import WorkbookError
from workbook.evaluation import corpus_facts, evaluation, statistics
from workbook.names import BM25
from workbook.qdrant import bm25, engine
from workbook.qdrant.bm25 import Bm25, Sparse
from workbook.qdrant.edge import RRF_K
from workbook.qdrant.engine import Hits, Index, Search

DEPTH = evaluation.DEPTH + 1  # results; one more, where a document that is the query itself is passed over
CLOSE = 1e-3  # between fused scores here and the engine's: it adds up in float32, and in-memory mode in another order


class RetrievalMethod(NamedTuple):
    """A way to search: by a model, by BM25, or by both and a fusion. The label names it in rows and figures.

    `dimension` is None for whole vectors; it, `setting` and `search` are of vectors. `idf_by_shard`: a server weighs
    the words of each shard by itself.
    """

    label: str
    encoder: Encoder | None = None
    bm25: Bm25 | None = None
    fusion: str = ""
    dimension: int | None = None
    setting: str = ""
    search: str = ""
    idf_by_shard: bool = False

    def identity(self) -> dict[str, object]:
        """All that decides what it finds, for the key of a measurement."""
        return {
            "label": self.label, "fusion": self.fusion, "idf_by_shard": self.idf_by_shard,
            "model": [self.encoder.identity(role) for role in routes.ROLES] if self.encoder else [],
            "bm25": [self.bm25.average_length, self.bm25.language] if self.bm25 else [],
            "dimension": self.dimension, "setting": self.setting,
            "search": Search.named(self.search)._asdict() if self.encoder else {},
        }  # fmt: skip

    @property
    def encodes_by(self) -> tuple[str, float]:
        """What encodes its documents."""
        vectors_of = repr(self.encoder.identity("document")) if self.encoder else ""
        return vectors_of, self.bm25.average_length if self.bm25 else 0

    @property
    def stored(self) -> tuple:
        """What is in its index; methods that differ in fusion or in the encoder of queries alone share one."""
        return *self.encodes_by, self.dimension, self.setting, self.idf_by_shard

    @property
    def asks_by(self) -> tuple[str, int | None, float]:
        """What encodes its queries."""
        vectors_of = repr(self.encoder.identity("query")) if self.encoder else ""
        return vectors_of, self.dimension if self.encoder else None, self.bm25.average_length if self.bm25 else 0

    def joined(self, encoded: Mapping[tuple, tuple]) -> tuple[np.ndarray | None, list[Sparse] | None]:
        """Vectors and words of queries as `encode` gives them, from those of its parts, by `asks_by`."""
        own = [encoded[part.asks_by] for part in self.parts]
        return next((rows for rows, _ in own if rows is not None), None), own[-1][1]

    @property
    def parts(self) -> "list[RetrievalMethod]":
        """The search by the model alone and the one by BM25 alone that this one is made of."""
        model = [self._replace(bm25=None, fusion="")] if self.encoder else []
        return model + ([self._replace(encoder=None, fusion="")] if self.bm25 else [])

    def encode(
        self, texts: Sequence[str], role: Role, kept: bool = False
    ) -> tuple[np.ndarray | None, list[Sparse] | None]:  # fmt: skip
        """Vectors (n, d) and words of texts, None where it has no such part; `kept`: vectors may be found encoded."""
        rows = words = None
        if self.encoder:
            rows = vectors.encode(self.encoder, texts, role) if kept else self.encoder.encode(texts, role)
            rows = vectors.truncate(rows, self.dimension or rows.shape[1])
        if self.bm25:
            words = self.bm25.queries(texts) if role == "query" else self.bm25.documents(texts)
        return rows, words

    def ask(self, index: Index, rows: np.ndarray | None, words: list[Sparse] | None) -> Hits:
        """Search an index for encoded queries as one would, for the time that it takes."""
        if not self.encoder:
            return index.search_words(words, DEPTH)
        search = Search.named(self.search)
        return index.fuse(rows, words, DEPTH, search, self.fusion) if self.bm25 else index.search(rows, DEPTH, search)

    def rank(self, index: Index, rows: np.ndarray | None, words: list[Sparse] | None, ids: Sequence[str]) -> Hits:
        """The same for the score: no group of equals is cut; of two rankings, all that is fused."""
        if not self.encoder:
            return by_words(index, words, DEPTH)
        search = Search.named(self.search)
        if not self.bm25:
            return by_vectors(index, rows, DEPTH, search)
        return by_both(index, rows, words, search, self.fusion, ids)


def before_judging(corpus: Corpus, static: Encoder, transformer: Encoder, seed: int = 0) -> pd.DataFrame:
    """What can be told of a corpus and two models without a judgement, in the long format of `results`.

    The facts of the corpus; the share of the best ten documents of a query that both models find; and the NDCG@10 of
    either model and of BM25 on known items drawn by seed, with the share of the transformer's that the static model
    keeps. Too few known items give no rows.
    """
    both = {"corpus": corpus.name, "model": static.name, "against": transformer.name}
    in_common = corpus_facts.agreement(*(exact(corpus, model) for model in (static, transformer)))
    found = [{**both, "metric": "top ten in common", **in_common._asdict()}]
    items = corpus_facts.known_items(corpus, seed=seed)
    if len(items.queries) >= statistics.MIN_QUERIES:
        ranked = {model.name: exact(items, model, corpus) for model in (static, transformer)} | {BM25: _by_bm25(items)}
        scores = {name: evaluation.judge(items, rankings)["ndcg@10"] for name, rankings in ranked.items()}
        for name, own in scores.items():
            names = {"corpus": corpus.name, "method": name, "model": None if name == BM25 else name}
            found.append({**names, "metric": "known-item ndcg@10", **statistics.mean(own)._asdict()})
        kept = statistics.share_kept(scores[static.name], scores[transformer.name])
        found.append({**both, "metric": "known-item share kept", **kept._asdict()})
    return pd.concat([corpus_facts.of(corpus), pd.DataFrame(found)])


def exact(corpus: Corpus, encoder: Encoder, encoded: Corpus | None = None) -> list[list[str]]:
    """The DEPTH documents nearest to each query by whole float32 vectors, without an engine: ids, best first.

    A document that is the query itself is passed over where the corpus says so. `encoded`: a corpus of the same ids
    whose vectors are kept, so that only documents with another text than there are encoded.
    """
    texts, kept = corpus.document_texts, (encoded or corpus).document_texts
    documents = vectors.encode(encoder, kept)
    changed = [number for number, text in enumerate(texts) if text != kept[number]]
    if changed:
        documents[changed] = vectors.encode(encoder, [texts[number] for number in changed])
    documents = vectors.truncate(documents, encoder.dimensions)
    queries = vectors.truncate(vectors.encode(encoder, corpus.query_texts, "query"), encoder.dimensions)
    found: list[list[str]] = []
    for some in evaluation.slices(len(queries), len(documents)):
        asked = queries[some]
        scores = np.where(asked.any(axis=1, keepdims=True), asked @ documents.T, -np.inf)
        found += evaluation.order_all(scores, corpus.document_ids, DEPTH)
    if not corpus.drop_identical:
        return found
    return [[key for key in ranked if key != query] for query, ranked in zip(corpus.queries, found, strict=True)]


def _by_bm25(corpus: Corpus) -> list[list[str]]:
    """Documents that have a word of the query, best first by BM25, without an engine."""
    model = Bm25(bm25.average_words(corpus.document_texts))
    scores = bm25.scores(model.queries(corpus.query_texts), model.documents(corpus.document_texts))
    return evaluation.order_all(np.where(scores > 0, scores, -np.inf), corpus.document_ids, DEPTH)


def by_vectors(index: Index, queries: np.ndarray, depth: int, search: Search) -> Hits:
    """Search float32 queries (q, d): `depth` results, and all that equal the last of them, where these can be had."""
    if not (search.exact or search.hnsw_ef == engine.ALL):
        return index.search(queries, depth, search)
    return _whole(lambda rows, limit: index.search(queries[rows], limit, search), len(queries), index.n, depth)


def by_words(index: Index, words: Sequence[Sparse], depth: int) -> Hits:
    """Search by BM25: `depth` results, and all that equal the last of them."""
    return _whole(
        lambda rows, limit: index.search_words([words[row] for row in rows], limit), len(words), index.n, depth
    )


def by_both(
    index: Index, queries: np.ndarray, words: Sequence[Sparse], search: Search, fusion: str,
    document_ids: Sequence[str],
) -> Hits:  # fmt: skip
    """Fuse the best CANDIDATES by vectors and by words as the engine does, equals in trec_eval's order before.

    A query that one half finds nothing for goes by the other alone.
    """
    return with_halves(index, queries, words, search, fusion, document_ids)[-1]


def with_halves(
    index: Index, queries: np.ndarray, words: Sequence[Sparse], search: Search, fusion: str,
    document_ids: Sequence[str],
) -> tuple[Hits, Hits, Hits]:  # fmt: skip
    """The rankings by vectors and by words, and as `by_both` fuses them."""
    engine.check_fusion(fusion)
    depth = min(engine.CANDIDATES, index.n)
    legs = [
        evaluation.in_order(hits.ids, hits.scores, document_ids)
        for hits in (by_vectors(index, queries, depth, search), by_words(index, words, depth))
    ]
    cut = [(ids[:, :depth], scores[:, :depth]) for ids, scores in legs]
    _prove_fused(index, queries, words, search, fusion, legs)
    one, other = (Hits(*each, 0.0) for each in cut)
    return one, other, fused(cut, fusion)


def fused(legs: Sequence[tuple[np.ndarray, np.ndarray]], fusion: str) -> Hits:
    """Fuse rankings, each ids and scores (queries, limit), best first: the sum of what each gives a document.

    `rrf`: 1 / (RRF_K + rank), ranks from 0. `dbsf`: the score between three standard deviations below and above the
    mean of its ranking, from 0 to 1. Both are Qdrant's formulas, and a test compares them with the engine.
    """
    weigh = _reciprocal_ranks if fusion == "rrf" else _common_scale
    found = []
    for query in range(len(legs[0][0])):
        sums: dict[int, np.float32] = {}
        for ids, scores in legs:
            kept = ids[query] >= 0
            for number, weight in zip(ids[query][kept].tolist(), weigh(scores[query][kept]), strict=True):
                sums[number] = sums.get(number, np.float32(0)) + weight
        found.append(sums)
    width = max(map(len, found), default=0)
    hits = Hits.empty(len(found), width)
    for row, sums in enumerate(found):
        numbers = sorted(sums, key=lambda number: -sums[number])
        hits.ids[row, : len(sums)] = numbers
        hits.scores[row, : len(sums)] = [sums[number] for number in numbers]
    return hits


def _prove_fused(
    index: Index, queries: np.ndarray, words: Sequence[Sparse], search: Search, fusion: str,
    legs: Sequence[tuple[np.ndarray, np.ndarray]],
) -> None:  # fmt: skip
    """Stop unless the engine, which fuses what people run, gives some of the queries the scores that `fused` does.

    Of those without equals in either ranking, where both must agree.
    """
    distinct = [np.isfinite(scores[:, :1]).all(axis=1) & ~_has_equals(scores) for _, scores in legs]
    probes = np.flatnonzero(np.logical_and(*distinct))[: engine.PROBES]
    if not len(probes):
        return
    depth = min(engine.CANDIDATES, index.n)
    ours = fused([(ids[probes, :depth], scores[probes, :depth]) for ids, scores in legs], fusion).scores
    theirs = index.fuse(queries[probes], [words[row] for row in probes], 2 * depth, search, fusion).scores
    theirs = theirs[:, : ours.shape[1]]
    there = np.isfinite(theirs)
    if not np.array_equal(there, np.isfinite(ours)) or not np.allclose(theirs[there], ours[there], atol=CLOSE):
        raise WorkbookError(f"the engine fuses by {fusion} with other scores than the formula gives: report this")


def _has_equals(scores: np.ndarray) -> np.ndarray:
    return ((scores[:, 1:] == scores[:, :-1]) & np.isfinite(scores[:, 1:])).any(axis=1)


def _reciprocal_ranks(scores: np.ndarray) -> np.ndarray:
    return np.float32(1) / (np.float32(RRF_K) + np.arange(len(scores), dtype=np.float32))


def _common_scale(scores: np.ndarray) -> np.ndarray:
    scores = scores.astype(float)
    spread = 6 * scores.std(ddof=1) if len(scores) > 1 else 0.0
    if not spread:  # one result, or all alike: neither above nor below the mean
        return np.full(len(scores), 0.5, dtype=np.float32)
    return (0.5 + (scores - scores.mean()) / spread).astype(np.float32)


def _whole(ask: Callable[[np.ndarray, int], Hits], count: int, n: int, depth: int) -> Hits:
    """Ask all queries, then those whose last score the limit may have cut, for more, until there is no such query.

    Where every document has the same score, nothing is found: that ranks none before another.
    """
    depth = min(depth, n)
    limit = min(2 * depth, n)
    hits = ask(np.arange(count), limit)
    while limit < n and len(cut := np.flatnonzero(_is_cut(hits.scores, depth, limit))):
        limit = min(4 * limit, n)
        more, fewer = ask(cut, limit), hits
        hits = Hits.empty(count, limit, fewer.seconds)
        hits.ids[:, : fewer.ids.shape[1]], hits.scores[:, : fewer.ids.shape[1]] = fewer.ids, fewer.scores
        hits.ids[cut], hits.scores[cut] = more.ids, more.scores
    if 1 < limit == n:
        flat = np.isfinite(hits.scores[:, -1]) & (hits.scores[:, 0] == hits.scores[:, -1])
        hits.ids[flat], hits.scores[flat] = -1, -np.inf
    return hits


def _is_cut(scores: np.ndarray, depth: int, limit: int) -> np.ndarray:
    """Whether the group of equals that `depth` cuts through goes on to the limit, and so maybe beyond it, per query."""
    return np.isfinite(scores[:, limit - 1]) & (scores[:, depth - 1] == scores[:, limit - 1])
