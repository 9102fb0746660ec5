"""Times are checked for what was timed and how they are summed up, never for how long they took."""

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from workbook.embedding import encoders, stages, variants
from workbook.errors import WorkbookError
from workbook.evaluation import batches, results, stopwatch
from workbook.evaluation.columns import in_words
from workbook.experiments import encoding_speed
from workbook.experiments.encoding_speed import Speed, Times


def speed(model, seconds, words=8, texts=100, max_tokens=None, threads=1, key="key", doubt="", plain=None):
    quarter, half = ([second * part for second in seconds] for part in (0.25, 0.5))
    return Speed(
        model, model, words, max_tokens, threads, 32, texts, 1_000, {1: [20.0], 32: [60.0, 50.0]}, doubt, seconds,
        plain or {}, quarter, half, [0.0] * len(seconds), key,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def any_cpu(monkeypatch):
    """What its instructions are is no part of what these tests expect."""
    monkeypatch.setattr(results, "instruction_set", lambda: "")


def works(rows):
    return {in_words(row) for row in rows.to_dict("records")}


class Clock:
    """A clock that goes on only when a model works."""

    now = 0.0

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

    def encode(self, texts, batch_size, show_progress_bar):
        """The library's own: what it takes depends on the size of a batch alone."""
        for start in range(0, len(texts), batch_size):
            batch = texts[start : start + batch_size]
            self.clock.spend(self.overhead(len(batch)))
            self(self.preprocess(batch))

    def overhead(self, size):
        return 0.004 + 0.00001 * size**2


class SteadyEncoder:
    """An encoder of that model, which spends 4 ms on each batch besides, and more the larger it is."""

    name, max_tokens, dtype = "steady", 256, "float32"

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
        self.model.encode(texts, batch_size or 8, show_progress_bar=False)


class ColdEncoder(SteadyEncoder):
    """Takes a second longer for each of the first two batches of a size."""

    def encode(self, texts, batch_size=None):
        if self.calls.count((len(texts), batch_size)) < 2 and len(texts) == batch_size:
            self.model.clock.spend(1)
        super().encode(texts, batch_size)


class Batchwise(SteadyEncoder):
    """An encoder that takes so long for a batch, whatever is in it: the larger the batches, the faster it is."""

    def __init__(self, clock, seconds=0.2):
        super().__init__(clock)
        self.seconds = seconds

    def encode(self, texts, batch_size=None):
        self.calls.append((len(texts), batch_size))
        self.model.clock.spend(self.seconds * math.ceil(len(texts) / batch_size))


@pytest.fixture
def clock(data, monkeypatch):
    clock = Clock()
    for module in (stopwatch, stages):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


@pytest.fixture
def steady(clock):
    return SteadyEncoder(clock)


def test_times_are_median_and_range():
    assert Times.of([3.0, 1.0, 2.0, 10.0]) == Times(2.5, 1.0, 10.0, 4)


def test_models_take_turns_after_a_warm_up_that_is_not_counted():
    calls = []
    seconds = stopwatch.rounds([lambda: calls.append("a"), lambda: calls.append("b")], 3)
    assert "".join(calls) == "abab" + "ababab", "two rounds to warm up: the first alone leaves a model cold"
    assert [len(samples) for samples in seconds] == [3, 3]
    with pytest.raises(WorkbookError, match="repeats"):
        stopwatch.rounds([], 0)


def test_texts_have_the_asked_length_and_come_from_the_corpus_and_seed(sample):
    texts = encoding_speed.texts_of(sample, words=16, count=20, seed=1)
    assert [len(text.split()) for text in texts] == [16] * 20
    assert texts == encoding_speed.texts_of(sample, 16, 20, seed=1) != encoding_speed.texts_of(sample, 16, 20, seed=2)
    assert set(" ".join(texts).split()) <= set(" ".join(sample.document_texts).split())


def test_a_small_corpus_is_read_again_in_another_order(sample):
    texts = encoding_speed.texts_of(sample, 1_000, 10)
    assert [len(text.split()) for text in texts] == [1_000] * 10
    assert len(set(texts)) == 10


@pytest.mark.parametrize("before", [None, "true"])
def test_threads_are_fixed_for_the_tokenizers_too_and_given_back_even_after_an_error(monkeypatch, before):
    monkeypatch.delenv(stopwatch.TOKENIZERS, raising=False)
    if before:
        monkeypatch.setenv(stopwatch.TOKENIZERS, before)
    own = torch.get_num_threads()
    for count, parallel in [(1, "false"), (2, "true")]:
        with pytest.raises(KeyError), stopwatch.threads(count):
            assert (torch.get_num_threads(), os.environ[stopwatch.TOKENIZERS]) == (count, parallel)
            raise KeyError
        assert (torch.get_num_threads(), os.environ.get(stopwatch.TOKENIZERS)) == (own, before)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir() or os.cpu_count() == 1, reason="threads cannot be counted")
def test_the_tokenizers_read_the_environment_at_each_call():
    """Their threads begin when they are first used: none as long as the environment forbids it, in one process."""
    program = f"""
import os
from tokenizers import Tokenizer, models
tokenizer = Tokenizer(models.WordLevel({{"a": 0}}, unk_token="a"))
for allowed in ("true", "false")[::-1]:
    os.environ["{stopwatch.TOKENIZERS}"] = allowed
    tokenizer.encode_batch(["a"] * 1000)
    print(len(os.listdir("/proc/self/task")))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    forbidden, allowed = map(int, ran.stdout.split())
    assert forbidden == 1 < allowed


def test_the_best_batch_is_found_among_rounds_of_whole_batches(sample, steady):
    """A batch of b texts takes 0.004 + 0.00001 b^2 + 0.009 b seconds: least for a text at 20, of those tried at 16."""
    [timed] = encoding_speed.encoding(sample, [steady], 8, [1, 16, 104], repeats=2, thread_count=1, round_seconds=1)
    rate = {size: size / (0.004 + 0.00001 * size**2 + 0.009 * size) for size in (1, 16, 104)}
    assert timed.batch_size == 16
    assert {size: rates[0] for size, rates in timed.tried.items()} == pytest.approx(rate)
    assert [len(rates) for rates in timed.tried.values()] == [1, 2, 2], "near the fastest: once more"
    assert timed.texts % 16 == 0 and min(timed.seconds) >= 1
    assert timed.tokens == 3 * timed.texts
    assert steady.calls[-2:] == [(timed.texts, 16)] * 2, "two rounds"
    assert (timed.model, timed.words, timed.max_tokens, timed.threads) == ("steady", 8, 256, 1)


def test_a_large_batch_is_tried_on_texts_that_fill_it(sample, clock):
    """At 8 texts in a batch it makes 40 texts/s: 4 texts in 0.1 s, which would leave no batch but 8 to try."""
    encoder = Batchwise(clock)
    [timed] = encoding_speed.encoding(sample, [encoder], 8, [8, 32, 64, 256], 2, thread_count=1, round_seconds=1)
    assert timed.batch_size == 256
    assert {size: max(rates) for size, rates in timed.tried.items()} == pytest.approx(
        {8: 40, 32: 160, 64: 320, 256: 1280}
    )
    assert all(count >= size and count % size == 0 for count, size in encoder.calls)
    assert timed.doubt == ""
    assert encoding_speed.doubts([timed]) == []


def test_every_shape_is_warmed_up_more_than_once(sample, clock):
    """What the first two batches of each size take longer is in no rate."""
    [cold] = encoding_speed.encoding(sample, [ColdEncoder(clock)], 8, [8, 64], 2, thread_count=1, round_seconds=1)
    [warm] = encoding_speed.encoding(sample, [SteadyEncoder(clock)], 16, [8, 64], 2, thread_count=1, round_seconds=1)
    for size in (8, 64):
        assert cold.tried[size] == pytest.approx(warm.tried[size])


def test_a_size_whose_batches_take_too_long_is_left_out_and_told(sample, clock):
    """A batch of 8 takes 0.5 s: at that rate one of 32 takes 2 s, more than ten rounds of 0.1 s."""
    slow = Batchwise(clock, seconds=0.5)
    [timed] = encoding_speed.encoding(sample, [slow], 8, [8, 32, 64, 256], 1, thread_count=1, round_seconds=0.1)
    assert list(timed.tried) == [8]
    assert timed.doubt == (
        "rounds of 0.1 s are shorter than 1 s; batches of 32, 64 and 256 texts take more than 1 s each"
    )


def test_a_slow_encoder_is_tried_at_the_smallest_size_at_least(sample, clock):
    slow = Batchwise(clock, seconds=100)
    [timed] = encoding_speed.encoding(sample, [slow], 8, [16, 256], repeats=1, thread_count=1, round_seconds=1)
    assert (timed.texts, list(timed.tried), timed.batch_size) == (16, [16], 16)


@pytest.mark.parametrize(
    ("tried", "asked", "seconds", "said"),
    [
        ([8, 32, 64, 256], [8, 32, 64, 256], 1, ""),
        ([32, 64, 256], [32, 64, 256], 2.5, ""),
        ([8, 32], [8, 32], 1, "batches of 64 and 256 texts were not asked for"),
        ([32, 64], [32, 64, 256], 1, "batches of 256 texts take more than 10 s each"),
        ([4], [4, 32], 0.02, "rounds of 0.02 s are shorter than 1 s; batches of 64 and 256 texts were not asked for; "
         "batches of 32 texts take more than 0.2 s each"),
    ],
)  # fmt: skip
def test_what_was_not_tried_is_doubted(tried, asked, seconds, said):
    assert batches.doubt(tried, asked, seconds) == said


def test_a_doubt_is_a_row_and_a_sentence(sample):
    sure, unsure, too = speed("a", [1.0]), speed("b", [1.0], doubt="few texts"), speed("c", [1.0], doubt="few texts")
    rows = encoding_speed.rows(sample, [sure, unsure, too])
    told = rows[rows["metric"] == encoding_speed.DOUBT]
    assert told["note"].tolist() == ["few texts"] * 2
    assert told["model"].tolist() == ["b", "c"]
    assert encoding_speed.doubts([sure, unsure, too]) == [
        "The best speed was not found: few texts. This holds for b (8 words, whole, 1 thread); "
        "c (8 words, whole, 1 thread)."
    ]


def test_a_plain_loop_stands_beside_in_the_same_rounds(sample, steady):
    """Batches of 64 take 0.004 + 0.04096 + 0.576 s, of 32 0.004 + 0.01024 + 0.288 s: 2,048 texts are 32 or 64."""
    [timed] = encoding_speed.encoding(
        sample, [steady], 8, [32, 64, 256], 2, 1, 1, plain=[steady], plain_texts=2_048
    )  # fmt: skip
    loops = {64: 64 / 0.62096, 32: 32 / 0.30224}
    assert timed.plain == {size: pytest.approx([rate] * 2) for size, rate in loops.items()}
    assert timed.batch_size == 32
    rows = encoding_speed.plain_rows(sample, [timed, speed("none", [1.0])]).set_index("metric")
    assert list(rows.index) == encoding_speed.BESIDE
    assert rows["value"].tolist() == pytest.approx([loops[32], loops[64], loops[32], 1.0])
    assert set(rows["n"]) == {2}
    assert works(rows) == {"8 words, cut at 256 tokens, 1 thread"}


def test_stages_are_timed_within_the_calls_of_each_round(sample, steady):
    [timed] = encoding_speed.encoding(sample, [steady], 8, [16], repeats=2, thread_count=1, round_seconds=1)
    for spent, milliseconds in [
        (timed.tokenize_seconds, 1), (timed.model_seconds, 6), (timed.pooling_seconds, 2)
    ]:  # fmt: skip
        assert spent == pytest.approx([timed.texts * milliseconds / 1000] * 2)
    assert all(whole > timed.texts * 9 / 1000 for whole in timed.seconds), "batches take time besides"


def test_encoding_times_every_round_of_every_encoder_and_is_kept(sample, data):
    made = [
        variants.make("tiny-static"), variants.make("tiny-static", max_tokens=4),
        *(variants.make("tiny-transformer", name) for name in variants.available("transformer")),
    ]  # fmt: skip
    arguments = (8, [4, 1], 2, 1, 0.002, made[2:], 10)
    timed = encoding_speed.encoding(sample, made, *arguments)
    assert [(each.model, each.max_tokens) for each in timed] == [(each.name, each.max_tokens) for each in made]
    for encoder, each in zip(made, timed, strict=True):
        assert each.tokens == encoder.token_count(encoding_speed.texts_of(sample, 8, each.texts))
        assert each.batch_size == max(each.tried, key=lambda size: max(each.tried[size]))
        assert list(each.plain) == (list(encoding_speed.PLAIN) if encoder in made[2:] else [])
        assert each.texts >= 1
        parts = np.array([each.tokenize_seconds, each.model_seconds, each.pooling_seconds])
        assert parts.shape == (3, 2)
        assert (parts.sum(axis=0) <= each.seconds).all()
        assert (parts[:2] > 0).all()
        assert (parts[2] > 0).all() == (encoder.kind == "transformer"), "a static model has no pooling of its own"
    assert timed[1].tokens == 4 * timed[1].texts
    assert encoding_speed.encoding(sample, made, *arguments) == timed, "the same timing was made again"


def test_what_decides_a_time_is_what_it_is_kept_by(sample, data, monkeypatch):
    kept = []
    monkeypatch.setattr(results, "remember", lambda kind, about, measure: kept.append((kind, about)) or 1 / 0)
    static, cut = variants.make("tiny-static"), variants.make("tiny-static", max_tokens=4)
    asked = [
        ([static], 8, [4], 2), ([cut], 8, [4], 2), ([static], 9, [4], 2), ([static], 8, [4, 1], 2),
        ([static], 8, [4], 3), ([static], 8, [4], 2, 1), ([static], 8, [4], 2, 0, 0.25), ([static, cut], 8, [4], 2),
        ([static], 8, [4], 2, 0, 1.0, [static]), ([static], 8, [4], 2, 0, 1.0, [static], 100),
    ]  # fmt: skip
    for each in asked:
        with pytest.raises(ZeroDivisionError):
            encoding_speed.encoding(sample, *each)
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
        encoding_speed.encoding(sample, [encoders.load("tiny-static")], 8, *arguments)


@pytest.mark.parametrize("name", ["tiny-static", "tiny-transformer"])
def test_a_model_is_as_before_once_its_stages_are_timed_even_after_an_error(data, name):
    model = encoders.load(name).model
    with pytest.raises(KeyError), stages.timed(model) as spent:
        model.encode(["river"])
        assert spent["model_seconds"] > 0
        assert "preprocess" in vars(model)
        raise KeyError
    assert "preprocess" not in vars(model)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_device_is_waited_for_before_the_clock_is_read(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    assert stages._clock(SimpleNamespace(device=torch.device("cuda")))() > 0
    assert waited == [1]


def test_rows_are_rates_and_shares_with_their_range(sample):
    rows = encoding_speed.rows(sample, [speed("a", [1.0, 2.0, 4.0])]).set_index("metric")
    assert rows.loc["texts/s", ["value", "low", "high", "n"]].tolist() == [50, 25, 100, 3]
    assert rows.loc["tokens/s", "value"] == 500
    shares = ["tokenization share", "model share", "pooling share"]
    assert rows.loc[shares, "value"].tolist() == [0.25, 0.5, 0]
    assert works(rows) == {"8 words, whole, 1 thread"}
    assert set(rows.reset_index().columns) <= set(results.COLUMNS)


def test_rows_tell_the_cut_and_the_threads(sample):
    rows = encoding_speed.rows(sample, [speed("a", [1.0], max_tokens=128, threads=2)])
    assert rows[["words", "max_tokens", "threads"]].drop_duplicates().to_numpy().tolist() == [[8, 128, 2]]
    assert works(rows) == {"8 words, cut at 128 tokens, 2 threads"}


def test_every_batch_size_that_was_tried_has_a_row(sample):
    rows = encoding_speed.batch_rows(sample, [speed("a", [1.0, 2.0]), speed("b", [1.0])])
    assert rows["model"].tolist() == ["a", "a", "b", "b"]
    assert rows["batch"].tolist()[:2] == [1, 32] and "8 words, whole, 1 thread, batch of 32" in works(rows)
    assert set(rows["metric"]) == {"texts/s tried"}
    assert rows[["value", "low", "high", "n"]].to_numpy().tolist()[:2] == [[20, 20, 20, 1], [55, 50, 60, 2]]
    assert set(rows.columns) <= set(results.COLUMNS)


def test_a_speed_up_is_the_ratio_within_each_round(sample):
    """The second round is slow for both: no ratio crosses rounds."""
    fast, slow = speed("fast", [0.1, 1.0, 0.1]), speed("slow", [1.0, 12.0, 2.0], texts=50)
    row = encoding_speed.ratio_rows(sample, fast, [slow]).iloc[0]
    assert [row["value"], row["low"], row["high"], row["n"]] == pytest.approx([24, 20, 40, 3])
    assert row["against"] == row["against_model"] == "slow"
    assert in_words(row) == "8 words, both whole, 1 thread, against slow"


@pytest.mark.parametrize(
    ("fast", "slow", "limits"),
    [(128, 128, "both cut at 128 tokens"), (None, 256, "each its own limit"), (128, 256, "each its own limit")],
)
def test_a_speed_up_says_how_texts_were_cut(sample, fast, slow, limits):
    fast, slow = speed("fast", [1.0], max_tokens=fast), speed("slow", [1.0], max_tokens=slow)
    assert works(encoding_speed.ratio_rows(sample, fast, [slow])) == {f"8 words, {limits}, 1 thread, against slow"}


def test_speeds_that_were_not_timed_in_turn_have_no_ratio(sample):
    with pytest.raises(WorkbookError, match="fast and slow were not timed in turn"):
        encoding_speed.ratio_rows(sample, speed("fast", [1.0]), [speed("slow", [1.0], key="other")])


def test_the_finding_is_against_the_fastest_form_at_each_length(monkeypatch):
    """int8 is the faster one on 8 words, bfloat16 on 160."""
    monkeypatch.setattr(results, "instruction_set", lambda: "AMX")
    corpus = SimpleNamespace(name="sample")
    found = []
    for words, (int8, bfloat16) in {8: (2.0, 3.0), 160: (4.0, 2.5)}.items():
        others = [speed("mini (int8)", [int8] * 2, words), speed("mini (bfloat16)", [bfloat16] * 2, words)]
        found.append(encoding_speed.ratio_rows(corpus, speed("static", [0.1, 0.1], words), others))
    assert set(pd.concat(found)["note"]) == {"AMX"}
    assert encoding_speed.finding(pd.concat(found)) == (
        "static encodes on this CPU (AMX) on texts of 8 words 20.0 [20.0, 20.0] times as many a second as mini (int8), "
        "on texts of 160 words 25.0 [25.0, 25.0] times as many a second as mini (bfloat16), "
        "the fastest of 2 forms that ran there."
    )
    monkeypatch.setattr(results, "instruction_set", lambda: "")
    untold = encoding_speed.ratio_rows(corpus, speed("static", [0.1]), [speed("mini", [0.2])])
    assert encoding_speed.finding(untold).startswith("static encodes on texts of 8 words 2.0")


def test_a_library_that_tells_no_stages_has_no_shares(sample):
    untold = speed("fast", [1.0, 2.0])._replace(tokenize_seconds=[0.0, 0.0], model_seconds=[0.0, 0.0])
    rows = encoding_speed.rows(sample, [untold, speed("told", [1.0, 2.0])])
    alone = "texts/s of the model alone"
    assert not set(rows[rows["model"] == "fast"]["metric"]) & {alone, *stages.STAGES}
    told = rows[rows["model"] == "told"].set_index("metric")["value"]
    assert told[alone] == pytest.approx(np.median([100 / 0.75, 100 / 1.5]))
