"""Times are checked for what was timed and how they are summed up, never for how long they took."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from workbook import corpora, encoders, results, timing, variants
from workbook.errors import WorkbookError
from workbook.timing import Speed, Times


@pytest.fixture(scope="module")
def sample():
    return corpora.load("sample")


def speed(model, seconds, words=8, texts=100, max_tokens=None, threads=1, key="key"):
    quarter, half = ([second * part for second in seconds] for part in (0.25, 0.5))
    return Speed(
        model, words, max_tokens, threads, 32, texts, 1_000, {1: 20.0, 32: 60.0}, seconds, quarter, half,
        [0.0] * len(seconds), key,
    )  # fmt: skip


class Clock:
    """A clock that goes on only when a model works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def spend(self, seconds):
        self.now += seconds


class Step(torch.nn.Module):
    def __init__(self, clock, seconds):
        super().__init__()
        self.spend = lambda texts: clock.spend(seconds * len(texts))

    def forward(self, texts):
        self.spend(texts)
        return texts


class SteadyModel(torch.nn.Sequential):
    """A model whose stages take 1, 6 and 2 ms a text."""

    device = torch.device("cpu")

    def __init__(self, clock):
        super().__init__(Step(clock, 0.006), Step(clock, 0.002))
        self.clock = clock

    def preprocess(self, texts):
        self.clock.spend(0.001 * len(texts))
        return texts


class SteadyEncoder:
    """An encoder of that model, which spends 4 ms on each batch besides, and more the larger it is."""

    name, max_tokens = "steady", 256

    def __init__(self, clock):
        self.model, self.calls = SteadyModel(clock), []

    def identity(self, role):
        return {"model": self.name, "role": role}

    def prompt(self, role):
        return ""

    def token_count(self, texts):
        return 3 * len(texts)

    def encode(self, texts, batch_size=None):
        self.calls.append((len(texts), batch_size))
        for start in range(0, len(texts), batch_size or 8):
            batch = texts[start : start + (batch_size or 8)]
            self.model.clock.spend(0.004 + 0.00001 * len(batch) ** 2)
            self.model(self.model.preprocess(batch))


@pytest.fixture
def steady(data, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=clock))
    return SteadyEncoder(clock)


def test_times_are_median_and_range():
    assert Times.of([3.0, 1.0, 2.0, 10.0]) == Times(2.5, 1.0, 10.0, 4)


def test_models_take_turns_after_a_warm_up_that_is_not_counted():
    calls = []
    seconds = timing.rounds([lambda: calls.append("a"), lambda: calls.append("b")], 3)
    assert "".join(calls) == "ab" + "ababab"
    assert [len(samples) for samples in seconds] == [3, 3]


def test_no_repeats_are_refused():
    with pytest.raises(WorkbookError, match="repeats"):
        timing.rounds([], 0)


def test_threads_are_fixed_and_given_back_even_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), timing.threads(1):
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_texts_have_the_asked_length_and_come_from_the_corpus_and_seed(sample):
    texts = timing.texts_of(sample, words=16, count=20, seed=1)
    assert [len(text.split()) for text in texts] == [16] * 20
    assert texts == timing.texts_of(sample, 16, 20, seed=1) != timing.texts_of(sample, 16, 20, seed=2)
    assert set(" ".join(texts).split()) <= set(" ".join(sample.document_texts).split())


def test_a_small_corpus_is_read_again_in_another_order(sample):
    texts = timing.texts_of(sample, 1_000, 10)
    assert [len(text.split()) for text in texts] == [1_000] * 10
    assert len(set(texts)) == 10


@pytest.mark.parametrize("before", [None, "true"])
def test_one_thread_is_one_for_the_tokenizers_too_and_the_environment_is_given_back(monkeypatch, before):
    if before is None:
        monkeypatch.delenv(timing.TOKENIZERS, raising=False)
    else:
        monkeypatch.setenv(timing.TOKENIZERS, before)
    with timing.threads(1):
        assert os.environ[timing.TOKENIZERS] == "false"
    with pytest.raises(KeyError), timing.threads(2):
        assert os.environ[timing.TOKENIZERS] == "true"
        raise KeyError
    assert os.environ.get(timing.TOKENIZERS) == before


@pytest.mark.skipif(not Path("/proc/self/task").is_dir() or os.cpu_count() == 1, reason="threads cannot be counted")
def test_the_tokenizers_read_the_environment_at_each_call():
    """Their threads begin when they are first used: none as long as the environment forbids it, in one process."""
    program = f"""
import os
from tokenizers import Tokenizer, models
tokenizer = Tokenizer(models.WordLevel({{"a": 0}}, unk_token="a"))
for allowed in ("true", "false")[::-1]:
    os.environ["{timing.TOKENIZERS}"] = allowed
    tokenizer.encode_batch(["a"] * 1000)
    print(len(os.listdir("/proc/self/task")))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    forbidden, allowed = map(int, ran.stdout.split())
    assert forbidden == 1 < allowed


def test_an_encoder_gets_the_texts_that_fill_a_round_and_its_best_batch(sample, steady):
    """Of 104 texts a batch of 16 is the fastest: one of 1 or 104 spends more on batches."""
    [timed] = timing.encoding(sample, [steady], 8, [1, 16, 104, 105], repeats=2, thread_count=1, round_seconds=1)
    assert timed.texts == 104
    assert timed.tried == pytest.approx({1: 104 / 1.35304, 16: 104 / 0.98, 104: 104 / 1.04816})
    assert timed.batch_size == 16
    assert timed.tokens == 312
    assert steady.calls[-6:] == [(104, 1), (104, 16), (104, 104)] + [(104, 16)] * 3, "tries, warm-up, two rounds"
    assert (timed.model, timed.words, timed.max_tokens, timed.threads) == ("steady", 8, 256, 1)


def test_stages_are_timed_within_the_calls_of_each_round(sample, steady):
    [timed] = timing.encoding(sample, [steady], 8, [16], repeats=2, thread_count=1, round_seconds=1)
    assert timed.seconds == pytest.approx([0.98, 0.98])
    assert timed.tokenize_seconds == pytest.approx([0.104] * 2)
    assert timed.model_seconds == pytest.approx([0.624] * 2)
    assert timed.pooling_seconds == pytest.approx([0.208] * 2)


def test_a_slow_encoder_gets_one_text_and_the_first_batch_size_as_far_as_that_goes(sample, steady):
    [timed] = timing.encoding(sample, [steady], 8, [16, 1, 32], repeats=1, thread_count=1, round_seconds=0.001)
    assert (timed.texts, list(timed.tried), timed.batch_size) == (1, [1], 1)


def test_batch_sizes_the_texts_cannot_fill_are_not_tried(sample, steady):
    [timed] = timing.encoding(sample, [steady], 8, [200, 4, 300], repeats=1, thread_count=1, round_seconds=1)
    assert list(timed.tried) == [104, 4]


def test_encoding_times_every_round_of_every_encoder_and_is_kept(sample, data):
    made = [
        variants.make("tiny-static"), variants.make("tiny-static", max_tokens=4),
        *(variants.make("tiny-transformer", name) for name in variants.available("transformer")),
    ]  # fmt: skip
    arguments = (8, [4, 1], 2, 1, 0.002)
    timed = timing.encoding(sample, made, *arguments)
    assert [(each.model, each.max_tokens) for each in timed] == [(each.name, each.max_tokens) for each in made]
    for encoder, each in zip(made, timed, strict=True):
        assert each.tokens == encoder.token_count(timing.texts_of(sample, 8, each.texts))
        assert each.batch_size == max(each.tried, key=each.tried.get)
        assert each.texts >= 1
        parts = np.array([each.tokenize_seconds, each.model_seconds, each.pooling_seconds])
        assert parts.shape == (3, 2)
        assert (parts.sum(axis=0) <= each.seconds).all()
        assert (parts[:2] > 0).all()
        assert (parts[2] > 0).all() == (encoder.kind == "transformer"), "a static model has no pooling of its own"
    assert timed[1].tokens == 4 * timed[1].texts
    assert timing.encoding(sample, made, *arguments) == timed, "the same timing was made again"


def test_what_decides_a_time_is_what_it_is_kept_by(sample, data, monkeypatch):
    kept = []
    monkeypatch.setattr(results, "remember", lambda kind, about, measure: kept.append((kind, about)) or 1 / 0)
    static, cut = variants.make("tiny-static"), variants.make("tiny-static", max_tokens=4)
    asked = [
        ([static], 8, [4], 2), ([cut], 8, [4], 2), ([static], 9, [4], 2), ([static], 8, [4, 1], 2),
        ([static], 8, [4], 3), ([static], 8, [4], 2, 1), ([static], 8, [4], 2, 0, 0.25), ([static, cut], 8, [4], 2),
    ]  # fmt: skip
    for each in asked:
        with pytest.raises(ZeroDivisionError):
            timing.encoding(sample, *each)
    assert {kind for kind, _ in kept} == {"speed"}
    assert len({results.key_of(about) for _, about in kept}) == len(asked) - (results.machine()["cores"] == 1)
    assert kept[0][1]["threads"] == results.machine()["cores"], "no threads given means all cores"
    assert kept[0][1]["corpus"] == sample.sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([], 1), "batch_sizes"), (([4, 0], 1), "batch_sizes"), (([4], 0), "repeats"), (([4], 1, 1, 0), "round_seconds")],
)
def test_what_cannot_be_timed_is_refused(sample, data, arguments, message):
    with pytest.raises(WorkbookError, match=message):
        timing.encoding(sample, [encoders.load("tiny-static")], 8, *arguments)


@pytest.mark.parametrize("name", ["tiny-static", "tiny-transformer"])
def test_a_model_is_as_before_once_its_stages_are_timed_even_after_an_error(data, name):
    model = encoders.load(name).model
    with pytest.raises(KeyError), timing.stages(model) as spent:
        model.encode(["river"])
        assert spent["model_seconds"] > 0
        assert "preprocess" in vars(model)
        raise KeyError
    assert "preprocess" not in vars(model)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_device_is_waited_for_before_the_clock_is_read(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    assert timing._clock(SimpleNamespace(device=torch.device("cuda")))() > 0
    assert waited == [1]


def test_rows_are_rates_and_shares_with_their_range(sample):
    rows = timing.rows(sample, [speed("a", [1.0, 2.0, 4.0])]).set_index("metric")
    assert rows.loc["texts/s", ["value", "low", "high", "n"]].tolist() == [50, 25, 100, 3]
    assert rows.loc["tokens/s", "value"] == 500
    shares = ["tokenization share", "model share", "pooling share"]
    assert rows.loc[shares, "value"].tolist() == [0.25, 0.5, 0]
    assert set(rows["work"]) == {"8 words, whole, 1 thread"}
    assert set(rows.reset_index().columns) <= set(results.COLUMNS)


def test_work_says_the_cut_and_the_threads(sample):
    rows = timing.rows(sample, [speed("a", [1.0], max_tokens=128, threads=2)])
    assert set(rows["work"]) == {"8 words, cut at 128 tokens, 2 threads"}


def test_every_batch_size_that_was_tried_has_a_row(sample):
    rows = timing.batch_rows(sample, [speed("a", [1.0, 2.0]), speed("b", [1.0])])
    assert rows["model"].tolist() == ["a", "a", "b", "b"]
    assert rows["work"].tolist()[:2] == [
        "8 words, whole, 1 thread, batch of 1",
        "8 words, whole, 1 thread, batch of 32",
    ]
    assert set(rows["metric"]) == {"texts/s tried"}
    assert rows[["value", "n"]].to_numpy().tolist()[:2] == [[20, 1], [60, 1]]
    assert set(rows.columns) <= set(results.COLUMNS)


def test_a_speed_up_is_the_ratio_within_each_round(sample):
    """The second round is slow for both: no ratio crosses rounds."""
    fast, slow = speed("fast", [0.1, 1.0, 0.1]), speed("slow", [1.0, 12.0, 2.0], texts=50)
    row = timing.ratio_rows(sample, fast, [slow]).iloc[0]
    assert [row["value"], row["low"], row["high"], row["n"]] == pytest.approx([24, 20, 40, 3])
    assert row["work"] == "8 words, both whole, 1 thread, against slow"


@pytest.mark.parametrize(
    ("fast", "slow", "limits"),
    [(128, 128, "both cut at 128 tokens"), (None, 256, "each its own limit"), (128, 256, "each its own limit")],
)
def test_a_speed_up_says_how_texts_were_cut(sample, fast, slow, limits):
    fast, slow = speed("fast", [1.0], max_tokens=fast), speed("slow", [1.0], max_tokens=slow)
    assert timing.ratio_rows(sample, fast, [slow])["work"].tolist() == [f"8 words, {limits}, 1 thread, against slow"]


def test_speeds_that_were_not_timed_in_turn_have_no_ratio(sample):
    with pytest.raises(WorkbookError, match="fast and slow were not timed in turn"):
        timing.ratio_rows(sample, speed("fast", [1.0]), [speed("slow", [1.0], key="other")])
