"""Train a static model on documents alone, with Sentence Transformers' trainer and losses, on the CPU, in a minute.

`train` makes a folder in data/models that every notebook loads by its name; `choose` ranks settings by how well they
find held-out anchors. Neither sees a query or a judgement of a corpus, unless labelled pairs are put in by hand.
With `queries_only` the table is of queries alone, and finds the vectors that the teacher gives the documents.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbook import locks, memory, paths
from workbook.corpora import pairs
from workbook.corpora.corpora import Document
from workbook.corpora.pairs import Pair
from workbook.embedding import model_cards, model_files, routes, vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.training import known_items, start_models, teachers
from workbook.training.settings import Settings
from workbook.training.teachers import StoredVectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FORMAT = 2  # raise it when training changes, so that models trained before are not taken for the same
LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch", "accelerate", "datasets")


@dataclass(frozen=True)
class Task:
    """The documents to train on, those of them held out, the static model to start from, and its teacher.

    `teacher` is the transformer that the start was distilled from, or what a collection has stored of these documents.
    `extra` pairs, labelled or of another corpus, are trained on beside those made of the documents.
    """

    name: str
    documents: Mapping[str, Document]
    held_out: frozenset[str]
    start: Encoder
    teacher: Encoder | StoredVectors
    extra: tuple[Pair, ...] = ()


def task(
    name: str, documents: Mapping[str, Document], start: Encoder, teacher: Encoder | StoredVectors, seed: int
) -> Task:  # fmt: skip
    """Make a task with documents held out, drawn by seed.

    Raises WorkbookError for documents too few, short, alike or strange, a start that is not static, a teacher that is.
    """
    check(start, teacher)
    held_out = frozenset(pairs.hold_out(documents, seed))
    if not start.knows(known_items.build(documents, held_out).query_texts).any():
        raise WorkbookError(f"{start.name} knows no word of these documents: give a start that has their language")
    if isinstance(teacher, StoredVectors):
        teachers.check_stored(start, documents, teacher, seed)
    return Task(name, documents, held_out, start, teacher)


def check(start: Encoder, teacher: Encoder | StoredVectors) -> None:
    """Raise WorkbookError for models that cannot be trained from.

    Training keeps the start's table alone. It would lose a prompt before it or a Dense after it, and the comparison
    would count what that changes as an effect of training.
    """
    if start.kind != "static" or teacher.kind not in ("transformer", "stored"):
        raise WorkbookError(f"training goes from a static model and a transformer, not {start.name} and {teacher.name}")
    if not teacher.dimensions:
        raise WorkbookError(f"{teacher.name} does not say how many dimensions its vectors have: give another teacher")
    if start.facts:
        return  # the registered ones are tables
    if more := routes.more_than_a_table(start.model):
        raise WorkbookError(f"{start.name} {more}, which training would leave away: give a table alone to start from")
    if prompts := [prompt for role in routes.ROLES if (prompt := start.prompt(role))]:
        raise WorkbookError(
            f"{start.name} puts {prompts[0]!r} before texts, which training would leave away: remove it"
        )


def train(of: Task, settings: Settings, seed: int) -> Path:
    """Train a model or find it trained: its folder in data/models, as Sentence Transformers saves it, with a card.

    Goes on after the last whole epoch of an interrupted training. Keeps the last epoch whose held-out score is within
    one standard error of the best; the start is not one of them, but the card has its score too. Raises WorkbookError,
    before any work, for a task that gives no pairs, models that do not fit and a full disk; and for a loss that is not
    finite, which leaves the epochs before it where they are.
    """
    made = _pairs(of, settings, seed)
    there = {pair.kind for pair in made}
    settings = _resolved(of, replace(settings, kinds=tuple(kind for kind in settings.kinds if kind in there)))
    about = _about(of, settings, seed, made)
    folder = _folder(of, settings, "", about)
    work = folder.with_name(f"{folder.name}.training")
    with locks.alone(folder):
        if not folder.is_dir():
            started = time.perf_counter()
            model = _start(of, settings, seed)
            history = _fit(of, settings, seed, model, made, work)
            facts = {
                **about, "pairs": len(made), "history": history, "parameters": model[0].embedding.weight.numel(),
                "seconds": round(time.perf_counter() - started, 1), "peak_memory_mb": round(memory.peak() / 1e6),
            }  # fmt: skip
            model_cards.save(model, folder, facts)
        shutil.rmtree(work, ignore_errors=True)
    return folder


def choose(of: Task, candidates: Sequence[Settings], seed: int) -> pd.DataFrame:
    """Train with each of the candidates and rank them by the held-out score of the epoch kept, the best first."""
    found = []
    for settings in candidates:
        folder = train(of, settings, seed)
        facts = model_cards.read(folder)
        kept = max(facts["history"], key=lambda epoch: epoch["rank"])
        found.append((settings, kept["score"], kept["error"], kept["epoch"], facts["seconds"], folder))
    columns = ["settings", "held-out ndcg@10", "standard error", "epoch kept", "seconds", "folder"]
    return pd.DataFrame(found, columns=columns).sort_values("held-out ndcg@10", ascending=False, ignore_index=True)


def start(of: Task, settings: Settings, seed: int) -> Path:
    """Folder of the model as it is before training, to compare and average with."""
    settings = _resolved(of, settings)
    how = (settings.words, settings.frequencies, settings.width, settings.dimensions)
    made_by = [*how, settings.queries_only, settings.ridge, seed]
    about = [FORMAT, of.start.identity("document"), _taught_by(of, settings), documents_sha256(of.documents), *made_by]
    folder = _folder(of, settings, "start-", about)
    if not folder.is_dir():
        facts = {
            "settings": asdict(settings),
            "documents_by": _documents_by(of, settings),
            "history": [],
        }
        model_cards.save(_start(of, settings, seed), folder, facts)
    return folder


def _folder(of: Task, settings: Settings, kind: str, about: object) -> Path:
    return paths.DATA / "models" / f"custom-{of.name}-{'queries-' * settings.queries_only}{kind}{key_of(about)}"


def _taught_by(of: Task, settings: Settings) -> dict[str, object] | None:
    """Identity of the teacher, if the settings ask it anything."""
    return of.teacher.identity("document") if settings.teacher or settings.words or settings.queries_only else None


def _documents_by(of: Task, settings: Settings) -> dict[str, object] | None:
    """What has the documents' vectors, if not the model that is trained."""
    return teachers.documents_by(of.teacher) if settings.queries_only else None


def _resolved(of: Task, settings: Settings) -> Settings:
    """The settings with defaults that depend on the start filled in."""
    stored = isinstance(of.teacher, StoredVectors)
    made_here = not stored and of.start.facts is not None and of.start.facts.recipe is not None
    if settings.words and stored:
        raise WorkbookError(f"words: true asks a transformer, and {of.teacher.name} is none; set words: false")
    if settings.queries_only:
        teachers.check_enough(len(of.documents), of.teacher)
    if settings.words and not made_here:
        raise WorkbookError(f"words: true distils anew, and would leave nothing of {of.start.name}; set words: false")
    words = made_here if settings.words is None else settings.words
    dimensions = settings.dimensions
    if dimensions is None and settings.width:
        dimensions = tuple(d for d in (settings.width // 2**k for k in range(1, 8)) if d >= 32)
    elif dimensions is None:
        dimensions = () if settings.queries_only else of.start.matryoshka[1:]
    return replace(settings, words=words, dimensions=dimensions)


def _pairs(of: Task, settings: Settings, seed: int) -> list[Pair]:
    """The pairs to train on, of documents that are not held out."""
    trained_on = {key: document for key, document in of.documents.items() if key not in of.held_out}
    made = pairs.make(trained_on, settings.kinds, settings.sentences, seed)
    having = {pair.document for pair in made}
    if len(having) < pairs.MIN_TRAINED_ON:
        few = f"{len(having)} of {len(trained_on)} documents give a pair of kind {', '.join(settings.kinds)}"
        raise WorkbookError(f"{few}: {pairs.MIN_TRAINED_ON} must; add other kinds, or give longer texts")
    extra = [pair for pair in of.extra if pair.document not in of.held_out]
    foreign = sum(pair.document not in of.documents for pair in extra)
    if (settings.teacher or settings.queries_only) and foreign:
        raise WorkbookError(f"{foreign} pairs are of documents outside the task: a teacher cannot judge those")
    return [*made, *extra]


def _about(of: Task, settings: Settings, seed: int, made: Sequence[Pair]) -> dict[str, Any]:
    """All that decides a training: its hash names the folder, and the card begins with it."""
    return {
        "format": FORMAT, "name": of.name, "settings": asdict(settings), "seed": seed,
        "start": of.start.identity("document"), "documents": len(of.documents), "held_out": len(of.held_out),
        "extra_pairs": sum(pair.document not in of.held_out for pair in of.extra),
        "pairs_sha256": vectors.texts_sha256([text for pair in made for text in pair]),
        "held_out_sha256": vectors.texts_sha256(sorted(of.held_out)),
        "documents_sha256": documents_sha256(of.documents),
        "teacher": _taught_by(of, settings), "documents_by": _documents_by(of, settings),
        "libraries": {library: importlib.metadata.version(library) for library in LIBRARIES},
    }  # fmt: skip


def documents_sha256(documents: Mapping[str, Document]) -> str:
    """Hash of documents in order, whatever their corpus is called."""
    return vectors.texts_sha256([part for key, document in documents.items() for part in (key, *document)])


def _start(of: Task, settings: Settings, seed: int) -> SentenceTransformer:
    """The start with the words, weights and width of the settings, in float32 (Adam diverges in float16)."""
    texts = [document.full for document in of.documents.values()]
    model = _distilled(of, texts) if settings.words else start_models.copy(of.start.model)
    if settings.frequencies:
        model = start_models.weighted(model, texts)
    if settings.width:
        model = start_models.widened(model, settings.width, seed)
    if settings.queries_only:
        return start_models.aligned(model, texts, teachers.vectors_of(of.teacher, of.documents), settings.ridge, seed)
    narrow = [dimension for dimension in settings.dimensions if dimension >= model.get_embedding_dimension()]
    if narrow:
        raise WorkbookError(f"Matryoshka dimensions {narrow}: the model has {model.get_embedding_dimension()}")
    return model


def _distilled(of: Task, texts: Sequence[str]) -> SentenceTransformer:
    """The start with the corpus's own words: it takes half a minute, so it is kept for the next training."""
    about = [FORMAT, of.start.identity("document"), of.teacher.identity("document"), vectors.texts_sha256(texts)]
    folder = paths.DATA / "models" / f"{of.start.name}-words-{key_of(about)}"
    if not folder.is_dir():
        model = start_models.with_words(of.start.model, of.teacher.model, texts)
        with paths.atomic(folder) as temporary:
            model.save(str(temporary), create_model_card=False)
    return model_files.open_folder(str(folder))


def _fit(
    of: Task, settings: Settings, seed: int, model: SentenceTransformer, made: Sequence[Pair], work: Path
) -> list[dict[str, float]]:
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss

    from workbook.training import objective, trainer

    trainer.check_room(model[0].embedding.weight.numel())
    columns: dict[str, list] = {"anchor": [p.anchor for p in made], "positive": [p.positive for p in made]}
    taught = teachers.vectors_of(of.teacher, of.documents) if settings.teacher or settings.queries_only else None
    if taught is not None:
        numbers = {key: number for number, key in enumerate(of.documents)}
        columns["label"] = [numbers[pair.document] for pair in made]
    if settings.queries_only:
        del columns["positive"]
        loss = objective.FrozenDocuments(model, settings.scale, taught)
    else:
        loss = objective.Objective(model, settings.scale, taught, settings.teacher)
        loss = MatryoshkaLoss(model, loss, [model.get_embedding_dimension(), *settings.dimensions])
    try:
        with paths.told_when_unwritable(work):
            return trainer.fit(
                model, columns, loss, _score(of, taught if settings.queries_only else None), work,
                epochs=settings.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate, seed=seed,
            )  # fmt: skip
    except WorkbookError as error:
        kept = f"; whole epochs before it are in {work.name}" if list(work.glob("checkpoint-*")) else ""
        raise WorkbookError(f"training stopped: {error}{kept}") from None


def _score(of: Task, taught: np.ndarray | None) -> Callable[[SentenceTransformer], tuple[float, float]]:
    """A function from a model to its mean NDCG@10 on the held-out anchors and the standard error of that mean.

    The anchors search what is left of their documents, or the vectors `taught` of the whole ones.
    """
    asked = known_items.build(of.documents, of.held_out)
    searched = None
    if taught is not None:
        numbers = {key: number for number, key in enumerate(of.documents)}
        searched = taught[[numbers[key] for key in asked.documents]]

    def score(model: SentenceTransformer) -> tuple[float, float]:
        lengths = model[0].embedding.weight.detach().norm(dim=1)
        if not bool(lengths.isfinite().all()):
            raise WorkbookError("the vectors are no longer finite numbers: lower learning_rate")
        encode = functools.partial(model.eval().encode, batch_size=256, show_progress_bar=False)
        found = known_items.score(encode, asked, searched)
        return float(found.mean()), float(found.sem())

    return score


def key_of(about: object) -> str:
    """Eight digits that stand for all that decides a model."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
