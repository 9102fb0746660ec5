"""Tokenize each distinct word once: a static model spends most of its time on words that it has tokenized before.

Token ids, and so vectors, are those of the tokenizer itself: the first text of every batch is compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np

from workbook.embedding import routes
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from torch import Tensor

MOST = 1_000_000  # words remembered, some hundred MB; then all are forgotten


def install(model: SentenceTransformer) -> WordTokenizer:
    """Make a static model tokenize each distinct word once.

    Raises WorkbookError for a tokenizer whose tokens of a word depend on its neighbours, and for a model that does not
    read all texts by one table.
    """
    module, *others = dict.fromkeys(routes.modules(model, role)[0] for role in routes.ROLES)
    if type(module).__name__ != "StaticEmbedding" or others:
        told = "reads queries by a route of their own" if others else "is a transformer"
        raise WorkbookError(f"only a static model can tokenize word by word; this one {told}; set words_once to False")
    words = WordTokenizer(module.tokenizer)
    module.preprocess = words.preprocess
    return words


class WordTokenizer:
    """Does what `StaticEmbedding.preprocess` does. One array holds the ids of all known words."""

    def __init__(self, tokenizer: Tokenizer):
        _check_splits_at_spaces(tokenizer)
        self._tokenizer = tokenizer
        self._forget()

    def _forget(self) -> None:
        self._number: dict[str, int] = {}
        self._ids = np.empty(0, dtype=np.int64)
        self._first = np.zeros(1, dtype=np.int64)  # of each word in _ids, and the end of the last

    def __len__(self) -> int:
        """Number of words known."""
        return len(self._number)

    def preprocess(self, texts: Sequence[str], prompt: str | None = None, **_: object) -> dict[str, Tensor]:
        """Token ids of all texts in one row, and where each text starts: `input_ids` and `offsets`, int64."""
        import torch

        texts = [f"{prompt or ''}{text}" for text in texts]
        split = [text.split(" ") for text in texts]
        words = list(chain.from_iterable(split))
        numbers = self._numbers(words)
        first = self._first[numbers]
        counts = self._first[numbers + 1] - first
        ends = np.cumsum(counts)
        # the n-th token of a word stands n places after the word's first
        ids = self._ids[np.arange(ends[-1]) + np.repeat(first - (ends - counts), counts)]
        words_before = np.cumsum([0, *map(len, split)])
        offsets = np.concatenate([[0], ends])[words_before]
        if ids[: offsets[1]].tolist() != self._tokenizer.encode(texts[0], add_special_tokens=False).ids:
            raise WorkbookError("this tokenizer does not tokenize word by word; set words_once to False")
        return {"input_ids": torch.from_numpy(ids), "offsets": torch.from_numpy(offsets[:-1])}

    def _numbers(self, words: Sequence[str]) -> np.ndarray:
        """The number of each word; words not known yet are tokenized and get one."""
        if len(self) > MOST:
            self._forget()
        numbers = np.fromiter(map(self._number.get, words, repeat(-1)), dtype=np.int64, count=len(words))
        places = np.flatnonzero(numbers < 0)
        if len(places):
            new = list(dict.fromkeys(words[place] for place in places))
            ids = [encoding.ids for encoding in self._tokenizer.encode_batch(new, add_special_tokens=False)]
            self._number.update(zip(new, range(len(self), len(self) + len(new)), strict=True))
            self._ids = np.concatenate([self._ids, *(np.array(own, dtype=np.int64) for own in ids)])
            self._first = np.concatenate([self._first, self._first[-1] + np.cumsum([len(own) for own in ids])])
            numbers[places] = [self._number[words[place]] for place in places]
        return numbers


def _check_splits_at_spaces(tokenizer: Tokenizer) -> None:
    """Raise WorkbookError for a tokenizer that does not, as BERT's does, tokenize each piece between spaces alone."""
    parts = json.loads(tokenizer.to_str())
    normalizer, splitter = ((parts[name] or {}).get("type") for name in ("normalizer", "pre_tokenizer"))
    spaced = [token["content"] for token in parts["added_tokens"] if " " in token["content"]]
    if normalizer not in ("BertNormalizer", "Lowercase", None) or splitter != "BertPreTokenizer" or spaced:
        raise WorkbookError(
            f"a tokenizer with normalizer {normalizer} and pre-tokenizer {splitter} may look across words; "
            f"set words_once to False"
        )
    if parts["truncation"]:
        raise WorkbookError("a tokenizer that cuts texts cannot work word by word; set words_once to False")
