"""Small defects of a corpus: they are counted, told once beside the results, and worked round so that no method gains.

A row that cannot be read or has no text is left out: no method can find it. A row that is there twice is taken once.
A judgement of an absent document stays: no method can find it, so its query scores less for all of them. A query
without a text cannot be asked, so it is left out with its judgements. Many defects of one kind mean another layout or a
broken file. They stop the run, and so does the first defect where `strict` is asked for.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from workbook.errors import WorkbookError

HANDFUL, SHARE = 10, 0.01  # a file may have so many unreadable rows, or this share of all, whichever is more
SHOWN = 5  # line numbers of a kind that are told
EMPTY = "empty"  # the kind of a row without a text; of these, as of defects without a kind, fewer than half may be so
PLACE = re.compile(r"(?s)(.*?)(?::|, row )(\d+(?:-\d+)?)")


class Effect(NamedTuple):
    """What is done about a defect, told of one and of several. If `limited`, half of the rows are too many."""

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
    """What is wrong with one row, while the rows around it can be used.

    The message begins with the row's `place`; `kind` says in a word or two what is wrong.
    """

    def __init__(self, message: str, place: str = "", kind: str = ""):
        super().__init__(message)
        self.place = place
        self.kind = kind


class _Found:
    """The defects of one effect and kind in a file: the first, how many there are, and the line numbers of some."""

    def __init__(self, first: BadRow):
        self.first = first
        self.numbers: list[str] = []
        self.count = 0


class Defects:
    """The small defects found so far. If `strict`, the first is raised."""

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

    def usable(
        self, file: Path, rows: Iterable[tuple[str, Any]], use: Callable[[Any, str], Any], effect: Effect
    ) -> Iterator[tuple[str, Any]]:
        """Yield each row's place and what `use` makes of it. A row that is a BadRow, or raises one, is a defect."""
        for place, row in self.watch(file, rows, effect):
            try:
                if isinstance(row, BadRow):
                    raise row
                yield place, use(row, place)
            except BadRow as bad:
                self.add(effect, bad)

    def watch(self, file: Path, rows: Iterable, *effects: Effect) -> Iterator:
        """Yield all rows of a file. Once the last has been taken, too many defects of it raise WorkbookError.

        Half of the rows are too many; of rows that cannot be read, more than a HANDFUL and than a SHARE of all.
        """
        number = 0
        for number, row in enumerate(rows, start=1):  # noqa: B007
            yield row
        for effect in effects:
            kinds = self._found.get((str(file), effect), {})
            total = sum(found.count for found in kinds.values())
            unread = sum(found.count for kind, found in kinds.items() if kind not in ("", EMPTY))
            if total and effect.limited and (2 * total >= number or unread > max(HANDFUL, SHARE * number)):
                first = max(kinds.values(), key=lambda found: found.count).first
                like = f" ({total:,} of {number:,} are like it: too many to go on without)" if total > 1 else ""
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
