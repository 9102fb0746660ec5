"""What training starts from: a static model with a corpus's own words, weights by its own frequencies, more width, or
turned to where a transformer puts the documents.

Each function takes a static SentenceTransformer and returns another; it does not change the one it takes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from workbook.embedding import routes
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

WORD = r"[^\W\d_]\w+"
MIN_DOCUMENTS = 3  # a word in fewer is too rare to learn a vector for
SIF = 1e-4  # model2vec's
MOST_ALIGNED = 8_000  # texts: a system of as many equations is solved in ten seconds


def check(model: SentenceTransformer) -> None:
    """Raise WorkbookError for a model that is more than a table; a Normalize, which no cosine sees, may follow it."""
    if more := routes.more_than_a_table(model):
        raise WorkbookError(f"only a static model can be trained here; this one {more}")


def copy(model: SentenceTransformer) -> SentenceTransformer:
    """Copy a model, in float32."""
    return _static(*_parts(model))


def with_words(
    model: SentenceTransformer, transformer: SentenceTransformer, texts: Sequence[str]
) -> SentenceTransformer:
    """Distil a static model again, with a token of its own for each word that MIN_DOCUMENTS texts have.

    It follows model2vec: the transformer encodes each token alone, PCA reduces the vectors to the model's dimensions,
    and Zipf's law weights them, the added words as the rarest. (model2vec's own `vocabulary` takes ten times as long.)
    Raises WorkbookError for a tokenizer other than WordPiece or WordLevel, where a new word would not be found, and
    for a transformer with other tokens, or one that does more than pool.
    """
    from model2vec.distill.inference import apply_pca, compute_weights, create_embeddings
    from tokenizers import Tokenizer

    tokenizer, rows = _parts(model)
    _check_only_pools(transformer)
    content, known = json.loads(tokenizer.to_str()), transformer.tokenizer.get_vocab()
    vocabulary = content["model"].get("vocab", {})
    if content["model"]["type"] not in ("WordPiece", "WordLevel") or not set(vocabulary) <= set(known):
        raise WorkbookError("words can be added to a model distilled from the given transformer, with WordPiece tokens")
    words = [word for word in _frequent(texts) if len(transformer.tokenizer.tokenize(word)) > 1]
    tokens = sorted(vocabulary, key=vocabulary.get)
    opening, closing = transformer.tokenizer("")["input_ids"]
    ids = [[opening, known[token], closing] for token in tokens]
    ids += transformer.tokenizer(words)["input_ids"] if words else []
    encoded = create_embeddings(
        transformer[0].auto_model, ids, device="cpu", pad_token_id=transformer.tokenizer.pad_token_id
    )
    if rows.shape[1] > encoded.shape[1]:
        raise WorkbookError(f"a transformer of {encoded.shape[1]} dimensions cannot give the start its {rows.shape[1]}")
    reduced = apply_pca(encoded, rows.shape[1])
    vocabulary.update({word: len(tokens) + number for number, word in enumerate(words)})
    return _static(Tokenizer.from_str(json.dumps(content)), reduced * compute_weights(len(ids), SIF)[:, None])


def _frequent(texts: Sequence[str]) -> list[str]:
    """The words that MIN_DOCUMENTS texts or more have, in the order of the alphabet."""
    counts = Counter(word for text in texts for word in set(re.findall(WORD, text.lower())))
    return sorted(word for word, times in counts.items() if times >= MIN_DOCUMENTS)


def _check_only_pools(transformer: SentenceTransformer) -> None:
    first, *after = routes.modules(transformer, "document")
    more = {type(module).__name__ for module in after} - {"Pooling", "Normalize"}
    if type(first).__name__ != "Transformer" or more or routes.asymmetric(transformer):
        raise WorkbookError(
            "words are encoded by a transformer that only pools, and this one does more; set words: false"
        )


def weighted(model: SentenceTransformer, texts: Sequence[str]) -> SentenceTransformer:
    """Scale each token's row to SIF / (SIF + p), p its share of the texts' tokens (smooth inverse frequency).

    Source: Arora, Liang and Ma, A simple but tough-to-beat baseline for sentence embeddings, ICLR 2017. model2vec
    estimates p from the token's place in the vocabulary; here it is counted.
    """
    tokenizer, rows = _parts(model)
    counts = np.ones(len(rows))  # one more than seen: what the corpus lacks is rare, not absent
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        np.add.at(counts, encoding.ids, 1)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directions = rows / np.where(lengths > 0, lengths, 1)
    weights = SIF / (SIF + counts / counts.sum())
    return _static(tokenizer, directions * (weights * lengths.mean() / weights.mean())[:, None])


def widened(model: SentenceTransformer, dimensions: int, seed: int) -> SentenceTransformer:
    """Add random dimensions, in which two texts are alike only by the tokens they share, as in BM25.

    The random part of a row is as long as the row was. Raises WorkbookError if the model is that wide already.
    """
    tokenizer, rows = _parts(model)
    extra = dimensions - rows.shape[1]
    if extra < 1:
        raise WorkbookError(f"the model has {rows.shape[1]} dimensions already: it cannot be widened to {dimensions}")
    random = np.random.default_rng(seed).standard_normal((len(rows), extra)) / np.sqrt(extra)
    return _static(tokenizer, np.hstack([rows, random * np.linalg.norm(rows, axis=1, keepdims=True)]))


def aligned(
    model: SentenceTransformer, texts: Sequence[str], targets: np.ndarray, ridge: float, seed: int
) -> SentenceTransformer:  # fmt: skip
    """Change the table so that the mean of a text's rows comes to lie near its vector by another model.

    `targets` are those vectors, float32 (texts, d), of length 1. First one linear map of all rows (least squares), then
    each row by what the texts that have its token still lack (ridge regression in its dual form, of MOST_ALIGNED texts
    at most, drawn by seed). The smaller `ridge`, the closer it follows these texts; 0 leaves that second part out.
    """
    tokenizer, rows = _parts(model)
    if len(texts) > MOST_ALIGNED:
        drawn = np.sort(np.random.default_rng(seed).choice(len(texts), MOST_ALIGNED, replace=False))
        texts, targets = [texts[number] for number in drawn], targets[drawn]
    means = _means(tokenizer, texts, len(rows))
    mapped, *_ = np.linalg.lstsq(normalize(means @ rows), targets)
    mapped = rows @ mapped
    if not ridge:
        return _static(tokenizer, mapped)
    found = means @ mapped
    mapped *= (found * targets).sum() / (found * found).sum()
    products = (means @ means.T).toarray()
    products[np.diag_indices(len(texts))] += ridge
    lacking = np.linalg.solve(products, targets - means @ mapped)
    return _static(tokenizer, mapped + means.T @ lacking)


def _means(tokenizer: Tokenizer, texts: Sequence[str], tokens: int) -> csr_matrix:
    """How often each text has each token, over the root of its length, since some are long: (texts, tokens)."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    lengths = np.array([*map(len, ids)])
    each = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths)
    ends = np.cumsum([0, *lengths])
    found = csr_matrix((each, np.concatenate(ids).astype(int), ends), shape=(len(texts), tokens))
    found.sum_duplicates()  # a product of rows with duplicates takes forty times as long
    return found


def _parts(model: SentenceTransformer) -> tuple:
    """Tokenizer and float32 table (tokens, d) of a static model; WorkbookError for any other."""
    check(model)
    return model[0].tokenizer, model[0].embedding.weight.detach().float().numpy()


def _static(tokenizer, rows: np.ndarray) -> SentenceTransformer:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    own = Tokenizer.from_str(tokenizer.to_str())
    own.no_truncation()
    weights = torch.from_numpy(np.array(rows, dtype=np.float32))  # a copy: training changes it
    return SentenceTransformer(modules=[StaticEmbedding(own, embedding_weights=weights)], device="cpu")
