"""Figures of size and speed show the runs and rows they are given, and their titles are computed from them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from workbook.conclusions import growth
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import encoding_speed
from workbook.experiments.ingest import Job
from workbook.experiments.ingest_runs import Run
from workbook.figures import speed_plots
from workbook.qdrant.client import Placement


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def run(n, encode=None, **changes):
    """Encoding grows as n, indexing as n^1.25; the first run is all found, the others nine of ten."""
    seconds = {"encode": encode or n / 1_000, "upsert": n / 100_000, "index": n**1.25 / 100_000}
    values = {
        "corpus": "assembled from sample, seed 0", "model": "static", "job": Job("sample", n, "static", 64),
        "seconds": seconds, "total_seconds": sum(seconds.values()), "busy": {"encode": 1.0, "upsert": n / 4_000},
        "memory": {"start": 5e8, "encode": 5e8 + 100 * n, "index": 5e8 + 300 * n, "search": 5e8},
        "disk": {"shards": 256.0 * n, "vectors": 244.0 * n, "codes": 16.0 * n, "graph": 100.0 * n, "other": 50.0 * n},
        "latency": [0.001, 0.002, 0.009], "precision": [1.0 if n == 1_000 else 0.9] * 5, "resumed": 0, "key": "k",
    }  # fmt: skip
    return Run(**{**values, **changes})


@pytest.fixture
def runs():
    return [run(n) for n in (1_000, 10_000, 100_000, 1_000_000)]


def title_of(figure):
    return figure.get_suptitle().replace("\n", " ")


def caption_of(figure):
    return figure.texts[-1].get_text().replace("\n", " ")


def texts_of(axis):
    return [text.get_text() for text in axis.texts]


def points_of(axis, color, filled):
    """Markers drawn alone, in one colour of the cycle."""
    lines = [line for line in axis.get_lines() if len(line.get_xdata()) == 1 and line.get_color() == color]
    return [line.get_xydata()[0].tolist() for line in lines if (line.get_markerfacecolor() != "none") == filled]


def line_of(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label)


def overlapping(figure, axis):
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axis.texts]  # that of an annotation has its line in it
    return [(one, other) for place, one in enumerate(boxes) for other in boxes[:place] if one.overlaps(other)]


def on_a_server(n):
    job = Job("sample", n, "static", 64, engine_name="server", placement=Placement(3, 2))
    return run(n, job=job, server={"version": "1.18.3", "nodes": 3})


def test_of_a_server_it_is_told_whose_memory_and_seconds_are_shown():
    runs = [on_a_server(n) for n in (1_000, 10_000, 100_000, 1_000_000)]
    figure = speed_plots.growth(runs, growth.fits(runs))
    _, size, latency, _ = figure.axes
    assert size.get_title("left") == "memory of the encoder's process alone"
    assert not any("disk" in text for text in texts_of(size))
    assert latency.get_title("left") == "one query, rescore-x3, network included"
    assert "all of it as n^" in title_of(figure) and "indexing as" not in title_of(figure)
    assert "Qdrant 1.18.3, nodes: 3 (server, shards: 3, copies: 2)" in caption_of(figure)
    bars = speed_plots.phases({"each word once": runs[-1]})
    legend = [text.get_text() for text in bars.axes[0].get_legend().get_texts()]
    assert legend == list(speed_plots.ON_A_SERVER.values())
    assert "Qdrant 1.18.3, nodes: 3" in caption_of(bars)


def test_growth_draws_every_run_and_the_line_of_its_fit(runs):
    figure = speed_plots.growth(runs[::-1], growth.fits(runs))
    time, size, latency, precision = figure.axes
    assert points_of(time, "C1", filled=True) == [[run.n, run.n / 1_000] for run in runs]
    np.testing.assert_allclose(points_of(size, "C0", filled=True), [[run.n, run.n * 666e-6] for run in runs])
    np.testing.assert_allclose(points_of(size, "C1", filled=True), [[run.n, run.n * 300e-6] for run in runs])
    np.testing.assert_allclose(points_of(latency, "C0", filled=True), [[run.n, 2] for run in runs])
    sizes, seconds = line_of(time, "index seconds").get_data()
    np.testing.assert_allclose(seconds, sizes**1.25 / 100_000)
    assert (sizes[0], sizes[-1]) == pytest.approx((1_000, 1_000_000))
    assert [axis.get_yscale() for axis in figure.axes] == ["log", "log", "log", "linear"]
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}
    assert precision.containers[0].lines[0].get_ydata().tolist() == pytest.approx([1, 0.9, 0.9, 0.9])


def test_what_a_fit_leaves_out_is_hollow_and_said(runs):
    figure = speed_plots.growth(runs, growth.fits(runs, 10_000))
    assert points_of(figure.axes[0], "C1", filled=False) == [[1_000, 1]]
    assert len(points_of(figure.axes[0], "C1", filled=True)) == 3
    assert line_of(figure.axes[0], "encode seconds").get_xdata()[0] == pytest.approx(10_000)
    assert "hollow: not in the fit" in caption_of(figure)
    assert "hollow" not in caption_of(speed_plots.growth(runs, growth.fits(runs)))


def test_a_run_in_two_attempts_is_hollow_where_it_is_not_fitted(runs):
    runs[1] = run(10_000, resumed=5)
    figure = speed_plots.growth(runs, growth.fits(runs))
    assert points_of(figure.axes[0], "C1", filled=False) == [[10_000, 10]]
    assert points_of(figure.axes[0], "C2", filled=False) == []


def test_lines_are_named_at_their_ends_with_their_exponents(runs):
    time, size, latency, precision = speed_plots.growth(runs, growth.fits(runs)).axes
    assert "encode\nn^1.00 [1.00, 1.00]" in texts_of(time) and "index\nn^1.25 [1.25, 1.25]" in texts_of(time)
    assert len(texts_of(time)) == 4 and len(texts_of(size)) == 2
    assert any(text.startswith("median\nn^") for text in texts_of(latency)) and "slowest query" in texts_of(latency)
    assert texts_of(precision) == ["mean 0.900"]


def test_lines_are_told_apart_without_colour(runs):
    time = speed_plots.growth(runs, growth.fits(runs)).axes[0]
    lines = [line for line in time.get_lines() if not line.get_label().startswith("_")]
    markers = {line.get_marker() for line in time.get_lines() if len(line.get_xdata()) == 1}
    assert len(lines) == len({line.get_linestyle() for line in lines}) == len(markers) == 4


@pytest.mark.parametrize("factor", [1, 1.001])
def test_no_label_covers_another_even_if_lines_end_together(runs, factor):
    together = [
        each._replace(
            seconds={"encode": each.n * 1.0, "upsert": 1.0, "index": each.n * factor}, total_seconds=each.n * factor**2,
            busy={"encode": 1.0, "upsert": each.n / factor},
        )
        for each in runs
    ]  # fmt: skip
    figure = speed_plots.growth(together, growth.fits(together))
    for axis in figure.axes:
        assert not overlapping(figure, axis)


def test_labels_that_have_room_stay_where_they_belong():
    centers = speed_plots._apart(np.array([10.0, 50.0, 52.0, 120.0]), np.full(4, 10.0), 0, 200)
    np.testing.assert_allclose(centers, [10, 46, 56, 120])


def test_labels_stay_between_the_edges():
    centers = speed_plots._apart(np.array([1.0, 97.0, 98.0, 99.0]), np.full(4, 10.0), 0, 100)
    np.testing.assert_allclose(centers, [5, 75, 85, 95], atol=1e-6)


def test_the_title_of_growth_is_the_exponents_and_the_precision(runs):
    title = title_of(speed_plots.growth(runs, growth.fits(runs)))
    assert title.startswith("Encoding grows as n^1.00 [1.00, 1.00], indexing as n^1.25 [1.25, 1.25]; ")
    assert title.endswith("ANN precision@10 is 1.000 at 1,000 documents, 0.900 at 1,000,000")
    fits = {what: each for what, each in growth.fits(runs).items() if what == "index seconds"}
    assert title_of(speed_plots.growth(runs, fits)).startswith("indexing as n^1.25")


def test_growth_names_corpus_model_sizes_and_machine(runs):
    caption = caption_of(speed_plots.growth(runs, growth.fits(runs)))
    for words in ("assembled from sample, seed 0; static, 64 dimensions, binary", "4 runs of 1,000 to 1,000,000",
                  "3 queries", results.machine_label()):  # fmt: skip
        assert words in caption


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
    speed_plots._log(axis.yaxis, values)
    axis.figure.draw_without_rendering()
    assert axis.get_ylim() == pytest.approx(limits)
    assert [label.get_text() for label in axis.get_yticklabels()] == ticks


def test_numbers_of_documents_are_written_short():
    written = [speed_plots._short(n, 0) for n in (50, 999, 1_000, 20_000, 500_000, 1_000_000, 100_000_000)]
    assert written == ["50", "999", "1k", "20k", "500k", "1M", "100M"]


@pytest.fixture
def two():
    """61.25 s and 24.5 s for 100,000 documents."""
    quick = {"encode": 12.0, "upsert": 0.5, "index": 12.0}
    slow = {"encode": 48.75, "upsert": 0.5, "index": 12.0}
    return {
        name: run(100_000, seconds=seconds, total_seconds=sum(seconds.values()))
        for name, seconds in [("the library", slow), ("words once", quick)]
    }


def test_a_bar_is_the_phases_one_after_the_other(two):
    axis = speed_plots.phases(two).axes[0]
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in axis.patches]
    assert bars == [
        (0, 48.75, 0), (48.75, 0.5, 0), (49.25, 12, 0), (0, 12, 1), (12, 0.5, 1), (12.5, 12, 1),
    ]  # fmt: skip
    assert [label.get_text() for label in axis.get_yticklabels()] == list(two)
    bottom, top = axis.get_ylim()
    assert bottom > top, "the first run is on top"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == list(speed_plots.PHASES.values())
    assert len({to_rgb(patch.get_facecolor()) for patch in axis.patches}) == 3


def test_seconds_stand_in_the_bar_or_where_there_is_no_room_behind_it(two):
    assert texts_of(speed_plots.phases(two).axes[0]) == [
        "49 s", "12 s", "61 s (upsert 0.5 s)", "12 s", "12 s", "24 s (upsert 0.5 s)",
    ]  # fmt: skip


def test_the_title_of_phases_compares_the_totals(two):
    title = title_of(speed_plots.phases(two))
    assert title == "100,000 documents in 24 s with words once, 2.5 times as fast as with the library"
    one = {"words once": two["words once"]}
    assert title_of(speed_plots.phases(one)) == "100,000 documents are encoded, stored and indexed in 24 s"


def test_what_was_not_measured_here_says_so_and_is_not_in_the_title(two):
    figure = speed_plots.phases(two, {"the article": 450.0})
    axis = figure.axes[0]
    label = axis.get_yticklabels()[-1].get_text().replace("\n", " ")
    assert label == "the article (not measured here)" and "450 s" in texts_of(axis)
    assert any(bar.get_width() == 450 and to_rgb(bar.get_facecolor()) == (1, 1, 1) for bar in axis.patches)
    assert title_of(figure) == title_of(speed_plots.phases(two)) and axis.get_xlim()[1] > 450


def test_phases_name_what_ran_and_interruptions(two):
    assert caption_of(speed_plots.phases(two, repeats=3)).startswith("each the middle one of 3 runs; ")
    caption = caption_of(speed_plots.phases(two))
    assert caption.count("assembled from sample, seed 0; static, 64 dimensions, binary") == 1
    assert results.machine_label() in caption and "interrupted" not in caption
    two["words once"] = two["words once"]._replace(resumed=2_048)
    assert "words once: an interrupted attempt encoded 2,048 documents" in caption_of(speed_plots.phases(two))


def test_phases_of_different_sizes_are_not_compared(two):
    with pytest.raises(WorkbookError, match="one number of documents, not of 2"):
        speed_plots.phases({**two, "other": run(10)})
    with pytest.raises(WorkbookError, match="not of 0"):
        speed_plots.phases({})


def speed(words, model, value, cut="cut at 256 tokens", threads="2 threads", batch=32):
    work = f"{words} words, {cut}, {threads}"
    names = {"corpus": "sample", "model": model, "work": work, "metric": "texts/s"}
    return {**names, "value": value, "low": value * 0.9, "high": value * 1.2, "n": 5}


def lead(words, rival, value, terms="both cut at 256 tokens, 2 threads"):
    work = f"{words} words, {terms}, against {rival}"
    return {"corpus": "sample", "model": "static", "work": work, "metric": "speed-up", "value": value, "n": 5}


@pytest.fixture
def rows():
    """The int8 variant is the faster one on 8 words, bfloat16 on 512."""
    return pd.DataFrame([
        speed(512, "static", 1_000.0), speed(8, "static", 40_000.0, batch=256),
        speed(8, "static", 41_000.0, "whole"), speed(512, "static", 700.0, "whole"),
        speed(8, "mini", 400.0), speed(512, "mini", 10.0),
        speed(8, "mini (int8)", 800.0), speed(512, "mini (int8)", 12.5),
        lead(8, "mini", 100.0), lead(8, "mini (int8)", 50.0), lead(8, "mini (bfloat16)", 60.0),
        lead(512, "mini", 100.0), lead(512, "mini (int8)", 80.0), lead(512, "mini (bfloat16)", 75.4),
        lead(8, "large", 1_500.0), lead(512, "large", 9.04),
        lead(512, "mini", 3.0, "each its own limit, 2 threads"),
    ])  # fmt: skip


def drawn_of(axis):
    return {bar.get_label(): bar.lines[0].get_xydata().tolist() for bar in axis.containers}


def test_speeds_draw_each_model_and_cut_by_words(rows):
    axis = speed_plots.speeds(rows).axes[0]
    assert drawn_of(axis) == {
        "static, cut at 256 tokens": [[8, 40_000], [512, 1_000]],
        "static, whole": [[8, 41_000], [512, 700]],
        "mini, cut at 256 tokens": [[8, 400], [512, 10]],
        "mini (int8), cut at 256 tokens": [[8, 800], [512, 12.5]],
    }
    assert axis.get_xscale() == axis.get_yscale() == "log"
    (interval,) = axis.containers[0].lines[2]
    np.testing.assert_allclose(sorted(interval.get_segments()[0][:, 1]), [36_000, 48_000])


def test_speeds_are_named_at_their_ends_once_and_cuts_in_the_legend(rows):
    figure = speed_plots.speeds(rows)
    axis = figure.axes[0]
    assert sorted(texts_of(axis)) == ["mini", "mini (int8)", "static"] and not overlapping(figure, axis)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["cut at 256 tokens", "whole"]
    lines = {bar.get_label(): bar.lines[0] for bar in axis.containers}
    cut, whole = lines["static, cut at 256 tokens"], lines["static, whole"]
    assert cut.get_color() == whole.get_color() and cut.get_linestyle() != whole.get_linestyle()
    assert cut.get_marker() != lines["mini, cut at 256 tokens"].get_marker()


def test_one_cut_needs_no_legend_and_stands_in_the_caption(rows):
    figure = speed_plots.speeds(rows[~rows["work"].str.contains("whole")])
    assert figure.axes[0].get_legend() is None and "sample; cut at 256 tokens; 2 threads; " in caption_of(figure)


def test_the_title_of_speeds_is_against_the_fastest_variant_at_each_length(rows):
    assert title_of(speed_plots.speeds(rows)) == (
        "static encodes 50 to 75 times as fast as the fastest variant of mini and 9.0 to 1,500 times as fast as large, "
        "at 8 to 512 words per text"
    )
    rows.loc[rows["work"].str.endswith("against mini (int8)"), "value"] = 7.26
    assert "7.3 times as fast as the fastest variant of mini and" in title_of(speed_plots.speeds(rows))


def test_leads_at_different_cuts_are_used_if_there_are_no_others(rows):
    rows = rows[~rows["work"].str.contains("both")]
    assert title_of(speed_plots.speeds(rows)) == "static encodes 3.0 times as fast as mini, at 512 words per text"
    assert "times as fast: each its own limit, 2 threads" in caption_of(speed_plots.speeds(rows))


def test_each_number_of_threads_has_its_panel(rows):
    one = rows.assign(work=rows["work"].str.replace("2 threads", "1 thread"))
    one[["value", "low", "high"]] /= 2
    figure = speed_plots.speeds(pd.concat([rows, one]))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["2 threads", "1 thread"]
    assert drawn_of(figure.axes[1])["mini, cut at 256 tokens"] == [[8, 200], [512, 5]]
    assert "fast as the fastest variant of mini" in title_of(figure) and "25 to 75 times" in title_of(figure)


def test_speeds_name_corpus_batches_repeats_and_machine(rows):
    caption = caption_of(speed_plots.speeds(rows))
    assert caption.startswith("sample; 2 threads; each model at its best batch size; median and range of 5 repeats")
    assert "times as fast: both cut at 256 tokens, 2 threads;" in caption and results.machine_label() in caption


def test_a_title_says_that_fixed_costs_make_growth_look_slow():
    bent = [run(n, encode=n**0.65) for n in (1_000, 10_000, 100_000)]
    title = title_of(speed_plots.growth(bent, growth.fits(bent)))
    assert "Encoding grows as n^0.65 [0.65, 0.65] to 100,000 documents, fixed costs included, indexing" in title


def test_speeds_that_are_not_the_best_are_named(rows):
    unsure = {**speed(8, "mini (int8)", 1.0), "metric": encoding_speed.DOUBT, "work": "8 words, cut at 256 tokens: why"}
    caption = caption_of(speed_plots.speeds(pd.concat([rows, pd.DataFrame([unsure, unsure])])))
    assert "batch sizes: the best speed of mini (int8) was not found; median" in " ".join(caption.split())
    assert "best batch size;" not in caption


def test_rows_that_are_missing_or_strange_are_refused(rows):
    for metric in ("texts/s", "speed-up"):
        with pytest.raises(WorkbookError, match=r"texts/s and of speed-up are needed"):
            speed_plots.speeds(rows[rows["metric"] == metric])
    rows.loc[0, "work"] = "8 words, batch of 32"
    with pytest.raises(WorkbookError, match="work '8 words, batch of 32' is not as timing writes it"):
        speed_plots.speeds(rows)


def test_what_is_given_is_not_changed(runs, two, rows):
    before, as_text = rows.copy(deep=True), repr((runs, two))
    speed_plots.growth(runs, growth.fits(runs))
    speed_plots.phases(two)
    speed_plots.speeds(rows)
    pd.testing.assert_frame_equal(rows, before)
    assert repr((runs, two)) == as_text
