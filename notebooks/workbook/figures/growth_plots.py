"""Figures of documents encoded, stored and indexed: how costs grow with their number, and where the seconds go."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from workbook.conclusions.growth import GROWING, MB, Fit, points
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.evaluation.metrics import METRICS
from workbook.evaluation.stopwatch import Times
from workbook.experiments.ingest_runs import Run, middle, repeats_of
from workbook.figures import axes, plots
from workbook.figures.axes import SMALL, End
from workbook.figures.plots import DASHES, MARKERS, STYLE, set_title

MS = 1e-3
SECONDS = {name: f"{name} seconds" for name in ("total", "encode", "index")} | {"upsert, busy": "upsert busy seconds"}
MEGABYTES = {"disk, all files": "bytes on disk", "peak memory,\nabove the start": "peak memory above the start"}
PHASES = {"encode": "encode, upsert alongside", "upsert": "rest of the upsert", "index": "HNSW and quantization"}
ON_A_SERVER = {
    "encode": "encode, server stores and indexes", "upsert": "rest of sending", "index": "what was left to index"
}  # fmt: skip
FILLS = {"encode": ("#0072B2", "white"), "upsert": ("#E69F00", "black"), "index": ("#cccccc", "black")}  # bar, text
LETTERS = 26  # in a line of a bar's label


def growth(runs: Sequence[Run], fitted: Mapping[str, Fit]) -> Figure:
    """Seconds, memory and disk, latency and precision against the number of documents, with `growth.fits`.

    A line is drawn over the sizes that its fit rests on; the points that are not in the fit are hollow.
    """
    runs = sorted(runs, key=lambda run: run.n)
    each, remote = [middle(group) for group in repeats_of(runs)], runs[0].job.is_remote
    seconds = {"left to index" if remote and label == "index" else label: what for label, what in SECONDS.items()}
    query = f"one query, {runs[0].job.search}{', network included' if remote else ''}"
    with plt.style.context(STYLE):
        figure, ((time, size), (latency, precision)) = plt.subplots(2, 2, figsize=(10, 7), sharex=True)
        ends = {
            time: _growing(time, runs, fitted, seconds, 1),
            size: _growing(size, runs, fitted, MEGABYTES, MB),
            latency: [*_growing(latency, runs, fitted, {"median": "median latency"}, MS), *_slowest(latency, each)],
            precision: _precision(precision, each),
        }
        for axis, title, unit in [
            (time, "time by phase", "seconds"),
            (size, "memory of the encoder's process alone" if remote else "memory and disk", "MB"),
            (latency, query, METRICS["latency ms"].label),
            (precision, "share of the exact ten found", "ANN precision@10"),
        ]:
            axis.set_title(title, fontsize=10)
            axis.set_ylabel(unit)
        axes.log(time.xaxis, [run.n for run in runs])
        time.xaxis.set_major_formatter(FuncFormatter(axes.thousands))
        for axis in (latency, precision):
            axis.set_xlabel("documents")
        set_title(figure, _growth_finding(each, fitted))
        plots.note(figure, *_about(runs), *_growth_notes(runs, fitted))
        for axis, own in ends.items():
            axes.label_ends(axis, own)
    return figure


def phases(runs: Mapping[str, Run], references: Mapping[str, float] | None = None, repeats: int = 1) -> Figure:
    """Seconds of each phase, a bar for each labelled run, the middle one of so many `repeats`.

    `references` are others' totals: a label with its source.
    Raises WorkbookError for no runs, or runs of different numbers of documents.
    """
    references, sizes = dict(references or {}), {run.n for run in runs.values()}
    if len(sizes) != 1:
        raise WorkbookError(
            f"phases compare runs of one number of documents, not of {len(sizes)}: leave out the others"
        )
    labels = [*runs, *(f"{label} (not measured here)" for label in references)]
    wrapped = [textwrap.fill(label, LETTERS) for label in labels]
    with plt.style.context(STYLE):
        lines = sum(max(2.4, 1.4 + label.count("\n")) for label in wrapped)
        figure, axis = plt.subplots(figsize=(9, 1.9 + 0.22 * lines))
        axis.set_xlim(0, 1.03 * max([*references.values(), *(run.total_seconds for run in runs.values())]))
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.set_yticks(range(len(labels)), wrapped, fontsize=10)
        axis.grid(axis="y", visible=False)
        axis.set_xlabel(f"seconds for {sizes.pop():,} documents")
        for place, seconds in enumerate(references.values(), len(runs)):
            axis.barh(place, seconds, 0.62, color="white", edgecolor="#777777", ls="--")
            _beside(axis, seconds, place, _seconds(seconds))
        for place, run in enumerate(runs.values()):
            left = 0.0
            for phase, (fill, _) in FILLS.items():
                axis.barh(place, run.seconds[phase], 0.62, left=left, color=fill, edgecolor="black", lw=0.8)
                left += run.seconds[phase]
        names = ON_A_SERVER if any(run.job.is_remote for run in runs.values()) else PHASES
        handles = [Patch(fc=FILLS[phase][0], ec="black", lw=0.8, label=name) for phase, name in names.items()]
        axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=SMALL)
        set_title(figure, _phases_finding(runs))
        middle = [f"each the middle one of {repeats} runs"] if repeats > 1 else []
        interrupted = [
            f"{label}: an interrupted attempt encoded {run.resumed:,} documents, its seconds are counted in"
            for label, run in runs.items()
            if run.resumed
        ]
        plots.note(figure, *middle, *_about(runs.values()), *interrupted)
        figure.draw_without_rendering()
        for place, run in enumerate(runs.values()):
            _write_seconds(axis, place, run)
    return figure


def _growing(axis: Axes, runs: Sequence[Run], fitted: Mapping[str, Fit], lines: Mapping[str, str], unit: float) -> list:
    """Draw costs, named as in `growth.GROWING`, in a unit, with their fits; give the ends to label."""
    ends, drawn = [], []
    for place, (label, what) in enumerate(lines.items()):
        color, marker, line = f"C{place}", MARKERS[place], fitted.get(what)
        used = set(zip(*points(runs, what, line.smallest), strict=True)) if line else set()
        costs = [(run.n, GROWING[what](run)) for run in runs if GROWING[what](run) > 0]
        for point in costs:
            face = color if point in used else "none"
            axis.plot(point[0], point[1] / unit, marker, ms=5.5, color=color, markerfacecolor=face)
        if line:
            sizes = np.geomspace(line.smallest, line.largest)
            axis.plot(sizes, [line.predict(n) / unit for n in sizes], ls=DASHES[place], lw=1.4, color=color, label=what)
        if costs:
            ends.append(End(costs[-1][0], costs[-1][1] / unit, f"{label}\n{line}" if line else label, color))
        drawn += [cost / unit for _, cost in costs]
    axes.log(axis.yaxis, drawn)
    return ends


def _slowest(axis: Axes, runs: Sequence[Run]) -> list[End]:
    """Draw the range of the latencies of each run's queries; give its upper end to label."""
    ranges = [Times.of([seconds / MS for seconds in run.latency]) for run in runs]
    low, high = [each.low for each in ranges], [each.high for each in ranges]
    axis.vlines([run.n for run in runs], low, high, color="#aaaaaa", lw=1.5, zorder=1)
    axes.log(axis.yaxis, [*low, *high])
    return [End(runs[-1].n, ranges[-1].high, "slowest query", "#666666")]


def _precision(axis: Axes, runs: Sequence[Run]) -> list[End]:
    """Draw each run's mean precision with its interval over queries; give the last to label."""
    means = pd.DataFrame([statistics.mean(pd.Series(run.precision)) for run in runs])
    axis.errorbar([run.n for run in runs], means["value"], plots.errors(means), fmt="o--", lw=1.4, ms=5.5)
    axis.set_ylim(max(0, axis.get_ylim()[0] - 0.01), min(1, axis.get_ylim()[1]) + 0.002)
    last = means["value"].iloc[-1]
    return [End(runs[-1].n, last, f"mean {last:.3f}", "C0")]


def _write_seconds(axis: Axes, place: int, run: Run) -> None:
    """Write the seconds into each part of a bar that has room for them, the others' and the total after its end."""
    left, outside = 0.0, []
    for phase in PHASES:
        seconds, color = run.seconds[phase], FILLS[phase][1]
        middle = left + seconds / 2
        text = axis.text(middle, place, _seconds(seconds), color=color, ha="center", va="center", fontsize=SMALL)
        room = np.diff(axis.transData.transform([(0, 0), (seconds, 0)])[:, 0])[0]
        if text.get_window_extent().width > 0.75 * room:  # the axis may yet be narrowed for what is beside the bars
            text.remove()
            outside.append(f"{phase} {_seconds(seconds)}")
        left += seconds
    _beside(axis, left, place, _seconds(run.total_seconds) + (f" ({', '.join(outside)})" if outside else ""))


def _beside(axis: Axes, x: float, y: float, text: str) -> None:
    place = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
    axis.annotate(text, (x, y), **place, fontsize=SMALL, fontweight="bold")


def _growth_finding(runs: Sequence[Run], fitted: Mapping[str, Fit]) -> str:
    second = {"total seconds": "all of it as"} if runs[0].job.is_remote else {"index seconds": "indexing as"}
    verbs = {"encode seconds": "Encoding grows as", **second}
    grown = ", ".join(f"{verb} {_grown(fitted[what])}" for what, verb in verbs.items() if what in fitted)
    first, last = (f"{np.mean(run.precision):.3f} at {run.n:,}" for run in (runs[0], runs[-1]))
    return "; ".join([*([grown] if grown else []), f"ANN precision@10 is {first} documents, {last}"])


def _grown(fit: Fit) -> str:
    return f"{fit} to {fit.largest:,} documents, fixed costs included" if fit.is_bent else str(fit)


def _growth_notes(runs: Sequence[Run], fitted: Mapping[str, Fit]) -> list[str]:
    queries = max(len(run.latency) for run in runs)
    is_any_hollow = any(len(points(runs, what, line.smallest)[0]) < len(runs) for what, line in fitted.items())
    hollow = "; hollow: not in the fit" if is_any_hollow else ""
    return [
        f"{len(runs)} runs of {runs[0].n:,} to {runs[-1].n:,} documents{hollow}",
        "exponents of n documents with 95% intervals (Student's t)",
        f"{queries:,} queries one at a time: median and range of latency, mean precision with 95% bootstrap interval",
    ]


def _phases_finding(runs: Mapping[str, Run]) -> str:
    ordered = sorted(runs.items(), key=lambda item: item[1].total_seconds)
    (fast, first), (slow, last) = ordered[0], ordered[-1]
    if len(runs) == 1:
        return f"{first.n:,} documents are encoded, stored and indexed in {_seconds(first.total_seconds)}"
    ratio = last.total_seconds / first.total_seconds
    took = f"{first.n:,} documents in {_seconds(first.total_seconds)} with {fast}"
    return f"{took}, {ratio:.1f} times as fast as with {slow}"


def _about(runs: Iterable[Run]) -> list[str]:
    kinds = [f"{run.corpus}; {run.model}, {run.dimension} dimensions, {run.setting}" for run in runs]
    return [*dict.fromkeys(kinds), results.machine_label(), *dict.fromkeys(run.on for run in runs if run.on)]


def _seconds(value: float) -> str:
    return f"{value:,.{1 if value < 10 else 0}f} s"
