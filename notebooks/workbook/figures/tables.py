"""Tables as people see them: values in words, and below each which rows its numbers are from.

A row is found by its metric and by the key of its measurement; both stand in the rows that a notebook publishes.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from workbook import written
from workbook.evaluation import results
from workbook.evaluation.metrics import METRICS


def table(rows: pd.DataFrame, index: Sequence[str], metrics: Sequence[str]) -> Styler:
    """Rows as people read them: a column per metric they have, each cell "value [low, high]" if there is a range."""
    found = rows[rows["metric"].isin(metrics)]
    texts = found.assign(text=[_text(row) for row in found.itertuples()])
    wide = texts.pivot_table(index=list(index), columns="metric", values="text", aggfunc="first", sort=False)
    labels = {name: METRICS[name].label for name in metrics if name in wide}
    wide = wide.reindex(columns=list(labels)).rename(columns=labels).rename_axis(columns=None)
    return sourced(wide.astype(object).fillna(""), found)


def crossed(rows: pd.DataFrame, metric: str, index: Sequence[str] = ()) -> Styler:
    """One metric of rows whose work is "one, other": a row for each `index` and one, a column for each other.

    A work without a comma is all other.
    """
    found = rows[rows["metric"] == metric]
    parts = found["work"].str.rpartition(", ")
    texts = found.assign(one=parts[0], other=parts[2], text=[_text(row) for row in found.itertuples()])
    names = [*index, *(["one"] if parts[0].any() else [])]
    wide = texts.pivot_table(index=names, columns="other", values="text", aggfunc="first", sort=False)
    wide = wide.rename_axis(index={"one": METRICS[metric].label}, columns=None)
    return sourced(wide.astype(object).fillna(""), found)


def sourced(frame: pd.DataFrame, rows: pd.DataFrame, digits: int = 4) -> Styler:
    """Any table, with a caption that says which rows of the run it shows; numbers get so many digits."""
    caption = source(rows)
    name = hashlib.sha256(f"{caption}{list(frame.columns)}".encode()).hexdigest()[:8]
    styler = written.table(frame, name, digits).set_caption(written.escaped(caption))
    styler.set_table_styles([{"selector": "caption", "props": "caption-side: bottom; text-align: left"}])
    counts = [name for name in frame.select_dtypes("number") if (frame[name].dropna() % 1 == 0).all()]
    return styler.format("{:,.0f}", subset=counts, na_rep="")


def source(rows: pd.DataFrame) -> str:
    """The run, the number of rows, their metrics, and the keys of the measurements they come from."""
    if rows.empty:
        return f"Run {results.run_name()}: no rows"
    metrics = ", ".join(dict.fromkeys(rows["metric"]))
    keys = list(dict.fromkeys(rows["key"].dropna())) if "key" in rows else []
    told = f"; keys {', '.join(keys[: results.KEYS_TOLD])}" if keys else ""
    more = f" and {len(keys) - results.KEYS_TOLD} more" if len(keys) > results.KEYS_TOLD else ""
    return f"Run {results.run_name()}, {len(rows)} rows: {metrics}{told}{more}"


def _text(row: tuple) -> str:
    digits = METRICS[row.metric].digits
    text = f"{row.value:,.{digits}f}"
    if pd.notna(getattr(row, "low", np.nan)) and getattr(row, "n", 0) != 1:  # one repeat has no range
        text += f" [{row.low:,.{digits}f}, {row.high:,.{digits}f}]"
    return text
