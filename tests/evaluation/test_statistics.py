"""Intervals and verdicts: exact where nothing is estimated, near theory elsewhere, and right as often as they say."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from workbook.errors import WorkbookError
from workbook.evaluation import statistics

NORMAL = scipy.stats.norm.ppf(0.975)  # 1.96


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


def test_the_interval_of_a_constant_is_a_point_and_one_query_has_none():
    assert statistics.mean(pd.Series([0.25] * 50)) == (0.25, 0.25, 0.25, 50, 0)
    assert statistics.mean(pd.Series([0.25])) == pytest.approx((0.25, np.nan, np.nan, 1, np.nan), nan_ok=True)


def test_the_interval_covers_the_true_mean_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 500)
    intervals = [statistics.mean(sample(100, seed)) for seed in range(1_000)]
    assert 0.91 < np.mean([interval.low < 0.6 < interval.high for interval in intervals]) < 0.98


def test_a_series_does_not_differ_from_itself():
    unseen = -np.log(0.05) / 50  # fifty alike do not show that all are: about 3 / 50
    found = statistics.mean_difference(sample(50), sample(50))
    assert found == pytest.approx((0, -unseen, unseen, 50, unseen / NORMAL))


def test_a_constant_shift_is_exact_because_queries_are_paired():
    values = pd.Series(np.arange(64) / 64)  # with a shift by 1/4 without rounding
    assert statistics.mean_difference(values + 0.25, values) == (0.25, 0.25, 0.25, 64, 0)


def test_a_difference_has_the_sign_of_values_minus_baseline():
    assert statistics.mean_difference(sample(200) - 0.1, sample(200, seed=1)).high < 0


def test_half_of_every_score_keeps_exactly_half():
    kept = statistics.share_kept(sample(50) / 2, sample(50))
    assert kept[:4] == (0.5, 0.5, 0.5, 50) and np.isnan(kept.standard_error), "a share has none"


def test_the_standard_error_is_that_of_the_queries_own_differences():
    values, baseline = pair(0.02, 0.1, 60)
    expected = scipy.stats.sem(values - baseline)
    assert statistics.mean_difference(values, baseline).standard_error == pytest.approx(expected)
    assert statistics.mean(values).standard_error == pytest.approx(scipy.stats.sem(values))
    in_a_family = statistics.differences([(values, baseline), *(pair(0, 0.3, 60, seed) for seed in range(9))])[0]
    assert in_a_family.standard_error == statistics.mean_difference(values, baseline).standard_error


def test_few_queries_that_differ_have_the_standard_error_that_their_interval_shows():
    nine = np.resize([1.0, -1.0], 300) * (np.arange(300) < 9)
    expected = np.hypot(scipy.stats.sem(nine), -np.log(0.05) / 300 / NORMAL)
    assert statistics.mean_difference(sample(300) + nine, sample(300)).standard_error == pytest.approx(expected)


def test_too_few_queries_have_no_standard_error():
    assert np.isnan(statistics.mean_difference(*pair(0.1, 0.1, 9)).standard_error)
    assert np.isnan(statistics.mean(sample(9)).standard_error) and statistics.mean(sample(10)).standard_error > 0


def test_an_interval_is_read_from_a_row_with_or_without_its_standard_error():
    interval = statistics.mean_difference(*pair(0.1, 0.1, 20))
    assert statistics.Interval.of(pd.Series(interval._asdict())) == interval
    row = pd.Series(interval._asdict()).drop("standard_error")
    assert statistics.Interval.of(row)[:4] == interval[:4] and np.isnan(statistics.Interval.of(row).standard_error)


@pytest.mark.filterwarnings("error")
def test_there_is_no_share_of_nothing():
    assert np.isnan(statistics.share_kept(sample(20) * 0, sample(20) * 0)[:3]).all()
    assert statistics.share_kept(sample(20), sample(20) * 0).value == np.inf


def test_the_share_is_of_the_means_and_not_a_mean_of_shares():
    share = statistics.share_kept(pd.Series([1.0, 0.0] * 20), pd.Series([1.0, 0.5] * 20))
    assert share.value == pytest.approx(2 / 3)
    assert 0 < share.low < 2 / 3 < share.high < 1


COMPARISONS = [statistics.mean_difference, statistics.share_kept, verdict]


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("others", [["q2", "q1"], ["q1", "q3"], ["q1"]], ids=["order", "names", "number"])
def test_other_queries_are_refused(compare, others):
    values = pd.Series([0.1, 0.2], index=["q1", "q2"])
    with pytest.raises(WorkbookError, match="same queries in the same order"):
        compare(values, pd.Series([0.1] * len(others), index=others))


def test_it_is_written_with_its_interval():
    assert str(statistics.Interval(0.645081, 0.6, 0.69004, 300)) == "0.645 [0.600, 0.690]"


@pytest.mark.parametrize(
    ("low", "high", "n", "decided", "told"),
    [
        (0.001, 0.2, 100, "better", "better"),
        (0.001, 0.002, 100, "better", "better"),
        (0.0, 0.2, 100, "not settled", "not settled, but no loss of 0.01"),
        (-0.009, 0.2, 100, "not settled", "not settled, but no loss of 0.01"),
        (-0.009, 0.009, 100, "equal", "equal within 0.01"),
        (0.0, 0.0, 100, "equal", "equal within 0.01"),
        (-0.009, -0.001, 100, "worse", "worse, but by less than 0.01"),
        (-0.01, 0.009, 100, "not settled", "not settled"),
        (-0.01, 0.01, 100, "not settled", "not settled"),
        (-0.02, 0.0, 100, "not settled", "not settled"),
        (-0.02, -0.001, 100, "worse", "worse"),
        (np.nan, np.nan, 9, "not settled", "not settled"),
    ],
)
def test_an_interval_decides(low, high, n, decided, told):
    interval = statistics.Interval((low + high) / 2, low, high, n)
    assert statistics.decide(interval, 0.01) == decided
    assert statistics.told(interval, 0.01) == told
    assert statistics.keeps(interval, 0.01) == (low > -0.01)


@pytest.mark.parametrize(
    ("compared", "expected"),
    [
        (pair(-0.05, 0.1, 300), statistics.WORSE),
        (exact_pair(-0.001, 0.02, 300), statistics.EQUAL),
        ((sample(300), sample(300)), statistics.EQUAL),
        ((sample(50) + np.resize([1e-4, -1e-4], 50) * (np.arange(50) < 10), sample(50)), statistics.EQUAL),
    ],
    ids=["a planted loss", "a small difference", "no difference", "ten queries that differ"],
)
def test_what_an_interval_settles_needs_no_more_queries(compared, expected):
    assert verdict(*compared)[1:] == (expected, None)


@pytest.mark.parametrize(("n", "margin"), [(10, 0.01), (299, 0.01), (59, 0.05)])
@pytest.mark.parametrize("differing", [0, 9])
def test_queries_that_hardly_differ_prove_nothing_while_they_are_few(n, margin, differing):
    """Not one of them lost much, but if one in 1 / margin lost all, as few as these would often have none of those."""
    changed = sample(n) + np.resize([1e-5, -1e-5], n) * (np.arange(n) < differing)
    found = statistics.verdicts([(changed, sample(n))], margin)[0]
    assert found.verdict == statistics.NOT_SETTLED
    assert found.queries_needed == pytest.approx(3 / margin, abs=1)
    assert found.difference.low < -margin and found.difference.high > margin, "and its whisker shows it"
    more = pd.concat([changed, sample(1)], ignore_index=True), pd.concat([sample(n), sample(1)], ignore_index=True)
    enough = n + 1 == statistics.fewest(margin)
    assert (statistics.verdicts([more], margin)[0].verdict == statistics.EQUAL) == enough


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("scores", "margin", "expected"),
    [
        ([0.08, 0.62], 0.01, "better"),
        ([0.055, 0.595], 0.01, "worse, but by less than 0.01"),
        ([0.05, 0.59], 0.01, "worse"),
    ],
    ids=["gain", "loss below the margin", "loss of the margin"],
)
def test_a_constant_difference_is_decided_in_spite_of_rounding(scores, margin, expected):
    found = verdict(pd.Series(scores * 150), pd.Series([0.06, 0.6] * 150))  # 0.05 - 0.06 > -0.01 > 0.59 - 0.6
    assert statistics.told(found.difference, margin) == expected


@pytest.mark.parametrize("difference", [-0.3, 0.3])
def test_few_queries_decide_nothing_however_large_the_effect_and_draw_no_whisker(difference):
    for n in (1, 5, statistics.MIN_QUERIES - 1):
        found = verdict(*pair(difference, 0.01, n))
        assert found.verdict == statistics.NOT_SETTLED and np.isnan(found.difference.low)
        assert str(found.difference).endswith(" (too few queries)")
        assert n == 1 or statistics.MIN_QUERIES <= found.queries_needed <= 12
    assert verdict(sample(2) + np.array([0.5, -0.2]), sample(2)).queries_needed > 10, "two have a standard deviation"
    assert verdict(*pair(difference, 0.01, statistics.MIN_QUERIES)).verdict != statistics.NOT_SETTLED


def test_another_margin_is_another_question():
    values, baseline = exact_pair(-0.01, 0.1, 300)
    found = [statistics.verdicts([(values, baseline)], margin)[0].verdict for margin in (0.01, 0.1)]
    assert found == [statistics.NOT_SETTLED, statistics.EQUAL]


@pytest.mark.parametrize("margin", [0, -0.01])
def test_a_margin_that_is_not_above_0_is_refused(margin):
    with pytest.raises(WorkbookError, match=r"give the loss .* above 0, such as 0\.01"):
        statistics.verdicts([pair(0, 0.1, 20)], margin)


def test_a_family_pays_for_its_size_and_keeps_its_order():
    pairs = [pair(difference, 0.1, 100, seed) for seed, difference in enumerate((-0.02, 0.0, -0.04))]
    alone, together = [statistics.mean_difference(*each) for each in pairs], statistics.differences(pairs)
    assert [each.value for each in together] == pytest.approx([each.value for each in alone])
    for one, other in zip(together, alone, strict=True):
        assert 1.15 < (one.high - one.low) / (other.high - other.low) < 1.35, "Bonferroni of three: 2.39 / 1.96 = 1.22"
    assert statistics.differences(pairs[:1]) == alone[:1], "a family of one is that one"
    assert statistics.differences(pairs[:1] * 20)[7] == pytest.approx(alone[0]), "what says the same costs nothing"
    assert statistics.differences(pairs[::-1]) == [pytest.approx(each, abs=0.001) for each in together[::-1]]
    assert statistics.verdicts([]) == []


def test_a_family_of_two_sizes_is_one_family():
    few, many = pair(0, 0.1, 50), pair(0, 0.1, 100)
    [one, other] = statistics.differences([few, many])
    assert one.n == 50 and other.n == 100
    assert one.high - one.low > 1.05 * np.subtract(*statistics.mean_difference(*few)[2:0:-1])


def test_what_else_is_compared_leaves_the_difference_itself_alone_to_the_last_digit():
    rng = np.random.default_rng(3)
    alike = pd.Series(rng.integers(0, 3, 50) / 7)  # many equal: the others of the family decide their order
    none = pd.Series(np.zeros(50))
    found = {statistics.differences([(alike, none), (pd.Series(rng.random(50)), none)])[0].value for _ in range(50)}
    assert found == {statistics.mean_difference(alike, none).value}


def test_the_order_of_the_queries_changes_nothing():
    values, baseline = pair(0.02, 0.1, 60)
    order = np.random.default_rng(0).permutation(60)
    others = values.iloc[order], baseline.iloc[order]
    assert statistics.mean_difference(*others) == statistics.mean_difference(values, baseline)
    assert statistics.mean(others[0]) == statistics.mean(values)
    assert statistics.share_kept(*others)[:4] == statistics.share_kept(values, baseline)[:4]


@pytest.mark.parametrize(("difference", "deviation"), [(-0.001, 0.05), (-0.03, 0.1)], ids=["equal", "worse"])
def test_the_queries_needed_decide_as_often_as_they_say(monkeypatch, difference, deviation):
    monkeypatch.setattr(statistics, "RESAMPLES", 300)
    found = verdict(*exact_pair(difference, deviation, 20))
    assert found.verdict == statistics.NOT_SETTLED
    simulated = [verdict(*pair(difference, deviation, found.queries_needed, seed)) for seed in range(200)]
    settled = [each.verdict != statistics.NOT_SETTLED or statistics.keeps(each.difference, 0.01) for each in simulated]
    assert 0.7 < np.mean(settled) < 0.97


def test_where_the_family_alone_unsettles_at_least_one_more_query_is_needed():
    found = statistics.verdicts([exact_pair(-0.025, 0.1, 100)] + [pair(0, 1, 100, seed) for seed in range(20)])[0]
    assert verdict(*exact_pair(-0.025, 0.1, 100)).verdict == statistics.WORSE
    assert found.verdict == statistics.NOT_SETTLED and found.queries_needed > 150


def test_a_loss_of_the_margin_is_ruled_out_as_rarely_as_the_interval_says(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 300)
    found = [statistics.mean_difference(*pair(-statistics.MARGIN, 0.1, 50, seed)) for seed in range(400)]
    assert 0.005 < np.mean([statistics.keeps(each, statistics.MARGIN) for each in found]) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 20, 100])
def test_a_family_without_differences_rarely_has_one_that_is_settled(monkeypatch, n):
    monkeypatch.setattr(statistics, "RESAMPLES", 999)
    found = [
        [each.verdict for each in statistics.verdicts([pair(0, 0.2, n, 20 * family + cell) for cell in range(20)])]
        for family in range(150)
    ]
    assert np.mean([{statistics.WORSE, statistics.BETTER} & set(family) != set() for family in found]) <= 0.11


@pytest.mark.parametrize("skew", [1, 4])
def test_intervals_agree_with_scipys_bootstrap(skew):
    """Two bootstraps of 9,999 resamples differ by chance, here by less than a fortieth of the width."""
    values = pd.Series(np.random.default_rng(1).random(200) ** skew)
    baseline = values * 0.5 + pd.Series(np.random.default_rng(2).random(200))
    theirs = scipy.stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(3))
    ours = statistics.mean(values)
    width = ours.high - ours.low
    assert ours.value == pytest.approx(values.mean())
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
