"""How long something takes: median and range of repeats after a warm-up, with the number of threads fixed.

The best of many repeats flatters, and a single one hides the noise of a shared machine. A speed-up is a ratio within
one run: models take turns, and each turn gives one ratio.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import numpy as np

from workbook.errors import WorkbookError

TOKENIZERS = "TOKENIZERS_PARALLELISM"  # read by the Rust tokenizers at each call
WARM_UPS = 2  # batches, or rounds, of each shape that are not counted

Result = TypeVar("Result")


class Times(NamedTuple):
    """Median, lowest and highest of the repeats, in the unit of the samples."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Times":
        return cls(float(np.median(samples)), float(np.min(samples)), float(np.max(samples)), len(samples))


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    return timed(work)[0]


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that one call takes, and what it gives."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def rounds(works: Sequence[Callable[[], object]], repeats: int, warm_ups: int = WARM_UPS) -> list[list[float]]:
    """Run every work a few times to warm up, then all of them in turn, `repeats` times: seconds of each, per work.

    They take turns because a shared machine is slow for minutes at a time, which must not hit one work alone.
    """
    check_repeats(repeats)
    for _ in range(warm_ups):
        for work in works:
            work()
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, samples in zip(works, seconds, strict=True):
            samples.append(seconds_of(work))
    return seconds


def check_repeats(repeats: int) -> None:
    if repeats < 1:
        raise WorkbookError(f"repeats must be at least 1, not {repeats}")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Fix the number of threads torch computes with. The Rust tokenizers take one thread if it is 1, else all cores."""
    import torch

    before, tokenizers = torch.get_num_threads(), os.environ.get(TOKENIZERS)
    torch.set_num_threads(count)
    os.environ[TOKENIZERS] = "false" if count == 1 else "true"
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if tokenizers is None:
            del os.environ[TOKENIZERS]
        else:
            os.environ[TOKENIZERS] = tokenizers
