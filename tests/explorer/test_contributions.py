"""A static score taken apart: by hand on a planted model, and against the cosine on a real one."""

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from workbook.corpora import corpora
from workbook.embedding import encoders, vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.explorer import contributions
from workbook.explorer.contributions import Part

HALF = 0.5**0.5


def planted(prompts=None, cut=None):
    """Words "a" and "b" at a right angle, "c" the opposite of "a"; the unknown word is zero."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2, "c": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    rows = np.array([[0, 0], [1, 0], [0, 1], [-1, 0]], dtype=np.float32)

    def make():
        return SentenceTransformer(modules=[StaticEmbedding(tokenizer, rows)], prompts=prompts, device="cpu")

    return Encoder("planted", None, "0", make, cut=cut)


def test_pairs_are_as_computed_by_hand():
    found = contributions.explain(planted(), "a b", "a", 2)
    assert (found.query_tokens, found.document_tokens) == (["a", "b"], ["a"])
    np.testing.assert_allclose(found.pairs, [[HALF], [0]], atol=1e-7)
    assert found.score == pytest.approx(HALF)


def test_what_is_truncated_counts_no_more():
    found = contributions.explain(planted(), "a b", "b a a", 1)
    np.testing.assert_allclose(found.pairs, [[0, 0.5, 0.5], [0, 0, 0]], atol=1e-7)
    assert found.score == pytest.approx(1)


def test_parts_of_one_pair_of_words_are_added_up_and_the_largest_come_first():
    found = contributions.explain(planted(), "a b", "a a c b", 2)
    assert found.largest(3) == [  # of sums (1, 1) and (1, 1), whose lengths multiply to 2
        Part("a", "a", 2, pytest.approx(1)),
        Part("a", "c", 1, pytest.approx(-0.5)),
        Part("b", "b", 1, pytest.approx(0.5)),
    ]
    assert sum(part.score for part in found.largest(9)) == pytest.approx(found.score)
    np.testing.assert_allclose(found.of_query.sum(), found.score)
    np.testing.assert_allclose(found.of_document, found.pairs[0] + found.pairs[1])


def test_prompts_and_the_limit_of_tokens_are_those_of_encoding():
    with_prompt = contributions.explain(planted(prompts={"query": "b ", "document": ""}), "a", "a", 2)
    assert with_prompt.query_tokens == ["b", "a"]
    assert with_prompt.score == pytest.approx(HALF)
    cut = contributions.explain(planted(cut=1), "a b", "a c c", 2)
    assert (cut.query_tokens, cut.document_tokens, cut.score) == (["a"], ["a"], pytest.approx(1))


@pytest.mark.parametrize("dimension", [64, 32, 16])
def test_pairs_sum_to_the_cosine_that_is_ranked_by(data, dimension):
    encoder, corpus = encoders.load("tiny-static"), corpora.load("sample")
    asked = vectors.truncate(encoder.encode(corpus.query_texts, "query"), dimension)
    stored = vectors.truncate(encoder.encode(corpus.document_texts), dimension)
    for number in (0, 7, 19):
        found = contributions.explain(encoder, corpus.query_texts[number], corpus.document_texts[number], dimension)
        assert found.pairs.shape == (len(found.query_tokens), len(found.document_tokens))
        assert found.pairs.sum() == pytest.approx(float(asked[number] @ stored[number]), abs=1e-5)


def test_a_model_that_is_more_than_a_mean_is_found_out(monkeypatch):
    encoder = planted()
    turned = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts, role: turned(texts, role) + np.float32([0.1, 0]))
    with pytest.raises(WorkbookError, match=r"planted: pairs of tokens sum to 0\.7.*are not means of its tokens"):
        contributions.explain(encoder, "a b", "a", 2)


def test_what_cannot_be_explained_is_refused(data):
    with pytest.raises(WorkbookError, match="tiny-transformer is no static model"):
        contributions.explain(encoders.load("tiny-transformer"), "a", "a", 64)
    with pytest.raises(WorkbookError, match="planted knows no word of the query"):
        contributions.explain(planted(), "x y", "a", 2)
    with pytest.raises(WorkbookError, match="planted knows no word of the document"):
        contributions.explain(planted(), "a", "x", 2)
    with pytest.raises(WorkbookError, match="cannot be truncated to 3"):
        contributions.explain(planted(), "a", "a", 3)
