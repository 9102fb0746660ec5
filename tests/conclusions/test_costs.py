"""Costs are a speed times a price, and are called computed; what was measured elsewhere says where and how."""

import pandas as pd
import pytest
from workbook.conclusions import costs
from workbook.conclusions.costs import Prices
from workbook.errors import WorkbookError
from workbook.evaluation.metrics import METRICS
from workbook.experiments import encoder_forms

PRICES = Prices(core_hour=0.5, gpu_hour=3.0, core_watts=10.0, gpu_watts=1_000.0)


def speed(model, words, value, threads=2):
    return {"model": model, "words": words, "threads": threads, "metric": "texts/s", "value": value, "key": "k"}


@pytest.fixture
def speeds():
    return pd.DataFrame(
        [
            speed("static", 8, 20_000.0),
            speed("static", 150, 1_000.0),
            speed("static", 2_000, 1.0),
            speed("mini (float16 on the GPU)", 150, 2_000.0),
            {**speed("static", 150, 9.0), "metric": "tokens/s"},
        ]
    )


@pytest.fixture
def queries():
    names = {"model": "static", "threads": 2, "metric": "one query ms", "key": "k"}
    return pd.DataFrame([{**names, "part": part, "value": 0.36} for part in ("tokenization", encoder_forms.ALL)])


def test_hours_money_and_energy_of_a_million(speeds, queries):
    """A million at 1,000 a second are 1,000 s of two cores; at 2,000 500 s of a card; queries 360 s of two cores."""
    found = costs.rows(speeds, queries, PRICES).pivot_table(index=["part", "model"], columns="metric", values="value")
    documents, one_by_one = "a million documents", "a million queries, one after another"
    expected = {
        (documents, "static"): (1_000 / 3600, 1_000 / 3600, 1_000 / 3600 * 0.02),
        (documents, "mini (float16 on the GPU)"): (500 / 3600, 500 / 3600 * 3, 500 / 3600),
        (one_by_one, "static"): (0.1, 0.1, 0.1 * 0.02),
    }
    assert len(found) == 3, "the length nearest to a document's, and all of encoding"
    for which, values in expected.items():
        assert tuple(found.loc[which, costs.COSTS]) == pytest.approx(values)
    assert all("computed" in name and "computed" in METRICS[name].label for name in costs.COSTS)


def test_a_price_below_zero_is_refused(speeds, queries):
    with pytest.raises(WorkbookError, match="prices and watts must be 0 or above 0, not -1"):
        costs.rows(speeds, queries, PRICES._replace(gpu_hour=-1))


def test_what_is_committed_says_where_and_how_it_was_measured():
    frame = costs.elsewhere()
    assert list(frame.columns) == costs.COLUMNS and (frame["value"] > 0).all()
    assert set(frame["metric"]) <= {"texts/s", costs.MODEL_ALONE}
    without = frame[frame["versions"].isna()]
    assert without["how"].str.contains("versions").all() and without["how"].str.contains("not kept").all()


@pytest.mark.parametrize("broken", ["machine,value\na,1\n", ",".join(costs.COLUMNS) + "\na,,,,,m,8,texts/s,1\n"])
def test_a_row_without_how_or_a_file_of_other_columns_is_refused(tmp_path, monkeypatch, broken):
    (tmp_path / "measured.csv").write_text(broken)
    monkeypatch.setattr(costs, "ELSEWHERE", tmp_path / "measured.csv")
    with pytest.raises(WorkbookError, match=r"measured.csv: needs the columns machine, .*and machine, how, model"):
        costs.elsewhere()


@pytest.fixture
def measured():
    names = {"machine": "One card", "model": "mini (float16 on the GPU)", "words": 8}
    return pd.DataFrame(
        [
            {**names, "metric": "texts/s", "value": 5_000.0},
            {**names, "metric": "texts/s", "value": 12_000.0},
            {**names, "metric": costs.MODEL_ALONE, "value": 25_000.0},
            {**names, "words": 160, "metric": "texts/s", "value": 1.0},
            {**names, "model": "static", "metric": "texts/s", "value": 1.0},
        ]
    )


def test_a_card_is_told_in_cores_as_people_call_it_and_as_it_could(speeds, measured):
    """A core makes 10,000."""
    assert costs.in_cores(speeds, "static", measured) == (
        "One card, was measured elsewhere to encode 5,000 to 12,000 texts of 8 words a second with mini "
        "as people call it: as many as 0.5 to 1.2 cores of this CPU with static. "
        "The card could do 25,000, were texts tokenized elsewhere: 2.5 cores."
    )


def test_without_either_nothing_is_told(speeds, measured):
    assert costs.in_cores(speeds, "other", measured) == ""
    assert costs.in_cores(speeds, "static", measured[measured["metric"] == "texts/s"]) == ""
