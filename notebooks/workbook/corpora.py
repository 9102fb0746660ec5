"""Corpora: documents, queries and graded judgements (qrels), by name or from any folder in BEIR layout.

`load("sample")`, `load("python-docs")` or `load("python-docs:10000")`, `load("scifact")`, `load("path/to/folder")`.
A BEIR set is looked for in BEIR_DATA_DIR, then in data/beir, then downloaded.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import BinaryIO, NamedTuple

from workbook import beir_sets, paths, python_docs
from workbook.beir_sets import BEIR
from workbook.errors import WorkbookError
from workbook.names import Names, short

MOST = 1_000  # of a grade: trec_eval takes memory by the highest, 16 GB for 2**31, and reads 2**32 as 0
UNFIT = re.compile(r"[\0\t\r\n]")  # for an id: it ends a field or a line of qrels, or the id itself in trec_eval
NAMES = Names()
LONGEST = 2**26  # bytes of a line; what is longer is one JSON list, or has line ends of another kind


class Document(NamedTuple):
    """One document; what is encoded is the title, a space and the text, as BEIR and MTEB do."""

    title: str
    text: str

    @property
    def full(self) -> str:
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True)
class Corpus:
    """Documents, the queries of one split that have judgements, and qrels[query id][document id] = grade."""

    name: str
    documents: dict[str, Document]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    drop_identical: bool = False

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
    def loaded(name: str, split: str = "test") -> Corpus:
        corpus = load(name, split)
        facts = BEIR.get(corpus.name)
        is_set = facts and (len(corpus.documents), len(corpus.queries)) == (facts.documents, facts.queries)
        taken = is_registered(corpus.name) and not (is_registered(name) or is_set)
        return replace(corpus, name=NAMES.shown(corpus.name, corpus.sha256, taken))

    return loaded


@_told_apart
def load(name: str, split: str = "test") -> Corpus:
    """Load a corpus by registered name or from a folder in BEIR layout.

    Raises WorkbookError, naming file and line, for anything in it that would make a score meaningless.
    """
    check(name)
    if name == "sample":
        return read_beir(paths.SAMPLE, name, split)
    if python_docs.is_name(name):
        return read_beir(python_docs.build(name), name, split)
    if name not in BEIR:
        folder = Path(name).resolve()
        known = BEIR.get(folder.name)
        return read_beir(folder, folder.name, split, known is not None and known.drop_identical)
    facts = BEIR[name]
    corpus = read_beir(beir_sets.folder_of(name), name, split, facts.drop_identical, may_be_empty=True)
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
    documents = read_documents(folder / "corpus.jsonl", may_be_empty=name in BEIR)
    return {key: document for key, document in documents.items() if document.full}


def read_beir(
    folder: Path, name: str, split: str = "test", drop_identical: bool = False, may_be_empty: bool = False
) -> Corpus:
    """Read corpus.jsonl, queries.jsonl and qrels/<split>.tsv; keep the queries that have judgements.

    An empty document is an error, unless `may_be_empty`: some of BEIR's own sets have them and are scored with them.
    """
    beir_sets.check_links(folder)
    documents = read_documents(folder / "corpus.jsonl", may_be_empty)
    queries = read_queries(folder / "queries.jsonl")
    qrels = _read_qrels(folder / "qrels" / f"{split}.tsv", documents, queries)
    return Corpus(name, documents, {q: text for q, text in queries.items() if q in qrels}, qrels, drop_identical)


def read_documents(file: Path, may_be_empty: bool = False) -> dict[str, Document]:
    """Read a corpus.jsonl and nothing beside it."""
    documents: dict[str, Document] = {}
    for line, (key, document) in each_document(file, may_be_empty):
        _add(documents, key, document, f"{file}:{line}", "document")
    return documents


def read_queries(file: Path) -> dict[str, str]:
    """Read a queries.jsonl: text by id, judged or not."""
    queries: dict[str, str] = {}
    for line, row in _jsonl(file):
        check_text(row["text"], row["_id"], f"{file}:{line}", "query")
        _add(queries, row["_id"], row["text"], f"{file}:{line}", "query")
    return queries


def each_document(file: Path, may_be_empty: bool = False) -> Iterator[tuple[int, tuple[str, Document]]]:
    """Line number, id and document of a corpus.jsonl, one by one; that ids are unique is not checked."""
    for line, row in _jsonl(file):
        title = row.get("title") or ""
        if not isinstance(title, str):
            raise WorkbookError(f'{file}:{line}: "title" must be a string')
        document = Document(title, row["text"])
        check_text(document.full or ("empty" if may_be_empty else ""), row["_id"], f"{file}:{line}", "document")
        yield line, (row["_id"], document)


def each_judgement(file: Path) -> Iterator[tuple[str, str, str, int]]:
    """Place, query id, document id and grade of a qrels file, one by one; that the ids are known is not checked."""
    for number, line in _lines(file):
        fields = line.split("\t")
        if number == 1 and fields[-1] == "score":
            continue
        place = f"{file}:{number}"
        if len(fields) != 3:
            raise WorkbookError(f"{place}: a judgement is query-id, corpus-id and a whole number, tab separated")
        yield place, fields[0], fields[1], grade(fields[2], f"{place}: a grade")


def check_text(text: str, key: str, place: str, what: str) -> None:
    """Raise WorkbookError, naming the place, for a text that cannot be encoded: an empty one, half a surrogate pair."""
    if not text.strip():
        raise WorkbookError(f"{place}: {what} {key!r} is empty; remove it or give it a text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WorkbookError(
            f"{place}: {what} {key!r} holds half a surrogate pair, which is no text; remove it"
        ) from None


def check_id(key: str, place: str) -> None:
    """Raise WorkbookError, naming the place, for an id that judgements cannot name."""
    check_text(key, key, place, "id")
    if UNFIT.search(key):
        raise WorkbookError(
            f"{place}: the id {key!r} holds a tab or a line end (or a zero byte), which qrels cannot; take it out"
        )


def grade(text: str, what: str) -> int:
    """A grade as judgements write it. Raises WorkbookError, saying of what, for one that cannot be counted with."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or abs(int(text)) > MOST:
        raise WorkbookError(f"{what} must be a whole number, {MOST:,} at most, not {text!r}")
    return int(text)


def _add(table: dict, key: str, value: object, place: str, what: str) -> None:
    if key in table:
        raise WorkbookError(f"{place}: {what} id {key!r} is there twice; ids must be unique")
    table[key] = value


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


def lines(file: Path, watch: Callable[[int], object] | None = None) -> Iterator[tuple[int, str]]:
    """Number and text of each line with its end, cut at "\\n" alone: str.splitlines also cuts at U+2028 in a document.

    `watch` is told the bytes of each. Raises WorkbookError, naming the line, for one that is not UTF-8 or too long.
    """
    with opened(file) as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(LONGEST + 1), b""), start=1):
            if len(raw) > LONGEST:
                raise WorkbookError(f"{file}:{number}: a line of more than {LONGEST >> 20} MB; write one row a line")
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise WorkbookError(f"{file}:{number}: not valid UTF-8 ({error.reason}); save it as UTF-8") from None
            if watch:
                watch(len(raw))
            yield number, line


def json_object(line: str, place: str) -> dict:
    """The object that a line of JSONL is; WorkbookError, naming the place, for anything else."""
    try:
        row = json.loads(line, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise WorkbookError(f"{place}: not valid JSON ({error.msg}); is the file cut short?") from None
    except (ValueError, RecursionError) as error:  # a key twice, a number of thousands of digits, thousands of brackets
        raise WorkbookError(f"{place}: not usable JSON ({error})") from None
    if not isinstance(row, dict):
        raise WorkbookError(f"{place}: each line needs to be an object, {{...}}; this one is a {type(row).__name__}")
    return row


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key is there twice in {', '.join(key for key, _ in pairs)}")
    return found


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    for number, line in lines(file):
        if line.strip():
            yield number, line.rstrip("\r\n")


def _jsonl(file: Path) -> Iterator[tuple[int, dict]]:
    for number, line in _lines(file):
        row = json_object(line, f"{file}:{number}")
        if not all(isinstance(row.get(key), str) for key in ("_id", "text")):
            raise WorkbookError(f'{file}:{number}: each line needs "_id" and "text", both strings')
        check_id(row["_id"], f"{file}:{number}")
        yield number, row


def _read_qrels(file: Path, documents: dict, queries: dict) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for place, query, document, grade in each_judgement(file):
        if query not in queries:
            raise WorkbookError(f"{place}: judgement for query {query!r}, which queries.jsonl does not have")
        if document not in documents:
            raise WorkbookError(f"{place}: judgement for document {document!r}, which corpus.jsonl does not have")
        if document in qrels.setdefault(query, {}):
            raise WorkbookError(f"{place}: query {query!r} and document {document!r} are judged twice")
        qrels[query][document] = grade
    if qrels and not any(grade > 0 for grades in qrels.values() for grade in grades.values()):
        raise WorkbookError(f"{file}: no document is relevant to any query; every score would be 0")
    if not qrels:
        raise WorkbookError(f"{file}: no judgements in it; without them there is nothing to score")
    return qrels
