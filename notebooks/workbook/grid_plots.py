"""Figures of the whole grid, settings x dimensions x searches, and of one score taken apart; otherwise like `plots`.

Scores are means over queries; float32 is always searched exactly, the other settings by the search of the figure.
Nothing is read off by colour alone: squares carry their value, models and settings a marker, changes a sign.
"""

import re
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullLocator, StrMethodFormatter
from matplotlib.transforms import Bbox

from workbook import plots, results
from workbook.errors import WorkbookError
from workbook.plots import METRICS, STYLE

KEPT = 0.95  # share of the NDCG@10 of the whole float32 vector that a smaller vector should keep
KEYS = ["model", "dimension", "setting", "search"]
MARKERS = "osD^vP*Xp<>hd8H"
LEVEL, GAIN, LOSS = "#cccccc", "#0072b2", "#e69f00"  # light, dark, middle when printed in grey
ROUNDING = 0.0005  # a change is shown with three digits
LINE = 13  # points from a line of a table to the next


def heat_map(rows: pd.DataFrame, model: str) -> Figure:
    """NDCG@10 of one model by setting and dimension, without HNSW's own loss; the smallest good one is outlined."""
    scores = _scores(rows[rows["model"] == model], "full-ef")
    whole, smallest = _whole(scores), _smallest_keeping(scores)
    settings = list(scores["setting"].unique())
    dimensions = sorted(scores["dimension"].unique(), reverse=True)
    grid = scores.set_index(["setting", "dimension"])["value"]
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(8, 1.8 + 0.34 * len(settings)))
        values = np.array(
            [[grid.get((setting, dimension), np.nan) for dimension in dimensions] for setting in settings]
        )
        image = axis.imshow(values, cmap="cividis", aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            measured = bool(np.isfinite(value))
            axis.text(
                j, i, f"{value:.3f}" if measured else "-", ha="center", va="center", fontsize=9.5,
                color=_readable_on(image.cmap(image.norm(value))) if measured else "black",
                fontweight="bold" if measured and value >= KEPT * whole["value"] else "normal",
            )  # fmt: skip
        place = dimensions.index(smallest["dimension"]) - 0.5, settings.index(smallest["setting"]) - 0.5
        for color, width in [("white", 5), ("black", 2.2)]:
            axis.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=color, lw=width, zorder=3, clip_on=False))
        axis.set_xticks(range(len(dimensions)), [f"{dimension:.0f}" for dimension in dimensions])
        axis.set_yticks(range(len(settings)), settings)
        axis.set_xlabel("dimensions kept")
        axis.grid(False)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        figure.colorbar(image, ax=axis, label=METRICS["ndcg@10"].label, pad=0.02)
        _title(figure, _heat_map_finding(model, whole, smallest, scores))
        _caption(figure, scores, f"bold: at least {KEPT:.0%} of float32 with {whole['dimension']:.0f} dimensions")
    return figure


def pareto(rows: pd.DataFrame, search: str) -> Figure:
    """Bytes per vector against NDCG@10 of every combination; those that nothing beats are numbered and listed below."""
    if search not in set(rows["search"]):
        raise WorkbookError(f"no rows are searched by {search!r}: give one of {', '.join(rows['search'].unique())}")
    scores = _scores(rows, search)
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
                (number, *point, line.get_color()) for number, point in zip(listed, line.get_xydata(), strict=True)
            ]
            first += len(frontier)
            table = figure.add_subplot(grid[1, place])
            table.axis("off")
            _list(table, frontier, listed)
            table.legend([line], [model], loc="upper left", borderaxespad=0, borderpad=0, prop={"weight": "bold"})
        _bytes_axis(axis)
        axis.set_ylabel(METRICS["ndcg@10"].label)
        _title(figure, _pareto_finding(frontiers))
        more = ", which reads float32 vectors too" if search.startswith("rescore") else ""
        _caption(figure, scores, f"float32 searched exactly, all else by {search}{more}")
        _number(axis, numbers, scores[["bytes", "value"]].to_numpy())
    return figure


def oversampling(rows: pd.DataFrame, dimension_of: dict[str, int]) -> Figure:
    """Share of exact float32 NDCG@10 kept against oversampling, a line per rescored setting, a panel per model."""
    shares = pd.concat([_shares(rows, model, dimension) for model, dimension in dimension_of.items()])
    settings, places = list(shares["setting"].unique()), sorted(shares["oversampling"].unique())
    with plt.style.context(STYLE):
        columns = min(4, len(settings))
        heights = [3.3, 0.24 * np.ceil(len(settings) / columns)]
        figure = plt.figure(figsize=(max(8, 4.4 * len(dimension_of)), sum(heights) + 1.2))
        grid = figure.add_gridspec(2, len(dimension_of), height_ratios=heights)
        axes = grid[0, :].subgridspec(1, len(dimension_of)).subplots(sharey=True, squeeze=False)
        handles = {}
        for axis, (model, dimension) in zip(axes[0], dimension_of.items(), strict=True):
            axis.axhline(100, color="#555555", lw=1.2)
            own = shares[shares["model"] == model]
            for setting, points in own.groupby("setting", sort=False):
                place = settings.index(setting)
                (handles[setting],) = axis.plot(
                    points["oversampling"], 100 * points["share"], ["-", "--", ":"][place // 7 % 3], lw=1.5,
                    color=f"C{place % 7}", marker=MARKERS[place % len(MARKERS)], markerfacecolor="none", label=setting,
                )  # fmt: skip
            axis.set_title(f"{model}, {dimension} dimensions", fontsize=10)
            axis.set_xticks(places, [f"{place:g}" if place else "none" for place in places])
            axis.set_xlabel("oversampling")
        axes[0][0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}%"))
        axes[0][0].set_ylabel(f"{METRICS['share kept'].label},\nof exact float32 at that dimension")
        key = figure.add_subplot(grid[1, :])  # a legend of the figure would be moved onto the caption by savefig
        key.axis("off")
        key.legend(
            [handles[setting] for setting in settings], settings, loc="upper center", ncols=columns, fontsize=9.5
        )
        _title(figure, _oversampling_finding(shares))
        _caption(figure, shares, "none: not rescored")
    return figure


def waterfall(steps: pd.DataFrame, title: str) -> Figure:
    """From the first level to the last, change by change: columns step, value, low, high; signed changes in between.

    The caption also names corpus and n if the frame has these columns.
    Raises WorkbookError if the changes do not lead from the first level to the last.
    """
    values = steps["value"].to_numpy(float)
    ends = np.append(np.cumsum(values[:-1]), values[-1])
    if abs(ends[-2] - ends[-1]) > ROUNDING:
        raise WorkbookError(f"the changes lead to {ends[-2]:.4f}, which is not the last level, {ends[-1]:.4f}")
    starts = np.append(0, ends[:-1])
    starts[-1] = 0
    changes = np.arange(len(values))[1:-1]
    intervals = starts[changes, None] + steps[["low", "high"]].to_numpy(float)[changes]
    bottom, top = _region(np.concatenate([ends, intervals.ravel()]))
    with plt.style.context(STYLE):
        room = max(68, *(6 * len(part.strip()) for step in steps["step"] for part in _parts(step)))  # points for a bar
        figure, axis = plt.subplots(figsize=(max(8, 0.9 + room * len(values) / 72), 4.8))
        for place, value in enumerate(values):
            is_level = place not in changes
            color = LEVEL if is_level else GAIN if value >= 0 else LOSS
            axis.bar(place, value, 0.62, bottom=starts[place], color=color, edgecolor="black", lw=0.8)
            text = f"{value:.3f}" if is_level else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
            reach = [starts[place], ends[place], *(intervals[place - 1] if not is_level else [])]
            axis.annotate(
                text, (place, np.nanmax(reach)), (0, 4), textcoords="offset points", ha="center", va="bottom",
                fontweight="bold" if is_level else "normal",
            )  # fmt: skip
        axis.hlines(ends[:-1], np.arange(len(ends) - 1) + 0.31, np.arange(1, len(ends)) - 0.31, color="#555555", lw=0.8)
        errors = np.abs(intervals - ends[changes, None]).T
        axis.errorbar(changes, ends[changes], yerr=errors, fmt="none", ecolor="black", lw=1.4, zorder=3)
        letters = int(72 * (figure.get_figwidth() - 0.9) / len(values) / 6)
        axis.set_xticks(range(len(values)), [_wrapped(step, letters) for step in steps["step"]], fontsize=9.5)
        axis.tick_params(axis="x", length=0)
        axis.grid(axis="x", visible=False)
        axis.set_ylim(bottom, top)
        cut = f" (axis starts at {bottom:g}, not at 0)" if bottom > 0 else ""
        axis.set_ylabel(METRICS["ndcg@10"].label + cut)
        _title(figure, title)
        if {"corpus", "n"} <= set(steps.columns):
            plots._caption(figure, steps)
        else:
            plots._note(figure, f"95% bootstrap intervals of the changes; {results.machine_label()}")
    return figure


def _scores(rows: pd.DataFrame, search: str) -> pd.DataFrame:
    """NDCG@10 of each combination, a row each, with its `bytes` per vector."""
    chosen = rows[rows["search"] == np.where(rows["setting"] == "float32", "exact", search)]
    scores, sizes = (
        chosen[chosen["metric"] == metric].drop_duplicates(KEYS) for metric in ("ndcg@10", "bytes per vector")
    )
    scores = scores.merge(sizes[KEYS].assign(bytes=sizes["value"]), on=KEYS, how="left")
    if scores.empty or scores["bytes"].isna().any():
        raise WorkbookError("rows of ndcg@10 are needed, and rows of bytes per vector for each of them")
    return scores


def _whole(scores: pd.DataFrame) -> pd.Series:
    """The widest exact float32."""
    float32 = scores[scores["setting"] == "float32"]
    if float32.empty:
        raise WorkbookError("exact float32 is needed to compare with")
    return float32.loc[float32["dimension"].idxmax()]


def _smallest_keeping(scores: pd.DataFrame) -> pd.Series:
    """Of the combinations that keep KEPT of the whole, the one with the fewest bytes, of equals the best."""
    keeping = scores[scores["value"] >= KEPT * _whole(scores)["value"]]
    return keeping.sort_values(["bytes", "value"], ascending=[True, False]).iloc[0]


def _heat_map_finding(model: str, whole: pd.Series, smallest: pd.Series, scores: pd.DataFrame) -> str:
    quantized = scores[scores["setting"] != "float32"]
    size = f"in {smallest['bytes']:.0f} of {whole['bytes']:.0f} bytes"
    if (quantized["value"] >= KEPT * whole["value"]).any():
        place = f"({smallest['setting']}, {smallest['dimension']:.0f} dimensions)"
        return f"{model} keeps {KEPT:.0%} of its NDCG@10 {size} {place}"
    return f"Only float32 keeps {KEPT:.0%} of the NDCG@10 of {model}, {size} ({smallest['dimension']:.0f} dimensions)"


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
    best = {model: [_best_within(frontier, size) for size in sizes] for model, frontier in frontiers.items()}
    leads = [_leader({model: values[i] for model, values in best.items()}) for i in range(len(sizes))]
    changes = [i for i in range(1, len(leads)) if leads[i] != leads[i - 1]]
    has = f"has the {'higher' if len(frontiers) == 2 else 'highest'} NDCG@10"
    if None not in leads and not changes:
        return f"{leads[0]} {has} at every size from {sizes[0]:.0f} bytes per vector"
    if None not in leads and len(changes) == 1:
        return f"{leads[0]} {has} below {sizes[changes[0]]:.0f} bytes per vector, {leads[-1]} from there on"
    model = max(frontiers, key=leads.count)
    return f"{model} {has} at {leads.count(model)} of the {len(sizes)} sizes on a frontier"


def _best_within(frontier: pd.DataFrame, size: float) -> float:
    return frontier[frontier["bytes"] <= size]["value"].iloc[-1]


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


def _number(axis: Axes, numbers: list[tuple], points: np.ndarray) -> None:
    """Write each number near its point, where it hides no other number and no frontier point, and the fewest others."""
    figure = axis.figure
    figure.draw_without_rendering()
    pixels = figure.dpi / 72
    others = axis.transData.transform(points)
    places = axis.transData.transform([(x, y) for _, x, y, _ in numbers])
    taken = [Bbox.from_bounds(*(place - 4.5 * pixels), 9 * pixels, 9 * pixels) for place in places]
    for (number, x, y, color), place in zip(numbers, places, strict=True):
        label = axis.annotate(
            str(number), (x, y), (0, 0), textcoords="offset points", ha="center", va="center", fontsize=9.5,
            fontweight="bold", color=color, zorder=5, path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        label.set_in_layout(False)
        size = np.array(label.get_window_extent().size) + 2 * pixels
        boxes = {
            offset: Bbox.from_bounds(*(place + np.array(offset) * pixels - size / 2), *size) for offset in _OFFSETS
        }
        free = [offset for offset, box in boxes.items() if _contains(axis.bbox, box) and not box.count_overlaps(taken)]
        hidden = {offset: _inside(boxes[offset], others) + np.hypot(*offset) / 12 for offset in free or _OFFSETS}
        label.xyann = min(hidden, key=hidden.get)
        taken.append(boxes[label.xyann])
        if np.hypot(*label.xyann) > 16:
            line = {"arrowstyle": "-", "lw": 0.7, "color": color, "shrinkA": 6, "shrinkB": 4}
            axis.annotate("", (x, y), label.xyann, textcoords="offset points", arrowprops=line).set_in_layout(False)


_OFFSETS = [
    (round(radius * np.cos(angle), 1), round(radius * np.sin(angle), 1))
    for radius in (12, 16, 22, 30, 40, 52, 66)
    for angle in np.deg2rad([120, 90, 150, 60, 180, 30, 270, 300, 240, 0, 210, 330])
]


def _contains(outer: Bbox, box: Bbox) -> bool:
    return bool((outer.min <= box.min).all() and (box.max <= outer.max).all())


def _inside(box: Bbox, points: np.ndarray) -> int:
    return int(((points > box.min) & (points < box.max)).all(axis=1).sum())


def _shares(rows: pd.DataFrame, model: str, dimension: int) -> pd.DataFrame:
    """NDCG@10 of the rescored settings as share of exact float32 at the same dimension, by oversampling (0: none)."""
    own = rows[(rows["metric"] == "ndcg@10") & (rows["model"] == model) & (rows["dimension"] == dimension)]
    own = own.drop_duplicates(KEYS)
    own = own.assign(oversampling=[_oversampling_of(search) for search in own["search"]])
    rescored = own[own["oversampling"] > 0]["setting"].unique()
    exact = own[(own["setting"] == "float32") & (own["search"] == "exact")]
    if exact.empty or not len(rescored):
        raise WorkbookError(f"{model} needs exact float32 and a rescored setting at {dimension} dimensions")
    shown = own[own["setting"].isin(rescored) & own["oversampling"].notna()]
    return shown.assign(share=shown["value"] / exact["value"].iloc[0]).sort_values("oversampling", kind="stable")


def _oversampling_of(search: str) -> float:
    plain = {"default-ef": 0.0, "rescore": 1.0}
    return float(search.removeprefix("rescore-x")) if search.startswith("rescore-x") else plain.get(search, np.nan)


def _oversampling_finding(shares: pd.DataFrame) -> str:
    worst = shares.reset_index().sort_values("share", kind="stable").groupby("oversampling").first()
    said = [f"{np.floor(1000 * row.share) / 10:.1f}% ({row.setting}, {row.model})" for row in worst.itertuples()]
    most = f"{said[-1]} with oversampling {worst.index[-1]:g}"
    return f"NDCG@10 kept at worst: {said[0] + ' without rescoring, ' if worst.index[0] == 0 else ''}{most}"


def _region(values: np.ndarray) -> tuple[float, float]:
    """Limits of an axis around the values: the lower one 0, or a round number well below them all."""
    low, high = np.nanmin(values), np.nanmax(values)
    spread = max(high - low, 0.01)
    step = 10 ** np.floor(np.log10(spread)) / 2
    bottom = max(np.floor((low - 0.25 * spread) / step) * step, 0)
    return round(bottom, 6), high + 0.12 * (high - bottom)


def _parts(text: str) -> list[str]:
    """The pieces of a text that stay on one line: it may be broken after spaces and hyphens."""
    return re.findall(r"[^\s-]*[\s-]?", text)


def _wrapped(text: str, width: int) -> str:
    lines = [""]
    for part in _parts(text):
        if len(lines[-1] + part.rstrip()) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(line.rstrip() for line in lines)


def _readable_on(color: tuple) -> str:
    """Black or white, whichever stands out more: 0.18 is where the contrast of both is the same."""
    parts = np.array(to_rgb(color))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > 0.18 else "white"


def _title(figure: Figure, text: str) -> None:
    width = int(8.8 * figure.get_figwidth())
    figure.suptitle(textwrap.fill(text, width, break_on_hyphens=False), x=0.01, ha="left", fontweight="bold")


def _caption(figure: Figure, rows: pd.DataFrame, note: str) -> None:
    """Like that of `plots`, for figures that draw no intervals."""
    text = f"{rows['corpus'].iloc[0]}, means over {rows['n'].max():.0f} queries; {note}; {results.machine_label()}"
    plots._note(figure, textwrap.fill(text, int(15 * figure.get_figwidth()), break_on_hyphens=False))
