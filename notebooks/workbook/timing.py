"""How long something takes: warm-up, repeats, median and range, with the number of threads fixed.

The best of many repeats flatters, one repeat hides the noise of a shared machine; so a time here is always three
numbers. A speed-up is a ratio of two times from the same run: its range comes from the repeats, paired in order.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

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


def encoding(encoder: Encoder, texts: Sequence[str], batch_size: int, repeats: int) -> dict[str, list[float] | int]:
    """Time an encoder on texts: seconds of each repeat for the whole and for tokenization alone, and the tokens."""
    if batch_size < 1:
        raise WorkbookError(f"batch_size must be at least 1, not {batch_size}")
    return {
        "texts": len(texts),
        "tokens": encoder.token_count(texts),
        "seconds": repeat(lambda: encoder.encode(texts, batch_size=batch_size), repeats),
        "tokenize_seconds": repeat(lambda: encoder.tokenize(texts), repeats),
    }
