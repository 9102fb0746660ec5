"""Your own corpus: a file or folder is turned once into a folder in BEIR layout, which everything else reads.

A large corpus is sampled, and its queries are limited. Without judgements, documents of the corpus are asked for: each
query is the title of a document, or a sentence of it, and is left out of the document. The rows are read twice: for
their ids, and for what is kept. Memory holds the documents kept, and eight bytes for every row. Small defects are told,
see `defects`.
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

FORMAT = 4  # raise it when the rules below change, so that older folders are not used
ALL = 2**64  # above every rank
KNOWN = {"title": "the title", "sentence": "a sentence", "span": "words in a row"}  # what asks for a known item

__all__ = ["Source", "check", "describe", "load", "prepare"]


class Asked(NamedTuple):
    """What is searched and asked. `label` becomes part of the corpus's name; `kind` tells people what queries are."""

    documents: dict[str, Document]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    label: str
    kind: str


def load(source: Source) -> Corpus:
    """Load a registered corpus as it is, or the corpus that `prepare` makes of a file or folder."""
    name = prepare(source)
    if corpora.is_registered(name):
        return corpora.load(name, strict=source.strict)
    return _made(Path(name))


def describe(source: Source) -> str:
    """One line: how many documents of how many are searched, which queries are asked, and what was worked round."""
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
    """Make the corpus, or find it made, and return the name that `corpora.load` takes: a folder, or a registered name.

    The folder is in data/own. It is named after the file and, without judgements, after the kind of queries. Raises
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
        documents = ((key, *document) for key, document in asked.documents.items())
        lines.write_beir(temporary, documents, asked.queries, asked.qrels)
        (temporary / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return str(paths.DATA / "own" / label)


def _made(folder: Path) -> Corpus:
    return replace(corpora.load(str(folder)), defects=tuple(_about(folder)["defects"]))


def _about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "about.json").read_text(encoding="utf-8"))


def rank(key: str, seed: int) -> int:
    """A number by which ids are drawn, the lowest first, so that the order they come in changes nothing."""
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
    """Tell of rows that are there again; `twice` are their ranks. Raises WorkbookError if the text is another."""
    first: dict[str, tuple[str, int]] = {}
    for place, key, document in own_files.documents(source):
        if rank(key, source.seed) not in twice:
            continue
        before, content = first.setdefault(key, (place, hash(document)))  # the documents may be too many to keep
        again = f"{place}: id {key!r} is there twice, first at {before}"
        if content != hash(document):
            raise WorkbookError(f"{again}, with another text; ids must be unique")
        if before != place:
            defects.add(ROW_ONCE, BadRow(f"{again}; ids must be unique", place))


def _has(ids: np.ndarray, source: Source, key: str) -> bool:
    """Whether there is a document of this id, with a text."""
    number = rank(key, source.seed)
    place = int(np.searchsorted(ids, np.uint64(number)))
    return place < len(ids) and int(ids[place]) == number


def _limit(source: Source, ids: np.ndarray, needed: Collection[str]) -> int:
    """The highest rank of a document that is kept, so that with the needed ones there are as many as wanted."""
    others = np.setdiff1d(ids, np.asarray(array("Q", [rank(key, source.seed) for key in needed])))
    room = source.documents - len(needed)
    if not source.documents or len(others) <= room:
        return ALL
    return int(others[room - 1]) if room > 0 else -1


def _judged(source: Source, ids: np.ndarray, defects: Defects) -> dict[str, dict[str, Judgement]]:
    """The judgements of the queries drawn, by query and document; empty if the source has none."""
    judged: dict[str, dict[str, Judgement]] = {}
    limit = ALL
    for one in defects.watch(source.files[-1], own_files.judgements(source, defects), NOT_FOUND):
        if not _has(ids, source, one.document):
            defects.add(NOT_FOUND, _not_found(source, one))
        if rank(one.query, source.seed) > limit:
            continue
        before = judged.setdefault(one.query, {}).setdefault(one.document, one)
        if before is not one:
            query = f"query {one.text!r}"
            twice = corpora.judged_twice(query, one.document, before.grade, one.grade, one.place)
            if "query" not in source.columns:  # or the row is there twice, which is told already
                defects.add(JUDGED_ONCE, twice)
        if len(judged) > 2 * source.queries:  # so that memory does not grow with the file
            judged = {query: judged[query] for query in _drawn(source, judged)}
            limit = max(rank(query, source.seed) for query in judged)
    judged = {query: judged[query] for query in _drawn(source, judged)}
    if source.judged_in and not any(one.grade > 0 for grades in judged.values() for one in grades.values()):
        raise WorkbookError(
            f"{source.judged_in[0]} of {source.name}: no document is relevant to any query; every score would be 0"
        )
    _check_drawn(source, ids, [one for grades in judged.values() for one in grades.values()])
    return judged


def _not_found(source: Source, one: Judgement) -> BadRow:
    return BadRow(f"{one.place}: judgement for document {one.document!r}, which {source.file} lacks", one.place)


def _check_drawn(source: Source, ids: np.ndarray, drawn: list[Judgement]) -> None:
    """Raise WorkbookError if, of the judgements of the queries drawn, half name documents that are absent."""
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
    """Ask for documents by title if most have one, else by a sentence, else by some words; never by what two say."""
    documents = {key: Document("", one.text) for key, one in kept.items() if one.text.strip()}
    anchors = {key: kept[key].title for key in documents if kept[key].title.strip()}
    kind, rests, said = "title", documents, [one.title for one in kept.values()]
    for other in ("sentence", "span"):
        if len(anchors) > len(kept) / 2:
            break
        made = pairs.make(dict(sorted(kept.items())), [other], 1, source.seed)
        anchors = {pair.document: pair.anchor for pair in made}
        kind, documents, rests = other, kept, {pair.document: Document("", pair.positive) for pair in made}
        said = anchors.values()
        if kind == "sentence":
            said = [part for one in kept.values() for part in pairs.split_sentences(one.text)]
    wanted = set(map(plain, anchors.values()))
    times = Counter(part for part in map(plain, said) if part in wanted)
    drawn = _drawn(source, [key for key, anchor in anchors.items() if times[plain(anchor)] == 1])
    if kind == "span":  # words that another document has, too, ask for both
        whole = "\n".join(plain(one.full) for one in kept.values())
        drawn = [key for key in drawn if whole.count(plain(anchors[key])) == 1]
    if len(drawn) < FEWEST:
        raise WorkbookError(
            f"{source.name}: {len(drawn)} of {len(kept)} documents can be asked for by {KNOWN[kind]} that no other "
            f"has, {FEWEST} are needed: give more documents, a title column, a query column, or a judged file"
        )
    return Asked(
        documents | {key: rests[key] for key in drawn},
        {f"q:{key}": anchors[key] for key in drawn}, {f"q:{key}": {key: 1} for key in drawn},
        f"known-item-{kind}", f"known-item queries: {KNOWN[kind]} of a document each, left out of it",
    )  # fmt: skip
