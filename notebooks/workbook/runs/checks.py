"""What each parameter of a notebook may be: its name, and a check that says in one line what is wrong with a value."""

import datetime
import json
import math
import re
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from workbook.conclusions import growth
from workbook.conclusions.decisions import Place
from workbook.corpora import corpora
from workbook.embedding import encoders, variants
from workbook.errors import WorkbookError
from workbook.names import ALIGNED, DISTILLED, STATIC_QUERY, TRAINED
from workbook.qdrant import bm25, engine, quantization
from workbook.qdrant.client import Placement
from workbook.qdrant.engine import Search
from workbook.training.settings import Settings

Check = Callable[[Any], object]  # raises WorkbookError, or TypeError for a value of another type
# Labels of models that notebook 05 always compares
TAKEN = {
    DISTILLED, "start of training", "that start, weighted by frequency", TRAINED, "average of the seeds", ALIGNED,
    STATIC_QUERY,
}  # fmt: skip


def _must(holds: Callable[[Any], object], said: str) -> Check:
    """The check of a value that `holds` is true of; an error says of any other what is `said`."""

    def check(value: Any) -> None:
        if not holds(value):
            raise WorkbookError(f"{value!r} {said}")

    return check


def _unless(nothing: Any, check: Check) -> Check:
    """The check of a parameter that may be left out by giving `nothing`, "" or []."""
    return lambda value: None if value == nothing else check(value)


def _up_to(most: int, check: Check) -> Check:
    """The check of a number that would take years or all memory if it were larger."""

    def checked(value: Any) -> None:
        check(value)
        if value > most:
            raise WorkbookError(f"{value} is too large: give {most:,} at most")

    return checked


def _list_of(check: Check) -> Check:
    """The check of a list with something in it and nothing twice."""

    def checked(values: Any) -> None:
        _filled(values)
        _different(values)
        for value in values:
            check(value)

    return checked


_filled = _must(lambda values: isinstance(values, list) and values, "is not a list with something in it")
_different = _must(lambda values: len(set(map(str, values))) == len(values), "names something twice")
_positive = _must(lambda value: type(value) is int and value > 0, "is not a whole number above 0")
_count = _must(lambda value: type(value) is int and value >= 0, "is not a whole number, 0 or above 0")
_above_zero = _must(lambda value: type(value) in (int, float) and value > 0, "is not a number above 0")
_not_below_zero = _must(lambda value: type(value) in (int, float) and value >= 0, "is not a number, 0 or above 0")
_fraction = _must(lambda value: isinstance(value, float) and 0 < value < 1, "is not a number between 0 and 1")
_yes_or_no = _must(lambda value: isinstance(value, bool), "is neither true nor false")
_positives = _list_of(_positive)
_settings = _list_of(lambda name: quantization.check([name], []))
_seed = _up_to(2**32 - 1, _count)  # what numpy, which the trainer seeds too, takes
_form = _must(
    lambda name: name in variants.every("transformer"), f"is none of {', '.join(variants.every('transformer'))}"
)
_text = _must(lambda value: isinstance(value, str) and value.strip(), "is not a text")


def _file_name(value: str) -> None:
    _text(value)
    if Path(value).name != value or not re.fullmatch(r"[^\0/\\]{1,200}", value):
        raise WorkbookError(f"{value!r} cannot be the name of a file: give a name, without a folder")


def _run_name(value: str) -> None:
    _text(value)
    for part in value.split("/", 1):  # of several corpora, one is called <run>/<corpus>
        _file_name(part)
        if part in (".", ".."):
            raise WorkbookError(f"{value!r} cannot be the name of a run: give a name, without a folder")


def _language(name: str) -> None:
    _text(name)
    bm25.Bm25(1, name)


def _limit(value: int) -> None:
    _positive(value)
    if value < 10:
        raise WorkbookError(f"{value} results are too few for NDCG@10: give 10 or more")


def _documents(values: list[int]) -> None:
    _positives(values)
    if len(values) < growth.FEWEST:
        raise WorkbookError(f"{values!r} are too few sizes to tell growth: give {growth.FEWEST} or more")


def _training(value: Mapping[str, Any]) -> None:
    if Settings.of(**value).queries_only:
        raise WorkbookError(f"{value!r} has queries_only, which the notebook trains beside these: leave it out")


def _ablations(values: Mapping[str, Mapping[str, Any]]) -> None:
    if not isinstance(values, dict):
        raise WorkbookError(f"{values!r} does not give a label to each set of settings")
    for label, value in values.items():
        _text(label)
        check_label(label, TAKEN)
        _training(value)


def check_label(label: str, taken: Container[str]) -> None:
    """Raise WorkbookError for a label that something else has."""
    if label in taken:
        raise WorkbookError(f"the label {label!r} is taken: give another")


def _columns(values: Mapping[str, str]) -> None:
    if not isinstance(values, dict):
        raise WorkbookError(f'{values!r} does not say which column is what: give {{"text": "body"}} or the like')
    for value in values.values():
        _text(value)


def _places(values: Mapping[str, Mapping[str, Any]]) -> None:
    if not isinstance(values, dict) or not values:
        raise WorkbookError(f"{values!r} does not give a name to each place and its limits")
    for name, limits in values.items():
        _text(name)
        try:
            Place.of(**limits)
        except WorkbookError as error:
            raise WorkbookError(f"{name}: {error}") from None


TEXTS: dict[str, Check] = {  # to be quoted in YAML, where they may look like a number or a date
    "corpus": corpora.check,
    "static_model": encoders.check,
    "transformer_model": _unless("", encoders.check),
    "large_model": _unless("", encoders.check),
    "long_model": encoders.check,
    "scale_model": encoders.check,
    "custom_model": _unless("", encoders.check),
    "engine_name": lambda name: engine.check(name, []),
    "query": _text,
    "language": _language,
    "columns": _columns,
    "judged": _unless("", _text),
    "judged_columns": _columns,
    "collection": _unless("", _text),
    "vector_name": _unless("", _text),
    "text_field": _text,
    "fusion": engine.check_fusion,
    "run": _unless("", _run_name),
    "labelled_split": _unless("", _file_name),
    "other_corpus": _unless("", corpora.check),
}
CHECKS: dict[str, Check] = {
    **TEXTS,
    "dimensions": _unless([], _positives),
    "settings": _settings,
    "searches": _list_of(Search.named),
    "margin": _fraction,
    "share": _fraction,
    "max_loss": _fraction,
    "threshold": _unless(0, _fraction),
    "limit": _limit,
    "repeats": _up_to(1_000, _positive),
    "threads": _up_to(1_024, _count),
    "words": _list_of(_up_to(100_000, _positive)),
    "batch_sizes": _list_of(_up_to(100_000, _positive)),
    "cut": _positive,
    "forms": _unless([], _list_of(_form)),
    "judge_forms": _yes_or_no,
    "core_hour": _not_below_zero,
    "gpu_hour": _not_below_zero,
    "core_watts": _not_below_zero,
    "gpu_watts": _not_below_zero,
    "round_seconds": _up_to(3_600, _above_zero),
    "plain_texts": _up_to(1_000_000, _positive),
    "cold_starts": _up_to(1_000, _positive),
    "documents": _documents,
    "scale_dimension": _positive,
    "words_once": _yes_or_no,
    "waiting": _up_to(1_000, _positive),
    "processes": _up_to(1_000, _positive),
    "seed": _seed,
    "scale_repeats": _up_to(1_000, _positive),
    "fit_from": _count,
    "vocabularies": _unless([], _positives),
    "index_settings": _settings,
    "node_ram_gb": _above_zero,
    "candidates": _list_of(_training),
    "ablations": _ablations,
    "seeds": _list_of(_seed),
    "sizes": _unless([], _positives),
    "most_documents": _count,
    "most_queries": _positive,
    "probes": _positive,
    "server": Placement.of,
    "top": _positive,
    "hnsw_ef": _count,
    "places": _places,
    "strict": _yes_or_no,
}


def check(name: str, value: Any, own_data: bool = False) -> None:
    """Raise WorkbookError, naming the parameter, for a value it cannot have; `own_data`: the corpus may be any file."""
    if name not in CHECKS:
        raise WorkbookError(f"unknown parameter {name!r}: the notebooks know {', '.join(CHECKS)}")
    try:
        _check_json(value)
        (_text if name == "corpus" and own_data else CHECKS[name])(value)
    except WorkbookError as error:
        raise WorkbookError(f"parameter {name}: {error}{_advice(name, value)}") from None
    except TypeError:
        raise WorkbookError(f"parameter {name}: {value!r} is of the wrong type{_advice(name, value)}") from None


def _check_json(value: Any) -> None:
    """Raise WorkbookError for what is no JSON: a number that is not finite, or half a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise WorkbookError(f"{value!r} holds half a surrogate pair, or is a path not in UTF-8: change it") from None
    except ValueError:
        raise WorkbookError(f"{value!r} is, or holds, a number that is not finite: give one that is") from None


def _advice(name: str, value: Any) -> str:
    """What to write where YAML made a text of a number, as of 1e-2, or a number or a date of a name; else nothing."""
    texts = value.values() if isinstance(value, dict) else [value]
    if name in TEXTS and any(isinstance(text, int | float | datetime.date) for text in texts):
        return ": quote it"
    meant = _numbers(value)
    try:
        CHECKS[name](meant)
    except (WorkbookError, TypeError):
        return ""
    return f": write {json.dumps(meant)}"


def _numbers(value: Any) -> Any:
    """The value with a number for each text that is one, and a whole one for each that has no fraction."""
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    try:
        number = float(value) if isinstance(value, str | float) else math.nan
    except ValueError:
        return value
    return value if not math.isfinite(number) else int(number) if number.is_integer() else number
