"""Models made here instead of downloaded: a distilled static model, tiny ones for tests, a random one for timing.

Each recipe gives an ordinary SentenceTransformer. Libraries that take seconds to import are imported when one is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerFast

SEED = 0
TINY_DIMENSIONS = 64


def distil(teacher: SentenceTransformer, dimensions: int = 384) -> SentenceTransformer:
    """Distil a static model from a transformer with model2vec: each token is encoded alone, then PCA and SIF weights.

    PCA orders the dimensions by variance, so the result can be truncated like a Matryoshka model.
    The teacher's token table is rearranged in place: do not use it afterwards.
    """
    from model2vec.distill import distill_from_model
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    # float32, because Sentence Transformers keeps model2vec's float16, in which training later diverges
    static = distill_from_model(
        teacher[0].auto_model, teacher.tokenizer, device="cpu", pca_dims=dimensions, quantize_to="float32"
    )
    static.tokenizer.no_truncation()  # the teacher's limit, which a static model does not have
    return SentenceTransformer(
        modules=[StaticEmbedding(static.tokenizer, embedding_weights=static.embedding)], device="cpu"
    )


def wide(static: SentenceTransformer, dimensions: int = 1024) -> SentenceTransformer:
    """Give a static model the width of the article's by a random rotation: cosines, and so rankings, stay as they are.

    What takes time and space in 1,024 dimensions does so here; that it carries no more than before is the point: no
    quality is claimed from it.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    rows = static[0].embedding.weight.detach().numpy()
    random = np.random.default_rng(SEED).standard_normal((dimensions, rows.shape[1]))
    turned = (rows @ np.linalg.qr(random)[0].T).astype(np.float32)
    embedding = StaticEmbedding(static[0].tokenizer, embedding_weights=torch.from_numpy(turned))
    return SentenceTransformer(modules=[embedding], device="cpu")


def tiny_static(texts: Sequence[str]) -> SentenceTransformer:
    """Make a 64-dimensional static model by latent semantic analysis of the sample corpus, in well under a second."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer, vectors = _vocabulary(texts)
    embedding = StaticEmbedding(tokenizer, embedding_weights=torch.from_numpy(vectors))
    return SentenceTransformer(modules=[embedding], device="cpu")


def tiny_transformer(texts: Sequence[str]) -> SentenceTransformer:
    """Make a two-layer BERT with random attention over the same token vectors: it runs like a real one, in no time."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer, vectors = _vocabulary(texts)
    torch.manual_seed(SEED)
    bert = BertModel(
        BertConfig(
            vocab_size=len(tokenizer), hidden_size=TINY_DIMENSIONS, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=128, max_position_embeddings=512, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    bert.embeddings.word_embeddings.weight.data[:] = torch.from_numpy(vectors)
    return _mean_pooled(bert, tokenizer, max_tokens=256)


def mpnet_shape(tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    """Make a transformer of all-mpnet-base-v2's shape (110 million parameters) with random weights: for speed only."""
    import torch
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(SEED)
    return _mean_pooled(MPNetModel(MPNetConfig(vocab_size=30_527)), tokenizer, max_tokens=384)


def bert_base_shape(tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    """Make a transformer of bge-base-en-v1.5's shape, BERT base, with random weights: for speed and size only."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(SEED)
    return _mean_pooled(BertModel(BertConfig(vocab_size=30_522)), tokenizer, max_tokens=512)


def _vocabulary(texts: Sequence[str]) -> tuple[PreTrainedTokenizerFast, np.ndarray]:
    """Word tokenizer of texts and a float32 vector for each word, (words, 64)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    # as few components as there are documents at most; the rest of the 64 dimensions stay zero
    tfidf = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", sublinear_tf=True).fit(texts)
    svd = TruncatedSVD(min(TINY_DIMENSIONS, len(texts) - 1), random_state=SEED).fit(tfidf.transform(texts))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = special + list(tfidf.get_feature_names_out())
    vectors = np.zeros((len(words), TINY_DIMENSIONS), dtype=np.float32)
    vectors[len(special) :, : len(svd.singular_values_)] = svd.components_.T * tfidf.idf_[:, None]

    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names), vectors


def _mean_pooled(model, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> SentenceTransformer:
    import tempfile

    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    with tempfile.TemporaryDirectory() as folder:  # Sentence Transformers takes a transformer only from a folder
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        transformer = Transformer(folder, max_seq_length=max_tokens)
    pooling = Pooling(model.config.hidden_size, pooling_mode="mean")
    return SentenceTransformer(modules=[transformer, pooling], device="cpu")
