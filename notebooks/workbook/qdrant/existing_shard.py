"""An existing Edge shard, searched and quantized anew in a copy. The original is read, file by file, and never opened.

To open a shard is to write in its folder (its edge_config.json, its write-ahead log), and Qdrant Edge does that even in
a folder that is none. A setting is written into the copy's edge_config.json, which is in the words of REST, so that all
else stays as it is, HNSW settings included; what then applied is read back from the segments.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge

from workbook import locks, paths
from workbook.errors import WorkbookError
from workbook.qdrant import edge, existing_facts
from workbook.qdrant.edge import BATCH, Answers
from workbook.qdrant.existing_facts import Facts
from workbook.qdrant.quantization import Search, Setting


def look(folder: Path, vector_name: str) -> tuple[str, dict[str, Any]]:
    """Name and configuration of the vector that is meant, from a segment's own file; writes nothing.

    Raises WorkbookError for a folder that is no shard, or a vector that cannot be measured.
    """
    files = sorted(folder.glob("segments/*/segment.json")) if paths.exists(folder) else []
    if not files:
        raise WorkbookError(f"{folder} is no Edge shard (no segments/*/segment.json in it): give the folder of one")
    try:
        config = json.loads(files[0].read_text(encoding="utf-8"))["config"]
        dense, sparse = config.get("vector_data") or {}, config.get("sparse_vector_data") or {}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise WorkbookError(f"{files[0]}: not what Qdrant writes there; is the file cut short?") from error
    name = existing_facts.choose(dense, sparse, vector_name, str(folder))
    return name, dense[name]


@contextmanager
def opened(folder: Path, vector_name: str) -> Iterator["Shard"]:
    """Open a copy of the shard, which is gone afterwards. Raises WorkbookError as `look` and `copy_of` do."""
    name, params = look(folder, vector_name)
    with copy_of(folder) as (copy, sha256):
        shard = Shard(copy, name, params, sha256)
        try:
            yield shard
        finally:
            shard.close()


class Shard:
    """One vector of a shard, in an open copy."""

    def __init__(self, folder: Path, vector: str, params: dict[str, Any], sha256: str):
        self._folder, self._vector, self._params, self._sha256 = folder, vector, params, sha256
        self._has_it = qdrant_edge.Filter(must=[qdrant_edge.HasVectorCondition(vector)])
        self._open()

    def facts(self) -> Facts:
        """What the shard is now; quantization and HNSW settings are those of the segments that are indexed."""
        datatype = self._params.get("datatype") or "float32"
        indexed = [segment for segment in self._segments() if segment["index"]["type"] == "hnsw"]
        labels = {existing_facts.label(segment["quantization_config"], datatype) for segment in indexed}
        graph = indexed[0]["index"]["options"] if indexed else {}
        return Facts(
            "Edge shard", self._folder.name, self._vector, self._params["size"], self._params["distance"], datatype,
            points=self._shard.info().points_count, vectors=self._count(),
            setting=" and ".join(sorted(labels)) or datatype, indexed=self._indexed(),
            m=graph.get("m"), ef_construct=graph.get("ef_construct"), full_scan_kb=graph.get("full_scan_threshold"),
            segments=self._shard.info().segments_count, sha256=self._sha256,
        )  # fmt: skip

    def ids(self) -> list:
        """Ids of the points that have the vector, in order."""
        found, offset = [], None
        while True:
            request = qdrant_edge.ScrollRequest(
                offset=offset, limit=BATCH, filter=self._has_it, with_payload=False, with_vector=False
            )
            records, offset = self._shard.scroll(request)
            found += [record.id for record in records]
            if offset is None:
                return found

    def payloads(self, ids: Sequence) -> list[dict[str, Any]]:
        """The payloads of points."""
        records = self._shard.retrieve(list(ids), with_payload=True, with_vector=False)
        found = {record.id: record.payload or {} for record in records}
        return [found[each] for each in ids]

    def vectors(self, ids: Sequence) -> np.ndarray:
        """The stored vectors of points that have one: float32 (ids, size)."""
        records = self._shard.retrieve(list(ids), with_payload=False, with_vector=[self._vector])
        # the unnamed one comes as it is, a named one by its name
        found = {record.id: record.vector[self._vector] if self._vector else record.vector for record in records}
        return np.array([found[each] for each in ids], dtype=np.float32)

    def search(self, queries: np.ndarray, limit: int, search: Search | None) -> Answers:
        """Search float32 queries (q, size) as one batch; None: the shard searches by its own defaults."""
        return edge.nearest(self._shard, queries, limit, search and edge.params(search), self._vector)

    def scores(self, queries: np.ndarray, ids: Sequence[Sequence]) -> list[list[float]]:
        """Exact scores of some points for each query, best first."""
        told = edge.params(Search(exact=True))
        requests = [
            qdrant_edge.QueryRequest(
                limit=len(wanted), query=qdrant_edge.Query.Nearest(query, using=self._vector or None), params=told,
                filter=qdrant_edge.Filter(must=[qdrant_edge.HasIdCondition(set(wanted))]),
            )
            for query, wanted in zip(queries, ids, strict=True)
        ]  # fmt: skip
        return edge.query(self._shard, requests)[1]

    def check(self, limit: int, searches: Sequence[Search]) -> None:
        """Do nothing: only a server has a strict mode, which may forbid searches."""

    def rebuild(self) -> None:
        """Index every vector in one segment, with the quantization and the HNSW settings that the shard has."""
        self._optimize({})

    def quantize(self, setting: Setting) -> None:
        """Give the vector that quantization. Raises WorkbookError if not every vector has it then."""
        own = setting.config or None
        self._optimize({"quantization_config": own})
        applied = [segment["quantization_config"] for segment in self._segments() if segment["index"]["type"] == "hnsw"]
        codes = self._files("vector_storage", "quantized.config.json")
        coded = sum(each["vector_parameters"].get("count", 0) for each in codes)
        if any(each != own for each in applied) or (own and coded < self._count()):
            raise WorkbookError(f"asked for quantization {own}, the segments report {applied} for {coded} vectors")

    def close(self) -> None:
        self._shard.close()

    def _open(self) -> None:
        try:
            self._shard = qdrant_edge.EdgeShard.load(str(self._folder))
        except Exception as error:  # Qdrant Edge raises nothing more particular
            reason = str(error).splitlines()[0]
            raise WorkbookError(f"Qdrant Edge cannot open a copy of {self._folder.name}: {reason}") from error

    def _optimize(self, changes: dict[str, Any]) -> None:
        self.close()
        file = self._folder / "edge_config.json"  # a shard without one has got it by being opened
        config = json.loads(file.read_text(encoding="utf-8"))
        config["vectors"][self._vector] |= changes
        config |= dict.fromkeys(changes)  # what holds for all vectors would come back where this one has none
        # from 1 KB on, in one segment: a small shard would stay unindexed and, silently, unquantized
        told = {"indexing_threshold": 1, "default_segment_number": 1}
        config["optimizers"] = (config.get("optimizers") or {}) | told
        file.write_text(json.dumps(config), encoding="utf-8")
        self._open()
        with paths.told_when_unwritable(self._folder):
            self._shard.optimize()
            self._shard.flush()
        if self._indexed() < self._count():
            raise WorkbookError(f"only {self._indexed()} of {self._count()} vectors are indexed (none below 1 KB)")

    def _count(self) -> int:
        return self._shard.count(qdrant_edge.CountRequest(filter=self._has_it, exact=True))

    def _indexed(self) -> int:
        return sum(graph["indexed_vector_count"] or 0 for graph in self._files("vector_index", "hnsw_config.json"))

    def _segments(self) -> Iterator[dict[str, Any]]:
        """What each segment says of the vector."""
        for file in self._folder.glob("segments/*/segment.json"):
            yield json.loads(file.read_text(encoding="utf-8"))["config"]["vector_data"][self._vector]

    def _files(self, part: str, name: str) -> Iterator[dict[str, Any]]:
        """A JSON file of the vector's own, from each segment that has it."""
        own = f"{part}-{self._vector}" if self._vector else part
        for file in self._folder.glob(f"segments/*/{own}/{name}"):
            yield json.loads(file.read_text(encoding="utf-8"))


BLOCK = 1 << 16  # bytes read at once
ROOM = 3  # times the folder's size: the copy, and in it a segment beside the one that it replaces


@contextmanager
def copy_of(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give a copy, on the RAM disk if it has room there, else in the data folder, and the sha256 of what was copied.

    Raises WorkbookError without room for it, and if the original is not the same afterwards.
    """
    scratch = locks.Scratch(_room_for(folder))
    copy = scratch.path / folder.resolve().name
    try:
        with paths.told_when_unwritable(copy):
            for file in folder.rglob("*"):
                if file.is_file():
                    _copy(file, copy / file.relative_to(folder))
        before = fingerprint(copy)
        yield copy, before
    finally:
        scratch.close()
    if fingerprint(folder) != before:
        raise WorkbookError(f"{folder} changed while its copy was measured: stop what writes to it and measure again")


def fingerprint(folder: Path) -> str:
    """sha256 of the name and content of every file."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{file.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _copy(file: Path, copy: Path) -> None:
    """Copy a file with its blocks of zeros as holes: shutil.copy would fill them, 70 MB for a hundred vectors."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb") as stream, copy.open("wb") as written:
        while block := stream.read(BLOCK):
            if any(block):
                written.write(block)
            else:
                written.seek(len(block), 1)
        written.truncate()  # a hole at the end has not been written


def _room_for(folder: Path) -> Path:
    needed = ROOM * sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    disk = paths.DATA / "scale"
    with paths.told_when_unwritable(disk):
        disk.mkdir(parents=True, exist_ok=True)
    for place in (edge.RAM_DISK, disk):
        locks.remove_left(place)
        if place.is_dir() and shutil.disk_usage(place).free > needed:
            return place
    raise WorkbookError(
        f"{folder} is measured on a copy, which may take {needed / 1e6:,.0f} MB: make room, or set WORKBOOK_DATA to a "
        f"folder that has it"
    )
