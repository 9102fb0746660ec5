"""Corpora: documents, queries and graded judgements (qrels), by name or from any folder in BEIR layout.

`load("sample")`, `load("python-docs")` or `load("python-docs:10000")`, `load("scifact")`, `load("path/to/folder")`.
A BEIR set is looked for in BEIR_DATA_DIR, then in data/beir, then downloaded. Small defects are told, see `defects`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import NamedTuple

from workbook import names, paths
from workbook.corpora import beir_sets, lines, python_docs
from workbook.corpora.beir_sets import BEIR
from workbook.corpora.defects import (
    EMPTY,
    JUDGED_ONCE,
    NOT_ASKED,
    NOT_FOUND,
    ROW_ONCE,
    ROW_OUT,
    STAYS_EMPTY,
    STRICT,
    BadRow,
    Defects,
)
from workbook.errors import WorkbookError
from workbook.names import short


class Document(NamedTuple):
    """One document; what is encoded is the title, a space and the text, as BEIR and MTEB do."""

    title: str
    text: str

    @property
    def full(self) -> str:
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True)
class Corpus:
    """Documents, the queries of one split that have judgements, and qrels[query id][document id] = grade.

    A judged document may not be among the documents: then it cannot be found. `drop_identical`: a document that has the
    id of the query is the query itself, and passed over in its results. `defects`: sentences on what was worked round.
    """

    name: str
    documents: dict[str, Document]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    drop_identical: bool = False
    defects: tuple[str, ...] = field(default=(), compare=False)

    @property
    def document_ids(self) -> list[str]:
        return list(self.documents)

    @property
    def document_texts(self) -> list[str]:
        return [document.full for document in self.documents.values()]

    @property
    def payloads(self) -> list[dict[str, str]]:
        """What Qdrant stores with each document's vector."""
        return [{"id": key, "title": one.title, "text": one.text} for key, one in self.documents.items()]

    @property
    def query_texts(self) -> list[str]:
        return list(self.queries.values())

    @property
    def notes(self) -> list[str]:
        """Sentences on what a reader must know of the data: its defects, and whether queries are passed over."""
        themselves = sum(query in self.documents for query in self.queries)
        rule = f"{themselves:,} of the queries are documents themselves: each is passed over in its own results"
        return [*self.defects, *[rule] * self.drop_identical]

    @property
    def sha256(self) -> str:
        """Hash of the content, in order: two corpora with the same hash give the same scores."""
        content = json.dumps([self.documents, self.queries, self.qrels, self.drop_identical], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def slug(self) -> str:
        """A name for files that no other content has: of a registered corpus its own, else with a short hash."""
        return self.name.replace(":", "-") if is_registered(self.name) else slug(self.name, self.sha256)


def slug(name: str, sha256: str) -> str:
    """A name for files of a corpus in a folder: `name` as it is shown, and a short hash."""
    return f"{name.removesuffix(f' ({short(sha256)})')}-{short(sha256)}"


def is_registered(name: str) -> bool:
    """Tell whether `name` is a corpus known by name, and so no folder."""
    return name in ("sample", *BEIR) or python_docs.is_name(name)


def check(name: str) -> None:
    """Raise WorkbookError if `name` is neither a registered corpus nor a folder in BEIR layout."""
    if python_docs.is_name(name):
        python_docs.size_of(name)
    if not is_registered(name) and not beir_sets.is_beir_folder(Path(name)):
        known = ", ".join(["sample", "python-docs", "python-docs:N", *BEIR])
        raise WorkbookError(f"unknown corpus {name!r}: give one of {known}, or a folder with corpus.jsonl in it")


def _told_apart(load: Callable[..., Corpus]) -> Callable[..., Corpus]:
    """Show a corpus by a name that no other content has in this process, nor a registered one that it is not."""

    @wraps(load)
    def loaded(name: str, split: str = "test", strict: bool = False) -> Corpus:
        corpus = load(name, split, strict)
        facts = BEIR.get(corpus.name)
        is_set = facts and (len(corpus.documents), len(corpus.queries)) == (facts.documents, facts.queries)
        taken = is_registered(corpus.name) and not (is_registered(name) or is_set)
        return replace(corpus, name=names.CORPORA.shown(corpus.name, corpus.sha256, taken))

    return loaded


@_told_apart
def load(name: str, split: str = "test", strict: bool = False) -> Corpus:
    """Load a corpus by registered name or from a folder in BEIR layout.

    Raises WorkbookError, naming file and line, for what would make a score meaningless; if `strict`, also for what is
    otherwise worked round and told in `Corpus.defects`.
    """
    check(name)
    if name == "sample":
        return read_beir(paths.SAMPLE, name, split)
    if python_docs.is_name(name):
        return read_beir(python_docs.build(name), name, split)
    if name not in BEIR:
        folder = Path(name).resolve()
        return read_beir(folder, folder.name, split, defects=Defects(strict))
    facts = BEIR[name]
    corpus = read_beir(beir_sets.folder_of(name), name, split, may_be_empty=True, defects=Defects(strict))
    found = len(corpus.documents), len(corpus.queries)
    if split == "test" and facts.documents and found != (facts.documents, facts.queries):
        raise WorkbookError(
            f"{name}: {found[0]} documents and {found[1]} test queries, "
            f"but BEIR's has {facts.documents} and {facts.queries}; delete the folder and download it again"
        )
    return corpus


def unlabelled(name: str) -> dict[str, Document]:
    """Documents to train on, read without any query or judgement: a corpus's own, titles included.

    Of python-docs, the docstrings outside the corpus, the summary as title. A BEIR set's own documents are those that
    are searched later: a model trained on them has seen what it will find, not what will be asked.
    """
    check(name)
    if python_docs.is_name(name):
        return read_documents(python_docs.build(name) / python_docs.OUTSIDE)
    if name == "sample":
        return read_documents(paths.SAMPLE / "corpus.jsonl")
    folder = beir_sets.folder_of(name) if name in BEIR else Path(name).resolve()
    beir_sets.check_links(folder)
    return read_documents(folder / "corpus.jsonl", defects=Defects())


def read_beir(
    folder: Path, name: str, split: str = "test", may_be_empty: bool = False, defects: Defects = STRICT
) -> Corpus:
    """Read corpus.jsonl, queries.jsonl and qrels/<split>.tsv; keep the queries that have judgements.

    All are in the order of their ids, as what is drawn by seed, resampled or trained on must not follow from the order
    of a file. Small defects are added to `defects`. An empty document is one and left out, unless `may_be_empty`: some
    of BEIR's own sets have them and are scored with them.
    """
    beir_sets.check_links(folder)
    documents = read_documents(folder / "corpus.jsonl", may_be_empty, defects)
    queries = read_queries(folder / "queries.jsonl", defects)
    qrels = _read_qrels(folder / "qrels" / f"{split}.tsv", documents, queries, defects)
    asked = {query: text for query, text in queries.items() if query in qrels}
    qrels = {query: dict(sorted(qrels[query].items())) for query in asked}
    return Corpus(name, documents, asked, qrels, asks_itself(documents, asked, qrels), defects.told())


def asks_itself(
    documents: Mapping[str, Document], queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]]
) -> bool:
    """Tell whether queries are documents of the corpus, as in ArguAna: finding itself is no merit of a query.

    Some are, by id, and every one of these says what its document says and is not judged relevant to itself. BEIR drops
    whatever has the query's id; numbers that two files happen to have in common are no reason to.
    """
    themselves = queries.keys() & documents.keys()
    return bool(themselves) and all(
        _plain(queries[key]) in (_plain(documents[key].text), _plain(documents[key].full)) for key in themselves
    ) and all(qrels[key].get(key, 0) <= 0 for key in themselves)  # fmt: skip


def _plain(text: str) -> str:
    return " ".join(text.split())


def read_documents(file: Path, may_be_empty: bool = False, defects: Defects = STRICT) -> dict[str, Document]:
    """Read a corpus.jsonl and nothing beside it."""
    documents: dict[str, Document] = {}
    for line, (key, document) in each_document(file, defects):
        place = f"{file}:{line}"
        if _add(documents, key, document, place, "document", defects) and not document.full:
            defects.add(STAYS_EMPTY if may_be_empty else ROW_OUT, empty(key, place, "document"))
    return {key: documents[key] for key in sorted(documents) if documents[key].full or may_be_empty}


def read_queries(file: Path, defects: Defects = STRICT) -> dict[str, str]:
    """Read a queries.jsonl: text by id, judged or not; without those that have no text."""
    queries: dict[str, str] = {}
    for line, row in lines.rows(file, defects):
        place = f"{file}:{line}"
        if _add(queries, row["_id"], row["text"], place, "query", defects) and not row["text"].strip():
            defects.add(ROW_OUT, empty(row["_id"], place, "query"))
    return {key: queries[key] for key in sorted(queries) if queries[key].strip()}


def each_document(file: Path, defects: Defects = STRICT) -> Iterator[tuple[int, tuple[str, Document]]]:
    """Line number, id and document of a corpus.jsonl, one by one; that ids are unique, and texts there, is not checked.

    Of a row that cannot be used nothing is given.
    """
    for line, row in lines.rows(file, defects):
        yield line, (row["_id"], Document(row.get("title") or "", row["text"]))


def empty(key: str, place: str, what: str) -> BadRow:
    """The defect of a row without a text."""
    return BadRow(f"{place}: {what} {key!r} is empty; remove it or give it a text", place, EMPTY)


def _add(table: dict, key: str, value: object, place: str, what: str, defects: Defects) -> bool:
    """Add a value, and tell whether it is new. WorkbookError if another one has its id."""
    if key not in table:
        table[key] = value
        return True
    twice = f"{place}: {what} id {key!r} is there twice"
    if table[key] != value:
        raise WorkbookError(f"{twice}, with another text; ids must be unique")
    defects.add(ROW_ONCE, BadRow(f"{twice}; ids must be unique", place))
    return False


def _read_qrels(file: Path, documents: dict, queries: dict, defects: Defects) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    judged = defects.watch(file, lines.judgements(file, defects), NOT_ASKED, NOT_FOUND)
    for place, query, document, grade in judged:
        if query not in queries:
            unknown = f"{place}: judgement for query {query!r}, which queries.jsonl does not have"
            defects.add(NOT_ASKED, BadRow(unknown, place))
            continue
        new = judge(qrels.setdefault(query, {}), document, grade, place, f"query {query!r}", defects)
        if new and document not in documents:
            unknown = f"{place}: judgement for document {document!r}, which corpus.jsonl does not have"
            defects.add(NOT_FOUND, BadRow(unknown, place))
    if qrels and not any(grade > 0 for grades in qrels.values() for grade in grades.values()):
        raise WorkbookError(f"{file}: no document is relevant to any query; every score would be 0")
    if not qrels:
        raise WorkbookError(f"{file}: no judgements in it; without them there is nothing to score")
    return qrels


def judge(grades: dict, document: str, grade: int, place: str, query: str, defects: Defects) -> bool:
    """Add a grade to those of a query, and tell whether it is new. WorkbookError if there is another."""
    if document not in grades:
        grades[document] = grade
        return True
    twice = f"{place}: {query} and document {document!r} are judged twice"
    if grades[document] != grade:
        raise WorkbookError(f"{twice}, at {grades[document]} and at {grade}; take one out")
    defects.add(JUDGED_ONCE, BadRow(twice, place))
    return False
