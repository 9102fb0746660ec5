"""What the explorer found: the answer of each method to a query, and its ranked documents."""

from dataclasses import dataclass, field
from typing import NamedTuple

STATIC, CUSTOM, TRANSFORMER, BM25, HYBRID = "static", "custom", "transformer", "BM25", "hybrid"
MAIN = (HYBRID, TRANSFORMER, BM25)  # shown at first
REACH = 100  # ranks of the whole float32 vectors' ranking that are known
SNIPPET = 180  # characters
WORDS = "word search (BM25)"
NO_WORD = "No document has a word of this query."


class Found(NamedTuple):
    """A ranked document; `was` is its rank by whole float32 vectors searched exactly, None below the first REACH.

    `is_right`: the query is a judged one, and this document is relevant to it.
    """

    rank: int
    id: str
    title: str
    snippet: str
    score: float
    was: int | None
    is_right: bool = False


@dataclass(frozen=True)
class Answer:
    """What one method found; `left` is what whole float32 vectors would have shown and it does not.

    `title` is the method in plain words, `model` in full. `bytes_per_vector` is 0 where there are no vectors,
    `bytes_of_words`, of the index of words for each document, where there are no words; `problem` is why nothing was
    found, in a sentence. `ranked`: ids of all that was asked for, REACH or, rescored, what is shown. `right`: the first
    rank of a relevant document among them, None if there is none or the query is not judged. `fusion` is empty without.
    """

    way: str
    title: str
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
    ranked: list[str] = field(default_factory=list)
    right: int | None = None
    fusion: str = ""
