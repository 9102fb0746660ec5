"""Answers say what the rows say: other rows give other words."""

import re

import pandas as pd
import pytest
from published_run import SCORES, publish
from workbook.conclusions import answers, run_rows
from workbook.conclusions import asked as asked_from
from workbook.evaluation import results
from workbook.experiments import encoding_speed


@pytest.fixture
def asked(data, monkeypatch):
    def ask(margin=0.01, without=(), **changed):
        for label, score in changed.items():
            monkeypatch.setitem(SCORES, label, score)
        publish(monkeypatch, without=without)
        read = run_rows.read("made")
        return asked_from.of(read, asked_from.methods(read)[0], margin)

    return ask


def told(about, question):
    [found] = [one for one in answers.answer(about) if one.question == question]
    return found


def test_the_models_are_those_of_notebook_01(asked):
    about = asked()
    assert (about.static, about.transformer) == ("fast", "slow")
    assert about.megabytes == {"fast": 30, "slow": 90, "custom-made-1": 20, "custom-made-queries-1": 15}
    assert about.best == "trained"
    pairs = [(one.label, other.label) for one, other in about.alike()]
    assert pairs == [(f"trained + BM25 ({how})", f"slow + BM25 ({how})") for how in ("dbsf", "rrf")], "worst first"


def test_every_question_is_answered_with_its_source(asked):
    found = answers.answer(asked())
    assert len(found) == len(answers.QUESTIONS)
    for one, (_, notebook, _) in zip(found, answers.QUESTIONS, strict=True):
        assert any(name.startswith(notebook) for name in one.notebooks), one
        assert one.keys and answers.MISSING not in one.text


def test_what_a_static_model_gives_up(asked):
    text = told(asked(), "How much does a static model give up?").text
    assert text == "fast keeps 64% [62%, 67%] of the NDCG@10 of slow: −0.220 [−0.230, −0.210]."  # noqa: RUF001


def test_the_rival_is_the_fastest_form_on_equal_terms(asked):
    answer = told(asked(), "How much faster does it encode?")
    assert "40 [36, 44] times as fast as slow (int8) on texts of 8 words" in answer.text
    assert "300 [270, 330] times as fast as slow on texts of 160 words" in answer.text
    assert answer.n == 3 and answer.keys == ("5eed",)


def added(about, **facts):
    return about._replace(rows=pd.concat([about.rows, pd.DataFrame([{"corpus": "made", "n": 100, **facts}])]))


def test_queries_that_the_model_knows_nothing_of_are_told(asked):
    unknown = {"metric": results.NOTHING_KNOWN, "value": 18, "model": "fast", "notebook": "01_static_vs_transformer"}
    text = told(added(asked(), **unknown), "How much does a static model give up?").text
    assert text.endswith(
        "fast finds nothing for 18 of 100 queries: it knows none of their words, or scores all documents alike."
    )


def test_a_rival_whose_best_speed_was_not_found_is_told(asked):
    question, said = "How much faster does it encode?", "; its best speed was not found, notebook 02 says why."
    doubt = {"metric": encoding_speed.DOUBT, "value": 1, "notebook": "02_encoding_speed"}
    doubt |= {"words": 160, "max_tokens": 256, "threads": 2}
    assert told(added(asked(), **doubt, model="slow"), question).text.endswith(said)
    other = told(added(asked(), **doubt, model="slow (int8)"), question).text
    assert not other.endswith(said), "at 160 words the fastest form is another"
    alone = told(added(asked(), **doubt | {"threads": 1}, model="slow"), question).text
    assert not alone.endswith(said), "on one thread, which is not what is told"


def test_a_machine_of_one_core_is_told_of_too(asked):
    about = asked()
    rows = about.rows[about.rows["threads"].isna() | (about.rows["threads"] == 2)]
    one = rows.assign(threads=rows["threads"].where(rows["threads"].isna(), 1))
    question = "How much faster does it encode?"
    assert told(about._replace(rows=one), question).text == told(about, question).text


def test_the_fewest_dimensions_within_the_margin_are_named(asked):
    about = asked()
    text = told(about, "How few dimensions will do?").text
    assert text.startswith("32 dimensions are shown to lose less than 0.01, −0.003 [−0.007, +0.001]; fast cut to 32:")  # noqa: RUF001
    unsure = about.rows.copy()
    unsure.loc[unsure["metric"] == "ndcg@10 difference", "low"] = -0.01
    text = told(about._replace(rows=unsure), "How few dimensions will do?").text
    assert text.startswith("No shorter vector is shown to lose less than 0.01")
    whole = about.rows[~((about.rows["metric"] == "ndcg@10 difference") & (about.rows["dimension"] < 64))]
    assert told(about._replace(rows=whole), "How few dimensions will do?").text == "fast has no fewer to cut to."


def test_quantization_is_told_with_bytes_and_rescoring(asked):
    text = told(asked(), "What does quantization cost?").text
    assert "scalar-int8 (68 bytes): +0.000 [−0.004, +0.004], equal within 0.01" in text  # noqa: RUF001
    assert "binary (16 bytes): −0.200 [−0.204, −0.196], worse" in text  # noqa: RUF001
    assert "binary, rescored (16 bytes): −0.001 [−0.005, +0.003], equal within 0.01" in text, "by the most candidates"  # noqa: RUF001


def test_what_training_adds_is_over_the_seeds(asked):
    answer = told(asked(), "What does training on the corpus add?")
    assert answer.text == (
        "Trained in 31 s on the corpus's own text, without a query or a judgement, mean over 2 seeds, it finds "
        "+0.230 [+0.210, +0.250] over fast, which it starts from; against slow it is +0.010 [−0.010, +0.030], "  # noqa: RUF001
        "not settled."
    )
    assert answer.n == 100 and answer.keys == ("d1", "d2")


def test_what_notebook_06_decided_is_repeated(asked):
    text = told(asked(), "Which setting, for this corpus?").text
    assert text.startswith("None is confirmed. fast against its whole float32 vector, chosen on half of the queries")
    assert text.endswith(
        "binary, 64 dimensions, rescore-x3: +0.000 [−0.030, +0.010], not confirmed, not settled (margin 0.02)."  # noqa: RUF001
    )


def test_without_a_trained_model_training_is_not_answered(asked):
    about = asked(without=("05_train_your_own",))
    assert told(about, "What does training on the corpus add?").text == "Not measured: run notebook 05."


@pytest.mark.parametrize("missing", ["02_encoding_speed", "03_matryoshka_dimensions", "06_your_data"])
def test_what_was_not_run_is_said_and_the_rest_answered(asked, missing):
    found = answers.answer(asked(without=(missing,)))
    not_measured = [one.text for one in found if one.text.startswith("Not measured")]
    assert not_measured == [f"Not measured: run notebook {missing[:2]}."]


def test_without_notebook_01_nothing_is_answered(asked):
    about = asked(without=("01_static_vs_transformer",))
    texts = [one.text for one in answers.answer(about)]
    assert texts[0] == "Not measured: run notebook 01." and texts[1] == "Not measured: run notebook 01 and 02."


def test_the_words_name_notebook_n_and_keys(asked):
    told = answers.in_words(answers.answer(asked())).split("<p>")[1:]
    assert len(told) == len(answers.QUESTIONS)
    assert told[1].startswith("<b>How much faster does it encode?</b> fast encodes 40 [36, 44] times")
    assert told[1].endswith("<i>(n = 3; rows of 02_encoding_speed; keys 5eed)</i></p>")


def test_what_is_missing_has_no_source(asked):
    told = answers.in_words(answers.answer(asked(without=("06_your_data",))))
    assert "<b>Which setting, for this corpus?</b> Not measured: run notebook 06. <i></i></p>" in told


def test_only_the_same_fusions_are_compared(asked):
    about = asked()
    kept = [way for way in about.methods if way.label not in ("trained + BM25 (rrf)", "slow + BM25 (dbsf)")]
    assert about._replace(methods=kept).alike() == []


def test_a_table_of_queries_is_told_beside_the_transformer_alone_and_with_bm25(asked):
    text = told(asked(), answers.QUERIES).text
    assert "finds documents as slow encoded them, in 1.00 ms a query, 20 times as fast: " in text
    assert "static query against slow: −0.010 [" in text  # noqa: RUF001
    [told_of_it] = re.findall(r"static query \+ BM25 against slow \+ BM25: (\S+) \[", text)
    assert told_of_it == "−0.035", "the fusion that is worse for it, alone"  # noqa: RUF001
