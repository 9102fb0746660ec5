"""Word by word gives exactly what the tokenizer gives, or it is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from workbook.corpora import corpora
from workbook.embedding import encoders, word_tokenizer
from workbook.embedding.word_tokenizer import WordTokenizer
from workbook.errors import WorkbookError

ODD = [
    "",
    " ",
    "  two  spaces ",
    "tab\tand\nnew line",
    "Ünïcödé ΣΊΣΥΦΟΣ naïve",
    "漢字と仮名",
    "control \x1c\x1d separators\u2028too",
    "combining \u0301accent",
    "[SEP] and [MASK] in a text",
    "x" * 300,
    "punctuation,without;spaces(at all)",
    "🙂 zero\u200bwidth \ufeff",
    "non\u00a0breaking",
]


def tokenizer(normalizer=None, splitter=None):
    made = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    made.normalizer = normalizer
    made.pre_tokenizer = splitter or pre_tokenizers.BertPreTokenizer()
    return made


def bert():
    """BERT's own normalizer and pre-tokenizer over single letters and their continuations."""
    letters = [chr(number) for number in range(97, 123)]
    vocabulary = {token: n for n, token in enumerate(["[UNK]", *letters, *(f"##{letter}" for letter in letters), ","])}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(["[SEP]", "[MASK]"])
    return made


def ids_of(features, texts):
    ends = [*features["offsets"].tolist()[1:], len(features["input_ids"])]
    return [
        features["input_ids"][start:end].tolist() for start, end in zip(features["offsets"].tolist(), ends, strict=True)
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_ids_are_the_tokenizers_own(order):
    texts = (ODD + corpora.load("sample").document_texts)[::order]
    plain = bert()
    own = WordTokenizer(plain)
    expected = [plain.encode(text, add_special_tokens=False).ids for text in texts]
    assert ids_of(own.preprocess(texts), texts) == expected
    assert ids_of(own.preprocess(texts), texts) == expected, "known words"


def test_random_text_of_random_letters():
    random = np.random.default_rng(0)
    letters = list("ab c,é\u0301\t漢 İ")
    texts = ["".join(random.choice(letters, size)) for size in random.integers(0, 40, 300)]
    plain = bert()
    expected = [plain.encode(text, add_special_tokens=False).ids for text in texts]
    assert ids_of(WordTokenizer(plain).preprocess(texts), texts) == expected


def test_a_model_gives_the_same_vectors():
    texts = corpora.load("sample").document_texts + ODD
    encoder = encoders.load("tiny-static")
    expected = encoder.encode(texts)
    known = word_tokenizer.install(encoder.model)
    assert np.array_equal(encoder.encode(texts), expected)
    assert 0 < len(known) <= len(set(" ".join(texts).split(" ")))


def test_a_prompt_stands_before_each_text():
    plain = bert()
    features = WordTokenizer(plain).preprocess(["a b", "c"], prompt="q, ")
    assert ids_of(features, ["", ""]) == [plain.encode(t, add_special_tokens=False).ids for t in ("q, a b", "q, c")]


def test_words_are_forgotten_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(word_tokenizer, "MOST", 3)
    own = WordTokenizer(bert())
    own.preprocess(["a b c d e"])
    assert len(own) == 5
    assert ids_of(own.preprocess(["a f"]), ["a f"]) == [[1, 6]]
    assert len(own) == 2


@pytest.mark.parametrize(
    ("normalizer", "splitter", "what"),
    [
        (None, pre_tokenizers.Metaspace(), "pre-tokenizer Metaspace"),
        (None, pre_tokenizers.ByteLevel(), "pre-tokenizer ByteLevel"),
        (normalizers.Replace(" ", "_"), None, "normalizer Replace"),
    ],
)
def test_a_tokenizer_that_looks_across_words_is_refused(normalizer, splitter, what):
    with pytest.raises(WorkbookError, match=what):
        WordTokenizer(tokenizer(normalizer, splitter))


def test_tokens_with_a_space_and_truncation_are_refused():
    spaced = tokenizer()
    spaced.add_special_tokens(["new york"])
    with pytest.raises(WorkbookError, match="look across words"):
        WordTokenizer(spaced)
    cut = tokenizer()
    cut.enable_truncation(8)
    with pytest.raises(WorkbookError, match="cuts texts"):
        WordTokenizer(cut)


def test_a_difference_from_the_tokenizer_stops_the_work(monkeypatch):
    plain = tokenizer(splitter=pre_tokenizers.Whitespace())
    monkeypatch.setattr(word_tokenizer, "_check_splits_at_spaces", lambda tokenizer: None)
    own = WordTokenizer(plain)
    own.preprocess(["a b"])
    own._ids[:] = 2
    with pytest.raises(WorkbookError, match="words_once"):
        own.preprocess(["a b"])


def test_a_transformer_is_refused():
    with pytest.raises(WorkbookError, match="transformer"):
        word_tokenizer.install(encoders.load("tiny-transformer").model)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_words_tokenized_once_have_the_ids_of_the_library(texts):
    plain = bert()
    expected = [plain.encode(text, add_special_tokens=False).ids for text in texts]
    assert ids_of(WordTokenizer(plain).preprocess(texts), texts) == expected


@pytest.fixture(scope="module")
def of_a_model():
    return encoders.load("tiny-static").model[0].tokenizer


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_the_tokenizer_of_a_model_is_followed_too(of_a_model, texts):
    expected = [of_a_model.encode(text, add_special_tokens=False).ids for text in texts]
    assert ids_of(WordTokenizer(of_a_model).preprocess(texts), texts) == expected
