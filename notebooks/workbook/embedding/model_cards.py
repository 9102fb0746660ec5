"""The card of a model trained here, beside its files: JSON for the workbook, and a README as the model hub shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbook import paths
from workbook.embedding.model_files import CARD
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def save(model: SentenceTransformer, folder: Path, facts: dict[str, Any]) -> None:
    """Save a model as Sentence Transformers does, with its card; `facts` must have its settings."""
    with paths.atomic(folder) as temporary:
        model.save(str(temporary), create_model_card=False)
        (temporary / CARD).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        (temporary / "README.md").write_text(_readme(folder.name, facts), encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """The facts that a model trained here was saved with; {} for any other model.

    Raises WorkbookError for a card that cannot be read.
    """
    file = folder / CARD
    if not file.is_file():
        return {}
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError(f"it is a {type(facts).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise WorkbookError(f"{file} is no card of a model ({error}): delete its folder and train it again") from None
    return facts


def documents_by(folder: Path) -> dict[str, Any]:
    """Whose vectors of documents a table of queries was trained to find; {} for any other model."""
    return read(folder).get("documents_by") or {}


def _readme(name: str, facts: dict[str, Any]) -> str:
    shown = {key: value for key, value in facts.items() if not isinstance(value, dict | list)} | facts["settings"]
    tags = ["---", "library_name: sentence-transformers", "tags: [static-embedding, sentence-similarity]", "---"]
    head = [f"# {name}", "", "A static embedding model trained without queries or judgements, but for `extra_pairs`."]
    if by := facts.get("documents_by"):
        head += [
            "",
            f"It encodes queries, and finds documents that {by.get('model') or by['collection']} has vectors of.",
        ]
    lines = [f"| {key} | {value} |" for key, value in shown.items()]
    return "\n".join([*tags, *head, "", "| | |", "|---|---|", *lines, ""])
