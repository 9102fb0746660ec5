"""How long the rest of a run takes, by what it did before; whether a notebook is kept is in test_several_corpora."""

import pytest
from workbook import paths
from workbook.embedding import encoders
from workbook.runs import kept
from workbook.runs.outcomes import Outcome

TODO = [("r", "01_first"), ("r", "02_second"), ("r", "08_should_you_pay_attention")]


def outcome(notebook, seconds, run="r", error=""):
    return Outcome(run, "", notebook, seconds, error)


def test_an_earlier_run_tells_how_long_this_one_takes_at_most(data):
    for (run, notebook), seconds in zip(TODO, (600, 300, 10), strict=True):
        kept.note_time(run, notebook, seconds)
    left = kept.Left(TODO)
    assert left.told([]) == ", up to 15 min left"
    assert left.told([outcome("01_first", 600)]) == ", about 5 min left"
    kept.note_time("r", "02_second", 9_999)
    assert left.told([outcome("01_first", 600)]) == ", about 5 min left", "what this run noted is no earlier run"
    assert left.told([outcome("01_first", 60)]) == ", less than a minute left", "what was measured is read now"
    assert left.told([outcome("01_first", 1, error="planted")]) == ", about 5 min left"


def test_the_first_corpus_tells_of_the_next(data):
    todo = [("one", "01_first"), ("two", "01_first"), ("all", "09_across_corpora")]
    assert kept.Left(todo).told([]) == ""
    assert kept.Left(todo).told([outcome("01_first", 120, "one")]) == ", about 2 min left"
    assert kept.Left(TODO).told([outcome("01_first", 120)]) == "", "of the second nothing is known"


def test_the_pace_of_a_transformer_is_tried_once_and_then_kept(data, monkeypatch):
    model, static = encoders.load("tiny-transformer"), encoders.load("tiny-static")
    encoded = []
    monkeypatch.setattr(model, "encode", lambda texts, role: encoded.append(len(texts)))
    texts = ["a text"] * 1_000
    pace = kept.Pace()
    assert pace.seconds(static, texts) == 0 < pace.seconds(model, texts)
    assert encoded == [1, kept.TRIED]
    pace.note(model, texts, 0.1)  # found encoded
    pace.note(model, texts, 600.0)
    assert pace.seconds(model, texts[:500]) == pytest.approx(300)
    assert kept.Pace().seconds(model, texts) == pytest.approx(600) and len(encoded) == 2


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"tiny-static": "x"}'])
def test_a_pace_that_cannot_be_read_is_not_known(data, content):
    file = paths.DATA / "results" / "pace.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert kept.Pace().seconds(encoders.load("tiny-static"), ["a text"]) == 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, ""), (1, ", less than a minute left"), (60, ", about 1 min left"), (200, ", about 3 min left")],
)
def test_time_is_told_in_whole_minutes(seconds, said):
    assert kept.about(seconds) == said
