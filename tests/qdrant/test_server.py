"""A server is found, known again, waited for, asked by gRPC where it can be, and warned of in one line."""

import os
import socket
import traceback

import numpy as np
import pytest
import yaml
from standin import Standin
from workbook import paths
from workbook.errors import WorkbookError
from workbook.qdrant import engine, patience
from workbook.qdrant import server as remote
from workbook.qdrant.client import Placement
from workbook.qdrant.engine import Search
from workbook.qdrant.server import connect, wait_until_green

EXACT = Search(exact=True)
KEY = "a-secret-key"


class TestTheStatus:
    def test_is_waited_for_until_green_twice(self, server, index_on):
        index = index_on()
        server.statuses = ["yellow", "grey", "green", "yellow", "green"]
        server.requests.clear()
        index.optimize()
        assert len(server.requests) == 1 + 6, "the points are counted first"

    def test_of_several_copies_none_is_still_at_work(self, server, index_on):
        """Which copy answers is chance: one that is asked last in a look is one too."""
        server.nodes = 3
        index = index_on(Placement(3, 2))
        once = 1 + remote.ASKED * 2
        server.statuses = ["green"] * (once - 1) + ["yellow"]
        server.requests.clear()
        index.optimize()
        assert len(server.requests) == 1 + 3 * once, "two looks more, in which all are green"

    def test_red_stops_with_the_reason(self, server, index_on):
        index = index_on()
        server.statuses = ["yellow", "red"]
        with pytest.raises(WorkbookError, match=r"could not index workbook-\w{12}: error='no space left'; see its log"):
            index.optimize()

    def test_patience_ends(self, server, index_on, monkeypatch):
        index = index_on()
        monkeypatch.setattr(remote, "PATIENCE", -1)
        server.statuses = ["yellow"]
        with pytest.raises(WorkbookError, match=r"in -1 s the server indexed nothing more of workbook-\w+; see"):
            wait_until_green(connect(), index._collection)


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
        with pytest.raises(WorkbookError, match=r"answer \(\w+\), 4 times: .*its REST interface.* or https\?$"):
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


@pytest.mark.usefixtures("nothing_told")
class TestManyAtOnce:
    """Points and queries go by gRPC where it answers and is the same server's, else by REST, and that is told once."""

    def stored_and_found(self, standin, vectors):
        with engine.build(vectors, engine="server") as index:
            return index.search(vectors[:3], 2, EXACT)

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

    def test_what_is_stored_in_the_end_is_waited_for(self, server, index_on, unit_vectors, monkeypatch):
        """A batch is not: the next one is on its way while the server stores it."""
        index = index_on()
        index.upsert(unit_vectors, None)
        answer, counts = server.answer, iter([499, 499, 500])

        def slow(method, path, *others):
            return (200, {"count": next(counts)}) if path.endswith("/count") else answer(method, path, *others)

        monkeypatch.setattr(server, "answer", slow)
        index.optimize()
        assert next(counts, None) is None

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
        with pytest.raises(WorkbookError, match=r"by gRPC, refuses this \(NOT_FOUND: .*is QDRANT_GRPC_PORT a port of"):
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

    @pytest.mark.parametrize(("status", "said"), [(503, "does not answer"), (500, "answers INTERNAL"), (429, "ans")])
    def test_trouble_is_tried_again_and_told(self, server, index_on, unit_vectors, status, said):
        index = index_on()
        server.failures = [status] * 2
        index.upsert(unit_vectors, None)
        assert index.indexed() == 500
        server.failures = [status] * (patience.RETRIES + 1)
        with pytest.raises(WorkbookError, match=f"Qdrant at QDRANT_URL {said}.*, {patience.RETRIES + 1} times"):
            index.search(unit_vectors[:1], 1, EXACT)


@pytest.mark.usefixtures("nothing_told")
class TestVersions:
    @pytest.mark.parametrize(
        ("version", "names", "said"),
        [
            ("1.18.3", ["float32", "turbo-8bit"], "turbo-8bit needs Qdrant 1.20, this is 1.18.3: leave it out or upd"),
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
        assert index.search(unit_vectors[:1], 1, EXACT).ids.tolist() == [[0]]


class TestTheContainers:
    COMPOSE = yaml.safe_load((paths.NOTEBOOKS / "compose.yaml").read_text(encoding="utf-8"))

    def services(self, profile):
        return {name: each for name, each in self.COMPOSE["services"].items() if each["profiles"] == [profile]}

    def test_are_of_one_version_that_the_client_goes_with(self):
        workflow = yaml.safe_load((paths.ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
        images = {each["image"] for each in self.COMPOSE["services"].values()}
        assert images == {workflow["jobs"]["test"]["services"]["qdrant"]["image"]}
        pinned = next(
            line
            for line in (paths.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
            if line.startswith("qdrant-client==")
        )
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
