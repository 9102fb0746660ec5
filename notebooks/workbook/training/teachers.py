"""What training learns from: a transformer, or the vectors that an existing collection has of its texts.

The model that made those is not run, and need not be known; a table of queries learns to find them. The collection is
only read.
"""

import hashlib
from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.preprocessing import normalize

from workbook.corpora.corpora import Document
from workbook.embedding import vectors
from workbook.embedding.encoders import Encoder, Role
from workbook.errors import WorkbookError
from workbook.evaluation import statistics
from workbook.experiments import existing
from workbook.training import start_models

PAGE = 1_000  # points read at once
PROBED = 2_000  # texts at most, to see whether the vectors are theirs
UNIT = 1e-2  # by which a length may differ from 1 where the distance does not make it 1


class StoredVectors(NamedTuple):
    """Stands for the teacher of a `Task`: vectors of length 1, float32 (documents, d), in the documents' order."""

    name: str
    vector: str
    rows: np.ndarray
    kind = "stored"

    @property
    def dimensions(self) -> int:
        return self.rows.shape[1]

    def identity(self, _: Role) -> dict[str, str]:
        """What decides them, as an Encoder's identity does."""
        sha256 = hashlib.sha256(self.rows.tobytes()).hexdigest()
        return {"collection": self.name, "vector": self.vector, "vectors_sha256": sha256}


def read(
    collection: str, vector_name: str = "", text_field: str = "text", most: int = 0, seed: int = 0
) -> tuple[dict[str, Document], StoredVectors]:  # fmt: skip
    """The texts of a collection, or of an Edge shard's folder, by point id, and their vectors.

    `text_field` is the field of the payload that was embedded. Points without a text in it are told and left out; of
    more than `most` points, if it is above 0, so many are drawn by seed.
    Raises WorkbookError for a collection that most points of have none, or that is not searched by the cosine.
    """
    with existing.opened(collection, vector_name) as one:
        facts, ids = one.facts(), one.ids()
        if 0 < most < len(ids):
            print(f"{most:,} of {len(ids):,} points of {facts.name} are learned from, drawn by seed {seed}")
            drawn = np.random.default_rng(seed).choice(len(ids), most, replace=False)
            ids = [ids[place] for place in np.sort(drawn)]
        payloads = dict(zip(ids, chain.from_iterable(map(one.payloads, _pages(ids))), strict=True))
        texts = {each: text for each, payload in payloads.items() if _is_text(text := payload.get(text_field))}
        if len(texts) <= len(payloads) / 2:
            fields = ", ".join(sorted({name for payload in payloads.values() for name in payload})) or "none"
            raise WorkbookError(
                f"{len(texts)} of {len(payloads)} points of {facts.name} have a text in {text_field!r}: give "
                f"text_field, the payload's field that was embedded; there are {fields}"
            )
        if missing := len(payloads) - len(texts):
            print(f"{missing:,} of {len(payloads):,} points of {facts.name} have no text in {text_field!r}: left out")
        rows = np.concatenate([one.vectors(page) for page in _pages(list(texts))])
    _check_cosine(facts, rows)
    documents = {str(each): Document("", text) for each, text in texts.items()}
    return documents, StoredVectors(facts.name, facts.vector, vectors.truncate(rows, facts.size))


def check_stored(start: Encoder, documents: Mapping[str, Document], stored: StoredVectors, seed: int) -> None:
    """Raise WorkbookError if the vectors do not follow from the texts: then no table can learn to find them.

    A table aligned by half of the texts, drawn by seed, must lie nearer to the vectors of the others' own texts than to
    those of other texts, by the interval of the mean.
    """
    drawn = np.random.default_rng(seed).permutation(len(documents))[:PROBED]
    texts = [document.full for document in documents.values()]
    fitted, probed = np.array_split(drawn, 2)
    table = start_models.aligned(start.model, [texts[each] for each in fitted], stored.rows[fitted], 0.3, seed)
    found = normalize(table.encode([texts[each] for each in probed], show_progress_bar=False))
    near, far = ((found * stored.rows[rows]).sum(axis=1) for rows in (probed, np.roll(probed, 1)))
    if statistics.mean_difference(pd.Series(near), pd.Series(far)).low <= 0:
        raise WorkbookError(
            f"the vectors of {stored.name} do not follow from its texts: give the text_field that was embedded, whole"
        )


def check_enough(documents: int, teacher: Encoder | StoredVectors) -> None:
    """Raise WorkbookError for too few documents to align a table to the space of their vectors."""
    needed = (teacher.dimensions or 0) // 2
    if documents < needed:
        raise WorkbookError(
            f"{documents} documents do not tell how a space of {teacher.dimensions} dimensions lies: give {needed} or "
            f"more"
        )


def vectors_of(teacher: Encoder | StoredVectors, documents: Mapping[str, Document]) -> np.ndarray:
    """The documents' vectors, of length 1: float32 (documents, d)."""
    if isinstance(teacher, StoredVectors):
        return teacher.rows
    found = vectors.encode(teacher, [document.full for document in documents.values()])
    return vectors.truncate(found, found.shape[1])


def documents_by(teacher: Encoder | StoredVectors) -> dict[str, object]:
    """What has the documents' vectors: its identity, and the name to load it by where that can be done."""
    if isinstance(teacher, StoredVectors):
        return teacher.identity("document")
    folder = str(teacher.folder) if teacher.folder else f"{teacher.plain}@{teacher.revision}"
    return {"name": teacher.plain if teacher.facts else folder, **teacher.identity("document")}


def _pages(ids: list) -> list[list]:
    return [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _check_cosine(facts: existing.Facts, rows: np.ndarray) -> None:
    """A table finds vectors by the cosine: of length 1, the dot product and Euclid's distance give the same order."""
    if not np.isfinite(rows).all():
        raise WorkbookError(f"{facts.name} has vectors that are not finite numbers")
    uneven = np.abs(np.linalg.norm(rows, axis=1) - 1).max() > UNIT
    if facts.distance == "Manhattan" or (facts.distance != "Cosine" and uneven):
        raise WorkbookError(
            f"{facts.name} is searched by {facts.distance}, and its vectors are not of length 1: a table of queries is "
            f"trained for the cosine"
        )
