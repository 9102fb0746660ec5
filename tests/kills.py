"""Kill -9 encoding, training, a grid and a report at random points, run each again, and compare with one left in peace.

`python tests/kills.py SMOKE WORK KILLS SEED` prints how many it survived; SMOKE is the folder of a smoke run.
A process is killed by itself before its n-th change of a file, or by its parent after some time; n and the time are
drawn by seed. Each run is forked from this process, which has only imported: so it costs a second, not ten.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"

import numpy as np
from workbook import locks, paths
from workbook.corpora import corpora
from workbook.embedding import encoders, model_files, vectors
from workbook.evaluation import metrics, results
from workbook.experiments import grid
from workbook.qdrant import edge
from workbook.runs import report
from workbook.training import objective, trainer, training
from workbook.training.settings import Settings

STUCK = (
    90  # seconds; a fork may be born while a library's thread holds a lock, and then waits for ever: it is run again
)
CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}
PRELOADED = (objective, trainer)  # which training imports late
TIMED = [name for name, metric in metrics.METRICS.items() if not metric.repeats]
TIMES = re.compile(r"seconds|latency|peak_memory_mb")


def encoding() -> None:
    vectors.encode(encoders.load("tiny-static"), corpora.load("sample").document_texts)


def train() -> None:
    start, teacher = encoders.load("tiny-static"), encoders.load("tiny-transformer")
    task = training.task("sample", corpora.unlabelled("sample"), start, teacher, 0)
    training.train(task, Settings(batch_size=64, epochs=3), 0)


def measure_grid() -> None:
    corpus, encoder = corpora.load("sample"), encoders.load("tiny-static")
    searches = ["exact", "full-ef", "rescore-x3"]
    cells = grid.measure(corpus, encoder, [32, 16], ["float32", "scalar-int8", "binary"], searches, repeats=1)
    results.publish("grid", grid.rows(corpus, cells))


def build_report() -> None:
    report.build("smoke", {})


WORKS: dict[str, Callable[[], None]] = {
    "encoding": encoding,
    "training": train,
    "grid": measure_grid,
    "report": build_report,
}


class Grave:
    """One work in a folder of its own, which may be killed there."""

    def __init__(self, work: Callable[[], None], folder: Path):
        self._work, self._folder = work, folder

    def run(self, change: int = 0, seconds: float = 0.0) -> tuple[int, int, float]:
        """Run it in a new process, to be killed before that change or after so long, or, both 0, not at all.

        Returns how it ended (0, or minus the signal), how many changes it made, and its seconds.
        """
        reader, writer = os.pipe()
        started = time.perf_counter()
        child = os.fork()
        if not child:
            os.close(reader)
            self._live(writer, change)
        os.close(writer)
        if seconds:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        with os.fdopen(reader) as said:
            changes = int(said.read() or 0)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            return self.run(change, seconds)
        return (
            -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
            changes,
            (time.perf_counter() - started),
        )

    def _live(self, writer: int, last: int) -> None:
        made = 0

        def count(event: str, arguments: tuple) -> None:
            nonlocal made
            if event in CHANGES and str(arguments[0]).startswith(str(self._folder)) and _writes(event, arguments):
                made += 1
                if made == last:
                    os.kill(os.getpid(), signal.SIGKILL)

        paths.DATA, paths.REPORTS = self._folder / "data", self._folder / "reports"
        paths.FIGURES, edge.RAM_DISK = self._folder / "figures", self._folder / "ram"
        os.environ["WORKBOOK_RUN"] = "smoke"
        signal.alarm(STUCK)
        vectors.SHARD = 4
        sys.addaudithook(count)
        try:
            self._work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os.write(writer, str(made).encode())
        os._exit(0)


def _writes(event: str, arguments: tuple) -> bool:
    if event != "open":
        return True
    _, mode, flags = arguments
    return any(letter in mode for letter in "wax+") if mode else bool(flags & (os.O_WRONLY | os.O_RDWR))


def state(folder: Path) -> dict[str, str]:
    """What a finished work left: hash of each file, times and dates apart. What a killed one was writing is not it."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    kept = [file for file in files if "locks" not in file.parts and not re.search(r"\.tmp(/|$)", str(file))]
    return {str(file.relative_to(folder)): hashlib.sha256(_content(file)).hexdigest() for file in kept}


def _content(file: Path) -> bytes:
    """The bytes of a file, without what another run of the same work writes otherwise."""
    if file.suffix == ".csv" and file.parent.name != "rows":
        rows = results.read_rows(file)
        return rows[~rows["metric"].isin(TIMED)].to_csv().encode()
    if file.suffix == ".json" and "results" in file.parts:
        record = json.loads(file.read_text(encoding="utf-8"))
        values = {name: value for name, value in record.get("values", {}).items() if not TIMES.search(name)}
        return json.dumps([record.get("about"), values]).encode()
    if file.name in ("README.md", model_files.CARD):
        lines = file.read_text(encoding="utf-8").split("\n")
        return "\n".join(line for line in lines if not TIMES.search(line)).encode()
    return file.read_bytes()


def survived(name: str, base: Path, kills: int, seed: int) -> int:
    """Kill a work so often, each time run it again, and raise AssertionError unless it ends as if never killed."""
    rng = np.random.default_rng([seed, *name.encode()])
    with tempfile.TemporaryDirectory(prefix=f"kills-{name}-") as scratch:
        folder = Path(scratch) / "run"
        grave = Grave(WORKS[name], folder)
        _fresh(folder, base)
        ended, changes, seconds = grave.run()
        assert ended == 0, f"{name} fails when left in peace"
        whole = state(folder)
        survived = 0
        while survived < kills:
            _fresh(folder, base)
            told = [_kill(grave, rng, changes, seconds, by_change=bool(survived % 2))]
            survived += 1
            if rng.integers(3) == 0 and grave.run(change=int(rng.integers(1, changes)))[0]:  # again, in what is left
                told.append("and again")
                survived += 1
            assert grave.run()[0] == 0, f"{name} does not run after a kill {told}"
            locks.remove_left(folder / "ram")  # as the next index does
            found = state(folder)
            wrong = sorted(file for file in whole.keys() | found.keys() if whole.get(file) != found.get(file))
            assert not wrong, f"{name}: after a kill {told} not as if never killed: {', '.join(wrong[:5])}"
    return survived


def _kill(grave: Grave, rng: np.random.Generator, changes: int, seconds: float, by_change: bool) -> str:
    """Kill at a drawn point; draw again if it was over before."""
    while True:
        change, after = int(rng.integers(1, changes + 1)), float(rng.uniform(0, seconds))
        ended, *_ = grave.run(change=change) if by_change else grave.run(seconds=after)
        if ended == -signal.SIGKILL:
            return f"before change {change} of {changes}" if by_change else f"after {after:.3f} of {seconds:.3f} s"
        assert ended == 0, f"it failed with {ended}"


def _fresh(folder: Path, base: Path) -> None:
    """What is there before each work: models, executed notebooks and rows, an empty RAM disk."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    (folder / "ram").mkdir()


def main(smoke: str, name: str, kills: int, seed: int) -> None:
    """Print how many kills a work survived, `kills` or one more."""
    with tempfile.TemporaryDirectory(prefix="kills-base-") as base:
        for part in ("reports", "data/results"):
            shutil.copytree(Path(smoke) / part, Path(base) / part)
        print(f"{name}: {survived(name, Path(base), kills, seed)} kills survived")


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:5]))
