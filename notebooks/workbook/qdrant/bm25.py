"""BM25 by Qdrant itself: the words of a text as a sparse vector, whose IDF the engine keeps (modifier `idf`).

Words, stems, hashes and term weights are those of Qdrant Edge's own `Bm25`, so one set of vectors serves every engine.
`scores` computes what an engine must answer.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import qdrant_edge as edge

from workbook.errors import WorkbookError

K, B = 1.2, 0.75  # Qdrant's own: how soon a repeated word counts no more, and how much length is held against a text


class Sparse(NamedTuple):
    """A sparse vector: hashes of the words and their weights, both (words,); empty for a text without a word."""

    indices: list[int]
    values: list[float]


class Bm25:
    """Turns documents and queries into sparse vectors; `average_length` and `language` are as Qdrant takes them."""

    def __init__(self, average_length: float, language: str = "english"):
        """Raises WorkbookError for a language that Qdrant has no stemmer for, or a length that is not above 0."""
        self.average_length, self.language = average_length, language
        try:
            self._model = edge.Bm25(edge.Bm25Config(k=K, b=B, avg_len=average_length, language=language))
        except ValueError as error:
            raise WorkbookError(f"BM25 cannot be had like this: {error}") from None

    def documents(self, texts: Sequence[str]) -> list[Sparse]:
        return [_plain(self._model.embed_document(text)) for text in texts]

    def queries(self, texts: Sequence[str]) -> list[Sparse]:
        return [_plain(self._model.embed_query(text)) for text in texts]


class Idf:
    """Inverse document frequency by Qdrant's own formula, of each word in the documents that were counted."""

    def __init__(self):
        self._having: Counter[int] = Counter()
        self._documents = 0

    def count(self, documents: Sequence[Sparse]) -> None:
        """Count documents; one without a word does not count."""
        for each in documents:
            self._having.update(each.indices)
            self._documents += bool(each.indices)

    def weighted(self, queries: Sequence[Sparse]) -> list[Sparse]:
        """The queries, with the IDF multiplied into their weights."""
        return [
            Sparse(each.indices, [weight * self._of(word) for word, weight in zip(*each, strict=True)])
            for each in queries
        ]

    def having(self, query: Sparse) -> np.ndarray:
        """How many documents have each of a query's words: (words,)."""
        return np.array([self._having[word] for word in query.indices], dtype=int)

    def _of(self, word: int) -> float:
        having = self._having[word]
        return float(np.log(1 + (self._documents - having + 0.5) / (having + 0.5)))


def average_words(texts: Sequence[str]) -> float:
    """Mean length in words between spaces: what Qdrant's documentation gives as `avg_len`; 1 if there are none."""
    return float(np.mean([len(text.split()) for text in texts])) or 1.0


def average_tokens(texts: Sequence[str], language: str = "english") -> float:
    """Mean length as the engine itself counts it, without stop words: what its formula compares with `avg_len`."""
    # at b = 0 length plays no part, and a weight w = f (K + 1) / (f + K) tells how often the word is there
    counting = edge.Bm25(edge.Bm25Config(k=K, b=0, language=language))
    weights = [np.array(counting.embed_document(text).values) for text in texts]
    return float(np.mean([(K * own / (K + 1 - own)).round().sum() for own in weights])) or 1.0


def scores(queries: Sequence[Sparse], documents: Sequence[Sparse]) -> np.ndarray:
    """Scores that an engine with the modifier `idf` must give, float64 (queries, documents)."""
    idf, found = Idf(), np.zeros((len(queries), len(documents)))
    idf.count(documents)
    asked: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for row, query in enumerate(idf.weighted(queries)):
        for word, weight in zip(*query, strict=True):
            asked[word].append((row, weight))
    for column, document in enumerate(documents):
        for word, weight in zip(*document, strict=True):
            for row, own in asked.get(word, ()):
                found[row, column] += own * weight
    return found


def _plain(vector: edge.SparseVector) -> Sparse:
    return Sparse(list(vector.indices), list(vector.values))
