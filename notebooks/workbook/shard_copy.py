"""A copy of a shard's folder to work on, gone afterwards. The original is only read, and must be the same then."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from workbook import edge, locks, paths
from workbook.errors import WorkbookError

BLOCK = 1 << 16  # bytes read at once
ROOM = 3  # times the folder's size: the copy, and in it a segment beside the one that it replaces


@contextmanager
def copied(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give a copy, on the RAM disk if it has room there, else in the data folder, and the sha256 of what was copied.

    Raises WorkbookError without room for it, and if the original is not the same afterwards.
    """
    scratch = locks.Scratch(_room_for(folder))
    copy = scratch.path / folder.resolve().name
    try:
        with paths.told_when_unwritable(copy):
            before = fingerprint(folder, copy)
        yield copy, before
    finally:
        scratch.close()
    if fingerprint(folder) != before:
        raise WorkbookError(f"{folder} changed while its copy was measured: stop what writes to it and measure again")


def fingerprint(folder: Path, target: Path | None = None) -> str:
    """sha256 of the name and content of every file; with `target`, what is hashed is copied there, too."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            name = file.relative_to(folder)
            digest.update(f"{name.as_posix()}\0{_read(file, target and target / name)}\n".encode())
    return digest.hexdigest()


def _read(file: Path, copy: Path | None) -> str:
    """sha256 of the content; `copy` gets that content, blocks of zeros as holes: the files of a shard are full of them.

    Not shutil.copy, which fills every hole: 70 MB for a hundred vectors.
    """
    digest = hashlib.sha256()
    if copy:
        copy.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb") as stream, copy.open("wb") if copy else nullcontext() as written:
        while block := stream.read(BLOCK):
            digest.update(block)
            if written and any(block):
                written.write(block)
            elif written:
                written.seek(len(block), 1)
        if written:
            written.truncate()  # a hole at the end has not been written
    return digest.hexdigest()


def _room_for(folder: Path) -> Path:
    needed = ROOM * sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    disk = paths.DATA / "scale"
    with paths.told_when_unwritable(disk):
        disk.mkdir(parents=True, exist_ok=True)
    for place in (edge.RAM_DISK, disk):
        locks.remove_left(place)
        if place.is_dir() and shutil.disk_usage(place).free > needed:
            return place
    raise WorkbookError(
        f"{folder} is measured on a copy, which may take {needed / 1e6:,.0f} MB: make room, or set WORKBOOK_DATA to a "
        f"folder that has it"
    )
