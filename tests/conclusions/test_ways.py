"""Ways to search are read back from a run with the scores of every query, or it is said why not."""

import numpy as np
import pytest
from published_run import SCORES, N, baselines, publish, scores
from workbook import paths
from workbook.conclusions import run_rows, ways
from workbook.evaluation import results


@pytest.fixture
def made(data, monkeypatch):
    publish(monkeypatch)


def test_every_way_is_there_with_its_scores(made):
    measured, problems = ways.read(run_rows.read("made"))
    found = ways.distinct(measured)
    assert problems == []
    assert sorted(way.label for way in found) == sorted(SCORES) and len(measured) > len(found)
    for way in found:
        np.testing.assert_allclose(way.scores, scores(way.label))
        assert (way.notebook[:2] == "01") == way.label.startswith("fast"), "of two measurements the last is taken"


def test_a_way_says_how_it_is_stored_and_what_it_costs(made):
    found, _ = ways.read(run_rows.read("made"))
    words, trained = ways.find(found, "BM25"), ways.find(found, "trained")
    assert (words.model, words.setting, words.search, words.dimension) == ("", "", "", None)
    assert (trained.model, trained.setting, trained.search) == ("custom-made-1", "float32", "exact")
    assert trained.searched_bytes == 1600 and not trained.bytes_computed and trained.documents == 1_000
    assert trained.latency == (1, 1, 1, 4) and trained.indexing == (0.0005, 0.0004, 0.0006, 3)
    assert ways.find(found, "nobody") is None


def test_differences_are_paired(made):
    found, _ = ways.read(run_rows.read("made"))
    difference = ways.difference(ways.find(found, "trained"), ways.find(found, "slow"))
    assert difference.value == pytest.approx(0.01, abs=0.005) and difference.n == N
    assert difference.high - difference.low < 0.01, "queries differ by 0.6, but alike"


def test_a_ratio_is_of_one_measurement(made):
    found, _ = ways.read(run_rows.read("made"))
    assert ways.times_as_fast(ways.find(found, "trained"), "slow", found) == pytest.approx(100)
    assert ways.times_as_fast(ways.find(found, "fast"), "slow", found) == pytest.approx(100), "slow of notebook 01"
    apart = [way for way in found if not (way.label == "slow" and way.notebook.startswith("01"))]
    assert ways.times_as_fast(ways.find(found, "fast"), "slow", apart) is None


def test_a_cut_way_is_not_taken_for_the_whole(made):
    found, _ = ways.read(run_rows.read("made"))
    cut = ways.find(found, "trained")._replace(dimension=16)
    assert ways.find([*found, cut], "trained").dimension is None and ways.find([cut], "trained") is None


def test_a_way_without_bytes_is_a_way(data, monkeypatch):
    monkeypatch.setenv("WORKBOOK_RUN", "made")
    results.publish("01_static_vs_transformer", baselines("01", ["slow"], has_bytes=False))
    found, problems = ways.read(run_rows.read("made", ["01_static_vs_transformer"]))
    assert [(way.label, way.searched_bytes) for way in found] == [("slow", None)] and problems == []


def test_a_way_says_whether_its_bytes_are_computed(data, monkeypatch):
    monkeypatch.setenv("WORKBOOK_RUN", "made")
    results.publish("01_static_vs_transformer", baselines("01", ["slow"], computed=True))
    [way], _ = ways.read(run_rows.read("made", ["01_static_vs_transformer"]))
    assert way.bytes_computed and way.searched_bytes == 1600


def test_a_compressed_way_stands_beside_the_whole_one(made, monkeypatch):
    results.publish("04_quantization_vs_ndcg", baselines("04", ["fast"], setting="binary"))
    found, _ = ways.read(run_rows.read("made"))
    assert [way.setting for way in found if way.label == "fast"] == ["float32", "binary"]
    assert ways.find(found, "fast").setting == "float32"


def test_a_measurement_that_is_gone_is_named(made):
    for file in (paths.DATA / "results" / "baselines").iterdir():
        if '"notebook": "05"' in file.read_text():
            file.unlink()
    found, [problem] = ways.read(run_rows.read("made"))
    assert "of 05_train_your_own is not kept any more: run it again" in problem
    assert ways.find(found, "trained") is None and ways.find(found, "fast")


def test_a_way_of_another_corpus_is_left_out(made):
    results.publish("05_train_your_own", baselines("05", ["trained"], corpus="other"))
    found, [problem] = ways.read(run_rows.read("made"))
    assert problem.startswith("05_train_your_own was run on another corpus")
    assert ways.find(found, "trained") is None


def test_nothing_is_read_of_nothing(data):
    assert ways.read(run_rows.read("made")) == ([], [])
