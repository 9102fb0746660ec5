"""Others' numbers: each with its source, laid beside rows of a run."""

import pandas as pd
import pytest
from workbook.conclusions import published_scores
from workbook.corpora import corpora
from workbook.embedding import models
from workbook.errors import WorkbookError
from workbook.qdrant import quantization

KEY = {"corpus": "scifact", "model": "all-MiniLM-L6-v2", "setting": "float32", "search": "exact", "metric": "ndcg@10"}


def ours(value, low=0.6, high=0.7, dimension=384):
    return {**KEY, "dimension": dimension, "value": value, "low": low, "high": high, "n": 300}


def row_of(table):
    own = table[(table["dataset"] == "scifact") & (table["model"] == "all-MiniLM-L6-v2")]
    assert len(own) == 1
    return own.iloc[0]


def test_the_table_is_about_things_the_workbook_knows():
    table = published_scores.read()
    assert set(table["dataset"]) <= set(corpora.BEIR)
    assert set(table["model"]) <= {*models.MODELS, "BM25"}
    assert set(table["setting"]) <= {*quantization.SETTINGS, "sparse"}
    assert not table.duplicated(["dataset", "model", "setting", "search", "metric", "source"]).any()
    assert table["value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.64508, 0.60, 0.69, "same"),
        (0.64550, 0.60, 0.69, "same"),
        (0.63, 0.60, 0.69, "in our interval"),
        (0.55, 0.50, 0.60, "outside our interval"),
    ],
)
def test_a_published_value_is_the_same_or_in_our_interval_or_outside(value, low, high, verdict):
    row = row_of(published_scores.compare(pd.DataFrame([ours(value, low, high)])))
    assert row["verdict"] == verdict
    assert row["difference"] == pytest.approx(value - 0.64508)


def test_only_whole_vectors_are_compared():
    row = row_of(published_scores.compare(pd.DataFrame([ours(0.64508), ours(0.1, dimension=32)])))
    assert row["ours"] == 0.64508


def test_what_was_not_run_says_so():
    table = published_scores.compare(pd.DataFrame([ours(0.64508)]))
    others = table[table["model"] != "all-MiniLM-L6-v2"]
    assert (others["verdict"] == "not run").all() and others["ours"].isna().all()
    assert len(table) == len(published_scores.read())


def test_bm25_of_a_notebook_is_compared_with_the_published():
    row = {
        "corpus": "scifact",
        "method": "BM25",
        "metric": "ndcg@10",
        "value": 0.6834,
        "low": 0.64,
        "high": 0.72,
        "n": 300,
    }
    others = [{**row, "method": "a + BM25 (rrf)"}, {**row, "metric": "mrr@10"}]
    table = published_scores.compare(
        pd.concat([pd.DataFrame([ours(0.6)]), published_scores.as_published(pd.DataFrame([row, *others]))])
    )
    found = table[(table["model"] == "BM25") & (table["dataset"] == "scifact")]
    assert found["verdict"].tolist() == ["in our interval"] * 2 and set(found["ours"]) == {0.6834}


HEADER = "dataset,model,setting,search,metric,value,source\n"
PUBLISHED = """known,a,float32,exact,ndcg@10,0.5,first
known,a,float32,exact,ndcg@10,0.6,second
known,b,binary,default-ef,ndcg@10,0.4,first
known,BM25,sparse,exact,ndcg@10,0.7,first
known,c,float32,exact,recall@100,0.9,first
other,c,float32,exact,ndcg@10,0.3,first
"""


@pytest.fixture
def published_file(tmp_path, monkeypatch):
    monkeypatch.setattr(published_scores, "FILE", tmp_path / "published.csv")
    published_scores.FILE.write_text(HEADER + PUBLISHED)
    return published_scores.FILE


def test_scores_are_the_first_of_each_model_without_binary_and_other_metrics(published_file):
    assert published_scores.scores("known") == {"a": 0.5, "BM25": 0.7}
    assert published_scores.scores("other") == {"c": 0.3}


def test_a_dataset_nobody_published_anything_for_has_no_scores(published_file):
    assert published_scores.scores("sample") == {}


def test_a_published_value_without_its_source_is_refused(published_file):
    published_file.write_text(f"{HEADER}known,a,float32,exact,ndcg@10,0.5,\n")
    with pytest.raises(WorkbookError, match=r"published\.csv: every published value needs its source"):
        published_scores.scores("known")
