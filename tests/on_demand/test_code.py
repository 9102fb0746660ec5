"""The printed code, run against the in-memory engine, does what the workbook measured."""

from types import SimpleNamespace

import numpy as np
import pytest
import qdrant_client
import sentence_transformers
from qdrant_client import QdrantClient, models
from workbook.on_demand import code, combined, signals, threshold
from workbook.on_demand.signals import FirstSearch
from workbook.qdrant.bm25 import Idf, Sparse
from workbook.qdrant.engine import Hits


class Encoder:
    """Stands for SentenceTransformer; remembers what it was asked."""

    def __init__(self, encoder):
        self.encoder, self.asked = encoder, []

    def encode(self, text):
        self.asked.append(text)
        return self.encoder.encode([text], "query")[0]


@pytest.fixture
def pasted(sample, methods, measured, monkeypatch):
    """Namespace of the code, of a collection with the sample in it, for a limit."""
    client = QdrantClient(":memory:")
    client.create_collection(
        "my-collection", models.VectorParams(size=64, distance=models.Distance.COSINE),
        sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )  # fmt: skip
    rows, words = methods["transformer"].encode(sample.document_texts, "document")
    said = [models.SparseVector(indices=each.indices, values=each.values) for each in words]
    client.upsert(
        "my-collection",
        [
            models.PointStruct(id=number, vector={"": row.tolist(), "bm25": own})
            for number, (row, own) in enumerate(zip(rows, said, strict=True))
        ],
    )
    monkeypatch.setattr(qdrant_client, "QdrantClient", lambda **_: client)
    transformer, real = Encoder(methods["transformer"].encoder), sentence_transformers.SentenceTransformer
    monkeypatch.setattr(
        "sentence_transformers.SentenceTransformer",
        lambda name, **more: transformer if name == "transformer" else real(name, **more),
    )
    monkeypatch.setenv("QDRANT_URL", "http://localhost")

    def run(limit):
        space = {}
        rule = threshold.Rule(limit, measured.items.signals)
        exec(code.search_twice(rule, str(methods["table"].encoder.folder), "transformer", methods["table"].bm25), space)
        return space

    return run


def test_the_printed_code_asks_again_where_the_rule_does(sample, measured, pasted):
    rule = threshold.by_share(measured.items.signals, 0.5)
    space, weakness = pasted(rule.limit), rule.weakness(measured.queries.signals)
    for text, wanted in zip(sample.query_texts, weakness, strict=True):
        found = space["search"](text)
        assert len(found) == 10
        words = space["bm25"].embed_query(text)
        said = {"indices": list(words.indices), "values": list(words.values)}
        three = space["first_search"](space["table"].encode(text), said)
        own = space["weakness"](*three, said)
        assert own == pytest.approx(wanted, abs=0.1), "ten items make coarse steps"
        assert (text in space["transformer"].asked) == (own >= rule.limit)
    assert 0 < len(space["transformer"].asked) < len(sample.queries)


def test_the_ends_and_a_text_without_a_known_word(sample, pasted):
    text = sample.query_texts[0]
    for limit, times in ((0.0, 1), (1.1, 0)):
        space = pasted(limit)
        space["transformer"].asked.clear()
        space["search"](text)
        assert len(space["transformer"].asked) == times
    space["search"]("ᛝᛝᛝᛝ")
    assert space["transformer"].asked == ["ᛝᛝᛝᛝ"]


def test_each_line_is_the_signal_that_it_is_named_for():
    random = np.random.default_rng(0)
    three = [Hits(random.permutation(20)[None, :10], -np.sort(-random.random((1, 10))), 0.0) for _ in range(3)]
    table = signals.of(FirstSearch(*three, [Sparse([7, 8], [1, 1])], Idf()))
    names = {
        name: [SimpleNamespace(score=float(score)) for score in each.scores[0]]
        for name, each in zip(("dense", "sparse", "fused"), three, strict=True)
    }
    assert set(code.LINES) == set(combined.CHOSEN)
    for name, line in code.LINES.items():
        assert eval(line, {"words": {"indices": [7, 8]}, **names}) == pytest.approx(table[name][0])  # noqa: S307
    assert eval(code.LINES["BM25's top score a word"], {"sparse": []}) == 0  # noqa: S307
