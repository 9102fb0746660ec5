"""Code to paste that searches a collection of Qdrant twice where it must: first search, signals, second search."""

import json

import numpy as np

from workbook.on_demand.combined import CHOSEN
from workbook.on_demand.threshold import Rule
from workbook.qdrant import bm25, edge, engine
from workbook.qdrant.bm25 import Bm25

STEPS = 11  # quantiles of each signal that are printed
LINES = {  # how each signal is computed from the points of the three searches, best first
    "top score": "dense[0].score",
    "BM25's top score a word": 'sparse[0].score / len(words["indices"]) if sparse else 0',
    "top fused score": "fused[0].score",
}


def search_twice(
    rule: Rule, table: str, transformer: str, words: Bm25, fusion: str = "dbsf", collection: str = "my-collection"
) -> str:  # fmt: skip
    """Source for qdrant-client: it defines `search`, which asks the transformer too where the first search was weak.

    `table` and `transformer` are names that Sentence Transformers loads. The collection has the transformer's vectors
    and, as `bm25`, those of `words`. A signal's rank among the rule's earlier searches is read off STEPS of them.
    """
    steps = np.linspace(0, 1, STEPS)
    among = {name: np.quantile(rule.among[name].replace(-np.inf, np.nan).dropna(), steps) for name in CHOSEN}
    ranks = "".join(
        f"    {json.dumps(name)}: [{', '.join(f'{each:.4g}' for each in own)}],\n" for name, own in among.items()
    )
    lines = "".join(f"        {json.dumps(name)}: {LINES[name]},\n" for name in CHOSEN)
    fused = f"models.Fusion.{fusion.upper()}"
    return f"""\
import os

import numpy as np
import qdrant_edge as edge
from qdrant_client import QdrantClient, models
from sentence_transformers import SentenceTransformer

client = QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
# a table of queries, for documents that the transformer encoded
table = SentenceTransformer({json.dumps(table)}, device="cpu")
transformer = SentenceTransformer({json.dumps(transformer)})
how = edge.Bm25Config(k={bm25.K}, b={bm25.B}, avg_len={words.average_length:.1f}, language={json.dumps(words.language)})
bm25 = edge.Bm25(how)
AMONG = {{  # each signal of earlier searches, from the lowest to the highest, in steps of as many
{ranks}}}
LIMIT = {rule.limit:.3f}  # the weakness, from 0 to 1, from which on a query is asked again


def first_search(vector, words):
    near = {{"query": vector.tolist()}}
    said = {{"query": models.SparseVector(**words), "using": "{edge.WORDS}"}}
    both = [models.Prefetch(**each, limit={engine.CANDIDATES}) for each in (near, said)]
    fused = {{"prefetch": both, "query": models.FusionQuery(fusion={fused}), "with_payload": True}}
    asked = [models.QueryRequest(**each, limit=limit) for each, limit in ((near, 1), (said, 1), (fused, 10))]
    return [found.points for found in client.query_batch_points({json.dumps(collection)}, asked)]


def weakness(dense, sparse, fused, words):
    signals = {{
{lines}    }}
    ranks = [np.interp(value, AMONG[name], np.linspace(1, 0, {STEPS})) for name, value in signals.items()]
    return np.mean(ranks)


def search(text):
    asked = bm25.embed_query(text)
    words = {{"indices": list(asked.indices), "values": list(asked.values)}}
    if {{*table[0].tokenizer.encode(text, add_special_tokens=False).tokens}} - {{"[UNK]", "<unk>"}}:  # it knows a word
        dense, sparse, fused = first_search(table.encode(text), words)
        if dense and weakness(dense, sparse, fused, words) < LIMIT:
            return fused
    return first_search(transformer.encode(text), words)[-1]
"""
