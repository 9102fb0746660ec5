"""Training on documents alone: what comes out, what decides it, what is refused, and that no query is looked at."""

import copy
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
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from workbook import paths
from workbook.corpora import corpora, pairs
from workbook.corpora.corpora import Document
from workbook.corpora.pairs import Pair
from workbook.embedding import encoders, model_cards, vectors
from workbook.errors import WorkbookError
from workbook.runs import parameters
from workbook.training import objective, start_models, trainer, training
from workbook.training.settings import Settings

SAMPLE = corpora.unlabelled("sample")
STEPS = 4  # an epoch of the sample's pairs


def settings(**values):
    return Settings.of(**{"dimensions": [32, 16], "batch_size": 64, "epochs": 2, "words": False, **values})


USUAL = settings(epochs=3)


def table(model):
    return model[0].embedding.weight.detach().numpy().copy()


def table_in(folder):
    return table(encoders.load(str(folder)).model)


def trained_on(task):
    """The pairs of a task with the usual settings and seed 0."""
    return pairs.make({key: SAMPLE[key] for key in SAMPLE if key not in task.held_out}, pairs.KINDS, 5, 0)


def unusable(*_, **__):
    raise AssertionError("this must not be called")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A data folder for the whole file."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def task(shared):
    """The sample without queries, its two models opened, so that no test makes them again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", shared)
        start, teacher = encoders.load("tiny-static"), encoders.load("tiny-transformer")
        assert start.model and teacher.model
        return training.task("sample", SAMPLE, start, teacher, seed=0)


@pytest.fixture(scope="module")
def untouched(task):
    """The start's table before anything was trained."""
    return table(task.start.model)


@pytest.fixture(scope="module")
def trained(task, untouched, shared):
    """Folder of a model trained with the USUAL settings and seed 0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", shared)
        return training.train(task, USUAL, seed=0)


@pytest.fixture
def in_shared(shared, monkeypatch):
    monkeypatch.setattr(paths, "DATA", shared)


@pytest.fixture
def given(monkeypatch):
    """What the trainer is given, instead of training."""
    seen = {}

    def fit(model, columns, loss, score, work, **options):
        seen.update(options, table=table(model), loss=loss.loss, dimensions=loss.matryoshka_dims, **columns)
        return [{"epoch": 0.0, "seconds": 0.0, "score": 0.5, "error": 0.1, "rank": 0.0}]

    monkeypatch.setattr(trainer, "fit", fit)
    return seen


def works(data):
    return sorted((data / "models").glob("*.training"))


def test_training_changes_the_model_and_leaves_its_start_as_it_was(task, untouched, trained):
    np.testing.assert_array_equal(table(task.start.model), untouched)
    assert table_in(trained).shape == untouched.shape
    assert np.abs(table_in(trained) - untouched).max() > 0.01


def test_the_result_is_loaded_by_its_name_and_knows_its_dimensions(in_shared, trained):
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


def test_the_second_time_nothing_is_trained(task, trained, in_shared, monkeypatch):
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
    assert len({folder.name for folder in found}) == len(found)


def test_the_text_of_a_held_out_document_decides_the_folder_too(task, data, given):
    key = min(task.held_out)
    changed = dataclasses.replace(task, documents={**SAMPLE, key: Document("Title", "One text. Another is here now.")})
    assert training.train(task, settings(), 0) != training.train(changed, settings(), 0)


def test_the_card_says_how_the_model_was_made(task, trained):
    card = model_cards.read(trained)
    assert card["settings"] == json.loads(json.dumps(dataclasses.asdict(USUAL)))
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


def test_the_readme_is_a_model_card(trained):
    text = (trained / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlibrary_name: sentence-transformers\n")
    assert f"# {trained.name}\n" in text
    assert "| seed | 0 |" in text
    assert "| epochs | 3 |" in text
    assert "queries or judgements" in text


def test_a_model_that_was_not_trained_here_has_no_card(task, tmp_path):
    task.start.model.save(str(tmp_path / "mine"))
    assert model_cards.read(tmp_path / "mine") == {}


def test_nothing_but_the_model_is_left(task, trained, shared):
    assert trained.parent == shared / "models"
    assert not works(shared)
    assert not list(shared.rglob("checkpoint-*"))
    assert not list((shared / "models").glob(".*"))


def test_an_interrupted_training_goes_on_and_gives_the_same_table(task, trained, data, monkeypatch):
    judge, judged = training._score(task), []

    def score(model):
        judged.append(model)
        if len(judged) == 4:  # after the start and two epochs
            raise KeyboardInterrupt
        return judge(model)

    monkeypatch.setattr(training, "_score", lambda of: score)
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


def test_a_learning_rate_beyond_all_bounds_is_stopped(task, data):
    with pytest.raises(WorkbookError, match="no longer a finite number: lower learning_rate"):
        training.train(task, settings(learning_rate=1e38), 0)


def test_no_epoch_is_said_to_be_kept_where_none_is(task, data):
    with pytest.raises(WorkbookError, match=r"lower learning_rate$"):
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
    np.testing.assert_allclose(given["loss"].teacher, task.teacher.encode(texts), atol=1e-6)
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


def test_extra_pairs_are_trained_on_but_for_those_of_held_out_documents(task, data, given):
    foreign, held = (
        Pair("a question", "an answer", "elsewhere", "labelled"),
        Pair("asked", "held", min(task.held_out), ""),
    )
    training.train(dataclasses.replace(task, extra=(foreign, held)), settings(), 0)
    assert (given["anchor"][-1], given["positive"][-1]) == ("a question", "an answer")
    assert not {"asked", "held"} & {*given["anchor"], *given["positive"]}


def test_a_teacher_has_nothing_to_say_of_foreign_documents(task, data, given):
    foreign = Pair("a question", "an answer", "elsewhere", "labelled")
    with pytest.raises(WorkbookError, match="1 pairs are of documents outside the task: a teacher cannot judge those"):
        training.train(dataclasses.replace(task, extra=(foreign,)), settings(teacher=0.5), 0)
    assert not given
    own = foreign._replace(document="bank-river-erosion")
    training.train(dataclasses.replace(task, extra=(own,)), settings(teacher=0.5), 0)
    assert given["label"][-1] == list(SAMPLE).index("bank-river-erosion")


@pytest.mark.parametrize(
    ("values", "dimensions"),
    [
        ({"dimensions": None}, (64, 32, 16)),
        ({"dimensions": None, "width": 256}, (256, 128, 64, 32)),
        ({"dimensions": []}, (64,)),
        ({"dimensions": [96], "width": 128}, (128, 96)),
    ],
    ids=["the start's", "halves of the width", "none", "those given"],
)
def test_dimensions_left_open_are_the_starts_or_halves_of_the_width(task, data, given, values, dimensions):
    folder = training.train(task, settings(**values), 0)
    assert tuple(given["dimensions"]) == dimensions
    assert encoders.load(folder.name).dimensions == dimensions[0]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"dimensions": [64, 32]}, r"Matryoshka dimensions \[64\]: the model has 64"),
        ({"dimensions": [128, 65, 16]}, r"Matryoshka dimensions \[128, 65\]: the model has 64"),
        ({"dimensions": [128], "width": 128}, r"Matryoshka dimensions \[128\]: the model has 128"),
        ({"width": 64}, "has 64 dimensions already"),
    ],
)
def test_dimensions_that_the_model_does_not_have_are_refused(task, data, given, values, complaint):
    with pytest.raises(WorkbookError, match=complaint):
        training.train(task, settings(**values), 0)
    assert not given


def test_words_are_left_open_for_a_start_made_here_only(task, trained, data, given):
    made_here = training.train(task, settings(words=None), 0)
    assert model_cards.read(made_here)["settings"]["words"] is True
    assert model_cards.read(made_here)["teacher"] == task.teacher.identity("document")
    from_folder = dataclasses.replace(task, start=encoders.load(str(trained)))
    folder = training.train(from_folder, settings(words=None), 0)
    assert model_cards.read(folder)["settings"]["words"] is False
    np.testing.assert_array_equal(given["table"], table_in(trained))
    with pytest.raises(WorkbookError, match=f"words: true .* would leave nothing of {trained.name}; set words: false"):
        training.train(from_folder, settings(words=True), 0)


def test_the_start_with_the_corpus_words_is_made_once(task, data, given, monkeypatch):
    training.train(task, settings(words=True), 0)
    first = given["table"]
    monkeypatch.setattr(start_models, "with_words", unusable)
    training.train(task, settings(words=True), 1)
    np.testing.assert_array_equal(given["table"], first)
    assert not np.allclose(first, table(task.start.model))


def test_static_and_transformer_must_not_be_swapped(task):
    for start, teacher in [(task.teacher, task.start), (task.start, task.start), (task.teacher, task.teacher)]:
        with pytest.raises(
            WorkbookError, match=f"a static model and a transformer, not {start.name} and {teacher.name}"
        ):
            training.task("sample", SAMPLE, start, teacher, 0)


def test_a_teacher_must_say_how_long_its_vectors_are(task, monkeypatch):
    mute = encoders.Encoder("mute", None, "r1", lambda: task.teacher.model)
    monkeypatch.setattr(mute.model, "get_embedding_dimension", lambda: None)
    with pytest.raises(WorkbookError, match="mute does not say how many dimensions its vectors have"):
        training.task("sample", SAMPLE, task.start, mute, 0)


def test_the_seed_decides_what_a_task_holds_out(task):
    assert task.held_out == pairs.hold_out(SAMPLE, 0)
    assert training.task("sample", SAMPLE, task.start, task.teacher, 1).held_out == pairs.hold_out(SAMPLE, 1)
    with pytest.raises(WorkbookError, match="20 documents are too few to train on: give 50 or more"):
        training.task("sample", dict(list(SAMPLE.items())[:20]), task.start, task.teacher, 0)


def test_documents_that_give_no_pair_are_refused_with_what_they_need(task, data, monkeypatch):
    monkeypatch.setattr(training, "_start", unusable)
    single = {key: Document("", document.text.split(". ")[0]) for key, document in SAMPLE.items()}
    bare = training.task("sample", single, task.start, task.teacher, 0)
    with pytest.raises(WorkbookError, match=r"0 of 52 documents give a pair .* by a title with a text, or by two sent"):
        training.train(bare, settings(), 0)
    untitled = {key: Document("", document.text) for key, document in SAMPLE.items()}
    with pytest.raises(WorkbookError, match=r"0 of 52 documents give a pair of kind title: .. must"):
        training.train(dataclasses.replace(task, documents=untitled), settings(kinds=["title"]), 0)


def test_what_is_left_of_fifty_documents_is_enough(task, data, given):
    fifty = dict(list(SAMPLE.items())[:49])
    fifty["copy"] = fifty["bank-river-erosion"]
    of = training.task("fifty", fifty, task.start, task.teacher, seed=49)  # which holds the two out
    assert len(of.held_out) == 11
    training.train(of, settings(), 0)
    assert given["anchor"]


def test_a_smaller_task_keeps_what_is_held_out(task):
    small, again, other = (training.smaller(task, 45, seed) for seed in (0, 0, 1))
    assert len(small.documents) == 45 + 10
    assert small.held_out == task.held_out < set(small.documents)
    assert small.documents == again.documents != other.documents
    assert list(small.documents) == [key for key in SAMPLE if key in small.documents], "in their order"
    assert training.smaller(task, 52, 0).documents == SAMPLE
    with pytest.raises(WorkbookError, match="sample has 52 documents to train on, not 53"):
        training.smaller(task, 53, 0)


def test_candidates_are_ranked_by_what_they_find_of_the_held_out(task, shared, in_shared):
    rates = [1.0, 0.03, 10.0]  # the first and the last spoil a model that finds all ten
    table = training.choose(task, [dataclasses.replace(USUAL, learning_rate=rate) for rate in rates], seed=0)
    assert list(table.columns) == ["settings", "held-out ndcg@10", "standard error", "epoch kept", "seconds", "folder"]
    assert [found.learning_rate for found in table["settings"]] == [0.03, 10.0, 1.0]
    scores = table["held-out ndcg@10"].tolist()
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1.0 > 0.5 > scores[1] > scores[2]
    for row in table.itertuples(index=False):
        history = model_cards.read(row.folder)["history"]
        (kept,) = [epoch for epoch in history if epoch["epoch"] == row[3]]
        assert (row[1], row[2]) == (kept["score"], kept["error"])
        assert kept["rank"] == max(epoch["rank"] for epoch in history)


def test_an_average_is_the_mean_of_the_tables(task, trained, in_shared, monkeypatch):
    begun = training.start(task, USUAL, 0)
    folder = training.average([begun, trained], "sample")
    assert folder.name.startswith("custom-sample-soup-")
    np.testing.assert_allclose(table_in(folder), (table_in(begun) + table_in(trained)) / 2, atol=1e-6)
    assert model_cards.read(folder)["average_of"] == [begun.name, trained.name]
    assert encoders.load(folder.name).matryoshka == (64, 32, 16)
    monkeypatch.setattr(model_cards, "save", unusable)
    assert training.average([begun, trained], "sample") == folder


def test_models_of_other_dimensions_or_tokens_are_not_averaged(task, trained, in_shared, tmp_path):
    wide = training.start(task, settings(width=128), 0)
    vocabulary = {f"w{number}": number for number in range(len(table_in(trained)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    embedding = StaticEmbedding(tokenizer, embedding_weights=table_in(trained))
    SentenceTransformer(modules=[embedding], device="cpu").save(str(tmp_path / "other"))
    for other in (wide, tmp_path / "other"):
        with pytest.raises(WorkbookError, match="only models of one start"):
            training.average([trained, other], "sample")


def test_the_start_is_a_model_to_compare_with(task, untouched, in_shared):
    folder = training.start(task, settings(), 0)
    np.testing.assert_array_equal(table_in(folder), untouched)
    assert encoders.load(folder.name).matryoshka == (64, 32, 16)
    assert model_cards.read(folder)["history"] == []
    assert training.start(task, settings(epochs=9), 0) == folder, "how it is trained is not the start's matter"


def test_training_begins_with_what_start_saves(task, data, given, untouched):
    texts = [document.full for document in SAMPLE.values()]
    changed = settings(frequencies=True, width=96, dimensions=[64])
    training.train(task, changed, seed=5)
    np.testing.assert_array_equal(table_in(training.start(task, changed, seed=5)), given["table"])
    weighted = start_models.weighted(task.start.model, texts)
    np.testing.assert_allclose(given["table"], table(start_models.widened(weighted, 96, seed=5)), rtol=1e-6)


def test_a_start_is_measured_at_the_dimensions_it_was_asked_for(task, data):
    for dimensions in ([32, 16], [48]):
        folder = training.start(task, settings(dimensions=dimensions), 0)
        assert encoders.load(folder.name).matryoshka == (64, *dimensions)


def test_a_folder_without_queries_and_judgements_is_enough(task, tmp_path, data):
    """Nothing can be learned from what is not there."""
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = [{"_id": key, "title": document.title, "text": document.text} for key, document in SAMPLE.items()]
    (folder / "corpus.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    with pytest.raises(WorkbookError, match=r"queries.jsonl is missing"):
        corpora.load(str(folder))
    own = training.task("mine", corpora.unlabelled(str(folder)), task.start, task.teacher, 0)
    table = training.choose(
        own, [settings(words=None, teacher=0.5, epochs=1), settings(kinds=["sentence"], epochs=1)], 0
    )
    assert len(table) == 2
    for chosen in table["folder"]:
        assert encoders.load(chosen.name).encode(["river bank"]).any()


def test_choosing_and_training_read_no_query_and_no_judgement(task, data, monkeypatch):
    read, lines = [], corpora._lines
    monkeypatch.setattr(corpora, "_lines", lambda file: read.append(file.name) or lines(file))
    for name in ("_read_qrels", "read_beir", "load"):
        monkeypatch.setattr(corpora, name, unusable)
    own = training.task("sample", corpora.unlabelled("sample"), task.start, task.teacher, 0)
    best = training.choose(own, [settings(words=None, frequencies=True, teacher=0.5), settings(epochs=1)], 0).loc[0]
    begun = training.start(own, best["settings"], 0)
    assert training.train(own, best["settings"], 0) == best["folder"]
    assert table_in(training.average([begun, best["folder"]], "sample")).any()
    assert read == ["corpus.jsonl"]


@pytest.fixture
def given_start(task, in_shared, tmp_path):
    """A start of the user's own: tiny-static with modules behind it; gives its encoder."""

    def make(*after, name="mine", **options):
        table = copy.deepcopy(task.start.model[0])
        SentenceTransformer(modules=[table, *after], device="cpu", **options).save(str(tmp_path / name))
        return encoders.load(str(tmp_path / name))

    return make


def test_a_start_that_is_more_than_a_table_is_refused_before_work(task, given_start, monkeypatch):
    """Training would leave the Dense away, and what it loses would count as a gain of training."""
    start = given_start(Normalize(), Dense(64, 32))
    monkeypatch.setattr(pairs, "hold_out", lambda *_: frozenset())
    for work in (
        lambda: training.task("sample", SAMPLE, start, task.teacher, 0),
        lambda: parameters.check_read_later(
            {"candidates": [{}], "static_model": str(start.folder), "transformer_model": "tiny-transformer"}
        ),
    ):
        with pytest.raises(WorkbookError, match="mine has Dense after its table, which training would leave away"):
            work()
    for change in (start_models.copy, lambda model: start_models.weighted(model, ["bank"])):
        with pytest.raises(WorkbookError, match="only a static model can be trained here; this one has Dense"):
            change(start.model)


def test_a_start_with_a_prompt_is_refused(task, given_start):
    start = given_start(prompts={"query": "river "})
    with pytest.raises(WorkbookError, match="mine puts 'river ' before texts, which training would leave away"):
        training.task("sample", SAMPLE, start, task.teacher, 0)


def test_a_start_that_is_normalized_ranks_as_it_did(task, given_start):
    start = given_start(Normalize())
    own = training.task("sample", SAMPLE, start, task.teacher, 0)
    begun = encoders.load(str(training.start(own, settings(), 0)))
    texts = [document.full for document in SAMPLE.values()][:20]
    for dimension in (64, 16):
        given, kept = (vectors.truncate(each.encode(texts), dimension) for each in (start, begun))
        np.testing.assert_allclose(kept, given, atol=1e-5)


def test_a_folder_that_has_a_registered_models_name_is_not_distilled_anew(task, given_start):
    start = given_start(name="tiny-static")
    assert start.name == task.start.name and start.revision != task.start.revision
    own = dataclasses.replace(task, start=start)
    assert not training._resolved(own, Settings.of()).words
    assert training._resolved(task, Settings.of()).words
    with pytest.raises(WorkbookError, match="words: true distils anew, and would leave nothing of tiny-static"):
        training.train(own, settings(words=True), 0)
    assert training.start(own, settings(), 0) != training.start(task, settings(), 0)


def test_words_are_not_encoded_by_a_transformer_that_does_more_than_pool(task):
    plus = SentenceTransformer(modules=[*task.teacher.model, Dense(64, 32)], device="cpu")
    with pytest.raises(WorkbookError, match="a transformer that only pools, and this one does more"):
        start_models.with_words(task.start.model, plus, ["bank"])


def test_averages_of_other_models_of_the_same_names_are_told_apart(task, trained, in_shared, tmp_path):
    """Two folders of one name, whose tables differ."""
    begun = training.start(task, USUAL, 0)
    shutil.copytree(trained, tmp_path / begun.name)
    twice = training.average([tmp_path / begun.name, trained], "sample")
    assert twice != training.average([begun, trained], "sample")
    np.testing.assert_allclose(table_in(twice), table_in(trained), atol=1e-6)
