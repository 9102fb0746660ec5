"""Answers say what the rows say: other rows give other words."""

import pytest
from published_run import SCORES, publish
from workbook import answers, evidence, ways
from workbook.answers import decide
from workbook.statistics import Interval


@pytest.fixture
def asked(data, monkeypatch):
    def ask(margin=0.01, without=(), **changed):
        for label, score in changed.items():
            monkeypatch.setitem(SCORES, label, score)
        publish(monkeypatch, without=without)
        read = evidence.read("made")
        return answers.asked(read, ways.read(read)[0], margin)

    return ask


def told(about, question):
    [found] = [one for one in answers.answer(about) if one.question == question]
    return found


@pytest.mark.parametrize(
    ("low", "high", "n", "expected"),
    [
        (0.001, 0.2, 100, 1),
        (0.0, 0.2, 100, 0),
        (-0.009, 0.2, 100, 0),
        (-0.009, -0.001, 100, 0),
        (-0.01, 0.2, 100, None),
        (-0.02, 0.0, 100, None),
        (-0.02, -0.001, 100, -1),
        (0.1, 0.2, 9, None),
    ],
)
def test_an_interval_decides(low, high, n, expected):
    assert decide(Interval((low + high) / 2, low, high, n), 0.01) == expected


def test_the_models_are_those_of_notebook_01(asked):
    about = asked()
    assert (about.static, about.transformer) == ("fast", "slow")
    assert about.megabytes == {"fast": 30, "slow": 90, "custom-made-1": 20}
    assert about.fused("slow").label == "slow + BM25 (rrf)", "the fusion that finds less"


def test_every_question_is_answered_with_its_source(asked):
    found = answers.answer(asked())
    assert len(found) == len(answers.QUESTIONS)
    for one, (_, notebook, _) in zip(found, answers.QUESTIONS, strict=True):
        assert one.notebook.startswith(notebook) and one.keys and not one.text.startswith("Not measured")


def test_what_a_static_model_gives_up(asked):
    text = told(asked(), "How much does a static model give up?").text
    assert text == "fast keeps 64% [62%, 67%] of the NDCG@10 of slow: −0.220 [−0.230, −0.210]."  # noqa: RUF001


def test_the_rival_is_the_fastest_form_on_equal_terms(asked):
    answer = told(asked(), "How much faster does it encode?")
    assert "40 [36, 44] times as fast as slow (int8) on texts of 8 words" in answer.text
    assert "300 [270, 330] times as fast as slow on texts of 160 words" in answer.text
    assert answer.n == 3 and answer.keys == ("5eed",)


def test_the_fewest_dimensions_within_the_margin_are_named(asked):
    text = told(asked(), "How few dimensions will do?").text
    assert text.startswith("32 dimensions lose no more than 0.01; fast cut to 32:")
    text = told(asked(margin=0.001), "How few dimensions will do?").text
    assert text.startswith("No cut that was tried is shown to lose no more than 0.001")


def test_quantization_is_told_with_bytes_and_rescoring(asked):
    text = told(asked(), "What does quantization cost?").text
    assert "scalar-int8 (68 bytes), not rescored: +0.000" in text
    assert "binary (16 bytes), not rescored: −0.200" in text and "binary (16 bytes), rescored: −0.001" in text  # noqa: RUF001


def test_what_training_adds_is_paired_with_the_start_and_the_transformer(asked):
    answer = told(asked(), "What does training on the corpus add?")
    assert "in 31 s of training" in answer.text and "+0.2" in answer.text
    assert answer.n == 100 and len(answer.keys) == 2


@pytest.mark.parametrize(
    ("trained", "slow_both", "first", "second"),
    [
        (
            0.67,
            0.68,
            "Not on this corpus: trained + BM25 (rrf), without attention, finds more than slow",
            "still finds",
        ),
        (0.62, 0.62, "finds as much as slow, to 0.01", "finds as much, to 0.01, or more"),
        (0.50, 0.45, "On this corpus attention pays", "beside BM25 finds less"),
    ],
)
def test_the_headline_follows_the_scores(asked, trained, slow_both, first, second):
    changed = {"trained + BM25 (rrf)": trained, "slow + BM25 (rrf)": slow_both}
    text = answers.headline(asked(**changed))
    assert first in text and second in text and "100 times as many documents a second" in text


def test_the_headline_is_undecided_with_few_queries(asked):
    about = asked()
    few = about._replace(ways=[way._replace(scores=way.scores.head(5)) for way in about.ways])
    assert answers.headline(few).startswith("Undecided with 5 queries")


def test_without_a_trained_model_the_general_one_answers(asked):
    about = asked(without=("05_train_your_own",))
    assert "fast + BM25 (rrf)" in answers.headline(about)
    assert told(about, "What does training on the corpus add?").text == "Not measured: run notebook 05."


@pytest.mark.parametrize("missing", ["02_encoding_speed", "03_matryoshka_dimensions", "06_your_data"])
def test_what_was_not_run_is_said_and_the_rest_answered(asked, missing):
    found = answers.answer(asked(without=(missing,)))
    not_measured = [one.text for one in found if one.text.startswith("Not measured")]
    assert not_measured == [f"Not measured: run notebook {missing[:2]}."]


def test_without_notebook_01_nothing_is_answered(asked):
    about = asked(without=("01_static_vs_transformer",))
    assert all(one.text.startswith("Not measured: run notebook") for one in answers.answer(about))
    assert answers.headline(about) == "Nothing can be said yet: notebooks 01 and 05 have to be run first."


def test_the_words_name_notebook_n_and_keys(asked):
    told = answers.in_words(answers.answer(asked())).split("\n\n")
    assert len(told) == len(answers.QUESTIONS)
    assert told[1].startswith("**How much faster does it encode?** fast encodes 40 [36, 44] times")
    assert told[1].endswith("*(n = 3; rows of 02_encoding_speed; keys 5eed)*")
    missing = answers.in_words(answers.answer(asked(without=("06_your_data",))))
    assert "Which setting, for this corpus?** Chosen on half" in missing, "rows of an earlier time are still there"
