"""Queries worked out on a page: one that static wins and one that the transformer wins, with what each method found."""

from pathlib import Path

from workbook import paths
from workbook.errors import WorkbookError
from workbook.explorer.explorer import Explorer
from workbook.written import markdown

BEGIN, END = "<!-- queries: written by make readme -->", "<!-- end of the queries -->"
SHOWN = 60  # characters of a title


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
        f"| {markdown(answer.title)} | {answer.right or f'below {len(answer.ranked)}'} | "
        f"{markdown(answer.found[0].title[:SHOWN]) if answer.found else 'nothing'} |"
        for answer in found
        if not answer.problem or answer.found
    ]
    head = ["| method | right answer at rank | found first |", "|---|---|---|"]
    return [f"{label}: *{markdown(query)}*", "", *head, *rows, ""]
