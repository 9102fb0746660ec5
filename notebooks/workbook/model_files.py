"""Where a model's files come from: a checked PyPI package, a folder, or the model hub at a pinned revision.

Never runs code that comes with a model, and reads safetensors only.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from workbook import paths
from workbook.errors import WorkbookError
from workbook.models import Package

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MODULE = re.compile(r"sentence_transformers(\.\w+)*\.[A-Z]\w*")  # a class of the library, and nothing it imports
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
CARD = "training.json"  # beside the files of a model trained here


def package_folder(package: Package) -> Path | None:
    """Folder of the files in the installed package, each checked; None if the package is not installed."""
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


def check_folder(folder: Path) -> None:
    """Raise WorkbookError for a model's folder that could run code, or that reads what is not in it.

    Its modules must be Sentence Transformers' own, its weights safetensors (a pickle beside them is not read), and its
    links stay in the folder, see `paths.check_inside`.
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
    except (ValueError, LookupError, TypeError, RecursionError):
        modules = []
    if not modules:
        raise WorkbookError(f"{listed} does not list modules: give a folder that Sentence Transformers saved")
    for kind, place in modules:
        if not isinstance(kind, str) or not MODULE.fullmatch(kind):
            raise WorkbookError(f"{listed}: module {kind!r} is not of Sentence Transformers, and other code is not run")
        paths.check_inside(folder, place)


def trained_dimensions(folder: Path) -> tuple[int, ...]:
    """Matryoshka dimensions that the card of a model trained here names, below its own; none for any other model."""
    try:
        named = tuple(json.loads((folder / CARD).read_text(encoding="utf-8"))["settings"]["dimensions"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    return named if all(type(size) is int and size > 0 for size in named) else ()


def files_of(folder: Path) -> list[Path]:
    """The files of a model's folder but for its cards, in order.

    Cards tell how long training took, and the same training must give the same revision and size.
    """
    cards = (folder / CARD, folder / "README.md")
    return sorted(file for file in folder.rglob("*") if file.is_file() and file not in cards)


def folder_sha256(folder: Path) -> str:
    """Hash of the files of a model's folder, names included: its revision."""
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


def open_folder(folder: str) -> SentenceTransformer:
    """Open a model saved by Sentence Transformers. Raises WorkbookError if its files do not make one."""
    try:
        return _open(folder)
    except Exception as error:  # each file has a reader of its own, and each reader errors of its own
        told = str(error).strip().partition("\n")[0]
        raise WorkbookError(
            f"{folder} cannot be opened as a model ({type(error).__name__}: {told}): give a folder that Sentence "
            f"Transformers saved, whole"
        ) from error


def _open(source: str, revision: str | None = None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        source, revision=revision, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True}
    )


def open_hub(hub: str, revision: str) -> SentenceTransformer:
    """Open a model of the hub. Raises WorkbookError if it cannot be had."""
    try:
        return _open(hub, revision)
    except Exception as error:  # the hub's own errors, each transport's, and those of each file's reader
        raise _out_of_reach(hub, error) from error


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


def _out_of_reach(hub: str, error: Exception) -> WorkbookError:
    return WorkbookError(
        f"cannot load {hub} from the model hub ({type(error).__name__}); where it is out of reach, "
        f"copy the model's folder here and give its path as the model"
    )
