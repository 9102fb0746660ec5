"""A new quantization setting of a known family takes one file: named in `quantization`, it is in all that follows."""

from dataclasses import replace

import pandas as pd
import pytest
from workbook.conclusions import recommend
from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.experiments import grid, losses
from workbook.figures import grid_plots, pareto_plot
from workbook.qdrant import code_snippets, existing_facts
from workbook.qdrant.quantization import SETTINGS, Setting

NEW = "one-bit-scalar4-query"  # the name does not begin with that of its family: nothing may read it from there
CONFIG = {"binary": {"encoding": "one_bit", "query_encoding": "scalar4bits"}}
MARGIN, MANY = 0.1, 10


@pytest.fixture
def new(monkeypatch):
    monkeypatch.setitem(SETTINGS, NEW, Setting(NEW, 1, CONFIG, block=16))


def test_it_is_in_the_grid_the_verdicts_the_figures_and_the_recommendation(new, data):
    sample, model = corpora.load("sample"), encoders.load("tiny-static")
    searches = ["exact", "full-ef", "default-ef", "rescore-x2"]
    cells = grid.measure(sample, model, [64, 32], ["float32", NEW], searches, repeats=1)
    grid.check_applied(cells)
    losses.check_all_sums(cells, ["rescore-x2"])
    rows, table = grid.rows(sample, cells), losses.verdicts(cells, MARGIN)
    assert set(rows[rows["setting"] == NEW]["search"]) == set(searches) - {"exact"}
    assert set(rows[(rows["setting"] == NEW) & (rows["metric"] == "bytes per vector")]["value"]) == {16}
    assert len(table[table["setting"] == NEW]) == 6 and table["verdict"].notna().all()

    heat_map, pareto = grid_plots.heat_map(rows, model.name), pareto_plot.pareto(rows, "default-ef")
    assert NEW in [label.get_text() for label in heat_map.axes[0].get_yticklabels()]
    assert any(text.get_text().startswith(NEW) for axis in pareto.axes for text in axis.texts)
    [oversampling] = [axis for axis in grid_plots.oversampling(rows, {model.name: 64}).axes if axis.get_lines()]
    assert NEW in [line.get_label() for line in oversampling.get_lines()]

    # the sample has too few queries to recommend by: each counts as many
    many = [replace(cell, judgements=pd.concat([cell.judgements] * MANY, ignore_index=True)) for cell in cells]
    found = recommend.choose(many, MARGIN)
    smallest = next(choice.cell for choice in found.choices if choice.role == "smallest")
    assert smallest.setting == NEW and NEW in recommend.summary(found)
    assert NEW in set(recommend.rows(sample.name, found)["setting"])
    for code in (code_snippets.client_code, code_snippets.edge_code):
        assert "scalar4bits" in code(NEW, 64, "default-ef").lower().replace("_", "")
    assert existing_facts.label(CONFIG, "float32") == NEW


def test_one_of_products_is_refused_where_products_are(monkeypatch, data):
    monkeypatch.setitem(SETTINGS, "pq", Setting("pq", 2, {"product": {"compression": "x16"}}))
    with pytest.raises(WorkbookError, match="product codebooks of 256 hold them all"):
        grid.measure(corpora.load("sample"), encoders.load("tiny-static"), [64], ["float32", "pq"], ["exact"])


@pytest.mark.parametrize(("version", "said"), [("1.16.3", "needs Qdrant 1.17, this is 1.16.3"), ("1.17.0", None)])
def test_a_server_that_is_too_old_for_it_is_told_from_the_same_file(server, monkeypatch, version, said):
    from workbook.qdrant.server import check_version

    monkeypatch.setitem(SETTINGS, NEW, Setting(NEW, 1, CONFIG, block=16, since=(1, 17)))
    server.version = version
    if said:
        with pytest.raises(WorkbookError, match=said):
            check_version([NEW])
    else:
        check_version([NEW])
