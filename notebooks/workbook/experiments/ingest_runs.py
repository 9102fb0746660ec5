"""Many documents encoded, stored and indexed: checked for room, done in a process of its own, kept with the machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import psutil

from workbook import isolated, locks, paths
from workbook.corpora import corpora, document_streams
from workbook.embedding import encoders, static_encoding, vectors
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import ingest
from workbook.experiments.ingest import Job
from workbook.progress import bar
from workbook.qdrant import edge, engine, quantization, server
from workbook.qdrant.client import ANYWHERE, Placement
from workbook.qdrant.quantization import SETTINGS

RESERVE = 1.5e9  # bytes of memory beside them: Python, its libraries, the model, shards on their way


class Run(NamedTuple):
    """What a job took, in seconds and bytes.

    `seconds`: wall clock of the phases: encode (storing alongside), upsert (what was left of it), index;
    `total_seconds`: from the first document to the index. `busy`: seconds that the encoder and the upsert were each at
    work, at the same time. `memory`: peak resident bytes of each phase, and at the start. `disk`: bytes by part.
    `latency`: seconds of single queries; `precision`: ANN precision@10 of each query. `resumed`: documents that an
    interrupted attempt had encoded; its seconds are counted in. `words`, `distinct`: of all texts, between spaces.
    On a server, which is told of in `server`: upsert is sending, and `seconds` of indexing are what was left to store
    and index after that, as it does both meanwhile; `memory` is the encoder's process alone; `disk` is computed, but
    for the shards, which are here.
    """

    corpus: str
    model: str
    job: Job
    seconds: dict[str, float]
    busy: dict[str, float]
    total_seconds: float
    memory: dict[str, int]
    disk: dict[str, int]
    latency: list[float]
    precision: list[float]
    resumed: int
    key: str
    words: int = 0
    distinct: int = 0
    server: dict[str, object] | None = None

    @property
    def n(self) -> int:
        return self.job.n

    @property
    def dimension(self) -> int:
        return self.job.dimension

    @property
    def setting(self) -> str:
        return self.job.setting

    @property
    def on(self) -> str:
        """The server that it was stored on, in words; nothing where there was none."""
        if not self.server:
            return ""
        return f"Qdrant {self.server['version']}, nodes: {self.server['nodes']} ({self.job.where})"


def jobs(
    corpus: str, documents: Sequence[int], model: str, dimension: int, words_once: bool, waiting: int, seed: int,
    repeats: int, processes: int = 1, engine_name: str = "edge", placement: Placement = ANYWHERE,
) -> list[Job]:  # fmt: skip
    """A job for each number of documents, and of the largest one with the library's tokenization; then all again."""
    most = max(documents)
    any_size = Job(
        corpus, 0, model, dimension, words_once=words_once, waiting=waiting, seed=seed, engine_name=engine_name,
        placement=placement, processes=processes, most=most,
    )  # fmt: skip
    each = [any_size._replace(n=n) for n in sorted(documents)]
    if words_once:
        each.append(any_size._replace(n=most, words_once=False, processes=1))
    return [job._replace(repeat=repeat) for repeat in range(repeats) for job in each]


def refusal(model: str) -> str:
    """Why the library's tokenization has to be taken for a model, in a sentence; "" if it has not."""
    told = static_encoding.refusal(encoders.load(model).model)
    return f"{model}: {told}, so its documents are tokenized as the library does it." if told else ""


def repeats_of(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs by what they did: those that differ in nothing but their repeat together."""
    groups: dict[Job, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.job._replace(repeat=0), []).append(run)
    return list(groups.values())


def middle(runs: Sequence[Run]) -> Run:
    """The run of median total time; of two, the slower."""
    return sorted(runs, key=lambda run: run.total_seconds)[len(runs) // 2]


def measure(job: Job) -> Run:
    """Do a job, or find it done on this machine.

    Raises WorkbookError, before the start, for more than memory or disk would hold.
    """
    check(job)
    corpus, encoder = corpora.load(job.corpus), encoders.load(job.model)
    stream = document_streams.of(corpus, job.n, job.seed, job.most)
    where = {}
    if job.is_remote:
        where = {"engine_name": job.engine_name, "placement": asdict(job.placement), "server": server.identity()}
    done = {name: value for name, value in job._asdict().items() if name not in ("engine_name", "placement", "most")}
    about = results.plain({
        **done, **where, "corpus": corpus.sha256, "texts": stream.identity, "model": encoder.identity("document"),
        "shard": document_streams.SHARD, "batch": ingest.BATCH, "m": engine.M, "ef_construct": engine.EF_CONSTRUCT,
    })  # fmt: skip
    folder = paths.DATA / "scale" / results.key_of(about)

    def work() -> dict:
        check_room(job)
        with bar(total=job.n, desc=f"{job.n:,} documents", unit=" documents") as progress:
            return isolated.run(ingest.run, job, folder, progress=progress.update, gently=job.is_remote)

    with locks.alone(folder):
        record = results.remember("scale", about, work)
    told = results.remember("texts", {"texts": stream.identity}, stream.vocabulary)["values"]
    return Run(
        stream.label, encoder.name, job, **record["values"], key=record["key"], server=where.get("server"), **told
    )


def check(job: Job) -> None:
    """Raise WorkbookError for a job that cannot work; loads nothing."""
    corpora.check(job.corpus)
    encoders.check(job.model)
    vectors.check_dimensions(job.model, [job.dimension])
    quantization.check([job.setting], [job.dimension])
    engine.check(job.engine_name, [job.setting], [job.search])
    if job.is_remote:
        job.placement.check(SETTINGS[job.setting])
    for name in ("n", "waiting", "processes"):
        if getattr(job, name) < 1:
            raise WorkbookError(f"{name} must be 1 or more, not {getattr(job, name)}")


def check_room(job: Job) -> None:
    """Raise WorkbookError, with the numbers, if memory or disk is too small for the job; a server's are not known."""
    paths.DATA.mkdir(parents=True, exist_ok=True)
    once = job.n * job.dimension * 4
    vectors = once if job.is_remote else edge.COPIES * once  # the shards alone
    for what, needed, free in [
        ("memory", RESERVE * job.processes + (0 if job.is_remote else vectors), psutil.virtual_memory().available),
        ("disk", vectors, shutil.disk_usage(paths.DATA).free),
    ]:
        if needed > free:
            raise WorkbookError(
                f"{job.n:,} documents x {job.dimension} dimensions need about {needed / 1e9:,.1f} GB of {what}, "
                f"{free / 1e9:,.1f} GB are free: give fewer documents or dimensions"
            )
