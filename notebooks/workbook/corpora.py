"""Corpora: documents, queries and graded judgements (qrels), by name or from any folder in BEIR layout.

`load("sample")`, `load("python-docs")` or `load("python-docs:10000")`, `load("scifact")`, `load("path/to/folder")`.
A BEIR set is looked for in BEIR_DATA_DIR, then in data/beir, then downloaded.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from workbook import paths, python_docs
from workbook.errors import WorkbookError

BEIR_URL = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets/{name}.zip"


class Beir(NamedTuple):
    """A BEIR set: md5 of its zip, and what its test split must hold once loaded (None: not known)."""

    md5: str
    documents: int | None = None
    queries: int | None = None
    drop_identical: bool = False


# md5 as in BEIR's README. ArguAna's queries are documents of its corpus: finding oneself is no merit.
BEIR = {
    "arguana": Beir("8ad3e3c2a5867cdced806d6503f29b99", 8_674, 1_406, drop_identical=True),
    "climate-fever": Beir("8b66f0a9126c521bae2bde127b4dc99d"),
    "dbpedia-entity": Beir("c2a39eb420a3164af735795df012ac2c"),
    "fever": Beir("5a818580227bfb4b35bb6fa46d9b6c03"),
    "fiqa": Beir("17918ed23cd04fb15047f73e6c3bd9d9", 57_638, 648),
    "hotpotqa": Beir("f412724f78b0d91183a0e86805e16114"),
    "nfcorpus": Beir("a89dba18a62ef92f7d323ec890a0d38d", 3_633, 323),
    "nq": Beir("d4d3d2e48787a744b6f6e691ff534307"),
    "quora": Beir("18fb154900ba42a600f84b839c173167"),
    "scidocs": Beir("38121350fc3a4d2f48850f6aff52e4a9"),
    "scifact": Beir("5f7d1de60b170fc8027bb7898e2efca1", 5_183, 300),
    "trec-covid": Beir("ce62140cb23feb9becf6270d0d1fe6d1", 171_332, 50),
    "webis-touche2020": Beir("46f650ba5a527fc69e0a6521c5a23563"),
}


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
        content = json.dumps([self.documents, self.queries, self.qrels], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


def check(name: str) -> None:
    """Raise WorkbookError if `name` is neither a registered corpus nor a folder in BEIR layout."""
    if name not in ("sample", *BEIR) and not python_docs.is_name(name) and not _is_beir_folder(Path(name)):
        known = ", ".join(["sample", "python-docs", "python-docs:N", *BEIR])
        raise WorkbookError(f"unknown corpus {name!r}: give one of {known}, or a folder with corpus.jsonl in it")


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
        return read_beir(Path(name), Path(name).resolve().name, split)
    facts = BEIR[name]
    corpus = read_beir(_beir_folder(name), name, split, facts.drop_identical)
    found = len(corpus.documents), len(corpus.queries)
    if split == "test" and facts.documents and found != (facts.documents, facts.queries):
        raise WorkbookError(
            f"{name}: {found[0]} documents and {found[1]} test queries, "
            f"but BEIR's has {facts.documents} and {facts.queries}; delete the folder and download it again"
        )
    return corpus


def read_beir(folder: Path, name: str, split: str = "test", drop_identical: bool = False) -> Corpus:
    """Read corpus.jsonl, queries.jsonl and qrels/<split>.tsv; keep the queries that have judgements."""
    documents: dict[str, Document] = {}
    file = folder / "corpus.jsonl"
    for line, row in _jsonl(file):
        document = Document(row.get("title") or "", row["text"])
        _add(documents, row["_id"], document, document.full, f"{file}:{line}", "document")
    queries: dict[str, str] = {}
    file = folder / "queries.jsonl"
    for line, row in _jsonl(file):
        _add(queries, row["_id"], row["text"], row["text"], f"{file}:{line}", "query")
    qrels = _read_qrels(folder / "qrels" / f"{split}.tsv", documents, queries)
    return Corpus(name, documents, {q: text for q, text in queries.items() if q in qrels}, qrels, drop_identical)


def _add(table: dict, key: str, value: object, text: str, place: str, what: str) -> None:
    if not text.strip():
        raise WorkbookError(f"{place}: {what} {key!r} is empty; remove it or give it a text")
    if key in table:
        raise WorkbookError(f"{place}: {what} id {key!r} is there twice; ids must be unique")
    table[key] = value


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line, cut at "\\n" alone: str.splitlines also cuts at U+2028 inside a document."""
    try:
        with file.open(encoding="utf-8", newline="\n") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except FileNotFoundError:
        raise WorkbookError(f"{file} is missing; BEIR layout is corpus.jsonl, queries.jsonl, qrels/test.tsv") from None
    except UnicodeDecodeError as error:
        raise WorkbookError(f"{file}: not valid UTF-8 ({error.reason}); save it as UTF-8") from None


def _jsonl(file: Path) -> Iterator[tuple[int, dict]]:
    for number, line in _lines(file):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise WorkbookError(f"{file}:{number}: not valid JSON ({error.msg}); is the file cut short?") from None
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("_id", "text")):
            raise WorkbookError(f'{file}:{number}: each line needs "_id" and "text", both strings')
        yield number, row


def _read_qrels(file: Path, documents: dict, queries: dict) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for number, line in _lines(file):
        fields = line.split("\t")
        if number == 1 and fields[-1] == "score":
            continue
        place = f"{file}:{number}"
        if len(fields) != 3 or not fields[2].lstrip("-").isdigit():
            raise WorkbookError(f"{place}: a judgement is query-id, corpus-id and a whole number, tab separated")
        query, document, grade = fields[0], fields[1], int(fields[2])
        if query not in queries:
            raise WorkbookError(f"{place}: judgement for query {query!r}, which queries.jsonl does not have")
        if document not in documents:
            raise WorkbookError(f"{place}: judgement for document {document!r}, which corpus.jsonl does not have")
        if document in qrels.setdefault(query, {}):
            raise WorkbookError(f"{place}: query {query!r} and document {document!r} are judged twice")
        qrels[query][document] = grade
    if not qrels:
        raise WorkbookError(f"{file}: no judgements in it; without them there is nothing to score")
    return qrels


def _is_beir_folder(folder: Path) -> bool:
    return (folder / "corpus.jsonl").is_file()


def _beir_folder(name: str) -> Path:
    """The folder of a BEIR set: BEIR_DATA_DIR first, then data/beir, then a download."""
    downloads = paths.DATA / "beir"
    places = [Path(os.environ["BEIR_DATA_DIR"]) / name] if os.environ.get("BEIR_DATA_DIR") else []
    for folder in [*places, downloads / name]:
        if _is_beir_folder(folder):
            return folder
    archive = _download(name, downloads)
    try:
        with paths.atomic(downloads / name) as folder, tempfile.TemporaryDirectory(dir=downloads) as scratch:
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(scratch)  # zipfile itself drops "..", drive letters and leading slashes
            (Path(scratch) / name).replace(folder)
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        archive.unlink()
        raise WorkbookError(f"{archive.name} is not BEIR's zip of {name} ({error}); removed it, run again") from None
    archive.unlink()
    return downloads / name


def _download(name: str, folder: Path) -> Path:
    import pooch
    import requests

    url = BEIR_URL.format(name=name)
    try:
        progress = os.environ.get("TQDM_DISABLE") is None
        fetched = pooch.retrieve(
            url, f"md5:{BEIR[name].md5}", fname=f"{name}.zip", path=folder,
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
        )  # fmt: skip
    except ValueError as error:
        raise WorkbookError(f"{url} has another md5 than BEIR publishes; try again later ({error})") from None
    except (requests.RequestException, OSError) as error:
        raise WorkbookError(
            f"cannot reach {url} ({type(error).__name__}); get the zip by other means, unpack it and "
            f"set BEIR_DATA_DIR to the folder that holds {name}/"
        ) from None
    return Path(fetched)
