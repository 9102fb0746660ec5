"""A Qdrant server or cluster at QDRANT_URL: how it is reached, what it is, and the collections that we make on it.

Each collection is entered in a ledger before it is made, and removed from there once it is deleted. So the next run
deletes what a dead one left.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version as installed
from multiprocessing import parent_process
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models
from qdrant_client.common.version_check import is_compatible, parse_version
from qdrant_client.grpc import ListCollectionsRequest
from qdrant_client.http.exceptions import ResponseHandlingException

from workbook import locks, paths
from workbook.errors import WorkbookError
from workbook.qdrant import patience
from workbook.qdrant.edge import Answers
from workbook.qdrant.patience import NO_QDRANT, patiently
from workbook.qdrant.quantization import SETTINGS

BATCH = 500  # points or queries per request, at most
NUMBERS = 2**20  # of vectors in one request: 20 MB as JSON, and Qdrant takes 32
SERVER = "url_sha256"  # the file that tells which server a collection is on
POLL = 0.5  # seconds between two looks at the status
ASKED = 4  # times per copy in a look: which one answers is chance
PATIENCE = 3_600  # seconds to wait for a server to index more
GRPC_PORT = 6334  # Qdrant's own
GRPC_SECONDS = 5  # to wait for whatever answers there
OLDEST = (1, 15)  # what this was written for begins there
RRF_SINCE = (1, 16)  # the first version that can be told the constant of reciprocal rank fusion
LOOPBACK = re.compile(r"localhost|127\.[\d.]+|::1")
_answered: set[str] = set()  # servers that have answered this process
_by_grpc: dict[tuple[str, int], bool] = {}  # whether a server is asked by gRPC: decided once in a process


class Server(QdrantClient):
    """A client by REST of the server at QDRANT_URL, and `bulk`, for many points or queries: by gRPC where that answers.

    `version` is the server's own. Raises ValueError for an address that is none.
    """

    bulk: QdrantClient | None = None  # until there is one: a client that could not be made is closed, too

    def __init__(self, url: str):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Api key is used with an insecure connection")  # see `_tell_oddities`
            # its own version check warns from a thread of its own, after our one line
            super().__init__(url=url, api_key=patience.key(), timeout=patience.TIMEOUT, check_compatibility=False)
            options = {**self.init_options, "grpc_port": _grpc_port(), "prefer_grpc": True}
            self.bulk = QdrantClient(**options)
        self.version = ""

    def choose_bulk(self) -> None:
        """Keep gRPC if what answers there is this very server, which the names of its collections tell."""
        names, port = self._names(), _grpc_port()
        asked = _url_sha256(), port
        if asked not in _by_grpc:
            _by_grpc[asked] = self._is_bulk(names)
        if not _by_grpc[asked]:
            self.bulk.close()
            self.bulk = self
            _tell_at_first(
                f"port {port} of QDRANT_URL's host is not this Qdrant's gRPC, which loads faster: REST is used "
                f"(set QDRANT_GRPC_PORT if it has another port)"
            )

    def _is_bulk(self, before: set[str]) -> bool:
        try:
            told = self.bulk.grpc_collections.List(ListCollectionsRequest(), timeout=GRPC_SECONDS)
        except patience.ERRORS:
            return False
        names, after = {each.name for each in told.collections}, self._names()
        return before & after <= names <= before | after  # others may make some at the same time

    def close(self, *args: Any, **kwargs: Any) -> None:
        if self.bulk and self.bulk is not self:
            self.bulk.close()
        super().close(*args, **kwargs)

    def _names(self) -> set[str]:
        return {each.name for each in patiently(self.get_collections).collections}


def connect() -> Server:
    """A client of the server at QDRANT_URL, after removing what dead runs of ours left on it.

    Raises WorkbookError if there is no address, nobody answers, it is no Qdrant, or it refuses the key.
    """
    url = os.environ.get("QDRANT_URL")
    if not url:
        raise WorkbookError("the server engine needs QDRANT_URL (and QDRANT_API_KEY, if the server asks for one)")
    retries, advice = patience.FIRST_RETRIES, patience.IS_IT_THERE
    if _url_sha256() in _answered:
        retries, advice = patience.RETRIES, patience.IS_IT_RUNNING
    try:
        qdrant = Server(url)
        qdrant.version = patience.tried(retries, qdrant.info, advice).version
        parse_version(qdrant.version)
    except (ValueError, ResponseHandlingException):  # no address, or an answer in other words than Qdrant's
        raise WorkbookError(NO_QDRANT) from None
    _answered.add(_url_sha256())
    _tell_oddities(url, qdrant.version)
    qdrant.choose_bulk()  # asks for the key, as `info` does not
    _remove_leftovers(qdrant)
    return qdrant


def identity() -> dict[str, object]:
    """What two servers' measurements differ by: hash of the address, version, number of nodes, gRPC or REST."""
    with closing(connect()) as qdrant:
        cluster = patiently(qdrant.cluster_status)
        return {
            "url_sha256": _url_sha256(),
            "version": qdrant.version,
            "nodes": len(getattr(cluster, "peers", None) or [1]),  # outside a cluster none are told
            "grpc": qdrant.bulk is not qdrant,
        }


def check_version(names: Sequence[str]) -> None:
    """Raise WorkbookError if the server is too old for one of these settings or fusions, or as `connect` does."""
    with closing(connect()) as qdrant:
        own = parse_version(qdrant.version)[:2]
    since = {"rrf": RRF_SINCE} | {name: setting.since for name, setting in SETTINGS.items()}
    for name in names:
        if since.get(name, own) > own:
            needs = ".".join(map(str, since[name]))
            raise WorkbookError(f"{name} needs Qdrant {needs}, this is {qdrant.version}: leave it out or update Qdrant")


def wait_until_stored(qdrant: QdrantClient, collection: str, n: int) -> None:
    """Wait until n points that were sent are there. Raises WorkbookError if for PATIENCE seconds no more come."""
    for there in _looks(lambda: patiently(qdrant.count, collection).count, f"stored nothing more in {collection}"):
        if there >= n:
            return


def wait_until_green(qdrant: QdrantClient, collection: str) -> None:
    """Wait until the status is GREEN twice in a row, as it is GREEN for a moment between two optimizers, too.

    A server tells the state of any one copy of a shard, so where there are several, each look asks many times.
    Raises WorkbookError if an optimizer failed, or nothing changes for PATIENCE seconds.
    """

    def ask() -> models.CollectionInfo:
        info = patiently(qdrant.get_collection, collection)
        if info.status == models.CollectionStatus.RED:
            why = patience.one_line(info.optimizer_status)
            raise WorkbookError(f"Qdrant could not index {collection}: {why}; see its log")
        return info

    def look() -> tuple[bool, int, int]:
        infos = [ask()]
        copies = infos[0].config.params.replication_factor or 1
        if copies > 1 and infos[0].status == models.CollectionStatus.GREEN:
            infos += [ask() for _ in range(ASKED * copies)]
        return (
            all(info.status == models.CollectionStatus.GREEN for info in infos),
            min(info.indexed_vectors_count or 0 for info in infos),
            max(info.segments_count for info in infos),
        )

    before = None
    for state in _looks(look, f"indexed nothing more of {collection}"):
        if state[0] and state == before:
            return
        before = state


def _looks(look: Callable[[], Any], trouble: str) -> Iterator[Any]:
    """Yield what `look` returns, every POLL seconds; raise WorkbookError if it stays the same for PATIENCE seconds."""
    seen, deadline = None, 0.0
    while True:
        if seen != (seen := look()):
            deadline = time.monotonic() + PATIENCE
        if time.monotonic() > deadline:
            raise WorkbookError(f"in {PATIENCE} s the server {trouble}; see its log")
        yield seen
        time.sleep(POLL)


def create(qdrant: QdrantClient, collection: str, **config: object) -> None:
    """Create a collection, unless a first try has made it whose answer was lost."""

    def once() -> None:
        if not qdrant.collection_exists(collection):
            qdrant.create_collection(collection, **config)

    patiently(once)


def batch(dimension: int) -> int:
    """How many vectors of so many dimensions go into one request."""
    return max(1, min(BATCH, NUMBERS // max(1, dimension)))


def query(qdrant: QdrantClient, collection: str, requests: Sequence[models.QueryRequest], size: int) -> Answers:
    """Search in batches of a size: ids, scores, and the seconds of the calls, network included.

    Seconds are those of the calls that were answered, without failed calls and pauses.
    """

    def timed(batch: Sequence[models.QueryRequest]) -> tuple[list[models.QueryResponse], float]:
        start = time.perf_counter()
        return qdrant.query_batch_points(collection, batch), time.perf_counter() - start

    ids, scores, total = [], [], 0.0
    for first in range(0, len(requests), size):
        answers, seconds = patiently(timed, requests[first : first + size])
        ids += [[hit.id for hit in answer.points] for answer in answers]
        scores += [[hit.score for hit in answer.points] for answer in answers]
        total += seconds
    return ids, scores, total


@contextmanager
def own_collection(qdrant: QdrantClient) -> Iterator[str]:
    """The name of a collection that the block may make; it is deleted at the end, now or by a later run.

    Raises WorkbookError, after the block, if it cannot be deleted now.
    """
    entry = locks.Scratch(_ledger())
    name = entry.path.name
    with paths.atomic(entry.path / SERVER) as temporary:
        temporary.write_text(_url_sha256(), encoding="utf-8")
    try:
        yield name
    finally:
        try:
            patiently(qdrant.delete_collection, name)
        except WorkbookError as error:
            entry.leave()
            raise WorkbookError(f"{error}; collection {name} is left on it until the next run removes it") from error
        entry.close()


def _remove_leftovers(qdrant: QdrantClient) -> None:
    for folder in locks.left(_ledger()):
        server = folder / SERVER
        if server.is_file() and server.read_text(encoding="utf-8") != _url_sha256():
            continue
        patiently(qdrant.delete_collection, folder.name)
        shutil.rmtree(folder, ignore_errors=True)


def _ledger() -> Path:
    """The folder with a folder for each collection that may be on a server, of its name; in it a file says which."""
    return paths.DATA / "server"


def _grpc_port() -> int:
    port = os.environ.get("QDRANT_GRPC_PORT") or str(GRPC_PORT)
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        raise WorkbookError(f"QDRANT_GRPC_PORT is {port!r}: give the number of a port, such as {GRPC_PORT}")
    return int(port)


def _tell_oddities(url: str, version: str) -> None:
    address, ours = urlsplit(url), installed("qdrant-client")
    if parse_version(version)[:2] < OLDEST:
        _tell_at_first(f"Qdrant {version} is older than {'.'.join(map(str, OLDEST))}, which this needs: update it")
    elif not is_compatible(ours, version):
        _tell_at_first(
            f"Qdrant {version} is more than one minor version from qdrant-client {ours}: it may refuse what is asked"
        )
    if patience.key() and address.scheme == "http" and not LOOPBACK.fullmatch(address.hostname or ""):
        _tell_at_first("the key in QDRANT_API_KEY travels unencrypted, as QDRANT_URL does not begin with https")


def _tell_at_first(note: str) -> None:
    """Say it, unless this is a process that was started by one which has connected and said it, see `ingest_runs`."""
    if parent_process() is None:
        tell(note)


@functools.cache
def tell(note: str) -> None:
    """Say it once in this process."""
    print(f"note: {note}", file=sys.stderr, flush=True)


def _url_sha256() -> str:
    address = re.sub(r"(?<=://)[^/@]*@", "", os.environ.get("QDRANT_URL", ""))  # no password is kept, even hashed
    return hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:16]
