"""Whatever happens, no collection of ours is left on a server, and none of others is touched."""

import os
import subprocess
import sys

import pytest
from workbook import locks, paths
from workbook.errors import WorkbookError
from workbook.qdrant import engine
from workbook.qdrant import server as remote
from workbook.qdrant.server import connect, own_collection


class TestNothingIsLeftBehind:
    @pytest.mark.parametrize("requests", range(5, 11))
    def test_when_it_dies_in_the_middle(self, server, unit_vectors, requests):
        """After connecting (4 requests): creating (2), storing, indexing, proving, each is cut short."""
        server.requests_to_live = requests
        with pytest.raises(WorkbookError, match=r"not answer \(\w+\), 7 times.*; collection workbook-\w{12} is left"):
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

    def test_when_it_refuses_what_is_asked(self, server, index_on, unit_vectors):
        index = index_on()
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

    def test_what_is_in_use_or_anothers_stays(self, server, index_on):
        index = index_on()
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

    def test_an_entry_tells_no_address(self, server, index_on):
        index = index_on()
        [file] = (paths.DATA / "server").glob(f"*/{remote.SERVER}")
        assert server.url not in file.read_text() and file.parent.name == index._collection

    def test_closing_twice_deletes_once(self, server, index_on):
        index = index_on()
        index.close()
        index.close()
        assert len(server.calls("DELETE", "")) == 1
