"""Where a model's files come from: a checked PyPI package, a folder, or the model hub at a pinned revision.

A hub's model that somebody put into data/models by hand, under its registered name, is taken before the hub is asked.

Never runs code that comes with a model, reads safetensors only, and always as float32, whatever they are stored in.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbook import paths
from workbook.embedding.models import MODELS, Package
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MODULE = re.compile(r"sentence_transformers(\.\w+)*\.[A-Z]\w*")  # a class of the library, and nothing it imports
ROUTER = (".Router", ".Asym")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
CARD = "training.json"  # beside the files of a model trained here
SETTINGS = "config_sentence_transformers.json"
ROUTERS = ("router_config.json", "config.json")  # where a Router names its modules, and where it did as Asym
FORMATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8"}  # safetensors' names
TABLE = "embeddings"  # a static model's rows as model2vec stores them, the only ones that it may have as int8


def package_folder(package: Package | None) -> Path | None:
    """Folder of the files in the installed package, each checked; None if there is none or it is not installed."""
    if not package:
        return None
    try:
        distribution = importlib.metadata.distribution(package.name)
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(distribution.locate_file(package.folder))
    for file, sha256 in package.sha256.items():
        if not (folder / file).is_file() or hashlib.sha256((folder / file).read_bytes()).hexdigest() != sha256:
            raise WorkbookError(f"{package.name}: {file} is not the pinned one; `make clean` and install again")
    return folder


def folder_named(name: str) -> Path | None:
    """Folder of a model given by its path, or by its name in data/models; None if there is no model."""
    folders = (Path(name), paths.DATA / "models" / name)
    return next((folder for folder in folders if paths.is_file(folder / "modules.json")), None)


def put_by_hand(name: str) -> Path | None:
    """Place in data/models of a registered hub model that somebody put there under its name; None if nobody did."""
    folder = paths.DATA / "models" / name
    return folder if paths.exists(folder) else None


def check_folder(folder: Path) -> None:
    """Raise WorkbookError for a model's folder that could run code, or that leads to files outside of it.

    Its modules must be Sentence Transformers' own, and its weights safetensors; a pickle beside them is not read.
    """
    for file in sorted(folder.rglob("*")):
        paths.check_inside(folder, file)
        if not file.is_dir() and not paths.is_file(file):
            raise WorkbookError(f"{file} is no file: remove it from the model's folder")
        if file.suffix in PICKLES and not any(file.parent.glob("*.safetensors")):
            raise WorkbookError(f"{file} is a pickle, which can run code when read: save the model as safetensors")
    listed = folder / "modules.json"
    try:
        modules = [(module["type"], folder / module["path"]) for module in json.loads(listed.read_text("utf-8"))]
        modules += [inner for kind, place in modules if str(kind).endswith(ROUTER) for inner in _routed(folder, place)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        modules = []
    if not modules:
        raise WorkbookError(f"{listed} does not list modules: give a folder that Sentence Transformers saved")
    for kind, place in modules:
        if not isinstance(kind, str) or not MODULE.fullmatch(kind):
            raise WorkbookError(f"{listed}: module {kind!r} is not of Sentence Transformers, and other code is not run")
        paths.check_inside(folder, place)
    check_content(str(folder), folder)


def _routed(folder: Path, router: Path) -> list[tuple[Any, Path]]:
    """Type and folder of each module that a Router in a model's folder leads to, those of a Router among them too."""
    paths.check_inside(folder, router)
    file = next((file for name in ROUTERS if paths.is_file(file := router / name)), router / ROUTERS[0])
    found = [(kind, router / name) for name, kind in json.loads(file.read_text("utf-8"))["types"].items()]
    return [*found, *(inner for kind, place in found if str(kind).endswith(ROUTER) for inner in _routed(folder, place))]


def check_content(name: str, folder: Path) -> None:
    """Raise WorkbookError for files that are no embedding model's, or numbers whose format cannot become float32."""
    try:
        kind = json.loads((folder / SETTINGS).read_text("utf-8")).get("model_type", "SentenceTransformer")
    except (OSError, ValueError, AttributeError, RecursionError):
        kind = "SentenceTransformer"  # which a model without settings is taken for
    if not paths.is_file(folder / "modules.json") or kind != "SentenceTransformer":
        told = "does not list its modules" if kind == "SentenceTransformer" else f"is a {kind}"
        raise WorkbookError(f"{name} {told}: the workbook measures embedding models, saved as SentenceTransformer")
    for file, tensor, dtype in _tensors(folder):
        other = dtype not in FORMATS and (tensor.endswith("weight") or dtype.startswith("F") or tensor == TABLE)
        if other or (dtype == "I8" and tensor != TABLE):
            raise WorkbookError(
                f"{file} stores {tensor} as {dtype}, which is no number without its scale: save the model as one of "
                f"{', '.join(kind for kind in FORMATS.values() if kind != 'int8')}"
            )


def stored_dtype(folder: Path) -> str:
    """The number formats of a model's files, "float16" or "bfloat16 and float32", whatever format it is run in."""
    return " and ".join(sorted({FORMATS[dtype] for _, _, dtype in _tensors(folder) if dtype in FORMATS})) or "float32"


def _tensors(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """File, name and format of each tensor in a model's folder; a file that is not safetensors has none."""
    for file in sorted(folder.rglob("*.safetensors")):
        try:
            with file.open("rb") as stream:
                header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
            found = [(file, name, str(about["dtype"])) for name, about in header.items() if name != "__metadata__"]
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
            continue  # opening the model tells what is wrong with it
        yield from found


def trained_dimensions(folder: Path) -> tuple[int, ...]:
    """Matryoshka dimensions that the card of a model trained here names, below its full size; () for any other."""
    try:
        named = tuple(json.loads((folder / CARD).read_text(encoding="utf-8"))["settings"]["dimensions"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    return named if all(type(size) is int and size > 0 for size in named) else ()


def files_of(folder: Path) -> list[Path]:
    """The files of a model's folder in order, without its cards."""
    cards = (folder / CARD, folder / "README.md")  # how long training took must not change revision or size
    return sorted(file for file in folder.rglob("*") if file.is_file() and file not in cards)


def folder_sha256(folder: Path) -> str:
    """Hash of a model's files and their names: its revision."""
    digest = hashlib.sha256()
    for file in files_of(folder):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def quietly(open_model: Callable[[], SentenceTransformer]) -> SentenceTransformer:
    """Open a model without the load report and the bar that transformers prints into a notebook."""
    import transformers

    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        return open_model()
    finally:
        transformers.logging.set_verbosity(verbosity)


def open_folder(folder: str, dimensions: int | None = None) -> SentenceTransformer:
    """Open a model saved by Sentence Transformers.

    Raises WorkbookError if its files do not make one, or not one of that many `dimensions` if they are given.
    """
    try:
        model = _open(folder)
    except Exception as error:  # each file has a reader of its own, and each reader errors of its own
        told = str(error).strip().partition("\n")[0]
        raise WorkbookError(
            f"{folder} cannot be opened as a model ({type(error).__name__}: {told}): give a folder that Sentence "
            f"Transformers saved, whole"
        ) from error
    if dimensions and (found := model.get_embedding_dimension()) != dimensions:
        raise WorkbookError(
            f"{folder} gives vectors of {found} dimensions, but the model of that name has {dimensions}: put its own "
            f"files there, or take the folder away"
        )
    return model


def _open(source: str, revision: str | None = None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    with _in_float32():
        model = SentenceTransformer(
            source, revision=revision, device="cpu", trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )  # fmt: skip
    return model.float()


@contextmanager
def _in_float32() -> Iterator[None]:
    """Have modules' weights read as float32.

    Left alone, Sentence Transformers keeps a static table in the format of its file, sums long texts in it, rounds the
    modules after the table to it, and cannot open model2vec's int8.
    """
    from sentence_transformers.base.modules.module import Module

    before = Module.__dict__["load_torch_weights"]

    def load_torch_weights(cls: type[Module], *source: Any, **options: Any) -> Any:
        loaded = before.__get__(None, cls)(*source, **options)
        if isinstance(loaded, dict):  # else the module itself, made in float32 and filled
            loaded |= {name: each.float() for name, each in loaded.items() if name == TABLE or each.is_floating_point()}
        return loaded

    Module.load_torch_weights = classmethod(load_torch_weights)
    try:
        yield
    finally:
        Module.load_torch_weights = before


def open_hub(hub: str, revision: str) -> SentenceTransformer:
    """Open a model of the hub. Raises WorkbookError if it cannot be had or is no embedding model."""
    try:
        model = _open(hub, revision)
    except Exception as error:  # the hub's own errors, each transport's, and those of each file's reader
        raise _out_of_reach(hub, error) from error
    check_content(hub, hub_folder(hub, revision))
    return model


def hub_folder(hub: str, revision: str) -> Path:
    """Folder of an opened model's files in the hub's local cache."""
    import huggingface_hub

    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")  # which Sentence Transformers has for a cache of its own
    return Path(huggingface_hub.snapshot_download(hub, revision=revision, local_files_only=True, cache_dir=cache))


def check_hub(hub: str, revision: str) -> None:
    """Raise WorkbookError if a hub model is not in the hub's local cache and the hub does not answer."""
    import huggingface_hub

    try:
        huggingface_hub.snapshot_download(hub, revision=revision, local_files_only=True)
    except OSError:
        try:
            huggingface_hub.HfApi().model_info(hub, revision=revision, timeout=10)
        except Exception as error:  # the hub's own errors and each transport's
            raise _out_of_reach(hub, error) from None


def check_reachable(name: str) -> None:
    """Raise WorkbookError if the model would have to come from the hub and the hub is out of reach."""
    facts = MODELS.get(name)
    if facts is None and not folder_named(name):
        check_hub(*name.split("@"))
    elif facts and facts.hub and not (package_folder(facts.package) or put_by_hand(name)):
        check_hub(facts.hub, facts.revision)


def _out_of_reach(hub: str, error: Exception) -> WorkbookError:
    return WorkbookError(
        f"cannot load {hub} from the model hub ({type(error).__name__}); where it is out of reach, "
        f"copy the model's folder here and give its path as the model; a registered one may also lie in data/models, "
        f"under its name"
    )
