"""Why a static model scores a document as it does: the part of each pair of a query's and a document's token.

A static model's vector is the mean of its tokens' vectors, so the cosine of two texts is a sum over pairs of their
tokens, exactly. For a transformer there is no such sum: its token vectors depend on each other.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workbook.embedding import stages, vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError

CLOSE = 1e-5  # between the sum of the pairs and the cosine of the encoded texts, which is in float32


class Part(NamedTuple):
    """What a query's token and a document's token add to the score, in all the places where they stand."""

    query: str
    document: str
    places: int
    score: float


@dataclass(frozen=True)
class Contributions:
    """A score taken apart: `pairs`, float64 (query tokens, document tokens), sums to `score`, the float32 cosine."""

    query_tokens: list[str]
    document_tokens: list[str]
    pairs: np.ndarray
    score: float

    @property
    def of_query(self) -> np.ndarray:
        """What each token of the query adds to the score: (query tokens,)."""
        return self.pairs.sum(axis=1)

    @property
    def of_document(self) -> np.ndarray:
        """What each token of the document adds to the score: (document tokens,)."""
        return self.pairs.sum(axis=0)

    def largest(self, count: int) -> list[Part]:
        """The pairs of different tokens that add or take away the most, the largest first."""
        asked, rows = np.unique(self.query_tokens, return_inverse=True)
        held, columns = np.unique(self.document_tokens, return_inverse=True)
        sums, places = np.zeros((len(asked), len(held))), np.zeros((len(asked), len(held)), dtype=int)
        np.add.at(sums, (rows[:, None], columns), self.pairs)
        np.add.at(places, (rows[:, None], columns), 1)
        order = np.argsort(-np.abs(sums), axis=None, kind="stable")[:count]
        found = zip(*np.unravel_index(order, sums.shape), strict=True)
        return [Part(str(asked[q]), str(held[d]), int(places[q, d]), float(sums[q, d])) for q, d in found]


def explain(encoder: Encoder, query: str, document: str, dimension: int) -> Contributions:
    """Take the cosine of a query and a document, both truncated to a dimension, apart. `document` is its full text.

    Prompts and the model's own limit of tokens are those that it encodes with. Raises WorkbookError for a model that is
    not static, a text of whose words it knows none, a dimension it does not have, and parts that do not sum to the
    cosine.
    """
    if encoder.kind != "static":
        raise WorkbookError(f"{encoder.name} is no static model: its score is not a sum over tokens")
    roles = {"query": query, "document": document}
    score = float(np.dot(*(_encoded(encoder, text, role, dimension) for role, text in roles.items())))
    query_tokens, asked = stages.token_vectors(encoder, encoder.prompt("query") + query, "query")
    document_tokens, held = stages.token_vectors(encoder, encoder.prompt("document") + document)
    pairs = _shares(asked, dimension) @ _shares(held, dimension).T
    if not abs(pairs.sum() - score) <= CLOSE:
        raise WorkbookError(
            f"{encoder.name}: pairs of tokens sum to {pairs.sum():.6f} and the cosine is {score:.6f}, so its vectors "
            f"are not means of its tokens' vectors: such a model cannot be explained"
        )
    return Contributions(query_tokens, document_tokens, pairs, score)


def _encoded(encoder: Encoder, text: str, role: str, dimension: int) -> np.ndarray:
    vector = vectors.truncate(encoder.encode([text], role), dimension)[0]
    if not vector.any():
        raise WorkbookError(f"{encoder.name} knows no word of the {role}: there is nothing to explain")
    return vector


def _shares(rows: np.ndarray, dimension: int) -> np.ndarray:
    """Of each token, its part in the text's vector of length 1: float64 (tokens, dimension)."""
    kept = rows[:, :dimension].astype(float)
    return kept / np.linalg.norm(kept.sum(axis=0))
