"""How sure a mean is: bootstrap intervals over queries, and comparisons paired on the same queries.

The interval alone decides a comparison, by `decide`, wherever one is told, tabled or drawn: so word, colour and whisker
agree. Few queries, few that differ, and many comparisons at once widen the interval.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from workbook.errors import WorkbookError

CONFIDENCE, RESAMPLES, SEED = 0.95, 9_999, 0
NORMAL = float(norm.ppf((1 + CONFIDENCE) / 2))  # 1.96 standard errors on either side of a normal interval
MARGIN = 0.01  # the largest difference of mean scores (0 to 1) that counts as none
POWER = 0.8
MIN_QUERIES = 10  # fewer decide nothing
KEPT = 10_000  # queries whose resamples are kept in memory, 800 MB; of more they are drawn for each mean anew
DECIMALS = 12  # of a difference; the rest is rounding: 0.60 - 0.61 is not 0.50 - 0.51
BETTER, EQUAL, WORSE, NOT_SETTLED = "better", "equal", "worse", "not settled"
REPORTED = "on queries that did not choose it"  # in the rows of what was chosen by its score


class Interval(NamedTuple):
    """An estimate, the ends of its 95% interval, and the number of queries behind it.

    The interval of a mean or a share is a percentile bootstrap, which is too narrow for few queries: it holds the truth
    in 92% of cases for 25 queries, in 87% for 10. For a difference see `differences`. Without an interval the ends are
    not a number. `standard_error` is that of a mean or of a paired difference, by which corpora are weighed against
    each other; it is not a number for a share, and below MIN_QUERIES queries.
    """

    value: float
    low: float
    high: float
    n: int
    standard_error: float = math.nan

    @classmethod
    def of(cls, row: pd.Series) -> "Interval":
        """The interval of a row of `results`."""
        return cls(row["value"], row["low"], row["high"], int(row["n"]), row.get("standard_error", math.nan))

    def __str__(self) -> str:
        return self.text(3)

    def text(self, digits: int, sign: str = "") -> str:
        """The estimate with its interval; `sign` "+" writes a sign before positive numbers too."""
        form = f"{sign}.{digits}f"
        unknown = f"{formatted(self.value, form)} (too few queries)"
        return unknown if math.isnan(self.low) else with_range(*self[:3], form)


def with_range(value: float, low: float, high: float, form: str) -> str:
    """A number with the ends of its interval or range, all in one format, such as ",.2f": "12.30 [11.90, 12.80]"."""
    return f"{formatted(value, form)} [{formatted(low, form)}, {formatted(high, form)}]"


def formatted(value: float, form: str) -> str:
    """A number in a format; where that shows every sign, minus is written as such and not as a hyphen."""
    text = f"{value:{form}}"
    return text.replace("-", "\N{MINUS SIGN}") if form.startswith("+") else text


class Verdict(NamedTuple):
    """A paired difference, what its interval decides, and how many queries would settle it if it does not."""

    difference: Interval
    verdict: str
    queries_needed: int | None


def mean(values: pd.Series) -> Interval:
    """Interval of a mean over queries."""
    return _interval(lambda own: own, values.to_numpy())._replace(standard_error=_standard_error(values.to_numpy()))


def mean_difference(values: pd.Series, baseline: pd.Series) -> Interval:
    """Interval of mean(values) - mean(baseline), paired by query. Raises WorkbookError for different queries."""
    return differences([(values, baseline)])[0]


def differences(pairs: Sequence[tuple[pd.Series, pd.Series]]) -> list[Interval]:
    """Intervals of mean(values) - mean(baseline), paired by query, of one family of comparisons.

    Each is a percentile bootstrap interval, widened three times. One factor widens all of a family, until 95% of the
    resamples lie in all of its intervals at once: so a grid finds a difference by chance no more often than a single
    comparison does. Student's t widens an interval with few queries that differ. If fewer than MIN_QUERIES differ,
    `unseen` is added, and to the standard error as much as moves the end of a normal interval so far: queries that
    are all alike are no proof without error. Below MIN_QUERIES queries there is no interval.
    Raises WorkbookError for different queries within a pair.
    """
    columns = [_differences(*pair) for pair in pairs]
    sizes = np.array([len(each) for each in columns], dtype=int)
    found: dict[int, Interval] = {}
    ends, farthest = [], np.zeros(RESAMPLES)
    for n in np.unique(sizes):
        alike = np.flatnonzero(sizes == n)
        rows = _in_order(np.column_stack([columns[number] for number in alike]))
        means = np.array([math.fsum(column) for column in rows.T]) / n  # exact, whatever order the family puts them in
        if n < MIN_QUERIES:
            found |= {k: Interval(float(mean), np.nan, np.nan, int(n)) for k, mean in zip(alike, means, strict=True)}
            continue
        resampled = _resampled_means(rows) - means
        low, high = _ends(resampled)
        below, above = -low.clip(max=0), high.clip(min=0)
        for side, width in ((resampled, above), (-resampled, below)):
            farthest = np.maximum(farthest, (side / np.where(width > 0, width, np.inf)).max(axis=1))
        ends += zip(alike, means, below, above, np.count_nonzero(rows, axis=0), strict=True)
    wider = max(1.0, float(np.quantile(farthest, CONFIDENCE))) if ends else 1.0
    for number, mean, below, above, differing in ends:
        factor, n = float(_student(differing, wider)), int(sizes[number])
        hidden = unseen(n) if differing < MIN_QUERIES else 0.0
        low, high = float(mean - factor * below - hidden), float(mean + factor * above + hidden)
        error = math.hypot(_standard_error(columns[number]), hidden / NORMAL)
        found[number] = Interval(float(mean), low, high, n, error)
    return [found[number] for number in range(len(pairs))]


def share_kept(values: pd.Series, baseline: pd.Series) -> Interval:
    """Interval of mean(values) / mean(baseline), paired by query; not a number where the baseline scores 0."""
    _check_paired(values, baseline)
    return _interval(np.divide, values.to_numpy(), baseline.to_numpy())


def verdicts(pairs: Sequence[tuple[pd.Series, pd.Series]], margin: float = MARGIN) -> list[Verdict]:
    """Decide each (values, baseline) of one family by its interval, see `differences` and `decide`.

    What is not settled has `queries_needed`: so many would settle it, or show that no loss of the margin is there, with
    80% power if difference and standard deviation are as measured.
    Raises WorkbookError for a margin that is not above 0 and for different queries within a pair.
    """
    check_margin(margin)
    found = []
    for pair, difference in zip(pairs, differences(pairs), strict=True):
        verdict = decide(difference, margin)
        needed = _queries_needed(_differences(*pair), difference, margin) if verdict == NOT_SETTLED else None
        found.append(Verdict(difference, verdict, needed))
    return found


def check_margin(margin: float) -> None:
    """Raise WorkbookError for a margin that is not above 0."""
    if not margin > 0:
        raise WorkbookError(f"margin {margin}: give the loss of mean score you can accept, above 0, such as {MARGIN}")


def decide(difference: Interval, margin: float) -> str:
    """What an interval decides: all of it above 0 is BETTER, all below is WORSE, all within the margin is EQUAL.

    Anything else, and a difference without an interval, is NOT_SETTLED.
    """
    if difference.low > 0:
        return BETTER
    if difference.high < 0:
        return WORSE
    return EQUAL if -margin < difference.low and difference.high < margin else NOT_SETTLED


def keeps(difference: Interval, margin: float) -> bool:
    """Whether all of the interval lies above a loss of the margin."""
    return difference.low > -margin


def told(difference: Interval, margin: float) -> str:
    """What an interval decides in words, with the margin where that matters: "worse, but by less than 0.01"."""
    verdict = decide(difference, margin)
    if verdict == EQUAL:
        return f"{verdict} within {margin:g}"
    if verdict == WORSE and keeps(difference, margin):
        return f"{verdict}, but by less than {margin:g}"
    return f"{verdict}, but no loss of {margin:g}" if verdict == NOT_SETTLED and keeps(difference, margin) else verdict


def unseen(n: int) -> float:
    """How much a mean of scores (0 to 1) may differ by a kind of query that n queries had none of: about 3 / n.

    This is the rule of three: with a chance of 5%, n queries have none of a kind whose share is 3 / n. If each of that
    kind lost all of its score, the mean would lose that share.
    """
    return -math.log(0.05) / n


def fewest(margin: float) -> int:
    """How many queries without a difference show that no loss of the margin is there: 3 / margin, see `unseen`."""
    return math.ceil(3 / margin)


def halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of n queries in two halves drawn by seed, each sorted: (n // 2,) to choose by, the rest to report."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _in_order(rows: np.ndarray) -> np.ndarray:
    """Rows (queries, samples), sorted, so that the order of the queries moves no interval."""
    return rows[np.lexsort(rows.T[::-1])]


def _ends(resampled: np.ndarray) -> np.ndarray:
    """The percentiles of resamples, (RESAMPLES, ...), at which the interval ends: (2, ...)."""
    outside = 100 * (1 - CONFIDENCE) / 2
    return np.percentile(resampled, [outside, 100 - outside], axis=0)


def _student(differing: np.ndarray, wider: float) -> np.ndarray:
    """The factor by Student's t that is as unlikely as the factor `wider` by the normal distribution."""
    n = np.maximum(differing, MIN_QUERIES)
    return t.isf(norm.sf(NORMAL * wider), n - 1) / NORMAL * np.sqrt(n / (n - 1))


def _standard_error(values: np.ndarray) -> float:
    """Of a mean of (queries,), whose order moves no digit of it."""
    return float(np.sort(values).std(ddof=1)) / math.sqrt(len(values)) if len(values) >= MIN_QUERIES else math.nan


def _queries_needed(differences: np.ndarray, interval: Interval, margin: float) -> int | None:
    n = len(differences)
    if n < 2:
        return None  # no standard deviation
    difference, deviation = interval.value, differences.std(ddof=1)
    few = np.count_nonzero(differences) < MIN_QUERIES
    half = (interval.high - interval.low) / 2 - few * unseen(n)
    if math.isnan(half):
        half = NORMAL * deviation / math.sqrt(n)
    reach = half * math.sqrt(n) + norm.ppf(POWER) * deviation
    away = [abs(difference), margin - abs(difference)]  # from 0, and from the nearer end of the margin
    if not keeps(interval, margin):
        away.append(margin + difference)
    needed = [max((reach / each) ** 2, few * fewest(each)) for each in away if each > 10**-DECIMALS]
    return max(math.ceil(min(needed)), n + 1, MIN_QUERIES)


def _differences(values: pd.Series, baseline: pd.Series) -> np.ndarray:
    _check_paired(values, baseline)
    return (values.to_numpy(float) - baseline.to_numpy(float)).round(DECIMALS)


def _interval(statistic: Callable[..., np.ndarray], *samples: np.ndarray) -> Interval:
    """Interval of a statistic of the samples' means; each sample is (queries,), all of the same queries."""
    rows = _in_order(np.column_stack(samples))
    with np.errstate(invalid="ignore", divide="ignore"):  # a share of nothing
        n, estimate = len(rows), float(statistic(*rows.mean(axis=0)))
        low, high = _ends(statistic(*_resampled_means(rows).T)) if n > 1 else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high), n)


@functools.lru_cache(maxsize=4)
def _resamples(n: int, count: int) -> np.ndarray:
    """How often each of n queries is drawn in each resample: (count, n).

    All cells of a grid share these, and a mean is a product. scipy's bootstrap, which a test compares with, draws for
    every mean anew, which takes minutes for a thousand cells.
    """
    return np.stack(list(_draws(n, count))).astype(float)


def _draws(n: int, count: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(SEED)
    for _ in range(count):
        yield np.bincount(rng.integers(0, n, n), minlength=n)


def _resampled_means(rows: np.ndarray) -> np.ndarray:
    """Means of each resample of queries, (queries, samples) -> (RESAMPLES, samples)."""
    n = len(rows)
    if n > KEPT:
        return np.stack([counts @ rows for counts in _draws(n, RESAMPLES)]) / n
    return _resamples(n, RESAMPLES) @ rows / n


def _check_paired(values: pd.Series, baseline: pd.Series) -> None:
    if not values.index.equals(baseline.index):
        raise WorkbookError("a comparison must be on the same queries in the same order")
