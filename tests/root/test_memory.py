"""Memory is checked by taking some, with room for what the interpreter does beside it."""

import mmap

import numpy as np
from workbook import memory

MEGABYTE = 1_000_000


def test_a_peak_stays_when_the_memory_is_given_back():
    """The memory is mapped: what malloc frees it may keep, and after other tests it does."""
    memory.forget_peak()
    before = memory.resident()
    with mmap.mmap(-1, 50 * MEGABYTE) as taken:
        taken.write(b"x" * (50 * MEGABYTE))
    assert memory.peak() >= before + 45 * MEGABYTE
    assert memory.resident() < before + 20 * MEGABYTE


def test_a_forgotten_peak_is_not_counted():
    np.ones(200 * MEGABYTE // 8)
    before = memory.peak()
    memory.forget_peak()
    if memory.RESET.exists():
        assert memory.peak() < before - 100 * MEGABYTE


def test_without_proc_the_peak_is_the_systems(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    monkeypatch.setattr(memory, "RESET", tmp_path / "none" / "none")
    memory.forget_peak()
    assert memory.peak() > 10 * MEGABYTE
