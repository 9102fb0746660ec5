"""How well a model finds the document that a held-out anchor was taken from: a score that needs no judgement.

Training is stopped and settings are chosen by it, without a query or a judgement of the corpus.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from workbook.corpora import pairs
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import vectors
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation

POOL = 2_500  # documents searched at most, the held-out ones among them: searched in a second or two

Encode = Callable[[Sequence[str]], np.ndarray]


def build(documents: Mapping[str, Document], held_out: Collection[str], seed: int = 0) -> Corpus:
    """Make a corpus: an anchor of each held-out document is a query, the positives are searched.

    The anchors are of the first kind in `pairs.KINDS` that most held-out documents have; where there is no such kind,
    each document's own first. Documents that are not held out are drawn by seed to fill the POOL.
    Raises WorkbookError if most held-out documents give no pair at all.
    """
    others = [key for key in documents if key not in held_out]
    room = min(len(others), max(0, POOL - len(held_out)))
    drawn = np.random.default_rng(seed).choice(len(others), room, replace=False)
    pool = set(held_out) | {others[number] for number in drawn}
    made = pairs.make({key: documents[key] for key in documents if key in pool}, pairs.KINDS, 1, seed)
    for kind in (*pairs.KINDS, "mixed"):
        own = {pair.document: pair for pair in reversed(made) if kind in (pair.kind, "mixed")}
        asked = {key: own[key].anchor for key in documents if key in own and key in held_out}
        if len(asked) > len(held_out) / 2:
            found = {key: Document("", own[key].positive) for key in documents if key in own}
            return Corpus(f"held-out {kind} pairs", found, asked, {key: {key: 1} for key in asked})
    raise WorkbookError("most documents have one word or none: nothing to hold out and search for; give longer texts")


def score(encode: Encode, corpus: Corpus, documents: np.ndarray | None = None) -> pd.Series:
    """NDCG@10 of each query of `build`, whole float32 vectors searched exactly: (queries,), indexed by document.

    `documents`: their vectors, float32 (documents, d), where another model made them. A query of zeros, of which the
    model knows nothing, finds nothing.
    """
    queries = encode(corpus.query_texts)
    documents = encode(corpus.document_texts) if documents is None else documents
    documents, queries = (vectors.truncate(rows, rows.shape[1]) for rows in (documents, queries))
    similar = np.where(queries.any(axis=1, keepdims=True), queries @ documents.T, -np.inf)
    return evaluation.judge(corpus, evaluation.order_all(similar, corpus.document_ids))["ndcg@10"]
