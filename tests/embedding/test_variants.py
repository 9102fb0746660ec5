"""Variants: what each does to a model, that no other encoder's model is touched, and where texts are cut."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from workbook.embedding import encoders, runtimes, variants
from workbook.errors import WorkbookError

TEXTS = ["The river bank gives way", "bank account", ""]
CONVERTED = ["bfloat16", "int8"]


@pytest.fixture(autouse=True)
def pytorch_alone(monkeypatch):
    """No GPU and no other runtime, whatever is installed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtimes, "lacking", lambda name: "not installed")


def linear(encoder):
    return encoder.model[0].auto_model.encoder.layer[0].intermediate.dense


def test_a_machine_with_a_gpu_runs_a_transformer_there_in_half_precision(monkeypatch):
    assert variants.available("transformer") == ["float32", *CONVERTED]
    assert variants.available("static") == ["float32"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert variants.available("transformer") == [
        "float32",
        *CONVERTED,
        *(f"{name} on the GPU" for name in ("float32", "bfloat16", "float16")),
    ]
    assert variants.available("static") == ["float32"]
    kinds, change, device = variants.VARIANTS["float16 on the GPU"]
    assert (kinds, device) == (("transformer",), "cuda")
    assert change(encoders.load("tiny-transformer").model).dtype == torch.float16


@pytest.mark.parametrize("name", ["tiny-static", "tiny-transformer"])
def test_float32_is_the_model_as_it_is_loaded_and_a_cut_keeps_its_name(data, name):
    made, loaded = variants.make(name), encoders.load(name)
    assert made.identity("document") == loaded.identity("document")
    np.testing.assert_array_equal(made.encode(TEXTS), loaded.encode(TEXTS))
    cut = variants.make(name, max_tokens=8)
    assert made.name == cut.name == name and cut.max_tokens == 8
    assert cut.identity("query") == loaded.identity("query") | {"max_tokens": 8} != loaded.identity("query")


@pytest.mark.parametrize(("variant", "dtype"), [("bfloat16", torch.bfloat16), ("int8", torch.qint8)])
def test_a_variant_gives_nearly_the_same_vectors_and_says_in_its_name_and_identity_what_it_is(data, variant, dtype):
    plain, made = encoders.load("tiny-transformer"), variants.make("tiny-transformer", variant)
    assert made.name == f"tiny-transformer ({variant})" and variants.without_format(made) == plain.name
    changed = {"model": made.name, "dtype": variant}
    assert made.identity("document") == plain.identity("document") | changed
    assert (made.dimensions, made.kind, made.max_tokens) == (64, "transformer", 256)
    exact, near = plain.encode(TEXTS), made.encode(TEXTS)
    assert near.dtype == np.float32
    assert not np.array_equal(exact, near), "nothing was converted"
    cosines = (exact * near).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(near, axis=1)
    assert cosines.min() > 0.99
    weight = linear(made).weight
    assert (weight() if callable(weight) else weight).dtype == dtype


@pytest.mark.parametrize("variant", CONVERTED)
def test_no_encoder_changes_the_model_of_another(data, variant):
    """In either order: held before the variant is made, and made after."""
    before = encoders.load("tiny-transformer")
    vectors = before.encode(TEXTS)
    variants.make("tiny-transformer", variant, max_tokens=4).encode(TEXTS)
    np.testing.assert_array_equal(before.encode(TEXTS), vectors)
    np.testing.assert_array_equal(variants.make("tiny-transformer").encode(TEXTS), vectors)
    assert linear(before).weight.dtype == torch.float32


def test_quantizing_says_nothing(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        variants.make("tiny-transformer", "int8").encode(TEXTS)


def test_int8_finds_an_engine_where_torch_chooses_none(data, monkeypatch):
    """On ARM; what is set here reaches no torch, so that it quantizes as before."""
    monkeypatch.setattr(torch.backends, "quantized", engines := SimpleNamespace(engine="none"))
    assert linear(variants.make("tiny-transformer", "int8")).weight().dtype == torch.qint8
    assert engines.engine == "qnnpack"


def test_the_model_is_opened_at_the_first_text(data):
    variants.make("tiny-transformer", "int8", max_tokens=8)
    assert not data.exists()


@pytest.mark.parametrize(("name", "cut"), [("tiny-static", 4), ("tiny-transformer", 6)])
def test_either_kind_reads_as_far_as_the_cut_and_no_further(data, name, cut):
    """Four words: the transformer's two special tokens count."""
    plain, made = encoders.load(name), variants.make(name, max_tokens=cut)
    long, short = "the river bank gives way to the river", "the river bank gives"
    assert made.token_count([long, "bank"]) == cut + plain.token_count(["bank"])
    np.testing.assert_allclose(made.encode([long]), plain.encode([short]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made.encode([short]), plain.encode([short]), rtol=1e-5, atol=1e-6)
    assert not np.allclose(plain.encode([long]), plain.encode([short]), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "cut", "limits"),
    [
        ("tiny-static", 0, "at least 1"),
        ("tiny-static", -1, "at least 1"),
        ("tiny-transformer", 2, "3 to 256"),
        ("tiny-transformer", 257, "3 to 256"),
    ],
)
def test_a_cut_that_leaves_nothing_or_is_above_the_models_own_limit_is_refused(data, name, cut, limits):
    with pytest.raises(WorkbookError, match=rf"{name} cannot be cut at {cut} tokens: give {limits}"):
        variants.make(name, max_tokens=cut)


def test_the_widest_cuts_are_allowed(data):
    assert variants.make("tiny-transformer", max_tokens=256).max_tokens == 256
    assert variants.make("tiny-static", max_tokens=100_000).token_count(["river " * 200_000]) == 100_000


def test_a_saved_folder_has_variants_and_a_limit_too(data, tmp_path):
    encoders.load("tiny-transformer").model.save(str(tmp_path / "mine"))
    made = variants.make(str(tmp_path / "mine"), "int8", max_tokens=6)
    assert (made.name, made.max_tokens, made.kind, made.dimensions) == ("mine (int8)", 6, "transformer", 64)
    assert made.token_count(["river " * 20]) == 6
    assert linear(made).weight().dtype == torch.qint8
    with pytest.raises(WorkbookError, match="mine cannot be cut at 257 tokens"):
        variants.make(str(tmp_path / "mine"), max_tokens=257)


def test_an_unknown_variant_lists_the_known_ones():
    with pytest.raises(WorkbookError, match=r"unknown variant 'float8'.*float32, bfloat16, int8"):
        variants.make("tiny-transformer", "float8")


@pytest.mark.parametrize(("name", "variant"), [("tiny-static", "int8"), ("tiny-transformer", "float16 on the GPU")])
def test_what_cannot_run_here_is_refused_with_what_can(data, name, variant):
    with pytest.raises(WorkbookError, match=f"{name} is a .* model: this machine runs it as float32.*not as {variant}"):
        variants.make(name, variant)
