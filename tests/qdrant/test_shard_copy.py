"""A folder's copy is the same, small, gone afterwards; that the original changed is found out."""

import shutil
from types import SimpleNamespace

import pytest
from shards_on_disk import content
from workbook.errors import WorkbookError
from workbook.qdrant import edge, existing_shard

HOLE = 1 << 24


@pytest.fixture
def folder(tmp_path):
    """A file in a folder, and one with holes in its middle and at its end."""
    inside = tmp_path / "shard" / "segments"
    inside.mkdir(parents=True)
    (inside / "some.json").write_text("{}")
    with (inside / "sparse.dat").open("wb") as file:
        file.write(b"head")
        file.seek(HOLE)
        file.write(b"tail" + bytes(3))
        file.truncate(2 * HOLE)
    return tmp_path / "shard"


@pytest.fixture
def ram_disk(tmp_path, monkeypatch):
    (tmp_path / "ram").mkdir()
    monkeypatch.setattr(edge, "RAM_DISK", tmp_path / "ram")
    return tmp_path / "ram"


def test_a_copy_is_the_same_and_keeps_its_holes(folder, ram_disk, data):
    with existing_shard.copy_of(folder) as (copy, sha256):
        assert copy.name == "shard" and copy.is_relative_to(ram_disk)
        assert content(copy) == content(folder)
        assert sha256 == existing_shard.fingerprint(folder) == existing_shard.fingerprint(copy)
        assert (copy / "segments" / "sparse.dat").stat().st_blocks * 512 < HOLE / 10
    assert list(ram_disk.iterdir()) == []


def test_the_copy_is_gone_after_an_error(folder, ram_disk, data):
    with pytest.raises(ZeroDivisionError), existing_shard.copy_of(folder):
        raise ZeroDivisionError
    assert list(ram_disk.iterdir()) == []


@pytest.mark.parametrize(
    "change", [lambda f: f.write_text("{ }"), lambda f: f.unlink(), lambda f: f.rename(f.with_name("other.json"))]
)
def test_an_original_that_changes_is_found_out(folder, ram_disk, data, change):
    with (
        pytest.raises(WorkbookError, match=r"shard changed while its copy was measured"),
        existing_shard.copy_of(folder),
    ):
        change(folder / "segments" / "some.json")
    assert list(ram_disk.iterdir()) == []


def test_a_copy_may_be_changed(folder, ram_disk, data):
    before = content(folder)
    with existing_shard.copy_of(folder) as (copy, _):
        (copy / "segments" / "some.json").write_text("[]")
    assert content(folder) == before


@pytest.mark.parametrize("ram", [0, 1 << 40])
def test_a_copy_goes_where_room_is(folder, ram_disk, data, monkeypatch, ram):
    free = {ram_disk: ram, data / "scale": 1 << 40}
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free[place]))
    with existing_shard.copy_of(folder) as (copy, _):
        assert copy.is_relative_to(ram_disk if ram else data / "scale")
    assert list((data / "scale").iterdir()) == []


def test_no_room_is_said_before_anything_is_copied(folder, ram_disk, data, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000))
    told = pytest.raises(WorkbookError, match=r"on a copy, which may take \d+ MB: make room, or set WORKBOOK_DATA")
    with told, existing_shard.copy_of(folder):
        pass
    assert list(ram_disk.iterdir()) == list((data / "scale").iterdir()) == []
