"""The retrieval methods that a run measured, read back with their scores of every query.

Rows say which there are, and each names the measurement that it came from; that has the judgements and the times.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbook.conclusions.run_rows import Evidence
from workbook.evaluation import results
from workbook.experiments.retrieval_methods import MeasuredMethod, find

NOTEBOOKS = ("01_static_vs_transformer", "04_quantization_vs_ndcg", "05_train_your_own")  # all queries of the corpus


def read(evidence: Evidence) -> tuple[list[MeasuredMethod], list[str]]:
    """The methods of a run, each as often as it was measured, and sentences on those that cannot be had."""
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
        found += [_method(row, measured[row.method], record["about"]["documents"]) for row in own.itertuples()]
    return found, problems


def distinct(methods: Sequence[MeasuredMethod]) -> list[MeasuredMethod]:
    """Each method once, as it was measured last."""
    return list({(each.label, each.setting, each.search, each.dimension): each for each in methods}.values())


def times_as_fast(method: MeasuredMethod, label: str, methods: Sequence[MeasuredMethod]) -> float | None:
    """How many times as many documents a second a method encodes and indexes as the one with that label.

    A ratio of medians, of one measurement, which took both in turn; None where they were not measured together.
    """
    together = find([other for other in methods if other.key == method.key], label)
    return float(np.median(together.indexing) / np.median(method.indexing)) if together else None


def _method(row: tuple, values: dict, documents: int) -> MeasuredMethod:
    model, setting, search = (name if isinstance(name, str) else "" for name in (row.model, row.setting, row.search))
    dimension = None if pd.isna(row.dimension) else int(row.dimension)
    judged = pd.DataFrame(values["judgements"])
    return MeasuredMethod(
        model=model, dimension=dimension, setting=setting, search=search, notebook=row.notebook, key=row.key,
        documents=documents, **{**values, "judgements": judged},
    )  # fmt: skip
