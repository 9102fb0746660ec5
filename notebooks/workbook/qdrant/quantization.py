"""The vocabulary of quantization: every setting once, its size, how each engine is told, and what its codes must be.

A setting is the `quantization_config` of Qdrant's REST interface; both engines are given that and report it back, so
what was asked can be compared with what applied. Binary and scalar codes are also computed here, in numpy, as oracles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt

import numpy as np

from workbook.errors import WorkbookError
from workbook.qdrant.bm25 import Sparse

CENTROIDS = 256  # of a product codebook: one byte each


@dataclass(frozen=True)
class Setting:
    """One way to store vectors: `bits` per dimension, filled up to whole blocks of bytes, plus bytes per vector.

    Block and overhead are those of the engine's own files; a test compares them.
    """

    name: str
    bits: float
    config: dict[str, dict[str, str]] = field(default_factory=dict)
    block: int = 1
    overhead: int = 0

    @property
    def family(self) -> str:
        """none, scalar, product, binary or turbo."""
        return next(iter(self.config), "none")

    @property
    def is_oracle_known(self) -> bool:
        """Whether `binary_scores` gives exactly the engine's scores."""
        return self.config == {"binary": {"encoding": "one_bit"}}

    def bytes_per_vector(self, dimension: int) -> int:
        """Bytes that one vector takes in what is searched: its code, or its float32 numbers."""
        return ceil(dimension * self.bits / 8 / self.block) * self.block + self.overhead


def _product(ratio: int) -> Setting:
    return Setting(f"product-x{ratio}", 32 / ratio, {"product": {"compression": f"x{ratio}"}})


def _turbo(bits: str, overhead: int = 8) -> Setting:
    return Setting(f"turbo-{bits}bit", float(bits), {"turbo": {"bits": f"bits{bits.replace('.', '_')}"}}, 1, overhead)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in [
        Setting("float32", 32),
        Setting("scalar-int8", 8, {"scalar": {"type": "int8"}}, block=16, overhead=4),
        *map(_product, (4, 8, 16, 32, 64)),
        Setting("binary", 1, {"binary": {"encoding": "one_bit"}}, block=16),
        Setting("binary-1.5bit", 1.5, {"binary": {"encoding": "one_and_half_bits"}}, block=16),
        Setting("binary-2bit", 2, {"binary": {"encoding": "two_bits"}}, block=16),
        Setting(
            "binary-scalar8-query", 1, {"binary": {"encoding": "one_bit", "query_encoding": "scalar8bits"}}, block=16
        ),
        *map(_turbo, ("1", "1.5", "2", "4")),
        _turbo("8", overhead=4),
    ]
}


def check(settings: list[str], dimensions: list[int]) -> None:
    """Raise WorkbookError for an unknown setting, or a product ratio that does not divide a dimension."""
    for name in settings:
        if name not in SETTINGS:
            raise WorkbookError(f"unknown quantization {name!r}: give one of {', '.join(SETTINGS)}")
        if SETTINGS[name].family == "product":
            chunk = round(8 / SETTINGS[name].bits)
            for dimension in dimensions:
                if dimension % chunk:
                    raise WorkbookError(
                        f"{name} codes {chunk} numbers in one byte, which does not divide {dimension} dimensions"
                    )


def edge_config(setting: Setting) -> object | None:
    """The setting as Qdrant Edge takes it; None for float32."""
    import qdrant_edge as edge

    options = setting.config.get(setting.family, {})
    match setting.family:
        case "none":
            return None
        case "scalar":
            return edge.ScalarQuantizationConfig(type=_member(edge.ScalarType, options["type"]))
        case "product":
            return edge.ProductQuantizationConfig(_member(edge.CompressionRatio, options["compression"]))
        case "turbo":
            return edge.TurboQuantQuantizationConfig(bits=_member(edge.TurboQuantBitSize, options["bits"]))
    query = options.get("query_encoding")
    return edge.BinaryQuantizationConfig(
        encoding=_member(edge.BinaryQuantizationEncoding, options["encoding"]),
        query_encoding=_member(edge.BinaryQuantizationQueryEncoding, query) if query else None,
    )


def client_config(setting: Setting) -> object | None:
    """The setting as qdrant-client takes it; None for float32."""
    from pydantic import TypeAdapter
    from qdrant_client import models

    return TypeAdapter(models.QuantizationConfig).validate_python(setting.config) if setting.config else None


def codes(setting: Setting, vectors: np.ndarray) -> np.ndarray:
    """Codes of float32 vectors (n, d) as the engine stores them, without overhead: uint8 (n, bytes).

    Binary: a bit for each positive number, filled up to whole blocks. Scalar: 0 to 127 between the lowest and the
    highest number of all vectors. Raises WorkbookError for the settings whose codes are only the engine's to know.
    """
    if setting.is_oracle_known:
        bits = np.packbits(vectors > 0, axis=1, bitorder="little")
        return np.pad(bits, ((0, 0), (0, setting.bytes_per_vector(vectors.shape[1]) - bits.shape[1])))
    if setting.family == "scalar":
        step = (vectors.max() - vectors.min()) / np.float32(127) or np.float32(1)  # all numbers are equal: code 0
        return np.clip(np.round((vectors - vectors.min()) / step), 0, 127).astype(np.uint8)
    raise WorkbookError(f"the codes of {setting.name} are not computed here")


def binary_scores(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Scores of one-bit codes, as the engine counts them: sign(q) . sign(d), int (queries, documents)."""
    one = np.float32(1)  # counts are exact in float32, and multiply many times as fast as integers
    return (np.where(queries > 0, one, -one) @ np.where(documents > 0, one, -one).T).astype(int)


def _member(kind: type, value: str) -> object:
    """The member of an Edge enum that REST calls `value`: OneAndHalfBits for "one_and_half_bits"."""
    plain = value.replace("_", "").lower()
    return next(getattr(kind, name) for name in dir(kind) if name.replace("_", "").lower() == plain)


# Bytes that a search reads, computed for the engines that do not tell what their files take. They are counted as Qdrant
# writes its files (1.18: `graph_links/serializer.rs`, `bitpacking_links.rs`, `entry_points.rs`,
# `inverted_index_compressed_mmap.rs`, `indices_tracker.rs`), with all documents in one segment and every list full:
# a bound, which Edge's files keep within. A test compares the two.
_LEAST_BITS = 8  # of a link
_ENTRY = 12  # bytes of an entry point: an id and its level
_PLACE = 4  # bytes: where a document stands among those of the higher levels
_OFFSET = 2  # bytes, rounded up: where a list of links begins, packed
_POSTING = 8  # bytes: a document's id and the word's weight in it
_HEADER = 24  # bytes: where the documents of a word are
_NAME = 24  # bytes of JSON at most: a word's hash and its place, of ten digits each, with quotes, colon and comma


def searched_bytes(setting: Setting, dimension: int, n: int, m: int, words: Sequence[Sparse] | None) -> float:
    """Bytes of one of n documents that a search reads: code (float32: vector), HNSW graph, and index of words.

    `dimension` 0: no vectors; `words`: the stored sparse vectors, if there are any.
    """
    vector = setting.bytes_per_vector(dimension) + graph_bytes(n, m) if dimension else 0
    return vector + words_bytes(words or []) / n


def graph_bytes(n: int, m: int) -> float:
    """Bytes of one of n documents in an HNSW graph of `m`: 2m links on the lowest level, m on each higher one.

    A document's level is round(-ln(u) / ln(m)), u uniform, so it is on sqrt(m) / (m - 1) higher levels in the mean.
    A link takes the bits of the largest id, and a list a byte more. Edge's graph is smaller, of real texts down to
    about a third: it leaves out links to documents that others lead to, and writes ids as differences. A very small
    one is larger, as its files fill blocks of the disk.
    """
    higher = sqrt(m) / (m - 1)
    bits = max(_LEAST_BITS, (n - 1).bit_length())
    return (2 * m + m * higher) * bits / 8 + (1 + higher) * (1 + _OFFSET) + _PLACE + _ENTRY


def words_bytes(words: Sequence[Sparse]) -> int:
    """Bytes of the index of words of all documents: postings, and of each distinct word its header and its name.

    Edge packs the ids of frequent words, so that its index is smaller, by up to a half where all are frequent. In
    shards a word counts in each that has it, and in RAM a server takes more for a word.
    """
    postings = sum(len(each.indices) for each in words)
    distinct = len(set().union(*(each.indices for each in words)))
    return postings * _POSTING + distinct * (_HEADER + _NAME)
