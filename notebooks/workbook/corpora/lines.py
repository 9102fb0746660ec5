"""Lines of a corpus's files, and what is wrong with a text, an id, a grade or an object of JSON in one of them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from workbook import paths
from workbook.corpora.defects import ROW_OUT, STRICT, BadRow, Defects
from workbook.errors import WorkbookError

MOST = 1_000  # of a grade: trec_eval takes memory by the highest, 16 GB for 2**31, and reads 2**32 as 0
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UNFIT = re.compile(r"[\0\t\r\n]")  # for an id: it ends a field or a line of qrels, or the id itself in trec_eval
NO_JSON, NO_UTF_8 = "not valid JSON", "not UTF-8"  # kinds of a bad row
LONGEST = 2**26  # bytes of a line; what is longer is one JSON list, or has line ends of another kind


def opened(file: Path) -> BinaryIO:
    """Open a file of a corpus to read. Raises WorkbookError for anything but a file that can be read."""
    if paths.exists(file) and not file.is_file():  # a pipe would be waited for, and /dev/zero has no end
        raise WorkbookError(f"{file} is a folder, a pipe or a device: put a file there")
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise WorkbookError(f"{file} is missing; BEIR layout is corpus.jsonl, queries.jsonl, qrels/test.tsv") from None
    except OSError as error:
        raise WorkbookError(f"{file} cannot be read ({error.strerror}): put a file there that can") from None


def read(file: Path, watch: Callable[[int], object] | None = None) -> Iterator[tuple[int, str]]:
    """Number and text of each line with its end, cut at "\\n" alone: str.splitlines also cuts at U+2028 in a document.

    `watch` is told the bytes of each. A line that is not UTF-8 is one that `check_utf8` refuses. Raises WorkbookError,
    naming the line, for one that is too long, and for a file in UTF-16.
    """
    with opened(file) as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(LONGEST + 1), b""), start=1):
            if len(raw) > LONGEST:
                raise WorkbookError(f"{file}:{number}: a line of more than {LONGEST >> 20} MB; write one row a line")
            if number == 1 and (raw[:2] in UTF_16 or b"\0" in raw[:2]):
                raise WorkbookError(
                    f'{file}:1: not valid UTF-8 but UTF-16, as Excel\'s "Unicode Text" is; save it as CSV UTF-8'
                )
            if watch:
                watch(len(raw))
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def json_object(line: str, place: str) -> dict:
    """The object that a line of JSONL is; NaN in it is nothing. Raises BadRow for anything else.

    A last line that breaks off is no bad row: who knows what came after it. That is a WorkbookError.
    """
    try:
        return _json_object(line, place)
    except BadRow as bad:
        if line.endswith("\n") or bad.kind not in (NO_JSON, NO_UTF_8):
            raise
        raise WorkbookError(str(bad)) from None


def _json_object(line: str, place: str) -> dict:
    check_utf8(line, place)
    try:
        row = json.loads(line, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        message = f"{place}: not valid JSON ({error.msg}); is the file cut short?"
        raise BadRow(message, place, NO_JSON) from None
    except (ValueError, RecursionError) as error:  # a key twice, a number of thousands of digits, thousands of brackets
        raise BadRow(f"{place}: not usable JSON ({error})", place, "not usable JSON") from None
    if not isinstance(row, dict):
        kind = type(row).__name__
        raise BadRow(f"{place}: each line needs to be an object, {{...}}; this one is a {kind}", place, "not an object")
    return row


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key is there twice in {', '.join(key for key, _ in pairs)}")
    return found


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


def check_text(text: str, key: str, place: str, what: str) -> None:
    """Raise BadRow for a text that cannot be encoded, half a surrogate pair in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{place}: {what} {key!r} holds half a surrogate pair, which is no text; remove it"
        raise BadRow(message, place, "half a surrogate pair") from None


def check_id(key: str, place: str) -> None:
    """Raise BadRow for an id that judgements cannot name."""
    check_text(key, key, place, "id")
    if not key.strip():
        raise BadRow(f"{place}: id {key!r} is empty; remove the row or give it an id", place, "without an id")
    if UNFIT.search(key):
        message = f"{place}: the id {key!r} holds a tab or a line end (or a zero byte), which qrels cannot; take it out"
        raise BadRow(message, place, "an id that qrels cannot hold")


def check_utf8(line: str, place: str) -> None:
    """Raise BadRow for a line that `read` could not decode."""
    if line.isascii():
        return
    try:
        line.encode("utf-8", "surrogateescape").decode()
    except UnicodeDecodeError as error:
        raise BadRow(f"{place}: not valid UTF-8 ({error.reason}); save it as UTF-8", place, NO_UTF_8) from None


def grade(text: str, place: str, what: str) -> int:
    """A grade as judgements write it. Raises BadRow, saying of what, for one that cannot be counted with."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or abs(int(text)) > MOST:
        message = f"{place}: {what} must be a whole number, {MOST:,} at most, not {text!r}"
        raise BadRow(message, place, "a grade that is no whole number")
    return int(text)


def judgements(file: Path, defects: Defects = STRICT) -> Iterator[tuple[str, str, str, int]]:
    """Place, query id, document id and grade of a qrels file, one by one; that the ids are known is not checked."""
    for number, line in defects.watch(file, _filled(file), ROW_OUT):
        if number == 1 and line.rpartition("\t")[2].strip() == "score":
            continue
        place = f"{file}:{number}"
        try:
            judgement = _judgement(line.rstrip("\r\n"), place)
        except BadRow as bad:
            defects.add(ROW_OUT, bad)
            continue
        yield place, *judgement


def _judgement(line: str, place: str) -> tuple[str, str, int]:
    check_utf8(line, place)
    fields = line.split("\t")
    if len(fields) != 3:
        message = f"{place}: a judgement is query-id, corpus-id and a whole number, tab separated"
        raise BadRow(message, place, "not three fields")
    return fields[0], fields[1], grade(fields[2], place, "a grade")


def _filled(file: Path) -> Iterator[tuple[int, str]]:
    for number, line in read(file):
        if line.strip():
            yield number, line


def rows(file: Path, defects: Defects) -> Iterator[tuple[int, dict]]:
    """Line number and object of each row that can be used, with an id and a text, which may be empty.

    Once the last has been taken, too many defects of the file, the taker's among them, raise WorkbookError.
    """
    for number, line in defects.watch(file, _filled(file), ROW_OUT):
        try:
            row = _row(line, f"{file}:{number}")
        except BadRow as bad:
            defects.add(ROW_OUT, bad)
            continue
        yield number, row


def _row(line: str, place: str) -> dict:
    row = json_object(line, place)
    if row.get("text", 0) is None:
        row["text"] = ""
    if not all(isinstance(row.get(key), str) for key in ("_id", "text")):
        raise BadRow(f'{place}: each line needs "_id" and "text", both strings', place, "without an id or a text")
    check_id(row["_id"], place)
    title = row.get("title") or ""
    if not isinstance(title, str):
        raise BadRow(f'{place}: "title" must be a string', place, "a title that is no text")
    check_text(f"{title} {row['text']}", row["_id"], place, "row")
    return row
