"""How fast models encode: texts of one length, in turn, each at its best batch size; and beside a plain loop.

A speed-up is a ratio within one run: models take turns, and each turn gives one ratio.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.embedding import stages, variants
from workbook.embedding.encoders import Encoder
from workbook.embedding.stages import STAGES
from workbook.errors import WorkbookError
from workbook.evaluation import batches, columns, results, statistics
from workbook.evaluation.stopwatch import WARM_UPS, Times, check_repeats, rounds, threads

DOUBT = "best speed not found"  # a metric: its note says why
PLAIN = {
    64: "texts/s of a plain loop, batches of 64",
    32: "texts/s of a plain loop, batches of 32",
}  # what people choose, and the library's default
BESIDE = ["texts/s beside a plain loop", *PLAIN.values(), "share of the plain loop"]  # metrics of `plain_rows`


def texts_of(corpus: Corpus, words: int, count: int, seed: int = 0) -> list[str]:
    """Cut `count` texts of exactly `words` words from the documents joined in a seeded order, start to end.

    A corpus with fewer words than that is read again, in another order.
    """
    texts, random, stream = corpus.document_texts, np.random.default_rng(seed), []
    orders = (number for _ in repeat(None) for number in random.permutation(len(texts)))
    while len(stream) < words * count:
        stream += texts[next(orders)].split()
    return [" ".join(stream[start : start + words]) for start in range(0, words * count, words)]


class Speed(NamedTuple):
    """One timed encoder: seconds of each round for all texts, and those of its stages within the same encode calls.

    The model of a static model is one operation, lookup and mean, and it has no pooling after that. What the stages
    leave is copying and sorting. `tried`: texts per second at each batch size, once, or twice for those near the best;
    `batch_size` is the best of them, which the rounds then time afresh. `doubt`: why it may not be the encoder's best,
    in words. `plain`: texts per second in each round of a plain loop over the library's `encode`, by its batch size.
    `plain_model`: the model, whatever its number format. `tokens`: what is left of all texts after its own limit,
    `max_tokens`.
    """

    model: str
    plain_model: str
    words: int
    max_tokens: int | None
    threads: int
    batch_size: int
    texts: int
    tokens: int
    tried: dict[int, list[float]]
    doubt: str
    seconds: list[float]
    plain: dict[int, list[float]]
    tokenize_seconds: list[float]
    model_seconds: list[float]
    pooling_seconds: list[float]
    key: str

    def per_second(self, count: int) -> list[float]:
        return [count / seconds for seconds in self.seconds]


def encoding(
    corpus: Corpus, encoders: Sequence[Encoder], words: int, batch_sizes: Sequence[int], repeats: int,
    thread_count: int = 0, round_seconds: float = 1.0, plain: Sequence[Encoder] = (), plain_texts: int = 2_000,
) -> list[Speed]:  # fmt: skip
    """Time encoders in turn on texts of `words` words, each at its best batch size, or find them timed on this machine.

    A round takes each encoder at least `round_seconds`. Those in `plain` are in each round also timed as their users
    run them: by a plain loop over `plain_texts` texts in batches of PLAIN. 0 threads: all cores.
    Raises WorkbookError for batch sizes, repeats or seconds that are none.
    """
    check_repeats(repeats)
    if not batch_sizes or min(batch_sizes) < 1:
        raise WorkbookError(f"batch_sizes must be at least one number, each at least 1, not {list(batch_sizes)}")
    if round_seconds <= 0:
        raise WorkbookError(f"round_seconds must be above 0, not {round_seconds}")
    thread_count = thread_count or results.machine()["cores"]
    about = {
        "corpus": corpus.sha256, "words": words, "batch_sizes": list(batch_sizes), "repeats": repeats,
        "threads": thread_count, "round_seconds": round_seconds, "warm_ups": WARM_UPS,
        "models": [encoder.identity("document") for encoder in encoders],
        "plain": [plain_texts, [encoders.index(encoder) for encoder in plain]],
    }  # fmt: skip

    def measure() -> dict:
        texts = partial(texts_of, corpus, words)
        with threads(thread_count):
            return {"speeds": _in_turn(encoders, texts, batch_sizes, repeats, round_seconds, plain, plain_texts)}

    record = results.remember("speed", about, measure)
    found = []
    for encoder, timed in zip(encoders, record["values"]["speeds"], strict=True):
        by_size = {name: dict(timed[name]) for name in ("tried", "plain")}  # kept as pairs, as JSON's keys are texts
        timed = {**timed, **by_size}
        names = (encoder.name, variants.without_format(encoder))
        found.append(Speed(*names, words, encoder.max_tokens, thread_count, **timed, key=record["key"]))
    return found


def _in_turn(
    encoders: Sequence[Encoder], texts: Callable[[int], list[str]], batch_sizes: Sequence[int], repeats: int,
    round_seconds: float, plain: Sequence[Encoder], plain_texts: int,
) -> list[dict]:  # fmt: skip
    """What `Speed` has of each encoder: find its best batch size, then time all in rounds."""
    found = [batches.find(partial(_encode, encoder), texts, batch_sizes, round_seconds) for encoder in encoders]
    best = [batches.best(tried) for tried in found]
    own = [texts(tried[size].texts) for tried, size in zip(found, best, strict=True)]
    spent: list[list[dict[str, float]]] = [[] for _ in encoders]
    works = [partial(_staged, *work) for work in zip(encoders, own, best, spent, strict=True)]
    loops = [_loop(encoder, texts(plain_texts), size) for encoder in plain for size in PLAIN]
    seconds = rounds([*works, *loops], repeats, warm_ups=0)  # every shape is warm
    rates = iter([[plain_texts / each for each in one] for one in seconds[len(works) :]])
    looped = {encoder: [(size, next(rates)) for size in PLAIN] for encoder in plain}
    return [
        {
            "batch_size": best[place], "texts": len(own[place]),
            "tokens": encoder.token_count([encoder.prompt("document") + text for text in own[place]]),
            "tried": [(size, one.rates) for size, one in found[place].items()],
            "doubt": batches.doubt([*found[place]], batch_sizes, round_seconds),
            "seconds": seconds[place], "plain": looped.get(encoder, []),
            **{stage: [each[stage] for each in spent[place]] for stage in STAGES.values()},
        }
        for place, encoder in enumerate(encoders)
    ]  # fmt: skip


def _encode(encoder: Encoder, texts: Sequence[str], batch_size: int) -> None:
    encoder.encode(texts, batch_size=batch_size)


def _loop(encoder: Encoder, texts: Sequence[str], batch_size: int) -> Callable[[], object]:
    """The model's own `encode`, as its users call it; warm."""
    prompted = [encoder.prompt("document") + text for text in texts]

    def encode(some: Sequence[str], size: int) -> object:
        return encoder.model.encode(some, batch_size=size, show_progress_bar=False)

    batches.warm_up(encode, prompted, batch_size)
    return partial(encode, prompted, batch_size)


def _staged(encoder: Encoder, texts: Sequence[str], batch_size: int, spent: list[dict[str, float]]) -> None:
    with stages.timed(encoder.model) as seconds:
        encoder.encode(texts, batch_size=batch_size)
    spent.append(seconds)


def every_form(
    corpus: Corpus, static: str, transformers: Sequence[tuple[str, str]], words: Sequence[int],
    batch_sizes: Sequence[int], repeats: int, round_seconds: float = 1.0,
) -> pd.DataFrame:  # fmt: skip
    """Time a static model and transformers, each in a form of `variants`, the GPU's among them: rows.

    On texts of each of the lengths `words`, in turn, each at its best batch size and its own limit.
    """
    models = [variants.make(static), *(variants.make(*each) for each in transformers)]
    found = [encoding(corpus, models, length, batch_sizes, repeats, round_seconds=round_seconds) for length in words]
    return pd.concat([rows(corpus, speeds) for speeds in found])


def rows(corpus: Corpus, speeds: Sequence[Speed]) -> pd.DataFrame:
    """The speeds in the long format of `results`: texts/s, tokens/s, best batch, stages' shares, and any doubt."""
    return pd.DataFrame([row for speed in speeds for row in _rows(corpus, speed)])


def batch_rows(corpus: Corpus, speeds: Sequence[Speed]) -> pd.DataFrame:
    """The batch sizes each speed was chosen among: a row for each, of one or two rounds before those that count."""
    return pd.DataFrame(
        {
            **_names(corpus, speed), "batch": size, "metric": "texts/s tried", **Times.of(rates)._asdict(),
        }
        for speed in speeds
        for size, rates in speed.tried.items()
    )  # fmt: skip


def plain_rows(corpus: Corpus, speeds: Sequence[Speed]) -> pd.DataFrame:
    """Speeds beside those of a plain loop in the same rounds, and the share of the faster loop's that they reach."""
    return pd.DataFrame([row for speed in speeds if speed.plain for row in _plain_rows(corpus, speed)])


def doubts(speeds: Sequence[Speed]) -> list[str]:
    """A sentence for each reason why the best speed of some was not found, with those of whom it holds."""
    found: dict[str, list[str]] = {}
    for speed in speeds:
        if speed.doubt:
            found.setdefault(speed.doubt, []).append(f"{speed.model} ({columns.in_words(_work(speed))})")
    return [f"The best speed was not found: {reason}. This holds for {'; '.join(of)}." for reason, of in found.items()]


def ratio_rows(corpus: Corpus, fast: Speed, others: Sequence[Speed]) -> pd.DataFrame:
    """How many times as many texts per second as each other, on texts of one length: median and range of the rounds.

    Raises WorkbookError for speeds that were not timed in turn, by one call of `encoding`.
    """
    return pd.DataFrame(
        {
            **_names(corpus, fast), "max_tokens": _limit(fast) if fast.max_tokens == other.max_tokens else None,
            "against": other.model, "against_model": other.plain_model,
            "note": results.instruction_set() or None, "metric": "speed-up", **Times.of(_ratios(fast, other))._asdict(),
        }
        for other in others
    )  # fmt: skip


def finding(ratios: pd.DataFrame) -> str:
    """How many times as fast as the other model's fastest form, at each length, from `ratio_rows` on equal terms."""
    told = []
    for words, own in ratios.groupby("words"):
        row = own.loc[own["value"].idxmin()]
        times = statistics.with_range(row["value"], row["low"], row["high"], ",.1f")
        told.append(f"on texts of {words:,} words {times} times as many a second as {row['against']}")
    cpu = f" on this CPU ({note})" if (note := ratios["note"].iloc[0]) else ""
    forms = ratios["against"].nunique()
    return f"{ratios['model'].iloc[0]} encodes{cpu} {', '.join(told)}, the fastest of {forms} forms that ran there."


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
    if speed.doubt:
        yield {**names, "note": speed.doubt, "metric": DOUBT, "value": 1, "n": len(speed.seconds)}
    if not any(speed.tokenize_seconds):  # a library of its own tells no stages
        return
    alone = [
        speed.texts / (seconds - part) for seconds, part in zip(speed.seconds, speed.tokenize_seconds, strict=True)
    ]
    yield {**names, "metric": "texts/s of the model alone", **Times.of(alone)._asdict()}
    for metric, stage in STAGES.items():
        share = [part / whole for part, whole in zip(getattr(speed, stage), speed.seconds, strict=True)]
        yield {**names, "metric": metric, **Times.of(share)._asdict()}


def _plain_rows(corpus: Corpus, speed: Speed) -> Iterator[dict]:
    names, own = _names(corpus, speed), speed.per_second(speed.texts)
    yield {**names, "metric": "texts/s beside a plain loop", **Times.of(own)._asdict()}
    for size, rates in speed.plain.items():
        yield {**names, "metric": PLAIN[size], **Times.of(rates)._asdict()}
    shares = [rate / max(loops) for rate, *loops in zip(own, *speed.plain.values(), strict=True)]
    yield {**names, "metric": "share of the plain loop", **Times.of(shares)._asdict()}


def _names(corpus: Corpus, speed: Speed) -> dict[str, object]:
    return {"corpus": corpus.name, "model": speed.model, **_work(speed), "key": speed.key}


def _work(speed: Speed) -> dict[str, int]:
    return {"words": speed.words, "max_tokens": _limit(speed), "threads": speed.threads}


def _limit(speed: Speed) -> int:
    return speed.max_tokens or 0
