"""Your corpus: one file or a folder in BEIR layout, made once into a folder in BEIR layout that everything else reads.

A large corpus is sampled and its queries are limited. Without judgements, known items are asked for: each query is the
title of a document or a sentence of it, held out. The rows are read twice: for their ids, and for what is kept. In
memory are the documents kept, and eight bytes for every row.
"""

import hashlib
import heapq
import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbook import corpora, pairs, paths, sources, tables
from workbook.corpora import Corpus, Document
from workbook.errors import WorkbookError
from workbook.near_duplicates import plain
from workbook.sources import FEWEST, Judgement, Source, check

FORMAT = 2  # raise it when the rules below change, so that older folders are not used
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
    return corpora.load(prepare(source))


def describe(source: Source) -> str:
    """One line on what is searched and asked: how many documents of how many, which queries, what was left out."""
    name = prepare(source)
    if corpora.is_registered(name):
        return f"{name}: a registered corpus, whole, with its own queries and judgements"
    about = json.loads((Path(name) / "about.json").read_text(encoding="utf-8"))
    left_out = [f"sampled, seed {about['seed']}"] * about["sampled"]
    left_out += [f"{about['empty']:,} left out that have no text to search"] * (about["empty"] > 0)
    some = f"{about['kept']:,} of {about['documents']:,} documents ({'; '.join(left_out)})"
    whole = f"all {about['kept']:,} documents"
    unasked = source.is_folder and not source.qrels and (source.file.parent / "queries.jsonl").is_file()
    note = "; its queries.jsonl has no qrels/test.tsv and is not asked" if unasked else ""
    if not source.is_folder and not source.judged_in and "query" in tables.columns_of(source.file):
        note = '; its column query is not asked: for that, say columns {"query": "query"}'
    return f"{about['input']}: {some if left_out else whole}; {about['queries']:,} {about['kind']}{note}"


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
        return str(folder)
    asked, about = _make(source)
    stem = source.name if source.is_folder else Path(source.name).stem
    label = re.sub(r"[^\w.]+", "-", f"{stem[:50]} {asked.label} {key}".strip())
    with paths.atomic(paths.DATA / "own" / label) as temporary:
        _write(temporary, asked)
        (temporary / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return str(paths.DATA / "own" / label)


def rank(key: str, seed: int) -> int:
    """A number by which ids are drawn, the lowest first: whatever the order they come in, the same are drawn."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, key=str(seed).encode()).digest())


def _key(source: Source) -> str:
    """Hash of all that decides what is made: the content of the files, their names and the options."""
    digests = []
    for file in source.files:
        with corpora.opened(file) as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    options = [dict(source.columns), dict(source.judged_columns), source.documents, source.queries, source.seed]
    content = json.dumps([FORMAT, source.name, source.judged, digests, options], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def _make(source: Source) -> tuple[Asked, dict[str, Any]]:
    ids, empty = _ids(source)
    judged = _judged(source)
    needed = {one.document: one for grades in judged.values() for one in grades.values()}
    limit = _limit(source, ids, empty, needed)
    kept: dict[str, Document] = {}
    for place, key, document in sources.documents(source):
        if not document.full and key in needed:
            raise WorkbookError(
                f"{place}: document {key!r} is empty, but judged at {needed[key].place}; give it a text"
            )
        if document.full and (key in needed or rank(key, source.seed) <= limit):
            kept[key] = document
    for one in needed.values():
        if one.document not in kept:
            raise WorkbookError(f"{one.place}: judgement for document {one.document!r}, which {source.file} lacks")
    asked = _as_judged(source, kept, judged) if judged else _known_items(source, kept)
    return asked, {
        "input": source.name, "documents": len(ids), "kept": len(asked.documents),
        "empty": len(empty) + len(kept) - len(asked.documents), "sampled": limit < ALL, "seed": source.seed,
        "queries": len(asked.queries), "kind": asked.kind,
    }  # fmt: skip


def _ids(source: Source) -> tuple[array, array]:
    """Ranks of all documents, and of the empty ones. Raises WorkbookError for an id that is there twice."""
    ids, empty = array("Q"), array("Q")
    for _, key, document in sources.documents(source):
        ids.append(rank(key, source.seed))
        if not document.full:
            empty.append(ids[-1])
    ranks, times = np.unique(np.asarray(ids), return_counts=True)
    if len(ranks) < len(ids):
        twice, seen = set(ranks[times > 1].tolist()), {}
        for place, key, _ in sources.documents(source):
            if key in seen:
                raise WorkbookError(f"{place}: id {key!r} is there twice, first at {seen[key]}; ids must be unique")
            if rank(key, source.seed) in twice:
                seen[key] = place
    if len(ids) == len(empty):
        raise WorkbookError(f"{source.file} has no document in it: {len(ids)} rows, none with a text")
    return ids, empty


def _limit(source: Source, ids: array, empty: array, needed: Mapping[str, Judgement]) -> int:
    """The rank up to which documents are kept: with the needed ones they are as many as wanted."""
    taken = array("Q", [*(rank(key, source.seed) for key in needed), *empty])
    others = np.setdiff1d(np.asarray(ids), np.asarray(taken))
    room = source.documents - len(needed)
    if not source.documents or len(others) <= room:
        return ALL
    return int(others[room - 1]) if room > 0 else -1


def _judged(source: Source) -> dict[str, dict[str, Judgement]]:
    """The judgements of at most so many queries, by query and document; nothing if there are none to read."""
    judged: dict[str, dict[str, Judgement]] = {}
    limit = ALL
    for one in sources.judgements(source):
        if rank(one.query, source.seed) > limit:
            continue
        grades = judged.setdefault(one.query, {})
        if one.document in grades:
            raise WorkbookError(f"{one.place}: query {one.text!r} and document {one.document!r} are judged twice")
        grades[one.document] = one
        if len(judged) > 2 * source.queries:  # now and then, so that what is in memory has an end
            judged = {query: judged[query] for query in _drawn(source, judged)}
            limit = max(rank(query, source.seed) for query in judged)
    if source.judged_in and not any(one.grade > 0 for grades in judged.values() for one in grades.values()):
        raise WorkbookError(
            f"{source.judged_in[0]} of {source.name}: no document is relevant to any query; every score would be 0"
        )
    return {query: judged[query] for query in _drawn(source, judged)}


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
