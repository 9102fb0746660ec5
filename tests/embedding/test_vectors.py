"""Vectors are encoded once, kept under all that decides them, and never taken from a broken file."""

import hashlib

import numpy as np
import pytest
from workbook.corpora import corpora
from workbook.embedding import encoders, vectors
from workbook.embedding.vectors import Shards
from workbook.errors import WorkbookError

# in the order in which they are encoded
TEXTS = sorted((f"text {number}" for number in range(10)), key=lambda text: hashlib.sha256(text.encode()).hexdigest())


class FakeEncoder:
    """Four numbers from the hash of prompt and text; notes its calls and can be interrupted at one of them."""

    name, dimensions = "owner/fake", 4

    def __init__(self, revision="r1", passage="", interrupted_at=None, last=None):
        self.revision, self.interrupted_at, self.last = revision, interrupted_at, last
        self.prompts = {"document": passage, "query": "query: "}
        self.calls = []

    def identity(self, role):
        return {"model": self.name, "revision": self.revision, "prompt": self.prompts[role]}

    def knows(self, texts):
        return np.array(["?" not in text for text in texts])

    def encode(self, texts, role="document", batch_size=32):
        self.calls.append(list(texts))
        if len(self.calls) == self.interrupted_at:
            raise KeyboardInterrupt
        digests = [hashlib.sha256((self.prompts[role] + text).encode()).digest() for text in texts]
        encoded = np.array([list(digest[:4]) for digest in digests], dtype=np.float32)
        encoded[-1, -1] = encoded[-1, -1] if self.last is None else self.last
        return encoded


EXPECTED = FakeEncoder().encode(TEXTS)


def entries(data):
    return list((data / "vectors").iterdir())


@pytest.fixture
def interrupted(data, monkeypatch):
    """Ten texts in three shards of at most four; two of them encoded when the user pressed Ctrl-C."""
    monkeypatch.setattr(vectors, "SHARD", 4)
    with pytest.raises(KeyboardInterrupt):
        vectors.encode(FakeEncoder(interrupted_at=3), TEXTS)
    return sorted(entries(data)[0].iterdir())


def test_the_second_time_nothing_is_encoded(data):
    first, second = FakeEncoder(), FakeEncoder()
    for encoder in (first, second):
        encoded = vectors.encode(encoder, TEXTS)
        assert encoded.dtype == np.float32
        np.testing.assert_array_equal(encoded, EXPECTED)
    assert (first.calls, second.calls) == ([TEXTS], [])


@pytest.mark.parametrize(
    ("change", "texts", "role"),
    [
        ({}, TEXTS[:-1], "document"),
        ({}, ["".join(TEXTS)], "document"),
        ({}, TEXTS, "query"),
        ({"passage": "passage: "}, TEXTS, "document"),
        ({"revision": "r2"}, TEXTS, "document"),
    ],
)
def test_what_decides_the_vectors_decides_the_entry(data, change, texts, role):
    vectors.encode(FakeEncoder(), TEXTS)
    other = FakeEncoder(**change)
    encoded = vectors.encode(other, texts, role)
    assert other.calls == [texts]
    np.testing.assert_array_equal(encoded, FakeEncoder(**change).encode(texts, role))
    assert len(entries(data)) == 2


def test_each_text_is_encoded_once_whatever_the_order(data):
    vectors.encode(FakeEncoder(), TEXTS)
    other, texts = FakeEncoder(), [*TEXTS[::-1], TEXTS[3]]
    np.testing.assert_array_equal(vectors.encode(other, texts), [*EXPECTED[::-1], EXPECTED[3]])
    assert other.calls == []


def test_a_transformers_vector_of_a_text_is_the_same_in_each_order_and_in_each_place(data):
    """In the batches of `encode` alone, equal texts differ in the 7th digit with what stands beside them."""
    sample, encoder = corpora.load("sample"), encoders.load("tiny-transformer")
    texts = [*sample.document_texts, *sample.document_texts[:20]]
    found = vectors.encode(encoder, texts)
    np.testing.assert_array_equal(found[: len(sample.document_texts)][:20], found[len(sample.document_texts) :])
    np.testing.assert_array_equal(vectors.encode(encoder, texts[::-1]), found[::-1])


def test_a_query_without_a_known_token_gets_zeros_and_a_document_does_not(data):
    texts = ["known", "un?known"]
    np.testing.assert_array_equal(
        vectors.encode(FakeEncoder(), texts, "query"), FakeEncoder().encode(texts, "query") * [[1], [0]]
    )
    assert vectors.encode(FakeEncoder(), texts)[1].all()


def test_an_interrupted_run_goes_on_where_it_stopped(data, interrupted):
    resumed = FakeEncoder()
    np.testing.assert_array_equal(vectors.encode(resumed, TEXTS), EXPECTED)
    assert resumed.calls == [TEXTS[8:]]
    assert sorted(path.name for path in entries(data)[0].iterdir()) == ["manifest.json", "vectors.npy"]
    assert len(entries(data)) == 1, "no shards are left"


@pytest.mark.parametrize("size", [-1, 100, 3, 0])  # in the rows, in the header, in the magic string, to nothing
def test_a_shard_cut_short_is_encoded_again(interrupted, size):
    interrupted[0].write_bytes(interrupted[0].read_bytes()[:size])
    resumed = FakeEncoder()
    np.testing.assert_array_equal(vectors.encode(resumed, TEXTS), EXPECTED)
    assert resumed.calls == [TEXTS[:4], TEXTS[8:]]


def test_shards_of_another_size_are_encoded_again(interrupted, monkeypatch):
    monkeypatch.setattr(vectors, "SHARD", 5)
    np.testing.assert_array_equal(vectors.encode(FakeEncoder(), TEXTS), EXPECTED)


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("vectors.npy", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        ("vectors.npy", lambda content: content[:-4]),
        ("vectors.npy", None),
        ("manifest.json", None),
        ("manifest.json", lambda content: content[:20]),
        ("manifest.json", lambda content: b"{}"),
        ("manifest.json", lambda content: b"[]"),
    ],
)
def test_a_broken_entry_is_encoded_again(data, file, spoil):
    vectors.encode(FakeEncoder(), TEXTS)
    broken = entries(data)[0] / file
    broken.write_bytes(spoil(broken.read_bytes())) if spoil else broken.unlink()
    again, then = FakeEncoder(), FakeEncoder()
    for encoder in (again, then):
        np.testing.assert_array_equal(vectors.encode(encoder, TEXTS), EXPECTED)
    assert (again.calls, then.calls) == ([TEXTS], [])


@pytest.mark.parametrize("last", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused_and_not_kept(data, last):
    with pytest.raises(WorkbookError, match="owner/fake gave vectors that are not finite"):
        vectors.encode(FakeEncoder(last=last), TEXTS)
    assert list(data.rglob("*.npy")) == []


def test_no_texts_are_refused(data):
    with pytest.raises(WorkbookError, match="no texts"):
        vectors.encode(FakeEncoder(), [])


def test_truncated_vectors_are_the_first_numbers_at_length_one():
    whole = np.array([[3, 4, 12], [0, 0, 5], [-2, 0, 0]], dtype=np.float32)
    whole.flags.writeable = False
    truncated = vectors.truncate(whole, 2)
    assert truncated.dtype == np.float32
    np.testing.assert_allclose(truncated, [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)


@pytest.mark.parametrize("dimension", [0, 65])
def test_dimensions_that_are_not_there_are_refused(unit_vectors, dimension):
    np.testing.assert_allclose(vectors.truncate(unit_vectors, 64), unit_vectors, atol=1e-6)
    with pytest.raises(WorkbookError, match=f"64 dimensions cannot be truncated to {dimension}"):
        vectors.truncate(unit_vectors, dimension)


SHARD = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def shards(tmp_path):
    """The folder of two shards, of documents 0 to 3 and 4 to 5."""
    shards = Shards(tmp_path / "run")
    shards.write(0, SHARD)
    shards.write(4, SHARD[:2] + 100)
    return tmp_path / "run"


def test_shards_that_were_written_are_read_and_counted(shards):
    again = Shards(shards)
    assert np.array_equal(again.read(0, 4), SHARD)
    assert np.array_equal(again.read(4, 2), SHARD[:2] + 100)
    assert again.bytes() == sum(file.stat().st_size for file in shards.glob("*.npy")) >= 6 * 3 * 4
    assert 0 < again.spent < 60
    numbers = np.array([[5, 0], [3, 4]])
    assert np.array_equal(again.rows(numbers), np.vstack([SHARD, SHARD[:2] + 100])[numbers])


def test_shards_that_are_missing_or_of_another_size_are_none(tmp_path, shards):
    assert Shards(tmp_path / "missing").read(0, 4) is None
    assert Shards(shards).read(0, 5) is None


@pytest.mark.parametrize("content", ["", "[1]", "nonsense", None])
def test_shards_whose_seconds_are_not_known_are_not_found(shards, content):
    seconds = shards / "seconds.json"
    seconds.unlink() if content is None else seconds.write_text(content)
    again = Shards(shards)
    assert again.read(0, 4) is None and again.spent == 0


def test_seconds_of_attempts_add_up(shards):
    (shards / "seconds.json").write_text("1000.0")
    Shards(shards).write(0, SHARD)
    assert 1_000 < Shards(shards).spent < 1_060


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors, "write_npy", full)
    with pytest.raises(WorkbookError, match="make room"):
        Shards(tmp_path).write(0, SHARD)
    assert list(tmp_path.glob("*.npy")) == []
