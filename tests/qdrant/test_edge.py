"""What belongs to Edge alone: its folder, its batches, and the segments of one shard."""

import tempfile
from types import SimpleNamespace

import engine_codes
import numpy as np
import pytest
from workbook.errors import WorkbookError
from workbook.qdrant import edge, engine
from workbook.qdrant.engine import Search


@pytest.fixture
def ram_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(edge, "RAM_DISK", tmp_path)
    return tmp_path


def test_the_storage_is_on_the_ram_disk_until_closed(unit_vectors, ram_disk):
    index = engine.build(unit_vectors, "binary")
    [folder] = ram_disk.iterdir()
    assert folder.name.startswith("workbook-")
    assert any(folder.rglob("quantized.data"))
    index.close()
    assert list(ram_disk.iterdir()) == []
    index.close()


def test_without_a_ram_disk_the_storage_is_in_the_temporary_folder(unit_vectors, tmp_path, monkeypatch):
    monkeypatch.setattr(edge, "RAM_DISK", tmp_path / "none")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with engine.build(unit_vectors):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_more_vectors_than_a_batch():
    vectors = np.random.default_rng(0).standard_normal((2 * edge.BATCH + 1, 16)).astype(np.float32)
    with engine.build(vectors, "scalar-int8", payloads=[{"row": row} for row in range(len(vectors))]) as index:
        edges = [0, edge.BATCH - 1, edge.BATCH, 2 * edge.BATCH]
        assert index._backend.indexed() == len(vectors)
        assert index.search(vectors[edges], 1, Search(exact=True)).ids[:, 0].tolist() == edges
        assert index.payloads(edges) == [{"row": row} for row in edges]


def test_segments_that_differ_are_refused(unit_vectors):
    with engine.build(unit_vectors, "binary") as index:
        other = index._backend._path / "segments" / "other" / "vector_storage" / "quantized.config.json"
        other.parent.mkdir(parents=True)
        other.write_text('{"quantization_config": {"scalar": {"type": "int8"}}, "vector_parameters": {"count": 1}}')
        with pytest.raises(WorkbookError, match=r"quantized differently: .*binary.*scalar"):
            index._backend.applied()


@pytest.mark.parametrize("setting", ["binary", "scalar-int8"])
@pytest.mark.parametrize("dimension", [64, 40])
def test_the_codes_on_disk_are_those_that_numpy_computes(unit_vectors, setting, dimension):
    kept = np.ascontiguousarray(unit_vectors[:, :dimension])
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    with engine.build(kept, setting) as index:
        engine_codes.assert_stored(index, kept)


@pytest.mark.parametrize("setting", ["float32", "scalar-int8", "binary", "turbo-4bit"])
def test_the_bytes_on_disk_are_told_by_part(unit_vectors, tmp_path, setting):
    n, dimension = unit_vectors.shape
    with engine.build(unit_vectors, setting, place=tmp_path) as index:
        parts, codes = index.disk_bytes(), index._backend.code_bytes()
        assert sum(parts.values()) == sum(f.stat().st_blocks * 512 for f in tmp_path.rglob("*") if f.is_file())
    assert list(parts) == ["vectors", "codes", "graph", "other"]
    own = n * dimension * np.dtype(np.float32).itemsize
    assert own <= parts["vectors"] < 1.5 * own, "once: the segment they were in before is gone"
    assert codes <= parts["codes"] <= codes + 40_000 and (codes == 0) == (setting == "float32")
    assert (parts["codes"] == 0) == (setting == "float32")
    assert parts["graph"] > n and parts["other"] > 0


def test_without_a_graph_no_bytes_are_the_graphs(unit_vectors, tmp_path):
    backend = engine.start("float32", unit_vectors.shape[1], place=tmp_path)
    backend.upsert(unit_vectors, None)
    parts = backend.disk_bytes()
    backend.close()
    assert parts["graph"] == 0 and parts["vectors"] >= unit_vectors.nbytes


def test_only_edge_tells_its_bytes(unit_vectors):
    with engine.build(unit_vectors, engine="memory") as index, pytest.raises(WorkbookError, match="use engine edge"):
        index.disk_bytes()


def test_a_shard_that_cannot_be_created_leaves_no_folder(tmp_path, monkeypatch):
    def full(path, config):
        raise OSError("no space")

    monkeypatch.setattr(edge, "RAM_DISK", tmp_path)
    monkeypatch.setattr(edge.edge, "EdgeShard", SimpleNamespace(create=full))
    with pytest.raises(OSError, match="no space"):
        engine.build(np.zeros((10, 8), dtype=np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_ram_disk_without_room_is_not_used(tmp_path, monkeypatch):
    """Containers have 64 MB of it, and to run out of it kills the process."""
    ram, disk = tmp_path / "ram", tmp_path / "disk"
    free = {ram: 2**26, disk: 2**40}
    for place in free:
        place.mkdir()
    monkeypatch.setattr(edge, "RAM_DISK", ram)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=free[place]))
    assert edge.place_for(10, 8) == disk
    free[ram] = 2**30
    assert edge.place_for(10, 8) == ram
    assert edge.place_for(200_000, 384) == disk
    free[disk] = 2**20
    with pytest.raises(WorkbookError, match=r"200,000 vectors x 384 may take [\d,]+ MB, and .*disk has less"):
        edge.place_for(200_000, 384)
