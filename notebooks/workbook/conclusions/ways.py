"""The ways to search that a run measured from text to documents, read back with their scores of every query.

Rows say which there are, and each names the measurement that it came from; that has the judgements and the times.
"""

from typing import NamedTuple

import pandas as pd

from workbook.conclusions.run_rows import Evidence
from workbook.evaluation import results, statistics
from workbook.evaluation.statistics import Interval
from workbook.evaluation.stopwatch import Times

NOTEBOOKS = ("01_static_vs_transformer", "04_quantization_vs_ndcg", "05_train_your_own")  # all queries of the corpus


class Way(NamedTuple):
    """One way to search: how it is stored and searched, NDCG@10 of each query, and what it costs.

    `dimension` is None for whole vectors and for words alone; `documents` were searched. `searched_bytes` of one
    document, `bytes_computed` where the engine does not tell, None in an older record; `latency`, milliseconds of a
    query, and `indexing`, seconds of a document, are with encoding: median, and range of the queries or the repeats.
    """

    label: str
    model: str
    dimension: int | None
    setting: str
    search: str
    notebook: str
    key: str
    documents: int
    scores: pd.Series
    searched_bytes: float | None
    bytes_computed: bool
    latency: Times
    indexing: Times


def read(evidence: Evidence) -> tuple[list[Way], list[str]]:
    """The ways of a run, each as often as it was measured, and sentences on those that cannot be had."""
    rows = evidence.rows
    listed = rows[rows["notebook"].isin(NOTEBOOKS) & (rows["metric"] == "indexed documents/s")]
    found, problems, corpus = [], [], None
    for (notebook, key), own in listed.groupby(["notebook", "key"], sort=False):
        record = results.read("baselines", key)
        if record is None:
            problems.append(f"The measurement {key} of {notebook} is not kept any more: run it again.")
            continue
        corpus = corpus or record["about"]["corpus"]
        if record["about"]["corpus"] != corpus:
            problems.append(f"{notebook} was run on another corpus than the rest: its ways to search are left out.")
            continue
        measured = {values["label"]: values for values in record["values"]["ways"]}
        found += [_way(row, measured[row.method], record["about"]["documents"]) for row in own.itertuples()]
    return found, problems


def distinct(ways: list[Way]) -> list[Way]:
    """Each way once, as it was measured last."""
    return list({(way.label, way.setting, way.search, way.dimension): way for way in ways}.values())


def find(ways: list[Way], label: str) -> Way | None:
    """The way with that label and whole float32 vectors, or words alone, measured last; None if it was not."""
    whole = [way for way in ways if way.label == label and way.setting in ("", "float32") and way.dimension is None]
    return whole[-1] if whole else None


def difference(way: Way, other: Way) -> Interval:
    """Interval of the difference in NDCG@10, paired by query."""
    return statistics.mean_difference(way.scores, other.scores)


def times_as_fast(way: Way, label: str, ways: list[Way]) -> float | None:
    """How many times as many documents a second a way encodes and indexes as the one with that label: of the medians.

    Both of one measurement, one after the other; None where they were not measured together.
    """
    together = find([other for other in ways if other.key == way.key], label)
    return together.indexing.value / way.indexing.value if together else None


def _way(row: tuple, values: dict, documents: int) -> Way:
    model, setting, search = (name if isinstance(name, str) else "" for name in (row.model, row.setting, row.search))
    return Way(
        row.method, model, None if pd.isna(row.dimension) else int(row.dimension), setting, search,
        row.notebook, row.key, documents, pd.Series(values["judgements"]["ndcg@10"]), values["searched_bytes"],
        values.get("bytes_computed", False),  # Edge's records do not say
        Times.of([1000 * seconds for seconds in values["latency"]]), Times.of(values["indexing"]),
    )  # fmt: skip
