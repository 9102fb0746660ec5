"""Static models as model2vec stores them, for runtimes without torch: in fewer bytes a number, or in fewer rows.

model2vec averages int8 numbers without scaling them back: the whole table has one scale, which a cosine does not see.
It leaves unknown tokens out of the mean, where Sentence Transformers counts them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workbook import paths
from workbook.embedding import routes
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from model2vec import StaticModel
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

TABLE = "model.safetensors"  # all but the tokenizer: the rows, and where tokens share rows also which row and weight


class Form(NamedTuple):
    """One way to store a static model: in numbers of that type, or in float32 with so many rows for all tokens."""

    dtype: str = "float32"
    vocabulary: int | None = None

    @property
    def name(self) -> str:
        return f"vocabulary {self.vocabulary:,}" if self.vocabulary else self.dtype


FLOAT32 = Form()


def forms(encoder: Encoder, vocabularies: Sequence[int] | None = None) -> list[Form]:
    """Forms of a static model, float32 first; vocabularies are by default a quarter and a sixteenth of its tokens.

    Raises WorkbookError for a model that is not static, or a vocabulary that is not smaller than its own.
    """
    tokens = len(_embedding(encoder).embedding.weight)
    sizes = (tokens // 4, tokens // 16) if vocabularies is None else vocabularies
    for size in sizes:
        if not 1 <= size < tokens:
            raise WorkbookError(f"{encoder.name} has {tokens:,} tokens: give a vocabulary of 1 to {tokens - 1:,}")
    return [FLOAT32, Form("float16"), Form("int8"), *(Form(vocabulary=size) for size in sizes)]


def keep(encoder: Encoder, form: Form) -> Path:
    """Folder of that form in data/models, saved now or before. A vocabulary is made by k-means, in a minute or two."""
    about = [encoder.identity("document"), form, importlib.metadata.version("scikit-learn")]
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
    label = form.name.replace(" ", "-").replace(",", "")
    folder = paths.DATA / "models" / f"{encoder.name.replace('/', '--')}-{label}-{key}"
    if not folder.is_dir():
        save(encoder, folder, form)
    return folder


def save(encoder: Encoder, folder: Path, form: Form = FLOAT32) -> None:
    """Save a static model as model2vec does, in a new folder.

    Raises WorkbookError for a model that is not static or is cut, and for a folder with something in it.
    """
    from model2vec import StaticModel, quantize_model

    if folder.is_dir() and any(folder.iterdir()):
        raise WorkbookError(f"{folder} has something in it: remove it or give another folder")
    embedding = _embedding(encoder)
    rows = embedding.embedding.weight.detach().float().numpy()
    model = StaticModel(rows, embedding.tokenizer, normalize=True, max_length=None)
    with paths.atomic(folder) as temporary:
        quantize_model(model, form.vocabulary, form.dtype).save_pretrained(temporary)


def load(folder: Path, form: Form) -> StaticModel:
    """Load what was saved in that form. Raises WorkbookError if model2vec did not load that form."""
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(folder, max_length=None, force_download=False)
    found = Form(model.embedding_dtype, model.vocabulary_quantization)
    if found != form:
        raise WorkbookError(f"{folder.name} should be {form} and model2vec loads {found}: remove the folder")
    return model


def fastembed(encoder: Encoder) -> Callable[[Sequence[str]], Iterable[np.ndarray]]:
    """What FastEmbed, Qdrant's library, encodes texts with by a static model: vectors of length 1, float32 (d,) each.

    It leaves out unknown tokens as model2vec does, and cuts texts at 512 tokens.
    Raises WorkbookError if it is not installed, and for a model that model2vec cannot store.
    """
    folder = keep(encoder, FLOAT32)
    try:
        from fastembed.text.static_embedding import StaticTextEmbedding
    except ImportError:
        raise WorkbookError("not installed: pip install -r notebooks/optional.txt") from None
    known = StaticTextEmbedding._list_supported_models()[0].model  # a name that it knows: the files are those given
    return StaticTextEmbedding(known, specific_model_path=str(folder)).embed


def _embedding(encoder: Encoder) -> StaticEmbedding:
    if encoder.kind != "static":
        raise WorkbookError(f"{encoder.name} is a {encoder.kind}: model2vec stores static models only")
    if more := "cuts texts" if encoder.max_tokens else routes.more_than_a_table(encoder.model):
        raise WorkbookError(f"{encoder.name} {more}: model2vec would not do the same")
    return encoder.model[0]
