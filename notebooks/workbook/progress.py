"""The progress bar of everything long: at a terminal and in JupyterLab, not where TQDM_DISABLE is set.

tqdm itself reads that variable everywhere but in its notebook bar, which so ends up in executed notebooks.
"""

import os

from tqdm.auto import tqdm


def bar(*arguments: object, **options: object) -> tqdm:
    """A tqdm bar, with tqdm's own arguments."""
    return tqdm(*arguments, disable=bool(os.environ.get("TQDM_DISABLE")), **options)
