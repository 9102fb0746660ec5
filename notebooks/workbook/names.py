"""Names of corpora and models as they are shown, one for each content.

A corpus or model is called as its folder, and two folders may have the same name. The first keeps the plain name; any
other content of that name is shown with the first letters of its hash. Measurements are stored by the content.
"""

import re
from collections.abc import Collection


class Names:
    """Shown names and the content that each stands for in this process. `reserved`: names that are never given away."""

    def __init__(self, reserved: Collection[str] = ()):
        self._reserved = frozenset(reserved)
        self._contents: dict[str, str] = {}

    def shown(self, name: str, content: str, taken: bool = False) -> str:
        """The name to show for content, given its plain name; `taken`: the plain name is another's."""
        taken = taken or name in self._reserved or self._contents.setdefault(name, content) != content
        shown = f"{name} ({short(content)})" if taken else name
        self._contents[shown] = content
        return shown

    def content(self, shown: str) -> str:
        """What a shown name stands for; empty if nothing was shown by that name."""
        return self._contents.get(shown, "")


def short(content: str) -> str:
    """The first letters of a hash, with or without its kind: enough to tell two apart."""
    return content.rpartition(":")[2][:8]


def with_bm25(model: str, fusion: str) -> str:
    """The label of a search by a model and BM25."""
    return f"{model} + {BM25} ({fusion})"


def plain(label: str) -> str:
    """The label of a method in plain words: MiniLM, trained static + BM25."""
    for pattern, said in _PLAIN.items():
        label = re.sub(pattern, said, label)
    return label


def attention(method: str, transformers: Collection[str]) -> str:
    """Where a method needs attention, by its label, with BM25 beside it or not; `transformers` are labels of these."""
    model = method.partition(f" + {BM25} (")[0]
    return INDEXING if model in (ALIGNED, STATIC_QUERY) else ALWAYS if model in transformers else NOWHERE


BM25 = "BM25"
# Length in tokens, as the formula means it; BM25 alone has it in words, as Qdrant's documentation
BM25_TOKENS = "BM25 (length in tokens)"
BM25_BY_SHARD = "BM25 (IDF of each shard)"  # as a server's own modifier counts it
DISTILLED = "distilled"
TRAINED = "trained"  # the model with the settings that were chosen, which the others are compared with
# A table of queries for documents as the transformer encoded them, before and after it is trained
ALIGNED, STATIC_QUERY = "aligned query", "static query"
NOWHERE, INDEXING, ALWAYS = "nowhere", "when indexing", "always"  # where a method needs attention
# The notebooks that measure nothing: they read the rows of the others, the second those of several corpora
VERDICT, ACROSS = "08_should_you_pay_attention", "09_across_corpora"
_PLAIN = {  # of parts of labels
    r"\bstatic-distilled, whole, float32$": "its whole float32 vector",
    r"\ball-([A-Za-z]+)-[\w-]*v\d+\b": r"\1", rf"\b{TRAINED}\b": "trained static",
    r"\bstatic-distilled\b": "distilled static", rf" \+ {BM25} \(\w+\)": f" + {BM25}",
}  # fmt: skip
CORPORA = Names()
MODELS = Names(reserved=(BM25, BM25_TOKENS, BM25_BY_SHARD, TRAINED, DISTILLED, ALIGNED, STATIC_QUERY))
