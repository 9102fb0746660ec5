"""How costs grow with the number of documents: power laws fitted to measured runs, and what they say beyond them.

A fit is a straight line through logarithms, cost = scale * n^exponent. It deliberately knows nothing of fixed costs,
which bend the curve at small n: leave those runs out with `smallest`. What lies beyond the largest run is called
extrapolated wherever it stands, and comes with the interval that the fit gives it. A fit is followed to FARTHEST times
the largest run and no farther. Work that reads every document does not grow slower than their number: the highest rate
measured is its bound at any size, and all that is told where a fit says otherwise.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from workbook.errors import WorkbookError
from workbook.evaluation import statistics
from workbook.evaluation.stopwatch import Times
from workbook.experiments.ingest_runs import Run, repeats_of

FEWEST = 3  # sizes: through two points goes a line with no interval
FARTHEST = 100  # times the largest run
MB = 1e6
MEMORY = "peak memory above the start"
GROWING: dict[str, Callable[[Run], float]] = {
    "encode seconds": lambda run: run.seconds["encode"],
    "upsert busy seconds": lambda run: run.busy["upsert"],
    "index seconds": lambda run: run.seconds["index"],
    "total seconds": lambda run: run.total_seconds,
    MEMORY: lambda run: max(run.memory.values()) - run.memory["start"],
    "bytes on disk": lambda run: 0 if run.job.is_remote else sum(run.disk.values()),  # a server's are computed
    "median latency": lambda run: float(np.median(run.latency)),
}
READS_ALL = set(GROWING) - {"median latency"}  # each document costs something
SEARCHED = "encoded, stored and searched"  # one query at a time
HERE = "shards"  # the part of the bytes that is on this machine's disk whatever the engine
OF_ONE_ATTEMPT = {"encode seconds", "total seconds"}


class Fit(NamedTuple):
    """cost = scale * n^exponent by least squares of the logarithms; low and high end the exponent's 95% interval.

    `smallest` and `largest` are the ends of the sizes that it rests on, `center` the mean of their logarithms, `margin`
    how far a point strays from the line: Student's t times the deviation, in logarithms. `cheapest`: the lowest cost of
    a document, measured, of work that reads every one; else 0.
    """

    exponent: float
    low: float
    high: float
    r2: float
    points: int
    scale: float
    smallest: int
    largest: int
    center: float
    margin: float
    cheapest: float = 0.0

    def __str__(self) -> str:
        return f"n^{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"

    @property
    def is_bent(self) -> bool:
        """Whether it says, in the digits told, that twice the documents cost less than twice: fixed costs do that."""
        return self.cheapest > 0 and round(self.exponent, 2) < 1

    def bound(self, n: float) -> float:
        """What n documents cost at the highest rate measured."""
        return self.cheapest * n

    def estimate(self, n: float) -> tuple[float, float, float]:
        """Cost of n documents and its 95% prediction interval, none below the bound; NaN where the fit cannot tell.

        That is beyond FARTHEST times the largest run, or where the fit is bent.
        """
        if self.is_bent or n > FARTHEST * self.largest:
            return (math.nan,) * 3
        value, low, high = (max(cost, self.bound(n)) for cost in (self.predict(n), *self.interval(n)))
        return value, low, high

    def predict(self, n: float) -> float:
        """The line itself, as it is drawn through the runs; beyond them see `estimate`."""
        return self.scale * n**self.exponent

    def interval(self, n: float) -> tuple[float, float]:
        """The 95% prediction interval of one more run of n documents, on the same machine, by the line itself."""
        slope = (self.high - self.exponent) * (math.log(n) - self.center)
        factor = math.exp(math.hypot(slope, self.margin * math.sqrt(1 + 1 / self.points)))
        return self.predict(n) / factor, self.predict(n) * factor


def fit(n: Sequence[float], values: Sequence[float], smallest: float = 0, reads_all: bool = False) -> Fit:
    """Fit a power law to costs of n documents each, (points,), of those with at least `smallest` documents.

    `reads_all`: whether the work reads every document, so that it has a bound.
    Raises WorkbookError for fewer than FEWEST different n, or for costs or n that are not above 0.
    """
    sizes, costs = np.asarray(n, dtype=float), np.asarray(values, dtype=float)
    kept = sizes >= smallest
    sizes, costs = sizes[kept], costs[kept]
    if len(np.unique(sizes)) < FEWEST:
        raise WorkbookError(f"{len(np.unique(sizes))} sizes from {smallest:,} documents on: give {FEWEST} or more")
    if not ((sizes > 0) & (costs > 0) & np.isfinite(costs)).all():
        raise WorkbookError("a power law needs numbers of documents and costs above 0: leave the others out")
    x, y = np.log(sizes), np.log(costs)
    deviations, total = x - x.mean(), np.square(y - y.mean()).sum()
    exponent = deviations @ y / (deviations @ deviations)
    residual = np.square(y - y.mean() - exponent * deviations).sum()
    margin = t.ppf((1 + statistics.CONFIDENCE) / 2, len(x) - 2) * math.sqrt(residual / (len(x) - 2))
    half = margin / math.sqrt(deviations @ deviations)
    return Fit(
        float(exponent), float(exponent - half), float(exponent + half),
        float(1 - residual / total) if total > 0 else math.nan, len(x),
        math.exp(y.mean() - exponent * x.mean()), int(sizes.min()), int(sizes.max()), float(x.mean()), float(margin),
        float((costs / sizes).min()) if reads_all else 0.0,
    )  # fmt: skip


def points(runs: Sequence[Run], what: str, smallest: float = 0) -> tuple[list[int], list[float]]:
    """Numbers of documents and costs, of the runs that a fit of `what`, a name of GROWING, rests on.

    Without those smaller than `smallest`, those whose memory never rose above the start, which no logarithm can show,
    and, for the seconds of encoding, those that took up an interrupted attempt: they count part of the work twice.
    """
    found = [
        (run.n, GROWING[what](run))
        for run in runs
        if run.n >= smallest and not (run.resumed and what in OF_ONE_ATTEMPT) and GROWING[what](run) > 0
    ]
    return [n for n, _ in found], [cost for _, cost in found]


def fits(runs: Sequence[Run], smallest: float = 0) -> dict[str, Fit]:
    """A fit of each cost of GROWING that enough runs measured, of runs with at least `smallest` documents.

    Raises WorkbookError for runs that differ in more than their size, or if too few are left for any cost.
    """
    kinds = {(run.corpus, run.model, run.job._replace(n=0, repeat=0)) for run in runs}
    if len(kinds) != 1:
        raise WorkbookError(f"growth is of runs that differ in their size alone, not of {len(kinds)} kinds: fit each")
    # beside a server this process holds a few shards, whatever their number, and waits for what is left to index
    read_all = READS_ALL - ({MEMORY, "index seconds"} if runs[0].job.is_remote else set())
    measured = {what: points(runs, what, smallest) for what in GROWING}
    found = {
        what: fit(*each, reads_all=what in read_all) for what, each in measured.items() if len(set(each[0])) >= FEWEST
    }
    if not found:
        raise WorkbookError(
            f"growth needs uninterrupted runs of {FEWEST} sizes from {smallest:,} documents on: measure more"
        )
    return found


def exponents(runs: Sequence[Run], smallest: float = 0) -> pd.DataFrame:
    """The fits in the long format of `results`: each exponent with its interval, and r2; n counts points."""
    above = {"note": f"from {smallest:,} documents"} if smallest else {}
    found = []
    for what, each in fits(runs, smallest).items():
        names = {**names_of(runs[0]), "variant": _done(runs[0]), "part": what, **above, "n": each.points}
        found += [
            {**names, "metric": "growth exponent", "value": each.exponent, "low": each.low, "high": each.high},
            {**names, "metric": "growth r2", "value": each.r2},
        ]
    return pd.DataFrame(found)


def bent(fitted: Mapping[str, Fit]) -> list[str]:
    """A sentence for each fit that says too little of large numbers of documents."""
    return [
        f"{what}: {each} from {each.smallest:,} to {each.largest:,} documents. Fixed costs are in it: each document "
        f"takes its part, so it does not go on like that. Beyond, the lowest cost of a document is used, as a bound."
        for what, each in fitted.items()
        if each.is_bent
    ]


def rows(runs: Sequence[Run]) -> pd.DataFrame:
    """The runs in the long format of `results`, repeats together.

    Seconds by phase, documents/s, words/s, peak MB by phase and bytes on disk per document by part: median and range of
    the repeats; beside the speed the number of distinct words, of which none was known before. Latency: median and
    range over the queries of all repeats. Precision: each query's mean over the repeats, then their mean and bootstrap
    interval. Of a run on a server the parts that are computed say so, and the memory says whose it is.
    """
    return pd.DataFrame(
        {**names_of(group[0]), "key": group[0].key, **row} for group in repeats_of(runs) for row in _rows(group)
    )


def _rows(group: Sequence[Run]) -> Iterator[dict]:
    first = group[0]
    is_remote = first.job.is_remote

    def row(metric: str, part: str, **more: object) -> dict:
        return {"documents": first.n, "variant": _done(first), "part": part, "metric": metric, **more}

    def times(metric: str, part: str, cost: Callable[[Run], float], note: str | None = None) -> dict:
        found = Times.of([cost(run) for run in group])
        ends = {"low": found.low, "high": found.high} if found.low < found.high else {}  # sizes repeat to the byte
        return row(metric, part, value=found.value, **ends, n=found.n, note=note)

    for phase in first.seconds:
        note = "what was left" if is_remote and phase == "index" else None
        yield times("phase seconds", phase, lambda run, phase=phase: run.seconds[phase], note)
    yield times("phase seconds", "total", lambda run: run.total_seconds)
    for worker in first.busy:
        yield times("phase seconds", f"busy {worker}", lambda run, worker=worker: run.busy[worker])
    yield times("documents/s", SEARCHED, lambda run: run.n / run.total_seconds)
    yield times("words/s", SEARCHED, lambda run: run.words / run.total_seconds)
    yield row("distinct words", SEARCHED, value=first.distinct)
    if any(run.resumed for run in group):
        yield row("resumed documents", "encoded by interrupted attempts", value=sum(run.resumed for run in group))
    for phase in first.memory:
        note = "encoder alone" if is_remote else None
        yield times("peak MB", phase, lambda run, phase=phase: run.memory[phase] / MB, note)
    for part in first.disk:
        note = "computed for one copy" if is_remote and part != HERE else None
        yield times("disk bytes per document", part, lambda run, part=part: per_document(run, part), note)
    searched = {"part": SEARCHED, "search": first.job.search}
    yield row("latency ms", **Times.of([1000 * each for run in group for each in run.latency])._asdict(), **searched)
    precision = pd.DataFrame([run.precision for run in group]).mean()
    yield row("ann precision@10", **statistics.mean(precision)._asdict(), **searched)


def _done(run: Run) -> str | None:
    """How it was done where that is not told apart by setting and dimension."""
    processes = f"{run.job.processes} processes" if run.job.processes > 1 else ""
    ways = ("" if run.job.words_once else "library's tokenization", processes, run.job.where)
    return "; ".join(way for way in ways if way) or None


def names_of(run: Run) -> dict[str, object]:
    return {"corpus": run.corpus, "model": run.model, "dimension": run.dimension, "setting": run.setting}


def per_document(run: Run, part: str) -> float:
    """Bytes on disk of one document; 0 of a part that is not told."""
    return run.disk.get(part, 0) / run.n
