"""Your own collection: what quantization would do to it, measured on a copy. The original is only ever read.

`collection` is the folder of an Edge shard, or the name of a collection on the server at QDRANT_URL. How well it is
searched is ANN precision@k: the share of the k that the search in question finds which are as near as the k-th that an
exact search finds. So of equal vectors any may be found.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import qdrant_edge as edge
from pandas.io.formats.style import Styler

from workbook import paths, written
from workbook.corpora.corpora import Corpus
from workbook.embedding import vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.evaluation import corpus_facts, evaluation, statistics
from workbook.evaluation.stopwatch import Times
from workbook.experiments import existing_truth, grid, rankings
from workbook.experiments.existing_truth import Existing, Questions
from workbook.progress import bar
from workbook.qdrant import engine, existing_collection, existing_facts, existing_shard, quantization, server
from workbook.qdrant.engine import ALL, Search
from workbook.qdrant.existing_facts import Facts
from workbook.qdrant.quantization import SETTINGS

LATENCY_QUERIES = 100  # searched one by one
TEXT = "text"  # field of an example's payload
AS_IT_IS = {"untold": None}  # the one search that is given no parameters: the collection does as it is used to


def check(collection: str, vector_name: str, settings: Sequence[str], k: int = 10) -> None:
    """Raise WorkbookError for a collection, vector or setting that cannot be measured; "" is no collection.

    Nor can a collection whose strict mode forbids an exact search for k results beside the query itself, or a setting
    that the server is too old for.
    """
    if not collection:
        return
    if _is_folder(collection):
        _, params = existing_shard.look(_path(collection), vector_name)
    else:
        _, params = existing_collection.look(collection, vector_name, k + 1)
        server.check_version(settings)
    quantization.check(list(settings), [params["size"]])


def describe(collection: str, vector_name: str = "") -> Facts:
    """What the collection is. Raises WorkbookError if it cannot be measured."""
    with opened(collection, vector_name) as one:
        return one.facts()


def table(facts: Facts) -> Styler:
    """The facts as people read them: one column; what is not told is left out."""
    told = {name.replace("_", " "): str(value) for name, value in facts._asdict().items() if value not in (None, "")}
    frame = pd.DataFrame.from_dict(told, orient="index", columns=[""])
    return written.table(frame, "facts").set_properties(**{"text-align": "left"})


def measure(
    collection: str, vector_name: str, settings: Sequence[str], searches: Sequence[str], k: int = 10,
    queries: int | np.ndarray = 200, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Measure as it stands, rebuilt with its own quantization, and with each setting, in the long format of `results`.

    `queries`: how many stored vectors to draw by seed, each not to find itself, or vectors from outside, (q, size).
    A copy has a graph of its own, in one segment: "copy, rebuilt" tells what that changes, and is what the settings are
    to be compared with. Exact search is the truth and rescoring is for quantized settings: elsewhere they are left out.
    Raises WorkbookError for what cannot be measured, before any copy is quantized; no copy is left behind.
    """
    named = {name: search for name in searches if not (search := Search.named(name)).exact}
    with opened(collection, vector_name) as one, bar(total=2 + len(settings), unit="setting") as steps:
        facts = one.facts()
        quantization.check(list(settings), [facts.size])
        grid.check_codebooks(f"{facts.name} has {facts.vectors} vectors", facts.vectors, settings)
        for name, search in named.items():
            if search.hnsw_ef == ALL:  # of so many vectors all may be candidates
                named[name] = search._replace(hnsw_ef=facts.vectors)
        by_setting = {
            setting: {name: search for name, search in named.items() if SETTINGS[setting].config or not search.rescore}
            for setting in settings
        }
        one.check(k + (np.ndim(queries) == 0), [each for told in by_setting.values() for each in told.values()])
        asked = existing_truth.ask(one, facts, queries, k, seed)
        rows = list(_rows(one, asked, facts, "as it stands", AS_IT_IS))
        steps.update()
        one.rebuild()
        rows += _rows(one, asked, one.facts(), "copy, rebuilt", AS_IT_IS)
        steps.update()
        for name, fitting in by_setting.items():
            setting = SETTINGS[name]
            one.quantize(setting)
            if setting.config and (facts.datatype, name) != existing_facts.SAME_CODES:
                existing_truth.prove_applied(one, asked, name)
            called = existing_facts.label(setting.config, facts.datatype)
            rows += _rows(one, asked, one.facts()._replace(setting=called), f"copy, {called}", fitting)
            steps.update()
    return pd.DataFrame(rows)


def _is_folder(collection: str) -> bool:
    """Whether a shard is meant: no name of a collection has a slash in it."""
    folder = _path(collection)
    return (paths.exists(folder) and folder.is_dir()) or "/" in collection or os.sep in collection


def _path(collection: str) -> Path:
    try:
        return Path(collection).expanduser()
    except RuntimeError:  # of a user that this machine does not have
        return Path(collection)


def opened(collection: str, vector_name: str = "") -> AbstractContextManager[Existing]:
    """Open a collection, or a copy of a shard, to read and to search. Raises WorkbookError if it cannot be measured."""
    if not collection:
        raise WorkbookError("no collection is given: name one on the server, or the folder of an Edge shard")
    if _is_folder(collection):
        return existing_shard.opened(_path(collection), vector_name)
    return existing_collection.opened(collection, vector_name)


def _rows(
    one: Existing, asked: Questions, facts: Facts, variant: str, searches: Mapping[str, Search | None]
) -> Iterator[dict]:  # fmt: skip
    for name, search in searches.items():
        names = {
            "corpus": facts.name, "dimension": facts.size, "setting": facts.setting, "search": name,
            "variant": variant, "key": (facts.sha256 or "")[:16],
        }  # fmt: skip
        found, _, _ = one.search(asked.vectors, asked.limit, search)
        precision = pd.Series(existing_truth.precision(one, facts, asked, found))
        yield {**names, "metric": f"ann precision@{asked.k}", **statistics.mean(precision)._asdict()}
        singles = [one.search(query[None], asked.limit, search)[2] for query in asked.vectors[:LATENCY_QUERIES]]
        yield {**names, "metric": "latency ms", **Times.of([1000 * seconds for seconds in singles])._asdict()}
        if facts.bytes_per_vector is not None:
            yield {**names, "metric": "bytes per vector", "value": facts.bytes_per_vector}


def judge(
    collection: str, vector_name: str, text_field: str, corpus: Corpus, encoders: Mapping[str, Encoder]
) -> pd.DataFrame:  # fmt: skip
    """What encoders of queries find in a collection as it stands, by an exact search: NDCG@10, in rows of `results`.

    The first is what it is asked by today: the others' differences are from it, and the share of its first ten that
    they find. A point is the document whose text it has; points without one are no answer to any query.
    Raises WorkbookError for an encoder of another width than the vectors', or texts that no document has.
    """
    with opened(collection, vector_name) as one:
        facts, numbers = one.facts(), {document.full: key for key, document in corpus.documents.items()}
        for label, encoder in encoders.items():
            if encoder.dimensions != facts.size:
                raise WorkbookError(f"{label} gives {encoder.dimensions} dimensions, and {facts.name} has {facts.size}")
        hits = {}
        for label, encoder in encoders.items():
            queries = vectors.truncate(vectors.encode(encoder, corpus.query_texts, "query"), facts.size)
            hits[label] = one.search(queries, rankings.DEPTH, Search(exact=True))[0]
        ids = list(dict.fromkeys(each for ranked in hits.values() for row in ranked for each in row))
        texts = [payload.get(text_field) for payload in one.payloads(ids)]
        known = {each: numbers.get(text) for each, text in zip(ids, texts, strict=True) if isinstance(text, str)}
    if not any(known.values()):
        raise WorkbookError(f"nothing found in {facts.name} has a document's text in {text_field!r}: give text_field")
    found = {label: [[known[each] for each in row if known.get(each)] for row in own] for label, own in hits.items()}
    names = {"corpus": corpus.name, "variant": "an existing collection", "setting": facts.setting, "search": "exact"}
    scores = {label: evaluation.judge(corpus, ranked)["ndcg@10"] for label, ranked in found.items()}
    today, *others = scores
    rows = [
        {**names, "method": label, "metric": "ndcg@10", **statistics.mean(own)._asdict()}
        for label, own in scores.items()
    ]
    for label in others:
        own = {**names, "method": label, "against": today}
        lost = statistics.mean_difference(scores[label], scores[today])
        rows.append({**own, "metric": "ndcg@10 difference", **lost._asdict()})
        same = corpus_facts.agreement(found[label], found[today])
        rows.append({**own, "metric": "top ten in common", **same._asdict()})
    return pd.DataFrame(rows)


def example(corpus: Corpus, encoder: Encoder) -> str:
    """Store a corpus's documents as float32, with their texts, in a shard in data/own, or find it there: its folder."""
    rows = vectors.truncate(vectors.encode(encoder, corpus.document_texts, "document"), encoder.dimensions)
    content = hashlib.sha256(rows.tobytes() + vectors.texts_sha256(corpus.document_texts).encode()).hexdigest()
    folder = paths.DATA / "own" / f"example-shard-{content[:8]}"
    if not folder.is_dir():
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=encoder.dimensions, distance=edge.Distance.Cosine),
            hnsw_config=edge.HnswIndexConfig(m=engine.M, ef_construct=engine.EF_CONSTRUCT, full_scan_threshold=1),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
        )
        with paths.atomic(folder) as temporary:
            temporary.mkdir()
            shard = edge.EdgeShard.create(str(temporary), config)
            texts = corpus.document_texts
            points = [edge.Point(number, row, {TEXT: texts[number]}) for number, row in enumerate(rows.tolist())]
            shard.update(edge.UpdateOperation.upsert_points(points))
            shard.optimize()
            shard.close()
    return str(folder)
