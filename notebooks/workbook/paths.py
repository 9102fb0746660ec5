"""Where things are, found from this file and never from the working directory, and how a finished thing gets there.

WORKBOOK_DATA, WORKBOOK_FIGURES and WORKBOOK_REPORTS move a folder elsewhere (the tests use that).
"""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbook.errors import WorkbookError

NOTEBOOKS = Path(__file__).resolve().parent.parent
ROOT = NOTEBOOKS.parent
REQUIREMENTS = ROOT / "requirements.txt"
SAMPLE = ROOT / "data" / "sample"
DATA = Path(os.environ.get("WORKBOOK_DATA", ROOT / "data")).resolve()
FIGURES = Path(os.environ.get("WORKBOOK_FIGURES", ROOT / "figures")).resolve()
REPORTS = Path(os.environ.get("WORKBOOK_REPORTS", ROOT / "reports")).resolve()


UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
TORCH_IS_FULL = "PytorchStreamWriter failed"  # all that torch says when a file cannot be written


def cannot_write(target: Path, error: OSError) -> WorkbookError:
    """What to say when the disk is full or may not be written."""
    return WorkbookError(f"cannot write {target}: {error.strerror}; make room or set WORKBOOK_DATA to another folder")


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
        if TORCH_IS_FULL in str(error):
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
            try:
                temporary.replace(target)
            except OSError:
                if not (temporary.is_dir() and target.is_dir()):
                    raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
