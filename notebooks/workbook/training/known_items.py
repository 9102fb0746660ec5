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

    The anchors are titles; where most documents have none, summaries, and where they have none either, sentences.
    Documents that are not held out are drawn by seed to fill the POOL.
    Raises WorkbookError if the documents give no pair at all.
    """
    others = [key for key in documents if key not in held_out]
    room = min(len(others), max(0, POOL - len(held_out)))
    drawn = np.random.default_rng(seed).choice(len(others), room, replace=False)
    pool = set(held_out) | {others[number] for number in drawn}
    made = pairs.make({key: documents[key] for key in documents if key in pool}, pairs.KINDS, 1, seed)
    for kind in pairs.KINDS:
        own = {pair.document: pair for pair in made if pair.kind == kind}
        asked = {key: pair.anchor for key, pair in own.items() if key in held_out}
        if len(asked) > len(held_out) / 2:
            found = {key: Document("", pair.positive) for key, pair in own.items()}
            return Corpus(f"held-out {kind} pairs", found, asked, {key: {key: 1} for key in asked})
    raise WorkbookError(
        "most documents have neither a title nor a second sentence of some length: nothing to hold out and search for; "
        "give titles, or longer texts whose sentences end in a mark (. ! ? or their script's own)"
    )


def score(encode: Encode, corpus: Corpus) -> pd.Series:
    """NDCG@10 of each query of `build`, whole float32 vectors searched exactly: (queries,), indexed by document.

    A query of zeros, of which the model knows nothing, finds nothing.
    """
    documents, queries = (encode(texts) for texts in (corpus.document_texts, corpus.query_texts))
    documents, queries = (vectors.truncate(rows, rows.shape[1]) for rows in (documents, queries))
    similar = np.where(queries.any(axis=1, keepdims=True), queries @ documents.T, -np.inf)
    return evaluation.judge(corpus, evaluation.order_all(similar, corpus.document_ids))["ndcg@10"]
