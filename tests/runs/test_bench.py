"""The benchmarks measure and print; their times are not tested."""

import re
import sys
from itertools import chain

import pandas as pd
import pytest
from workbook import __main__, paths
from workbook.conclusions import costs
from workbook.corpora import corpora
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.evaluation.metrics import METRICS
from workbook.runs import bench, outcomes, runner

COLUMNS = ["dimension", "setting", "cells", "build s", "search and judge s per cell"]


def test_the_rows_of_notebook_02_are_printed_as_tables(data, monkeypatch, capsys):
    speed = {"model": "a", "words": 8, "max_tokens": 0, "threads": 2}
    rows = pd.DataFrame(
        [
            {**speed, "metric": "texts/s", "value": 100.0, "low": 90.0, "high": 110.0},
            {**speed, "metric": "best batch", "value": 32.0},
            {**speed, "metric": "texts/s tried", "batch": 16, "value": 70.0},
            {"model": "a", "documents": 1_000, "part": "encode", "metric": "phase seconds", "value": 1.5},
        ]
    )

    def run(profile, overrides, only):
        assert (profile, overrides, only) == ("scale", {"corpus": "sample"}, ["02_encoding_speed"])
        monkeypatch.setenv("WORKBOOK_RUN", outcomes.run_name(profile, overrides))
        results.publish("02_encoding_speed", rows)
        return 0

    monkeypatch.setattr(runner, "run", run)
    assert __main__.main(["bench", "--corpus", "sample"]) == 0
    printed = capsys.readouterr().out
    assert "100 [90, 110]" in printed and "8 words, whole, 2 threads" in printed and "batch of 16" in printed
    assert "1.50" in printed
    assert printed.index("Encoding") < printed.index("Encode, store and index")
    assert "Growth" not in printed, "a part without rows is left out"
    assert results.machine_label() in printed


def test_every_printed_metric_has_its_label():
    named = [[metrics] if isinstance(metrics, str) else metrics for _, _, metrics in bench.TABLES]
    assert set(chain.from_iterable(named)) <= set(METRICS)


def test_a_failed_run_prints_no_old_tables(data, monkeypatch, capsys):
    monkeypatch.setattr(runner, "run", lambda *_: 1)
    assert __main__.main(["bench", "--corpus", "sample"]) == 1
    assert "Encoding" not in capsys.readouterr().out


def test_the_grid_is_measured_anew_and_leaves_no_results(data, capsys):
    table = bench.grid_speed("sample", "tiny-static", ["float32", "binary"])
    assert table[["dimension", "setting", "cells"]].to_numpy().tolist() == [
        [dimension, setting, cells] for dimension in (64, 32, 16) for setting, cells in [("float32", 3), ("binary", 6)]
    ]
    assert (table[["build s", "search and judge s per cell"]] > 0).all(axis=None)
    assert not (paths.DATA / "results").exists()
    assert bench.summary(table).startswith("27 cells: ")


def test_bench_grid_is_a_command(monkeypatch, capsys):
    table = pd.DataFrame([(64, "float32", 3, 0.5, 0.1)], columns=COLUMNS)
    monkeypatch.setattr(bench, "grid_speed", lambda corpus, model: table)
    assert __main__.main(["bench-grid", "--corpus", "sample"]) == 0
    assert "3 cells: 0.10 s each" in capsys.readouterr().out


def test_bench_encoders_is_a_command_and_has_each_form(data, tmp_path, capsys):
    """As on a machine with a GPU, whose forms are then among them."""
    models = ["--model", "tiny-static", "--rival", "tiny-transformer", "--form", "float32", "bfloat16"]
    file = tmp_path / "measured.csv"
    asked = ["--corpus", "sample", "--words", "4", "8", "--batch", "8", "--repeats", "1", "--record", str(file)]
    assert __main__.main(["bench-encoders", *models, *asked]) == 0
    shown = capsys.readouterr().out
    named = ["tiny-static", "tiny-transformer", "tiny-transformer (bfloat16)"]
    assert [sum(line[6:].lstrip().startswith(f"{name}  ") for line in shown.splitlines()) for name in named] == [
        2,
        2,
        2,
    ]
    assert results.machine_label() in shown
    assert "12 lines added" in shown, "with tokenization and without, of each at both lengths"
    kept = costs.elsewhere(file)
    assert set(kept["model"]) == set(named) and set(kept["words"]) == {4, 8} and kept.notna().all(axis=None)
    assert set(kept["machine"]) == {results.machine_label()} and "torch" in kept["versions"][0]
    assert kept["command"][0].startswith("python -m workbook bench-encoders --model tiny-static --rival")
    assert (
        bench.record(pd.DataFrame([{"model": "a", "words": 8, "metric": "texts/s", "value": 2.0}]), file, "c", "h") == 1
    )
    assert costs.elsewhere(file)["value"].tolist()[-1] == 2.0 and len(costs.elsewhere(file)) == 13
    file.write_text("a,b\n1,2\n")
    with pytest.raises(WorkbookError, match="needs the columns"):
        bench.record(pd.DataFrame([{"model": "a", "words": 8, "metric": "texts/s", "value": 2.0}]), file, "c", "h")


def test_static_encoders_stand_side_by_side_in_one_table(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastembed", None)
    monkeypatch.setitem(sys.modules, "fastembed.text.static_embedding", None)
    monkeypatch.setattr(bench, "PART", 20)
    table = bench.static_encoders("sample", "tiny-static", repeats=2).set_index("way")
    texts = list(dict.fromkeys(corpora.load("sample").document_texts))
    words = " ".join(texts).split(" ")
    told = f"{len(texts):,} different documents, {len(words):,} words, {len(set(words)):,} of them distinct"
    assert table.attrs["texts"] == told
    assert table.index.tolist() == [
        "each word once", "each word once, warm", "each word once, 2 processes", "model2vec", "FastEmbed",
        "Sentence Transformers",
    ]  # fmt: skip
    assert "not installed" in table.loc["FastEmbed", "note"] and table.loc["FastEmbed", "documents/s"] == ""
    own = table.iloc[[0, 1, 2, 5]]
    assert set(own["equal"]) == {"100.0%"} and set(own["least cosine"]) == {"1.0000"}
    assert table.loc["model2vec", "times model2vec"] == "1.0 [1.0, 1.0]"
    assert table.loc["model2vec", "note"] == "leaves unknown tokens out"
    assert all(re.fullmatch(r"[\d,]+ \[[\d,]+, [\d,]+\]", rates) for rates in table["documents/s"] if rates)


def test_static_encoders_of_a_command_are_printed(data, monkeypatch, capsys):
    table = pd.DataFrame({"way": ["model2vec"], "documents/s": ["9 [8, 10]"]})
    table.attrs["texts"] = "12 different documents"
    asked = []
    monkeypatch.setattr(bench, "static_encoders", lambda *given: asked.append(given) or table)
    assert __main__.main(["bench-static", "--corpus", "sample", "--model", "tiny-static", "--repeats", "1"]) == 0
    assert asked == [("sample", "tiny-static", 1, 2)]
    printed = capsys.readouterr().out
    assert "9 [8, 10]" in printed and f"12 different documents; {results.machine_label()}" in printed


def test_a_transformer_is_no_static_encoder(data):
    with pytest.raises(WorkbookError, match="tiny-transformer is a transformer"):
        bench.static_encoders("sample", "tiny-transformer")
