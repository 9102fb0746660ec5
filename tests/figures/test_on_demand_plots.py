"""The figure of attention on demand."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from drawn import caption_of, overlapping, title_of
from two_asked import made_up
from workbook.figures import on_demand_plots
from workbook.names import COMBINED
from workbook.on_demand import curve


@pytest.fixture
def rows():
    found = made_up(noise=0.2)
    own = curve.rows(found, found.weakness)
    names = {"corpus": "made up", "against": "all-MiniLM-L6-v2 + BM25 (dbsf)"}
    return pd.concat([own.assign(method=f"{first} + BM25 (dbsf)", **names) for first in ("static query", "trained")])


def test_each_first_search_has_a_panel_with_three_choices(rows):
    figure = on_demand_plots.curves(rows, "told")
    assert title_of(figure) == "told" and "200 queries" in caption_of(figure)
    titles = [axis.get_title(loc="left").replace("\n", " ") for axis in figure.axes]
    assert titles == [f"first {first} + BM25, then MiniLM + BM25" for first in ("static query", "trained static")]
    lost = rows[(rows["metric"] == "ndcg@10 difference") & (rows["variant"] == COMBINED)]
    for axis, first in zip(figure.axes, ("static query", "trained"), strict=True):
        lines = {line.get_label(): line for line in axis.lines}
        own = lost[lost["method"].str.startswith(first)]
        assert list(lines["chosen by signals combined"].get_ydata()) == own["value"].tolist()
        assert {"chosen by chance", "chosen at best"} < set(lines)
        assert not overlapping(figure, axis)
    plt.close(figure)
