"""The answer on the README: what a run found, written between two marks, so that nobody types a number into it."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from workbook import paths, redact
from workbook.conclusions import across
from workbook.conclusions.across import Comparison
from workbook.conclusions.answers import MISSING, Answer
from workbook.errors import WorkbookError
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, decide, formatted
from workbook.names import BM25, TRAINED
from workbook.runs.outcomes import conclude
from workbook.written import markdown

BEGIN, END = "<!-- answer: written by make readme -->", "<!-- end of the answer -->"
PLAIN = {  # what labels are called on a front page
    r"^static-distilled, whole, float32$": "its whole float32 vector",
    r"\ball-([A-Za-z]+)-[\w-]*v\d+\b": r"\1", rf"\b{TRAINED}\b": "trained static",
    r"\bstatic-distilled\b": "distilled static", rf" \+ {BM25} \(\w+\)": f" + {BM25}",
}  # fmt: skip


def write(file: Path, run: str, command: str, notebooks: Collection[str] | None = None) -> None:
    """Put the headline and the answers of a run, of all notebooks or of these, between the marks of a Markdown file.

    Raises WorkbookError if the file has no marks, or if something is not answered: half an answer is none.
    """
    text = file.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise WorkbookError(f"{file.name} needs one line {BEGIN} and, below it, one {END}")
    evidence, problems, headline, answered, abouts, compared = conclude(run, notebooks)
    if problems:
        raise WorkbookError(f"run {run} cannot answer: {problems[0]}")
    if missing := next((text for text in (*(one.text for one in answered), headline) if MISSING in text), ""):
        raise WorkbookError(f"run {run} cannot answer. {missing}")
    margin = next(iter(abouts.values())).margin
    said = claim(compared, margin) if compared else headline
    told = _over_corpora(compared, margin, answered) if compared else _of_one(answered)
    meant = (
        "Mean: of the paired differences in NDCG@10 (1: a perfect ranking), with its 95% interval; a new corpus: where "
        "its difference is expected (95%). Speeds are medians."
        if compared
        else "Differences are in NDCG@10, paired, with 95% intervals; factors of speed are medians, with the range of "
        "the repeats where one is given."
    )
    where = f"{markdown(f'On {evidence.corpus}, {evidence.machine}.')} {meant} Made by `{command}`."
    block = "\n".join([BEGIN, f"**{markdown(said)}**", "", *told, "", redact.clean(where), END])
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    with paths.atomic(file) as temporary:
        temporary.write_text(f"{before}{block}{after}", encoding="utf-8")


def claim(compared: Sequence[Comparison], margin: float) -> str:
    """Should you pay attention? One sentence over the corpora, of twenty words at most, without an interval."""
    one = across.main(compared)
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


def plain(label: str) -> str:
    """A label in plain words: MiniLM, trained static + BM25."""
    for pattern, said in PLAIN.items():
        label = re.sub(pattern, said, label)
    return label


def _of_one(answered: Sequence[Answer]) -> list[str]:
    rows = [
        f"| {one.question} | {markdown(one.text)} | {one.n or ''} | "
        f"{', '.join(f'`{name[:2]}`' for name in one.notebooks)} |"
        for one in answered
    ]
    return ["| question | answer | n | notebook |", "|---|---|---|---|", *rows]


def _over_corpora(compared: Sequence[Comparison], margin: float, answered: Sequence[Answer]) -> list[str]:
    """A table of the comparisons that answer the questions, those with BM25 by the fusion of the claim alone.

    Of cuts the mildest and of rescored codes the trained model's: 09 has the others.
    """
    fusion = across.main(compared).one.rpartition(" + ")[2]
    lines = ["| question | compared | mean | better, equal, worse, open | a new corpus |", "|---|---|---|---|---|"]
    for question, own in across.shown(compared).items():
        asked = question
        few = own[:1] if question == across.CUT else own[-1:] if question == across.RESCORED else own
        for each in few:
            if BM25 in each.one.partition(" + ")[2] and fusion not in each.one:
                continue
            counts = Counter(decide(effect, margin) for effect in each.effects.values())
            counted = ", ".join(str(counts[verdict]) for verdict in (BETTER, EQUAL, WORSE, NOT_SETTLED))
            mean = each.overall.effect.text(3, "+") if each.overall else ""
            new = " to ".join(formatted(end, "+.3f") for end in each.overall.prediction) if each.overall else ""
            pair = markdown(f"{plain(each.one)} against {plain(each.other)}")
            numbers = " | ".join(text.replace(" ", "\N{NO-BREAK SPACE}") for text in (mean, counted, new))
            lines.append(f"| {asked} | {pair} | {numbers} |")
            asked = ""
    faster = [markdown(plain(one.text)) for one in answered if one.question == across.FASTER]
    return [*lines, "", *(f"{text[0].upper()}{text[1:]}" for text in faster)]
