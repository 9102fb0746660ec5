"""A place gets the way that finds the most among those that fit it, and the other half of the queries reports."""

import pandas as pd
import pytest
from published_run import publish
from workbook.conclusions import answers, asked, decisions, run_rows
from workbook.conclusions.decisions import Needs, Place
from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.experiments import retrieval_methods
from workbook.experiments.retrieval_methods import find

SIZES = {"fast": 30.0, "slow": 90.0, "custom-made-1": 20.0, "custom-made-queries-1": 15.0}
ROOMY = Place(documents=1_000, memory_mb=1_000, index_hours=10, query_ms=1_000)
ROOMY_BUT_FOR_MEMORY = Place(**{**vars(ROOMY), "memory_mb": 0.01})


@pytest.fixture
def found(data, monkeypatch):
    publish(monkeypatch)
    return asked.distinct(asked.methods(run_rows.read("made"))[0])


def decide(found, **places):
    return decisions.decide(found, find(found, "slow"), places, SIZES)


def test_needs_are_what_was_measured_multiplied(found):
    place = Place(documents=1_000_000, memory_mb=1, index_hours=1, query_ms=1, slower=2)
    needs = decisions.needs(find(found, "trained"), place, SIZES)
    assert needs.memory_mb == pytest.approx(20 + 1_600)
    assert needs.index_hours == pytest.approx(2 * 1_000_000 * 0.0005 / 3600)
    assert needs.query_ms == pytest.approx(2 * 1 * 1_000), "an exact search reads a thousand times as many documents"
    graph = find(found, "trained")._replace(search="default-ef")
    assert decisions.needs(graph, place, SIZES).query_ms == pytest.approx(2 * 1)
    assert decisions.needs(find(found, "BM25"), place, SIZES).memory_mb == pytest.approx(100), "no model"


def test_only_what_is_exceeded_is_told():
    place = Place(documents=1, memory_mb=10, index_hours=1, query_ms=5)
    assert Needs(10, 1, 5).beyond(place) == []
    assert Needs(1234.5, 1, 5.5).beyond(place) == ["1.23e+03 MB", "5.5 ms a query"]


def test_where_all_fits_the_best_is_taken(found):
    [one] = decide(found, roomy=ROOMY)
    assert one.way.label == "slow + BM25 (dbsf)" and one.fitting == len(found) and one.rival == []


@pytest.mark.parametrize(
    ("limits", "best"),
    [
        ({"query_ms": 10}, "trained + BM25 (dbsf)"),
        ({"index_hours": 0.001}, "trained + BM25 (dbsf)"),
        ({"memory_mb": 50}, "trained + BM25 (dbsf)"),
        ({"memory_mb": 15}, "BM25"),
    ],
)
def test_a_limit_excludes_what_exceeds_it(found, limits, best):
    [one] = decide(found, tight=Place(**{**vars(ROOMY), **limits}))
    assert one.way.label == best
    assert one.rival, "the transformer does not fit"


def test_a_slower_processor_excludes_too(found):
    [one] = decide(found, slow=Place(**{**vars(ROOMY), "query_ms": 30, "slower": 20}))
    assert one.way.label == "trained + BM25 (dbsf)" and one.rival == ["400 ms a query"]


def test_where_nothing_fits_the_least_is_told(found):
    [one] = decide(found, tiny=ROOMY_BUT_FOR_MEMORY)
    assert one.way is None and one.fitting == 0 and one.needs.memory_mb == pytest.approx(0.1)


def test_the_half_that_did_not_choose_reports(found):
    [one] = decide(found, roomy=ROOMY)
    _, reporting = statistics.halves(100, seed=0)
    assert one.score == statistics.mean(one.way.scores.iloc[reporting])
    assert one.difference.n == 50 and one.difference.value == pytest.approx(0.08, abs=0.01)


def test_a_way_that_is_best_on_the_reporting_half_alone_is_not_chosen(found):
    choosing, reporting = statistics.halves(100, seed=0)
    lucky = find(found, "fast")
    scores = lucky.scores.copy()
    scores.iloc[reporting] = 1.0
    scores.iloc[choosing] = 0.0
    changed = [way._replace(judgements=scores.to_frame("ndcg@10")) if way is lucky else way for way in found]
    [one] = decide(changed, roomy=ROOMY)
    assert one.way.label == "slow + BM25 (dbsf)"


def test_rows_and_table_show_the_same(found, monkeypatch):
    places = {"roomy": ROOMY, "tiny": ROOMY_BUT_FOR_MEMORY}
    decided = decide(found, **places)
    rows = decisions.rows(decided, "made")
    assert results.publish("08_should_you_pay_attention", rows).startswith("8 rows")
    nothing_fits = rows[(rows["scenario"] == "tiny") & rows["method"].isna()]
    assert nothing_fits["metric"].str.startswith("place: ").all() and len(nothing_fits) == 3
    table = decisions.table(decided, places)
    assert table.loc["use", "roomy"] == "slow + BM25 (dbsf)" and table.loc["slow there", "roomy"] == "fits too"
    assert table.loc["stored and searched", "roomy"] == "float32, whole vectors, exact"
    assert table.loc["use", "tiny"].startswith("nothing fits") and table.loc["NDCG@10", "tiny"] == ""
    assert table.loc["slow there", "tiny"].startswith("does not fit: 91.6 MB")


def test_a_computed_memory_is_said_to_be_computed(found):
    places = {"roomy": ROOMY, "tiny": ROOMY_BUT_FOR_MEMORY}
    computed = [way._replace(bytes_computed=way.label in ("slow + BM25 (dbsf)", "BM25")) for way in found]
    for ways_of_one, said in [(found, ""), (computed, " (computed)")]:
        decided = decide(ways_of_one, **places)
        cells = decisions.table(decided, places).loc["memory (MB)"]
        assert cells.tolist() == [f"91.6{said} of 1,000", f"0.1{said} of 0.01"], "of what fits, and of the least"
        metrics = set(decisions.rows(decided, "made")["metric"])
        assert ("place: computed memory_mb" in metrics) == bool(said) != ("place: memory_mb" in metrics)


@pytest.mark.slow
@pytest.mark.parametrize("engine_name", ["memory", "server"])
def test_a_run_without_edge_reaches_its_decisions(server, monkeypatch, engine_name):
    """As notebooks 01 and 08 do it; the server is the tests' stand-in."""
    monkeypatch.setenv("WORKBOOK_RUN", "made")
    corpus, labels = corpora.load("sample"), ("tiny-static", "tiny-transformer")
    methods = retrieval_methods.bm25_alone(corpus)
    methods += retrieval_methods.with_models(corpus, {label: encoders.load(label) for label in labels})
    measured = retrieval_methods.measure(corpus, methods, engine_name, repeats=1)
    compared = {"corpus": corpus.name, "model": labels[0], "metric": "share kept", "against": labels[1]}
    sizes = [{"corpus": corpus.name, "model": label, "metric": "megabytes", "value": 1.0} for label in labels]
    told = pd.DataFrame([{**compared, "value": 0.9, "n": 25}, *sizes])
    results.publish("01_static_vs_transformer", pd.concat([retrieval_methods.rows(corpus, measured, labels[1]), told]))
    read = run_rows.read("made")
    found, problems = asked.methods(read)
    about = asked.of(read, found)
    [smaller] = [one.text for one in answers.answer(about) if one.question == "How much smaller is it?"]
    assert problems == [] and smaller.count("(computed)") == 2
    transformer, places = about.method(about.transformer), {"roomy": ROOMY, "tiny": ROOMY_BUT_FOR_MEMORY}
    decided = decisions.decide(asked.distinct(found), transformer, places, about.megabytes)
    table = decisions.table(decided, places)
    assert table.loc["memory (MB)"].str.contains("(computed) of", regex=False).all()
    assert table.loc["NDCG@10", "roomy"] and decided[1].way is None


def test_a_model_of_unknown_size_is_not_chosen(found):
    sizes = {name: size for name, size in SIZES.items() if not name.startswith("custom")}
    [one] = decisions.decide(found, find(found, "slow"), {"tight": Place(1_000, 500, 10, 10)}, sizes)
    assert one.way.label == "fast + BM25 (dbsf)"


def test_the_transformer_is_judged_as_it_fits_best(found):
    small = find(found, "slow")._replace(setting="binary", search="rescore-x3", searched_bytes=90.0)
    [one] = decide([*found, small], tight=Place(100_000, 100, 10, 1_000))
    assert one.rival == [] and decide(found, tight=Place(100_000, 100, 10, 1_000))[0].rival != []


def test_ways_of_unknown_size_are_not_chosen(found):
    unknown = [way._replace(searched_bytes=None) for way in found]
    with pytest.raises(WorkbookError, match="of no way to search the bytes are known: run notebooks 01 and 05 again"):
        decide(unknown, roomy=ROOMY)


def test_without_a_transformer_or_enough_queries_nothing_is_decided(found):
    with pytest.raises(WorkbookError, match="run notebook 01_static_vs_transformer first"):
        decisions.decide(found, None, {"roomy": ROOMY}, SIZES)
    few = [way._replace(judgements=way.judgements.head(19)) for way in found]
    with pytest.raises(WorkbookError, match="19 queries are too few"):
        decide(few, roomy=ROOMY)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "a place has documents, memory_mb"),
        ({**vars(ROOMY), "colour": 1}, "a place has documents"),
        ({**vars(ROOMY), "slower": 0}, "slower must be a number above 0, not 0"),
        ({**vars(ROOMY), "documents": "many"}, "documents must be a number above 0, not 'many'"),
        ({**vars(ROOMY), "memory_mb": True}, "memory_mb must be a number"),
        ({**vars(ROOMY), "query_ms": float("inf")}, "query_ms must be a number"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(values, said):
    with pytest.raises(WorkbookError, match=said):
        Place.of(**values)


def test_a_place_need_not_say_how_slow_it_is():
    assert Place.of(documents=1, memory_mb=2, index_hours=3, query_ms=4) == Place(1, 2, 3, 4, 1.0)
