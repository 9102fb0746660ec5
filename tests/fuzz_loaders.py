"""The loaders that `make fuzz` and `test_fuzz_findings` give broken files, and the rule that each of them keeps.

A loader gives what can be used, or raises WorkbookError in one line that names the file.
"""

import functools
import itertools
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import fuzz_inputs as inputs
import pandas as pd
from workbook import paths
from workbook.conclusions import asked, run_rows
from workbook.corpora import beir_sets, corpora, own_data, own_files, table_files
from workbook.corpora.own_data import Source
from workbook.embedding import model_cards, model_files, vectors
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, results
from workbook.runs import page, plan, report


class Loader(NamedTuple):
    """How a loader is fuzzed: it is given bytes and an empty folder, and uses what it reads."""

    use: Callable[[bytes, Path], Any]
    seeds: list[bytes]
    mutate: Callable[[bytes, random.Random], bytes] | None = None  # where plain bytes would never get through


def beir(content: bytes, folder: Path) -> None:
    inputs.parts(content, folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    corpus = corpora.read_beir(folder, "tiny")
    assert len(corpus.sha256) == 64
    judged = evaluation.judge(corpus, [list(grades) for grades in corpus.qrels.values()])
    assert judged.to_numpy().min() >= 0
    assert judged.to_numpy().max() <= 1.000001


def made(source: Source, folder: Path) -> None:
    """Make a corpus of one's own. What is made must be readable."""
    paths.DATA = folder / "data"
    name = own_data.prepare(source)
    try:
        assert corpora.load(name).documents
        assert own_data.describe(source)
    except Exception as error:
        raise AssertionError(f"what was made cannot be read: {error}") from error


def own(suffix: str, content: bytes, folder: Path, columns: dict | None = None) -> None:
    (folder / f"mine{suffix}").write_bytes(content)
    made(Source(str(folder / f"mine{suffix}"), columns or {}), folder)


def judged(content: bytes, folder: Path) -> None:
    (folder / "mine.jsonl").write_bytes(CORPUS)
    (folder / "judged.csv").write_bytes(content)
    made(Source(str(folder / "mine.jsonl"), {}, str(folder / "judged.csv")), folder)


def own_folder(content: bytes, folder: Path) -> None:
    mine = folder / "mine"
    inputs.parts(content, mine / "corpus.jsonl", mine / "queries.jsonl", mine / "qrels" / "test.tsv")
    made(Source(str(mine)), folder)


def other_columns(content: bytes, folder: Path) -> None:
    """Every column of a Parquet file, whatever its type, as each thing that it could be."""
    file = folder / "mine.parquet"
    file.write_bytes(content)
    columns = table_files.columns_of(file)
    for _, row in table_files.rows(file, columns):
        assert list(row) == columns
    for id_, text in itertools.pairwise(columns):
        try:
            for _ in own_files.documents(Source(str(file), {"id": id_, "text": text})):
                pass
        except WorkbookError as error:
            check_message(error, folder)


def runs_yaml(content: bytes, folder: Path) -> None:
    (folder / "runs.yaml").write_bytes(content)
    found = plan.read(folder / "runs.yaml")
    assert all(name.isprintable() and facts["notebooks"] for name, facts in found["profiles"].items())


def zipped(content: bytes, folder: Path) -> None:
    paths.DATA = folder / "data"
    (folder / "data" / "beir").mkdir(parents=True)
    (folder / "data" / "beir" / "scifact.zip").write_bytes(content)
    try:
        beir_sets.unpack(folder / "data" / "beir" / "scifact.zip", "scifact")
    except WorkbookError:
        (folder / "data" / "beir" / "scifact.zip").touch()  # a broken one is removed, and the message is to name it
        raise
    assert beir_sets.is_beir_folder(folder / "data" / "beir" / "scifact")


def card(content: bytes, folder: Path) -> None:
    (folder / model_files.CARD).write_bytes(content)
    assert all(type(size) is int and size > 0 for size in model_files.trained_dimensions(folder))
    assert isinstance(model_cards.read(folder), dict)


def record(content: bytes, folder: Path) -> None:
    (folder / "kind").mkdir()
    (folder / "kind" / "key.json").write_bytes(content)
    with results.kept_in(folder):
        found = results.read("kind", "key")
    assert found is None or isinstance(found["values"], dict)


def manifest(content: bytes, folder: Path) -> None:
    (folder / "vectors.npy").write_bytes(inputs.shards()[0])
    (folder / "manifest.json").write_bytes(content)
    assert vectors._is_complete(folder) in (True, False)


def shard(content: bytes, folder: Path) -> None:
    (folder / "0.npy").write_bytes(content)
    found = vectors.read_shard(folder / "0.npy", 3)
    assert found is None or (found.shape[0] == 3 and found.dtype == "float32" and found.ndim == 2)


def rows(content: bytes, folder: Path) -> None:
    """The rows that a run published and the machine beside them, read by the notebook that answers."""
    paths.DATA = folder
    stem = folder / "results" / "runs" / "x" / "01_static_vs_transformer"
    inputs.parts(content, stem.with_suffix(".csv"), stem.with_suffix(".machine.json"))
    found = run_rows.read("x", [stem.name])
    assert all(problem.isprintable() for problem in found.problems)
    if len(found.rows):
        assert found.corpus is not None
        assert found.machine
        asked.methods(found)


def notebook(content: bytes, folder: Path) -> None:
    """An executed notebook as the report reads and shows it."""
    paths.DATA, paths.REPORTS = folder / "data", folder / "reports"
    (folder / "reports" / "x").mkdir(parents=True)
    (folder / "reports" / "x" / "01_static_vs_transformer.ipynb").write_bytes(content)
    entry = report._entry(plan.Job("01_static_vs_transformer", {}, 1), "x")
    found = run_rows.Evidence("x", pd.DataFrame(), {}, [])
    shown = page.render(entry.notebook, entry.title, page.Place(entry.name, "x", report._facts([entry], found), [], []))
    assert "<script" not in re.sub(r"(?s)<head>.*?</head>", "", shown) or shown.count("<script") <= 1


CORPUS = inputs.jsonl(inputs.ROWS)
QUERIES = inputs.jsonl([{"_id": "q1", "text": "wer"}, {"_id": "q2", "text": "was", "metadata": {"a": [1, 2.5, None]}}])
QRELS = b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\n"
WHOLE = inputs.PART.join([CORPUS, QUERIES, QRELS])
ASKED = [{**row, "query": [f"frage {n}", "wer"] if n % 2 else f"frage {n}"} for n, row in enumerate(inputs.ROWS)]
with_queries = functools.partial(own, ".jsonl", columns={"query": "query"})
LOADERS = {
    "BEIR folder": Loader(beir, [WHOLE], inputs.mutate_json),
    "own folder": Loader(own_folder, [WHOLE], inputs.mutate_json),
    "own JSONL": Loader(functools.partial(own, ".jsonl"), [CORPUS], inputs.mutate_json),
    "own CSV": Loader(functools.partial(own, ".csv"), [inputs.separated(inputs.ROWS)]),
    "own TSV": Loader(functools.partial(own, ".tsv"), [inputs.separated(inputs.ROWS, "\t")]),
    "own Parquet": Loader(functools.partial(own, ".parquet"), inputs.parquets(), inputs.mutate_parquet),
    "columns of Parquet": Loader(other_columns, inputs.parquets(), inputs.mutate_parquet),
    "column of queries": Loader(with_queries, [inputs.jsonl(ASKED)], inputs.mutate_json),
    "judged CSV": Loader(judged, [b"query,document,grade\nwer,d1,1\nwas,d2,2\n"]),
    "plan YAML": Loader(runs_yaml, [inputs.PLAN]),
    "zip": Loader(zipped, inputs.zips(), inputs.mutate_zip),
    "model card": Loader(card, [b'{"settings": {"dimensions": [64, 32]}, "seed": 0}'], inputs.mutate_json),
    "record": Loader(record, [inputs.record()], inputs.mutate_json),
    "manifest": Loader(manifest, inputs.manifests(), inputs.mutate_json),
    "shard": Loader(shard, inputs.shards(), inputs.mutate_shard),
    "rows of a run": Loader(rows, inputs.published(), inputs.mutate_json),
    "notebook": Loader(notebook, inputs.notebooks(), inputs.mutate_json),
}


def check_message(error: Exception, folder: Path) -> None:
    """Raise AssertionError unless a message is one line that names a file of the folder."""
    assert str(error).isprintable(), f"a message of several lines: {error!r}"
    names = {str(file) for file in folder.rglob("*")} | {file.name for file in folder.rglob("*")}
    assert any(name in str(error) for name in names), f"a message that names no file: {error}"


def given(name: str, content: bytes, folder: Path) -> None:
    """Give a loader one input in an empty folder. Raises whatever breaks the rule."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        LOADERS[name].use(content, folder)
    except WorkbookError as error:
        check_message(error, folder)
