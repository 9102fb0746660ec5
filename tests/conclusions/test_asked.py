"""Retrieval methods are read back from a run with the scores of every query, or it is said why not."""

import numpy as np
import pytest
from published_run import SCORES, N, baselines, publish, scores
from workbook import paths
from workbook.conclusions import asked, run_rows
from workbook.evaluation import results
from workbook.experiments.retrieval_methods import find


@pytest.fixture
def made(data, monkeypatch):
    publish(monkeypatch)


@pytest.fixture
def found(made):
    measured, problems = asked.methods(run_rows.read("made"))
    assert problems == []
    return measured


def test_every_method_is_there_with_its_scores(found):
    once = asked.distinct(found)
    assert sorted(each.label for each in once) == sorted(SCORES) and len(found) > len(once)
    for each in once:
        np.testing.assert_allclose(each.scores, scores(each.label))
        assert (each.notebook[:2] == "01") == each.label.startswith("fast"), "of two measurements the last is taken"


def test_a_method_says_how_it_is_stored_and_what_it_costs(found):
    words, trained = find(found, "BM25"), find(found, "trained")
    assert (words.model, words.setting, words.search, words.dimension) == ("", "", "", None)
    assert (trained.model, trained.setting, trained.search) == ("custom-made-1", "float32", "exact")
    assert trained.searched_bytes == 1600 and not trained.bytes_computed and trained.documents == 1_000
    assert trained.query_ms == (1, 1, 1, 4) and trained.documents_per_second[0] == pytest.approx(2_000)
    assert find(found, "nobody") is None


def test_differences_are_paired(found):
    difference = find(found, "trained").minus(find(found, "slow"))
    assert difference.value == pytest.approx(0.01, abs=0.005) and difference.n == N
    assert difference.high - difference.low < 0.01, "queries differ by 0.6, but alike"


def test_a_ratio_is_of_one_measurement(found):
    fast = find(found, "fast")
    assert asked.times_as_fast(find(found, "trained"), "slow", found) == pytest.approx(100)
    assert asked.times_as_fast(fast, "slow", found) == pytest.approx(100), "slow of notebook 01"
    apart = [each for each in found if not (each.label == "slow" and each.notebook.startswith("01"))]
    assert asked.times_as_fast(fast, "slow", apart) is None


@pytest.mark.parametrize(
    ("options", "told"), [({"has_bytes": False}, (None, False)), ({"computed": True}, (1600, True))]
)
def test_a_method_says_whether_its_bytes_are_known_and_computed(data, monkeypatch, options, told):
    monkeypatch.setenv("WORKBOOK_RUN", "made")
    results.publish("01_static_vs_transformer", baselines("01", ["slow"], **options))
    [one], problems = asked.methods(run_rows.read("made", ["01_static_vs_transformer"]))
    assert (one.searched_bytes, one.bytes_computed) == told and problems == []


def test_questions_are_about_whole_vectors(made):
    """A method with codes is read too, and stands beside the whole one; neither it nor a cut is asked about."""
    results.publish("04_quantization_vs_ndcg", baselines("04", ["fast"], setting="binary"))
    read = run_rows.read("made")
    found, _ = asked.methods(read)
    assert [each.setting for each in found if each.label == "fast"] == ["float32", "binary"]
    cut = find(found, "trained")._replace(dimension=16)
    about = asked.of(read, [*found, cut])
    assert about.method("fast").setting == "float32" and about.method("trained").dimension is None
    assert asked.of(read, [cut]).method("trained") is None


def test_a_measurement_that_is_gone_is_named(made):
    for file in (paths.DATA / "results" / "baselines").iterdir():
        if '"notebook": "05"' in file.read_text():
            file.unlink()
    found, [problem] = asked.methods(run_rows.read("made"))
    assert "of 05_train_your_own is not kept any more: run it again" in problem
    assert find(found, "trained") is None and find(found, "fast")


def test_a_method_of_another_corpus_is_left_out(made):
    results.publish("05_train_your_own", baselines("05", ["trained"], corpus="other"))
    found, [problem] = asked.methods(run_rows.read("made"))
    assert problem.startswith("05_train_your_own was run on another corpus")
    assert find(found, "trained") is None


def test_nothing_is_read_of_nothing(data):
    assert asked.methods(run_rows.read("made")) == ([], [])
