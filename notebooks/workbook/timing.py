"""How long something takes: warm-up, repeats, median and range, with the number of threads fixed.

The best of many repeats flatters, one repeat hides the noise of a shared machine; so a time here is always three
numbers. A speed-up is a ratio within one run: models take turns, and each turn gives one ratio.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from workbook import results, routes
from workbook.corpora import Corpus
from workbook.encoders import Encoder
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TOKENIZERS = "TOKENIZERS_PARALLELISM"  # read by the Rust tokenizers at each call
STAGES = {
    "tokenization share": "tokenize_seconds", "model share": "model_seconds", "pooling share": "pooling_seconds"
}  # fmt: skip


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
    _check_repeats(repeats)
    for work in works:
        work()
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, samples in zip(works, seconds, strict=True):
            samples.append(seconds_of(work))
    return seconds


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _check_repeats(repeats: int) -> None:
    if repeats < 1:
        raise WorkbookError(f"repeats must be at least 1, not {repeats}")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Fix the number of threads torch computes with.

    The Rust tokenizers know one thread or all cores, nothing between: 1 is one for them too, more is all.
    """
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


def threads_label(count: int) -> str:
    """The number of threads as rows tell it."""
    return f"{count} thread{'' if count == 1 else 's'}"


def texts_of(corpus: Corpus, words: int, count: int, seed: int = 0) -> list[str]:
    """Cut `count` texts of exactly `words` words from the documents joined in a seeded order, start to end.

    A corpus with fewer words than that is read again, in another order.
    """
    stream = list(islice(_words_of(corpus, seed), words * count))
    return [" ".join(stream[start : start + words]) for start in range(0, words * count, words)]


def _words_of(corpus: Corpus, seed: int) -> Iterator[str]:
    texts, random = corpus.document_texts, np.random.default_rng(seed)
    while True:
        for number in random.permutation(len(texts)):
            yield from texts[number].split()


class Speed(NamedTuple):
    """One timed encoder: seconds of each round for all texts, and those of its stages within the same encode calls.

    The model of a static model is one operation, lookup and mean, and it has no pooling after that. What the stages
    leave is copying and sorting. `tried`: texts per second at each batch size, once; `batch_size` is the best of them,
    which the rounds then time afresh. `tokens`: what is left of all texts after its own limit, `max_tokens`.
    """

    model: str
    words: int
    max_tokens: int | None
    threads: int
    batch_size: int
    texts: int
    tokens: int
    tried: dict[int, float]
    seconds: list[float]
    tokenize_seconds: list[float]
    model_seconds: list[float]
    pooling_seconds: list[float]
    key: str

    def per_second(self, count: int) -> list[float]:
        return [count / seconds for seconds in self.seconds]


def encoding(
    corpus: Corpus, encoders: Sequence[Encoder], words: int, batch_sizes: Sequence[int], repeats: int,
    thread_count: int = 0, round_seconds: float = 0.5,
) -> list[Speed]:  # fmt: skip
    """Time encoders in turn on texts of `words` words, each at its best batch size, or find them timed on this machine.

    A round takes each encoder about `round_seconds`: a pilot finds how many texts that is. 0 threads: all cores.
    Raises WorkbookError for batch sizes, repeats or seconds that are none.
    """
    _check_repeats(repeats)
    if not batch_sizes or min(batch_sizes) < 1:
        raise WorkbookError(f"batch_sizes must be at least one number, each at least 1, not {list(batch_sizes)}")
    if round_seconds <= 0:
        raise WorkbookError(f"round_seconds must be above 0, not {round_seconds}")
    thread_count = thread_count or results.machine()["cores"]
    about = {
        "corpus": corpus.sha256, "words": words, "batch_sizes": list(batch_sizes), "repeats": repeats,
        "threads": thread_count, "round_seconds": round_seconds,
        "models": [encoder.identity("document") for encoder in encoders],
    }  # fmt: skip

    def measure() -> dict:
        with threads(thread_count):
            texts = [_texts_that_fill(encoder, corpus, words, round_seconds) for encoder in encoders]
            return {"speeds": _in_turn(encoders, texts, batch_sizes, repeats)}

    record = results.remember("speed", about, measure)
    return [
        Speed(encoder.name, words, encoder.max_tokens, thread_count, **_numbered(timed), key=record["key"])
        for encoder, timed in zip(encoders, record["values"]["speeds"], strict=True)
    ]


def _texts_that_fill(encoder: Encoder, corpus: Corpus, words: int, seconds: float) -> list[str]:
    """As many texts as the encoder encodes in about that time in its usual batches, at least one."""
    encoder.encode(texts_of(corpus, words, 1))
    count = 1
    while (spent := _seconds(encoder, texts_of(corpus, words, count))) < seconds / 4:
        count *= 4
    return texts_of(corpus, words, max(1, round(count * seconds / spent)))


def _in_turn(
    encoders: Sequence[Encoder], texts: Sequence[list[str]], batch_sizes: Sequence[int], repeats: int
) -> list[dict]:
    """What `Speed` has of each encoder: find its best batch size, then time all in rounds."""
    tried = [_try(encoder, own, batch_sizes) for encoder, own in zip(encoders, texts, strict=True)]
    best = [max(rates, key=rates.get) for rates in tried]
    spent: list[list[dict[str, float]]] = [[] for _ in encoders]
    works = [partial(_staged, *work) for work in zip(encoders, texts, best, spent, strict=True)]
    seconds = rounds(works, repeats)
    return [
        {
            "batch_size": best[place], "texts": len(texts[place]),
            "tokens": encoder.token_count([encoder.prompt("document") + text for text in texts[place]]),
            "tried": list(tried[place].items()), "seconds": seconds[place],
            **{stage: [each[stage] for each in spent[place][1:]] for stage in STAGES.values()},  # after the warm-up
        }
        for place, encoder in enumerate(encoders)
    ]  # fmt: skip


def _try(encoder: Encoder, texts: Sequence[str], batch_sizes: Sequence[int]) -> dict[int, float]:
    """Texts per second at each batch size that the texts can fill, and at the first as far as they do."""
    first, *others = batch_sizes
    sizes = dict.fromkeys([min(first, len(texts)), *(size for size in others if size <= len(texts))])
    return {size: len(texts) / _seconds(encoder, texts, size) for size in sizes}


def _seconds(encoder: Encoder, texts: Sequence[str], batch_size: int | None = None) -> float:
    return seconds_of(partial(encoder.encode, texts, batch_size=batch_size))


def _staged(encoder: Encoder, texts: Sequence[str], batch_size: int, spent: list[dict[str, float]]) -> None:
    with stages(encoder.model) as seconds:
        encoder.encode(texts, batch_size=batch_size)
    spent.append(seconds)


@contextmanager
def stages(model: "SentenceTransformer") -> Iterator[dict[str, float]]:
    """Add up the seconds that encode calls spend in each of STAGES: in `preprocess`, the first module and the rest."""
    spent = dict.fromkeys(STAGES.values(), 0.0)
    clock, preprocess, started = _clock(model), model.preprocess, 0.0

    def start(*_: object) -> None:
        nonlocal started
        started = clock()

    def stop(stage: str, *_: object) -> None:
        spent[stage] += clock() - started

    def timed(*inputs: object, **options: object) -> object:
        start()
        features = preprocess(*inputs, **options)
        stop("tokenize_seconds")
        return features

    hooks = []
    model.preprocess = timed  # hides the method of the class until it is deleted
    try:
        for place, module in enumerate(routes.modules(model, "document")):
            stage = "pooling_seconds" if place else "model_seconds"
            hooks += [module.register_forward_pre_hook(start), module.register_forward_hook(partial(stop, stage))]
        yield spent
    finally:
        del model.preprocess
        for hook in hooks:
            hook.remove()


def _clock(model: "SentenceTransformer") -> Callable[[], float]:
    """A clock that first waits for what the model's device was given to do."""
    if model.device.type != "cuda":
        return time.perf_counter
    import torch

    return lambda: torch.cuda.synchronize() or time.perf_counter()


def _numbered(timed: dict) -> dict:
    """What was kept of an encoder, with numbers for the batch sizes, which JSON would have as texts."""
    return {**timed, "tried": dict(timed["tried"])}


def rows(corpus: Corpus, speeds: Sequence[Speed]) -> pd.DataFrame:
    """The speeds in the long format of `results`: texts/s, tokens/s, best batch, stages' shares."""
    return pd.DataFrame([row for speed in speeds for row in _rows(corpus, speed)])


def batch_rows(corpus: Corpus, speeds: Sequence[Speed]) -> pd.DataFrame:
    """The batch sizes each speed was chosen among: a row for each, timed once, before the rounds."""
    return pd.DataFrame(
        {
            **_names(corpus, speed), "work": f"{_work(speed)}, batch of {size}", "metric": "texts/s tried",
            "value": rate, "n": 1,
        }
        for speed in speeds
        for size, rate in speed.tried.items()
    )  # fmt: skip


def ratio_rows(corpus: Corpus, fast: Speed, others: Sequence[Speed]) -> pd.DataFrame:
    """How many times as many texts per second as each other, on texts of one length: median and range of the rounds.

    Raises WorkbookError for speeds that were not timed in turn, by one call of `encoding`.
    """
    return pd.DataFrame(
        {
            "corpus": corpus.name, "model": fast.model,
            "work": f"{fast.words} words, {_limits(fast, other)}, {threads_label(fast.threads)}, against {other.model}",
            "metric": "speed-up", **Times.of(_ratios(fast, other))._asdict(), "key": fast.key,
        }
        for other in others
    )  # fmt: skip


def _ratios(fast: Speed, other: Speed) -> list[float]:
    if fast.key != other.key:
        raise WorkbookError(f"{fast.model} and {other.model} were not timed in turn: give both to one call of encoding")
    pairs = zip(fast.per_second(fast.texts), other.per_second(other.texts), strict=True)
    return [one / another for one, another in pairs]


def _rows(corpus: Corpus, speed: Speed) -> Iterator[dict]:
    names = _names(corpus, speed)
    yield {**names, "metric": "texts/s", **Times.of(speed.per_second(speed.texts))._asdict()}
    yield {**names, "metric": "tokens/s", **Times.of(speed.per_second(speed.tokens))._asdict()}
    yield {**names, "metric": "best batch", "value": speed.batch_size, "n": len(speed.seconds)}
    for metric, stage in STAGES.items():
        share = [part / whole for part, whole in zip(getattr(speed, stage), speed.seconds, strict=True)]
        yield {**names, "metric": metric, **Times.of(share)._asdict()}


def _names(corpus: Corpus, speed: Speed) -> dict[str, str]:
    return {"corpus": corpus.name, "model": speed.model, "work": _work(speed), "key": speed.key}


def _work(speed: Speed) -> str:
    return f"{speed.words} words, {_limit(speed)}, {threads_label(speed.threads)}"


def _limit(speed: Speed) -> str:
    return "whole" if speed.max_tokens is None else f"cut at {speed.max_tokens} tokens"


def _limits(one: Speed, other: Speed) -> str:
    return f"both {_limit(one)}" if one.max_tokens == other.max_tokens else "each its own limit"
