"""How sure a mean is: bootstrap intervals over queries, and comparisons paired on the same queries.

A grid of comparisons is one family: each gets a verdict, and its p-values are adjusted for the number of the others.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm, ttest_1samp

from workbook.errors import WorkbookError

CONFIDENCE, RESAMPLES, SEED = 0.95, 9_999, 0
MARGIN = 0.01  # the largest loss of mean score (0 to 1) that counts as none
ALPHA, POWER = 0.05, 0.8
MIN_QUERIES = 10  # fewer decide nothing
KEPT = 10_000  # queries whose resamples are kept in memory, 800 MB; of more they are drawn for each mean anew
DECIMALS = 12  # of a difference; the rest is rounding: 0.60 - 0.61 is not 0.50 - 0.51
NO_WORSE, WORSE, UNDECIDED = "no worse than the margin", "worse", "undecided"
REPORTED = "on queries that did not choose it"  # in the rows of what was chosen by its score


class Interval(NamedTuple):
    """An estimate, the ends of its 95% percentile bootstrap interval, and the number of queries behind it.

    Like any of these it is too narrow for few queries: of 25 it holds the truth in 92% of cases, of 10 in 87%. For
    a difference it is those that differ which count: where 26 of 300 do it is 93%, where 10 do 92%, where 3 do 80%.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Verdict(NamedTuple):
    """A paired difference, its Holm-adjusted p-values, what they decide, and the queries it takes if nothing.

    `p_difference` is two-sided, of no difference; `p_margin` one-sided, of a loss of the margin or more.
    """

    difference: Interval
    p_difference: float
    p_margin: float
    verdict: str
    queries_needed: int | None


def mean(values: pd.Series) -> Interval:
    """Interval of a mean over queries."""
    return _interval(_itself, values.to_numpy())


def mean_difference(values: pd.Series, baseline: pd.Series) -> Interval:
    """Interval of mean(values) - mean(baseline), paired by query. Raises WorkbookError for different queries."""
    _check_paired(values, baseline)
    return _interval(_itself, values.to_numpy() - baseline.to_numpy())


def share_kept(values: pd.Series, baseline: pd.Series) -> Interval:
    """Interval of mean(values) / mean(baseline), paired by query; not a number where the baseline scores 0."""
    _check_paired(values, baseline)
    return _interval(_ratio, values.to_numpy(), baseline.to_numpy())


def permutation_p(values: pd.Series, baseline: pd.Series) -> float:
    """Two-sided p-value of a paired permutation test of the mean difference (Smucker et al. 2007), 1 if identical.

    It is never below 1 / (RESAMPLES + 1). Raises WorkbookError for different queries.
    """
    return float(_sign_flip_p(_differences(values, baseline)[:, np.newaxis])[0])


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Adjust a family of p-values, (tests,) in and out, in the order given, by the step-down of Holm (1979)."""
    p_values = np.asarray(p_values, dtype=float)
    order, adjusted = np.argsort(p_values), np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1)).clip(max=1)
    return adjusted


def verdicts(pairs: Sequence[tuple[pd.Series, pd.Series]], margin: float = MARGIN) -> list[Verdict]:
    """Decide for each (values, baseline) of one grid whether it is worse, or no worse than the margin, or neither.

    `p_margin` is the t-test of non-inferiority, the lower half of a TOST (Schuirmann 1987): only "worse" matters when
    one asks whether compression may be used, so the upper half is not tested. "no worse" comes first: a loss may be
    certain and still smaller than the margin. Where fewer than MIN_QUERIES queries differ from the rest, the t-test has
    no variance to go by and would be certain of anything; then "no worse" takes `fewest` queries, and `p_margin` is 1
    with less.
    `queries_needed`, of undecided cells only, is how many would decide with 80% power if the difference and its
    standard deviation are what they seem. It ignores Holm and so is a lower bound.
    Raises WorkbookError for a margin that is not above 0 and for different queries within a pair.
    """
    if margin <= 0:
        raise WorkbookError(f"margin {margin}: give the loss of mean score you can accept, above 0, such as {MARGIN}")
    differences = [_differences(*pair) for pair in pairs]
    p_differences = holm(_family_p(differences))
    p_margins = holm([_margin_p(each, margin) for each in differences])
    found = []
    for pair, each, p_difference, p_margin in zip(pairs, differences, p_differences, p_margins, strict=True):
        interval = mean_difference(*pair)
        verdict = decide(interval, p_difference, p_margin)
        needed = _queries_needed(each, margin) if verdict == UNDECIDED else None
        found.append(Verdict(interval, float(p_difference), float(p_margin), verdict, needed))
    return found


def fewest(margin: float) -> int:
    """Queries that show no large loss by not having one: three for each margin's worth (the rule of three).

    If one query in 1 / margin lost all of its score, the mean would lose the margin; 3 / margin queries have none of
    those with a chance of exp(-3), 5%.
    """
    return math.ceil(3 / margin)


def decide(difference: Interval, p_difference: float, p_margin: float) -> str:
    """What adjusted p-values decide of a difference, see `verdicts`."""
    if difference.n < MIN_QUERIES:
        return UNDECIDED
    if p_margin < ALPHA:
        return NO_WORSE
    return WORSE if difference.value < 0 and p_difference < ALPHA else UNDECIDED


def halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of n queries in two halves drawn by seed, each in order: one chooses, (n // 2,), the other reports."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _family_p(differences: Sequence[np.ndarray]) -> np.ndarray:
    """Permutation p-values of a family, (tests,); those with as many queries share their resamples."""
    p_values, sizes = np.ones(len(differences)), np.array([len(each) for each in differences])
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        p_values[alike] = _sign_flip_p(np.column_stack([differences[number] for number in alike]))
    return p_values


def _sign_flip_p(differences: np.ndarray) -> np.ndarray:
    """Two-sided p-values of mean differences, (queries, tests) -> (tests,): to swap a pair is to flip a sign.

    Not scipy's permutation_test, which shuffles the indices of every pair of every test: a grid needs so many resamples
    that Holm can still find a p-value small enough, and all of its tests can share them in one matrix product.
    """
    resamples = max(RESAMPLES, 100 * differences.shape[1])
    observed = np.abs(differences.sum(axis=0)) * (1 - 1e-9)  # a sum in another order may round the other way
    rng, extreme = np.random.default_rng(SEED), np.ones(differences.shape[1])
    for start in range(0, resamples, 1_000):
        signs = rng.integers(0, 2, (min(1_000, resamples - start), len(differences))) * 2.0 - 1.0
        extreme += (np.abs(signs @ differences) >= observed).sum(axis=0)
    return extreme / (resamples + 1)


def _margin_p(differences: np.ndarray, margin: float) -> float:
    if _is_too_even(differences, margin):
        return 1.0
    if np.ptp(differences) == 0:  # the t-test would divide by zero
        return float(differences[0] <= -margin)
    return float(ttest_1samp(differences, popmean=-margin, alternative="greater").pvalue)


def _is_too_even(differences: np.ndarray, margin: float) -> bool:
    """Whether too few queries differ from the rest for a t-test, and too few are there for the rule of three."""
    differing = np.count_nonzero(differences != np.median(differences))
    return differing < min(MIN_QUERIES, len(differences) - 1) and len(differences) < fewest(margin)


def _queries_needed(differences: np.ndarray, margin: float) -> int | None:
    n = len(differences)
    if n < 2:
        return None  # no standard deviation
    difference, deviation, needed = differences.mean(), differences.std(ddof=1), []
    if difference > -margin:
        by_test = ((norm.ppf(1 - ALPHA) + norm.ppf(POWER)) * deviation / (difference + margin)) ** 2
        needed.append(max(by_test, fewest(margin)) if _is_too_even(differences, margin) else by_test)
    if difference < 0:
        needed.append(((norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) * deviation / difference) ** 2)
    return max(math.ceil(min(needed)), n + 1, MIN_QUERIES)


def _differences(values: pd.Series, baseline: pd.Series) -> np.ndarray:
    _check_paired(values, baseline)
    return (values.to_numpy() - baseline.to_numpy()).round(DECIMALS)


def _interval(statistic: Callable[..., np.ndarray], *samples: np.ndarray) -> Interval:
    """Interval of a statistic of the samples' means; each sample is (queries,), all of the same queries."""
    n = len(samples[0])
    estimate = float(statistic(*(sample.mean() for sample in samples)))
    if n < 2:
        return Interval(estimate, np.nan, np.nan, n)
    resampled = statistic(*(_resampled_means(sample) for sample in samples))
    outside = 100 * (1 - CONFIDENCE) / 2
    with np.errstate(invalid="ignore"):  # a share of nothing, in some resample
        low, high = np.percentile(resampled, [outside, 100 - outside])
    return Interval(estimate, float(low), float(high), n)


@functools.lru_cache(maxsize=4)
def _resamples(n: int, count: int) -> np.ndarray:
    """How often each of n queries is drawn in each resample: (count, n).

    Not scipy's bootstrap, though a test compares with it: that draws anew for every mean, which for a grid of a
    thousand cells takes minutes. Drawn once, all cells share their resamples, and a mean is a product.
    """
    return np.stack(list(_draws(n, count))).astype(float)


def _draws(n: int, count: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(SEED)
    for _ in range(count):
        yield np.bincount(rng.integers(0, n, n), minlength=n)


def _resampled_means(sample: np.ndarray) -> np.ndarray:
    """Mean of each resample, (RESAMPLES,)."""
    n = len(sample)
    if n > KEPT:
        return np.array([counts @ sample for counts in _draws(n, RESAMPLES)]) / n
    return _resamples(n, RESAMPLES) @ sample / n


def _ratio(values: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(values, baseline)


def _itself(values: np.ndarray) -> np.ndarray:
    return values


def _check_paired(values: pd.Series, baseline: pd.Series) -> None:
    if not values.index.equals(baseline.index):
        raise WorkbookError("a comparison must be on the same queries in the same order")
