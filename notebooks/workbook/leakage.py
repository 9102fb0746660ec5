"""How much a split of judged queries that was trained on tells of the split that is reported on."""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from workbook import near_duplicates
from workbook.corpora import Corpus

NEAR = 0.5  # share of words in common (Jaccard) from which two queries say nearly the same, or just its negation


def overlap(train: Corpus, test: Corpus) -> pd.DataFrame:
    """Say of each test query whether training has seen its like: a frame (test queries,), indexed by query id.

    Columns: `same document`, one relevant to it is relevant to a train query too; `nearest`, the largest share of words
    it has in common with a train query (Jaccard); `near`, whether that is NEAR or more; `unseen`, neither of both.
    """
    seen = {document for grades in train.qrels.values() for document, grade in grades.items() if grade > 0}
    same = [
        any(grade > 0 and document in seen for document, grade in test.qrels[query].items()) for query in test.queries
    ]
    words = CountVectorizer(binary=True, analyzer=_words).fit([*train.query_texts, *test.query_texts])
    asked, trained = (words.transform(texts) for texts in (test.query_texts, train.query_texts))
    shared = (asked @ trained.T).toarray()
    either = asked.sum(axis=1).reshape(-1, 1) + trained.sum(axis=1).reshape(1, -1) - shared
    nearest = np.asarray(shared / np.maximum(either, 1)).max(axis=1)
    frame = pd.DataFrame({"same document": same, "nearest": nearest}, index=pd.Index(test.queries, name="query"))
    return frame.assign(near=frame["nearest"] >= NEAR, unseen=~frame["same document"] & (frame["nearest"] < NEAR))


def _words(text: str) -> list[str]:
    """The words of a query; of one that has none, of signs alone, what it is."""
    form = near_duplicates.plain(text)
    return near_duplicates.words(form) or [form]
