"""The ladder has each way to encode once, from no attention to attention always, and what others published."""

import numpy as np
import pandas as pd
import pytest
from published_run import publish
from workbook.conclusions import asked, ladder, run_rows
from workbook.errors import WorkbookError
from workbook.figures import plots, training_plots

SIZES = {"fast": 30.0, "slow": 90.0, "custom-made-1": 20.0, "custom-made-queries-1": 15.0}
PUBLISHED = {"potion-base-8M": 0.5, "all-mpnet-base-v2": 0.65, "BM25": 0.68}


@pytest.fixture
def methods(data, monkeypatch):
    publish(monkeypatch)
    return asked.distinct(asked.methods(run_rows.read("made"))[0])


@pytest.fixture
def found(methods):
    bits = {name: pd.Series(np.linspace(0.2, 0.6, 100)) for name in ("fast", "trained", "static query", "slow")}
    return ladder.steps(methods, bits, "slow", SIZES, PUBLISHED)


def test_steps_go_from_no_attention_to_attention_always(found):
    assert [step.attention for step in found] == ["nowhere"] * 4 + ["when indexing", "always"]
    labels = [step.label for step in found]
    assert labels == ["BM25", "fast", "potion-base-8M (published)", "trained", "static query", "slow"]


def test_a_step_has_its_scores_and_the_size_of_what_encodes_queries(found):
    query = next(step for step in found if step.label == "static query")
    assert query.score.value == pytest.approx(0.61, abs=0.01)
    assert query.with_bm25.value == pytest.approx(0.665, abs=0.01)
    assert query.one_bit.value == pytest.approx(0.4) and query.one_bit.n == 100
    assert query.megabytes == 15 and query.query_ms.value == pytest.approx(1.0)
    assert query.documents_per_second.value == pytest.approx(20)


def test_what_was_measured_is_not_taken_from_others(methods):
    steps = ladder.steps(methods, {}, "slow", {**SIZES, "potion-base-8M": 30.0}, PUBLISHED)
    assert [step.label for step in steps] == ["BM25"]


def test_the_table_leaves_empty_what_nobody_measured(found):
    table = ladder.table(found)
    assert list(table.index) == [step.label for step in found]
    published = table.loc["potion-base-8M (published)"]
    assert published["NDCG@10"] == "0.500" and published["attention"] == "nowhere"
    assert set(published.drop(["NDCG@10", "attention"])) == {""}
    assert table.loc["BM25", "one bit"] == "" and table.loc["BM25", "MB for queries"] == ""
    assert table.loc["slow", "MB for queries"] == "90.0"


def test_the_figure_says_what_a_table_of_queries_keeps_and_in_what_time(found):
    figure = training_plots.ladder(found)
    said = plots.alt_text(figure)
    assert "A static query finds NDCG@10 0.610 in documents that slow encoded" in said
    assert "slow itself finds 0.620; a query takes 5% of its time" in said
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert "static query\nattention when indexing" in labels and len(labels) == len(found)


def test_nothing_but_published_numbers_is_no_figure(found):
    with pytest.raises(WorkbookError, match="no step of the ladder was measured"):
        training_plots.ladder([step for step in found if step.published])
