"""A stand-in for a Qdrant server or cluster, over real HTTP and gRPC, and the fixture `server` that starts one.

It stores and searches with qdrant-client's in-memory mode, remembers configs itself, refuses what a real one refuses
(`standin_rules`), and misbehaves on demand. It quantizes and indexes nothing, and a node of a cluster is only a number:
that is tested on Edge and, where QDRANT_URL is set, on a real server.
"""

import os
import re
import threading
import time
from collections.abc import Callable

import pytest
import standin_grpc
import standin_rest
import standin_rules
from qdrant_client import QdrantClient, models
from standin_cluster import Cluster
from standin_rules import Refused
from workbook.errors import WorkbookError
from workbook.qdrant import patience
from workbook.qdrant import server as remote

needs_server = pytest.mark.skipif(not os.environ.get("QDRANT_URL"), reason="QDRANT_URL is not set: no Qdrant server")
TITLE = "qdrant - vector search engine"


class Standin(Cluster):
    """One server or cluster. Its attributes say how it behaves; `requests` lists (method, path) of all it was asked,
    over REST or gRPC, `asked` that with body and key, `rpcs` the calls of gRPC among them by name."""

    def __init__(self, grpc: bool = True):
        super().__init__()
        self.version = "1.20.0"
        self.prefix = ""  # of REST's paths, as behind a proxy
        self.key: str | None = None
        self.delay = 0.0  # seconds before each answer
        self.failures: list[int] = []  # statuses to answer next
        self.headers: dict[str, str] = {}  # of failures
        self.page: str | None = None  # what a web server that is no Qdrant answers
        self.requests_to_live: int | None = None
        self.statuses: list[str] = []  # of a collection, told next; then green
        self.forgets: set[str] = set()  # parts of a new collection's config
        self.unindexed = 0  # vectors
        self.strict: dict = {}  # strict mode of all collections, with what each has of its own
        self.busy = 0  # reads to refuse next, as the limit of a minute is used up
        self.requests: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str, dict, str | None]] = []
        self.rpcs: list[str] = []
        self._memory = QdrantClient(":memory:")
        self._lock = threading.Lock()
        self._port = self.grpc_port = 0
        self._grpc = None
        self._speaks = grpc
        self.revive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self.prefix}"

    @property
    def collections(self) -> list[str]:
        return sorted(self._configs)

    def calls(self, method: str, ending: str) -> list[str]:
        """The paths of that ending that it was asked by that method."""
        return [path for asked, path in self.requests if asked == method and path.endswith(ending)]

    @property
    def grpc(self) -> bool:
        """Whether it listens at `grpc_port`; may be set."""
        return self._speaks

    @grpc.setter
    def grpc(self, speaks: bool) -> None:
        self._hush()
        self._speaks = speaks
        if speaks:
            self._grpc, self.grpc_port = standin_grpc.listen(self, self.grpc_port)

    def revive(self) -> None:
        """Start, or start again at the same addresses with the same data."""
        self._http, self._port = standin_rest.listen(self, self._port)
        self.grpc = self._speaks

    def die(self) -> None:
        """Answer no more; connections are refused."""
        self._http.shutdown()
        self._http.server_close()
        self._hush()  # last: it ends the call that may be the reason, and a test may then revive this

    def _hush(self) -> None:
        grpc, self._grpc = self._grpc, None
        if grpc:
            grpc.stop(None)

    def receive(self, method: str, path: str, body: dict, key: str | None) -> tuple[int, object, dict] | None:
        """Status, result and headers of one request; None if it was one too many to live."""
        with self._lock:
            if self.requests_to_live is not None:
                self.requests_to_live -= 1
                if self.requests_to_live < 0:
                    self.requests_to_live = None
                    self.die()
                    return None
        time.sleep(self.delay)
        status, result = self.answer(method, path, body, key)
        wait = re.search(r"Retry after (\d+)s$", str(result)) if status == 429 else None
        return status, result, {"Retry-After": wait[1]} if wait else self.headers if status != 200 else {}

    def answer(self, method: str, path: str, body: dict, key: str | None) -> tuple[int, object]:
        """Status and result of one request."""
        with self._lock:
            self.requests.append((method, path))
            self.asked.append((method, path, body, key))
            self._count_down()
            if self.failures:
                return self.failures.pop(0), f"told to fail, with the key {key}"
            if path == "/":
                return 200, {"title": TITLE, "version": self.version, "commit": None}
            if self.key and key != self.key:
                return 401, "Invalid API key or JWT"
            for (asked, pattern), handler in ROUTES.items():
                if asked == method and (match := re.fullmatch(pattern, path)):
                    try:
                        standin_rules.check_body(method, path, body, self.version)
                        self._check_points(handler.__name__, *match.groups(), body)
                        return 200, handler(self, *match.groups(), body)
                    except Refused as refused:
                        return refused.status, refused.words
                    except ValueError as error:  # in-memory mode's way to say so
                        return 404 if "not found" in str(error) else 400, str(error)
            return 404, f"no route {method} {path}"

    def _check_points(self, action: str, *named: object) -> None:
        """Raise Refused where strict mode, the limit of a minute or a lost node leaves points out of reach."""
        if action not in ("upsert", *READS):
            return
        name, body = named
        standin_rules.check_strict(action, body, self._strict(name))
        if action != "upsert" and self.busy > 0:
            self.busy -= 1
            tokens = "Operation requires 1 tokens but only 0.0 were available. Retry after 1s"
            raise Refused(429, f"Rate limiting exceeded: Read rate limit exceeded: {tokens}")
        self._reach(name, standin_rules.points(body) if action == "upsert" else None)

    def _strict(self, name: str) -> dict:
        own = self._configs.get(name, {}).get("strict_mode_config") or {}
        return {"enabled": True, **self.strict, **own} if self.strict else own

    def list(self, _: dict) -> object:
        return {"collections": [{"name": name} for name in self.collections]}

    def exists(self, name: str, _: dict) -> object:
        return {"exists": name in self._configs}

    def create(self, name: str, body: dict) -> bool:
        config = models.CreateCollection.model_validate(body)
        if name in self._configs:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        self._memory.create_collection(name, config.vectors, sparse_vectors_config=config.sparse_vectors)
        self._configs[name] = {key: value for key, value in body.items() if key not in self.forgets}
        if "on_disk" in self.forgets:
            (self._configs[name].get("vectors") or {}).pop("on_disk", None)
        return True

    def update(self, name: str, body: dict) -> bool:
        models.UpdateCollection.model_validate(body)
        own = self._known(name)
        own.update(body.get("params") or {})
        if "quantization_config" in body and "quantization_config" not in self.forgets:
            asked = body["quantization_config"]
            own["quantization_config"] = None if asked == "Disabled" else asked
        for part in ("hnsw_config", "optimizers_config", "strict_mode_config"):
            own[part] = {**(own.get(part) or {}), **(body.get(part) or {})}
        return True

    def delete(self, name: str, _: dict) -> bool:
        return self._configs.pop(name, None) is not None and self._memory.delete_collection(name)

    def info(self, name: str, _: dict) -> object:
        own = self._known(name)
        self._reach(name)
        told = self._memory.get_collection(name).model_dump(mode="json", exclude_none=True)
        status = self.statuses.pop(0) if self.statuses else "green"
        told["status"] = status
        told["optimizer_status"] = {"error": "no space left"} if status == "red" else "ok"
        told["indexed_vectors_count"] = self._vectors(name) - self.unindexed
        config, params = told["config"], told["config"]["params"]
        config["quantization_config"] = own.get("quantization_config")
        config["strict_mode_config"] = self._strict(name) or {"enabled": False}
        for part, asked in (("hnsw_config", "hnsw_config"), ("optimizer_config", "optimizers_config")):
            config[part] |= {key: value for key, value in (own.get(asked) or {}).items() if value is not None}
        params["vectors"] = own.get("vectors") or {}
        params["shard_number"] = len(self._copies(name))
        for factor in ("replication_factor", "write_consistency_factor"):
            params[factor] = own.get(factor) or 1
        return told

    def cluster(self, name: str, _: dict) -> object:
        self._known(name)
        records, _ = self._memory.scroll(name, limit=1_000_000, with_payload=False)
        return self.shards(name, [record.id for record in records])

    def _known(self, name: str) -> dict:
        """What was asked for when the collection was made."""
        if name not in self._configs:
            raise Refused(404, f"Not found: Collection `{name}` not found!")
        return self._configs[name]

    def upsert(self, name: str, body: dict) -> object:
        self._known(name)
        batch = "batch" in body
        points = (
            models.PointsBatch.model_validate(body).batch if batch else models.PointsList.model_validate(body).points
        )
        self._memory.upsert(name, points)
        return {"operation_id": 0, "status": "completed"}

    def query(self, name: str, body: dict) -> object:
        requests = models.QueryRequestBatch.model_validate(body).searches
        for request in requests:
            prefetch = request.prefetch or []
            for search in (request, *(prefetch if isinstance(prefetch, list) else [prefetch])):
                search.params = None  # in-memory mode warns of what it ignores
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
READS = ("query", "query_one", "retrieve", "scroll", "count")
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


def skip_if_too_old(setting: str) -> None:
    """Skip the test where the real server at QDRANT_URL does not have that setting yet."""
    try:
        remote.check_version([setting])
    except WorkbookError as error:
        pytest.skip(str(error))


@pytest.fixture
def server(data, monkeypatch):
    """A stand-in that QDRANT_URL and QDRANT_GRPC_PORT name, asked without pauses."""
    standin = Standin()
    monkeypatch.setenv("QDRANT_URL", standin.url)
    monkeypatch.setenv("QDRANT_GRPC_PORT", str(standin.grpc_port))
    monkeypatch.delenv("QDRANT_API_KEY", raising=False)
    monkeypatch.setattr(patience, "PAUSE", 0)
    monkeypatch.setattr(remote, "POLL", 0)
    monkeypatch.setattr(remote, "_by_grpc", {})
    yield standin
    standin.die()
