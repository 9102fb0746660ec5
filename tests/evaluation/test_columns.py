"""Columns are typed and explained in one place, and a row's words are made of them."""

import pandas as pd
import pytest
from workbook.evaluation import columns, results
from workbook.evaluation.columns import COLUMNS, in_words


def test_every_column_has_a_meaning_and_a_type_that_pandas_reads():
    assert all(column.meaning for column in COLUMNS.values())
    assert {column.type for column in COLUMNS.values()} == {str, float, "Int64"}
    assert columns.NUMBERS["words"] == "Int64" and "method" not in columns.NUMBERS


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"words": 8, "max_tokens": 256, "threads": 2}, "8 words, cut at 256 tokens, 2 threads"),
        ({"words": 2_000.0, "max_tokens": 0, "threads": 1, "batch": 32}, "2,000 words, whole, 1 thread, batch of 32"),
        ({"words": 8, "max_tokens": 256, "against": "b"}, "8 words, both cut at 256 tokens, against b"),
        ({"words": 8, "max_tokens": None, "against": "b"}, "8 words, each its own limit, against b"),
        ({"words": 8, "threads": 2}, "8 words, 2 threads"),
        ({"method": "trained", "against": "b"}, "trained, against b"),
        ({"documents": 1, "variant": "library's tokenization", "part": "index"},
         "1 document, library's tokenization, index"),
        ({"scenario": "MS MARCO", "documents": 8_841_823, "note": pd.NA}, "MS MARCO, 8,841,823 documents"),
        ({"model": "a", "dimension": 64, "margin": 0.01, "key": "k"}, ""),
    ],
)  # fmt: skip
def test_a_row_in_words(row, said):
    assert in_words(row) == said == in_words(pd.Series(row, dtype=object))


def test_columns_can_be_left_out_of_the_words():
    row = {"words": 8, "max_tokens": 256, "threads": 2, "against": "b"}
    assert in_words(row, without=("words", "against")) == "both cut at 256 tokens, 2 threads"


def test_numbers_are_numbers_again_when_rows_are_read(data, monkeypatch):
    monkeypatch.setenv("WORKBOOK_RUN", "made")
    frame = pd.DataFrame([{"metric": "texts/s", "value": 1, "words": 8, "max_tokens": 0}, {"metric": "x", "value": 2}])
    results.publish("02_encoding_speed", frame)
    file = results.published_file("made", "02_encoding_speed")
    assert ",8,0,," in file.read_text().splitlines()[1], "whole numbers, though the frame had none"
    rows = results.read_rows(file)
    assert rows["words"].tolist() == [8, pd.NA] and rows["words"].dtype == rows["threads"].dtype == "Int64"
