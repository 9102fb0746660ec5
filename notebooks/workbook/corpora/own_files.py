"""Where a corpus of one's own comes from: which file and columns, and its documents and judgements, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from workbook import paths
from workbook.corpora import corpora, lines, table_files
from workbook.corpora.beir_sets import BEIR, check_links, is_beir_folder
from workbook.corpora.corpora import Document
from workbook.corpora.defects import NOT_ASKED, QUERY_OUT, ROW_OUT, STRICT, BadRow, Defects
from workbook.errors import WorkbookError

FEWEST = 10  # queries
COLUMNS = {"id": ("_id", "id"), "title": ("title",), "text": ("text",), "query": ()}  # and what each is usually called
JUDGED_COLUMNS = {"query": ("query",), "document": ("document",), "grade": ("grade",)}
TYPES = {type(None): "nothing", bool: "true or false", int: "a number", float: "a number", dict: "an object"}


@dataclass(frozen=True)
class Source:
    """A corpus as a notebook's parameters give it.

    `corpus`: a registered name, a folder in BEIR layout (queries.jsonl and qrels/test.tsv may be missing), or a file.
    `columns`: which of its columns is the id, title, text, and query: a question (or a list) that the row answers.
    Without an id, the content of the row makes one, so that the order of a file decides nothing; its number does where
    `judged` has to name it. `judged`: a file of judgements; `judged_columns`: its query (a text),
    document (an id) and grade (1 where there is none). `documents` (0: all) and `queries`: at most so many, by `seed`.
    `strict`: small defects are refused, too.
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
    """Place, id and document of each row; that ids are unique is not checked. A document may be empty: a defect, too.

    None for `defects`: the same rows are passed over, and nothing is said.
    """
    columns = columns_of(source)
    rows = _rows(source.file, columns, {"id", "title", "text"})
    for number, (place, row) in enumerate((defects or Defects()).watch(source.file, rows, ROW_OUT), start=1):
        try:
            key, document = _document(row, str(number), place, columns, by_number=bool(source.judged))
        except BadRow as bad:
            if defects:
                defects.add(ROW_OUT, bad)
            continue
        if defects and not document.full:
            defects.add(ROW_OUT, corpora.empty(key, place, "document"))
        yield place, key, document


def _document(
    row: dict[str, Any] | BadRow, number: str, place: str, columns: Mapping[str, str], by_number: bool = False
) -> tuple[str, Document]:
    if isinstance(row, BadRow):
        raise row
    key = _id(row["id"], place, columns["id"]) if "id" in columns else number
    title, text = (
        "" if row.get(role) is None else _text(row[role], place, columns[role]) for role in ("title", "text")
    )
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
    judged = defects.watch(qrels, lines.judgements(qrels, defects), NOT_ASKED)
    for place, query, document, grade in judged:
        if query in texts:
            yield Judgement(place, query, texts[query], document, grade)
        else:
            unknown = f"{place}: judgement for query {query!r}, which queries.jsonl does not have"
            defects.add(NOT_ASKED, BadRow(unknown, place))


def _from_file(source: Source, defects: Defects) -> Iterator[Judgement]:
    columns, file = _judged_columns_of(source), Path(source.judged)
    for place, row in defects.watch(file, _rows(file, columns, set(JUDGED_COLUMNS)), ROW_OUT):
        try:
            judgement = _judged_row(row, place, columns)
        except BadRow as bad:
            defects.add(ROW_OUT, bad)
            continue
        yield judgement


def _judged_row(row: dict[str, Any] | BadRow, place: str, columns: Mapping[str, str]) -> Judgement:
    if isinstance(row, BadRow):
        raise row
    text = "" if row["query"] is None else _text(row["query"], place, columns["query"])
    if not text.strip():
        raise corpora.empty(text, place, "query")
    grade = lines.grade(str(row["grade"]), place, f"column {columns['grade']!r}") if "grade" in row else 1
    return _judgement(place, text, _id(row["document"], place, columns["document"]), grade)


def _from_column(source: Source, defects: Defects) -> Iterator[Judgement]:
    columns = columns_of(source)
    if "query" not in columns:
        return
    read = {"id", "query"} if "id" in columns else {"title", "text", "query"}
    rows = _rows(source.file, columns, read)
    for number, (place, row) in enumerate(defects.watch(source.file, rows, QUERY_OUT), start=1):
        try:
            if isinstance(row, BadRow):
                raise row
            key = (
                _id(row["id"], place, columns["id"])
                if "id" in columns
                else _document(row, str(number), place, columns)[0]
            )
        except BadRow as bad:
            if source.file.suffix.lower() in table_files.PARQUET:  # of which a column may be bad alone
                defects.add(QUERY_OUT, bad)
            continue  # `documents` tells of it
        try:
            judged = [_judgement(place, text, key, 1) for text in _questions(row["query"], place, columns["query"])]
        except BadRow as bad:
            defects.add(QUERY_OUT, bad)
            continue
        yield from judged


def _questions(value: object, place: str, column: str) -> list[str]:
    """The different questions of a row: of a text one, of a list several, of nothing none."""
    asked = value if isinstance(value, list) else [value]
    texts = [_text(one, place, column) for one in asked if one is not None]
    return [text for text in dict.fromkeys(texts) if text.strip()]


def _judgement(place: str, text: str, document: str, grade: int) -> Judgement:
    """A judgement of a query that has no id: its text makes one, the same wherever it stands."""
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
    """Place of each row and its values by role."""
    wanted = {role: column for role, column in columns.items() if role in roles}
    for place, row in table_files.rows(file, wanted.values()):
        yield place, row if isinstance(row, BadRow) else {role: row[column] for role, column in wanted.items()}


def _text(value: object, place: str, column: str) -> str:
    if not isinstance(value, str):
        held = TYPES.get(type(value), f"a {type(value).__name__}")
        message = f"{place}: column {column!r} holds {held}, not a text; convert it or leave the row out"
        raise BadRow(message, place, f"{held} for a text")
    return value


def _id(value: object, place: str, column: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    key = _text(value, place, column)
    lines.check_id(key, place)
    return key
