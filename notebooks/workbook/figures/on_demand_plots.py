"""The figure of attention on demand: what is still missing when a share of the queries is asked again."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from workbook.figures.plots import STYLE, caption, set_title
from workbook.names import BEST, CHANCE, COMBINED, plain

CHOICES = {CHANCE: ("--", "#888888"), BEST: (":", "#555555")}  # beside the signals


def curves(rows: pd.DataFrame, told: str) -> Figure:
    """NDCG@10 below asking every query with attention, against the share that is: a panel for each first search.

    `rows` are those of `curve.rows`; `told` is the finding. The band holds the whole curve with 95%.
    """
    lost = rows[(rows["metric"] == "ndcg@10 difference") & rows["asked"].notna()]
    panels = list(lost.groupby(["method", "against"], sort=False))
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, len(panels), figsize=(9, 4.2), sharey=True, squeeze=False)
        for axis, ((method, against), own) in zip(axes[0], panels, strict=True):
            signals = own[own["variant"] == COMBINED].sort_values("asked")
            axis.axhline(0, color="#333333", lw=1)
            axis.fill_between(signals["asked"], signals["low"], signals["high"], color="C0", alpha=0.2, lw=0)
            axis.plot(signals["asked"], signals["value"], marker="o", ms=3.5, color="C0", label=f"chosen by {COMBINED}")
            for name, (dashes, color) in CHOICES.items():
                line = own[own["variant"] == name].sort_values("asked")
                axis.plot(line["asked"], line["value"], ls=dashes, color=color, lw=1.5, label=f"chosen {name}")
            axis.set_title(f"first {plain(method)},\nthen {plain(against)}", fontsize=10)
            axis.set(xlabel="queries asked again", xlim=(-0.02, 1.02))
            axis.xaxis.set_major_formatter(PercentFormatter(1))
        axes[0][0].set_ylabel("NDCG@10, against asking every query\nwith attention")
        axes[0][-1].legend(loc="lower right", fontsize=9)
        set_title(figure, told)
        caption(figure, lost, "band: paired differences, all points of the curve at once")
    return figure
