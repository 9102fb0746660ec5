"""What belongs to qdrant-client alone: its in-memory mode, placement, and servers that ignore what is asked.

The server is a stand-in over real HTTP; where QDRANT_URL is set, the contract is also kept by a real one.
"""

import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from standin import needs_server, skip_if_too_old
from workbook import paths
from workbook.errors import WorkbookError
from workbook.qdrant import engine
from workbook.qdrant import server as remote
from workbook.qdrant.bm25 import Sparse
from workbook.qdrant.client import ANYWHERE, ClientIndex, Placement
from workbook.qdrant.edge import EdgeIndex
from workbook.qdrant.engine import Search
from workbook.qdrant.quantization import SETTINGS, client_config
from workbook.qdrant.server import connect

INT8, FLOAT32 = SETTINGS["scalar-int8"], SETTINGS["float32"]
EXACT = Search(exact=True)


def test_memory_still_drops_quantization():
    """When this fails, qdrant-client has learnt it: `engine.check` need not refuse it any more."""
    memory = QdrantClient(":memory:")
    memory.create_collection(
        "any",
        vectors_config=models.VectorParams(size=8, distance=models.Distance.COSINE),
        quantization_config=client_config(SETTINGS["binary"].config),
    )
    assert memory.get_collection("any").config.quantization_config is None


class TestPlacement:
    def test_is_read_from_a_notebooks_parameter(self):
        assert Placement.of({}) == ANYWHERE
        assert Placement.of({"shard_number": 3, "on_disk": True}) == Placement(3, None, True, False)

    @pytest.mark.parametrize(
        ("parameter", "said"),
        [
            ({"shards": 3}, "unknown placement 'shards': give one of shard_number, replication_factor, on_disk, alw"),
            ({"shard_number": 0}, "placement shard_number is a whole number, 1 or more, not 0"),
            ({"replication_factor": 1.5}, "placement replication_factor is a whole number, 1 or more, not 1.5"),
            ({"shard_number": True}, "placement shard_number is a whole number, 1 or more, not True"),
            ({"on_disk": "yes"}, "placement on_disk is true or false, not 'yes'"),
            ({"always_ram": 1}, "placement always_ram is true or false, not 1"),
        ],
    )
    def test_that_makes_no_sense_is_refused(self, parameter, said):
        with pytest.raises(WorkbookError, match=said):
            Placement.of(parameter)

    def test_always_ram_needs_codes(self):
        with pytest.raises(WorkbookError, match="always_ram keeps codes in RAM, and float32 has none"):
            Placement(always_ram=True).check(FLOAT32)
        Placement(always_ram=True).check(INT8)

    @pytest.mark.parametrize("setting", [name for name in SETTINGS if name != "float32"])
    def test_is_sent_and_read_back_beside_the_setting(self, server, index_on, setting):
        server.nodes = 3
        index = index_on(Placement(3, 2, True, True), setting)
        assert index.placed() == Placement(3, 2, True, True)
        assert index.applied() == SETTINGS[setting].config, "as without a placement"

    def test_left_out_is_not_sent(self, server, index_on):
        index = index_on()
        told = connect().get_collection(index._collection).config
        assert told.params.vectors.on_disk is told.quantization_config.scalar.always_ram is None
        assert server.calls("GET", "/cluster") == [], "nothing was asked, so nothing is checked"

    @pytest.mark.parametrize(
        ("forgets", "placement", "said"),
        [
            ("shard_number", Placement(shard_number=3), "asked for shard_number 3, the server reports 1"),
            ("", Placement(replication_factor=2), "asked for replication_factor 2, the server reports 1, as each copy"),
            ("on_disk", Placement(on_disk=True), "asked for on_disk True, the server reports False"),
            ("quantization_config", Placement(always_ram=True), "asked for always_ram True, the server reports False"),
        ],
        ids=["shards", "one node for two copies", "disk", "RAM"],
    )
    def test_that_the_server_ignores_is_found_out(self, server, index_on, forgets, placement, said):
        server.forgets = {forgets}
        with pytest.raises(WorkbookError, match=said):
            index_on(placement)
        assert server.collections == []

    def test_of_words_alone_has_no_originals_to_keep_on_disk(self, index_on):
        assert not index_on(Placement(on_disk=True), "float32", dimension=0, words=True).placed().on_disk


class TestTheHappyPathOverHttp:
    def test_vectors_are_stored_in_batches_and_found(self, server, unit_vectors, monkeypatch):
        monkeypatch.setattr(remote, "BATCH", 200)
        payloads = [{"row": row} for row in range(500)]
        with engine.build(unit_vectors, engine="server", payloads=payloads) as index:
            assert len(server.calls("PUT", "/points")) == 3
            hits = index.search(unit_vectors, 1, EXACT)
            assert len(server.calls("POST", "/query/batch")) == 3
            np.testing.assert_array_equal(hits.ids[:, 0], np.arange(500))
            assert hits.seconds > 0
            assert index.payloads([7, 3, 7]) == [{"row": 7}, {"row": 3}, {"row": 7}]
            [name] = server.collections
        assert server.collections == []
        written = {path.split("/")[2] for method, path in server.requests if method in ("PUT", "PATCH", "DELETE")}
        assert written == {name}, "no collection but its own"
        assert list((paths.DATA / "server").iterdir()) == []

    def test_pieces_and_words_are_counted(self, server, index_on, unit_vectors):
        index = index_on(words=True)
        words = [Sparse([3, 9], [1.0, 2.0]), Sparse([], []), Sparse([9], [1.0])]
        index.upsert(unit_vectors[:3], None, words=words)
        index.upsert(unit_vectors[3:5], [{"row": 3}, {"row": 4}], first=3, words=words[:2])
        assert index.indexed() == 5 + 3
        assert index.payloads([4, 0]) == [{"row": 4}, {}]

    def test_who_the_server_is(self, server):
        alone = remote.identity()
        server.nodes = 3
        sha256 = remote.identity()["url_sha256"]
        assert alone == {"url_sha256": sha256, "version": "1.20.0", "nodes": 1, "grpc": True}
        assert remote.identity()["nodes"] == 3
        assert server.url not in str(alone)


@pytest.mark.parametrize("name", ["memory", "stand-in", pytest.param("server", marks=needs_server)])
class TestWordsAreAsOnEdge:
    """On every engine of qdrant-client what Edge finds, the scores included."""

    @pytest.fixture
    def both(self, name, request, unit_vectors, tmp_path):
        """An index of 60 points without equal scores, and Edge's; three points have no word."""
        if name == "stand-in":
            request.getfixturevalue("server")
        random = np.random.default_rng(0)
        words = [
            Sparse(random.choice(30, size, replace=False).tolist(), random.uniform(0.5, 2, size).tolist())
            for size in [*random.integers(1, 9, 57), 0, 0, 0]
        ]
        indexes = [
            ClientIndex(FLOAT32, 64, 16, 100, memory=name == "memory", words=True),
            EdgeIndex(FLOAT32, 64, 16, 100, tmp_path, words=True),
        ]
        for index in indexes:
            index.upsert(unit_vectors[:60], None, words=words)
            index.optimize()
        yield (*indexes, unit_vectors[60:69], [*words[:8], Sparse([], [])])
        for index in indexes:
            index.close()

    def test_words_alone(self, both):
        index, edge, _, words = both
        ids, scores, seconds = index.search_words(words, 10)
        expected = edge.search_words(words, 10)
        assert ids == expected[0] and ids[-1] == [] and seconds > 0
        for found, right in zip(scores, expected[1], strict=True):
            assert found == pytest.approx(right, rel=1e-5)

    @pytest.mark.parametrize("fusion", ["rrf", "dbsf"])
    def test_fused(self, both, fusion):
        index, edge, queries, words = both
        ids, scores, _ = index.fuse(queries, words, 60, 20, fusion, EXACT)
        expected = edge.fuse(queries, words, 60, 20, fusion, EXACT)
        for row in range(len(queries)):  # by id: reciprocal ranks of two rankings are often equal
            found = dict(zip(ids[row], scores[row], strict=True))
            assert found == pytest.approx(dict(zip(expected[0][row], expected[1][row], strict=True)), abs=1e-4)


@pytest.mark.parametrize("name", ["memory", "stand-in", pytest.param("server", marks=needs_server)])
def test_words_need_no_vectors(name, request):
    if name == "stand-in":
        request.getfixturevalue("server")
    index = ClientIndex(FLOAT32, 0, 16, 100, memory=name == "memory", words=True)
    index.upsert(None, [{"row": 0}, {"row": 1}], words=[Sparse([5], [1.0]), Sparse([], [])])
    assert index.search_words([Sparse([5], [1.0])], 10)[0] == [[0]]
    assert index.payloads([1]) == [{"row": 1}], "a document without a word is stored all the same"


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"unindexed": 1}, "only 499 of 500 vectors are indexed"),
        ({"forgets": {"quantization_config"}}, r"asked for quantization .*int8.*, the engine reports \{\}"),
    ],
)
def test_a_server_that_does_not_do_it_is_found_out(server, unit_vectors, behaviour, said):
    vars(server).update(behaviour)
    with pytest.raises(WorkbookError, match=said):
        engine.build(unit_vectors, "scalar-int8", engine="server")
    assert server.collections == []


@pytest.mark.parametrize(
    ("strict", "said"),
    [
        ({"search_allow_exact": False}, "search_allow_exact is false, needed is true"),
        ({"max_query_limit": 100}, "max_query_limit is 100, needed is 200 or more"),
        ({"search_max_hnsw_ef": 499}, "search_max_hnsw_ef is 499, needed is 500 or more"),
    ],
)
def test_what_a_servers_strict_mode_forbids_is_told_before_anything_is_stored(server, unit_vectors, strict, said):
    server.strict = strict
    with pytest.raises(WorkbookError, match=f"strict mode that this server gives to new .*{said}.*: change storage"):
        engine.build(unit_vectors, "binary", engine="server")
    assert server.calls("PUT", "/points") == [] == server.collections


@needs_server
class TestARealServer:
    @pytest.mark.parametrize("setting", SETTINGS)
    def test_builds_it_and_keeps_no_collection(self, unit_vectors, setting, data):
        skip_if_too_old(setting)
        with engine.build(unit_vectors, setting, engine="server") as index:
            name = index._backend._collection
            assert index._backend.applied() == SETTINGS[setting].config
        assert name not in [collection.name for collection in connect().get_collections().collections]

    def test_keeps_what_is_placed_where_it_was_told(self, unit_vectors, data):
        placement = Placement(1, 1, True, True)
        with engine.build(unit_vectors, "binary", engine="server", placement=placement) as index:
            assert index._backend.placed() == placement
