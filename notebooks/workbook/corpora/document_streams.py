"""Documents by the hundred thousand, whose words grow in number as natural text's do: real ones, or as many assembled.

A benchmark of encoding whose texts repeat a few words flatters what remembers words. TREC-COVID's documents are taken
where they are here, else those of the collections at hand, each once. Where these are too few, passages of a corpus
are put together, with as many words made up as a real collection would have that are new.

They come in shards, of which one is in memory. The shards are the same each time, so that work on them can be resumed.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from workbook.corpora import beir_sets, corpora
from workbook.corpora.corpora import Corpus
from workbook.errors import WorkbookError

SHARD = 4_096  # documents
CHARACTERS = 8_000_000  # a shard ends earlier if its texts are this long together
WORDS = 161  # mean of TREC-COVID's documents; source: Thakur et al., BEIR, NeurIPS 2021, table 1
SPREAD = 0.6  # standard deviation of the logarithm of the lengths
# Heaps' law: of N words between spaces, K N^b are distinct. Fitted to SciFact's documents, abstracts as TREC-COVID's
# are, from 62,500 words to all of its 1.1 million; what lies beyond is extrapolated.
HEAPS = (8.75, 0.668)
STEP = 2_147_483_647  # a prime: so many steps further each time, one comes to every pair before any comes again


@dataclass(frozen=True)
class Stream:
    """`n` texts. `label` tells people what they are; `identity` holds all that decides them. `texts` yields them."""

    label: str
    n: int
    identity: dict[str, object]
    texts: Callable[[], Iterator[str]]

    def shards(self) -> Iterator[list[str]]:
        """Yield the texts in shards of SHARD, or fewer where they are long."""
        shard: list[str] = []
        size = 0
        for text in self.texts():
            if shard and (len(shard) == SHARD or size + len(text) > CHARACTERS):
                yield shard
                shard, size = [], 0
            shard.append(text)
            size += len(text)
        yield shard

    def vocabulary(self) -> dict[str, int]:
        """Number of words between spaces in all texts, and of distinct ones."""
        words, distinct = 0, set()
        for text in self.texts():
            own = text.split(" ")
            words += len(own)
            distinct.update(own)
        return {"words": words, "distinct": len(distinct)}


def of(corpus: Corpus, n: int, seed: int, most: int = 0) -> Stream:
    """A stream of real documents if as many are at hand, else of texts assembled from the corpus.

    `most`: the largest number of documents that is compared with this one; texts of all of them are of one kind.
    Nothing is downloaded for this. The shards raise WorkbookError for a fault in a file, naming the line.
    """
    most = max(n, most)
    covid = beir_sets.local_folder("trec-covid")
    if covid and most <= beir_sets.BEIR["trec-covid"].documents:
        return _real([covid], [beir_sets.BEIR["trec-covid"].documents], n)
    folders, counts = _at_hand()
    if most <= sum(counts):
        return _real(folders, counts, n)
    identity = {"corpus": corpus.sha256, "seed": seed, "words": WORDS, "spread": SPREAD, "heaps": HEAPS, "n": n}
    return Stream(f"assembled from {corpus.name}, seed {seed}", n, identity, partial(assembled, corpus, n, seed))


def at_hand(corpus: Corpus) -> Stream:
    """The documents of all collections at hand, each once; of the corpus alone if there are none."""
    folders, counts = _at_hand()
    if folders:
        return _real(folders, counts, sum(counts))
    texts = corpus.document_texts
    return Stream(f"documents of {corpus.name}", len(texts), {"corpus": corpus.sha256}, partial(iter, texts))


def _at_hand() -> tuple[list[Path], list[int]]:
    folders = beir_sets.local_folders()
    return folders, [_lines(folder / "corpus.jsonl") for folder in folders]


def _real(folders: Sequence[Path], counts: Sequence[int], n: int) -> Stream:
    files = [folder / "corpus.jsonl" for folder in folders]
    identity = {"files": [_sha256(file) for file in files], "n": n}
    names = ", ".join(folder.name for folder in folders).replace("trec-covid", "TREC-COVID")
    return Stream(f"documents of {names}", n, identity, partial(evenly, files, counts, n))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lines(file: Path) -> int:
    with file.open("rb") as stream:
        return sum(1 for line in stream if line.strip())


def evenly(files: Sequence[Path], counts: Sequence[int], n: int) -> Iterator[str]:
    """Yield n documents of some corpus.jsonl, each once, read line by line; each file is spread over all of them."""
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    whose = np.repeat(np.arange(len(files)), counts)[np.argsort(places, kind="stable")]
    readers = [corpora.each_document(file) for file in files]
    for number, file in enumerate(whose[:n]):
        found = next(readers[file], None)
        if found is None:
            raise WorkbookError(f"{files[file]} ends after {number:,} of {n:,} documents; is it cut short?")
        yield found[2].full


def assembled(corpus: Corpus, n: int, seed: int) -> Iterator[str]:
    """Yield n texts of varying length: two passages from two places of the corpus, and made-up words between them.

    There are as many of these as it takes for the distinct words of all texts so far to grow by HEAPS.
    """
    whole = " ".join(" ".join(corpus.document_texts).split())
    # where each word starts; one long text and numbers take a tenth of the memory of a list of words
    starts = np.flatnonzero(np.frombuffer(f" {whole} ".encode("utf-32-le"), dtype=np.uint32) == ord(" "))
    known = Counter(whole.split(" "))
    random, made_up, most = np.random.default_rng(seed), _MadeUp(known, seed), len(starts) - 1
    mean = np.log(WORDS) - SPREAD**2 / 2
    for start in range(0, n, SHARD):
        lengths = np.maximum(2, random.lognormal(mean, SPREAD, (SHARD, 1)).astype(int))
        new = made_up.counts(lengths[:, 0])
        kept = lengths - new[:, None]
        halves = np.minimum(np.hstack([kept // 2, kept - kept // 2]), most)
        places = random.integers(0, most - halves + 1)
        texts = zip(starts[places], starts[places + halves], new.tolist(), strict=True)
        for (one, other), (end, last), count in list(texts)[: n - start]:
            between = "".join(f"{word} " for word in made_up.words(count))
            yield f"{whole[one : end - 1]} {between}{whole[other : last - 1]}"


class _MadeUp:
    """Words that stand nowhere else: the beginning of one word of a corpus and the end of another, each pair once."""

    def __init__(self, known: Counter[str], seed: int):
        self._shares = np.array(list(known.values())) / known.total()
        long = [word for word in known if len(word) > 3] or [*known]
        self._beginnings = [*dict.fromkeys(word[: len(word) // 2 + 1] for word in long)]
        self._ends = [*dict.fromkeys(word[len(word) // 2 :] for word in long)]
        self._next, self._words, self._given = seed * STEP, 0, 0.0

    def counts(self, lengths: np.ndarray) -> np.ndarray:
        """How many of the words of each of the next texts, whose lengths are given, are made up: (n,), at most half."""
        scale, exponent = HEAPS
        ends = self._words + np.cumsum(lengths)
        # what random passages have: a word of share p is in N words with 1 - (1 - p)^N, which is nearly 1 - e^(-pN)
        at = np.linspace(ends[0], ends[-1], 9)
        of_the_corpus = np.interp(ends, at, [-np.expm1(-self._shares * each).sum() for each in at])
        due = np.maximum.accumulate(np.maximum(scale * ends**exponent - of_the_corpus, self._given))
        whole = np.diff(np.floor(due), prepend=np.floor(self._given)).astype(int)
        self._words, self._given = int(ends[-1]), float(due[-1])
        return np.minimum(whole, lengths // 2)

    def words(self, count: int) -> list[str]:
        first = self._next
        self._next += count * STEP
        pairs = len(self._beginnings) * len(self._ends)
        places = (divmod(number % pairs, len(self._ends)) for number in range(first, self._next, STEP))
        return [self._beginnings[one] + self._ends[other] for one, other in places]
