"""How a model is trained: every setting with its usual value, and what it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from workbook.corpora import pairs
from workbook.errors import WorkbookError

MOST_EPOCHS, WIDEST = 1_000, 2**14  # beyond, a training takes days or all memory


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _falls(values: object) -> bool:
    """Whether these are counts, each below the one before."""
    return (
        isinstance(values, list | tuple) and all(map(_is_count, values)) and sorted(set(values))[::-1] == list(values)
    )


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < float("inf")


COUNT = (_is_count, "a whole number above 0")
POSITIVE = (_is_positive, "a number above 0")
TRUTH = "true or false"
ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "words": (lambda value: value is None or isinstance(value, bool), TRUTH),
    "frequencies": (lambda value: isinstance(value, bool), TRUTH),
    "width": (
        lambda value: value == 0 or (_is_count(value) and value <= WIDEST),
        f"a number of dimensions, {WIDEST:,} at most, or 0 for the start's own",
    ),
    "kinds": (
        lambda value: isinstance(value, list | tuple) and len(value) > 0 and set(value) <= set(pairs.KINDS),
        f"a list of some of {', '.join(pairs.KINDS)}",
    ),
    "dimensions": (lambda value: value is None or _falls(value), "a list of whole numbers above 0, the widest first"),
    "sentences": COUNT,
    "batch_size": COUNT,
    "epochs": (
        lambda value: _is_count(value) and value <= MOST_EPOCHS,
        f"a whole number from 1 to {MOST_EPOCHS:,}",
    ),
    "learning_rate": POSITIVE,
    "scale": POSITIVE,
    "teacher": (lambda value: isinstance(value, int | float) and 0 <= value <= 1, "a share from 0 to 1"),
    "ridge": (lambda value: value == 0 or _is_positive(value), "a number above 0, or 0 for one map of all rows"),
    "queries_only": (lambda value: isinstance(value, bool), TRUTH),
}


@dataclass(frozen=True)
class Settings:
    """How a model is trained.

    `words`, `frequencies` and `width` (0: unchanged) change the start, see `start_models`; `kinds` and `sentences` are
    those of `pairs`. `dimensions` are the Matryoshka dimensions below the model's own, by default those that the start
    is measured at. `scale` is one over the temperature, `teacher` the share of the target that the teacher decides, see
    `objective`. By default words are added if the start was made here. With `queries_only` the teacher's vectors stay
    the documents', and a table of queries is trained to find them: it has their width, and no Matryoshka dimensions;
    its start is mapped there, see `start_models.aligned`.
    """

    words: bool | None = None
    frequencies: bool = False
    width: int = 0
    kinds: tuple[str, ...] = pairs.KINDS
    sentences: int = 5
    dimensions: tuple[int, ...] | None = None
    batch_size: int = 2048
    learning_rate: float = 0.03
    epochs: int = 5
    scale: float = 20.0
    teacher: float = 0.0
    queries_only: bool = False
    ridge: float = 0.0

    @classmethod
    def of(cls, **values: Any) -> Settings:
        """Settings from plain values, as a notebook's parameter gives them; WorkbookError for what makes no sense."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            names = ", ".join(field.name for field in fields(cls))
            raise WorkbookError(f"training has no setting {', '.join(sorted(unknown))}; it has {names}")
        for name, value in values.items():
            allowed, what = ALLOWED[name]
            if not allowed(value):
                raise WorkbookError(f"{name} must be {what}, not {value!r}")
        if values.get("queries_only"):
            idle, why = ("width", "dimensions", "teacher"), "queries_only leaves nothing for {} to change"
        else:
            idle, why = ("ridge",), "{} is of the start that queries_only has"
        if given := [name for name in idle if values.get(name)]:
            raise WorkbookError(f"{why.format(', '.join(given))}: leave it out")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


QUERIES = Settings(queries_only=True)
ALIGNED = Settings(queries_only=True, ridge=0.3)  # of use without training; trained from there it finds less
