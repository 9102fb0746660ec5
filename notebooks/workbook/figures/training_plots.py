"""Figures of training: the held-out score as the seconds pass, and what each step from start to finish was worth."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from workbook.evaluation import results
from workbook.evaluation.metrics import METRICS
from workbook.figures.plots import DASHES, MARKERS, STYLE, caption, errors, note, set_title
from workbook.names import TRAINED


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
