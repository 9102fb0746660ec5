"""The ways to search that a run measured from text to documents, read back with their scores of every query.

Rows say which there are, and each names the measurement that it came from; that has the judgements and the times.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook import results, statistics
from workbook.baselines import SEARCHED
from workbook.evidence import Evidence
from workbook.statistics import Interval
from workbook.timing import Times

NOTEBOOKS = ("01_static_vs_transformer", "04_quantization_vs_ndcg", "05_train_your_own")  # all queries of the corpus


class Way(NamedTuple):
    """One way to search: how it is stored and searched, NDCG@10 of each query, and what it costs.

    `searched_bytes` is of one document; `latency` milliseconds of a query and `indexing` seconds of a document, one of
    each repeat, both with encoding. `dimension` is None for whole vectors and for words alone.
    """

    label: str
    model: str
    dimension: int | None
    setting: str
    search: str
    notebook: str
    key: str
    scores: pd.Series
    searched_bytes: float
    latency: Times
    indexing: np.ndarray


def read(evidence: Evidence) -> tuple[list[Way], list[str]]:
    """The ways of a run that were measured on the same queries, and sentences on those that cannot be had.

    Of a way that several notebooks measured, the last is taken.
    """
    rows = evidence.rows
    listed = rows[rows["notebook"].isin(NOTEBOOKS) & (rows["metric"] == SEARCHED)]
    found, problems, corpus = {}, [], None
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
        for row in own.itertuples():
            way = _way(row, measured[row.work])
            found[way.label, way.setting, way.search, way.dimension] = way
    return list(found.values()), problems


def find(ways: list[Way], label: str) -> Way | None:
    """The way with that label and whole float32 vectors, or words alone; None if it was not measured."""
    return next((way for way in ways if way.label == label and way.setting in ("", "float32")), None)


def difference(way: Way, other: Way) -> Interval:
    """Interval of the difference in NDCG@10, paired by query."""
    return statistics.mean_difference(way.scores, other.scores)


def times_as_fast(way: Way, other: Way) -> Times:
    """How many times as many documents a second are encoded and indexed, the ratio within each repeat."""
    repeats = min(len(way.indexing), len(other.indexing))
    return Times.of(list(other.indexing[:repeats] / way.indexing[:repeats]))


def _way(row: tuple, values: dict) -> Way:
    text = {
        name: value if isinstance(value := getattr(row, name), str) else "" for name in ("model", "setting", "search")
    }
    return Way(
        row.work, text["model"], None if pd.isna(row.dimension) else int(row.dimension), text["setting"],
        text["search"], row.notebook, row.key, pd.Series(values["judgements"]["ndcg@10"]), row.value,
        Times.of([1000 * seconds for seconds in values["latency"]]), np.array(values["indexing"]),
    )  # fmt: skip
