"""Texts that say nearly the same: they must not stand on both sides of a split, or its score would be one of memory."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

SHINGLE, NEAR = 5, 0.5  # words in a row; share of them in common (Jaccard) from which two texts say the same


def groups(texts: Sequence[str]) -> np.ndarray:
    """Number the groups of texts that have NEAR of their shingles in common, directly or by way of others: (n,)."""
    hashing = HashingVectorizer(
        analyzer="word", token_pattern=r"\w+", ngram_range=(SHINGLE, SHINGLE), norm=None, alternate_sign=False,
        binary=True, n_features=2**24, dtype=np.float32,
    )  # fmt: skip
    shingles = hashing.transform(texts).tocsr()
    sizes = np.asarray(shingles.sum(axis=1)).ravel()
    shared = (shingles @ shingles.T).tocoo()
    near = shared.data >= NEAR * (sizes[shared.row] + sizes[shared.col] - shared.data)
    shared.data = near & (shared.data > 0)
    shared.eliminate_zeros()
    return connected_components(shared, directed=False)[1]
