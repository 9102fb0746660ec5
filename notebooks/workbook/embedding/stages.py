"""Where the seconds of an encode call go: tokenization, the model, and what pools its output."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from workbook.embedding import routes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

STAGES = {
    "tokenization share": "tokenize_seconds", "model share": "model_seconds", "pooling share": "pooling_seconds"
}  # fmt: skip


@contextmanager
def timed(model: "SentenceTransformer") -> Iterator[dict[str, float]]:
    """Add up the seconds that encode calls spend in each of STAGES: in `preprocess`, the first module and the rest."""
    spent = dict.fromkeys(STAGES.values(), 0.0)
    clock, preprocess, started = _clock(model), model.preprocess, 0.0

    def start(*_: object) -> None:
        nonlocal started
        started = clock()

    def stop(stage: str, *_: object) -> None:
        spent[stage] += clock() - started

    def clocked(*inputs: object, **options: object) -> object:
        start()
        features = preprocess(*inputs, **options)
        stop("tokenize_seconds")
        return features

    hooks = []
    model.preprocess = clocked  # hides the method of the class until it is deleted
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
