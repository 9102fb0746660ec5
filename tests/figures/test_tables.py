"""Tables show values with their ranges, and say which rows they show."""

import pandas as pd
import pytest
from workbook.evaluation import evaluation
from workbook.evaluation.metrics import METRICS
from workbook.figures import tables


@pytest.fixture
def rows():
    frame = pd.DataFrame({"metric": "ndcg@10", "model": ["a", "b"], "value": [0.6, 0.5], "n": 25, "key": ["1f", "2e"]})
    frame = frame.assign(low=frame["value"] - 0.1, high=frame["value"] + 0.1)
    sizes = pd.DataFrame({"metric": "bytes per vector", "model": "a", "value": [1256.4], "key": ["1f"]})
    return pd.concat([frame, sizes], ignore_index=True)


def test_a_table_shows_ranges_where_there_are_any(rows):
    table = tables.table(rows, ["model"], ["ndcg@10", "bytes per vector"]).data
    assert table.loc["a"].tolist() == ["0.600 [0.500, 0.700]", "1,256"]
    assert table.loc["b"].tolist() == ["0.500 [0.400, 0.600]", ""]
    assert table.columns.tolist() == ["NDCG@10", "bytes per vector"]


def test_a_metric_that_no_row_has_has_no_column(rows):
    table = tables.table(rows, ["model"], ["ndcg@10", "latency ms", "bytes per vector"]).data
    assert table.columns.tolist() == ["NDCG@10", "bytes per vector"]


def test_a_crossed_table_has_a_column_for_each_part():
    rows = pd.DataFrame({
        "metric": "phase seconds", "documents": [10, 10, 20], "part": ["encode", "index", "encode"],
        "note": [None, "what was left", None], "value": [1, 2, 3],
    })  # fmt: skip
    table = tables.crossed(rows, "phase seconds").data
    assert list(table.columns) == ["encode", "index, what was left"]
    assert table.loc["10 documents"].tolist() == ["1.00", "2.00"]
    assert table.loc["20 documents"].tolist() == ["3.00", ""]


def test_a_table_says_which_rows_it_shows(rows, monkeypatch):
    monkeypatch.setenv("WORKBOOK_RUN", "smoke")
    html = tables.table(rows, ["model"], ["ndcg@10"]).to_html()
    assert "<caption>Run smoke, 2 rows: ndcg@10; keys 1f, 2e</caption>" in html


def test_of_many_keys_some_are_told(rows):
    many = pd.concat([rows.assign(key=str(number)) for number in range(5)])
    assert tables.source(many).endswith("15 rows: ndcg@10, bytes per vector; keys 0, 1, 2 and 2 more")
    assert "key" not in tables.source(rows.drop(columns="key"))


def test_the_same_table_gives_the_same_html_and_escapes_it(rows):
    frame = pd.DataFrame({"<i>": ["<b>"], "number": [1234.56789], "none": [None]}, pd.Index(["<u>"], name="<s>"))
    first, second = (tables.sourced(frame, rows, digits=2).to_html() for _ in range(2))
    assert first == second
    assert all(f"&lt;{letter}&gt;" in first and f"<{letter}>" not in first for letter in "bius")
    assert "1,234.57" in first and "None" not in first


def test_counts_are_whole_and_one_repeat_has_no_range(rows):
    frame = pd.DataFrame({"queries to decide": [1287.0, None], "n": [300, 300], "value": [0.5, 1.0]})
    html = tables.sourced(frame, rows).to_html()
    assert ">1,287<" in html and ">300<" in html and ">1.0000<" in html
    once = rows.assign(n=1)
    assert tables.table(once, ["model"], ["ndcg@10"]).data.loc["a"].tolist() == ["0.600"]


def test_every_metric_that_is_measured_can_be_shown():
    assert set(evaluation.METRICS) <= set(METRICS)
