"""How fast the instrument itself is: seconds to build an index and to measure a cell of the grid on it."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from workbook import corpora, encoders, quantization, results, sweep

SEARCHES = ("exact", "full-ef", "default-ef", "rescore", "rescore-x2", "rescore-x3", "rescore-x4")


def grid(corpus_name: str, model: str, settings: Sequence[str] = tuple(quantization.SETTINGS)) -> pd.DataFrame:
    """Measure the grid of one model anew, the encoding apart, keeping nothing: a row per dimension and setting.

    Columns: dimension, setting, cells, build s (upsert, HNSW, quantization and proof), search and judge s per cell.
    """
    corpus, encoder = corpora.load(corpus_name), encoders.load(model)
    sweep.encode(corpus, encoder)
    rows = []
    with tempfile.TemporaryDirectory() as folder, results.kept_in(Path(folder)):
        for dimension in encoder.matryoshka:
            for setting in settings:
                started = time.perf_counter()
                cells = sweep.measure(corpus, encoder, [dimension], [setting], SEARCHES, limit=10, repeats=1)
                seconds = time.perf_counter() - started
                build = cells[0].build_seconds
                rows.append((dimension, setting, len(cells), build, (seconds - build) / len(cells)))
    return pd.DataFrame(rows, columns=["dimension", "setting", "cells", "build s", "search and judge s per cell"])


def summary(table: pd.DataFrame) -> str:
    """The grid's speed in one line: cells, seconds per cell without and with the builds, cells per minute."""
    cells, build = table["cells"].sum(), table["build s"].sum()
    measure = (table["cells"] * table["search and judge s per cell"]).sum()
    return (
        f"{cells} cells: {measure / cells:.2f} s each, {(measure + build) / cells:.2f} s with the builds, "
        f"{60 * cells / (measure + build):.0f} cells per minute; {results.machine_label()}"
    )
