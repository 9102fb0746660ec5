"""The ladder from no attention to attention always: what each way to encode finds, and what it takes.

A table of vectors may be read for documents and queries; a transformer may encode the documents once and a table the
queries; or the transformer both. Others' published numbers stand beside what could not be run.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from workbook.embedding.models import MODELS
from workbook.evaluation import statistics
from workbook.evaluation.statistics import Interval, with_range
from workbook.evaluation.stopwatch import Times
from workbook.experiments.retrieval_methods import MeasuredMethod, find
from workbook.names import ALWAYS, BM25, INDEXING, NOWHERE, attention, with_bm25
from workbook.qdrant.engine import FUSIONS

FUSION = FUSIONS[-1]


class Step(NamedTuple):
    """A way to encode: where it needs attention, NDCG@10 alone, with BM25 and in one bit, and what it takes.

    `documents_per_second` are encoded, stored and indexed, `query_ms` is from text to documents. `megabytes` is the
    model that encodes queries, which a device carries. None is what was not measured, `published` that others did.
    """

    label: str
    attention: str
    score: Interval
    with_bm25: Interval | None = None
    one_bit: Interval | None = None
    documents_per_second: Times | None = None
    queries_per_second: Times | None = None
    query_ms: Times | None = None
    megabytes: float | None = None
    published: bool = False


def steps(
    methods: Sequence[MeasuredMethod], one_bit: Mapping[str, pd.Series], transformer: str,
    megabytes: Mapping[str, float], published: Mapping[str, float],
) -> list[Step]:  # fmt: skip
    """The ladder of the methods that `one_bit` has NDCG@10 of each query for, by label; from the bottom up, BM25 first.

    `megabytes` are models', by name; `published` are others' mean NDCG@10, by model: of registered static models that
    were not run they are steps too.
    """
    found = [
        Step(f"{name} (published)", NOWHERE, Interval(value, float("nan"), float("nan"), 0), published=True)
        for name, value in published.items()
        if name in MODELS and MODELS[name].kind == "static" and name not in megabytes
    ]
    for each in methods:
        if each.is_whole and each.label in (BM25, *one_bit):
            fused, bits = find(methods, with_bm25(each.label, FUSION)), one_bit.get(each.label)
            step = Step(
                each.label, attention(each.label, [transformer]), statistics.mean(each.scores),
                statistics.mean(fused.scores) if fused else None, None if bits is None else statistics.mean(bits),
                each.documents_per_second, each.queries_per_second, each.query_ms, megabytes.get(each.model),
            )  # fmt: skip
            found.append(step)
    order = [NOWHERE, INDEXING, ALWAYS]
    return sorted(found, key=lambda step: (order.index(step.attention), step.label != BM25, step.score.value))


def table(ladder: Sequence[Step]) -> pd.DataFrame:
    """The ladder as people read it: a row for each step."""
    found = {}
    for step in ladder:
        times = {
            "documents/s": (step.documents_per_second, ",.0f"), "queries/s": (step.queries_per_second, ",.0f"),
            "one query (ms)": (step.query_ms, ",.2f"),
        }  # fmt: skip
        found[step.label] = {
            "attention": step.attention,
            "NDCG@10": f"{step.score.value:.3f}" if step.published else step.score.text(3),
            f"with BM25 ({FUSION})": step.with_bm25.text(3) if step.with_bm25 else "",
            "one bit": step.one_bit.text(3) if step.one_bit else "",
            **{name: with_range(*times_[:3], digits) if times_ else "" for name, (times_, digits) in times.items()},
            "MB for queries": f"{step.megabytes:,.1f}" if step.megabytes else "",
        }
    return pd.DataFrame.from_dict(found, orient="index")
