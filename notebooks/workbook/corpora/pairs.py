"""Training pairs from documents alone: a part of a document is the query, and the rest of it is the answer.

    title -> text; first sentence (the summary) -> rest; any other sentence -> title and rest
    of code: comment -> title and rest
    of a document that gives no other pair, such as a single line: span of words -> rest

Spans need no marks and no titles (Izacard et al. 2022, Unsupervised dense information retrieval with contrastive
learning). On functions of Python (CoSQA) a comment teaches more than spans: NDCG@10 0.43 against 0.38.

Only `labelled` sees queries and judgements; everything else takes documents, not a corpus.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from workbook.corpora import near_duplicates
from workbook.corpora.corpora import Corpus, Document
from workbook.errors import WorkbookError

KINDS = ("title", "comment", "summary", "sentence", "span")  # held-out documents are asked for by the first they have
SENTENCE_WORDS = 4  # a shorter sentence says too little to find its document by
SPAN = 3  # words of the shortest; in a script without spaces each character counts as one
WORD_CHARACTERS = 2  # as many say in a script without spaces what a word does
UNSPACED = f"[{near_duplicates.UNSPACED}]"
CLOSING = r"[\"'”\u2019»\u203a\uff09)\]】」』》〉]*"
# marks that end a sentence whatever follows: ideographic, Indic, Arabic, Armenian, Ethiopic, Burmese, Khmer, Tibetan
SURE = rf"[。｡\uff01\uff1f।॥؟\u06d4\u0589።፧။។༎]+{CLOSING}\s*|[!?]+(?={UNSPACED})"
# marks that abbreviate as well, so that spaces and a start must follow; behind a Greek letter a semicolon asks
END = re.compile(rf"(?P<sure>{SURE})|(?:[.!?…‼⁇⁈⁉\u037e]|(?<=[\u0370-\u03ff\u1f00-\u1fff]);){CLOSING}\s+")
# the first paragraph of a comment that begins a line; limited, so that a text twice as long takes twice the time
COMMENT = re.compile(
    r"""^[ \t]*+(?:\w?(?P<quotes>\"{3}|'{3})|(?P<slash>/\*)|//|\#(?=[ \t]))[\s*/\#!]{0,100}+(?P<said>.{1,1000}?)"""
    r"""(?:\n[ \t*]*(?=\n|[:@])|(?(quotes)(?P=quotes)|(?(slash)\*/|\n(?![ \t]*(?://|\#)))))""",
    re.DOTALL | re.MULTILINE,
)
UNIT = re.compile(rf"{UNSPACED}[{near_duplicates.MARKS}]*|[^\s{near_duplicates.UNSPACED}]+")  # of which a span is made
STARTS = {"Lu", "Lt", "Lo", "Nd", "Nl", "No", "Ps", "Pi"}  # Unicode's capitals, letters without case, digits, brackets
MIN_DOCUMENTS, MIN_HELD_OUT, MAX_HELD_OUT = 50, 10, 500
MIN_TRAINED_ON = MIN_DOCUMENTS - 2 * MIN_HELD_OUT  # near-duplicates can make the held-out ones twice as many


class Pair(NamedTuple):
    """A text to search with, the text that it should find, the document of both, and how the pair was made."""

    anchor: str
    positive: str
    document: str
    kind: str


def make(documents: Mapping[str, Document], kinds: Sequence[str], sentences: int, seed: int) -> list[Pair]:
    """Make the pairs of some KINDS from every document; at most `sentences` sentences or spans of each, drawn by seed.

    Of a document with a comment no sentences are taken where comments are wanted too, and spans only of a document
    that gives no other wanted pair.
    """
    random = np.random.default_rng(seed)
    made: list[Pair] = []
    for key, document in documents.items():
        own = [pair for pair in _of(key, document, "comment" in kinds, sentences, random) if pair.kind in kinds]
        if not own and "span" in kinds:
            own = list(_spans(key, document.full, sentences, random))
        made += own
    return made


def _of(key: str, document: Document, comments: bool, sentences: int, random: np.random.Generator) -> Iterator[Pair]:
    if document.title and document.text:
        yield Pair(document.title, document.text, key, "title")
    comment = COMMENT.search(document.text) if comments else None
    if comment and _says_enough(comment["said"]):
        said = re.sub(r"\s*\n[\s*/#]*", " ", comment["said"]).strip()
        yield Pair(said, f"{document.title} {_without(document.text, *comment.span('said'))}".strip(), key, "comment")
        return  # code has no sentences
    parts = split_sentences(document.text)
    usable = [place for place, part in enumerate(parts) if _says_enough(part)]
    if len(parts) < 2:
        return
    if 0 in usable:
        yield Pair(parts[0], " ".join(parts[1:]), key, "summary")
    for place in random.permutation([place for place in usable if place > 0])[:sentences]:
        rest = " ".join(parts[:place] + parts[place + 1 :])
        yield Pair(parts[place], f"{document.title} {rest}".strip(), key, "sentence")


def _spans(key: str, text: str, count: int, random: np.random.Generator) -> Iterator[Pair]:
    """Pairs of a span of SPAN words or more, at most half of the text, and what stands before and behind it."""
    units = [unit.span() for unit in UNIT.finditer(text)]
    most = len(units) // 2
    for _ in range(count if most else 0):
        length = random.integers(min(SPAN, most), most, endpoint=True)
        first = random.integers(0, len(units) - length, endpoint=True)
        start, end = units[first][0], units[first + length - 1][1]
        yield Pair(text[start:end], _without(text, start, end), key, "span")


def _without(text: str, start: int, end: int) -> str:
    """The text before start and behind end."""
    return f"{text[:start].rstrip()} {text[end:].lstrip()}".strip()


def split_sentences(text: str) -> list[str]:
    """The sentences of a text in any script; the whole text if no mark in it ends one, as in Thai."""
    found, start, without_capitals = [], 0, text == text.lower()
    for end in END.finditer(text):
        following = text[end.end() : end.end() + 2]
        if following and (end["sure"] or _starts(following) or (without_capitals and following[0].isalpha())):
            found.append(text[start : end.end()].rstrip())
            start = end.end()
    return [*found, text[start:]]


def _starts(following: str) -> bool:
    """Whether a sentence starts with these two characters."""
    if following[0] in "\"'¿¡„":  # not a quotation that ends behind a space, nor one of code
        return following[1:].isalnum()
    # Georgian has capitals for headlines alone
    return unicodedata.category(following[0]) in STARTS or "\u10d0" <= following[0] <= "\u10ff"


def _says_enough(sentence: str) -> bool:
    characters = len(re.findall(UNSPACED, sentence))
    return len(sentence.split()) >= SENTENCE_WORDS or characters >= SENTENCE_WORDS * WORD_CHARACTERS


def labelled(corpus: Corpus) -> list[Pair]:
    """Pair each query with every document judged relevant to it. Never give it the queries that are reported on."""
    return [
        Pair(corpus.queries[query], corpus.documents[document].full, document, "labelled")
        for query, grades in corpus.qrels.items() for document, grade in grades.items()
        if grade > 0 and document in corpus.documents
    ]  # fmt: skip


def drawn(documents: Mapping[str, Document], most: int, seed: int) -> dict[str, Document]:
    """So many of the documents, drawn by seed, in their order; all of them if `most` is 0 or there are no more."""
    if not 0 < most < len(documents):
        return dict(documents)
    kept = set(np.random.default_rng(seed).permutation(len(documents))[:most].tolist())
    return {name: document for place, (name, document) in enumerate(documents.items()) if place in kept}


def hold_out(documents: Mapping[str, Document], seed: int) -> set[str]:
    """Draw the documents to hold out: a tenth, but at least MIN_HELD_OUT and at most MAX_HELD_OUT.

    Near-duplicates are held out together: a model trained on one would know the other by heart. Raises WorkbookError
    for documents that are too few, or all alike.
    """
    if len(documents) < MIN_DOCUMENTS:
        raise WorkbookError(f"{len(documents)} documents are too few to train on: give {MIN_DOCUMENTS} or more")
    wanted = min(max(len(documents) // 10, MIN_HELD_OUT), MAX_HELD_OUT)
    groups = near_duplicates.groups([document.full for document in documents.values()])
    members: dict[int, list[str]] = {}
    for key, group in zip(documents, groups, strict=True):
        members.setdefault(int(group), []).append(key)
    held: set[str] = set()
    for group in np.random.default_rng(seed).permutation(sorted(members)):
        if len(held) + len(members[int(group)]) <= min(2 * wanted, MAX_HELD_OUT):
            held.update(members[int(group)])
        if len(held) >= wanted:
            return held
    raise WorkbookError(
        f"nearly all of the {len(documents)} documents say the same: none can be held out from the others"
    )
