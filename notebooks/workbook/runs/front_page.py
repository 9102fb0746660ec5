"""The answer on the README: what a run found, written between two marks, so that nobody types a number into it."""

from collections.abc import Collection
from pathlib import Path

from workbook import paths, redact
from workbook.conclusions.answers import MISSING
from workbook.errors import WorkbookError
from workbook.runs.outcomes import conclude
from workbook.written import markdown

BEGIN, END = "<!-- answer: written by make readme -->", "<!-- end of the answer -->"


def write(file: Path, run: str, command: str, notebooks: Collection[str] | None = None) -> None:
    """Put the headline and the answers of a run, of all notebooks or of these, between the marks of a Markdown file.

    Raises WorkbookError if the file has no marks, or if something is not answered: half an answer is none.
    """
    text = file.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise WorkbookError(f"{file.name} needs one line {BEGIN} and, below it, one {END}")
    evidence, problems, headline, answered, *_ = conclude(run, notebooks)
    if problems:
        raise WorkbookError(f"run {run} cannot answer: {problems[0]}")
    if missing := next((text for text in (*(one.text for one in answered), headline) if MISSING in text), ""):
        raise WorkbookError(f"run {run} cannot answer. {missing}")
    rows = [
        f"| {one.question} | {markdown(one.text)} | {one.n or ''} | "
        f"{', '.join(f'`{name[:2]}`' for name in one.notebooks)} |"
        for one in answered
    ]
    table = ["| question | answer | n | notebook |", "|---|---|---|---|", *rows]
    where = (
        f"{markdown(f'On {evidence.corpus}, {evidence.machine}.')} "
        f"Differences are in NDCG@10, paired, with 95% intervals; "
        f"factors of speed are medians, with the range of the repeats where one is given. Made by `{command}`."
    )
    block = "\n".join([BEGIN, f"**{markdown(headline)}**", "", *table, "", redact.clean(where), END])
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    with paths.atomic(file) as temporary:
        temporary.write_text(f"{before}{block}{after}", encoding="utf-8")
