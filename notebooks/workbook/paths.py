"""Where things are, found from this file and never from the working directory, and how a finished thing gets there.

WORKBOOK_DATA, WORKBOOK_FIGURES and WORKBOOK_REPORTS move a folder elsewhere (the tests use that).
"""

import errno
import os
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


def cannot_write(target: Path, error: OSError) -> WorkbookError:
    """What to say when the disk is full or may not be written."""
    return WorkbookError(f"cannot write {target}: {error.strerror}; make room or set WORKBOOK_DATA to another folder")


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`, for a file or a folder; move it to `target` only if the block succeeds.

    A reader so sees the whole of it or nothing. If another process finished the same folder first, theirs stays.
    Raises WorkbookError when the disk is full or not writable, after removing what was written.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        try:
            temporary.replace(target)
        except OSError:
            if not (temporary.is_dir() and target.is_dir()):
                raise
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise cannot_write(target, error) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
