"""Figures of retrieval methods: what each finds, and how long documents and queries take."""

from collections.abc import Collection, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from workbook.conclusions.asked import Score
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.evaluation.metrics import METRICS
from workbook.evaluation.statistics import Interval
from workbook.figures import axes
from workbook.figures.plots import STYLE, caption, errors, note, set_title
from workbook.names import ALWAYS, BM25, INDEXING, NOWHERE, attention

KINDS = {NOWHERE: "without attention", ALWAYS: "with attention", INDEXING: "attention when indexing"}
LOOKS = {NOWHERE: ("#0072b2", "o"), INDEXING: ("#009e73", "D"), ALWAYS: ("#d55e00", "s")}  # colour and marker
PANELS = ("ndcg@10", "latency ms with encoding", "indexed documents/s")


def quality_and_speed(found: Sequence[Score], corpora: Collection[str], machine: str = "") -> Figure:
    """NDCG@10 with its interval against documents a second, a point for each method, as large as its model.

    Shape and colour say where it needs attention. Raises WorkbookError where there is nothing to draw.
    """
    if not found:
        raise WorkbookError("there is no method to draw: run notebooks 01_static_vs_transformer and 05_train_your_own")
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(6, 4.6))
        for each in found:
            color, marker = LOOKS[each.attention]
            low, high = each.ndcg.value - each.ndcg.low, each.ndcg.high - each.ndcg.value
            size = 4.5 + 0.6 * np.sqrt(each.megabytes)
            place = each.documents_per_second, each.ndcg.value
            axis.errorbar(*place, yerr=[[low], [high]], fmt=marker, ms=size, color=color, lw=1.1, alpha=0.85)
        speeds = [each.documents_per_second for each in found]
        axes.log(axis.xaxis, [0.6 * min(speeds), 2 * max(speeds)])
        axis.margins(y=0.12)
        axis.set(xlabel="documents a second, encoded and indexed", ylabel=METRICS["ndcg@10"].label)
        needed = [where for where in LOOKS if where in {each.attention for each in found}]
        keys = [
            Line2D([], [], ls="none", color=LOOKS[where][0], marker=LOOKS[where][1], label=KINDS[where])
            for where in needed
        ]
        above = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1), "borderpad": 0.3}
        axis.legend(handles=keys, ncols=len(keys), fontsize=9, columnspacing=1, handletextpad=0.2, **above)
        set_title(figure, _speed_finding(found))
        of = ", ".join(corpora) if len(corpora) < 4 else f"mean over {len(corpora)} corpora"
        sizes = sorted({each.megabytes for each in found})
        note(
            figure, f"{of}; {found[0].ndcg.n:,} queries, 95% intervals",
            f"larger points: larger models, up to {sizes[-1]:,.0f} MB", machine or results.machine_label(),
        )  # fmt: skip
        points = [(each.name, each.documents_per_second, each.ndcg.value, LOOKS[each.attention][0])
                  for each in found]  # fmt: skip
        whiskers = [(each.documents_per_second, y) for each in found for y in np.linspace(*each.ndcg[1:3], 40)]
        axes.label_points(axis, points, np.array(whiskers))
    return figure


def baselines(rows: pd.DataFrame, transformers: list[str]) -> Figure:
    """NDCG@10, milliseconds of a query and documents indexed per second: a panel each, the ways to search below.

    `rows` are those of `retrieval_methods.rows`; methods have a colour by where they need attention.
    """
    scores = rows[rows["metric"] == "ndcg@10"].sort_values("value", ascending=False)
    order = list(scores["method"])
    where = pd.Series({method: attention(method, transformers) for method in order})
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 1.6 + 0.4 * len(order)), sharey=True)
        colors = plt.rcParams["axes.prop_cycle"].by_key()["color"]  # "C0" would be looked up when it is drawn
        for axis, metric in zip(axes, PANELS, strict=True):
            own = rows[rows["metric"] == metric].set_index("method").loc[order]
            for (kind, label), color, marker in zip(KINDS.items(), colors, "osD", strict=False):
                points = own[(where == kind).to_numpy()]
                places = [order.index(method) for method in points.index]
                if len(points):
                    axis.errorbar(
                        points["value"], places, xerr=errors(points), fmt=marker, lw=1.2, label=label, color=color
                    )
            axis.set_xlabel(METRICS[metric].label.replace(", ", ",\n"))
            if metric != "ndcg@10":
                axis.set_xscale("log")
                wide = own["high"].max() > 20 * own["low"].min()
                axis.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
                axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axis.xaxis.set_minor_formatter(NullFormatter())
        axes[0].set_yticks(range(len(order)), order)
        axes[0].invert_yaxis()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower right", ncols=2)
        set_title(figure, _finding(rows, order, where))
        caption(figure, scores, "times: median and range")
    return figure


def _speed_finding(found: Sequence[Score]) -> str:
    """The best method without attention and a model, beside the best of all: how fast, how good."""
    best = found[-1]
    static = [each for each in found if each.attention == NOWHERE and each.label != BM25]
    if not static or static[-1] is best:
        return f"{best.name[0].upper()}{best.name[1:]} finds the most: NDCG@10 {best.ndcg.value:.3f}"
    one = static[-1]
    times = one.documents_per_second / best.documents_per_second
    return (
        f"{one.name[0].upper()}{one.name[1:]} indexes {times:,.0f} times as many documents a second as {best.name} "
        f"and finds {one.ndcg.value / best.ndcg.value:.0%} of its NDCG@10"
    )


def _finding(rows: pd.DataFrame, order: list[str], where: pd.Series) -> str:
    """The best way without attention, against the transformer alone that the rows compare with."""
    best = next(method for method in order if where[method] == NOWHERE)
    found = rows.set_index(["method", "metric"])["value"]
    text = f"{best} finds the most without attention: NDCG@10 {found[best, 'ndcg@10']:.3f}"
    for _, rival in rows[(rows["metric"] == "ndcg@10 difference") & (rows["method"] == best)].iterrows():
        share = found[best, PANELS[1]] / found[rival["against"], PANELS[1]]
        time = f"{share:.0%}" if share > 0.01 else "under 1%"
        text += f", {Interval.of(rival).text(3, '+')} against {rival['against']}, a query in {time} of its time"
    return text
