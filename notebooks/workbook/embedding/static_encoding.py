"""A static model without the library around it: the same vectors, sooner, of a text alone and of many texts.

A static model spends its time on tokenization, and most words of a text stood in texts before. So each distinct word is
tokenized once. Words that are new are joined by a token that no text has, and tokenized together: a call for each
would cost more than the words do. For a text alone, such as a query, the library's own checks are most of the time.
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
    from torch.nn import Module

ALONE = "a static model's text alone is encoded without the library"  # in the keys of times that hang on it
BATCH = 4_096  # texts of which words are looked up at once: the fastest tried
MOST = 1_000_000  # words remembered, some 200 MB; then all are forgotten
GROUPS = 64  # texts that new words are joined into, so that all cores tokenize
SEPARATORS = [chr(number) for number in range(0xE000, 0xE010)]  # of Unicode's private use: the first that is free


def alone(modules: Sequence[Module], text: str) -> np.ndarray:
    """The vector of one text, given a model's modules, of which the first is a table: float32 (1, d)."""
    table, *after = modules
    ids = np.array(table.tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
    rows = table.embedding.weight.detach()
    if after or not len(ids) or rows.dtype.itemsize != 4:
        return _vectors(modules, ids, np.zeros(1, dtype=np.int64))
    return rows.numpy()[ids].mean(axis=0, keepdims=True)  # in a third of the time that torch takes for so little


def refusal(model: SentenceTransformer) -> str:
    """Why a model's documents cannot be tokenized word by word, in words; "" if they can."""
    if routes.kind(model, "document") != "static":
        return "it is a transformer"
    parts = json.loads(routes.modules(model, "document")[0].tokenizer.to_str())
    if parts["truncation"]:
        return "its tokenizer cuts texts"
    normalizer, splitter = ((parts[name] or {}).get("type") for name in ("normalizer", "pre_tokenizer"))
    spaced = [token["content"] for token in parts["added_tokens"] if " " in token["content"]]
    # BERT's tokenizes each piece between spaces alone
    if normalizer not in ("BertNormalizer", "Lowercase", None) or splitter != "BertPreTokenizer" or spaced:
        return f"a tokenizer with normalizer {normalizer} and pre-tokenizer {splitter} may look across words"
    return "" if _free_token(parts) else "its tokenizer has no token free to stand between words"


class WordEncoder:
    """Encodes documents as a static model does, and remembers the tokens of each word.

    Raises WorkbookError for a model that `refusal` has a reason against.
    """

    def __init__(self, model: SentenceTransformer, prompt: str = ""):
        if told := refusal(model):
            raise WorkbookError(f"documents cannot be tokenized word by word: {told}")
        self._modules = routes.modules(model, "document")
        self._words, self._prompt = Words(self._modules[0].tokenizer), prompt

    def __len__(self) -> int:
        """Number of words known."""
        return len(self._words)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, not normalised, equal to the library's to float32's rounding: float32 (n, d)."""
        width = self._modules[0].get_embedding_dimension()
        parts = [
            _vectors(self._modules, *self._words.ids([self._prompt + text for text in texts[start : start + BATCH]]))
            for start in range(0, len(texts), BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, width), dtype=np.float32)


class Words:
    """The token ids of each word known, one word after the other in one array."""

    def __init__(self, tokenizer: Tokenizer):
        from tokenizers import AddedToken

        self._plain = tokenizer
        self._joining = type(tokenizer).from_str(tokenizer.to_str())  # the model's own stays as it is
        self._joining.no_padding()
        self._separator = _free_token(json.loads(tokenizer.to_str()))
        self._joining.add_special_tokens([AddedToken(self._separator, normalized=False, special=True)])
        self._forget()

    def _forget(self) -> None:
        self._number: dict[str, int] = {}
        self._ids = np.empty(1024, dtype=np.int64)
        self._first = np.zeros(1024, dtype=np.int64)  # of each word in _ids, and the end of the last

    def __len__(self) -> int:
        return len(self._number)

    def ids(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of all texts in one row, and where each text starts, int64.

        They are compared with the tokenizer's own of the first text. Raises WorkbookError for a difference.
        """
        words, places, first_words = _split(texts)
        numbers = self._numbers(words)[places]
        first = self._first[numbers]
        counts = self._first[numbers + 1] - first
        ends = np.cumsum(counts)
        # the n-th token of a word stands n places after the word's first
        ids = self._ids[np.arange(ends[-1]) + np.repeat(first - (ends - counts), counts)]
        starts = np.concatenate([[0], ends])[first_words]
        if ids[: starts[1]].tolist() != self._plain.encode(texts[0], add_special_tokens=False).ids:
            raise WorkbookError("this tokenizer does not tokenize word by word; set words_once to False")
        return ids, starts[:-1]

    def _numbers(self, words: Sequence[str]) -> np.ndarray:
        """The number of each of some distinct words; words not known yet are tokenized and get one."""
        if len(self) > MOST:
            self._forget()
        numbers = np.fromiter(map(self._number.get, words, repeat(-1)), dtype=np.int64, count=len(words))
        places = np.flatnonzero(numbers < 0)
        if len(places):
            new = [words[place] for place in places.tolist()]
            self._learn([word for word in new if self._separator not in word], self._together)
            self._learn([word for word in new if self._separator in word], self._one_by_one)
            numbers[places] = [self._number[word] for word in new]
        return numbers

    def _learn(self, words: Sequence[str], tokenize: object) -> None:
        if not words:
            return
        ids, counts = tokenize(words)
        known, used = len(self), self._first[len(self)]
        self._ids = _with_room(self._ids, used + len(ids))
        self._first = _with_room(self._first, known + len(words) + 1)
        self._ids[used : used + len(ids)] = ids
        self._first[known + 1 : known + len(words) + 1] = used + np.cumsum(counts)
        self._number.update(zip(words, range(known, known + len(words)), strict=True))

    def _together(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of words in one row, and how many each has; the words are joined and tokenized in a few texts."""
        size = -(-len(words) // GROUPS)
        texts = [self._separator.join([*words[place : place + size], ""]) for place in range(0, len(words), size)]
        encoded = self._joining.encode_batch_fast(texts, add_special_tokens=False)
        ids = np.fromiter(chain.from_iterable(each.ids for each in encoded), dtype=np.int64)
        between = ids == self._joining.token_to_id(self._separator)
        return ids[~between], np.diff(np.flatnonzero(between), prepend=-1) - 1

    def _one_by_one(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        ids = [each.ids for each in self._plain.encode_batch(list(words), add_special_tokens=False)]
        counts = np.array([len(own) for own in ids])
        return np.fromiter(chain.from_iterable(ids), dtype=np.int64), counts


def _split(texts: Sequence[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The distinct words between spaces, the place among them of each word of all texts, and where each text's start.

    Arrow does in a third of the time what a dict and a loop would.
    """
    import pyarrow
    from pyarrow import compute

    split = compute.split_pattern(pyarrow.array(texts, pyarrow.large_string()), " ")
    coded = split.values.dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy(), split.offsets.to_numpy()


def _vectors(modules: Sequence[Module], ids: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """What a model's modules make of the token ids of texts, all in one row: float32 (n, d)."""
    import torch

    features = {"input_ids": torch.from_numpy(ids), "offsets": torch.from_numpy(starts)}
    with torch.inference_mode():
        for module in modules:
            features = module(features)
    return features["sentence_embedding"].float().numpy()


def _with_room(array: np.ndarray, size: int) -> np.ndarray:
    """The array, or one twice as long as often as it takes: to lengthen it for each batch would copy it each time."""
    while len(array) < size:
        array = np.concatenate([array, np.empty_like(array)])
    return array


def _free_token(parts: dict) -> str:
    """The first of SEPARATORS that is in no token of a tokenizer, given its JSON; "" if none is."""
    vocabulary = parts["model"]["vocab"]  # a dict, or of Unigram pairs of token and score
    tokens = vocabulary if isinstance(vocabulary, dict) else [token for token, _ in vocabulary]
    whole = "".join([*tokens, *(token["content"] for token in parts["added_tokens"])])
    return next((each for each in SEPARATORS if each not in whole), "")
