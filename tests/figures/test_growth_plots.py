"""Figures of documents encoded, stored and indexed show the runs they are given, and their titles are computed."""

import numpy as np
import pytest
from drawn import caption_of, overlapping, texts_of, title_of
from matplotlib.colors import to_rgb
from workbook.conclusions import growth
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments.ingest import Job
from workbook.experiments.ingest_runs import Run
from workbook.figures import growth_plots
from workbook.qdrant.client import Placement


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


def points_of(axis, color, filled):
    """Markers drawn alone, in one colour of the cycle."""
    lines = [line for line in axis.get_lines() if len(line.get_xdata()) == 1 and line.get_color() == color]
    return [line.get_xydata()[0].tolist() for line in lines if (line.get_markerfacecolor() != "none") == filled]


def line_of(axis, label):
    return next(line for line in axis.get_lines() if line.get_label() == label)


def on_a_server(n):
    job = Job("sample", n, "static", 64, engine_name="server", placement=Placement(3, 2))
    return run(n, job=job, server={"version": "1.18.3", "nodes": 3})


def test_of_a_server_it_is_told_whose_memory_and_seconds_are_shown():
    runs = [on_a_server(n) for n in (1_000, 10_000, 100_000, 1_000_000)]
    figure = growth_plots.growth(runs, growth.fits(runs))
    _, size, latency, _ = figure.axes
    assert size.get_title("left") == "memory of the encoder's process alone"
    assert not any("disk" in text for text in texts_of(size))
    assert latency.get_title("left") == "one query, rescore-x3, network included"
    assert "all of it as n^" in title_of(figure) and "indexing as" not in title_of(figure)
    assert "Qdrant 1.18.3, nodes: 3 (server, shards: 3, copies: 2)" in caption_of(figure)
    bars = growth_plots.phases({"each word once": runs[-1]})
    legend = [text.get_text() for text in bars.axes[0].get_legend().get_texts()]
    assert legend == list(growth_plots.ON_A_SERVER.values())
    assert "Qdrant 1.18.3, nodes: 3" in caption_of(bars)


def test_growth_draws_every_run_and_the_line_of_its_fit(runs):
    figure = growth_plots.growth(runs[::-1], growth.fits(runs))
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
    figure = growth_plots.growth(runs, growth.fits(runs, 10_000))
    assert points_of(figure.axes[0], "C1", filled=False) == [[1_000, 1]]
    assert len(points_of(figure.axes[0], "C1", filled=True)) == 3
    assert line_of(figure.axes[0], "encode seconds").get_xdata()[0] == pytest.approx(10_000)
    assert "hollow: not in the fit" in caption_of(figure)
    assert "hollow" not in caption_of(growth_plots.growth(runs, growth.fits(runs)))


def test_a_run_in_two_attempts_is_hollow_where_it_is_not_fitted(runs):
    runs[1] = run(10_000, resumed=5)
    figure = growth_plots.growth(runs, growth.fits(runs))
    assert points_of(figure.axes[0], "C1", filled=False) == [[10_000, 10]]
    assert points_of(figure.axes[0], "C2", filled=False) == []


def test_lines_are_named_at_their_ends_with_their_exponents(runs):
    time, size, latency, precision = growth_plots.growth(runs, growth.fits(runs)).axes
    assert "encode\nn^1.00 [1.00, 1.00]" in texts_of(time) and "index\nn^1.25 [1.25, 1.25]" in texts_of(time)
    assert len(texts_of(time)) == 4 and len(texts_of(size)) == 2
    assert any(text.startswith("median\nn^") for text in texts_of(latency)) and "slowest query" in texts_of(latency)
    assert texts_of(precision) == ["mean 0.900"]


def test_lines_are_told_apart_without_colour(runs):
    time = growth_plots.growth(runs, growth.fits(runs)).axes[0]
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
    figure = growth_plots.growth(together, growth.fits(together))
    for axis in figure.axes:
        assert not overlapping(figure, axis)


def test_the_title_of_growth_is_the_exponents_and_the_precision(runs):
    title = title_of(growth_plots.growth(runs, growth.fits(runs)))
    assert title.startswith("Encoding grows as n^1.00 [1.00, 1.00], indexing as n^1.25 [1.25, 1.25]; ")
    assert title.endswith("ANN precision@10 is 1.000 at 1,000 documents, 0.900 at 1,000,000")
    fits = {what: each for what, each in growth.fits(runs).items() if what == "index seconds"}
    assert title_of(growth_plots.growth(runs, fits)).startswith("indexing as n^1.25")


def test_growth_names_corpus_model_sizes_and_machine(runs):
    caption = caption_of(growth_plots.growth(runs, growth.fits(runs)))
    for words in ("assembled from sample, seed 0; static, 64 dimensions, binary", "4 runs of 1,000 to 1,000,000",
                  "3 queries", results.machine_label()):  # fmt: skip
        assert words in caption


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
    axis = growth_plots.phases(two).axes[0]
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in axis.patches]
    assert bars == [
        (0, 48.75, 0), (48.75, 0.5, 0), (49.25, 12, 0), (0, 12, 1), (12, 0.5, 1), (12.5, 12, 1),
    ]  # fmt: skip
    assert [label.get_text() for label in axis.get_yticklabels()] == list(two)
    bottom, top = axis.get_ylim()
    assert bottom > top, "the first run is on top"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == list(growth_plots.PHASES.values())
    assert len({to_rgb(patch.get_facecolor()) for patch in axis.patches}) == 3


def test_seconds_stand_in_the_bar_or_where_there_is_no_room_behind_it(two):
    assert texts_of(growth_plots.phases(two).axes[0]) == [
        "49 s", "12 s", "61 s (upsert 0.5 s)", "12 s", "12 s", "24 s (upsert 0.5 s)",
    ]  # fmt: skip


def test_the_title_of_phases_compares_the_totals(two):
    title = title_of(growth_plots.phases(two))
    assert title == "100,000 documents in 24 s with words once, 2.5 times as fast as with the library"
    one = {"words once": two["words once"]}
    assert title_of(growth_plots.phases(one)) == "100,000 documents are encoded, stored and indexed in 24 s"


def test_what_was_not_measured_here_says_so_and_is_not_in_the_title(two):
    figure = growth_plots.phases(two, {"the article": 450.0})
    axis = figure.axes[0]
    label = axis.get_yticklabels()[-1].get_text().replace("\n", " ")
    assert label == "the article (not measured here)" and "450 s" in texts_of(axis)
    assert any(bar.get_width() == 450 and to_rgb(bar.get_facecolor()) == (1, 1, 1) for bar in axis.patches)
    assert title_of(figure) == title_of(growth_plots.phases(two)) and axis.get_xlim()[1] > 450


def test_phases_name_what_ran_and_interruptions(two):
    assert caption_of(growth_plots.phases(two, repeats=3)).startswith("each the middle one of 3 runs; ")
    caption = caption_of(growth_plots.phases(two))
    assert caption.count("assembled from sample, seed 0; static, 64 dimensions, binary") == 1
    assert results.machine_label() in caption and "interrupted" not in caption
    two["words once"] = two["words once"]._replace(resumed=2_048)
    assert "words once: an interrupted attempt encoded 2,048 documents" in caption_of(growth_plots.phases(two))


def test_phases_of_different_sizes_are_not_compared(two):
    with pytest.raises(WorkbookError, match="one number of documents, not of 2"):
        growth_plots.phases({**two, "other": run(10)})
    with pytest.raises(WorkbookError, match="not of 0"):
        growth_plots.phases({})


def test_a_title_says_that_fixed_costs_make_growth_look_slow():
    bent = [run(n, encode=n**0.65) for n in (1_000, 10_000, 100_000)]
    title = title_of(growth_plots.growth(bent, growth.fits(bent)))
    assert "Encoding grows as n^0.65 [0.65, 0.65] to 100,000 documents, fixed costs included, indexing" in title


def test_what_is_given_is_not_changed(runs, two):
    as_text = repr((runs, two))
    growth_plots.growth(runs, growth.fits(runs))
    growth_plots.phases(two)
    assert repr((runs, two)) == as_text
