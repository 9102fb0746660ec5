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
from workbook.experiments.retrieval_methods import MeasuredMethod, find
from workbook.names import BM25_BY_SHARD, BM25_TOKENS, TRAINED, with_bm25
from workbook.qdrant.engine import FUSIONS, Search

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
