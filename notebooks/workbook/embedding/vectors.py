"""Encode texts once: vectors are kept on disk under the hash of all that decides them. Truncate them when read.

A finished entry is one folder: vectors.npy (float32, as the model gave them) and manifest.json. While it is being
encoded, its `Shards` stand beside it, so an interrupted run goes on where it stopped.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from workbook import locks, paths
from workbook.embedding.encoders import Encoder, Role
from workbook.embedding.models import MODELS
from workbook.errors import WorkbookError
from workbook.progress import bar

SHARD = 512  # texts encoded before something is saved: about 20 seconds of work for a small transformer on a laptop


def encode(encoder: Encoder, texts: Sequence[str], role: Role = "document") -> np.ndarray:
    """Encode texts or find them encoded: float32 (n, d), not normalised.

    Each distinct text is encoded once, in an order that follows from the texts alone. A transformer's vector of a text
    differs in the 7th digit with the texts beside it in the batch: in file order, equal texts would get unequal vectors
    and the order of a file would move scores. A query without a token that the model knows gets zeros.
    Raises WorkbookError for no texts at all or vectors that are not finite.
    """
    if not texts:
        raise WorkbookError("no texts to encode")
    folder, identity, distinct = _entry(encoder, texts, role)
    with locks.alone(folder):
        unfinished = folder.with_name(f"{folder.name}.shards")
        if not _is_complete(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _encode_to(folder, identity, encoder, distinct, role, Shards(unfinished))
        shutil.rmtree(unfinished, ignore_errors=True)
    number = {text: place for place, text in enumerate(distinct)}
    return np.load(folder / "vectors.npy", mmap_mode="r")[[number[text] for text in texts]]


def is_kept(encoder: Encoder, texts: Sequence[str], role: Role = "document") -> bool:
    """Whether these texts were encoded before, so that `encode` finds them."""
    return (_entry(encoder, texts, role)[0] / "manifest.json").is_file()


def _entry(encoder: Encoder, texts: Sequence[str], role: Role) -> tuple[Path, dict, list[str]]:
    """The folder of encoded texts, all that decides it, and the distinct texts in the order of their vectors."""
    # by hash: long texts are spread, so that the bar tells the time left right
    distinct = sorted(set(texts), key=lambda text: hashlib.sha256(text.encode()).digest())
    identity = {**encoder.identity(role), "texts": texts_sha256(distinct), "n": len(distinct), "role": role}
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = paths.DATA / "vectors" / f"{str(identity['model']).replace('/', '--')}-{key}"  # of who reads that role
    return folder, identity, distinct


def truncate(vectors: np.ndarray, dimension: int) -> np.ndarray:
    """Keep the first `dimension` numbers of each vector and scale it to length 1: float32 (n, dimension).

    A zero vector (no known token in the text) stays zero. Raises WorkbookError if there are not that many.
    """
    if not 1 <= dimension <= vectors.shape[1]:
        raise WorkbookError(f"vectors of {vectors.shape[1]} dimensions cannot be truncated to {dimension}")
    kept = np.array(vectors[:, :dimension], dtype=np.float32)
    # to about 1, by a power of two, which rounds nothing: in float32 a large number's square is infinite, a tiny's 0
    _, exponents = np.frexp(np.maximum(kept.max(axis=1, keepdims=True), -kept.min(axis=1, keepdims=True)))
    np.ldexp(kept, -exponents, out=kept)
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    return kept / np.where(lengths > 0, lengths, 1)


def check_dimensions(model: str | Encoder, dimensions: Sequence[int]) -> None:
    """Raise WorkbookError if a model has fewer dimensions than asked for. A name is checked if it is registered."""
    known = MODELS.get(model) if isinstance(model, str) else model
    for dimension in dimensions:
        if known and not 1 <= dimension <= known.dimensions:
            name = model if isinstance(model, str) else model.name
            raise WorkbookError(f"{name} has {known.dimensions} dimensions: it cannot be truncated to {dimension}")


def check_finite(encoder: Encoder, vectors: np.ndarray) -> None:
    """Raise WorkbookError if an encoder gave a vector that is not made of finite numbers."""
    if not np.isfinite(vectors).all():
        raise WorkbookError(f"{encoder.name} gave vectors that are not finite numbers; give another model")


def texts_sha256(texts: Sequence[str]) -> str:
    """Hash of the texts in their order."""
    return hashlib.sha256(json.dumps(list(texts), ensure_ascii=False).encode()).hexdigest()


def _is_complete(folder: Path) -> bool:
    """Whether the entry is whole: the manifest is written last and says what the vectors' bytes must be."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        file = folder / "vectors.npy"
        return manifest["vectors_sha256"] == _file_sha256(file) and read_shard(file, manifest["n"]) is not None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _encode_to(
    folder: Path, identity: dict, encoder: Encoder, texts: Sequence[str], role: Role, shards: "Shards"
) -> None:
    batches = {start: texts[start : start + SHARD] for start in range(0, len(texts), SHARD)}
    with bar(total=len(texts), desc=f"encoding with {encoder.name}", unit="text") as progress:
        for start, batch in batches.items():
            if shards.read(start, len(batch)) is None:
                vectors = encoder.encode(batch, role)
                check_finite(encoder, vectors)
                if role == "query":
                    vectors[~encoder.knows(batch)] = 0
                shards.write(start, vectors)
            progress.update(len(batch))
    with paths.atomic(folder) as temporary:
        temporary.mkdir()
        parts = (shards.read(start, len(batch)) for start, batch in batches.items())
        write_npy(temporary / "vectors.npy", parts, (len(texts), encoder.dimensions))
        manifest = {**identity, "vectors_sha256": _file_sha256(temporary / "vectors.npy")}
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def write_npy(file: Path, parts: Iterable[np.ndarray], shape: tuple[int, int]) -> None:
    """Write one .npy by plain writes: on a full disk a memory map kills the process and numpy's own raises no errno."""
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for part in parts:
            stream.write(np.ascontiguousarray(part, dtype="<f4").tobytes())


def read_shard(file: Path, rows: int) -> np.ndarray | None:
    """A finished shard, memory-mapped, float32 (rows, d), or None: missing, cut short or of another size."""
    try:
        vectors = np.load(file, mmap_mode="r")
    except Exception:  # numpy reads a header as Python, and raises what any of its parts raises
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == rows and vectors.dtype == np.float32 else None


def _file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Shards:
    """The finished parts of an encoding, and the seconds that earlier attempts worked until their last whole shard."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._seconds = folder / "seconds.json"
        try:
            self.spent = float(json.loads(self._seconds.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, OverflowError, RecursionError):
            self.spent = 0.0
        if not self.spent:  # a measurement cannot use what was encoded in a time that is not known
            shutil.rmtree(folder, ignore_errors=True)
        self._began = time.perf_counter()

    def read(self, first: int, rows: int) -> np.ndarray | None:
        """A whole shard of float32 vectors (rows, d), or None: missing, cut short or of another size."""
        return read_shard(self._file(first), rows)

    def write(self, first: int, shard: np.ndarray) -> None:
        """Write a shard whole or not at all. Raises WorkbookError on a full disk."""
        with paths.atomic(self._seconds) as temporary:  # before the shard, so that no shard stands without its time
            temporary.write_text(json.dumps(self.spent + time.perf_counter() - self._began), encoding="utf-8")
        with paths.atomic(self._file(first)) as temporary:
            write_npy(temporary, [shard], shard.shape)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Vectors of documents, an array of their numbers: float32, its shape with d added."""
        firsts = np.array(sorted(int(file.stem) for file in self._folder.glob("*.npy")))
        places = np.searchsorted(firsts, numbers, side="right") - 1
        pairs = zip(firsts[places].flat, numbers.flat, strict=True)
        found = [np.load(self._file(first), mmap_mode="r")[number - first] for first, number in pairs]
        return np.array(found).reshape(*numbers.shape, -1)

    def bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self._folder.glob("*.npy"))

    def _file(self, first: int) -> Path:
        return self._folder / f"{first:012d}.npy"
