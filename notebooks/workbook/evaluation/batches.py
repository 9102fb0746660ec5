"""Find the batch size at which an encoder is fastest: each size is tried warm, in whole batches, for a whole round.

Small batches, few texts or a cold start make an encoder look slower than it is. Where a parameter or a slow model
leaves no other choice, `doubt` says so in words.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from workbook.evaluation.stopwatch import WARM_UPS, rounds, seconds_of

SIZES, SECONDS = (32, 64, 256), 1.0  # sizes that have to be tried, in rounds at least that long, to know the best
LONGEST = 10  # rounds that one batch may take to be tried
CLOSE = 0.8  # share of the highest rate from which on a size is tried a second time
GROWTH = 100  # times as many texts at most as in the attempt before

Encode = Callable[[Sequence[str], int], object]  # texts and batch size


class Tried(NamedTuple):
    """One batch size: texts in a round of it, and texts/s of each of its one or two rounds."""

    texts: int
    rates: list[float]

    @property
    def fastest(self) -> float:
        """The rate of the faster round, which other work on the machine disturbed less."""
        return max(self.rates)


def find(encode: Encode, texts: Callable[[int], list[str]], sizes: Sequence[int], seconds: float) -> dict[int, Tried]:
    """Try batch sizes, smallest first; `texts` gives as many texts as asked for.

    Each size has WARM_UPS batches, then a round of whole batches that takes at least `seconds`; those near the fastest
    have a second round. A size is left out if one batch would take longer than LONGEST rounds; the first never is.
    """
    tried: dict[int, Tried] = {}
    for size in sorted(set(sizes)):
        if tried and size / tried[best(tried)].fastest > LONGEST * seconds:
            break
        warm_up(encode, texts(size), size)
        count, spent = fill(encode, texts, size, seconds)
        tried[size] = Tried(count, [count / spent])
    for size, one in tried.items():
        if len(tried) > 1 and one.fastest >= CLOSE * tried[best(tried)].fastest:
            one.rates.append(one.texts / seconds_of(partial(encode, texts(one.texts), size)))
    return tried


def best(tried: dict[int, Tried]) -> int:
    """The batch size of the highest rate."""
    return max(tried, key=lambda size: tried[size].fastest)


def warm_up(encode: Encode, texts: Sequence[str], size: int) -> None:
    """Encode one batch, WARM_UPS times."""
    for _ in range(WARM_UPS):
        encode(texts[:size], size)


def fill(
    encode: Encode, texts: Callable[[int], list[str]], size: int, seconds: float, most: float = math.inf
) -> tuple[int, float]:
    """Number of texts, in whole batches up to `most`, that take at least `seconds`, and the seconds they took."""
    count = min(size, most)
    while (spent := seconds_of(partial(encode, texts(count), size))) < seconds and count < most:
        wanted = count * min(GROWTH, 1.2 * seconds / max(spent, 1e-9))
        count = min(size * math.ceil(wanted / size), most)
    return count, spent


def seconds_each(
    encode: Callable[[Sequence[str]], object], texts: Sequence[str], least: int, repeats: int
) -> np.ndarray:  # fmt: skip
    """Seconds to encode one text, (repeats,), timed on `least` drawn evenly, more if SECONDS take more.

    Finding out how many these are is the warm-up.
    """

    def some(count: int) -> Sequence[str]:
        return texts[:: len(texts) // count][:count]

    def work(given: Sequence[str], _: int) -> object:
        return encode(given)

    count, _ = fill(work, some, min(least, len(texts)), SECONDS, len(texts))
    return np.array(rounds([partial(encode, some(count))], repeats, warm_ups=0)[0]) / count


def doubt(tried: Sequence[int], asked: Sequence[int], seconds: float) -> str:
    """Why the fastest of the sizes tried may not be the encoder's best, in words; "" if there is no reason."""
    left_out = sorted({*asked} - {*tried})
    never = sorted({*SIZES} - {*asked})
    reasons = [
        (seconds < SECONDS, f"rounds of {seconds:g} s are shorter than {SECONDS:g} s"),
        (never, f"batches of {_listed(never)} texts were not asked for"),
        (left_out, f"batches of {_listed(left_out)} texts take more than {LONGEST * seconds:g} s each"),
    ]
    return "; ".join(text for holds, text in reasons if holds)


def _listed(sizes: Sequence[int]) -> str:
    *others, last = [f"{size:,}" for size in sizes] or [""]
    return f"{', '.join(others)} and {last}" if others else last
