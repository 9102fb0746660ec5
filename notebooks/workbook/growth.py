"""How costs grow with the number of documents: power laws fitted to measured runs, and what they say beyond them.

A fit is a straight line through logarithms, cost = scale * n^exponent. It deliberately knows nothing of fixed costs,
which bend the curve at small n: leave those runs out with `smallest`. What lies beyond the largest run is called
extrapolated wherever it stands, and comes with the interval that the fit gives it.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from workbook import quantization, results, statistics
from workbook.errors import WorkbookError
from workbook.quantization import SETTINGS
from workbook.scale import Run, repeats_of
from workbook.timing import Times

FEWEST = 3  # sizes: through two points goes a line with no interval
MB, GB, HOUR = 1e6, 1e9, 3600
FLOAT32 = 4  # bytes of a number of an original vector
GROWING: dict[str, Callable[[Run], float]] = {
    "encode seconds": lambda run: run.seconds["encode"],
    "upsert busy seconds": lambda run: run.busy["upsert"],
    "index seconds": lambda run: run.seconds["index"],
    "total seconds": lambda run: run.total_seconds,
    "peak memory above the start": lambda run: max(run.memory.values()) - run.memory["start"],
    "bytes on disk": lambda run: sum(run.disk.values()),
    "median latency": lambda run: float(np.median(run.latency)),
}
SEARCHED = "encoded, stored and searched"  # one query at a time
HOURS = ["extrapolated hours to encode", "extrapolated hours to index"]
EXTRAPOLATED = [
    f"extrapolated {what}" for what in ("RAM GB", "disk GB", "nodes", "documents per node", "times the largest run")
]
OF_ONE_ATTEMPT = {"encode seconds", "total seconds"}


class Fit(NamedTuple):
    """cost = scale * n^exponent by least squares of the logarithms; low and high end the exponent's 95% interval.

    `smallest` and `largest` are the ends of the sizes that it rests on, `center` the mean of their logarithms, `margin`
    how far a point strays from the line: Student's t times the deviation, in logarithms.
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

    def __str__(self) -> str:
        return f"n^{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"

    def predict(self, n: float) -> float:
        return self.scale * n**self.exponent

    def interval(self, n: float) -> tuple[float, float]:
        """The 95% prediction interval of one more run of n documents, on the same machine."""
        slope = (self.high - self.exponent) * (math.log(n) - self.center)
        factor = math.exp(math.hypot(slope, self.margin * math.sqrt(1 + 1 / self.points)))
        return self.predict(n) / factor, self.predict(n) * factor


def fit(n: Sequence[float], values: Sequence[float], smallest: float = 0) -> Fit:
    """Fit a power law to costs of n documents each, (points,), of those with at least `smallest` documents.

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
    _check_alike(runs)
    measured = {what: points(runs, what, smallest) for what in GROWING}
    found = {what: fit(*each) for what, each in measured.items() if len(set(each[0])) >= FEWEST}
    if not found:
        raise WorkbookError(
            f"growth needs uninterrupted runs of {FEWEST} sizes from {smallest:,} documents on: measure more"
        )
    return found


def exponents(runs: Sequence[Run], smallest: float = 0) -> pd.DataFrame:
    """The fits in the long format of `results`: each exponent with its interval, and r2; n counts points."""
    above = f", from {smallest:,} documents" if smallest else ""
    found = []
    for what, each in fits(runs, smallest).items():
        names = {**_names(runs[0]), "work": f"{what}{_tokenized(runs[0])}{above}", "n": each.points}
        found += [
            {**names, "metric": "growth exponent", "value": each.exponent, "low": each.low, "high": each.high},
            {**names, "metric": "growth r2", "value": each.r2},
        ]
    return pd.DataFrame(found)


def rows(runs: Sequence[Run]) -> pd.DataFrame:
    """The runs in the long format of `results`, repeats together; `work` starts with the number of documents.

    Seconds by phase, documents/s, peak MB by phase and bytes on disk per document by part: median and range of the
    repeats. Latency: median and range over the queries of all repeats. Precision: each query's mean over the repeats,
    then their mean and bootstrap interval.
    """
    return pd.DataFrame(
        {**_names(group[0]), "key": group[0].key, **row} for group in repeats_of(runs) for row in _rows(group)
    )


def planning(
    run: Run, fitted: Mapping[str, Fit], sizes: Mapping[str, int], settings: Sequence[str], dimension: int,
    node_ram_gb: float = 64, originals_in_ram: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """What named sizes would take, EXTRAPOLATED: a row for each size and quantization setting.

    `extrapolated times the largest run` is how far beyond anything measured a row lies. Hours are those of the fits,
    so of one machine like this; index hours only for the run's own setting and dimension, which were measured. RAM is
    codes and HNSW graph, and originals if they are float32 or asked for: a lower bound, Qdrant's guide multiplies by
    1.5 for metadata and segments being rebuilt (qdrant.tech/documentation/capacity-planning). Disk is originals,
    codes, graph and the run's other files, without room to rebuild segments. Graph and other files per document are
    the run's. Nodes hold `node_ram_gb` each, one replica, shards of equal size; a cluster begins at
    `extrapolated documents per node`. The frame's attrs hold the same, with values, as "assumptions". Raises
    WorkbookError for an unknown setting, a missing fit, or a node too small for one document.
    """
    quantization.check(list(settings), [dimension])
    missing = {"encode seconds", "index seconds"} - set(fitted)
    if missing:
        raise WorkbookError(f"no fit of {' and '.join(sorted(missing))}: measure {FEWEST} uninterrupted runs or more")
    largest, found = min(fitted["encode seconds"].largest, fitted["index seconds"].largest), []
    for name, n in sizes.items():
        for setting in settings:
            own = setting == run.setting and dimension == run.dimension
            ram = _ram(run, setting, dimension, originals_in_ram)
            per_node = int(node_ram_gb * GB // ram)
            if not per_node:
                raise WorkbookError(f"a node of {node_ram_gb} GB holds no document: give node_ram_gb in gigabytes")
            found.append({
                "size": name, "documents": n, "extrapolated times the largest run": n / largest,
                "setting": setting, "dimension": dimension, **_hours("encode", fitted, n, True),
                **_hours("index", fitted, n, own), "extrapolated RAM GB": n * ram / GB,
                "extrapolated disk GB": n * _disk(run, setting, dimension) / GB,
                "extrapolated documents per node": per_node, "extrapolated nodes": math.ceil(n / per_node),
            })  # fmt: skip
    frame = pd.DataFrame(found)
    frame.attrs["assumptions"] = assumptions(run, fitted, dimension, node_ram_gb, originals_in_ram)
    return frame


def planning_rows(run: Run, plan: pd.DataFrame) -> pd.DataFrame:
    """A plan in the long format of `results`; every metric is named extrapolated. Hours have prediction intervals."""
    found = []
    for row in plan.to_dict("records"):
        names = {
            **_names(run), "dimension": row["dimension"], "setting": row["setting"], "key": run.key,
            "work": f"{row['documents']:,} documents, {row['size']}",
        }  # fmt: skip
        for phase, metric in zip(("encode", "index"), HOURS, strict=True):
            value, low, high = (row[column] for column in _hour_columns(phase))
            found.append({**names, "metric": metric, "value": value, "low": low, "high": high})
        found += [{**names, "metric": metric, "value": row[metric]} for metric in EXTRAPOLATED]
    return pd.DataFrame(found).dropna(subset="value")


def assumptions(
    run: Run, fitted: Mapping[str, Fit], dimension: int, node_ram_gb: float = 64, originals_in_ram: bool = False
) -> str:
    """What a plan takes for granted, a line each, with the values it was computed from."""
    encode, index = fitted["encode seconds"], fitted["index seconds"]
    kept = "in RAM" if originals_in_ram else "on disk (float32 as a setting: in RAM)"
    return "\n".join([
        f"Hours: encoding grows as {encode} and indexing as {index} beyond the largest runs too, "
        f"{encode.largest:,} and {index.largest:,} documents; the ends are 95% prediction intervals.",
        f"Hours are of one machine: {results.machine_label()}; texts as long as those of {run.corpus}; "
        f"model {run.model}; index hours only for {run.setting} at {run.dimension} dimensions, as measured.",
        f"Original vectors, {FLOAT32 * dimension:,} bytes each, are {kept}; codes and graph in RAM.",
        f"Graph: {_per_document(run, 'graph'):,.0f} bytes a document, other files: "
        f"{_per_document(run, 'other'):,.0f}, as in the run of {run.n:,} documents.",
        "RAM is a lower bound: nothing for metadata, payload, queries and segments being rebuilt, for which Qdrant's "
        "guide multiplies by 1.5. Disk has no room for rebuilding either, nor for the encoder's own files.",
        f"Nodes: {node_ram_gb:,g} GB of RAM each, all of it for this; replication 1; shards of equal size; "
        f"GB = 10^9 bytes.",
    ])  # fmt: skip


def _rows(group: Sequence[Run]) -> Iterator[dict]:
    first = group[0]

    def row(metric: str, what: str, **more: object) -> dict:
        return {"work": f"{first.n:,} documents{_tokenized(first)}, {what}", "metric": metric, **more}

    def times(metric: str, what: str, cost: Callable[[Run], float]) -> dict:
        found = Times.of([cost(run) for run in group])
        ends = {"low": found.low, "high": found.high} if found.low < found.high else {}  # sizes repeat to the byte
        return row(metric, what, value=found.value, **ends, n=found.n)

    for phase in first.seconds:
        yield times("phase seconds", phase, lambda run, phase=phase: run.seconds[phase])
    yield times("phase seconds", "total", lambda run: run.total_seconds)
    for worker in first.busy:
        yield times("phase seconds", f"busy {worker}", lambda run, worker=worker: run.busy[worker])
    yield times("documents/s", SEARCHED, lambda run: run.n / run.total_seconds)
    if any(run.resumed for run in group):
        yield row("resumed documents", "encoded by interrupted attempts", value=sum(run.resumed for run in group))
    for phase in first.memory:
        yield times("peak MB", phase, lambda run, phase=phase: run.memory[phase] / MB)
    for part in first.disk:
        yield times("disk bytes per document", part, lambda run, part=part: _per_document(run, part))
    searched = {"what": SEARCHED, "search": first.job.search}
    yield row("latency ms", **Times.of([1000 * each for run in group for each in run.latency])._asdict(), **searched)
    precision = pd.DataFrame([run.precision for run in group]).mean()
    yield row("ann precision@10", **statistics.mean(precision)._asdict(), **searched)


def _tokenized(run: Run) -> str:
    return "" if run.job.words_once else " (library's tokenization)"


def _names(run: Run) -> dict[str, object]:
    return {"corpus": run.corpus, "model": run.model, "dimension": run.dimension, "setting": run.setting}


def _check_alike(runs: Sequence[Run]) -> None:
    kinds = {(run.corpus, run.model, run.job._replace(n=0, repeat=0)) for run in runs}
    if len(kinds) != 1:
        raise WorkbookError(f"growth is of runs that differ in their size alone, not of {len(kinds)} kinds: fit each")


def _per_document(run: Run, part: str) -> float:
    return run.disk[part] / run.n


def _ram(run: Run, setting: str, dimension: int, originals_in_ram: bool) -> float:
    """Bytes of RAM a document: what is searched, its place in the graph, its original if that is asked for."""
    originals = FLOAT32 * dimension if originals_in_ram and setting != "float32" else 0
    return SETTINGS[setting].bytes_per_vector(dimension) + _per_document(run, "graph") + originals


def _disk(run: Run, setting: str, dimension: int) -> float:
    codes = 0 if setting == "float32" else SETTINGS[setting].bytes_per_vector(dimension)
    return FLOAT32 * dimension + codes + _per_document(run, "graph") + _per_document(run, "other")


def _hours(phase: str, fitted: Mapping[str, Fit], n: int, measured: bool) -> dict[str, float]:
    each = fitted[f"{phase} seconds"]
    seconds = (each.predict(n), *each.interval(n)) if measured else (math.nan,) * 3
    return dict(zip(_hour_columns(phase), (second / HOUR for second in seconds), strict=True))


def _hour_columns(phase: str) -> list[str]:
    return [f"extrapolated hours to {phase}", f"{phase} low", f"{phase} high"]
