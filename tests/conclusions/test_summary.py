"""The claim, the line below it, the scores and the advice follow from the rows: other rows give other words."""

import numpy as np
import pandas as pd
import pytest
from published_run import SCORES, N, publish, publish_several
from workbook.conclusions import across, answers, asked, published, run_rows, summary
from workbook.evaluation import meta_analysis
from workbook.evaluation.statistics import Interval
from workbook.names import TRAINED, with_bm25
from workbook.qdrant.engine import FUSIONS
from workbook.runs import outcomes

LOSING = {f"set{n}": {with_bm25(TRAINED, "dbsf"): 0.64 + 0.005 * n} for n in range(6)}  # below slow + BM25 (dbsf)
CODED = "trained, one bit, 64 dimensions + BM25 (dbsf)"


@pytest.fixture
def of(data, monkeypatch):
    """What is asked of a run in which these methods have these mean scores."""

    def ask(**changed):
        for label, score in changed.items():
            monkeypatch.setitem(SCORES, label, score)
        publish(monkeypatch)
        read = run_rows.read("made")
        return asked.of(read, asked.methods(read)[0])

    return ask


def rows_of(about):
    return asked.score_rows({"made": about}, summary.methods({"made": about}, []))


def scoring(trained, slow, alone):
    fused = {f"{name} + BM25 ({how})": score for name, score in (("trained", trained), ("slow", slow))
             for how in FUSIONS}  # fmt: skip
    return {**fused, "slow": alone}


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (
            scoring(0.75, 0.7, 0.6),
            "No: on made, trained static + BM25 is better than slow + BM25 and indexes 100 times",
        ),
        (scoring(0.7, 0.7, 0.6), "No: on made, trained static + BM25 equals slow + BM25 within 0.01 and indexes 100"),
        (
            scoring(0.6, 0.7, 0.5),
            "On made, trained static + BM25 beats slow and indexes 100 times faster, but loses to ",
        ),
        (scoring(0.6, 0.7, 0.6), "Yes: on made, trained static + BM25 is worse than slow + BM25; it indexes 100 times"),
    ],
)
def test_the_claim_on_a_corpus_is_one_sentence_of_twenty_words(of, scores, said):
    claim = summary.claim(of(**scores))
    assert claim.startswith(said) and len(claim.split()) <= 20 and "[" not in claim


def few(about, queries=5):
    return about._replace(methods=[each._replace(judgements=each.judgements.head(queries)) for each in about.methods])


def test_few_queries_settle_nothing(of):
    claim = summary.claim(few(of()))
    assert claim == "Not settled on made: trained static + BM25 against slow + BM25; it indexes 100 times faster."


def test_without_a_trained_model_the_general_one_answers(data, monkeypatch):
    publish(monkeypatch, without=("05_train_your_own",))
    assert "fast + BM25 is worse than slow + BM25" in outcomes.conclude("made").claim


def test_the_fusion_that_favours_the_static_model_less_is_told(of):
    scores = {"trained + BM25 (rrf)": 0.75, "slow + BM25 (rrf)": 0.7,
              "trained + BM25 (dbsf)": 0.6, "slow + BM25 (dbsf)": 0.7}  # fmt: skip
    assert summary.claim(of(**scores)).startswith("Yes: ")


def test_rows_that_are_missing_say_what_to_run(data, monkeypatch):
    publish(monkeypatch, without=("01_static_vs_transformer",))
    found = outcomes.conclude("made")
    assert found.claim == "Not measured: the methods of notebooks 01 and 05 are needed."
    assert (found.intervals, found.scores, found.advice) == ("", [], None)
    assert published.beside(found.rows, "slow") == ""


def against(effects):
    """The main comparison, of effects (value, half its interval) on corpora; overall from five on."""
    named = {
        f"c{place}": Interval(value, value - half, value + half, 300, half / 1.96)
        for place, (value, half) in enumerate(effects)
    }
    overall = meta_analysis.pool(list(named.values())) if len(named) >= meta_analysis.FEWEST else None
    pair = [with_bm25(label, "rrf") for label in (TRAINED, "all-MiniLM-L6-v2")]
    return across.Comparison(answers.HYBRID, *pair, named, overall)


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        ([(0.05, 0.01)] * 5, "No: with word search beside both, trained static is better than MiniLM, on average"),
        ([(-0.05, 0.01)] * 5, "Yes: with word search beside both, trained static is worse than MiniLM, on average"),
        ([(0.0, 0.002)] * 5, "No: with word search beside both, trained static equals MiniLM within 0.01,"),
        ([(0.01, 0.03)] * 5, "Not settled: with word search beside both, trained static and MiniLM may differ or not."),
        ([(0.05, 0.01), (-0.05, 0.01), *[(0, 0.03)] * 3],
         "It depends on your texts: with word search, trained static beats MiniLM on 1 of 5 corpora, loses on 1."),
        ([(0.05, 0.01), (0, 0.03)], "With word search, trained static beats MiniLM on 1 of 2 corpora, loses on 0:"),
    ],
)  # fmt: skip
def test_the_claim_over_corpora_is_one_sentence_that_follows_from_the_rows(effects, said):
    claim = summary.claim_over([against(effects)], 0.01)
    assert claim.startswith(said) and len(claim.split()) <= 20 and "[" not in claim


def test_nothing_compared_is_not_measured():
    assert summary.claim_over([], 0.01) == summary.UNKNOWN


def test_the_line_below_has_the_intervals_of_a_corpus(of):
    about = of()
    best, both, alone = (about.method(name) for name in ("trained + BM25 (dbsf)", "slow + BM25 (dbsf)", "slow"))
    said = summary.intervals({"made": about}, [])
    assert said.startswith("NDCG@10 of trained static + BM25: 0.670; ") and "(100 queries)" in said
    assert f"{best.minus(both).text(3, '+')} against slow + BM25" in said
    assert f"{best.minus(alone).text(3, '+')} against slow (" in said
    assert said.endswith("; it indexes 100 times as many documents a second as slow in float32.")


def test_the_line_below_has_the_mean_over_corpora_and_what_a_new_one_may_show(data, monkeypatch):
    publish_several(monkeypatch, LOSING)
    found = outcomes.conclude("many")
    one = across.main(found.compared)
    assert f"{one.overall.effect.text(3, '+')} on average over 6 corpora; a new corpus: " in found.intervals
    assert found.intervals.endswith("; it indexes 100 times as many documents a second as slow in float32.")


def test_few_corpora_have_no_mean(data, monkeypatch):
    publish_several(monkeypatch, dict(list(LOSING.items())[:2]))
    found = outcomes.conclude("many")
    assert "on average" not in found.intervals and "; set1 " in found.intervals


def test_scores_have_what_each_method_finds_and_takes(of):
    about = of()
    found = {each.label: each for each in asked.scores(rows_of(about), "slow")}
    assert list(found) == sorted(found, key=lambda label: found[label].ndcg.value), "the best last"
    one = found["trained + BM25 (dbsf)"]
    assert one.ndcg.value == pytest.approx(0.67, abs=0.01) and one.ndcg.n == N
    assert (one.documents_per_second, one.times, one.query_ms, one.megabytes) == pytest.approx((2000, 100, 1, 20))
    assert (found["BM25"].megabytes, found["slow"].attention) == (0, "always")
    assert {found[label].attention for label in found if label.startswith("static query")} == {"when indexing"}
    assert "trained + BM25 (rrf)" not in found, "one fusion, that of the claim"


def test_over_corpora_scores_are_means_and_speeds_geometric_means(data, monkeypatch):
    publish_several(monkeypatch, LOSING)
    found = outcomes.conclude("many")
    rows = found.rows
    doubled = (rows["corpus"] == "set1") & (rows["metric"] == asked.SPEED)
    rows.loc[doubled, "value"] *= 64
    label = "trained + BM25 (dbsf)"
    one = next(each for each in asked.scores(rows, "slow") if each.label == label)
    own = rows[(rows["method"] == label) & (rows["metric"] == "ndcg@10")]
    assert one.ndcg.value == pytest.approx(own["value"].mean()) and one.ndcg.n == 6 * N
    error = np.sqrt((own["standard_error"] ** 2).sum()) / 6
    assert one.ndcg.high - one.ndcg.value == pytest.approx(1.96 * error, rel=1e-3)
    assert one.documents_per_second == pytest.approx(2000 * 2), "64 times on one of six corpora"
    less = rows[~((rows["corpus"] == "set2") & (rows["method"] == label))]
    assert label not in [each.label for each in asked.scores(less, "slow")], "not measured on each corpus"


def test_the_table_is_in_plain_words_the_best_first(of):
    about = of()
    table = asked.table(asked.scores(rows_of(about), "slow"), "slow")
    assert table["method"].iloc[0] == "slow + BM25" and len(table.columns) == 6
    row = table[table["method"] == "trained static + BM25"].iloc[0]
    assert (row["indexing, times slow's speed"], row["ms a query"], row["MB"]) == ("100", "1.00", "20")


def coded(about, lost, noise=0.001, size=300.0):
    """The trained model's codes beside the rest, which lose so much to its vectors."""
    whole = about.method(with_bm25(TRAINED, "dbsf"))
    scores = whole.judgements - lost + np.random.default_rng(3).normal(0, noise, (N, 1))
    codes = whole._replace(label=CODED, setting="binary", search="rescore-x3", dimension=64, judgements=scores,
                           searched_bytes=size)  # fmt: skip
    rows = pd.concat([about.rows, pd.DataFrame([{"model": whole.model, "dimension": 64}])])
    return about._replace(measured=[*about.measured, codes], rows=rows)


def advised(about):
    found = asked.scores(rows_of(about), "slow")
    return summary.advice({"made": about}, [], found)


def test_codes_that_lose_no_margin_are_advised_with_their_setting(of):
    advice = advised(coded(of(), 0.001))
    assert advice.sentences[0] == (
        "Start with trained static + BM25: one-bit codes of 64 dimensions, 3 times as many candidates rescored, fused "
        "by DBSF; a search reads 300 bytes of a document, 1,600 with slow + BM25."
    )
    assert advice.sentences[1].endswith("; it indexes 100 times as many documents a second as slow in float32.")
    assert "a query takes 1.0 ms, with slow 20.0; the model has 20 MB, slow 90." in advice.sentences[2]
    assert advice.sentences[3] == "Avoid it where 0.030 of NDCG@10 matter: slow + BM25 finds that much more."
    code = advice.code
    assert '"data/models/custom-made-1"' in code and "oversampling=3.0" in code and "Fusion.DBSF" in code


@pytest.mark.parametrize(("lost", "noise", "said"), [(0.05, 0.001, "worse"), (0.0, 0.2, "not settled")])
def test_codes_that_may_lose_the_margin_are_told_and_not_advised(of, lost, noise, said):
    advice = advised(coded(of(), lost, noise))
    assert "whole float32 vectors, fused by DBSF" in advice.sentences[0]
    assert (
        "One-bit codes of 64 dimensions, 3 times as many candidates rescored read 300 bytes: NDCG@10 "
        in advice.sentences[0]
    )
    assert advice.sentences[0].endswith(f"{said}.")
    assert advice.method.label == with_bm25(TRAINED, "dbsf") and advice.width == 64


def test_over_corpora_it_is_said_where_to_avoid_it(data, monkeypatch):
    publish_several(monkeypatch, LOSING)
    found = outcomes.conclude("many")
    assert found.advice.sentences[-1] == (
        "Avoid it on texts like those of set0 and set1 and set2 and set3 and set4 and set5, where it is worse."
    )


def test_what_is_better_is_not_to_be_avoided(of):
    assert not [said for said in advised(of(**scoring(0.8, 0.7, 0.6))).sentences if said.startswith("Avoid")]


def test_published_models_stand_beside_ours_on_the_same_corpora():
    rows = pd.DataFrame(
        {"corpus": corpus, "method": method, "metric": "ndcg@10", "value": value}
        for corpus, method, value in [("scifact", TRAINED, 0.7), ("nfcorpus", TRAINED, 0.3), ("own", TRAINED, 0.1),
                                      ("scifact", "all-MiniLM-L6-v2", 0.6), ("nfcorpus", "all-MiniLM-L6-v2", 0.4)]
    )  # fmt: skip
    said = published.beside(rows, "all-MiniLM-L6-v2")
    assert "on scifact, nfcorpus, not run here: static-retrieval-mrl-en-v1 0.447, potion-base-8M 0.375." in said
    assert said.endswith("Here, on the same: trained static 0.500, MiniLM 0.500.")
    assert published.beside(rows[rows["corpus"] == "own"], "all-MiniLM-L6-v2") == ""
