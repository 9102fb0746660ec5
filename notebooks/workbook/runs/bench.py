"""Benchmarks for a terminal: notebook 02 with its rows as plain tables, and how fast the instrument itself is."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from workbook import locks, paths
from workbook.conclusions import capacity
from workbook.corpora import corpora
from workbook.embedding import encoders, model_files
from workbook.evaluation import results
from workbook.experiments import encoding_speed, grid
from workbook.figures import tables
from workbook.figures.tables import WHAT
from workbook.qdrant import quantization
from workbook.runs import parts, runner
from workbook.runs.plan import PLAN, read

NOTEBOOK = "02_encoding_speed"
# title, columns for rows, and metrics beside each other; or one metric, by `tables.crossed`
TABLES: list[tuple[str, list[str], list[str] | str]] = [
    ("Encoding", [WHAT, "model"], ["texts/s", "tokens/s", "best batch"]),
    ("Beside a plain loop over encode, the same rounds", [WHAT, "model"], encoding_speed.BESIDE),
    ("Best speed not found", [WHAT, "model"], [encoding_speed.DOUBT]),
    ("Speed-up", [WHAT, "model"], ["speed-up"]),
    ("Where the time goes", [WHAT, "model"], ["tokenization share", "model share", "pooling share"]),
    ("Batch sizes tried, texts/s", ["model"], "texts/s tried"),
    ("Cold start", ["model"], ["load seconds", "first text ms", "warm text ms", "memory MB"]),
    ("Stored model", ["model", "setting"], ["megabytes", "load ms", "ndcg@10", "ndcg@10 difference"]),
    ("Index, bytes per vector on disk", ["setting"], "disk bytes per vector"),
    ("Index, bytes per vector in RAM, computed", ["setting"], "computed RAM bytes per vector"),
    ("Times smaller", ["model", WHAT], ["times smaller"]),
    ("Encode, store and index, seconds", [], "phase seconds"),
    ("Peak resident memory, MB", [], "peak MB"),
    ("Disk, bytes per document", [], "disk bytes per document"),
    ("Documents of interrupted attempts, whose seconds are counted in", [WHAT], ["resumed documents"]),
    ("In all, and search", [WHAT], ["documents/s", "words/s", "distinct words", "latency ms", "ann precision@10"]),
    ("Growth", [WHAT], ["growth exponent", "growth r2"]),
    ("Planning", [WHAT, "setting"], [*capacity.HOURS, *capacity.EXTRAPOLATED]),
]
SEARCHES = ("exact", "full-ef", "default-ef", "rescore", "rescore-x2", "rescore-x3", "rescore-x4")


def encoding(profile: str, overrides: Mapping[str, str]) -> int:
    """Run notebook 02 of a profile and print its rows as tables, if it ended well. Returns the exit code."""
    exit_code = runner.run(profile, overrides, [NOTEBOOK])
    if exit_code:
        return exit_code
    for part in [part for part in parts.of(read(PLAN), profile, overrides, [NOTEBOOK]) if part.jobs]:
        for title, table in _tables(results.read_rows(results.published_file(part.run, NOTEBOOK))):
            print(f"\n{title}\n\n{table.to_string()}")
    print(f"\n{results.machine_label()}")
    return exit_code


def _tables(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and table of each part of the rows that notebook 02 published; a part without rows is left out."""
    for title, index, metrics in TABLES:
        if isinstance(metrics, str) and metrics in set(rows["metric"]):
            yield title, tables.crossed(rows, metrics, index).data
        elif not isinstance(metrics, str) and rows["metric"].isin(metrics).any():
            yield title, tables.table(rows, index, metrics).data


def grid_speed(corpus_name: str, model: str, settings: Sequence[str] = tuple(quantization.SETTINGS)) -> pd.DataFrame:
    """Measure the grid of one model anew, the encoding apart, keeping nothing: a row per dimension and setting.

    Columns: dimension, setting, cells, build s (upsert, HNSW, quantization and proof), search and judge s per cell.
    """
    corpora.check(corpus_name)
    encoders.check(model)
    model_files.check_reachable(model)
    encoder, corpus = encoders.load(model), corpora.load(corpus_name)
    paths.check_writable()
    rows = []
    with locks.alone(paths.DATA), tempfile.TemporaryDirectory() as folder, results.kept_in(Path(folder)):
        grid.encode(corpus, encoder)
        for dimension in encoder.matryoshka:
            for setting in settings:
                started = time.perf_counter()
                cells = grid.measure(corpus, encoder, [dimension], [setting], SEARCHES, limit=10, repeats=1)
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
