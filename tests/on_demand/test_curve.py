"""The curve by hand, its ends, and that equals are asked as a draw would ask them on average."""

import numpy as np
import pandas as pd
import pytest
from two_asked import made_up
from workbook.names import BEST, CHANCE, COMBINED
from workbook.on_demand import curve
from workbook.on_demand.two_searches import Asked


def curved(found, shares=curve.SHARES, metric="ndcg@10"):
    rows = curve.rows(found, found.weakness, shares)
    return rows[rows["metric"] == metric].pivot_table(index="asked", columns="variant", values="value")


def series(values):
    return pd.Series(values, [f"q{number}" for number in range(len(values))], dtype=float)


def test_the_weakest_are_asked_first_and_equals_share_what_is_left():
    weakness = series([0.1, 0.9, 0.5, 0.5])
    assert curve.weakest(weakness, 0.25).tolist() == [0, 1, 0, 0]
    assert curve.weakest(weakness, 0.5).tolist() == [0, 1, 0.5, 0.5]
    assert curve.weakest(weakness, 0).tolist() == [0] * 4 and curve.weakest(weakness, 1).tolist() == [1] * 4
    unknown = series([0.1, np.inf, np.inf, 0.5])
    assert curve.weakest(unknown, 0.25).tolist() == [0, 0.5, 0.5, 0]
    assert curve.weakest(series([0.5]), 0.3).tolist() == [0.3]


def test_the_order_of_the_queries_decides_nothing():
    found = made_up(noise=0.5)
    turned = Asked(*(each[::-1] for each in found))
    for share in curve.SHARES:
        one, other = (curve.weakest(each.weakness, share) for each in (found, turned))
        assert one.equals(other[::-1])


def test_signals_that_know_buy_everything_with_half_and_chance_buys_half():
    found = made_up()
    points = curved(found, [0, 0.25, 0.5, 1])
    low, high = found.first.mean(), found.second.mean()
    assert points[COMBINED].tolist() == pytest.approx([low, low + 0.05, high, high])
    assert points[BEST].tolist() == pytest.approx(points[COMBINED].tolist())
    assert points[CHANCE].tolist() == pytest.approx([low, low + 0.025, low + 0.05, high])
    assert [
        curve.bought(found, curve.weakest(found.weakness, share)).value for share in (0, 0.25, 0.5)
    ] == pytest.approx([0, 0.5, 1])


def test_the_best_choice_is_above_all_others_and_never_asks_what_loses():
    found = made_up(noise=0.5)
    found = found._replace(second=found.second - (np.arange(200) % 3 == 0) * 0.1)
    table = curved(found)
    assert (table[BEST] >= table[[COMBINED, CHANCE]].max(axis=1) - 1e-12).all()
    assert table[BEST].is_monotonic_increasing and table[BEST][1.0] > found.second.mean()


def test_the_interval_of_a_share_holds_it_in_most_samples_and_has_its_error():
    truth, held, values, errors = 0.5, 0, [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        gains = pd.Series(random.exponential(0.1, 150))
        asked = pd.Series(random.random(150) < truth, dtype=float)
        zero = pd.Series(np.zeros(150))
        share = curve.bought(Asked(pd.DataFrame(), zero, gains), asked)
        held += share.low <= truth <= share.high
        values.append(share.value)
        errors.append(share.standard_error)
    assert 50 <= held <= 60
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)


def test_rows_have_the_difference_from_asking_all():
    found = made_up(noise=0.2)
    scores, lost = (curved(found, metric=metric) for metric in ("ndcg@10", "ndcg@10 difference"))
    assert (scores - found.second.mean()).to_numpy() == pytest.approx(lost.to_numpy())


def test_what_choices_buy():
    found = made_up(noise=0.2)
    rows = curve.gains(found, {"one": found.weakness, "none": -found.weakness})
    bought = rows.pivot_table(index="asked", columns="variant", values="value")
    scores = curved(found)[COMBINED]
    assert bought["one"].tolist() == pytest.approx(
        ((scores - scores[0]) / found.gain.mean())[list(curve.TOLD)].tolist()
    )
    assert (bought["none"] < bought["one"]).all() and (rows["low"] <= rows["value"]).all()


def test_where_attention_adds_nothing_there_is_no_share():
    found = made_up(gain=0)
    assert np.isnan(curve.bought(found, curve.weakest(found.weakness, 0.3)).value)


def test_few_queries_have_no_error():
    found = made_up(5)
    assert np.isnan(curve.bought(found, curve.weakest(found.weakness, 0.3)).standard_error)
    single = made_up(2)
    single = Asked(*(each[:1] for each in single))
    assert len(curve.rows(single, single.weakness)) == 126 and np.isnan(curve.losses(single, single.weakness)[0].low)


def test_needed_is_the_share_from_which_on_less_than_the_margin_is_lost():
    lost, shares = [-0.09, -0.02, -0.005, -0.015, -0.008, 0], (0, 0.2, 0.4, 0.6, 0.8, 1)
    assert curve.needed(lost, 0.01, shares) == 0.8, "at 0.6 more is lost again"
    assert curve.needed(lost, 0.1, shares) == 0 and curve.needed([np.nan] * 6, 0.1, shares) == 1
    lost = curve.losses(made_up(1_000), made_up(1_000).weakness)
    assert (
        curve.needed([each.value for each in lost], 0.021) == 0.4
        and curve.needed([each.low for each in lost], 0.021) == 0.45
    )
