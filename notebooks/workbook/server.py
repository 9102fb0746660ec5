"""A Qdrant server that can be down, slow or die: every call is tried again a few times, then stops with one line.

A collection of ours is written down before it is made and crossed out when it is gone again, so the next run removes
what a dead one left. The key is only ever read from the environment, and is in no message.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from workbook import locks, paths
from workbook.edge import Answers
from workbook.errors import WorkbookError

BATCH = 500  # points or queries per request
TIMEOUT = 60  # seconds for the answer to one request; whole ones
SERVER = "url_sha256"  # the file that tells which server a collection is on
RETRIES = 3  # of a request that got no answer, or one that may change
PAUSE = 1.0  # seconds before the first retry; twice as many before each further one
POLL = 0.5  # seconds between two looks at the status
PATIENCE = 600  # seconds to wait for a server to index
NO_QDRANT = (
    "no Qdrant answers at QDRANT_URL, or one too old: "
    "give the address of its REST interface, such as http://localhost:6333"
)


def connect() -> QdrantClient:
    """A client of the server at QDRANT_URL, after removing what dead runs of ours left on it.

    Raises WorkbookError if there is no address, nobody answers, it is no Qdrant, or it refuses the key.
    """
    url = os.environ.get("QDRANT_URL")
    if not url:
        raise WorkbookError("the server engine needs QDRANT_URL (and QDRANT_API_KEY, if the server asks for one)")
    try:
        # its own version check warns from a thread of its own, after our one line
        qdrant = QdrantClient(url=url, api_key=_key(), timeout=TIMEOUT, check_compatibility=False)
        patiently(qdrant.info)
    except (ValueError, ResponseHandlingException):  # no address, or an answer in other words than Qdrant's
        raise WorkbookError(NO_QDRANT) from None
    patiently(qdrant.get_collections)  # asks for the key, as `info` does not
    _remove_leftovers(qdrant)
    return qdrant


def identity() -> dict[str, object]:
    """What tells one server's measurements from another's: hash of its address, version, and number of nodes."""
    with closing(connect()) as qdrant:
        cluster = patiently(qdrant.cluster_status)
        return {
            "url_sha256": _url_sha256(),
            "version": patiently(qdrant.info).version,
            "nodes": len(getattr(cluster, "peers", None) or [1]),  # outside a cluster none are told
        }


def patiently(call: Callable[..., Any], *args: object, **kwargs: object) -> Any:
    """Call; after no answer, a timeout, 429 or 5xx call again, RETRIES times with growing pauses.

    For calls that may be made twice. Raises WorkbookError that says what the server did, at once if a retry would
    change nothing.
    """
    for attempt in range(RETRIES + 1):
        try:
            return call(*args, **kwargs)
        except (ApiException, QdrantException) as error:
            trouble = _trouble(error)
            pause = getattr(error, "retry_after_s", PAUSE * 2**attempt)
        if attempt < RETRIES:
            time.sleep(min(pause, TIMEOUT))
    raise WorkbookError(
        f"Qdrant at QDRANT_URL {trouble}, {RETRIES + 1} times: is it running, and up to this? see its log"
    )


def wait_until_green(qdrant: QdrantClient, collection: str) -> None:
    """Wait until the optimizers have been idle twice in a row: the status is GREEN between two of them, too.

    Raises WorkbookError if they failed, or go on for more than PATIENCE seconds.
    """
    deadline = time.monotonic() + PATIENCE
    green = 0
    while True:
        info = patiently(qdrant.get_collection, collection)
        green = green + 1 if info.status == models.CollectionStatus.GREEN else 0
        if green == 2:
            return
        if info.status == models.CollectionStatus.RED:
            raise WorkbookError(f"Qdrant could not index {collection}: {_one_line(info.optimizer_status)}; see its log")
        if time.monotonic() > deadline:
            raise WorkbookError(
                f"the server did not finish indexing within {PATIENCE} s: {collection} is {info.status}; see its log"
            )
        time.sleep(POLL)


def create(qdrant: QdrantClient, collection: str, **config: object) -> None:
    """Create a collection, unless a first try has made it whose answer was lost."""

    def once() -> None:
        if not qdrant.collection_exists(collection):
            qdrant.create_collection(collection, **config)

    patiently(once)


def query(qdrant: QdrantClient, collection: str, requests: Sequence[models.QueryRequest]) -> Answers:
    """Search in batches: ids, scores, and the seconds of the calls, network included.

    Seconds are those of the tries that gave the answers: failed ones and pauses are no search.
    """

    def timed(batch: Sequence[models.QueryRequest]) -> tuple[list[models.QueryResponse], float]:
        start = time.perf_counter()
        return qdrant.query_batch_points(collection, batch), time.perf_counter() - start

    ids, scores, total = [], [], 0.0
    for first in range(0, len(requests), BATCH):
        answers, seconds = patiently(timed, requests[first : first + BATCH])
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
    """A folder for each collection that may be on a server, named as it is; in it which server."""
    return paths.DATA / "server"


def _trouble(error: Exception) -> str:
    """What the server did, if it may do better next time; raises WorkbookError if it will not."""
    if isinstance(error, QdrantException):
        return "answers 429 (too many requests)"
    if isinstance(error, ResponseHandlingException) and isinstance(error.source, httpx.TransportError):
        return f"does not answer ({type(error.source).__name__})"
    if not isinstance(error, UnexpectedResponse):
        raise error
    status, said = error.status_code, _said(error)
    if status == 429 or status >= 500:
        return f"answers {status} ({said or error.reason_phrase})"
    if status in (401, 403):
        advice = "refuses the key in QDRANT_API_KEY" if _key() else "asks for a key: set QDRANT_API_KEY"
        raise WorkbookError(f"Qdrant at QDRANT_URL {advice} ({status}: {said or error.reason_phrase})") from None
    if said is None:
        raise WorkbookError(f"{NO_QDRANT} (it answers {status})") from None
    raise WorkbookError(f"Qdrant at QDRANT_URL refuses this ({status}: {said})") from None


def _said(error: UnexpectedResponse) -> str | None:
    """What the server says is wrong, in one line; None if it does not say it as Qdrant does."""
    try:
        return _one_line(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return None


def _one_line(text: object) -> str:
    """One line without the key, should a server or a proxy repeat it."""
    line = " ".join(str(text).split())
    return line.replace(_key(), "***") if _key() else line


def _key() -> str | None:
    return os.environ.get("QDRANT_API_KEY") or None


def _url_sha256() -> str:
    address = re.sub(r"(?<=://)[^/@]*@", "", os.environ.get("QDRANT_URL", ""))  # no password is kept, even hashed
    return hashlib.sha256(address.encode()).hexdigest()[:16]
