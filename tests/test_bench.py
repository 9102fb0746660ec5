"""The benchmark measures anew and keeps nothing; its times are printed, not tested."""

from workbook import __main__, bench, paths

COLUMNS = ["dimension", "setting", "cells", "build s", "search and judge s per cell"]


def test_the_grid_is_measured_anew_and_leaves_no_results(data, capsys):
    table = bench.grid("sample", "tiny-static", ["float32", "binary"])
    assert table[["dimension", "setting", "cells"]].to_numpy().tolist() == [
        [dimension, setting, cells] for dimension in (64, 32, 16) for setting, cells in [("float32", 3), ("binary", 6)]
    ]
    assert (table[["build s", "search and judge s per cell"]] > 0).all(axis=None)
    assert not (paths.DATA / "results").exists()
    assert bench.summary(table).startswith("27 cells: ")


def test_bench_is_a_command(monkeypatch, capsys):
    monkeypatch.setattr(
        bench,
        "grid",
        lambda corpus, model: bench.pd.DataFrame(
            [(64, "float32", 3, 0.5, 0.1)],
            columns=COLUMNS,
        ),
    )
    assert __main__.main(["bench", "--corpus", "sample"]) == 0
    assert "3 cells: 0.10 s each" in capsys.readouterr().out
