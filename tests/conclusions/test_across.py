"""One question on several corpora: effects, what holds overall, and what too few corpora cannot say."""

import numpy as np
import pandas as pd
import pytest
from published_run import publish_several
from workbook.conclusions import across, asked, decisions, run_rows
from workbook.errors import WorkbookError
from workbook.evaluation import meta_analysis
from workbook.runs import outcomes

FUSED = "trained + BM25 (dbsf)"
SIX = {f"set{number}": {FUSED: 0.64 + 0.005 * number} for number in range(6)}  # 0.060 to 0.035 below slow + BM25 (dbsf)
MIXED = {f"mix{n}": {FUSED: 0.70 + 0.05 * (n - 2.5), "trained + BM25 (rrf)": 0.9} for n in range(6)}


@pytest.fixture
def concluded(data, monkeypatch):
    def conclude(changes):
        publish_several(monkeypatch, changes)
        return outcomes.conclude("many")

    return conclude


def comparison(found, one, other):
    [each] = [each for each in found.compared if (each.one, each.other) == (one, other)]
    return each


def test_each_corpus_has_its_effect_and_all_have_one(concluded):
    found = concluded(SIX)
    each = comparison(found, FUSED, "slow + BM25 (dbsf)")
    assert list(each.effects) == list(SIX)
    for name, about in found.asked.items():
        assert each.effects[name] == about.method(FUSED).minus(about.method("slow + BM25 (dbsf)"))
    assert each.overall == meta_analysis.pool(list(each.effects.values()))
    assert each.overall.effect.n == 6
    assert each.overall.effect.value == pytest.approx(
        np.mean([effect.value for effect in each.effects.values()]), abs=2e-3
    )


def test_every_question_of_the_verdict_that_has_an_effect_is_asked(concluded):
    found = concluded(SIX)
    assert [one.question for one in found.answers] == [
        across.QUALITY, across.WORDS, across.TRAINING, across.QUERIES, across.HYBRID, across.CUT, across.QUANTIZED,
        across.RESCORED, across.FASTER,
    ]  # fmt: skip
    pairs = [(each.one, each.other) for each in found.compared]
    assert len(set(pairs)) == len(pairs)
    assert ("fast, binary, rescored", "fast, whole, float32") in pairs
    assert ("fast, 32 dimensions", "fast, whole, float32") in pairs


def test_the_answer_on_queries_says_what_a_static_query_is(concluded):
    [text] = [one.text for one in concluded(SIX).answers if one.question == across.QUERIES]
    assert text.startswith("A static query is read by a table, trained to find documents as slow encoded them. ")
    assert "static query against slow: " in text and text.count("static query + BM25 against slow + BM25: ") == 1
    assert "against trained" not in text


def test_a_front_page_shows_each_method_against_the_transformer_by_one_fusion(concluded):
    shown = [(each.one, each.other) for each in across.leading(concluded(SIX).compared)]
    assert shown == [
        ("fast", "slow"), ("BM25", "slow"), ("trained", "slow"), ("static query", "slow"),
        ("static query + BM25 (dbsf)", "slow + BM25 (dbsf)"), (FUSED, "slow + BM25 (dbsf)"),
    ]  # fmt: skip
    assert across.leading([]) == []


def test_few_corpora_say_what_they_cannot(concluded):
    found = concluded({name: SIX[name] for name in list(SIX)[:3]})
    each = comparison(found, FUSED, "slow + BM25 (dbsf)")
    assert each.overall is None and len(each.effects) == 3
    said = "3 corpora cannot tell what a new one would show: that takes 5 or more."
    assert all(said in one.text for one in found.answers if one.question != across.FASTER)
    rows = across.rows([each], found.asked)
    assert list(rows["corpus"]) == list(SIX)[:3] and "part" not in rows


def test_a_verdict_that_hangs_on_one_corpus_says_so(concluded):
    outlier = {**{f"set{number}": {FUSED: 0.70} for number in range(5)}, "odd": {FUSED: 0.3}}
    each = comparison(concluded(outlier), FUSED, "slow + BM25 (dbsf)")
    assert len({across.decide(rest, 0.01) for rest in each.overall.without}) > 1
    assert " (not without odd)" in across._told(each, 0.01)


def test_facts_stand_beside_what_the_trained_model_has(concluded):
    found = concluded(SIX)
    frame, name = across.facts(found.compared, found.asked)
    assert name == "trained minus slow" and frame.empty, "notebook 01 of this run told no facts"


def test_rows_say_what_each_is_of(concluded):
    found = concluded(SIX)
    each = comparison(found, FUSED, "slow + BM25 (dbsf)")
    rows = across.rows([each], found.asked)
    whole = rows[rows["corpus"].isna() & (rows["metric"] == "ndcg@10 difference")]
    assert list(whole["part"]) == ["mean over corpora", "a new corpus", *(f"mean without {name}" for name in SIX)]
    assert whole["value"].iloc[0] == each.overall.effect.value
    assert (whole["low"].iloc[1], whole["high"].iloc[1]) == each.overall.prediction
    assert set(rows["scenario"]) == {across.HYBRID} and set(rows["method"]) == {FUSED}


def test_the_table_has_a_column_for_each_corpus(concluded):
    found = concluded(SIX)
    table = across.table(found.compared, 0.01)
    assert list(table.columns) == [*SIX, "mean", "verdict", "a new corpus", "spread (tau)", "I²"]
    row = table.loc[(across.HYBRID, f"{FUSED} − slow + BM25 (dbsf)")]  # noqa: RUF001
    assert row["verdict"] == "worse" and row["set0"].startswith("−0.06")  # noqa: RUF001


def test_points_have_the_bytes_that_a_search_reads_and_each_method_once(concluded):
    found = concluded(SIX)
    points = asked.points(found.asked)
    own = points[points["corpus"] == "set1"]
    assert set(own["model"]) == {"fast", "slow", "trained", "static query", "BM25"}
    assert len(own) == 9 and set(own.loc[own["with_bm25"], "model"]) == {"fast", "slow", "trained", "static query"}
    assert own.loc[own["model"] == "BM25", "bytes"].tolist() == [100.0]


def test_a_corpus_that_was_not_run_is_told_and_the_others_answer(data, monkeypatch):
    publish_several(monkeypatch, SIX)
    members = run_rows.members("many")
    run_rows.write_members("many", {**members, "many/broken": "broken: no judgements in it"})
    found = outcomes.conclude("many")
    assert list(found.asked) == list(SIX)
    assert "broken was not run: broken: no judgements in it" in found.problems
    assert found.evidence.corpus == ", ".join(SIX) and found.evidence.slug == "many"


def test_two_corpora_of_one_name_are_told_apart_by_their_runs(data, monkeypatch):
    publish_several(monkeypatch, {"one": {}, "two": {}})
    for name in ("one", "two"):
        for file in (data / "results" / "runs" / "many" / name).glob("*.csv"):
            frame = pd.read_csv(file)
            frame.assign(corpus="same").to_csv(file, index=False)
    assert list(run_rows.read_each("many")) == ["same", "two"]


def test_one_corpus_cannot_be_compared(concluded):
    with pytest.raises(
        WorkbookError, match="notebook 01 has rows of alone, and two corpora are needed to compare: run several"
    ):
        across.check(concluded({"alone": {}}).asked)


def test_places_are_decided_on_each_corpus_and_what_cannot_be_is_told(concluded):
    asked = concluded({name: SIX[name] for name in list(SIX)[:2]}).asked
    places = {"server": decisions.Place.of(documents=10, memory_mb=1000, index_hours=1, query_ms=100, slower=1)}
    decided, problems = decisions.decide_each(asked, places)
    assert list(decided) == ["set0", "set1"] and not problems
    lacking = asked["set1"]._replace(methods=[])
    decided, problems = decisions.decide_each({**asked, "set1": lacking}, places)
    assert list(decided) == ["set0"] and problems == ["set1: there is no transformer to compare with: run notebook "
                                                      "01_static_vs_transformer first"]  # fmt: skip
    with pytest.raises(WorkbookError, match="set1: there is no transformer"):
        decisions.decide_each({"set1": lacking}, places)
