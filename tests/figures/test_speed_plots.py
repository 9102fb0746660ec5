"""The figure of encoding speed shows the rows it is given, and its title is computed from them."""

import numpy as np
import pandas as pd
import pytest
from drawn import caption_of, overlapping, texts_of, title_of
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import encoder_forms, encoding_speed
from workbook.figures import speed_plots


def speed(words, model, value, max_tokens=256):
    names = {"corpus": "sample", "model": model, "words": words, "max_tokens": max_tokens, "threads": 2}
    return {**names, "metric": "texts/s", "value": value, "low": value * 0.9, "high": value * 1.2, "n": 5}


def lead(words, rival, value, variant="", max_tokens=256):
    names = {"corpus": "sample", "model": "static", "words": words, "max_tokens": max_tokens, "threads": 2}
    names |= {"against": f"{rival} ({variant})" if variant else rival, "against_model": rival}
    return {**names, "metric": "speed-up", "value": value, "n": 5}


@pytest.fixture
def rows():
    """The int8 variant is the faster one on 8 words, bfloat16 on 512."""
    return pd.DataFrame([
        speed(512, "static", 1_000.0), speed(8, "static", 40_000.0),
        speed(8, "static", 41_000.0, 0), speed(512, "static", 700.0, 0),
        speed(8, "mini", 400.0), speed(512, "mini", 10.0),
        speed(8, "mini (int8)", 800.0), speed(512, "mini (int8)", 12.5),
        lead(8, "mini", 100.0), lead(8, "mini", 50.0, "int8"), lead(8, "mini", 60.0, "bfloat16"),
        lead(512, "mini", 100.0), lead(512, "mini", 80.0, "int8"), lead(512, "mini", 75.4, "bfloat16"),
        lead(8, "large", 1_500.0), lead(512, "large", 9.04),
        lead(512, "mini", 3.0, max_tokens=None),
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
    figure = speed_plots.speeds(rows[rows["max_tokens"] != 0])
    assert figure.axes[0].get_legend() is None and "sample; cut at 256 tokens; 2 threads; " in caption_of(figure)


def test_the_title_of_speeds_is_against_the_fastest_variant_at_each_length(rows):
    assert title_of(speed_plots.speeds(rows)) == (
        "static encodes 50 to 75 times as fast as the fastest form of mini and 9.0 to 1,500 times as fast as large, "
        "at 8 to 512 words per text"
    )
    rows.loc[rows["against"] == "mini (int8)", "value"] = 7.26
    assert "7.3 times as fast as the fastest form of mini and" in title_of(speed_plots.speeds(rows))


def test_leads_at_different_cuts_are_used_if_there_are_no_others(rows):
    rows = rows[(rows["metric"] == "texts/s") | rows["max_tokens"].isna()]
    assert title_of(speed_plots.speeds(rows)) == "static encodes 3.0 times as fast as mini, at 512 words per text"
    assert "times as fast: each its own limit, 2 threads" in caption_of(speed_plots.speeds(rows))


def test_each_number_of_threads_has_its_panel(rows):
    one = rows.assign(threads=1)
    one[["value", "low", "high"]] /= 2
    figure = speed_plots.speeds(pd.concat([rows, one]))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["2 threads", "1 thread"]
    assert drawn_of(figure.axes[1])["mini, cut at 256 tokens"] == [[8, 200], [512, 5]]
    assert "fast as the fastest form of mini" in title_of(figure) and "25 to 75 times" in title_of(figure)


def test_speeds_name_corpus_batches_repeats_and_machine(rows):
    caption = caption_of(speed_plots.speeds(rows))
    assert caption.startswith("sample; 2 threads; each model at its best batch size; median and range of 5 repeats")
    assert "times as fast: both cut at 256 tokens, 2 threads;" in caption and results.machine_label() in caption


def test_speeds_that_are_not_the_best_are_named(rows):
    unsure = {**speed(8, "mini (int8)", 1.0), "metric": encoding_speed.DOUBT, "note": "why"}
    caption = caption_of(speed_plots.speeds(pd.concat([rows, pd.DataFrame([unsure, unsure])])))
    assert "batch sizes: the best speed of mini (int8) was not found; median" in " ".join(caption.split())
    assert "best batch size;" not in caption


def test_rows_that_are_missing_are_refused(rows):
    for metric in ("texts/s", "speed-up"):
        with pytest.raises(WorkbookError, match=r"texts/s and of speed-up are needed"):
            speed_plots.speeds(rows[rows["metric"] == metric])


def test_what_is_given_is_not_changed(rows):
    before = rows.copy(deep=True)
    speed_plots.speeds(rows)
    pd.testing.assert_frame_equal(rows, before)


@pytest.fixture
def one_query():
    names = {"corpus": "sample", "threads": 2, "metric": "one query ms", "n": 3}
    found = {
        "static": {"tokenization": 0.02, "model": 0.03, "pooling": 0.0, "library": 0.0, encoder_forms.ALL: 0.05},
        "mini": {"tokenization": 0.3, "model": 4.0, "pooling": 0.2, "library": 0.5, encoder_forms.ALL: 5.0},
        "fast": {encoder_forms.ALL: 2.0},
    }
    rows = [
        {**names, "model": model, "part": part, "value": value}
        for model in found
        for part, value in found[model].items()
    ]
    whole = [(model, encoder_forms.TO_DOCUMENTS, found[model][encoder_forms.ALL] + 0.1) for model in found]
    among = [*whole, ("static", "search, HNSW", 0.1), ("static", "search, exact", 0.4)]
    rows += [{**names, "model": model, "part": part, "value": value, "documents": 62} for model, part, value in among]
    return pd.DataFrame(rows).assign(low=lambda own: own["value"] * 0.9, high=lambda own: own["value"] * 1.2)


def test_a_query_is_a_bar_of_parts_and_the_search_for_each_encoder(one_query):
    figure = speed_plots.one_query(one_query)
    axis = figure.axes[0]
    bars = {bar.get_label(): [round(piece.get_width(), 9) for piece in bar] for bar in axis.containers[:6]}
    assert [label.get_text() for label in axis.get_yticklabels()] == ["mini", "fast", "static"], "the longest first"
    assert bars == {
        "tokenization": [0.3, 0, 0.02],
        "model": [4.0, 0, 0.03],
        "pooling": [0.2, 0, 0],
        "library": [0.5, 0, 0],
        "encoding, in parts unknown": [0, 2.0, 0],
        "search, HNSW": [0.1, 0.1, 0.1],
    }
    assert texts_of(axis) == ["5.10", "2.10", "0.15"]
    assert (
        title_of(figure)
        == "From text to documents, one query takes 0.15 ms with static and 2.1 to 5.1 ms with the others"
    )
    assert "62 documents" in caption_of(figure) and "3 rounds" in caption_of(figure)


def test_a_part_that_nobody_has_is_not_in_the_key(one_query):
    figure = speed_plots.one_query(one_query[one_query["model"] != "fast"])
    assert "encoding, in parts unknown" not in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
