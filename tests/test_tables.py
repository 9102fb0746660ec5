"""The rows of a file: what is read from each kind, and which faults are named with which words."""

import csv
import datetime
import decimal
import json
import math
import re

import pyarrow
import pytest
from pyarrow import parquet
from workbook import tables
from workbook.errors import WorkbookError

HAIKU = 'An old pond,\na frog "jumps": \u2028plop, \x85 ééé'
ROWS = [{"nr": "a", "body": HAIKU}, {"nr": "b", "body": ""}, {"nr": "c", "body": "Snow"}]


def written(file, rows=ROWS, end="\n"):
    """Write rows of texts as the kind of file that its name says."""
    names = list(rows[0])
    if file.suffix == ".parquet":
        parquet.write_table(pyarrow.table({name: [row[name] for row in rows] for name in names}), file)
        return file
    if file.suffix in tables.JSONL:
        file.write_bytes("".join(json.dumps(row, ensure_ascii=False) + end for row in rows).encode())
        return file
    with file.open("w", encoding="utf-8", newline="") as stream:
        cut = "\t" if file.suffix == ".tsv" else ","
        writer = csv.DictWriter(stream, names, delimiter=cut, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return file


def values(file, columns=("nr", "body")):
    return [row for _, row in tables.rows(file, columns)]


@pytest.fixture(params=["x.jsonl", "x.ndjson", "x.csv", "x.tsv", "x.parquet", "x.CSV"])
def file(request, tmp_path):
    return written(tmp_path / request.param)


def test_rows_come_back_as_they_are(file):
    assert values(file) == ROWS
    assert tables.columns_of(file) == ["nr", "body"]


def test_only_the_named_columns_are_given(file):
    assert values(file, ["body"]) == [{"body": row["body"]} for row in ROWS]


def test_a_missing_column_is_told_with_those_present(file):
    with pytest.raises(WorkbookError, match=f"^no column 'text' in {re.escape(str(file))}: it has nr, body$"):
        next(tables.rows(file, ["nr", "text"]))


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_windows_line_ends_blank_lines_and_a_byte_order_mark_change_nothing(tmp_path, name):
    plain = [{"nr": "a", "body": "Ice"}, {"nr": "b", "body": "Snow"}]
    file = written(tmp_path / name, plain, end="\r\n\r\n")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert values(file) == plain


def test_a_place_is_the_line_where_the_row_begins(tmp_path):
    assert [place.rpartition(":")[2] for place, _ in tables.rows(written(tmp_path / "x.jsonl"), ["nr"])] == list("123")
    assert [place.rpartition(":")[2] for place, _ in tables.rows(written(tmp_path / "x.csv"), ["nr"])] == list("245")
    places = [place for place, _ in tables.rows(written(tmp_path / "x.parquet"), ["nr"])]
    assert places == [f"{tmp_path / 'x.parquet'}, row {number}" for number in (1, 2, 3)]


def test_values_keep_their_types_and_nan_is_nothing(tmp_path):
    rows = [{"n": 1, "f": 0.5, "l": ["a", "b"]}, {"n": None, "f": math.nan, "l": None}]
    assert values(written(tmp_path / "x.parquet", rows), "nfl") == [rows[0], {"n": None, "f": None, "l": None}]
    (tmp_path / "x.jsonl").write_text('{"n": 1, "f": 0.5, "l": ["a", "b"]}\n{"m": 0}\n')
    assert values(tmp_path / "x.jsonl", "nfl") == [rows[0], {"n": None, "f": None, "l": None}]


def test_a_column_of_a_jsonl_may_first_come_in_a_later_row(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "a"}\n' * 500 + '{"text": "b", "title": "B"}\n')
    assert tables.columns_of(file) == ["text", "title"]
    assert values(file, ["title"])[499:] == [{"title": None}, {"title": "B"}]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.txt", b"text", "{file} is none of .jsonl, .ndjson, .csv, .tsv, .parquet"),
        ("x.jsonl", None, "{file} is missing"),
        ("x.jsonl", b"\n\n", "{file} is empty"),
        ("x.csv", b"", "{file} is empty"),
        ("x.jsonl", b'{"a": "1"}\n{"a": "2', "{file}:2: not valid JSON"),
        ("x.jsonl", b'{"a": "1"}\n["2"]\n', "{file}:2: each line needs to be an object, {{...}}; this one is a list"),
        ("x.jsonl", b'{"a": "1"}\n\n{"a": "\xe9"}\n', "{file}:3: not valid UTF-8 (invalid continuation byte)"),
        ("x.csv", b'a,b\n1,"two\nlines"\n3,\xff\n', "{file}:4: not valid UTF-8 (invalid start byte)"),
        ("x.csv", "a,b\n1,2\n".encode("utf-16"), "{file}:1: not valid UTF-8"),
        ("x.csv", b'a,b\n1,"two\nlines"\n3\n', "{file}:4: 1 fields, the header has 2"),
        ("x.csv", b"a,b\n1,2,3\n", "{file}:2: 3 fields, the header has 2"),
        ("x.csv", b'a,b\n1,2\n3,"4\n5,6\n', "{file}:3: not valid CSV (unexpected end of data)"),
        ("x.csv", b'a,b\n1,"2" 3\n', "{file}:2: not valid CSV ("),
        ("x.csv", b"a,a\n1,2\n", "column 'a' is there twice in {file}"),
        ("x.parquet", b"PAR1 and no more", "{file}: not a Parquet file"),
        ("x.parquet", b"", "{file}: not a Parquet file"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path, name, content, complaint):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WorkbookError, match=f"^{re.escape(complaint.format(file=file))}[^\n]*$"):
        values(file, ["a"])


def test_a_quote_left_open_does_not_take_in_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LONGEST_FIELD", 10_000)
    file = tmp_path / "x.csv"
    file.write_text('a,b\n1,2\n3,"4\n' + "5,6\n" * 10_000)
    with pytest.raises(WorkbookError, match=r"x\.csv:3: not valid CSV \(field larger than field limit \(10000\)\)"):
        values(file, ["a"])


def test_a_parquet_text_that_is_no_utf8_is_refused_with_its_row(tmp_path):
    texts = pyarrow.StringArray.from_buffers(3, *pyarrow.array([b"one", b"\xff\xff\xff", b"two"]).buffers()[1:])
    parquet.write_table(pyarrow.table({"a": texts}), tmp_path / "x.parquet")
    with pytest.raises(WorkbookError, match=r"x\.parquet, row 2: not valid UTF-8 \(invalid start byte\)"):
        values(tmp_path / "x.parquet", ["a"])


def test_a_parquet_that_is_damaged_inside_is_refused_with_its_row(tmp_path):
    file = written(tmp_path / "x.parquet", [{"a": f"text {number}" * 9} for number in range(2_000)])
    content = bytearray(file.read_bytes())
    content[4:2_000] = bytes(1_996)
    file.write_bytes(content)
    with pytest.raises(WorkbookError, match=r"x\.parquet, row 1: cannot be read"):
        values(file, ["a"])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime.datetime(2020, 1, 1), "timestamp[us]"),
        (decimal.Decimal("1.5"), "decimal128(2, 1)"),
        ({"a": "b"}, "struct<a: string>"),
        (b"text", "binary"),
        ([["a"]], "list<element: list<element: string>>"),
    ],
)
def test_a_parquet_column_that_holds_no_text_is_refused_with_its_type(tmp_path, value, kind):
    file = written(tmp_path / "x.parquet", [{"a": value, "b": "text"}])
    complaint = re.escape(f"{file}: column 'a' is of type {kind}, not a text")
    with pytest.raises(WorkbookError, match=f"^{complaint}; convert it$"):
        values(file, ["a"])
    assert values(file, ["b"]) == [{"b": "text"}]


def test_a_parquet_column_of_categories_is_text(tmp_path):
    table = pyarrow.table({"a": pyarrow.array(["x", "y", "x"]).dictionary_encode()})
    parquet.write_table(table, tmp_path / "x.parquet")
    assert values(tmp_path / "x.parquet", ["a"]) == [{"a": "x"}, {"a": "y"}, {"a": "x"}]


def test_a_parquet_that_says_one_long_text_in_every_row_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "WORST", 2**22)
    once = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 200, pyarrow.int32()), pyarrow.array(["x" * 2**20]))
    parquet.write_table(pyarrow.table({"a": once}), tmp_path / "x.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "x.parquet").stat().st_size < 10_000
    rows = tables.rows(tmp_path / "x.parquet", ["a"])
    held = [pyarrow.total_allocated_bytes() for _ in rows]
    assert len(held) == 200
    assert max(held) < 2**25
