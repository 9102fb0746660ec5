"""What a model costs before it is warm: the seconds to load it, its first text, and the memory and disk it takes.

Each repeat has a process of its own, which has imported the libraries and opened no model. The files it opens were
read before, so a disk that is slow at first is not part of it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from workbook import isolated, memory
from workbook.embedding import encoders, static_encoding, variants
from workbook.errors import WorkbookError
from workbook.evaluation import results, stopwatch
from workbook.evaluation.stopwatch import Times

WARM = 10  # encoding one text for the tenth time is warm
MB = 1e6


def measure(name: str, variant: str, text: str, repeats: int, thread_count: int = 0) -> dict[str, Any]:
    """Open a model and encode one text in `repeats` fresh processes, or find that measured here. 0 threads: all cores.

    `load_seconds`: preparing the encoder, which checks its files, and opening it. `first_seconds`, `warm_seconds`: the
    first and the tenth encoding of the text. `before_bytes`, `peak_bytes`: memory before the model and at its highest.
    Raises WorkbookError for no repeats, a text that is no str, or a variant that cannot be.
    """
    if repeats < 1:
        raise WorkbookError(f"repeats must be at least 1, not {repeats}")
    if not isinstance(text, str):
        raise WorkbookError(f"the text is of type {type(text).__name__}: it must be a str")
    encoder, thread_count = variants.make(name, variant), thread_count or results.machine()["cores"]
    about = {
        "model": encoder.identity("document"), "text": text, "repeats": repeats, "threads": thread_count, "warm": WARM,
        **({"alone": static_encoding.ALONE} if encoder.kind == "static" else {}),
    }  # fmt: skip

    def fresh() -> dict[str, Any]:
        # the folder is made here if it is a model's first time: to make a model is not to load it
        size = None if encoder.speed_only else encoders.megabytes(encoders.load(name))
        samples = [isolated.run(_once, name, variant, text, thread_count) for _ in range(repeats)]
        return {"megabytes": size, **{what: [sample[what] for sample in samples] for what in samples[0]}}

    record = results.remember("cold", about, fresh)
    return {
        "model": encoder.name, "variant": variant, "words": len(text.split()), "threads": thread_count,
        "speed_only": encoder.speed_only, **record["values"], "key": record["key"],
    }  # fmt: skip


def rows(corpus_name: str, measured: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The measurements in the long format of `results`; texts come from the corpus of that name.

    "memory MB" is the peak less what the libraries took before: the model, its conversion to a variant, and some 20 MB
    of library that it is the first to use. A variant has no "megabytes": it has no smaller file, being converted when
    it is loaded. A model of random weights is made, not loaded, in more memory than loading takes: of it only the
    times of texts are told.
    """
    return pd.DataFrame([row for values in measured for row in _rows(corpus_name, values)])


def _once(name: str, variant: str, text: str, thread_count: int, report: object) -> dict[str, float]:
    """One repeat, in a process where nothing was done before."""
    with stopwatch.threads(thread_count):
        memory.forget_peak()
        before, start = memory.resident(), time.perf_counter()
        encoder = variants.make(name, variant)
        encoder.model  # noqa: B018 (opens it)
        loaded = time.perf_counter() - start
        seconds = [stopwatch.seconds_of(partial(encoder.encode, [text])) for _ in range(WARM)]
    return {
        "load_seconds": loaded, "first_seconds": seconds[0], "warm_seconds": seconds[-1],
        "before_bytes": before, "peak_bytes": memory.peak(),
    }  # fmt: skip


def _rows(corpus_name: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    names = {
        "corpus": corpus_name, "model": values["model"], "key": values["key"],
        "words": values["words"], "threads": values["threads"],
    }  # fmt: skip
    for metric, samples in _samples(values).items():
        yield {**names, "metric": metric, **Times.of(samples)._asdict()}


def _samples(values: Mapping[str, Any]) -> dict[str, list[float]]:
    """What a row is made of, by metric, in its unit: one number for each repeat."""
    samples = {
        "first text ms": [1000 * seconds for seconds in values["first_seconds"]],
        "warm text ms": [1000 * seconds for seconds in values["warm_seconds"]],
    }
    if values["speed_only"]:
        return samples
    both = zip(values["peak_bytes"], values["before_bytes"], strict=True)
    samples |= {
        "load seconds": values["load_seconds"],
        "memory MB": [(peak - before) / MB for peak, before in both],
        "peak process MB": [peak / MB for peak in values["peak_bytes"]],
    }
    return samples | ({"megabytes": [values["megabytes"]]} if values["variant"] == "float32" else {})
