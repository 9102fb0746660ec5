"""What a notebook is asked to do: whether its parameters fit together, and the corpus and jobs that they ask for."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from workbook.conclusions import growth
from workbook.corpora import corpora, own_data
from workbook.corpora.corpora import Corpus
from workbook.embedding import encoders, exports, routes, vectors
from workbook.errors import WorkbookError
from workbook.experiments import existing, ingest_runs
from workbook.qdrant import engine, quantization, server
from workbook.qdrant.client import ANYWHERE, Placement
from workbook.qdrant.engine import Search
from workbook.runs import checks
from workbook.training import training

MODELS = ("static_model", "transformer_model", "large_model", "long_model", "scale_model")
OWN = ("corpus", "columns", "judged", "judged_columns", "most_documents", "most_queries", "seed")  # as Source has them
SCALE = (
    "corpus", "documents", "scale_model", "scale_dimension", "words_once", "waiting", "seed", "scale_repeats",
    "processes",
)  # fmt: skip


def check(values: Mapping[str, Any], ask: bool = True) -> None:
    """Raise WorkbookError, naming the parameter, for what cannot work. Loads nothing.

    `ask`: ask the server, too, if there is one to be measured; to read what was measured it need not be there.
    """
    for name, value in values.items():
        checks.check(name, value, own_data="columns" in values)
    if ask and values.get("engine_name") == "server":
        server.check_version([*values.get("settings", []), *engine.FUSIONS])  # raises what keeps it from answering, too
    if "columns" in values:
        _check_own(values, ask)
    elif values.get("transformer_model") == "" and "custom_model" not in values:
        raise WorkbookError("parameter transformer_model: a model is needed to compare with")
    if "transformer_model" in values and values["transformer_model"] == values["static_model"]:
        raise WorkbookError(f"static_model and transformer_model are both {values['static_model']}: give two models")
    if "custom_model" in values:
        _check_explorer(values)
        return
    if "large_model" in values:
        _check_large(values)
    compared = [values[name] for name in MODELS[:2] if name in values]
    dimensions = values.get("dimensions") or []
    for model in compared:
        vectors.check_dimensions(model, dimensions)
    if "settings" in values:
        own = [encoders.MODELS[model].dimensions for model in compared if model in encoders.MODELS]
        quantization.check(values["settings"], [*dimensions, *own])
        engine.check(values["engine_name"], values["settings"], values["searches"])
        _check_grid(values["settings"], values["searches"])
    if "candidates" in values:
        _check_training(values)
    if "documents" in values:
        _check_scale(values)
    if "server" in values and values["engine_name"] != "server" and Placement.of(values["server"]) != ANYWHERE:
        raise WorkbookError(f"parameter server is for engine_name server, not {values['engine_name']}: leave it {{}}")


def given(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook's own parameters, by name, given its globals()."""
    return {name: value for name, value in variables.items() if name in checks.CHECKS}


def check_cell(variables: Mapping[str, Any]) -> None:
    """Check a notebook's own parameters, given its globals()."""
    check(given(variables))


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


def source(values: Mapping[str, Any]) -> own_data.Source | None:
    """The corpus that the parameters of a notebook for a user's own data ask for; None for another notebook's."""
    if "columns" not in values:
        return None
    return own_data.Source(*(values[name] for name in OWN), strict=values.get("strict", False))


def searched_with(values: Mapping[str, Any]) -> list[str]:
    """Models with which a notebook searches its corpus, given its parameters; none if it only times them."""
    if "engine_name" not in values or "documents" in values:
        return []
    return [name for name in map(values.get, MODELS[:3]) if name]


def load_corpus(values: Mapping[str, Any]) -> Corpus:
    """The corpus that the parameters of a notebook ask for."""
    asked = source(values)
    return own_data.load(asked) if asked else corpora.load(values["corpus"], strict=values.get("strict", False))


def try_model(model: str) -> None:
    """Encode a text in each role with a model whose files are anybody's; WorkbookError for what its files lack."""
    encoder = encoders.load(model)
    try:
        for role in routes.ROLES:
            vectors.check_finite(encoder, encoder.encode(["a text"], role))
    except WorkbookError:
        raise
    except Exception as error:  # of each library that a model is made with, errors of its own
        raise WorkbookError(
            f"{model} cannot encode a text ({type(error).__name__}): give an embedding model whose files fit together"
        ) from error


def searched(values: Mapping[str, Any]) -> list:
    """What decides which texts a notebook encodes: the same for all notebooks of most profiles."""
    asked = None if corpora.is_registered(values["corpus"]) else source(values)
    return [asdict(asked) if asked else values["corpus"], searched_with(values), values.get("strict")]


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


def _check_large(values: Mapping[str, Any]) -> None:
    """Raise WorkbookError for a large model that is not there to be timed, or that cannot be scored beside the others.

    Of the notebooks that have one, the one that times it has `documents`.
    """
    large = values["large_model"]
    if "documents" in values:
        if not large:
            raise WorkbookError("parameter large_model: a model is needed to compare with")
    elif large in (values["static_model"], values["transformer_model"]):
        raise WorkbookError(f'large_model is another model too, {large}: give one more, or "" for none')
    elif large in encoders.MODELS and encoders.MODELS[large].speed_only:
        raise WorkbookError(f"large_model {large} has random weights, its scores would mean nothing: give another")


def _check_explorer(values: Mapping[str, Any]) -> None:
    """Raise WorkbookError for what the explorer cannot show; models but the static one need not have its dimensions."""
    vectors.check_dimensions(values["static_model"], values["dimensions"])
    quantization.check(values["settings"], values["dimensions"])
    if values["custom_model"] in (values["static_model"], values["transformer_model"]) and values["custom_model"]:
        raise WorkbookError(f"custom_model is another model too, {values['custom_model']}: give one of its own")


def _check_grid(settings: list[str], searches: list[str]) -> None:
    missing = {"exact", "full-ef", "default-ef"} - set(searches)
    if "float32" not in settings or missing:
        raise WorkbookError(
            f"settings must have float32 and searches exact, full-ef and default-ef, by which losses are told apart "
            f"(missing: {', '.join(sorted(missing)) or 'float32'})"
        )
    if len(settings) < 2 or not any(Search.named(name).rescore for name in searches):
        raise WorkbookError("settings need a quantization and searches a rescoring: there is nothing to compare")


def _check_training(values: Mapping[str, Any]) -> None:
    for settings in (*values["candidates"], *values.get("ablations", {}).values()):
        if not settings.get("width"):
            vectors.check_dimensions(values["static_model"], settings.get("dimensions") or [])
    if "ablations" not in values:
        return
    engine.check(values["engine_name"], ["float32", "binary"], ["exact", "full-ef"])
    taken = values["transformer_model"], f"with {values['labelled_split']} labels"
    for label in values["ablations"]:
        checks.check_label(label, taken)
    if values["other_corpus"] == values["corpus"]:
        raise WorkbookError(f'other_corpus is the corpus itself, {values["corpus"]}: give another, or "" for none')


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
