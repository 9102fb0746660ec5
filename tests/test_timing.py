"""Times are checked for what was timed and how they are summed up, never for how long they took."""

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


def test_models_take_turns_after_a_warm_up_that_is_not_counted():
    calls = []
    seconds = timing.rounds([lambda: calls.append("a"), lambda: calls.append("b")], 3)
    assert "".join(calls) == "ab" + "ababab"
    assert [len(samples) for samples in seconds] == [3, 3]


def test_no_repeats_are_refused():
    with pytest.raises(WorkbookError, match="repeats"):
        timing.rounds([], 0)


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


def test_a_small_corpus_is_read_again_in_another_order(sample):
    texts = timing.texts_of(sample, 1_000, 10)
    assert [len(text.split()) for text in texts] == [1_000] * 10
    assert len(set(texts)) == 10


def test_encoding_times_every_repeat_and_counts_the_tokens(sample, data):
    static, transformer = (encoders.load(name) for name in ("tiny-static", "tiny-transformer"))
    counts = {static: 10, transformer: 3}
    timed = timing.encoding(sample, counts, words=8, batch_size=4, repeats=2, thread_count=1)
    assert [(speed.model, speed.texts, speed.batch_size) for speed in timed] == [
        ("tiny-static", 10, 4),
        ("tiny-transformer", 3, 3),
    ]
    assert all(len(speed.seconds) == len(speed.tokenize_seconds) == 2 for speed in timed)
    assert timed[0].tokens == static.token_count(timing.texts_of(sample, 8, 10)) >= 80
    assert timing.encoding(sample, counts, 8, 4, 2, 1) == timed, "the same timing was made again"


def test_no_threads_given_means_all_cores_and_is_recorded(sample, data, monkeypatch):
    kept = {}
    monkeypatch.setattr(results, "remember", lambda kind, about, measure: kept.update(about) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        timing.encoding(sample, {encoders.load("tiny-static"): 10}, 8, 4, 2)
    assert kept["threads"] == results.machine()["cores"]


def test_rows_are_rates_with_their_range(sample):
    rows = timing.rows(sample, [speed("a", [1.0, 2.0, 4.0])]).set_index("metric")
    assert rows.loc["texts/s", ["value", "low", "high", "n"]].tolist() == [50, 25, 100, 3]
    assert rows.loc["tokens/s", "value"] == 500
    assert rows.loc["tokenization share", "value"] == 0.25


def test_a_speed_up_is_the_ratio_within_each_round(sample):
    """The second round is slow for both: no ratio crosses rounds."""
    fast, slow = speed("fast", [0.1, 1.0, 0.1]), speed("slow", [1.0, 12.0, 2.0], texts=50)
    row = timing.ratio_rows(sample, fast, [slow]).iloc[0]
    assert [row["value"], row["low"], row["high"], row["n"]] == pytest.approx([24, 20, 40, 3])
    assert row["work"] == "8 words, against slow"
