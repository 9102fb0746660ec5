"""One function per figure: rows in the long format go in, a Figure comes out.

Labels of a metric come from METRICS, colours of a model from its place among the models shown. Titles
say what was found, so they are computed from the rows.
"""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Image
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from workbook import paths
from workbook.evaluation import results
from workbook.evaluation.metrics import METRICS

STYLE = paths.NOTEBOOKS / "workbook.mplstyle"
MARKERS = "osD^vP*Xp<>hd8H"  # nothing is read off by colour alone
DASHES = ["-", "--", ":", "-.", (0, (1, 4)), (0, (8, 4))]


def save(figure: Figure, slug: str, name: str) -> Image:
    """Write figures/<slug>-<name>.png, the same bytes for the same figure, close it, and give the picture to show.

    `slug` is the corpus's: no two corpora write the same file.
    """
    file = paths.FIGURES / f"{slug}-{name.replace('/', '--')}.png"
    with paths.atomic(file) as temporary, plt.style.context(STYLE):
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # whoever made it: a name with dollars is no mathematics
        figure.savefig(temporary, format="png", metadata={"Software": None})
    plt.close(figure)
    return Image(file.read_bytes(), format="png", alt=alt_text(figure))


def alt_text(figure: Figure) -> str:
    """What a figure shows, for those who cannot see it: its finding, what is drawn against what, and its caption."""
    titles = [figure.get_suptitle(), *(axis.get_title(loc) for axis in figure.axes for loc in ("left", "center"))]
    drawn = [
        f"{axis.get_ylabel() or 'one row each'} by {axis.get_xlabel()}" for axis in figure.axes if axis.get_xlabel()
    ]
    notes = [text.get_text() for text in figure.texts if text is not figure._suptitle]
    parts = dict.fromkeys(" ".join(part.split()) for part in [*titles, *drawn, *notes])
    return ". ".join(part.rstrip(".") for part in parts if part)


def similarities(matrices: dict[str, dict[str, np.ndarray]], labels: Sequence[str], title: str) -> Figure:
    """Heat maps of cosine similarity, one row per kind of vector and one column per model: (labels, labels) each."""
    with plt.style.context(STYLE):
        kinds, models = list(matrices), list(next(iter(matrices.values())))
        figure, axes = plt.subplots(len(kinds), len(models), figsize=(9.5, 4 * len(kinds)), squeeze=False)
        for row, kind in enumerate(kinds):
            for column, model in enumerate(models):
                axis, matrix = axes[row, column], matrices[kind][model]
                image = axis.imshow(matrix, vmin=0, vmax=1, cmap="cividis")
                axis.set_title(f"{kind}\n{model}", fontsize=10)
                axis.set_xticks(range(len(labels)), labels, rotation=35, ha="right", fontsize=9)
                axis.set_yticks(range(len(labels)), labels if column == 0 else [], fontsize=9)
                axis.grid(False)
                for (i, j), value in np.ndenumerate(matrix):
                    axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8,
                              color="black" if value > 0.6 else "white")  # fmt: skip
        figure.colorbar(image, ax=axes, shrink=0.6, label="cosine similarity")
        set_title(figure, title)
        note(figure, f"cosine similarity of {len(labels)} sentences in pairs", results.machine_label())
    return figure


def matryoshka(frame: pd.DataFrame, references: Mapping[str, float] | None = None) -> Figure:
    """NDCG@10 with its interval against the dimension kept, a line per model; `references`: scores to compare with."""
    rows = frame[frame["metric"] == "ndcg@10"]
    narrowest = rows["dimension"].min()
    kept = [
        f"{lines['value'].iloc[-1] / lines['value'].iloc[0]:.0%} of {lines['dimension'].iloc[0]} ({model})"
        for model, lines in rows.sort_values("dimension", ascending=False).groupby("model", sort=False)
    ]
    with plt.style.context(STYLE):
        figure, axis = plt.subplots()
        ordered = rows.sort_values("dimension").groupby("model", sort=False)
        drawn = {}
        for marker, (model, lines) in zip(MARKERS, ordered, strict=False):
            (line,) = axis.plot(lines["dimension"], lines["value"], marker=marker, label=model)
            drawn[model] = line
            axis.fill_between(lines["dimension"], lines["low"], lines["high"], color=line.get_color(), alpha=0.15, lw=0)
        for name, score in (references or {}).items():
            axis.axhline(score, color="#888888", lw=1, ls="--")
            axis.annotate(name, (0, score), (4, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                          fontsize=9, color="#555555")  # fmt: skip
        dimensions = sorted(rows["dimension"].unique())
        axis.set_xscale("log", base=2)
        axis.set_xticks(dimensions, [str(dimension) for dimension in dimensions])
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
        axis.set(xlabel="dimensions kept (of a float32 vector)", ylabel=METRICS["ndcg@10"].label)
        set_title(figure, f"NDCG@10 kept at {narrowest} dimensions: {', '.join(kept)}")
        axis.legend(drawn.values(), drawn, loc="lower right")  # of its own it leaves out names that begin with _
        caption(figure, rows)
    return figure


def quantization(frame: pd.DataFrame, dimension_of: dict[str, int]) -> Figure:
    """NDCG@10 with its interval by setting, with and without rescoring, a panel per model, at one dimension each."""
    rows = frame[(frame["metric"] == "ndcg@10") & (frame["search"] != "full-ef")]
    models = list(dimension_of)
    with plt.style.context(STYLE):
        settings = list(rows["setting"].unique())
        figure, axes = plt.subplots(
            1, len(models), figsize=(10, 1.6 + 0.42 * len(settings)), sharey=True, squeeze=False
        )  # fmt: skip
        for axis, model in zip(axes[0], models, strict=True):
            own = rows[(rows["model"] == model) & (rows["dimension"] == dimension_of[model])]
            reference = own[own["search"] == "exact"].iloc[0]
            axis.axvspan(reference["low"], reference["high"], color="#eeeeee", lw=0)
            axis.axvline(reference["value"], color="#888888", lw=1)
            searches = [name for name in own["search"].unique() if name != "exact"]
            for number, name in enumerate(searches):
                points = own[own["search"] == name]
                places = np.array([settings.index(setting) for setting in points["setting"]])
                offset = (number - (len(searches) - 1) / 2) * 0.22
                axis.errorbar(
                    points["value"], places + offset, xerr=errors(points), fmt=MARKERS[number], lw=1.2,
                    label=_SEARCH_LABELS.get(name, name),
                )  # fmt: skip
            axis.set_title(f"{model}, {dimension_of[model]} dimensions", fontsize=10)
            axis.set_xlabel(METRICS["ndcg@10"].label)
        axes[0][0].set_yticks(range(len(settings)), settings)
        axes[0][0].invert_yaxis()
        below = axes[0][0].transAxes + ScaledTranslation(0, -0.5, figure.dpi_scale_trans)
        axes[0][0].legend(loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, ncols=3)
        set_title(figure, _quantization_finding(rows, dimension_of))
        caption(figure, rows)
    return figure


_SEARCH_LABELS = {"exact": "exact", "default-ef": "no rescoring", "rescore": "rescored"}


def _quantization_finding(rows: pd.DataFrame, dimension_of: dict[str, int]) -> str:
    parts = []
    for model, dimension in dimension_of.items():
        own = rows[(rows["model"] == model) & (rows["dimension"] == dimension)]
        base = own[own["search"] == "exact"]["value"].iloc[0]
        binary = own[(own["setting"] == "binary") & (own["search"] == "default-ef")]["value"]
        if len(binary):
            parts.append(f"{binary.iloc[0] / base:.0%} ({model})")
    return f"One bit per dimension keeps {' and '.join(parts)} of NDCG@10" if parts else "NDCG@10 by quantization"


def set_title(figure: Figure, text: str) -> None:
    width = int(8.8 * figure.get_figwidth())
    figure.suptitle(textwrap.fill(text, width, break_on_hyphens=False), x=0.01, ha="left", fontweight="bold")


def errors(points: pd.DataFrame) -> list[pd.Series]:
    """How far the ends of their intervals are from values, below and above, as matplotlib's `xerr` and `yerr`."""
    return [(points["value"] - points["low"]).clip(0), (points["high"] - points["value"]).clip(0)]


def caption(figure: Figure, rows: pd.DataFrame, more: str = "", machine: str = "", are_means: bool = False) -> None:
    """Corpus, n, what the intervals are, or that there are means alone, and the machine: this one or the one named."""
    n = f"{rows['n'].max():.0f} queries"
    shown = f"means over {n}" if are_means else f"{n}, 95% bootstrap intervals"
    note(figure, f"{rows['corpus'].iloc[0]}, {shown}", more, machine or results.machine_label())


def note(figure: Figure, *parts: str) -> None:
    """Write the parts that are not empty below a figure, in lines no wider than it."""
    text = textwrap.fill("; ".join(filter(None, parts)), int(15 * figure.get_figwidth()), break_on_hyphens=False)
    figure.text(0.01, -0.02, text, fontsize=8, color="#555555", va="top")
