"""Figures over several corpora: forest plots, quality against bytes of each, and what goes with a corpus's facts."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from matplotlib.transforms import ScaledTranslation
from scipy.stats import kendalltau

from workbook.conclusions import across
from workbook.conclusions.across import Comparison
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.evaluation.meta_analysis import FEWEST
from workbook.evaluation.metrics import METRICS
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, Interval
from workbook.figures import axes
from workbook.figures.answer_plots import LOOKS
from workbook.figures.plots import MARKERS, STYLE, errors, note, set_title

MEAN = "mean over corpora"  # the last row of a forest plot
COLUMNS = 2  # of panels
WIDE = 20  # a range of amounts that takes a logarithmic axis, as a factor
ROW = 0.24  # inches
SIDES = 46  # letters that fit in a line above or below a panel
LEFT, RIGHT = "\N{LEFTWARDS ARROW}", "\N{RIGHTWARDS ARROW}"


def forest(comparisons: Sequence[Comparison], margin: float, machine: str = "") -> Figure:
    """A panel for each comparison: the effect on each corpus with its interval, and the mean over corpora as a diamond.

    The thin bar through the diamond is where a new corpus is expected. Colour and marker are what the interval decides.
    Without an overall effect there is neither. Raises WorkbookError where there is nothing to draw.
    """
    if not comparisons:
        raise WorkbookError("there is nothing to draw: run notebooks 01, 03, 04 and 05 first")
    corpora = list(dict.fromkeys(name for each in comparisons for name in each.effects))
    columns = min(COLUMNS, len(comparisons))
    lines = -(-len(comparisons) // columns)
    rows = [*corpora, *([MEAN] if any(each.overall for each in comparisons) else [])]
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(
            lines, columns, figsize=(8.5, 1.5 + lines * (1.05 + ROW * len(rows))), sharey=True, squeeze=False
        )  # fmt: skip
        for axis, each in zip_longest(panels.flat, comparisons):
            if each:
                _forest(axis, each, corpora, margin)
            else:
                axis.set_axis_off()
        panels[0][0].set_yticks(range(len(rows)), rows)
        panels[0][0].set_ylim(len(rows) - 0.4, -0.6)
        _verdicts(panels[0][0], margin, 0.3)
        set_title(figure, _forest_finding(comparisons, margin))
        shown = [effect for each in comparisons for effect in each.effects.values()]
        drawn = "diamond: mean over corpora by random effects, thin bar: where a new corpus is expected"
        note(
            figure, f"NDCG@10 differences paired by query, {_queries(shown)}, 95% intervals",
            drawn if MEAN in rows else "", f"grey: the margin, {margin:g}", machine or results.machine_label(),
        )  # fmt: skip
    return figure


def small_multiples(points: pd.DataFrame, machine: str = "") -> Figure:
    """NDCG@10 with its interval against the bytes that a search reads of a document, a panel for each corpus.

    `points` has corpus, model, setting, with_bm25 (bool), bytes, and an interval's value, low, high and n.
    Colour is the model, the marker how vectors are stored, and a point is hollow where BM25 is beside them.
    Raises WorkbookError where there is nothing to draw.
    """
    if points.empty:
        raise WorkbookError("of no way to search the bytes are known: run notebooks 01 and 05 again")
    corpora, models, settings = (list(points[name].unique()) for name in ("corpus", "model", "setting"))
    colors = {model: f"C{place % 7}" for place, model in enumerate(models)}
    markers = {setting: MARKERS[place % len(MARKERS)] for place, setting in enumerate(settings)}
    keys = [
        [_mark(color, "o", model) for model, color in colors.items()],
        [
            *(_mark("#555555", marker, setting) for setting, marker in markers.items()),
            _mark("#555555", "o", "hollow: with BM25", mfc="white"),
        ],
    ]
    heights = [*[2.2] * -(-len(corpora) // COLUMNS), 0.21 * max(map(len, keys))]
    with plt.style.context(STYLE):
        figure = plt.figure(figsize=(6.5, 0.9 + sum(heights)))
        grid = figure.add_gridspec(len(heights), COLUMNS, height_ratios=heights)
        axis = None
        for place, (corpus, own) in enumerate(points.groupby("corpus", sort=False)):
            axis = figure.add_subplot(grid[divmod(place, COLUMNS)], sharex=axis, sharey=axis)
            for row, below, above in zip(own.to_dict("records"), *errors(own), strict=True):
                color = colors[row["model"]]
                axis.errorbar(
                    row["bytes"], row["value"], yerr=[[below], [above]], fmt=markers[row["setting"]], color=color,
                    mfc="white" if row["with_bm25"] else color, lw=1, capsize=2,
                )  # fmt: skip
            axis.set_title(corpus, fontsize=10.5)
            axis.tick_params(labelsize=10, labelleft=place % COLUMNS == 0, labelbottom=place >= len(corpora) - COLUMNS)
            if place >= len(corpora) - COLUMNS:
                axis.set_xlabel("bytes of a document searched", fontsize=10)
            if place % COLUMNS == 0:
                axis.set_ylabel(METRICS["ndcg@10"].label, fontsize=10)
        axes.log(axis.xaxis, points["bytes"])
        for place, key in enumerate(keys):
            axis = figure.add_subplot(grid[-1, place])
            axis.set_axis_off()
            axis.legend(handles=key, fontsize=10, loc="upper left", borderpad=0, borderaxespad=0)
        set_title(figure, _points_finding(points))
        queries = _queries([Interval.of(row) for _, row in points.iterrows()])
        note(figure, f"{queries}, 95% bootstrap intervals", machine or results.machine_label())
    return figure


def corpus_map(facts: pd.DataFrame, effect: str, margin: float, machine: str = "") -> Figure:
    """An effect on each corpus with its interval against facts of the corpora, a panel for each fact.

    `facts` has fact (what is measured, in words), corpus, amount, and an interval's value, low, high and n of the
    effect, which `effect` names. Amounts that span more than a factor of WIDE get a logarithmic axis.
    Raises WorkbookError where there is nothing to draw.
    """
    if facts.empty:
        raise WorkbookError("no facts of these corpora are known beside an effect on them: run notebook 01 again")
    names = list(facts["fact"].unique())
    columns = min(COLUMNS, len(names))
    lines = -(-len(names) // columns)
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(lines, columns, figsize=(8.5, 1.4 + 2.8 * lines), sharey=True, squeeze=False)
        for axis, fact in zip_longest(panels.flat, names):
            if fact:
                _map(axis, facts[facts["fact"] == fact], margin)
                axis.set_xlabel(textwrap.fill(fact, SIDES), fontsize=9)
            else:
                axis.set_axis_off()
        figure.supylabel(effect, fontsize=10)
        _verdicts(panels[0][0], margin, 0.1)
        set_title(figure, _map_finding(facts))
        queries = _queries([Interval.of(row) for _, row in facts.iterrows()])
        note(figure, f"{queries}, 95% intervals", f"grey: the margin, {margin:g}", machine or results.machine_label())
        for axis, fact in zip(panels.flat, names, strict=False):
            own = facts[facts["fact"] == fact]
            texts = [(row.corpus, row.amount, row.value, "#333333") for row in own.itertuples()]
            whiskers = [(row.amount, y) for row in own.itertuples() for y in np.linspace(row.low, row.high, 60)]
            axes.label_points(axis, texts, np.array(whiskers))
    return figure


def _forest(axis: Axes, each: Comparison, corpora: Sequence[str], margin: float) -> None:
    axis.axvspan(-margin, margin, color="#e0e0e0", lw=0)
    axis.axvline(0, color="#555555", lw=1)
    for name, effect in each.effects.items():
        color, marker = LOOKS[statistics.decide(effect, margin)]
        value, low, high = effect[:3]
        place = corpora.index(name)
        axis.errorbar(value, place, xerr=[[value - low], [high - value]], fmt=marker, color=color, lw=1.4, capsize=2)
    if each.overall:
        (value, low, high), place = each.overall.effect[:3], len(corpora)
        color, _ = LOOKS[statistics.decide(each.overall.effect, margin)]
        axis.plot(each.overall.prediction, [place, place], color=color, lw=1.4, solid_capstyle="butt")
        axis.fill([low, value, high, value], [place, place - 0.3, place, place + 0.3], color=color, lw=0, zorder=3)
        axis.axhline(place - 0.5, color="#bbbbbb", lw=0.8)
    axis.set_title(textwrap.fill(each.question, SIDES), fontsize=10)
    sides = [f"{LEFT} {each.other} better", f"{each.one} better {RIGHT}"]
    axis.set_xlabel((" | " if sum(map(len, sides)) < SIDES else ",\n").join(sides), fontsize=9)
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:+g}"))
    axis.tick_params(labelsize=9)
    axis.grid(axis="y", visible=False)


def _map(axis: Axes, own: pd.DataFrame, margin: float) -> None:
    axis.axhspan(-margin, margin, color="#e0e0e0", lw=0)
    axis.axhline(0, color="#555555", lw=1)
    for row, below, above in zip(own.to_dict("records"), *errors(own), strict=True):
        color, marker = LOOKS[statistics.decide(Interval.of(row), margin)]
        axis.errorbar(row["amount"], row["value"], yerr=[[below], [above]], fmt=marker, color=color, lw=1.4)
    if own["amount"].min() > 0 and own["amount"].max() > WIDE * own["amount"].min():
        axes.log(axis.xaxis, own["amount"])
    else:
        axis.margins(x=0.15)
        axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:+g}"))
    axis.tick_params(labelsize=9)


def _forest_finding(comparisons: Sequence[Comparison], margin: float) -> str:
    """What is settled over corpora: of one comparison the effect itself, of several how many."""
    overall = [each for each in comparisons if each.overall]
    if not overall:
        return f"NDCG@10 differences on each corpus; a mean over them takes {FEWEST} corpora"
    each = comparisons[0] if len(comparisons) == 1 else across.main(overall)
    if each:
        effect = each.overall.effect
        return (
            f"{each.one} against {each.other}: NDCG@10 {effect.text(3, '+')} on average over {effect.n} corpora, "
            f"{statistics.told(effect, margin)}"
        )
    count = Counter(statistics.decide(each.overall.effect, margin) for each in overall)
    said = {WORSE: "worse", EQUAL: f"equal within {margin:g}", NOT_SETTLED: "not settled"}
    others = "".join(f", {words} in {count[verdict]}" for verdict, words in said.items() if count[verdict])
    return (
        f"On average over corpora the first of two is better in {count[BETTER]} of {len(overall)} comparisons{others}"
    )


def _points_finding(points: pd.DataFrame) -> str:
    """Who scores highest on how many corpora, and what the fewest bytes keep of that."""
    kept, best = [], Counter()
    for _, own in points.groupby("corpus", sort=False):
        highest, smallest = own.loc[own["value"].idxmax()], own.loc[own["bytes"].idxmin()]
        best[highest["model"] + " with BM25" * bool(highest["with_bm25"])] += 1
        kept.append(smallest["value"] / highest["value"])
    count = max(best.values())
    names = " and ".join(name for name, times in best.items() if times == count)
    return (
        f"{names} {'scores' if names in best else 'score'} highest on {count} of {len(kept)} corpora"
        f"{'' if names in best else ' each'}; the fewest bytes keep {min(kept):.0%} to {max(kept):.0%} of the best"
    )


def _map_finding(facts: pd.DataFrame) -> str:
    """Which fact goes with the effect, if one does in spite of so many having been tried (Kendall, Bonferroni)."""
    found = {fact: kendalltau(own["amount"], own["value"]) for fact, own in facts.groupby("fact", sort=False)}
    fact = min(found, key=lambda name: np.nan_to_num(found[name].pvalue, nan=1))  # nan: the same on all corpora
    n = facts["corpus"].nunique()
    if not found[fact].pvalue * len(found) < 1 - statistics.CONFIDENCE:
        return f"Of {len(found)} facts none is shown to go with the difference, on {n} corpora"
    side = "more" if found[fact].statistic > 0 else "less"
    n = facts.loc[facts["fact"] == fact, "corpus"].nunique()
    tau = statistics.formatted(found[fact].statistic, "+.2f")
    return f"The higher the {fact}, the {side} favourable to the static model (Kendall's tau {tau}, {n} corpora)"


def _queries(intervals: Sequence[Interval]) -> str:
    """How many queries are behind intervals: "135 to 1,406 queries a corpus"."""
    low, high = min(each.n for each in intervals), max(each.n for each in intervals)
    return f"{low:,} queries a corpus" if low == high else f"{low:,} to {high:,} queries a corpus"


def _verdicts(axis: Axes, margin: float, inches: float) -> None:
    """The key of colours and markers, so far above a panel."""
    said = {EQUAL: f"{EQUAL} within {margin:g}"}
    handles = [_mark(color, marker, said.get(verdict, verdict)) for verdict, (color, marker) in LOOKS.items()]
    above = axis.transAxes + ScaledTranslation(0, inches, axis.figure.dpi_scale_trans)
    axis.legend(
        handles=handles, ncols=2, fontsize=9, borderpad=0, loc="lower left", bbox_to_anchor=(0, 1),
        bbox_transform=above,
    )  # fmt: skip


def _mark(color: str, marker: str, label: str, **look: str) -> Line2D:
    return Line2D([], [], marker=marker, color=color, ls="none", label=label, **look)
