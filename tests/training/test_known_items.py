"""Held-out anchors as a corpus, and the score of a model that searches it."""

import numpy as np
import pytest
from workbook.corpora import corpora
from workbook.corpora.corpora import Document
from workbook.errors import WorkbookError
from workbook.training import known_items

SAMPLE = corpora.unlabelled("sample")
HELD_OUT = frozenset(list(SAMPLE)[::6])  # eleven


def untitled(document):
    return Document("", document.text)


@pytest.fixture(scope="module")
def asked():
    return known_items.build(SAMPLE, HELD_OUT)


def random_encode(texts, seed=0):
    return np.random.default_rng([seed, len(texts)]).standard_normal((len(texts), 64)).astype(np.float32)


def oracle(corpus):
    """Encodes a document and the query made of it to one vector."""
    places = {key: place for place, key in enumerate(corpus.documents)}
    numbers = {text: place for place, text in enumerate(corpus.document_texts)}
    numbers |= {text: places[key] for key, text in corpus.queries.items()}
    return lambda texts: np.eye(len(corpus.documents), dtype=np.float32)[[numbers[text] for text in texts]]


def test_titles_of_held_out_documents_are_asked_and_texts_are_searched(asked):
    assert asked.name == "held-out title pairs"
    assert asked.queries == {key: SAMPLE[key].title for key in HELD_OUT}
    assert asked.documents == {key: untitled(document) for key, document in SAMPLE.items()}
    assert asked.qrels == {key: {key: 1} for key in HELD_OUT}


@pytest.mark.parametrize("titled", [0, 5], ids=["no titles", "some titles"])
def test_without_titles_summaries_are_asked_and_the_rest_is_searched(titled):
    kept = list(SAMPLE)[::titled] if titled else []
    asked = known_items.build({key: SAMPLE[key] if key in kept else untitled(SAMPLE[key]) for key in SAMPLE}, HELD_OUT)
    assert asked.name == "held-out summary pairs"
    assert set(asked.queries) == HELD_OUT
    for key, summary in asked.queries.items():
        assert f"{summary} {asked.documents[key].text}" == SAMPLE[key].text


def test_without_summaries_other_sentences_are_asked():
    short = {key: Document("", f"Read this. {document.text}") for key, document in SAMPLE.items()}
    asked = known_items.build(short, HELD_OUT)
    assert asked.name == "held-out sentence pairs"
    for key, sentence in asked.queries.items():
        assert sentence in SAMPLE[key].text
        assert sentence not in asked.documents[key].text
        assert asked.documents[key].text.startswith("Read this.")


def test_of_single_lines_spans_are_asked_and_the_rest_is_searched():
    lines = {key: Document("", document.text.split(". ")[0]) for key, document in SAMPLE.items()}
    asked = known_items.build(lines, HELD_OUT)
    assert asked.name == "held-out span pairs"
    assert set(asked.queries) == HELD_OUT and set(asked.documents) == set(SAMPLE)
    for key, span in asked.queries.items():
        assert sorted(f"{span} {asked.documents[key].text}".split()) == sorted(lines[key].text.split())


def test_where_no_kind_has_most_documents_each_is_asked_by_its_own_first():
    titles, lines = set(list(SAMPLE)[::3]), {key: document.text.split(". ")[0] for key, document in SAMPLE.items()}
    documents = {key: untitled(document) for key, document in SAMPLE.items()}
    documents |= {key: Document(SAMPLE[key].title, lines[key]) for key in titles}
    documents |= {key: Document("", lines[key]) for key in list(SAMPLE)[1::3]}
    held_out = frozenset(list(SAMPLE)[:12])
    asked = known_items.build(documents, held_out)
    assert asked.name == "held-out mixed pairs"
    assert set(asked.queries) == held_out and set(asked.documents) == set(SAMPLE)
    for key, anchor in asked.queries.items():
        if key in titles:
            assert (anchor, asked.documents[key].text) == documents[key]
        else:
            assert anchor in documents[key].text and anchor not in asked.documents[key].text
    assert sum(anchor.startswith(lines[key]) for key, anchor in asked.queries.items()) == 4, "the summaries"


def test_documents_with_nothing_to_ask_by_are_refused():
    words = {key: Document("", document.text.split()[0]) for key, document in SAMPLE.items()}
    with pytest.raises(WorkbookError, match="most documents have one word or none: nothing to hold out"):
        known_items.build(words, HELD_OUT)
    assert known_items.build({**SAMPLE, "bare": Document("", "One.")}, HELD_OUT).queries.keys() == HELD_OUT


def test_the_pool_is_limited_and_the_held_out_are_always_in_it(monkeypatch):
    monkeypatch.setattr(known_items, "POOL", 20)
    pools = [set(known_items.build(SAMPLE, HELD_OUT, seed).documents) for seed in (0, 0, 1)]
    assert [len(pool) for pool in pools] == [20, 20, 20]
    assert all(pool > HELD_OUT for pool in pools)
    assert pools[0] == pools[1] != pools[2]
    monkeypatch.setattr(known_items, "POOL", 5)
    assert set(known_items.build(SAMPLE, HELD_OUT).documents) == HELD_OUT


def test_an_oracle_scores_one_and_a_random_encoder_little(asked):
    perfect = known_items.score(oracle(asked), asked)
    assert perfect.to_dict() == dict.fromkeys(asked.queries, 1.0)
    chance = [known_items.score(lambda texts, seed=seed: random_encode(texts, seed), asked).mean() for seed in range(5)]
    assert 0 < np.mean(chance) < 0.25


def test_a_score_is_what_numpy_by_hand_says(asked):
    documents = random_encode(asked.documents)
    own = documents[[list(asked.documents).index(key) for key in asked.queries]]
    queries = (own + 3 * np.random.default_rng(1).standard_normal(own.shape)).astype(np.float32)
    vectors = {len(rows): rows for rows in (documents, queries)}
    found = known_items.score(lambda texts: vectors[len(texts)], asked)

    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, documents)]
    expected = []
    for key, row in zip(asked.queries, unit[0] @ unit[1].T, strict=True):
        ranked = sorted(zip(row, asked.documents, strict=True), reverse=True)  # of equal scores the higher id first
        rank = 1 + [name for _, name in ranked].index(key)
        expected.append(1 / np.log2(rank + 1) if rank <= 10 else 0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert list(found.index) == list(asked.queries)
    assert 0.1 < found.mean() < 0.95
