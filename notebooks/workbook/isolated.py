"""Run a function in a Python process of its own, or in several: for what must start cold, for memory that is one
work's own, and for work that Python does on one core.

Where the system can, the process is forked from a server that has imported the libraries and done nothing else: so
their import, seconds of it, is not part of what is measured, and is not repeated.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
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
    with _process(_child, work, arguments, gently) as (process, pipe):
        while True:
            kind, value = _received(pipe, process, work)
            if kind == "result":
                return value
            if progress:
                progress(value)


@contextmanager
def workers(count: int, ready: Callable[..., Callable[[Any], Any]], *arguments: object) -> Iterator[Callable]:
    """Give a function that maps items in order, as `map` does, by what ready(*arguments) gives in `count` processes.

    The processes are ready when it is given. They take turns, so at most `count` items are out at once. All is pickled.
    Raises what the work raises, and WorkbookError if a process is killed.
    """
    with ExitStack() as stack:
        each = [stack.enter_context(_process(_worker, ready, arguments)) for _ in range(count)]
        for process, pipe in each:
            _received(pipe, process, ready)

        def mapped(items: Iterable) -> Iterator:
            out: deque[tuple[BaseProcess, Connection]] = deque()
            free = deque(each)
            for item in items:
                done = None
                if not free:  # the next item is ready when the first result is there
                    done = _received(out[0][1], out[0][0], ready)[1:]
                    free.append(out.popleft())
                with suppress(ConnectionError):  # of a process that has ended: its result tells
                    free[0][1].send(item)
                out.append(free.popleft())
                if done:
                    yield done[0]
            for process, pipe in out:
                yield _received(pipe, process, ready)[1]

        yield mapped


@contextmanager
def _process(
    target: Callable, work: Callable, arguments: tuple, gently: bool = False
) -> Iterator[tuple[BaseProcess, Connection]]:
    able = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if able else "spawn")
    if able:
        context.set_forkserver_preload(IMPORTED)
    pipe, its_end = context.Pipe()
    settings = dict(os.environ), paths.DATA, gently
    process = context.Process(target=target, args=(its_end, settings, work, arguments))
    process.start()
    its_end.close()
    try:
        yield process, pipe
    finally:
        process.terminate()
        process.join()


def _received(pipe: Connection, process: BaseProcess, work: Callable) -> tuple[str, Any]:
    """What a process sends: its kind and value. Raises it if it is an error, WorkbookError if the process has ended."""
    try:
        kind, value = pipe.recv()
    except (EOFError, ConnectionError):
        process.join()
        raise WorkbookError(
            f"{work.__name__}: its process ended with exit code {process.exitcode}; if the system killed it, "
            f"memory ran out: give it less to do. What was finished is kept"
        ) from None
    if kind == "error":
        raise value
    return kind, value


def _settle(settings: tuple) -> None:
    """Make a new process as its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the parent ends this one
    tqdm.set_lock(threading.RLock())  # its own lock for many processes is left behind when this one ends
    environment, paths.DATA, gently = settings
    if gently:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ.clear()
    os.environ.update(environment)


def _worker(pipe: Connection, settings: tuple, ready: Callable[..., Callable], arguments: tuple) -> None:
    _settle(settings)
    with suppress(EOFError, ConnectionError):  # the parent is gone
        try:
            work = ready(*arguments)
            pipe.send(("ready", None))
            while True:
                pipe.send(("result", work(pipe.recv())))
        except (EOFError, ConnectionError):
            raise
        except Exception as error:
            pipe.send(("error", error))


def _child(sender: Connection, settings: tuple, work: Callable[..., Any], arguments: tuple) -> None:
    _settle(settings)
    try:
        sender.send(("result", work(*arguments, lambda value: sender.send(("progress", value)))))
    except BrokenPipeError:  # the parent is gone
        return
    except Exception as error:
        sender.send(("error", error))
