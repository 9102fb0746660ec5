"""Limits: fewer documents, another corpus, and labels that give the answers away."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from workbook.corpora import corpora, pairs
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import model_cards
from workbook.evaluation import statistics
from workbook.experiments import grid
from workbook.training import limits, trained_models
from workbook.training.settings import Settings
from workbook.training.trained_models import Variant

SETTINGS = Settings.of(dimensions=[32, 16], batch_size=64, epochs=2)
SEEDS = [1, 0]


@pytest.fixture(scope="module")
def sample():
    return corpora.load("sample")


@pytest.fixture(scope="module")
def other(sample, tmp_path_factory):
    """Another corpus in BEIR layout, of the sample's words: each title above the text of the next document."""
    folder = tmp_path_factory.mktemp("corpora") / "other"
    (folder / "qrels").mkdir(parents=True)
    kept = list(sample.documents.values())
    mixed = zip(kept, kept[1:] + kept[:1], strict=True)
    documents = [
        {"_id": f"o{n}", "title": one.title, "text": following.text} for n, (one, following) in enumerate(mixed)
    ]
    queries = [{"_id": f"q{n}", "text": kept[n].title} for n in (0, 1)]
    for file, rows in [("corpus.jsonl", documents), ("queries.jsonl", queries)]:
        (folder / file).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq0\to0\t1\nq1\to1\t1\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ways(task, other):
    return limits.abroad(task, SETTINGS, SEEDS, str(other))


def card_of(ways, label):
    (model,) = ways[label]
    return model_cards.read(model.folder)


def table_of(encoder):
    return encoder.model[0].embedding.weight.detach().numpy()


@pytest.mark.slow
def test_fewer_documents_are_trained_on_and_the_same_held_out(sample, task):
    found = limits.fewer(sample, task, SETTINGS, SEEDS, [40, 45], "edge")
    assert [variant.label for variant in found] == ["40 documents", "45 documents"]
    whole = model_cards.read(trained_models.trained(task, SETTINGS, SEEDS)[0].folder)
    for variant, size in zip(found, (40, 45), strict=True):
        facts = [model_cards.read(model.folder) for model in variant.models]
        assert [card["seed"] for card in facts] == SEEDS
        assert {card["documents"] for card in facts} == {size + len(task.held_out)}
        assert {card["held_out_sha256"] for card in facts} == {whole["held_out_sha256"]}
        assert facts[0]["pairs"] < whole["pairs"]


def test_abroad_tries_five_ways_with_one_model_each_of_the_first_seed(ways, task):
    assert list(ways) == [
        "start, not trained", "trained, first seed", "trained at a rate 10 times smaller",
        "trained, with pairs of other", "trained, averaged with its start",
    ]  # fmt: skip
    assert ways["start, not trained"] == [task.start]
    trained = [label for label in ways if label.startswith("trained") and "averaged" not in label]
    assert [card_of(ways, label)["seed"] for label in trained] == [1, 1, 1]
    assert len({models[0].revision for models in ways.values()}) == 5, "each way is another model"


def test_each_way_differs_from_plain_training_by_what_its_label_says(ways, other):
    plain, gently, mixed = (
        card_of(ways, label)
        for label in (
            "trained, first seed",
            "trained at a rate 10 times smaller",
            f"trained, with pairs of {other.name}",
        )
    )
    assert gently["settings"] == {**plain["settings"], "learning_rate": pytest.approx(SETTINGS.learning_rate / 10)}
    made = pairs.make(corpora.unlabelled(str(other)), SETTINGS.kinds, SETTINGS.sentences, 1)
    assert mixed["extra_pairs"] == len(made) > 100
    assert (mixed["pairs"], mixed["settings"]) == (plain["pairs"] + len(made), plain["settings"])


def test_pairs_of_a_corpus_with_the_same_ids_are_not_taken_for_held_out_ones(task):
    """They would be left out without a word."""
    mixed = card_of(limits.abroad(task, SETTINGS, SEEDS[:1], "sample"), "trained, with pairs of sample")
    made = pairs.make(task.documents, SETTINGS.kinds, SETTINGS.sentences, SEEDS[0])
    kept = [pair for pair in made if pair.document not in task.held_out]
    assert mixed["pairs"] == len(made) + len(kept) > 2 * len(kept)


def test_the_average_is_half_the_trained_model_and_half_its_start(ways, task):
    (half,), (trained,) = ways["trained, averaged with its start"], ways["trained, first seed"]
    (start,) = trained_models.untrained(task, SETTINGS, 1)
    assert model_cards.read(half.folder)["average_of"] == [trained.name, start.name]
    np.testing.assert_allclose(table_of(half), (table_of(trained) + table_of(start)) / 2, rtol=1e-6)


def test_measure_tries_sizes_here_and_every_way_on_both_corpora(sample, task, ways, other):
    rows = limits.measure(sample, task, SETTINGS, SEEDS, [45], str(other), "edge")
    assert {name: list(own["method"].unique()) for name, own in rows.groupby("corpus")} == {
        "sample": ["45 documents", *ways], "other": list(ways),
    }  # fmt: skip
    assert (rows.groupby(["corpus", "method"]).size() == 4).all(), "two settings, over queries and over seeds"
    seeds = rows[rows["metric"] == "ndcg@10 over seeds"].set_index("method")["n"]
    assert (seeds == [2 if label == "45 documents" else 1 for label in seeds.index]).all()
    asked = rows[rows["metric"] == "ndcg@10"].set_index("corpus")["n"]
    assert set(asked["sample"]) == {25} and set(asked["other"]) == {2}


def test_what_measure_says_of_the_start_is_its_own_score(sample, task, other):
    rows = limits.measure(sample, task, SETTINGS, SEEDS, [], str(other), "edge")
    own = rows[
        (rows["method"] == "start, not trained") & (rows["metric"] == "ndcg@10") & (rows["setting"] == "float32")
    ]
    for corpus in (sample, corpora.load(str(other))):
        (cell,) = grid.measure(corpus, task.start, [64], ["float32"], ["exact"])
        (value,) = own[own["corpus"] == corpus.name]["value"]
        assert value == pytest.approx(cell.judgements["ndcg@10"].mean())


def test_nothing_asked_for_measures_nothing(sample, task, monkeypatch):
    monkeypatch.setattr(trained_models, "trained", lambda *_: pytest.fail("a model was trained"))
    assert limits.measure(sample, task, SETTINGS, SEEDS, [], "", "edge").empty


TEXTS = {
    "document": "what softens bones", "words": "vitamin D never prevents rickets", "both": "aspirin thins blood",
    "neither": "gravity bends light",
}  # fmt: skip
FOUND = {"document": {"d1": 1}, "words": {"d3": 1}, "both": {"d2": 1}, "neither": {"d3": 1}}
PLAIN = {"document": 0.1, "words": 0.2, "both": 0.3, "neither": 0.4}
LABELLED = {"document": 0.5, "words": 0.4, "both": 0.7, "neither": 0.3}
TRAIN = Corpus(
    "made up", {key: Document("", key) for key in ("d1", "d2", "d3")},
    {"t1": "vitamin D prevents rickets", "t2": "aspirin thins blood"}, {"t1": {"d1": 1}, "t2": {"d2": 1}},
)  # fmt: skip


def scored(label, scores):
    judgements = pd.DataFrame({"ndcg@10": scores})
    cell = grid.Cell("a", 64, "float32", "exact", "key", 10, judgements, "sha", 0, [0, 0], 256, 0, 0, [], [])
    return Variant(label, [], [cell], [])


def leaked(*queries):
    """Rows of `leak` for a test split of these queries."""
    test = replace(TRAIN, queries={q: TEXTS[q] for q in queries}, qrels={q: FOUND[q] for q in queries})
    plain, labelled = (
        scored(label, {query: scores[query] for query in queries})
        for label, scores in [("trained", PLAIN), ("with labels", LABELLED)]
    )
    return limits.leak(TRAIN, test, plain, labelled)


def test_leak_scores_each_part_of_the_queries_without_and_with_labels():
    rows = leaked("document", "words", "both", "neither")
    parts = {
        "all test queries": ["document", "words", "both", "neither"],
        "near a labelled query": ["words", "both"],
        "same document as a labelled query": ["document", "both"],
        "neither": ["neither"],
    }
    assert rows["part"].tolist() == [part for part in parts for _ in range(3)]
    assert rows["metric"].tolist() == ["ndcg@10", "ndcg@10", "ndcg@10 difference"] * 4
    assert set(rows["corpus"]) == {"made up"}
    for part, queries in parts.items():
        own = rows[rows["part"] == part].set_index(["method", "metric"])
        without, labelled = (pd.Series([scores[query] for query in queries]) for scores in (PLAIN, LABELLED))
        expected = {
            ("trained", "ndcg@10"): statistics.mean(without), ("with labels", "ndcg@10"): statistics.mean(labelled),
            ("with labels", "ndcg@10 difference"): statistics.mean_difference(labelled, without),
        }  # fmt: skip
        for names, interval in expected.items():
            values = own.loc[names, [*statistics.Interval._fields]].astype(float)
            np.testing.assert_allclose(values, interval)
    differences = rows[rows["against"] == "trained"]["value"]
    np.testing.assert_allclose(differences, [0.225, 0.3, 0.4, -0.1])


def test_a_part_without_queries_is_left_out():
    assert list(leaked("document", "words")["part"].unique()) == [
        "all test queries", "near a labelled query", "same document as a labelled query",
    ]  # fmt: skip
    assert list(leaked("neither")["part"].unique()) == ["all test queries", "neither"]


def test_a_split_leaks_all_of_itself(sample, task):
    variant = trained_models.variant(sample, "distilled", [task.start])
    rows = limits.leak(sample, sample, variant, variant)
    assert rows["part"].nunique() == 3 and "neither" not in set(rows["part"])
    assert (rows["n"] == 25).all()
    assert (rows[rows["metric"] == "ndcg@10 difference"]["value"] == 0).all()
