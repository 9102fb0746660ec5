"""Corpora: documents, queries and graded judgements (qrels), by name or from any folder in BEIR layout.

`load("sample")`, `load("python-docs")` or `load("python-docs:10000")`, `load("scifact")`, `load("path/to/folder")`.
A BEIR set is looked for in BEIR_DATA_DIR, then in data/beir, then downloaded. Small defects are told, see `defects`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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
    Effect,
)
from workbook.errors import WorkbookError
from workbook.names import short


class Document(NamedTuple):
    """One document. Its title, a space and its text are encoded together, as in BEIR and MTEB."""

    title: str
    text: str

    @property
    def full(self) -> str:
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True)
class Corpus:
    """Documents, the queries of one split that have judgements, and qrels[query id][document id] = grade.

    A judged document may be absent from the documents; no method can find it. If `drop_identical`, a document with the
    id of a query is that query itself, and is passed over in its results. `defects` tell what was worked round.
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
        """Sentences for the reader of a score: the data's defects, and whether queries are passed over."""
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
        """A name for files that no other content has: a registered corpus's own, or the folder's with a short hash."""
        return self.name.replace(":", "-") if is_registered(self.name) else slug(self.name, self.sha256)


def slug(name: str, sha256: str) -> str:
    """The shown name of a folder with a short hash, as a name for files."""
    return f"{name.removesuffix(f' ({short(sha256)})')}-{short(sha256)}"


def is_registered(name: str) -> bool:
    """Tell whether `name` is that of a known corpus, and so no folder."""
    return name in ("sample", *BEIR) or python_docs.is_name(name)


def check(name: str) -> None:
    """Raise WorkbookError if `name` is neither a registered corpus nor a folder in BEIR layout."""
    if python_docs.is_name(name):
        python_docs.size_of(name)
    if not is_registered(name) and not beir_sets.is_beir_folder(Path(name)):
        known = ", ".join(["sample", "python-docs", "python-docs:N", *BEIR])
        raise WorkbookError(f"unknown corpus {name!r}: give one of {known}, or a folder with corpus.jsonl in it")


def load(name: str, split: str = "test", strict: bool = False) -> Corpus:
    """Load a corpus by registered name or from a folder in BEIR layout.

    The corpus shows a name that no other content has in this process. Raises WorkbookError, naming file and line, for
    what would make a score meaningless; if `strict`, also for what is otherwise worked round and told in its `defects`.
    """
    folder, of_ours = _folder(name)
    plain_name = name if is_registered(name) else folder.name
    asked, split = split, _split(folder, split)
    corpus = read_beir(folder, plain_name, split, may_be_empty=name in BEIR, defects=Defects(strict or of_ours))
    found, facts = (len(corpus.documents), len(corpus.queries)), BEIR.get(plain_name)
    is_set = facts is not None and found == (facts.documents, facts.queries)
    if name in BEIR and split == "test" and facts.documents and not is_set:
        raise WorkbookError(
            f"{name}: {found[0]} documents and {found[1]} test queries, "
            f"but BEIR's has {facts.documents} and {facts.queries}; delete the folder and download it again"
        )
    taken = is_registered(plain_name) and not (is_registered(name) or is_set)
    told = [f"judged by qrels/{split}.tsv, as there is no qrels/test.tsv"] * (split != asked)
    shown = names.CORPORA.shown(plain_name, corpus.sha256, taken)
    return replace(corpus, name=shown, defects=(*corpus.defects, *told))


def _split(folder: Path, split: str) -> str:
    """The split to judge by: the only one there is where "test" is asked for and there is none.

    Raises WorkbookError where there are several others.
    """
    found = sorted(file.stem for file in (folder / "qrels").glob("*.tsv"))
    if split != "test" or split in found or not found:
        return split
    if len(found) > 1:
        raise WorkbookError(
            f"{folder} has no qrels/test.tsv, but {', '.join(found)}: call the one to judge by test.tsv"
        )
    return found[0]


def unlabelled(name: str) -> dict[str, Document]:
    """Documents to train on: those of a corpus with their titles, read without any query or judgement.

    For python-docs they are the docstrings outside the corpus, each with its summary as title. Other corpora give the
    documents that are searched later: a model trained on them has seen what it will find, but not what will be asked.
    """
    folder, of_ours = _folder(name)
    beir_sets.check_links(folder)
    file = python_docs.OUTSIDE if python_docs.is_name(name) else "corpus.jsonl"
    return read_documents(folder / file, defects=Defects(strict=of_ours))


def _folder(name: str) -> tuple[Path, bool]:
    """The folder of a corpus in BEIR layout, built or downloaded if need be, and whether this project wrote it."""
    check(name)
    if name == "sample":
        return paths.SAMPLE, True
    if python_docs.is_name(name):
        return python_docs.build(name), True
    return beir_sets.folder_of(name) if name in BEIR else Path(name).resolve(), False


def read_beir(
    folder: Path, name: str, split: str = "test", may_be_empty: bool = False, defects: Defects = STRICT
) -> Corpus:
    """Read corpus.jsonl, queries.jsonl and qrels/<split>.tsv, and keep the queries that have judgements.

    Everything is put in the order of ids, so that the order of a file changes no sample, interval or training. Small
    defects are added to `defects`. An empty document is one and is left out, unless `may_be_empty`: some of BEIR's own
    sets have empty documents and are scored with them.
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
    """Tell whether queries are documents of the corpus, as in ArguAna: a query must gain nothing by finding itself.

    That is so if queries have the ids of documents, and each of these says what its document says and is not judged
    relevant to itself. BEIR drops whatever has the query's id; that two files share some numbers is no reason to.
    """
    themselves = queries.keys() & documents.keys()
    return bool(themselves) and all(
        _plain(queries[key]) in (_plain(documents[key].text), _plain(documents[key].full)) for key in themselves
    ) and all(qrels[key].get(key, 0) <= 0 for key in themselves)  # fmt: skip


def _plain(text: str) -> str:
    return " ".join(text.split())


def read_documents(file: Path, may_be_empty: bool = False, defects: Defects = STRICT) -> dict[str, Document]:
    """Read a corpus.jsonl and nothing beside it."""
    found = _by_id(each_document(file, defects), "document", STAYS_EMPTY if may_be_empty else ROW_OUT, defects)
    return {key: document for key, document in found.items() if document.full or may_be_empty}


def read_queries(file: Path, defects: Defects = STRICT) -> dict[str, str]:
    """Read the queries of a queries.jsonl that have a text, judged or not: text by id."""
    rows = ((place, key, Document("", row.text)) for place, key, row in each_document(file, defects))
    return {key: query.text for key, query in _by_id(rows, "query", ROW_OUT, defects).items() if query.full}


def each_document(file: Path, defects: Defects = STRICT) -> Iterator[tuple[str, str, Document]]:
    """Yield place, id and document of each usable row of a corpus.jsonl. Ids may repeat, and texts may be empty."""
    for place, row in lines.rows(file, defects):
        yield place, row["_id"], Document(row.get("title") or "", row["text"])


def empty(key: str, place: str, what: str) -> BadRow:
    """The defect of a row without a text."""
    return BadRow(f"{place}: {what} {key!r} is empty; remove it or give it a text", place, EMPTY)


def _by_id(
    rows: Iterable[tuple[str, str, Document]], what: str, if_empty: Effect, defects: Defects
) -> dict[str, Document]:
    """Documents in the order of their ids. Raises WorkbookError for two that share an id and differ."""
    found: dict[str, Document] = {}
    for place, key, document in rows:
        if key not in found:
            found[key] = document
            if not document.full:
                defects.add(if_empty, empty(key, place, what))
            continue
        twice = f"{place}: {what} id {key!r} is there twice"
        if found[key] != document:
            raise WorkbookError(f"{twice}, with another text; ids must be unique")
        defects.add(ROW_ONCE, BadRow(f"{twice}; ids must be unique", place))
    return dict(sorted(found.items()))


def _read_qrels(file: Path, documents: dict, queries: dict, defects: Defects) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for place, query, document, grade in asked_judgements(file, queries, defects, NOT_FOUND):
        grades = qrels.setdefault(query, {})
        if document in grades:
            defects.add(JUDGED_ONCE, judged_twice(f"query {query!r}", document, grades[document], grade, place))
            continue
        grades[document] = grade
        if document not in documents:
            unknown = f"{place}: judgement for document {document!r}, which corpus.jsonl does not have"
            defects.add(NOT_FOUND, BadRow(unknown, place))
    if qrels and not any(grade > 0 for grades in qrels.values() for grade in grades.values()):
        raise WorkbookError(f"{file}: no document is relevant to any query; every score would be 0")
    if not qrels:
        raise WorkbookError(f"{file}: no judgements in it; without them there is nothing to score")
    return qrels


def asked_judgements(
    file: Path, queries: Mapping[str, str], defects: Defects, *watched: Effect
) -> Iterator[tuple[str, str, str, int]]:
    """Yield place, query id, document id and grade of the judgements of known queries.

    At the end, too many defects of these judgements raise WorkbookError, those that the caller `watched` included.
    """
    for judgement in defects.watch(file, lines.judgements(file, defects), NOT_ASKED, *watched):
        place, query, *_ = judgement
        if query in queries:
            yield judgement
        else:
            unknown = f"{place}: judgement for query {query!r}, which queries.jsonl does not have"
            defects.add(NOT_ASKED, BadRow(unknown, place))


def judged_twice(query: str, document: str, before: int, grade: int, place: str) -> BadRow:
    """The defect of a judgement that is there twice. Raises WorkbookError if the two grades differ."""
    twice = f"{place}: {query} and document {document!r} are judged twice"
    if before != grade:
        raise WorkbookError(f"{twice}, at {before} and at {grade}; take one out")
    return BadRow(f"{twice}; take one out", place)
