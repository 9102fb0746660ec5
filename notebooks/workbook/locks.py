"""Locks between processes, and scratch folders that a later run removes when their process has ended.

Two runs on one data folder wait for one another: times taken side by side would be times of neither. The system gives a
lock back when its process ends, however it ends, so nothing here depends on a clock or on process numbers.
"""

import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from workbook import paths

LOCK = "lock"  # the file in a folder that is held while its process lives


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Be the only process in this block for `target`, of the data folder; waits for another, and says so.

    Raises WorkbookError where the data folder cannot be written.
    """
    file = paths.DATA / "locks" / f"{'-'.join(target.relative_to(paths.DATA).parts) or 'data'}.lock"
    with paths.told_when_unwritable(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(f"waiting: another process is at work on {target.name}", file=sys.stderr, flush=True)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


class Scratch:
    """A folder of this process alone, for what must not outlive it: `left` finds it when its process has ended."""

    def __init__(self, place: Path):
        """Make a new folder in `place`. Raises WorkbookError where that cannot be written."""
        self.path = place / f"workbook-{uuid.uuid4().hex[:12]}"
        self._lock = FileLock(self.path / LOCK, thread_local=False)  # whichever thread closes it
        with paths.told_when_unwritable(self.path):
            while not self._lock.is_locked:
                self.path.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # another run took it for left in this very moment
                    self._lock.acquire()

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.leave()

    def leave(self) -> None:
        """Let a later run find it and remove it."""
        self._lock.release()


def left(place: Path) -> Iterator[Path]:
    """The folders in `place` whose process has ended, each locked until the next is asked for."""
    for folder in sorted(place.glob(f"workbook-{'[0-9a-f]' * 12}")):
        if not (folder / LOCK).exists():
            with suppress(OSError):
                folder.rmdir()  # killed before it had a lock, and so anything else
            continue
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):  # at work; removed by another run just now; another user's
            continue
        try:
            yield folder
        finally:
            lock.release()


def remove_left(place: Path) -> None:
    """Remove the folders in `place` whose process has ended."""
    for folder in left(place):
        shutil.rmtree(folder, ignore_errors=True)
