"""The forms of a transformer side by side: which run here, whether they give its vectors, what they find, one query.

A form is a number format on a runtime or a device, see `variants`. What a batch takes is in `encoding_speed`.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.embedding import stages, variants, vectors
from workbook.embedding.encoders import Encoder
from workbook.embedding.stages import STAGES
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics, stopwatch
from workbook.evaluation.stopwatch import Times
from workbook.experiments import grid
from workbook.qdrant import engine
from workbook.qdrant.engine import Search

NOT_RUN = "form not run"  # a metric: its note says why
COMPARED, QUERIES = 64, 50  # documents whose vectors are compared; queries asked one after another in a round
APART = 1e-4  # of cosine: what two runtimes may differ by in float32
ALL, TO_DOCUMENTS = "encoding in all", "from text to documents"
PARTS = dict(zip(STAGES.values(), ("tokenization", "model", "pooling"), strict=True))
LIBRARY = "library"  # what tokenization, model and pooling leave
SEARCHES = {"default-ef": "search, HNSW", "exact": "search, exact"}


class Forms(NamedTuple):
    """A model in the forms that ran, float32 of PyTorch first; and a row for each form: how alike, or why not run."""

    encoders: list[Encoder]
    rows: pd.DataFrame


def ready(corpus: Corpus, name: str, forms: Sequence[str], cut: int | None = None) -> Forms:
    """Open a model in each of the forms that this machine can run, and compare their vectors with PyTorch's float32.

    "least cosine" is that of the least similar vector of some documents. A form that cannot be made or run, and another
    runtime whose float32 is further than APART from PyTorch's, has a row of NOT_RUN that says why. Raises WorkbookError
    for an unknown form, or if PyTorch cannot run the model in float32.
    """
    for form in forms:
        if form not in variants.every("transformer"):
            variants.make(name, form)  # says which there are
    texts, found, told, reference = corpus.document_texts[:COMPARED], [], [], None
    for form in dict.fromkeys(["float32", *forms]):
        row = {"corpus": corpus.name, "model": f"{name} ({form})", "max_tokens": cut}
        why = variants.lacking(form)
        try:
            if not why:
                encoder = variants.make(name, form, cut)
                rows = vectors.truncate(encoder.encode(texts), encoder.dimensions)
                reference = rows if reference is None else reference
                least = float((rows * reference).sum(axis=1).min())
                if form.endswith(" float32") and not least >= 1 - APART:
                    why = f"its vectors are not PyTorch's: a cosine of {least:.4f}"
        except Exception as error:  # of each runtime its own
            if form == "float32":
                raise
            why = str(error) if isinstance(error, WorkbookError) else f"{type(error).__name__}: {error}"
        if why:
            told.append({**row, "metric": NOT_RUN, "value": 1, "note": why})
        else:
            found.append(encoder)
            told.append({**row, "model": encoder.name, "metric": "least cosine", "value": least, "n": len(texts)})
    return Forms(found, pd.DataFrame(told))


def not_run(rows: pd.DataFrame) -> list[str]:
    """A sentence for each reason why forms were not run, with those of whom it holds."""
    told = rows[rows["metric"] == NOT_RUN]
    return [f"Not run here, {why}: {', '.join(own['model'])}." for why, own in told.groupby("note", sort=False)]


def quality(corpus: Corpus, encoders: Sequence[Encoder]) -> pd.DataFrame:
    """NDCG@10 of each form, all documents and queries encoded by it, and its paired difference from the first's: rows.

    Raises WorkbookError for a model of random weights, but for the tests' own.
    """
    cells = [grid.measure(corpus, each, [each.dimensions], ["float32"], ["exact"])[0] for each in encoders]
    found = []
    for each, cell in zip(encoders, cells, strict=True):
        names = {"corpus": corpus.name, "model": each.name, "max_tokens": each.max_tokens, "key": cell.key}
        found.append({**names, "metric": "ndcg@10", **statistics.mean(cell.judgements["ndcg@10"])._asdict()})
        if cell is not cells[0]:
            difference = statistics.mean_difference(*(each.judgements["ndcg@10"] for each in (cell, cells[0])))
            against = {"against": encoders[0].name, "metric": "ndcg@10 difference"}
            found.append({**names, **against, **difference._asdict()})
    return pd.DataFrame(found)


def one_by_one(
    corpus: Corpus, encoders: Sequence[Encoder], table: Encoder, engine_name: str, repeats: int, thread_count: int = 0
) -> pd.DataFrame:
    """What one query takes from its text to ten documents in Qdrant, or find that measured here: rows of milliseconds.

    In each round every encoder encodes the same queries one after another; a value is the mean over the queries, the
    median and range are those of the rounds. Parts: tokenization, model, pooling, what is left to the library, and all
    of encoding; an encoder that does not tell its parts has the last alone. The vectors of all documents by `table`, a
    static model, are searched for its vectors of the queries, with HNSW and exactly. The last part is
    all of encoding and the search with HNSW. 0 threads: all cores.
    """
    stopwatch.check_repeats(repeats)
    thread_count = thread_count or results.machine()["cores"]
    asked = corpus.query_texts[:QUERIES]
    about = {
        "corpus": corpus.sha256, "queries": len(asked), "models": [each.identity("query") for each in encoders],
        "searched": table.identity("document"), "engine": engine_name, "repeats": repeats, "threads": thread_count,
    }  # fmt: skip

    def measure() -> dict:
        documents, queries = grid.encode(corpus, table)
        documents, rows = (vectors.truncate(each, table.dimensions) for each in (documents, queries[: len(asked)]))
        with stopwatch.threads(thread_count), engine.build(documents, "float32", engine_name) as index:
            spent: list[list[dict]] = [[] for _ in encoders]
            works = [partial(_encode_each, each, asked, own) for each, own in zip(encoders, spent, strict=True)]
            works += [partial(_search_each, index, rows, Search.named(search)) for search in SEARCHES]
            searching = stopwatch.rounds(works, repeats, warm_ups=1)[len(encoders) :]
        return {"encoding": [own[-repeats:] for own in spent], "searching": searching}

    record = results.remember("one query", about, measure)
    names = {"corpus": corpus.name, "threads": thread_count, "key": record["key"]}
    among, told = {"documents": len(corpus.documents)}, []
    hnsw, exact = 1000 * np.array(record["values"]["searching"]) / len(asked)
    for each, rounds in zip(encoders, record["values"]["encoding"], strict=True):
        own = {**names, "model": each.name}
        parts = {part: 1000 * np.array([one[part] for one in rounds]) / len(asked) for part in rounds[0]}
        told += [{**own, "part": part, **_times(milliseconds)} for part, milliseconds in parts.items()]
        told.append({**own, **among, "part": TO_DOCUMENTS, **_times(parts[ALL] + hnsw)})
    for search, milliseconds in zip(SEARCHES.values(), (hnsw, exact), strict=True):
        told.append({**names, **among, "model": table.name, "part": search, **_times(milliseconds)})
    return pd.DataFrame(told)


def matters(rows: pd.DataFrame) -> str:
    """From which size of collection on searching takes longer than encoding, if all vectors are compared, computed."""
    by_part = dict(iter(rows.groupby("part")))
    [exact], encoded = by_part[SEARCHES["exact"]].to_dict("records"), by_part[ALL].sort_values("value")
    sizes = [
        f"{_rounded(exact['documents'] * row.value / exact['value']):,} with {row.model} ({row.value:,.2f} ms)"
        for row in (next(encoded.itertuples()), *encoded[encoded["model"] != exact["model"]].head(1).itertuples())
    ]
    return (
        f"Comparing a query with all of {exact['documents']:,.0f} vectors takes Qdrant {exact['value']:,.2f} ms. "
        f"So encoding takes longer than that search up to about this many documents, computed: "
        f"{' and '.join(dict.fromkeys(sizes))}."
    )


def _encode_each(encoder: Encoder, queries: Sequence[str], spent: list[dict[str, float]]) -> None:
    """Encode queries one after another, and add the seconds by part to those of the rounds before.

    A text alone that a table reads goes past the library, which tells no stages then: its tokenization is timed apart.
    """
    with stages.timed(encoder.model) as seconds:
        whole = stopwatch.seconds_of(lambda: [encoder.encode([query], "query") for query in queries])
    parts = {name: seconds[stage] for stage, name in PARTS.items()}
    if encoder.kind == "static" and not seconds["tokenize_seconds"]:
        tokenize = encoder.tokenizer("query").encode
        parts["tokenization"] = stopwatch.seconds_of(lambda: [tokenize(query) for query in queries])
        parts["model"] = max(whole - parts["tokenization"], 0)
    told = {**parts, LIBRARY: max(whole - sum(parts.values()), 0)} if parts["tokenization"] else {}
    spent.append({**told, ALL: whole})


def _search_each(index: engine.Index, rows: np.ndarray, search: Search) -> None:
    for row in rows:
        index.search(row[None], 10, search)


def _times(milliseconds: np.ndarray) -> dict[str, object]:
    return {"metric": "one query ms", **Times.of(list(milliseconds))._asdict()}


def _rounded(value: float) -> int:
    """Two digits are what such an estimate has."""
    return int(float(f"{value:.2g}"))
