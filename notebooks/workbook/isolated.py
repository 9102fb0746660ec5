"""Run a function in a Python process of its own: for what must start cold, and for memory that is one work's own.

Where the system can, the process is forked from a server that has imported the libraries and done nothing else: so
their import, seconds of it, is not part of what is measured, and is not repeated.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tqdm import tqdm

from workbook import paths
from workbook.errors import WorkbookError

IMPORTED = ["sentence_transformers", "workbook.embedding.encoders", "workbook.qdrant.engine"]


def run(
    work: Callable[..., Any], *arguments: object, progress: Callable[[Any], None] | None = None, gently: bool = False
) -> Any:  # fmt: skip
    """Return work(*arguments, report) of a new process; what it reports comes to `progress` here, as it happens.

    `gently`: where this one is interrupted, let `work` clean up what it has elsewhere, which may take it a while.
    `work` is a function of a module; it, its arguments and its result are pickled. The data folder and the environment
    are this process's. Raises what `work` raises, and WorkbookError if the process is killed.
    """
    able = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if able else "spawn")
    if able:
        context.set_forkserver_preload(IMPORTED)
    receiver, sender = context.Pipe(duplex=False)
    settings = dict(os.environ), paths.DATA, gently
    process = context.Process(target=_child, args=(sender, settings, work, arguments))
    process.start()
    sender.close()
    try:
        while True:
            kind, value = receiver.recv()
            if kind == "result":
                return value
            if kind == "error":
                raise value
            if progress:
                progress(value)
    except EOFError:
        process.join()
        raise WorkbookError(
            f"{work.__name__}: its process ended with exit code {process.exitcode}; if the system killed it, "
            f"memory ran out: give it less to do. What was finished is kept"
        ) from None
    finally:
        process.terminate()
        process.join()


def _child(sender: Connection, settings: tuple, work: Callable[..., Any], arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the parent ends this one
    tqdm.set_lock(threading.RLock())  # its own lock for many processes is left behind when this one ends
    environment, paths.DATA, gently = settings
    if gently:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ.clear()
    os.environ.update(environment)
    try:
        sender.send(("result", work(*arguments, lambda value: sender.send(("progress", value)))))
    except BrokenPipeError:  # the parent is gone
        return
    except Exception as error:
        sender.send(("error", error))
