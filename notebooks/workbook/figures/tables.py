"""Tables as people see them: values in words, and below each which rows its numbers are from.

A row is found by its metric and by the key of its measurement; both stand in the rows that a notebook publishes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from workbook import written
from workbook.evaluation import results
from workbook.evaluation.columns import in_words
from workbook.evaluation.metrics import METRICS
from workbook.evaluation.statistics import with_range

ACROSS = ("batch", "part", "note")  # columns that `crossed` lays beside each other
WHAT = "what"  # in place of a column: what a row is of, in words


def table(rows: pd.DataFrame, index: Sequence[str], metrics: Sequence[str]) -> Styler:
    """Rows as people read them: a column per metric they have, each cell "value [low, high]" if there is a range.

    `index` names columns, or WHAT.
    """
    found = rows[rows["metric"].isin(metrics)]
    what = [in_words(row) for row in found.to_dict("records")]
    wide = _pivoted(found.assign(**{WHAT: what}), index, "metric")
    labels = {name: METRICS[name].label for name in metrics if name in wide}
    wide = wide.reindex(columns=list(labels)).rename(columns=labels)
    return sourced(wide, found)


def crossed(rows: pd.DataFrame, metric: str, index: Sequence[str] = ()) -> Styler:
    """One metric: a column for each part or batch size, a row for each `index` and for what else tells rows apart."""
    found = rows[rows["metric"] == metric]
    each = found.to_dict("records")
    other = [in_words({name: row.get(name) for name in ACROSS}) for row in each]
    what = [in_words(row, without=ACROSS) for row in each]
    names = [*index, *([WHAT] if any(what) else [])]
    wide = _pivoted(found.assign(other=other, **{WHAT: what}), names, "other")
    return sourced(wide.rename_axis(index={WHAT: METRICS[metric].label}), found)


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
    keys = results.keys_in_words(rows["key"].dropna() if "key" in rows else [])
    return f"Run {results.run_name()}, {len(rows)} rows: {metrics}{keys}"


def _pivoted(rows: pd.DataFrame, index: Sequence[str], columns: str) -> pd.DataFrame:
    texts = rows.assign(text=[_text(row) for row in rows.to_dict("records")])
    wide = texts.pivot_table(index=list(index), columns=columns, values="text", aggfunc="first", sort=False)
    return wide.astype(object).fillna("").rename_axis(columns=None)


def _text(row: Mapping[str, Any]) -> str:
    form = f",.{METRICS[row['metric']].digits}f"
    if pd.notna(row.get("low")) and row.get("n") != 1:  # one repeat has no range
        return with_range(row["value"], row["low"], row["high"], form)
    return f"{row['value']:{form}}"
