"""Streams give the same texts each time, as many as asked, a shard at a time."""

import json

import numpy as np
import pytest
from workbook.corpora import beir_sets, corpora, document_streams
from workbook.errors import WorkbookError


@pytest.fixture(scope="module")
def sample():
    return corpora.load("sample")


@pytest.fixture
def trec_covid(data):
    """A TREC-COVID of five documents, one of them empty, as BEIR's has."""
    folder = data / "beir" / "trec-covid"
    folder.mkdir(parents=True)
    rows = [{"_id": str(n), "title": "Title", "text": f"text {n}"} for n in range(5)]
    rows[3].update(title="", text="")
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder / "corpus.jsonl"


def texts(stream):
    return [text for shard in stream.shards() for text in shard]


PARTS = [lambda words, n: words[:n], lambda words, n: words[len(words) - n :]]  # the first and the last n


def test_assembled_texts_are_as_many_and_as_long_as_asked(sample, data):
    found = texts(document_streams.of(sample, 5_000, seed=0))
    assert len(found) == 5_000
    lengths = [len(text.split()) for text in found]
    assert np.mean(lengths) == pytest.approx(document_streams.WORDS, rel=0.04)
    assert min(lengths) < document_streams.WORDS / 3
    assert max(lengths) > document_streams.WORDS * 3
    assert len(set(found)) == 5_000
    assert set(" ".join(found).split()) > set(" ".join(sample.document_texts).split())


def grown(some, points):
    """Distinct words of texts when they have so many words, for each of some points."""
    words = (word for text in some for word in text.split(" "))
    distinct, found = set(), []
    for number, word in enumerate(words, start=1):
        distinct.add(word)
        if number in points:
            found.append(len(distinct))
    return found


def heaps(words):
    scale, exponent = document_streams.HEAPS
    return scale * np.array(words) ** exponent


def test_the_words_of_assembled_texts_grow_in_number_as_natural_texts_do(sample, data):
    points = [50_000, 200_000, 500_000, 1_000_000]
    found = grown(document_streams.assembled(sample, 6_500, seed=0), points)
    assert found == pytest.approx(heaps(points), rel=0.03)


@pytest.mark.skipif(not beir_sets.local_folder("scifact"), reason="BEIR_DATA_DIR has no SciFact")
def test_the_growth_is_that_of_a_real_collection():
    real = [document.full for document in corpora.unlabelled("scifact").values()]
    np.random.default_rng(0).shuffle(real)
    points = [125_000, 250_000, 500_000, 1_000_000]
    assert grown(real, points) == pytest.approx(heaps(points), rel=0.03)


def test_a_text_is_two_passages_of_the_corpus_and_made_up_words_between(sample, data):
    whole = f" {' '.join(' '.join(sample.document_texts).split())} "
    made_up = 0
    for text in texts(document_streams.of(sample, 200, seed=3)):
        words = text.split(" ")
        counts = range(len(words), -1, -1)
        halves = [next(n for n in counts if f" {' '.join(part(words, n))} " in whole or not n) for part in PARTS]
        made_up += max(0, len(words) - sum(halves))
        assert sum(halves) >= len(words) / 2
    assert made_up > 0


def test_the_same_seed_gives_the_same_shards(sample, data, monkeypatch):
    monkeypatch.setattr(document_streams, "SHARD", 64)
    shards = list(document_streams.of(sample, 200, seed=0).shards())
    assert [len(shard) for shard in shards] == [64, 64, 64, 8]
    assert shards == list(document_streams.of(sample, 200, seed=0).shards())
    assert shards[0] != next(document_streams.of(sample, 200, seed=1).shards())
    assert shards[0] == next(document_streams.of(sample, 100, seed=0).shards()), (
        "a longer stream begins with a shorter one"
    )


def test_long_texts_make_shorter_shards(sample, data, monkeypatch):
    monkeypatch.setattr(document_streams, "CHARACTERS", 5_000)
    shards = list(document_streams.of(sample, 100, seed=0).shards())
    assert len(shards) > 10
    assert sum(map(len, shards)) == 100
    assert all(len(shard) == 1 or sum(map(len, shard)) <= 5_000 for shard in shards)


def test_label_and_identity_say_what_it_is(sample, data):
    stream = document_streams.of(sample, 100, seed=7)
    assert stream.label == "assembled from sample, seed 7"
    assert stream.identity != document_streams.of(sample, 100, seed=8).identity
    assert stream.identity["corpus"] == sample.sha256


def test_the_real_set_is_taken_when_it_is_here(sample, trec_covid):
    stream = document_streams.of(sample, 4, seed=0)
    assert (stream.label, texts(stream)) == (
        "documents of TREC-COVID",
        ["Title text 0", "Title text 1", "Title text 2", ""],
    )
    assert texts(document_streams.of(sample, 5, seed=0))[-1] == "Title text 4"


def test_more_than_the_real_set_has_are_assembled(sample, trec_covid):
    more = beir_sets.BEIR["trec-covid"].documents + 1
    assert document_streams.of(sample, more, seed=0).label.startswith("assembled")


def test_a_real_set_cut_short_or_not_text_is_told(sample, trec_covid):
    with pytest.raises(WorkbookError, match="ends after 5 of 6 documents"):
        texts(document_streams.of(sample, 6, seed=0))
    trec_covid.write_bytes(b'{"_id": "1", "text": "\xff\xfe"}\n')
    with pytest.raises(WorkbookError, match="not valid UTF-8"):
        texts(document_streams.of(sample, 1, seed=0))


@pytest.fixture
def two_sets(data, monkeypatch):
    """Two collections of six and three documents."""
    for name, count in (("first", 6), ("second", 3)):
        rows = [{"_id": str(n), "text": f"{name} {n}"} for n in range(count)]
        (data / "sets" / name).mkdir(parents=True)
        (data / "sets" / name / "corpus.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    monkeypatch.setenv("BEIR_DATA_DIR", str(data / "sets"))


def test_collections_at_hand_are_taken_each_document_once_and_each_collection_evenly(sample, two_sets):
    stream = document_streams.of(sample, 9, seed=0)
    assert stream.label == "documents of first, second"
    assert texts(stream) == [
        "first 0", "second 0", "first 1", "first 2", "second 1", "first 3", "first 4", "second 2", "first 5"
    ]  # fmt: skip
    assert texts(document_streams.of(sample, 4, seed=0)) == texts(stream)[:4]
    assert stream.vocabulary() == {"words": 18, "distinct": 8}


def test_the_largest_of_several_sizes_decides_where_texts_are_from(sample, two_sets):
    assert document_streams.of(sample, 4, seed=0, most=9).label == "documents of first, second"
    for n, most in ((4, 10), (10, 0)):
        assert document_streams.of(sample, n, seed=0, most=most).label == "assembled from sample, seed 0"
