"""An effect over several corpora: how large it is on the whole, how much corpora differ, what a new one may show.

Corpora are a sample of those one might have, each with its own true effect (random effects), so that a corpus of many
queries does not decide alone. Coverage is what chose the methods: with six corpora of 135 to 1,406 queries, intervals
hold the truth in 93 to 97% of simulations if the effect is the same on all of them or differs much, and in 92% if it
differs about as much as the queries' own error.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, norm, t

from workbook.errors import WorkbookError
from workbook.evaluation.statistics import CONFIDENCE, MIN_QUERIES, Interval

FEWEST = 5  # corpora; with fewer, the difference between corpora is hardly known, and callers say so
AT_LEAST = float(norm.ppf(0.95))  # standard errors by queries alone: a 90% interval if corpora do not differ
SPREADS = 200  # between corpora, that a prediction is averaged over
TAIL = (1 - CONFIDENCE) / 2


class Overall(NamedTuple):
    """An effect over corpora.

    `effect` is the mean over corpora; its `n` counts corpora. `prediction` are the ends of the 95% interval for the
    true effect on a new corpus, not a number for two corpora. `tau` is the standard deviation of true effects between
    corpora, `i2` the share of the variance of the measured effects that is due to it, `heterogeneity_p` how often
    corpora without such a difference would lie as far apart (Cochran's Q). `without` has the effect without each
    corpus in turn, in the order given.
    """

    effect: Interval
    prediction: tuple[float, float]
    tau: float
    i2: float
    heterogeneity_p: float
    without: list[Interval]


def pool(effects: Sequence[Interval]) -> Overall:
    """Pool the effects on corpora, each with its standard error; their order does not matter.

    tau is Paule and Mandel's, the interval that of Hartung, Knapp, Sidik and Jonkman, but no narrower than AT_LEAST of
    the usual standard errors of such a mean: effects that agree by chance make that interval too narrow. The usual
    guard, which never lets it shrink, holds an effect that is equal on all corpora in 99% of cases. For the prediction
    see `_prediction`.
    Raises WorkbookError for fewer than two effects, and for one without a standard error above 0.
    """
    if len(effects) < 2:
        raise WorkbookError("an effect over corpora needs at least two of them: give more names, as in CORPUS=a,b,c")
    for number, each in enumerate(effects, 1):
        if not (np.isfinite(each.value) and 0 < each.standard_error < np.inf):
            raise WorkbookError(
                f"effect {number} of {len(effects)}, {each.text(4, '+')} on {each.n:g} queries, has no standard error: "
                f"leave it out, or measure it on at least {MIN_QUERIES} queries"
            )
    effect, spread, q = _pooled(effects)
    few = len(effects) - 1
    rest = [[*effects[:place], *effects[place + 1 :]] for place in range(len(effects))]
    return Overall(
        effect,
        _prediction(effects) if few > 1 else (np.nan, np.nan),
        spread,
        1 - few / q if q > few else 0.0,
        float(chi2.sf(q, few)),
        [_pooled(each)[0] if few > 1 else Interval(each[0].value, np.nan, np.nan, 1) for each in rest],
    )


def _pooled(effects: Sequence[Interval]) -> tuple[Interval, float, float]:
    """Mean over corpora, standard deviation between them, and Cochran's Q."""
    from statsmodels.stats.meta_analysis import combine_effects  # takes more than a second to import

    with np.errstate(divide="ignore"):  # its share of the variance, where all effects are the same
        found = combine_effects(*_arrays(effects))
    quantile = float(t.ppf(1 - TAIL, found.k - 1))
    error = max(float(found.sd_eff_w_re_hksj), AT_LEAST / quantile * float(found.sd_eff_w_re))
    mean, half = float(found.mean_effect_re), quantile * error
    return Interval(mean, mean - half, mean + half, found.k, error), float(np.sqrt(found.tau2)), float(found.q)


def _arrays(effects: Sequence[Interval]) -> tuple[np.ndarray, np.ndarray]:
    """Values and their variances, (corpora,) each, in an order of their own, so that the given one moves no digit."""
    values, errors = np.array(sorted((each.value, each.standard_error) for each in effects)).T
    return values, errors**2


def _prediction(effects: Sequence[Interval]) -> tuple[float, float]:
    """The ends of the interval for the true effect on a new corpus.

    How much corpora differ is itself uncertain. So this averages over what it may be: Q at the true variance between
    corpora has the distribution chi2, and each quantile of that gives a variance (Q-profile, Viechtbauer 2007; the idea
    is Nagashima's, 2019). An interval at the one best estimate, which is often 0, holds a new corpus in as few as
    85% of cases.
    """
    values, variances = _arrays(effects)
    quantiles = (np.arange(SPREADS) + 0.5) / SPREADS
    spreads = _between(values, variances, chi2.ppf(quantiles, len(values) - 1))
    weights, means = _weighted(values, variances, spreads)
    deviations = np.sqrt(spreads + 1 / weights.sum(axis=1))
    reach = 10 * deviations.max()
    low, high = (
        brentq(lambda x, tail=tail: norm.cdf(x, means, deviations).mean() - tail, means.min() - reach,
               means.max() + reach)
        for tail in (TAIL, 1 - TAIL)
    )  # fmt: skip
    return low, high


def _between(values: np.ndarray, variances: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The variances between corpora at which Q is as `wanted`, 0 where it is less already at 0; (wanted,).

    By Newton's method from below, where the least of the weights would be that of all: Q is convex and falls, so that
    no step goes too far.
    """
    found = (((values - values.mean()) ** 2).sum() / wanted - variances.max()).clip(min=0)
    while True:
        weights, means = _weighted(values, variances, found)
        squares = (values - means[:, np.newaxis]) ** 2
        missing = (weights * squares).sum(axis=1) - wanted
        steps = np.where(missing > 1e-9 * wanted, missing, 0) / ((weights**2 * squares).sum(axis=1) + 1e-300)
        if not steps.any():
            return found
        found += steps


def _weighted(values: np.ndarray, variances: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each variance between corpora: weights of the corpora, (between, corpora), and the mean, (between,)."""
    weights = 1 / (variances + between[:, np.newaxis])
    return weights, weights @ values / weights.sum(axis=1)
