"""Figures of size and speed: how costs grow with documents, where the seconds of a run go, texts/s by text length.

Lines carry their names at their ends, and differ in marker and dashes as well as in colour.
"""

import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from workbook.conclusions.growth import GROWING, MB, Fit, points
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.evaluation.metrics import METRICS
from workbook.evaluation.stopwatch import Times
from workbook.experiments import encoding_speed
from workbook.experiments.ingest_runs import Run, middle, repeats_of
from workbook.figures import plots
from workbook.figures.plots import MARKERS, STYLE, set_title
from workbook.figures.training_plots import DASHES

MS = 1e-3
SECONDS = {
    "total": "total seconds",
    "encode": "encode seconds",
    "index": "index seconds",
    "upsert, busy": "upsert busy seconds",
}
MEGABYTES = {"disk, all files": "bytes on disk", "peak memory,\nabove the start": "peak memory above the start"}
PHASES = {"encode": "encode, upsert alongside", "upsert": "rest of the upsert", "index": "HNSW and quantization"}
ON_A_SERVER = {
    "encode": "encode, server stores and indexes", "upsert": "rest of sending", "index": "what was left to index"
}  # fmt: skip
FILLS = {"encode": ("#0072B2", "white"), "upsert": ("#E69F00", "black"), "index": ("#cccccc", "black")}  # bar, text
SMALL = 9  # points, of what is written at lines and in bars
LETTERS = 26  # in a line of a bar's label


class End(NamedTuple):
    """The last point of a line, and what is to be written beside it."""

    x: float
    y: float
    text: str
    color: str


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
        _log(time.xaxis, [run.n for run in runs])
        time.xaxis.set_major_formatter(FuncFormatter(_short))
        for axis in (latency, precision):
            axis.set_xlabel("documents")
        set_title(figure, _growth_finding(each, fitted))
        _note(figure, *_about(runs), *_growth_notes(runs, fitted))
        for axis, own in ends.items():
            _label_ends(axis, own)
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
            _stack(axis, place, run)
        names = ON_A_SERVER if any(run.job.is_remote for run in runs.values()) else PHASES
        handles = [Patch(fc=FILLS[phase][0], ec="black", lw=0.8, label=name) for phase, name in names.items()]
        axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=SMALL)
        set_title(figure, _phases_finding(runs))
        middle = [f"each the middle one of {repeats} runs"] if repeats > 1 else []
        _note(figure, *middle, *_about(runs.values()), *_interruptions(runs))
        figure.draw_without_rendering()
        for place, run in enumerate(runs.values()):
            _write_seconds(axis, place, run)
    return figure


def speeds(rows: pd.DataFrame) -> Figure:
    """Texts per second by words per text, from the rows of `timing`; a panel for each number of threads.

    The title is computed from the medians of the speed-up rows. Raises WorkbookError if either kind of row is missing.
    """
    shown, ratios = rows[rows["metric"] == "texts/s"], rows[rows["metric"] == "speed-up"]
    unsure = list(dict.fromkeys(rows[rows["metric"] == encoding_speed.DOUBT]["model"]))
    if shown.empty or ratios.empty:
        raise WorkbookError("rows of texts/s and of speed-up are needed: give those of timing, both in one frame")
    shown, ratios = _speed_lines(shown), _alike(ratios)
    panels, cuts, words = (list(shown[name].unique()) for name in ("panel", "cut", "words"))
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(len(panels), 1, figsize=(9.5, 1 + 3.9 * len(panels)), squeeze=False, sharex=True)
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            own = shown[shown["panel"] == panel]
            ends = _draw_speeds(axis, own, cuts)
            axis.set_ylabel(METRICS["texts/s"].label)
            _log(axis.yaxis, [*own["low"], *own["high"]])
            axis.set_xscale("log")
            axis.set_xticks(words, [f"{count:,}" for count in words])
            axis.xaxis.set_minor_locator(NullLocator())
            if len(panels) > 1:
                axis.set_title(panel, fontsize=10)
            _label_ends(axis, ends)
        axis.set_xlabel("words per text")
        if len(cuts) > 1:
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": len(cuts)}  # no line runs there
            axes[0, 0].legend(handles=_cut_handles(cuts), handlelength=3.5, fontsize=SMALL, **above)
        set_title(figure, _speeds_finding(ratios))
        _note(figure, *_speeds_notes(shown, ratios, unsure))
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
    _log(axis.yaxis, drawn)
    return ends


def _slowest(axis: Axes, runs: Sequence[Run]) -> list[End]:
    """Draw the range of the latencies of each run's queries; give its upper end to label."""
    ranges = [Times.of([seconds / MS for seconds in run.latency]) for run in runs]
    axis.vlines(
        [run.n for run in runs],
        [each.low for each in ranges],
        [each.high for each in ranges],
        color="#aaaaaa",
        lw=1.5,
        zorder=1,
    )
    _log(axis.yaxis, [end for each in ranges for end in (each.low, each.high)])
    return [End(runs[-1].n, ranges[-1].high, "slowest query", "#666666")]


def _precision(axis: Axes, runs: Sequence[Run]) -> list[End]:
    """Draw each run's mean precision with its interval over queries; give the last to label."""
    means = [statistics.mean(pd.Series(run.precision)) for run in runs]
    errors = np.array([(max(each.value - each.low, 0), max(each.high - each.value, 0)) for each in means]).T
    axis.errorbar([run.n for run in runs], [each.value for each in means], yerr=errors, fmt="o--", lw=1.4, ms=5.5)
    axis.set_ylim(max(0, axis.get_ylim()[0] - 0.01), min(1, axis.get_ylim()[1]) + 0.002)
    return [End(runs[-1].n, means[-1].value, f"mean {means[-1].value:.3f}", "C0")]


def _speed_lines(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in order of their words, with panel (threads), cut and place of the model, told apart in `work`."""
    shown = _told_apart(rows, r"^(?P<words>\d+) words, (?P<cut>.+), (?P<panel>\d+ threads?)$")
    return shown.assign(place=pd.factorize(shown["model"])[0]).sort_values("words", kind="stable")


def _told_apart(rows: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """Rows with the parts of `work` as columns, whole numbers as such. Raises WorkbookError for another work."""
    parts = rows["work"].str.extract(pattern)
    strange = rows["work"][parts.isna().any(axis=1)]
    if len(strange):
        raise WorkbookError(f"work {strange.iloc[0]!r} is not as timing writes it: give the rows of timing as they are")
    return rows.assign(**{**parts, "words": parts["words"].astype(int)})


def _draw_speeds(axis: Axes, rows: pd.DataFrame, cuts: Sequence[str]) -> list[End]:
    """Draw a line for each model and cut; give the end of each model's first to label."""
    ends = {}
    for (model, cut), line in rows.groupby(["model", "cut"], sort=False):
        place, number = line["place"].iloc[0], cuts.index(cut)
        color, marker = f"C{place % 7}", MARKERS[place % len(MARKERS)]
        errors = [line["value"] - line["low"], line["high"] - line["value"]]
        axis.errorbar(
            line["words"], line["value"], yerr=errors, color=color, marker=marker, lw=1.5, elinewidth=1.2,
            ls=DASHES[number % len(DASHES)], markerfacecolor="none" if number else color, label=f"{model}, {cut}",
        )  # fmt: skip
        ends.setdefault(model, End(line["words"].iloc[-1], line["value"].iloc[-1], model, color))
    for end in ends.values():
        if end.x < rows["words"].max():  # its name at the edge would need a line through the others
            axis.annotate(end.text, end[:2], (8, -3), textcoords="offset points", color=end.color, fontsize=SMALL)
    return [end for end in ends.values() if end.x == rows["words"].max()]


def _cut_handles(cuts: Sequence[str]) -> list[Line2D]:
    return [
        Line2D([], [], color="#555555", ls=DASHES[number % len(DASHES)], marker="o", lw=1.5, label=cut,
               markerfacecolor="none" if number else "#555555")
        for number, cut in enumerate(cuts)
    ]  # fmt: skip


def _stack(axis: Axes, place: int, run: Run) -> None:
    left = 0.0
    for phase in PHASES:
        axis.barh(place, run.seconds[phase], 0.62, left=left, color=FILLS[phase][0], edgecolor="black", lw=0.8)
        left += run.seconds[phase]


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


def _log(axis: Axis, values: Sequence[float]) -> None:
    """Make an axis logarithmic, from a round number below the values to one above, with ticks that can be read."""
    steps = [float(f"{digit}e{power}") for power in range(-9, 16) for digit in (1, 2, 5)]
    low = max(step for step in steps if step < 0.87 * min(values))
    high = min(step for step in steps if step > 1.15 * max(values))
    few = high <= 50 * low  # more would run into each other
    ticks = [step for step in steps if low <= step <= high and (few or f"{step:e}".startswith("1"))]
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))


def _label_ends(axis: Axes, ends: Sequence[End]) -> None:
    """Write the names of lines to the right of the axes, as near the height of their ends as they can be read."""
    axis.figure.draw_without_rendering()
    bottom, top = axis.bbox.intervaly / axis.figure.dpi * 72
    ends = sorted(ends, key=lambda end: end.y)
    wanted = np.array([axis.transData.transform((end.x, end.y))[1] for end in ends]) / axis.figure.dpi * 72
    heights = np.array([SMALL * 1.25 * (1 + end.text.count("\n")) + 3 for end in ends])
    for end, height in zip(ends, _apart(wanted, heights, bottom, top), strict=True):
        line = {"arrowstyle": "-", "lw": 0.7, "color": end.color, "shrinkA": 2, "shrinkB": 4, "relpos": (0, 0.5)}
        axis.annotate(
            end.text, (end.x, end.y), (1.04, (height - bottom) / (top - bottom)), textcoords="axes fraction",
            fontsize=SMALL, color=end.color, va="center", linespacing=1.1, arrowprops=line,
        )  # fmt: skip


def _apart(wanted: np.ndarray, heights: np.ndarray, bottom: float, top: float) -> np.ndarray:
    """Centers of boxes, (boxes,) in ascending order, moved a little so that none overlaps the next or an edge.

    An edge is kept because the layout makes axes lower for labels that reach beyond them, and so brings these together.
    """
    centers, gaps = wanted.astype(float), (heights[1:] + heights[:-1]) / 2
    for _ in range(500):
        overlaps = (gaps - np.diff(centers)).clip(min=0)
        centers[:-1] -= overlaps / 2
        centers[1:] += overlaps / 2
        centers = centers.clip(bottom + heights / 2, top - heights / 2)
    return centers


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
    hollow = "; hollow: not in the fit" if _is_any_hollow(runs, fitted) else ""
    return [
        f"{len(runs)} runs of {runs[0].n:,} to {runs[-1].n:,} documents{hollow}",
        "exponents of n documents with 95% intervals (Student's t)",
        f"{queries:,} queries one at a time: median and range of latency, mean precision with 95% bootstrap interval",
    ]


def _is_any_hollow(runs: Sequence[Run], fitted: Mapping[str, Fit]) -> bool:
    return any(len(points(runs, what, line.smallest)[0]) < len(runs) for what, line in fitted.items())


def _phases_finding(runs: Mapping[str, Run]) -> str:
    ordered = sorted(runs.items(), key=lambda item: item[1].total_seconds)
    (fast, first), (slow, last) = ordered[0], ordered[-1]
    if len(runs) == 1:
        return f"{first.n:,} documents are encoded, stored and indexed in {_seconds(first.total_seconds)}"
    ratio = last.total_seconds / first.total_seconds
    took = f"{first.n:,} documents in {_seconds(first.total_seconds)} with {fast}"
    return f"{took}, {ratio:.1f} times as fast as with {slow}"


def _alike(ratios: pd.DataFrame) -> pd.DataFrame:
    """Speed-ups with words, terms and rival told apart in `work`; of texts cut at the same length, if there are any."""
    ratios = _told_apart(ratios, r"^(?P<words>\d+) words, (?P<terms>.+), against (?P<rival>.+)$")
    both = ratios["terms"].str.startswith("both ")
    return ratios[both] if both.any() else ratios


def _speeds_finding(ratios: pd.DataFrame) -> str:
    """How many times as fast, lowest and highest over the lengths, against the fastest variant at each length."""
    forms = "|".join(map(re.escape, encoding_speed.FORMS))  # alone: a model's own name may end in brackets too
    base, parts = ratios["rival"].str.replace(rf" \((?:{forms})\)", "", regex=True), []
    for rival, own in ratios.groupby(base, sort=False):
        leads = own.groupby(["words", "terms"])["value"].min()
        fastest = "the fastest variant of " if len(set(own["rival"])) > 1 else ""
        parts.append(f"{_span(leads, 1)} times as fast as {fastest}{rival}")
    return f"{ratios['model'].iloc[0]} encodes {' and '.join(parts)}, at {_span(ratios['words'])} words per text"


def _speeds_notes(shown: pd.DataFrame, ratios: pd.DataFrame, unsure: Sequence[str]) -> list[str]:
    batch = (
        f"batch sizes: the best speed of {', '.join(unsure)} was not found"
        if unsure
        else "each model at its best batch size"
    )
    terms = [list(shown[name].unique()) for name in ("cut", "panel")]
    return [
        shown["corpus"].iloc[0], *(own[0] for own in terms if len(own) == 1),
        batch,
        f"median and range of {shown['n'].max():.0f} repeats; times as fast: {' or '.join(ratios['terms'].unique())}",
        results.machine_label(),
    ]  # fmt: skip


def _span(values: pd.Series, digits: int = 0) -> str:
    """Lowest to highest, with digits for those below ten."""
    ends = [f"{value:,.{digits if value < 10 else 0}f}" for value in (values.min(), values.max())]
    return " to ".join(dict.fromkeys(ends))


def _about(runs: Iterable[Run]) -> list[str]:
    kinds = [f"{run.corpus}; {run.model}, {run.dimension} dimensions, {run.setting}" for run in runs]
    return [*dict.fromkeys(kinds), results.machine_label(), *dict.fromkeys(run.on for run in runs if run.on)]


def _interruptions(runs: Mapping[str, Run]) -> list[str]:
    return [
        f"{label}: an interrupted attempt encoded {run.resumed:,} documents, its seconds are counted in"
        for label, run in runs.items()
        if run.resumed
    ]


def _seconds(value: float) -> str:
    return f"{value:,.{1 if value < 10 else 0}f} s"


def _plain(value: float, _: int) -> str:
    return f"{value:,.10g}"


def _short(value: float, _: int) -> str:
    """12000 as 12k, 1000000 as 1M."""
    power = min(2, max(0, math.floor(math.log10(value) / 3 + 1e-9)))
    return f"{value / 1000**power:g}{['', 'k', 'M'][power]}"


def _note(figure: Figure, *parts: str) -> None:
    width = int(15 * figure.get_figwidth())
    plots.note(figure, textwrap.fill("; ".join(parts), width, break_on_hyphens=False))
