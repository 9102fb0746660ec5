"""Figures of training show the rows and epochs they are given, and their titles are computed from them."""

import numpy as np
import pandas as pd
import pytest
from drawn import caption_of, title_of
from workbook.evaluation import results
from workbook.figures import training_plots

BARS = {"float32": "float32", "binary": "one bit per dimension, no rescoring"}


def history(*epochs):
    return [
        {"epoch": number, "seconds": seconds, "score": score, "error": error, "rank": rank}
        for number, (seconds, score, error, rank) in enumerate(epochs)
    ]


@pytest.fixture
def histories():
    """Two trainings: the first keeps its last epoch, though the one before scored higher; the second its first."""
    return {
        "as usual": history((0.0, 0.5, 0.02, 0), (10.4, 0.6, 0.02, 1), (20.6, 0.71, 0.01, 2), (31.4, 0.705, 0.01, 3)),
        "scale 30": history((0.0, 0.5, 0.02, 0), (9.0, 0.65, 0.02, 1), (18.0, 0.5, 0.02, 0)),
    }


def scores(method, float32, binary, **columns):
    """Rows of a variant: each setting's score, its interval half of that wide, its seeds a tenth."""
    names = {"corpus": "sample", "model": "a", "method": method, **columns}
    return [
        {**names, "setting": setting, "metric": metric, "value": value, "low": value - by, "high": value + by, "n": n}
        for setting, value in [("float32", float32), ("binary", binary)]
        for metric, by, n in [("ndcg@10", value / 4, 25), ("ndcg@10 over seeds", value / 20, 3)]
    ]


@pytest.fixture
def rows():
    return pd.DataFrame([*scores("distilled", 0.4, 0.2), *scores("trained", 0.6, 0.48), *scores("wider", 0.64, 0.56)])


def legend_of(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def line_of(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label)


def rings_of(axis):
    return [line for line in axis.get_lines() if line.get_markerfacecolor() == "none"]


def test_a_curve_goes_through_every_epoch_of_each_training(histories):
    figure = training_plots.curves(histories, 1_234)
    axis = figure.axes[0]
    for label, epochs in histories.items():
        points = [[epoch["seconds"], epoch["score"]] for epoch in epochs]
        assert line_of(axis, label).get_xydata().tolist() == points
    assert legend_of(figure) == ["as usual", "scale 30"]
    assert axis.get_ylabel() == "NDCG@10 on held-out anchors"


def test_the_ring_is_around_the_epoch_of_the_highest_rank(histories):
    axis = training_plots.curves(histories, 10).axes[0]
    rings = rings_of(axis)
    assert [ring.get_xydata().tolist() for ring in rings] == [[[31.4, 0.705]], [[9.0, 0.65]]]
    assert [ring.get_color() for ring in rings] == [line_of(axis, label).get_color() for label in histories]


def test_the_band_is_one_standard_error_wide(histories):
    bands = training_plots.curves(histories, 10).axes[0].collections
    low, high = ([0.48, 0.58, 0.7, 0.695], [0.52, 0.62, 0.72, 0.715])
    corners = {tuple(corner) for corner in bands[0].get_paths()[0].vertices.round(6).tolist()}
    assert corners == {point for side in (low, high) for point in zip([0.0, 10.4, 20.6, 31.4], side, strict=True)}
    assert len(bands) == 2


def test_the_title_of_curves_is_of_the_first_training_and_the_epoch_it_kept(histories):
    title = title_of(training_plots.curves(histories, 10))
    assert title.startswith("31 s of training") and title.endswith("held-out NDCG@10 from 0.500 to 0.705")
    histories["as usual"][2]["rank"] = 4
    title = title_of(training_plots.curves(histories, 10))
    assert title.startswith("21 s of training") and title.endswith("from 0.500 to 0.710")
    title = title_of(training_plots.curves({"scale 30": histories["scale 30"]}, 10))
    assert title.startswith("9 s of training") and title.endswith("from 0.500 to 0.650")


def test_curves_say_how_many_documents_were_held_out_and_where(histories):
    caption = caption_of(training_plots.curves(histories, 1_234))
    assert "1,234 documents held out" in caption and results.machine_label() in caption


def test_a_training_that_made_one_epoch_is_drawn():
    figure = training_plots.curves({"short": history((0.0, 0.5, 0.02, 0), (3.0, 0.4, 0.02, 1))}, 10)
    (ring,) = rings_of(figure.axes[0])
    assert ring.get_xydata().tolist() == [[3.0, 0.4]]
    assert title_of(figure).endswith("from 0.500 to 0.400")


def test_steps_draw_every_variant_in_order_in_both_settings(rows):
    figure = training_plots.steps(rows, {})
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["distilled", "trained", "wider"]
    drawn = {bar.get_label(): bar.lines[0].get_xydata() for bar in axis.containers}
    assert list(drawn) == list(BARS.values())
    np.testing.assert_allclose(drawn[BARS["float32"]], [[0.4, -0.15], [0.6, 0.85], [0.64, 1.85]])
    np.testing.assert_allclose(drawn[BARS["binary"]], [[0.2, 0.15], [0.48, 1.15], [0.56, 2.15]])
    bottom, top = axis.get_ylim()
    assert bottom > top, "the first step is on top"


def test_steps_show_the_interval_over_queries_and_the_range_over_seeds(rows):
    axis = training_plots.steps(rows, {}).axes[0]
    for bar, values in zip(axis.containers, [[0.4, 0.6, 0.64], [0.2, 0.48, 0.56]], strict=True):
        (interval,) = bar.lines[2]
        ends = [segment[:, 0] for segment in interval.get_segments()]
        np.testing.assert_allclose(ends, [[value * 0.75, value * 1.25] for value in values])
    intervals = [bar.lines[2][0] for bar in axis.containers]
    seeds = [lines for lines in axis.collections if lines not in intervals]
    for lines, values in zip(seeds, [[0.4, 0.6, 0.64], [0.2, 0.48, 0.56]], strict=True):
        ends = [segment[:, 0] for segment in lines.get_segments()]
        np.testing.assert_allclose(ends, [[value * 0.95, value * 1.05] for value in values])


def test_every_reference_is_a_line_of_its_own_in_the_legend(rows):
    references = {name: 0.5 + number / 100 for number, name in enumerate(["BM25", "a", "b", "c", "d", "judge (here)"])}
    figure = training_plots.steps(rows, references)
    labels = [f"{name}: {value:.3f}" for name, value in references.items()]
    assert set(legend_of(figure)) == {*labels, *BARS.values()}
    for label, value in zip(labels, references.values(), strict=True):
        assert line_of(figure.axes[0], label).get_xdata() == [value, value]
    assert len({line_of(figure.axes[0], label).get_linestyle() for label in labels[:4]}) == 4


def test_steps_without_references_are_fine(rows):
    figure = training_plots.steps(rows, {})
    assert set(legend_of(figure)) == set(BARS.values())


def test_the_title_of_steps_is_computed_from_rows_and_references(rows):
    title = title_of(training_plots.steps(rows, {"BM25": 0.51, "judge (here)": 0.66}))
    assert "NDCG@10 0.600" in title and "judge (here) 0.660" in title and "distilled 0.400" in title
    assert "BM25" not in title
    rows.loc[rows["method"] == "trained", ["value", "low", "high"]] += 0.1
    rows.loc[rows["method"] == "distilled", ["value", "low", "high"]] -= 0.1
    title = title_of(training_plots.steps(rows, {"judge (here)": 0.67}))
    assert "NDCG@10 0.700" in title and "judge (here) 0.670" in title and "distilled 0.300" in title


def test_one_variant_is_drawn_as_several_are():
    figure = training_plots.steps(pd.DataFrame(scores("trained", 0.6, 0.48)), {})
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["trained"]
    assert "NDCG@10 0.600" in title_of(figure)


def test_steps_name_corpus_queries_and_machine(rows):
    caption = caption_of(training_plots.steps(rows, {}))
    assert "sample, 25 queries, 95% bootstrap intervals; thick bar: range over the seeds" in caption
    assert results.machine_label() in caption


def test_what_is_given_is_not_changed(rows, histories):
    before, as_text = rows.copy(deep=True), repr(histories)
    training_plots.steps(rows, {"BM25": 0.5})
    training_plots.curves(histories, 10)
    pd.testing.assert_frame_equal(rows, before)
    assert repr(histories) == as_text
