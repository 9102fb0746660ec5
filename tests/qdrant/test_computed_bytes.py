"""The computed bytes of a search are a bound of what Edge's files hold, and not a far one; and their parts by hand."""

import numpy as np
import pytest
from workbook.corpora import corpora
from workbook.qdrant import bm25, engine, quantization
from workbook.qdrant.bm25 import Bm25, Sparse
from workbook.qdrant.quantization import SETTINGS

NEAR = 0.75  # of what Edge measures, in blocks of the disk: those of five small files weigh in the sample's words
FAR = 1.6  # times as much: every list of links is taken as full, and few are
HEADERS = 2_000  # bytes of an index's fixed parts


def vectors(n, dimension):
    found = np.random.default_rng(0).standard_normal((n, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def texts(copies):
    """The sample's documents, and so many more of their words drawn anew."""
    random, found = np.random.default_rng(0), list(corpora.load("sample").document_texts)
    drawn = [random.choice(text.split(), len(text.split())) for _ in range(copies - 1) for text in found]
    return found + [" ".join(words) for words in drawn]


def words_of(copies):
    stored = texts(copies)
    return Bm25(bm25.average_words(stored)).documents(stored)


def ratio(index, dimension, words=None):
    """Computed bytes of a search to those that Edge measures."""
    return quantization.searched_bytes(index.setting, dimension, index.n, engine.M, words) / index.searched_bytes()


def held(index, folder):
    """Bytes in the files of a part of the index, not in blocks."""
    files = index._backend._path.glob(f"segments/*/{folder}/*")
    return sum(file.stat().st_size for file in files)


@pytest.mark.parametrize(
    ("n", "dimension", "m"),
    [(50, 16, 16), (500, 64, 8), (500, 64, 16), (500, 64, 32), (5_000, 16, 16), (5_000, 64, 16)],
)
def test_a_graph_on_edge_is_within_the_bound(n, dimension, m):
    with engine.build(vectors(n, dimension), m=m) as index:
        assert held(index, "vector_index") <= n * quantization.graph_bytes(n, m) + HEADERS


@pytest.mark.parametrize("copies", [1, 10])
def test_an_index_of_words_on_edge_is_within_the_bound_and_near(copies):
    words = words_of(copies)
    with engine.build(None, words=words) as index:
        assert held(index, "vector_index-bm25") <= quantization.words_bytes(words) + HEADERS
        assert NEAR <= ratio(index, 0, words) <= FAR


@pytest.mark.parametrize("with_words", [False, True])
@pytest.mark.parametrize("setting", ["float32", "scalar-int8", "binary"])
def test_what_a_search_reads_is_near_what_edge_measures(unit_vectors, setting, with_words):
    words = words_of(9)[:500] if with_words else None
    with engine.build(unit_vectors, setting, words=words) as index:
        assert NEAR <= ratio(index, 64, words) <= FAR


def test_codes_beside_a_graph_of_few_links_are_the_farthest():
    with engine.build(vectors(5_000, 16), "binary") as index:
        assert 1 < ratio(index, 16) <= FAR


def test_the_parts_by_hand():
    links, lists = 8 + 4 * 2 / 3, 1 + 2 / 3  # m = 4: 2/3 higher levels in the mean
    assert quantization.graph_bytes(1_000, 4) == pytest.approx(links * 10 / 8 + 3 * lists + 4 + 12)
    assert quantization.graph_bytes(2, 4) == pytest.approx(links + 3 * lists + 4 + 12), "no link takes less than a byte"
    words = [Sparse([7, 8], [1.0, 1.0]), Sparse([8], [1.0]), Sparse([], [])]
    assert quantization.words_bytes(words) == 3 * 8 + 2 * 48
    assert quantization.words_bytes([]) == 0
    searched, graph = quantization.searched_bytes, quantization.graph_bytes(1_000, 4)
    assert searched(SETTINGS["scalar-int8"], 0, 3, 4, words) == (3 * 8 + 2 * 48) / 3, "no vectors, no codes"
    assert searched(SETTINGS["binary"], 384, 1_000, 4, None) == 48 + graph
