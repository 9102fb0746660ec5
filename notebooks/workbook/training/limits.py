"""Where training ends: too few documents, another corpus than the one trained on, labels that give the answers away."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from workbook.corpora import corpora, near_duplicates, pairs
from workbook.corpora.corpora import Corpus
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.evaluation import statistics
from workbook.training import trained_models
from workbook.training.settings import Settings
from workbook.training.trained_models import METRIC, Variant
from workbook.training.training import Task

RATE = 10  # times smaller than usual, so that less of the start is forgotten


def smaller(of: Task, size: int, seed: int) -> Task:
    """The task with `size` documents to train on, drawn by seed, and the same held out. WorkbookError for too many."""
    others = [key for key in of.documents if key not in of.held_out]
    if size > len(others):
        raise WorkbookError(f"{of.name} has {len(others)} documents to train on, not {size}")
    kept = {others[number] for number in np.random.default_rng(seed).choice(len(others), size, replace=False)}
    documents = {key: one for key, one in of.documents.items() if key in kept or key in of.held_out}
    return replace(of, documents=documents)


def fewer(
    corpus: Corpus, task: Task, settings: Settings, seeds: Sequence[int], sizes: Sequence[int], engine_name: str
) -> list[Variant]:
    """Train on so many documents only, and measure."""
    found = []
    for size in sizes:
        models = trained_models.trained(smaller(task, size, seeds[0]), settings, seeds)
        found.append(trained_models.variant(corpus, f"{size:,} documents", models, engine_name))
    return found


def abroad(task: Task, settings: Settings, seeds: Sequence[int], other: str) -> dict[str, list[Encoder]]:
    """Ways to train that might keep what the start knew of another corpus: label -> models, of the first seed alone.

    A smaller learning rate; pairs of the other corpus's own documents mixed in; each trained model averaged with its
    start (Wortsman et al. 2022, Robust fine-tuning of zero-shot models).
    """
    made = pairs.make(corpora.unlabelled(other), settings.kinds, settings.sentences, seeds[0])
    mixed = tuple(pair._replace(document=f"{other}/{pair.document}") for pair in made)  # ids of two corpora may agree
    untaught = replace(settings, teacher=0.0)  # which has no vectors of the other corpus's documents
    gently = replace(settings, learning_rate=settings.learning_rate / RATE)
    seeds = seeds[:1]  # what is lost elsewhere is far more than what a seed moves
    plain = trained_models.trained(task, settings, seeds)
    halves = trained_models.averaged([*plain, *trained_models.untrained(task, settings, seeds[0])], f"{task.name}-half")
    return {
        "start, not trained": [task.start],
        "trained, first seed": plain,
        f"trained at a rate {RATE} times smaller": trained_models.trained(task, gently, seeds),
        f"trained, with pairs of {Path(other).name}": trained_models.trained(
            replace(task, extra=mixed), untaught, seeds
        ),
        "trained, averaged with its start": halves,
    }


def measure(
    corpus: Corpus, task: Task, settings: Settings, seeds: Sequence[int], sizes: Sequence[int], other: str,
    engine_name: str, strict: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Train on fewer documents, and try models on another corpus: rows of `results`, none if neither is asked for."""
    found = [trained_models.rows(corpus, fewer(corpus, task, settings, seeds, sizes, engine_name))]
    if other:
        ways = abroad(task, settings, seeds, other)
        for on in (corpus, corpora.load(other, strict=strict)):
            variants = [trained_models.variant(on, label, models, engine_name) for label, models in ways.items()]
            found.append(trained_models.rows(on, variants))
    return pd.concat(found)


def leak(train: Corpus, test: Corpus, plain: Variant, labelled: Variant) -> pd.DataFrame:
    """What the labels of `train` are worth on test queries, by whether training has seen the like of a query.

    In the long format of `results`: NDCG@10 without and with labels and their paired difference, on all test queries,
    on those near a labelled query, on those that share a judged document with one, and on those that do neither.
    """
    seen = overlap(train, test)
    parts = {
        "all test queries": seen["nearest"].notna(),
        "near a labelled query": seen["near"],
        "same document as a labelled query": seen["same document"],
        "neither": seen["unseen"],
    }
    without, with_labels, found = plain.scores(), labelled.scores(), []
    for part, chosen in parts.items():
        if chosen.any():
            difference = statistics.mean_difference(with_labels[chosen], without[chosen])
            told = {"part": part, "method": labelled.label}
            found += [
                {**told, "method": plain.label, "metric": METRIC, **statistics.mean(without[chosen])._asdict()},
                {**told, "metric": METRIC, **statistics.mean(with_labels[chosen])._asdict()},
                {**told, "against": plain.label, "metric": "ndcg@10 difference", **difference._asdict()},
            ]
    return pd.DataFrame(found).assign(corpus=test.name)


NEAR = 0.5  # share of words in common (Jaccard) from which two queries say nearly the same, or just its negation


def overlap(train: Corpus, test: Corpus) -> pd.DataFrame:
    """Say of each test query whether training has seen its like: a frame (test queries,), indexed by query id.

    Columns: `same document`, one relevant to it is relevant to a train query too; `nearest`, the largest share of words
    it has in common with a train query (Jaccard); `near`, whether that is NEAR or more; `unseen`, neither of both.
    """
    seen = {document for grades in train.qrels.values() for document, grade in grades.items() if grade > 0}
    same = [
        any(grade > 0 and document in seen for document, grade in test.qrels[query].items()) for query in test.queries
    ]
    words = CountVectorizer(binary=True, analyzer=_words).fit([*train.query_texts, *test.query_texts])
    asked, trained = (words.transform(texts) for texts in (test.query_texts, train.query_texts))
    shared = (asked @ trained.T).toarray()
    either = asked.sum(axis=1).reshape(-1, 1) + trained.sum(axis=1).reshape(1, -1) - shared
    nearest = np.asarray(shared / np.maximum(either, 1)).max(axis=1)
    frame = pd.DataFrame({"same document": same, "nearest": nearest}, index=pd.Index(test.queries, name="query"))
    return frame.assign(near=frame["nearest"] >= NEAR, unseen=~frame["same document"] & (frame["nearest"] < NEAR))


def _words(text: str) -> list[str]:
    """The words of a query; of one that has none, of signs alone, what it is."""
    form = near_duplicates.plain(text)
    return near_duplicates.words(form) or [form]
