"""The progress bar of everything long: at a terminal and in JupyterLab, not where TQDM_DISABLE is set.

tqdm itself reads that variable everywhere but in its notebook bar, which so ends up in executed notebooks.
"""

import os
import threading

from tqdm import std
from tqdm.auto import tqdm

# tqdm's own lock is one for many processes too: on Python 3.14 a kernel that ends leaves it behind, with a warning
std.tqdm.set_lock(threading.RLock())


def bar(*arguments: object, **options: object) -> tqdm:
    """A tqdm bar, with tqdm's own arguments."""
    return tqdm(*arguments, disable=bool(os.environ.get("TQDM_DISABLE")), **options)
