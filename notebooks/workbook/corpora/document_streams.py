"""Documents by the hundred thousand: TREC-COVID's, or as many made from a corpus at hand.

They come in shards, of which one is in memory. The shards are the same each time, so that work on them can be resumed.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from workbook.corpora import beir_sets, corpora
from workbook.corpora.corpora import Corpus
from workbook.errors import WorkbookError

SHARD = 2_048  # documents
CHARACTERS = 8_000_000  # a shard ends earlier if its texts are this long together
WORDS = 161  # mean of TREC-COVID's documents; source: Thakur et al., BEIR, NeurIPS 2021, table 1
SPREAD = 0.6  # standard deviation of the logarithm of the lengths


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


def of(corpus: Corpus, n: int, seed: int) -> Stream:
    """A stream of TREC-COVID's documents if the set is here and has as many, else of texts assembled from the corpus.

    TREC-COVID is never downloaded for this. The shards raise WorkbookError for a fault in its file, naming the line.
    """
    folder = beir_sets.local_folder("trec-covid")
    if folder and n <= beir_sets.BEIR["trec-covid"].documents:
        file = folder / "corpus.jsonl"
        with file.open("rb") as stream:
            identity = {"file": hashlib.file_digest(stream, "sha256").hexdigest(), "n": n}
        return Stream("TREC-COVID", n, identity, partial(first, file, n))
    identity = {"corpus": corpus.sha256, "seed": seed, "words": WORDS, "spread": SPREAD, "n": n}
    return Stream(f"assembled from {corpus.name}, seed {seed}", n, identity, partial(assembled, corpus, n, seed))


def first(file: Path, n: int) -> Iterator[str]:
    """Yield the first n documents of a corpus.jsonl, read line by line."""
    number = 0
    for number, (_, _, document) in enumerate(corpora.each_document(file), start=1):
        yield document.full
        if number == n:
            return
    raise WorkbookError(f"{file} ends after {number:,} of {n:,} documents; is it cut short?")


def assembled(corpus: Corpus, n: int, seed: int) -> Iterator[str]:
    """Yield n texts of varying length. Each is two passages from two places of the corpus, so that few are alike."""
    whole = " ".join(" ".join(corpus.document_texts).split())
    # where each word starts; one long text and numbers take a tenth of the memory of a list of words
    starts = np.flatnonzero(np.frombuffer(f" {whole} ".encode("utf-32-le"), dtype=np.uint32) == ord(" "))
    random, most = np.random.default_rng(seed), len(starts) - 1
    mean = np.log(WORDS) - SPREAD**2 / 2
    for start in range(0, n, SHARD):
        lengths = np.maximum(2, random.lognormal(mean, SPREAD, (min(SHARD, n - start), 1)).astype(int))
        halves = np.minimum(np.hstack([lengths // 2, lengths - lengths // 2]), most)
        places = random.integers(0, most - halves + 1)
        for (one, other), (end, last) in zip(starts[places], starts[places + halves], strict=True):
            yield f"{whole[one : end - 1]} {whole[other : last - 1]}"
