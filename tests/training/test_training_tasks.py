"""What is trained on and from: tasks, starts and averages, what is refused, and that no query is looked at."""

import copy
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from sample_training import SAMPLE, USUAL, settings, table, table_in, unusable
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, StaticEmbedding
from tokenizers import Tokenizer, models
from workbook.corpora import corpora, lines, pairs
from workbook.corpora.corpora import Document
from workbook.corpora.pairs import Pair
from workbook.embedding import encoders, model_cards, vectors
from workbook.errors import WorkbookError
from workbook.runs import parameters
from workbook.training import limits, soups, start_models, training
from workbook.training.settings import Settings


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
    untitled = {key: Document("", document.text) for key, document in SAMPLE.items()}
    with pytest.raises(WorkbookError, match=r"0 of 52 documents give a pair of kind title: .. must; add other kinds"):
        training.train(dataclasses.replace(task, documents=untitled), settings(kinds=["title"]), 0)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ([f"word{number}" for number in range(60)], "most documents have one word or none"),
        (
            [f"{number:05} {number * 7919 % 99991:05} {number * 104729 % 99991:05}" for number in range(60)],
            "no word of",
        ),
        (["A river bends to the left."] * 60, "nearly all of the 60 documents say the same"),
    ],
    ids=["one word each", "no token known", "all alike"],
)
def test_documents_that_teach_nothing_are_refused_before_the_work(task, texts, complaint):
    documents = {f"d{number:02}": Document("", text) for number, text in enumerate(texts)}
    with pytest.raises(WorkbookError, match=complaint):
        training.task("bare", documents, task.start, task.teacher, 0)


def test_a_thousand_lines_without_titles_train(task, data):
    random, words = np.random.default_rng(0), [re.findall(r"\w+", document.text) for document in SAMPLE.values()]
    lines = {f"d{n:03}": Document("", " ".join(random.choice(words[n % 62], 8, replace=False))) for n in range(1_000)}
    own = training.task("lines", lines, task.start, task.teacher, 0)
    card = model_cards.read(training.train(own, settings(epochs=1, batch_size=512, words=None), 0))
    assert card["settings"]["kinds"] == ["span"]
    assert card["pairs"] == 5 * 900
    assert card["history"][1]["score"] > 0


def test_what_is_left_of_fifty_documents_is_enough(task, data, given):
    fifty = dict(list(SAMPLE.items())[:49])
    fifty["copy"] = fifty["bank-river-erosion"]
    of = training.task("fifty", fifty, task.start, task.teacher, seed=49)  # which holds the two out
    assert len(of.held_out) == 11
    training.train(of, settings(), 0)
    assert given["anchor"]


def test_a_smaller_task_keeps_what_is_held_out(task):
    small, again, other = (limits.smaller(task, 45, seed) for seed in (0, 0, 1))
    assert len(small.documents) == 45 + 10
    assert small.held_out == task.held_out < set(small.documents)
    assert small.documents == again.documents != other.documents
    assert list(small.documents) == [key for key in SAMPLE if key in small.documents], "in their order"
    assert limits.smaller(task, 52, 0).documents == SAMPLE
    with pytest.raises(WorkbookError, match="sample has 52 documents to train on, not 53"):
        limits.smaller(task, 53, 0)


def test_candidates_are_ranked_by_what_they_find_of_the_held_out(task):
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


def test_an_average_is_the_mean_of_the_tables(task, trained, tmp_path, monkeypatch):
    begun = training.start(task, USUAL, 0)
    folder = soups.average([begun, trained], "sample")
    assert folder.name.startswith("custom-sample-soup-")
    np.testing.assert_allclose(table_in(folder), (table_in(begun) + table_in(trained)) / 2, atol=1e-6)
    assert model_cards.read(folder)["average_of"] == [begun.name, trained.name]
    assert encoders.load(folder.name).matryoshka == (64, 32, 16)
    shutil.copytree(trained, tmp_path / begun.name)  # another model of the same name
    twice = soups.average([tmp_path / begun.name, trained], "sample")
    assert twice != folder
    np.testing.assert_allclose(table_in(twice), table_in(trained), atol=1e-6)
    monkeypatch.setattr(model_cards, "save", unusable)
    assert soups.average([begun, trained], "sample") == folder


def test_models_of_other_dimensions_or_tokens_are_not_averaged(task, trained, tmp_path):
    wide = training.start(task, settings(width=128), 0)
    vocabulary = {f"w{number}": number for number in range(len(table_in(trained)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    embedding = StaticEmbedding(tokenizer, embedding_weights=table_in(trained))
    SentenceTransformer(modules=[embedding], device="cpu").save(str(tmp_path / "other"))
    for other in (wide, tmp_path / "other"):
        with pytest.raises(WorkbookError, match="only models of one start"):
            soups.average([trained, other], "sample")


def test_the_start_is_a_model_to_compare_with(task, untouched):
    folder = training.start(task, settings(), 0)
    np.testing.assert_array_equal(table_in(folder), untouched)
    for begun, dimensions in ((folder, (32, 16)), (training.start(task, settings(dimensions=[48]), 0), (48,))):
        assert encoders.load(begun.name).matryoshka == (64, *dimensions)
    assert model_cards.read(folder)["history"] == []
    assert training.start(task, settings(epochs=9), 0) == folder, "how it is trained is not the start's matter"


def test_training_begins_with_what_start_saves(task, data, given, untouched):
    texts = [document.full for document in SAMPLE.values()]
    changed = settings(frequencies=True, width=96, dimensions=[64])
    training.train(task, changed, seed=5)
    np.testing.assert_array_equal(table_in(training.start(task, changed, seed=5)), given["table"])
    weighted = start_models.weighted(task.start.model, texts)
    np.testing.assert_allclose(given["table"], table(start_models.widened(weighted, 96, seed=5)), rtol=1e-6)


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
    read, opened = [], lines.opened
    monkeypatch.setattr(lines, "opened", lambda file: read.append(file.name) or opened(file))
    for name in ("_read_qrels", "read_beir", "load"):
        monkeypatch.setattr(corpora, name, unusable)
    own = training.task("sample", corpora.unlabelled("sample"), task.start, task.teacher, 0)
    best = training.choose(own, [settings(words=None, frequencies=True, teacher=0.5), settings(epochs=1)], 0).loc[0]
    begun = training.start(own, best["settings"], 0)
    assert training.train(own, best["settings"], 0) == best["folder"]
    assert table_in(soups.average([begun, best["folder"]], "sample")).any()
    assert read == ["corpus.jsonl"]


@pytest.fixture
def given_start(task, tmp_path):
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
