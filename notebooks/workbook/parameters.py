"""What a notebook may be asked to do: each parameter's name and check, for the runner and the notebook itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbook import corpora, encoders, engine, quantization
from workbook.engine import Search
from workbook.errors import WorkbookError
from workbook.training import Settings

TAKEN = {"distilled", "start of training", "that start, weighted by frequency", "trained", "average of the seeds"}
MODELS = ("static_model", "transformer_model", "large_model")


def check(values: Mapping[str, Any]) -> None:
    """Raise WorkbookError, naming the parameter, for the first value that cannot work. Loads nothing."""
    for name, value in values.items():
        if name not in CHECKS:
            raise WorkbookError(f"unknown parameter {name!r}: the notebooks know {', '.join(CHECKS)}")
        try:
            CHECKS[name](value)
        except WorkbookError as error:
            raise WorkbookError(f"parameter {name}: {error}") from None
        except TypeError:
            raise WorkbookError(f"parameter {name}: {value!r} is of the wrong type") from None
    if "transformer_model" in values and values["transformer_model"] == values["static_model"]:
        raise WorkbookError(f"static_model and transformer_model are both {values['static_model']}: give two models")
    dimensions = values.get("dimensions") or []
    for model in (values[name] for name in MODELS[:2] if name in values):
        encoders.check_dimensions(model, dimensions)
    if "settings" in values:
        own = [encoders.MODELS[values[name]].dimensions for name in MODELS[:2] if values[name] in encoders.MODELS]
        quantization.check(values["settings"], [*dimensions, *own])
        engine.check(values["engine_name"], values["settings"], values["searches"])
        _check_grid(values["settings"], values["searches"])
    if "candidates" in values:
        _check_training(values)


def _check_training(values: Mapping[str, Any]) -> None:
    engine.check(values["engine_name"], ["float32", "binary"], ["exact", "full-ef"])
    if values["other_corpus"] == values["corpus"]:
        raise WorkbookError(f'other_corpus is the corpus itself, {values["corpus"]}: give another, or "" for none')


def _check_grid(settings: Sequence[str], searches: Sequence[str]) -> None:
    missing = {"exact", "full-ef", "default-ef"} - set(searches)
    if "float32" not in settings or missing:
        raise WorkbookError(
            f"settings must have float32 and searches exact, full-ef and default-ef, by which losses are told apart "
            f"(missing: {', '.join(sorted(missing)) or 'float32'})"
        )
    if len(settings) < 2 or not any(Search.named(name).rescore for name in searches):
        raise WorkbookError("settings need a quantization and searches a rescoring: there is nothing to compare")


def check_cell(variables: Mapping[str, Any]) -> None:
    """Check a notebook's own parameters, given its globals()."""
    check({name: variables[name] for name in CHECKS if name in variables})


def _positive(value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise WorkbookError(f"{value!r} is not a whole number above 0")


def _ten_or_more(value: int) -> None:
    _positive(value)
    if value < 10:
        raise WorkbookError(f"{value} results are too few for NDCG@10: give 10 or more")


def _count(value: int) -> None:
    if value != 0:
        _positive(value)


def _positives(values: Sequence[int]) -> None:
    _several(values)
    for value in values:
        _positive(value)


def _fraction(value: float) -> None:
    if not isinstance(value, float) or not 0 < value < 1:
        raise WorkbookError(f"{value!r} is not a number between 0 and 1")


def _several(values: Sequence[Any]) -> None:
    if not isinstance(values, list) or not values:
        raise WorkbookError(f"{values!r} is not a list with something in it")
    if len(set(map(str, values))) < len(values):
        raise WorkbookError(f"{values!r} names something twice")


def _text(value: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise WorkbookError(f"{value!r} is not a text")


def _searches(names: Sequence[str]) -> None:
    _several(names)
    for name in names:
        Search.named(name)


def _settings(names: Sequence[str]) -> None:
    _several(names)
    quantization.check(names, [])


def _candidates(values: Sequence[Mapping[str, Any]]) -> None:
    _several(values)
    for value in values:
        Settings.of(**value)


def _ablations(values: Mapping[str, Mapping[str, Any]]) -> None:
    if not isinstance(values, dict):
        raise WorkbookError(f"{values!r} does not give a label to each set of settings")
    for label, value in values.items():
        _text(label)
        if label in TAKEN:
            raise WorkbookError(f"the label {label!r} is taken: give another")
        Settings.of(**value)


def _seeds(values: Sequence[int]) -> None:
    _several(values)
    for value in values:
        _count(value)


def _texts(counts: Mapping[str, int]) -> None:
    if not isinstance(counts, dict) or set(counts) != {"static", "transformer", "large"}:
        raise WorkbookError(f"{counts!r} does not give a number of texts for static, transformer and large")
    for count in counts.values():
        _positive(count)


CHECKS: dict[str, Callable[[Any], None]] = {
    "corpus": corpora.check,
    "static_model": encoders.check,
    "transformer_model": encoders.check,
    "large_model": encoders.check,
    "engine_name": lambda name: engine.check(name, []),
    "dimensions": lambda values: _positives(values) if values else None,
    "settings": _settings,
    "searches": _searches,
    "margin": _fraction,
    "limit": _ten_or_more,
    "repeats": _positive,
    "threads": _count,
    "query": _text,
    "words": _positives,
    "batch_sizes": _positives,
    "texts": _texts,
    "candidates": _candidates,
    "ablations": _ablations,
    "seeds": _seeds,
    "sizes": lambda values: _positives(values) if values else None,
    "other_corpus": lambda name: corpora.check(name) if name else None,
    "labelled_split": lambda name: _text(name) if name else None,
}
