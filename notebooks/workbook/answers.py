"""What the rows of a run answer, in sentences: computed, so that other rows give other words.

An interval decides: all of it above zero is more, all of it below is less, all of it above minus the margin is no less,
within the margin, and anything else is undecided. Each answer stands by itself; none is adjusted for the others.
"""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from workbook import statistics, ways
from workbook.baselines import BM25
from workbook.custom import TRAINED
from workbook.engine import FUSIONS
from workbook.evidence import Evidence
from workbook.statistics import Interval
from workbook.tabular import KEYS_TOLD
from workbook.ways import Way


class Answer(NamedTuple):
    """An answer, the notebook it is from and the keys of its measurements. `n`: queries, or repeats of a time."""

    question: str
    text: str
    n: int | None = None
    notebook: str = ""
    keys: tuple[str, ...] = ()


class Asked(NamedTuple):
    """What a question is answered from: rows, their machine, the ways to search, the two models, and the margin."""

    rows: pd.DataFrame
    machine: str
    ways: list[Way]
    static: str
    transformer: str
    margin: float

    def of(self, notebook: str, metric: str, **facts: object) -> pd.DataFrame:
        """Rows of a notebook, by the first two digits of its name, and of a metric, with these facts."""
        found = self.rows[self.rows["notebook"].str.startswith(notebook) & (self.rows["metric"] == metric)]
        for column, value in facts.items():
            found = found[found[column] == value]
        return found

    @property
    def megabytes(self) -> dict[str, float]:
        """Size on disk of each model, 10^6 bytes."""
        sizes = self.rows[(self.rows["metric"] == "megabytes") & self.rows["work"].isna()]
        return sizes.drop_duplicates("model").set_index("model")["value"].to_dict()

    def way(self, label: str) -> Way | None:
        return ways.find(self.ways, label)

    def fused(self, label: str) -> Way | None:
        """The model with BM25, by the fusion that finds less: to take the better one would be a choice by its score."""
        found = [way for how in FUSIONS if (way := self.way(f"{label} + BM25 ({how})"))]
        return min(found, key=lambda way: way.scores.mean(), default=None)


def asked(evidence: Evidence, found: list[Way], margin: float = statistics.MARGIN) -> Asked:
    """What can be asked of a run. The models are those that notebook 01 compares; empty names if it was not run."""
    rows = evidence.rows
    compared = rows[rows["notebook"].str.startswith("01") & (rows["metric"] == "share kept")]
    if compared.empty:
        return Asked(rows, evidence.machine, found, "", "", margin)
    row = compared.iloc[0]
    return Asked(rows, evidence.machine, found, row["model"], row["work"].removeprefix("against "), margin)


def answer(about: Asked) -> list[Answer]:
    """An answer to each question; where its rows are missing, which notebook to run."""
    return [_answered(about, question, notebook, work) for question, notebook, work in QUESTIONS]


def in_words(answered: list[Answer]) -> str:
    """The answers in Markdown, a paragraph for each, with its n, its notebook and the keys of its measurements."""
    return "\n\n".join(f"**{one.question}** {one.text} {_source(one)}" for one in answered)


def headline(about: Asked) -> str:
    """Should you pay attention? In two sentences, from the ways to search."""
    best = about.fused(TRAINED) or about.fused(about.static)
    transformer, both = about.way(about.transformer), about.fused(about.transformer)
    if not (best and transformer and both):
        return "Nothing can be said yet: notebooks 01 and 05 have to be run first."
    alone, added = ways.difference(best, transformer), ways.difference(both, best)
    speed = ways.times_as_fast(best, transformer).value
    within = f"{about.margin:g}"
    first = {
        1: f"Not on this corpus: {best.label}, without attention, finds more than {transformer.label}",
        0: f"Not on this corpus: {best.label}, without attention, finds as much as {transformer.label}, to {within}",
        -1: f"On this corpus attention pays: {best.label}, without it, finds less than {transformer.label}",
        None: f"Undecided with {alone.n} queries: {best.label}, without attention, against {transformer.label}",
    }[decide(alone, about.margin)]
    second = {
        1: "Attention beside BM25 still finds more",
        0: f"Attention beside BM25 finds as much, to {within}, or more",
        -1: "Attention beside BM25 finds less",
        None: "Whether attention beside BM25 finds more is undecided",
    }[decide(added, about.margin)]
    return (
        f"{first} (NDCG@10 {_signed(alone)}), and encodes and indexes {times(speed)} as many documents a second. "
        f"{second}: {both.label} against {best.label} is {_signed(added)}."
    )


def decide(difference: Interval, margin: float) -> int | None:
    """1: more; 0: less by no more than the margin, if at all; -1: less; None: undecided."""
    if difference.n < statistics.MIN_QUERIES:
        return None
    if difference.low > 0:
        return 1
    if difference.low > -margin:
        return 0
    return -1 if difference.high < 0 else None


def _source(one: Answer) -> str:
    if not one.notebook:
        return ""
    n = f"n = {one.n:,}; " if one.n else ""
    keys = f"; keys {', '.join(one.keys[:KEYS_TOLD])}" if one.keys else ""
    more = f" and {len(one.keys) - KEYS_TOLD} more" if len(one.keys) > KEYS_TOLD else ""
    return f"*({n}rows of {one.notebook}{keys}{more})*"


def _answered(about: Asked, question: str, notebook: str, work: Callable[[Asked], Answer | None]) -> Answer:
    found = work(about) if about.transformer else None
    return found._replace(question=question) if found else Answer(question, f"Not measured: run notebook {notebook}.")


def _kept(about: Asked) -> Answer | None:
    share, lost = about.of("01", "share kept"), about.of("01", "ndcg@10 difference", model=about.static)
    lost = lost[lost["work"] == f"against {about.transformer}"]
    if share.empty or lost.empty:
        return None
    kept = share.iloc[0]
    text = (
        f"{about.static} keeps {kept['value']:.0%} [{kept['low']:.0%}, {kept['high']:.0%}] of the NDCG@10 of "
        f"{about.transformer}: {_signed(_interval(lost.iloc[0]))}."
    )
    return _from(about.of("01", "ndcg@10", search="exact"), text, int(kept["n"]))


def _faster(about: Asked) -> Answer | None:
    ratios = about.of("02", "speed-up", model=about.static)
    ratios = ratios[ratios["work"].str.contains("both cut at") & ~ratios["work"].str.contains("1 thread,")]
    if ratios.empty:
        return None
    length = ratios["work"].str.split(" words").str[0].astype(int)
    fairest = ratios.loc[ratios.groupby(length)["value"].idxmin()].assign(words=length)
    ends = fairest.sort_values("words").iloc[[0, -1]]
    told = [
        f"{row.value:,.0f} [{row.low:,.0f}, {row.high:,.0f}] times as fast as {row.work.split('against ')[1]} "
        f"on texts of {row.words:,} words"
        for row in ends.itertuples()
    ]
    rival = "the rival is the fastest form of it on this machine, cut at the same token"
    text = f"{about.static} encodes {', '.join(told)}; {rival}."
    return _from(ends, text, int(ends["n"].min()))


def _smaller(about: Asked) -> Answer | None:
    sizes = about.megabytes
    way, other = about.way(about.static), about.way(about.transformer)
    if not {about.static, about.transformer} <= set(sizes) or not (way and other):
        return None
    text = (
        f"{about.static} has {sizes[about.static]:,.1f} MB on disk and {about.transformer} "
        f"{sizes[about.transformer]:,.1f}; "
        f"of a document a search reads {way.searched_bytes:,.0f} bytes with the one and "
        f"{other.searched_bytes:,.0f} with the other."
    )
    return Answer("", text, None, way.notebook, (way.key,))


def _cut(about: Asked) -> Answer | None:
    cuts = about.of("03", "ndcg@10 difference", model=about.static, search="exact").sort_values("dimension")[::-1]
    if cuts.empty:
        return None
    fine = [row for _, row in cuts.iterrows() if decide(_interval(row), about.margin) in (0, 1)]
    least = min(fine, key=lambda row: row["dimension"], default=None)
    told = [f"{row['dimension']}: {_signed(_interval(row))}" for _, row in cuts.head(3).iterrows()]
    first = (
        f"{least['dimension']} dimensions lose no more than {about.margin:g}"
        if least is not None
        else f"No cut that was tried is shown to lose no more than {about.margin:g}"
    )
    return _from(cuts, f"{first}; {about.static} cut to {', to '.join(told)}.", int(cuts["n"].max()))


def _quantized(about: Asked) -> Answer | None:
    changes = about.of("04", "ndcg@10 difference", model=about.static)
    changes = changes[changes["dimension"] == changes["dimension"].max()]
    sizes = about.of("04", "bytes per vector", model=about.static).drop_duplicates(["dimension", "setting"])
    size = sizes.set_index(["dimension", "setting"])["value"]
    told, used = [], []
    for setting, search in _usual(changes):
        row = changes[(changes["setting"] == setting) & (changes["search"] == search)].iloc[0]
        said = "rescored" if search.startswith("rescore") else "not rescored"
        told.append(f"{setting} ({size[row['dimension'], setting]:,.0f} bytes), {said}: {_signed(_interval(row))}")
        used.append(row)
    if not told:
        return None
    return _from(pd.DataFrame(used), f"{about.static}, whole vectors: {'; '.join(told)}.", int(used[0]["n"]))


def _usual(changes: pd.DataFrame) -> list[tuple[str, str]]:
    """Eight bits and one bit as an index has them untold, and one bit with the most candidates rescored."""
    searches = {
        setting: list(changes[changes["setting"] == setting]["search"]) for setting in ("scalar-int8", "binary")
    }
    wanted = [(setting, "default-ef") for setting, names in searches.items() if "default-ef" in names]
    rescored = [name for name in searches["binary"] if name.startswith("rescore")]
    return wanted + [("binary", rescored[-1])] * bool(rescored)


def _training(about: Asked) -> Answer | None:
    trained, start, transformer = about.way(TRAINED), about.way(about.static), about.way(about.transformer)
    if not (trained and start and transformer):
        return None
    seconds = about.of("05", "training seconds", model=trained.model)["value"]
    took = f" in {seconds.iloc[0]:,.0f} s of training" if len(seconds) else ""
    text = (
        f"Trained on the corpus's own text{took}, without a query or a judgement, it finds "
        f"{_signed(ways.difference(trained, start))} over {start.label}; against {transformer.label} it is "
        f"{_signed(ways.difference(trained, transformer))}."
    )
    return _by_ways(text, trained, start, transformer)


def _words(about: Asked) -> Answer | None:
    words, transformer = about.way(BM25), about.way(about.transformer)
    if not (words and transformer):
        return None
    speed = ways.times_as_fast(words, transformer).value
    text = (
        f"BM25 against {transformer.label}: {_signed(ways.difference(words, transformer))}, "
        f"{times(speed)} as many documents a second."
    )
    return _by_ways(text, words, transformer)


def _hybrid(about: Asked) -> Answer | None:
    best, transformer = about.fused(TRAINED) or about.fused(about.static), about.way(about.transformer)
    words, both = about.way(BM25), about.fused(about.transformer)
    if not (best and transformer and words and both):
        return None
    text = (
        f"{best.label} against BM25 alone: {_signed(ways.difference(best, words))}; against {transformer.label}: "
        f"{_signed(ways.difference(best, transformer))}; {both.label} against {best.label}: "
        f"{_signed(ways.difference(both, best))}."
    )
    return _by_ways(text, best, words, transformer, both)


def _own(about: Asked) -> Answer | None:
    rows = about.of("06", "ndcg@10 difference")
    if rows.empty:
        return None
    chosen = rows[rows["work"].str.contains("on queries that did not choose it", na=False)]
    if chosen.empty:
        return _from(rows.head(1), "Nothing could be recommended: notebook 06 says what would decide.", None)
    told = {
        f"{row.setting}, {row.dimension} dimensions, {row.search}: {_judged(_interval(row), about.margin)}"
        for row in chosen.itertuples()
    }
    text = f"Chosen on half of the queries, reported on the other: {'; '.join(sorted(told))}."
    return _from(chosen, text, int(chosen["n"].min()))


QUESTIONS: list[tuple[str, str, Callable[[Asked], Answer | None]]] = [
    ("How much does a static model give up?", "01", _kept),
    ("How much faster does it encode?", "02", _faster),
    ("How much smaller is it?", "01", _smaller),
    ("How few dimensions will do?", "03", _cut),
    ("What does quantization cost?", "04", _quantized),
    ("What does training on the corpus add?", "05", _training),
    ("Does BM25, which counts words, do as well?", "05", _words),
    ("With BM25 beside it, is attention needed?", "05", _hybrid),
    ("Which setting, for this corpus?", "06", _own),
]


def _interval(row: object) -> Interval:
    values = row if isinstance(row, pd.Series) else row._asdict()
    return Interval(values["value"], values["low"], values["high"], int(values["n"]))


def _from(rows: pd.DataFrame, text: str, n: int | None) -> Answer:
    return Answer("", text, n, rows["notebook"].iloc[0], tuple(dict.fromkeys(rows["key"].dropna())))


def _by_ways(text: str, *used: Way) -> Answer:
    return Answer("", text, len(used[0].scores), used[0].notebook, tuple(dict.fromkeys(way.key for way in used)))


def _judged(interval: Interval, margin: float) -> str:
    word = {1: "more", 0: f"as much, to {margin:g}", -1: "less", None: "undecided"}[decide(interval, margin)]
    return f"{_signed(interval)}, {word}"


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]".replace("-", "\N{MINUS SIGN}")


def times(ratio: float) -> str:
    """A factor in words: whole from ten up."""
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
