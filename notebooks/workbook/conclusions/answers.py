"""What the rows of a run answer, in sentences: computed, so that other rows give other words.

A difference is told with its interval, and the interval decides, see `statistics.decide`: the same wherever it stands.
With BM25 beside both, a static model and the transformer are compared by the same fusion, and the fusion that favours
the static model less comes first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook import written
from workbook.conclusions.asked import Asked, compressed, times_as_fast
from workbook.evaluation import results, statistics
from workbook.evaluation.statistics import Interval, keeps, told, with_range
from workbook.experiments import encoding_speed, losses
from workbook.experiments.retrieval_methods import MeasuredMethod
from workbook.names import BM25, DISTILLED, STATIC_QUERY, TRAINED, plain

MISSING = "Not measured"
# Questions that have a number on every corpus, so that they are also asked of several
QUALITY = "How much does a static model give up?"
TRAINING = "What does training on the corpus add?"
QUERIES = "Where attention encodes the documents, do queries need it?"
WORDS = "Does BM25, which counts words, do as well?"
HYBRID = "With BM25 beside it, is attention needed?"
CUT = "How few dimensions will do?"
QUANTIZED = "What does quantization cost?"


class Answer(NamedTuple):
    """An answer, the notebooks it is from and the keys of its measurements. `n`: queries, or repeats of a time."""

    question: str
    text: str
    n: int | None = None
    notebooks: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


def answer(about: Asked) -> list[Answer]:
    """An answer to each question; where its rows are missing, which notebooks to run."""
    found = []
    for question, notebook, answered in QUESTIONS:
        needed = " and ".join(sorted({"01", notebook})) if not about.transformer else notebook
        one = answered(about) if about.transformer else None
        found.append(one._replace(question=question) if one else Answer(question, f"{MISSING}: run notebook {needed}."))
    return found


def in_words(answered: list[Answer]) -> str:
    """The answers as HTML, a paragraph for each, with its n, its notebooks and the keys of its measurements."""
    parts = [[written.escaped(part) for part in (one.question, one.text, _source(one))] for one in answered]
    told = "".join(f"<p><b>{question}</b> {text} <i>{source}</i></p>" for question, text, source in parts)
    return f'<div class="{written.IGNORED}">{told}</div>'


def times(ratio: float) -> str:
    """A factor in words: whole from ten up."""
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def _kept(about: Asked) -> Answer | None:
    share = about.of("01", "share kept")
    lost = about.of("01", "ndcg@10 difference", model=about.static, against=about.transformer)
    lost = lost[lost["method"].isna()]
    if share.empty or lost.empty:
        return None
    kept = share.iloc[0]
    text = (
        f"{_start(about.static)} keeps {with_range(kept['value'], kept['low'], kept['high'], '.0%')} of the NDCG@10 of "
        f"{plain(about.transformer)}: {Interval.of(lost.iloc[0]).text(3, '+')}."
    )
    scores, unknown = about.of("01", "ndcg@10", search="exact"), about.of("01", results.NOTHING_KNOWN)
    text = " ".join([text, *(f"{each}." for each in results.nothing_known(unknown[unknown["method"].isna()]))])
    return _from(scores[scores["method"].isna()], text, int(kept["n"]))


def _faster(about: Asked) -> Answer | None:
    ratios = about.of("02", "speed-up", model=about.static)
    fair = ratios[(ratios["max_tokens"] > 0) & (ratios["threads"] == ratios["threads"].max())]  # cut at the same token
    if fair.empty:
        return None
    fairest = fair.loc[fair.groupby("words")["value"].idxmin()]
    ends = fairest.sort_values("words").iloc[[0, -1]].drop_duplicates("words")
    factors = [
        f"{with_range(row.value, row.low, row.high, ',.0f')} times as fast as {plain(row.against)} "
        f"on texts of {row.words:,.0f} words"
        for row in ends.itertuples()
    ]
    rival = f"that is {plain(about.transformer)}'s fastest format here, on texts of the same length"
    doubted = about.of("02", encoding_speed.DOUBT)
    alike = ["words", "max_tokens", "threads"]
    if not ends.merge(doubted, left_on=[*alike, "against"], right_on=[*alike, "model"]).empty:
        rival += "; its best speed was not found, notebook 02 says why"
    text = f"{_start(about.static)} encodes {', '.join(factors)} (range of the repeats); {rival}."
    return _from(ends, text, int(ends["n"].min()))


def _smaller(about: Asked) -> Answer | None:
    sizes, one, other = about.megabytes, about.method(about.static), about.method(about.transformer)
    known = one and other and one.searched_bytes and other.searched_bytes
    if not (known and {about.static, about.transformer} <= set(sizes)):
        return None
    text = (
        f"{_start(about.static)} has {sizes[about.static]:,.1f} MB on disk, {plain(about.transformer)} "
        f"{sizes[about.transformer]:,.1f}; of a document a search reads {one.searched_bytes:,.0f} bytes"
        f"{' (computed)' * one.bytes_computed} with the one and {other.searched_bytes:,.0f}"
        f"{' (computed)' * other.bytes_computed} with the other."
    )
    return _by_methods(text, one, other)._replace(n=None)


def _cut(about: Asked) -> Answer | None:
    whole = about.of("03", "bytes per vector", model=about.static)
    if whole.empty:
        return None
    cuts = compressed(about, "03")
    if not cuts:
        return _from(whole, f"{_start(about.static)} has no fewer to cut to.", None)
    fine = [row for *_, row in cuts if keeps(Interval.of(row), about.margin)]
    first = f"No shorter vector is shown to lose less than {about.margin:g}"
    if fine:
        least = min(fine, key=lambda row: row["dimension"])
        lost = Interval.of(least).text(3, "+")
        first = f"{least['dimension']} dimensions are shown to lose less than {about.margin:g}, {lost}"
    rows = pd.DataFrame([row for *_, row in cuts])
    costs = [f"{row['dimension']}: {Interval.of(row).text(3, '+')}" for *_, row in cuts[:3]]
    return _from(rows, f"{first}; {plain(about.static)} cut to {', to '.join(costs)}.", int(rows["n"].iloc[0]))


def _quantized(about: Asked) -> Answer | None:
    chosen = [one for one in compressed(about, "04") if one[2]["setting"] in ("scalar-int8", "binary")]
    if not chosen:
        return None
    costs = [f"{name} ({size:,.0f} bytes): {_judged(Interval.of(row), about.margin)}" for name, size, row in chosen]
    rows = pd.DataFrame([row for *_, row in chosen])
    text = f"{_start(about.static)}, searched by HNSW, against float32 searched exactly: {'; '.join(costs)}."
    return _from(rows, text, int(rows["n"].max()))


def _training(about: Asked) -> Answer | None:
    differences = about.of("05", "ndcg@10 difference", setting="float32").dropna(subset=["dimension"])
    lost = differences[(differences["method"] == DISTILLED) & (differences["against"] == TRAINED)]
    judged = differences[(differences["method"] == TRAINED) & (differences["against"] == about.transformer)]
    if lost.empty or judged.empty:
        return None
    value, low, high, n, error = Interval.of(lost.iloc[0])
    gained = Interval(-value, -high, -low, n, error)
    seconds = about.of("05", "training seconds", model=judged["model"].iloc[0])["value"]
    seeds = about.of("05", "ndcg@10 over seeds", method=TRAINED)["n"]
    took = f" in {seconds.iloc[0]:,.0f} s" if len(seconds) else ""
    mean = f", mean over {int(seeds.max())} seeds" if len(seeds) and seeds.max() > 1 else ", one seed"
    text = (
        f"Trained{took} on the corpus's own text, without a query or a judgement{mean}, it finds "
        f"{gained.text(3, '+')} over {plain(about.static)}, which it starts from; against "
        f"{plain(about.transformer)} it is {_judged(Interval.of(judged.iloc[0]), about.margin)}."
    )
    return _from(pd.concat([lost, judged]), text, gained.n)


def _queries(about: Asked) -> Answer | None:
    query, transformer = about.method(STATIC_QUERY), about.method(about.transformer)
    if not (query and transformer):
        return None
    alike = [(query, transformer), *about.alike(STATIC_QUERY)[:1]]
    found = [
        f"{plain(one.label)} against {plain(other.label)}: {_judged(one.minus(other), about.margin)}"
        for one, other in alike
    ]
    faster = float(np.median(transformer.latency) / np.median(query.latency))
    text = (
        f"A table trained on the corpus's own text finds documents as {plain(about.transformer)} encoded them, in "
        f"{query.query_ms.value:,.2f} ms a query, {times(faster)} as fast: {'; '.join(found)}."
    )
    return _by_methods(text, *(each for pair in alike for each in pair))


def _words(about: Asked) -> Answer | None:
    words, transformer = about.method(BM25), about.method(about.transformer)
    if not (words and transformer):
        return None
    speed = times_as_fast(words, about.transformer, about.methods)
    fast = f", with {times(speed)} as many documents a second" if speed else ""
    compared = _judged(words.minus(transformer), about.margin)
    return _by_methods(f"BM25 against {plain(transformer.label)} alone: {compared}{fast}.", words, transformer)


def _hybrid(about: Asked) -> Answer | None:
    words, pairs = about.method(BM25), about.alike()
    if not (words and pairs):
        return None
    best, both = pairs[0]
    found = [
        f"{plain(best.label)} against {label}: {_judged(best.minus(other), about.margin)}"
        for other, label in ((both, plain(both.label)), (words, "BM25 alone"))
    ]
    return _by_methods("; ".join(found) + ".", best, both, words)


def _own(about: Asked) -> Answer | None:
    rows = about.of("06", "ndcg@10 difference")
    if rows.empty:
        return None
    chosen = rows[rows["part"] == statistics.REPORTED]
    if chosen.empty:
        return _from(
            rows[rows["against"] == losses.WHOLE].head(1),
            "Nothing could be recommended: notebook 06 says what would decide.",
            None,
        )
    said = {}
    for _, row in chosen.iterrows():
        name = f"{row['setting']}, {row['dimension']} dimensions, {row['search']}"
        said[name] = f"{name}: {Interval.of(row).text(3, '+')}, {row['note']}"
    confirmed = [keeps(Interval.of(row), row["margin"]) for _, row in chosen.iterrows()]
    none = "" if any(confirmed) else "None is confirmed. "
    text = (
        f"{none}{_start(chosen['model'].iloc[0])} against its whole float32 vector, chosen on half of the queries, "
        f"reported on the other: {'; '.join(said.values())}."
    )
    return _from(chosen, text, int(chosen["n"].min()))


QUESTIONS: list[tuple[str, str, Callable[[Asked], Answer | None]]] = [
    (QUALITY, "01", _kept),
    ("How much faster does it encode?", "02", _faster),
    ("How much smaller is it?", "01", _smaller),
    (CUT, "03", _cut),
    (QUANTIZED, "04", _quantized),
    (TRAINING, "05", _training),
    (QUERIES, "05", _queries),
    (WORDS, "05", _words),
    (HYBRID, "05", _hybrid),
    ("Which setting, for this corpus?", "06", _own),
]


def _start(label: str) -> str:
    """A label in plain words, as a sentence begins; a model's own name stays as it is."""
    said = plain(label)
    return said if said == label else said[0].upper() + said[1:]


def _judged(difference: Interval, margin: float) -> str:
    return f"{difference.text(3, '+')}, {told(difference, margin)}"


def _from(rows: pd.DataFrame, text: str, n: int | None) -> Answer:
    return Answer("", text, n, tuple(dict.fromkeys(rows["notebook"])), tuple(dict.fromkeys(rows["key"].dropna())))


def _by_methods(text: str, *used: MeasuredMethod) -> Answer:
    notebooks, keys = (tuple(dict.fromkeys(getattr(each, name) for each in used)) for name in ("notebook", "key"))
    return Answer("", text, len(used[0].scores), notebooks, keys)


def _source(one: Answer) -> str:
    n = f"n = {one.n:,}; " if one.n else ""
    return f"({n}rows of {', '.join(one.notebooks)}{results.keys_in_words(one.keys)})" if one.notebooks else ""
