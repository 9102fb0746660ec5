"""What search weighs on a phone or in a browser: a model's files in the forms it is stored in, an index's on disk.

What is made smaller may find less, so every form of a model is also judged. (Settings of an index: see `grid`.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbook import paths
from workbook.corpora.corpora import Corpus
from workbook.embedding import encoders, exports, vectors
from workbook.embedding.encoders import Encoder, Role
from workbook.embedding.exports import Form
from workbook.evaluation import results, statistics, stopwatch
from workbook.evaluation.stopwatch import Times
from workbook.experiments import grid
from workbook.experiments.grid import Cell
from workbook.progress import bar
from workbook.qdrant import engine, quantization

if TYPE_CHECKING:
    from model2vec import StaticModel

MB = 1e6
CLAIMED_DIMENSIONS = 256  # of the model that is said to be 15 times smaller
CODES, ORIGINALS_ON_DISK, WHOLE = PARTS = ("codes", "RAM, originals on disk", "in all")
PARAMETERS, FILES = "parameters", "files"
GB_PER_MILLION = 1e6 / 1e9  # from bytes per vector


class Stored:
    """A static model in one stored form, encoding as model2vec does: to `grid` and `vectors` an encoder as any."""

    speed_only = False

    def __init__(self, original: Encoder, form: Form):
        self.original, self.form, self.folder = original, form, exports.keep(original, form)
        self.name, self.dimensions = self.folder.name, original.dimensions

    @cached_property
    def model(self) -> StaticModel:
        return exports.load(self.folder, self.form)

    def identity(self, role: Role) -> dict[str, object]:
        return {**self.original.identity(role), "stored": self.folder.name}

    def knows(self, queries: Sequence[str]) -> np.ndarray:
        return self.original.knows(queries)

    def encode(self, texts: Sequence[str], role: Role = "document") -> np.ndarray:
        """Encode texts from the stored form: float32 (n, d)."""
        prompt = self.original.prompt(role)
        return np.asarray(self.model.encode([prompt + text for text in texts]), dtype=np.float32)


def models(
    corpus: Corpus, encoder: Encoder, repeats: int = 3, vocabularies: Sequence[int] | None = None
) -> pd.DataFrame:
    """Store a static model in each of `exports.forms` and measure it, in the long format of `results`.

    `setting` is the form. Metrics: "megabytes" (10^6 bytes) of all its files and "embedding megabytes" without the
    tokenizer and descriptions; "load ms" with its range, in this process, which has model2vec imported and the files in
    its page cache; "ndcg@10" of documents and queries encoded by model2vec and searched exactly, and, paired on the
    same queries, its "ndcg@10 difference" to float32.
    Raises WorkbookError for a model that is not static or a vocabulary it cannot have, and unless model2vec loads the
    form that was asked for.
    """
    forms = exports.forms(encoder, vocabularies)
    stored = [Stored(encoder, form) for form in bar(forms, desc=f"storing {encoder.name}", unit="form")]
    works = [partial(exports.load, each.folder, each.form) for each in stored]
    about = {"models": [each.identity("document") for each in stored], "repeats": repeats}
    loads = results.remember("loads", about, lambda: {"seconds": stopwatch.rounds(works, repeats)})
    cells = [grid.measure(corpus, each, [each.dimensions], ["float32"], ["exact"])[0] for each in stored]
    found = []
    for each, seconds, cell in zip(stored, loads["values"]["seconds"], cells, strict=True):
        names = {
            "corpus": corpus.name, "model": encoder.name, "dimension": each.dimensions, "setting": each.form.name,
        }  # fmt: skip
        load = {"metric": "load ms", **Times.of([1000 * s for s in seconds])._asdict(), "key": loads["key"]}
        found += [{**names, **row} for row in (*_sizes(each.folder), load, *_quality(cell, cells[0]))]
    return pd.DataFrame(found)


def indexes(corpus: Corpus, encoder: Encoder, settings: Sequence[str], dimension: int | None = None) -> pd.DataFrame:
    """Build an Edge index of each setting on disk, prove it, and weigh it, in the long format of `results`.

    "disk bytes per vector", measured in the blocks that files take, for each `part`: vectors, codes, graph,
    other. They grow with the vectors beyond a fixed part, which weighs in a small index: 12 KB of vectors; 10 to 35 KB
    of codes, for product 1.2 MB, its codebook at 384 dimensions; 60 KB of other, which grows by 21 bytes for each
    vector's id. Texts are not in it. Files have holes: copied by something that fills them, an index is 70 MB larger.
    "computed RAM bytes per vector" is a sum of those parts: "all in RAM" of vectors, codes and graph, "originals on
    disk" of codes and graph; float32 has no codes, so only the former. Ids and the engine itself come on top.
    Raises WorkbookError for an unknown setting, a dimension that does not fit, or a setting that did not apply.
    """
    dimension = encoder.dimensions if dimension is None else dimension
    engine.check("edge", settings)
    vectors.check_dimensions(encoder, [dimension])
    quantization.check(list(settings), [dimension])
    documents = vectors.truncate(vectors.encode(encoder, corpus.document_texts, "document"), dimension)
    found = []
    for setting in bar(settings, desc=f"indexes of {corpus.name}", unit="index"):
        about = {
            "corpus": corpus.sha256, "documents": encoder.identity("document"), "dimension": dimension,
            "setting": setting, "m": engine.M, "ef_construct": engine.EF_CONSTRUCT,
        }  # fmt: skip
        record = results.remember("disk", about, partial(_disk, documents, setting))
        names = {
            "corpus": corpus.name, "model": encoder.name, "dimension": dimension, "setting": setting,
            "key": record["key"],
        }  # fmt: skip
        found += [{**names, **row} for row in _weights(record["values"], len(documents))]
    return pd.DataFrame(found)


def times_smaller(corpus: Corpus, static: Encoder, transformer: Encoder, large: Encoder) -> pd.DataFrame:
    """How many times smaller the static model is, in the long format of `results`.

    In parameters, cut to CLAIMED_DIMENSIONS, against the large transformer; in bytes on disk against the small one.
    """
    dimensions = min(CLAIMED_DIMENSIONS, static.dimensions)
    parameters = static.parameters() // static.dimensions * dimensions
    names = {"corpus": corpus.name, "model": static.name, "metric": "times smaller"}
    in_files = encoders.megabytes(transformer) / encoders.megabytes(static)
    return pd.DataFrame(
        [
            {**names, "dimension": dimensions, "part": PARAMETERS, "against": large.name,
             "value": large.parameters() / parameters},
            {**names, "part": FILES, "against": transformer.name, "value": in_files},
        ]
    )  # fmt: skip


def weigh(corpus: Corpus, encoder: Encoder, cells: Sequence[Cell]) -> pd.DataFrame:
    """GB (10^9 bytes) that a million vectors of each cell take, in the long format of `results`; builds Edge indexes.

    `part` is "codes" (of float32 the vectors), which are searched, by the bytes of one vector; with the HNSW
    graph, "RAM, originals on disk"; and with the original vectors too, "in all". The graph is weighed
    at the corpus's size and takes a little more in a larger one: 57 bytes a vector of 5,000, 67 of 20,000. Ids and
    payloads come on top. Not the sums of `indexes`: its parts hold what does not grow, much in a small corpus.
    """
    found = []
    for cell in {(cell.dimension, cell.setting): cell for cell in cells}.values():
        weights = indexes(corpus, encoder, [cell.setting], cell.dimension)
        graph = weights[weights["part"] == "graph"].iloc[0]
        codes, searched = cell.bytes_per_vector, cell.bytes_per_vector + graph["value"]
        parts = {CODES: codes, WHOLE: searched}
        if cell.setting != "float32":
            whole = quantization.SETTINGS["float32"].bytes_per_vector(cell.dimension)
            parts = {CODES: codes, ORIGINALS_ON_DISK: searched, WHOLE: searched + whole}
        names = graph[["corpus", "model", "dimension", "setting", "key"]].to_dict()
        found += [
            {**names, "part": part, "metric": "GB per million vectors", "value": size * GB_PER_MILLION}
            for part, size in parts.items()
        ]
    return pd.DataFrame(found)


def _sizes(folder: Path) -> Iterator[dict]:
    whole = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    yield {"metric": "megabytes", "value": whole / MB}
    yield {"metric": "embedding megabytes", "value": (folder / exports.TABLE).stat().st_size / MB}


def _quality(cell: Cell, float32: Cell) -> Iterator[dict]:
    scores, baseline = cell.judgements["ndcg@10"], float32.judgements["ndcg@10"]
    yield {"metric": "ndcg@10", **statistics.mean(scores)._asdict(), "key": cell.key}
    if cell is not float32:
        difference = statistics.mean_difference(scores, baseline)
        yield {"metric": "ndcg@10 difference", **difference._asdict(), "key": cell.key}


def _disk(documents: np.ndarray, setting: str) -> dict[str, int]:
    place = paths.DATA / "scale"
    place.mkdir(parents=True, exist_ok=True)
    with engine.build(documents, setting, place=place) as index:
        return index.disk_bytes()


def _weights(parts: dict[str, int], n: int) -> Iterator[dict]:
    for part, size in parts.items():
        yield {"part": part, "metric": "disk bytes per vector", "value": size / n}
    searched = parts["codes"] + parts["graph"]
    if parts["codes"]:
        yield {"part": "originals on disk", "metric": "computed RAM bytes per vector", "value": searched / n}
    whole = searched + parts["vectors"]
    yield {"part": "all in RAM", "metric": "computed RAM bytes per vector", "value": whole / n}
