"""What several tests share: queries and texts to search for, and an index on the stand-in."""

from contextlib import ExitStack, closing

import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from workbook.experiments import existing
from workbook.qdrant import server as remote
from workbook.qdrant.client import ANYWHERE, ClientIndex
from workbook.qdrant.quantization import SETTINGS


@pytest.fixture
def index_on(server):
    """Make an index on the server; it is closed in the end."""
    with ExitStack() as stack:

        def make(placement=ANYWHERE, setting="scalar-int8", dimension=64, **options):
            index = ClientIndex(SETTINGS[setting], dimension, 16, 100, memory=False, placement=placement, **options)
            return stack.enter_context(closing(index))

        yield make


@pytest.fixture
def nothing_told():
    """As in a process that has told nothing yet."""
    remote.tell.cache_clear()


@pytest.fixture(scope="session")
def queries(unit_vectors):
    """Twenty queries that are no document; longer than 1, as cosine distance must not care."""
    return 3 * unit_vectors[:20] + 2 * unit_vectors[20:40]


@pytest.fixture(scope="session")
def top_ten(unit_vectors, queries):
    """What exact search must find, by numpy: ids and cosines."""
    cosines = queries @ unit_vectors.T / np.linalg.norm(queries, axis=1, keepdims=True)
    ids = np.argsort(-cosines, axis=1)[:, :10]
    return ids, np.take_along_axis(cosines, ids, axis=1)


@pytest.fixture(scope="session")
def texts():
    """500 texts of some of forty words, of different lengths; the first twenty are also asked for."""
    random, words = np.random.default_rng(1), [f"word{number}" for number in range(40)]
    return [" ".join(random.choice(words, random.integers(1, 12))) for _ in range(500)]


@pytest.fixture
def fill(server, unit_vectors):
    """Make a collection of n points on the server, by name and configuration; vectors are the unit vectors'."""
    qdrant = QdrantClient(url=server.url, check_compatibility=False)

    def make(name, vectors_config, n=500, **config):
        qdrant.create_collection(name, vectors_config, **config)
        names = list(vectors_config) if isinstance(vectors_config, dict) else []
        points = [
            models.PointStruct(id=row, vector=dict.fromkeys(names, vector) if names else vector)
            for row, vector in enumerate(unit_vectors[:n].tolist())
        ]
        qdrant.upsert(name, points)
        server.requests.clear()

    yield make
    qdrant.close()


@pytest.fixture
def articles(fill):
    scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
    fill(
        "articles", models.VectorParams(size=64, distance=models.Distance.COSINE), shard_number=2,
        quantization_config=models.ScalarQuantization(scalar=scalar),
    )  # fmt: skip


@pytest.fixture
def measured():
    """Measure `articles`, and give all but the times."""

    def measure():
        rows = existing.measure("articles", "", ["float32"], ["full-ef"], queries=20)
        return rows[rows["metric"] != "latency ms"].to_csv()

    return measure
