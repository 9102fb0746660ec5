"""What a model and an index weigh: that the weights are those of the files, and the scores those of the form."""

import model2vec
import numpy as np
import pandas as pd
import pytest
from workbook.embedding import encoders, exports, vectors
from workbook.embedding.exports import FLOAT32, Form
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, results, statistics, stopwatch
from workbook.experiments import footprint, grid
from workbook.experiments.footprint import Stored
from workbook.qdrant import engine
from workbook.qdrant.quantization import SETTINGS

SIZES = [200, 20]
FORMS = ["float32", "float16", "int8", "vocabulary 200", "vocabulary 20"]
WEIGHED = ["float32", "scalar-int8", "binary"]


@pytest.fixture(scope="module")
def static(folder):
    encoder = encoders.load("tiny-static")
    assert encoder.model  # made now, in the module's data folder
    return encoder


@pytest.fixture(scope="module")
def stored(sample, static):
    return footprint.models(sample, static, 2, SIZES)


@pytest.fixture(scope="module")
def weighed(sample, static):
    return footprint.indexes(sample, static, WEIGHED)


def unusable(*_, **__):
    raise AssertionError("this must not run")


def value(rows, metric, **facts):
    [found] = rows[(rows[list(facts)] == list(facts.values())).all(axis=1) & (rows["metric"] == metric)]["value"]
    return found


def interval(rows, metric, setting):
    [found] = rows[(rows["setting"] == setting) & (rows["metric"] == metric)][["value", "low", "high", "n"]].to_numpy()
    return found


def test_every_form_has_a_row_of_each_metric(stored):
    assert set(stored.columns) <= set(results.COLUMNS)
    table = stored.set_index(["setting", "metric"])["value"].unstack().loc[FORMS]  # noqa: PD010
    assert sorted(table.columns) == [
        "embedding megabytes", "load ms", "megabytes", "ndcg@10", "ndcg@10 difference"
    ]  # fmt: skip
    assert table.notna().to_numpy().tolist() == [[True] * 4 + [form != "float32"] for form in FORMS]
    assert stored[["corpus", "model", "dimension"]].drop_duplicates().to_numpy().tolist() == [
        ["sample", "tiny-static", 64]
    ]
    timed = stored[~stored["metric"].str.contains("megabytes")]
    assert timed["key"].notna().all()


def test_megabytes_are_those_of_the_files(stored, static):
    for setting, form in zip(FORMS, exports.forms(static, SIZES), strict=True):
        folder = exports.keep(static, form)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        table = (folder / "model.safetensors").stat().st_size
        assert value(stored, "megabytes", setting=setting) == size / 1e6
        assert value(stored, "embedding megabytes", setting=setting) == table / 1e6
        assert size > table + (folder / "tokenizer.json").stat().st_size
    heavy, half, quarter = (value(stored, "embedding megabytes", setting=form) for form in FORMS[:3])
    assert heavy > 1.9 * half > 3.6 * quarter


def test_load_times_are_a_median_and_a_range_in_milliseconds(sample, static, monkeypatch):
    monkeypatch.setattr(stopwatch, "rounds", lambda works, repeats: [[0.25, 0.5, 1.0]] * len(works))
    rows = footprint.models(sample, static, 3, SIZES)
    assert interval(rows, "load ms", "int8").tolist() == [500, 250, 1000, 3]


def test_float32_scores_as_the_model_does_everywhere_else(stored, sample, static):
    [cell] = grid.measure(sample, static, [64], ["float32"], ["exact"])
    expected = statistics.mean(cell.judgements["ndcg@10"])
    np.testing.assert_allclose(interval(stored, "ndcg@10", "float32"), expected[:4], atol=1e-9)


@pytest.mark.parametrize("form", FORMS[1:])
def test_the_difference_is_paired_with_float32_on_the_same_queries(stored, sample, static, form):
    chosen = {each.name: each for each in exports.forms(static, SIZES)}
    base, small = (
        grid.measure(sample, Stored(static, chosen[name]), [64], ["float32"], ["exact"])[0].judgements["ndcg@10"]
        for name in ("float32", form)
    )
    np.testing.assert_allclose(interval(stored, "ndcg@10", form), statistics.mean(small)[:4])
    np.testing.assert_allclose(
        interval(stored, "ndcg@10 difference", form), statistics.mean_difference(small, base)[:4], atol=1e-12
    )
    assert interval(stored, "ndcg@10 difference", form)[3] == len(sample.queries)


def test_a_score_is_that_of_the_stored_form(stored, sample, static):
    """By numpy, without the engine: the cosines of what model2vec encodes."""
    form = Form(vocabulary=20)
    model = exports.load(exports.keep(static, form), form)
    documents, queries = model.encode(sample.document_texts), model.encode(sample.query_texts)
    best = np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :100]
    ranked = [[sample.document_ids[number] for number in row] for row in best]
    found = evaluation.judge(sample, ranked)["ndcg@10"].mean()
    assert value(stored, "ndcg@10", setting=form.name) == pytest.approx(found, abs=0.01)
    assert value(stored, "ndcg@10 difference", setting=form.name) < -0.05, "20 rows for all words must lose"


def test_a_prompt_is_put_before_a_text_as_elsewhere(static, monkeypatch):
    model = Stored(static, FLOAT32)
    plain, prompted = (model.encode([text], "query") for text in ("bank", "river bank"))
    monkeypatch.setattr(type(static), "prompt", lambda self, role: "river " if role == "query" else "")
    np.testing.assert_array_equal(model.encode(["bank"], "query"), prompted)
    np.testing.assert_array_equal(model.encode(["bank"], "document"), plain)
    assert plain.dtype == np.float32 and plain.shape == (1, 64)
    assert not np.allclose(plain, prompted)


def test_forms_are_told_apart_by_their_identity(static):
    identities = [Stored(static, form).identity("document") for form in exports.forms(static, SIZES)]
    assert len({str(each) for each in identities}) == len(FORMS)
    assert all({**each, "stored": None} == {**static.identity("document"), "stored": None} for each in identities)


def test_the_second_time_nothing_is_made_measured_or_weighed_again(stored, weighed, sample, static, monkeypatch):
    for module, name in [(exports, "save"), (exports, "load"), (engine, "build"), (stopwatch, "rounds")]:
        monkeypatch.setattr(module, name, unusable)
    pd.testing.assert_frame_equal(footprint.models(sample, static, 2, SIZES), stored)
    pd.testing.assert_frame_equal(footprint.indexes(sample, static, WEIGHED), weighed)


def test_a_form_that_model2vec_did_not_load_stops_the_run(sample, static, data, monkeypatch):
    monkeypatch.setattr(model2vec, "quantize_model", lambda model, *_: model)
    with pytest.raises(WorkbookError, match=r"float16.* model2vec loads .*float32"):
        footprint.models(sample, static, 1, SIZES)


def test_a_transformer_has_no_stored_forms(sample, data):
    with pytest.raises(WorkbookError, match="tiny-transformer is a transformer"):
        footprint.models(sample, encoders.load("tiny-transformer"))
    assert not (data / "vectors").exists()


def test_a_vocabulary_too_large_is_refused_before_any_work(sample, static, data):
    with pytest.raises(WorkbookError, match=r"tiny-static has .* tokens: give a vocabulary of 1 to"):
        footprint.models(sample, static, vocabularies=[100, 10_000_000])
    assert not data.exists() or not list(data.rglob("model.safetensors"))


def test_every_part_of_an_index_is_weighed(weighed, sample):
    assert set(weighed.columns) <= set(results.COLUMNS)
    disk = weighed[weighed["metric"] == "disk bytes per vector"]
    assert disk.groupby("setting")["part"].apply(list).to_dict() == {
        setting: ["vectors", "codes", "graph", "other"] for setting in WEIGHED
    }
    for setting in WEIGHED:
        parts = {part: value(weighed, "disk bytes per vector", setting=setting, part=part) for part in disk["part"]}
        codes = 0 if setting == "float32" else SETTINGS[setting].bytes_per_vector(64)
        n = len(sample.documents)
        assert 256 <= parts["vectors"] <= 256 + 20_000 / n
        assert codes <= parts["codes"] <= codes + (40_000 / n if codes else 0)
        assert parts["graph"] > 0 and parts["other"] > 0
        assert parts["vectors"] * n % 512 == pytest.approx(0, abs=1e-6), "whole blocks"
    assert weighed[["corpus", "model", "dimension"]].drop_duplicates().to_numpy().tolist() == [
        ["sample", "tiny-static", 64]
    ]
    assert weighed["key"].nunique() == len(WEIGHED)


def test_memory_is_the_sum_of_what_is_searched(weighed):
    metric = "computed RAM bytes per vector"
    ram = weighed[weighed["metric"] == metric]
    assert ram.groupby("setting")["part"].apply(set).to_dict() == {
        "float32": {"all in RAM"},
        "scalar-int8": {"all in RAM", "originals on disk"},
        "binary": {"all in RAM", "originals on disk"},
    }
    for setting in WEIGHED:
        vectors_, codes, graph = (
            value(weighed, "disk bytes per vector", setting=setting, part=part)
            for part in ("vectors", "codes", "graph")
        )
        assert value(weighed, metric, setting=setting, part="all in RAM") == pytest.approx(vectors_ + codes + graph)
    assert value(weighed, metric, setting="binary", part="originals on disk") == pytest.approx(codes + graph)


def test_an_index_is_of_the_dimension_that_was_asked_for(sample, static):
    rows = footprint.indexes(sample, static, ["float32"], 16)
    assert set(rows["dimension"]) == {16}
    assert 64 <= value(rows, "disk bytes per vector", part="vectors") <= 64 + 20_000 / len(sample.documents)


def test_what_is_indexed_on_disk_is_what_was_encoded_and_nothing_is_left(sample, static, data, monkeypatch):
    given, build = [], engine.build

    def built(rows, setting, place):
        index = build(rows, setting, place=place)
        given.append((rows, place, [folder.name[:9] for folder in place.iterdir() if "workbook" in folder.name]))
        return index

    monkeypatch.setattr(engine, "build", built)
    footprint.indexes(sample, static, ["binary"], 32)
    [(rows, place, while_open)] = given
    expected = vectors.truncate(static.encode(sample.document_texts), 32)
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert place == data / "scale"
    assert while_open == ["workbook-"]
    assert not list(data.rglob("workbook-*"))


def test_an_index_that_fails_its_proof_leaves_nothing(sample, static, data, monkeypatch):
    monkeypatch.setattr(engine.EdgeIndex, "applied", lambda self: {})
    with pytest.raises(WorkbookError, match="asked for quantization"):
        footprint.indexes(sample, static, ["binary"])
    assert not list(data.rglob("workbook-*")) and not (data / "results" / "disk").exists()


@pytest.mark.parametrize(
    ("settings", "dimension", "message"),
    [
        (["float32", "half"], None, "unknown quantization 'half'"),
        (["binary"], 65, "tiny-static has 64 dimensions: it cannot be truncated to 65"),
        (["binary"], 0, "cannot be truncated to 0"),
        (["product-x32"], 20, "does not divide 20 dimensions"),
    ],
)
def test_what_cannot_be_built_is_refused_before_any_work(sample, static, data, settings, dimension, message):
    with pytest.raises(WorkbookError, match=message):
        footprint.indexes(sample, static, settings, dimension)
    assert not data.exists()
