"""Training on documents alone: what comes out, what decides it, and what stops it."""

import dataclasses
import errno
import itertools
import json
import shutil
import types

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from sample_training import SAMPLE, USUAL, settings, table, table_in, unusable
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from workbook import paths
from workbook.corpora import pairs
from workbook.corpora.corpora import Document
from workbook.corpora.pairs import Pair
from workbook.embedding import encoders, model_cards, vectors
from workbook.errors import WorkbookError
from workbook.training import objective, trainer, training

STEPS = 4  # an epoch of the sample's pairs


def trained_on(task):
    """The pairs of a task with the usual settings and seed 0."""
    return pairs.make({key: SAMPLE[key] for key in SAMPLE if key not in task.held_out}, pairs.KINDS, 5, 0)


def works(data):
    return sorted((data / "models").glob("*.training"))


def test_training_changes_the_model_and_leaves_its_start_as_it_was(task, untouched, trained):
    np.testing.assert_array_equal(table(task.start.model), untouched)
    assert table_in(trained).shape == untouched.shape
    assert np.abs(table_in(trained) - untouched).max() > 0.01


def test_the_result_is_loaded_by_its_name_and_knows_its_dimensions(trained):
    encoder = encoders.load(trained.name)
    assert (encoder.kind, encoder.dimensions, encoder.matryoshka) == ("static", 64, (64, 32, 16))
    np.testing.assert_array_equal(table(encoder.model), table_in(trained))
    assert np.isfinite(encoder.encode(["river bank", ""])).all()
    assert encoder.token_count(["river " * 600]) == 600


def test_training_learns_which_words_mean_the_same(task, tmp_path, data):
    """Titles in one language, texts in another: only pairs tell which words belong together."""
    random = np.random.default_rng(0)
    words = [f"{language}{number}" for language in ("title", "text") for number in range(20)]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="title0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    embedding = StaticEmbedding(tokenizer, embedding_weights=random.standard_normal((40, 64)).astype(np.float32))
    SentenceTransformer(modules=[embedding], device="cpu").save(str(tmp_path / "random"))
    meanings = [random.choice(20, 3, replace=False) for _ in range(300)]
    documents = {
        f"d{number}": Document(" ".join(f"title{one}" for one in three), " ".join(f"text{one}" for one in three))
        for number, three in enumerate(meanings)
    }
    own = training.task("languages", documents, encoders.load(str(tmp_path / "random")), task.teacher, 0)
    history = model_cards.read(training.train(own, settings(learning_rate=0.1, epochs=4), 0))["history"]
    assert history[0]["score"] < 0.1
    assert history[-1]["score"] > 0.8


def test_the_second_time_nothing_is_trained(task, trained, monkeypatch):
    before = trained.stat().st_mtime_ns
    monkeypatch.setattr(training, "_fit", unusable)
    assert training.train(task, USUAL, seed=0) == trained
    assert trained.stat().st_mtime_ns == before


def test_the_seed_decides_the_table(task, trained, data):
    again, other = (training.train(task, USUAL, seed) for seed in (0, 1))
    assert again.name == trained.name != other.name
    np.testing.assert_array_equal(table_in(again), table_in(trained))
    assert not np.allclose(table_in(other), table_in(trained))


def test_what_decides_a_training_decides_its_folder(task, data, given):
    changed = [{"epochs": 3}, {"kinds": ["title"]}, {"dimensions": [32]}, {"frequencies": True}]
    found = [training.train(task, settings(**change), 0) for change in [{}, *changed]]
    found.append(training.train(dataclasses.replace(task, held_out=frozenset(list(SAMPLE)[:10])), settings(), 0))
    extra = (Pair("a", "b", "elsewhere", "labelled"),)
    found.append(training.train(dataclasses.replace(task, extra=extra), settings(), 0))
    changed = {**SAMPLE, "bank-river-erosion": Document("Title", "One text. Another sentence stands here.")}
    found.append(training.train(dataclasses.replace(task, documents=changed), settings(), 0))
    held_out = {**SAMPLE, min(task.held_out): Document("Title", "One text. Another is here now.")}
    found.append(training.train(dataclasses.replace(task, documents=held_out), settings(), 0))
    assert len({folder.name for folder in found}) == len(found)


def test_the_card_says_how_the_model_was_made(task, trained):
    card = model_cards.read(trained)
    used = dataclasses.replace(USUAL, kinds=("title", "summary", "sentence"))  # a span is taken of no document
    assert card["settings"] == json.loads(json.dumps(dataclasses.asdict(used)))
    assert (card["seed"], card["name"], card["documents"], card["held_out"]) == (0, "sample", 62, 10)
    assert card["start"] == task.start.identity("document")
    assert card["teacher"] is None, "neither words nor a teacher's term was asked for"
    assert len(card["pairs_sha256"]) == len(card["held_out_sha256"]) == 64
    assert card["pairs"] == len(trained_on(task))
    assert card["parameters"] == table_in(trained).size
    assert [epoch["epoch"] for epoch in card["history"]] == [0, 1, 2, 3]
    assert set(card["history"][0]) == {"epoch", "seconds", "score", "error", "rank"}
    assert card["seconds"] >= card["history"][-1]["seconds"] - 0.1
    assert card["peak_memory_mb"] > 100
    assert {"torch", "sentence-transformers"} <= set(card["libraries"])


def test_nothing_but_the_model_is_left(task, trained):
    assert trained.parent == paths.DATA / "models"
    assert not works(paths.DATA)
    assert not list(paths.DATA.rglob("checkpoint-*"))
    assert not list((paths.DATA / "models").glob(".*"))


def test_an_interrupted_training_goes_on_and_gives_the_same_table(task, trained, data, monkeypatch):
    judge, judged = training._score(task, None), []

    def score(model):
        judged.append(model)
        if len(judged) == 4:  # after the start and two epochs
            raise KeyboardInterrupt
        return judge(model)

    monkeypatch.setattr(training, "_score", lambda of, taught: score)
    with pytest.raises(KeyboardInterrupt):
        training.train(task, USUAL, 0)
    (work,) = works(data)
    assert (work / f"checkpoint-{2 * STEPS}" / trainer.STATE).is_file()
    assert not (data / "models" / trained.name).exists()
    resumed = training.train(task, USUAL, 0)
    assert len(judged) == 4 + 2, "again the start, and the third epoch"
    np.testing.assert_array_equal(table_in(resumed), table_in(trained))
    assert not work.exists()


def test_a_disk_that_fills_up_ends_training_and_room_lets_it_go_on(task, trained, data, monkeypatch):
    calls, save = itertools.count(), torch.save

    def full(*arguments, **options):
        if next(calls) == 3:  # optimizer, scheduler and random state of the first epoch are written
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(WorkbookError, match=rf"cannot write .*{trained.name}.training: .*; make room"):
            training.train(task, USUAL, 0)
    assert not (data / "models" / trained.name).exists()
    resumed = training.train(task, USUAL, 0)
    np.testing.assert_array_equal(table_in(resumed), table_in(trained))
    assert not works(data)


def test_an_error_that_is_no_full_disk_is_not_taken_for_one(task, data, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr(trainer, "fit", fails)
    with pytest.raises(RuntimeError, match="something else"):
        training.train(task, settings(), 0)


def test_a_disk_that_is_full_at_the_end_is_said_too(task, data, given, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(SentenceTransformer, "save", full)
    with pytest.raises(WorkbookError, match="make room"):
        training.train(task, settings(), 0)
    assert not list((data / "models").glob(".*"))


def test_a_disk_too_full_is_said_before_training(task, data, monkeypatch):
    needed = 10 * 4 * table(task.start.model).size  # three checkpoints of three numbers, and the model: float32
    monkeypatch.setattr(trainer, "fit", unusable)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=needed - 1))
    with pytest.raises(WorkbookError, match=r"training needs 4 MB .* has 4 MB: make room or set WORKBOOK_DATA"):
        training.train(task, settings(), 0)
    assert not works(data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=needed))
    with pytest.raises(AssertionError):
        training.train(task, settings(), 0)


def test_a_loss_that_is_no_number_leaves_the_epochs_before_it(task, trained, data, monkeypatch):
    calls, compute = itertools.count(), objective.Objective.compute_loss_from_embeddings

    def spoilt(self, embeddings, labels):
        factor = 1.0 if next(calls) < 2 * STEPS * 3 else float("nan")  # two epochs in three dimensions are well
        return compute(self, [factor * each for each in embeddings], labels)

    monkeypatch.setattr(objective.Objective, "compute_loss_from_embeddings", spoilt)
    with pytest.raises(WorkbookError, match="training stopped: the loss is no longer a finite number") as error:
        training.train(task, USUAL, 0)
    (work,) = works(data)
    assert f"lower learning_rate; whole epochs before it are in {work.name}" in str(error.value)
    assert (work / f"checkpoint-{2 * STEPS}" / trainer.STATE).is_file()
    assert not (data / "models" / trained.name).exists()


def test_a_learning_rate_beyond_all_bounds_is_stopped_and_no_epoch_is_said_to_be_kept(task, data):
    with pytest.raises(WorkbookError, match=r"no longer a finite number: lower learning_rate$"):
        training.train(task, settings(learning_rate=1e38), 0)


@pytest.mark.parametrize("rate", [1e38, 1e30], ids=["no finite mean", "lengths beyond float32"])
def test_a_model_that_the_last_step_broke_is_not_kept(task, data, rate):
    with pytest.raises(WorkbookError, match="lower learning_rate"):
        training.train(task, settings(learning_rate=rate, batch_size=2048, epochs=1), 0)


def test_a_teacher_changes_what_is_learned(task, trained, data):
    taught = training.train(task, dataclasses.replace(USUAL, teacher=0.9), 0)
    assert model_cards.read(taught)["teacher"] == task.teacher.identity("document")
    assert np.isfinite(table_in(taught)).all()
    assert not np.allclose(table_in(taught), table_in(trained), atol=1e-2)


def test_a_pair_is_taught_by_the_teachers_vector_of_its_document(task, data, given):
    training.train(task, settings(teacher=0.5), 0)
    keys = list(SAMPLE)
    assert [keys[label] for label in given["label"]] == [pair.document for pair in trained_on(task)]
    texts = [document.full for document in SAMPLE.values()]
    np.testing.assert_allclose(given["loss"].teacher, vectors.truncate(task.teacher.encode(texts), 64), atol=1e-6)
    assert given["loss"].teacher_weight == 0.5


def test_the_settings_reach_the_trainer(task, data, given):
    training.train(task, settings(epochs=7, learning_rate=0.5, scale=9.0), seed=3)
    assert [given[name] for name in ("epochs", "batch_size", "learning_rate", "seed")] == [7, 64, 0.5, 3]
    assert (given["loss"].scale, given["loss"].teacher) == (9.0, None)
    assert tuple(given["dimensions"]) == (64, 32, 16)
    assert "label" not in given


def test_no_text_of_a_held_out_document_is_trained_on(task, data, given):
    training.train(task, settings(), 0)
    made = set(pairs.make({key: SAMPLE[key] for key in task.held_out}, pairs.KINDS, 99, 0))
    assert not {pair.anchor for pair in made} & set(given["anchor"])
    assert not {pair.positive for pair in made} & set(given["positive"])
    assert SAMPLE["bank-river-erosion"].title in given["anchor"]
