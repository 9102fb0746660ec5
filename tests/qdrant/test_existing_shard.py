"""An Edge shard is read, searched and quantized in a copy, whatever its vectors, ids and distance."""

import uuid

import numpy as np
import pytest
import qdrant_edge
from qdrant_edge import Distance
from shards_on_disk import INDEXED, ONE_BIT, content, make, params, plain, words
from workbook.errors import WorkbookError
from workbook.qdrant import edge, existing_shard
from workbook.qdrant.engine import Search
from workbook.qdrant.quantization import SETTINGS, Setting

EXACT = Search(exact=True)
SCALAR = qdrant_edge.ScalarQuantizationConfig(type=qdrant_edge.ScalarType.Int8, quantile=0.99)


@pytest.fixture(autouse=True)
def ram_disk(tmp_path, monkeypatch, data):
    """A folder for the copies, which must be empty in the end."""
    (tmp_path / "ram").mkdir()
    monkeypatch.setattr(edge, "RAM_DISK", tmp_path / "ram")
    yield tmp_path / "ram"
    assert list((tmp_path / "ram").iterdir()) == []


@pytest.fixture
def mixed(tmp_path, unit_vectors):
    """Two named vectors, the second missing on every third point, sparse ones beside them, and ids of both kinds."""
    points = [
        {"title": vector, "words": words(row)} | ({"text": vector[:32]} if row % 3 else {})
        for row, vector in enumerate(unit_vectors.tolist())
    ]
    return make(
        tmp_path / "mixed", points, lambda row: str(uuid.UUID(int=row + 1)) if row % 2 else row,
        vectors={"title": params(64, quantization_config=ONE_BIT), "text": params(32, Distance.Euclid)},
        sparse_vectors={"words": qdrant_edge.EdgeSparseVectorParams()}, optimizers=INDEXED,
    )  # fmt: skip


def test_what_a_shard_is(tmp_path, unit_vectors):
    folder = plain(tmp_path / "shard", unit_vectors)
    with existing_shard.opened(folder, "") as shard:
        facts = shard.facts()
        assert shard.ids() == list(range(500))
        np.testing.assert_allclose(shard.vectors([7, 3]), unit_vectors[[7, 3]], atol=1e-6)
    assert (facts.kind, facts.name, facts.size, facts.distance) == ("Edge shard", "shard", 64, "Cosine")
    assert (facts.points, facts.vectors, facts.setting, facts.indexed, facts.m) == (500, 500, "float32", 0, None)


def test_what_one_vector_of_several_is(mixed):
    with existing_shard.opened(mixed, "title") as title, existing_shard.opened(mixed, "text") as text:
        title, facts, ids = title.facts(), text.facts(), text.ids()
        assert text.vectors(ids[:3]).shape == (3, 32)
    assert (title.vectors, title.setting, title.indexed) == (500, "binary", 500)
    assert (facts.points, facts.vectors, facts.setting, facts.indexed) == (500, 333, "float32", 333)
    assert (facts.distance, facts.m, facts.ef_construct, facts.full_scan_kb) == ("Euclid", 16, 100, 10_000)
    assert len(ids) == 333 and uuid.UUID(int=2) in ids and 4 in ids and 3 not in ids


OTHERS = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("binary", "product-x8", "binary-2bit", "turbo-4bit", "float32")
]


@pytest.mark.parametrize("setting", ["scalar-int8", *OTHERS])
def test_a_copy_is_quantized_and_the_original_is_as_before(mixed, unit_vectors, setting):
    before = content(mixed)
    with existing_shard.opened(mixed, "text") as shard:
        shard.quantize(SETTINGS["binary-1.5bit"])
        shard.quantize(SETTINGS[setting])
        assert shard.facts().setting == setting
        assert shard.facts().indexed == 333
        exact, coded = (shard.search(unit_vectors[:5, :32], 10, search)[1] for search in (EXACT, Search()))
        assert np.allclose(exact, coded, rtol=1e-6) == (setting == "float32")
    assert content(mixed) == before


def test_a_rebuilt_copy_is_indexed_with_its_own_quantization(tmp_path, unit_vectors):
    folder = plain(tmp_path / "shard", unit_vectors, quantization_config=SCALAR)
    with existing_shard.opened(folder, "") as shard:
        assert (shard.facts().setting, shard.facts().indexed) == ("float32", 0), "too small to be quantized"
        shard.rebuild()
        assert (shard.facts().setting, shard.facts().indexed) == ("scalar-int8", 500)
        shard.quantize(SETTINGS["float32"])
        assert shard.facts().setting == "float32"


def test_a_shard_without_its_configuration_file(mixed):
    (mixed / "edge_config.json").unlink()
    with existing_shard.opened(mixed, "text") as shard:
        shard.quantize(SETTINGS["binary"])
        assert shard.facts().setting == "binary"
    assert not (mixed / "edge_config.json").exists()


def test_untold_a_shard_rescores_as_it_is_used_to(tmp_path, unit_vectors):
    folder = plain(tmp_path / "shard", unit_vectors, quantization_config=ONE_BIT, optimizers=INDEXED)
    with existing_shard.opened(folder, "") as shard:
        _, scores, seconds = shard.search(unit_vectors[:5], 1, None)
        np.testing.assert_allclose(scores, 1, atol=1e-5)
        assert seconds > 0
        assert shard.search(unit_vectors[:5], 1, Search())[1] == [[64.0]] * 5, "one-bit scores"


def test_a_setting_that_does_not_apply_is_found_out(tmp_path, unit_vectors):
    folder = plain(tmp_path / "shard", unit_vectors, optimizers=INDEXED)
    unknown = Setting("unknown", 8, {"scalar": {"type": "int8", "unknown": "option"}})
    with existing_shard.opened(folder, "") as shard, pytest.raises(WorkbookError, match=r"asked for .*unknown.*report"):
        shard.quantize(unknown)


def test_too_little_to_index_is_said(tmp_path, unit_vectors):
    folder = plain(tmp_path / "shard", unit_vectors[:2])
    with existing_shard.opened(folder, "") as shard, pytest.raises(WorkbookError, match="only 0 of 2 vectors"):
        shard.rebuild()


def test_looking_at_a_shard_writes_nothing(mixed, ram_disk):
    before = content(mixed)
    assert existing_shard.look(mixed, "text")[1]["size"] == 32
    assert content(mixed) == before and list(ram_disk.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.unlink(), "is no Edge shard"),
        (lambda file: file.write_text("{"), r"segment.json: not what Qdrant writes there"),
        (lambda file: file.write_text("[]"), r"segment.json: not what Qdrant writes there"),
    ],
)
def test_a_folder_that_is_no_shard(tmp_path, unit_vectors, spoil, message):
    folder = plain(tmp_path / "shard", unit_vectors[:10])
    spoil(next(folder.glob("segments/*/segment.json")))
    before = content(folder)
    with pytest.raises(WorkbookError, match=message), existing_shard.opened(folder, ""):
        pass
    assert content(folder) == before


def test_a_shard_that_edge_cannot_open(tmp_path, unit_vectors):
    folder = plain(tmp_path / "shard", unit_vectors[:10])
    (folder / "edge_config.json").write_text("{")
    told = pytest.raises(WorkbookError, match="Qdrant Edge cannot open a copy of shard: ")
    with told, existing_shard.opened(folder, ""):
        pass
