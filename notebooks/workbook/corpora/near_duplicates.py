"""Texts that say nearly the same. If they stood on both sides of a split, its score would be one of memory.

Two texts say nearly the same if they are equal but for case, spaces, punctuation and forms of a character; or have half
of their shingles of five words in common; or, if both are short, most of their shingles of six characters. In scripts
without spaces each character counts as a word.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

SHINGLE, NEAR = 5, 0.5  # words in a row; share of them in common (Jaccard) from which two texts say the same
SHORT = 200  # characters up to which a text has too few words for that, and is compared by its characters as well
LETTERS, NEAR_SHORT = 6, 0.7  # characters in a row, and the share: one character of 29 may differ
ORDERS = 32  # of all shingles; in a share of them two texts have the same least shingle: it is nearly what they share
LOOKS = 28  # at each text among its neighbours; two texts of which half is common are overlooked once in 2**LOOKS
STEPS = (1, 2, 4)  # to the neighbours that are compared
# Thai, Lao, Burmese, Khmer, kana and ideographs
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
MARKS = "".join(filter(lambda sign: unicodedata.category(sign)[0] == "M", map(chr, range(0x300, 0x10000))))  # vowels
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+(?:[{MARKS}]+[^\W{UNSPACED}]*)*")
# zero-width characters, soft hyphens, directions, variants of an emoji: nobody sees them
UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")


def plain(text: str) -> str:
    """The text without differences of case, spaces, unseen characters, and Unicode's forms of one character."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(UNSEEN.sub("", unicodedata.normalize("NFKC", folded)).split())


def words(text: str) -> list[str]:
    """The words of a `plain` text; each character of a script without spaces is one."""
    return WORD.findall(text)


def groups(texts: Sequence[str]) -> np.ndarray:
    """Number the groups of texts that say nearly the same, directly or by way of others: (n,).

    An empty text says nothing, so it is a group of its own.
    """
    if not len(texts):
        return np.empty(0, dtype=int)
    forms: dict[str, int] = {}
    form = np.array([forms.setdefault(plain(text), len(forms)) for text in texts], dtype=int)
    numbers = _linked(list(forms))[form]
    empty = form == forms.get("", -1)
    numbers[empty] = numbers.max(initial=0) + 1 + np.arange(empty.sum())
    return np.unique(numbers, return_inverse=True)[1]


def _linked(forms: list[str]) -> np.ndarray:
    said = [" ".join(words(form)) or form for form in forms]
    by_words = _shingles(said, analyzer="word", tokenizer=str.split, token_pattern=None, ngram_range=(SHINGLE, SHINGLE))
    edge = "\0" * (LETTERS - 1)
    short = [f"{edge}{text}{edge}" if text and len(text) <= SHORT else "" for text in said]
    by_letters = _shingles(short, analyzer="char", ngram_range=(LETTERS, LETTERS))
    return _near(by_letters, NEAR_SHORT, _near(by_words, NEAR, np.arange(len(said))))


def _shingles(texts: list[str], **options: Any) -> csr_matrix:
    """Which shingles each text has: ones, (n, hashes)."""
    hashing = HashingVectorizer(
        **options, lowercase=False, norm=None, alternate_sign=False, binary=True, n_features=2**30, dtype=np.float32
    )
    return hashing.transform(texts).tocsr()


def _near(shingles: csr_matrix, share: float, numbers: np.ndarray) -> np.ndarray:
    """Join the groups in `numbers` that hold rows with that share of shingles in common, and number them anew: (n,).

    Each look puts all shingles in an order of its own and sorts the rows by the least of their shingles (MinHash). Rows
    that have much in common become neighbours, so neither time nor memory grows with the square of the rows.
    """
    sizes = np.diff(shingles.indptr)
    there = np.flatnonzero(sizes)
    least = _least(shingles[there])
    for look in range(LOOKS):
        order = np.lexsort([least[:, look + more] for more in (3, 2, 1, 0)])
        for step in STEPS:
            one, other = order[:-step], order[step:]
            wanted = (least[one, look] == least[other, look]) & (numbers[there[one]] != numbers[there[other]])
            one, other = one[wanted], other[wanted]
            likely = (least[one] == least[other]).mean(axis=1) >= share / 2
            one, other = there[one[likely]], there[other[likely]]
            common = np.asarray(shingles[one].multiply(shingles[other]).sum(axis=1)).ravel()
            near = common >= share * (sizes[one] + sizes[other] - common)
            numbers = _joined(numbers, one[near], other[near])
    return numbers


def _joined(numbers: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Join the groups of each pair of rows, and number them anew."""
    links = coo_matrix((np.ones(len(one), dtype=bool), (numbers[one], numbers[other])), (numbers.max() + 1,) * 2)
    return connected_components(links, directed=False)[1][numbers]


def _least(shingles: csr_matrix) -> np.ndarray:
    """The least of each row's shingles, in each of the ORDERS: (rows, ORDERS)."""
    random = np.random.default_rng(0)
    hashes = shingles.indices.astype(np.uint32)
    orders = random.integers(0, 2**31, (ORDERS, 2), dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return np.stack([np.minimum.reduceat(hashes * a + b, shingles.indptr[:-1]) for a, b in orders], axis=1)
