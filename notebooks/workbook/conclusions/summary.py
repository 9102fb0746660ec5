"""The answer in a minute: a claim in one sentence, what it rests on, and what each method finds and takes.

The scores are read from rows, one or several corpora's, so that whoever has the rows can make them again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from workbook.conclusions import across
from workbook.conclusions.across import Comparison
from workbook.conclusions.answers import MISSING, times
from workbook.conclusions.asked import Asked, Score, times_as_fast
from workbook.evaluation import statistics
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, Interval, decide, formatted
from workbook.experiments.retrieval_methods import MeasuredMethod
from workbook.names import BM25, STATIC_QUERY, TRAINED, plain, with_bm25
from workbook.qdrant.code_snippets import hybrid_code
from workbook.qdrant.engine import FUSIONS, Search

UNKNOWN = f"{MISSING}: the methods of notebooks 01 and 05 are needed."


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


def methods(abouts: Mapping[str, Asked], compared: Sequence[Comparison]) -> list[str]:
    """Labels of the methods that a summary shows, those with BM25 by the fusion of the claim."""
    first, fusion = next(iter(abouts.values())), _fusion(abouts, compared)
    labels = [first.transformer, with_bm25(first.transformer, fusion), BM25, first.static, TRAINED, STATIC_QUERY]
    labels += [with_bm25(label, fusion) for label in (first.best, STATIC_QUERY)]
    coded = [each for each in first.measured if _is_coded(each, fusion)]
    labels += [each.label for each in sorted(coded, key=lambda each: -each.dimension)[:1]]
    return list(dict.fromkeys(labels))


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
