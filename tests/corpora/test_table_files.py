"""The rows of a file: what is read from each kind, and which faults are named with which words."""

import datetime
import decimal
import math
import re

import pyarrow
import pytest
from pyarrow import parquet
from workbook.corpora import table_files
from workbook.corpora.defects import BadRow
from workbook.errors import WorkbookError
from written_files import write_table

HAIKU = 'An old pond,\na frog "jumps": \u2028plop, \x85 ééé'
ROWS = [{"nr": "a", "body": HAIKU}, {"nr": "b", "body": ""}, {"nr": "c", "body": "Snow"}]


def written(file, rows=ROWS, end="\n"):
    write_table(file, rows, end)
    return file


def values(file, columns=("nr", "body")):
    """The rows; what is wrong with the first that is bad is raised."""
    found = [row for _, row in table_files.rows(file, columns)]
    for row in found:
        if isinstance(row, BadRow):
            raise row
    return found


@pytest.fixture(params=["x.jsonl", "x.ndjson", "x.csv", "x.tsv", "x.parquet", "x.CSV"])
def file(request, tmp_path):
    return written(tmp_path / request.param)


def test_rows_come_back_as_they_are(file):
    assert values(file) == ROWS
    assert table_files.columns_of(file) == ["nr", "body"]


def test_only_the_named_columns_are_given(file):
    assert values(file, ["body"]) == [{"body": row["body"]} for row in ROWS]


def test_a_missing_column_is_told_with_those_present(file):
    with pytest.raises(WorkbookError, match=f"^no column 'text' in {re.escape(str(file))}: it has nr, body$"):
        next(table_files.rows(file, ["nr", "text"]))


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_windows_line_ends_blank_lines_and_a_byte_order_mark_change_nothing(tmp_path, name):
    plain = [{"nr": "a", "body": "Ice"}, {"nr": "b", "body": "Snow"}]
    file = written(tmp_path / name, plain, end="\r\n\r\n")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert values(file) == plain


def test_a_place_is_the_line_where_the_row_begins(tmp_path):
    for name, numbers in (("x.jsonl", "123"), ("x.csv", "245")):
        places = [place for place, _ in table_files.rows(written(tmp_path / name), ["nr"])]
        assert places == [f"{tmp_path / name}:{number}" for number in numbers]
    places = [place for place, _ in table_files.rows(written(tmp_path / "x.parquet"), ["nr"])]
    assert places == [f"{tmp_path / 'x.parquet'}, row {number}" for number in (1, 2, 3)]


def test_values_keep_their_types_and_nan_is_nothing(tmp_path):
    rows = [{"n": 1, "f": 0.5, "l": ["a", "b"]}, {"n": None, "f": math.nan, "l": None}]
    assert values(written(tmp_path / "x.parquet", rows), "nfl") == [rows[0], {"n": None, "f": None, "l": None}]
    (tmp_path / "x.jsonl").write_text('{"n": 1, "f": 0.5, "l": ["a", "b"]}\n{"m": 0}\n')
    assert values(tmp_path / "x.jsonl", "nfl") == [rows[0], {"n": None, "f": None, "l": None}]


def test_a_column_of_a_jsonl_may_first_come_in_a_later_row(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "a"}\n' * 500 + '{"text": "b", "title": "B"}\n')
    assert table_files.columns_of(file) == ["text", "title"]
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
        ("x.csv", "a,b\n1,2\n".encode("utf-16"),
         '{file}:1: not valid UTF-8 but UTF-16, as Excel\'s "Unicode Text" is; '),
        ("x.tsv", "a,b\n1,2\n".encode("utf-16-be"), "{file}:1: not valid UTF-8 but UTF-16"),
        ("x.csv", b"sep=;\na;b\n1;2\n",
         "{file}:1: sep=; is for Excel and says how the file is separated: take the line"),
        ("x.csv", b"sep=,\na,b\n1,2\n", "{file}:1: sep= is for Excel"),
        ("x.csv", b"id;a, b\n1;2,3\n",
         "no column 'a' in {file}: it has id;a,  b; is it separated by \";\"? Save it with"),
        ("x.csv", b"id|a\n1|2\n",
         "no column 'a' in {file}: it has id|a; is it separated by \"|\"? Save it with commas"),
        ("x.csv", b"id\ta\n1\t2\n", "no column 'a' in {file}: it has id\\ta; is it separated by tabs? Name it .tsv"),
        ("x.tsv", b"id,a\n1,2\n", "no column 'a' in {file}: it has id,a; is it separated by commas? Name it .csv"),
        ("x.jsonl", b"[1]\n[2]\n", "{file}:1: each line needs to be an object"),
        ("x.csv", b'a,b\n1,"two\nlines"\n3\n', "{file}:4: 1 fields, the header has 2"),
        ("x.csv", b"a,b\n1,2,3\n", "{file}:2: 3 fields, the header has 2"),
        ("x.csv", b'a,b\n1,2\n3,"4\n5,6\n', "{file}:3: not valid CSV (unexpected end of data)"),
        ("x.csv", b'a,b\n1,"2" 3\n', "{file}:2: not valid CSV ("),
        ("x.csv", b"a,a\n1,2\n", "column 'a' is there twice in {file}"),
        ("x.parquet", b"PAR1 and no more", "{file}: not a Parquet file"),
        ("x.parquet", b"", "{file}: not a Parquet file"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_place(tmp_path, name, content, complaint):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WorkbookError, match=f"^{re.escape(complaint.format(file=file))}[^\n]*$"):
        values(file, ["a"])


def test_a_quote_left_open_does_not_take_in_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "LONGEST_FIELD", 10_000)
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
        ([["a"]], "list<element: list<element: string>>"),
    ],
)
def test_a_parquet_column_that_holds_no_text_is_refused_with_its_type(tmp_path, value, kind):
    file = written(tmp_path / "x.parquet", [{"a": value, "b": "text"}])
    complaint = re.escape(f"{file}: column 'a' is of type {kind}, not a text")
    with pytest.raises(WorkbookError, match=f"^{complaint}; convert it$"):
        values(file, ["a"])
    assert values(file, ["b"]) == [{"b": "text"}]


TEXTS = ["one", "é", None]
BYTES = [b"one", "é".encode(), None]
LISTS = [["one", "é"], [], None]


@pytest.mark.parametrize("store_schema", [True, False])
@pytest.mark.parametrize(
    ("stored", "read"),
    [
        *((pyarrow.array(TEXTS, kind), TEXTS) for kind in (
            pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(),
            pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
            pyarrow.dictionary(pyarrow.int8(), pyarrow.large_string()),
        )),
        *((pyarrow.array(BYTES, kind), TEXTS) for kind in (
            pyarrow.binary(), pyarrow.large_binary(), pyarrow.binary_view(),
            pyarrow.dictionary(pyarrow.int16(), pyarrow.binary()),
        )),
        (pyarrow.array([b"abc", b"def", None], pyarrow.binary(3)), ["abc", "def", None]),
        *((pyarrow.array(LISTS, kind), LISTS) for kind in (
            pyarrow.list_(pyarrow.string()), pyarrow.large_list(pyarrow.large_string()),
            pyarrow.list_view(pyarrow.string()), pyarrow.large_list_view(pyarrow.string_view()),
            pyarrow.list_(pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        )),
        (pyarrow.array([[b"one"], [None], None], pyarrow.list_(pyarrow.binary())), [["one"], [None], None]),
        (pyarrow.array([["a", "b"], None], pyarrow.list_(pyarrow.string(), 2)), [["a", "b"], None]),
        (pyarrow.array([decimal.Decimal(10**30), None], pyarrow.decimal128(38, 0)), [10**30, None]),
        (pyarrow.array([bytes(15) + b"\1", None], pyarrow.uuid()), ["00000000-0000-0000-0000-000000000001", None]),
        (pyarrow.array([math.nan, None], pyarrow.float64()), [None, None]),
    ],
    ids=lambda one: str(one.type) if isinstance(one, pyarrow.Array) else "",
)  # fmt: skip
def test_a_text_in_parquet_is_read_however_it_is_stored(tmp_path, stored, read, store_schema):
    parquet.write_table(pyarrow.table({"a": stored}), tmp_path / "x.parquet", store_schema=store_schema)
    assert values(tmp_path / "x.parquet", ["a"]) == [{"a": value} for value in read]


@pytest.mark.parametrize(
    ("name", "content", "good", "bad"),
    [
        ("x.csv", b'a,b\n1,2\n3\n4,"5" 6\n7,\xff\n8,9\n', ["1", "8"],
         ["3: 1 fields, the header has 2", "4: not valid CSV", "5: not valid UTF-8 (invalid start byte)"]),
        ("x.csv", b'a,b\n1,"two\nlines",3\n4,"\xff\n5"\n8,9\n', ["8"],
         ["2: 3 fields, the header has 2", "4: not valid UTF-8"]),
        ("x.tsv", b"a\tb\n1\t2\n3\t4\t5\n", ["1"], ["3: 3 fields, the header has 2"]),
        ("x.jsonl", b'{"a": "1"}\n{"a": \n[1]\n{"a": "\xff"}\n{"a": 1, "a": 2}\n{"a": "8"}\n', ["1", "8"],
         ["2: not valid JSON", "3: each line needs to be an object", "4: not valid UTF-8", "5: not usable JSON"]),
    ],
)  # fmt: skip
def test_the_rows_around_a_bad_one_are_read(tmp_path, name, content, good, bad):
    (tmp_path / name).write_bytes(content)
    rows = [row for _, row in table_files.rows(tmp_path / name, ["a"])]
    assert [row["a"] for row in rows if not isinstance(row, BadRow)] == good
    complaints = [str(row).removeprefix(f"{tmp_path / name}:") for row in rows if isinstance(row, BadRow)]
    assert len(complaints) == len(bad)
    assert all(found.startswith(one) for found, one in zip(complaints, bad, strict=True)), complaints


def test_a_bad_row_of_several_lines_names_them_all(tmp_path):
    (tmp_path / "x.csv").write_text('a,b\n1,"two\nlines",3\n')
    ((_, row),) = table_files.rows(tmp_path / "x.csv", ["a"])
    assert row.place == f"{tmp_path / 'x.csv'}:2-3"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.csv", 'a,b\n1,"open\n2,"x"\n3,4\n', r"x\.csv:2: not valid CSV .*; is a quote missing in this row\?"),
        ("x.jsonl", '{"a": "1"}\n{"a": "2"', r"x\.jsonl:2: not valid JSON .*; is the file cut short\?"),
    ],
)
def test_a_row_without_an_end_stops_the_reading(tmp_path, name, content, complaint):
    (tmp_path / name).write_text(content)
    with pytest.raises(WorkbookError, match=complaint):
        list(table_files.rows(tmp_path / name, ["a"]))


def test_a_missing_value_is_one_in_json_and_in_parquet(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": NaN}\n{"a": null}\n{"b": 1}\n{"a": "x"}\n')
    rows = [{"a": math.nan}, {"a": None}, {}, {"a": 1.5}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet")
    assert [row["a"] for row in values(tmp_path / "x.jsonl", ["a"])] == [None, None, None, "x"]
    assert [row["a"] for row in values(tmp_path / "x.parquet", ["a"])] == [None, None, None, 1.5]


def test_a_parquet_that_says_one_long_text_in_every_row_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "WORST", 2**22)
    once = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 200, pyarrow.int32()), pyarrow.array(["x" * 2**20]))
    parquet.write_table(pyarrow.table({"a": once}), tmp_path / "x.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "x.parquet").stat().st_size < 10_000
    rows = table_files.rows(tmp_path / "x.parquet", ["a"])
    held = [pyarrow.total_allocated_bytes() for _ in rows]
    assert len(held) == 200
    assert max(held) < 2**25
