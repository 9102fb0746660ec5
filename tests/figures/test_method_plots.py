"""The figure of the baselines is made of its rows, its title computed from them."""

import pandas as pd
import pytest
from workbook.figures import method_plots

TIMES = {"latency ms with encoding": (0.5, 10.0), "indexed documents/s": (2000.0, 40.0)}


@pytest.fixture
def rows():
    """BM25, a static model with BM25, and a transformer, which the others are compared with."""
    found = []
    for method, model, score, slow in [
        ("BM25", "", 0.6, 0), ("static + BM25 (rrf)", "static", 0.7, 0), ("transformer", "transformer", 0.65, 1)
    ]:  # fmt: skip
        values = {"ndcg@10": score, **{metric: pair[slow] for metric, pair in TIMES.items()}}
        names = {"method": method, "model": model}
        found += [{**names, "metric": metric, "value": value} for metric, value in values.items()]
    frame = pd.DataFrame(found).assign(corpus="sample", n=25)
    frame = frame.assign(low=frame["value"] * 0.9, high=frame["value"] * 1.1)
    difference = {"corpus": "sample", "model": "static", "method": "static + BM25 (rrf)", "against": "transformer"}
    difference |= {"n": 25, "metric": "ndcg@10 difference", "value": 0.05, "low": 0.01, "high": 0.09}
    return pd.concat([frame, pd.DataFrame([difference])], ignore_index=True)


def test_the_title_says_what_the_best_without_attention_finds(rows):
    title = method_plots.baselines(rows, ["transformer"]).get_suptitle()
    assert " ".join(title.split()) == (
        "static + BM25 (rrf) finds the most without attention: NDCG@10 0.700, "
        "+0.050 [+0.010, +0.090] against transformer, a query in 5% of its time"
    )
    for other in ("transformer + BM25 (rrf)", "static query + BM25 (rrf)"):  # whose documents were read with attention
        frame = rows.replace({"static + BM25 (rrf)": other})
        assert method_plots.baselines(frame, ["transformer"]).get_suptitle().startswith("BM25 finds the most")


def test_the_ways_are_in_the_order_of_what_they_find(rows):
    figure = method_plots.baselines(rows, ["transformer"])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["static + BM25 (rrf)", "transformer", "BM25"]
    points = {x: y for line in figure.axes[0].get_lines() for x, y in zip(*line.get_data(), strict=True)}
    assert [points[score] for score in (0.7, 0.65, 0.6)] == [0, 1, 2]
    assert [axis.get_xscale() for axis in figure.axes] == ["linear", "log", "log"]


def test_attention_has_a_colour_of_its_own(rows):
    axis = method_plots.baselines(rows, ["transformer"]).axes[0]
    colors = {x: line.get_color() for line in axis.get_lines() if line.get_marker() in "os" for x in line.get_xdata()}
    assert colors[0.7] == colors[0.6] != colors[0.65]
    figure = method_plots.baselines(rows.replace({"static + BM25 (rrf)": "static query + BM25 (rrf)"}), ["transformer"])
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["without attention", "with attention", "attention when indexing"]
