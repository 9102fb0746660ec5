"""Model files: only the pinned ones of a package, the hub only at a revision, and in float32 whatever they store."""

import copy
import dataclasses
import hashlib
import json
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import sentence_transformers
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Router
from workbook.corpora import corpora
from workbook.embedding import encoders, model_files, variants
from workbook.embedding.models import MODELS, Package
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.runs import plan, runner
from workbook.runs.parts import Part
from workbook.training import start_models

NARROW = {"float16": torch.float16, "bfloat16": torch.bfloat16}
FORMATS = {**NARROW, "float64": torch.float64}
TEXTS = ["the river bank", "a bank lends money", ""]


def test_files_of_a_package_that_are_not_the_pinned_ones_are_refused(monkeypatch):
    pinned = hashlib.sha256(Path(pytest.__file__).read_bytes()).hexdigest()
    for name, files in [
        ("right", {"__init__.py": pinned}), ("wrong", {"__init__.py": pinned[::-1]}), ("gone", {"gone.json": "0"})
    ]:  # fmt: skip
        facts = dataclasses.replace(MODELS["all-MiniLM-L6-v2"], package=Package("pytest", "pytest", files))
        monkeypatch.setitem(MODELS, name, facts)
    encoders.load("right")
    for name, file in (("wrong", "__init__"), ("gone", "gone")):
        with pytest.raises(WorkbookError, match=rf"pytest: {file}\..* is not the pinned one; `make clean` and install"):
            encoders.load(name)


def test_a_hub_out_of_reach_asks_for_a_folder():
    encoder = encoders.load("nobody/no-such-model@main")
    with pytest.raises(WorkbookError, match=r"cannot load nobody/no-such-model .*give its path"):
        encoder.encode(["bank"])


@pytest.mark.parametrize(
    ("name", "hub", "revision"),
    [
        ("owner/name@abc123", "owner/name", "abc123"),
        ("potion-base-8M", "minishlab/potion-base-8M", MODELS["potion-base-8M"].revision),
    ],
)
def test_the_revision_is_passed_to_the_hub(monkeypatch, name, hub, revision):
    opened = []

    def refuse(source, **options):
        opened.append((source, options["revision"], options["trust_remote_code"]))
        raise OSError

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", refuse)
    with pytest.raises(WorkbookError):
        encoders.load(name).encode(["bank"])
    assert opened == [(hub, revision, False)]


@pytest.mark.parametrize("name", ["potion-base-8M", "owner/name@abc123"])
def test_a_model_that_must_come_from_the_hub_is_asked_for_before_the_start(name):
    with pytest.raises(WorkbookError, match=r"cannot load .*copy the model's folder"):
        model_files.check_reachable(name)


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "static-distilled", "tiny-static"])
def test_a_model_that_is_here_needs_no_hub(name):
    model_files.check_reachable(name)


@pytest.fixture
def by_hand(data, monkeypatch):
    """A folder in data/models with a tiny model under the name of a registered hub model; the hub may not be asked."""
    facts = dataclasses.replace(MODELS["all-mpnet-base-v2"], kind="static", dimensions=64, matryoshka=(64, 32))
    monkeypatch.setitem(MODELS, "all-mpnet-base-v2", facts)
    for asked in ("snapshot_download", "HfApi"):
        monkeypatch.setattr(huggingface_hub, asked, lambda *_, **__: pytest.fail("the hub was asked"))
    encoders.load("tiny-static").model.save(str(data / "models" / "all-mpnet-base-v2"))
    return data / "models" / "all-mpnet-base-v2"


def test_a_hub_model_put_by_hand_is_taken_before_the_hub_is_asked(by_hand):
    model_files.check_reachable("all-mpnet-base-v2")
    found = encoders.load("all-mpnet-base-v2")
    np.testing.assert_array_equal(found.encode(TEXTS), encoders.load("tiny-static").encode(TEXTS))
    assert (found.name, found.matryoshka, found.max_tokens) == ("all-mpnet-base-v2", (64, 32), 384)
    assert found.revision == f"sha256:{model_files.folder_sha256(by_hand)}" != MODELS["all-mpnet-base-v2"].revision
    assert found.remarks == ", from files put there by hand, which may be another revision than the pinned one"
    assert not encoders.load("tiny-static").remarks


def test_what_else_lies_in_the_folder_of_a_hub_model_has_no_weight(by_hand):
    (by_hand / "onnx").mkdir()
    (by_hand / "onnx" / "model.onnx").write_bytes(b"0" * 10**6)
    assert encoders.megabytes(encoders.load("all-mpnet-base-v2")) < 0.9
    assert variants.make("all-mpnet-base-v2", max_tokens=8).encode(TEXTS).shape == (3, 64)


def test_another_model_put_under_a_hub_models_name_is_refused(by_hand, monkeypatch):
    monkeypatch.setitem(MODELS, "all-mpnet-base-v2", dataclasses.replace(MODELS["all-mpnet-base-v2"], dimensions=768))
    encoder = encoders.load("all-mpnet-base-v2")
    told = (
        "all-mpnet-base-v2 gives vectors of 64 dimensions, but the model of that name has 768: put its own files there"
    )
    with pytest.raises(WorkbookError, match=told):
        encoder.encode(TEXTS)
    with pytest.raises(WorkbookError, match=told):
        runner.fetch([Part("x", "", [plan.Job("01_first", {"static_model": "all-mpnet-base-v2"}, 60)])])
    (by_hand / "modules.json").unlink()
    with pytest.raises(WorkbookError, match=r"modules\.json does not list modules: give a folder"):
        encoders.load("all-mpnet-base-v2")


def test_files_of_a_package_go_before_those_put_by_hand(data):
    encoders.load("tiny-static").model.save(str(data / "models" / "all-MiniLM-L6-v2"))
    assert encoders.load("all-MiniLM-L6-v2").revision == MODELS["all-MiniLM-L6-v2"].revision


def test_a_hub_id_without_its_revision_is_refused():
    with pytest.raises(WorkbookError, match="owner/name@revision"):
        encoders.check("owner/name")


def test_a_folder_is_found_by_its_path_or_by_its_name_in_data_models(data, tmp_path):
    kept, elsewhere = data / "models" / "mine", tmp_path / "elsewhere"
    for folder in (kept, elsewhere):
        folder.mkdir(parents=True)
        (folder / "modules.json").write_text("[]")
    assert model_files.folder_named("mine") == kept
    assert model_files.folder_named(str(elsewhere)) == elsewhere
    (data / "models" / "file").write_text("not a model")
    (data / "models" / "half.training").mkdir()
    for name in ("elsewhere", "file", "nothing", "half.training", "", ".."):
        assert model_files.folder_named(name) is None, name


def test_the_card_tells_the_dimensions_a_model_was_trained_for(tmp_path):
    assert model_files.trained_dimensions(tmp_path) == ()
    spoilt = ["", '{"settings": {"dim', "[1, 2]", '{"settings": {}}', '{"settings": null}']
    for card in [*spoilt, '{"settings": {"dimensions": 32}}']:
        (tmp_path / model_files.CARD).write_text(card)
        assert model_files.trained_dimensions(tmp_path) == (), card
    (tmp_path / model_files.CARD).write_text('{"settings": {"dimensions": [32, 16], "epochs": 5}}')
    assert model_files.trained_dimensions(tmp_path) == (32, 16)


def test_what_a_card_tells_of_a_model_is_not_in_its_revision(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    bare = model_files.folder_sha256(tmp_path)
    (tmp_path / model_files.CARD).write_text('{"seconds": 47.1}', encoding="utf-8")
    (tmp_path / "README.md").write_text("| seconds | 47.1 |", encoding="utf-8")
    assert model_files.folder_sha256(tmp_path) == bare
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert model_files.folder_sha256(tmp_path) != bare


@pytest.fixture
def saved(in_shared, tmp_path):
    """Save a tiny model in a number format; gives the folder."""

    def save(name, dtype):
        copy.deepcopy(encoders.load(name).model).to(dtype).save(str(tmp_path / "mine"), create_model_card=False)
        return tmp_path / "mine"

    return save


def rounded(name, dtype):
    """A tiny model whose weights are those of the format, in float32."""
    return copy.deepcopy(encoders.load(name).model).to(dtype).float()


@pytest.mark.parametrize("name", ["tiny-static", "tiny-transformer"])
@pytest.mark.parametrize("dtype", FORMATS)
def test_a_model_stored_in_another_format_is_run_in_float32_and_tells(saved, name, dtype):
    encoder = encoders.load(str(saved(name, FORMATS[dtype])))
    before = {"model", "revision", "prompt", "max_tokens", "dtype", "libraries"}  # of float32, as its keys always were
    assert set(encoders.load(name).identity("query")) == before
    assert set(encoder.identity("query")) == before | {"stored_dtype"}
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    np.testing.assert_array_equal(encoder.encode(TEXTS), rounded(name, FORMATS[dtype]).encode(TEXTS))
    assert name == "tiny-transformer" or start_models.copy(encoder.model)[0].embedding.weight.dtype == torch.float32
    assert (encoder.dtype, encoder.stored_dtype, encoder.remarks) == ("float32", dtype, f", stored as {dtype}")
    ran = results.what_ran(corpora.load("sample"), encoder, given={}).data
    assert ran.loc["model mine", ""] == f"{encoder.kind}, revision {encoder.revision[:19]}, stored as {dtype}"


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("tokens", "apart"), [(65_520, 2e-3), pytest.param(1_000_000, 2e-2, marks=pytest.mark.slow)])
def test_a_long_text_is_the_mean_of_its_rows_whatever_the_table_is_stored_in(saved, dtype, tokens, apart):
    encoder = encoders.load(str(saved("tiny-static", FORMATS[dtype])))
    table = rounded("tiny-static", FORMATS[dtype])[0].embedding.weight.detach().numpy()
    right = table[encoder.tokenize(["river bank"])[0]].astype(np.float64).mean(axis=0)
    found = encoder.encode(["river bank " * (tokens // 2)])[0]
    assert np.abs(found - right).max() < apart * np.abs(right).max(), "float32 adds so many numbers no better"
    assert found @ right / np.linalg.norm(found) / np.linalg.norm(right) > 0.9999


@pytest.mark.parametrize("dtype", NARROW)
def test_variants_start_from_float32(saved, dtype):
    folder = str(saved("tiny-transformer", NARROW[dtype]))
    exact = encoders.load(folder).encode(TEXTS)
    for variant in ("bfloat16", "int8"):
        made = variants.make(folder, variant)
        near = made.encode(TEXTS)
        assert ((near * exact).sum(1) / np.linalg.norm(near, axis=1) / np.linalg.norm(exact, axis=1)).min() > 0.99
        assert (made.dtype, made.stored_dtype) == (variant, dtype)
        assert made.identity("query")["stored_dtype"] == dtype


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", ["tiny-static", "tiny-transformer"])
def test_what_stands_after_a_narrow_table_is_not_rounded_to_its_format(saved, name, dtype):
    torch.manual_seed(0)
    dense, folder = Dense(64, 32, activation_function=torch.nn.Identity()), saved(name, NARROW[dtype])
    (folder / "9_Dense").mkdir()
    dense.save(str(folder / "9_Dense"))  # in float32; Sentence Transformers itself would have rounded it on saving
    listed = json.loads((folder / "modules.json").read_text())
    listed.append({"idx": len(listed), "name": "9", "path": "9_Dense", "type": f"{Dense.__module__}.Dense"})
    (folder / "modules.json").write_text(json.dumps(listed))
    encoder = encoders.load(str(folder))
    torch.testing.assert_close(encoder.model[-1].linear.weight, dense.linear.weight, rtol=0, atol=0)
    assert encoder.stored_dtype == f"{dtype} and float32"
    right = dense.linear(torch.from_numpy(rounded(name, NARROW[dtype]).encode(TEXTS))).detach()
    np.testing.assert_allclose(encoder.encode(TEXTS), right, atol=1e-6)


def test_a_routers_modules_are_read_as_float32_too(in_shared, tmp_path):
    halves = [copy.deepcopy(encoders.load(name).model).half() for name in ("tiny-static", "tiny-transformer")]
    router = Router.for_query_document(*map(list, halves))
    SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path / "mine"), create_model_card=False)
    encoder = encoders.load(str(tmp_path / "mine"))
    for role, name in (("query", "tiny-static"), ("document", "tiny-transformer")):
        np.testing.assert_array_equal(encoder.encode(TEXTS, role), rounded(name, torch.float16).encode(TEXTS))
    assert encoder.stored_dtype == "float16"


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8, torch.uint8, torch.int32])
def test_numbers_that_mean_nothing_without_their_scale_are_refused(saved, dtype):
    folder = saved("tiny-static", torch.float32)
    table = load_file(folder / "model.safetensors")["embedding.weight"]
    save_file({"embedding.weight": (table * 50).to(dtype)}, folder / "model.safetensors")
    with pytest.raises(WorkbookError, match=r"model\.safetensors stores embedding\.weight as .*: save the model as"):
        encoders.load(str(folder))


def cached(tmp_path, monkeypatch, folder):
    """Have the hub's local cache hold a folder as owner/name@revision."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "cache"))
    revision = "a" * 40
    place = tmp_path / "cache" / "models--owner--name" / "snapshots" / revision
    place.parent.mkdir(parents=True)
    folder.rename(place)
    return f"owner/name@{revision}"


def test_a_hubs_model_is_run_in_float32_and_tells_its_format(saved, tmp_path, monkeypatch):
    name = cached(tmp_path, monkeypatch, saved("tiny-static", torch.float16))
    encoder = encoders.load(name)
    np.testing.assert_array_equal(encoder.encode(TEXTS), rounded("tiny-static", torch.float16).encode(TEXTS))
    assert encoder.identity("query")["stored_dtype"] == encoder.stored_dtype == "float16"
    files = (tmp_path / "cache").rglob("*")
    assert encoders.megabytes(encoder) == sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def test_a_hubs_model_that_is_no_embedding_model_is_refused(saved, tmp_path, monkeypatch):
    folder = saved("tiny-transformer", torch.float32)
    (folder / "modules.json").unlink()  # as of a cross-encoder: Sentence Transformers would pool it without a word
    with pytest.raises(WorkbookError, match="owner/name does not list its modules: the workbook measures"):
        encoders.load(cached(tmp_path, monkeypatch, folder)).encode(TEXTS)
