"""Leakage: which test queries training has seen the like of, in cases planted by hand."""

import pytest
from workbook.corpora import corpora
from workbook.corpora.corpora import Corpus, Document
from workbook.training import limits

TRAIN_QUERIES = {"t1": "vitamin D prevents rickets", "t2": "aspirin thins blood"}
TRAIN_QRELS = {"t1": {"d1": 1, "d2": 0}, "t2": {"d3": 2}}


def made_up(queries, qrels):
    return Corpus("made up", {f"d{n}": Document("", f"text {n}") for n in range(1, 6)}, queries, qrels)


def seen(text, grades):
    """The row of one test query, asked beside another that has nothing in common with training."""
    test = made_up({"q": text, "other": "gravity bends light"}, {"q": grades, "other": {"d4": 1}})
    frame = limits.overlap(made_up(TRAIN_QUERIES, TRAIN_QRELS), test)
    assert list(frame.index) == ["q", "other"]
    assert frame.loc["other"].to_dict() == {"same document": False, "nearest": 0, "near": False, "unseen": True}
    return frame.loc["q"].to_dict()


@pytest.mark.parametrize(
    ("text", "document", "same", "nearest", "near"),
    [
        ("what softens bones", "d1", True, 0, False),
        ("vitamin D never prevents rickets", "d4", False, 4 / 5, True),
        ("aspirin thins blood", "d3", True, 1, True),
        ("light is bent", "d4", False, 0, False),
    ],
    ids=["document", "words", "both", "neither"],
)
def test_a_query_is_seen_by_its_document_or_by_its_words(text, document, same, nearest, near):
    row = seen(text, {document: 1})
    assert row == {
        "same document": same, "nearest": pytest.approx(nearest), "near": near, "unseen": not (same or near),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("grades", "same"),
    [({"d2": 1}, False), ({"d1": 0, "d4": 1}, False), ({"d4": 1, "d5": 0, "d3": 1}, True)],
    ids=["0 in training", "0 in the test", "one of several"],
)
def test_a_document_is_in_common_if_it_is_relevant_in_both(grades, same):
    assert seen("what softens bones", grades)["same document"] is same


@pytest.mark.parametrize(
    ("text", "shared", "near"),
    [
        ("vitamin D", 2 / 4, True),
        ("vitamin D prevents scurvy mostly", 3 / 6, True),
        ("vitamin D prevents scurvy and more", 3 / 7, False),
        ("Rickets? PREVENTS rickets: d, vitamin!", 1, True),  # case, order, repetition, punctuation
        ("aspirin prevents blood clots", 2 / 5, False),  # the nearest of all train queries counts
    ],
)
def test_half_of_the_words_is_near_and_less_is_not(text, shared, near):
    row = seen(text, {"d4": 1})
    assert (row["nearest"], row["near"]) == (pytest.approx(shared), near)


@pytest.mark.parametrize(
    ("text", "trained", "nearest"),
    [
        ("维生素预防佝偻病吗", "维生素能预防佝偻病", 8 / 10),
        ("วิตามินดี", "วิตามินดี", 1),
        ("cafe\u0301 au lait", "Caf\u00e9 au LAIT", 1),
        ("😀", "😀", 1),
        ("😀", "😢", 0),
    ],
)
def test_scripts_without_spaces_forms_of_characters_and_signs_are_compared(text, trained, nearest):
    train = made_up({"t": trained}, {"t": {"d1": 1}})
    frame = limits.overlap(train, made_up({"q": text}, {"q": {"d4": 1}}))
    assert frame.loc["q", "nearest"] == pytest.approx(nearest)


def test_a_split_has_seen_all_of_itself():
    sample = corpora.load("sample")
    frame = limits.overlap(sample, sample)
    assert list(frame.index) == list(sample.queries)
    assert (frame["nearest"] == 1).all() and frame["same document"].all() and not frame["unseen"].any()
