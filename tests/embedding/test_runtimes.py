"""Runtimes: what they need, that they give PyTorch's vectors, and what is said where they cannot be had."""

import importlib.metadata
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from workbook import isolated, paths
from workbook.embedding import encoders, routes, runtimes, variants
from workbook.embedding.runtimes import RUNTIMES, Runtime
from workbook.errors import WorkbookError

MODEL = "tiny-transformer"
TEXTS = ["The river bank gives way", "bank account", "", "the river " * 40]
FORMAT = {name: 1e-4 if name.endswith("float32") else 0.02 for name in RUNTIMES}  # of cosine


def least_cosine(one, other):
    return ((one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)).min()


@pytest.fixture
def installed(monkeypatch):
    """As if all packages were there in the versions that are pinned."""
    pinned = dict(line.split("==") for line in runtimes.PINS.read_text("utf-8").split() if "==" in line)
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: pinned.get(name) or real(name))


@pytest.fixture
def by_torch(installed, monkeypatch):
    """A runtime that runs the model's own transformer; gives the threads that it was started with."""
    started = []

    def start(folder, threads):
        started.append(threads)
        inner = encoders.load(MODEL).model[0].model

        def run(inputs):
            with torch.inference_mode():
                tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
                return inner(**tensors).last_hidden_state.numpy()

        return run

    monkeypatch.setitem(RUNTIMES, "ONNX Runtime float32", Runtime((), start))
    monkeypatch.setattr(isolated, "run", lambda work, *arguments: (arguments[-1] / "model.onnx").touch())
    return started


def test_every_package_that_a_runtime_needs_is_pinned(installed):
    assert [runtimes.lacking(name) for name in RUNTIMES] == [""] * len(RUNTIMES)


def test_what_is_not_installed_or_of_another_version_is_told_with_the_command(installed, monkeypatch):
    pinned = importlib.metadata.version

    def version(name):
        if name == "openvino":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2.3" if name == "onnxruntime" else pinned(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert runtimes.lacking("OpenVINO bfloat16") == f"not installed: {runtimes.COMMAND}"
    assert runtimes.lacking("ONNX Runtime int8") == (
        f"onnxruntime 1.2.3 is installed, and this needs {pinned('onnxruntime')}: {runtimes.COMMAND}"
    )
    assert not {"OpenVINO bfloat16", "ONNX Runtime int8"} & set(variants.available("transformer"))
    with pytest.raises(WorkbookError, match=r"not as OpenVINO bfloat16 \(not installed: \.venv"):
        variants.make(MODEL, "OpenVINO bfloat16")


def test_a_static_model_has_no_runtime(installed):
    assert variants.every("static") == ["float32"]
    with pytest.raises(WorkbookError, match="tiny-static is a static model: this machine runs it as float32, not as"):
        variants.make("tiny-static", "ONNX Runtime float32")


def test_a_session_takes_the_transformers_place_and_has_as_many_threads_as_torch(data, by_torch, monkeypatch):
    plain, made = encoders.load(MODEL), variants.make(MODEL, "ONNX Runtime float32", max_tokens=16)
    cut = variants.make(MODEL, max_tokens=16)
    for threads in (2, 2, 1):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert least_cosine(made.encode(TEXTS, batch_size=4), cut.encode(TEXTS)) > 1 - 1e-6
    assert by_torch == [2, 1], "opened again for another number, and for no other reason"
    assert made.name == f"{MODEL} (ONNX Runtime float32)" and variants.without_format(made) == MODEL
    own = {"model": made.name, "dtype": "ONNX Runtime float32", "runtime": {"opset": runtimes.OPSET}}
    assert made.identity("query") == plain.identity("query") | own | {"max_tokens": 16}
    assert plain.encode(["bank"]).any(), "another encoder's model is as it was"


def test_a_model_is_exported_once_and_anew_with_another_version(data, by_torch, monkeypatch):
    calls = []
    monkeypatch.setattr(isolated, "run", lambda work, *arguments: calls.append(work.__name__))
    folders = {runtimes._exported(MODEL), runtimes._exported(MODEL)}
    assert len(folders) == len(calls) == 1
    runtimes._quantized(MODEL)
    assert calls == ["_export", "_quantize"], "what is quantized is the export that is there"
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9" if name == "onnx" else version(name))
    assert runtimes._exported(MODEL) not in folders and len(calls) == 3


def test_too_little_memory_is_told_before_exporting(data, by_torch, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5e8))
    with pytest.raises(WorkbookError, match=r"exporting tiny-transformer takes 1\.\d GB and 0\.5 are free"):
        variants.make(MODEL, "ONNX Runtime float32").encode(TEXTS)


def test_an_export_that_fails_leaves_nothing(data, by_torch, monkeypatch):
    def killed(work, *_):
        raise WorkbookError(f"{work.__name__}: its process ended with exit code -9")

    monkeypatch.setattr(isolated, "run", killed)
    with pytest.raises(WorkbookError, match="exit code -9"):
        variants.make(MODEL, "ONNX Runtime float32").encode(TEXTS)
    assert not list((paths.DATA / "models").glob("*onnx*"))


def test_what_the_exporter_says_is_told_in_a_line(data, tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise TypeError("operator 'aten::new' is unknown\nand a page more")

    monkeypatch.setattr(torch.onnx, "export", refuses)
    with pytest.raises(WorkbookError, match=r"cannot be exported \(TypeError: operator 'aten::new' is unknown\)$"):
        runtimes._export(MODEL, tmp_path, None)


def test_what_a_runtime_cannot_open_is_told_in_a_line(data, by_torch, monkeypatch):
    def refuses(*_):
        raise RuntimeError("no such operator\nand a page more")

    monkeypatch.setitem(RUNTIMES, "ONNX Runtime float32", Runtime((), refuses))
    with pytest.raises(WorkbookError, match=r"cannot open the exported model \(RuntimeError: no such operator\)$"):
        variants.make(MODEL, "ONNX Runtime float32").encode(TEXTS)


def test_a_model_with_a_route_for_queries_is_left_to_pytorch(data, by_torch, monkeypatch):
    monkeypatch.setattr(routes, "asymmetric", lambda model: True)
    with pytest.raises(WorkbookError, match="reads queries by a route of their own: it is run by PyTorch alone"):
        runtimes.changed("ONNX Runtime float32", MODEL, encoders.load(MODEL).model)


def test_fastembed_runs_means_alone(data, by_torch):
    model = encoders.load(MODEL).model
    model[1].pooling_mode = "cls"
    with pytest.raises(WorkbookError, match="FastEmbed runs models here that average their tokens, and no other"):
        runtimes.changed("FastEmbed float32", MODEL, model)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_real_runtime_gives_pytorchs_vectors_at_any_length_batch_and_cut(in_shared, name):
    if why := runtimes.lacking(name):
        pytest.skip(why)
    for cut in (None, 8):
        plain, made = variants.make(MODEL, max_tokens=cut), variants.make(MODEL, name, cut)
        for role in ("document", "query"):
            expected, rows = plain.encode(TEXTS, role), made.encode(TEXTS, role, batch_size=3)
            assert rows.dtype == np.float32 and rows.shape == expected.shape
            assert least_cosine(rows, expected) > 1 - FORMAT[name]
    assert made.identity("document")["runtime"].keys() == {*RUNTIMES[name].packages, "opset"}
    assert made.token_count(["river " * 40]) == 8


@pytest.mark.parametrize("name", ["ONNX Runtime float32", "OpenVINO float32", "FastEmbed float32"])
def test_a_broken_export_is_told_by_a_real_runtime(in_shared, tmp_path, name):
    if why := runtimes.lacking(name):
        pytest.skip(why)
    (tmp_path / runtimes.GRAPH).write_bytes(b"no graph")
    with pytest.raises(WorkbookError, match="the runtime cannot open the exported model"):
        runtimes._started(RUNTIMES[name], tmp_path, 1)
