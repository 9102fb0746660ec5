"""The figures of encoding: texts/s by words per text, a line for each model and cut; one query by its parts."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.evaluation.columns import in_words
from workbook.evaluation.metrics import METRICS
from workbook.experiments import encoder_forms, encoding_speed
from workbook.figures import axes, plots
from workbook.figures.axes import SMALL, End
from workbook.figures.plots import DASHES, MARKERS, STYLE, set_title


def speeds(rows: pd.DataFrame) -> Figure:
    """Texts per second by words per text, from the rows of `encoding_speed`; a panel for each number of threads.

    The title is computed from the medians of the speed-up rows. Raises WorkbookError if either kind of row is missing.
    """
    shown, ratios = rows[rows["metric"] == "texts/s"], rows[rows["metric"] == "speed-up"]
    unsure = list(dict.fromkeys(rows[rows["metric"] == encoding_speed.DOUBT]["model"]))
    if shown.empty or ratios.empty:
        raise WorkbookError(
            "rows of texts/s and of speed-up are needed: give those of encoding_speed, both in one frame"
        )
    shown = shown.assign(
        panel=[in_words({"threads": count}) for count in shown["threads"]],
        cut=[in_words({"max_tokens": limit}) for limit in shown["max_tokens"]],
        place=pd.factorize(shown["model"])[0],
    ).sort_values("words", kind="stable")
    equal = ratios["max_tokens"].notna()
    ratios = ratios[equal] if equal.any() else ratios
    panels, cuts, words = (list(shown[name].unique()) for name in ("panel", "cut", "words"))
    with plt.style.context(STYLE):
        figure, panes = plt.subplots(len(panels), 1, figsize=(9.5, 1 + 3.9 * len(panels)), squeeze=False, sharex=True)
        for axis, panel in zip(panes[:, 0], panels, strict=True):
            own = shown[shown["panel"] == panel]
            ends = _draw_speeds(axis, own, cuts)
            axis.set_ylabel(METRICS["texts/s"].label)
            axes.log(axis.yaxis, [*own["low"], *own["high"]])
            axis.set_xscale("log")
            axis.set_xticks(words, [f"{count:,.0f}" for count in words])
            axis.xaxis.set_minor_locator(NullLocator())
            if len(panels) > 1:
                axis.set_title(panel, fontsize=10)
            axes.label_ends(axis, ends)
        axis.set_xlabel("words per text")
        if len(cuts) > 1:
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": len(cuts)}  # no line runs there
            panes[0, 0].legend(handles=_cut_handles(cuts), handlelength=3.5, fontsize=SMALL, **above)
        set_title(figure, _speeds_finding(ratios))
        plots.note(figure, *_speeds_notes(shown, ratios, unsure))
    return figure


def one_query(rows: pd.DataFrame) -> Figure:
    """What a query takes from text to documents, from the rows of `encoder_forms.one_by_one`: a bar for each encoder.

    A bar has the parts of encoding, or all of it where its parts are not told, and the search with HNSW. The title is
    computed from the bars.
    """
    search = rows[rows["part"] == encoder_forms.SEARCHES["default-ef"]].iloc[0]
    whole = rows[rows["part"] == encoder_forms.TO_DOCUMENTS].sort_values("value", ascending=False)
    wide = rows.pivot_table(index="model", columns="part", values="value").reindex(whole["model"])
    parts = [name for name in (*encoder_forms.PARTS.values(), encoder_forms.LIBRARY) if name in wide]
    untold = wide[encoder_forms.ALL].where(wide[parts].isna().all(axis=1), 0)
    pieces = {**{name: wide[name].fillna(0) for name in parts}, "encoding, in parts unknown": untold}
    pieces[search["part"]] = pd.Series(search["value"], wide.index)
    with plt.style.context(STYLE):
        figure, axis = plt.subplots(figsize=(9.5, 1.6 + 0.36 * len(wide)))
        left = np.zeros(len(wide))
        for number, (name, values) in enumerate(pieces.items()):
            if values.any():
                axis.barh(range(len(wide)), values, 0.6, left, color=f"C{number}", label=name)
                left += values.to_numpy()
        errors = [whole["value"] - whole["low"], whole["high"] - whole["value"]]
        axis.errorbar(left, range(len(wide)), xerr=errors, fmt="none", ecolor="#333333", elinewidth=1)
        for place, row in enumerate(whole.itertuples()):
            axis.annotate(f"{row.value:,.2f}", (row.high, place), (4, -3), textcoords="offset points", fontsize=SMALL)
        axis.set_yticks(range(len(wide)), wide.index)
        axis.set_xlabel("milliseconds for one query, alone")
        axis.margins(x=0.12)
        axis.set_xlim(left=0)
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=SMALL, frameon=False)
        shortest, others = whole.iloc[-1], whole.iloc[:-1]["value"]
        ends = " to ".join(dict.fromkeys(f"{value:,.1f}" for value in (others.min(), others.max())))
        set_title(
            figure,
            f"From text to documents, one query takes {shortest['value']:,.2f} ms with {shortest['model']} and "
            f"{ends} ms with the others",
        )
        plots.note(
            figure, rows["corpus"].iloc[0], in_words(search, ("part",)),
            f"mean over queries asked one after another, median and range of {whole['n'].max():.0f} rounds",
            results.machine_label(),
        )  # fmt: skip
    return figure


def _draw_speeds(axis: Axes, rows: pd.DataFrame, cuts: Sequence[str]) -> list[End]:
    """Draw a line for each model and cut; give the end of each model's first to label."""
    ends = {}
    for (model, cut), line in rows.groupby(["model", "cut"], sort=False):
        place, number = line["place"].iloc[0], cuts.index(cut)
        color, marker = f"C{place % 7}", MARKERS[place % len(MARKERS)]
        axis.errorbar(
            line["words"], line["value"], yerr=plots.errors(line), color=color, marker=marker, lw=1.5, elinewidth=1.2,
            ls=DASHES[number % len(DASHES)], markerfacecolor="none" if number else color, label=f"{model}, {cut}",
        )  # fmt: skip
        ends.setdefault(model, End(line["words"].iloc[-1], line["value"].iloc[-1], model, color))
    for end in ends.values():
        if end.x < rows["words"].max():  # its name at the edge would need a line through the others
            axis.annotate(end.text, end[:2], (8, -3), textcoords="offset points", color=end.color, fontsize=SMALL)
    return [end for end in ends.values() if end.x == rows["words"].max()]


def _cut_handles(cuts: Sequence[str]) -> list[Line2D]:
    return [
        Line2D([], [], color="#555555", ls=DASHES[number % len(DASHES)], marker="o", lw=1.5, label=cut,
               markerfacecolor="none" if number else "#555555")
        for number, cut in enumerate(cuts)
    ]  # fmt: skip


def _speeds_finding(ratios: pd.DataFrame) -> str:
    """How many times as fast, lowest and highest over the lengths, against the fastest form at each length."""
    parts = []
    for rival, own in ratios.groupby("against_model", sort=False):
        leads = own.groupby(["words", "max_tokens", "threads"], dropna=False)["value"].min()
        fastest = "the fastest form of " if len(set(own["against"])) > 1 else ""
        parts.append(f"{_span(leads, 1)} times as fast as {fastest}{rival}")
    return f"{ratios['model'].iloc[0]} encodes {' and '.join(parts)}, at {_span(ratios['words'])} words per text"


def _speeds_notes(shown: pd.DataFrame, ratios: pd.DataFrame, unsure: Sequence[str]) -> list[str]:
    batch = (
        f"batch sizes: the best speed of {', '.join(unsure)} was not found"
        if unsure
        else "each model at its best batch size"
    )
    alike = [list(shown[name].unique()) for name in ("cut", "panel")]
    terms = dict.fromkeys(in_words(row, ("words", "against")) for row in ratios.to_dict("records"))
    return [
        shown["corpus"].iloc[0], *(own[0] for own in alike if len(own) == 1),
        batch,
        f"median and range of {shown['n'].max():.0f} repeats; times as fast: {' or '.join(terms)}",
        results.machine_label(),
    ]  # fmt: skip


def _span(values: pd.Series, digits: int = 0) -> str:
    """Lowest to highest, with digits for those below ten."""
    ends = [f"{value:,.{digits if value < 10 else 0}f}" for value in (values.min(), values.max())]
    return " to ".join(dict.fromkeys(ends))
