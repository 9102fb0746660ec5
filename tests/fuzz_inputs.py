"""What fuzzing starts from, whole files of each kind, and how one of them is broken so that the rest is still read."""

import csv
import datetime
import decimal
import hashlib
import io
import json
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from nbformat import v4
from pyarrow import parquet
from workbook.evaluation import results

PART = b"\n----\n"  # between the files of one input
ROWS = [{"_id": f"d{n}", "title": f"Title {n}", "text": f'Körper {n}. Ein, "zwei"\u2028drei.'} for n in range(12)]


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
    found = []
    for array in (np.ones((3, 4), dtype="<f4"), np.ones(3), np.array(["a", "b", "c"]), np.float64(1)):
        stream = io.BytesIO()
        np.save(stream, array)
        found.append(stream.getvalue())
    return found


def manifests() -> list[bytes]:
    return [json.dumps({"vectors_sha256": hashlib.sha256(shards()[0]).hexdigest(), "n": 3}).encode()]


def record() -> bytes:
    return json.dumps({"schema": results.SCHEMA, "key": "k", "values": {"n": 1.5}}).encode()


def notebooks() -> list[bytes]:
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


def published() -> list[bytes]:
    row = {
        "notebook": "01_static_vs_transformer", "run": "x", "corpus": "sample", "corpus_sha256": "ab12",
        "model": "tiny-static", "model_revision": "cd34", "dimension": "32", "setting": "float32", "search": "exact",
        "words": "8", "metric": "ndcg@10", "value": "0.5", "low": "0.4", "high": "0.6", "n": "25", "key": "abc",
    }  # fmt: skip
    line = ",".join(row.get(name, "") for name in results.HEADER)
    facts = {**results.machine(), "published": "2020-01-01T00:00:00+00:00", "schema": results.SCHEMA}
    return [f"{','.join(results.HEADER)}\n{line}\n".encode() + PART + json.dumps(facts).encode()]


PLAN = b"""profiles:
  a:
    cell_timeout_s: 3
    parameters: {corpus: sample, static_model: tiny-static, transformer_model: tiny-transformer}
    notebooks: {03_matryoshka_dimensions: {repeats: 2, dimensions: [16]}, 08_should_you_pay_attention: }
  b: {notebooks: {01_static_vs_transformer: {}}}
expected:
  - {profile: a, notebook: 03_matryoshka_dimensions, metric: ndcg@10, value: 0.5, tolerance: 1, where: {corpus: sample}}
"""


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
