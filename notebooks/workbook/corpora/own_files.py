"""Your own files: which file and columns hold a corpus, and its documents and judgements, read row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from workbook import paths
from workbook.corpora import corpora, lines, table_files
from workbook.corpora.beir_sets import BEIR, check_links, is_beir_folder
from workbook.corpora.corpora import Document
from workbook.corpora.defects import QUERY_OUT, ROW_OUT, STRICT, BadRow, Defects
from workbook.errors import WorkbookError

FEWEST = 10  # queries
COLUMNS = {"id": ("_id", "id"), "title": ("title",), "text": ("text",), "query": ()}  # and what each is usually called
JUDGED_COLUMNS = {"query": ("query",), "document": ("document",), "grade": ("grade",)}
TYPES = {type(None): "nothing", bool: "true or false", int: "a number", float: "a number", dict: "an object"}


@dataclass(frozen=True)
class Source:
    """A corpus as a notebook's parameters give it.

    `corpus`: a registered name, a folder in BEIR layout (queries.jsonl and qrels/test.tsv may be missing), or a file.
    `columns`: which column is the id, title, text, and query: a question, or a list of them, that the row answers.
    `judged`: a file of judgements; `judged_columns`: which of its columns is the query (a text), the document (an id)
    and the grade (1 if there is none). `documents` and `queries`: at most so many are drawn by `seed`; 0 documents are
    all. `strict`: small defects are refused, too.

    A row without an id column is named by its content, so that the order of a file decides nothing, or by its number
    where `judged` has to name it.
    """

    corpus: str
    columns: Mapping[str, str] = field(default_factory=dict)
    judged: str = ""
    judged_columns: Mapping[str, str] = field(default_factory=dict)
    documents: int = 10_000
    queries: int = 1_000
    seed: int = 0
    strict: bool = False

    @property
    def is_folder(self) -> bool:
        return is_beir_folder(Path(self.corpus))

    @property
    def name(self) -> str:
        """The name of the file or folder."""
        return Path(self.corpus).resolve().name

    @property
    def file(self) -> Path:
        """The file that the documents are in."""
        return Path(self.corpus) / "corpus.jsonl" if self.is_folder else Path(self.corpus)

    @property
    def files(self) -> list[Path]:
        """All files that are read, the documents' first."""
        beside = [Path(self.corpus) / "queries.jsonl", self.qrels] if self.qrels else []
        return [self.file, *beside, *([Path(self.judged)] if self.judged else [])]

    @property
    def qrels(self) -> Path | None:
        """The judgements of a folder in BEIR layout, if it has them."""
        file = Path(self.corpus) / "qrels" / "test.tsv"
        return file if self.is_folder and (paths.exists(file) or file.is_symlink()) else None

    @property
    def judged_in(self) -> list[str]:
        """Where the judgements are, in words: one place, or none."""
        column = self.columns.get("query")
        places = {"qrels/test.tsv": self.qrels, Path(self.judged).name: self.judged, f"column {column!r}": column}
        return [place for place, given in places.items() if given]


class Judgement(NamedTuple):
    """A query's id and text, a document's id and its grade, and where it is said."""

    place: str
    query: str
    text: str
    document: str
    grade: int


def check(source: Source) -> None:
    """Raise WorkbookError for all that can be seen without reading the whole file."""
    for name, fewest in [("documents", 0), ("queries", FEWEST), ("seed", 0)]:
        value = getattr(source, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < fewest:
            what = name if name == "seed" else f"most_{name}"
            raise WorkbookError(f"{what} must be a whole number, {fewest} or more, not {value!r}")
    if corpora.is_registered(source.corpus):
        if source.columns or source.judged or source.judged_columns:
            raise WorkbookError(f"columns and judged are for a file of your own; {source.corpus} has its own queries")
        return
    path = Path(source.corpus)
    if not source.is_folder and not paths.is_file(path):
        raise WorkbookError(
            f"no corpus {source.corpus!r}: give a .jsonl, .csv or .parquet file, a folder with corpus.jsonl in it, "
            f"or one of sample, python-docs, python-docs:N, {', '.join(BEIR)}"
        )
    if source.is_folder:
        check_links(path)
    columns_of(source)
    if len(source.judged_in) > 1:
        raise WorkbookError(f"judgements are in {' and in '.join(source.judged_in)}: give one of them")
    if source.judged:
        _judged_columns_of(source)
    elif source.judged_columns:
        raise WorkbookError("judged_columns are given, but not judged, the file they are of")


def columns_of(source: Source) -> dict[str, str]:
    """Which column is what. Raises WorkbookError for one that is not there, naming those that are."""
    return _resolve(source.file, source.columns, COLUMNS, "columns", {"text"})


def documents(source: Source, defects: Defects | None = None) -> Iterator[tuple[str, str, Document]]:
    """Yield place, id and document of each usable row. Ids may repeat. A document may be empty, which is a defect."""
    defects = defects or Defects()
    columns = columns_of(source)
    rows = _rows(source.file, columns, {"id", "title", "text"})
    read = partial(_document, columns=columns, by_number=bool(source.judged))
    for place, (key, document) in defects.usable(source.file, rows, read, ROW_OUT):
        if not document.full:
            defects.add(ROW_OUT, corpora.empty(key, place, "document"))
        yield place, key, document


def _document(
    row: dict[str, Any], place: str, columns: Mapping[str, str], by_number: bool = False
) -> tuple[str, Document]:
    key = _id(row["id"], place, columns["id"]) if "id" in columns else row["number"]
    title, text = (_text(row.get(role), place, columns.get(role)) for role in ("title", "text"))
    document = Document(title, text)
    lines.check_text(document.full, key, place, "document")
    if "id" not in columns and not by_number and document.full:
        key = _short_hash(f"{len(title)} {title}{text}")
    return key, document


def judgements(source: Source, defects: Defects = STRICT) -> Iterator[Judgement]:
    """The judgements, wherever they are: of a query column, one for each question of a row."""
    if source.qrels:
        return _from_qrels(source.qrels, defects)
    return _from_file(source, defects) if source.judged else _from_column(source, defects)


def _from_qrels(qrels: Path, defects: Defects) -> Iterator[Judgement]:
    texts = corpora.read_queries(qrels.parent.parent / "queries.jsonl", defects)
    for place, query, document, grade in corpora.asked_judgements(qrels, texts, defects):
        yield Judgement(place, query, texts[query], document, grade)


def _from_file(source: Source, defects: Defects) -> Iterator[Judgement]:
    columns, file = _judged_columns_of(source), Path(source.judged)
    rows = _rows(file, columns, set(JUDGED_COLUMNS))
    for _, judgement in defects.usable(file, rows, partial(_judged_row, columns=columns), ROW_OUT):
        yield judgement


def _judged_row(row: dict[str, Any], place: str, columns: Mapping[str, str]) -> Judgement:
    text = _text(row["query"], place, columns["query"])
    if not text.strip():
        raise corpora.empty(text, place, "query")
    grade = lines.grade(str(row["grade"]), place, f"column {columns['grade']!r}") if "grade" in row else 1
    return _judgement(place, text, _id(row["document"], place, columns["document"]), grade)


def _from_column(source: Source, defects: Defects) -> Iterator[Judgement]:
    columns = columns_of(source)
    if "query" not in columns:
        return
    read = {"id", "query"} if "id" in columns else {"title", "text", "query"}
    for place, row in defects.watch(source.file, _rows(source.file, columns, read), QUERY_OUT):
        try:
            if isinstance(row, BadRow):
                raise row
            key, _ = _document(row, place, columns)
        except BadRow as bad:
            if source.file.suffix.lower() in table_files.PARQUET:  # of which a column may be bad alone
                defects.add(QUERY_OUT, bad)
            continue  # `documents` tells of it
        try:
            yield from [_judgement(place, text, key, 1) for text in _questions(row["query"], place, columns["query"])]
        except BadRow as bad:
            defects.add(QUERY_OUT, bad)


def _questions(value: object, place: str, column: str) -> list[str]:
    """The different questions of a row: its text, the texts of its list, or none."""
    texts = [_text(one, place, column) for one in (value if isinstance(value, list) else [value])]
    return [text for text in dict.fromkeys(texts) if text.strip()]


def _judgement(place: str, text: str, document: str, grade: int) -> Judgement:
    """A judgement of a query that has no id: a hash of its text names it, wherever it stands."""
    lines.check_text(text, text, place, "query")
    return Judgement(place, f"q:{_short_hash(text)}", text, document, grade)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _judged_columns_of(source: Source) -> dict[str, str]:
    return _resolve(Path(source.judged), source.judged_columns, JUDGED_COLUMNS, "judged_columns", {"query", "document"})


def _resolve(
    file: Path, given: Mapping[str, str], roles: Mapping[str, tuple[str, ...]], parameter: str, needed: set[str]
) -> dict[str, str]:
    """The column of each role: the given one, else the one usually called so, if it is there."""
    if not isinstance(given, Mapping) or not set(given) <= set(roles):
        raise WorkbookError(f"{parameter} says which column is {', '.join(roles)}, and nothing else: not {given!r}")
    present = table_files.columns_of(file)
    usual = {role: next((name for name in names if name in present), None) for role, names in roles.items()}
    columns = {role: name for role, name in usual.items() if name and name not in given.values()} | dict(given)
    for role in sorted(needed - set(columns)):
        raise WorkbookError(
            f"no column {role!r} in {file}: it has {', '.join(present)}"
            + (table_files.separated(file, present) or f"; say by {parameter} which it is")
        )
    if len(set(columns.values())) < len(columns):
        raise WorkbookError(f"{parameter} gives one column to two: {columns}; give each its own")
    table_files.check(file, columns.values())
    return columns


def _rows(file: Path, columns: Mapping[str, str], roles: set[str]) -> Iterator[tuple[str, dict[str, Any] | BadRow]]:
    """Yield the place of each row, and its values by role and its number."""
    wanted = {role: column for role, column in columns.items() if role in roles}
    for number, (place, row) in enumerate(table_files.rows(file, wanted.values()), start=1):
        if not isinstance(row, BadRow):
            row = {role: row[column] for role, column in wanted.items()} | {"number": str(number)}
        yield place, row


def _text(value: object, place: str, column: str | None) -> str:
    """The text that a column holds; empty where the value is missing."""
    if value is not None and not isinstance(value, str):
        raise _no_text(value, place, column)
    return value or ""


def _id(value: object, place: str, column: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _no_text(value, place, column)
    lines.check_id(value, place)
    return value


def _no_text(value: object, place: str, column: str | None) -> BadRow:
    held = TYPES.get(type(value), f"a {type(value).__name__}")
    message = f"{place}: column {column!r} holds {held}, not a text; convert it or leave the row out"
    return BadRow(message, place, f"{held} for a text")
