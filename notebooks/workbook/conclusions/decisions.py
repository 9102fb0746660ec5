"""Which way to search fits a place - a phone, a server - and finds the most there: a decision table.

A place has so many documents and limits: memory, time to index, time for a query. Of the ways that fit, the one that
finds the most on half of the queries is chosen, and the other half reports on it. Sizes and times of the place are the
measured ones of a document, multiplied, with the computed size where the engine does not tell it; its processor is
taken to be so many times slower than this machine. The time of a query is the measured one; that of an exact search,
which reads all documents, is multiplied by their number too. That of one by HNSW or by words is not, though it grows
somewhat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from workbook.conclusions.asked import Asked, distinct
from workbook.errors import WorkbookError
from workbook.evaluation import statistics
from workbook.evaluation.statistics import Interval
from workbook.experiments.retrieval_methods import MeasuredMethod

LIMITS = {"memory_mb": "MB", "index_hours": "h to index", "query_ms": "ms a query"}  # of a place, with their units


@dataclass(frozen=True)
class Place:
    """Where a search has to run: how many documents, and what they may take.

    `memory_mb` (10^6 bytes) is for the model and what a search reads: codes, graph, words; original vectors and texts
    stay on disk. `slower`: how many times slower than this machine its processor is taken to be.
    """

    documents: int
    memory_mb: float
    index_hours: float
    query_ms: float
    slower: float = 1.0

    @classmethod
    def of(cls, **values: Any) -> "Place":
        """A place from plain values, as a notebook's parameter gives them; WorkbookError for what makes no sense."""
        known = [field.name for field in fields(cls)]
        if set(values) - set(known) or set(known[:-1]) - set(values):
            raise WorkbookError(f"a place has {', '.join(known)}, the last one if you like; not {', '.join(values)}")
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise WorkbookError(f"{name} must be a number above 0, not {value!r}")
        return cls(**values)


@dataclass(frozen=True)
class Needs:
    """What a way takes at a place: memory in MB (10^6 bytes), hours to encode and index, milliseconds of a query.

    `memory_computed`: what a search reads was computed, not measured.
    """

    memory_mb: float
    index_hours: float
    query_ms: float
    memory_computed: bool = False

    def beyond(self, place: Place) -> list[str]:
        """The limits of the place that are exceeded, in words."""
        return [
            f"{getattr(self, name):,.3g} {unit}"
            for name, unit in LIMITS.items()
            if getattr(self, name) > getattr(place, name)
        ]


@dataclass(frozen=True)
class Decision:
    """The choice for a place, what it takes, and what the reporting half says: NDCG@10, and against the transformer.

    `way` is None where nothing fits, and then `needs` are those of the way that takes the least memory. `rival` are the
    limits that the transformer alone exceeds, stored as it fits best; empty if it fits too.
    """

    place: str
    way: MeasuredMethod | None
    needs: Needs
    fitting: int
    score: Interval | None
    difference: Interval | None
    rival: list[str]
    transformer: str


def needs(way: MeasuredMethod, place: Place, megabytes: Mapping[str, float]) -> Needs:
    """What a way takes at a place; `megabytes`: size of each model. Words alone need no model."""
    more = max(1, place.documents / way.documents) if way.search == "exact" else 1
    return Needs(
        memory_mb=(megabytes[way.model] if way.model else 0) + place.documents * way.searched_bytes / 1e6,
        index_hours=place.slower * place.documents * float(np.median(way.indexing)) / 3600,
        query_ms=place.slower * more * way.query_ms.value,
        memory_computed=way.bytes_computed,
    )


def decide(
    ways: Sequence[MeasuredMethod], transformer: MeasuredMethod | None, places: Mapping[str, Place],
    megabytes: Mapping[str, float], seed: int = 0,
) -> list[Decision]:  # fmt: skip
    """Choose for each place among the ways whose size and model's size are known; queries are halved by `seed`.

    Raises WorkbookError where the transformer was not measured, or for fewer queries than two halves can decide with.
    """
    if transformer is None or transformer.model not in megabytes:
        raise WorkbookError("there is no transformer to compare with: run notebook 01_static_vs_transformer first")
    n = len(transformer.scores)
    if n < 2 * statistics.MIN_QUERIES:
        raise WorkbookError(f"{n} queries are too few to choose by one half and report on the other")
    choosing, reporting = statistics.halves(n, seed)
    known = [way for way in ways if way.searched_bytes is not None and (not way.model or way.model in megabytes)]
    if not known:
        raise WorkbookError("of no way to search the bytes are known: run notebooks 01 and 05 again")
    return [_decide(name, place, known, transformer, megabytes, choosing, reporting) for name, place in places.items()]


def decide_each(
    asked: Mapping[str, Asked], places: Mapping[str, Place], seed: int = 0
) -> tuple[dict[str, list[Decision]], list[str]]:  # fmt: skip
    """Choose for each place on each corpus, by name; and sentences on corpora on which nothing can be chosen.

    Raises WorkbookError if that is so on all of them.
    """
    found, problems = {}, []
    for corpus, about in asked.items():
        transformer = about.method(about.transformer)
        try:
            found[corpus] = decide(distinct(about.measured), transformer, places, about.megabytes, seed)
        except WorkbookError as error:
            problems.append(f"{corpus}: {error}")
    if not found:
        raise WorkbookError(problems[0])
    return found, problems


def table(decisions: Sequence[Decision], places: Mapping[str, Place]) -> pd.DataFrame:
    """The decisions as people read them: a column for each place."""
    found = {}
    for one in decisions:
        place, way = places[one.place], one.way
        is_rival = bool(way) and way.label == one.transformer and way.is_whole
        computed = " (computed)" if one.needs.memory_computed else ""
        rival = "fits too" if not one.rival else f"does not fit: {', '.join(one.rival)}"
        found[one.place] = {
            "documents": f"{place.documents:,}",
            "use": way.label if way else "nothing fits; the least memory would be",
            "stored and searched": _setting(way) if way else "",
            "NDCG@10": one.score.text(3) if way else "",
            f"against {one.transformer}": "" if not way or is_rival else one.difference.text(3),
            "memory (MB)": f"{one.needs.memory_mb:,.3g}{computed} of {place.memory_mb:,.6g}",
            "to index (h)": f"{one.needs.index_hours:,.2g} of {place.index_hours:g}",
            "a query (ms)": f"{one.needs.query_ms:,.2g} of {place.query_ms:g}",
            f"{one.transformer} there": "" if is_rival else rival,
        }
    return pd.DataFrame(found)


def rows(decisions: Sequence[Decision], corpus: str) -> pd.DataFrame:
    """What the table shows, in the long format of `results`; `scenario` names the place."""
    found = []
    for one in decisions:
        way = one.way
        names = {"corpus": corpus, "scenario": one.place, "method": way.label if way else None}
        if way:
            names |= {"model": way.model, "dimension": way.dimension, "setting": way.setting, "search": way.search}
            names |= {"key": way.key}
            reported = {**names, "part": statistics.REPORTED}
            against = {**reported, "against": one.transformer}
            found.append({**reported, "metric": "ndcg@10", **one.score._asdict()})
            found.append({**against, "metric": "ndcg@10 difference", **one.difference._asdict()})
        computed = "computed " if one.needs.memory_computed else ""
        for name in LIMITS:
            metric = f"place: {computed if name == 'memory_mb' else ''}{name}"
            found.append({**names, "metric": metric, "value": getattr(one.needs, name)})
    return pd.DataFrame(found)


def _decide(
    name: str, place: Place, ways: Sequence[MeasuredMethod], transformer: MeasuredMethod,
    megabytes: Mapping[str, float], choosing: np.ndarray, reporting: np.ndarray,
) -> Decision:  # fmt: skip
    taken = {id(way): needs(way, place, megabytes) for way in ways}
    alone = [way for way in ways if way.label == transformer.label]
    rival = min((taken[id(way)].beyond(place) for way in alone), key=len, default=["its size is not known"])
    fitting = [way for way in ways if not taken[id(way)].beyond(place)]
    if not fitting:
        least = min(taken.values(), key=lambda each: each.memory_mb)
        return Decision(name, None, least, 0, None, None, rival, transformer.label)
    best = max(fitting, key=lambda way: (way.scores.iloc[choosing].mean(), -way.searched_bytes))
    scores, other = best.scores.iloc[reporting], transformer.scores.iloc[reporting]
    return Decision(
        name, best, taken[id(best)], len(fitting), statistics.mean(scores), statistics.mean_difference(scores, other),
        rival, transformer.label,
    )  # fmt: skip


def _setting(way: MeasuredMethod) -> str:
    if not way.model:
        return "words"
    cut = f"{way.dimension} dimensions" if way.dimension else "whole vectors"
    return f"{way.setting}, {cut}, {way.search}"
