"""A table of queries learned from an existing collection's texts and vectors: no model is run, nothing is written."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models
from qdrant_edge import Distance, EdgeConfig, EdgeShard, EdgeVectorParams, Point, UpdateOperation
from sample_training import settings, table, unusable
from sentence_transformers import SentenceTransformer
from shards_on_disk import content
from workbook.corpora import corpora
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import encoders, vectors
from workbook.errors import WorkbookError
from workbook.experiments import existing
from workbook.qdrant import server as remote
from workbook.training import teachers, trained_models, training

ASKS = settings(queries_only=True, dimensions=None)


@pytest.fixture(scope="module")
def shard(task):
    """The folder of a shard of the sample's vectors by the transformer."""
    return existing.example(corpora.load("sample"), task.teacher)


@pytest.fixture(scope="module")
def learned(task, shard):
    """A table trained from what the shard has, and what it was trained on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "encode", unusable)
        of = training.task("sample", *teachers_of(shard, task.start), seed=0)
        return of, training.train(of, ASKS, 0)


def teachers_of(shard, start, **options):
    documents, stored = teachers.read(shard, **options)
    return documents, start, stored


def made(folder, rows, payloads, distance=Distance.Cosine):
    shard = EdgeShard.create(str(folder), EdgeConfig(vectors=EdgeVectorParams(size=rows.shape[1], distance=distance)))
    points = [
        Point(number, row, payload) for number, (row, payload) in enumerate(zip(rows.tolist(), payloads, strict=True))
    ]
    shard.update(UpdateOperation.upsert_points(points))
    shard.close()
    return str(folder)


@pytest.fixture
def stored(task):
    """Texts and vectors of the sample, to be stored otherwise."""
    texts = corpora.load("sample").document_texts
    return texts, vectors.truncate(vectors.encode(task.teacher, texts), task.teacher.dimensions)


def test_what_is_read_is_what_was_stored(shard, stored):
    texts, rows = stored
    documents, found = teachers.read(shard)
    assert [document.full for document in documents.values()] == texts
    np.testing.assert_allclose(found.rows, rows, atol=1e-6)


def test_the_start_is_the_one_that_the_model_itself_gives(task, shard, learned):
    of, _ = learned
    documents = {key: Document("", document.full) for key, document in of.documents.items()}
    asked = training.task("sample", documents, task.start, task.teacher, 0)
    one, other = (table(SentenceTransformer(str(training.start(each, ASKS, 0)))) for each in (of, asked))
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_it_finds_in_the_shard_what_the_model_finds_and_leaves_it_as_it_was(task, shard, learned):
    corpus, before = corpora.load("sample"), content(Path(shard))
    encoder = encoders.load(learned[1].name)
    [start] = trained_models.untrained(learned[0], ASKS, 0)
    asked = {"today": task.teacher, "start": start, "table": encoder}
    rows = existing.judge(shard, "", existing.TEXT, corpus, asked).set_index(["method", "metric"])["value"]
    assert content(Path(shard)) == before
    assert rows["table", "ndcg@10"] > 0.5 * rows["today", "ndcg@10"] > 0
    assert 0.2 < rows["table", "top ten in common"] <= 1
    assert rows["table", "ndcg@10 difference"] == pytest.approx(rows["table", "ndcg@10"] - rows["today", "ndcg@10"])
    [alone] = existing.judge(shard, "", existing.TEXT, corpus, {"table": encoder}).to_dict("records")
    assert alone["value"] == rows["table", "ndcg@10"]


def test_its_folder_reads_queries_alone(learned):
    encoder = encoders.load(learned[1].name)
    assert encoder.kind == "static" and encoder.encode(["river bank"], "query").shape == (1, 64)
    assert "of queries alone, for the vectors of example-shard" in encoder.remarks
    with pytest.raises(WorkbookError, match=r"is a table of queries, for documents of example-shard-.*: it has none"):
        encoder.encode(["a document"])


def test_points_without_a_text_are_told_and_left_out(stored, tmp_path, data, capsys):
    texts, rows = stored
    payloads = [{"body": text} if number > 4 else {"body": " "} for number, text in enumerate(texts)]
    documents, found = teachers.read(made(tmp_path / "shard", rows, payloads), text_field="body")
    assert len(documents) == len(found.rows) == len(texts) - 5
    assert "5 of 62 points of shard have no text in 'body': left out" in capsys.readouterr().out
    np.testing.assert_allclose(found.rows, rows[5:], atol=1e-6)


def test_of_many_points_some_are_drawn_page_by_page(stored, tmp_path, data, capsys, monkeypatch):
    monkeypatch.setattr(teachers, "PAGE", 7)
    texts, rows = stored
    folder = made(tmp_path / "shard", rows, [{"text": text} if number > 7 else {} for number, text in enumerate(texts)])
    documents, found = teachers.read(folder, most=40, seed=3)
    assert "40 of 62 points of shard are learned from, drawn by seed 3" in capsys.readouterr().out
    numbers = [int(key) for key in documents]
    assert numbers == sorted(numbers) and 32 <= len(numbers) <= 40 and min(numbers) > 7
    assert [document.text for document in documents.values()] == [texts[number] for number in numbers]
    np.testing.assert_allclose(found.rows, rows[numbers], atol=1e-6)


def test_what_is_no_text_is_no_answer(task, stored, tmp_path, data):
    texts, rows = stored
    found = []
    for lost in (0, 31):
        payloads = [{"text": [text] if number < lost else text} for number, text in enumerate(texts)]
        folder = made(tmp_path / str(lost), rows, payloads)
        found.append(existing.judge(folder, "", "text", corpora.load("sample"), {"today": task.teacher})["value"][0])
    assert found[1] < found[0]


def test_a_collection_on_a_server_is_read_and_judged_alike(server, task, shard, stored, data):
    texts, rows = stored
    points = [
        models.PointStruct(id=number, vector=row, payload={"text": texts[number]})
        for number, row in enumerate(rows.tolist())
    ]
    with closing(remote.connect()) as qdrant:
        size = models.VectorParams(size=rows.shape[1], distance=models.Distance.COSINE)
        qdrant.create_collection("articles", size)
        try:
            qdrant.upsert("articles", points, wait=True)
            (texts_there, there), (texts_here, here) = teachers.read("articles"), teachers.read(shard)
            scores = [
                existing.judge(each, "", "text", corpora.load("sample"), {"today": task.teacher})["value"][0]
                for each in ("articles", shard)
            ]
        finally:
            qdrant.delete_collection("articles")
    assert texts_there == texts_here and scores[0] == pytest.approx(scores[1])
    np.testing.assert_allclose(there.rows, here.rows, atol=1e-6)


def test_a_collection_without_texts_is_refused_and_says_which_fields_there_are(stored, tmp_path, data):
    texts, rows = stored
    folder = made(tmp_path / "shard", rows, [{"body": text, "page": 1} for text in texts])
    with pytest.raises(WorkbookError, match=r"0 of 62 points of shard have a text in 'text'.* there are body, page"):
        teachers.read(folder)


def test_vectors_of_other_texts_are_refused(task, stored, tmp_path, data):
    texts, rows = stored
    shuffled = np.random.default_rng(0).permutation(rows)
    folder = made(tmp_path / "shard", shuffled, [{"text": text} for text in texts])
    with pytest.raises(WorkbookError, match=r"the vectors of shard do not follow from its texts"):
        training.task("sample", *teachers_of(folder, task.start), seed=0)


@pytest.mark.parametrize(("distance", "scale"), [(Distance.Manhattan, 1), (Distance.Dot, 2), (Distance.Euclid, 2)])
def test_what_is_not_searched_by_the_cosine_is_refused(stored, tmp_path, data, distance, scale):
    texts, rows = stored
    folder = made(tmp_path / "shard", scale * rows, [{"text": text} for text in texts], distance)
    with pytest.raises(WorkbookError, match=r"its vectors are not of length 1|is searched by Manhattan"):
        teachers.read(folder)
    if scale > 1:
        teachers.read(made(tmp_path / "unit", rows, [{"text": text} for text in texts], distance))


def test_fewer_documents_than_dimensions_are_refused(task, stored, tmp_path, data):
    texts, rows = stored
    wide = np.hstack([rows] * 5)
    of = training.task(
        "sample", *teachers_of(made(tmp_path / "shard", wide, [{"text": text} for text in texts]), task.start), seed=0
    )
    with pytest.raises(WorkbookError, match=r"62 documents do not tell how a space of 320 dimensions lies: give 160"):
        training.train(of, ASKS, 0)


def test_words_are_not_distilled_without_a_model(learned):
    with pytest.raises(WorkbookError, match=r"words: true asks a transformer, and example-shard-.* is none"):
        training.train(learned[0], settings(queries_only=True, dimensions=None, words=True), 0)


def test_a_table_of_another_width_or_of_other_texts_is_refused(shard, learned, data):
    corpus, encoder = corpora.load("sample"), encoders.load("static-distilled")
    with pytest.raises(WorkbookError, match=r"wide gives 384 dimensions, and example-shard-.* has 64"):
        existing.judge(shard, "", existing.TEXT, corpus, {"wide": encoder})
    other = Corpus("other", {"a": Document("", "elsewhere")}, {"q": "where"}, {"q": {"a": 1}})
    with pytest.raises(WorkbookError, match=r"nothing found in example-shard-.* has a document's text in 'text'"):
        existing.judge(shard, "", existing.TEXT, other, {"tiny": encoders.load("tiny-static")})
