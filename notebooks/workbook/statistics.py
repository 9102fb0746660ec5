"""How sure a mean is: bootstrap intervals over queries, and comparisons paired on the same queries. scipy computes."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from workbook.errors import WorkbookError

CONFIDENCE, RESAMPLES, SEED = 0.95, 9_999, 0


class Interval(NamedTuple):
    """An estimate, the ends of its 95% percentile bootstrap interval, and the number of queries behind it."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean(values: pd.Series) -> Interval:
    """Interval of a mean over queries."""
    return _interval(np.mean, values.to_numpy())


def mean_difference(values: pd.Series, baseline: pd.Series) -> Interval:
    """Interval of mean(values) - mean(baseline), paired by query. Raises WorkbookError for different queries."""
    _check_paired(values, baseline)
    return _interval(np.mean, values.to_numpy() - baseline.to_numpy())


def share_kept(values: pd.Series, baseline: pd.Series) -> Interval:
    """Interval of mean(values) / mean(baseline), paired by query; not a number where the baseline scores 0."""
    _check_paired(values, baseline)
    return _interval(_ratio_of_means, values.to_numpy(), baseline.to_numpy())


def _interval(statistic, *samples: np.ndarray) -> Interval:
    estimate, n = float(statistic(*samples)), len(samples[0])
    if n < 2:
        return Interval(estimate, np.nan, np.nan, n)
    ends = bootstrap(
        samples, statistic, paired=True, vectorized=True, method="percentile",
        n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=np.random.default_rng(SEED), batch=100,
    ).confidence_interval  # fmt: skip
    return Interval(estimate, float(ends.low), float(ends.high), n)


def _ratio_of_means(values: np.ndarray, baseline: np.ndarray, axis: int = -1) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.mean(values, axis=axis) / np.mean(baseline, axis=axis)


def _check_paired(values: pd.Series, baseline: pd.Series) -> None:
    if not values.index.equals(baseline.index):
        raise WorkbookError("a comparison must be on the same queries in the same order")
