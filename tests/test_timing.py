"""Times are checked for what was timed and how they are summed up, never for how long they took."""

import numpy as np
import pytest
import torch
from workbook import corpora, encoders, results, timing
from workbook.errors import WorkbookError
from workbook.timing import Speed, Times


@pytest.fixture(scope="module")
def sample():
    return corpora.load("sample")


def speed(model, seconds, words=8, texts=100):
    return Speed(model, words, 32, texts, 1_000, seconds, [second / 4 for second in seconds], f"key-{model}")


def test_times_are_median_and_range():
    assert Times.of([3.0, 1.0, 2.0, 10.0]) == Times(2.5, 1.0, 10.0, 4)


def test_one_run_warms_up_and_is_not_counted():
    calls = []
    assert len(timing.repeat(lambda: calls.append(1), 3)) == 3
    assert len(calls) == 4


def test_no_repeats_are_refused():
    with pytest.raises(WorkbookError, match="repeats"):
        timing.repeat(lambda: None, 0)


def test_threads_are_fixed_and_given_back_even_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), timing.threads(1):
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_texts_have_the_asked_length_and_come_from_the_corpus_and_seed(sample):
    texts = timing.texts_of(sample, words=16, count=20, seed=1)
    assert [len(text.split()) for text in texts] == [16] * 20
    assert texts == timing.texts_of(sample, 16, 20, seed=1) != timing.texts_of(sample, 16, 20, seed=2)
    assert set(" ".join(texts).split()) <= set(" ".join(sample.document_texts).split())


def test_a_corpus_too_small_for_the_texts_says_so(sample):
    with pytest.raises(WorkbookError, match="words, not 1000000"):
        timing.texts_of(sample, 1_000, 1_000)


def test_encoding_times_every_repeat_and_counts_the_tokens(sample, data):
    encoder = encoders.load("tiny-static")
    timed = timing.encoding(sample, encoder, words=8, batch_size=4, count=10, repeats=2, thread_count=1)
    assert len(timed.seconds) == len(timed.tokenize_seconds) == 2
    assert timed.tokens == encoder.token_count(timing.texts_of(sample, 8, 10)) >= 80
    assert timing.encoding(sample, encoder, 8, 4, 10, 2, 1) == timed, "the same timing was made again"


def test_no_threads_given_means_all_cores_and_is_recorded(sample, data, monkeypatch):
    kept = {}
    monkeypatch.setattr(results, "remember", lambda kind, about, measure: kept.update(about) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        timing.encoding(sample, encoders.load("tiny-static"), 8, 4, 10, 2)
    assert kept["threads"] == results.machine()["cores"]


def test_rows_are_rates_with_their_range(sample):
    rows = timing.rows(sample, [speed("a", [1.0, 2.0, 4.0])]).set_index("metric")
    assert rows.loc["texts/s", ["value", "low", "high", "n"]].tolist() == [50, 25, 100, 3]
    assert rows.loc["tokens/s", "value"] == 500
    assert rows.loc["tokenization share", "value"] == 0.25


def test_a_speed_up_is_a_ratio_of_medians_with_the_widest_range(sample):
    rows = timing.ratio_rows(sample, [speed("fast", [0.1, 0.2])], [speed("slow", [1.0, 4.0]), speed("slow", [1.0], 32)])
    assert len(rows) == 1, "texts of different lengths were compared"
    row = rows.iloc[0]
    assert (row["low"], row["high"]) == (500 / 100, 1000 / 25)
    assert np.isclose(row["value"], 750 / 62.5)
