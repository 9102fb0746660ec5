"""Models trained here: their scores over seeds, their differences, and that what is measured is what was trained."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from workbook import paths
from workbook.corpora import corpora, pairs
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import encoders, model_cards
from workbook.errors import WorkbookError
from workbook.evaluation import corpus_facts, statistics
from workbook.experiments import grid
from workbook.training import trained_models, training
from workbook.training.settings import Settings
from workbook.training.trained_models import Variant

SETTINGS = Settings.of(dimensions=[32, 16], batch_size=64, epochs=2)


@pytest.fixture(scope="module")
def sample():
    return corpora.load("sample")


@pytest.fixture(scope="module")
def models(task):
    return trained_models.trained(task, SETTINGS, [0, 1])


def cell(setting, scores):
    judgements = pd.DataFrame({"ndcg@10": scores}, index=pd.Index([f"q{n}" for n in range(len(scores))], name="query"))
    search = "exact" if setting == "float32" else "full-ef"
    return grid.Cell("tiny-static", 64, setting, search, "a key", 10, judgements, "sha", 0, [0, 0], 8, 0, 0, [], [])


def planted(label, float32, binary):
    """A variant of so many seeds as there are lists of scores."""
    models = [encoders.load("tiny-static")] * len(float32)
    return Variant(label, models, [cell("float32", own) for own in float32], [cell("binary", own) for own in binary])


def table_of(encoder):
    return encoder.model[0].embedding.weight.detach().numpy()


def test_a_score_is_the_mean_over_the_seeds_query_by_query():
    variant = planted("a", [[0.2, 0.4, 1.0], [0.6, 0.4, 0.0]], [[0.1, 0.1, 0.1], [0.3, 0.2, 0.1]])
    assert list(variant.scores().index) == ["q0", "q1", "q2"]
    np.testing.assert_allclose(variant.scores(), [0.4, 0.4, 0.5])
    np.testing.assert_allclose(variant.scores(binary=True), [0.2, 0.15, 0.1])


def test_rows_have_the_interval_over_queries_and_the_range_over_seeds(sample):
    variant = planted("a", [[0.2, 0.4], [0.6, 0.6], [0.4, 0.5]], [[0.1, 0.3]] * 3)
    rows = trained_models.rows(sample, [variant])
    assert rows[["setting", "search", "metric"]].to_numpy().tolist() == [
        ["float32", "exact", "ndcg@10"], ["float32", "exact", "ndcg@10 over seeds"],
        ["binary", "full-ef", "ndcg@10"], ["binary", "full-ef", "ndcg@10 over seeds"],
    ]  # fmt: skip
    values = rows[["value", "low", "high", "n"]].to_numpy()
    np.testing.assert_allclose(values[0], statistics.mean(pd.Series([0.4, 0.5]))[:4])
    np.testing.assert_allclose(values[1], [0.45, 0.3, 0.6, 3])
    np.testing.assert_allclose(values[2][[0, 3]], [0.2, 2])
    np.testing.assert_allclose(values[3], [0.2, 0.2, 0.2, 3])
    assert rows[["corpus", "model", "dimension", "method"]].drop_duplicates().to_numpy().tolist() == [
        ["sample", "tiny-static", 64, "a"]
    ]


def test_a_comparison_is_paired_by_query_and_made_of_both_settings(sample):
    better = planted("new", [[0.6, 0.2, 0.9], [0.8, 0.4, 0.9]], [[0.5, 0.1, 0.3]] * 2)
    base = planted("old", [[0.5, 0.1, 0.7]], [[0.7, 0.3, 0.5]])
    rows = trained_models.compare(sample, [better], {"new": base}).set_index("setting")
    names = rows[["method", "against", "metric"]].drop_duplicates().to_numpy().tolist()
    assert names == [["new", "old", "ndcg@10 difference"]]
    assert rows.loc["float32", "value"] == pytest.approx(0.2) and rows.loc["float32", "n"] == 3
    assert rows.loc["binary", "value"] == pytest.approx(-0.2)
    assert rows["search"].to_dict() == {"float32": "exact", "binary": "full-ef"}


def test_a_variant_without_a_baseline_is_left_out(sample):
    one, other = planted("one", [[0.5, 0.1]], [[0.5, 0.1]]), planted("other", [[0.4, 0.1]], [[0.4, 0.1]])
    compared = trained_models.compare(sample, [one, other], {"other": one})
    assert set(compared["method"]) == {"other"} and set(compared["against"]) == {"one"}
    assert trained_models.compare(sample, [one, other], {}).empty


def shared(count):
    """A corpus whose queries q0, q1, ... have all, half and none of their words in their answers, in turn."""
    kinds = ["one{0} two{0}", "one{0} three{0}", "three{0} four{0}"]
    documents = {f"d{number}": Document("", f"one{number} two{number}") for number in range(count)}
    documents |= {f"other{number}": Document("", f"three{number} four{number}") for number in range(count)}
    queries = {f"q{number}": kinds[number % 3].format(number) for number in range(count)}
    return Corpus("shared", documents, queries, {f"q{number}": {f"d{number}": 1} for number in range(count)})


def told(how, corpus, *variants, **options):
    return how(corpus, corpus_facts.shared_words(corpus), *variants, **options)


def test_differences_are_told_by_how_many_words_a_query_shares_with_its_answer():
    """30 queries, and a loss of 0, 0.2 and 0.5 where all, half and none of the words are shared."""
    lost = np.resize([0.0, 0.2, 0.5], 30)
    one, other = planted("one", [list(0.9 - lost)], [[0] * 30]), planted("other", [[0.9] * 30], [[0] * 30])
    rows = told(trained_models.by_words_shared, shared(30), one, other).set_index("part")
    assert rows.loc[trained_models.SHARED, "value"].tolist() == pytest.approx([-0.5, -0.2, 0])
    assert set(rows["n"]) == {10} and set(rows["against"]) == {"other"}
    few = told(
        trained_models.by_words_shared,
        shared(28),
        *(planted(each.label, [list(each.scores()[:28])], [[0] * 28]) for each in (one, other)),
    )
    assert list(few["part"]) == trained_models.SHARED[2:], "ten queries there, nine in the others"


def test_queries_to_look_at_are_those_farthest_apart_on_either_side():
    lost = np.zeros(9)
    lost[[2, 5, 6]] = 0.5, 0.2, -0.3
    one, other = planted("one", [list(0.5 - lost)], [[0] * 9]), planted("other", [[0.5] * 9], [[0] * 9])
    shown = told(trained_models.farthest_apart, shared(9), one, other, count=1)
    assert shown["query"].tolist() == ["three2 four2", "one6 two6"] and shown["an answer"].tolist() == [
        "one2 two2",
        "one6 two6",
    ]
    assert shown[["one", "other", "words shared"]].to_numpy().tolist() == [[0, 0.5, 0], [0.8, 0.5, 1]]


def test_variants_of_other_queries_are_not_compared(sample):
    one, other = planted("one", [[0.5, 0.1]], [[0.5, 0.1]]), planted("other", [[0.4]], [[0.4]])
    with pytest.raises(WorkbookError, match="same queries"):
        trained_models.compare(sample, [one], {"one": other})


def test_a_variant_is_measured_as_the_sweep_measures_its_models(sample, models):
    variant = trained_models.variant(sample, "trained", models)
    assert variant.models == models
    assert [
        [(one.model, one.dimension, one.setting, one.search) for one in cells]
        for cells in (variant.float32, variant.binary)
    ] == [
        [(model.name, 64, setting, search) for model in models]
        for setting, search in [("float32", "exact"), ("binary", "full-ef")]
    ]
    exact = [grid.measure(sample, model, [64], ["float32"], ["exact"])[0].judgements["ndcg@10"] for model in models]
    np.testing.assert_allclose(variant.scores(), (exact[0] + exact[1]) / 2)
    assert not np.allclose(*exact), "two seeds are two models"
    assert list(variant.scores().index) == list(sample.queries)


def test_trained_models_are_one_for_each_seed_and_load_by_name(task, models):
    assert [model_cards.read(model.folder)["seed"] for model in models] == [0, 1]
    for model in models:
        assert re.fullmatch("custom-sample-[0-9a-f]{8}", model.name)
        assert model.folder == paths.DATA / "models" / model.name
        assert model.matryoshka == (64, 32, 16)
        again = encoders.load(model.name).encode(["where can I borrow money"])
        np.testing.assert_array_equal(again, model.encode(["where can I borrow money"]))
    assert not np.allclose(table_of(models[0]), table_of(models[1]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "as usual"),
        ({"sentences": 10}, "sentences 10"),
        ({"kinds": ["title"], "words": False}, "words False, kinds ('title',)"),
        ({"epochs": 5}, "as usual"),
    ],
)
def test_settings_are_told_by_what_they_change(changes, words):
    assert trained_models.in_words(Settings.of(**changes)) == words


def test_sizes_tell_what_training_took_where_there_was_any(sample, task, models):
    found = trained_models.sizes(sample, [task.start, models[0]])
    assert set(found["corpus"]) == {"sample"}
    start, trained = (found[found["model"] == model.name] for model in (task.start, models[0]))
    assert start["metric"].tolist() == ["parameters", "megabytes"]
    facts = model_cards.read(models[0].folder)
    files = [file for file in models[0].folder.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files if file.name not in ("README.md", "training.json"))
    assert dict(zip(trained["metric"], trained["value"], strict=True)) == {
        "parameters": table_of(models[0]).size, "megabytes": size / 1e6,
        "training seconds": facts["seconds"], "peak memory MB": facts["peak_memory_mb"],
    }  # fmt: skip
    assert facts["seconds"] > 0 and facts["peak_memory_mb"] > 100


def test_sizes_give_no_training_to_a_start_or_an_average(sample, task, models):
    others = [*trained_models.untrained(task, Settings(), 0), *trained_models.averaged(models, "sample")]
    assert set(trained_models.sizes(sample, others)["metric"]) == {"parameters", "megabytes"}


def test_each_row_has_the_key_of_its_own_measurement(sample, models):
    measured = trained_models.variant(sample, "trained", models)
    keys = trained_models.rows(sample, [measured]).groupby("setting")["key"].unique()
    assert keys["float32"].tolist() == [measured.float32[0].key]
    assert keys["binary"].tolist() == [measured.binary[0].key] != keys["float32"].tolist()


def test_the_table_has_a_row_for_each_variant_and_no_comparison_with_itself():
    judge = planted("judge", [[0.6, 0.8]], [[0.5, 0.5]])
    plain = planted("trained", [[0.2, 0.4], [0.4, 0.6]], [[0.1, 0.3], [0.1, 0.3]])
    table = trained_models.table([judge, plain], judge, plain)
    assert table.T.to_dict() == {
        "judge": {
            "NDCG@10": "0.700 [0.600, 0.800]", "range over seeds": "",
            "against judge": "", "against trained": "0.300 (too few queries)",
            "one bit": "0.500 [0.500, 0.500]", "one bit, against trained": "0.300 (too few queries)",
        },
        "trained": {
            "NDCG@10": "0.400 [0.300, 0.500]", "range over seeds": "0.300 to 0.500",
            "against judge": "-0.300 (too few queries)", "against trained": "",
            "one bit": "0.200 [0.100, 0.300]", "one bit, against trained": "",
        },
    }  # fmt: skip


def test_the_model_trained_on_a_corpus_is_found_by_its_card(data):
    """By the documents it was trained on, whatever their folder is called: two corpora may be called docs."""
    documents = {"d1": Document("", "to be trained on")}
    assert trained_models.found(documents) == ""
    same, other = training.documents_sha256(documents), "of other documents"
    trained = {
        "custom-docs-00000001": ("docs", 0, 0.7, same),
        "custom-docs-00000002": ("docs", 0, 0.8, same),
        "custom-docs-00000003": ("docs", 5, 0.9, same),  # labelled
        "custom-docs-00000004": ("docs", 0, 0.95, other),  # of another corpus of that name
        "custom-docs-start-00000005": ("docs", 0, 1.0, same),
    }
    for name, (corpus, extra, score, sha256) in trained.items():
        history = [{"score": 1.0, "rank": 0}, {"score": score, "rank": 1}]  # the start is not among what is kept
        card = {"name": corpus, "documents": 90, "extra_pairs": extra, "history": history, "documents_sha256": sha256}
        (data / "models" / name).mkdir(parents=True)
        (data / "models" / name / "training.json").write_text(json.dumps(card), encoding="utf-8")
    assert trained_models.found(documents) == "custom-docs-00000002"


def test_a_model_trained_on_some_of_the_documents_is_found_where_none_knows_all(data):
    documents = {f"d{n}": Document("", f"text {n}") for n in range(9)}
    for name, count, score in (("custom-docs-00000001", 4, 0.9), ("custom-docs-00000002", 6, 0.5)):
        sha256 = training.documents_sha256(pairs.drawn(documents, count, 0))
        card = {"name": "docs", "documents": count, "extra_pairs": 0, "documents_sha256": sha256}
        card["history"] = [{"score": score, "rank": 1}]
        (data / "models" / name).mkdir(parents=True)
        (data / "models" / name / "training.json").write_text(json.dumps(card), encoding="utf-8")
        assert trained_models.found(documents) == name, "of the most documents"
    assert trained_models.found({**documents, "d9": Document("", "another")}) == ""
