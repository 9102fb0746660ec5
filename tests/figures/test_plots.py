"""Figures are made of the rows they are given, and the same rows give the same bytes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from workbook import paths
from workbook.evaluation import results
from workbook.figures import plots


def rows(metric, **columns):
    frame = pd.DataFrame({"corpus": "sample", "metric": metric, "n": 25, "search": "exact", **columns})
    return frame.assign(low=frame["value"] * 0.9, high=frame["value"] * 1.1)


@pytest.fixture
def by_dimension():
    model = ["a"] * 3 + ["b"] * 3
    return rows("ndcg@10", model=model, dimension=[64, 32, 16] * 2, value=[0.6, 0.5, 0.3, 0.7, 0.6, 0.5])


@pytest.fixture
def by_setting():
    frame = rows("ndcg@10", model="a", dimension=64, setting=["float32", "binary", "binary"], value=[0.6, 0.4, 0.55])
    return frame.assign(search=["exact", "default-ef", "rescore-x2"])


def lines_of(axis):
    return {line.get_label(): line.get_ydata().tolist() for line in axis.get_lines()}


def test_matryoshka_draws_each_models_scores_and_says_what_is_kept(by_dimension):
    figure = plots.matryoshka(by_dimension)
    assert lines_of(figure.axes[0]) == {"a": [0.3, 0.5, 0.6], "b": [0.5, 0.6, 0.7]}
    assert figure.get_suptitle() == "NDCG@10 kept at 16 dimensions: 50% of 64 (a), 71% of 64 (b)"


def test_matryoshka_draws_what_to_compare_with(by_dimension):
    axis = plots.matryoshka(by_dimension, {"BM25": 0.65}).axes[0]
    assert [text.get_text() for text in axis.texts] == ["BM25"]
    assert 0.65 in [line.get_ydata()[0] for line in axis.get_lines()]


def test_quantization_title_is_computed_from_the_rows(by_setting):
    figure = plots.quantization(by_setting, {"a": 64})
    assert figure.get_suptitle() == "One bit per dimension keeps 67% (a) of NDCG@10"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["float32", "binary"]


def test_similarities_write_every_value():
    matrix = np.array([[1.0, 0.25], [0.25, 1.0]])
    figure = plots.similarities({"word": {"a": matrix}, "sentence": {"a": matrix}}, ["x", "y"], "title")
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "0.25", "0.25", "1.00"]


def test_saving_twice_gives_the_same_bytes(by_dimension, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "FIGURES", tmp_path)
    first, second = (plots.save(plots.matryoshka(by_dimension), "python-docs-600", "matryoshka") for _ in range(2))
    assert first.data == second.data == (tmp_path / "python-docs-600-matryoshka.png").read_bytes()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_saved_figure_is_shown_with_what_it_says(by_dimension, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "FIGURES", tmp_path)
    data, metadata = plots.save(plots.matryoshka(by_dimension), "sample", "matryoshka")._repr_mimebundle_()
    assert set(data) == {"image/png"}
    alt = metadata["image/png"]["alt"]
    assert alt.startswith("NDCG@10 kept at 16 dimensions: 50% of 64 (a), 71% of 64 (b). NDCG@10 by dimensions kept")
    assert alt.endswith(results.machine_label()) and "25 queries" in alt and "\n" not in alt


@pytest.mark.parametrize("more", ["", "thick bar: range over the seeds"])
def test_a_caption_says_more_only_if_there_is_more(by_dimension, more):
    figure = plt.figure()
    plots.caption(figure, by_dimension, more)
    (text,) = [text.get_text().replace("\n", " ") for text in figure.texts]
    parts = ["sample, 25 queries, 95% bootstrap intervals", *([more] if more else []), results.machine_label()]
    assert text == "; ".join(parts)
    plt.close(figure)
