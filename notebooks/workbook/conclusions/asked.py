"""What questions are answered from: rows of a run, its retrieval methods, the two models compared, the margin."""

from typing import NamedTuple

import pandas as pd

from workbook.conclusions.run_rows import Evidence
from workbook.evaluation import statistics
from workbook.experiments.retrieval_methods import MeasuredMethod, find
from workbook.names import TRAINED, with_bm25
from workbook.qdrant.engine import FUSIONS, Search


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

    def alike(self) -> list[tuple[MeasuredMethod, MeasuredMethod]]:
        """The static model and the transformer, with BM25 by the same fusion; first where the static does worse."""
        static, transformer = self.fused(self.best), self.fused(self.transformer)
        pairs = [(static[how], transformer[how]) for how in FUSIONS if how in static and how in transformer]
        return sorted(pairs, key=lambda pair: pair[0].minus(pair[1]).value)


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
