"""The forms to run one model in on this machine: number format, device, runtime, and where texts are cut.

A transformer is compared as fast as it runs here: measured in float32 alone, it would look slower than it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from workbook.embedding import encoders, routes, runtimes
from workbook.embedding.encoders import Encoder
from workbook.embedding.models import Kind, Role
from workbook.embedding.runtimes import RUNTIMES
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SPECIAL_TOKENS = 2  # one before and one after a transformer's text; cut at no more, it would read nothing


class Variant(NamedTuple):
    """One way to run a model: for which kinds, how it converts a model (in place or not), on which device.

    A static model has float32 alone: it spends its time on tokenization, which no number format changes.
    """

    kinds: tuple[Kind, ...]
    change: Callable[[SentenceTransformer], SentenceTransformer]
    device: str = "cpu"


class _OnRuntime(Encoder):
    """An encoder that a runtime runs: its versions are part of what decides the vectors."""

    def identity(self, role: Role) -> dict[str, object]:
        return {**super().identity(role), "runtime": runtimes.versions(self.dtype)}


def every(kind: Kind) -> list[str]:
    """Names of the variants that a model of that kind can be run in, here or on another machine."""
    return [name for name, variant in VARIANTS.items() if kind in variant.kinds] + (
        [*RUNTIMES] if kind == "transformer" else []
    )


def lacking(variant: str) -> str:
    """What this machine lacks to run a variant, in words; "" if nothing."""
    if variant in RUNTIMES:
        return runtimes.lacking(variant)
    import torch

    return "" if VARIANTS[variant].device == "cpu" or torch.cuda.is_available() else "no GPU here"


def available(kind: Kind) -> list[str]:
    """Names of the variants that this machine can run a model of that kind in."""
    return [name for name in every(kind) if not lacking(name)]


def make(name: str, variant: str = "float32", max_tokens: int | None = None) -> Encoder:
    """Prepare an encoder that runs a model in a variant and cuts texts at `max_tokens`, special tokens included.

    Raises WorkbookError for an unknown variant, one that this model or machine cannot run, or a cut above the model's
    own limit. A model that is not registered is opened to see what it is.
    """
    if variant not in every("transformer"):
        raise WorkbookError(f"unknown variant {variant!r}: give one of {', '.join(every('transformer'))}")
    encoder = encoders.load(name)
    if variant == "float32" and max_tokens is None:
        return encoder
    if variant not in every(encoder.kind) or lacking(variant):
        able, why = ", ".join(available(encoder.kind)), f" ({lacking(variant)})" if lacking(variant) else ""
        raise WorkbookError(f"{name} is a {encoder.kind} model: this machine runs it as {able}, not as {variant}{why}")
    if variant != "float32" and encoder.asymmetric and len({routes.kind(encoder.model, r) for r in routes.ROLES}) > 1:
        raise WorkbookError(
            f"{name} reads one role by a table and the other by a transformer: it is run as float32 alone"
        )
    least, most = 1 if encoder.kind == "static" else 1 + SPECIAL_TOKENS, encoder.max_tokens
    if max_tokens is not None and (max_tokens < least or (most is not None and max_tokens > most)):
        limits = f"at least {least}" if most is None else f"{least} to {most}"
        raise WorkbookError(f"{encoder.name} cannot be cut at {max_tokens} tokens: give {limits}")

    def opened() -> SentenceTransformer:
        if variant in RUNTIMES:
            return runtimes.changed(variant, name, encoder.model)
        return VARIANTS[variant].change(encoder.model).to(VARIANTS[variant].device)

    label = encoder.plain if variant == "float32" else f"{encoder.plain} ({variant})"
    return (_OnRuntime if variant in RUNTIMES else Encoder)(
        label, encoder.facts, encoder.revision, opened, encoder.folder, max_tokens, variant,
        lambda: encoder.stored_dtype,
    )  # fmt: skip


def without_format(encoder: Encoder) -> str:
    """The shown name of an encoder's model, without the number format that `make` adds to it."""
    return encoder.name.replace(f" ({encoder.dtype})", "", 1)


def _int8(model: SentenceTransformer) -> SentenceTransformer:
    """Quantize every linear layer to int8, weights now and inputs as they come (dynamic quantization)."""
    import torch

    if torch.backends.quantized.engine == "none":  # torch's choice on ARM, although it has qnnpack there
        torch.backends.quantized.engine = "qnnpack"
    with warnings.catch_warnings():
        # torch is moving quantization to torchao; in the pinned torch it still works without
        warnings.filterwarnings("ignore", r"torch\.ao\.quantization is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", r"torch\.quantize_per_tensor", UserWarning)
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)


VARIANTS: dict[str, Variant] = {
    "float32": Variant(("static", "transformer"), lambda model: model),
    "bfloat16": Variant(("transformer",), lambda model: model.bfloat16()),
    "int8": Variant(("transformer",), _int8),
    "float32 on the GPU": Variant(("transformer",), lambda model: model, "cuda"),
    "bfloat16 on the GPU": Variant(("transformer",), lambda model: model.bfloat16(), "cuda"),
    "float16 on the GPU": Variant(("transformer",), lambda model: model.half(), "cuda"),
}
