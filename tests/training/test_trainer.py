"""The trainer: which epoch is kept, when it stops, and how it goes on. Held-out scores are given by the test."""

import json
import shutil
import types

import numpy as np
import pytest
import torch
from planted import Planted
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from workbook.errors import WorkbookError
from workbook.training import objective, trainer

WORDS = [f"w{number}" for number in range(40)]
STEPS = 4  # an epoch: 32 pairs in batches of 8
ERROR = 0.05


def new_model():
    """A static model of 40 words in 8 dimensions."""
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    rows = np.random.default_rng(0).standard_normal((len(WORDS), 8)).astype(np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=rows)], device="cpu")


def columns():
    texts = np.random.default_rng(1).choice(WORDS, (64, 5))
    anchors, positives = ([" ".join(words) for words in half] for half in (texts[:32], texts[32:]))
    return {"anchor": anchors, "positive": positives}


def table(model):
    return model[0].embedding.weight.detach().numpy().copy()


class Scores:
    """Gives one score after the other, the start's first, and keeps the table that each was given for."""

    def __init__(self, *scores, interrupted_at=None):
        self.scores, self.interrupted_at, self.tables = scores, interrupted_at, []

    def __call__(self, model):
        if len(self.tables) == self.interrupted_at:
            raise KeyboardInterrupt
        self.tables.append(table(model))
        return self.scores[len(self.tables) - 1], ERROR


def fit(scores, work, epochs=3, seed=0, model=None):
    """The trained table and the history."""
    model = model or new_model()
    loss = objective.Objective(model, 20.0)
    history = trainer.fit(
        model, columns(), loss, scores, work, epochs=epochs, batch_size=8, learning_rate=0.1, seed=seed
    )
    return table(model), history


def column(history, name):
    return [epoch[name] for epoch in history]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Table, history, scores and folder of a training of four epochs that nobody interrupts."""
    scores, work = Scores(0.5, 0.6, 0.7, 0.8, 0.9), tmp_path_factory.mktemp("whole")
    return *fit(scores, work, epochs=4), scores, work


@pytest.fixture(scope="module")
def interrupted_once(tmp_path_factory):
    work = tmp_path_factory.mktemp("interrupted")
    with pytest.raises(KeyboardInterrupt):
        fit(Scores(0.5, 0.6, 0.7, interrupted_at=3), work, epochs=4)
    assert checkpoints(work) == ["checkpoint-8"], "the best and the last are one"
    return work


@pytest.fixture
def interrupted(interrupted_once, tmp_path):
    """A copy of the folder of that training, interrupted while its third epoch was judged."""
    return shutil.copytree(interrupted_once, tmp_path / "work")


def checkpoints(work):
    return sorted(folder.name for folder in work.glob("checkpoint-*"))


def judge(held_out, scores):
    """Ranks that HeldOut gives to epochs 1, 2, ..., with these scores."""
    return [held_out(score, epoch=float(number))["rank"] for number, score in enumerate(scores, start=1)]


@pytest.mark.parametrize(
    ("scores", "ranks"),
    [
        ([0.5, 0.6, 0.7], [1, 2, 3]),
        ([0.70, 0.66, 0.71, 0.67], [1, 2, 3, 4]),
        ([0.7, 0.64, 0.66], [1, 0, 3]),
        ([0.7, 0.66, 0.62], [1, 2, 0]),
        ([0.7, 0.3, 0.9, 0.8], [1, 0, 3, 0]),
    ],
    ids=["rising", "cannot be told apart", "worse, then not", "sinking slowly", "a new best"],
)
def test_the_rank_is_the_epoch_unless_it_is_more_than_one_error_below_the_best(scores, ranks):
    assert judge(trainer.HeldOut(lambda score: (score, ERROR), []), scores) == ranks


def test_the_best_of_the_epochs_before_counts():
    before = [{"score": 0.9, "seconds": 3.0}, {"score": 0.7, "seconds": 5.0}]
    assert judge(trainer.HeldOut(lambda score: (score, ERROR), before), [0.8, 0.86]) == [0, 2]


def test_seconds_are_those_of_training_and_not_of_judging(monkeypatch):
    clock = iter([100.0, 102.0, 150.0, 153.0, 190.0])  # made; judged from 102 to 150 and from 153 to 190
    monkeypatch.setattr(trainer, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    held_out = trainer.HeldOut(lambda score: (score, ERROR), [{"score": 0.1, "seconds": 10.0}])
    assert [held_out(0.5, epoch=epoch)["seconds"] for epoch in (2.0, 3.0)] == [12, 15]


def test_every_epoch_is_judged_once_and_the_start_first(whole):
    _, history, scores, _ = whole
    assert column(history, "epoch") == [0, 1, 2, 3, 4]
    assert column(history, "score") == [0.5, 0.6, 0.7, 0.8, 0.9]
    assert column(history, "rank") == [0, 1, 2, 3, 4]
    assert set(column(history, "error")) == {ERROR}
    seconds = column(history, "seconds")
    assert seconds[0] == 0
    assert seconds == sorted(seconds)
    np.testing.assert_array_equal(scores.tables[0], table(new_model()))
    for earlier, later in zip(scores.tables, scores.tables[1:], strict=False):
        assert not np.allclose(earlier, later)


def test_of_epochs_that_cannot_be_told_apart_the_last_is_kept(tmp_path):
    scores = Scores(0.5, 0.80, 0.78, 0.76)
    kept, _ = fit(scores, tmp_path)
    np.testing.assert_array_equal(kept, scores.tables[3])


def test_an_epoch_that_is_clearly_worse_is_not_kept(tmp_path):
    scores = Scores(0.5, 0.8, 0.6, 0.9, 0.7)
    kept, history = fit(scores, tmp_path, epochs=4)
    assert column(history, "rank") == [0, 1, 0, 3, 0]
    np.testing.assert_array_equal(kept, scores.tables[3])


def test_training_stops_after_two_clearly_worse_epochs_in_a_row(tmp_path):
    scores = Scores(0.5, 0.6, 0.9, 0.3, 0.2)
    kept, history = fit(scores, tmp_path, epochs=9)
    assert trainer.PATIENCE == 2
    assert column(history, "epoch") == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(kept, scores.tables[2])


def test_the_seed_decides_the_order_and_so_the_table(whole, tmp_path):
    for seed, same in ((0, True), (1, False)):
        kept, _ = fit(Scores(0.5, 0.6, 0.7, 0.8, 0.9), tmp_path / str(seed), epochs=4, seed=seed)
        assert np.array_equal(kept, whole[0]) == same


def test_an_interrupted_training_goes_on_after_its_last_whole_epoch(interrupted, whole):
    scores = Scores(0.5, 0.8, 0.9)
    kept, history = fit(scores, interrupted, epochs=4)
    assert column(history, "score") == [0.5, 0.6, 0.7, 0.8, 0.9]
    assert len(scores.tables) == 3, "the start and two epochs"
    np.testing.assert_array_equal(kept, whole[0])


def test_an_epoch_before_the_interruption_can_be_the_one_kept(interrupted, whole):
    kept, history = fit(Scores(0.5, 0.3, 0.2), interrupted, epochs=4)
    assert column(history, "rank") == [0, 1, 2, 0, 0]
    np.testing.assert_array_equal(kept, whole[2].tables[2])


def test_a_training_that_is_done_is_not_done_again(whole):
    *_, work = whole
    scores = Scores(0.5)
    kept, history = fit(scores, work, epochs=4)
    assert len(scores.tables) == 1, "the start alone"
    assert column(history, "score") == [0.5, 0.6, 0.7, 0.8, 0.9]
    np.testing.assert_array_equal(kept, whole[0])


def test_a_training_that_had_stopped_stops_there_again(tmp_path):
    """As when its model could not be saved: of its checkpoints only the best is left, so the epochs after it return."""
    stopped, before = fit(Scores(0.5, 0.8, 0.3, 0.2), tmp_path, epochs=6)
    kept, history = fit(Scores(0.5, 0.3, 0.2), tmp_path, epochs=6)
    assert column(history, "score") == column(before, "score") == [0.5, 0.8, 0.3, 0.2]
    np.testing.assert_array_equal(kept, stopped)


def test_patience_is_not_renewed_by_an_interruption(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(Scores(0.5, 0.8, 0.3, interrupted_at=3), tmp_path, epochs=6)
    _, history = fit(Scores(0.5, 0.3, 0.9, 0.9, 0.9), tmp_path, epochs=6)
    assert column(history, "epoch") == [0, 1, 2, 3]


def without_epochs(state):
    return json.dumps({**json.loads(state), "log_history": []})


@pytest.mark.parametrize(
    "spoil",
    [None, lambda state: state[:100], lambda state: "", lambda state: "{}", without_epochs],
    ids=["missing", "cut short", "empty", "without a log", "without epochs"],
)
def test_a_checkpoint_cut_short_is_removed_and_not_used(interrupted, spoil):
    state = shutil.copytree(interrupted / "checkpoint-8", interrupted / "checkpoint-12") / trainer.STATE
    content = state.read_text()
    state.unlink() if spoil is None else state.write_text(spoil(content))
    assert trainer._last_whole(interrupted).name == "checkpoint-8"
    assert checkpoints(interrupted) == ["checkpoint-8"]


def test_without_a_whole_checkpoint_training_begins_anew(interrupted, whole):
    (interrupted / "checkpoint-8" / trainer.STATE).unlink()
    scores = Scores(0.5, 0.6, 0.7, 0.8, 0.9)
    kept, history = fit(scores, interrupted, epochs=4)
    assert len(scores.tables) == len(history) == 5
    np.testing.assert_array_equal(kept, whole[0])
    assert trainer._last_whole(interrupted / "missing") is None


def test_the_last_checkpoint_is_the_one_of_most_steps(tmp_path):
    for steps in (8, 16, 100):
        folder = tmp_path / f"checkpoint-{steps}"
        folder.mkdir()
        entry = {"epoch": 1.0, "eval_seconds": 1, "eval_score": 1, "eval_error": 0, "eval_rank": 1}
        (folder / trainer.STATE).write_text(json.dumps({"log_history": [entry]}))
    assert trainer._last_whole(tmp_path).name == "checkpoint-100"


def test_a_batch_of_token_ids_gives_the_models_own_vectors():
    model, texts = new_model(), ["w1 w2 w3", "", "w4", "w1 w1 w9"]
    batch = trainer._bags(trainer._tokenize(model, texts))
    assert batch["input_ids"].tolist() == [1, 2, 3, 4, 1, 1, 9]
    assert batch["offsets"].tolist() == [0, 3, 3, 4]
    vectors = model(batch)["sentence_embedding"].detach().numpy()
    np.testing.assert_array_equal(vectors, model.encode(texts))


def test_texts_are_tokenized_once_and_not_in_every_epoch(tmp_path, monkeypatch):
    def tokenize_again(*_, **__):
        raise AssertionError

    monkeypatch.setattr(StaticEmbedding, "preprocess", tokenize_again)
    assert len(fit(Scores(0.5, 0.6, 0.7, 0.8), tmp_path)[1]) == 4


def test_labels_reach_the_loss_with_their_pairs(tmp_path):
    """Pairs of one word each, labelled by its number, so that the vectors tell which pair a label came with."""
    model, seen = new_model(), []

    class Spy(objective.Objective):
        def compute_loss_from_embeddings(self, embeddings, labels):
            rows = torch.cdist(embeddings[0].detach(), self.model[0].embedding.weight.detach()).argmin(dim=1)
            seen.append((rows.tolist(), labels.tolist()))
            return super().compute_loss_from_embeddings(embeddings, labels)

    pairs = {"anchor": WORDS[:32], "positive": WORDS[:32], "label": list(range(32))}
    scores = Scores(0.5, 0.6)
    trainer.fit(model, pairs, Spy(model, 20.0), scores, tmp_path, epochs=1, batch_size=8, learning_rate=0.01, seed=0)
    assert all(rows == labels for rows, labels in seen)
    assert sorted(label for _, labels in seen for label in labels) == list(range(32))
    assert [label for _, labels in seen for label in labels] != list(range(32)), "the order is drawn"


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A training that was interrupted after two epochs."""
    work = tmp_path_factory.mktemp("begun")
    with pytest.raises(KeyboardInterrupt):
        fit(Scores(0.5, 0.6, 0.7, interrupted_at=2), work, epochs=3)
    return work


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "pytorch_model.bin"])
def test_a_pickle_planted_in_a_checkpoint_is_refused(begun, tmp_path, mark, name):
    work = shutil.copytree(begun, tmp_path / "work")
    checkpoint = trainer._last_whole(work)
    if name == "pytorch_model.bin":
        (checkpoint / "model.safetensors").unlink()
    torch.save(Planted(mark), checkpoint / name)
    with pytest.raises(WorkbookError, match=r"checkpoint-\d+ holds a pickle that no training wrote: remove .*work"):
        fit(Scores(0.5, 0.7, 0.8), work, epochs=3)


def test_the_arguments_in_a_checkpoint_are_not_read(begun, tmp_path, mark):
    work = shutil.copytree(begun, tmp_path / "work")
    torch.save(Planted(mark), trainer._last_whole(work) / "training_args.bin")
    assert len(fit(Scores(0.5, 0.7, 0.8), work, epochs=3)[1]) == 4
