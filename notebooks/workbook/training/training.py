"""Train a static model on documents alone, with Sentence Transformers' trainer and losses, on the CPU, in a minute.

`train` makes a folder in data/models that every notebook loads by its name; `choose` ranks settings by how well they
find held-out anchors. Neither sees a query or a judgement of a corpus, unless labelled pairs are put in by hand.
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
from workbook.training import known_items, start_models
from workbook.training.settings import Settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FORMAT = 2  # raise it when training changes, so that models trained before are not taken for the same
LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch", "accelerate", "datasets")
CHECKPOINTS = 3  # on disk at once, each with the optimizer's two numbers for each of the model's


@dataclass(frozen=True)
class Task:
    """The documents to train on, those of them held out, the static model to start from, and its teacher.

    `teacher` is the transformer that the start was distilled from. `extra` pairs, labelled or of another corpus, are
    trained on beside those made of the documents.
    """

    name: str
    documents: Mapping[str, Document]
    held_out: frozenset[str]
    start: Encoder
    teacher: Encoder
    extra: tuple[Pair, ...] = ()


def task(name: str, documents: Mapping[str, Document], start: Encoder, teacher: Encoder, seed: int) -> Task:
    """Make a task with documents held out, drawn by seed.

    Raises WorkbookError for documents too few, short, alike or strange, a start that is not static, a teacher that is.
    """
    check(start, teacher)
    held_out = frozenset(pairs.hold_out(documents, seed))
    if not start.knows(known_items.build(documents, held_out).query_texts).any():
        raise WorkbookError(f"{start.name} knows no word of these documents: give a start that has their language")
    return Task(name, documents, held_out, start, teacher)


def check(start: Encoder, teacher: Encoder) -> None:
    """Raise WorkbookError for models that cannot be trained from.

    Training keeps the start's table alone. It would lose a prompt before it or a Dense after it, and the comparison
    would count what that changes as an effect of training.
    """
    if start.kind != "static" or teacher.kind != "transformer":
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


def smaller(of: Task, size: int, seed: int) -> Task:
    """The task with `size` documents to train on, drawn by seed, and the same held out. WorkbookError for too many."""
    others = [key for key in of.documents if key not in of.held_out]
    if size > len(others):
        raise WorkbookError(f"{of.name} has {len(others)} documents to train on, not {size}")
    kept = {others[number] for number in np.random.default_rng(seed).choice(len(others), size, replace=False)}
    documents = {key: one for key, one in of.documents.items() if key in kept or key in of.held_out}
    return replace(of, documents=documents)


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
    folder = paths.DATA / "models" / f"custom-{of.name}-{_key(about)}"
    work = folder.with_name(f"{folder.name}.training")
    with locks.alone(folder):
        if not folder.is_dir():
            started = time.perf_counter()
            model = _start(of, settings, seed)
            _check_room(model[0].embedding.weight.numel())
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


def average(folders: Sequence[Path], name: str) -> Path:
    """Average models of one start into one, a model soup (Wortsman et al. 2022): its folder in data/models.

    Raises WorkbookError for models whose tokens or dimensions differ.
    """
    key = _key([model_files.folder_sha256(folder) for folder in folders])
    target = paths.DATA / "models" / f"custom-{name}-soup-{key}"
    if target.is_dir():
        return target
    models = [model_files.open_folder(str(folder)) for folder in folders]
    for model in models:
        start_models.check(model)
    tables = [model[0].embedding.weight.data for model in models]
    if len({(table.shape, model[0].tokenizer.to_str()) for table, model in zip(tables, models, strict=True)}) > 1:
        raise WorkbookError("only models of one start, with the same tokens and dimensions, can be averaged")
    models[0][0].embedding.weight.data = sum(tables) / len(tables)
    settings = model_cards.read(folders[0])["settings"]
    facts = {"settings": settings, "average_of": [folder.name for folder in folders], "history": []}
    model_cards.save(models[0], target, facts)
    return target


def start(of: Task, settings: Settings, seed: int) -> Path:
    """Folder of the model as it is before training, to compare and average with."""
    settings = _resolved(of, settings)
    teacher = of.teacher.identity("document") if settings.words else None
    made_by = [settings.words, settings.frequencies, settings.width, settings.dimensions, seed]
    about = [FORMAT, of.start.identity("document"), teacher, documents_sha256(of.documents), *made_by]
    folder = paths.DATA / "models" / f"custom-{of.name}-start-{_key(about)}"
    if not folder.is_dir():
        model_cards.save(_start(of, settings, seed), folder, {"settings": asdict(settings), "history": []})
    return folder


def _resolved(of: Task, settings: Settings) -> Settings:
    """The settings with defaults that depend on the start filled in."""
    made_here = of.start.facts is not None and of.start.facts.recipe is not None
    if settings.words and not made_here:
        raise WorkbookError(f"words: true distils anew, and would leave nothing of {of.start.name}; set words: false")
    words = made_here if settings.words is None else settings.words
    dimensions = settings.dimensions
    if dimensions is None and settings.width:
        dimensions = tuple(d for d in (settings.width // 2**k for k in range(1, 8)) if d >= 32)
    elif dimensions is None:
        dimensions = of.start.matryoshka[1:]
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
    if settings.teacher and foreign:
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
        "teacher": of.teacher.identity("document") if settings.teacher or settings.words else None,
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
    narrow = [dimension for dimension in settings.dimensions if dimension >= model.get_embedding_dimension()]
    if narrow:
        raise WorkbookError(f"Matryoshka dimensions {narrow}: the model has {model.get_embedding_dimension()}")
    return model


def _distilled(of: Task, texts: Sequence[str]) -> SentenceTransformer:
    """The start with the corpus's own words: it takes half a minute, so it is kept for the next training."""
    about = [FORMAT, of.start.identity("document"), of.teacher.identity("document"), vectors.texts_sha256(texts)]
    folder = paths.DATA / "models" / f"{of.start.name}-words-{_key(about)}"
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

    columns: dict[str, list] = {"anchor": [p.anchor for p in made], "positive": [p.positive for p in made]}
    taught = None
    if settings.teacher:
        numbers = {key: number for number, key in enumerate(of.documents)}
        columns["label"] = [numbers[pair.document] for pair in made]
        taught = vectors.encode(of.teacher, [document.full for document in of.documents.values()])
    loss = objective.Objective(model, settings.scale, taught, settings.teacher)
    dimensions = [model.get_embedding_dimension(), *settings.dimensions]
    try:
        with paths.told_when_unwritable(work):
            return trainer.fit(
                model, columns, MatryoshkaLoss(model, loss, dimensions), _score(of), work,
                epochs=settings.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate, seed=seed,
            )  # fmt: skip
    except WorkbookError as error:
        kept = f"; whole epochs before it are in {work.name}" if list(work.glob("checkpoint-*")) else ""
        raise WorkbookError(f"training stopped: {error}{kept}") from None


def _score(of: Task) -> Callable[[SentenceTransformer], tuple[float, float]]:
    """A function from a model to its mean NDCG@10 on the held-out anchors and the standard error of that mean."""
    asked = known_items.build(of.documents, of.held_out)

    def score(model: SentenceTransformer) -> tuple[float, float]:
        lengths = model[0].embedding.weight.detach().norm(dim=1)
        if not bool(lengths.isfinite().all()):
            raise WorkbookError("the vectors are no longer finite numbers: lower learning_rate")
        encode = functools.partial(model.eval().encode, batch_size=256, show_progress_bar=False)
        found = known_items.score(encode, asked)
        return float(found.mean()), float(found.sem())

    return score


def _check_room(parameters: int) -> None:
    needed = (3 * CHECKPOINTS + 1) * 4 * parameters
    paths.DATA.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.DATA).free
    if free < needed:
        raise WorkbookError(
            f"training needs {needed / 1e6:,.0f} MB for its checkpoints and {paths.DATA} has {free / 1e6:,.0f} MB: "
            f"make room or set WORKBOOK_DATA to another folder"
        )


def _key(about: object) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
