"""What can be told of a corpus before anybody judges: its words, its queries' words, and items that are known.

Words are those of `near_duplicates`: without case, each character a word in scripts without spaces, endings left on. A
query's words are weighed by their IDF in the documents, so that "the" counts little.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from workbook.corpora import near_duplicates
from workbook.corpora.corpora import Corpus, Document
from workbook.evaluation import statistics
from workbook.evaluation.statistics import Interval

SPAN, LEAST = 8, 2  # words of a known item, at most and at least; a document has twice as many or more
CHUNK = 256  # queries whose words are looked for in all documents at once


def of(corpus: Corpus) -> pd.DataFrame:
    """The facts in the long format of `results`: metric, value, n, and the interval of a mean over queries.

    Medians of words per document and per query; the number of distinct words; and of a query's words, weighed by IDF,
    the share that stands in any document, in the document that has most of them, and in the relevant document that has
    most of them. Only the last needs judgements. A query without a word is left out of the shares, and one without a
    relevant document here of the last. A document that is the query itself is passed over where the corpus says so.
    """
    documents, queries = ([words(text) for text in texts] for texts in (corpus.document_texts, corpus.query_texts))
    distinct = set(chain.from_iterable(documents))
    counts = {"words per document": documents, "words per query": queries}
    found = [{"metric": name, "value": np.median([*map(len, each)]), "n": len(each)} for name, each in counts.items()]
    found.append({"metric": "distinct words", "value": len(distinct), "n": len(documents)})
    for metric, shares in _shares(corpus, documents, queries).items():
        if len(shares):
            found.append({"metric": metric, **statistics.mean(shares)._asdict()})
    return pd.DataFrame(found).assign(corpus=corpus.name)


def words(text: str) -> list[str]:
    """The words of a text, without case; each character of a script without spaces is one."""
    return near_duplicates.words(near_duplicates.plain(text))


def agreement(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]], depth: int = 10) -> Interval:
    """Mean share of the first `depth` results of a query that two rankings have in common, with its interval.

    A query for which one ranking has nothing counts as 0; one for which both have nothing is left out.
    """
    tops = [(set(mine[:depth]), set(theirs[:depth])) for mine, theirs in zip(one, other, strict=True)]
    return statistics.mean(
        pd.Series([len(mine & theirs) / max(len(mine), len(theirs)) for mine, theirs in tops if mine or theirs])
    )


def known_items(corpus: Corpus, count: int = 200, seed: int = 0) -> Corpus:
    """Ask for documents by words of their own: SPAN words in a row, at most half, are the query and are left out.

    `count` documents are drawn by seed; all are searched, under their ids. Fewer where not so many have enough words
    between spaces, and perhaps no query at all.
    """
    random = np.random.default_rng(seed)
    documents, queries, keys = dict(corpus.documents), {}, corpus.document_ids
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


def _shares(corpus: Corpus, documents: Sequence[list[str]], queries: Sequence[list[str]]) -> dict[str, pd.Series]:
    """Each share of the words of a query, as `of` has them: (queries,) by id, for those that have it."""
    numbers = {word: number for number, word in enumerate(sorted(set(chain.from_iterable(queries))))}
    present, asked = _matrix(documents, numbers), _matrix(queries, numbers)
    having = np.bincount(present.indices, minlength=len(numbers))
    idf = np.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
    weights, having_words = asked.multiply(idf).tocsr(), present.T.tocsr()
    places = {key: place for place, key in enumerate(corpus.documents)}
    best, relevant = np.zeros(len(queries)), np.full(len(queries), np.nan)
    for start in range(0, len(queries), CHUNK):
        shared = (weights[start : start + CHUNK] @ having_words).toarray()
        for row, query in enumerate(list(corpus.queries)[start : start + CHUNK]):
            if corpus.drop_identical and query in places:
                shared[row, places[query]] = 0
            judged = [places[key] for key, grade in corpus.qrels[query].items() if grade > 0 and key in places]
            best[start + row] = shared[row].max()
            relevant[start + row] = shared[row, judged].max() if judged else np.nan
    known, total = asked @ (idf * (having > 0)), asked @ idf
    total[total == 0] = np.nan
    named = {"corpus": known, "best matching document": best, "relevant document": relevant}
    of_query = pd.Index(corpus.queries, name="query")
    return {f"query words in the {where}": pd.Series(each / total, of_query).dropna() for where, each in named.items()}


def _matrix(texts: Sequence[list[str]], numbers: dict[str, int]) -> csr_matrix:
    """Which of the numbered words each text has, once: sparse (texts, words), of ones."""
    columns = [sorted({numbers[word] for word in text if word in numbers}) for text in texts]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.fromiter(chain.from_iterable(columns), dtype=np.int32, count=ends[-1])
    return csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(texts), len(numbers)))
