"""The answer in a minute: a claim in one sentence, what it rests on, and what each method finds and takes.

The scores are read from rows, one or several corpora's, so that whoever has the rows can make them again.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.conclusions import across
from workbook.conclusions.across import Comparison
from workbook.conclusions.answers import MISSING, times
from workbook.conclusions.asked import Asked, times_as_fast
from workbook.evaluation import statistics
from workbook.evaluation.statistics import BETTER, EQUAL, NORMAL, NOT_SETTLED, WORSE, Interval, decide, formatted
from workbook.experiments.retrieval_methods import MeasuredMethod, find
from workbook.names import BM25, STATIC_QUERY, TRAINED, attention, plain, with_bm25
from workbook.qdrant.code_snippets import hybrid_code
from workbook.qdrant.engine import FUSIONS, Search

UNKNOWN = f"{MISSING}: the methods of notebooks 01 and 05 are needed."
SPEED, QUERY, SIZE, TIMES = "indexed documents/s", "latency ms with encoding", "megabytes", "speed-up"


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


def claim(about: Asked) -> str:
    """Should you pay attention, on this corpus? One sentence of at most twenty words."""
    transformer, pairs = about.method(about.transformer), about.alike()
    if not (transformer and pairs):
        return UNKNOWN
    best, both = pairs[0]
    alone = decide(best.minus(transformer), about.margin)
    corpus = about.rows["corpus"].dropna().iloc[0]
    one, rival, two = (plain(each.label) for each in (best, transformer, both))
    speed = times_as_fast(best, about.transformer, about.methods)
    fast = f"indexes {times(speed)} faster" if speed and speed > 1 else "indexes no faster"
    verdict = decide(best.minus(both), about.margin)
    if verdict == WORSE and alone == BETTER:
        return f"On {corpus}, {one} beats {rival} and {fast}, but loses to {two}."
    return {
        BETTER: f"No: on {corpus}, {one} is better than {two} and {fast}.",
        EQUAL: f"No: on {corpus}, {one} equals {two} within {about.margin:g} and {fast}.",
        WORSE: f"Yes: on {corpus}, {one} is worse than {two}; it {fast}.",
        NOT_SETTLED: f"Not settled on {corpus}: {one} against {two}; it {fast}.",
    }[verdict]


def claim_over(compared: Sequence[Comparison], margin: float) -> str:
    """Should you pay attention, over corpora? One sentence of at most twenty words."""
    one = across.main(compared)
    if not one:
        return UNKNOWN
    verdicts, n = Counter(decide(effect, margin) for effect in one.effects.values()), len(one.effects)
    static, rival = (plain(label).partition(" + ")[0] for label in (one.one, one.other))
    won = f"{static} beats {rival} on {verdicts[BETTER]} of {n} corpora, loses on {verdicts[WORSE]}"
    if not one.overall:
        return f"With word search, {won}: too few to generalise."
    verdict = decide(one.overall.effect, margin)
    if verdict == NOT_SETTLED and verdicts[BETTER] and verdicts[WORSE]:
        return f"It depends on your texts: with word search, {won}."
    return {
        BETTER: f"No: with word search beside both, {static} is better than {rival}, on average over {n} corpora.",
        EQUAL: f"No: with word search beside both, {static} equals {rival} within {margin:g}, on average.",
        WORSE: f"Yes: with word search beside both, {static} is worse than {rival}, on average over {n} corpora.",
        NOT_SETTLED: f"Not settled: with word search beside both, {static} and {rival} may differ or not.",
    }[verdict]


def intervals(abouts: Mapping[str, Asked], compared: Sequence[Comparison]) -> str:
    """What the claim rests on, in a line: the differences in NDCG@10 with their intervals, and the speed."""
    if compared:
        one = across.main(compared)
        return _over(one, abouts) if one else ""
    [about] = abouts.values()
    transformer, pairs = about.method(about.transformer), about.alike()
    if not (transformer and pairs):
        return ""
    best, both = pairs[0]
    found = [f"{best.minus(each).text(3, '+')} against {plain(each.label)}" for each in (both, transformer)]
    return (
        f"NDCG@10 of {plain(best.label)}: {best.scores.mean():.3f}; {', '.join(found)} "
        f"({len(best.scores):,} queries){_fast(best, abouts)}."
    )


class Advice(NamedTuple):
    """What to start with, when and when not, in sentences; the method, its fusion, its model's folder and width."""

    sentences: list[str]
    method: MeasuredMethod
    fusion: str
    folder: str
    width: int

    @property
    def code(self) -> str:
        """Source that stores and searches vectors and words by what is advised, see `code_snippets.hybrid_code`."""
        how, width = self.method, self.width
        return hybrid_code(how.setting, how.dimension or width, how.search, self.fusion, self.folder, width)


def advice(
    abouts: Mapping[str, Asked], compared: Sequence[Comparison], found: Sequence[Score]
) -> Advice | None:  # fmt: skip
    """What to start with without attention: a static model and BM25, compressed where that is shown to lose no margin.

    `found` are the scores. None where no such method was measured. The method is that of the first corpus.
    """
    first, fusion = next(iter(abouts.values())), _fusion(abouts, compared)
    whole, both = (first.method(with_bm25(label, fusion)) for label in (first.best, first.transformer))
    transformer = first.method(first.transformer)
    if not (whole and both and transformer):
        return None
    coded = sorted([each for each in first.measured if _is_coded(each, fusion)], key=lambda each: -each.dimension)
    lost = {each.label: _lost(each, whole, compared) for each in coded}
    small = [each for each in coded if statistics.keeps(lost[each.label], first.margin)]
    method = min(small, key=lambda each: each.searched_bytes or np.inf, default=whole)
    start = f"Start with {plain(whole.label)}: {_stored(method)}, fused by {fusion.upper()}"
    if (own := method.searched_bytes) and (other := both.searched_bytes):
        start += f"; a search reads {own:,.0f} bytes of a document, {other:,.0f} with {plain(both.label)}"
    if coded and not small and coded[0].searched_bytes:
        tried, effect = coded[0], lost[coded[0].label]
        start += (
            f". {_stored(tried).capitalize()} read {tried.searched_bytes:,.0f} bytes: NDCG@10 {effect.text(3, '+')}"
        )
        start += f", {statistics.told(effect, first.margin)}"
    sentences = [f"{start}.", *_use(abouts, whole, found), *_avoid(abouts, compared, whole, both)]
    width = int(first.rows.loc[first.rows["model"] == method.model, "dimension"].max())
    folder = method.model if len(abouts) == 1 else "the-model-trained-on-your-documents"
    return Advice(sentences, method, fusion, f"data/models/{folder}", width)


def rows(abouts: Mapping[str, Asked], compared: Sequence[Comparison]) -> pd.DataFrame:
    """What the scores are read from, in the long format of `results`: each method of the summary on each corpus."""
    first = next(iter(abouts.values()))
    fusion = _fusion(abouts, compared)
    labels = [first.transformer, with_bm25(first.transformer, fusion), BM25, first.static, TRAINED, STATIC_QUERY]
    labels += [with_bm25(label, fusion) for label in (first.best, STATIC_QUERY)]
    coded = [each for each in first.measured if _is_coded(each, fusion)]
    labels += [each.label for each in sorted(coded, key=lambda each: -each.dimension)[:1]]
    found = []
    for corpus, about in abouts.items():
        for label in dict.fromkeys(labels):
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


def _over(one: Comparison, abouts: Mapping[str, Asked]) -> str:
    pair = f"{plain(one.one)} against {plain(one.other)}"
    fast = _fast(next(each for about in abouts.values() if (each := about.method(one.one))), abouts)
    if not one.overall:
        each = "; ".join(f"{name} {effect.text(3, '+')}" for name, effect in one.effects.items())
        return f"NDCG@10 of {pair}: {each}{fast}."
    low, high = (formatted(end, "+.3f") for end in one.overall.prediction)
    return (
        f"NDCG@10 of {pair}: {one.overall.effect.text(3, '+')} on average over {one.overall.effect.n} corpora; a new "
        f"corpus: {low} to {high} (95%){fast}."
    )


def _fast(method: MeasuredMethod, abouts: Mapping[str, Asked]) -> str:
    """How many times as fast a method indexes as the transformer, on each corpus: the range."""
    rival = next(iter(abouts.values())).transformer
    found = [(about.method(method.label), about.methods) for about in abouts.values()]
    speeds = [speed for each, methods in found if each and (speed := times_as_fast(each, rival, methods))]
    if not speeds:
        return ""
    ends = " to ".join(dict.fromkeys(times(speed).partition(" ")[0] for speed in (min(speeds), max(speeds))))
    return f"; it indexes {ends} times as many documents a second as {plain(rival)} in float32"


def _fusion(abouts: Mapping[str, Asked], compared: Sequence[Comparison]) -> str:
    """The fusion of the claim: of the two the one that favours the static model less."""
    main, pairs = across.main(compared), next(iter(abouts.values())).alike()
    one = main.one if main else pairs[0][0].label if pairs else ""
    return next((how for how in FUSIONS if one.endswith(with_bm25("", how))), FUSIONS[-1])


def _is_coded(method: MeasuredMethod, fusion: str) -> bool:
    """Whether it searches one-bit codes of the trained model, and words, fused so."""
    return method.label.startswith(f"{TRAINED}, one bit") and method.label.endswith(with_bm25("", fusion))


def _lost(coded: MeasuredMethod, whole: MeasuredMethod, compared: Sequence[Comparison]) -> Interval:
    """The difference in NDCG@10 of codes to whole vectors: over corpora, where there are several."""
    over = [each.overall for each in compared if (each.one, each.other) == (coded.label, whole.label) and each.overall]
    return over[0].effect if over else coded.minus(whole)


def _stored(method: MeasuredMethod) -> str:
    times = Search.named(method.search).oversampling
    how = f", {times:g} times as many candidates rescored" if times else ""
    return f"one-bit codes of {method.dimension} dimensions{how}" if method.dimension else "whole float32 vectors"


def _use(abouts: Mapping[str, Asked], whole: MeasuredMethod, found: Sequence[Score]) -> list[str]:
    """When to use it: what it saves."""
    one, rival = (next((each for each in found if each.label == label), None)
                  for label in (whole.label, next(iter(abouts.values())).transformer))  # fmt: skip
    said = [f"Use it without a GPU, for texts that are many or change often{_fast(whole, abouts)}."]
    if one and rival:
        said.append(
            f"Use it on small devices: a query takes {one.query_ms:.1f} ms, with {plain(rival.label)} "
            f"{rival.query_ms:.1f}; the model has {one.megabytes:,.0f} MB, {plain(rival.label)} {rival.megabytes:,.0f}."
        )
    return said


def _avoid(
    abouts: Mapping[str, Asked], compared: Sequence[Comparison], whole: MeasuredMethod, both: MeasuredMethod
) -> list[str]:
    """When not to use it: what it loses, and where."""
    one = next((each for each in compared if (each.one, each.other) == (whole.label, both.label)), None)
    mean = one.overall.effect.value if one and one.overall else whole.minus(both).value
    said = []
    if mean < 0:
        said.append(f"Avoid it where {-mean:.3f} of NDCG@10 matter: {plain(both.label)} finds that much more.")
    margin = next(iter(abouts.values())).margin
    worse = [name for name, effect in one.effects.items() if decide(effect, margin) == WORSE] if one else []
    if worse:
        said.append(f"Avoid it on texts like those of {' and '.join(worse)}, where it is worse.")
    return said


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
