"""What training starts from: words added, rows weighted and dimensions added to a static model, checked by hand."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, StaticEmbedding
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from workbook import paths
from workbook.corpora import corpora
from workbook.embedding import encoders, recipes
from workbook.errors import WorkbookError
from workbook.training import start_models

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "bank", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
TEXTS = ["the wombat", "a Wombat, at the bank", "wombat wombat", "the quokka", "quokka quokka quokka"]


def static(tokenizer, dimensions=8, seed=0):
    rows = np.random.default_rng(seed).standard_normal((tokenizer.get_vocab_size(), dimensions)).astype(np.float32)
    own = Tokenizer.from_str(tokenizer.to_str())
    return SentenceTransformer(modules=[StaticEmbedding(own, embedding_weights=rows)], device="cpu")


def table(model):
    return model[0].embedding.weight.detach().numpy().copy()


def tokens(model, text):
    return model[0].tokenizer.encode(text, add_special_tokens=False).tokens


def tokenizer_of(model):
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


@pytest.fixture(scope="module")
def pieces():
    """A WordPiece tokenizer that knows two words and spells all others."""
    vocabulary = {token: number for number, token in enumerate(PIECES)}
    tokenizer = tokenizer_of(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


@pytest.fixture(scope="module")
def transformer(pieces):
    """A BERT of 16 dimensions with random weights that reads those pieces."""
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    bert = BertModel(BertConfig(vocab_size=len(PIECES), pad_token_id=0, **shape))
    return recipes._mean_pooled(bert, PreTrainedTokenizerFast(tokenizer_object=pieces, **names), max_tokens=32)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """tiny-static and tiny-transformer, opened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        return [encoders.load(name).model for name in ("tiny-static", "tiny-transformer")]


def test_a_copy_is_a_model_of_its_own_and_can_be_trained(tiny):
    before = table(tiny[0])
    copied = start_models.copy(tiny[0])
    np.testing.assert_array_equal(copied.encode(["river bank"]), tiny[0].encode(["river bank"]))
    copied[0].tokenizer.enable_truncation(max_length=2)
    assert tokens(tiny[0], "river bank gives") == ["river", "bank", "gives"]
    copied(copied.preprocess(["river bank"]))["sentence_embedding"].sum().backward()
    torch.optim.Adam(copied.parameters(), lr=0.1).step()
    assert not np.array_equal(table(copied), before)
    np.testing.assert_array_equal(table(tiny[0]), before)
    assert tiny[0][0].embedding.weight.grad is None


def test_a_copy_is_float32_and_reads_to_the_end(pieces):
    model = static(pieces)
    model[0].embedding.weight.data = model[0].embedding.weight.data.half()
    model[0].tokenizer.enable_truncation(max_length=2)
    copied = start_models.copy(model)
    assert copied[0].embedding.weight.dtype == torch.float32
    assert tokens(copied, "the bank the bank") == ["the", "bank", "the", "bank"]


def test_words_that_three_texts_have_become_tokens(pieces, transformer):
    model = static(pieces)
    before = table(model)
    grown = start_models.with_words(model, transformer, TEXTS)
    assert tokens(model, "wombat") == ["w", "##o", "##m", "##b", "##a", "##t"]
    assert tokens(grown, "The Wombat") == ["the", "wombat"]
    assert tokens(grown, "quokka") == tokens(model, "quokka"), "two texts are not enough, however often they say it"
    assert table(grown).shape == (len(PIECES) + 1, 8)
    np.testing.assert_array_equal(table(model), before)


def test_each_token_is_encoded_alone_rotated_and_weighted_by_its_place(pieces, transformer):
    grown = start_models.with_words(static(pieces, dimensions=16), transformer, TEXTS)
    share = 1 / np.arange(2, len(PIECES) + 3)
    share /= share.sum()
    rows = table(grown) / (1e-4 / (1e-4 + share))[:, None]
    words = ["the", "bank", "wombat"]
    own = rows[[grown[0].tokenizer.token_to_id(word) for word in words]]
    encoded = transformer.encode(words)
    for first, second in [(0, 1), (0, 2), (1, 2)]:  # all 16 dimensions are kept: PCA turns and moves, no more
        apart = np.linalg.norm(encoded[first] - encoded[second])
        assert np.linalg.norm(own[first] - own[second]) == pytest.approx(apart, rel=1e-3)
        assert apart > 0.1


@pytest.mark.parametrize("texts", [["the wombat", "a quokka"], ["1 2 3"] * 5, [""]], ids=["rare", "digits", "empty"])
def test_without_a_word_in_three_texts_none_is_added(pieces, transformer, texts):
    grown = start_models.with_words(static(pieces), transformer, texts)
    assert grown[0].tokenizer.get_vocab_size() == pieces.get_vocab_size()


def test_words_of_a_word_tokenizer_are_never_cut_so_none_is_added(tiny):
    grown = start_models.with_words(*tiny, corpora.load("sample").document_texts)
    assert grown[0].tokenizer.get_vocab() == tiny[0][0].tokenizer.get_vocab()
    assert table(grown).shape == table(tiny[0]).shape


@pytest.mark.parametrize(
    "model",
    [
        models.Unigram([("<unk>", 0.0), ("the", -1.0), ("bank", -2.0)], unk_id=0),
        models.BPE({"the": 0, "bank": 1}, []),
        models.WordPiece({"[UNK]": 0, "the": 1, "platypus": 2}, unk_token="[UNK]"),
    ],
    ids=["Unigram", "BPE", "other tokens"],
)
def test_a_tokenizer_that_would_not_find_the_words_is_refused(transformer, model):
    with pytest.raises(WorkbookError, match="distilled from the given transformer, with WordPiece tokens"):
        start_models.with_words(static(tokenizer_of(model)), transformer, TEXTS)


def test_words_come_of_a_transformer_that_is_wide_enough_and_only_pools(pieces, transformer):
    with pytest.raises(WorkbookError, match="a transformer of 16 dimensions cannot give the start its 17"):
        start_models.with_words(static(pieces, dimensions=17), transformer, TEXTS)
    plus = SentenceTransformer(modules=[*transformer, Dense(16, 8)], device="cpu")
    with pytest.raises(WorkbookError, match="a transformer that only pools, and this one does more"):
        start_models.with_words(static(pieces), plus, TEXTS)


def test_rows_are_weighted_by_what_the_corpus_says():
    vocabulary = {"[UNK]": 0, "the": 1, "bank": 2, "snow": 3}
    model = static(tokenizer_of(models.WordLevel(vocabulary, unk_token="[UNK]")))
    model[0].embedding.weight.data[0] = 0
    before = table(model)
    weighted = table(start_models.weighted(model, ["the bank", "the the", "bank the"]))

    share = np.array([1, 5, 3, 1]) / 10  # each seen once more than it is
    weights = 1e-4 / (1e-4 + share)
    lengths = np.linalg.norm(before, axis=1)
    expected = weights * lengths.mean() / weights.mean()
    np.testing.assert_allclose(np.linalg.norm(weighted, axis=1), expected * [0, 1, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(weighted[1:] / expected[1:, None], before[1:] / lengths[1:, None], rtol=1e-4)
    np.testing.assert_array_equal(table(model), before)


def test_dimensions_are_added_behind_those_that_were_there(tiny):
    before = table(tiny[0])
    wide = table(start_models.widened(tiny[0], 2048, seed=0))
    assert wide.shape == (len(before), 2048)
    np.testing.assert_array_equal(wide[:, :64], before)
    lengths = np.linalg.norm(before, axis=1)
    np.testing.assert_allclose(np.linalg.norm(wide[:, 64:], axis=1), lengths, rtol=0.1, atol=1e-6)
    unit = wide[lengths > 0, 64:] / lengths[lengths > 0, None]
    apart = unit[:200] @ unit[:200].T - np.diag(np.linalg.norm(unit[:200], axis=1) ** 2)
    assert np.abs(apart).max() < 0.15, "in the random dimensions two tokens have nothing in common"
    first, again, other = (table(start_models.widened(tiny[0], 80, seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[:, 64:], other[:, 64:])


@pytest.mark.parametrize("dimensions", [64, 32])
def test_a_model_that_is_wide_already_is_not_widened(tiny, dimensions):
    with pytest.raises(WorkbookError, match=f"has 64 dimensions already: it cannot be widened to {dimensions}"):
        start_models.widened(tiny[0], dimensions, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        start_models.copy,
        lambda model: start_models.with_words(model, model, TEXTS),
        lambda model: start_models.weighted(model, TEXTS),
        lambda model: start_models.widened(model, 128, 0),
    ],
    ids=["copy", "with_words", "weighted", "widened"],
)
def test_what_is_more_than_a_table_is_no_start(tiny, change):
    more = SentenceTransformer(modules=[tiny[0][0], Dense(64, 32)], device="cpu")
    for model, told in ((tiny[1], "is a transformer"), (more, "has Dense after its table")):
        with pytest.raises(WorkbookError, match=f"only a static model can be trained here; this one {told}"):
            change(model)
