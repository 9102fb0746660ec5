"""Axes end on round numbers, and names at the ends of lines can be read."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from workbook.figures import axes


def test_labels_that_have_room_stay_where_they_belong():
    centers = axes._apart(np.array([10.0, 50.0, 52.0, 120.0]), np.full(4, 10.0), 0, 200)
    np.testing.assert_allclose(centers, [10, 46, 56, 120])


def test_labels_stay_between_the_edges():
    centers = axes._apart(np.array([1.0, 97.0, 98.0, 99.0]), np.full(4, 10.0), 0, 100)
    np.testing.assert_allclose(centers, [5, 75, 85, 95], atol=1e-6)


@pytest.mark.parametrize(
    ("values", "limits", "ticks"),
    [
        ([1_000, 1_000_000], (500, 2_000_000), ["1,000", "10,000", "100,000", "1,000,000"]),
        ([1.2, 1.6], (1, 2), ["1", "2"]),
        ([2, 40], (1, 50), ["1", "2", "5", "10", "20", "50"]),
        ([0.0004, 0.001], (0.0002, 0.002), ["0.0002", "0.0005", "0.001", "0.002"]),
        ([5, 5], (2, 10), ["2", "5", "10"]),
    ],
)
def test_a_logarithmic_axis_ends_on_round_numbers_and_has_ticks(values, limits, ticks):
    axis = plt.figure().add_subplot()
    axes.log(axis.yaxis, values)
    axis.figure.draw_without_rendering()
    assert axis.get_ylim() == pytest.approx(limits)
    assert [label.get_text() for label in axis.get_yticklabels()] == ticks


def test_numbers_of_documents_are_written_short():
    written = [axes.thousands(n, 0) for n in (50, 999, 1_000, 20_000, 500_000, 1_000_000, 100_000_000)]
    assert written == ["50", "999", "1k", "20k", "500k", "1M", "100M"]
