"""The grid measures what it says: each combination once, on the engine that proved itself, repeatably."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from workbook import paths
from workbook.conclusions import published
from workbook.corpora import corpora
from workbook.embedding import encoders, vectors
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation
from workbook.experiments import grid
from workbook.qdrant import engine
from workbook.qdrant.client import Placement
from workbook.training import training
from workbook.training.settings import Settings

SETTINGS, SEARCHES = ["float32", "binary"], ["exact", "full-ef", "default-ef", "rescore-x2"]


@pytest.fixture
def cells(sample, data):
    return grid.measure(sample, encoders.load("tiny-static"), [64, 16], SETTINGS, SEARCHES, repeats=2)


def test_each_meaningful_combination_is_measured_once_in_order(cells):
    one_dimension = [("float32", "exact"), ("float32", "full-ef"), ("float32", "default-ef")]
    one_dimension += [("binary", "full-ef"), ("binary", "default-ef"), ("binary", "rescore-x2")]
    assert [(cell.setting, cell.search) for cell in cells] == one_dimension * 2
    assert [cell.dimension for cell in cells] == [64] * 6 + [16] * 6
    assert len({cell.key for cell in cells}) == 12


def test_exact_float32_equals_a_search_in_numpy(sample, cells):
    encoder = encoders.load("tiny-static")
    for dimension in (64, 16):
        documents = vectors.truncate(vectors.encode(encoder, sample.document_texts), dimension)
        queries = vectors.truncate(vectors.encode(encoder, sample.query_texts, "query"), dimension)
        scores = queries @ documents.T
        ids = np.argsort(-scores, axis=1)
        rankings = evaluation.order_ties(ids, np.take_along_axis(scores, ids, axis=1), sample.document_ids)
        expected = evaluation.judge(sample, rankings)
        measured = grid.find(cells, dimension=dimension, setting="float32", search="exact").judgements
        assert np.allclose(measured, expected, atol=1e-9)


def test_only_searches_at_the_default_ef_are_timed(cells):
    for cell in cells:
        timed = cell.search in ("default-ef", "rescore-x2")
        assert (len(cell.seconds), len(cell.latency)) == ((2, 25) if timed else (0, 0))


def test_a_second_grid_builds_nothing_and_gives_the_same(sample, cells, monkeypatch):
    monkeypatch.setattr(engine, "build", lambda *_: pytest.fail("an index was built again"))
    again = grid.measure(sample, encoders.load("tiny-static"), [64, 16], SETTINGS, SEARCHES, repeats=2)
    assert grid.rows(sample, again).equals(grid.rows(sample, cells))


def test_an_interrupted_grid_goes_on_with_what_is_missing(sample, data, monkeypatch):
    built, build = [], engine.build

    def interrupted(documents, setting, engine_name, **options):
        built.append((documents.shape[1], setting))
        if len(built) == 2:
            raise KeyboardInterrupt
        return build(documents, setting, engine_name, **options)

    monkeypatch.setattr(engine, "build", interrupted)
    arguments = (sample, encoders.load("tiny-static"), [64, 16], SETTINGS, ["exact", "full-ef"])
    with pytest.raises(KeyboardInterrupt):
        grid.measure(*arguments)
    assert len(grid.measure(*arguments)) == 6
    assert built == [(64, "float32"), (64, "binary"), (64, "binary"), (16, "float32"), (16, "binary")]


def test_rows_carry_interval_and_n(sample, cells):
    rows = grid.rows(sample, cells)
    scores = rows[rows["metric"] == "ndcg@10"]
    assert (scores["n"] == 25).all()
    assert ((scores["low"] < scores["value"]) & (scores["value"] < scores["high"])).all()
    assert set(rows[rows["metric"] == "bytes per vector"]["value"]) == {256, 64, 16}


def test_a_quantization_that_did_not_apply_is_noticed(cells):
    grid.check_applied(cells)
    binary = grid.find(cells, dimension=64, setting="binary", search="full-ef")
    for search in ("exact", "full-ef"):
        plain = grid.find(cells, dimension=64, setting="float32", search=search)
        fake = grid.Cell(**{**vars(binary), "rankings_sha256": plain.rankings_sha256})
        with pytest.raises(WorkbookError, match="did not apply"):
            grid.check_applied([plain, fake])


def test_recall_at_100_of_ten_results_is_not_shown(sample, data):
    arguments = (sample, encoders.load("tiny-static"), [64], ["float32"], ["exact"])
    ten, hundred = (grid.rows(sample, grid.measure(*arguments, limit=limit)) for limit in (10, 100))
    assert set(hundred["metric"]) - set(ten["metric"]) == {"recall@100"}
    assert ten.iloc[0]["value"] == hundred.iloc[0]["value"], "NDCG@10 needs no more than ten"


def test_tie_ranges_are_shown_only_where_ties_are_seen_whole(sample, cells):
    rows = grid.rows(sample, cells)
    assert set(rows[rows["metric"] == "ndcg@10 over tie orders"]["search"]) == {"exact", "full-ef"}
    one_bit = rows[(rows["metric"] == "ndcg@10 over tie orders") & (rows["setting"] == "binary")]
    assert (one_bit["low"] < one_bit["high"]).all()


def test_product_codebooks_larger_than_the_corpus_are_refused(sample, data):
    with pytest.raises(WorkbookError, match="62 documents: product codebooks"):
        grid.measure(sample, encoders.load("tiny-static"), [64], ["product-x16"], ["full-ef"])


def test_a_cut_inside_a_tie_does_not_depend_on_the_build(sample, data):
    """With 16 one-bit dimensions nearly everything ties; a limit of 3 cuts through, and the engine picks by chance."""
    model, scores = encoders.load("tiny-static"), []
    for folder in ("one", "two"):
        data_folder = data / folder
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("workbook.paths.DATA", data_folder)
            (cell,) = grid.measure(sample, model, [16], ["binary"], ["full-ef"], limit=3)
        scores.append(cell)
    assert scores[0].tie_rate > 0.3
    assert scores[0].rankings_sha256 == scores[1].rankings_sha256


@pytest.mark.parametrize(
    ("settings", "searches", "engine_name", "message"),
    [
        (["binary-9bit"], ["exact"], "edge", "unknown quantization"),
        (["binary"], ["exact"], "memory", "drops quantization"),
        (["float32"], ["nearly"], "edge", "unknown search"),
        (["product-x64"], ["full-ef"], "edge", "does not divide"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_encoded(sample, data, settings, searches, engine_name, message):
    with pytest.raises(WorkbookError, match=message):
        grid.measure(sample, encoders.load("tiny-static"), [24], settings, searches, engine_name)
    assert not (data / "vectors").exists()


def test_random_weights_get_no_score(sample, data):
    with pytest.raises(WorkbookError, match="random weights"):
        grid.measure(sample, encoders.load("mpnet-shape-random"), [768], ["float32"], ["exact"])


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("BEIR_DATA_DIR"), reason="BEIR_DATA_DIR is not set: no SciFact")
def test_scifact_golden_values():
    """MTEB's published score of MiniLM, and its one-bit codes scored by the oracle; vectors stay cached in data/."""
    scifact = corpora.load("scifact")
    minilm = encoders.load("all-MiniLM-L6-v2")
    cells = grid.measure(
        scifact, minilm, [384], ["float32", "binary"], ["exact", "full-ef", "default-ef", "rescore-x2"]
    )
    found = {(cell.setting, cell.search): cell.judgements["ndcg@10"].mean() for cell in cells}
    assert found["float32", "exact"] == pytest.approx(0.64508, abs=5e-6)
    theirs = published.compare(grid.rows(scifact, cells))
    mteb = theirs[
        (theirs["model"] == "all-MiniLM-L6-v2") & (theirs["corpus"] == "scifact") & (theirs["publisher"] == "MTEB")
    ]
    assert mteb["verdict"].tolist() == ["same"], "not within 0.0005 of MTEB's value"
    assert found["binary", "full-ef"] == pytest.approx(0.58644, abs=5e-6)
    assert found["binary", "default-ef"] == pytest.approx(0.5855, abs=0.01), "HNSW is random, but not by that much"
    assert found["binary", "rescore-x2"] == pytest.approx(0.644, abs=0.003)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("BEIR_DATA_DIR"), reason="BEIR_DATA_DIR is not set: no SciFact")
def test_scifact_golden_values_of_the_distilled_model():
    scifact = corpora.load("scifact")
    cells = grid.measure(scifact, encoders.load("static-distilled"), [384, 64], ["float32"], ["exact"])
    assert [cell.judgements["ndcg@10"].mean() for cell in cells] == pytest.approx([0.400, 0.266], abs=0.002)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("BEIR_DATA_DIR"), reason="BEIR_DATA_DIR is not set: no SciFact")
def test_scifact_trained_on_its_documents_alone():
    """One seed of the usual settings: well above the general static model's published 0.593, and one bit holds."""
    start, teacher = encoders.load("static-distilled"), encoders.load("all-MiniLM-L6-v2")
    task = training.task("scifact", corpora.unlabelled("scifact"), start, teacher, 0)
    model = encoders.load(training.train(task, Settings(), 0).name)
    cells = grid.measure(corpora.load("scifact"), model, [384], ["float32", "binary"], ["exact", "full-ef"])
    whole, _, codes = (cell.judgements["ndcg@10"].mean() for cell in cells)
    assert whole > 0.635, "three seeds gave 0.654 to 0.669"
    assert codes > 0.59, "three seeds gave 0.611 to 0.621"


def test_a_model_that_knows_no_word_of_the_texts_is_refused(data):
    corpus = corpora.load("sample")
    strange = replace(corpus, queries=dict.fromkeys(corpus.queries, "Ωμέγα Ψυχή"))
    with pytest.raises(WorkbookError, match="tiny-static knows no word of 25 of the 25 queries of sample"):
        grid.encode(strange, encoders.load("tiny-static"))


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2])
def test_a_node_lost_between_any_two_requests(sample, server, copies):
    """Of a cluster of three: rows complete and equal where each shard has a second copy, else one clear line."""
    server.nodes = 3
    placement, ended = Placement(shard_number=3, replication_factor=copies), []

    def measured():
        shutil.rmtree(paths.DATA / "results", ignore_errors=True)
        cells = grid.measure(
            sample, encoders.load("tiny-static"), [64], ["float32"], ["exact"], "server", placement=placement
        )
        rows = grid.rows(sample, cells)
        return rows[~rows["metric"].str.contains("seconds")].to_csv()

    whole = measured()
    server.requests.clear()
    assert measured() == whole
    for requests in range(0, len(server.requests), 1 if copies == 2 else 4):
        server.lost, server.lose_after = None, requests
        try:
            assert measured() == whole
        except WorkbookError as error:
            assert "\n" not in str(error) and "Qdrant at QDRANT_URL" in str(error) and "Failed to connect" in str(error)
            ended.append(requests)
        assert server.lost and server.collections == []
    assert not ended if copies == 2 else ended
