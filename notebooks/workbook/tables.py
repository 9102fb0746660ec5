"""The rows of one file, one by one: JSONL, CSV or Parquet; in memory is a row, or of Parquet a small batch."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbook import corpora, paths
from workbook.errors import WorkbookError
from workbook.progress import bar

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

JSONL, CSV, PARQUET = (".jsonl", ".ndjson"), (".csv", ".tsv"), (".parquet",)
LOOKED_AT = 1_000  # rows of a JSONL file whose keys are its columns
LONGEST_FIELD = 2**24  # characters; a quote left open would otherwise take in the rest of the file
BATCH = 256  # rows of Parquet
WORST = 2**29  # bytes of a batch at worst: a row group may hold one text, and say it in every row
WAIT = 2  # seconds, from which reading is long enough for a bar


def check(file: Path, columns: Collection[str] = ()) -> None:
    """Raise WorkbookError for a file that is missing, empty, of another kind, or without one of these columns."""
    present = columns_of(file)
    for column in columns:
        if column not in present:
            raise WorkbookError(f"no column {column!r} in {file}: it has {', '.join(present)}")
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
        columns = next(_records(file), ("", []))[1]
    else:
        columns = list(dict.fromkeys(key for _, row in islice(_objects(file), LOOKED_AT) for key in row))
    if not columns:
        raise WorkbookError(f"{file} is empty")
    return columns


def rows(file: Path, columns: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place of each row, for messages, and its values of these columns; None where there is no value.

    Raises WorkbookError, naming file and line, for what cannot be read, when it comes to it.
    """
    check(file, columns)
    suffix = file.suffix.lower()
    if suffix in PARQUET:
        yield from _parquet_rows(file, columns)
    elif suffix in CSV:
        records = _records(file)
        _, header = next(records)
        numbers = [header.index(column) for column in columns]
        for place, record in records:
            if len(record) != len(header):
                raise WorkbookError(f"{place}: {len(record)} fields, the header has {len(header)}; is a quote missing?")
            yield place, {column: record[number] for column, number in zip(columns, numbers, strict=True)}
    else:
        for place, row in _objects(file):
            yield place, {column: row.get(column) for column in columns}


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    with _bar(file, file.stat().st_size, unit="B", unit_scale=True) as shown:
        yield from corpora.lines(file, shown.update)


def _objects(file: Path) -> Iterator[tuple[str, dict]]:
    for number, line in _lines(file):
        if line.strip():
            yield f"{file}:{number}", corpora.json_object(line, f"{file}:{number}")


def _records(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The place where each record of a CSV begins, and its fields; the header is the first."""
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(
        (line for _, line in _lines(file)), delimiter="\t" if file.suffix.lower() == ".tsv" else ",", strict=True
    )
    first = 1
    try:
        for record in reader:
            if record:
                yield f"{file}:{first}", record
            first = reader.line_num + 1
    except csv.Error as error:
        raise WorkbookError(f"{file}:{first}: not valid CSV ({error}); is a quote missing in this row?") from None


def _parquet(file: Path) -> ParquetFile:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        source = ParquetFile(file, pre_buffer=False, buffer_size=2**20)  # or a whole row group is read at once
        source.schema_arrow  # noqa: B018  may be what cannot be read
        return source
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise WorkbookError(f"{file}: not a Parquet file ({_first_line(error)}); is it cut short?") from None


def _parquet_rows(file: Path, columns: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow

    number = 0
    with _parquet(file) as source, _bar(file, source.metadata.num_rows, unit="row") as shown:
        _check_types(file, source, columns)
        try:
            for batch in source.iter_batches(_batch(source), columns=list(columns), use_threads=False):
                for values in zip(*(batch.column(column) for column in columns), strict=True):
                    number += 1
                    yield f"{file}, row {number}", dict(zip(columns, map(_value, values), strict=True))
                shown.update(len(batch))
        except UnicodeDecodeError as error:
            raise WorkbookError(f"{file}, row {number}: not valid UTF-8 ({error.reason}); save it as UTF-8") from None
        except (pyarrow.ArrowException, OSError) as error:
            raise WorkbookError(f"{file}, row {number + 1}: cannot be read ({_first_line(error)})") from None


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
        if types.is_list(kind) or types.is_large_list(kind):
            kind = kind.value_type
        if types.is_dictionary(kind):
            kind = kind.value_type
        plain = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
        if not any(is_plain(kind) for is_plain in (*plain, types.is_null)):
            raise WorkbookError(f"{file}: column {column!r} is of type {given}, not a text; convert it")


def _value(scalar: Any) -> Any:
    """The Python value of an Arrow scalar; None for NaN, which pandas has where a text is missing."""
    value = scalar.as_py()
    return None if value != value else value


def _bar(file: Path, total: int, **options: Any) -> Any:
    return bar(total=total, desc=f"reading {file.name}", delay=WAIT, **options)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
