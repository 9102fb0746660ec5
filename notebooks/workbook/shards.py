"""Encoded vectors on disk in shards, each named by its first document: what an interrupted run goes on from."""

import json
import shutil
import time
from pathlib import Path

import numpy as np

from workbook import paths, vectors


class Shards:
    """The shards of one run, and the seconds that earlier attempts at it worked until their last whole shard."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._seconds = folder / "seconds.json"
        self.spent = self._read_seconds()
        if not self.spent:  # what was encoded in a time that is not known is of no use
            shutil.rmtree(folder, ignore_errors=True)
        self._began = time.perf_counter()

    def read(self, first: int, rows: int) -> np.ndarray | None:
        """A whole shard of float32 vectors (rows, d), or None: missing, cut short or of another size."""
        return vectors.read_shard(self._file(first), rows)

    def write(self, first: int, shard: np.ndarray) -> None:
        """Write a shard whole or not at all. Raises WorkbookError on a full disk."""
        with paths.atomic(self._seconds) as temporary:  # before the shard: no work is found whose time is not
            temporary.write_text(json.dumps(self.spent + time.perf_counter() - self._began), encoding="utf-8")
        with paths.atomic(self._file(first)) as temporary:
            vectors.write_npy(temporary, [shard], shard.shape)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Vectors of documents, an array of their numbers: float32, its shape with d added."""
        firsts = np.array(sorted(int(file.stem) for file in self._folder.glob("*.npy")))
        places = np.searchsorted(firsts, numbers, side="right") - 1
        found = np.array([self._row(*pair) for pair in zip(firsts[places].flat, numbers.flat, strict=True)])
        return found.reshape(*numbers.shape, -1)

    def bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self._folder.glob("*.npy"))

    def _row(self, first: int, number: int) -> np.ndarray:
        return np.load(self._file(first), mmap_mode="r")[number - first]

    def _file(self, first: int) -> Path:
        return self._folder / f"{first:012d}.npy"

    def _read_seconds(self) -> float:
        try:
            return float(json.loads(self._seconds.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, OverflowError, RecursionError):
            return 0.0
