"""The rows of a JSONL, CSV or Parquet file, read one by one: memory holds one row, or of Parquet a small batch.

A row that cannot be read comes as the `BadRow` that says why, and the rows after it are read. Where nobody can tell
where a row ends, as after a quote left open, a WorkbookError is raised.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from workbook import paths
from workbook.corpora import lines
from workbook.corpora.defects import BadRow
from workbook.errors import WorkbookError
from workbook.progress import bar

if TYPE_CHECKING:
    from pyarrow import DataType
    from pyarrow.parquet import ParquetFile

JSONL, CSV, PARQUET = (".jsonl", ".ndjson"), (".csv", ".tsv"), (".parquet",)
LOOKED_AT = 1_000  # rows of a JSONL file whose keys are its columns
LONGEST_FIELD = 2**24  # characters; a quote left open would otherwise take in the rest of the file
BATCH = 256  # rows of Parquet
WORST = 2**29  # bytes of a batch at worst: a row group may hold one text, and say it in every row
WAIT = 2  # seconds, from which reading is long enough for a bar
SEPARATORS = {
    ";": ('";"', "Save it with commas"), "|": ('"|"', "Save it with commas"), "\t": ("tabs", "Name it .tsv"),
    ",": ("commas", "Name it .csv"),
}  # fmt: skip


def check(file: Path, columns: Collection[str] = ()) -> None:
    """Raise WorkbookError for a file that is missing, empty, of another kind, or without one of these columns."""
    present = columns_of(file)
    for column in columns:
        if column not in present:
            has = f"{', '.join(present)}{separated(file, present)}"
            raise WorkbookError(f"no column {column!r} in {file}: it has {has}")
        if present.count(column) > 1:
            raise WorkbookError(f"column {column!r} is there twice in {file}; rename one of them")


def columns_of(file: Path) -> list[str]:
    """The columns of a file: a CSV's header, a Parquet's schema, the keys of a JSONL's first rows."""
    suffix = file.suffix.lower()
    if suffix not in JSONL + CSV + PARQUET:
        raise WorkbookError(f"{file} is none of {', '.join(JSONL + CSV + PARQUET)}: name it so, or convert it")
    if not paths.is_file(file):
        raise WorkbookError(f"{file} is missing, or is no file: give one")
    if suffix in PARQUET:
        with _parquet(file) as source:
            columns = source.schema_arrow.names
    elif suffix in CSV:
        columns = _header(*next(_records(file), ("", [])))
    else:
        columns = _keys(file)
    if not columns:
        raise WorkbookError(f"{file} is empty")
    return columns


def _keys(file: Path) -> list[str]:
    """The keys of a JSONL's first rows. Raises WorkbookError if none of them can be read."""
    keys: dict[str, None] = {}
    bad = None
    for _, row in islice(_objects(file), LOOKED_AT):
        if isinstance(row, BadRow):
            bad = bad or row
        else:
            keys.update(dict.fromkeys(row))
    if bad and not keys:
        raise bad
    return list(keys)


def separated(file: Path, columns: Collection[str]) -> str:
    """What to do about a CSV whose header seems to be separated by something else than its name says; or nothing."""
    if file.suffix.lower() not in CSV:
        return ""
    for cut, (name, advice) in SEPARATORS.items():
        if any(cut in column for column in columns):
            return f"; is it separated by {name}? {advice}"
    return ""


def rows(file: Path, columns: Collection[str]) -> Iterator[tuple[str, dict[str, Any] | BadRow]]:
    """Yield the place of each row, for messages, and its values of these columns; None where there is no value.

    Raises WorkbookError, naming file and line, where it cannot be read on.
    """
    check(file, columns)
    suffix = file.suffix.lower()
    if suffix in PARQUET:
        yield from _parquet_rows(file, columns)
    elif suffix in CSV:
        yield from _csv_rows(file, columns)
    else:
        for place, row in _objects(file):
            yield place, row if isinstance(row, BadRow) else {column: row.get(column) for column in columns}


def _objects(file: Path) -> Iterator[tuple[str, dict | BadRow]]:
    with _bar(file, file.stat().st_size, unit="B", unit_scale=True) as shown:
        yield from lines.objects(file, shown.update)


def _csv_rows(file: Path, columns: Collection[str]) -> Iterator[tuple[str, dict[str, Any] | BadRow]]:
    records = _records(file)
    header = _header(*next(records))
    numbers = [header.index(column) for column in columns]
    for place, record in records:
        if isinstance(record, BadRow):
            yield place, record
        elif len(record) != len(header):
            message = f"{place}: {len(record)} fields, the header has {len(header)}; is a quote missing?"
            more = sum(field.count("\n") for field in record)  # lines, that none is lost untold
            span = f"{place}-{int(place.rpartition(':')[2]) + more}" if more else place
            yield place, BadRow(message, span, "another number of fields than the header")
        else:
            yield place, {column: record[number] for column, number in zip(columns, numbers, strict=True)}


def _header(place: str, record: list[str] | BadRow) -> list[str]:
    """The names of a CSV's columns. Raises WorkbookError for a first line that holds none."""
    if isinstance(record, BadRow):
        raise record
    if record and re.fullmatch("(?i)sep=.?", record[0]):
        raise WorkbookError(
            f"{place}: {record[0]} is for Excel and says how the file is separated: take the line out, save with commas"
        )
    return record


def _records(file: Path) -> Iterator[tuple[str, list[str] | BadRow]]:
    """The place of each record of a CSV, and its fields; the header is the first."""
    csv.field_size_limit(LONGEST_FIELD)
    spoilt: list[BadRow] = []
    reader = csv.reader(_decoded(file, spoilt), delimiter="\t" if file.suffix.lower() == ".tsv" else ",", strict=True)
    while True:
        first = reader.line_num + 1
        try:
            record: list[str] | BadRow = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"{file}:{first}: not valid CSV ({error}); is a quote missing in this row?"
            if reader.line_num > first or "end of data" in str(error) or "limit" in str(error):
                raise WorkbookError(message) from None  # where its row ends, and so the next begins, is not known
            record = BadRow(message, f"{file}:{first}", "not valid CSV")
        if spoilt:
            record = spoilt[0]
            spoilt.clear()
        if record:
            yield f"{file}:{first}", record


def _decoded(file: Path, spoilt: list[BadRow]) -> Iterator[str]:
    """Yield the lines of a file. What is wrong with one that is not UTF-8 is added to `spoilt`."""
    with _bar(file, file.stat().st_size, unit="B", unit_scale=True) as shown:
        for number, line in lines.read(file, shown.update):
            try:
                lines.check_utf8(line, f"{file}:{number}")
            except BadRow as bad:
                spoilt.append(bad)
            yield line


def _parquet(file: Path) -> ParquetFile:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        source = ParquetFile(file, pre_buffer=False, buffer_size=2**20)  # or a whole row group is read at once
        source.schema_arrow  # noqa: B018  may be what cannot be read
        return source
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise WorkbookError(f"{file}: not a Parquet file ({_first_line(error)}); is it cut short?") from None


def _parquet_rows(file: Path, columns: Collection[str]) -> Iterator[tuple[str, dict[str, Any] | BadRow]]:
    import pyarrow

    number = 0
    with _parquet(file) as source, _bar(file, source.metadata.num_rows, unit="row") as shown:
        _check_types(file, source, columns)
        try:
            for batch in source.iter_batches(_batch(source), columns=list(columns), use_threads=False):
                for values in zip(*(batch.column(column) for column in columns), strict=True):
                    number += 1
                    yield f"{file}, row {number}", _values(columns, values, f"{file}, row {number}")
                shown.update(len(batch))
        except (pyarrow.ArrowException, OSError) as error:
            raise WorkbookError(f"{file}, row {number + 1}: cannot be read ({_first_line(error)})") from None


def _values(columns: Collection[str], scalars: Collection[Any], place: str) -> dict[str, Any] | BadRow:
    try:
        return dict(zip(columns, (_value(scalar.as_py()) for scalar in scalars), strict=True))
    except UnicodeDecodeError as error:
        return BadRow(f"{place}: not valid UTF-8 ({error.reason}); save it as UTF-8", place, lines.NO_UTF_8)


def _batch(source: ParquetFile) -> int:
    """Rows that are read at once: so many that they fit, were each as long as all of its row group."""
    # of a column chunk pyarrow tells more, but ends the process if that is broken
    sizes = [source.metadata.row_group(number).total_byte_size for number in range(source.num_row_groups)]
    return max(1, min(BATCH, WORST // max([1, *sizes])))


def _check_types(file: Path, source: ParquetFile, columns: Collection[str]) -> None:
    """Raise WorkbookError for a column that is no text: not every value of a date or a struct can be had in Python."""
    from pyarrow import types

    for column in columns:
        kind = given = source.schema_arrow.field(column).type
        lists = (types.is_list, types.is_large_list, types.is_list_view, types.is_large_list_view)
        if any(is_list(kind) for is_list in (*lists, types.is_fixed_size_list)):
            kind = kind.value_type
        if types.is_dictionary(kind):
            kind = kind.value_type
        if not _is_plain(kind):
            raise WorkbookError(f"{file}: column {column!r} is of type {given}, not a text; convert it")


def _is_plain(kind: DataType) -> bool:
    """Whether a type of Arrow is of texts, however they are stored, or of what an id may be."""
    from pyarrow import types

    texts = (types.is_string, types.is_large_string, types.is_string_view)
    stored = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    others = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    if types.is_decimal(kind):
        return kind.scale == 0
    return getattr(kind, "extension_name", "") == "arrow.uuid" or any(
        is_plain(kind) for is_plain in (*texts, *stored, *others)
    )


def _value(value: Any) -> Any:
    """A value of Arrow as text or number; None for NaN, which pandas has where a text is missing."""
    if isinstance(value, list):
        return [_value(each) for each in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, UUID):
        return str(value)
    return None if value != value else value


def _bar(file: Path, total: int, **options: Any) -> Any:
    return bar(total=total, desc=f"reading {file.name}", delay=WAIT, **options)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
