"""Axes that can be read: logarithmic ones with round ticks, lines with names at their ends, and points with theirs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox

SMALL = 9  # points, of what is written at lines and in bars


class End(NamedTuple):
    """The last point of a line, and what is to be written beside it."""

    x: float
    y: float
    text: str
    color: str


def log(axis: Axis, values: Sequence[float]) -> None:
    """Make an axis logarithmic, from a round number below the values to one above, with ticks that can be read."""
    steps = [float(f"{digit}e{power}") for power in range(-9, 16) for digit in (1, 2, 5)]
    low = max(step for step in steps if step < 0.87 * min(values))
    high = min(step for step in steps if step > 1.15 * max(values))
    few = high <= 50 * low  # more would run into each other
    ticks = [step for step in steps if low <= step <= high and (few or f"{step:e}".startswith("1"))]
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def label_ends(axis: Axes, ends: Sequence[End]) -> None:
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


def label_points(axis: Axes, points: Sequence[tuple[str, float, float, str]], others: np.ndarray) -> None:
    """Write texts, each with x, y and colour, near their points: where they hide no text, no such point, few others.

    `others` are (points, 2), in the units of the axes.
    """
    figure = axis.figure
    figure.draw_without_rendering()
    pixels = figure.dpi / 72
    others = axis.transData.transform(others)
    places = axis.transData.transform([(x, y) for _, x, y, _ in points])
    taken = [Bbox.from_bounds(*(place - 4.5 * pixels), 9 * pixels, 9 * pixels) for place in places]
    for (text, x, y, color), place in zip(points, places, strict=True):
        label = axis.annotate(
            text, (x, y), (0, 0), textcoords="offset points", ha="center", va="center", fontsize=9.5,
            fontweight="bold", color=color, zorder=5, path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        label.set_in_layout(False)
        size = np.array(label.get_window_extent().size) + 2 * pixels
        boxes = {
            offset: Bbox.from_bounds(*(place + np.array(offset) * pixels - size / 2), *size) for offset in _OFFSETS
        }
        free = [
            offset for offset, box in boxes.items()
            if (axis.bbox.min <= box.min).all() and (box.max <= axis.bbox.max).all() and not box.count_overlaps(taken)
        ]  # fmt: skip
        hidden = {offset: _inside(boxes[offset], others) + np.hypot(*offset) / 12 for offset in free or _OFFSETS}
        label.xyann = min(hidden, key=hidden.get)
        taken.append(boxes[label.xyann])
        if np.hypot(*label.xyann) > 16:
            line = {"arrowstyle": "-", "lw": 0.7, "color": color, "shrinkA": 6, "shrinkB": 4}
            axis.annotate("", (x, y), label.xyann, textcoords="offset points", arrowprops=line).set_in_layout(False)


_OFFSETS = [
    (round(radius * np.cos(angle), 1), round(radius * np.sin(angle), 1))
    for radius in (12, 16, 22, 30, 40, 52, 66, 84)
    for angle in np.deg2rad([120, 90, 150, 60, 180, 30, 270, 300, 240, 0, 210, 330])
]


def _inside(box: Bbox, points: np.ndarray) -> int:
    return int(((points > box.min) & (points < box.max)).all(axis=1).sum())


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


def thousands(value: float, _: int) -> str:
    """12000 as 12k, 1000000 as 1M."""
    power = min(2, max(0, math.floor(math.log10(value) / 3 + 1e-9)))
    return f"{value / 1000**power:g}{['', 'k', 'M'][power]}"
