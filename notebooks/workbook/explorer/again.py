"""The explorer's mark: whether a query would be asked again with attention, and why; see the room `on_demand`."""

from collections.abc import Sequence
from functools import partial

from workbook.corpora.corpora import Corpus
from workbook.evaluation.statistics import MIN_QUERIES
from workbook.experiments.rankings import RetrievalMethod
from workbook.on_demand import combined, signals, threshold, two_searches
from workbook.qdrant.bm25 import Idf, Sparse
from workbook.qdrant.engine import Index

SHARE = 0.3  # of the corpus's own queries, the weakest, would be asked again; their judgements are not read


class Again:
    """A rule set on the first searches of a corpus's own queries: whole float32 vectors, exactly, and BM25."""

    def __init__(self, index: Index, method: RetrievalMethod, corpus: Corpus, words: Sequence[Sparse]):
        """`words` are those of the documents. Too few queries set no rule: nothing is asked again."""
        idf = Idf()
        idf.count(words)
        self._first = partial(two_searches.search_first, index, method, idf=idf, ids=corpus.document_ids)
        found = signals.of(self._first(corpus.query_texts, kept=True), combined.CHOSEN)
        self._rule = threshold.by_share(found, SHARE) if len(found) >= MIN_QUERIES else None

    def why(self, query: str) -> str:
        """The signal that says most for asking a query again, in words; empty if it would not be."""
        if not self._rule:
            return ""
        found = signals.of(self._first([query]), combined.CHOSEN)
        return self._rule.why(found)[0] if self._rule.asks(found).iloc[0] else ""
