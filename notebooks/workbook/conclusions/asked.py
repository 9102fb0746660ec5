"""What questions are answered from: rows of a run, its retrieval methods, the two models compared, the margin.

The methods are read back with their scores of every query: rows say which there are, and each names the measurement
that it came from; that has the judgements and the times.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.conclusions.run_rows import Evidence
from workbook.evaluation import results, statistics
from workbook.evaluation.statistics import NORMAL, Interval
from workbook.experiments.retrieval_methods import MeasuredMethod, find
from workbook.names import BM25_BY_SHARD, BM25_TOKENS, TRAINED, attention, plain, with_bm25
from workbook.qdrant.engine import FUSIONS, Search

SPEED, QUERY, SIZE, TIMES = "indexed documents/s", "latency ms with encoding", "megabytes", "speed-up"
JUDGING = ("01_static_vs_transformer", "04_quantization_vs_ndcg", "05_train_your_own")  # all queries of the corpus


class Asked(NamedTuple):
    """What a question is answered from: rows, their machine, measured methods, the two models, and the margin.

    The methods are those that search whole float32 vectors, or words alone; `measured` has the compressed ones too.
    """

    rows: pd.DataFrame
    machine: str
    methods: list[MeasuredMethod]
    static: str
    transformer: str
    margin: float
    measured: list[MeasuredMethod]

    def of(self, notebook: str, metric: str, **facts: object) -> pd.DataFrame:
        """Rows of a notebook, by the first two digits of its name, and of a metric, with these facts."""
        found = self.rows[self.rows["notebook"].str.startswith(notebook) & (self.rows["metric"] == metric)]
        for column, value in facts.items():
            found = found[found[column] == value]
        return found

    @property
    def megabytes(self) -> dict[str, float]:
        """Size on disk of each model, 10^6 bytes."""
        sizes = self.rows[(self.rows["metric"] == "megabytes") & self.rows[["setting", "words"]].isna().all(axis=1)]
        return sizes.drop_duplicates("model").set_index("model")["value"].to_dict()

    @property
    def best(self) -> str:
        """The static model to ask with: the one trained here, or else the general one."""
        return TRAINED if self.method(TRAINED) else self.static

    def method(self, label: str) -> MeasuredMethod | None:
        return find(self.methods, label)

    def fused(self, label: str) -> dict[str, MeasuredMethod]:
        """A model with BM25, by each fusion that was measured."""
        return {how: found for how in FUSIONS if (found := self.method(with_bm25(label, how)))}

    def alike(self, label: str = "") -> list[tuple[MeasuredMethod, MeasuredMethod]]:
        """The static model, or another, and the transformer, with BM25 by the same fusion; the worse for it first."""
        static, transformer = self.fused(label or self.best), self.fused(self.transformer)
        pairs = [(static[how], transformer[how]) for how in FUSIONS if how in static and how in transformer]
        return sorted(pairs, key=lambda pair: pair[0].minus(pair[1]).value)


class Score(NamedTuple):
    """A method: where it needs attention, its NDCG@10, and what it takes; over corpora, their mean.

    `documents_per_second` are encoded, stored and indexed, `times` how many times as many as the transformer in
    float32; over corpora both are geometric means. `query_ms` is from text to documents, a median, over corpora the
    mean of these. `megabytes` (10^6 bytes) is the model that encodes queries, 0 without one.
    """

    label: str
    attention: str
    ndcg: Interval
    documents_per_second: float
    times: float
    query_ms: float
    megabytes: float

    @property
    def name(self) -> str:
        """The label in plain words; of codes, those of all dimensions are meant."""
        return re.sub(r", \d+ dimensions", "", plain(self.label))


def methods(evidence: Evidence) -> tuple[list[MeasuredMethod], list[str]]:
    """The methods of a run, each as often as it was measured, and sentences on those that cannot be had."""
    rows = evidence.rows
    listed = rows[rows["notebook"].isin(JUDGING) & (rows["metric"] == "indexed documents/s")]
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


def score_rows(abouts: Mapping[str, Asked], labels: Sequence[str]) -> pd.DataFrame:
    """What `scores` are read from, in the long format of `results`: each of the methods on each corpus, by label."""
    found = []
    for corpus, about in abouts.items():
        for label in labels:
            each = about.method(label) or find(about.measured, label)
            found += _rows(corpus, each, about) if each else []
    return pd.DataFrame(found)


def scores(rows: pd.DataFrame, transformer: str) -> list[Score]:
    """The methods that every corpus has rows of, the best last; over corpora, the interval is over their queries."""
    found, corpora = [], rows["corpus"].nunique() if len(rows) else 0
    for label, own in rows.groupby("method", sort=False) if corpora else []:
        by = {metric: each["value"].to_numpy() for metric, each in own.groupby("metric")}
        if any(len(by.get(name, ())) < corpora for name in ("ndcg@10", SPEED, QUERY, TIMES)):
            continue
        speed, factor = (float(np.exp(np.log(by[name]).mean())) for name in (SPEED, TIMES))
        size = float(by[SIZE].mean()) if SIZE in by else 0.0
        judged = _mean([Interval.of(row) for _, row in own[own["metric"] == "ndcg@10"].iterrows()])
        where = attention(label, [transformer])
        found.append(Score(label, where, judged, speed, factor, float(by[QUERY].mean()), size))
    return sorted(found, key=lambda each: each.ndcg.value)


def table(found: Sequence[Score], transformer: str) -> pd.DataFrame:
    """The methods as people read them, the best first: quality, and what it takes."""
    rival = plain(transformer)
    return pd.DataFrame(
        {
            "method": each.name, "NDCG@10": each.ndcg.text(3), "attention": each.attention,
            f"indexing, times {rival}'s speed": f"{each.times:,.{1 if each.times < 10 else 0}f}",
            "ms a query": f"{each.query_ms:,.{2 if each.query_ms < 10 else 0}f}", "MB": f"{each.megabytes:,.0f}",
        }
        for each in reversed(found)
    )  # fmt: skip


def points(abouts: Mapping[str, Asked]) -> pd.DataFrame:
    """What each method finds and how many bytes of a document it reads: a row per corpus and method.

    Columns: corpus, model, setting, with_bm25, bytes, and value, low, high, n of NDCG@10. Of the fusions, the last.
    """
    made = []
    for corpus, about in abouts.items():
        for each in distinct(about.measured):
            fused = [how for how in FUSIONS if each.label.endswith(with_bm25("", how))]
            doubled = each.label in (BM25_TOKENS, BM25_BY_SHARD) or fused not in ([], [FUSIONS[-1]])
            if each.searched_bytes is None or doubled:
                continue
            model = re.split(r", | \+ ", each.label)[0]  # of "trained, one bit, 384 dimensions + BM25 (rrf)"
            made.append({
                "corpus": corpus, "model": model, "setting": each.setting or "words",
                "with_bm25": bool(fused), "bytes": each.searched_bytes, **statistics.mean(each.scores)._asdict(),
            })  # fmt: skip
    return pd.DataFrame(made)


def of(evidence: Evidence, found: list[MeasuredMethod], margin: float = statistics.MARGIN) -> Asked:
    """What can be asked of a run. The models are those that notebook 01 compares; empty names if it was not run."""
    rows, whole = evidence.rows, [each for each in found if each.is_whole]
    compared = rows[rows["notebook"].str.startswith("01") & (rows["metric"] == "share kept")]
    if compared.empty:
        return Asked(rows, evidence.machine, whole, "", "", margin, found)
    row = compared.iloc[0]
    return Asked(rows, evidence.machine, whole, row["model"], row["against"], margin, found)


def compressed(about: Asked, notebook: str) -> list[tuple[str, float, pd.Series]]:
    """What compressing the static model costs: name, bytes per vector, and row of the difference to the whole vector.

    "03": cuts, searched exactly. "04": settings, whole vectors, as an index has them untold and with the most
    candidates rescored.
    """
    rows = about.of(notebook, "ndcg@10 difference", model=about.static)
    if notebook == "03":
        cuts = rows[rows["search"] == "exact"].sort_values("dimension")[::-1]
        return [(f"{row['dimension']} dimensions", 4.0 * row["dimension"], row) for _, row in cuts.iterrows()]
    rows = rows[(rows["dimension"] == rows["dimension"].max()) & (rows["setting"] != "float32")]
    sizes = about.of("04", "bytes per vector", model=about.static, dimension=rows["dimension"].max())
    size = sizes.drop_duplicates("setting").set_index("setting")["value"]
    rescored = {name: Search.named(name).oversampling or 1 for name in rows["search"] if Search.named(name).rescore}
    searches = ["default-ef", max(rescored, key=rescored.get, default="")]
    return [
        (row["setting"] + ", rescored" * (row["search"] != "default-ef"), size[row["setting"]], row)
        for _, row in rows[rows["search"].isin(searches)].iterrows()
    ]


def _rows(corpus: str, each: MeasuredMethod, about: Asked) -> list[dict[str, object]]:
    names = {"notebook": each.notebook, "corpus": corpus, "method": each.label, "key": each.key}
    if each.model:
        names |= {"model": each.model, "setting": each.setting, "search": each.search, "dimension": each.dimension}
    judged = statistics.mean(each.scores)
    found = [{**names, "metric": "ndcg@10", **judged._asdict()}]
    for metric, taken in ((SPEED, each.documents_per_second), (QUERY, each.query_ms)):
        found.append({**names, "metric": metric, "value": taken.value, "low": taken.low, "high": taken.high})
    if factor := times_as_fast(each, about.transformer, about.methods):
        found.append({**names, "metric": TIMES, "against": about.transformer, "value": factor})
    if each.model in about.megabytes:
        found.append({**names, "metric": SIZE, "value": about.megabytes[each.model]})
    return found


def _mean(each: Sequence[Interval]) -> Interval:
    """The mean over corpora, each drawn of its own queries: how well it is known for these corpora, not for others."""
    if len(each) == 1:
        return each[0]
    value = float(np.mean([one.value for one in each]))
    error = float(np.sqrt(np.sum([one.standard_error**2 for one in each]))) / len(each)
    return Interval(value, value - NORMAL * error, value + NORMAL * error, sum(one.n for one in each), error)
