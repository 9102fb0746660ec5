"""What belongs to qdrant-client alone: the traps of its in-memory mode, and servers that fail, refuse, ignore or die.

The server is a stand-in over real HTTP; where QDRANT_URL is set, the contract is also kept by a real one.
"""

import os
import socket
import subprocess
import sys
import time
import traceback

import numpy as np
import pytest
import yaml
from qdrant_client import QdrantClient, models
from standin import Standin, skip_if_too_old
from workbook import locks, paths
from workbook.errors import WorkbookError
from workbook.qdrant import engine, patience
from workbook.qdrant import server as remote
from workbook.qdrant.bm25 import Sparse
from workbook.qdrant.client import ANYWHERE, ClientIndex, Placement
from workbook.qdrant.edge import EdgeIndex
from workbook.qdrant.patience import patiently
from workbook.qdrant.quantization import SETTINGS, client_config
from workbook.qdrant.server import connect, own_collection, wait_until_green

needs_server = pytest.mark.skipif(not os.environ.get("QDRANT_URL"), reason="QDRANT_URL is not set: no Qdrant server")
INT8, FLOAT32 = SETTINGS["scalar-int8"], SETTINGS["float32"]
KEY = "a-secret-key"
EXACTLY = (True, None, False, None)


def index_on(standin, placement=ANYWHERE, setting=INT8, **options):
    return ClientIndex(setting, 64, 16, 100, memory=False, placement=placement, **options)


def written(standin):
    """The collections that something was written to."""
    return {path.split("/")[2] for method, path in standin.requests if method in ("PUT", "PATCH", "DELETE")}


def calls(standin, method, ending):
    return [path for asked, path in standin.requests if asked == method and path.endswith(ending)]


def test_memory_still_drops_quantization():
    """When this fails, qdrant-client has learnt it: `engine.check` need not refuse it any more."""
    memory = QdrantClient(":memory:")
    memory.create_collection(
        "any",
        vectors_config=models.VectorParams(size=8, distance=models.Distance.COSINE),
        quantization_config=client_config(SETTINGS["binary"]),
    )
    assert memory.get_collection("any").config.quantization_config is None


class TestPlacement:
    def test_is_read_from_a_notebooks_parameter(self):
        assert Placement.of({}) == ANYWHERE
        assert Placement.of({"shard_number": 3, "on_disk": True}) == Placement(3, None, True, False)

    @pytest.mark.parametrize(
        ("parameter", "said"),
        [
            (
                {"shards": 3},
                "unknown placement 'shards': give one of shard_number, replication_factor, on_disk, always",
            ),
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

    def test_memory_has_none(self):
        with pytest.raises(WorkbookError, match="a placement is for the server engine"):
            ClientIndex(FLOAT32, 64, 16, 100, memory=True, placement=Placement(on_disk=True))

    @pytest.mark.parametrize("setting", [name for name in SETTINGS if name != "float32"])
    def test_is_sent_and_read_back_beside_the_setting(self, server, setting):
        server.nodes = 3
        index = index_on(server, Placement(3, 2, True, True), SETTINGS[setting])
        assert index.placed() == Placement(3, 2, True, True)
        assert index.applied() == SETTINGS[setting].config, "as without a placement"
        index.close()

    def test_left_out_is_not_sent(self, server):
        index = index_on(server)
        told = connect().get_collection(index._collection).config
        assert told.params.vectors.on_disk is told.quantization_config.scalar.always_ram is None
        assert calls(server, "GET", "/cluster") == [], "nothing was asked, so nothing is checked"
        index.close()

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
    def test_that_the_server_ignores_is_found_out(self, server, forgets, placement, said):
        server.forgets = {forgets}
        with pytest.raises(WorkbookError, match=said):
            index_on(server, placement)
        assert server.collections == []

    def test_of_words_alone_has_no_originals_to_keep_on_disk(self, server):
        index = ClientIndex(FLOAT32, 0, 16, 100, memory=False, placement=Placement(on_disk=True), words=True)
        assert not index.placed().on_disk
        index.close()


class TestTheHappyPathOverHttp:
    def test_vectors_are_stored_in_batches_and_found(self, server, unit_vectors, monkeypatch):
        monkeypatch.setattr(remote, "BATCH", 200)
        payloads = [{"row": row} for row in range(500)]
        with engine.build(unit_vectors, engine="server", payloads=payloads) as index:
            assert len(calls(server, "PUT", "/points")) == 3
            hits = index.search(unit_vectors, 1, engine.Search(exact=True))
            assert len(calls(server, "POST", "/query/batch")) == 3
            np.testing.assert_array_equal(hits.ids[:, 0], np.arange(500))
            assert hits.seconds > 0
            assert index.payloads([7, 3, 7]) == [{"row": 7}, {"row": 3}, {"row": 7}]
            [name] = server.collections
        assert server.collections == []
        assert written(server) == {name}, "no collection but its own"
        assert list((paths.DATA / "server").iterdir()) == []

    def test_pieces_and_words_are_counted(self, server, unit_vectors):
        index = index_on(server, words=True)
        words = [Sparse([3, 9], [1.0, 2.0]), Sparse([], []), Sparse([9], [1.0])]
        index.upsert(unit_vectors[:3], None, words=words)
        index.upsert(unit_vectors[3:5], [{"row": 3}, {"row": 4}], first=3, words=words[:2])
        assert index.indexed() == 5 + 3
        assert index.payloads([4, 0]) == [{"row": 4}, {}]
        index.close()

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
        ids, scores, _ = index.fuse(queries, words, 60, 20, fusion, *EXACTLY)
        expected = edge.fuse(queries, words, 60, 20, fusion, *EXACTLY)
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
    index.close()


class TestPatience:
    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_an_error_of_the_server_is_tried_again(self, server, status):
        qdrant = connect()
        server.failures = [status] * patience.RETRIES
        server.requests.clear()
        assert patiently(qdrant.get_collections).collections == []
        assert len(server.requests) == 1 + patience.RETRIES

    def test_but_not_for_ever(self, server):
        qdrant = connect()
        server.failures = [503] * 99
        server.requests.clear()
        with pytest.raises(WorkbookError, match=r"Qdrant at QDRANT_URL answers 503 \(told to fail.*7 times: is it run"):
            patiently(qdrant.get_collections)
        assert len(server.requests) == 1 + patience.RETRIES

    def test_a_wrong_request_is_not_tried_again(self, server):
        qdrant = connect()
        server.requests.clear()
        with pytest.raises(WorkbookError, match=r"refuses this \(404: Not found: Collection `none` not found!\)"):
            patiently(qdrant.get_collection, "none")
        assert len(server.requests) == 1

    def test_pauses_grow_unless_the_server_names_them(self, server, monkeypatch):
        qdrant, pauses = connect(), []
        monkeypatch.setattr(patience, "PAUSE", 1)
        monkeypatch.setattr(time, "sleep", lambda seconds: seconds and pauses.append(seconds))
        server.failures = [500, 500, 500]
        patiently(qdrant.get_collections)
        server.failures, server.headers = [429, 429], {"Retry-After": "7"}
        patiently(qdrant.get_collections)
        server.failures, server.headers = [429, 429, 429], {"Retry-After": "3600"}
        patiently(qdrant.get_collections)
        assert pauses == [1, 2, 4, 7, 7, *[patience.TIMEOUT] * 3]

    def test_a_programmers_error_is_not_hidden(self, server):
        qdrant = connect()
        qdrant.close()
        with pytest.raises(Exception, match="client has been closed"):
            patiently(qdrant.get_collections)

    def test_a_slow_server(self, server, monkeypatch):
        monkeypatch.setattr(patience, "TIMEOUT", 1)
        monkeypatch.setattr(patience, "FIRST_RETRIES", 0)
        server.delay = 1.5
        with pytest.raises(WorkbookError, match=r"does not answer \(ReadTimeout\), 1 times"):
            connect()

    @pytest.mark.parametrize("grpc", [True, False])
    def test_what_a_strict_mode_forbids_says_where_to_change_it(self, server, unit_vectors, grpc):
        server.grpc, server.strict = grpc, {"max_query_limit": 50}
        index = index_on(server)
        index.upsert(unit_vectors, None)
        with pytest.raises(WorkbookError, match=r'101 > 50 for "limit".*: its strict mode does: change strict_'):
            index.search(unit_vectors[:1], 101, *EXACTLY)
        index.close()

    def test_a_creation_whose_answer_was_lost_is_not_made_twice(self, server, monkeypatch):
        lose_the_first_answer(server, "PUT", monkeypatch)
        index = index_on(server)
        assert server.collections == [index._collection] and len(calls(server, "PUT", index._collection)) == 1
        index.close()

    def test_a_batch_whose_answer_was_lost_is_stored_once(self, server, unit_vectors, monkeypatch):
        index = index_on(server)
        lose_the_first_answer(server, "PUT", monkeypatch)
        index.upsert(unit_vectors, None)
        assert len(calls(server, "PUT", "/points")) == 2
        assert index.indexed() == 500
        index.close()

    def test_failed_tries_are_no_search_seconds(self, server, unit_vectors, monkeypatch):
        index = index_on(server)
        index.upsert(unit_vectors, None)
        monkeypatch.setattr(patience, "PAUSE", 30)
        clock = [0.0]
        monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
        monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
        server.failures = [503, 503]
        ids, _, seconds = index.search(unit_vectors[:1], 1, *EXACTLY)
        assert ids == [[0]] and clock[0] == 90 and seconds == 0
        index.close()


def lose_the_first_answer(standin, method, monkeypatch):
    """The server does as asked, but says 502 to the first request of that method."""
    answer, lost = standin.answer, []

    def lossy(asked, *others):
        result = answer(asked, *others)
        if asked == method and not lost:
            lost.append(asked)
            return 502, "lost"
        return result

    monkeypatch.setattr(standin, "answer", lossy)


class TestTheStatus:
    def test_is_waited_for_until_green_twice(self, server):
        index = index_on(server)
        server.statuses = ["yellow", "grey", "green", "yellow", "green"]
        server.requests.clear()
        index.optimize()
        assert len(server.requests) == 1 + 6, "the points are counted first"
        index.close()

    def test_of_several_copies_none_is_still_at_work(self, server):
        """Which copy answers is chance: one that is asked last in a look is one too."""
        server.nodes = 3
        index = index_on(server, Placement(3, 2))
        once = 1 + remote.ASKED * 2
        server.statuses = ["green"] * (once - 1) + ["yellow"]
        server.requests.clear()
        index.optimize()
        assert len(server.requests) == 1 + 3 * once, "two looks more, in which all are green"
        index.close()

    def test_red_stops_with_the_reason(self, server):
        index = index_on(server)
        server.statuses = ["yellow", "red"]
        with pytest.raises(WorkbookError, match=r"could not index workbook-\w{12}: error='no space left'; see its log"):
            index.optimize()
        index.close()

    def test_patience_ends(self, server, monkeypatch):
        index = index_on(server)
        monkeypatch.setattr(remote, "PATIENCE", -1)
        server.statuses = ["yellow"]
        with pytest.raises(WorkbookError, match=r"in -1 s the server indexed nothing more of workbook-\w+; see"):
            wait_until_green(connect(), index._collection)
        index.close()


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


class TestConnecting:
    def test_asks_for_the_address(self, monkeypatch):
        monkeypatch.delenv("QDRANT_URL", raising=False)
        with pytest.raises(WorkbookError, match="needs QDRANT_URL"):
            connect()

    @pytest.mark.parametrize("url", ["not a url", "http://localhost:port", "ftp://localhost"])
    def test_an_address_that_is_none(self, server, monkeypatch, url):
        monkeypatch.setenv("QDRANT_URL", url)
        with pytest.raises(WorkbookError, match=r"no Qdrant answers at QDRANT_URL.*such as http://localhost:6333 or"):
            connect()

    @pytest.mark.parametrize("page", ["<html>Hello</html>", '{"hello": "world"}'])
    @pytest.mark.parametrize("failures", [[], [302], [404]])
    def test_a_web_server_that_is_no_qdrant(self, server, page, failures):
        server.page, server.failures = page, failures
        with pytest.raises(WorkbookError, match="no Qdrant answers at QDRANT_URL"):
            connect()

    def test_nobody_is_there(self, server):
        server.die()
        with pytest.raises(WorkbookError, match=r"does not answer \(ConnectError\), 4 times: is it running.* that"):
            connect()

    def test_what_has_answered_is_at_its_address(self, server):
        connect().close()
        server.die()
        with pytest.raises(WorkbookError, match=r"does not answer \(ConnectError\), 7 times: is it running, and up to"):
            connect()

    def test_https_of_a_server_that_speaks_http(self, server, monkeypatch):
        monkeypatch.setenv("QDRANT_URL", os.environ["QDRANT_URL"].replace("http:", "https:"))
        with pytest.raises(
            WorkbookError, match=r"does not answer \(\w+\), 4 times: .*its REST interface.* or https\?$"
        ):
            connect()

    def test_the_key_comes_from_the_environment(self, server, monkeypatch):
        server.key = KEY
        with pytest.raises(WorkbookError, match=r"asks for a key: set QDRANT_API_KEY \(401: Invalid API key or JWT\)"):
            connect()
        monkeypatch.setenv("QDRANT_API_KEY", "another")
        with pytest.raises(WorkbookError, match=r"refuses the key in QDRANT_API_KEY \(401"):
            connect()
        monkeypatch.setenv("QDRANT_API_KEY", KEY)
        assert connect().get_collections().collections == []

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
    def test_the_key_is_in_no_message(self, server, monkeypatch, status):
        monkeypatch.setenv("QDRANT_API_KEY", KEY)
        server.failures = [status] * 9
        with pytest.raises(WorkbookError, match=r"with the key \*\*\*") as caught:
            connect()
        shown = "".join(traceback.format_exception(caught.value))
        assert KEY not in shown, "nor in the traceback that a notebook keeps"


class TestManyAtOnce:
    """Points and queries go by gRPC where it answers and is the same server's, else by REST, and that is told once."""

    @pytest.fixture(autouse=True)
    def nothing_told(self):
        remote.tell.cache_clear()

    def stored_and_found(self, standin, vectors):
        with engine.build(vectors, engine="server") as index:
            return index.search(vectors[:3], 2, engine.Search(exact=True))

    def test_by_grpc_as_by_rest(self, server, unit_vectors, capsys):
        fast = self.stored_and_found(server, unit_vectors)
        assert {"Upsert", "QueryBatch"} <= set(server.rpcs)
        assert capsys.readouterr().err == ""
        server.rpcs.clear()
        server.grpc = False
        with pytest.raises(
            WorkbookError, match=r"does not answer \(UNAVAILABLE\)"
        ):  # half a run is not asked otherwise
            self.stored_and_found(server, unit_vectors)
        remote._by_grpc.clear()  # another process
        slow = self.stored_and_found(server, unit_vectors)
        assert server.rpcs == []
        assert capsys.readouterr().err.count("is not this Qdrant's gRPC, which loads faster: REST is used") == 1
        np.testing.assert_array_equal(fast.ids, slow.ids)
        np.testing.assert_allclose(fast.scores, slow.scores, rtol=1e-6)
        assert remote.identity()["grpc"] is False, "their times are not of one kind"

    def test_what_is_stored_in_the_end_is_waited_for(self, server, unit_vectors, monkeypatch):
        """A batch is not: the next one is on its way while the server stores it."""
        index = index_on(server)
        index.upsert(unit_vectors, None)
        answer, counts = server.answer, iter([499, 499, 500])

        def slow(method, path, *others):
            return (200, {"count": next(counts)}) if path.endswith("/count") else answer(method, path, *others)

        monkeypatch.setattr(server, "answer", slow)
        index.optimize()
        assert next(counts, None) is None
        index.close()

    def test_another_servers_grpc_is_not_written_to(self, server, unit_vectors, monkeypatch, capsys):
        other = Standin()
        other.create("theirs", {"vectors": {"size": 8, "distance": "Cosine"}})
        monkeypatch.setenv("QDRANT_GRPC_PORT", str(other.grpc_port))
        self.stored_and_found(server, unit_vectors)
        assert set(other.rpcs) == {"List"} and "REST is used" in capsys.readouterr().err
        other.die()

    def test_an_empty_servers_grpc_beside_an_empty_server(self, server, unit_vectors, monkeypatch):
        other = Standin()
        monkeypatch.setenv("QDRANT_GRPC_PORT", str(other.grpc_port))
        with pytest.raises(
            WorkbookError, match=r"by gRPC, refuses this \(NOT_FOUND: .*is QDRANT_GRPC_PORT a port of the"
        ):
            self.stored_and_found(server, unit_vectors)
        assert server.collections == []
        other.die()

    def test_what_speaks_no_grpc_is_not_waited_for_long(self, server, unit_vectors, monkeypatch, capsys):
        monkeypatch.setattr(remote, "GRPC_SECONDS", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.setenv("QDRANT_GRPC_PORT", str(silent.getsockname()[1]))
            self.stored_and_found(server, unit_vectors)
            monkeypatch.setattr(remote, "GRPC_SECONDS", 60)
            assert remote.identity()["grpc"] is False, "and it is asked once in a process, not for each index"
        assert "REST is used" in capsys.readouterr().err

    def test_a_process_started_by_one_that_has_told_it_tells_nothing(self, server, monkeypatch, capsys):
        server.grpc = False
        monkeypatch.setattr(remote, "parent_process", lambda: "one")
        connect().close()
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("port", ["six", "0", "65536", "-1", "6334.0"])
    def test_a_port_that_is_none(self, server, monkeypatch, port):
        monkeypatch.setenv("QDRANT_GRPC_PORT", port)
        with pytest.raises(WorkbookError, match=f"QDRANT_GRPC_PORT is '{port}': give the number of a port, such as"):
            connect()

    def test_a_request_is_no_larger_than_a_server_takes(self):
        assert remote.batch(384) == remote.batch(0) == remote.BATCH
        assert remote.batch(4096) * 4096 * 20 < 32e6, "20 characters of a number in JSON"
        assert remote.batch(10**7) == 1

    @pytest.mark.parametrize(
        ("status", "said"), [(503, "does not answer"), (500, "answers INTERNAL"), (429, "answers")]
    )
    def test_trouble_is_tried_again_and_told(self, server, unit_vectors, status, said):
        index = index_on(server)
        server.failures = [status] * 2
        index.upsert(unit_vectors, None)
        assert index.indexed() == 500
        server.failures = [status] * (patience.RETRIES + 1)
        with pytest.raises(WorkbookError, match=f"Qdrant at QDRANT_URL {said}.*, {patience.RETRIES + 1} times"):
            index.search(unit_vectors[:1], 1, *EXACTLY)
        index.close()


class TestVersions:
    @pytest.fixture(autouse=True)
    def nothing_told(self):
        remote.tell.cache_clear()

    @pytest.mark.parametrize(
        ("version", "names", "said"),
        [
            (
                "1.18.3",
                ["float32", "turbo-8bit"],
                "turbo-8bit needs Qdrant 1.20, this is 1.18.3: leave it out or update",
            ),
            ("1.17.0", ["turbo-4bit"], "turbo-4bit needs Qdrant 1.18, this is 1.17.0"),
            ("1.14.9", ["binary-2bit"], "binary-2bit needs Qdrant 1.15, this is 1.14.9"),
            ("1.15.5", ["dbsf", "rrf"], "rrf needs Qdrant 1.16, this is 1.15.5"),
        ],
    )
    def test_that_are_too_old_for_a_setting(self, server, version, names, said):
        server.version = version
        with pytest.raises(WorkbookError, match=said):
            remote.check_version(names)
        server.version = "1.20.1-dev"
        remote.check_version(names)

    @pytest.mark.parametrize(
        ("version", "said"),
        [
            ("1.14.0", "Qdrant 1.14.0 is older than 1.15, which this needs: update it"),
            ("1.18.3", "Qdrant 1.18.3 is more than one minor version from qdrant-client 1.20.0"),
            ("1.22.0", "Qdrant 1.22.0 is more than one minor version from qdrant-client 1.20.0"),
            ("1.19.2", ""),
            ("1.21.0", ""),
        ],
    )
    def test_that_are_far_from_the_clients_are_told_once_in_our_words(self, server, capsys, recwarn, version, said):
        server.version = version
        for _ in range(2):
            connect().close()
        told = capsys.readouterr().err
        assert said in told and told.count("note: ") == bool(said)
        assert not recwarn.list

    def test_without_numbers_are_no_qdrants(self, server):
        server.version = "unknown"
        with pytest.raises(WorkbookError, match="no Qdrant answers at QDRANT_URL"):
            connect()


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
    with pytest.raises(
        WorkbookError, match=f"the strict mode that this server gives to new .*{said}.*: change storage"
    ):
        engine.build(unit_vectors, "binary", engine="server")
    assert calls(server, "PUT", "/points") == [] == server.collections


def test_a_key_is_only_warned_of_where_it_leaves_the_machine(server, monkeypatch, capsys, recwarn):
    server.key = KEY
    monkeypatch.setenv("QDRANT_API_KEY", KEY)
    connect().close()
    assert capsys.readouterr().err == "" and not recwarn.list
    remote.tell.cache_clear()
    remote._tell_oddities("http://qdrant.example:6333", "1.20.0")
    assert "the key in QDRANT_API_KEY travels unencrypted" in capsys.readouterr().err
    remote._tell_oddities("https://qdrant.example:6333", "1.20.0")
    assert capsys.readouterr().err == ""


def test_a_path_before_qdrants_is_kept(server, unit_vectors, monkeypatch):
    """A proxy may have one."""
    server.prefix = "/some/path"
    monkeypatch.setenv("QDRANT_URL", server.url)
    with engine.build(unit_vectors, engine="server") as index:
        assert index.search(unit_vectors[:1], 1, engine.Search(exact=True)).ids.tolist() == [[0]]


class TestNothingIsLeftBehind:
    @pytest.mark.parametrize("requests", range(5, 11))
    def test_when_it_dies_in_the_middle(self, server, unit_vectors, requests):
        """After connecting (4 requests): creating (2), storing, indexing, proving, each is cut short."""
        server.requests_to_live = requests
        with pytest.raises(
            WorkbookError, match=r"does not answer \(\w+\), 7 times.*; collection workbook-\w{12} is left"
        ):
            engine.build(unit_vectors, engine="server")
        server.revive()
        left = len(server.collections)
        assert left == (requests > 5), "what was made before its death is still there"
        assert connect().get_collections().collections == []
        assert list((paths.DATA / "server").iterdir()) == []

    def test_when_the_users_code_fails(self, server):
        with pytest.raises(KeyboardInterrupt), own_collection(connect()) as name:
            server.create(name, {"vectors": {"size": 8, "distance": "Cosine"}})
            raise KeyboardInterrupt
        assert server.collections == []
        assert list((paths.DATA / "server").iterdir()) == []

    def test_when_it_refuses_what_is_asked(self, server, unit_vectors):
        index = index_on(server)
        server.failures = [400]
        with pytest.raises(WorkbookError, match="refuses this"):
            index.upsert(unit_vectors, None)
        index.close()
        assert server.collections == []

    def test_when_our_process_is_killed(self, server):
        killed = (
            "import os; from workbook.qdrant.client import ClientIndex;"
            "from workbook.qdrant.quantization import SETTINGS;"
            "index = ClientIndex(SETTINGS['float32'], 8, 16, 100, memory=False); os._exit(9)"
        )
        environment = {**os.environ, "WORKBOOK_DATA": str(paths.DATA), "PYTHONPATH": str(paths.NOTEBOOKS)}
        assert subprocess.run([sys.executable, "-c", killed], env=environment).returncode == 9
        assert len(server.collections) == 1
        assert connect().get_collections().collections == []

    def test_what_is_in_use_or_anothers_stays(self, server):
        index = index_on(server)
        others = {"theirs": {}, "workbook-of-hand": {}}
        for name in others:
            server.create(name, {"vectors": {"size": 8, "distance": "Cosine"}})
        connect()
        assert set(server.collections) == {index._collection, *others}
        index.close()
        assert set(server.collections) == set(others)

    @pytest.mark.parametrize("ours", [True, False], ids=["ours", "another server's"])
    @pytest.mark.parametrize("held", [True, False], ids=["in use", "given up"])
    def test_whose_it_is_decides(self, server, held, ours):
        entry = locks.Scratch(paths.DATA / "server")
        server.create(entry.path.name, {"vectors": {"size": 8, "distance": "Cosine"}})
        (entry.path / remote.SERVER).write_text(remote._url_sha256() if ours else "another")
        if not held:
            entry.leave()
        connect()
        assert (entry.path.name in server.collections) == entry.path.exists() == (held or not ours)
        entry.close()

    def test_a_slash_at_the_end_of_the_address_is_no_other_server(self, server, monkeypatch):
        one = remote.identity()
        monkeypatch.setenv("QDRANT_URL", os.environ["QDRANT_URL"] + "/")
        assert remote.identity() == one

    def test_an_entry_tells_no_address(self, server):
        index = index_on(server)
        [file] = (paths.DATA / "server").glob(f"*/{remote.SERVER}")
        assert server.url not in file.read_text() and file.parent.name == index._collection
        index.close()

    def test_closing_twice_deletes_once(self, server):
        index = index_on(server)
        index.close()
        index.close()
        assert len(calls(server, "DELETE", "")) == 1


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


class TestTheContainers:
    COMPOSE = yaml.safe_load((paths.NOTEBOOKS / "compose.yaml").read_text(encoding="utf-8"))

    def services(self, profile):
        return {name: each for name, each in self.COMPOSE["services"].items() if each["profiles"] == [profile]}

    def test_are_of_one_version_that_the_client_goes_with(self):
        workflow = yaml.safe_load((paths.ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
        images = {each["image"] for each in self.COMPOSE["services"].values()}
        assert images == {workflow["jobs"]["test"]["services"]["qdrant"]["image"]}
        required = (paths.ROOT / "requirements.txt").read_text().splitlines()
        pinned = next(line for line in required if line.startswith("qdrant-client=="))
        minor = pinned.partition("==")[2].rpartition(".")[0]
        assert images.pop().startswith(f"qdrant/qdrant:v{minor}.")

    def test_are_one_or_three(self):
        assert len(self.services("single")) == 1
        assert list(self.services("cluster")) == ["qdrant-1", "qdrant-2", "qdrant-3"]
        for name, each in self.services("cluster").items():
            assert f"--uri http://{name}:6335" in " ".join(each["command"])
            joins = "--bootstrap http://qdrant-1:6335" in " ".join(each["command"])
            assert joins == (name != "qdrant-1")
            assert "QDRANT__CLUSTER__ENABLED=true" in each["environment"]

    def test_are_reached_from_this_machine_alone_and_hold_no_key(self):
        for each in self.COMPOSE["services"].values():
            assert all(port.startswith("127.0.0.1:") for port in each.get("ports", []))
            keys = [entry for entry in each["environment"] if "API_KEY" in entry]
            assert keys == ["QDRANT__SERVICE__API_KEY${QDRANT_API_KEY:+=${QDRANT_API_KEY}}"]
