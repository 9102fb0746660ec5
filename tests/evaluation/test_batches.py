"""The seconds of one text: timed on some of the texts, warm, for as long as it takes to tell."""

from types import SimpleNamespace

import pytest
from workbook.evaluation import batches, stopwatch


def test_texts_are_encoded_for_a_second_or_until_there_are_no_more(monkeypatch):
    """Of two encoders, one takes 0.15 s a text and one nothing to speak of; no text is given twice."""
    now, calls, texts = [0.0], [], [f"text {number}" for number in range(50)]
    monkeypatch.setattr(stopwatch, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def way(seconds):
        def encode(given):
            now[0] += seconds * len(given)
            calls.append(given)

        return encode

    assert batches.seconds_each(way(0.15), texts, 8, 2) == pytest.approx([0.15] * 2)
    assert [len(given) for given in calls] == [8, 8, 8], "1.2 s in each round, the first to warm up"
    assert calls[0] == calls[1] == calls[2] and len(set(calls[0])) == 8
    calls.clear()
    batches.seconds_each(way(1e-6), texts, 8, 2)
    assert [len(given) for given in calls[-2:]] == [len(texts)] * 2, "all, though they take no second"
