"""Benchmarks for a terminal: notebook 02 with its rows as plain tables, and how fast the instrument itself is."""

import datetime
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from workbook import isolated, locks, paths
from workbook.conclusions import capacity, costs
from workbook.corpora import corpora, document_streams
from workbook.embedding import encoders, exports, model_files, static_encoding, vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics, stopwatch
from workbook.evaluation.stopwatch import Times
from workbook.experiments import encoding_speed, grid, ingest
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
    ("Forms of the transformer", ["model"], ["least cosine", "ndcg@10", "ndcg@10 difference"]),
    ("Forms not run", [WHAT, "model"], ["form not run"]),
    ("Where the time goes", [WHAT, "model"], ["tokenization share", "model share", "pooling share"]),
    ("One query, milliseconds", ["model"], "one query ms"),
    ("A million documents and queries, computed from assumed prices", [WHAT, "model"], costs.COSTS),
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
COLUMNS = ["way", "documents/s", "words/s", "times model2vec", "equal", "least cosine", "note"]
PART = 2_048  # texts that a process is given at once
WARM = ["a text before those that count"]
EQUAL = 1e-6  # of cosine: float32's rounding
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


def record(rows: pd.DataFrame, file: Path, command: str, how: str) -> int:
    """Add speeds of `encoding_speed.every_form` to a file of speeds measured elsewhere; the number of lines added.

    Each has this machine, the day, the versions, the command, and `how` it was measured. Raises WorkbookError for a
    file that is there and has other columns.
    """
    kept = rows[rows["metric"].isin(["texts/s", costs.MODEL_ALONE])]
    facts = {
        "machine": results.machine_label(), "date": datetime.date.today().isoformat(), "command": command, "how": how,
        "versions": ", ".join(f"{name} {version}" for name, version in results.machine()["packages"].items()),
    }  # fmt: skip
    added = kept.assign(**facts)[costs.COLUMNS]
    before = [costs.elsewhere(file)] if file.exists() else []
    with paths.atomic(file) as temporary:
        pd.concat([*before, added]).to_csv(temporary, index=False)
    return len(added)


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


def static_encoders(corpus_name: str, model: str, repeats: int = 3, processes: int = 2) -> pd.DataFrame:
    """Encode the documents at hand by a static model in each of the ways there are, in turn: a row for each way.

    "documents/s" and "words/s": median and range of the repeats. No way knows a word when it begins, but the one that
    is called warm. "times model2vec": as fast, in the same round. "least cosine" is that of the document least like
    its vector by Sentence Transformers, "equal" the share of the documents that is within EQUAL of it. "note": what a
    way does otherwise, or why it was not run.
    """
    corpora.check(corpus_name)
    encoders.check(model)
    stopwatch.check_repeats(repeats)
    encoder = encoders.load(model)
    if encoder.kind != "static":
        raise WorkbookError(f"{model} is a {encoder.kind}: give a static model")
    texts = list(dict.fromkeys(document_streams.at_hand(corpora.load(corpus_name)).texts()))
    words = sum(text.count(" ") + 1 for text in texts)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    vectors_of, notes = {}, {way: note for way, (_, note) in WAYS.items()}
    for _ in range(repeats):
        for way in [way for way in WAYS if way in seconds]:
            try:
                with WAYS[way][0](encoder, texts, processes) as encode:
                    spent, found = stopwatch.timed(lambda encode=encode: np.asarray(encode()))
            except WorkbookError as error:
                notes[way] = str(error)
                del seconds[way]
                continue
            seconds[way].append(spent)
            vectors_of[way] = vectors.truncate(found, found.shape[1])
    rows = []
    for way in WAYS:
        row = {"way": way.format(processes=processes), "note": notes[way]}
        if way in seconds:
            rates = Times.of([len(texts) / each for each in seconds[way]])
            cosines = (vectors_of[way] * vectors_of[LIBRARY]).sum(axis=1)
            cosines[~vectors_of[way].any(axis=1) & ~vectors_of[LIBRARY].any(axis=1)] = 1  # no token known to either
            turns = [one / own for one, own in zip(seconds.get(FASTEST_LIBRARY, []), seconds[way], strict=False)]
            row |= {
                "times model2vec": statistics.with_range(*Times.of(turns)[:3], ".1f") if turns else "",
                "documents/s": statistics.with_range(*rates[:3], ",.0f"),
                "words/s": f"{rates.value * words / len(texts):,.0f}",
                "equal": f"{(cosines > 1 - EQUAL).mean():.1%}", "least cosine": f"{cosines.min():.4f}",
            }  # fmt: skip
        rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS).fillna("")
    distinct = len({word for text in texts for word in text.split(" ")})
    table.attrs["texts"] = f"{len(texts):,} different documents, {words:,} words, {distinct:,} of them distinct"
    return table


@contextmanager
def _by_words(encoder: Encoder, texts: list[str], processes: int, known: bool = False) -> Iterator[Callable]:
    own = static_encoding.WordEncoder(encoder.model, encoder.prompt("document"))
    own.encode(texts if known else WARM)
    yield partial(own.encode, texts)


@contextmanager
def _in_processes(encoder: Encoder, texts: list[str], processes: int) -> Iterator[Callable]:
    parts = [texts[start : start + PART] for start in range(0, len(texts), PART)]
    with isolated.workers(processes, _worker, encoder.folder or encoder.plain, processes) as mapped:
        yield lambda: np.concatenate(list(mapped(parts)))


def _worker(model: object, processes: int) -> Callable[[list[str]], np.ndarray]:
    encoder = encoders.load(str(model))
    own = static_encoding.WordEncoder(encoder.model, encoder.prompt("document"))
    _, share = own.encode(WARM), max(1, results.machine()["cores"] // processes)

    def encode(texts: list[str]) -> np.ndarray:
        with stopwatch.threads(share):
            return own.encode(texts)

    return encode


@contextmanager
def _by_model2vec(encoder: Encoder, texts: list[str], processes: int) -> Iterator[Callable]:
    model = exports.load(exports.keep(encoder, exports.FLOAT32), exports.FLOAT32)
    model.encode(WARM)
    yield partial(model.encode, [encoder.prompt("document") + text for text in texts])


@contextmanager
def _by_fastembed(encoder: Encoder, texts: list[str], processes: int) -> Iterator[Callable]:
    encode = exports.fastembed(encoder)
    prompted = [encoder.prompt("document") + text for text in texts]
    list(encode(WARM))
    yield lambda: list(encode(prompted))


@contextmanager
def _by_the_library(encoder: Encoder, texts: list[str], processes: int) -> Iterator[Callable]:
    encoder.model.encode(WARM)
    yield partial(encoder.encode, texts, batch_size=ingest.BATCH)


LIBRARY, FASTEST_LIBRARY = "Sentence Transformers", "model2vec"
WAYS: dict[str, tuple[Callable, str]] = {
    "each word once": (_by_words, ""),
    "each word once, warm": (partial(_by_words, known=True), "all of these words known before"),
    "each word once, {processes} processes": (_in_processes, "each learns the words for itself"),
    FASTEST_LIBRARY: (_by_model2vec, "leaves unknown tokens out"),
    "FastEmbed": (_by_fastembed, "leaves unknown tokens out, cuts texts at 512 tokens"),
    LIBRARY: (_by_the_library, ""),
}


def summary(table: pd.DataFrame) -> str:
    """The grid's speed in one line: cells, seconds per cell without and with the builds, cells per minute."""
    cells, build = table["cells"].sum(), table["build s"].sum()
    measure = (table["cells"] * table["search and judge s per cell"]).sum()
    return (
        f"{cells} cells: {measure / cells:.2f} s each, {(measure + build) / cells:.2f} s with the builds, "
        f"{60 * cells / (measure + build):.0f} cells per minute; {results.machine_label()}"
    )
