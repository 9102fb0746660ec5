"""Figures of training: the held-out score as the seconds pass, and what each step from start to finish was worth."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workbook.conclusions.ladder import Step
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.evaluation.metrics import METRICS
from workbook.evaluation.statistics import Interval
from workbook.evaluation.stopwatch import Times
from workbook.figures import axes
from workbook.figures.plots import DASHES, MARKERS, STYLE, caption, errors, note, set_title
from workbook.names import STATIC_QUERY, TRAINED


def curves(histories: Mapping[str, Sequence[Mapping[str, float]]], documents: int) -> Figure:
    """Held-out NDCG@10 against seconds of training, a line for each training, a ring around the epoch it kept."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots()
        for marker, (label, history) in zip(cycle(MARKERS), histories.items(), strict=False):
            frame, kept = pd.DataFrame(history), max(history, key=lambda epoch: epoch["rank"])
            (line,) = axis.plot(frame["seconds"], frame["score"], marker=marker, label=label)
            band = frame["score"] - frame["error"], frame["score"] + frame["error"]
            axis.fill_between(frame["seconds"], *band, color=line.get_color(), alpha=0.08, lw=0)
            axis.plot(kept["seconds"], kept["score"], "o", ms=13, mfc="none", color=line.get_color())
        axis.set(xlabel="seconds of training, judging apart", ylabel=f"{METRICS['ndcg@10'].label} on held-out anchors")
        set_title(figure, _curves_finding(histories))
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
        note(
            figure,
            f"{documents:,} documents held out; a point an epoch, the ring the one kept, the band one standard error; "
            f"{results.machine_label()}",
        )
    return figure


def steps(rows: pd.DataFrame, references: Mapping[str, float]) -> Figure:
    """NDCG@10 of each variant in order, float32 and one bit, with intervals over queries and a tick for each end of
    the range over seeds. `references` are lines, a label and a score; the last is named in the title."""
    with plt.style.context(STYLE):
        labels = list(dict.fromkeys(rows["method"]))
        figure, axis = plt.subplots(figsize=(9, 1.8 + 0.42 * len(labels)))
        drawn = {}
        for number, (setting, marker) in enumerate({"float32": "o", "binary": "s"}.items()):
            own = rows[rows["setting"] == setting]
            points = own[own["metric"] == "ndcg@10"].set_index("method").loc[labels]
            seeds = own[own["metric"] == "ndcg@10 over seeds"].set_index("method").loc[labels]
            places = [place + (number - 0.5) * 0.3 for place in range(len(labels))]
            name = "float32" if setting == "float32" else "one bit per dimension, no rescoring"
            drawn[name] = axis.errorbar(points["value"], places, xerr=errors(points), fmt=marker, lw=1.2, label=name)
            color = drawn[name].lines[0].get_color()
            axis.hlines(places, seeds["low"], seeds["high"], color=color, lw=5, alpha=0.35)
        for style, (label, value) in zip(cycle(DASHES), references.items(), strict=False):
            name = f"{label}: {value:.3f}"
            drawn[name] = axis.axvline(value, color="#555555", lw=1, ls=style, label=name)
        axis.set_yticks(range(len(labels)), labels)
        axis.invert_yaxis()
        axis.set(xlabel=METRICS["ndcg@10"].label)
        set_title(figure, _steps_finding(rows, references))
        axis.legend(drawn.values(), drawn, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
        caption(figure, rows[rows["metric"] == "ndcg@10"], "thick bar: range over the seeds")
    return figure


def ladder(found: Sequence[Step]) -> Figure:
    """The steps from no attention to attention always: NDCG@10 alone, with BM25 and in one bit, and a query's time.

    Published scores, hollow, have no interval. Raises WorkbookError for no step that was measured here.
    """
    if all(step.published for step in found):
        raise WorkbookError("no step of the ladder was measured: there is nothing to draw")
    measured = [step for step in found if not step.published]
    looks = {"alone": ("score", "o", 0.0), "with BM25": ("with_bm25", "D", -0.22), "one bit": ("one_bit", "s", 0.22)}
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(1, 2, figsize=(9, 1.9 + 0.5 * len(found)), sharey=True, width_ratios=(3, 2))
        for place, step in enumerate(found):
            for label, (name, marker, shift) in looks.items():
                if score := getattr(step, name):
                    own = place + shift * (not step.published)
                    color = f"C{list(looks).index(label)}"
                    _point(panels[0], score, own, marker, color, hollow=step.published)
            if step.query_ms:
                _point(panels[1], step.query_ms, place, "o", "#555555")
        panels[0].set_yticks(range(len(found)), [f"{step.label}\nattention {step.attention}" for step in found])
        panels[0].set_xlabel(METRICS["ndcg@10"].label)
        panels[1].set_xlabel("one query (ms)")
        times = [end for step in measured for end in step.query_ms[:3]]
        axes.log(panels[1].xaxis, times)
        keys = [
            Line2D([], [], marker=marker, color=f"C{place}", ls="none", label=label)
            for place, (label, (_, marker, _)) in enumerate(looks.items())
        ]
        # attention takes time: the top row is on the right
        panels[1].legend(handles=keys, loc="upper left", fontsize=9, frameon=True, framealpha=1, edgecolor="none")
        set_title(figure, _ladder_finding(measured))
        n = max(step.score.n for step in measured)
        note(
            figure, f"{n:,} queries, 95% bootstrap intervals", "times: median and range of single queries",
            results.machine_label(),
        )  # fmt: skip
    return figure


def _point(
    axis: Axes, amount: Interval | Times, place: float, marker: str, color: str, hollow: bool = False
) -> None:  # fmt: skip
    value, low, high = amount[:3]
    ends = None if hollow else [[value - low], [high - value]]
    axis.errorbar(value, place, xerr=ends, fmt=marker, color=color, mfc="white" if hollow else color, lw=1.2)


def _ladder_finding(measured: Sequence[Step]) -> str:
    """What a table of queries keeps of the transformer's score, in what share of its time."""
    named = {step.label: step for step in measured}
    query, always = named[STATIC_QUERY], measured[-1]
    share = query.query_ms.value / always.query_ms.value
    return (
        f"A {query.label} finds NDCG@10 {query.score.value:.3f} in documents that {always.label} encoded, where "
        f"{always.label} itself finds {always.score.value:.3f}; a query takes {share:.0%} of its time"
    )


def _curves_finding(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    history = next(iter(histories.values()))
    kept = max(history, key=lambda epoch: epoch["rank"])
    return (
        f"{kept['seconds']:.0f} s of training take the held-out NDCG@10 "
        f"from {history[0]['score']:.3f} to {kept['score']:.3f}"
    )


def _steps_finding(rows: pd.DataFrame, references: Mapping[str, float]) -> str:
    scores = rows[(rows["metric"] == "ndcg@10") & (rows["setting"] == "float32")].set_index("method")["value"]
    others = [f"{label} {value:.3f}" for label, value in [*list(references.items())[-1:], *list(scores.items())[:1]]]
    return f"Trained on documents alone: NDCG@10 {scores[TRAINED]:.3f} ({', '.join(others)})"
