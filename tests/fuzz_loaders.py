"""Fuzzing by hand, `make fuzz SECONDS=600`: each loader is given broken files, guided by the lines they reach.

A loader gives what can be used, or raises WorkbookError in one line that names the file. Anything else is a finding: a
file written beside its folder, a hang, and memory beyond a limit too. Of each kind of finding the smallest file is kept
in data/fuzz; what was found so far is in test_fuzz_findings.py. A loader runs in a process of its own, for Arrow and
other code in C may take it down: that is a finding, and another process goes on.
"""

import contextlib
import csv
import functools
import hashlib
import io
import itertools
import json
import os
import random
import re
import resource
import shutil
import struct
import sys
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ["TQDM_DISABLE"] = "1"
INSTRUMENTED = ["workbook", "yaml", "zipfile"]
PART = b"\n----\n"  # between the files of one input
MEMORY = 3 * 2**30  # bytes of addresses: Arrow and pandas alone take one
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "shutil.rmtree")
HANGS = 20  # seconds for one input
ROWS = [{"_id": f"d{n}", "title": f"Title {n}", "text": f'Körper {n}. Ein, "zwei"\u2028drei.'} for n in range(12)]


class Loader(NamedTuple):
    """How a loader is fuzzed: it is given bytes and an empty folder, and uses what it reads."""

    use: Callable[[bytes, Path], Any]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, random.Random], bytes] | None = None  # where plain bytes would never get through


def parts(content: bytes, *files: Path) -> None:
    """Write an input of several files."""
    for file, part in zip(files, content.split(PART, len(files) - 1), strict=False):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(part)


def jsonl(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def separated(rows: list[dict], cut: str = ",") -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=cut)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def parquets() -> list[bytes]:
    """The rows with texts, and with values of other types, as Parquet writes them in several ways."""
    import datetime
    import decimal

    import pyarrow
    from pyarrow import parquet

    others: dict[str, Any] = {
        "_id": list(range(12)), "title": [None, *"abcdefghijk"], "list": [["a", None], []] * 6,
        "struct": [{"a": 1}] * 12, "decimal": [decimal.Decimal("1.5")] * 12, "float": [1.0, float("nan")] * 6,
        "binary": [b"\xff"] * 12, "when": [datetime.datetime(2020, 1, 1)] * 12, "text": ["x", "y"] * 6,
    }  # fmt: skip
    found = []
    for table in (pyarrow.Table.from_pylist(ROWS), pyarrow.table(others)):
        for options in ({}, {"compression": "NONE", "use_dictionary": False}, {"compression": "ZSTD"}):
            stream = io.BytesIO()
            parquet.write_table(table, stream, **options)
            found.append(stream.getvalue())
    return found


def zips() -> list[bytes]:
    found = []
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as zipped:
            zipped.writestr("scifact/corpus.jsonl", jsonl(ROWS[:2]))
            zipped.writestr("scifact/qrels/test.tsv", "q1\td1\t1\n")
        found.append(stream.getvalue())
    return found


def shards() -> list[bytes]:
    import numpy as np

    found = []
    for array in (np.ones((3, 4), dtype="<f4"), np.ones(3), np.array(["a", "b", "c"]), np.float64(1)):
        stream = io.BytesIO()
        np.save(stream, array)
        found.append(stream.getvalue())
    return found


def broken_inside(content: bytes, draw: random.Random, first: int, last: int) -> bytes:
    """The content with some bytes changed between two places, length and the rest kept."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        if last > first:
            changed[draw.randrange(first, last)] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
    return bytes(changed)


ODD = [
    "null", "true", "-1", "0", "1.0", "1e999", "NaN", "9" * 5_000, str(2**63), '""', '" "', '"\\u0000"', '"\\ud800"',
    '"a\\tb"', '"a\\nb"', '"\\u2028"', '"\\ufeff"', "[]", "{}", '["a"]', "[" * 3_000, '{"a": {}}', '{"a": 1, "a": 2}',
]  # fmt: skip
NAMES = ["_id", "id", "title", "text", "query", "settings", "values"]


def mutate_json(content: bytes, draw: random.Random) -> bytes:
    """Put an odd value in place of one in a line of JSON, whole or a part; or rename a key, or repeat a line."""
    lines = content.split(b"\n")
    number = draw.randrange(len(lines))
    try:
        top = parent = [json.loads(lines[number])]
    except (ValueError, RecursionError):
        return content
    key: Any = 0
    while parent[key] and isinstance(parent[key], dict | list) and draw.random() < 0.8:
        parent = parent[key]
        key = draw.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    if isinstance(parent, dict) and draw.random() < 0.2:
        parent[draw.choice(NAMES)] = parent.pop(key)
    else:
        parent[key] = "@"
    changed = json.dumps(top[0], ensure_ascii=False).replace('"@"', draw.choice(ODD))
    lines[number] = changed.encode("utf-8", "replace")
    if draw.random() < 0.1:
        lines.insert(number, draw.choice(lines))
    return b"\n".join(lines)


def mutate_parquet(content: bytes, draw: random.Random) -> bytes:
    """Break the metadata at the end or the pages before it; marks and the metadata's length stay right."""
    if len(content) < 12 or content[-4:] != b"PAR1":
        return draw.choice(parquets())
    metadata = max(4, len(content) - 8 - struct.unpack("<I", content[-8:-4])[0])
    first, last = draw.choice([(4, metadata), (metadata, len(content) - 8)])
    return broken_inside(content, draw, first, last)


def mutate_zip(content: bytes, draw: random.Random) -> bytes:
    """Other names, contents and kinds of members, or broken bytes of a whole zip."""
    if draw.random() < 0.5:
        return broken_inside(content, draw, 0, len(content))
    names = ["scifact", "scifact/", "scifact/corpus.jsonl", "scifact/corpus.jsonl/x", "../x", "/x", "C:\\x", "a\0b", "",
             "scifact/../../x", "scifact/" + "x" * 300, "\u2028", "."]  # fmt: skip
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        for _ in range(draw.randrange(5)):
            kind = draw.choice([0, 8, 12, 14])
            zipped.writestr(zipfile.ZipInfo(draw.choice(names)), draw.randbytes(draw.randrange(40)), kind)
    return broken_inside(stream.getvalue(), draw, 0, stream.tell()) if draw.random() < 0.3 else stream.getvalue()


def mutate_shard(content: bytes, draw: random.Random) -> bytes:
    """Another header, its length right."""
    shape = draw.choice(["(3, 4)", "(3,)", "()", "(-1, 4)", f"({2**62}, 4)", "(3, 0)", "3", "(True, 4)", "(3.0,)"])
    kind = draw.choice(["'<f4'", "'|O'", "'<U3'", "[('a', '<f4')]", "'<f'", "None", "'" + "<" * 99 + "'"])
    header = f"{{'descr': {kind}, 'fortran_order': {draw.choice(['False', 'True', '1'])}, 'shape': {shape}}}\n".encode()
    header = broken_inside(header, draw, 0, len(header)) if draw.random() < 0.3 else header
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content[128:]


def documents(content: bytes, folder: Path) -> None:
    from workbook.corpora import corpora

    (folder / "corpus.jsonl").write_bytes(content)
    for one in corpora.read_documents(folder / "corpus.jsonl").values():
        assert one.full.encode()


def queries(content: bytes, folder: Path) -> None:
    from workbook.corpora import corpora

    (folder / "queries.jsonl").write_bytes(content)
    assert all(text.encode() for text in corpora.read_queries(folder / "queries.jsonl").values())


def beir(content: bytes, folder: Path) -> None:
    from workbook.corpora import corpora
    from workbook.evaluation import evaluation

    parts(content, folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    corpus = corpora.read_beir(folder, "tiny")
    assert len(corpus.sha256) == 64
    judged = evaluation.judge(corpus, [list(grades) for grades in corpus.qrels.values()])
    assert judged.to_numpy().min() >= 0
    assert judged.to_numpy().max() <= 1.000001


def qrels(content: bytes, folder: Path) -> None:
    from workbook.corpora import lines

    (folder / "test.tsv").write_bytes(content)
    for _, query, document, grade in lines.judgements(folder / "test.tsv"):
        assert f"{query}\t{document}\t{grade}".encode().count(b"\t") == 2


def made(source: Any, folder: Path) -> None:
    """Make a corpus of one's own. What is made must be readable."""
    from workbook import paths
    from workbook.corpora import corpora, own_data

    paths.DATA = folder / "data"
    name = own_data.prepare(source)
    try:
        corpus = corpora.load(name)
        assert corpus.documents
        assert own_data.describe(source)
    except Exception as error:
        raise AssertionError(f"what was made cannot be read: {error}") from error


def own(suffix: str, content: bytes, folder: Path) -> None:
    from workbook.corpora import own_data

    (folder / f"mine{suffix}").write_bytes(content)
    made(own_data.Source(str(folder / f"mine{suffix}")), folder)


def asked(content: bytes, folder: Path) -> None:
    """A column of queries, one text or a list."""
    from workbook.corpora import own_data

    (folder / "mine.jsonl").write_bytes(content)
    made(own_data.Source(str(folder / "mine.jsonl"), {"query": "query"}), folder)


def judged(content: bytes, folder: Path) -> None:
    from workbook.corpora import own_data

    (folder / "mine.jsonl").write_bytes(jsonl(ROWS))
    (folder / "judged.csv").write_bytes(content)
    made(own_data.Source(str(folder / "mine.jsonl"), {}, str(folder / "judged.csv")), folder)


def own_folder(content: bytes, folder: Path) -> None:
    from workbook.corpora import own_data

    mine = folder / "mine"
    parts(content, mine / "corpus.jsonl", mine / "queries.jsonl", mine / "qrels" / "test.tsv")
    made(own_data.Source(str(mine)), folder)


def other_columns(content: bytes, folder: Path) -> None:
    """Every column of a Parquet file, whatever its type, as each thing that it could be."""
    from workbook.corpora import own_files, table_files
    from workbook.errors import WorkbookError

    file = folder / "mine.parquet"
    file.write_bytes(content)
    columns = table_files.columns_of(file)
    for _, row in table_files.rows(file, columns):
        assert list(row) == columns
    for id_, text in itertools.pairwise(columns):
        try:
            for _ in own_files.documents(own_files.Source(str(file), {"id": id_, "text": text})):
                pass
        except WorkbookError as error:
            check_message(error, folder)


def runs_yaml(content: bytes, folder: Path) -> None:
    from workbook.runs import plan

    (folder / "runs.yaml").write_bytes(content)
    found = plan.read(folder / "runs.yaml")
    assert all(name.isprintable() and facts["notebooks"] for name, facts in found["profiles"].items())


def zipped(content: bytes, folder: Path) -> None:
    from workbook import paths
    from workbook.corpora import beir_sets
    from workbook.errors import WorkbookError

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
    from workbook.embedding import model_cards, model_files

    (folder / model_files.CARD).write_bytes(content)
    assert all(type(size) is int and size > 0 for size in model_files.trained_dimensions(folder))
    assert isinstance(model_cards.read(folder), dict)


def record(content: bytes, folder: Path) -> None:
    from workbook.evaluation import results

    (folder / "kind").mkdir()
    (folder / "kind" / "key.json").write_bytes(content)
    with results.kept_in(folder):
        found = results.read("kind", "key")
    assert found is None or isinstance(found["values"], dict)


def manifest(content: bytes, folder: Path) -> None:
    from workbook.embedding import vectors

    (folder / "vectors.npy").write_bytes(shards()[0])
    (folder / "manifest.json").write_bytes(content)
    assert vectors._is_complete(folder) in (True, False)


def shard(content: bytes, folder: Path) -> None:
    from workbook.embedding import vectors

    (folder / "0.npy").write_bytes(content)
    found = vectors.read_shard(folder / "0.npy", 3)
    assert found is None or (found.shape[0] == 3 and found.dtype == "float32" and found.ndim == 2)


def rows(content: bytes, folder: Path) -> None:
    """The rows that a run published and the machine beside them, read by the notebook that answers."""
    from workbook import paths
    from workbook.conclusions import methods_of_run, run_rows

    paths.DATA = folder
    stem = folder / "results" / "runs" / "x" / "01_static_vs_transformer"
    parts(content, stem.with_suffix(".csv"), stem.with_suffix(".machine.json"))
    found = run_rows.read("x", [stem.name])
    assert all(problem.isprintable() for problem in found.problems)
    if len(found.rows):
        assert found.corpus is not None
        assert found.machine
        methods_of_run.read(found)


def notebook(content: bytes, folder: Path) -> None:
    """An executed notebook as the report reads and shows it."""
    from workbook import paths
    from workbook.runs import page, plan, report

    paths.DATA, paths.REPORTS = folder / "data", folder / "reports"
    (folder / "reports" / "x").mkdir(parents=True)
    (folder / "reports" / "x" / "01_static_vs_transformer.ipynb").write_bytes(content)
    entry = report._entry(plan.Job("01_static_vs_transformer", {}, 1), "x")
    found = report.run_rows.Evidence("x", report.run_rows.pd.DataFrame(), {}, [])
    shown = page.render(entry.notebook, entry.title, page.Place(entry.name, "x", report._facts([entry], found), [], []))
    assert "<script" not in re.sub(r"(?s)<head>.*?</head>", "", shown) or shown.count("<script") <= 1


def seed_manifests() -> list[bytes]:
    return [json.dumps({"vectors_sha256": hashlib.sha256(shards()[0]).hexdigest()}).encode()]


def seed_notebooks() -> list[bytes]:
    import nbformat.v4 as v4

    outputs = [
        v4.new_output("execute_result", {"text/plain": "2", "text/html": "<table><tr><td>2"}, execution_count=1),
        v4.new_output("stream", text="a\x1b[31mb"), v4.new_output("error", ename="E", evalue="e", traceback=["t"]),
    ]  # fmt: skip
    found = []
    for many in (len(outputs), 2):
        code = v4.new_code_cell("1 + 1", execution_count=1, outputs=outputs[:many])
        made = v4.new_notebook(cells=[v4.new_markdown_cell("# Title\n\ntext"), code])
        made.metadata["papermill"] = {
            "parameters": {"corpus": "sample"}, "end_time": "2020-01-01T00:00:00", "duration": 1.0, "exception": None,
        }  # fmt: skip
        found.append(json.dumps(made).encode())
    return found


def seed_rows() -> list[bytes]:
    from workbook.evaluation import results

    line = "01_static_vs_transformer,x,sample,ab12,tiny-static,cd34,32,float32,exact,,ndcg@10,0.5,0.4,0.6,25,abc"
    facts = {**results.machine(), "published": "2020-01-01T00:00:00+00:00", "schema": results.SCHEMA}
    return [f"{','.join(results.HEADER)}\n{line}\n".encode() + PART + json.dumps(facts).encode()]


def seed_plans() -> list[bytes]:
    return [
        b"""profiles:
  a:
    cell_timeout_s: 3
    parameters: {corpus: sample, static_model: tiny-static, transformer_model: tiny-transformer}
    notebooks: {03_matryoshka_dimensions: {repeats: 2, dimensions: [16]}, 07_should_you_pay_attention: }
  b: {notebooks: {01_static_vs_transformer: {}}}
expected:
  - {profile: a, notebook: 03_matryoshka_dimensions, metric: ndcg@10, value: 0.5, tolerance: 1, where: {corpus: sample}}
"""
    ]


CORPUS = jsonl(ROWS)
QUERIES = jsonl([{"_id": "q1", "text": "wer"}, {"_id": "q2", "text": "was", "metadata": {"a": [1, 2.5, None]}}])
QRELS = b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\n"
ASKED = [{**row, "query": [f"frage {n}", "wer"] if n % 2 else f"frage {n}"} for n, row in enumerate(ROWS)]
LOADERS = {
    "documents": Loader(documents, lambda: [CORPUS, jsonl(ROWS[:2])], mutate_json),
    "queries": Loader(queries, lambda: [QUERIES], mutate_json),
    "BEIR folder": Loader(beir, lambda: [jsonl(ROWS[:3]) + PART + QUERIES + PART + QRELS], mutate_json),
    "qrels TSV": Loader(qrels, lambda: [QRELS]),
    "own JSONL": Loader(functools.partial(own, ".jsonl"), lambda: [CORPUS], mutate_json),
    "own CSV": Loader(functools.partial(own, ".csv"), lambda: [separated(ROWS)]),
    "own TSV": Loader(functools.partial(own, ".tsv"), lambda: [separated(ROWS, "\t")]),
    "own Parquet": Loader(functools.partial(own, ".parquet"), parquets, mutate_parquet),
    "columns of Parquet": Loader(other_columns, parquets, mutate_parquet),
    "column of queries": Loader(asked, lambda: [jsonl(ASKED)], mutate_json),
    "judged CSV": Loader(judged, lambda: [b"query,document,grade\nwer,d1,1\nwas,d2,2\n"]),
    "own folder": Loader(own_folder, lambda: [CORPUS + PART + QUERIES + PART + QRELS], mutate_json),
    "plan YAML": Loader(runs_yaml, seed_plans),
    "zip": Loader(zipped, zips, mutate_zip),
    "model card": Loader(card, lambda: [b'{"settings": {"dimensions": [64, 32]}, "seed": 0}'], mutate_json),
    "record": Loader(record, lambda: [b'{"schema": 3, "key": "k", "values": {"n": 1.5}}'], mutate_json),
    "manifest": Loader(manifest, seed_manifests, mutate_json),
    "shard": Loader(shard, shards, mutate_shard),
    "rows of a run": Loader(rows, seed_rows, mutate_json),
    "notebook": Loader(notebook, seed_notebooks, mutate_json),
}  # fmt: skip


def check_message(error: Exception, folder: Path) -> None:
    """Raise AssertionError unless a message is one line that names a file of the folder."""
    assert str(error).isprintable(), f"a message of several lines: {error!r}"
    names = {str(file) for file in folder.rglob("*")} | {file.name for file in folder.rglob("*")}
    assert any(name in str(error) for name in names), f"a message that names no file: {error}"


def given(name: str, content: bytes, folder: Path) -> None:
    """Give a loader one input in an empty folder. Raises whatever breaks the rule."""
    from workbook.errors import WorkbookError

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        LOADERS[name].use(content, folder)
    except WorkbookError as error:
        check_message(error, folder)


def where(error: BaseException) -> str:
    """What kind of finding an error is: its type and the last line of the workbook that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/workbook/" in frame.filename] or frames
    at = f"{Path(own[-1].filename).stem}-{own[-1].name}"
    return re.sub(
        r"\W+", "-", f"{type(error).__name__} {at} {str(error)[:24] if isinstance(error, AssertionError) else ''}"
    )


def fuzz(name: str, home: Path, seconds: int) -> None:
    """Fuzz one loader in this process; never returns."""
    import atheris

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    loader, folder = LOADERS[name], home / "folder"
    for file in (home / "corpus", home / "findings"):
        file.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(loader.seeds()):
        (home / "corpus" / f"seed-{number}").write_bytes(seed)
    outside: list[str] = []

    def watch(event: str, arguments: tuple) -> None:
        if event == "open":
            writes = isinstance(arguments[1], str) and any(letter in arguments[1] for letter in "wax+")
        else:  # relative to a folder that is open is what shutil.rmtree does in a folder checked before
            writes = event in CHANGES and arguments[-1] in (-1, None)
        if writes and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100
            if not path.startswith((str(home), "/dev/null")):
                outside.append(f"{event} {path}")

    sys.addaudithook(watch)

    def test_one(content: bytes) -> None:
        outside.clear()
        try:
            given(name, content, folder)
            if outside:
                raise AssertionError(f"outside: {outside[0]}")
        except Exception as error:
            found = home / "findings" / where(error)
            if not found.exists() or found.stat().st_size > len(content):
                found.write_bytes(content)
                lines = traceback.format_exception(error)
                found.with_suffix(".txt").write_text("".join(lines)[-20_000:], "utf-8", "backslashreplace")

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        changed = loader.mutate(content, draw) if draw.random() < 0.7 else atheris.Mutate(content, most)
        return changed[:most]

    arguments = [
        sys.argv[0], f"-max_total_time={seconds}", f"-timeout={HANGS}", "-rss_limit_mb=3000", "-print_final_stats=1",
        "-max_len=16384", f"-artifact_prefix={home / 'findings'}/", "-verbosity=1", str(home / "corpus"),
    ]  # fmt: skip
    atheris.Setup(arguments, test_one, **({"custom_mutator": mutate} if loader.mutate else {}))
    atheris.Fuzz()


def child(name: str, home: Path, seconds: int) -> int:
    """Fuzz one loader in a process of its own: how that ended. What it says is in `log`."""
    process = os.fork()
    if not process:
        log = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        fuzz(name, home, seconds)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def imported() -> None:
    """Import what is fuzzed, with the lines it reaches told to the fuzzer."""
    import atheris

    with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=INSTRUMENTED):
        import yaml  # noqa: F401
        from workbook.conclusions import methods_of_run, run_rows  # noqa: F401
        from workbook.corpora import own_data  # noqa: F401
        from workbook.embedding import model_cards  # noqa: F401
        from workbook.runs import plan, report  # noqa: F401


def main(seconds: int, folder: Path, chosen: list[str]) -> int:
    """Fuzz the loaders one after the other and print how often each was run; 1 if there is a finding."""
    imported()
    total = [0, 0.0, 0]
    print(f"{'loader':<20} {'executions':>12} {'seconds':>8} {'findings':>8}", flush=True)
    for name in chosen:
        home, runs, spent = folder / name.replace(" ", "-"), 0, 0.0
        (home / "findings").mkdir(parents=True, exist_ok=True)
        while spent < seconds / len(chosen):
            began = time.monotonic()
            ended = child(name, home, max(1, round(seconds / len(chosen) - spent)))
            spent += time.monotonic() - began
            told = re.findall(r"stat::number_of_executed_units:\s+(\d+)", (home / "log").read_text("utf-8", "replace"))
            if not told:
                raise SystemExit(f"{name} did not begin: see {home / 'log'}")
            runs += int(told[-1])
            if ended:
                shutil.copy(home / "log", home / "findings" / f"ended-with-{ended}.txt")
        found = [file for file in (home / "findings").iterdir() if file.suffix != ".txt"]
        row = runs, spent, len(found)
        total = [one + other for one, other in zip(total, row, strict=True)]
        print("{:<20} {:>12,} {:>8,.0f} {:>8}".format(name, *row), flush=True)
    print("{:<20} {:>12,} {:>8,.0f} {:>8}".format("all", *total))
    return 1 if total[-1] else 0


if __name__ == "__main__":
    from workbook import paths

    sys.exit(main(int(sys.argv[1]), paths.DATA / "fuzz", sys.argv[2:] or list(LOADERS)))
