"""Resident memory of this process, now and at its peak, in bytes.

File pages that are mapped count as resident, though the system could take them back: the higher, safer number.
"""

import contextlib
import resource
import sys
from pathlib import Path

import psutil

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident() -> int:
    """Bytes resident now."""
    return psutil.Process().memory_info().rss


def peak() -> int:
    """Most bytes resident since the process began, or since `forget_peak` where the system can forget."""
    if STATUS.exists():
        [line] = [line for line in STATUS.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def forget_peak() -> None:
    """Count the peak from now on; does nothing where the system cannot."""
    with contextlib.suppress(OSError):
        RESET.write_text("5", encoding="utf-8")
