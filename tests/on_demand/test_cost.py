"""Milliseconds by hand."""

import numpy as np
import pandas as pd
import pytest
from two_asked import made_up
from workbook.on_demand import cost
from workbook.on_demand.two_searches import Twice


def measured(n=100):
    seconds = {"first": np.full((3, n), 0.001), "signals": np.full((3, n), 0.0005), "second": np.full((3, n), 0.02)}
    seconds["second"][2] *= 2  # a slow repeat
    return Twice("made up", ("static", "transformer"), made_up(200), None, seconds, "key")


def asked(share, n=200):
    return pd.Series(np.arange(n) % 100 < 100 * share, dtype=float)


def test_on_average_and_for_the_slowest():
    found = cost.of(measured(), asked(0.3))
    assert found.mean[:3] == pytest.approx((1.5 + 0.3 * 20, 1.5 + 0.3 * 20, 1.5 + 0.3 * 40)) and found.mean.n == 3
    assert found.slowest[:3] == pytest.approx((21.5, 21.5, 41.5))
    assert cost.of(measured(), asked(0.04)).slowest.value == pytest.approx(1.5), "fewer than one in twenty wait"
    halves = pd.Series(0.5, range(200))
    assert cost.of(measured(), halves).mean.value == pytest.approx(1.5 + 0.5 * 20)


def test_always_and_never():
    assert cost.always(measured()).mean.value == pytest.approx(20)
    assert cost.never(measured()).mean.value == cost.never(measured()).slowest.value == pytest.approx(1)
    assert cost.of(measured(1), asked(0, 1)).mean.value == pytest.approx(1.5), "one query"


def test_rows_have_both_ends_and_what_is_between():
    rows = cost.rows(measured(), asked(0.3))
    found = rows[rows["metric"] == "mean query ms"].set_index("asked")["value"]
    assert found.index.tolist() == pytest.approx([0, 0.3, 1]) and found.tolist() == pytest.approx([1, 7.5, 20])
    assert set(rows["corpus"]) == {"made up"} and set(rows["key"]) == {"key"} and len(rows) == 6
