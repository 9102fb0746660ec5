"""Intervals: exact where there is nothing to estimate, near theory where there is, and right as often as they say."""

import numpy as np
import pandas as pd
import pytest
from workbook import statistics
from workbook.errors import WorkbookError


def sample(n, seed=0):
    return pd.Series(np.random.default_rng(seed).normal(0.6, 0.2, n))


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


def test_the_share_is_of_the_means_and_not_a_mean_of_shares():
    share = statistics.share_kept(pd.Series([1.0, 0.0] * 20), pd.Series([1.0, 0.5] * 20))
    assert share.value == pytest.approx(2 / 3)
    assert 0 < share.low < 2 / 3 < share.high < 1


@pytest.mark.parametrize("compare", [statistics.mean_difference, statistics.share_kept])
@pytest.mark.parametrize("others", [["q2", "q1"], ["q1", "q3"], ["q1"]], ids=["order", "names", "number"])
def test_other_queries_are_refused(compare, others):
    values = pd.Series([0.1, 0.2], index=["q1", "q2"])
    with pytest.raises(WorkbookError, match="same queries in the same order"):
        compare(values, pd.Series([0.1] * len(others), index=others))


def test_it_is_written_with_its_interval():
    assert str(statistics.Interval(0.645081, 0.6, 0.69004, 300)) == "0.6451 [0.6000, 0.6900]"
