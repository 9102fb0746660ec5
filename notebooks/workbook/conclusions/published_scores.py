"""Others' numbers beside ours: data/published.csv, each value with its source, compared with the rows of a run."""

import pandas as pd

from workbook import paths
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.names import BM25

FILE = paths.ROOT / "data" / "published.csv"
SAME = 0.0005  # what rounding and float32 may differ by
OUR_VALUE = ["ours", "low", "high", "n"]


def read() -> pd.DataFrame:
    """The published values: dataset, model, setting, search, metric, value, source.

    Raises WorkbookError for a row without value or source.
    """
    frame = results.read_table(FILE, {"dimension": "Int64", "value": float})
    if frame[["value", "source"]].isna().any(axis=None):
        raise WorkbookError(f"{FILE.name}: every published value needs its source")
    return frame


def scores(dataset: str) -> dict[str, float]:
    """NDCG@10 that others published for a dataset, of whole float32 vectors or of BM25: model -> score.

    The first where there are several; nothing for a dataset nobody has published anything for.
    """
    frame = read()
    own = frame[(frame["dataset"] == dataset) & (frame["metric"] == "ndcg@10") & (frame["setting"] != "binary")]
    return own.drop_duplicates("model").set_index("model")["value"].to_dict()


def as_published(baselines: pd.DataFrame) -> pd.DataFrame:
    """BM25's rows of a notebook's baselines, named as a published value of BM25 is, for `compare`."""
    words = baselines[(baselines["method"] == BM25) & (baselines["metric"] == "ndcg@10")]
    return words.assign(model=BM25, dimension=0, setting="sparse", search="exact")


def compare(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay our rows, of whole vectors, beside each published value: difference, our interval, and a verdict.

    `same` is within SAME; otherwise the published value lies in our interval or outside it; `not run` where this run
    has no such row.
    """
    widest = rows.groupby("model")["dimension"].transform("max") == rows["dimension"]
    ours = rows[widest].rename(columns={"corpus": "dataset", "value": "ours"})
    keys = ["dataset", "model", "setting", "search", "metric"]
    table = read().merge(ours[[*keys, *OUR_VALUE]], on=keys, how="left")
    table["difference"] = table["ours"] - table["value"]
    table["verdict"] = [_verdict(row) for row in table.itertuples()]
    return table


def _verdict(row: tuple) -> str:
    if pd.isna(row.ours):
        return "not run"
    if abs(row.difference) <= SAME:
        return "same"
    return "in our interval" if row.low <= row.value <= row.high else "outside our interval"
