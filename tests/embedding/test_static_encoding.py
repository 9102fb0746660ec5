"""Without the library come the library's vectors; what cannot go word by word is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from workbook.corpora import corpora
from workbook.embedding import encoders, static_encoding
from workbook.embedding.static_encoding import WordEncoder, Words
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
    "the first \ue000 and\ue001 second\ue000\ue000separator",
    "\ue000",
    "nul\x00and\x07bell \x00 alone",
    "word " * 3_000,
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


def ids_of(found, texts):
    ids, starts = found
    ends = [*starts[1:], len(ids)]
    return [ids[start:end].tolist() for start, end in zip(starts, ends, strict=True)]


def own_ids(plain, texts):
    return [plain.encode(text, add_special_tokens=False).ids for text in texts]


@pytest.mark.parametrize("order", [1, -1])
def test_ids_are_the_tokenizers_own(order):
    texts = (ODD + corpora.load("sample").document_texts)[::order]
    plain = bert()
    words, expected = Words(plain), own_ids(plain, texts)
    assert ids_of(words.ids(texts), texts) == expected
    known = len(words)
    assert ids_of(words.ids(texts), texts) == expected, "known words"
    assert len(words) == known
    assert own_ids(plain, texts) == expected, "the model's own tokenizer has no token more"


def test_random_text_of_random_letters():
    random = np.random.default_rng(0)
    letters = list("ab c,é\u0301\t漢 İ\ue000")
    texts = ["".join(random.choice(letters, size)) for size in random.integers(0, 40, 300)]
    plain = bert()
    assert ids_of(Words(plain).ids(texts), texts) == own_ids(plain, texts)


def test_arrays_grow_as_words_come():
    plain, words = bert(), None
    words = Words(plain)
    texts = [f"{one}{other}{third}" for one in "abcdefghijklm" for other in "abcdefghijklm" for third in "abcdefghij"]
    assert len(words._first) < len(texts) and len(words._ids) < 3 * len(texts)
    for start in range(0, len(texts), 500):
        some = texts[start : start + 500]
        assert ids_of(words.ids(some), some) == own_ids(plain, some)
    assert ids_of(words.ids(texts), texts) == own_ids(plain, texts)
    assert len(words) == len(texts)


@pytest.fixture(scope="module")
def of_a_model():
    return encoders.load("tiny-static")


@pytest.mark.parametrize("batch", [3, 4_096])
def test_many_texts_have_the_vectors_of_sentence_transformers(of_a_model, monkeypatch, batch):
    monkeypatch.setattr(static_encoding, "BATCH", batch)
    texts = corpora.load("sample").document_texts + ODD
    expected = of_a_model.model.encode_document(texts)
    own = WordEncoder(of_a_model.model)
    for _ in ("cold", "warm"):
        np.testing.assert_allclose(own.encode(texts), expected, rtol=1e-6, atol=1e-7)
    assert 0 < len(own) == len(set(" ".join(texts).split(" ")))
    assert own.encode([]).shape == (0, 64)


@pytest.mark.parametrize("role", ["query", "document"])
def test_a_text_alone_has_the_vector_of_sentence_transformers(of_a_model, role):
    for text in [*ODD, *corpora.load("sample").document_texts[:20]]:
        found = of_a_model.encode([text], role)
        assert found.shape == (1, 64) and found.dtype == np.float32
        np.testing.assert_allclose(found[0], of_a_model.model.encode(text), rtol=1e-6, atol=1e-7)


def test_a_text_alone_does_not_go_through_the_library(of_a_model, monkeypatch):
    monkeypatch.setattr(type(of_a_model.model), "encode", None)
    assert of_a_model.encode(["river bank"], "query").any()


def test_modules_after_the_table_are_followed(of_a_model):
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    torch.manual_seed(0)
    longer = SentenceTransformer(modules=[of_a_model.model[0], Dense(64, 16), Normalize()], device="cpu")
    texts = ["river bank", "", "the bank lends money"]
    expected = longer.encode(texts)
    np.testing.assert_allclose(WordEncoder(longer).encode(texts), expected, rtol=1e-5, atol=1e-6)
    for text, vector in zip(texts, expected, strict=True):
        np.testing.assert_allclose(
            static_encoding.alone(list(longer.children()), text)[0], vector, rtol=1e-5, atol=1e-6
        )


def test_a_table_of_bfloat16_is_followed():
    own = encoders.load("tiny-static").model.bfloat16()
    expected = own.encode("river bank", convert_to_tensor=True).float().numpy()
    np.testing.assert_array_equal(static_encoding.alone([own[0]], "river bank")[0], expected)


def test_a_prompt_stands_before_each_text(of_a_model):
    model = of_a_model.model
    found = WordEncoder(model, prompt="query, ").encode(["river bank", ""])
    np.testing.assert_allclose(found, model.encode(["query, river bank", "query, "]), rtol=1e-6)


def test_words_are_forgotten_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(static_encoding, "MOST", 3)
    own = Words(bert())
    own.ids(["a b c d e"])
    assert len(own) == 5
    assert ids_of(own.ids(["a f"]), ["a f"]) == [[1, 6]]
    assert len(own) == 2


def static(made):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return SentenceTransformer(modules=[StaticEmbedding(made, embedding_dim=4)], device="cpu")


def spaced():
    made = tokenizer()
    made.add_special_tokens(["new york"])
    return made


def cut():
    made = tokenizer()
    made.enable_truncation(8)
    return made


def full():
    made = tokenizer()
    made.add_special_tokens([f"a{each}" for each in static_encoding.SEPARATORS])
    return made


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (lambda: tokenizer(None, pre_tokenizers.Metaspace()), "pre-tokenizer Metaspace may look across words"),
        (lambda: tokenizer(None, pre_tokenizers.ByteLevel()), "pre-tokenizer ByteLevel may look across words"),
        (lambda: tokenizer(normalizers.Replace(" ", "_")), "normalizer Replace and .* may look across words"),
        (spaced, "may look across words"),
        (cut, "its tokenizer cuts texts"),
        (full, "no token free to stand between words"),
    ],
)
def test_a_tokenizer_that_cannot_go_word_by_word_is_refused(made, what):
    model = static(made())
    with pytest.raises(WorkbookError, match=f"documents cannot be tokenized word by word: .*{what}"):
        WordEncoder(model)


def test_a_transformer_is_refused():
    with pytest.raises(WorkbookError, match="it is a transformer"):
        WordEncoder(encoders.load("tiny-transformer").model)


def test_the_next_free_token_is_taken():
    made = bert()
    made.add_special_tokens(static_encoding.SEPARATORS[:2])
    texts = [*ODD, "a\ue000 b\ue001c \ue002d"]
    words = Words(made)
    assert ids_of(words.ids(texts), texts) == own_ids(made, texts)
    assert words._separator == static_encoding.SEPARATORS[2]


def test_a_unigram_vocabulary_is_read_too():
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), (static_encoding.SEPARATORS[0], -2.0)], unk_id=0))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    assert Words(made)._separator == static_encoding.SEPARATORS[1]


def test_a_difference_from_the_tokenizer_stops_the_work():
    own = Words(bert())
    own.ids(["a b"])
    own._ids[:] = 2
    with pytest.raises(WorkbookError, match="words_once"):
        own.ids(["a b"])


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=5))
def test_words_tokenized_once_have_the_ids_of_the_library(texts):
    plain = bert()
    assert ids_of(Words(plain).ids(texts), texts) == own_ids(plain, texts)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=5))
def test_the_tokenizer_of_a_model_is_followed_too(of_a_model, texts):
    plain = of_a_model.tokenizer()
    assert ids_of(Words(plain).ids(texts), texts) == own_ids(plain, texts)
