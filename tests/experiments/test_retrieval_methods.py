"""BM25, models, and both: their scores against an independent ranking, their times' shapes, and the comparison."""

import numpy as np
import pytest
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, statistics
from workbook.experiments import grid, retrieval_methods
from workbook.experiments.retrieval_methods import find
from workbook.names import BM25, BM25_TOKENS
from workbook.qdrant import bm25, engine
from workbook.qdrant.bm25 import Bm25

MODEL = "tiny-static"
LABELS = [BM25, BM25_TOKENS, MODEL, f"{MODEL} + BM25 (rrf)", f"{MODEL} + BM25 (dbsf)"]


def methods(corpus, name=MODEL, engine_name="edge", language="english", **how):
    by = retrieval_methods
    words = [*by.bm25_alone(corpus, language), *by.bm25_variants(corpus, engine_name, language)]
    return [*words, *by.with_models(corpus, {name: encoders.load(name)}, language=language, **how)]


def measure(corpus, engine_name="edge", repeats=3, **how):
    return retrieval_methods.measure(corpus, methods(corpus, engine_name=engine_name, **how), engine_name, repeats)


@pytest.fixture(scope="module")
def measured(folder, sample):
    return measure(sample, repeats=2)


def scores(measured, label):
    return find(measured, label).scores


def test_each_way_to_search_is_judged_and_timed(measured, sample):
    assert [each.label for each in measured] == LABELS
    for each in measured:
        assert list(each.judgements.index) == list(sample.queries)
        assert len(each.searching) == len(each.indexing) == 2
        assert len(each.latency) == each.queries == len(sample.queries)
        assert min(*each.searching, *each.latency, *each.indexing) > 0


def test_a_method_scores_alone_as_beside_others(measured, sample):
    for method in methods(sample):
        [found] = retrieval_methods.measure(sample, [method], repeats=1)
        assert found.label == method.label and found.scores.equals(scores(measured, method.label))


def test_forms_of_one_model_are_measured_side_by_side(measured, data, sample):
    coded = retrieval_methods.with_models(sample, {"coded": encoders.load(MODEL)}, "binary", "full-ef", dimension=32)
    found = retrieval_methods.measure(sample, [*methods(sample), *coded], repeats=1)
    assert [each.label for each in found[len(LABELS) :]] == ["coded", "coded + BM25 (rrf)", "coded + BM25 (dbsf)"]
    assert all(each.scores.equals(scores(measured, each.label)) for each in found[: len(LABELS)])
    [cell] = grid.measure(sample, encoders.load(MODEL), [32], ["binary"], ["full-ef"])
    assert scores(found, "coded").mean() == pytest.approx(cell.judgements["ndcg@10"].mean(), abs=0.02)
    assert find(found, "coded").searched_bytes < find(found, MODEL).searched_bytes


def test_bm25_scores_as_its_formula_ranks(measured, sample):
    texts = sample.document_texts
    for label, length in [(BM25, bm25.average_words(texts)), (BM25_TOKENS, bm25.average_tokens(texts))]:
        model = Bm25(length)
        ranked = bm25.scores(model.queries(sample.query_texts), model.documents(texts)).round(5)
        ids = np.argsort(-ranked, axis=1, kind="stable")
        found = np.take_along_axis(ranked, ids, axis=1)
        # the engine gives back what has a word of the query, no more
        ordered = evaluation.order_ties(np.where(found > 0, ids, -1), found, sample.document_ids)
        expected = evaluation.judge(sample, ordered)["ndcg@10"]
        assert scores(measured, label).mean() == pytest.approx(expected.mean(), abs=0.005)


def test_a_model_alone_scores_as_in_the_grid(measured, sample):
    [cell] = grid.measure(sample, encoders.load(MODEL), [64], ["float32"], ["exact"])
    np.testing.assert_allclose(scores(measured, MODEL), cell.judgements["ndcg@10"])


def test_both_find_more_than_the_model_alone(measured):
    for fusion in engine.FUSIONS:
        assert scores(measured, f"{MODEL} + BM25 ({fusion})").mean() > scores(measured, MODEL).mean()


def test_a_second_measurement_is_the_first(measured, sample, monkeypatch):
    monkeypatch.setattr(engine, "build", lambda *_, **__: pytest.fail("built again"))
    again = measure(sample, repeats=2)
    assert [each.searching for each in again] == [each.searching for each in measured]


def test_rows_compare_on_the_same_queries(measured, sample):
    rows = retrieval_methods.rows(sample, measured, MODEL)
    compared = rows[rows["metric"] == "ndcg@10 difference"].set_index("method")
    assert list(compared.index) == [label for label in LABELS if label != MODEL] and set(compared["against"]) == {MODEL}
    expected = statistics.mean_difference(scores(measured, BM25), scores(measured, MODEL))
    assert compared.loc[BM25, [*statistics.Interval._fields]].tolist() == list(expected)
    ties = rows[rows["metric"] == "ndcg@10 over tie orders"]
    assert (
        list(ties["method"]) == LABELS
        and (ties["low"] <= ties["value"]).all()
        and (ties["value"] <= ties["high"]).all()
    )
    times = rows[rows["metric"].isin(["queries/s with encoding", "indexed documents/s", "latency ms with encoding"])]
    assert len(times) == 3 * len(LABELS)
    assert len(rows[rows["metric"] == "searched bytes per document"]) == len(LABELS)
    assert ((times["low"] <= times["value"]) & (times["value"] <= times["high"])).all()
    assert len(retrieval_methods.rows(sample, measured)) == len(rows) - len(compared)


def test_the_table_is_ordered_by_quality(measured):
    table = retrieval_methods.table(measured, MODEL)
    found = [float(text.split()[0]) for text in table["NDCG@10"]]
    assert found == sorted(found, reverse=True)
    assert table.loc[MODEL, f"against {MODEL}"] == ""


def test_codes_are_searched_where_they_are_asked_for(data, sample):
    coded = measure(sample, setting="binary", search="full-ef", repeats=1)
    [cell] = grid.measure(sample, encoders.load(MODEL), [64], ["binary"], ["full-ef"])
    assert scores(coded, MODEL).mean() == pytest.approx(cell.judgements["ndcg@10"].mean(), abs=0.02)
    assert {(each.model, each.setting) for each in coded} == {("", ""), (MODEL, "binary")}
    cut = retrieval_methods.rows(sample, measure(sample, setting="binary", search="default-ef", repeats=1))
    assert set(cut[cut["metric"] == "tie rate@10"]["method"]) == {BM25, BM25_TOKENS}, "where groups of equals are whole"


def test_a_cut_is_stored_cut(data, sample):
    cut = measure(sample, dimension=16, repeats=1)
    [cell] = grid.measure(sample, encoders.load(MODEL), [16], ["float32"], ["exact"])
    np.testing.assert_allclose(scores(cut, MODEL), cell.judgements["ndcg@10"])
    assert {(each.model, each.dimension) for each in cut} == {("", None), (MODEL, 16)}


def test_a_search_reads_vectors_graph_and_words(measured, data, sample):
    found = {each.label: each.searched_bytes for each in measured}
    assert found[MODEL] > 4 * 64, "the vector and the graph"
    assert found[LABELS[3]] == pytest.approx(found[MODEL] + found[BM25], rel=0.2)
    coded = {each.label: each.searched_bytes for each in measure(sample, setting="binary", search="full-ef")}
    assert found[MODEL] - coded[MODEL] == pytest.approx(4 * 64 - 16), "codes fill a block of 16 bytes"


@pytest.mark.parametrize("engine_name", ["memory", pytest.param("server", marks=pytest.mark.slow)])
def test_where_the_engine_does_not_tell_bytes_they_are_computed(measured, server, sample, engine_name):
    found = measure(sample, engine_name=engine_name, repeats=1)
    assert all(each.bytes_computed for each in found) and not any(each.bytes_computed for each in measured)
    there, on_edge = {each.label: each for each in found}, {each.label: each for each in measured}
    for label in LABELS:
        in_blocks = on_edge[label].searched_bytes - there[label].searched_bytes
        assert 0 < in_blocks < 8 * 4096 / 62, "blocks of the disk that eight files begin to fill"
    rows = retrieval_methods.rows(sample, found).groupby("metric")["method"].apply(list)
    assert rows["computed searched bytes per document"] == list(there) and "searched bytes per document" not in rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 65}, "has 64 dimensions: it cannot be truncated to 65"),
        ({"setting": "binary", "engine_name": "memory"}, "drops quantization without a word"),
        ({"search": "fast"}, "unknown search 'fast'"),
        ({"setting": "int4"}, "unknown quantization 'int4'"),
        ({"repeats": 0}, "repeats must be at least 1"),
        ({"language": "klingon"}, "klingon"),
    ],
)
def test_what_cannot_work_is_refused(data, sample, arguments, said):
    with pytest.raises(WorkbookError, match=said):
        measure(sample, **arguments)


def test_random_weights_are_not_judged(data, sample):
    with pytest.raises(WorkbookError, match="mpnet-shape-random has random weights"):
        retrieval_methods.measure(sample, methods(sample, "mpnet-shape-random"))
