"""BM25 by Qdrant itself: the words of a text as a sparse vector, whose IDF the engine keeps (modifier `idf`).

Words, stems, hashes and term weights are those of Qdrant Edge's own `Bm25`, so one set of vectors serves every engine.
`scores` is the oracle: the formula, with the IDF, in scipy.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import qdrant_edge as edge
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from workbook.errors import WorkbookError

K, B = 1.2, 0.75  # Qdrant's own: how soon a repeated word counts no more, and how much length is held against a text


class Sparse(NamedTuple):
    """A sparse vector: hashes of the words and their weights, both (words,); empty for a text without a word."""

    indices: list[int]
    values: list[float]


class Bm25:
    """How documents and queries become sparse vectors; `average_length` and `language` are as Qdrant takes them."""

    def __init__(self, average_length: float, language: str = "english"):
        """Raises WorkbookError for a language that Qdrant has no stemmer for, or a length that is not above 0."""
        self.average_length = average_length
        try:
            self._model = edge.Bm25(edge.Bm25Config(k=K, b=B, avg_len=average_length, language=language))
        except ValueError as error:
            raise WorkbookError(f"BM25 cannot be had like this: {error}") from None

    def documents(self, texts: Sequence[str]) -> list[Sparse]:
        return [_plain(self._model.embed_document(text)) for text in texts]

    def queries(self, texts: Sequence[str]) -> list[Sparse]:
        return [_plain(self._model.embed_query(text)) for text in texts]


class Idf:
    """The inverse document frequency of each word in the documents counted, as Qdrant's modifier `idf` has it."""

    def __init__(self):
        self._having: Counter[int] = Counter()
        self._documents = 0

    def count(self, documents: Sequence[Sparse]) -> None:
        """Count documents; those without a word are none."""
        for each in documents:
            self._having.update(each.indices)
            self._documents += bool(each.indices)

    def weighted(self, queries: Sequence[Sparse]) -> list[Sparse]:
        """The queries, with the IDF multiplied into their weights."""
        return [
            Sparse(each.indices, [weight * self._of(word) for word, weight in zip(*each, strict=True)])
            for each in queries
        ]

    def _of(self, word: int) -> float:
        return float(idf(self._having[word], self._documents))


def idf(having: ArrayLike, documents: int) -> ArrayLike:
    """Qdrant's own formula, of words that so many of so many documents have."""
    return np.log(1 + (documents - np.asarray(having) + 0.5) / (np.asarray(having) + 0.5))


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
    """Scores that an engine with the modifier `idf` must give, float64 (queries, documents).

    Documents without a word do not count in the IDF.
    """
    words, columns = np.unique(
        np.concatenate([each.indices for each in (*queries, *documents)]).astype(int), return_inverse=True
    )
    cut = sum(len(each.indices) for each in queries)
    asked, stored = (
        _matrix(rows, part, len(words)) for rows, part in ((queries, columns[:cut]), (documents, columns[cut:]))
    )
    having = np.bincount(stored.indices, minlength=len(words))
    counted = sum(bool(each.indices) for each in documents)
    return (asked.multiply(idf(having, counted)) @ stored.T).toarray()


def _matrix(rows: Sequence[Sparse], columns: np.ndarray, words: int) -> csr_array:
    ends = np.cumsum([0, *(len(each.indices) for each in rows)])
    values = np.concatenate([each.values for each in rows]).astype(float)
    return csr_array((values, columns, ends), shape=(len(rows), words))


def _plain(vector: edge.SparseVector) -> Sparse:
    return Sparse(list(vector.indices), list(vector.values))
