"""An effect over corpora: by hand, as statsmodels has it, and right as often as it says."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.meta_analysis import combine_effects
from workbook.errors import WorkbookError
from workbook.evaluation import meta_analysis, statistics
from workbook.evaluation.statistics import Interval

SIZES = 300, 323, 1406, 135, 500, 199  # queries of six corpora
HELD = 0.93, 0.97


def effect(value, error, n=300):
    return Interval(value, value - 1.96 * error, value + 1.96 * error, n, error)


def effects(values, errors):
    return [effect(*each) for each in zip(values, np.broadcast_to(errors, len(values)), strict=True)]


def drawn(tau, seed, k=6):
    """Effects on corpora of which the true ones lie around 0.03, with a deviation of `tau`."""
    random = np.random.default_rng(seed)
    errors = 0.3 / np.sqrt(np.resize(SIZES, k))
    return effects(0.03 + tau * random.standard_normal(k) + errors * random.standard_normal(k), errors)


def test_two_corpora_that_differ_by_hand():
    """Mean 0.04, Q = 2 (0.02 / 0.01)^2 = 8. Q is 1 at a variance of 0.0008: 0.0001 of queries, 0.0007 between."""
    found = meta_analysis.pool(effects([0.02, 0.06], 0.01))
    assert found.effect.value == pytest.approx(0.04)
    assert found.tau**2 == pytest.approx(0.0007, rel=1e-4)
    assert found.effect.standard_error == pytest.approx(np.sqrt(0.0008 / 2), rel=1e-4)
    half = np.tan(0.475 * np.pi) * 0.02  # Student's t with one degree of freedom, 12.706
    assert found.effect[1:3] == pytest.approx((0.04 - half, 0.04 + half), rel=1e-4)
    assert found.i2 == pytest.approx(1 - 1 / 8) and found.effect.n == 2
    assert found.heterogeneity_p == pytest.approx(2 * scipy.stats.norm.sf(np.sqrt(8)))


def test_three_corpora_that_differ_by_hand():
    """Mean 0.03, squares 2 x 0.0009 = 0.0018, Q = 18; a variance of 0.0018 / 2 = 0.0009, of which 0.0001 of queries."""
    found = meta_analysis.pool(effects([0.0, 0.03, 0.06], 0.01))
    half = 4.3027 * np.sqrt(0.0009 / 3)
    assert found.effect[:3] == pytest.approx((0.03, 0.03 - half, 0.03 + half), rel=1e-4)
    assert found.tau == pytest.approx(np.sqrt(0.0008), rel=1e-4) and found.i2 == pytest.approx(1 - 2 / 18)
    assert found.heterogeneity_p == pytest.approx(np.exp(-18 / 2)), "chi2 with two degrees of freedom"


def test_corpora_of_different_size_are_weighed_by_hand():
    """Weights 10,000 and 2,500: mean (100 + 75) / 12,500 = 0.014. Q = 0.16 + 0.64 = 0.8 < 1: nothing between."""
    found = meta_analysis.pool([effect(0.01, 0.01), effect(0.03, 0.02)])
    assert found.effect.value == pytest.approx(0.014) and (found.tau, found.i2) == (0, 0)
    assert found.effect.standard_error == pytest.approx(np.sqrt(0.8 / 12_500)), "Hartung and Knapp: Q / 1 / 12,500"


def test_corpora_that_agree_by_chance_leave_what_their_queries_leave_open():
    """Four effects of 0.05 with 0.01 each: 0.01 / sqrt(4) = 0.005, and a 90% interval of that."""
    found = meta_analysis.pool(effects([0.05] * 4, 0.01))
    assert found.effect[:3] == pytest.approx((0.05, 0.05 - 1.645 * 0.005, 0.05 + 1.645 * 0.005), rel=1e-4)
    assert (found.tau, found.i2) == (0, 0) and found.heterogeneity_p == pytest.approx(1)
    low, high = found.prediction
    assert low < 0.05 - 0.0097 and high > 0.05 + 0.0097, "corpora may differ, four do not show that"


def test_a_prediction_from_certain_effects_is_students():
    """Without error of queries: six values of a normal distribution, and a seventh."""
    values = np.array([0.0, 0.03, 0.06, 0.01, 0.02, 0.09])
    half = scipy.stats.t.ppf(0.975, 5) * values.std(ddof=1) * np.sqrt(1 + 1 / 6)
    found = meta_analysis.pool(effects(values, 1e-5))
    assert found.prediction == pytest.approx((values.mean() - half, values.mean() + half), rel=0.005)


@pytest.mark.parametrize("tau", [0, 0.01, 0.1])
def test_the_variance_between_corpora_that_a_prediction_takes_is_statsmodels_at_its_estimate(tau):
    given = drawn(tau, seed=4)
    values, variances = np.array([each.value for each in given]), np.array([each.standard_error for each in given]) ** 2
    theirs = combine_effects(values, variances)
    ours = meta_analysis._between(values, variances, np.array([5.0]))
    assert ours == pytest.approx(theirs.tau2, rel=1e-4) == pytest.approx(meta_analysis.pool(given).tau ** 2)
    assert meta_analysis.pool(given).effect.value == pytest.approx(theirs.mean_effect_re)


def test_a_prediction_is_of_normal_distributions_drawn_at_each_likely_variance_between_corpora():
    given, random = drawn(0.03, seed=2), np.random.default_rng(0)
    values, variances = np.array([each.value for each in given]), np.array([each.standard_error for each in given]) ** 2
    between = meta_analysis._between(values, variances, random.chisquare(5, 100_000))
    weights = 1 / (variances + between[:, np.newaxis])
    mean = random.normal(weights @ values / weights.sum(axis=1), 1 / np.sqrt(weights.sum(axis=1)))
    expected = np.percentile(random.normal(mean, np.sqrt(between)), [2.5, 97.5])
    np.testing.assert_allclose(meta_analysis.pool(given).prediction, expected, atol=0.002)


@pytest.mark.parametrize("tau", [0, 0.05])
def test_the_order_of_corpora_changes_nothing(tau):
    given, order = drawn(tau, seed=1), [3, 0, 5, 2, 1, 4]
    found, again = meta_analysis.pool(given), meta_analysis.pool([given[place] for place in order])
    assert again == found._replace(without=[found.without[place] for place in order])


def test_each_corpus_is_left_out_in_turn():
    given = drawn(0.05, seed=1)
    found = meta_analysis.pool(given).without
    assert found == [meta_analysis.pool([*given[:place], *given[place + 1 :]]).effect for place in range(6)]
    assert {each.n for each in found} == {5}


def test_of_two_corpora_neither_says_anything_of_a_third():
    found = meta_analysis.pool([effect(0.02, 0.01), effect(0.06, 0.01)])
    assert np.isnan(found.prediction).all()
    assert [each.value for each in found.without] == [0.06, 0.02]
    assert np.isnan([each[1:3] for each in found.without]).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [3, 6, 12])
@pytest.mark.parametrize("tau", [0, 0.01, 0.1])
def test_other_units_and_the_other_side_are_the_same_effect_and_a_new_corpus_is_less_certain(tau, k, seed):
    given = drawn(tau, seed, k)
    found = meta_analysis.pool(given)
    turned = meta_analysis.pool([effect(-100 * each.value, 100 * each.standard_error) for each in given])
    low, high = found.prediction
    assert turned.prediction == pytest.approx((-100 * high, -100 * low), rel=1e-4, abs=1e-4)
    assert turned.effect[:3] == pytest.approx([-100 * found.effect[place] for place in (0, 2, 1)], rel=1e-4)
    assert (turned.tau, turned.i2) == (pytest.approx(100 * found.tau, rel=1e-4), pytest.approx(found.i2))
    assert low < found.effect.low < found.effect.value < found.effect.high < high


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_corpora_are_refused(count):
    with pytest.raises(WorkbookError, match=r"at least two of them: give more names, as in CORPUS=a,b,c"):
        meta_analysis.pool([effect(0.1, 0.01)] * count)


@pytest.mark.parametrize(
    "given",
    [
        Interval(0.1, np.nan, np.nan, 7),
        Interval(0.1, 0.1, 0.1, 7, 0.0),
        Interval(np.nan, 0.1, 0.1, 7, 0.1),
        Interval(0.1, 0.1, 0.1, 7, np.inf),
    ],
)
def test_an_effect_without_a_standard_error_is_refused_and_named(given):
    with pytest.raises(WorkbookError, match=r"effect 2 of 3, .* on 7 queries, has no standard error: leave it out"):
        meta_analysis.pool([effect(0.1, 0.01), given, effect(0.1, 0.01)])


def test_corpora_on_which_nothing_differs_do_not_outweigh_the_others():
    same = pd.Series(np.full(300, 0.5))
    found = meta_analysis.pool([statistics.mean_difference(same, same), effect(0.1, 0.005), effect(0.1, 0.005)])
    assert found.effect.value > 0.05


def differences(random, tau):
    """Per-query differences in NDCG@10 for each corpus, most of them 0 and the others large, and the true effects."""
    for n in SIZES:
        true = 0.03 + tau * random.standard_normal()
        values = random.choice([0.0, 0.0, 0.0, 1.0, -1.0], n) * random.uniform(0.1, 0.8, n)
        yield true, pd.Series(true + values)


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.0, 0.01, 0.05, 0.1])
def test_intervals_over_corpora_hold_the_truth_as_often_as_they_say(monkeypatch, tau):
    """From differences of queries by `statistics`; that of a new corpus also where corpora hardly differ."""
    monkeypatch.setattr(statistics, "RESAMPLES", 9)  # the ends of a corpus's own interval do not matter here
    random, held, times = np.random.default_rng(5), np.zeros(2), 2_000
    for _ in range(times):
        own = [statistics.mean_difference(each, 0 * each) for _, each in differences(random, tau)]
        found, new = meta_analysis.pool(own), 0.03 + tau * random.standard_normal()
        held += [found.effect.low < 0.03 < found.effect.high, found.prediction[0] < new < found.prediction[1]]
    of_mean, of_new = held / times
    assert HELD[0] < of_mean < HELD[1], of_mean
    assert HELD[0] < of_new < HELD[1] or (tau == 0 and of_new > HELD[0]), of_new


@pytest.mark.slow
@pytest.mark.parametrize(("k", "at_most"), [(3, 0.98), (meta_analysis.FEWEST, 0.975), (12, 0.97)])
@pytest.mark.parametrize("tau", [0, 0.02, 0.1])
def test_other_numbers_of_corpora_are_not_promised_more_than_they_show(k, at_most, tau):
    random, held, times = np.random.default_rng(6), np.zeros(2), 1_000
    for seed in range(times):
        found, new = meta_analysis.pool(drawn(tau, seed, k)), 0.03 + tau * random.standard_normal()
        held += [found.effect.low < 0.03 < found.effect.high, found.prediction[0] < new < found.prediction[1]]
    of_mean, of_new = held / times
    assert 0.91 < of_mean < at_most and of_new > 0.92, held / times
