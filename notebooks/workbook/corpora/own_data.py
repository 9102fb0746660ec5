"""Your corpus: one file or a folder in BEIR layout, made once into a folder in BEIR layout that everything else reads.

A large corpus is sampled and its queries are limited. Without judgements, known items are asked for: each query is the
title of a document or a sentence of it, held out. The rows are read twice: for their ids, and for what is kept. In
memory are the documents kept, and eight bytes for every row. Small defects are told, see `defects`.
"""

import hashlib
import heapq
import json
import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbook import paths
from workbook.corpora import corpora, lines, own_files, pairs, table_files
from workbook.corpora.corpora import Corpus, Document
from workbook.corpora.defects import JUDGED_ONCE, NOT_FOUND, ROW_ONCE, BadRow, Defects
from workbook.corpora.near_duplicates import plain
from workbook.corpora.own_files import FEWEST, Judgement, Source, check
from workbook.errors import WorkbookError

FORMAT = 3  # raise it when the rules below change, so that older folders are not used
ALL = 2**64  # above every rank
KNOWN = {"title": "titles, left out of the documents", "sentence": "a sentence of a document each, left out of it"}

__all__ = ["Source", "check", "describe", "load", "prepare"]


class Asked(NamedTuple):
    """What is searched and asked: `label` is for the name of the corpus, `kind` for people."""

    documents: dict[str, Document]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    label: str
    kind: str


def load(source: Source) -> Corpus:
    """The corpus: of a registered name as it is, of a file or folder what `prepare` makes of it."""
    name = prepare(source)
    if corpora.is_registered(name):
        return corpora.load(name, strict=source.strict)
    return _made(Path(name))


def describe(source: Source) -> str:
    """One line on what is searched and asked: how many documents of how many, which queries, what was worked round."""
    name = prepare(source)
    if corpora.is_registered(name):
        notes = corpora.load(name).notes
        return "; ".join([f"{name}: a registered corpus, whole, with its own queries and judgements", *notes])
    about = _about(Path(name))
    left_out = [f"sampled, seed {about['seed']}"] * about["sampled"]
    left_out += [f"{about['empty']:,} left out that have no text to search"] * (about["empty"] > 0)
    some = f"{about['kept']:,} of {about['documents']:,} documents ({'; '.join(left_out)})"
    whole = f"all {about['kept']:,} documents"
    unasked = source.is_folder and not source.qrels and (source.file.parent / "queries.jsonl").is_file()
    note = "; its queries.jsonl has no qrels/test.tsv and is not asked" if unasked else ""
    if not source.is_folder and not source.judged_in and "query" in table_files.columns_of(source.file):
        note = '; its column query is not asked: for that, say columns {"query": "query"}'
    asked = f"{about['input']}: {some if left_out else whole}; {about['queries']:,} {about['kind']}{note}"
    return "; ".join([asked, *_made(Path(name)).notes])


def prepare(source: Source) -> str:
    """Make the corpus, or find it made, and return what `corpora.load` knows it by: its folder, or a registered name.

    The folder is in data/own, named after the file and, without judgements, after what the queries are. Raises
    WorkbookError, naming file and line, for a fault in the data; nothing is written then.
    """
    check(source)
    if corpora.is_registered(source.corpus):
        return source.corpus
    key = _key(source)
    for folder in (paths.DATA / "own").glob(f"*-{key}"):
        if not (source.strict and _about(folder)["defects"]):
            return str(folder)
    asked, about = _make(source)
    stem = source.name if source.is_folder else Path(source.name).stem
    label = re.sub(r"[^\w.]+", "-", f"{stem[:50]} {asked.label} {key}".strip())
    with paths.atomic(paths.DATA / "own" / label) as temporary:
        _write(temporary, asked)
        (temporary / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return str(paths.DATA / "own" / label)


def _made(folder: Path) -> Corpus:
    return replace(corpora.load(str(folder)), defects=tuple(_about(folder)["defects"]))


def _about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "about.json").read_text(encoding="utf-8"))


def rank(key: str, seed: int) -> int:
    """A number by which ids are drawn, the lowest first: whatever the order they come in, the same are drawn."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, key=str(seed).encode()).digest())


def _key(source: Source) -> str:
    """Hash of all that decides what is made: the content of the files, their names and the options."""
    digests = []
    for file in source.files:
        with lines.opened(file) as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    options = [dict(source.columns), dict(source.judged_columns), source.documents, source.queries, source.seed]
    content = json.dumps([FORMAT, source.name, source.judged, digests, options], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def _make(source: Source) -> tuple[Asked, dict[str, Any]]:
    defects = Defects(source.strict)
    ids = _ids(source, defects)
    judged = _judged(source, ids, defects)
    needed = {one.document for grades in judged.values() for one in grades.values() if _has(ids, source, one.document)}
    limit = _limit(source, ids, needed)
    kept = {
        key: document for _, key, document in own_files.documents(source)
        if document.full and (key in needed or rank(key, source.seed) <= limit)
    }  # fmt: skip
    asked = _as_judged(source, kept, judged) if judged else _known_items(source, kept)
    return asked, {
        "input": source.name, "documents": len(ids), "kept": len(asked.documents),
        "empty": len(kept) - len(asked.documents), "sampled": limit < ALL, "seed": source.seed,
        "queries": len(asked.queries), "kind": asked.kind, "defects": defects.told(),
    }  # fmt: skip


def _ids(source: Source, defects: Defects) -> np.ndarray:
    """Ranks of all documents that have a text, in order. Raises WorkbookError for two documents of one id."""
    ids, empty = array("Q"), array("Q")
    for _, key, document in own_files.documents(source, defects):
        ids.append(rank(key, source.seed))
        if not document.full:
            empty.append(ids[-1])
    ranks, times = np.unique(np.asarray(ids), return_counts=True)
    if len(ranks) < len(ids):
        _check_twice(source, set(ranks[times > 1].tolist()), defects)
    if len(ranks) == len(empty):
        raise WorkbookError(f"{source.file} has no document in it: {len(ids)} rows, none with a text")
    return np.setdiff1d(ranks, np.asarray(empty))


def _check_twice(source: Source, twice: Collection[int], defects: Defects) -> None:
    """Tell of rows that are there again. Raises WorkbookError for one whose text is another; `twice`: their ranks."""
    first: dict[str, tuple[str, int]] = {}
    for place, key, document in own_files.documents(source):
        if rank(key, source.seed) not in twice:
            continue
        before, content = first.setdefault(key, (place, _content(document)))
        if before == place:
            continue
        again = f"{place}: id {key!r} is there twice, first at {before}"
        if content != _content(document):
            raise WorkbookError(f"{again}, with another text; ids must be unique")
        defects.add(ROW_ONCE, BadRow(f"{again}; ids must be unique", place))


def _content(document: Document) -> int:
    return rank(f"{len(document.title)} {document.title}{document.text}", 0)


def _has(ids: np.ndarray, source: Source, key: str) -> bool:
    """Whether there is a document of this id, with a text."""
    number = rank(key, source.seed)
    place = int(np.searchsorted(ids, np.uint64(number)))
    return place < len(ids) and int(ids[place]) == number


def _limit(source: Source, ids: np.ndarray, needed: Collection[str]) -> int:
    """The rank up to which documents are kept: with the needed ones they are as many as wanted."""
    others = np.setdiff1d(ids, np.asarray(array("Q", [rank(key, source.seed) for key in needed])))
    room = source.documents - len(needed)
    if not source.documents or len(others) <= room:
        return ALL
    return int(others[room - 1]) if room > 0 else -1


def _judged(source: Source, ids: np.ndarray, defects: Defects) -> dict[str, dict[str, Judgement]]:
    """The judgements of at most so many queries, by query and document; nothing if there are none to read."""
    judged: dict[str, dict[str, Judgement]] = {}
    limit = ALL
    for one in defects.watch(source.files[-1], own_files.judgements(source, defects), NOT_FOUND):
        if not _has(ids, source, one.document):
            defects.add(NOT_FOUND, _not_found(source, one))
        if rank(one.query, source.seed) > limit:
            continue
        _judge(source, judged.setdefault(one.query, {}), one, defects)
        if len(judged) > 2 * source.queries:  # now and then, so that what is in memory has an end
            judged = {query: judged[query] for query in _drawn(source, judged)}
            limit = max(rank(query, source.seed) for query in judged)
    judged = {query: judged[query] for query in _drawn(source, judged)}
    if source.judged_in and not any(one.grade > 0 for grades in judged.values() for one in grades.values()):
        raise WorkbookError(
            f"{source.judged_in[0]} of {source.name}: no document is relevant to any query; every score would be 0"
        )
    _check_drawn(source, ids, [one for grades in judged.values() for one in grades.values()])
    return judged


def _judge(source: Source, grades: dict[str, Judgement], one: Judgement, defects: Defects) -> None:
    """Add a judgement to those of its query. WorkbookError if there is another of its document, with another grade."""
    before = grades.setdefault(one.document, one)
    twice = f"{one.place}: query {one.text!r} and document {one.document!r} are judged twice"
    if before.grade != one.grade:
        raise WorkbookError(f"{twice}, at {before.grade} and at {one.grade}; take one out")
    if before is not one and "query" not in source.columns:  # of a column, a row that is there twice, and told of
        defects.add(JUDGED_ONCE, BadRow(f"{twice}; take one out", one.place))


def _not_found(source: Source, one: Judgement) -> BadRow:
    return BadRow(f"{one.place}: judgement for document {one.document!r}, which {source.file} lacks", one.place)


def _check_drawn(source: Source, ids: np.ndarray, drawn: list[Judgement]) -> None:
    """Raise WorkbookError if half of the judgements that are asked for cannot be found, by the luck of the draw."""
    absent = Defects()
    for one in absent.watch(source.files[-1], drawn, NOT_FOUND):
        if not _has(ids, source, one.document):
            absent.add(NOT_FOUND, _not_found(source, one))


def _drawn(source: Source, queries: Iterable[str]) -> list[str]:
    return heapq.nsmallest(source.queries, queries, key=lambda query: rank(query, source.seed))


def _as_judged(source: Source, kept: dict[str, Document], judged: dict[str, dict[str, Judgement]]) -> Asked:
    queries = {query: next(iter(grades.values())).text for query, grades in judged.items()}
    qrels = {query: {key: one.grade for key, one in grades.items()} for query, grades in judged.items()}
    return Asked(kept, queries, qrels, "", f"queries, judged in {source.judged_in[0]}")


def _known_items(source: Source, kept: dict[str, Document]) -> Asked:
    """Ask for documents by title, if most have one, else by a sentence; not by what stands in two documents."""
    documents = {key: Document("", one.text) for key, one in kept.items() if one.text.strip()}
    anchors = {key: kept[key].title for key in documents if kept[key].title.strip()}
    kind, rests = "title", documents
    times = Counter(plain(one.title) for one in kept.values())
    if len(anchors) <= len(kept) / 2:
        made = pairs.make(dict(sorted(kept.items())), ["sentence"], 1, source.seed)
        anchors = {pair.document: pair.anchor for pair in made}
        kind, documents, rests = "sentence", kept, {pair.document: Document("", pair.positive) for pair in made}
        wanted = set(map(plain, anchors.values()))
        parts = (plain(part) for one in kept.values() for part in pairs.split_sentences(one.text))
        times = Counter(part for part in parts if part in wanted)
    drawn = _drawn(source, [key for key, anchor in anchors.items() if times[plain(anchor)] == 1])
    if len(drawn) < FEWEST:
        lacking = f" ({len(kept) - len(anchors)} have no second sentence of some length)" if kind == "sentence" else ""
        raise WorkbookError(
            f"{source.name}: {len(drawn)} of {len(kept)} documents can be asked for by a {kind} of their own{lacking}, "
            f"{FEWEST} are needed: give more documents, a title column, a query column, or a judged file"
        )
    return Asked(
        documents | {key: rests[key] for key in drawn},
        {f"q:{key}": anchors[key] for key in drawn}, {f"q:{key}": {key: 1} for key in drawn},
        f"known-item-{kind}", f"known-item queries: {KNOWN[kind]}",
    )  # fmt: skip


def _write(folder: Path, asked: Asked) -> None:
    """Write the corpus in BEIR layout."""
    (folder / "qrels").mkdir(parents=True)
    documents = ({"_id": key, **document._asdict()} for key, document in asked.documents.items())
    queries = ({"_id": key, "text": text} for key, text in asked.queries.items())
    for name, rows in (("corpus.jsonl", documents), ("queries.jsonl", queries)):
        with (folder / name).open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    judged = (f"{query}\t{key}\t{grade}\n" for query, grades in asked.qrels.items() for key, grade in grades.items())
    with (folder / "qrels" / "test.tsv").open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(["query-id\tcorpus-id\tscore\n", *judged])
