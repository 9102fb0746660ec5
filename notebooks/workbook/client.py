"""Qdrant through qdrant-client: a server or cluster at QDRANT_URL, or the client's own in-memory re-implementation.

The latter searches exactly and drops `quantization_config` without a word, so it is not given one: see `engine`.

A server can be down, slow or die: every call is tried again a few times (`patiently`), then stops with one line. A
collection of ours is written down before it is made and crossed out when it is gone again, so the next run removes
what a dead one left. The key is only ever read from the environment, and is in no message.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from workbook import paths
from workbook.bm25 import Sparse
from workbook.edge import DENSE, RRF_K, WORDS, Answers
from workbook.errors import WorkbookError
from workbook.quantization import SETTINGS, Setting, client_config

BATCH = 500  # points or queries per request
TIMEOUT = 60  # seconds for the answer to one request; whole ones
RETRIES = 3  # of a request that got no answer, or one that may change
PAUSE = 1.0  # seconds before the first retry; twice as many before each further one
POLL = 0.5  # seconds between two looks at the status
PATIENCE = 600  # seconds to wait for a server to index
NO_QDRANT = (
    "no Qdrant answers at QDRANT_URL, or one too old: "
    "give the address of its REST interface, such as http://localhost:6333"
)


@dataclass(frozen=True)
class Placement:
    """Where a server keeps a collection; what is left out is the server's to decide.

    `shard_number` parts, each on `replication_factor` nodes; `on_disk`: the original vectors are read from disk;
    `always_ram`: the codes are kept in RAM.
    """

    shard_number: int | None = None
    replication_factor: int | None = None
    on_disk: bool = False
    always_ram: bool = False

    @classmethod
    def of(cls, parameter: Mapping[str, object]) -> Placement:
        """The placement that a notebook's parameter describes. Raises WorkbookError for what makes no sense."""
        known = [field.name for field in fields(cls)]
        for name, value in parameter.items():
            if name not in known:
                raise WorkbookError(f"unknown placement {name!r}: give one of {', '.join(known)}")
            if name in ("on_disk", "always_ram") and not isinstance(value, bool):
                raise WorkbookError(f"placement {name} is true or false, not {value!r}")
            if name in ("shard_number", "replication_factor") and (type(value) is not int or value < 1):
                raise WorkbookError(f"placement {name} is a whole number, 1 or more, not {value!r}")
        return cls(**parameter)

    def for_setting(self, setting: str) -> Placement:
        """This placement, of a grid's settings, for one of them: float32 has no codes to keep in RAM."""
        return self if SETTINGS[setting].config else replace(self, always_ram=False)

    def check(self, setting: Setting, memory: bool = False) -> None:
        """Raise WorkbookError if it cannot be had: in-memory mode has no nodes, and float32 no codes to keep in RAM."""
        if memory and self != ANYWHERE:
            raise WorkbookError(
                'a placement is for the server engine; QdrantClient(":memory:") has no nodes and no disk'
            )
        if self.always_ram and not setting.config:
            raise WorkbookError(f"always_ram keeps codes in RAM, and {setting.name} has none: leave it out")


ANYWHERE = Placement()


class ClientIndex:
    """An index of float32 vectors, of words, or of both, in a collection of its own; point id = row number. Cosine."""

    def __init__(
        self, setting: Setting, dimension: int, m: int, ef_construct: int, *, memory: bool,
        placement: Placement = ANYWHERE, words: bool = False,
    ):  # fmt: skip
        """`dimension` 0: no dense vectors; `words`: sparse ones."""
        placement.check(setting, memory)
        self.name = "memory" if memory else "server"
        self._placement = placement
        with ExitStack() as stack:
            self._client = stack.enter_context(closing(QdrantClient(":memory:") if memory else connect()))
            self._collection = "workbook" if memory else stack.enter_context(own_collection(self._client))
            dense = models.VectorParams(
                size=dimension or 1, distance=models.Distance.COSINE, on_disk=placement.on_disk or None
            )
            sparse = models.SparseVectorParams(modifier=models.Modifier.IDF)
            patiently(
                self._create,
                vectors_config=dense if dimension else None,
                sparse_vectors_config={WORDS: sparse} if words else None,
                hnsw_config=models.HnswConfigDiff(m=m, ef_construct=ef_construct, full_scan_threshold=1),
                # as on Edge: a small corpus must not stay unindexed
                optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1, default_segment_number=1),
                quantization_config=self._quantization(setting),
                shard_number=placement.shard_number,
                replication_factor=placement.replication_factor,
            )
            self._resources = stack.pop_all()

    def upsert(
        self, vectors: np.ndarray | None, payloads: Sequence[dict] | None, first: int = 0,
        words: Sequence[Sparse] | None = None,
    ) -> None:  # fmt: skip
        """Store vectors, words or both as points `first`, `first` + 1, ...; a batch sent twice is stored once."""
        n = len(words if vectors is None else vectors)
        for start in range(0, n, BATCH):
            rows = range(start, min(start + BATCH, n))
            dense = None if vectors is None else vectors[start : rows.stop].tolist()
            points = []
            for row in rows:
                parts = {} if dense is None else {DENSE: dense[row - start]}
                if words is not None and words[row].indices:  # an empty one would count in in-memory mode's IDF
                    parts[WORDS] = _sparse(words[row])
                points.append(
                    models.PointStruct(id=first + row, vector=parts, payload=payloads[row] if payloads else None)
                )
            patiently(self._client.upsert, self._collection, points=points, wait=True)

    def optimize(self) -> None:
        """Wait until the server has built HNSW and quantized; in-memory mode does neither."""
        if self.name == "server":
            wait_until_green(self._client, self._collection)

    def quantize(self, setting: Setting) -> None:
        """Quantize the built collection anew, or no more, and wait until that is done."""
        if self.name == "memory":
            raise WorkbookError('QdrantClient(":memory:") drops quantization without a word; use engine edge or server')
        self._placement.check(setting)
        config = self._quantization(setting) or models.Disabled.DISABLED
        patiently(self._client.update_collection, self._collection, quantization_config=config)
        self.optimize()

    def indexed(self) -> int:
        """Number of vectors, dense and sparse, that the server says are indexed; a vector without a word is none."""
        return self._info().indexed_vectors_count or 0

    def applied(self) -> dict[str, dict[str, str]]:
        """The quantization in the collection's config, in the words of REST; without where its codes are kept."""
        config = self._info().config.quantization_config
        told = config.model_dump(mode="json", exclude_none=True) if config else {}
        return {family: {k: v for k, v in options.items() if k != "always_ram"} for family, options in told.items()}

    def placed(self) -> Placement:
        """Where the collection really is. Shards and their active copies are counted, as a server's config repeats
        whatever `replication_factor` was asked for, however few nodes there are.
        """
        config = self._info().config
        cluster = patiently(self._client.collection_cluster_info, self._collection)
        shards = [*cluster.local_shards, *cluster.remote_shards]
        copies = Counter(shard.shard_id for shard in shards if shard.state == models.ReplicaState.ACTIVE)
        quantization = config.quantization_config.model_dump() if config.quantization_config else {}
        return Placement(
            shard_number=len(copies),
            replication_factor=min(copies.values(), default=0),
            on_disk=bool(getattr(config.params.vectors, "on_disk", None)),
            always_ram=any(bool(options["always_ram"]) for options in quantization.values()),
        )

    def check_placement(self) -> None:
        """Raise WorkbookError unless the collection is where it was asked to be."""
        if self._placement == ANYWHERE:
            return
        placed = self.placed()
        for field in fields(Placement):
            asked, found = getattr(self._placement, field.name), getattr(placed, field.name)
            if asked and asked != found:
                raise WorkbookError(f"asked for {field.name} {asked}, the server reports {found}")

    def code_bytes(self) -> int:
        """Not told by a server: 0."""
        return 0

    def search(
        self, queries: np.ndarray, limit: int, exact: bool, hnsw_ef: int | None, rescore: bool,
        oversampling: float | None,
    ) -> Answers:  # fmt: skip
        """Search vectors in batches of requests: ids, scores, and the seconds of the calls, network included."""
        params = self._params(exact, hnsw_ef, rescore, oversampling)
        return self._query([models.QueryRequest(query=query.tolist(), limit=limit, params=params) for query in queries])

    def search_words(self, words: Sequence[Sparse], limit: int) -> Answers:
        """Search words alone, by BM25; a query without a word finds nothing."""
        return self._query([models.QueryRequest(query=_sparse(query), using=WORDS, limit=limit) for query in words])

    def fuse(
        self, queries: np.ndarray, words: Sequence[Sparse], limit: int, candidates: int, fusion: str, exact: bool,
        hnsw_ef: int | None, rescore: bool, oversampling: float | None,
    ) -> Answers:  # fmt: skip
        """Search vectors and words for so many candidates each, and let the engine fuse the two rankings."""
        params = self._params(exact, hnsw_ef, rescore, oversampling)
        dbsf = models.FusionQuery(fusion=models.Fusion.DBSF)
        how = models.RrfQuery(rrf=models.Rrf(k=RRF_K)) if fusion == "rrf" else dbsf
        return self._query(
            [
                models.QueryRequest(
                    limit=limit, query=how,
                    prefetch=[
                        models.Prefetch(limit=candidates, query=query.tolist(), params=params),
                        models.Prefetch(limit=candidates, query=_sparse(own), using=WORDS),
                    ],
                )
                for query, own in zip(queries, words, strict=True)
            ]
        )  # fmt: skip

    def payloads(self, ids: Iterable[int]) -> list[dict]:
        wanted = list(ids)
        records = patiently(self._client.retrieve, self._collection, wanted, with_payload=True)
        found = {record.id: record for record in records}
        return [dict(found[number].payload or {}) for number in wanted]

    def close(self) -> None:
        """Delete the collection. Raises WorkbookError if the server does not; the next run then will."""
        self._resources.close()

    def _create(self, **config: object) -> None:
        if not self._client.collection_exists(self._collection):  # the first try may have made it, its answer been lost
            self._client.create_collection(self._collection, **config)

    def _quantization(self, setting: Setting) -> object | None:
        ram = {"always_ram": True} if self._placement.always_ram else {}
        return client_config(replace(setting, config={key: {**value, **ram} for key, value in setting.config.items()}))

    def _params(
        self, exact: bool, hnsw_ef: int | None, rescore: bool, oversampling: float | None
    ) -> models.SearchParams | None:  # fmt: skip
        if self.name == "memory":
            return None  # it searches exactly whatever it is told, and warns; `engine` lets only exact searches through
        quantization = models.QuantizationSearchParams(rescore=rescore, oversampling=oversampling)
        return models.SearchParams(hnsw_ef=hnsw_ef, exact=exact, quantization=quantization)

    def _query(self, requests: list[models.QueryRequest]) -> Answers:
        ids, scores, total = [], [], 0.0
        for first in range(0, len(requests), BATCH):
            answers, seconds = patiently(self._timed, requests[first : first + BATCH])
            ids += [[hit.id for hit in answer.points] for answer in answers]
            scores += [[hit.score for hit in answer.points] for answer in answers]
            total += seconds
        return ids, scores, total

    def _timed(self, requests: list[models.QueryRequest]) -> tuple[list[models.QueryResponse], float]:
        """The answers, and the seconds of the try that gave them: those of failed ones and pauses are no search."""
        start = time.perf_counter()
        answers = self._client.query_batch_points(self._collection, requests)
        return answers, time.perf_counter() - start

    def _info(self) -> models.CollectionInfo:
        return patiently(self._client.get_collection, self._collection)


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


def server_identity() -> dict[str, object]:
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


@contextmanager
def own_collection(qdrant: QdrantClient) -> Iterator[str]:
    """The name of a collection that the block may make; it is deleted at the end, now or by a later run.

    Raises WorkbookError, after the block, if it cannot be deleted now.
    """
    name = f"workbook-{uuid.uuid4().hex[:12]}"
    entry = _ledger() / f"{name}.json"
    owner = {"url_sha256": _url_sha256(), "host": platform.node(), "pid": os.getpid(), "started": _started(os.getpid())}
    _write(entry, owner)
    try:
        yield name
    finally:
        try:
            patiently(qdrant.delete_collection, name)
        except WorkbookError as error:
            _write(entry, {**owner, "pid": None})  # this process may live on, but no more as its owner
            raise WorkbookError(f"{error}; collection {name} is left on it until the next run removes it") from error
        entry.unlink(missing_ok=True)


def _remove_leftovers(qdrant: QdrantClient) -> None:
    for entry in sorted(_ledger().glob("workbook-*.json")):
        try:
            owner = json.loads(entry.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue  # another run was quicker
        if owner["url_sha256"] == _url_sha256() and not _may_live(owner):
            patiently(qdrant.delete_collection, entry.stem)
            entry.unlink(missing_ok=True)


def _may_live(owner: dict[str, Any]) -> bool:
    """Whether the process that wrote this may still run: another machine's cannot be seen, and ids are given anew."""
    if owner["pid"] is None:
        return False
    started = _started(owner["pid"])
    return owner["host"] != platform.node() or (started is not None and abs(started - owner["started"]) < 5)


def _started(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _ledger() -> Path:
    return paths.DATA / "server"


def _write(entry: Path, owner: dict[str, Any]) -> None:
    with paths.atomic(entry) as temporary:
        temporary.write_text(json.dumps(owner), encoding="utf-8")


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
    return hashlib.sha256(os.environ.get("QDRANT_URL", "").encode()).hexdigest()[:16]


def _sparse(words: Sparse) -> models.SparseVector:
    return models.SparseVector(indices=words.indices, values=words.values)
