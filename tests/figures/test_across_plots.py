"""Figures over corpora draw the effects they are given, and their titles say no more than these carry."""

import numpy as np
import pandas as pd
import pytest
from drawn import caption_of, overlapping, title_of
from matplotlib.colors import same_color
from workbook.conclusions.across import Comparison
from workbook.errors import WorkbookError
from workbook.evaluation import meta_analysis
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, Interval
from workbook.figures import across_plots, plots
from workbook.figures.answer_plots import LOOKS

MARGIN = 0.01
CORPORA = ["scifact", "nfcorpus", "arguana", "fiqa", "python-docs"]


def effect(value, error=0.004, n=300):
    return Interval(value, value - 2 * error, value + 2 * error, n, error)


def comparison(values, question="How much?", one="static", other="MiniLM", pooled=True):
    effects = {name: effect(value) for name, value in zip(CORPORA, values, strict=False)}
    overall = meta_analysis.pool(list(effects.values())) if pooled else None
    return Comparison(question, one, other, effects, overall)


LOST = comparison([-0.05, -0.06, -0.02, 0.0, 0.05])
SAME = comparison([0.0, 0.001, 0.0, 0.0, 0.001], "Quantized?", "binary", "float32")


def rows_of(axis):
    return [label.get_text() for label in axis.get_yticklabels()]


def points_of(axis):
    """Colour and marker of each point by its place."""
    points = [line for line in axis.get_lines() if len(line.get_xdata()) == 1 and line.get_marker() in "^sov"]
    return {line.get_ydata()[0]: (line.get_color(), line.get_marker()) for line in points}


def test_a_forest_has_a_panel_for_each_comparison_and_a_row_for_each_corpus():
    one, other, *empty = across_plots.forest([LOST, SAME], MARGIN).axes
    assert not empty and rows_of(one) == [*CORPORA, across_plots.MEAN]
    assert [axis.get_title(loc="left") for axis in (one, other)] == ["How much?", "Quantized?"]
    assert points_of(one) == {
        0: LOOKS[WORSE], 1: LOOKS[WORSE], 2: LOOKS[WORSE], 3: LOOKS[EQUAL], 4: LOOKS[BETTER]
    }  # fmt: skip
    assert set(points_of(other).values()) == {LOOKS[EQUAL]}


def test_the_names_of_the_two_sides_stand_where_they_are_better():
    long = comparison([0.0] * 5, one="trained + BM25 (dbsf)", other="all-MiniLM-L6-v2 + BM25 (dbsf)")
    short, wrapped = across_plots.forest([LOST, long], MARGIN).axes
    assert short.get_xlabel() == "← MiniLM better | static better →"
    assert wrapped.get_xlabel() == "← all-MiniLM-L6-v2 + BM25 (dbsf) better,\ntrained + BM25 (dbsf) better →"


def test_the_diamond_is_the_mean_and_the_bar_the_new_corpus():
    (axis,) = across_plots.forest([LOST], MARGIN).axes
    diamond = next(patch for patch in axis.patches if len(patch.get_xy()) == 5 and patch.get_zorder() == 3)
    x, y = diamond.get_xy().T
    assert (x.min(), x.max()) == LOST.overall.effect[1:3] and set(np.round(y, 1)) == {4.7, 5.0, 5.3}
    assert same_color(diamond.get_facecolor(), LOOKS[NOT_SETTLED][0])
    bar = next(line for line in axis.get_lines() if list(line.get_ydata()) == [5, 5])
    assert tuple(bar.get_xdata()) == LOST.overall.prediction


def test_the_finding_of_one_comparison_is_its_mean_and_of_several_how_many_are_settled():
    title = title_of(across_plots.forest([SAME], MARGIN))
    assert title.startswith("binary against float32: NDCG@10 +0.000 [")
    assert title.endswith("on average over 5 corpora, equal within 0.01")
    better = comparison([0.05, 0.06, 0.05, 0.05, 0.06])
    assert title_of(across_plots.forest([LOST, SAME, better], MARGIN)) == (
        "On average over corpora the first of two is better in 1 of 3 comparisons, equal within 0.01 in 1, "
        "not settled in 1"
    )


def test_without_a_mean_none_is_drawn_or_spoken_of():
    few = comparison([0.05, 0.06], pooled=False)
    figure = across_plots.forest([few], MARGIN)
    assert rows_of(figure.axes[0]) == CORPORA[:2] and not [p for p in figure.axes[0].patches if len(p.get_xy()) == 5]
    assert title_of(figure) == "NDCG@10 differences on each corpus; a mean over them takes 5 corpora"
    assert "diamond" not in caption_of(figure) and "diamond" in caption_of(across_plots.forest([LOST], MARGIN))


def test_what_was_not_measured_has_no_point_and_few_queries_no_whisker():
    effects = {"scifact": Interval(0.05, np.nan, np.nan, 6), "arguana": effect(0.05)}
    figure = across_plots.forest([LOST, LOST._replace(effects=effects, overall=None)], MARGIN)
    figure.draw_without_rendering()
    assert points_of(figure.axes[1]) == {0: LOOKS[NOT_SETTLED], 2: LOOKS[BETTER]}
    assert "6 to 300 queries a corpus" in caption_of(figure)


def test_of_an_odd_number_the_last_place_is_empty():
    *panels, last = across_plots.forest([LOST, SAME, LOST], MARGIN).axes
    assert all(axis.axison for axis in panels) and not last.axison


def test_those_who_see_no_picture_read_what_is_compared():
    said = plots.alt_text(across_plots.forest([LOST], MARGIN, machine="an abacus"))
    assert "← MiniLM better | static better →" in said and said.endswith("an abacus")


@pytest.fixture
def points():
    found = []
    for corpus, level in (("scifact", 0.6), ("nfcorpus", 0.3), ("arguana", 0.4)):
        for model, setting, with_bm25, size, score in (
            ("MiniLM", "float32", False, 1536, level), ("MiniLM", "binary", False, 48, 0.9 * level),
            ("static", "float32", True, 2348, 1.1 * level if corpus != "arguana" else 0.1),
            ("BM25", "words", False, 300, 0.8 * level),
        ):  # fmt: skip
            row = {"corpus": corpus, "model": model, "setting": setting, "with_bm25": with_bm25, "bytes": size}
            found.append({**row, **effect(score, n=300 if corpus == "scifact" else 1_406)._asdict()})
    return pd.DataFrame(found)


def test_each_corpus_has_a_panel_on_the_same_axes(points):
    panels = [axis for axis in across_plots.small_multiples(points).axes if axis.axison]
    assert [axis.get_title(loc="left") for axis in panels] == ["scifact", "nfcorpus", "arguana"]
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in panels}) == 1 and panels[0].get_xscale() == "log"
    assert [bool(axis.get_xlabel()) for axis in panels] == [False, True, True], "below the last of each column"
    shown = [[line.get_xdata()[0], line.get_ydata()[0]] for line in panels[1].lines if line.get_marker() in "osD^"]
    np.testing.assert_allclose(shown, points[points["corpus"] == "nfcorpus"][["bytes", "value"]])


def test_colour_is_the_model_shape_the_setting_and_hollow_is_with_bm25(points):
    panel, *_, models, settings = across_plots.small_multiples(points).axes
    drawn = [line for line in panel.lines if line.get_marker() in "osD^"]
    looks = [(line.get_color(), line.get_marker(), line.get_markerfacecolor()) for line in drawn]
    assert looks == [("C0", "o", "C0"), ("C0", "s", "C0"), ("C1", "o", "white"), ("C2", "D", "C2")]
    keys = [[text.get_text() for text in axis.get_legend().get_texts()] for axis in (models, settings)]
    assert keys == [["MiniLM", "static", "BM25"], ["float32", "binary", "words", "hollow: with BM25"]]


def test_the_finding_is_who_scores_highest_where_and_what_the_fewest_bytes_keep(points):
    figure = across_plots.small_multiples(points)
    assert title_of(figure) == (
        "static with BM25 scores highest on 2 of 3 corpora; the fewest bytes keep 82% to 90% of the best"
    )
    assert caption_of(figure).startswith("300 to 1,406 queries a corpus, 95% bootstrap intervals")


def test_without_anything_to_draw_they_say_what_to_run():
    with pytest.raises(WorkbookError, match="nothing to draw: run notebooks 01, 03, 04 and 05 first"):
        across_plots.forest([], MARGIN)
    with pytest.raises(WorkbookError, match="run notebooks 01 and 05 again"):
        across_plots.small_multiples(pd.DataFrame())
    with pytest.raises(WorkbookError, match="run notebook 01 again"):
        across_plots.corpus_map(pd.DataFrame(), "difference", MARGIN)


def facts_of(**amounts):
    rows = []
    for fact, own in amounts.items():
        for name, amount, value in zip([*CORPORA, "trec"], own, (-0.1, -0.08, -0.05, -0.03, 0.0, 0.04), strict=True):
            rows.append({"fact": fact, "corpus": name, "amount": amount, **effect(value)._asdict()})
    return pd.DataFrame(rows)


def test_a_map_has_a_panel_for_each_fact_with_every_corpus_named():
    facts = facts_of(words=[60, 90, 200, 120, 70, 100], documents=[5e3, 3e3, 9e3, 5e4, 1e5, 1e3])
    figure = across_plots.corpus_map(facts, "NDCG@10 of static minus MiniLM", MARGIN)
    assert [axis.get_xlabel() for axis in figure.axes] == ["words", "documents"]
    assert [axis.get_xscale() for axis in figure.axes] == ["linear", "log"]
    for axis in figure.axes:
        assert [text.get_text() for text in axis.texts if text.get_text()] == [*CORPORA, "trec"]
        assert overlapping_names(figure, axis) == []
    drawn = {line.get_xdata()[0]: line.get_color() for line in figure.axes[0].get_lines() if line.get_marker() in "^sv"}
    assert drawn == {
        60: LOOKS[WORSE][0], 90: LOOKS[WORSE][0], 200: LOOKS[WORSE][0], 120: LOOKS[WORSE][0],
        70: LOOKS[EQUAL][0], 100: LOOKS[BETTER][0],
    }  # fmt: skip
    assert "NDCG@10 of static minus MiniLM" in plots.alt_text(figure)


def overlapping_names(figure, axis):
    return [(one, other) for one, other in overlapping(figure, axis) if one.width and other.width]


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (
            [1, 2, 3, 4, 5, 6],
            "The higher the words, the more favourable to the static model (Kendall's tau +1.00, 6 corpora)",
        ),
        (
            [6, 5, 4, 3, 2, 1],
            "The higher the words, the less favourable to the static model (Kendall's tau −1.00, 6 corpora)",  # noqa: RUF001
        ),
        ([3, 1, 6, 2, 4, 5], "Of 2 facts none is shown to go with the difference, on 6 corpora"),
        ([5, 5, 5, 5, 5, 5], "Of 2 facts none is shown to go with the difference, on 6 corpora"),
    ],
)
def test_a_map_says_only_what_holds_for_as_many_facts_as_were_tried(words, finding):
    facts = facts_of(documents=[2, 1, 6, 5, 3, 4], words=words)
    assert title_of(across_plots.corpus_map(facts, "difference", MARGIN)) == finding


def test_one_fact_of_many_that_fits_well_is_no_finding_where_another_fact_may_by_chance():
    many = {f"fact {number}": np.random.default_rng(number).permutation(6) for number in range(20)}
    title = title_of(across_plots.corpus_map(facts_of(words=[1, 2, 3, 4, 5, 6], **many), "difference", MARGIN))
    assert title == "Of 21 facts none is shown to go with the difference, on 6 corpora"


def test_figures_are_written_and_told_as_others_are(data, points, monkeypatch):
    monkeypatch.setattr(plots.paths, "FIGURES", data)
    picture = plots.save(across_plots.small_multiples(points), "six", "bytes")
    assert (data / "six-bytes.png").read_bytes()[:4] == b"\x89PNG" and "scores highest" in picture.alt
