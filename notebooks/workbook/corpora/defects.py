"""Small defects of a corpus: counted, told once beside what ran, and worked round in the way that flatters nobody.

A row that cannot be read, or has no text, is left out: no method can find it. A row that is there twice is taken once.
A judgement of a document that is not there stays: nobody can find it, and its query scores less for every method. A
query without a text cannot be asked of any method, so it is left out with its judgements. Many of one kind are no
small defect but another layout, or a broken file: that stops, as everything does where `strict` is asked for.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from workbook.errors import WorkbookError

HANDFUL, SHARE = 10, 0.01  # rows that may be unreadable: so many, or this share of all
SHOWN = 5  # line numbers of a kind that are told
EMPTY = "empty"  # a kind that may be as many as half of the rows, as what is of no kind
PLACE = re.compile(r"(?s)(.*?)(?::|, row )(\d+(?:-\d+)?)")


class Effect(NamedTuple):
    """What is done with a defect, said of one and of several; `limited`: not with half of the rows or more."""

    one: str
    several: str
    limited: bool = True


ROW_OUT = Effect("row was left out", "rows were left out")
ROW_ONCE = Effect("row that is there twice was taken once", "rows that are there twice were taken once", False)
STAYS_EMPTY = Effect("document stays as in BEIR", "documents stay as in BEIR")
QUERY_OUT = Effect("row's query was left out", "rows' queries were left out")
NOT_FOUND = Effect(
    "judgement names a document that is not there: it stays, as one that cannot be found",
    "judgements name documents that are not there: they stay, as ones that cannot be found",
)
NOT_ASKED = Effect(
    "judgement was left out: its query is not there", "judgements were left out: their queries are not there"
)
JUDGED_ONCE = Effect(
    "judgement that is there twice was taken once", "judgements that are there twice were taken once", False
)


class BadRow(WorkbookError):
    """What is wrong with one row, in a message that begins with its place; in a word or two, `kind`.

    The rows around it can be used.
    """

    def __init__(self, message: str, place: str = "", kind: str = ""):
        super().__init__(message)
        self.place = place
        self.kind = kind


class _Found:
    """The first defect of an effect and kind in a file, the line numbers of some, and how many there are."""

    def __init__(self, first: BadRow):
        self.first = first
        self.numbers: list[str] = []
        self.count = 0


class Defects:
    """The small defects found so far, by file. If `strict`, the first is raised."""

    def __init__(self, strict: bool = False):
        self.strict = strict
        self._found: dict[tuple[str, Effect], dict[str, _Found]] = {}

    def add(self, effect: Effect, bad: BadRow) -> None:
        """Count a defect. Raises it if `strict`."""
        if self.strict:
            raise bad
        file, number = PLACE.fullmatch(bad.place).groups()
        found = self._found.setdefault((file, effect), {}).setdefault(bad.kind, _Found(bad))
        found.count += 1
        if len(found.numbers) < SHOWN and number not in found.numbers:
            found.numbers.append(number)

    def watch(self, file: Path, rows: Iterable, *effects: Effect) -> Iterator:
        """Give all rows of a file on, and at their end `check` it."""
        number = 0
        for number, row in enumerate(rows, start=1):  # noqa: B007
            yield row
        for effect in effects:
            self.check(file, effect, number)

    def check(self, file: Path, effect: Effect, rows: int) -> None:
        """Raise WorkbookError, naming the first line, if there are too many of such a defect among all rows of a file.

        That is half of them; of rows that cannot be read, more than a HANDFUL and than a SHARE of all.
        """
        kinds = self._found.get((str(file), effect), {})
        total = sum(found.count for found in kinds.values())
        unread = sum(found.count for kind, found in kinds.items() if kind not in ("", EMPTY))
        if total and effect.limited and (2 * total >= rows or unread > max(HANDFUL, SHARE * rows)):
            first = max(kinds.values(), key=lambda found: found.count).first
            like = f" ({total:,} of {rows:,} are like it: too many to go on without)" if total > 1 else ""
            raise WorkbookError(f"{first}{like}")

    def told(self) -> tuple[str, ...]:
        """A sentence for each file and effect: how many, of which kind and in which lines."""
        return tuple(_sentence(Path(file).name, effect, kinds) for (file, effect), kinds in self._found.items())


def _sentence(name: str, effect: Effect, kinds: dict[str, _Found]) -> str:
    total = sum(found.count for found in kinds.values())
    said = f"{name}: {total:,} {effect.one if total == 1 else effect.several}"
    parts = [
        f"{f'{found.count:,} ' * (len(kinds) > 1)}{kind} ({_lines(found)})".strip() for kind, found in kinds.items()
    ]
    return f"{said}: {', '.join(parts)}" if any(kinds) else f"{said} {parts[0]}"


def _lines(found: _Found) -> str:
    unit = "line" if f":{found.numbers[0]}" in found.first.place else "row"
    more = f" and {found.count - SHOWN:,} more" if found.count > SHOWN else ""
    return f"{unit}{'s' * (found.count > 1)} {', '.join(found.numbers)}{more}"


STRICT = Defects(strict=True)
