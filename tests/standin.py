"""A stand-in for a Qdrant server's REST interface, over real HTTP, and the fixture `server` that starts one.

It stores and searches with qdrant-client's in-memory mode, remembers configs itself, and misbehaves on demand. It
quantizes and indexes nothing: that is tested on Edge and, where QDRANT_URL is set, on a real server.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from qdrant_client import QdrantClient, models
from workbook import patience
from workbook import server as remote


class Standin:
    """One server. Its attributes say how it behaves; `requests` lists (method, path) of all it was asked, `asked` that
    with body and key."""

    def __init__(self):
        self.key: str | None = None
        self.delay = 0.0  # seconds before each answer
        self.failures: list[int] = []  # statuses to answer next
        self.headers: dict[str, str] = {}  # of failures
        self.page: str | None = None  # what a web server that is no Qdrant answers
        self.requests_to_live: int | None = None
        self.statuses: list[str] = []  # of a collection, told next; then green
        self.forgets: set[str] = set()  # parts of a new collection's config
        self.unindexed = 0  # vectors
        self.nodes = 1
        self.requests: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str, dict, str | None]] = []
        self._memory = QdrantClient(":memory:")
        self._configs: dict[str, dict] = {}
        self._lock = threading.Lock()
        self._port = 0
        self.revive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def collections(self) -> list[str]:
        return sorted(self._configs)

    def revive(self) -> None:
        """Start, or start again at the same address with the same data."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), type("Handler", (_Handler,), {"standin": self}))
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def die(self) -> None:
        """Answer no more; connections are refused."""
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: str, body: dict, key: str | None) -> tuple[int, object]:
        """Status and result of one request."""
        with self._lock:
            self.requests.append((method, path))
            self.asked.append((method, path, body, key))
            if self.failures:
                return self.failures.pop(0), f"told to fail, with the key {key}"
            if path == "/":
                return 200, {"title": "stand-in", "version": "1.20.0"}
            if self.key and key != self.key:
                return 401, "Invalid API key or JWT"
            for (asked, pattern), handler in ROUTES.items():
                if asked == method and (match := re.fullmatch(pattern, path)):
                    try:
                        return 200, handler(self, *match.groups(), body)
                    except ValueError as error:  # in-memory mode's way to say so
                        return 404 if "not found" in str(error) else 400, str(error)
            return 404, f"no route {method} {path}"

    def list(self, _: dict) -> object:
        return {"collections": [{"name": name} for name in self.collections]}

    def exists(self, name: str, _: dict) -> object:
        return {"exists": name in self._configs}

    def create(self, name: str, body: dict) -> bool:
        config = models.CreateCollection.model_validate(body)
        if name in self._configs:
            raise ValueError(f"Collection `{name}` already exists!")
        self._memory.create_collection(name, config.vectors, sparse_vectors_config=config.sparse_vectors)
        self._configs[name] = {key: value for key, value in body.items() if key not in self.forgets}
        if "on_disk" in self.forgets:
            self._configs[name]["vectors"].pop("on_disk", None)
        return True

    def update(self, name: str, body: dict) -> bool:
        models.UpdateCollection.model_validate(body)
        if "quantization_config" not in self.forgets:
            asked = body["quantization_config"]
            self._configs[name]["quantization_config"] = None if asked == "Disabled" else asked
        return True

    def delete(self, name: str, _: dict) -> bool:
        return self._configs.pop(name, None) is not None and self._memory.delete_collection(name)

    def info(self, name: str, _: dict) -> object:
        if name not in self._configs:
            raise ValueError(f"Not found: Collection `{name}` not found!")
        own = self._configs[name]
        told = self._memory.get_collection(name).model_dump(mode="json")
        status = self.statuses.pop(0) if self.statuses else "green"
        told["status"] = status
        told["optimizer_status"] = {"error": "no space left"} if status == "red" else "ok"
        told["indexed_vectors_count"] = self._vectors(name) - self.unindexed
        told["config"]["quantization_config"] = own.get("quantization_config")
        params = told["config"]["params"]
        params["vectors"] = own.get("vectors")
        params["shard_number"] = own.get("shard_number") or 1
        params["replication_factor"] = own.get("replication_factor") or 1
        return told

    def cluster(self, name: str, _: dict) -> object:
        """The shards: a copy on each node, as many as asked for and there are nodes for, the first node's local."""
        own = self._configs[name]
        copies = min(own.get("replication_factor") or 1, self.nodes)
        shards = range(own.get("shard_number") or 1)
        return {
            "peer_id": 1,
            "shard_count": len(shards),
            "local_shards": [{"shard_id": shard, "points_count": 0, "state": "Active"} for shard in shards],
            "remote_shards": [
                {"shard_id": shard, "peer_id": node, "state": "Active"}
                for shard in shards
                for node in range(2, copies + 1)
            ],
            "shard_transfers": [],
        }

    def peers(self, _: dict) -> object:
        if self.nodes == 1:
            return {"status": "disabled"}
        return {
            "status": "enabled",
            "peer_id": 1,
            "peers": {str(node): {"uri": f"http://node-{node}:6335"} for node in range(1, self.nodes + 1)},
            "raft_info": {"term": 1, "commit": 1, "pending_operations": 0, "is_voter": True},
            "consensus_thread_status": {"consensus_thread_status": "working", "last_update": "2025-01-01T00:00:00Z"},
            "message_send_failures": {},
        }

    def upsert(self, name: str, body: dict) -> object:
        self._memory.upsert(name, models.PointsList.model_validate(body).points)
        return {"operation_id": 0, "status": "completed"}

    def query(self, name: str, body: dict) -> object:
        requests = models.QueryRequestBatch.model_validate(body).searches
        for request in requests:
            request.params = None  # in-memory mode warns of what it ignores
            for prefetch in request.prefetch or []:
                prefetch.params = None
        return [answer.model_dump(mode="json") for answer in self._memory.query_batch_points(name, requests)]

    def query_one(self, name: str, body: dict) -> object:
        return self.query(name, {"searches": [body]})[0]

    def retrieve(self, name: str, body: dict) -> object:
        records = self._memory.retrieve(name, body["ids"], body.get("with_payload"), body.get("with_vector", False))
        return [record.model_dump(mode="json") for record in records]

    def scroll(self, name: str, body: dict) -> object:
        records, following = self._memory.scroll(
            name, scroll_filter=_filter(body), limit=body.get("limit") or 10, offset=body.get("offset"),
            with_payload=body.get("with_payload", True), with_vectors=body.get("with_vector", False),
        )  # fmt: skip
        return {"points": [record.model_dump(mode="json") for record in records], "next_page_offset": following}

    def count(self, name: str, body: dict) -> object:
        return {"count": self._memory.count(name, _filter(body)).count}

    def _vectors(self, name: str) -> int:
        records, _ = self._memory.scroll(name, limit=1_000_000, with_vectors=True)
        return sum(len(record.vector) if isinstance(record.vector, dict) else 1 for record in records)


def _filter(body: dict) -> models.Filter | None:
    return models.Filter.model_validate(body["filter"]) if body.get("filter") else None


NAME = "([^/]+)"
ROUTES: dict[tuple[str, str], Callable] = {
    ("GET", "/collections"): Standin.list,
    ("GET", f"/collections/{NAME}/exists"): Standin.exists,
    ("PUT", f"/collections/{NAME}"): Standin.create,
    ("PATCH", f"/collections/{NAME}"): Standin.update,
    ("DELETE", f"/collections/{NAME}"): Standin.delete,
    ("GET", f"/collections/{NAME}"): Standin.info,
    ("GET", f"/collections/{NAME}/cluster"): Standin.cluster,
    ("GET", "/cluster"): Standin.peers,
    ("PUT", f"/collections/{NAME}/points"): Standin.upsert,
    ("POST", f"/collections/{NAME}/points"): Standin.retrieve,
    ("POST", f"/collections/{NAME}/points/query"): Standin.query_one,
    ("POST", f"/collections/{NAME}/points/query/batch"): Standin.query,
    ("POST", f"/collections/{NAME}/points/scroll"): Standin.scroll,
    ("POST", f"/collections/{NAME}/points/count"): Standin.count,
}


class _Handler(BaseHTTPRequestHandler):
    standin: Standin

    def _handle(self) -> None:
        standin = self.standin
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        if standin.requests_to_live is not None:
            standin.requests_to_live -= 1
            if standin.requests_to_live < 0:
                standin.requests_to_live = None
                self.close_connection = True
                return standin.die()
        time.sleep(standin.delay)
        path = self.path.partition("?")[0]
        status, result = standin.answer(self.command, path, body, self.headers.get("api-key"))
        answer = {"time": 0.0, "status": "ok" if status == 200 else {"error": result}, "result": result}
        if path == "/" and status == 200:
            answer = result
        content = (standin.page or json.dumps(answer)).encode()
        try:
            self.send_response(status)
            for name, value in standin.headers.items() if status != 200 else ():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except BrokenPipeError:
            pass  # a slow answer to a client that has gone

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _handle

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(data, monkeypatch):
    """A stand-in that QDRANT_URL names, asked without pauses."""
    standin = Standin()
    monkeypatch.setenv("QDRANT_URL", standin.url)
    monkeypatch.delenv("QDRANT_API_KEY", raising=False)
    monkeypatch.setattr(patience, "PAUSE", 0)
    monkeypatch.setattr(remote, "POLL", 0)
    yield standin
    standin.die()
