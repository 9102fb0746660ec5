"""One question on several corpora: the effect on each, and what it is overall and for a new corpus.

A question has a number on every corpus: the mean difference in NDCG@10 between two things, paired by query. Corpora
differ, so the overall effect is that of `meta_analysis`, random effects. With fewer than FEWEST corpora there is none.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from workbook.conclusions import answers
from workbook.conclusions.answers import HYBRID, QUALITY, QUERIES, TRAINING, WORDS, Answer, times
from workbook.conclusions.asked import Asked, compressed, times_as_fast
from workbook.errors import WorkbookError
from workbook.evaluation import meta_analysis
from workbook.evaluation.meta_analysis import FEWEST, Overall
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, Interval, decide, formatted, told
from workbook.experiments.retrieval_methods import find
from workbook.names import ACROSS, ALIGNED, BM25, STATIC_QUERY, TRAINED, plain, with_bm25
from workbook.qdrant.engine import FUSIONS

Effect = Callable[[Asked], Interval | None]  # of one corpus; None where it was not measured

RESCORED = "What does quantization cost, rescored?"
FASTER = "How much faster does it index?"
CUT, QUANTIZED = answers.CUT, answers.QUANTIZED
COMPRESSED = (CUT, QUANTIZED, RESCORED)
JOINED = f" + {BM25} ("  # in the label of a method that BM25 is beside
SHOWN = 3  # comparisons of one of them in an answer
FACTS = {  # metrics of notebook 01 that tell of a corpus, in words
    "words per document": "words of a document (median)",
    "words per query": "words of a query (median)",
    "distinct words": "number of distinct words",
    "query words in the corpus": "share of a query's words that the corpus has",
    "query words in the best matching document": "share of a query's words in the document with most of them",
    "query words in the relevant document": "share of a query's words in its right document (judged)",
    "top ten in common": "share of the first ten that {static} and {transformer} both find",
    "known-item share kept": "found by a document's own words: what {static} keeps of {transformer}",
}


class Comparison(NamedTuple):
    """A question, the two things compared, the effect on each corpus by name, and the overall effect.

    An effect above zero says that `one` is better than `other`. `overall` is None for fewer than FEWEST corpora.
    """

    question: str
    one: str
    other: str
    effects: dict[str, Interval]
    overall: Overall | None

    @property
    def known(self) -> dict[str, Interval]:
        """The effects that have a standard error, which alone make the overall effect; few queries give none."""
        return {name: effect for name, effect in self.effects.items() if effect.standard_error > 0}


def compare(abouts: Mapping[str, Asked]) -> list[Comparison]:
    """Every question of the verdict that was measured on one corpus or more, given what was asked of each, by name."""
    questions = _questions(abouts)
    # corpus by corpus: the resamples of its queries are drawn once
    measured = {name: [effect(about) for *_, effect in questions] for name, about in abouts.items()}
    found = []
    for place, (question, one, other, _) in enumerate(questions):
        effects = {name: own[place] for name, own in measured.items() if own[place]}
        if effects:
            each = Comparison(question, one, other, effects, None)
            many = len(each.known) >= FEWEST
            found.append(each._replace(overall=meta_analysis.pool(list(each.known.values()))) if many else each)
    return found


def _questions(abouts: Mapping[str, Asked]) -> list[tuple[str, str, str, Effect]]:
    """Question, the two things that are compared, and their effect on a corpus; each question in one row."""
    first = next(iter(abouts.values()))
    static, transformer = first.static, first.transformer
    best = _best(abouts)
    pairs = [
        (QUALITY, static, transformer), (WORDS, BM25, transformer), (TRAINING, TRAINED, static),
        (TRAINING, TRAINED, transformer), (TRAINING, TRAINED, BM25),
        (QUERIES, ALIGNED, transformer), (QUERIES, STATIC_QUERY, transformer), (QUERIES, STATIC_QUERY, TRAINED),
        *((QUERIES, with_bm25(STATIC_QUERY, how), with_bm25(transformer, how)) for how in FUSIONS),
        *((HYBRID, with_bm25(best, how), with_bm25(transformer, how)) for how in FUSIONS),
        *((HYBRID, with_bm25(best, how), transformer) for how in FUSIONS),
        *((HYBRID, with_bm25(transformer, how), transformer) for how in FUSIONS),
    ]  # fmt: skip
    found = [(question, one, other, _of_methods(one, other)) for question, one, other in pairs]
    labels = dict.fromkeys(each.label for about in abouts.values() for each in about.measured)
    # such as "trained, one bit, 384 dimensions + BM25 (rrf)", which is compared with "trained + BM25 (rrf)"
    coded = [
        (label, TRAINED + "".join(label.partition(" + ")[1:])) for label in labels if label.startswith(f"{TRAINED},")
    ]
    whole = f"{static}, whole, float32"
    compressions = {CUT: [], QUANTIZED: [], RESCORED: []}
    for notebook, question in (("03", CUT), ("04", QUANTIZED)):
        for name in dict.fromkeys(name for about in abouts.values() for name, *_ in compressed(about, notebook)):
            compressions[RESCORED if "rescored" in name else question].append((notebook, name))
    for question, own in compressions.items():
        found += [(question, f"{static}, {name}", whole, _of_compressed(notebook, name)) for notebook, name in own]
    return found + [(RESCORED, one, other, _of_methods(one, other)) for one, other in coded]


def _of_methods(one: str, other: str) -> Effect:
    def effect(about: Asked) -> Interval | None:
        methods = about.method(one) or find(about.measured, one), about.method(other)
        return methods[0].minus(methods[1]) if all(methods) else None

    return effect


def _of_compressed(notebook: str, name: str) -> Effect:
    def effect(about: Asked) -> Interval | None:
        rows = [row for label, _, row in compressed(about, notebook) if label == name]
        return Interval.of(rows[0]) if rows else None

    return effect


def main(compared: Sequence[Comparison]) -> Comparison | None:
    """The static model and the transformer with BM25 beside both, by the fusion that favours the static model less."""
    alike = [each for each in compared if each.question == HYBRID and BM25 in each.other]
    return min(alike, key=lambda each: sum(e.value for e in each.effects.values()) / len(each.effects), default=None)


def leading(compared: Sequence[Comparison]) -> list[Comparison]:
    """What a front page shows: each method against the transformer, both alone, and both with BM25 by one fusion."""
    rivals = {each.other for each in [main(compared)] if each} | {e.other for e in compared if e.question == QUALITY}
    return [each for each in compared if each.other in rivals and (JOINED in each.one) == (JOINED in each.other)]


def answer(compared: Sequence[Comparison], abouts: Mapping[str, Asked]) -> list[Answer]:
    """An answer to each question over the corpora that it was measured on."""
    margin = next(iter(abouts.values())).margin
    answers = [_answer(question, own, margin) for question, own in shown(compared).items()]
    return [*answers, *_faster(abouts)]


def shown(compared: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """The comparisons that answer each question, with BM25 by the fusion of the claim; notebook 09 has the others."""
    found: dict[str, list[Comparison]] = {}
    for each in compared:
        found.setdefault(each.question, []).append(each)
    fusion = main(compared).one.rpartition(JOINED)[2] if HYBRID in found else ""
    if HYBRID in found:
        found[HYBRID] = [each for each in found[HYBRID] if BM25 in each.other and each.one.endswith(fusion)]
    if QUERIES in found:
        asking = [each for each in found[QUERIES] if STATIC_QUERY in each.one and each.other != TRAINED]
        found[QUERIES] = [each for each in asking if JOINED not in each.one or each.one.endswith(fusion)]
    for question in COMPRESSED:
        found[question] = [each for each in found.get(question, []) if BM25 not in each.other][:SHOWN]
    return {question: own for question, own in found.items() if own}


def _answer(question: str, own: Sequence[Comparison], margin: float) -> Answer:
    few = [_too_few(len(each.known)) for each in own if not each.overall][:1]
    told = [*(_told(each, margin) for each in own), *few]
    if question == QUERIES:
        told = [
            f"A {STATIC_QUERY} is read by a table, trained to find documents as {plain(own[0].other)} encoded them.",
            *told,
        ]
    return Answer(question, " ".join(told), notebooks=(ACROSS,))


def _told(each: Comparison, margin: float) -> str:
    """A comparison in a sentence: what holds overall, on how many corpora which verdict, what a new one may show."""
    count = Counter(decide(effect, margin) for effect in each.effects.values())
    said = {BETTER: "better on", EQUAL: f"equal within {margin:g} on", WORSE: "worse on", NOT_SETTLED: "not settled on"}
    counted = [f"{words} {count[verdict]}" for verdict, words in said.items() if count[verdict]]
    pair = f"{plain(each.one)} against {plain(each.other)}"
    on_each = f"{', '.join(counted)} of {len(each.effects)} corpora"
    if not each.overall:
        return f"{pair}: {on_each}."
    low, high = (formatted(end, "+.3f") for end in each.overall.prediction)
    mean, verdict = each.overall.effect.text(3, "+"), told(each.overall.effect, margin)
    return (
        f"{pair}: {mean} on average, {verdict}{_hangs_on(each, margin)}; {on_each}; "
        f"a new corpus is expected between {low} and {high} (95%)."
    )


def _hangs_on(each: Comparison, margin: float) -> str:
    """Which corpora decide the verdict: without one of them it is another, and its interval leaves the mean out."""
    mean = each.overall.effect.value
    verdict = decide(each.overall.effect, margin)
    deciding = [
        name for name, rest in zip(each.known, each.overall.without, strict=True)
        if decide(rest, margin) != verdict and not rest.low <= mean <= rest.high
    ]  # fmt: skip
    return f" (not without {' or '.join(deciding)})" if deciding else ""


def _too_few(corpora: int) -> str:
    return f"{corpora} corpora cannot tell what a new one would show: that takes {FEWEST} or more."


def _faster(abouts: Mapping[str, Asked]) -> list[Answer]:
    """How much faster trained static vectors and BM25 are indexed than the transformer's: the range."""
    static, transformer = _best(abouts), next(iter(abouts.values())).transformer
    factors = {}
    for name, about in abouts.items():
        methods = [about.method(with_bm25(static, how)) for how in FUSIONS]
        found = [times_as_fast(each, transformer, about.methods) for each in methods if each]
        if any(found):
            factors[name] = min(filter(None, found))
    if not factors:
        return []
    low, high = min(factors, key=factors.get), max(factors, key=factors.get)
    ends = " to ".join(dict.fromkeys(f"{times(factors[name])} ({name})" for name in (low, high)))
    text = f"{plain(static)} + BM25 indexes {ends} as many documents a second as {plain(transformer)} in float32."
    text = f"{text[0].upper()}{text[1:]}"
    return [Answer(FASTER, text, notebooks=(ACROSS,))]


def _best(abouts: Mapping[str, Asked]) -> str:
    """The static model to ask with: the one that was trained, if one was on any corpus."""
    return next((about.best for about in abouts.values() if about.best == TRAINED), next(iter(abouts.values())).static)


def rows(found: Sequence[Comparison], abouts: Mapping[str, Asked]) -> pd.DataFrame:
    """The comparisons in the long format of `results`: each corpus, and overall, where `corpus` is missing.

    `part` tells of a row over all corpora what it is of: the mean, a new corpus, or the mean without one corpus. A key
    is that of the measurement of what comes first in a comparison.
    """
    made = []
    for each in found:
        names = {"metric": "ndcg@10 difference", "scenario": each.question, "method": each.one, "against": each.other}
        for name, effect in each.effects.items():
            method = find(abouts[name].measured, each.one)
            made.append({**names, "corpus": name, "key": method.key if method else None, **effect._asdict()})
        if each.overall:
            overall, n = each.overall, each.overall.effect.n
            made.append({**names, "part": "mean over corpora", **overall.effect._asdict()})
            low, high = overall.prediction
            new = {"part": "a new corpus", "value": overall.effect.value, "low": low, "high": high, "n": n}
            made.append({**names, **new})
            for name, rest in zip(each.known, overall.without, strict=True):
                made.append({**names, "part": f"mean without {name}", **rest._asdict()})
            spread = {"tau": overall.tau, "I2": overall.i2, "heterogeneity p": overall.heterogeneity_p}
            made += [{**names, "metric": metric, "value": value, "n": n} for metric, value in spread.items()]
    return pd.DataFrame(made)


def table(found: Sequence[Comparison], margin: float) -> pd.DataFrame:
    """The comparisons as people read them: a row each, a column for each corpus, and what holds over all."""
    made = {}
    for each in found:
        row = {name: effect.text(3, "+") for name, effect in each.effects.items()}
        if each.overall:
            low, high = (formatted(end, "+.3f") for end in each.overall.prediction)
            row |= {
                "mean": each.overall.effect.text(3, "+"), "verdict": told(each.overall.effect, margin),
                "a new corpus": f"{low} to {high}", "spread (tau)": f"{each.overall.tau:.3f}",
                "I\N{SUPERSCRIPT TWO}": f"{each.overall.i2:.0%}",
            }  # fmt: skip
        made[each.question, f"{each.one} \N{MINUS SIGN} {each.other}"] = row
    return pd.DataFrame.from_dict(made, orient="index").fillna("")


def facts(compared: Sequence[Comparison], abouts: Mapping[str, Asked]) -> tuple[pd.DataFrame, str]:
    """Facts of each corpus beside what the best static model has there against the transformer, and that in words.

    Columns: fact, in words; corpus; amount; and value, low, high, n of the difference in NDCG@10.
    """
    first = next(iter(abouts.values()))
    pair = _best(abouts), first.transformer
    effects = [each.known for each in compared if (each.one, each.other) == pair]
    made = []
    for metric, words in FACTS.items():
        fact = words.format(static=first.static, transformer=first.transformer)
        for corpus, effect in (effects[0] if effects else {}).items():
            for amount in abouts[corpus].of("01", metric)["value"]:
                made.append({"fact": fact, "corpus": corpus, "amount": amount, **effect._asdict()})
    return pd.DataFrame(made, columns=["fact", "corpus", "amount", *Interval._fields]), " minus ".join(pair)


def check(abouts: Mapping[str, Asked]) -> None:
    """Raise WorkbookError unless there are several corpora to compare."""
    known = [name for name, about in abouts.items() if about.transformer]
    if len(known) < 2:
        raise WorkbookError(
            f"in this run notebook 01 has rows of {', '.join(known) or 'no corpus'}, and two corpora are needed "
            f"to compare: run several, as CORPUS=scifact,nfcorpus"
        )
