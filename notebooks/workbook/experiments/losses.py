"""Where a compressed search loses NDCG@10, step by step, and whether a loss is proven, harmless or not settled."""

from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np
import pandas as pd

from workbook.corpora.corpora import Corpus
from workbook.embedding import vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation, statistics
from workbook.evaluation.statistics import Interval
from workbook.experiments import grid
from workbook.experiments.grid import Cell, find
from workbook.qdrant.quantization import binary_scores

REFERENCE = "the whole float32 vector"  # searched exactly: what every cell is compared with
WHOLE, TOTAL = "float32, whole vector", "total"


def waterfall(cells: Sequence[Cell], model: str, dimension: int, setting: str, rescore: str | None) -> pd.DataFrame:
    """Take one setting of one model apart: a frame of step and `Interval`; a level at each end, changes between.

    float32 exact -> truncation -> quantization (`full-ef`) -> HNSW (`default-ef`) -> rescoring (`rescore`, if given).
    The changes are paired by query and sum to the total difference. What the graph does not reach even at full ef
    counts as quantization. Raises WorkbookError if a cell that is needed was not measured.
    """
    own = [cell for cell in cells if cell.model == model]
    widest = max(cell.dimension for cell in own)
    reached = {"dimension": dimension, "setting": setting}
    chain = {
        WHOLE: find(own, dimension=widest, setting="float32", search="exact"),
        f"truncation to {dimension}": find(own, dimension=dimension, setting="float32", search="exact"),
        f"quantization: {setting}": find(own, **reached, search="full-ef"),
        "HNSW at default ef": find(own, **reached, search="default-ef"),
    }
    if rescore:
        chain[f"rescoring: {rescore}"] = find(own, **reached, search=rescore)
    steps, scores = list(chain), [cell.judgements["ndcg@10"] for cell in chain.values()]
    changes = [statistics.mean_difference(after, before) for before, after in pairwise(scores)]
    levels = [Interval(score.mean(), np.nan, np.nan, len(score)) for score in (scores[0], scores[-1])]
    names = [*steps, TOTAL]
    intervals = [levels[0], *changes, levels[1]]
    return pd.DataFrame({"step": name, **interval._asdict()} for name, interval in zip(names, intervals, strict=True))


def verdicts(cells: Sequence[Cell], margin: float = statistics.MARGIN) -> pd.DataFrame:
    """Compare every cell with its model's whole float32 vector searched exactly, as two families of comparisons.

    What isolates the codes (exact, full-ef) is one, searches as one would run them the other: an interval follows from
    all of its family, and those others repeat in another build only to the engine's chance. One row a cell: difference
    with its interval, which is adjusted for the family, verdict, queries that would decide.
    """
    compared = []
    for model in dict.fromkeys(cell.model for cell in cells):
        own = [cell for cell in cells if cell.model == model]
        widest = max(cell.dimension for cell in own)
        baseline = find(own, dimension=widest, setting="float32", search="exact")
        compared += [(cell, baseline) for cell in own if cell is not baseline]
    compared.sort(key=lambda pair: pair[0].search not in ("exact", "full-ef"))
    found = []
    for _, family in groupby(compared, key=lambda pair: pair[0].search in ("exact", "full-ef")):
        pairs = [(cell.judgements["ndcg@10"], baseline.judgements["ndcg@10"]) for cell, baseline in family]
        found += statistics.verdicts(pairs, margin)
    return pd.DataFrame(
        {
            "model": cell.model, "dimension": cell.dimension, "setting": cell.setting, "search": cell.search,
            "bytes": cell.bytes_per_vector, "difference": one.difference.value, "low": one.difference.low,
            "high": one.difference.high, "n": one.difference.n, "standard_error": one.difference.standard_error,
            "verdict": statistics.told(one.difference, margin), "queries to decide": one.queries_needed,
            "key": cell.key,
        }
        for (cell, _), one in zip(compared, found, strict=True)
    )  # fmt: skip


def rows(corpus: Corpus, table: pd.DataFrame) -> pd.DataFrame:
    """The verdicts in the long format of `results`: the difference with the interval that decides it."""
    names = table[["model", "dimension", "setting", "search", "key"]].assign(corpus=corpus.name, against=REFERENCE)
    interval = table[["difference", *Interval._fields[1:]]].rename(columns={"difference": "value"})
    return names.assign(metric="ndcg@10 difference").join(interval).reset_index(drop=True)


def power(corpus: Corpus) -> str:
    """What the number of queries allows: one line to print before the verdicts."""
    n = len(corpus.queries)
    return f"{n} queries" + ("" if n >= statistics.MIN_QUERIES else ": too few, nothing can be decided with them")


def check_all_sums(cells: Sequence[Cell], rescored: Sequence[str]) -> None:
    """Raise WorkbookError unless the changes of every quantized cell's waterfall sum to its total, to 1e-9."""
    for cell in cells:
        if cell.setting != "float32" and cell.search in ("default-ef", *rescored):
            rescore = cell.search if cell.search in rescored else None
            values = waterfall(cells, cell.model, cell.dimension, cell.setting, rescore)["value"]
            if abs(off := values.iloc[:-1].sum() - values.iloc[-1]) > 1e-9:
                raise WorkbookError(f"the steps of a waterfall miss its total by {off:.3g}")


def meanings_of_rescoring(corpus: Corpus, encoder: Encoder, cells: Sequence[Cell]) -> pd.DataFrame:
    """NDCG@10 of one-bit codes by numpy, alone and against a float32 query, beside the grid's rescored binary cells.

    A float32 query against the codes is what Sentence Transformers calls rescoring and Qdrant an asymmetric query; what
    Qdrant calls rescoring reads the original vectors. Whole vectors only; rows in the long format of `results`.
    """
    own = [cell for cell in cells if cell.model == encoder.name]
    dimension = max(cell.dimension for cell in own)
    documents, queries = (vectors.truncate(whole, dimension) for whole in grid.encode(corpus, encoder))
    bits = np.where(documents > 0, np.float32(1), np.float32(-1))
    keys: dict[str, str] = {}
    judged = {
        "one-bit query, one-bit documents (numpy)": _judged(corpus, queries, binary_scores(queries, documents)),
        "float32 query, one-bit documents (Sentence Transformers)": _judged(corpus, queries, queries @ bits.T),
    }
    for cell in own:
        if cell.setting == "binary" and cell.dimension == dimension and cell.search.startswith("rescore"):
            method = f"one-bit codes, then original vectors (Qdrant, {cell.search})"
            judged[method], keys[method] = cell.judgements["ndcg@10"], cell.key
    names = {"corpus": corpus.name, "model": encoder.name, "dimension": dimension, "metric": "ndcg@10"}
    return pd.DataFrame(
        {**names, "method": method, **statistics.mean(one)._asdict(), "key": keys.get(method)}
        for method, one in judged.items()
    )


def _judged(corpus: Corpus, queries: np.ndarray, scores: np.ndarray) -> pd.Series:
    """A query of zeros finds nothing, as in an engine's searches here."""
    scores = np.where(queries.any(axis=1, keepdims=True), scores, -np.inf)
    return evaluation.judge(corpus, evaluation.order_all(scores, corpus.document_ids))["ndcg@10"]
