"""Documents by the hundred thousand, one shard after the other: TREC-COVID's, or as many made from a corpus at hand.

Only a shard is in memory. A shard is the same texts each time, so work on shards can be taken up where it stopped.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
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
    """`n` texts: what they are, in words for people (`label`) and as all that decides them (`identity`)."""

    label: str
    n: int
    identity: dict[str, object]
    _source: "Assembled | Real"

    def shards(self) -> Iterator[list[str]]:
        """The texts in shards of SHARD, or less where they are long; the same shards each time."""
        shard: list[str] = []
        size = 0
        for text in self._source.texts(self.n):
            if shard and (len(shard) == SHARD or size + len(text) > CHARACTERS):
                yield shard
                shard, size = [], 0
            shard.append(text)
            size += len(text)
        yield shard


def of(corpus: Corpus, n: int, seed: int) -> Stream:
    """n documents of TREC-COVID if it is here and has as many, otherwise assembled from the corpus with the seed.

    TREC-COVID is never downloaded for this. The shards raise WorkbookError for a fault in its file, naming the line.
    """
    folder = beir_sets.local_folder("trec-covid")
    if folder and n <= beir_sets.BEIR["trec-covid"].documents:
        file = folder / "corpus.jsonl"
        with file.open("rb") as stream:
            identity = {"file": hashlib.file_digest(stream, "sha256").hexdigest(), "n": n}
        return Stream("TREC-COVID", n, identity, Real(file))
    identity = {"corpus": corpus.sha256, "seed": seed, "words": WORDS, "spread": SPREAD, "n": n}
    return Stream(f"assembled from {corpus.name}, seed {seed}", n, identity, Assembled(corpus, seed))


class Real:
    """The first documents of a corpus.jsonl, read line by line."""

    def __init__(self, file: Path):
        self._file = file

    def texts(self, n: int) -> Iterator[str]:
        number = 0
        for number, (_, _, document) in enumerate(corpora.each_document(self._file), start=1):
            yield document.full
            if number == n:
                return
        raise WorkbookError(f"{self._file} ends after {number:,} of {n:,} documents; is it cut short?")


class Assembled:
    """Each text is two passages of the corpus, from two places, so that few are alike; its length varies by chance."""

    def __init__(self, corpus: Corpus, seed: int):
        self._corpus = corpus
        self._seed = seed

    def texts(self, n: int) -> Iterator[str]:
        whole = " ".join(" ".join(self._corpus.document_texts).split())
        # where each word starts; one long text and numbers take a tenth of the memory of a list of words
        starts = np.flatnonzero(np.frombuffer(f" {whole} ".encode("utf-32-le"), dtype=np.uint32) == ord(" "))
        random, most = np.random.default_rng(self._seed), len(starts) - 1
        mean = np.log(WORDS) - SPREAD**2 / 2
        for start in range(0, n, SHARD):
            lengths = np.maximum(2, random.lognormal(mean, SPREAD, (min(SHARD, n - start), 1)).astype(int))
            halves = np.minimum(np.hstack([lengths // 2, lengths - lengths // 2]), most)
            places = random.integers(0, most - halves + 1)
            for (one, other), (end, last) in zip(starts[places], starts[places + halves], strict=True):
                yield f"{whole[one : end - 1]} {whole[other : last - 1]}"
