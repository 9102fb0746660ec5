"""The columns of the rows that notebooks publish: type, meaning, and words. Add a column here, nowhere else.

A row is one number with all that tells it from others; what does not apply is missing. Rows are selected by the values
of columns, and what people read of a row is made from them by `in_words`: no text is ever taken apart again.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import pandas as pd


class Column(NamedTuple):
    """What a column means, the type that pandas reads it as, and how its value is said; "" if never."""

    meaning: str
    type: Any = str
    words: str = ""


COUNT, NUMBER = "Int64", float
COLUMNS = {
    "corpus": Column("name of the corpus"),
    "corpus_sha256": Column("what the corpus contains, as a hash"),
    "model": Column("name of the model, with its number format where that is not float32"),
    "model_revision": Column("which files the model is, as a revision or a hash"),
    "dimension": Column("dimensions of the vectors; missing for all that the model has", COUNT),
    "setting": Column("how vectors are stored, a quantization; or the form that a model is stored in"),
    "search": Column("how vectors are searched: exact, default-ef, rescore-x3"),
    "scenario": Column("what a choice or a plan is for: smallest, phone, MS MARCO", words="{}"),
    "documents": Column("documents that are encoded, stored and indexed", COUNT, "{:,.0f} documents"),
    "words": Column("words of each text that is encoded", COUNT, "{:,.0f} words"),
    "max_tokens": Column(
        "tokens that a text is cut at, 0 if it is not; missing where two models had different limits", COUNT,
        "cut at {:,.0f} tokens",
    ),
    "threads": Column("threads that the model computes with", COUNT, "{:,.0f} threads"),
    "batch": Column("texts given to the model at once", COUNT, "batch of {:,.0f}"),
    "method": Column("way to search, or to make a model: BM25, mini + BM25 (rrf), trained", words="{}"),
    "variant": Column("which of several forms: library's tokenization; as it stands; copy, binary", words="{}"),
    "part": Column("what of the whole: a phase, a part of an index, a group of queries", words="{}"),
    "against": Column("what a difference or a ratio is against: a model, a method", words="against {}"),
    "against_model": Column("the model that `against` is, whatever its number format"),
    "asked": Column("share of queries that are asked again with attention", NUMBER, "{:.0%} of queries asked again"),
    "margin": Column("the NDCG@10 that a choice was allowed to lose", NUMBER),
    "note": Column("what a reader has to know of the value; never selected by", words="{}"),
    "metric": Column("name of what is measured, in METRICS"),
    "value": Column("the number: a mean, a median, a count", NUMBER),
    "low": Column("lower end of the 95% interval of a mean or a fit, or of the range of repeats", NUMBER),
    "high": Column("upper end of it", NUMBER),
    "n": Column("queries, repeats or corpora behind it, or points of a fit", NUMBER),
    "standard_error": Column("standard error of a mean over queries or of a paired difference", NUMBER),
    "key": Column("the kept measurement that it is from"),
}  # fmt: skip
NUMBERS = {name: column.type for name, column in COLUMNS.items() if column.type is not str}


def in_words(row: Mapping[str, Any], without: Collection[str] = ()) -> str:
    """What a row is of, from those columns that have words: "8 words, cut at 256 tokens, 2 threads".

    The metric, what is stored and how it is searched have columns of their own in any table; `without` names others.
    """
    is_known = {name: pd.notna(row.get(name)) for name in COLUMNS}
    of_two = is_known["words"] and is_known["against"]
    parts = []
    for name, column in COLUMNS.items():
        if name in without or not column.words:
            continue
        if name == "max_tokens" and of_two:
            parts.append(f"both {_said(name, row[name])}" if is_known[name] else "each its own limit")
        elif is_known[name]:
            parts.append(_said(name, row[name]))
    return ", ".join(parts)


def _said(name: str, value: object) -> str:
    if name == "max_tokens" and value == 0:
        return "whole"
    text = COLUMNS[name].words.format(value)
    return text.removesuffix("s") if name in NUMBERS and value == 1 else text
