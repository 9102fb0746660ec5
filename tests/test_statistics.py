"""Intervals and verdicts: exact where nothing is estimated, near theory elsewhere, and right as often as they say."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from workbook import statistics
from workbook.errors import WorkbookError


def sample(n, seed=0):
    return pd.Series(np.random.default_rng(seed).normal(0.6, 0.2, n))


def pair(difference, deviation, n, seed=1):
    """Values and baseline whose differences are drawn from a normal distribution."""
    return sample(n) + np.random.default_rng(seed).normal(difference, deviation, n), sample(n)


def exact_pair(difference, deviation, n):
    """As `pair`, with exactly this mean difference and standard deviation."""
    noise = pair(0, 1, n)[0] - sample(n)
    return sample(n) + difference + deviation * (noise - noise.mean()) / noise.std(), sample(n)


def verdict(values, baseline):
    return statistics.verdicts([(values, baseline)])[0]


def test_the_interval_of_a_constant_is_a_point():
    assert statistics.mean(pd.Series([0.25] * 50)) == (0.25, 0.25, 0.25, 50)


def test_one_query_has_a_mean_but_no_interval():
    value, low, high, n = statistics.mean(pd.Series([0.25]))
    assert (value, n) == (0.25, 1)
    assert np.isnan([low, high]).all()


def test_the_interval_of_a_normal_sample_is_near_theory():
    values = sample(400)
    half = 1.96 * values.std() / np.sqrt(400)
    interval = statistics.mean(values)
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_same_sample_gives_the_same_interval_twice():
    assert statistics.mean(sample(50)) == statistics.mean(sample(50))


def test_the_interval_covers_the_true_mean_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 500)
    intervals = [statistics.mean(sample(100, seed)) for seed in range(1_000)]
    assert 0.91 < np.mean([interval.low < 0.6 < interval.high for interval in intervals]) < 0.98


def test_a_series_does_not_differ_from_itself():
    assert statistics.mean_difference(sample(50), sample(50)) == (0, 0, 0, 50)


def test_a_constant_shift_is_exact_because_queries_are_paired():
    values = pd.Series(np.arange(64) / 64)  # with a shift by 1/4 without rounding
    assert statistics.mean_difference(values + 0.25, values) == (0.25, 0.25, 0.25, 64)


def test_a_difference_has_the_sign_of_values_minus_baseline():
    assert statistics.mean_difference(sample(200) - 0.1, sample(200, seed=1)).high < 0


def test_half_of_every_score_keeps_exactly_half():
    assert statistics.share_kept(sample(50) / 2, sample(50)) == (0.5, 0.5, 0.5, 50)


@pytest.mark.filterwarnings("error")
def test_there_is_no_share_of_nothing():
    assert np.isnan(statistics.share_kept(sample(20) * 0, sample(20) * 0)[:3]).all()
    assert statistics.share_kept(sample(20), sample(20) * 0).value == np.inf


def test_the_share_is_of_the_means_and_not_a_mean_of_shares():
    share = statistics.share_kept(pd.Series([1.0, 0.0] * 20), pd.Series([1.0, 0.5] * 20))
    assert share.value == pytest.approx(2 / 3)
    assert 0 < share.low < 2 / 3 < share.high < 1


COMPARISONS = [statistics.mean_difference, statistics.share_kept, statistics.permutation_p, verdict]


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("others", [["q2", "q1"], ["q1", "q3"], ["q1"]], ids=["order", "names", "number"])
def test_other_queries_are_refused(compare, others):
    values = pd.Series([0.1, 0.2], index=["q1", "q2"])
    with pytest.raises(WorkbookError, match="same queries in the same order"):
        compare(values, pd.Series([0.1] * len(others), index=others))


def test_it_is_written_with_its_interval():
    assert str(statistics.Interval(0.645081, 0.6, 0.69004, 300)) == "0.6451 [0.6000, 0.6900]"


@pytest.mark.parametrize("seed", range(10))
def test_the_permutation_test_is_near_all_sign_flips_by_hand(seed):
    values, baseline = pair(0.1, 0.2, 8, seed)
    differences = (values - baseline).to_numpy()
    flipped = np.array(list(product((-1, 1), repeat=8))) @ differences
    exact = np.mean(np.abs(flipped) > abs(differences.sum()) - 1e-9)
    assert statistics.permutation_p(values, baseline) == pytest.approx(exact, abs=0.02)


def test_identical_series_have_a_permutation_p_of_exactly_1():
    assert statistics.permutation_p(sample(50), sample(50)) == 1


def test_the_permutation_test_has_two_equal_sides():
    values, baseline = pair(0.02, 0.1, 100)
    assert statistics.permutation_p(values, baseline) == statistics.permutation_p(baseline, values) < 0.5


def test_equal_differences_are_as_extreme_as_all_their_signs_alike():
    values = pd.Series([0.1, 0.7, 0.2, 0.9, 0.4])
    assert statistics.permutation_p(values + 0.1, values) == pytest.approx(2 / 2**5, abs=0.01)


def test_a_large_family_has_resamples_enough_for_holm(monkeypatch):
    """With 99 of them no p-value is below 0.01, and none of twenty tests could be significant."""
    monkeypatch.setattr(statistics, "RESAMPLES", 99)
    losses = [pair(-0.3, 0.1, 30, seed) for seed in range(20)]
    assert {each.verdict for each in statistics.verdicts(losses)} == {statistics.WORSE}


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert list(statistics.holm([0.6, 0.7])) == [1, 1]
    assert list(statistics.holm([0.04])) == [0.04]
    assert statistics.holm([]).shape == (0,)


@pytest.mark.parametrize("seed", range(20))
def test_holm_keeps_the_order_and_lies_between_nothing_and_bonferroni(seed):
    p_values = np.random.default_rng(seed).uniform(0, 0.2, 12)
    adjusted, order = statistics.holm(p_values), np.argsort(p_values)
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(12 * p_values, 1)).all()
    assert adjusted.min() == pytest.approx(min(12 * p_values.min(), 1))
    assert (statistics.holm(p_values[order]) == adjusted[order]).all()


def test_a_planted_loss_is_worse():
    found = verdict(*pair(-0.05, 0.1, 300))
    assert (found.verdict, found.queries_needed) == (statistics.WORSE, None)
    assert found.p_difference < 0.001 < 0.99 < found.p_margin


def test_a_loss_smaller_than_the_margin_is_no_worse():
    assert verdict(*pair(-0.002, 0.02, 300)).verdict == statistics.NO_WORSE


def test_a_certain_loss_smaller_than_the_margin_is_still_no_worse():
    found = verdict(*exact_pair(-0.005, 0.02, 300))
    assert found.p_difference < 0.05
    assert found.verdict == statistics.NO_WORSE


def test_a_certain_gain_among_losses_is_not_worse():
    found = statistics.verdicts([exact_pair(0.022, 0.1, 100)] + [pair(-0.2, 0.1, 100)] * 20, margin=0.001)[0]
    assert found.p_difference < 0.05 < found.p_margin  # adjusted for nothing, and for all 20
    assert found.verdict == statistics.UNDECIDED


def test_identical_series_are_no_worse_for_certain():
    assert verdict(sample(300), sample(300)) == ((0, 0, 0, 300), 1, 0, statistics.NO_WORSE, None)


@pytest.mark.parametrize(("n", "margin"), [(10, 0.01), (299, 0.01), (59, 0.05)])
@pytest.mark.parametrize("differing", [0, 9])
def test_queries_that_hardly_differ_prove_nothing_while_they_are_few(n, margin, differing):
    """Not one of them lost much, but if one in 1 / margin lost all, as few as these would often have none of those."""
    if n == differing + 1:
        differing -= 1  # of ten queries with ten differences the t-test makes what it can
    changed = sample(n) + np.resize([1e-4, -1e-4], n) * (np.arange(n) < differing)
    found = statistics.verdicts([(changed, sample(n))], margin)[0]
    assert (found.p_margin, found.verdict, found.queries_needed) == (1, statistics.UNDECIDED, round(3 / margin))
    more = pd.concat([changed, sample(1)], ignore_index=True), pd.concat([sample(n), sample(1)], ignore_index=True)
    enough = n + 1 == statistics.fewest(margin)
    assert (statistics.verdicts([more], margin)[0].verdict == statistics.NO_WORSE) == enough


def test_ten_queries_that_differ_are_enough_for_the_test():
    changed = sample(50) + np.resize([1e-4, -1e-4], 50) * (np.arange(50) < 10)
    assert verdict(changed, sample(50)).verdict == statistics.NO_WORSE


def test_a_certain_loss_is_worse_while_queries_are_too_few_to_call_it_small():
    assert verdict(sample(20) - 0.005, sample(20)).verdict == statistics.WORSE
    assert verdict(sample(300) - 0.005, sample(300)).verdict == statistics.NO_WORSE


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("scores", "p_margin", "expected"),
    [
        ([0.08, 0.62], 0, statistics.NO_WORSE),
        ([0.055, 0.595], 0, statistics.NO_WORSE),
        ([0.05, 0.59], 1, statistics.WORSE),
    ],
    ids=["gain", "loss below the margin", "loss of the margin"],
)
def test_a_constant_difference_is_decided_in_spite_of_rounding(scores, p_margin, expected):
    found = verdict(pd.Series(scores * 150), pd.Series([0.06, 0.6] * 150))  # 0.05 - 0.06 > -0.01 > 0.59 - 0.6
    assert (found.p_margin, found.verdict) == (p_margin, expected)


@pytest.mark.parametrize("difference", [-0.3, 0.3])
def test_few_queries_decide_nothing_however_large_the_effect(difference):
    for n in (1, 5, statistics.MIN_QUERIES - 1):
        found = verdict(*pair(difference, 0.01, n))
        assert found.verdict == statistics.UNDECIDED
        assert found.queries_needed == (None if n == 1 else statistics.MIN_QUERIES)
    assert verdict(*pair(difference, 0.01, statistics.MIN_QUERIES)).verdict != statistics.UNDECIDED


def test_another_margin_is_another_question():
    values, baseline = exact_pair(-0.03, 0.1, 100)
    found = [statistics.verdicts([(values, baseline)], margin)[0].verdict for margin in (0.01, 0.1)]
    assert found == [statistics.WORSE, statistics.NO_WORSE]


@pytest.mark.parametrize("margin", [0, -0.01])
def test_a_margin_that_is_not_above_0_is_refused(margin):
    with pytest.raises(WorkbookError, match=r"give the loss .* above 0, such as 0\.01"):
        statistics.verdicts([pair(0, 0.1, 20)], margin)


def test_a_family_pays_for_its_size_and_keeps_its_order():
    alone = [verdict(*pair(difference, 0.1, 100)) for difference in (-0.02, 0.0, -0.04)]
    together = statistics.verdicts([pair(difference, 0.1, 100) for difference in (-0.02, 0.0, -0.04)])
    assert [each.difference for each in together] == [each.difference for each in alone]
    for name in ("p_difference", "p_margin"):
        single = [getattr(each, name) for each in alone]
        assert [getattr(each, name) for each in together] == list(statistics.holm(single)) != single
    assert statistics.verdicts([]) == []


@pytest.mark.parametrize(
    ("difference", "deviation", "needed"),
    [(-0.002, 0.05, 242), (-0.03, 0.1, 88)],  # (2.486 * 0.05 / 0.008)**2, (2.802 * 0.1 / 0.03)**2
    ids=["no worse is nearer", "worse is nearer"],
)
def test_the_queries_needed_decide_as_often_as_they_say(monkeypatch, difference, deviation, needed):
    monkeypatch.setattr(statistics, "RESAMPLES", 300)
    found = verdict(*exact_pair(difference, deviation, 20))
    assert (found.verdict, found.queries_needed) == (statistics.UNDECIDED, needed)
    simulated = [verdict(*pair(difference, deviation, needed, seed)).verdict for seed in range(200)]
    assert 0.7 < np.mean([each != statistics.UNDECIDED for each in simulated]) < 0.95


def test_two_queries_have_a_standard_deviation_and_so_an_estimate():
    assert verdict(sample(2) + np.array([0.5, -0.2]), sample(2)).queries_needed > 10


def test_a_loss_of_exactly_the_margin_is_no_evidence_for_less():
    values = pd.Series([0.25, 0.25, -0.75, -0.75] * 4)  # -0.25 on average, with a deviation of 0.516
    found = statistics.verdicts([(values, 0 * values)], 0.25)[0]
    assert (found.verdict, found.queries_needed) == (statistics.UNDECIDED, 34)  # (2.802 * 0.516 / 0.25)**2


def test_where_holm_alone_undecides_at_least_one_more_query_is_needed():
    found = statistics.verdicts([exact_pair(-0.03, 0.1, 100)] + [pair(0, 1, 100, seed) for seed in range(20)])[0]
    assert (found.verdict, found.queries_needed) == (statistics.UNDECIDED, 101)  # 88 of them if it were alone


def test_a_loss_of_the_margin_is_called_no_worse_as_rarely_as_the_test_says(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 300)
    found = [verdict(*pair(-statistics.MARGIN, 0.1, 50, seed)).verdict for seed in range(400)]
    assert 0.02 < np.mean([each == statistics.NO_WORSE for each in found]) < 0.07


def test_a_family_without_losses_rarely_has_a_worse_one(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 999)  # with fewer than 800, no p-value times 20 is below 0.05
    found = [
        [each.verdict for each in statistics.verdicts([pair(0, 0.2, 20, 20 * family + cell) for cell in range(20)])]
        for family in range(100)
    ]
    assert np.mean([statistics.WORSE in family for family in found]) <= 0.08


@pytest.mark.parametrize("skew", [1, 4])
def test_intervals_agree_with_scipys_bootstrap(skew):
    """Two bootstraps of 9,999 resamples differ by chance, here by less than a fortieth of the width."""
    values = pd.Series(np.random.default_rng(1).random(200) ** skew)
    baseline = values * 0.5 + pd.Series(np.random.default_rng(2).random(200))
    theirs = scipy.stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(3))
    ours = statistics.mean(values)
    width = ours.high - ours.low
    assert [ours.low, ours.high] == pytest.approx(list(theirs.confidence_interval), abs=width / 40)
    ratio = scipy.stats.bootstrap(
        (values, baseline), lambda a, b, axis: a.mean(axis) / b.mean(axis), paired=True, method="percentile",
        rng=np.random.default_rng(3),
    )  # fmt: skip
    kept = statistics.share_kept(values, baseline)
    width = kept.high - kept.low
    assert [kept.low, kept.high] == pytest.approx(list(ratio.confidence_interval), abs=width / 40)


def test_halves_are_all_the_queries_once():
    choosing, reporting = statistics.halves(25, seed=3)
    assert (len(choosing), len(reporting)) == (12, 13)
    assert sorted([*choosing, *reporting]) == list(range(25))
    assert list(statistics.halves(25, seed=3)[0]) == list(choosing), "drawn by the seed alone"
    assert list(choosing) == sorted(choosing) and list(statistics.halves(25, seed=4)[0]) != list(choosing)


def test_more_queries_than_memory_is_kept_for_give_the_same_interval(monkeypatch):
    values, baseline = pair(0.02, 0.1, 200)
    kept = statistics.mean(values), statistics.share_kept(values, baseline)
    monkeypatch.setattr(statistics, "KEPT", 199)
    monkeypatch.setattr(statistics, "_resamples", None)
    for drawn, expected in zip((statistics.mean(values), statistics.share_kept(values, baseline)), kept, strict=True):
        np.testing.assert_allclose(drawn, expected, rtol=1e-12)
