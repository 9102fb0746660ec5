"""A transformer on the runtimes that an engineer would choose: ONNX Runtime, OpenVINO and FastEmbed, on the CPU.

The model is exported once, from the files that PyTorch runs, without a hub; the export is kept in data/models under
what decides it. The runtimes are optional packages, pinned in notebooks/optional.txt. A runtime replaces the
transformer inside Sentence Transformers, so tokenization, sorting by length, the cut and pooling stay the same; but
FastEmbed, which is a library of its own, takes texts and gives vectors.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import psutil

from workbook import isolated, locks, paths
from workbook.embedding import encoders, routes
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PINS = paths.NOTEBOOKS / "optional.txt"
COMMAND = ".venv/bin/pip install -r notebooks/optional.txt"
OPSET = 17  # of ONNX: what all of these runtimes read
EXPORT_MEMORY = 6  # sizes of a model that exporting it takes, libraries aside; MiniLM took 5
LIBRARIES_MEMORY = 10**9  # bytes
GRAPH, OUTPUT = "model.onnx", "token_embeddings"

Run = Callable[[dict[str, np.ndarray]], np.ndarray]  # inputs of a batch to its tokens' vectors


class Runtime(NamedTuple):
    """A runtime and number format: the packages it needs, and what opens a graph in it for a number of threads."""

    packages: tuple[str, ...]
    start: Callable[[Path, int], Run]
    int8: bool = False


def lacking(name: str) -> str:
    """Why a runtime cannot be used here, in words; "" if it can."""
    pinned = dict(line.split("==") for line in PINS.read_text("utf-8").split() if "==" in line)
    for package in RUNTIMES[name].packages:
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return f"not installed: {COMMAND}"
        if found != pinned[package]:
            return f"{package} {found} is installed, and this needs {pinned[package]}: {COMMAND}"
    return ""


def versions(name: str) -> dict[str, object]:
    """What decides the vectors of a runtime beside the model: packages and the version of the graph."""
    return {**{package: importlib.metadata.version(package) for package in RUNTIMES[name].packages}, "opset": OPSET}


def changed(name: str, model: str, opened: SentenceTransformer) -> SentenceTransformer:
    """Have an opened model, which `encoders.load` knows as `model`, run by a runtime.

    Raises WorkbookError for a model that it cannot run or that cannot be exported, or too little memory for that.
    """
    runtime = RUNTIMES[name]
    if routes.asymmetric(opened):
        raise WorkbookError(f"{model} reads queries by a route of their own: it is run by PyTorch alone")
    folder = _quantized(model) if runtime.int8 else _exported(model)
    (_fast if name.startswith("FastEmbed") else _replace)(opened, partial(_started, runtime, folder))
    return opened


def _started(runtime: Runtime, folder: Path, *threads: int) -> Run:
    try:
        return runtime.start(folder, *threads)
    except Exception as error:  # each runtime's own, which no package defines in common
        told = str(error).strip().partition("\n")[0]
        raise WorkbookError(f"the runtime cannot open the exported model ({type(error).__name__}: {told})") from error


def _replace(model: SentenceTransformer, start: Callable[[int], Run]) -> None:
    """Put sessions of the exported graph in place of the transformer, with as many threads as torch has at the call."""
    import torch

    first = routes.modules(model, "document")[0]
    session = _by_threads(start)

    def forward(return_dict: bool = True, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()}
        return {"last_hidden_state": torch.from_numpy(session()(arrays))}

    config = first.model.config
    del first.model
    first.model = SimpleNamespace(config=config, forward=forward)


def _fast(model: SentenceTransformer, start: Callable[[int], object]) -> None:
    """Have FastEmbed encode all texts, cut where the model cuts them; refuse a model that FastEmbed cannot pool.

    It gives vectors of length 1, also of a model that does not: they are ranked by cosine.
    """
    first, pooling, *after = routes.modules(model, "document")
    if pooling.pooling_mode != "mean" or {type(module).__name__ for module in after} - {"Normalize"}:
        raise WorkbookError("FastEmbed runs models here that average their tokens, and no other")
    session = _by_threads(start)

    def encode(texts: Sequence[str], prompt: str = "", batch_size: int = 32, **_: object) -> np.ndarray:
        embedding = session()
        embedding.model.tokenizer.enable_truncation(first.max_seq_length)
        return np.array(list(embedding.embed([(prompt or "") + text for text in texts], batch_size=batch_size)))

    model.encode = model.encode_query = model.encode_document = encode


def _by_threads(start: Callable[[int], object]) -> Callable[[], object]:
    """A session that is opened anew when torch's number of threads has changed: all forms are timed with the same."""
    import torch

    kept: dict[int, object] = {}

    def session() -> object:
        threads = torch.get_num_threads()
        if threads not in kept:
            kept.clear()
            kept[threads] = start(threads)
        return kept[threads]

    return session


def _onnxruntime(folder: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = onnxruntime.InferenceSession(folder / GRAPH, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run([OUTPUT], inputs)[0]


def _openvino(precision: str, folder: Path, threads: int) -> Run:
    import openvino

    # told, because on a CPU with AMX it would choose bfloat16 by itself
    settings = {
        "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
    }  # fmt: skip
    compiled = openvino.Core().compile_model(folder / GRAPH, "CPU", settings)
    return lambda inputs: np.array(compiled(inputs)[OUTPUT])


def _fastembed(folder: Path, threads: int) -> object:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    if folder.name not in {each["model"] for each in TextEmbedding.list_supported_models()}:
        size = json.loads((folder / "config.json").read_text("utf-8"))["hidden_size"]
        TextEmbedding.add_custom_model(
            folder.name, PoolingType.MEAN, True, ModelSource(hf=folder.name), size, model_file=GRAPH
        )  # fmt: skip
    return TextEmbedding(folder.name, threads=threads, specific_model_path=str(folder), cuda=False)


RUNTIMES = {
    "ONNX Runtime float32": Runtime(("onnx", "onnxruntime"), _onnxruntime),
    "ONNX Runtime int8": Runtime(("onnx", "onnxruntime"), _onnxruntime, int8=True),
    "OpenVINO float32": Runtime(("onnx", "openvino"), partial(_openvino, "f32")),
    "OpenVINO bfloat16": Runtime(("onnx", "openvino"), partial(_openvino, "bf16")),
    "FastEmbed float32": Runtime(("onnx", "onnxruntime", "fastembed"), _fastembed),
}


def _exported(model: str) -> Path:
    """Folder of the model's graph and tokenizer, in float32; made in a process of its own, as tracing leaves traces."""
    return _kept(encoders.load(model), "onnx", ("onnx", "torch", "transformers"), partial(isolated.run, _export, model))


def _quantized(model: str) -> Path:
    """The same with the weights of its matrix products in int8, and their inputs as they come (dynamic).

    Each column of weights has a scale of its own: MiniLM's vectors keep a cosine of 0.99, and 0.94 with one for all.
    """
    float32 = _exported(model)
    make = partial(isolated.run, _quantize, float32)
    return _kept(encoders.load(model), "onnx-int8", ("onnx", "onnxruntime", "torch", "transformers"), make)


def _kept(encoder: Encoder, form: str, by: Sequence[str], make: Callable[[Path], object]) -> Path:
    decides = [encoder.revision, OPSET, *(f"{package} {importlib.metadata.version(package)}" for package in by)]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:12]
    folder = paths.DATA / "models" / f"{encoder.plain.replace('/', '--')}-{form}-{key}"
    with locks.alone(folder):
        if not folder.is_dir():
            need = LIBRARIES_MEMORY + EXPORT_MEMORY * 4 * encoder.parameters()
            free = psutil.virtual_memory().available
            if free < need:
                raise WorkbookError(f"exporting {encoder.name} takes {need / 1e9:.1f} GB and {free / 1e9:.1f} are free")
            with paths.atomic(folder) as temporary:
                temporary.mkdir()
                make(temporary)
    return folder


def _export(model: str, folder: Path, _: object) -> None:
    """Write the graph and what FastEmbed reads beside it, in a process where nothing else is done."""
    import torch

    first = routes.modules(encoders.load(model).model, "document")[0]
    inputs = dict(first.tokenizer(["a text", "a text of more words"], padding=True, return_tensors="pt"))

    class Tokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = first.model

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            return self.inner(**dict(zip(inputs, tensors, strict=True))).last_hidden_state

    axes = {name: {0: "texts", 1: "tokens"} for name in (*inputs, OUTPUT)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about branches that these inputs do not take
            torch.onnx.export(
                Tokens().eval(), tuple(inputs.values()), folder / GRAPH, input_names=[*inputs], output_names=[OUTPUT],
                dynamic_axes=axes, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        first.tokenizer.save_pretrained(folder)
        first.model.config.save_pretrained(folder)
        special = folder / "special_tokens_map.json"  # which FastEmbed asks for
        special.write_text(json.dumps({k: str(v) for k, v in first.tokenizer.special_tokens_map.items()}), "utf-8")
    except Exception as error:  # the exporter's own; from another process only a plain one comes whole
        told = str(error).strip().partition("\n")[0]
        raise WorkbookError(f"{model} cannot be exported ({type(error).__name__}: {told})") from None


def _quantize(float32: Path, folder: Path, _: object) -> None:
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)  # it advises a step that changes nothing here
    quantize_dynamic(float32 / GRAPH, folder / GRAPH, weight_type=QuantType.QInt8, per_channel=True)
