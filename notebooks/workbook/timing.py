"""How long something takes: warm-up, repeats, median and range, with the number of threads fixed.

The best of many repeats flatters, one repeat hides the noise of a shared machine; so a time here is always three
numbers. A speed-up is a ratio of two medians from the same run; its range is the widest that their ranges allow.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook import results
from workbook.corpora import Corpus
from workbook.encoders import Encoder
from workbook.errors import WorkbookError


class Times(NamedTuple):
    """Median, lowest and highest of the repeats; the unit is that of what was put in."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Times":
        return cls(float(np.median(samples)), float(np.min(samples)), float(np.max(samples)), len(samples))


def repeat(work: Callable[[], object], repeats: int) -> list[float]:
    """Run `work` once to warm up and then `repeats` times: seconds of each."""
    if repeats < 1:
        raise WorkbookError(f"repeats must be at least 1, not {repeats}")
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Fix the number of threads torch computes with. The Rust tokenizers use all cores, for either kind of model."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def texts_of(corpus: Corpus, words: int, count: int, seed: int = 0) -> list[str]:
    """Cut `count` texts of exactly `words` words from the documents joined in a seeded order, start to end.

    Raises WorkbookError if the corpus has fewer words than that.
    """
    texts = corpus.document_texts
    order = np.random.default_rng(seed).permutation(len(texts))
    stream: list[str] = []
    for number in order:
        stream += texts[number].split()
        if len(stream) >= words * count:
            return [" ".join(stream[start : start + words]) for start in range(0, words * count, words)]
    raise WorkbookError(f"{corpus.name} has {len(stream)} words, not {words * count}; ask for fewer or shorter texts")


class Speed(NamedTuple):
    """One timed encoder: seconds of each repeat for all texts, and for their tokenization alone."""

    model: str
    words: int
    batch_size: int
    texts: int
    tokens: int
    seconds: list[float]
    tokenize_seconds: list[float]
    key: str

    def per_second(self, count: int) -> Times:
        return Times.of([count / seconds for seconds in self.seconds])


def encoding(
    corpus: Corpus, encoder: Encoder, words: int, batch_size: int, count: int, repeats: int, thread_count: int = 0
) -> Speed:
    """Time an encoder on `count` texts of `words` words, or find it timed on this machine. 0 threads: all cores."""
    thread_count = thread_count or results.machine()["cores"]
    about = {
        "corpus": corpus.sha256, "model": encoder.identity("document"), "words": words, "batch_size": batch_size,
        "texts": count, "repeats": repeats, "threads": thread_count,
    }  # fmt: skip

    def measure() -> dict:
        texts = texts_of(corpus, words, count)
        with threads(thread_count):
            return {
                "tokens": encoder.token_count(texts),
                "seconds": repeat(lambda: encoder.encode(texts, batch_size=batch_size), repeats),
                "tokenize_seconds": repeat(lambda: encoder.tokenize(texts), repeats),
            }

    record = results.remember("speed", about, measure)
    return Speed(encoder.name, words, batch_size, count, key=record["key"], **record["values"])


def rows(corpus: Corpus, speeds: Sequence[Speed]) -> pd.DataFrame:
    """The speeds in the long format of `results`: texts/s, tokens/s and the share of time that tokenization takes."""
    return pd.DataFrame([row for speed in speeds for row in _rows(corpus, speed)])


def ratio_rows(corpus: Corpus, fast: Sequence[Speed], slow: Sequence[Speed]) -> pd.DataFrame:
    """How many times as fast, in texts/s, on texts of the same length: ratio of medians and the widest range."""
    pairs = [(one, other) for one in fast for other in slow if one.words == other.words]
    return pd.DataFrame(
        {
            "corpus": corpus.name, "model": one.model, "work": f"{one.words} words, against {other.model}",
            "metric": "speed-up", **_ratio(one.per_second(one.texts), other.per_second(other.texts))._asdict(),
            "key": f"{one.key}/{other.key}",
        }
        for one, other in pairs
    )  # fmt: skip


def _ratio(fast: Times, slow: Times) -> Times:
    return Times(fast.value / slow.value, fast.low / slow.high, fast.high / slow.low, min(fast.n, slow.n))


def _rows(corpus: Corpus, speed: Speed) -> Iterator[dict]:
    names = {
        "corpus": corpus.name, "model": speed.model, "key": speed.key,
        "work": f"{speed.words} words, batch of {speed.batch_size}",
    }  # fmt: skip
    share = [part / whole for part, whole in zip(speed.tokenize_seconds, speed.seconds, strict=True)]
    yield {**names, "metric": "texts/s", **speed.per_second(speed.texts)._asdict()}
    yield {**names, "metric": "tokens/s", **speed.per_second(speed.tokens)._asdict()}
    yield {**names, "metric": "tokenization share", **Times.of(share)._asdict()}
