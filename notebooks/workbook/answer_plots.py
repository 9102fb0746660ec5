"""The figure of the answer: what each way to search finds against a transformer, and what each saving costs."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

from workbook import plots, ways
from workbook.answers import Asked, decide, times
from workbook.baselines import BM25
from workbook.custom import TRAINED
from workbook.plots import STYLE, set_title
from workbook.statistics import Interval

TIMES = "\N{MULTIPLICATION SIGN}"
BETTER, SAME, WORSE, OPEN = "#0072b2", "#009e73", "#d55e00", "#777777"
LOOKS = {
    1: (BETTER, "^", "more"),
    0: (SAME, "s", "within the margin"),
    -1: (WORSE, "v", "less"),
    None: (OPEN, "o", "undecided"),
}


class Bar(NamedTuple):
    """A row of the figure: its difference in NDCG@10, and how many times as much the saving is, with its range."""

    label: str
    difference: Interval
    gain: tuple[float, float, float]


def answer(about: Asked) -> Figure:
    """Two groups of rows: ways to search, against the transformer; and a static model compressed, against itself whole.

    Left the difference in NDCG@10 with its interval and the margin, right what it saves, as a factor.
    """
    blocks = [
        (f"instead of {about.transformer}", "times the documents/s, encoded and indexed", _searches(about)),
        (f"{about.static} compressed", "times fewer bytes per vector", _compressed(about)),
    ]
    blocks = [block for block in blocks if block[2]]
    heights = [len(bars) + 1.2 for *_, bars in blocks]
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(
            len(blocks), 2, figsize=(10.5, 1.4 + 0.32 * sum(heights)), squeeze=False,
            gridspec_kw={"height_ratios": heights, "width_ratios": [3, 2]},
        )  # fmt: skip
        for (title, gain, bars), (left, right) in zip(blocks, axes, strict=True):
            _differences(left, bars, about.margin)
            _gains(right, bars)
            left.set_title(title, fontsize=10.5)
            left.set_xlabel("NDCG@10 difference, paired by query")
            right.set_xlabel(gain)
        _key(axes[0][0])
        set_title(figure, _finding(about, blocks[0][2]))
        n = max(bar.difference.n for *_, bars in blocks for bar in bars)
        shown = pd.DataFrame({"corpus": [about.rows["corpus"].iloc[0]], "n": [n]})
        plots.caption(figure, shown, "bars at right: range of the repeats; grey: the margin", about.machine)
    return figure


def _searches(about: Asked) -> list[Bar]:
    transformer = about.way(about.transformer)
    wanted = [about.way(about.static), about.way(TRAINED), about.way(BM25)]
    wanted += [about.fused(label) for label in (about.static, TRAINED, about.transformer)]
    if not transformer:
        return []
    found = [way for way in wanted if way]
    bars = [
        Bar(way.label, ways.difference(way, transformer), ways.times_as_fast(way, transformer)[:3]) for way in found
    ]
    return sorted(bars, key=lambda bar: -bar.difference.value)


def _compressed(about: Asked) -> list[Bar]:
    """Cuts of notebook 03, and settings of notebook 04 at whole vectors, each with the fewest and the most read."""
    found = []
    whole = about.of("03", "bytes per vector", model=about.static, search="exact")["value"].max()
    cuts = about.of("03", "ndcg@10 difference", model=about.static, search="exact")
    for row in cuts.itertuples():
        found.append((f"{row.dimension} dimensions", row, whole / (4 * row.dimension)))
    changes = about.of("04", "ndcg@10 difference", model=about.static)
    changes = changes[(changes["dimension"] == changes["dimension"].max()) & (changes["setting"] != "float32")]
    sizes = about.of("04", "bytes per vector", model=about.static).drop_duplicates(["dimension", "setting"])
    size = sizes.set_index(["dimension", "setting"])["value"]
    rescored = [name for name in changes["search"].unique() if name.startswith("rescore")]
    for row in changes[changes["search"].isin(["default-ef", *rescored[-1:]])].itertuples():
        said = f"{row.setting}, rescored" if row.search != "default-ef" else row.setting
        found.append((said, row, size[row.dimension, "float32"] / size[row.dimension, row.setting]))
    return [
        Bar(label, Interval(row.value, row.low, row.high, int(row.n)), (gain, np.nan, np.nan))
        for label, row, gain in found
    ]


def _differences(axis: Axes, bars: list[Bar], margin: float) -> None:
    axis.axvspan(-margin, 0, color="#e0e0e0", lw=0)
    axis.axvline(0, color="#555555", lw=1)
    for place, bar in enumerate(bars):
        color, marker, _ = LOOKS[decide(bar.difference, margin)]
        value, low, high, _ = bar.difference
        axis.errorbar(value, place, xerr=[[value - low], [high - value]], fmt=marker, color=color, lw=1.6, capsize=2.5)
    axis.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:+g}"))
    axis.grid(axis="y", visible=False)


def _gains(axis: Axes, bars: list[Bar]) -> None:
    highest = max(np.nanmax(bar.gain) for bar in bars)
    for place, bar in enumerate(bars):
        value, low, high = bar.gain
        axis.plot([1, value], [place, place], color="#bbbbbb", lw=1.2)
        axis.plot(value, place, "o", color="black", ms=4.5)
        if np.isfinite(low):
            axis.errorbar(value, place, xerr=[[value - low], [high - value]], color="black", lw=1.2, capsize=2)
        text = f"{value:,.0f}{TIMES}" if value >= 10 else f"{value:.1f}{TIMES}"
        axis.annotate(text, (np.nanmax(bar.gain), place), (6, 0), textcoords="offset points", va="center", fontsize=9.5)
    axis.axvline(1, color="#555555", lw=1)
    axis.set_xscale("log")
    axis.set_xlim(min(0.7, 0.8 * min(bar.gain[0] for bar in bars)), 4 * highest)
    axis.xaxis.set_major_locator(LogLocator() if highest > 30 else FixedLocator([1, 2, 5, 10, 20, 50]))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}" + TIMES))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks([])
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)


def _key(axis: Axes) -> None:
    handles = [
        axis.plot([], [], marker, color=color, ls="none", label=said)[0] for color, marker, said in LOOKS.values()
    ]
    axis.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.12), ncols=len(handles), fontsize=9.5, borderpad=0
    )


def _finding(about: Asked, bars: list[Bar]) -> str:
    best, transformer = about.fused(TRAINED) or about.fused(about.static), about.way(about.transformer)
    if not (best and transformer):
        return f"What {about.static} loses when it is compressed"
    difference, speed = ways.difference(best, transformer), ways.times_as_fast(best, transformer).value
    found = {
        1: "finds more than",
        0: "finds as much as",
        -1: "finds less than",
        None: "is undecided against",
    }
    return (
        f"{best.label} {found[decide(difference, about.margin)]} {transformer.label}, {difference.value:+.3f} "
        f"[{difference.low:+.3f}, {difference.high:+.3f}] NDCG@10, with {times(speed)} the documents a second"
    )
