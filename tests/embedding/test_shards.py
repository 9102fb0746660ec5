"""Shards are whole or not there, and are found again with the seconds they took."""

import numpy as np
import pytest
from workbook.embedding.vectors import Shards
from workbook.errors import WorkbookError

SHARD = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_what_was_written_is_read_and_counted(tmp_path):
    shards = Shards(tmp_path)
    shards.write(0, SHARD)
    shards.write(4, SHARD[:2] + 100)
    again = Shards(tmp_path)
    assert np.array_equal(again.read(0, 4), SHARD)
    assert np.array_equal(again.read(4, 2), SHARD[:2] + 100)
    assert again.bytes() == sum(file.stat().st_size for file in tmp_path.glob("*.npy")) >= 6 * 3 * 4
    assert 0 < again.spent < 60


def test_rows_are_found_in_their_shards(tmp_path):
    shards = Shards(tmp_path)
    shards.write(0, SHARD)
    shards.write(4, SHARD[:2] + 100)
    numbers = np.array([[5, 0], [3, 4]])
    assert np.array_equal(shards.rows(numbers), np.vstack([SHARD, SHARD[:2] + 100])[numbers])


def test_missing_cut_and_other_shards_are_none(tmp_path):
    shards = Shards(tmp_path)
    assert shards.read(0, 4) is None
    assert shards.spent == 0
    shards.write(0, SHARD)
    assert shards.read(0, 5) is None
    [file] = tmp_path.glob("*.npy")
    file.write_bytes(file.read_bytes()[:-4])
    assert shards.read(0, 4) is None


@pytest.mark.parametrize("content", ["", "[1]", "nonsense"])
def test_broken_seconds_are_none(tmp_path, content):
    (tmp_path / "seconds.json").write_text(content)
    assert Shards(tmp_path).spent == 0


@pytest.mark.parametrize("content", ["", None])
def test_shards_whose_seconds_are_not_known_are_not_found(tmp_path, content):
    shards = Shards(tmp_path / "run")
    shards.write(0, SHARD)
    seconds = tmp_path / "run" / "seconds.json"
    seconds.unlink() if content is None else seconds.write_text(content)
    again = Shards(tmp_path / "run")
    assert again.read(0, 4) is None and again.spent == 0


def test_seconds_of_attempts_add_up(tmp_path):
    (tmp_path / "seconds.json").write_text("1000.0")
    Shards(tmp_path).write(0, SHARD)
    assert 1_000 < Shards(tmp_path).spent < 1_060


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbook.embedding.vectors.write_npy", full)
    with pytest.raises(WorkbookError, match="make room"):
        Shards(tmp_path).write(0, SHARD)
    assert list(tmp_path.glob("*.npy")) == []
