"""Embedding models by name: `load("all-MiniLM-L6-v2").encode(texts)` gives float32 (n, d).

A name is a registered one, a hub id with its revision (`owner/name@revision`), or a folder that Sentence Transformers
saved. The model itself is loaded at the first text: vectors that were kept need no model.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbook import names, paths
from workbook.corpora import corpora
from workbook.embedding import model_cards, model_files, recipes, routes, static_encoding
from workbook.embedding.models import MODELS, Kind, Model, Role
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch", "model2vec")
WORDS_OF = "sample"  # the corpus whose words the tiny models know
_version = cache(importlib.metadata.version)  # which reads a file each time
BATCH = {"static": 256, "transformer": 16}  # texts at once: on abstracts as fast as 8, on short texts faster


class Encoder:
    """A model ready to encode. `identity` is all that decides its vectors: it goes into cache keys.

    `cut` ends texts at fewer tokens than the model itself does, `dtype` is the number format that `open_model` gives.
    `stored` tells that of the model's files once it is open. `documents`, where another model encodes them, has theirs.
    """

    def __init__(
        self, name: str, facts: Model | None, revision: str, open_model: Callable[[], SentenceTransformer],
        folder: Path | None = None, cut: int | None = None, dtype: str = "float32",
        stored: Callable[[], str] = lambda: "float32", documents: Encoder | None = None,
    ):  # fmt: skip
        self.plain = name  # two folders may have it; `name` is no other model's in this process
        self.name = names.MODELS.shown(name, revision)
        self.revision = revision
        self.folder = folder  # where it was loaded from, if it was given as a folder or put into data/models by hand
        self.speed_only = facts is not None and facts.speed_only
        self.facts = facts
        self.cut, self.dtype, self.documents = cut, dtype, documents
        self._open_model, self._stored = open_model, stored

    @cached_property
    def model(self) -> SentenceTransformer:
        """The SentenceTransformer, loaded at first use."""
        model = model_files.quietly(self._open_model).eval()
        if not self.facts:
            routes.check(self.name, model)
        routes.cut(model, self.cut or (self.facts.max_tokens if self.facts else None))
        return model

    @property
    def kind(self) -> Kind:
        """Static if a table reads both queries and documents."""
        if self.facts:
            return self.facts.kind
        return "static" if len(self.tables) == len(routes.ROLES) else "transformer"

    @property
    def asymmetric(self) -> bool:
        """Whether the model may give a query another vector than a document of the same text and prompt."""
        return self.facts is None and routes.asymmetric(self.model)

    @cached_property
    def stored_dtype(self) -> str:
        """The number format of the model's files, whatever it is run in."""
        if self.facts and not self.folder:
            return "float32"
        self.model  # noqa: B018 (a hub's files are here once it is open)
        return self._stored()

    @cached_property
    def collection(self) -> str:
        """The collection whose vectors a table of queries was trained to find; empty for a model of documents too."""
        return model_cards.documents_by(self.folder).get("collection", "") if self.folder and not self.facts else ""

    @property
    def remarks(self) -> str:
        """What is unusual about the model, to be written after its kind; empty for most."""
        stored = "" if self.stored_dtype == "float32" else f", stored as {self.stored_dtype}"
        if self.facts and self.folder:
            stored += ", from files put there by hand, which may be another revision than the pinned one"
        if self.collection:
            return f"{stored}, of queries alone, for the vectors of {self.collection}"
        if self.documents:
            return f"{stored}, queries by a table of their own, documents by {self.documents.name}"
        return f"{stored}, queries by a route of their own" if self.asymmetric else stored

    @property
    def dimensions(self) -> int:
        return self.facts.dimensions if self.facts else self.model.get_embedding_dimension()

    @property
    def matryoshka(self) -> tuple[int, ...]:
        """Dimensions to measure, widest first: those it was trained for; if unknown, its own halved down to 32."""
        if self.facts and self.facts.matryoshka:
            return self.facts.matryoshka
        if trained := self.folder and model_files.trained_dimensions(self.folder):
            return (self.dimensions, *trained)
        return tuple(d for d in (self.dimensions // 2**k for k in range(8)) if d >= 32) or (self.dimensions,)

    @property
    def max_tokens(self) -> int | None:
        """Tokens after which a document is cut, special tokens included; None if it never is."""
        return self._limit("document")

    def _limit(self, role: Role) -> int | None:
        if self.facts:
            return self.cut or self.facts.max_tokens
        own = routes.limit(self.model, role)
        return min(self.cut, own or self.cut) if self.cut else own

    def prompt(self, role: Role) -> str:
        """What is put before a text of that role: the registered prompt, or that of the model's own settings."""
        if self.documents and role == "document":
            return self.documents.prompt(role)
        if self.facts:
            return self.facts.prompts.get(role, "")
        return self.model.prompts.get(role) or ""

    def identity(self, role: Role) -> dict[str, object]:
        if self.documents and role == "document":
            return self.documents.identity(role)
        versions = {library: _version(library) for library in LIBRARIES}
        identity = {
            "model": self.plain, "revision": self.revision, "prompt": self.prompt(role),
            "max_tokens": self._limit(role), "dtype": self.dtype, "libraries": versions,
        }  # fmt: skip
        stored = {} if self.stored_dtype == "float32" else {"stored_dtype": self.stored_dtype}
        return identity | stored | ({"route": role} if self.asymmetric else {})

    def encode(self, texts: Sequence[str], role: Role = "document", batch_size: int | None = None) -> np.ndarray:
        """Encode texts as the model gives them in that role, not normalised: float32 (n, d).

        Raises WorkbookError for a batch size below 1, or for a text that is not str.
        """
        batch_size = BATCH[self.kind] if batch_size is None else batch_size
        if batch_size < 1:
            raise WorkbookError(f"batch_size must be at least 1, not {batch_size}")
        if isinstance(texts, str):
            raise WorkbookError("give a list of texts, not one text: its letters would be encoded one by one")
        if strange := [place for place, text in enumerate(texts) if not isinstance(text, str)]:
            kind = type(texts[strange[0]]).__name__
            raise WorkbookError(f"texts[{strange[0]}] is of type {kind}: every text must be a str")
        if role == "document" and self.collection:
            raise WorkbookError(f"{self.name} is a table of queries, for documents of {self.collection}: it has none")
        if len(texts) == 1 and role in self.tables:
            return static_encoding.alone(self.tables[role], self.prompt(role) + texts[0])
        encode = self.model.encode_query if role == "query" else self.model.encode_document
        vectors = encode(list(texts), prompt=self.prompt(role), batch_size=batch_size, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self.dimensions)

    @cached_property
    def tables(self) -> dict[Role, list[Module]]:
        """The modules of each role that a table reads: there a text alone is encoded without the library."""
        return {r: routes.modules(self.model, r) for r in routes.ROLES if routes.kind(self.model, r) == "static"}

    def token_count(self, texts: Sequence[str], role: Role = "document") -> int:
        """Number of tokens that the model reads, after its own truncation."""
        return sum(len(ids) for ids in self.tokenize(texts, role))

    def tokenize(self, texts: Sequence[str], role: Role = "document") -> list[list[int]]:
        """Token ids of each text as the model reads them: special tokens are added, long texts cut."""
        tokenizer = self.tokenizer(role)
        if role in self.tables:
            return [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        return tokenizer(list(texts), truncation=True, max_length=self._limit(role))["input_ids"]

    def tokenizer(self, role: Role = "document") -> Tokenizer | PreTrainedTokenizerBase:
        """The tokenizer of texts of that role: of a static model the one of the library tokenizers."""
        return routes.modules(self.model, role)[0].tokenizer

    def knows(self, queries: Sequence[str]) -> np.ndarray:
        """Whether each query has a token that is neither unknown nor special: (n,)."""
        return np.array([not self._meaningless.issuperset(ids) for ids in self.tokenize(queries, "query")])

    @cached_property
    def _meaningless(self) -> set[int | None]:
        """Ids of the unknown and special tokens of queries."""
        tokenizer = self.tokenizer("query")
        if "query" not in self.tables:
            return set(tokenizer.all_special_ids)
        tokens = json.loads(tokenizer.to_str())["model"]
        return {tokens.get("unk_id"), tokenizer.token_to_id(tokens.get("unk_token") or "")}

    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())


def check(name: str) -> None:
    """Raise WorkbookError if `name` cannot be a model: not registered, no folder, no hub id with its revision."""
    hub = re.fullmatch(r"[\w.-]+/[\w.-]+@[\w.-]+", name)
    if name not in MODELS and not model_files.folder_named(name) and not hub:
        raise WorkbookError(
            f"unknown model {name!r}: give one of {', '.join(MODELS)}, a hub id (owner/name@revision), a folder saved "
            f"by Sentence Transformers or the name of one in data/models"
        )


def load(name: str) -> Encoder:
    """Prepare an encoder, without opening the model.

    Raises WorkbookError for an unknown name, files that are not the pinned ones, or a hub out of reach.
    """
    check(name)
    facts = MODELS.get(name)
    if facts and facts.recipe:
        return Encoder(name, facts, _recipe_revision(facts), lambda: _made(name, facts))
    if facts and (packaged := model_files.package_folder(facts.package)):
        return Encoder(name, facts, facts.revision, lambda: model_files.open_folder(str(packaged)))
    if folder := (model_files.put_by_hand if facts else model_files.folder_named)(name):
        model_files.check_folder(folder)
        documents = None if facts else _documents_of(folder)

        def open_model() -> SentenceTransformer:
            model = model_files.open_folder(str(folder), facts and facts.dimensions)
            return routes.joined(model, documents.model, documents.prompt("document")) if documents else model

        return Encoder(
            name if facts else folder.resolve().name, facts, f"sha256:{model_files.folder_sha256(folder)}", open_model,
            folder, stored=lambda: model_files.stored_dtype(folder), documents=documents,
        )  # fmt: skip
    if facts:
        return Encoder(name, facts, facts.revision, lambda: model_files.open_hub(facts.hub, facts.revision))
    hub, _, revision = name.partition("@")
    return Encoder(
        hub, None, revision, lambda: model_files.open_hub(hub, revision),
        stored=lambda: model_files.stored_dtype(model_files.hub_folder(hub, revision)),
    )  # fmt: skip


def _documents_of(folder: Path) -> Encoder | None:
    """The model whose document vectors a table of queries was trained to find; None for any other model.

    Raises WorkbookError if it is not there, or would give other vectors now.
    """
    trained_for = model_cards.documents_by(folder)
    found = load(trained_for["name"]) if "name" in trained_for else None
    now = found.identity("document") if found else {}
    if any(trained_for.get(name) != value for name, value in now.items() if name != "libraries"):
        raise WorkbookError(f"{folder.name} was trained for vectors that {found.name} no longer gives: train it again")
    return found


def folder_of(encoder: Encoder) -> Path:
    """Folder with the model as Sentence Transformers saves it. Raises WorkbookError for a variant, which has none."""
    if encoder.cut or encoder.dtype != "float32":
        raise WorkbookError(f"{encoder.name} is not as its folder has it: give what encoders.load gives")
    if encoder.stored_dtype != "float32" and not encoder.folder:  # of the hub; saved anew it would be float32
        return model_files.hub_folder(encoder.plain, encoder.revision)
    own = None if encoder.facts else encoder.folder  # a hub's has other formats and frameworks beside
    return own or _kept(encoder.plain, encoder.revision, lambda: encoder.model)


def megabytes(encoder: Encoder) -> float:
    """Size on disk of the model with its tokenizer, without its cards, in 10^6 bytes."""
    return sum(file.stat().st_size for file in model_files.files_of(folder_of(encoder))) / 1e6


def _made(name: str, facts: Model) -> SentenceTransformer:
    if facts.speed_only:  # random weights are made faster than they are read
        return facts.recipe(load(facts.teacher).model.tokenizer)

    def make() -> SentenceTransformer:
        return facts.recipe(load(facts.teacher).model if facts.teacher else corpora.load(WORDS_OF).document_texts)

    folder = _kept(name, _recipe_revision(facts), make)
    return model_files.open_folder(str(folder))


def _kept(name: str, revision: str, make: Callable[[], SentenceTransformer]) -> Path:
    folder = paths.DATA / "models" / f"{name.replace('/', '--')}-{revision[-12:]}"
    if not folder.is_dir():
        with paths.atomic(folder) as temporary:
            make().save(str(temporary), create_model_card=False)
    return folder


def _recipe_revision(facts: Model) -> str:
    """Hash of all that a made model depends on: its recipe's source, its teacher, and the libraries that make it."""
    source = Path(recipes.__file__).read_bytes()
    versions = [_version(library) for library in (*LIBRARIES, "scikit-learn")]
    teacher = load(facts.teacher).revision if facts.teacher else corpora.load(WORDS_OF).sha256
    return hashlib.sha256(source + repr((facts.dimensions, teacher, versions)).encode()).hexdigest()[:12]
