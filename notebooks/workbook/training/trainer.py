"""Sentence Transformers' trainer as it is used here: on the CPU, judged every epoch, stoppable and resumable.

Added to it are a held-out score instead of a held-out loss, one progress bar, and a check that a checkpoint is whole.
Texts are tokenized once: the trainer itself tokenizes them in every epoch, which took two thirds of the time.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError  # noqa: S403 - nothing is unpickled here

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
from torch import nn
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from workbook import paths
from workbook.errors import WorkbookError
from workbook.progress import bar

PATIENCE = 2  # epochs in a row that are clearly worse than the best, after which training stops
STATE = "trainer_state.json"  # what the trainer writes last
CHECKPOINTS = 3  # on disk at once, each with the optimizer's two numbers for each of the model's
Score = Callable[[SentenceTransformer], tuple[float, float]]


class HeldOut(SentenceEvaluator):
    """Tells the trainer the held-out score after each epoch, the seconds of training until then, and its rank.

    The rank of an epoch is its number, or 0 if its score is more than one standard error below the best. The trainer
    keeps the epoch of the highest rank: of equally good epochs the last, where the learning rate has fallen most.
    """

    def __init__(self, score: Score, before: Sequence[dict[str, float]]) -> None:
        super().__init__()
        self.primary_metric = "rank"
        self._score = score
        self._best = max((epoch["score"] for epoch in before), default=0.0)
        self._seconds = before[-1]["seconds"] if before else 0.0
        self._since = time.perf_counter()

    def __call__(
        self, model: SentenceTransformer, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        self._seconds += time.perf_counter() - self._since
        score, error = self._score(model)
        self._best = max(self._best, score)
        rank = epoch if score >= self._best - error else 0.0
        self._since = time.perf_counter()  # judging is not training
        return {"rank": rank, "score": score, "error": error, "seconds": self._seconds}


class Bar(TrainerCallback):
    """One progress bar over the steps of a training."""

    def on_train_begin(self, args, state, control, **_) -> None:
        self._bar = bar(total=state.max_steps, initial=state.global_step, desc="training", unit="step")

    def on_step_end(self, args, state, control, **_) -> None:
        self._bar.update()

    def on_train_end(self, args, state, control, **_) -> None:
        self._bar.close()


class Trainer(SentenceTransformerTrainer):
    """The trainer without its model card, for which it would encode examples: `training` writes one."""

    def add_model_card_callback(self, default_args_dict: dict) -> None:
        """Add none."""


def fit(
    model: SentenceTransformer, columns: dict[str, list], loss: nn.Module, score: Score, work: Path, *,
    epochs: int, batch_size: int, learning_rate: float, seed: int,
) -> list[dict[str, float]]:  # fmt: skip
    """Train a static model in place by Adam with a rate falling to 0, and leave it as it was after its best epoch.

    `columns` are the texts `anchor` and `positive`, and maybe the numbers `label`, (pairs,) each. `score` gives the
    model's mean held-out score and its standard error. `work` keeps checkpoints; training goes on after the last whole
    one. Returns epoch, seconds, score, error and rank of each epoch, the start as epoch 0. Raises WorkbookError for a
    checkpoint with a pickle that the trainer did not write.
    """
    for library in ("sentence_transformers", "transformers.trainer_utils"):
        logging.getLogger(library).setLevel(logging.ERROR)
    last = _last_whole(work)
    history = _history(last) if last else []
    value, error = score(model)
    start = {"epoch": 0.0, "seconds": 0.0, "score": value, "error": error, "rank": 0.0}
    tokens = {name: rows if name == "label" else _tokenize(model, rows) for name, rows in columns.items()}
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(work), num_train_epochs=epochs, per_device_train_batch_size=batch_size,
        learning_rate=learning_rate, lr_scheduler_type="linear", max_grad_norm=0.0, seed=seed, data_seed=seed,
        eval_strategy="epoch", save_strategy="epoch", save_total_limit=1, load_best_model_at_end=True,
        metric_for_best_model="eval_rank", greater_is_better=True, logging_strategy="no", disable_tqdm=True,
        restore_callback_states_from_checkpoint=True, report_to="none", use_cpu=True, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(
        model=model, args=arguments, train_dataset=Dataset.from_dict(tokens), loss=loss,
        data_collator=SentenceTransformerDataCollator(preprocess_fn=_bags), evaluator=HeldOut(score, history),
        callbacks=[EarlyStoppingCallback(PATIENCE), Bar()],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except UnpicklingError as error:  # torch reads weights alone, and refuses a pickle that would run something
        raise WorkbookError(f"{last} holds a pickle that no training wrote: remove {work}, then run again") from error
    return [start, *_epochs(trainer.state.log_history)]


def check_room(parameters: int) -> None:
    """Raise WorkbookError if the disk has no room for the checkpoints of a model of so many parameters."""
    needed = (3 * CHECKPOINTS + 1) * 4 * parameters
    paths.DATA.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.DATA).free
    if free < needed:
        raise WorkbookError(
            f"training needs {needed / 1e6:,.0f} MB for its checkpoints and {paths.DATA} has {free / 1e6:,.0f} MB: "
            f"make room or set WORKBOOK_DATA to another folder"
        )


def _tokenize(model: SentenceTransformer, texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in model[0].tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _bags(rows: Sequence[Sequence[int]], **_: object) -> dict[str, torch.Tensor]:
    """Token ids of a batch as StaticEmbedding takes them: one after the other, and where each text begins."""
    lengths = np.array([len(row) for row in rows])
    offsets = torch.from_numpy(np.cumsum(lengths) - lengths)
    return {"input_ids": torch.from_numpy(np.concatenate(rows)).long(), "offsets": offsets}


def _epochs(log: list[dict]) -> list[dict[str, float]]:
    """What the trainer's log says of each epoch that was judged."""
    judged = [entry for entry in log if "eval_score" in entry]
    names = ("seconds", "score", "error", "rank")
    return [{"epoch": entry["epoch"], **{name: entry[f"eval_{name}"] for name in names}} for entry in judged]


def _history(checkpoint: Path) -> list[dict[str, float]]:
    """The judged epochs until a checkpoint; none of one that was not written to its end."""
    try:
        return _epochs(json.loads((checkpoint / STATE).read_text(encoding="utf-8"))["log_history"])
    except (OSError, ValueError, KeyError):
        return []


def _last_whole(work: Path) -> Path | None:
    """The last checkpoint written to its end; what comes after it is removed."""
    checkpoints = sorted(work.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=lambda folder: int(folder.name.split("-")[-1]))
    whole = [folder for folder in checkpoints if _history(folder)]
    for folder in set(checkpoints) - set(whole):
        shutil.rmtree(folder)
    return whole[-1] if whole else None
