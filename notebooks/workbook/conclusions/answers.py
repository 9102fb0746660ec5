"""What the rows of a run answer, in sentences: computed, so that other rows give other words.

A difference is told with its interval, and the interval decides, see `statistics.decide`: the same wherever it stands.
With BM25 beside both, a static model and the transformer are compared by the same fusion, and the fusion that favours
the static model less comes first.
"""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from workbook import written
from workbook.conclusions.methods_of_run import times_as_fast
from workbook.conclusions.recommend import CONFIRMED
from workbook.conclusions.run_rows import Evidence
from workbook.evaluation import results, statistics
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, Interval, decide, keeps, told
from workbook.experiments import encoding_speed
from workbook.experiments.retrieval_methods import MeasuredMethod, find
from workbook.names import BM25, TRAINED, with_bm25
from workbook.qdrant.engine import FUSIONS, Search

MISSING = "Not measured"


class Answer(NamedTuple):
    """An answer, the notebooks it is from and the keys of its measurements. `n`: queries, or repeats of a time."""

    question: str
    text: str
    n: int | None = None
    notebooks: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


class Asked(NamedTuple):
    """What a question is answered from: rows, their machine, measured methods, the two models, and the margin.

    The methods are those that search whole float32 vectors, or words alone.
    """

    rows: pd.DataFrame
    machine: str
    methods: list[MeasuredMethod]
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


def asked(evidence: Evidence, found: list[MeasuredMethod], margin: float = statistics.MARGIN) -> Asked:
    """What can be asked of a run. The models are those that notebook 01 compares; empty names if it was not run."""
    rows, whole = evidence.rows, [each for each in found if each.is_whole]
    compared = rows[rows["notebook"].str.startswith("01") & (rows["metric"] == "share kept")]
    if compared.empty:
        return Asked(rows, evidence.machine, whole, "", "", margin)
    row = compared.iloc[0]
    return Asked(rows, evidence.machine, whole, row["model"], row["work"].removeprefix("against "), margin)


def answer(about: Asked) -> list[Answer]:
    """An answer to each question; where its rows are missing, which notebooks to run."""
    found = []
    for question, notebook, work in QUESTIONS:
        needed = " and ".join(sorted({"01", notebook})) if not about.transformer else notebook
        one = work(about) if about.transformer else None
        found.append(one._replace(question=question) if one else Answer(question, f"{MISSING}: run notebook {needed}."))
    return found


def in_words(answered: list[Answer]) -> str:
    """The answers as HTML, a paragraph for each, with its n, its notebooks and the keys of its measurements."""
    parts = [[written.escaped(part) for part in (one.question, one.text, _source(one))] for one in answered]
    told = "".join(f"<p><b>{question}</b> {text} <i>{source}</i></p>" for question, text, source in parts)
    return f'<div class="{written.IGNORED}">{told}</div>'


def headline(about: Asked) -> str:
    """Should you pay attention? With BM25 beside both, and against the transformer alone."""
    transformer, pairs = about.method(about.transformer), about.alike()
    if not (transformer and pairs):
        return f"{MISSING}: the ways to search of notebooks 01 and 05 are needed."
    best, both = pairs[0]
    alike, alone = best.minus(both), best.minus(transformer)
    first = {
        BETTER: f"Not on this corpus: {best.label} is better than {both.label}",
        EQUAL: f"Not on this corpus: {best.label} and {both.label} are equal within {about.margin:g}",
        WORSE: f"On this corpus, yes: {best.label} is worse than {both.label}",
        NOT_SETTLED: f"Not settled with {alike.n} queries: {best.label} against {both.label}",
    }[decide(alike, about.margin)]
    speed = times_as_fast(best, about.transformer, about.methods)
    fast = f", and {times(speed)} as many documents a second, encoded (that in float32) and indexed" if speed else ""
    return (
        f"{first}, {signed(alike)} NDCG@10. "
        f"Against {transformer.label} alone: {signed(alone)}, {told(alone, about.margin)}{fast}."
    )


def compressed(about: Asked) -> list[tuple[str, float, pd.Series]]:
    """What compressing the static model costs: name, bytes per vector, and row of the difference to the whole vector.

    Cuts of notebook 03, searched exactly; settings of notebook 04, whole vectors, as an index has them untold and with
    the most candidates rescored.
    """
    cuts = about.of("03", "ndcg@10 difference", model=about.static, search="exact").sort_values("dimension")[::-1]
    found = [(f"{row['dimension']} dimensions", 4.0 * row["dimension"], row) for _, row in cuts.iterrows()]
    rows = about.of("04", "ndcg@10 difference", model=about.static)
    rows = rows[(rows["dimension"] == rows["dimension"].max()) & (rows["setting"] != "float32")]
    sizes = about.of("04", "bytes per vector", model=about.static, dimension=rows["dimension"].max())
    size = sizes.drop_duplicates("setting").set_index("setting")["value"]
    rescored = {name: Search.named(name).oversampling or 1 for name in rows["search"] if Search.named(name).rescore}
    searches = ["default-ef", max(rescored, key=rescored.get, default="")]
    for _, row in rows[rows["search"].isin(searches)].iterrows():
        name = row["setting"] if row["search"] == "default-ef" else f"{row['setting']}, rescored"
        found.append((name, size[row["setting"]], row))
    return found


def signed(difference: Interval) -> str:
    """A difference with its interval, with signs."""
    return difference.text(3, "+").replace("-", "\N{MINUS SIGN}")


def times(ratio: float) -> str:
    """A factor in words: whole from ten up."""
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def interval(row: pd.Series) -> Interval:
    """The interval of a row."""
    return Interval(row["value"], row["low"], row["high"], int(row["n"]))


def _kept(about: Asked) -> Answer | None:
    share, lost = about.of("01", "share kept"), about.of("01", "ndcg@10 difference", model=about.static)
    lost = lost[lost["work"] == f"against {about.transformer}"]
    if share.empty or lost.empty:
        return None
    kept = share.iloc[0]
    text = (
        f"{about.static} keeps {kept['value']:.0%} [{kept['low']:.0%}, {kept['high']:.0%}] of the NDCG@10 of "
        f"{about.transformer}: {signed(interval(lost.iloc[0]))}."
    )
    scores = about.of("01", "ndcg@10", search="exact")
    unknown = about.of("01", results.NOTHING_KNOWN)
    text = " ".join([text, *(f"{each}." for each in results.nothing_known(unknown[unknown["work"].isna()]))])
    return _from(scores[scores["work"].isna()], text, int(kept["n"]))


def _faster(about: Asked) -> Answer | None:
    ratios = about.of("02", "speed-up", model=about.static)
    ratios = ratios[ratios["work"].str.contains("both cut at") & ~ratios["work"].str.contains("1 thread,")]
    if ratios.empty:
        return None
    length = ratios["work"].str.split(" words").str[0].astype(int)
    fairest = ratios.loc[ratios.groupby(length)["value"].idxmin()].assign(words=length)
    ends = fairest.sort_values("words").iloc[[0, -1]].drop_duplicates("words")
    ends = ends.assign(rival=ends["work"].str.split("against ", n=1).str[1])
    factors = [
        f"{row.value:,.0f} [{row.low:,.0f}, {row.high:,.0f}] times as fast as {row.rival} "
        f"on texts of {row.words:,} words"
        for row in ends.itertuples()
    ]
    rival = "the rival is the fastest form of it on this machine, cut at the same token"
    doubted = about.of("02", encoding_speed.DOUBT)
    if any(
        (row.rival == slow.model) & slow.work.startswith(f"{row.words} words")
        for row in ends.itertuples() for slow in doubted.itertuples()
    ):  # fmt: skip
        rival += "; its best speed was not found, notebook 02 says why"
    text = f"{about.static} encodes {', '.join(factors)} (range of the repeats); {rival}."
    return _from(ends, text, int(ends["n"].min()))


def _smaller(about: Asked) -> Answer | None:
    sizes, one, other = about.megabytes, about.method(about.static), about.method(about.transformer)
    known = one and other and one.searched_bytes and other.searched_bytes
    if not (known and {about.static, about.transformer} <= set(sizes)):
        return None
    text = (
        f"{about.static} has {sizes[about.static]:,.1f} MB on disk and {about.transformer} "
        f"{sizes[about.transformer]:,.1f}; of a document a search reads {one.searched_bytes:,.0f} bytes"
        f"{_computed(one)} with the one and {other.searched_bytes:,.0f}{_computed(other)} with the other."
    )
    return _by_methods(text, one, other)._replace(n=None)


def _cut(about: Asked) -> Answer | None:
    if about.of("03", "bytes per vector", model=about.static).empty:
        return None
    cuts = [row for name, _, row in compressed(about) if name.endswith(" dimensions")]
    if not cuts:
        return _from(
            about.of("03", "bytes per vector", model=about.static), f"{about.static} has no fewer to cut to.", None
        )
    fine = [row for row in cuts if keeps(interval(row), about.margin)]
    first = f"No cut that was tried is shown to lose less than {about.margin:g}"
    if fine:
        least = min(fine, key=lambda row: row["dimension"])
        first = (
            f"{least['dimension']} dimensions are shown to lose less than {about.margin:g}, {signed(interval(least))}"
        )
    costs = [f"{row['dimension']}: {signed(interval(row))}" for row in cuts[:3]]
    return _from(pd.DataFrame(cuts), f"{first}; {about.static} cut to {', to '.join(costs)}.", int(cuts[0]["n"]))


def _quantized(about: Asked) -> Answer | None:
    chosen = [one for one in compressed(about) if one[2]["setting"] in ("scalar-int8", "binary")]
    if not chosen:
        return None
    costs = [
        f"{name} ({size:,.0f} bytes): {signed(interval(row))}, {told(interval(row), about.margin)}"
        for name, size, row in chosen
    ]
    rows = pd.DataFrame([row for *_, row in chosen])
    text = f"{about.static}, whole vectors on HNSW against float32 searched exactly: {'; '.join(costs)}."
    return _from(rows, text, int(rows["n"].max()))


def _training(about: Asked) -> Answer | None:
    differences = about.of("05", "ndcg@10 difference", setting="float32").dropna(subset=["dimension"]).set_index("work")
    from_start, to_judge = f"distilled, against {TRAINED}", f"{TRAINED}, against {about.transformer}"
    if not {from_start, to_judge} <= set(differences.index):
        return None
    lost, judged = differences.loc[from_start], differences.loc[to_judge]
    gained = Interval(-lost["value"], -lost["high"], -lost["low"], int(lost["n"]))
    seconds = about.of("05", "training seconds", model=judged["model"])["value"]
    seeds = about.of("05", "ndcg@10 over seeds", work=TRAINED)["n"]
    took = f" in {seconds.iloc[0]:,.0f} s" if len(seconds) else ""
    mean = f", mean over {int(seeds.max())} seeds" if len(seeds) and seeds.max() > 1 else ", one seed"
    text = (
        f"Trained{took} on the corpus's own text, without a query or a judgement{mean}, it finds {signed(gained)} over "
        f"{about.static}, which it starts from; against {about.transformer} it is {signed(interval(judged))}, "
        f"{told(interval(judged), about.margin)}."
    )
    return _from(differences.loc[[from_start, to_judge]], text, gained.n)


def _words(about: Asked) -> Answer | None:
    words, transformer = about.method(BM25), about.method(about.transformer)
    if not (words and transformer):
        return None
    speed = times_as_fast(words, about.transformer, about.methods)
    fast = f", with {times(speed)} as many documents a second" if speed else ""
    difference = words.minus(transformer)
    text = f"BM25 against {transformer.label} alone: {signed(difference)}, {told(difference, about.margin)}{fast}."
    return _by_methods(text, words, transformer)


def _hybrid(about: Asked) -> Answer | None:
    words, pairs = about.method(BM25), about.alike()
    if not (words and pairs):
        return None
    found = [f"{best.label} against {both.label}: {_compared(best, both, about.margin)}" for best, both in pairs]
    found += [f"{pairs[0][0].label} against BM25 alone: {_compared(pairs[0][0], words, about.margin)}"]
    used = [each for pair in pairs for each in pair]
    return _by_methods("; ".join(found) + ".", *used, words)


def _own(about: Asked) -> Answer | None:
    rows = about.of("06", "ndcg@10 difference")
    if rows.empty:
        return None
    chosen = rows[rows["work"].str.endswith(statistics.REPORTED, na=False)]
    if chosen.empty:
        return _from(rows.head(1), "Nothing could be recommended: notebook 06 says what would decide.", None)
    said = {}
    for _, row in chosen.iterrows():
        verdict = row["work"].partition(": ")[2].removesuffix(f", {statistics.REPORTED}")
        said[f"{row['setting']}, {row['dimension']} dimensions, {row['search']}"] = (
            f"{signed(interval(row))}, {verdict}"
        )
    none = "" if chosen["work"].str.contains(f": {CONFIRMED}").any() else "None is confirmed. "
    text = (
        f"{none}{chosen['model'].iloc[0]} against its whole float32 vector, chosen on half of the queries, reported "
        f"on the other: {'; '.join(f'{name}: {text}' for name, text in said.items())}."
    )
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


def _compared(one: MeasuredMethod, other: MeasuredMethod, margin: float) -> str:
    difference = one.minus(other)
    return f"{signed(difference)}, {told(difference, margin)}"


def _computed(one: MeasuredMethod) -> str:
    return " (computed)" if one.bytes_computed else ""


def _from(rows: pd.DataFrame, text: str, n: int | None) -> Answer:
    return Answer("", text, n, tuple(dict.fromkeys(rows["notebook"])), tuple(dict.fromkeys(rows["key"].dropna())))


def _by_methods(text: str, *used: MeasuredMethod) -> Answer:
    notebooks, keys = (tuple(dict.fromkeys(getattr(each, name) for each in used)) for name in ("notebook", "key"))
    return Answer("", text, len(used[0].scores), notebooks, keys)


def _source(one: Answer) -> str:
    if not one.notebooks:
        return ""
    n = f"n = {one.n:,}; " if one.n else ""
    keys = f"; keys {', '.join(one.keys[: results.KEYS_TOLD])}" if one.keys else ""
    more = f" and {len(one.keys) - results.KEYS_TOLD} more" if len(one.keys) > results.KEYS_TOLD else ""
    return f"({n}rows of {', '.join(one.notebooks)}{keys}{more})"
