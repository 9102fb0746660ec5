"""The figure of the answer: what each way to search finds against a transformer, and what each saving costs."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

from workbook.conclusions.answers import times
from workbook.conclusions.asked import Asked, compressed, times_as_fast
from workbook.errors import WorkbookError
from workbook.evaluation import statistics
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, Interval
from workbook.figures import plots
from workbook.figures.plots import STYLE, set_title
from workbook.names import BM25, TRAINED

TIMES = "\N{MULTIPLICATION SIGN}"
LOOKS = {  # colour and marker of each verdict
    BETTER: ("#0072b2", "^"),
    EQUAL: ("#009e73", "s"),
    WORSE: ("#d55e00", "v"),
    NOT_SETTLED: ("#777777", "o"),
}


class Bar(NamedTuple):
    """A row of the figure: its difference in NDCG@10, and the saving as a factor, if measured."""

    label: str
    difference: Interval
    gain: float | None


def answer(about: Asked) -> Figure:
    """Two groups of rows: ways to search, against the transformer; and a static model compressed, against itself whole.

    Left the difference in NDCG@10 with its interval, which decides its colour and marker, and the margin; right what it
    saves, as a factor. Intervals of the second group are adjusted for the grids of their notebooks.
    Raises WorkbookError where there is nothing to draw.
    """
    rival = f"times the documents/s of {about.transformer}\n(float32), encoded and indexed"
    groups = [
        (f"instead of {about.transformer}", rival, _searches(about)),
        (f"{about.static} compressed", "times fewer bytes per vector", _compressed(about)),
    ]
    groups = [group for group in groups if group[2]]
    if not groups:
        raise WorkbookError("there is nothing to draw: run notebooks 01, 03, 04 and 05 first")
    heights = [len(bars) + 1.2 for *_, bars in groups]
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(
            len(groups), 2, figsize=(10.5, 1.6 + 0.32 * sum(heights)), squeeze=False,
            gridspec_kw={"height_ratios": heights, "width_ratios": [3, 2]},
        )  # fmt: skip
        for (title, gain, bars), (left, right) in zip(groups, axes, strict=True):
            _differences(left, bars, about.margin)
            _gains(right, bars)
            left.set_title(title, fontsize=10.5)
            left.set_xlabel("NDCG@10 difference, paired by query")
            right.set_xlabel(gain)
        _key(axes[0][0], about.margin)
        set_title(figure, _finding(about))
        n = max(bar.difference.n for *_, bars in groups for bar in bars)
        shown = pd.DataFrame({"corpus": [about.rows["corpus"].iloc[0]], "n": [n]})
        plots.caption(
            figure,
            shown,
            f"those of the compressed adjusted for their number; grey: the margin, {about.margin:g}",
            about.machine,
        )
    return figure


def _searches(about: Asked) -> list[Bar]:
    transformer = about.method(about.transformer)
    alone = [about.method(about.static), about.method(TRAINED), about.method(BM25)]
    found = [each for each in alone if each]
    found += [each for label in (about.static, TRAINED, about.transformer) for each in about.fused(label).values()]
    if not (transformer and found):
        return []
    bars = [
        Bar(each.label, each.minus(transformer), times_as_fast(each, about.transformer, about.methods))
        for each in found
    ]
    return sorted(bars, key=lambda bar: -bar.difference.value)


def _compressed(about: Asked) -> list[Bar]:
    whole = 4 * about.rows.loc[about.rows["model"] == about.static, "dimension"].max()  # bytes of float32
    found = [*compressed(about, "03"), *compressed(about, "04")]
    return [Bar(name, Interval.of(row), whole / size) for name, size, row in found]


def _differences(axis: Axes, bars: list[Bar], margin: float) -> None:
    axis.axvspan(-margin, margin, color="#e0e0e0", lw=0)
    axis.axvline(0, color="#555555", lw=1)
    for place, bar in enumerate(bars):
        color, marker = LOOKS[statistics.decide(bar.difference, margin)]
        value, low, high = bar.difference[:3]
        axis.errorbar(value, place, xerr=[[value - low], [high - value]], fmt=marker, color=color, lw=1.6, capsize=2.5)
    axis.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:+g}"))
    axis.grid(axis="y", visible=False)


def _gains(axis: Axes, bars: list[Bar]) -> None:
    gains = [bar.gain for bar in bars if bar.gain] or [1.0]
    for place, bar in enumerate(bars):
        if bar.gain:
            axis.plot([1, bar.gain], [place, place], color="#bbbbbb", lw=1.2)
            axis.plot(bar.gain, place, "o", color="black", ms=4.5)
            text = f"{bar.gain:,.0f}{TIMES}" if bar.gain >= 10 else f"{bar.gain:.1f}{TIMES}"
            axis.annotate(text, (bar.gain, place), (6, 0), textcoords="offset points", va="center", fontsize=9.5)
    axis.axvline(1, color="#555555", lw=1)
    axis.set_xscale("log")
    axis.set_xlim(min(0.7, 0.8 * min(gains)), 4 * max(gains))
    axis.xaxis.set_major_locator(LogLocator() if max(gains) > 30 else FixedLocator([1, 2, 5, 10, 20, 50]))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}" + TIMES))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks([])
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)


def _key(axis: Axes, margin: float) -> None:
    said = {EQUAL: f"{EQUAL} within {margin:g}"}
    handles = [
        axis.plot([], [], marker, color=color, ls="none", label=said.get(verdict, verdict))[0]
        for verdict, (color, marker) in LOOKS.items()
    ]
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1.12)}
    axis.legend(handles=handles, ncols=len(handles), fontsize=9.5, borderpad=0, **above)


def _finding(about: Asked) -> str:
    """The static model against the transformer, with BM25 beside both and alone; or what is drawn if not both are."""
    pairs, transformer = about.alike(), about.method(about.transformer)
    if not (pairs and transformer):
        return f"What {about.static} loses when it is compressed"
    best, both = pairs[0]
    speed = times_as_fast(best, about.transformer, about.methods)
    fast = f", with {times(speed)} its documents a second" if speed else ""
    return (
        f"{best.label}: NDCG@10 {best.minus(both).text(3, '+')} against {both.label}, "
        f"{best.minus(transformer).text(3, '+')} against {transformer.label} alone{fast}"
    )
