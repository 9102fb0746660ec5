"""What can be told of a corpus before anybody judges: its words, its queries' words, and items that are known.

Words are those of `near_duplicates`: without case, each character a word in scripts without spaces, endings left on. A
query's words are weighed by their IDF in the documents, so that "the" counts little.
"""

from collections.abc import Collection, Sequence
from itertools import chain

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from workbook.corpora import near_duplicates
from workbook.corpora.corpora import Corpus, Document
from workbook.evaluation import evaluation, statistics
from workbook.evaluation.statistics import Interval

SPAN, LEAST = 8, 2  # words of a known item, at most and at least; a document has twice as many or more


def of(corpus: Corpus) -> pd.DataFrame:
    """The facts in the long format of `results`: metric, value, n, and the interval of a mean over queries.

    Medians of words per document and per query; the number of distinct words; and of a query's words, weighed by IDF,
    the share that stands in any document, in the document that has most of them, and in the relevant document that has
    most of them. Only the last needs judgements. A query without a word is left out of the shares, and one without a
    relevant document here of the last. A document that is the query itself is passed over where the corpus says so.
    """
    lengths, distinct, shares = _read(corpus)
    medians = {"words per document": lengths, "words per query": [len(words(text)) for text in corpus.query_texts]}
    found = [{"metric": name, "value": np.median(each), "n": len(each)} for name, each in medians.items()]
    found.append({"metric": "distinct words", "value": distinct, "n": len(lengths)})
    for metric, each in shares.items():
        if len(each):
            found.append({"metric": metric, **statistics.mean(each)._asdict()})
    return pd.DataFrame(found).assign(corpus=corpus.name)


def shared_words(corpus: Corpus) -> pd.Series:
    """Share of a query's words in the relevant document that has most of them, as `of` has it: by query id."""
    return _read(corpus)[2]["query words in the relevant document"]


def words(text: str) -> list[str]:
    """The words of a text, without case; each character of a script without spaces is one."""
    return near_duplicates.words(near_duplicates.plain(text))


def _read(corpus: Corpus) -> tuple[list[int], int, dict[str, pd.Series]]:
    """Words of each document, how many of them are distinct, and the shares of `_shares`."""
    asked = [words(text) for text in corpus.query_texts]
    numbers = {word: number for number, word in enumerate(sorted(set(chain.from_iterable(asked))))}
    lengths, distinct, present = [], set(), []
    for text in corpus.document_texts:  # the words of all of them would not fit into memory
        own = words(text)
        lengths.append(len(own))
        distinct.update(own)
        present.append({numbers[word] for word in own if word in numbers})
    return lengths, len(distinct), _shares(corpus, present, [{numbers[word] for word in own} for own in asked])


def agreement(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]], depth: int = 10) -> Interval:
    """Mean share of the first `depth` results of a query that two rankings have in common, with its interval.

    A query for which one ranking has nothing counts as 0; one for which both have nothing is left out.
    """
    tops = [(set(mine[:depth]), set(theirs[:depth])) for mine, theirs in zip(one, other, strict=True)]
    return statistics.mean(
        pd.Series([len(mine & theirs) / max(len(mine), len(theirs)) for mine, theirs in tops if mine or theirs])
    )


def known_items(corpus: Corpus, count: int = 200, seed: int = 0, among: Collection[str] | None = None) -> Corpus:
    """Ask for documents by words of their own: SPAN words in a row, at most half, are the query and are left out.

    `count` documents are drawn by seed, of those with the ids `among` if these are given; all are searched, under
    their ids. Fewer where not so many have enough words between spaces, and perhaps no query at all.
    """
    random = np.random.default_rng(seed)
    documents, queries = dict(corpus.documents), {}
    keys = [key for key in corpus.document_ids if among is None or key in among]
    for place in random.permutation(len(keys)):
        if len(queries) == count:
            break
        key = keys[place]
        own = documents[key].full.split()
        length = min(SPAN, len(own) // 2)
        if length >= LEAST:
            start = int(random.integers(len(own) - length + 1))
            queries[f"q:{key}"] = " ".join(own[start : start + length])
            documents[key] = Document("", " ".join(own[:start] + own[start + length :]))
    qrels = {query: {query.removeprefix("q:"): 1} for query in queries}
    return Corpus(f"known items of {corpus.name}", documents, queries, qrels)


def _shares(corpus: Corpus, documents: Sequence[set[int]], queries: Sequence[set[int]]) -> dict[str, pd.Series]:
    """Each share of the words of a query, as `of` has them: (queries,) by id, for those that have it.

    `documents` and `queries` have the numbers of those words that a query has.
    """
    count = 1 + max(chain.from_iterable(queries), default=0)
    present, asked = _matrix(documents, count), _matrix(queries, count)
    having = np.bincount(present.indices, minlength=count)
    idf = np.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
    weights, having_words = asked.multiply(idf).tocsr(), present.T.tocsr()
    places = {key: place for place, key in enumerate(corpus.documents)}
    best, relevant = np.zeros(len(queries)), np.full(len(queries), np.nan)
    for some in evaluation.slices(len(queries), len(documents)):
        shared = (weights[some] @ having_words).toarray()
        for row, query in enumerate(list(corpus.queries)[some]):
            if corpus.drop_identical and query in places:
                shared[row, places[query]] = 0
            judged = [places[key] for key, grade in corpus.qrels[query].items() if grade > 0 and key in places]
            best[some.start + row] = shared[row].max()
            relevant[some.start + row] = shared[row, judged].max() if judged else np.nan
    known, total = asked @ (idf * (having > 0)), asked @ idf
    total[total == 0] = np.nan
    named = {"corpus": known, "best matching document": best, "relevant document": relevant}
    of_query = pd.Index(corpus.queries, name="query")
    return {f"query words in the {where}": pd.Series(each / total, of_query).dropna() for where, each in named.items()}


def _matrix(texts: Sequence[set[int]], count: int) -> csr_matrix:
    """Which of the numbered words each text has: sparse (texts, count), of ones."""
    ends = np.cumsum([0, *map(len, texts)])
    flat = np.fromiter(chain.from_iterable(map(sorted, texts)), dtype=np.int32, count=ends[-1])
    return csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(texts), count))
