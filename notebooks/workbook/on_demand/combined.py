"""Signals combined into one number, the weakness of a first search: how low its signals are among those of others.

The mean of ranks has no weights that a corpus could have taught it. A logistic regression, taught on five of six
corpora, bought more or less on the sixth than the ranks did, by how it was regularized: nothing tells which to take.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbook.errors import WorkbookError
from workbook.names import COMBINED

CHOSEN = ("top score", "BM25's top score a word", "top fused score")  # one of each ranking


def weakness(found: pd.DataFrame, among: pd.DataFrame, names: Sequence[str] = CHOSEN) -> pd.Series:
    """Mean over signals of the share of searches `among` whose signal is higher, half of the equal ones: 0 to 1.

    Both are frames of `signals.of`, of the searches to be told of, and of those to compare with. Infinite for a search
    whose vectors found nothing.
    Raises WorkbookError where there is nothing to compare with.
    """
    if not len(among):
        raise WorkbookError("no other searches to compare with: give signals of known items, or of earlier queries")
    ranks = [lower(found[name].to_numpy(), among[name].to_numpy()) for name in names]
    mean = pd.Series(np.mean(ranks, axis=0), found.index)
    return mean.where(np.isfinite(found[list(names)]).all(axis=1), np.inf)


def choices(found: pd.DataFrame) -> dict[str, pd.Series]:
    """Weaknesses among the searches themselves: by the combined signals, and by each signal alone."""
    return {COMBINED: weakness(found, found), **{name: weakness(found, found, [name]) for name in found}}


def lower(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of `among` that each value is lower than, half of the equal ones: (values,), 0 to 1."""
    ordered = np.sort(among)
    ends = [np.searchsorted(ordered, values, side) for side in ("left", "right")]
    return 1 - np.mean(ends, axis=0) / len(ordered)
