"""The example shard: the corpus's vectors in it, made once, searchable as any other."""

import numpy as np
from workbook import paths
from workbook.corpora import corpora
from workbook.embedding import encoders, vectors
from workbook.experiments import existing


def test_it_holds_the_vectors_of_the_corpus(data):
    corpus, encoder = corpora.load("sample"), encoders.load("tiny-static")
    facts = existing.describe(existing.example(corpus, encoder))
    assert (facts.points, facts.size, facts.setting) == (len(corpus.documents), 64, "float32")
    assert facts.indexed == facts.points
    rows = vectors.truncate(vectors.encode(encoder, corpus.document_texts), 64)
    asked = existing.measure(
        existing.example(corpus, encoder), "", ["binary"], ["rescore-x3"], queries=rows[:20].astype(np.float32)
    )
    assert asked[asked["variant"] == "as it stands"]["value"].iloc[0] == 1


def test_it_is_made_once(data):
    first = existing.example(corpora.load("sample"), encoders.load("tiny-static"))
    assert existing.example(corpora.load("sample"), encoders.load("tiny-static")) == first
    assert len(list((paths.DATA / "own").iterdir())) == 1
