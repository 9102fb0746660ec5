"""A static model in model2vec's forms: that each is what it is called, means the same, and is whole or not there."""

import os
import sys

import model2vec
import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from workbook import paths
from workbook.corpora import corpora
from workbook.embedding import encoders, exports, vectors
from workbook.embedding.encoders import Encoder
from workbook.embedding.exports import FLOAT32, Form
from workbook.errors import WorkbookError

TEXTS = [*corpora.load("sample").document_texts, "river " * 600 + "bank " * 600]
FORMS = [FLOAT32, Form("float16"), Form("int8"), Form(vocabulary=100)]


@pytest.fixture(scope="module")
def static(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        encoder = encoders.load("tiny-static")
        assert encoder.model  # made now, in the module's data folder
        yield encoder


@pytest.fixture
def saved(static, tmp_path):
    """Gives the folder of a form."""

    def save(form):
        exports.save(static, tmp_path / form.name, form)
        return tmp_path / form.name

    return save


def test_a_saved_tokenizer_is_the_models_own_and_stays_as_it_was(static, saved):
    before = static.model.tokenizer.to_str()
    folder = saved(FLOAT32)
    assert static.model.tokenizer.to_str() == before
    ids = exports.load(folder, FLOAT32).tokenize(["river bank"])
    assert ids == static.tokenize(["river bank"])


@pytest.mark.parametrize(
    ("form", "dtype", "bytes_each"), [(FLOAT32, "F32", 4), (Form("float16"), "F16", 2), (Form("int8"), "I8", 1)]
)
def test_numbers_are_stored_in_the_type_they_are_called_by(static, saved, form, dtype, bytes_each):
    folder = saved(form)
    numbers = static.parameters()
    assert 0 < (folder / exports.TABLE).stat().st_size - numbers * bytes_each < 200
    assert f'"dtype":"{dtype}"'.encode() in (folder / exports.TABLE).read_bytes()[:200]
    model = exports.load(folder, form)
    assert model.embedding.shape == static.model[0].embedding.weight.shape and model.token_mapping is None


def test_a_vocabulary_has_so_many_rows_for_all_tokens(static, saved):
    folder = saved(Form(vocabulary=100))
    model, tokens = exports.load(folder, Form(vocabulary=100)), len(static.model.tokenizer.get_vocab())
    assert model.embedding.shape == (100, 64) and model.embedding.dtype == np.float32
    assert model.token_mapping.shape == model.weights.shape == (tokens,)
    assert set(model.token_mapping.tolist()) <= set(range(100))
    assert 0 < (folder / exports.TABLE).stat().st_size - 4 * (100 * 64 + 2 * tokens) < 400


def test_int8_numbers_are_the_rows_by_one_scale(static, saved):
    rows = static.model[0].embedding.weight.detach().numpy()
    stored = exports.load(saved(Form("int8")), Form("int8")).embedding.astype(np.float32)
    scale = np.abs(rows).max() / 127
    assert np.abs(stored).max() == 127
    assert np.abs(stored * scale - rows).max() < 0.55 * scale, "half a step, and model2vec divides in float16"


@pytest.mark.parametrize(("form", "least"), [(FLOAT32, 0.9999995), (Form("float16"), 0.99999), (Form("int8"), 0.95)])
def test_vectors_point_where_the_models_do(static, saved, form, least):
    expected = static.model.encode(TEXTS, normalize_embeddings=True)
    found = exports.load(saved(form), form).encode(TEXTS).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-2)
    cosines = (vectors.truncate(found, 64) * expected).sum(axis=1)
    assert cosines.min() > least
    assert form == FLOAT32 or cosines.min() < 0.9999999, "fewer bits must show"


@pytest.mark.parametrize(("form", "stored"), list(zip(FORMS, ["float32", "float16", "int8", "float32"], strict=True)))
def test_every_reader_gives_the_same_vectors_of_a_form(saved, data, form, stored):
    folder = saved(form)
    encoder = encoders.load(str(folder))
    assert (encoder.kind, encoder.stored_dtype, encoder.model[0].embedding.weight.dtype) == (
        "static", stored, torch.float32
    )  # fmt: skip
    here = vectors.truncate(encoder.encode(TEXTS), 64)
    for model in (exports.load(folder, form), model2vec.StaticModel.from_pretrained(folder)):
        there = vectors.truncate(model.encode(TEXTS).astype(np.float32), 64)
        np.testing.assert_allclose(here, there, atol=2e-3 if form.dtype == "float16" else 1e-6)
        np.testing.assert_array_equal((here @ here.T).argmax(axis=1), (there @ there.T).argmax(axis=1))


def test_a_form_that_was_read_back_is_stored_again(saved, data, tmp_path):
    encoder = encoders.load(str(saved(Form("int8"))))
    exports.save(encoder, tmp_path / "again", Form("int8"))
    again = encoders.load(str(tmp_path / "again"))
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))


@pytest.mark.parametrize("asked", [*FORMS, Form(vocabulary=99)], ids=lambda form: form.name)
@pytest.mark.parametrize("stored", FORMS, ids=lambda form: form.name)
def test_a_form_that_is_not_the_one_asked_for_is_refused(saved, asked, stored):
    folder = saved(stored)
    if asked == stored:
        assert exports.load(folder, asked).max_length is None
    else:
        with pytest.raises(WorkbookError, match=f"{folder.name} should be .* and model2vec loads"):
            exports.load(folder, asked)


def test_forms_are_named_and_the_smaller_vocabularies_are_shares_of_the_tokens(static):
    tokens = len(static.model.tokenizer.get_vocab())
    assert exports.forms(static) == [
        FLOAT32, Form("float16"), Form("int8"), Form("float32", tokens // 4), Form("float32", tokens // 16)
    ]  # fmt: skip
    assert [form.name for form in exports.forms(static, [1_000])] == ["float32", "float16", "int8", "vocabulary 1,000"]
    assert exports.forms(static, []) == [FLOAT32, Form("float16"), Form("int8")]
    assert exports.forms(static, [tokens - 1, 1])[-2:] == [Form(vocabulary=tokens - 1), Form(vocabulary=1)]


def test_a_vocabulary_must_have_a_row_and_be_smaller_than_the_models(static):
    tokens = len(static.model.tokenizer.get_vocab())
    for size in (-5, 0, tokens, tokens + 1):
        with pytest.raises(WorkbookError, match=f"tiny-static has {tokens:,} tokens: give a vocabulary of 1 to"):
            exports.forms(static, [10, size])


def test_a_transformer_is_refused_and_nothing_is_written(data, tmp_path):
    transformer = encoders.load("tiny-transformer")
    for work in (lambda: exports.forms(transformer), lambda: exports.save(transformer, tmp_path / "exported")):
        with pytest.raises(WorkbookError, match="tiny-transformer is a transformer: model2vec stores static models"):
            work()
    assert not (tmp_path / "exported").exists()


def test_a_model_that_does_more_than_average_is_refused(static, tmp_path):
    dense = SentenceTransformer(modules=[static.model[0], Dense(64, 32)], device="cpu")
    plus, cut = Encoder("mine", None, "1", lambda: dense), Encoder("mine", None, "1", lambda: static.model, cut=5)
    for encoder, more in ((plus, "has Dense after its table"), (cut, "cuts texts")):
        with pytest.raises(WorkbookError, match=f"mine {more}: model2vec would not do the same"):
            exports.save(encoder, tmp_path / "exported")
    static.model[0].tokenizer.no_truncation()


def test_a_kept_form_is_found_again_and_each_form_model_and_library_has_its_own_folder(static, data, monkeypatch):
    folders = [exports.keep(static, form) for form in FORMS]
    assert len(set(folders)) == len(FORMS) and {folder.parent for folder in folders} == {data / "models"}
    assert all(folder.name.startswith("tiny-static-") for folder in folders)
    with monkeypatch.context() as patch:
        patch.setattr(exports, "save", None)
        assert [exports.keep(static, form) for form in FORMS] == folders
    changed = Encoder("tiny-static", static.facts, "another revision", lambda: static.model)
    assert exports.keep(changed, FLOAT32) not in folders
    version = encoders._version
    monkeypatch.setattr(encoders, "_version", lambda name: "0" if name == "model2vec" else version(name))
    assert exports.keep(static, FLOAT32) not in folders


def test_a_folder_with_something_in_it_is_not_written_to(static, tmp_path):
    (tmp_path / "mine").mkdir()
    exports.save(static, tmp_path / "mine")
    before = (tmp_path / "mine" / exports.TABLE).read_bytes()
    with pytest.raises(WorkbookError, match="mine has something in it: remove it or give another folder"):
        exports.save(static, tmp_path / "mine", Form("int8"))
    assert (tmp_path / "mine" / exports.TABLE).read_bytes() == before


def test_a_full_disk_is_told_as_such_and_nothing_is_left(static, data, monkeypatch):
    def full(self, path):
        path.mkdir()
        (path / "config.json").write_text("{}")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(model2vec.StaticModel, "save_pretrained", full)
    with pytest.raises(WorkbookError, match=f"cannot write .*: {os.strerror(28)}; make room or set WORKBOOK_DATA"):
        exports.keep(static, FLOAT32)
    assert list((data / "models").iterdir()) == []


def test_fastembed_that_is_not_installed_is_told_with_the_command(static, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastembed", None)
    monkeypatch.setitem(sys.modules, "fastembed.text.static_embedding", None)
    with pytest.raises(WorkbookError, match=r"not installed: pip install -r notebooks/optional\.txt"):
        exports.fastembed(static)


def test_fastembed_gives_the_direction_of_model2vecs_vectors(static):
    pytest.importorskip("fastembed")
    texts = TEXTS[:20]
    found = np.array(list(exports.fastembed(static)(texts)))
    expected = exports.load(exports.keep(static, FLOAT32), FLOAT32).encode(texts)
    np.testing.assert_allclose(found, expected, atol=1e-6)
