"""What goes on inside an encode call: the seconds of tokenization, model and pooling, and each token's vector."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from workbook.embedding import routes
from workbook.embedding.encoders import Encoder, Role

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


def token_vectors(encoder: Encoder, text: str, role: Role = "document") -> tuple[list[str], np.ndarray]:
    """The text's tokens, without special ones, and the vector of each before pooling: float32 (tokens, d)."""
    ids, tokenizer = encoder.tokenize([text], role)[0], encoder.tokenizer(role)
    if routes.kind(encoder.model, role) == "static":
        rows = routes.modules(encoder.model, role)[0].embedding.weight.detach().numpy()
        return [tokenizer.id_to_token(number) for number in ids], rows[ids].astype(np.float32)
    words = tokenizer.convert_ids_to_tokens(ids)
    vectors = encoder.model.encode(text, prompt="", output_value="token_embeddings", show_progress_bar=False, task=role)
    special = set(tokenizer.all_special_ids)
    kept = [place for place, number in enumerate(ids) if number not in special]
    return [words[place] for place in kept], vectors.float().cpu().numpy()[kept].astype(np.float32)


def _clock(model: "SentenceTransformer") -> Callable[[], float]:
    """A clock that first waits for what the model's device was given to do."""
    if model.device.type != "cuda":
        return time.perf_counter
    import torch

    return lambda: torch.cuda.synchronize() or time.perf_counter()
