"""What a notebook may be asked to do: each parameter's name and check, for the runner and the notebook itself."""

import datetime
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbook.conclusions import growth
from workbook.conclusions.decisions import Place
from workbook.corpora import corpora, own_data
from workbook.corpora.corpora import Corpus
from workbook.embedding import encoders, exports
from workbook.errors import WorkbookError
from workbook.experiments import existing, ingest_runs
from workbook.qdrant import bm25, engine, quantization, server
from workbook.qdrant.client import ANYWHERE, Placement
from workbook.qdrant.engine import Search
from workbook.training import training
from workbook.training.settings import Settings

TAKEN = {"distilled", "start of training", "that start, weighted by frequency", "trained", "average of the seeds"}
TEXTS = {"corpus", "static_model", "transformer_model", "large_model", "long_model", "scale_model", "custom_model",
         "engine_name", "query", "language", "judged", "columns", "judged_columns", "collection", "vector_name",
         "fusion", "run", "labelled_split", "other_corpus"}  # fmt: skip
MODELS = ("static_model", "transformer_model", "large_model", "long_model", "scale_model")
OWN = ("corpus", "columns", "judged", "judged_columns", "most_documents", "most_queries", "seed")  # as Source has them
SCALE = ("corpus", "documents", "scale_model", "scale_dimension", "words_once", "waiting", "seed", "scale_repeats")


def check(values: Mapping[str, Any], ask: bool = True) -> None:
    """Raise WorkbookError, naming the parameter, for what cannot work. Loads nothing.

    `ask`: ask the server, too, if there is one to be measured; to read what was measured it need not be there.
    """
    for name, value in values.items():
        if name not in CHECKS:
            raise WorkbookError(f"unknown parameter {name!r}: the notebooks know {', '.join(CHECKS)}")
        try:
            _plain(value)
            (_text if name == "corpus" and "columns" in values else CHECKS[name])(value)
        except WorkbookError as error:
            raise WorkbookError(f"parameter {name}: {error}{_advice(name, value)}") from None
        except TypeError:
            raise WorkbookError(f"parameter {name}: {value!r} is of the wrong type{_advice(name, value)}") from None
    if ask and values.get("engine_name") == "server":
        server.check_version([*values.get("settings", []), *engine.FUSIONS])  # raises what keeps it from answering, too
    if "columns" in values:
        _check_own(values, ask)
    elif values.get("transformer_model") == "" and "custom_model" not in values:
        raise WorkbookError("parameter transformer_model: a model is needed to compare with")
    if "transformer_model" in values and values["transformer_model"] == values["static_model"]:
        raise WorkbookError(f"static_model and transformer_model are both {values['static_model']}: give two models")
    dimensions = values.get("dimensions") or []
    if "custom_model" in values:
        _check_explorer(values)
        return
    for model in (values[name] for name in MODELS[:2] if name in values):
        encoders.check_dimensions(model, dimensions)
    if "settings" in values:
        own = [encoders.MODELS[values[name]].dimensions for name in MODELS[:2] if values[name] in encoders.MODELS]
        quantization.check(values["settings"], [*dimensions, *own])
        engine.check(values["engine_name"], values["settings"], values["searches"])
        _check_grid(values["settings"], values["searches"])
    if "candidates" in values:
        _check_training(values)
    if "documents" in values:
        _check_scale(values)
    if "server" in values:
        _check_placement(values)


def source(values: Mapping[str, Any]) -> own_data.Source | None:
    """The corpus that the parameters of a notebook for a user's own data ask for; None for another notebook's."""
    if "columns" not in values:
        return None
    return own_data.Source(*(values[name] for name in OWN), strict=values.get("strict", False))


def load_corpus(values: Mapping[str, Any]) -> Corpus:
    """The corpus that the parameters of a notebook ask for."""
    asked = source(values)
    return own_data.load(asked) if asked else corpora.load(values["corpus"], strict=values.get("strict", False))


def check_read_later(values: Mapping[str, Any]) -> None:
    """Raise WorkbookError for what a notebook would find only after hours.

    That is a fault in another corpus or split, more documents to train on or tokens to keep than there are.
    """
    if split := values.get("labelled_split"):
        corpora.load(values["corpus"], split, values.get("strict", False))
    if other := values.get("other_corpus"):
        corpora.load(other, strict=values.get("strict", False))
    if (sizes := values.get("sizes")) and max(sizes) > (most := len(corpora.unlabelled(values["corpus"]))):
        raise WorkbookError(f"parameter sizes: {values['corpus']} has {most:,} documents to train on, not {max(sizes)}")
    if vocabularies := values.get("vocabularies"):
        exports.forms(encoders.load(values["static_model"]), vocabularies)
    if "candidates" in values:
        training.check(encoders.load(values["static_model"]), encoders.load(values["transformer_model"]))


def given(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook's own parameters, by name, given its globals()."""
    return {name: variables[name] for name in CHECKS if name in variables}


def scale_jobs(values: Mapping[str, Any]) -> list[ingest_runs.Job]:
    """The jobs that the parameters of a notebook ask for."""
    return ingest_runs.jobs(*(values[name] for name in SCALE), values["engine_name"], Placement.of(values["server"]))


def _check_own(values: Mapping[str, Any], ask: bool) -> None:
    own_data.check(source(values))
    if values["vector_name"] and not values["collection"]:
        raise WorkbookError("parameter vector_name is of a collection, and collection is not given")
    try:
        existing.check(values["collection"] if ask else "", values["vector_name"], values["settings"])
    except WorkbookError as error:
        raise WorkbookError(f"parameter collection: {error}") from None


def _check_placement(values: Mapping[str, Any]) -> None:
    if Placement.of(values["server"]) != ANYWHERE and values["engine_name"] != "server":
        raise WorkbookError(f"parameter server is for engine_name server, not {values['engine_name']}: leave it {{}}")


def _check_explorer(values: Mapping[str, Any]) -> None:
    """The dimensions are the static model's; that others have them is not asked for."""
    encoders.check_dimensions(values["static_model"], values["dimensions"])
    quantization.check(values["settings"], values["dimensions"])
    if values["custom_model"] in (values["static_model"], values["transformer_model"]) and values["custom_model"]:
        raise WorkbookError(f"custom_model is another model too, {values['custom_model']}: give one of its own")


def _check_scale(values: Mapping[str, Any]) -> None:
    for job in scale_jobs(values):
        ingest_runs.check(job)
    if sum(n >= values["fit_from"] for n in values["documents"]) < growth.FEWEST:
        raise WorkbookError(
            f"parameter fit_from: {values['fit_from']} leaves fewer than {growth.FEWEST} of the sizes in documents, "
            f"which growth is fitted to: give a smaller one"
        )
    quantization.check(values["index_settings"], [values["scale_dimension"]])
    known = encoders.MODELS.get(values["transformer_model"])
    if known and known.max_tokens and values["cut"] > known.max_tokens:
        raise WorkbookError(
            f"cut at {values['cut']} tokens: {values['transformer_model']} reads {known.max_tokens} at most"
        )


def _check_training(values: Mapping[str, Any]) -> None:
    engine.check(values["engine_name"], ["float32", "binary"], ["exact", "full-ef"])
    for settings in (*values["candidates"], *values["ablations"].values()):
        if not settings.get("width"):
            encoders.check_dimensions(values["static_model"], settings.get("dimensions") or [])
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
    check(given(variables))


def _advice(name: str, value: Any) -> str:
    """What to write where YAML made a text of a number, as of 1e-2, or a number or a date of a name; else nothing."""
    texts = value.values() if name in ("columns", "judged_columns") and isinstance(value, dict) else [value]
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


def _plain(value: Any) -> None:
    """What a notebook can be given: JSON, of which NaN and half a surrogate pair are no part."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise WorkbookError(f"{value!r} holds half a surrogate pair, or is a path not in UTF-8: change it") from None
    except ValueError:
        raise WorkbookError(f"{value!r} is, or holds, a number that is not finite: give one that is") from None


def _unless(nothing: Any, check: Callable[[Any], None]) -> Callable[[Any], None]:
    """The check of a parameter that may be left out by giving `nothing`, "" or []."""
    return lambda value: None if value == nothing else check(value)


def _up_to(most: float, check: Callable[[Any], None]) -> Callable[[Any], None]:
    """The check of a number, or of a list of them, that would take years or all memory if it were larger."""

    def checked(value: Any) -> None:
        check(value)
        for number in value if isinstance(value, list) else [value]:
            if number > most:
                raise WorkbookError(f"{number} is too large: give {most:,} at most")

    return checked


def _name_of_file(value: str) -> None:
    _text(value)
    if Path(value).name != value or not re.fullmatch(r"[^\0/\\]{1,200}", value):
        raise WorkbookError(f"{value!r} cannot be the name of a file: give a name, without a folder")


def _language(name: str) -> None:
    _text(name)
    bm25.Bm25(1, name)


def _positive(value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise WorkbookError(f"{value!r} is not a whole number above 0")


def _ten_or_more(value: int) -> None:
    _positive(value)
    if value < 10:
        raise WorkbookError(f"{value} results are too few for NDCG@10: give 10 or more")


def _count(value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WorkbookError(f"{value!r} is not a whole number, 0 or above 0")


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


def _names(values: Mapping[str, str]) -> None:
    if not isinstance(values, dict):
        raise WorkbookError(f'{values!r} does not say which column is what: give {{"text": "body"}} or the like')
    for value in values.values():
        _text(value)


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
        SEED(value)


def _sizes(values: Sequence[int]) -> None:
    _positives(values)
    if len(values) < growth.FEWEST:
        raise WorkbookError(f"{values!r} are too few sizes to tell growth: give {growth.FEWEST} or more")


def _places(values: Mapping[str, Mapping[str, Any]]) -> None:
    if not isinstance(values, dict) or not values:
        raise WorkbookError(f"{values!r} does not give a name to each place and its limits")
    for name, limits in values.items():
        _text(name)
        try:
            Place.of(**limits)
        except WorkbookError as error:
            raise WorkbookError(f"{name}: {error}") from None


def _above_zero(value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise WorkbookError(f"{value!r} is not a number above 0")


def _yes_or_no(value: bool) -> None:
    if not isinstance(value, bool):
        raise WorkbookError(f"{value!r} is neither true nor false")


SEED = _up_to(2**32 - 1, _count)  # what numpy, which the trainer seeds too, takes

CHECKS: dict[str, Callable[[Any], None]] = {
    "corpus": corpora.check,
    "static_model": encoders.check,
    "transformer_model": _unless("", encoders.check),
    "large_model": encoders.check,
    "engine_name": lambda name: engine.check(name, []),
    "dimensions": _unless([], _positives),
    "settings": _settings,
    "searches": _searches,
    "margin": _fraction,
    "limit": _ten_or_more,
    "repeats": _up_to(1_000, _positive),
    "threads": _up_to(1_024, _count),
    "query": _text,
    "words": _up_to(100_000, _positives),
    "batch_sizes": _up_to(100_000, _positives),
    "long_model": encoders.check,
    "cut": _positive,
    "round_seconds": _up_to(3_600, _above_zero),
    "plain_texts": _up_to(1_000_000, _positive),
    "cold_starts": _up_to(1_000, _positive),
    "documents": _sizes,
    "scale_model": encoders.check,
    "scale_dimension": _positive,
    "words_once": _yes_or_no,
    "waiting": _up_to(1_000, _positive),
    "seed": SEED,
    "scale_repeats": _up_to(1_000, _positive),
    "fit_from": _count,
    "vocabularies": _unless([], _positives),
    "index_settings": _settings,
    "node_ram_gb": _above_zero,
    "candidates": _candidates,
    "ablations": _ablations,
    "seeds": _seeds,
    "sizes": _unless([], _positives),
    "other_corpus": _unless("", corpora.check),
    "columns": _names,
    "judged": _unless("", _text),
    "judged_columns": _names,
    "most_documents": _count,
    "most_queries": _positive,
    "language": _language,
    "collection": _unless("", _text),
    "vector_name": _unless("", _text),
    "probes": _positive,
    "server": Placement.of,
    "custom_model": _unless("", encoders.check),
    "top": _positive,
    "hnsw_ef": _count,
    "fusion": engine.check_fusion,
    "run": _unless("", _name_of_file),
    "places": _places,
    "labelled_split": _unless("", _name_of_file),
    "strict": _yes_or_no,
}
