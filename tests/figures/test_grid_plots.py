"""Figures of the grid show the rows they are given, their titles are computed, and nothing written hides another."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawn import caption_of, title_of
from matplotlib.text import Text
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.figures import grid_plots, pareto_plot, plots
from workbook.qdrant.quantization import SETTINGS


def cell(model, dimension, setting, search, value):
    names = {"corpus": "sample", "model": model, "dimension": dimension, "setting": setting, "search": search}
    size = SETTINGS[setting].bytes_per_vector(dimension)
    return [
        {**names, "metric": "ndcg@10", "value": value, "low": value - 0.1, "high": value + 0.1, "n": 25},
        {**names, "metric": "recall@100", "value": 1.0, "low": 1.0, "high": 1.0, "n": 25},
        {**names, "metric": "bytes per vector", "value": size},
    ]


def frame(*cells):
    return pd.DataFrame([row for one in cells for row in cell(*one)]).reindex(columns=list(results.COLUMNS))


def line_of(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label).get_xydata().tolist()


@pytest.fixture
def squares():
    """One model at 64 and 32 dimensions; float32 is also there by the other search, which is not to be shown."""
    return frame(
        ("a", 32, "float32", "exact", 0.59), ("a", 64, "float32", "exact", 0.6), ("a", 64, "float32", "full-ef", 0.1),
        ("a", 32, "scalar-int8", "full-ef", 0.58), ("a", 64, "scalar-int8", "full-ef", 0.599),
        ("a", 64, "binary", "full-ef", 0.3), ("a", 64, "binary", "default-ef", 0.6),
        ("b", 64, "float32", "exact", 0.9), ("b", 64, "binary", "full-ef", 0.9),
    )  # fmt: skip


@pytest.fixture
def grid():
    """2 models x 30 points: as many as the grid has in a notebook, close to each other as they are there."""
    random = np.random.default_rng(0)
    settings = ["float32", "scalar-int8", "turbo-4bit", "binary-2bit", "binary-scalar8-query"]
    return frame(
        *(
            (model, dimension, setting, "exact" if setting == "float32" else "full-ef", score - random.uniform(0, 0.02))
            for model, best in [("static-retrieval-mrl-en-v1", 0.55), ("all-MiniLM-L6-v2", 0.57)]
            for dimension in (384, 256, 192, 128, 96, 64)
            for setting in settings
            for score in [best * (1 - np.exp(-dimension / 40)) - 0.1 / SETTINGS[setting].bits]
        )
    )


@pytest.fixture
def searched():
    rescored = {
        "float32": [("exact", 0.5), ("default-ef", 0.49)],
        "scalar-int8": [("default-ef", 0.49), ("full-ef", 0.49)],
        "binary": [("rescore-x3", 0.5), ("default-ef", 0.3), ("rescore", 0.4), ("full-ef", 0.31), ("rescore-x2", 0.45)],
        "turbo-1bit": [("default-ef", 0.4), ("rescore-x3", 0.4999)],
    }
    return frame(
        *(
            (model, 64, setting, search, score)
            for model in ("a", "b")
            for setting, scores in rescored.items()
            for search, score in scores
        ),
        ("a", 32, "binary", "rescore", 0.1),
    )


@pytest.fixture
def steps():
    names = ["float32, whole vector", "32 dimensions", "binary-scalar8-query", "rescored", "all of it"]
    value, nan = np.array([0.6, -0.05, -0.1, 0.04, 0.49]), np.nan
    low, high = np.array([nan, -0.07, -0.12, 0.02, nan]), np.array([nan, -0.04, -0.09, 0.05, nan])
    return pd.DataFrame({"step": names, "value": value, "low": low, "high": high})


def test_a_heat_map_shows_every_square_in_order(squares):
    axis = grid_plots.heat_map(squares, "a").axes[0]
    assert [text.get_text() for text in axis.texts] == ["0.600", "0.590", "0.599", "0.580", "0.300", "-"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["float32", "scalar-int8", "binary"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["64", "32"]
    assert np.ma.filled(axis.images[0].get_array(), -1).tolist() == [[0.6, 0.59], [0.599, 0.58], [0.3, -1]]


def test_a_heat_map_outlines_and_names_the_smallest_that_is_good_enough(squares):
    figure = grid_plots.heat_map(squares, "a")
    assert title_of(figure) == "a keeps 95% of its NDCG@10 in 36 of 256 bytes (scalar-int8, 32 dimensions)"
    assert {patch.get_xy() for patch in figure.axes[0].patches} == {(0.5, 0.5)}
    bold = [text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    assert bold == ["0.600", "0.590", "0.599", "0.580"]
    assert "sample, means over 25 queries" in caption_of(figure) and results.machine_label() in caption_of(figure)


def test_a_heat_map_says_if_only_float32_is_good_enough(squares):
    figure = grid_plots.heat_map(squares[squares["setting"] != "scalar-int8"], "a")
    assert title_of(figure) == "Only float32 keeps 95% of the NDCG@10 of a, in 128 of 256 bytes (32 dimensions)"


def test_text_is_black_on_light_squares_and_white_on_dark_ones(squares):
    texts = grid_plots.heat_map(squares, "a").axes[0].texts
    assert [texts[0].get_color(), texts[4].get_color()] == ["black", "white"]
    assert [grid_plots._readable_on(color) for color in ("#999999", "#555555")] == ["black", "white"]


def test_rows_without_a_size_or_without_float32_are_refused(squares):
    with pytest.raises(WorkbookError, match="bytes per vector"):
        grid_plots.heat_map(squares[squares["metric"] != "bytes per vector"], "a")
    with pytest.raises(WorkbookError, match="float32"):
        grid_plots.heat_map(squares[squares["setting"] != "float32"], "a")


def test_a_frontier_keeps_what_nothing_else_beats():
    points = pd.DataFrame(
        [(8, 0.2), (4, 0.1), (8, 0.1), (16, 0.2), (16, 0.3), (16, 0.3), (32, 0.25)], columns=["bytes", "value"]
    )
    frontier = pareto_plot._frontier(points)
    assert frontier.to_numpy().tolist() == [[4, 0.1], [8, 0.2], [16, 0.3]]
    assert frontier.index.tolist() == [1, 0, 4]  # of two that are equal the first


def test_pareto_draws_all_points_and_joins_the_frontier(squares):
    figure = pareto_plot.pareto(squares, "full-ef")
    axis = figure.axes[0]
    assert sorted(axis.collections[0].get_offsets().tolist()) == [
        [16, 0.3], [36, 0.58], [68, 0.599], [128, 0.59], [256, 0.6],
    ]  # fmt: skip
    assert line_of(axis, "a") == [[16, 0.3], [36, 0.58], [68, 0.599], [256, 0.6]]
    assert line_of(axis, "b") == [[16, 0.9]]
    assert {line.get_drawstyle() for line in axis.get_lines()} == {"steps-post"}
    assert axis.get_xscale() == "log"


def test_pareto_numbers_the_frontier_and_lists_it(squares):
    axis, first, second = pareto_plot.pareto(squares, "full-ef").axes
    written = [(text.get_text(), text.xy) for text in axis.texts if text.get_text()]
    assert written == [
        ("1", (16, 0.3)), ("2", (36, 0.58)), ("3", (68, 0.599)), ("4", (256, 0.6)), ("5", (16, 0.9)),
    ]  # fmt: skip
    lists = [[text.get_text() for text in table.texts] for table in (first, second)]
    assert lists[0][4:8] == ["1", "binary 64", "16", "0.300"]
    assert lists[0][-4:] == ["4", "float32 64", "256", "0.600"]
    assert lists[1][4:] == ["5", "binary 64", "16", "0.900"]
    assert [table.get_legend().get_texts()[0].get_text() for table in (first, second)] == ["a", "b"]


def test_pareto_says_which_model_scores_higher_and_where(squares):
    assert title_of(pareto_plot.pareto(squares, "full-ef")) == (
        "b has the higher NDCG@10 at every size from 16 bytes per vector"
    )
    crossing = pd.concat([squares, frame(("a", 16, "binary", "full-ef", 0.95))])
    assert title_of(pareto_plot.pareto(crossing, "full-ef")).startswith("a has the higher NDCG@10 at every size")
    crossing = pd.concat([squares, frame(("a", 32, "turbo-8bit", "full-ef", 0.95))])
    assert title_of(pareto_plot.pareto(crossing, "full-ef")) == (
        "b has the higher NDCG@10 below 36 bytes per vector, a from there on"
    )
    level = pd.concat([squares, frame(("a", 32, "turbo-8bit", "full-ef", 0.9))])
    assert (
        title_of(pareto_plot.pareto(level, "full-ef")) == "b has the higher NDCG@10 at 1 of the 2 sizes on a frontier"
    )
    one = squares[squares["model"] == "a"]
    assert title_of(pareto_plot.pareto(one, "full-ef")) == "a goes from NDCG@10 0.300 in 16 bytes to 0.600 in 256 bytes"


def test_pareto_uses_the_search_it_is_given(squares):
    assert line_of(pareto_plot.pareto(squares, "default-ef").axes[0], "a") == [[16, 0.6]]
    assert line_of(pareto_plot.pareto(squares, "exact").axes[0], "a") == [[128, 0.59], [256, 0.6]]
    with pytest.raises(WorkbookError, match="rescore-x2"):
        pareto_plot.pareto(squares, "rescore-x2")


def texts_of(figure):
    """Every text that is drawn: in the axes, in legends, of the figure, and the tick labels that are in view."""
    figure.draw_without_rendering()
    ticks = {label for axis in figure.axes for label in [*axis.get_xticklabels(), *axis.get_yticklabels()]}
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible() and text not in ticks]
    for axis in (axis for axis in figure.axes if axis.axison):
        for one, (low, high) in [(axis.xaxis, axis.get_xlim()), (axis.yaxis, axis.get_ylim())]:
            ends = sorted((low, high))
            shown = [tick for tick in one.get_major_ticks() if ends[0] <= tick.get_loc() <= ends[1]]
            texts += [label for tick in shown for label in (tick.label1, tick.label2)]
    return {text: text.get_window_extent() for text in texts if text.get_text() and text.get_visible()}


def overlapping(figure):
    return [
        (one.get_text(), other.get_text())
        for (one, box), (other, beside) in combinations(texts_of(figure).items(), 2)
        if box.overlaps(beside)
    ]


def test_no_text_of_pareto_hides_another(grid):
    figure = pareto_plot.pareto(grid, "full-ef")
    axis = figure.axes[0]
    numbers = [text for text in axis.texts if text.get_text()]
    assert len(numbers) > 12
    assert overlapping(figure) == []
    for text in numbers:
        box = text.get_window_extent()
        assert axis.bbox.containsx(box.x0) and axis.bbox.containsx(box.x1) and axis.bbox.containsy(box.y1)
    inside = [box for text, box in texts_of(figure).items() if text not in figure.texts]  # the caption is below
    assert all(figure.bbox.containsx(box.x1) and figure.bbox.containsy(box.y0) for box in inside)


def test_no_text_of_the_other_figures_hides_another(grid, searched, steps):
    assert overlapping(grid_plots.heat_map(grid, "all-MiniLM-L6-v2")) == []
    assert overlapping(grid_plots.oversampling(searched, {"a": 64, "b": 64})) == []
    assert overlapping(grid_plots.waterfall(steps, "A finding " * 20)) == []


def test_an_overlap_would_be_seen(squares):
    figure = grid_plots.heat_map(squares, "a")
    figure.axes[0].text(0, 0, "over it")
    assert overlapping(figure) == [("0.600", "over it")]


def test_oversampling_draws_shares_of_exact_float32(searched):
    left, right, _ = grid_plots.oversampling(searched, {"a": 64, "b": 64}).axes
    for axis in (left, right):
        np.testing.assert_allclose(line_of(axis, "binary"), [[0, 60], [1, 80], [2, 90], [3, 100]])
        np.testing.assert_allclose(line_of(axis, "turbo-1bit"), [[0, 80], [3, 99.98]])
        np.testing.assert_allclose(axis.get_lines()[0].get_ydata(), [100, 100])
        assert len(axis.get_lines()) == 3  # scalar-int8 is not rescored
    assert [label.get_text() for label in left.get_xticklabels()] == ["none", "1", "2", "3"]
    assert left.get_title(loc="left") == "a, 64 dimensions"


def test_oversampling_says_the_worst_without_rounding_it_up(searched):
    figure = grid_plots.oversampling(searched, {"a": 64})
    assert title_of(figure) == (
        "NDCG@10 kept at worst: 60.0% (binary, a) without rescoring, 99.9% (turbo-1bit, a) with oversampling 3"
    )
    rescored = searched[searched["search"] != "default-ef"]
    assert title_of(grid_plots.oversampling(rescored, {"a": 64})) == (
        "NDCG@10 kept at worst: 99.9% (turbo-1bit, a) with oversampling 3"
    )


def test_oversampling_needs_something_rescored(searched):
    with pytest.raises(WorkbookError, match="32 dimensions"):
        grid_plots.oversampling(searched, {"a": 32})


def test_a_waterfall_leads_from_level_to_level(steps):
    figure = grid_plots.waterfall(steps, "a on sample")
    axis = figure.axes[0]
    bars = [(bar.get_y(), bar.get_height()) for bar in axis.patches]
    np.testing.assert_allclose(bars, [(0, 0.6), (0.6, -0.05), (0.55, -0.1), (0.45, 0.04), (0, 0.49)])
    labels = ["0.600", "\N{MINUS SIGN}0.050", "\N{MINUS SIGN}0.100", "+0.040", "0.490"]
    assert [text.get_text() for text in axis.texts] == labels
    connectors, errors = (lines.get_segments() for lines in axis.collections)
    np.testing.assert_allclose([line[:, 1] for line in connectors], [[0.6] * 2, [0.55] * 2, [0.45] * 2, [0.49] * 2])
    np.testing.assert_allclose([line[:, 1] for line in errors], [[0.53, 0.56], [0.43, 0.46], [0.47, 0.5]])
    colors = [bar.get_facecolor() for bar in axis.patches]
    assert colors[0] == colors[4] and colors[1] == colors[2] and len(set(colors)) == 3
    assert title_of(figure) == (
        "a on sample: NDCG@10 from 0.600 to 0.490, most lost to binary-scalar8-query, most won by rescored"
    )


def test_a_waterfall_says_where_its_axis_starts(steps):
    axis = grid_plots.waterfall(steps, "a on sample").axes[0]
    assert axis.get_ylabel() == f"NDCG@10 (axis starts at {axis.get_ylim()[0]:g}, not at 0)"
    assert 0 < axis.get_ylim()[0] < 0.43
    whole = steps.assign(value=[0.6, -0.5, -0.05, 0.04, 0.09], low=np.nan, high=np.nan)
    axis = grid_plots.waterfall(whole, "a on sample").axes[0]
    assert (axis.get_ylabel(), axis.get_ylim()[0]) == ("NDCG@10", 0)


def test_a_waterfall_breaks_names_at_hyphens_and_names_the_queries_if_it_knows_them(steps):
    figure = grid_plots.waterfall(steps.assign(corpus="sample", n=25), "a on sample")
    names = [label.get_text().replace("-\n", "-").replace("\n", " ") for label in figure.axes[0].get_xticklabels()]
    assert names == steps["step"].tolist()
    assert grid_plots._wrapped("binary-scalar8-query", 9) == "binary-\nscalar8-\nquery"
    assert "sample, 25 queries, 95% bootstrap intervals" in caption_of(figure)
    assert results.machine_label() in caption_of(grid_plots.waterfall(steps, "a on sample"))


def test_a_waterfall_that_does_not_add_up_is_refused(steps):
    with pytest.raises(WorkbookError, match=r"0\.4900"):
        grid_plots.waterfall(steps.assign(value=[0.6, -0.05, -0.1, 0.04, 0.5]), "a on sample")


def test_gains_losses_and_levels_differ_in_grey():
    greys = sorted(
        plt.matplotlib.colors.to_rgb(color) @ np.array([0.299, 0.587, 0.114])
        for color in (grid_plots.GAIN, grid_plots.LOSS, grid_plots.LEVEL)
    )
    assert np.diff(greys).min() > 0.15


def test_what_is_given_is_not_changed(squares, searched, steps):
    given = [squares, searched, steps]
    before = [one.copy(deep=True) for one in given]
    grid_plots.heat_map(squares, "a")
    pareto_plot.pareto(squares, "full-ef")
    grid_plots.oversampling(searched, {"a": 64})
    grid_plots.waterfall(steps, "a on sample")
    for one, was in zip(given, before, strict=True):
        pd.testing.assert_frame_equal(one, was)


def test_saving_twice_gives_the_same_bytes(grid, tmp_path, monkeypatch):
    monkeypatch.setattr(plots.paths, "FIGURES", tmp_path)
    first, second = (
        plots.save(pareto_plot.pareto(grid, "full-ef"), "sample", "pareto").data for _ in range(2)
    )  # fmt: skip
    assert first == second
