"""Judged queries in the explorer: at which rank each method has the right answer, and queries that show who wins."""

from collections.abc import Sequence

from workbook.corpora.corpora import Corpus


class Judged:
    """The judged queries of a corpus by what they say; case and spaces do not matter."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus
        self._queries = {_plain(text): query for query, text in corpus.queries.items()}

    def relevant(self, text: str) -> set[str]:
        """Ids of the documents that answer a query; none for a query that nobody judged.

        A document that is the query itself is none of them where the corpus says so.
        """
        query = self._queries.get(_plain(text))
        grades = self._corpus.qrels.get(query, {})
        return {key for key, grade in grades.items() if grade > 0 and not self._is_itself(query, key)}

    def rank(self, text: str, ranked: Sequence[str]) -> int | None:
        """The rank, from 1, of the first document that answers a query; None if there is none.

        A document that is the query itself is passed over where the corpus says so.
        """
        query, relevant = self._queries.get(_plain(text)), self.relevant(text)
        kept = (key for key in ranked if not self._is_itself(query, key))
        return next((rank for rank, key in enumerate(kept, 1) if key in relevant), None)

    def ranks(self, rankings: Sequence[Sequence[str]]) -> list[int | None]:
        """The same for all queries of the corpus, in its order."""
        return [self.rank(text, ranked) for text, ranked in zip(self._corpus.query_texts, rankings, strict=True)]

    def _is_itself(self, query: str | None, document: str) -> bool:
        return self._corpus.drop_identical and document == query


def example(
    texts: Sequence[str], own: Sequence[int | None], others: Sequence[Sequence[int | None]], most: int
) -> str | None:
    """A query that a method wins: of these texts, the one where it has the right answer first and the others last.

    `own` and `others` are the ranks of that answer for each text. It must be among the first `most` of the method, and
    before all others'; of equals the shortest is taken. None if there is no such query, or no other method.
    """
    found = []
    for text, rank, *rivals in zip(texts, own, *others, strict=True):
        best = min((other for other in rivals if other), default=float("inf"))
        if rivals and rank and rank <= most and rank < best:
            found.append((rank, -best, len(text), text))
    return min(found)[-1] if found else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
