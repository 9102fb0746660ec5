"""Your own collection, measured as it stands and on a copy: precision, proof, and every bad input in one clear line."""

import numpy as np
import pytest
import qdrant_edge
from qdrant_client import QdrantClient, models
from qdrant_edge import Distance, HnswIndexConfig
from shards_on_disk import INDEXED, ONE_BIT, content, make, params, plain, words
from workbook import paths
from workbook.embedding import encoders, vectors
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import existing, existing_truth
from workbook.qdrant import edge, existing_facts, existing_shard
from workbook.qdrant.engine import Search
from workbook.qdrant.existing_shard import Shard

ALL = ["exact", "default-ef", "rescore-x3"]
PRECISION = "ann precision@10"
EXACT = Search(exact=True)
FACTS = existing_facts.Facts("", "", "", 1, "Dot", "float32", 9, 9, "float32", 9, 16, 100, 10, 1, None)


@pytest.fixture(autouse=True)
def ram_disk(tmp_path, monkeypatch, data):
    """A folder for the copies, which must be empty in the end."""
    (tmp_path / "ram").mkdir()
    monkeypatch.setattr(edge, "RAM_DISK", tmp_path / "ram")
    yield
    assert list((tmp_path / "ram").iterdir()) == []


@pytest.fixture
def shard(tmp_path, unit_vectors):
    return plain(tmp_path / "shard", unit_vectors)


def values(frame, metric=PRECISION):
    """The metric's values by work and search."""
    return frame[frame["metric"] == metric].set_index(["variant", "search"])["value"].to_dict()


def test_precision_before_and_after_of_a_shard_that_stays_as_it_is(shard):
    before = content(shard)
    frame = existing.measure(str(shard), "", ["float32", "binary"], ALL, queries=40)
    assert content(shard) == before
    found = values(frame)
    assert list(found) == [
        ("as it stands", "untold"), ("copy, rebuilt", "untold"), ("copy, float32", "default-ef"),
        ("copy, binary", "default-ef"), ("copy, binary", "rescore-x3"),
    ]  # fmt: skip
    assert found["as it stands", "untold"] == 1, "not indexed yet: scanned whole"
    assert found["copy, float32", "default-ef"] > 0.95
    assert 0.3 < found["copy, binary", "default-ef"] < found["copy, binary", "rescore-x3"] - 0.1


def test_the_rows_are_in_the_long_format(shard):
    frame = existing.measure(str(shard), "", ["scalar-int8"], ["default-ef"], k=5, queries=40)
    assert set(frame.columns) <= set(results.COLUMNS)
    assert set(frame["metric"]) == {"ann precision@5", "latency ms", "bytes per vector"}
    assert set(frame["key"]) == {existing_shard.fingerprint(shard)[:16]}
    measured = frame[frame["metric"] != "bytes per vector"]
    assert (measured["low"] <= measured["value"]).all() and (measured["value"] <= measured["high"]).all()
    assert (measured["n"] == 40).all()
    assert values(frame, "bytes per vector") == {
        ("copy, rebuilt", "untold"): 256,
        ("copy, scalar-int8", "default-ef"): 68,
    }


def test_a_poor_graph_is_seen_as_it_stands(tmp_path):
    rows = np.random.default_rng(0).standard_normal((2_000, 32)).astype(np.float32)
    graph = HnswIndexConfig(m=4, ef_construct=4, full_scan_threshold=1)
    folder = plain(tmp_path / "poor", rows, optimizers=INDEXED, hnsw_config=graph)
    found = values(existing.measure(str(folder), "", ["float32"], ["default-ef", "full-ef"], queries=50))
    assert found["as it stands", "untold"] < 0.9
    assert found["copy, float32", "full-ef"] > found["copy, float32", "default-ef"]


TYPES = ("Float16", "Turbo4", "Turbo8", "Turbo16")
SLOWER = [pytest.param(distance, marks=pytest.mark.slow) for distance in ("Dot", "Euclid", "Manhattan")]


@pytest.mark.parametrize("distance", ["Cosine", *SLOWER])
@pytest.mark.parametrize("datatype", ["Float32", *(pytest.param(name, marks=pytest.mark.slow) for name in TYPES)])
def test_every_distance_and_datatype(tmp_path, unit_vectors, distance, datatype):
    own = params(
        64, getattr(Distance, distance), datatype=getattr(qdrant_edge.VectorStorageDatatype, datatype),
        quantization_config=ONE_BIT,
    )  # fmt: skip
    rows = [{"text": vector} for vector in (3 * unit_vectors).tolist()]
    folder = make(tmp_path / "shard", rows, vectors={"text": own}, optimizers=INDEXED)
    frame = existing.measure(str(folder), "text", ["float32", "scalar-int8"], ["default-ef"], queries=40)
    found = values(frame)
    assert found["as it stands", "untold"] < 0.9
    label = datatype.lower()
    assert found[f"copy, {label}", "default-ef"] > 0.95 and found["copy, scalar-int8", "default-ef"] > 0.9
    size = {"float32": 256, "float16": 128, "turbo4": 36, "turbo8": 68, "turbo16": 132}[label]
    length = 4 if distance == "Euclid" and label.startswith("turbo") else 0  # stored beside the codes, see below
    assert values(frame, "bytes per vector")[f"copy, {label}", "default-ef"] == size + length


@pytest.mark.parametrize("distance", ["Cosine", "Dot", "Euclid", "Manhattan"])
@pytest.mark.parametrize("stored", ["Turbo4", "Turbo8", "Turbo16"])
def test_bytes_of_turbo_vectors_are_those_of_the_engine_s_files(tmp_path, unit_vectors, stored, distance):
    datatype = getattr(qdrant_edge.VectorStorageDatatype, stored)
    own = params(63, getattr(Distance, distance), datatype=datatype)
    folder = make(tmp_path / "shard", unit_vectors[:, :63].tolist(), vectors=own, optimizers=INDEXED)
    [file] = folder.glob("segments/*/vector_storage/tq_vectors.dat")
    assert existing_facts.bytes_per_vector(stored.lower(), 63, distance) * 500 == file.stat().st_size


def test_codes_that_stored_vectors_have_already_change_nothing(tmp_path, unit_vectors):
    own = params(64, datatype=qdrant_edge.VectorStorageDatatype.Turbo8)
    folder = make(tmp_path / "shard", unit_vectors.tolist(), vectors=own)
    assert values(existing.measure(str(folder), "", ["turbo-8bit"], ["full-ef"], queries=40)) == {
        ("as it stands", "untold"): 1, ("copy, rebuilt", "untold"): 1, ("copy, turbo-8bit", "full-ef"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("distance", ["Cosine", pytest.param("Euclid", marks=pytest.mark.slow)])
def test_of_equal_vectors_one_is_as_good_as_the_other(tmp_path, distance):
    """Every second vector is the same, and asks half of the queries: 10 of 500 are the truth, and not these alone."""
    vectors = np.random.default_rng(0).standard_normal((1_000, 32)).astype(np.float32)
    vectors[::2] = vectors[0]
    own = params(32, getattr(Distance, distance))
    folder = make(tmp_path / "shard", vectors.tolist(), vectors=own, optimizers=INDEXED)
    settings = ["float32", "scalar-int8", "binary"]
    found = values(existing.measure(str(folder), "", settings, ["full-ef", "rescore-x3"], queries=100))
    assert found["as it stands", "untold"] > 0.97
    assert found["copy, float32", "full-ef"] > 0.99
    for setting in ("scalar-int8", "binary"):
        assert found[f"copy, {setting}", "full-ef"] <= found[f"copy, {setting}", "rescore-x3"]
    assert found["copy, scalar-int8", "rescore-x3"] > 0.99
    assert 0.5 < found["copy, binary", "full-ef"] < 0.9, "the other half still loses"


def test_precision_counts_what_is_as_near_as_the_exact_last():
    class Scored:
        """Exact scores of any point: what its id says."""

        def scores(self, queries, ids):
            return [[float(each) for each in row] for row in ids]

    asked = existing_truth.Questions(np.zeros((2, 1)), [], 2, [[9, 8], [5, 4]], [[9.0, 8.0], [5.0, 4.0]])
    found = [[9, 8.000001], [7.9, 3.9]]
    near, far = (FACTS._replace(distance=distance) for distance in ("Dot", "Euclid"))
    assert existing_truth.precision(Scored(), near, asked, found).tolist() == [1, 0.5]
    asked = existing_truth.Questions(np.zeros((2, 1)), [], 2, [[8, 9], [4, 5]], [[8.0, 9.0], [4.0, 5.0]])
    assert existing_truth.precision(Scored(), far, asked, [[8, 9.1], [4.5, 3.9]]).tolist() == [0.5, 1]


def test_points_without_the_vector_are_left_out(tmp_path, unit_vectors):
    points = [{"a": vector} if row % 2 else {"b": vector[:8]} for row, vector in enumerate(unit_vectors.tolist())]
    folder = make(tmp_path / "half", points, vectors={"a": params(64), "b": params(8)})
    facts = existing.describe(str(folder), "a")
    assert (facts.points, facts.vectors) == (500, 250)
    assert values(existing.measure(str(folder), "a", [], [], queries=240))["as it stands", "untold"] == 1


def test_queries_from_outside(shard, unit_vectors):
    own = existing.measure(str(shard), "", ["binary"], ["default-ef"], queries=3 * unit_vectors[:30])
    assert (own.loc[own["metric"] == PRECISION, "n"] == 30).all()
    assert values(own)["as it stands", "untold"] == 1 > values(own)["copy, binary", "default-ef"]


@pytest.mark.slow
def test_the_same_seed_draws_the_same_queries(shard):
    one, same, other = (
        values(existing.measure(str(shard), "", ["binary"], ["default-ef"], queries=40, seed=seed))
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_a_query_does_not_find_itself():
    asked = existing_truth.Questions(np.zeros((2, 1)), ["a", "b"], 2, [], [])
    assert asked.others([["a", "b", "c"], ["x", "y", "z"]]) == [["b", "c"], ["x", "y"]]


def test_an_exact_search_that_is_none_is_found_out(shard, monkeypatch):
    exact = Shard.search
    monkeypatch.setattr(Shard, "search", lambda self, queries, *how: exact(self, queries[::-1], *how))
    with pytest.raises(WorkbookError, match="exact search does not find what numpy finds"):
        existing.measure(str(shard), "", [], [], queries=40)


def test_codes_that_are_not_used_are_found_out(shard, monkeypatch):
    monkeypatch.setattr(
        Shard, "search", lambda self, queries, limit, _, own=Shard.search: own(self, queries, limit, EXACT)
    )
    with pytest.raises(WorkbookError, match="binary did not apply: the scores are those of the vectors themselves"):
        existing.measure(str(shard), "", ["binary"], ["default-ef"], queries=40)


def test_the_facts_as_a_table(shard):
    facts = existing.table(existing.describe(str(shard))).data[""]
    assert facts["points"] == "500" and facts["setting"] == "float32" and len(facts["sha256"]) == 64
    assert "m" not in facts and "vector" not in facts


def test_the_example_holds_the_vectors_of_the_corpus_and_is_made_once(sample):
    encoder = encoders.load("tiny-static")
    folder = existing.example(sample, encoder)
    facts = existing.describe(folder)
    assert (facts.points, facts.size, facts.setting) == (len(sample.documents), 64, "float32")
    assert facts.indexed == facts.points
    rows = vectors.truncate(vectors.encode(encoder, sample.document_texts), 64)
    asked = existing.measure(folder, "", ["binary"], ["rescore-x3"], queries=rows[:20].astype(np.float32))
    assert values(asked)["as it stands", "untold"] == 1
    assert existing.example(sample, encoder) == folder and len(list((paths.DATA / "own").iterdir())) == 1


def test_a_collection_on_a_server(server, unit_vectors):
    with_points(server, "articles", unit_vectors)
    existing.check("articles", "", ["binary"])
    assert existing.describe("articles").vectors == 500
    found = values(existing.measure("articles", "", ["float32"], ["default-ef"], queries=40))
    assert list(found.values()) == [1, 1, 1]
    with pytest.raises(WorkbookError, match="binary did not apply"):
        existing.measure("articles", "", ["binary"], ["default-ef"], queries=40)  # the stand-in has no codes
    assert server.collections == ["articles"]


def test_a_server_that_drops_quantization_is_found_out(unit_vectors, server):
    server.forgets.add("quantization_config")
    with_points(server, "articles", unit_vectors)
    with pytest.raises(WorkbookError, match=r"asked for quantization .*binary.*, the server reports \{\}"):
        existing.measure("articles", "", ["binary"], ["default-ef"], queries=40)
    assert server.collections == ["articles"]


def with_points(server, name, vectors):
    qdrant = QdrantClient(url=server.url, check_compatibility=False)
    qdrant.create_collection(name, models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE))
    qdrant.upsert(name, [models.PointStruct(id=row, vector=vector) for row, vector in enumerate(vectors.tolist())])
    qdrant.close()


def test_no_collection_is_no_error_to_check():
    existing.check("", "", ["binary"])


NAMED = {"a": params(8), "b": params(8)}
MANY = params(
    8, multivector_config=qdrant_edge.MultiVectorConfig(comparator=qdrant_edge.MultiVectorComparator.MaxSim)
)  # fmt: skip
SPARSE = {"words": qdrant_edge.EdgeSparseVectorParams()}


@pytest.mark.parametrize(
    ("rows", "config", "vector", "settings", "message"),
    [
        ([{"words": words(0)}], {"sparse_vectors": SPARSE}, "", [], r"has only sparse vectors \(words\)"),
        ([{}], {"vectors": NAMED}, "", [], "several vectors: which.*'a', 'b'"),
        ([{}], {"vectors": NAMED}, "c", [], "has no vector 'c': it has 'a', 'b'"),
        ([{}], {"vectors": NAMED, "sparse_vectors": SPARSE}, "words", [], "'words' is a sparse vector"),
        ([[[0.5] * 8]], {"vectors": MANY}, "", [], "multivector"),
        ([[0.5] * 8], {"vectors": params(8)}, "", ["octal"], "unknown quantization 'octal'"),
        ([[0.5] * 6], {"vectors": params(6)}, "", ["product-x32"], "does not divide 6 dimensions"),
    ],
)
def test_shards_that_cannot_be_measured_are_told_before_any_work(tmp_path, rows, config, vector, settings, message):
    folder = make(tmp_path / "shard", rows, **config)
    before = content(folder)
    for refused in (existing.check, lambda *given: existing.measure(*given, ["default-ef"])):
        with pytest.raises(WorkbookError, match=message) as told:
            refused(str(folder), vector, settings)
        assert "\n" not in str(told.value)
    assert content(folder) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"collection": ""}, "no collection is given"),
        ({"collection": "no/such/folder"}, "is no Edge shard"),
        ({"searches": ["fast"]}, "unknown search 'fast'"),
        ({"settings": ["product-x8"]}, "product codebooks of 256 hold them all"),
        ({"queries": 191}, "200 of 200 points have the vector '', too few for 191 queries and 10 results"),
        ({"queries": np.zeros((3, 63))}, r"the queries have the shape \(3, 63\): it must be \(queries, 64\)"),
        ({"queries": np.full((3, 64), np.nan)}, "not finite"),
        ({"queries": 0}, "1 or more"),
        ({"queries": np.zeros((0, 64))}, "1 or more"),
        ({"k": 0}, "1 or more"),
    ],
)
def test_bad_input(tmp_path, unit_vectors, options, message):
    folder = plain(tmp_path / "shard", unit_vectors[:200])
    given = {"collection": str(folder), "vector_name": "", "settings": ["binary"], "searches": ["default-ef"]}
    with pytest.raises(WorkbookError, match=message):
        existing.measure(**given | {"queries": 20} | options)


def test_a_shard_without_points(tmp_path):
    folder = make(tmp_path / "empty", [], vectors=params(8))
    assert existing.describe(str(folder)).points == 0
    with pytest.raises(WorkbookError, match="0 of 0 points have the vector '', too few"):
        existing.measure(str(folder), "", ["binary"], ["default-ef"])
