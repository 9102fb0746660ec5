"""The project's folders, found from this file and never from the working directory, and how to write into them whole.

WORKBOOK_DATA, WORKBOOK_FIGURES and WORKBOOK_REPORTS move a folder elsewhere (the tests use that).
"""

import errno
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbook.errors import WorkbookError

NOTEBOOKS = Path(__file__).resolve().parent.parent
ROOT = NOTEBOOKS.parent
SAMPLE = ROOT / "data" / "sample"
DATA = Path(os.environ.get("WORKBOOK_DATA", ROOT / "data")).resolve()
FIGURES = Path(os.environ.get("WORKBOOK_FIGURES", ROOT / "figures")).resolve()
REPORTS = Path(os.environ.get("WORKBOOK_REPORTS", ROOT / "reports")).resolve()

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
DAY = 86_400  # seconds
# All that torch says when a file cannot be written, and what the engine says before it tries
FULL = ("PytorchStreamWriter failed", "Not enough space available")


def outputs() -> dict[str, Path]:
    """The folders that are written into, by the variable of the environment that moves each elsewhere."""
    return {"WORKBOOK_DATA": DATA, "WORKBOOK_FIGURES": FIGURES, "WORKBOOK_REPORTS": REPORTS}


def exists(path: Path) -> bool:
    """Whether there is such a file or folder; not for what is too long to be a path, or where one may not look."""
    try:
        return path.exists()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is such a file: no folder, pipe or device. Likewise for what cannot be."""
    return exists(path) and path.is_file()


def check_inside(folder: Path, file: Path) -> None:
    """Raise WorkbookError for a file of a folder that leads out of it: a link to what is not its giver's to give.

    The folder itself may be a link. So may be the files of a snapshot in the model hub's cache, to the blobs beside it.
    """
    home, real = Path(os.path.realpath(folder)), Path(os.path.realpath(file))
    blobs = home.parent.parent / "blobs"
    if not real.is_relative_to(home) and not (home.parent.name == "snapshots" and real.is_relative_to(blobs)):
        raise WorkbookError(f"{file} leads out of its folder, to {real}: put the file itself there")


def cannot_write(target: Path, error: OSError) -> WorkbookError:
    """What to say when the disk is full or may not be written."""
    variables = [f"set {name} to" for name, folder in outputs().items() if target.is_relative_to(folder)]
    way_out = f"{variables[0] if variables else 'take'} another folder"
    return WorkbookError(f"cannot write {target}: {error.strerror}; make room or {way_out}")


def check_writable() -> None:
    """Raise WorkbookError, before long work, if data, figures or reports cannot be written."""
    for folder in outputs().values():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"x")
        except OSError as error:
            raise cannot_write(folder, error) from None


def remove_old_temporaries() -> None:
    """Remove what killed runs were writing: nothing takes a day from its first byte to its place."""
    for file in [file for folder in outputs().values() for file in folder.rglob(".*.tmp")]:
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > DAY:
                _remove(file)


@contextmanager
def told_when_unwritable(target: Path) -> Iterator[None]:
    """Raise WorkbookError when the disk is full or may not be written, however the library that writes tells of it.

    Python raises OSError; those in Rust an exception of their own that ends in "(os error 28)"; torch a RuntimeError.
    """
    try:
        yield
    except Exception as error:
        told = re.search(r"\(os error (\d+)\)", str(error))
        number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
        if any(words in str(error) for words in FULL):
            number = errno.ENOSPC
        if number not in UNWRITABLE:
            raise
        raise cannot_write(target, OSError(number, os.strerror(number))) from error


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`, for a file or a folder; move it to `target` only if the block succeeds.

    A reader so sees the whole of it or nothing. If another process finished the same folder first, theirs stays.
    Raises WorkbookError when the disk is full or not writable, after removing what was written.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with told_when_unwritable(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _share(temporary)
            try:
                temporary.replace(target)
            except OSError:
                if not (temporary.is_dir() and target.is_dir()):
                    raise
    finally:
        _remove(temporary)


def _share(folder: Path) -> None:
    """Let those read the files of a folder who may read it: safetensors writes for its user alone."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(folder.stat().st_mode & 0o666)


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)
