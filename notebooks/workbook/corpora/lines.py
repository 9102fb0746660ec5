"""Lines of a corpus's files: how they are read and written, and what is wrong with a text, an id or a grade in one."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from workbook import paths
from workbook.corpora.defects import ROW_OUT, STRICT, BadRow, Defects
from workbook.errors import WorkbookError

MOST = 1_000  # of a grade: trec_eval takes memory by the highest, 16 GB for 2**31, and reads 2**32 as 0
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UNFIT = re.compile(r"[\0\t\r\n]")  # for an id: it ends a field or a line of qrels, or the id itself in trec_eval
NO_JSON, NO_UTF_8 = "not valid JSON", "not UTF-8"  # kinds of a bad row
NUMBERS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}  # not JSON, but written by Python and pandas
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
    """Yield number and text of each line. Only "\\n" ends one: str.splitlines also cuts at U+2028 in a document.

    `watch` is called with the number of bytes of each line. What is no UTF-8 is left for `check_utf8` to refuse. Raises
    WorkbookError, naming the line, for one that is too long, and for a file in UTF-16.
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


def filled(file: Path, watch: Callable[[int], object] | None = None) -> Iterator[tuple[str, str]]:
    """Yield place and text of each line that is not blank."""
    for number, line in read(file, watch):
        if line.strip():
            yield f"{file}:{number}", line


def objects(file: Path, watch: Callable[[int], object] | None = None) -> Iterator[tuple[str, dict | BadRow]]:
    """Yield the place of each row of a JSONL file, and its object or the BadRow that says why it has none.

    Raises WorkbookError for a last line that breaks off: nobody knows what came after it.
    """
    for place, line in filled(file, watch):
        try:
            yield place, _json_object(line, place)
        except BadRow as bad:
            if bad.kind in (NO_JSON, NO_UTF_8) and not line.endswith("\n"):
                raise WorkbookError(str(bad)) from None
            yield place, bad


def _json_object(line: str, place: str) -> dict:
    check_utf8(line, place)
    try:
        row = json.loads(line, object_pairs_hook=_object, parse_constant=NUMBERS.get)
    except json.JSONDecodeError as error:
        raise BadRow(f"{place}: not valid JSON ({error.msg}); is the file cut short?", place, NO_JSON) from None
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
    """The grade that a text says. Raises BadRow, beginning with `what`, for one that cannot be counted with."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or abs(int(text)) > MOST:
        message = f"{place}: {what} must be a whole number, {MOST:,} at most, not {text!r}"
        raise BadRow(message, place, "a grade that is no whole number")
    return int(text)


def judgements(file: Path, defects: Defects = STRICT) -> Iterator[tuple[str, str, str, int]]:
    """Yield place, query id, document id and grade of each line of a qrels file. The ids may be unknown."""
    for place, judgement in defects.usable(file, filled(file), _judgement, ROW_OUT):
        if judgement:
            yield place, *judgement


def _judgement(line: str, place: str) -> tuple[str, str, int] | None:
    """The judgement that a line holds; None for the header."""
    if place.endswith(":1") and line.rpartition("\t")[2].strip() == "score":
        return None
    check_utf8(line, place)
    fields = line.rstrip("\r\n").split("\t")
    if len(fields) != 3:
        message = f"{place}: a judgement is query-id, corpus-id and a whole number, tab separated"
        raise BadRow(message, place, "not three fields")
    return fields[0], fields[1], grade(fields[2], place, "a grade")


def rows(file: Path, defects: Defects) -> Iterator[tuple[str, dict]]:
    """Yield place and object of each row of a corpus.jsonl or queries.jsonl that has an id and a text, maybe empty."""
    return defects.usable(file, objects(file), _row, ROW_OUT)


def _row(row: dict, place: str) -> dict:
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


def write_beir(
    folder: Path,
    documents: Iterable[tuple[str, str, str]],
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
) -> None:
    """Write a corpus in BEIR layout; each of `documents` is id, title and text."""
    (folder / "qrels").mkdir(parents=True)
    write(folder / "corpus.jsonl", documents)
    write(folder / "queries.jsonl", ((key, "", text) for key, text in queries.items()))
    judged = (f"{query}\t{key}\t{grade}\n" for query, grades in qrels.items() for key, grade in grades.items())
    with (folder / "qrels" / "test.tsv").open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(["query-id\tcorpus-id\tscore\n", *judged])


def write(file: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Write ids, titles and texts as a corpus.jsonl; an empty title is left out."""
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        for key, title, text in rows:
            row = {"_id": key, "title": title, "text": text} if title else {"_id": key, "text": text}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
