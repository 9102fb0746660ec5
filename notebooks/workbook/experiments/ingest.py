"""Encode, store and index a stream of documents, encoding and storing at the same time, and watch time and memory.

What one process does from loading the model to searching; `ingest_runs` starts the process. Encoded shards are
written to disk at once: an attempt that is killed costs the shard it was at, and the next fills the index again.
The index is an Edge shard in this process, or a collection on a server, which indexes while it stores.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import NamedTuple

import numpy as np

from workbook import isolated, memory
from workbook.corpora import corpora, document_streams
from workbook.corpora.corpora import Corpus
from workbook.corpora.document_streams import Stream
from workbook.embedding import encoders, static_encoding, vectors
from workbook.embedding.encoders import Encoder
from workbook.embedding.vectors import Shards
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, results, stopwatch
from workbook.qdrant import engine, quantization
from workbook.qdrant.client import ANYWHERE, ClientIndex, Placement
from workbook.qdrant.edge import EdgeIndex
from workbook.qdrant.engine import Index, Search
from workbook.qdrant.quantization import SETTINGS

BATCH = 1_024  # texts that the library encodes at once: the fastest tried
QUERIES = 100  # searched one by one
DEPTH = 10

Encode = Callable[[Iterable[list[str]]], Iterator["Encoded"]]


class Job(NamedTuple):
    """What to do: n documents made from a corpus with a seed, encoded, truncated and stored with a setting.

    `waiting`: shards that may wait between encoder and engine, so memory for the texts does not grow with n.
    `words_once`: tokenize each distinct word once (see `static_encoding`), instead of as Sentence Transformers does.
    `repeat`: which time this is, from 0. `placement`: where a server keeps it. `processes`: that encode, each with the
    model and words of its own. `most`: the largest n of the runs that this one is compared with; texts of all of them
    are of one kind.
    """

    corpus: str
    n: int
    model: str
    dimension: int
    setting: str = "binary"
    search: str = "rescore-x3"
    words_once: bool = True
    waiting: int = 2
    seed: int = 0
    repeat: int = 0
    engine_name: str = "edge"
    placement: Placement = ANYWHERE
    processes: int = 1
    most: int = 0

    @property
    def is_remote(self) -> bool:
        """Whether the index is on a server, so that this process's memory and disk do not hold it."""
        return self.engine_name == "server"

    @property
    def where(self) -> str:
        """The server's part in it, in words; nothing where there is none."""
        if not self.is_remote:
            return ""
        shards, copies = self.placement.shard_number, self.placement.replication_factor
        parts = {
            f"shards: {shards}": shards, f"copies: {copies}": copies, "vectors on disk": self.placement.on_disk,
            "codes in RAM": self.placement.always_ram,
        }  # fmt: skip
        return ", ".join(["server", *(part for part, given in parts.items() if given)])

    @property
    def how(self) -> str:
        how = "each word tokenized once" if self.words_once else "the library's tokenization"
        return f"{how}, {self.processes} processes" if self.processes > 1 else how

    @property
    def label(self) -> str:
        return ", ".join(part for part in (f"{self.n:,} documents", self.how, self.where) if part)


def computed_bytes(job: Job) -> dict[str, int]:
    """Bytes by part, as an index of the job's must have them in one copy: a server does not tell what it has."""
    setting = SETTINGS[job.setting]
    return {
        "vectors": job.n * SETTINGS["float32"].bytes_per_vector(job.dimension),
        "codes": job.n * setting.bytes_per_vector(job.dimension) if setting.config else 0,
        "graph": round(job.n * quantization.graph_bytes(job.n, engine.M)),
    }


def run(job: Job, folder: Path, report: Callable[[int], None]) -> dict:
    """Do the job; `report` is told the number of documents after each shard. Gives the values of an `ingest_runs.Run`.

    The clock starts when the model is loaded and warm, with no word known. Raises WorkbookError for vectors that are
    not finite, a full disk, a setting that did not apply, and a server that does not take it.
    """
    with ExitStack() as stack:
        if job.processes > 1:
            encode = stack.enter_context(isolated.workers(job.processes, ready, job))
        else:
            encode = partial(map, ready(job))  # here, in a thread beside the engine
        return _run(job, folder, report, encode)


def _run(job: Job, folder: Path, report: Callable[[int], None], encode: Encode) -> dict:
    corpus, encoder = corpora.load(job.corpus), encoders.load(job.model)
    stream = document_streams.of(corpus, job.n, job.seed, job.most)
    shards, peaks = Shards(folder / "shards"), {"start": memory.resident()}
    started = time.perf_counter() - shards.spent
    with _told_what_is_kept(job, shards), closing(_empty_index(job, folder / "index")) as backend:
        if job.is_remote:
            backend.check_strict(DEPTH, job.n)  # the proof of one-bit codes walks all of the graph
        with _peak(peaks, "encode"):
            encoding = _Encoding(job, encode, stream, shards)
            upsert_seconds = _upsert(backend, encoding, report)
            stored = time.perf_counter()
        peaks["encode"] += sum(encoding.memory.values())
        with _peak(peaks, "index"):
            index = engine.finish(backend, job.setting, job.n, job.dimension)
            finished = time.perf_counter()
        engine.prove(index, shards.rows)
        with _peak(peaks, "search"):
            latency, precision = _search(index, corpus, encoder, job, shards)
        disk = {"shards": shards.bytes(), **(computed_bytes(job) if job.is_remote else backend.disk_bytes())}
    shutil.rmtree(folder)
    return {
        "seconds": {
            "encode": encoding.finished - started, "upsert": stored - encoding.finished, "index": index.index_seconds
        },
        "total_seconds": finished - started, "busy": {"encode": encoding.seconds, "upsert": upsert_seconds},
        "memory": peaks, "disk": disk, "latency": latency, "precision": precision, "resumed": encoding.resumed,
    }  # fmt: skip


@contextmanager
def _peak(peaks: dict[str, int], phase: str) -> Iterator[None]:
    memory.forget_peak()
    yield
    peaks[phase] = memory.peak()


@contextmanager
def _told_what_is_kept(job: Job, shards: Shards) -> Iterator[None]:
    """Add to what a server did that the encoded documents are not lost with it."""
    try:
        yield
    except WorkbookError as error:
        if not (job.is_remote and shards.bytes()):
            raise
        raise WorkbookError(f"{error}; what was encoded is kept, the next run goes on from there") from error


class Encoded(NamedTuple):
    """A shard of vectors (rows, d), truncated; who encoded it, in what seconds, and the most bytes it ever took."""

    vectors: np.ndarray | None
    process: int
    seconds: float
    memory: int


def ready(job: Job) -> Callable[[list[str]], Encoded]:
    """What encodes a shard of texts, loaded and warm, with no word known; of no texts it gives no vectors."""
    encoder, share = encoders.load(job.model), max(1, results.machine()["cores"] // job.processes)
    encode = partial(encoder.encode, batch_size=BATCH)
    encode(corpora.load("sample").document_texts)
    if job.words_once:
        encode = static_encoding.WordEncoder(encoder.model, encoder.prompt("document")).encode

    def encoded(texts: list[str]) -> Encoded:
        if not texts:
            return Encoded(None, os.getpid(), 0.0, memory.peak())
        with stopwatch.threads(share) if job.processes > 1 else nullcontext():
            seconds, found = stopwatch.timed(lambda: vectors.truncate(encode(texts), job.dimension))
        vectors.check_finite(encoder, found)
        return Encoded(found, os.getpid(), seconds, memory.peak())

    return encoded


def _empty_index(job: Job, place: Path) -> EdgeIndex | ClientIndex:
    if job.is_remote:
        return engine.start(job.setting, job.dimension, job.engine_name, placement=job.placement)
    shutil.rmtree(place, ignore_errors=True)  # of an attempt that was killed
    place.mkdir(parents=True)
    return engine.start(job.setting, job.dimension, place=place)


class _Encoding:
    """A thread that has shards encoded, or finds them on disk, and gives them in order.

    `seconds`: how long one of its processes was at work; `finished`: when, by the clock; `resumed`: documents found;
    `memory`: the most bytes of each process but this one.
    """

    def __init__(self, job: Job, encode: Encode, stream: Stream, shards: Shards):
        self.seconds, self.finished, self.resumed, self.memory = 0.0, 0.0, 0, {}
        self._job, self._encode, self._stream, self._shards = job, encode, stream, shards
        self._waiting: Queue = Queue(job.waiting)
        Thread(target=self._work, daemon=True).start()  # daemon: an error elsewhere must not wait for it

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Number of the first document and vectors (rows, d) of each shard. Raises what the thread raised."""
        while (given := self._waiting.get()) is not None:
            if isinstance(given, BaseException):
                raise given
            yield given

    def _work(self) -> None:
        try:
            found: deque[tuple[int, np.ndarray | None]] = deque()  # of the shards that are being encoded
            for encoded in self._encode(self._to_encode(found)):
                first, shard = found.popleft()
                if shard is None:
                    shard = encoded.vectors
                    self._shards.write(first, shard)
                self.seconds += encoded.seconds / self._job.processes
                if encoded.process != os.getpid():
                    self.memory[encoded.process] = encoded.memory
                self._waiting.put((first, shard))
            self.finished = time.perf_counter()
            self._waiting.put(None)
        except BaseException as error:
            self._waiting.put(error)

    def _to_encode(self, found: deque[tuple[int, np.ndarray | None]]) -> Iterator[list[str]]:
        """Texts of each shard, none of one that is on disk; `found` is told where it begins, and what was there."""
        first = 0
        for texts in self._stream.shards():
            shard = self._shards.read(first, len(texts))
            found.append((first, shard))
            self.resumed += 0 if shard is None else len(texts)
            yield texts if shard is None else []
            first += len(texts)


def _upsert(backend: EdgeIndex | ClientIndex, encoding: _Encoding, report: Callable[[int], None]) -> float:
    """Store the shards as they come; gives the seconds of storing alone."""
    seconds = 0.0
    for first, shard in encoding:
        seconds += stopwatch.seconds_of(partial(backend.upsert, shard, None, first))
        report(len(shard))
    return seconds


def _search(
    index: Index, corpus: Corpus, encoder: Encoder, job: Job, shards: Shards
) -> tuple[list[float], list[float]]:  # fmt: skip
    """Seconds of single queries after a warm-up, and ANN precision of each, of the corpus's own queries."""
    encoded = encoder.encode(corpus.query_texts[:QUERIES], "query")
    queries = vectors.truncate(encoded, job.dimension)
    search = Search.named(job.search)
    queries = queries[queries.any(axis=1)]  # of the others the model knows nothing, and nothing is searched
    found, exact = (
        evaluation.similarities(queries, index.search(queries, DEPTH, how).ids, shards.rows)
        for how in (search, Search(exact=True))
    )
    latency = [index.search(query[None], DEPTH, search).seconds for query in queries]
    return latency, evaluation.ann_precision(found, exact).tolist()
