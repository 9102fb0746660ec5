"""Signals combined by ranks."""

import numpy as np
import pandas as pd
import pytest
from two_asked import made_up
from workbook.errors import WorkbookError
from workbook.on_demand import combined


def frame(**columns):
    return pd.DataFrame(columns, dtype=float)


def test_ranks_by_hand_and_equal_values_count_half():
    assert combined.lower(np.array([0, 2, 2.5, 9]), np.array([1, 2, 2, 3])).tolist() == [1, 0.5, 0.25, 0]
    found, among = frame(a=[1, 5], b=[30, 10]), frame(a=[2, 4], b=[10, 20])
    assert combined.weakness(found, among, ["a", "b"]).tolist() == [0.5, (0 + 0.75) / 2]
    assert combined.weakness(found, among, ["a"]).tolist() == [1, 0]


def test_the_scale_of_a_signal_changes_nothing():
    signals = made_up(noise=0.3).signals
    grown = signals.assign(**{"top score": np.exp(signals["top score"] / 100)})
    assert combined.weakness(grown, grown).equals(combined.weakness(signals, signals))


def test_a_search_that_found_nothing_is_the_weakest_of_all():
    signals = made_up(20).signals
    signals.iloc[7] = -np.inf
    weakness = combined.weakness(signals, signals)
    assert np.isposinf(weakness.iloc[7]) and np.isfinite(weakness.drop("q007")).all()


def test_equal_searches_are_equally_weak_and_one_alone_is_half():
    signals = made_up(5).signals
    signals.loc[:] = 3
    assert combined.weakness(signals, signals).tolist() == [0.5] * 5
    assert combined.weakness(signals[:1], signals[:1]).tolist() == [0.5]


def test_without_others_there_are_no_ranks():
    signals = made_up(5).signals
    with pytest.raises(WorkbookError, match="give signals of known items, or of earlier queries"):
        combined.weakness(signals, signals[:0])
