"""The answer on the READMEs: what a run found, written between two marks, so that nobody types a number into it.

The rows behind every number that is written are kept beside them, small enough to be committed.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from workbook import paths, redact
from workbook.conclusions import across, asked, published
from workbook.conclusions.across import Comparison
from workbook.conclusions.answers import MISSING, Answer
from workbook.conclusions.summary import Advice
from workbook.errors import WorkbookError
from workbook.evaluation.columns import COLUMNS
from workbook.evaluation.statistics import BETTER, EQUAL, NOT_SETTLED, WORSE, decide, formatted
from workbook.names import plain
from workbook.runs.outcomes import Conclusions, conclude
from workbook.written import markdown

BEGIN, END = "<!-- answer: written by make readme -->", "<!-- end of the answer -->"
PICTURE = "answer"  # the figure of notebook 08 that leads


def write(
    file: Path, detail: Path, rows: Path, run: str, command: str, notebooks: Collection[str] | None = None
) -> None:  # fmt: skip
    """Write what a run found, of all notebooks or of these: claim, scores and advice into `file`, every answer into
    `detail`, both Markdown, between their marks; the rows of all that into `rows`, CSV.

    Raises WorkbookError if a file has no marks, or if something is not answered: half an answer is none.
    """
    texts = {each: _around(each) for each in (file, detail)}
    found = conclude(run, notebooks)
    found = found._replace(answers=[one for one in found.answers if _planned(one, notebooks)])
    if found.problems:
        raise WorkbookError(f"run {run} cannot answer: {found.problems[0]}")
    said = [*(one.text for one in found.answers), found.claim]
    if missing := next((text for text in said if MISSING in text), ""):
        raise WorkbookError(f"run {run} cannot answer. {missing}")
    where = f"{markdown(f'On {found.evidence.corpus}, {found.evidence.machine}.')} Made by `{command}`"
    short = f"{where}, written by `make readme`; the rows are in [data/{rows.name}](data/{rows.name})."
    written = {
        file: [f"**{markdown(found.claim)}**", "", markdown(found.intervals), "", *_lead(found), "", short],
        detail: [*_answers(found), "", f"{where}."],
    }
    for each, (before, after) in texts.items():
        block = "\n".join([BEGIN, *written[each], END])
        with paths.atomic(each) as temporary:
            temporary.write_text(redact.clean(f"{before}{block}{after}"), encoding="utf-8")
    kept = pd.concat([found.rows, across.rows(found.compared, found.asked)]).reindex(columns=["notebook", *COLUMNS])
    with paths.atomic(rows) as temporary:
        kept.dropna(axis="columns", how="all").to_csv(temporary, index=False, float_format="%.6g")


def _planned(one: Answer, notebooks: Collection[str] | None) -> bool:
    """Whether an answer can be had: all of the notebooks that it asks for are to be run."""
    asked_for = re.findall(r"\d\d", one.text) if MISSING in one.text else []
    return notebooks is None or set(asked_for) <= {name[:2] for name in notebooks}


def _around(file: Path) -> tuple[str, str]:
    """What is before and after the marks of a file."""
    text = file.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise WorkbookError(f"{file.name} needs one line {BEGIN} and, below it, one {END}")
    return text.split(BEGIN)[0], text.split(END)[1]


def _lead(found: Conclusions) -> list[str]:
    """The picture, the scores, what others published, and what to do, as Markdown."""
    table = asked.table(found.scores, found.transformer)
    name = f"figures/{found.evidence.slug}-{PICTURE}.png"
    lines = [f"![Each method: NDCG@10 against documents a second]({name})", "", *_table(table), ""]
    if others := published.beside(found.rows, found.transformer):
        lines += [markdown(others), ""]
    if not found.advice:
        return lines
    said = [f"- {markdown(each)}" for each in found.advice.sentences]
    return [*lines, "### What to do", "", *said, "", *_code(found.advice)]


def _code(advice: Advice) -> list[str]:
    """The code of the advice, folded."""
    code = advice.code.rstrip()
    return ["<details><summary>The code, for a Qdrant server</summary>", "", "```python", code, "```", "", "</details>"]


def _table(frame: pd.DataFrame) -> list[str]:
    rows = [[str(cell).replace(" [", "\N{NO-BREAK SPACE}[") for cell in row] for row in frame.to_numpy()]
    lines = [list(frame.columns), ["---"] * len(frame.columns), *([markdown(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _answers(found: Conclusions) -> list[str]:
    if not found.compared:
        return [
            "| question | answer | n | notebook |", "|---|---|---|---|",
            *(
                f"| {one.question} | {markdown(one.text)} | {one.n or ''} | "
                f"{', '.join(f'`{name[:2]}`' for name in one.notebooks)} |"
                for one in found.answers
            ),
        ]  # fmt: skip
    margin = next(iter(found.asked.values())).margin
    return _over_corpora(found.compared, margin, found.answers)


def _over_corpora(compared: Sequence[Comparison], margin: float, answered: Sequence[Answer]) -> list[str]:
    """A table of the comparisons that answer the questions.

    Of cuts the mildest and of rescored codes the trained model's: 09 has the others.
    """
    lines = ["| question | compared | mean | better, equal, worse, open | a new corpus |", "|---|---|---|---|---|"]
    for question, own in across.shown(compared).items():
        asked = question
        few = own[:1] if question == across.CUT else own[-1:] if question == across.RESCORED else own
        for each in few:
            counts = Counter(decide(effect, margin) for effect in each.effects.values())
            counted = ", ".join(str(counts[verdict]) for verdict in (BETTER, EQUAL, WORSE, NOT_SETTLED))
            mean = each.overall.effect.text(3, "+") if each.overall else ""
            new = " to ".join(formatted(end, "+.3f") for end in each.overall.prediction) if each.overall else ""
            pair = markdown(f"{plain(each.one)} against {plain(each.other)}")
            numbers = " | ".join(text.replace(" ", "\N{NO-BREAK SPACE}") for text in (mean, counted, new))
            lines.append(f"| {asked} | {pair} | {numbers} |")
            asked = ""
    return [*lines, "", *(markdown(one.text) for one in answered if one.question == across.FASTER)]
