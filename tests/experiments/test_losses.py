"""Losses: each step of a waterfall, their sum, and verdicts on planted cases."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.experiments import grid, losses

SETTINGS = ["float32", "scalar-int8", "binary"]
SEARCHES = ["exact", "full-ef", "default-ef", "rescore", "rescore-x2"]


@pytest.fixture(scope="module")
def cells(sample, folder):
    return grid.measure(sample, encoders.load("tiny-static"), [64, 16], SETTINGS, SEARCHES, limit=10, repeats=1)


def ndcg(cells, **facts):
    return grid.find(cells, **facts).judgements["ndcg@10"].mean()


def test_a_waterfall_goes_from_the_whole_vector_to_the_rescored_search(cells):
    steps = losses.waterfall(cells, "tiny-static", 16, "binary", "rescore-x2").set_index("step")["value"]
    whole, cut = (ndcg(cells, dimension=d, setting="float32", search="exact") for d in (64, 16))
    codes = ndcg(cells, dimension=16, setting="binary", search="full-ef")
    rescored = ndcg(cells, dimension=16, setting="binary", search="rescore-x2")
    assert steps["float32, whole vector"] == pytest.approx(whole)
    assert steps["truncation to 16"] == pytest.approx(cut - whole)
    assert steps["quantization: binary"] == pytest.approx(codes - cut)
    assert steps["total"] == pytest.approx(rescored)
    assert steps["rescoring: rescore-x2"] > 0, "original vectors win something back on the sample"


def test_every_waterfall_sums_to_its_total(cells, monkeypatch):
    losses.check_all_sums(cells, ["rescore", "rescore-x2"])
    frame = losses.waterfall(cells, "tiny-static", 64, "binary", None)
    frame.loc[1, "value"] += 1e-6
    monkeypatch.setattr(losses, "waterfall", lambda *_: frame)
    with pytest.raises(WorkbookError, match="miss its total by 1e-06"):
        losses.check_all_sums(cells, [])


def test_a_waterfall_without_its_cells_says_which_is_missing(cells):
    some = [cell for cell in cells if cell.search != "full-ef"]
    with pytest.raises(WorkbookError, match=r"0 cells with .*full-ef"):
        losses.waterfall(some, "tiny-static", 16, "binary", None)


def planted(model, setting, scores):
    judgements = pd.DataFrame({"ndcg@10": scores}, index=pd.Index(map(str, range(len(scores))), name="query"))
    search = "exact" if setting == "float32" else "default-ef"
    return grid.Cell(model, 64, setting, search, "key", 10, judgements, "sha", 0, [0, 0], 16, 0, 0, [], [])


@pytest.mark.parametrize(
    ("n", "loss", "noise", "verdict"),
    [(300, 0.05, 0.1, "worse"), (300, 0.0, 0.0, "equal within 0.01"), (6, 0.05, 0.1, "not settled")],
)
def test_planted_cases_get_their_verdict(n, loss, noise, verdict):
    random = np.random.default_rng(0)
    whole = random.uniform(0.3, 0.9, n)
    cells = [planted("a", "float32", whole), planted("a", "binary", whole - loss + noise * random.standard_normal(n))]
    (row,) = losses.verdicts(cells).itertuples()
    assert row.verdict == verdict
    assert row.n == n


def test_every_cell_is_compared_with_its_own_models_whole_vector(cells, sample):
    table = losses.verdicts(cells)
    assert len(table) == len(cells) - 1
    same = table[(table["setting"] == "float32") & (table["dimension"] == 64)]
    assert (same["difference"] == 0).all() and (same["verdict"] == "not settled").all(), "with 25 queries"
    assert (same["queries to decide"] == 300).all()
    rows = losses.rows(sample, table)
    assert set(rows["metric"]) == {"ndcg@10 difference"} and len(rows) == len(table)
    interval = ["low", "high", "n", "standard_error"]
    assert rows[["value", *interval]].to_numpy().tolist() == table[["difference", *interval]].to_numpy().tolist()
    assert (rows["standard_error"] > 0).all()


def test_the_numpy_codes_rank_as_the_engine_does(cells, sample, data):
    found = losses.meanings_of_rescoring(sample, encoders.load("tiny-static"), cells).set_index("method")
    rows, keys = found["value"], found["key"].dropna()
    assert set(keys) <= {cell.key for cell in cells} and all("Qdrant" in method for method in keys.index)
    alone = rows["one-bit query, one-bit documents (numpy)"]
    asymmetric = rows["float32 query, one-bit documents (Sentence Transformers)"]
    assert alone == pytest.approx(ndcg(cells, dimension=64, setting="binary", search="full-ef"))
    assert alone < asymmetric < rows["one-bit codes, then original vectors (Qdrant, rescore-x2)"]


def test_too_few_queries_are_said_to_decide_nothing(sample):
    assert losses.power(sample) == "25 queries"
    few = replace(sample, queries=dict(list(sample.queries.items())[:9]))
    assert "nothing can be decided" in losses.power(few)
