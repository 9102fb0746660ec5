"""Quantization settings and searches by the names that parameters give them, and the bytes that a search reads.

A setting is the `quantization_config` of Qdrant's REST interface. Both engines are given that and report it back, so
what was asked can be compared with what applied.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
import qdrant_edge as edge
from pydantic import TypeAdapter
from qdrant_client import models

from workbook.errors import WorkbookError
from workbook.qdrant.bm25 import Sparse

ALL = -1  # as hnsw_ef: as many candidates as there are vectors
CENTROIDS = 256  # of a product codebook: one byte each


@dataclass(frozen=True)
class Setting:
    """One way to store vectors: `bits` per dimension, rounded up to whole blocks of bytes, plus overhead per vector.

    Block and overhead are those of the engine's own files; a test compares them. `since` is the first version of a
    server that has the setting.
    """

    name: str
    bits: float
    config: dict[str, dict[str, str]] = field(default_factory=dict)
    block: int = 1
    overhead: int = 0
    since: tuple[int, int] = (0, 0)

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


def _turbo(bits: str, overhead: int = 8, since: tuple[int, int] = (1, 18)) -> Setting:
    config = {"turbo": {"bits": f"bits{bits.replace('.', '_')}"}}
    return Setting(f"turbo-{bits}bit", float(bits), config, overhead=overhead, since=since)


def _binary(name: str, bits: float, since: tuple[int, int] = (1, 15), **options: str) -> Setting:
    return Setting(name, bits, {"binary": options}, block=16, since=since)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in [
        Setting("float32", 32),
        Setting("scalar-int8", 8, {"scalar": {"type": "int8"}}, block=16, overhead=4),
        *map(_product, (4, 8, 16, 32, 64)),
        _binary("binary", 1, since=(0, 0), encoding="one_bit"),
        _binary("binary-1.5bit", 1.5, encoding="one_and_half_bits"),
        _binary("binary-2bit", 2, encoding="two_bits"),
        _binary("binary-scalar8-query", 1, encoding="one_bit", query_encoding="scalar8bits"),
        *map(_turbo, ("1", "1.5", "2", "4")),
        _turbo("8", overhead=4, since=(1, 20)),
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
    kinds = {
        "scalar": edge.ScalarQuantizationConfig,
        "product": edge.ProductQuantizationConfig,
        "binary": edge.BinaryQuantizationConfig,
        "turbo": edge.TurboQuantQuantizationConfig,
    }
    enums = {
        "type": edge.ScalarType,
        "compression": edge.CompressionRatio,
        "encoding": edge.BinaryQuantizationEncoding,
        "query_encoding": edge.BinaryQuantizationQueryEncoding,
        "bits": edge.TurboQuantBitSize,
    }
    for family, options in setting.config.items():
        return kinds[family](**{name: _member(enums[name], value) for name, value in options.items()})
    return None


def _member(kind: type, value: str) -> object:
    """The member of an Edge enum that REST calls `value`: OneAndHalfBits for "one_and_half_bits"."""
    plain = value.replace("_", "").lower()
    return next(getattr(kind, name) for name in dir(kind) if name.replace("_", "").lower() == plain)


def client_config(config: Mapping[str, object]) -> models.QuantizationConfig | None:
    """The config of a setting as qdrant-client takes it; None for float32, whose config is empty."""
    return TypeAdapter(models.QuantizationConfig).validate_python(config) if config else None


def binary_scores(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Scores of one-bit codes, as the engine counts them: sign(q) . sign(d), int (queries, documents)."""
    one = np.float32(1)  # counts are exact in float32, and multiply many times as fast as integers
    return (np.where(queries > 0, one, -one) @ np.where(documents > 0, one, -one).T).astype(int)


class Search(NamedTuple):
    """How to search. `exact` compares the original vectors, quantized or not; `hnsw_ef=ALL` removes HNSW's own loss.

    Rescoring is always told to the engine, whose default differs by quantization; oversampling needs it.
    """

    hnsw_ef: int | None = None
    exact: bool = False
    rescore: bool = False
    oversampling: float | None = None

    @classmethod
    def named(cls, name: str) -> "Search":
        """The search that a notebook's parameter names. Raises WorkbookError for an unknown name."""
        if name in PLAIN_SEARCHES:
            return PLAIN_SEARCHES[name]
        found = re.fullmatch(r"ef-([1-9]\d*)|rescore-x([1-9]\d*(?:\.\d+)?)(?:-ef-([1-9]\d*))?", name)
        if not found:
            raise WorkbookError(
                f"unknown search {name!r}: give one of {', '.join(PLAIN_SEARCHES)}, ef-N, rescore-xN, rescore-xN-ef-N"
            )
        alone, oversampling, ef = found.groups()
        ef = int(alone or ef or 0) or None
        return cls(hnsw_ef=ef, rescore=bool(oversampling), oversampling=float(oversampling) if oversampling else None)

    def among(self, n: int) -> "Search":
        """The search among n vectors, where ALL candidates are n."""
        return self._replace(hnsw_ef=n) if self.hnsw_ef == ALL else self


PLAIN_SEARCHES = {
    "exact": Search(exact=True),
    "full-ef": Search(hnsw_ef=ALL),
    "default-ef": Search(),
    "rescore": Search(rescore=True),
}


def searched_bytes(setting: Setting, dimension: int, n: int, m: int, words: Sequence[Sparse] | None) -> float:
    """Compute, for the engines that do not tell it, the bytes of one of n documents that a search reads.

    These are its code (float32: its vector), its part of the HNSW graph, and of the index of `words`, the stored sparse
    vectors, if there are any; `dimension` 0: no vectors. They are counted as Qdrant writes its files (1.18:
    `graph_links/serializer.rs`, `bitpacking_links.rs`, `entry_points.rs`, `inverted_index_compressed_mmap.rs`,
    `indices_tracker.rs`), with all documents in one segment and every list full. Edge's files take no more than that
    bound; a test compares the two.
    """
    vector = setting.bytes_per_vector(dimension) + graph_bytes(n, m) if dimension else 0
    return vector + words_bytes(words or []) / n


def graph_bytes(n: int, m: int) -> float:
    """Bytes of one of n documents in an HNSW graph of `m`: 2m links on the lowest level, m on each higher one.

    A document's level is round(-ln(u) / ln(m)), u uniform, so it is on sqrt(m) / (m - 1) higher levels in the mean.
    Edge's graph is smaller, of real texts down to about a third: it leaves out links to documents that others lead to,
    and writes ids as differences. A very small one is larger, as its files fill blocks of the disk.
    """
    higher = sqrt(m) / (m - 1)
    link = max(8, (n - 1).bit_length()) / 8  # the bits of the largest id
    own = 4 + 12  # a document's place among those of the higher levels; an entry point: an id and its level
    each = 1 + 2  # a list of links takes a byte more than they, and two, rounded up, to tell where it begins
    return (2 * m + m * higher) * link + (1 + higher) * each + own


def words_bytes(words: Sequence[Sparse]) -> int:
    """Bytes of the index of words of all documents: postings, and of each distinct word its header and its name.

    Edge packs the ids of frequent words, so that its index is smaller, by up to a half where all are frequent. In
    shards a word counts in each that has it, and in RAM a server takes more for a word.
    """
    postings = sum(len(each.indices) for each in words)
    distinct = len(set().union(*(each.indices for each in words)))
    posting = 8  # a document's id and the word's weight in it
    header = 24  # where the documents of a word are
    name = 24  # JSON at most: the word's hash and its place, of ten digits each, with quotes, colon and comma
    return postings * posting + distinct * (header + name)
