"""Figures of the whole grid, settings x dimensions x searches, and of one score taken apart; otherwise like `plots`.

Scores are means over queries; float32 is always searched exactly, the other settings by the search of the figure.
Nothing is read off by colour alone: squares carry their value, models and settings a marker, changes a sign.
"""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import StrMethodFormatter

from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.evaluation.metrics import METRICS
from workbook.evaluation.statistics import BETTER, WORSE, Interval
from workbook.figures import plots
from workbook.figures.plots import MARKERS, STYLE, set_title

KEPT = 0.95  # share of the NDCG@10 of the whole float32 vector that a smaller vector should keep
KEYS = ["model", "dimension", "setting", "search"]
LEVEL, GAIN, LOSS, OPEN = "#cccccc", "#0072b2", "#e69f00", "#f2f2f2"  # light, dark, middle, lightest in grey
ROUNDING = 0.0005  # a change is shown with three digits


def heat_map(rows: pd.DataFrame, model: str) -> Figure:
    """NDCG@10 of one model by setting and dimension, without HNSW's own loss; the smallest good one is outlined."""
    scores = scored(rows[rows["model"] == model], "full-ef")
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
        set_title(figure, _heat_map_finding(model, whole, smallest, scores))
        bold = f"bold: at least {KEPT:.0%} of float32 with {whole['dimension']:.0f} dimensions"
        plots.caption(figure, scores, bold, are_means=True)
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
        set_title(figure, _oversampling_finding(shares))
        plots.caption(figure, shares, "none: not rescored", are_means=True)
    return figure


def waterfall(steps: pd.DataFrame, title: str) -> Figure:
    """From the first level to the last, change by change: columns step, value, low, high; changes between.

    `title` says what is taken apart; where most is lost is added to it. The caption also names corpus and n if
    the frame has these columns. Raises WorkbookError if the changes do not lead from the first level to the last.
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
            color = LEVEL if is_level else _colour_of(steps.iloc[place])
            axis.bar(place, value, 0.62, bottom=starts[place], color=color, edgecolor="black", lw=0.8)
            text = statistics.formatted(value, ".3f" if is_level else "+.3f")
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
        set_title(figure, f"{title}: {_waterfall_finding(steps)}")
        if {"corpus", "n"} <= set(steps.columns):
            plots.caption(figure, steps)
        else:
            plots.note(figure, "95% bootstrap intervals of the changes", results.machine_label())
    return figure


def _colour_of(change: pd.Series) -> str:
    """Of a change for the better, for the worse, or of one whose interval does not say which."""
    difference = Interval(change["value"], change["low"], change["high"], 0)
    return {BETTER: GAIN, WORSE: LOSS}.get(statistics.decide(difference, statistics.MARGIN), OPEN)


def scored(rows: pd.DataFrame, search: str) -> pd.DataFrame:
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


def _waterfall_finding(steps: pd.DataFrame) -> str:
    """From where to where, and which step loses and wins back the most."""
    changes = steps.iloc[1:-1]
    levels = f"NDCG@10 from {steps['value'].iloc[0]:.3f} to {steps['value'].iloc[-1]:.3f}"
    lost, won = (changes.iloc[place] for place in (changes["value"].argmin(), changes["value"].argmax()))
    parts = [levels]
    if lost["value"] < 0:
        parts.append(f"most lost to {lost['step']}")
    if won["value"] > 0:
        parts.append(f"most won by {won['step']}")
    return ", ".join(parts)


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
