"""The figure of the baselines: what each way to search finds, and how long one query takes from text to documents."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from workbook.evaluation.metrics import METRICS
from workbook.evaluation.statistics import Interval
from workbook.figures.plots import STYLE, caption, errors, set_title
from workbook.names import ALWAYS, INDEXING, NOWHERE, attention

KINDS = {NOWHERE: "without attention", ALWAYS: "with attention", INDEXING: "attention when indexing"}
PANELS = ("ndcg@10", "latency ms with encoding", "indexed documents/s")


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
