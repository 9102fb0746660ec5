"""Queries worked out on a page: one that static wins and one that the transformer wins, with what each method found."""

from pathlib import Path

from workbook import paths
from workbook.errors import WorkbookError
from workbook.explorer.explored import CUSTOM, MAIN, Answer
from workbook.explorer.explorer import Explorer
from workbook.written import markdown

BEGIN, END = "<!-- queries: written by make readme -->", "<!-- end of the queries -->"
SHOWN = 40  # characters of a document


def write(file: Path, explorer: Explorer) -> None:
    """Put the examples of an explorer, but those that word search wins, between the marks of a Markdown file.

    Raises WorkbookError if the file has no marks.
    """
    text = file.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise WorkbookError(f"{file.name} needs one line {BEGIN} and, below it, one {END}")
    asked = {label: query for label, query in explorer.examples().items() if not label.startswith("Word")}
    lines = [line for label, query in asked.items() for line in _worked(explorer, label, query)]
    with paths.atomic(file) as temporary:
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        temporary.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{after}"]), encoding="utf-8")


def _worked(explorer: Explorer, label: str, query: str) -> list[str]:
    """A query, and a row for each method: at which rank it has the right answer, and what it found first."""
    found = explorer.ask(query, explorer.dimensions[-1], "float32")
    rows = [
        f"| {markdown(answer.title)} | {answer.right or f'below {len(answer.ranked)}'} | {markdown(_first(answer))} |"
        for answer in found
        if answer.found and answer.way in (*MAIN, CUSTOM)
    ]
    head = ["| method | right answer at rank | found first |", "|---|---|---|"]
    return [f"{label}: *{markdown(query)}*", "", *head, *rows, ""]


def _first(answer: Answer) -> str:
    """How the document begins that a method found first."""
    text = answer.found[0].title or answer.found[0].snippet
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rsplit(' ', 1)[0]} ..."
