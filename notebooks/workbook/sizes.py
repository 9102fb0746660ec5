"""Bytes of one document that a search reads, computed: for the engines that do not tell what their files take.

They are counted as Qdrant writes its files (1.18: `graph_links/serializer.rs`, `bitpacking_links.rs`,
`entry_points.rs`, `inverted_index_compressed_mmap.rs`, `indices_tracker.rs`), with all documents in one segment and
every list full: a bound, which Edge's files keep within. A test compares the two.
"""

from collections.abc import Sequence
from math import sqrt

from workbook.bm25 import Sparse
from workbook.quantization import Setting

LEAST_BITS = 8  # of a link
ENTRY = 12  # bytes of an entry point: an id and its level
PLACE = 4  # bytes: where a document stands among those of the higher levels
OFFSET = 2  # bytes, rounded up: where a list of links begins, packed
POSTING = 8  # bytes: a document's id and the word's weight in it
HEADER = 24  # bytes: where the documents of a word are
NAME = 24  # bytes of JSON at most: a word's hash and its place, of ten digits each, with quotes, colon and comma


def searched(setting: Setting, dimension: int, n: int, m: int, words: Sequence[Sparse] | None) -> float:
    """Bytes of one of n documents that a search reads: code (float32: vector), HNSW graph, and index of words.

    `dimension` 0: no vectors; `words`: the stored sparse vectors, if there are any.
    """
    vector = setting.bytes_per_vector(dimension) + graph(n, m) if dimension else 0
    return vector + index_of_words(words or []) / n


def graph(n: int, m: int) -> float:
    """Bytes of one of n documents in an HNSW graph of `m`: 2m links on the lowest level, m on each higher one.

    A document's level is round(-ln(u) / ln(m)), u uniform, so it is on sqrt(m) / (m - 1) higher levels in the mean.
    A link takes the bits of the largest id, and a list a byte more. Edge's graph is smaller, of real texts down to
    about a third: it leaves out links to documents that others lead to, and writes ids as differences. A very small
    one is larger, as its files fill blocks of the disk.
    """
    higher = sqrt(m) / (m - 1)
    bits = max(LEAST_BITS, (n - 1).bit_length())
    return (2 * m + m * higher) * bits / 8 + (1 + higher) * (1 + OFFSET) + PLACE + ENTRY


def index_of_words(words: Sequence[Sparse]) -> int:
    """Bytes of the index of words of all documents: postings, and of each distinct word its header and its name.

    Edge packs the ids of frequent words, so that its index is smaller, by up to a half where all are frequent. In
    shards a word counts in each that has it, and in RAM a server takes more for a word.
    """
    postings = sum(len(each.indices) for each in words)
    distinct = len(set().union(*(each.indices for each in words)))
    return postings * POSTING + distinct * (HEADER + NAME)
