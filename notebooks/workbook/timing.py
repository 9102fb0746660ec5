"""How long something takes: warm-up, repeats, median and range, with the number of threads fixed.

The best of many repeats flatters, one repeat hides the noise of a shared machine; so a time here is always three
numbers. A speed-up is a ratio within one run: models take turns, and each turn gives one ratio.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
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


def rounds(works: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Run every work once to warm up, then all of them in turn, `repeats` times: seconds of each repeat, per work.

    In turn, because a shared machine is slow for minutes at a time: so it is slow for all of them.
    """
    if repeats < 1:
        raise WorkbookError(f"repeats must be at least 1, not {repeats}")
    for work in works:
        work()
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, samples in zip(works, seconds, strict=True):
            start = time.perf_counter()
            work()
            samples.append(time.perf_counter() - start)
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

    A corpus with fewer words than that is read again, in another order.
    """
    texts, random = corpus.document_texts, np.random.default_rng(seed)
    stream: list[str] = []
    while len(stream) < words * count:
        for number in random.permutation(len(texts)):
            stream += texts[number].split()
    return [" ".join(stream[start : start + words]) for start in range(0, words * count, words)]


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

    def per_second(self, count: int) -> list[float]:
        return [count / seconds for seconds in self.seconds]


def encoding(
    corpus: Corpus, counts: Mapping[Encoder, int], words: int, batch_size: int, repeats: int, thread_count: int = 0
) -> list[Speed]:
    """Time encoders in turn on `counts` texts of `words` words each, or find them timed on this machine.

    A batch is no larger than the number of texts. 0 threads: all cores.
    """
    thread_count = thread_count or results.machine()["cores"]
    about = {
        "corpus": corpus.sha256, "words": words, "batch_size": batch_size, "repeats": repeats, "threads": thread_count,
        "models": [{**encoder.identity("document"), "texts": count} for encoder, count in counts.items()],
    }  # fmt: skip

    def measure() -> dict:
        texts = {encoder: texts_of(corpus, words, count) for encoder, count in counts.items()}
        with threads(thread_count):
            encode = rounds([partial(e.encode, own, batch_size=batch_size) for e, own in texts.items()], repeats)
            tokenize = rounds([partial(_tokenize, e, own, batch_size) for e, own in texts.items()], repeats)
        tokens = [encoder.token_count(own) for encoder, own in texts.items()]
        return {"tokens": tokens, "seconds": encode, "tokenize_seconds": tokenize}

    record = results.remember("speed", about, measure)
    columns = (record["values"][name] for name in ("tokens", "seconds", "tokenize_seconds"))
    return [
        Speed(encoder.name, words, min(batch_size, count), count, *values, key=record["key"])
        for (encoder, count), *values in zip(counts.items(), *columns, strict=True)
    ]


def _tokenize(encoder: Encoder, texts: Sequence[str], batch_size: int) -> None:
    for start in range(0, len(texts), batch_size):
        encoder.tokenize(texts[start : start + batch_size])


def rows(corpus: Corpus, speeds: Sequence[Speed]) -> pd.DataFrame:
    """The speeds in the long format of `results`: texts/s, tokens/s and the share of time that tokenization takes."""
    return pd.DataFrame([row for speed in speeds for row in _rows(corpus, speed)])


def ratio_rows(corpus: Corpus, fast: Speed, others: Sequence[Speed]) -> pd.DataFrame:
    """How many times as many texts per second as each other, on texts of one length: median and range of the rounds."""
    return pd.DataFrame(
        {
            "corpus": corpus.name, "model": fast.model, "work": f"{fast.words} words, against {other.model}",
            "metric": "speed-up", **Times.of(_ratios(fast, other))._asdict(), "key": fast.key,
        }
        for other in others
    )  # fmt: skip


def _ratios(fast: Speed, other: Speed) -> list[float]:
    pairs = zip(fast.per_second(fast.texts), other.per_second(other.texts), strict=True)
    return [one / another for one, another in pairs]


def _rows(corpus: Corpus, speed: Speed) -> Iterator[dict]:
    names = {
        "corpus": corpus.name, "model": speed.model, "key": speed.key,
        "work": f"{speed.words} words, batch of {speed.batch_size}",
    }  # fmt: skip
    share = [part / whole for part, whole in zip(speed.tokenize_seconds, speed.seconds, strict=True)]
    yield {**names, "metric": "texts/s", **Times.of(speed.per_second(speed.texts))._asdict()}
    yield {**names, "metric": "tokens/s", **Times.of(speed.per_second(speed.tokens))._asdict()}
    yield {**names, "metric": "tokenization share", **Times.of(share)._asdict()}
