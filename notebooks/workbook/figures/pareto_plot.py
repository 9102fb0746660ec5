"""The Pareto frontier of a grid: bytes per vector against NDCG@10, its points numbered and listed below."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from workbook.errors import WorkbookError
from workbook.evaluation.metrics import METRICS
from workbook.figures.axes import label_points
from workbook.figures.grid_plots import scored
from workbook.figures.plots import MARKERS, STYLE, caption, set_title

LINE = 13  # points from a line of a table to the next


def pareto(rows: pd.DataFrame, search: str) -> Figure:
    """Bytes per vector against NDCG@10 of every combination; those that nothing beats are numbered and listed below."""
    if search not in set(rows["search"]):
        raise WorkbookError(f"no rows are searched by {search!r}: give one of {', '.join(rows['search'].unique())}")
    scores = scored(rows, search)
    frontiers = {model: _frontier(own) for model, own in scores.groupby("model", sort=False)}
    lines = max(len(frontier) for frontier in frontiers.values())
    with plt.style.context(STYLE):
        heights = [4, (32 + LINE * lines) / 72]
        figure = plt.figure(figsize=(max(8, 4 * len(frontiers)), sum(heights) + 0.9))
        grid = figure.add_gridspec(2, len(frontiers), height_ratios=heights)
        axis = figure.add_subplot(grid[0, :])
        numbers, first = [], 1
        for place, (model, frontier) in enumerate(frontiers.items()):
            own = scores[scores["model"] == model]
            marker, dashes = MARKERS[place % len(MARKERS)], ["-", "--", ":", "-."][place % 4]
            axis.scatter(own["bytes"], own["value"], marker=marker, color=f"C{place}", alpha=0.28, lw=0, s=34)
            (line,) = axis.plot(
                frontier["bytes"], frontier["value"], dashes, drawstyle="steps-post", marker=marker, lw=1.6,
                markeredgecolor="white", markeredgewidth=0.6, markersize=7.5, label=model, zorder=3,
            )  # fmt: skip
            listed = range(first, first + len(frontier))
            numbers += [
                (str(number), *point, line.get_color()) for number, point in zip(listed, line.get_xydata(), strict=True)
            ]
            first += len(frontier)
            table = figure.add_subplot(grid[1, place])
            table.axis("off")
            _list(table, frontier, listed)
            table.legend([line], [model], loc="upper left", borderaxespad=0, borderpad=0, prop={"weight": "bold"})
        _bytes_axis(axis)
        axis.set_ylabel(METRICS["ndcg@10"].label)
        set_title(figure, _pareto_finding(frontiers))
        more = ", which reads float32 vectors too" if search.startswith("rescore") else ""
        caption(figure, scores, f"float32 searched exactly, all else by {search}{more}", are_means=True)
        label_points(axis, numbers, scores[["bytes", "value"]].to_numpy())
    return figure


def _frontier(own: pd.DataFrame) -> pd.DataFrame:
    """The combinations of one model that score higher than all others of their size or less, smallest first."""
    ordered = own.sort_values(["bytes", "value"], ascending=[True, False], kind="stable")
    return ordered[ordered["value"] > ordered["value"].cummax().shift(fill_value=-np.inf)]


def _pareto_finding(frontiers: dict[str, pd.DataFrame]) -> str:
    """Which model scores highest at the sizes on any frontier that every model can be stored in."""
    smallest = max(frontier["bytes"].iloc[0] for frontier in frontiers.values())
    sizes = sorted({size for frontier in frontiers.values() for size in frontier["bytes"] if size >= smallest})
    if len(frontiers) == 1:
        ((model, frontier),) = frontiers.items()
        low, high = (f"{end['value']:.3f} in {end['bytes']:.0f} bytes" for _, end in frontier.iloc[[0, -1]].iterrows())
        return f"{model} goes from NDCG@10 {low} to {high}" if len(frontier) > 1 else f"{model} scores {low}"
    best = {
        model: [frontier[frontier["bytes"] <= size]["value"].iloc[-1] for size in sizes]
        for model, frontier in frontiers.items()
    }
    leads = [_leader({model: values[i] for model, values in best.items()}) for i in range(len(sizes))]
    changes = [i for i in range(1, len(leads)) if leads[i] != leads[i - 1]]
    has = f"has the {'higher' if len(frontiers) == 2 else 'highest'} NDCG@10"
    if None not in leads and not changes:
        return f"{leads[0]} {has} at every size from {sizes[0]:.0f} bytes per vector"
    if None not in leads and len(changes) == 1:
        return f"{leads[0]} {has} below {sizes[changes[0]]:.0f} bytes per vector, {leads[-1]} from there on"
    model = max(frontiers, key=leads.count)
    return f"{model} {has} at {leads.count(model)} of the {len(sizes)} sizes on a frontier"


def _leader(values: dict[str, float]) -> str | None:
    best = [model for model, value in values.items() if value == max(values.values())]
    return best[0] if len(best) == 1 else None


def _list(axis: Axes, frontier: pd.DataFrame, numbers: range) -> None:
    """Write a frontier as a table: number, setting and dimensions, bytes, NDCG@10."""
    lines = [("", "setting, dimensions", "bytes", METRICS["ndcg@10"].label)]
    for number, row in zip(numbers, frontier.itertuples(), strict=True):
        lines.append((str(number), f"{row.setting} {row.dimension:.0f}", f"{row.bytes:.0f}", f"{row.value:.3f}"))
    for depth, line in enumerate(lines):
        for text, place, side in zip(line, (16, 24, 184, 248), ("right", "left", "right", "right"), strict=True):
            axis.annotate(
                text, (0, 1), (place, -30 - LINE * depth), xycoords="axes fraction", textcoords="offset points",
                ha=side, va="baseline", fontsize=9.5,
            )  # fmt: skip


def _bytes_axis(axis: Axes) -> None:
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.margins(0.05, 0.1)
    axis.set_xlabel(f"{METRICS['bytes per vector'].label} (log scale)")
