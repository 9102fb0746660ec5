"""A collection on a server is only read, its copy deleted, whatever happens in between."""

import numpy as np
import pytest
from qdrant_client import models
from standin import needs_server
from workbook.errors import WorkbookError
from workbook.experiments import existing
from workbook.qdrant import existing_collection
from workbook.qdrant import server as remote
from workbook.qdrant.engine import Search
from workbook.qdrant.quantization import SETTINGS

COSINE = models.Distance.COSINE


@pytest.fixture
def opened(articles):
    """That collection, open."""
    with existing_collection.opened("articles", "") as collection:
        yield collection


def writes(server):
    """What was asked of the server other than to tell something."""
    reading = ("/query/batch", "/scroll", "/count", "/points")
    return [
        (method, path)
        for method, path in server.requests
        if method != "GET" and not (method == "POST" and path.endswith(reading))
    ]


def test_what_a_collection_is(opened):
    facts = opened.facts()
    assert opened.ids() == list(range(500))
    assert (facts.kind, facts.name, facts.size, facts.distance) == ("server collection", "articles", 64, "Cosine")
    assert (facts.points, facts.vectors, facts.indexed) == (500, 500, 500)
    assert (facts.setting, facts.m, facts.ef_construct, facts.full_scan_kb) == ("scalar-int8", 16, 100, 10_000)


def test_vectors_and_searches_in_batches(opened, unit_vectors, monkeypatch):
    monkeypatch.setattr(opened, "_size", 200)
    np.testing.assert_allclose(opened.vectors(range(499, -1, -1)), unit_vectors[::-1], atol=1e-6)
    ids, scores, seconds = opened.search(unit_vectors, 1, Search(exact=True))
    assert [row for [row] in ids] == list(range(500)) and seconds > 0
    np.testing.assert_allclose(scores, 1, atol=1e-5)


def test_the_copy_has_the_original_settings_and_vectors(server, articles, unit_vectors, monkeypatch):
    monkeypatch.setattr(remote, "BATCH", 200)
    with existing_collection.opened("articles", "") as collection:
        collection.rebuild()
        [copy] = set(server.collections) - {"articles"}
        there = remote.connect().get_collection(copy)
        assert collection.facts().setting == "scalar-int8"
        assert there.config.params.shard_number == 2
        assert there.config.params.vectors == models.VectorParams(size=64, distance=COSINE)
        assert there.config.quantization_config.scalar.always_ram
        np.testing.assert_allclose(collection.vectors(range(500)), unit_vectors, atol=1e-6)
        collection.quantize(SETTINGS["binary"])
        assert collection.facts().setting == "binary"
        collection.quantize(SETTINGS["float32"])
        assert collection.facts().setting == "float32"
    assert server.collections == ["articles"]


def test_a_copy_has_one_vector_of_several(server, fill):
    named = {name: models.VectorParams(size=64, distance=COSINE) for name in ("title", "text")}
    fill("articles", named)
    with existing_collection.opened("articles", "text") as collection:
        assert collection.facts().indexed is None, "a server tells it of all vectors together"
        collection.rebuild()
        assert collection.facts().indexed == 500
        assert collection.vectors([3]).shape == (1, 64)
        assert list(collection.search(collection.vectors([3]), 1, None)[0]) == [[3]]


def test_nothing_is_ever_written_to_the_original(server, articles):
    with existing_collection.opened("articles", "") as collection:
        collection.facts(), collection.ids(), collection.vectors([1]), collection.rebuild()
        collection.quantize(SETTINGS["binary"])
    changed = {path.split("/")[2] for _, path in writes(server)}
    assert len(changed) == 1 and "articles" not in changed
    assert {method for method, _ in writes(server)} == {"PUT", "PATCH", "DELETE"}


def test_exact_scores_are_those_of_the_original_also_once_there_is_a_copy(opened, unit_vectors):
    opened.rebuild()
    [scores, [third]] = opened.scores(unit_vectors[:2], [[0, 7], [9]])
    assert scores == pytest.approx(unit_vectors[[0, 7]] @ unit_vectors[0], abs=1e-5)
    assert third == pytest.approx(float(unit_vectors[1] @ unit_vectors[9]), abs=1e-5)


def test_a_collection_whose_copy_would_be_another_is_refused(fill):
    fill("codes", models.VectorParams(size=64, distance=models.Distance.DOT, datatype=models.Datatype.TURBO4))
    with pytest.raises(WorkbookError, match=r"stores '' as turbo4 under Dot: .* no copy would be the same") as told:
        existing.check("codes", "", [])
    assert "\n" not in str(told.value)


def test_a_setting_that_the_server_is_too_old_for(server, articles):
    server.version = "1.18.3"
    existing.check("articles", "", ["turbo-4bit"])
    with pytest.raises(WorkbookError, match=r"turbo-8bit needs Qdrant 1\.20, this is 1\.18\.3: leave it out"):
        existing.check("articles", "", ["turbo-8bit"])


def test_looking_writes_nothing(server, articles):
    name, params = existing_collection.look("articles", "")
    assert (name, params["size"]) == ("", 64)
    assert writes(server) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda server: server.forgets.add("quantization_config"), r"asked for .*scalar.*, the server reports \{\}"),
        (lambda server: setattr(server, "unindexed", 3), "only 497 of 500 vectors are indexed"),
        (lambda server: server.statuses.extend([*["green"] * 3, "red"]), "could not index"),
    ],
)
def test_a_copy_that_does_not_become_what_was_asked(server, articles, spoil, message):
    with existing_collection.opened("articles", "") as collection:
        spoil(server)
        with pytest.raises(WorkbookError, match=message):
            collection.rebuild()
    assert server.collections == ["articles"]


def test_a_collection_that_changes_while_it_is_copied(server, articles, unit_vectors, monkeypatch):
    upsert = server._memory.upsert

    def with_another(name, points):
        upsert("articles", [models.PointStruct(id=999, vector=unit_vectors[0].tolist())])
        return upsert(name, points)

    monkeypatch.setattr(server._memory, "upsert", with_another)
    told = pytest.raises(WorkbookError, match="articles changed while it was copied")
    with told, existing_collection.opened("articles", "") as collection:
        collection.rebuild()
    assert server.collections == ["articles"]


def test_points_that_go_while_they_are_read(server, opened):
    ids = opened.ids()
    server._memory.delete("articles", models.PointIdsList(points=[3]))
    with pytest.raises(WorkbookError, match="articles changed while it was measured: stop what writes to it"):
        opened.vectors(ids)


def test_points_that_come_after_they_were_counted(server, articles, unit_vectors, monkeypatch):
    count = server._memory.count

    def then_another(name, which):
        answer = count(name, which)
        if which:
            server._memory.upsert(name, [models.PointStruct(id=999, vector=unit_vectors[0].tolist())])
        return answer

    monkeypatch.setattr(server._memory, "count", then_another)
    with pytest.raises(WorkbookError, match="articles changed while it was read: stop what writes to it"):
        existing.measure("articles", "", [], [], queries=20)
    assert server.collections == ["articles"]


def test_a_server_that_does_not_change_the_quantization(server, opened):
    opened.rebuild()
    server.forgets.add("quantization_config")
    with pytest.raises(WorkbookError, match=r"asked for .*binary.*, the server reports .*scalar"):
        opened.quantize(SETTINGS["binary"])


def test_a_server_that_dies_in_the_middle(server, articles):
    told = pytest.raises(WorkbookError, match="Qdrant at QDRANT_URL")
    with told as error, existing_collection.opened("articles", "") as collection:
        server.requests_to_live = 5
        collection.rebuild()
    assert "\n" not in str(error.value)
    assert {path.split("/")[2] for _, path in writes(server)} & {"articles"} == set()
    server.revive()
    existing_collection.look("articles", "")
    assert server.collections == ["articles"], "the next connection removes what the dead one left"


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [("another", "articles", "QDRANT_API_KEY"), (None, "article", "no collection 'article' at QDRANT_URL: it has art")],
)
def test_a_collection_that_cannot_be_looked_at(server, articles, key, name, said):
    server.key = key
    with pytest.raises(WorkbookError, match=said):
        existing_collection.look(name, "")


def test_a_copy_is_placed_as_its_original(server, fill):
    server.nodes = 3
    placed = {"shard_number": 3, "replication_factor": 2, "write_consistency_factor": 2}
    fill("articles", models.VectorParams(size=64, distance=COSINE), **placed)
    with existing_collection.opened("articles", "") as collection:
        collection.rebuild()
        [copy] = set(server.collections) - {"articles"}
        there = remote.connect().get_collection(copy).config.params
    assert placed.items() <= there.model_dump().items()


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2])
def test_a_node_lost_between_any_two_requests(server, fill, measured, monkeypatch, copies):
    monkeypatch.setattr(existing, "LATENCY_QUERIES", 1)
    server.nodes = 3
    fill("articles", models.VectorParams(size=64, distance=COSINE), 60, shard_number=3, replication_factor=copies)
    remote.connect().close()  # only the first connection of a process looks for gRPC
    server.requests.clear()
    whole, asked = measured(), len(server.requests)
    ended = []
    step = 1 if copies == 2 else 3
    for requests in range(0, asked, step):
        server.lost, server.lose_after = None, requests
        try:
            assert measured() == whole
        except WorkbookError as error:
            assert "\n" not in str(error) and "Failed to connect to http://127.0.0.1:6355" in str(error)
            ended.append(requests)
        assert server.lost and server.collections == ["articles"]
    assert ended == [] if copies == 2 else len(ended) > asked / 2 / step
    server.lost = None
    assert measured() == whole, "the original is as it was"


@needs_server
def test_a_real_collection_is_measured_on_a_copy(unit_vectors, data):
    name, qdrant = "workbook-test-existing", remote.connect()
    qdrant.delete_collection(name)
    qdrant.create_collection(name, models.VectorParams(size=64, distance=COSINE))
    try:
        points = [models.PointStruct(id=row, vector=vector) for row, vector in enumerate(unit_vectors.tolist())]
        qdrant.upsert(name, points, wait=True)
        before = qdrant.get_collection(name).config
        rows = existing.measure(name, "", ["binary"], ["default-ef", "rescore-x3"], queries=40)
        assert qdrant.get_collection(name).config == before and qdrant.count(name).count == 500
    finally:
        qdrant.delete_collection(name)
        qdrant.close()
    precision = rows[rows["metric"] == "ann precision@10"].set_index(["variant", "search"])["value"]
    assert precision["copy, binary", "default-ef"] < precision["copy, binary", "rescore-x3"] <= 1
