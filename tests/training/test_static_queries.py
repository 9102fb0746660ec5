"""A table of queries for documents that the transformer encoded: its loss, its start, its vectors, what it refuses."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sample_training import SAMPLE, settings, table, unusable
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from workbook.corpora.pairs import Pair
from workbook.embedding import encoders, model_cards, routes, stages, vectors
from workbook.errors import WorkbookError
from workbook.training import start_models, trained_models, training
from workbook.training.objective import FrozenDocuments

TEXTS = [document.full for document in SAMPLE.values()]
ASKS = settings(queries_only=True, dimensions=None, epochs=3)


def table_in_folder(folder):
    return table(SentenceTransformer(str(folder), device="cpu"))


@pytest.fixture(scope="module")
def queries(task):
    """The folder of a table of queries, trained on the sample."""
    return training.train(task, ASKS, 0)


def test_the_loss_is_by_hand_and_counts_a_document_once():
    """Two anchors of one document have one right answer and one wrong one, not themselves as wrong ones."""
    random = np.random.default_rng(0)
    asked, documents = (random.standard_normal((n, 8)).astype(np.float32) for n in (3, 5))
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    loss = FrozenDocuments(lambda _: {"sentence_embedding": torch.from_numpy(asked)}, 5.0, documents)
    found = loss([{}], torch.tensor([4, 1, 4]))
    unit = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    shares = np.exp(5 * unit @ documents[[1, 4]].T)
    shares /= shares.sum(axis=1, keepdims=True)
    assert found.item() == pytest.approx(-np.log([shares[0, 1], shares[1, 0], shares[2, 1]]).mean(), rel=1e-5)


def test_a_start_that_is_turned_finds_the_rotation(task):
    """Vectors that are rotated static ones, of length 1, are found again, and unseen texts lie where they would."""
    random = np.random.default_rng(0)
    turn, _ = np.linalg.qr(random.standard_normal((64, 64)))
    words = " ".join(TEXTS).split()
    texts = [" ".join(random.choice(words, 12)) for _ in range(200)]
    targets = task.start.model.encode(texts, normalize_embeddings=True) @ turn
    for ridge in (0, 1e3):
        aligned = start_models.aligned(task.start.model, texts[:-50], targets[:-50], ridge, seed=0)
        found = aligned.encode(texts, normalize_embeddings=True)
        assert (found * targets).sum(axis=1).min() > 0.999


def test_a_small_ridge_follows_the_texts_and_a_large_one_the_rotation(task):
    random = np.random.default_rng(1)
    targets = random.standard_normal((len(TEXTS), 16))
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    closeness = {}
    for ridge in (1e-4, 0.3, 1e4):
        aligned = start_models.aligned(task.start.model, TEXTS, targets, ridge, 0)
        found = aligned.encode(TEXTS, normalize_embeddings=True)
        closeness[ridge] = (found * targets).sum(axis=1).mean()
    assert closeness[1e-4] > 0.999 > closeness[0.3] > closeness[1e4]


def test_of_many_texts_some_are_drawn(task, monkeypatch):
    monkeypatch.setattr(start_models, "MOST_ALIGNED", 20)
    targets = np.eye(64)[np.arange(len(TEXTS)) % 64]
    tables = [table(start_models.aligned(task.start.model, TEXTS, targets, 0.3, seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(tables[0], tables[1])
    assert not np.allclose(tables[0], tables[2])


def test_documents_are_the_transformers_own_vectors_and_queries_are_not(task, queries, monkeypatch):
    encoder = encoders.load(queries.name)
    np.testing.assert_allclose(encoder.encode(TEXTS), task.teacher.encode(TEXTS), atol=1e-6)
    assert not np.allclose(encoder.encode(TEXTS[:3], "query"), task.teacher.encode(TEXTS[:3], "query"), atol=0.1)
    assert encoder.identity("document") == task.teacher.identity("document") != encoder.identity("query")
    kept = vectors.encode(task.teacher, TEXTS)
    monkeypatch.setattr(encoder, "encode", unusable)
    np.testing.assert_array_equal(vectors.encode(encoder, TEXTS), kept)


def test_its_folder_is_a_table_alone_that_others_open_too(task, queries):
    plain = SentenceTransformer(str(queries), device="cpu")
    assert [type(module) for module in plain] == [StaticEmbedding]
    encoder = encoders.load(queries.name)
    np.testing.assert_allclose(plain.encode(TEXTS[:2]), encoder.encode(TEXTS[:2], "query"), atol=1e-6)
    assert encoders.megabytes(encoder) < encoders.megabytes(task.teacher)
    assert encoder.kind == "transformer" and encoder.asymmetric
    assert task.teacher.name in encoder.remarks
    tokens, rows = stages.token_vectors(encoder, "river bank", "query")
    assert len(tokens) == len(rows) == 2


def test_both_routes_can_be_saved_as_one_folder(queries, tmp_path):
    encoder = encoders.load(queries.name)
    encoder.model.save(str(tmp_path / "both"))
    both = SentenceTransformer(str(tmp_path / "both"), device="cpu")
    np.testing.assert_allclose(both.encode_query(TEXTS[:2]), encoder.encode(TEXTS[:2], "query"), atol=1e-6)
    np.testing.assert_allclose(both.encode_document(TEXTS[:2]), encoder.encode(TEXTS[:2]), atol=1e-6)
    assert encoders.load(str(tmp_path / "both")).kind == "transformer"


def test_training_goes_on_from_the_aligned_start(task, queries):
    history = model_cards.read(queries)["history"]
    assert [epoch["epoch"] for epoch in history] == [0, 1, 2, 3]
    [start] = trained_models.untrained(task, ASKS, 0)
    assert start.identity("document") == task.teacher.identity("document")
    assert not np.allclose(table_in_folder(start.folder), table_in_folder(queries))


def test_it_is_told_from_the_model_that_reads_both(task, queries, trained):
    assert queries.name.startswith("custom-sample-queries-")
    assert trained_models.found(SAMPLE) == trained.name, "which a notebook takes for the corpus's own model"


def test_documents_of_another_model_than_it_was_trained_for_are_refused(queries, tmp_path):
    card = json.loads((queries / model_cards.CARD).read_text())
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in queries.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    card["documents_by"]["revision"] = "another"
    (moved / model_cards.CARD).write_text(json.dumps(card))
    with pytest.raises(WorkbookError, match="moved was trained for vectors that tiny-transformer no longer gives"):
        encoders.load(str(moved))
    card["documents_by"]["libraries"] = {}
    card["documents_by"]["revision"] = encoders.load("tiny-transformer").revision
    (moved / model_cards.CARD).write_text(json.dumps(card))
    assert encoders.load(str(moved)).kind == "transformer", "a library's version moves the seventh digit"


def test_pairs_of_documents_that_have_no_vector_are_refused(task, data):
    foreign = Pair("a question", "an answer", "elsewhere", "labelled")
    with pytest.raises(WorkbookError, match="1 pairs are of documents outside the task"):
        training.train(dataclasses.replace(task, extra=(foreign,)), ASKS, 0)


def test_a_prompt_of_the_transformer_stands_before_documents_alone(task, queries):
    """The table was trained without one."""
    asking = encoders.load(queries.name)
    plain = asking.encode(TEXTS[:2], "query")
    transformer = encoders.load("tiny-transformer").model
    transformer.prompts = {"query": "query: ", "document": "document: "}
    both = routes.joined(SentenceTransformer(str(queries), device="cpu"), transformer, "document: ")
    assert both.prompts == {"query": "", "document": "document: "}
    np.testing.assert_allclose(both.encode_query(TEXTS[:2]), plain, atol=1e-6)
    wanted = task.teacher.model.encode([f"document: {text}" for text in TEXTS[:2]])
    np.testing.assert_allclose(both.encode_document(TEXTS[:2]), wanted, atol=1e-6)
