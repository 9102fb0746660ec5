"""Models trained here, measured beside each other: each over its seeds, and compared on the same queries.

A variant is a label and one model for each seed. Its score of a query is the mean over its seeds, so that a comparison
of two variants is one of ways to train, not of two lucky draws; the range over the seeds stands beside it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from workbook import paths
from workbook.corpora import pairs
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import encoders, model_cards
from workbook.embedding.encoders import Encoder
from workbook.evaluation import statistics
from workbook.evaluation.statistics import Interval
from workbook.experiments import grid
from workbook.experiments.grid import Cell
from workbook.training import soups, training
from workbook.training.settings import Settings
from workbook.training.training import Task

METRIC = "ndcg@10"
FLOAT32, BINARY = ("float32", "exact"), ("binary", "full-ef")
SHARED = [f"{share} of a query's words are in its answer" for share in ("up to 1/3", "1/3 to 2/3", "over 2/3")]


class Variant(NamedTuple):
    """A way to make a model: the model of each seed, and its measured cells, float32 and one-bit, of each seed."""

    label: str
    models: list[Encoder]
    float32: list[Cell]
    binary: list[Cell]

    def scores(self, binary: bool = False) -> pd.Series:
        """NDCG@10 of each query, mean over the seeds: (queries,)."""
        cells = self.binary if binary else self.float32
        return pd.concat([cell.judgements[METRIC] for cell in cells], axis=1).mean(axis=1)


def variant(corpus: Corpus, label: str, models: Sequence[Encoder], engine_name: str = "edge") -> Variant:
    """Measure models, one for each seed: whole vectors, float32 searched exactly and one bit at full ef."""
    by_setting = [
        [grid.measure(corpus, model, [model.dimensions], [name], [search], engine_name)[0] for model in models]
        for name, search in (FLOAT32, BINARY)
    ]
    return Variant(label, list(models), *by_setting)


def trained(task: Task, settings: Settings, seeds: Sequence[int]) -> list[Encoder]:
    """The models of one way to train, one for each seed, trained now or before."""
    return [encoders.load(training.train(task, settings, seed).name) for seed in seeds]


def found(documents: Mapping[str, Document]) -> str:
    """Name of a model in data/models that was trained on these documents, or some drawn of them, alone; "" if none was.

    Of several the one of the most documents, then the best by held-out score, and of equals the newest.
    """
    cards_of = {folder: model_cards.read(folder) for folder in (paths.DATA / "models").glob("custom-*")}
    facts = {
        folder: card for folder, card in cards_of.items()
        if re.fullmatch(rf"custom-{re.escape(str(card.get('name')))}-[0-9a-f]{{8}}", folder.name)
    }  # fmt: skip
    trained = {folder: card for folder, card in facts.items() if card.get("history") and not card["extra_pairs"]}
    same = {
        count: training.documents_sha256(pairs.drawn(documents, count, 0))
        for count in {card["documents"] for card in trained.values()}
    }
    plain = [folder for folder, card in trained.items() if card["documents_sha256"] == same[card["documents"]]]

    def rank(folder: Path) -> tuple[int, float, float]:
        kept = max(facts[folder]["history"], key=lambda epoch: epoch["rank"])
        return facts[folder]["documents"], kept["score"], folder.stat().st_mtime

    return max(plain, key=rank).name if plain else ""


def untrained(task: Task, settings: Settings, seed: int) -> list[Encoder]:
    """The model that training with these settings starts from."""
    return [encoders.load(training.start(task, settings, seed).name)]


def averaged(models: Sequence[Encoder], name: str) -> list[Encoder]:
    """One model, the average of several of one start."""
    return [encoders.load(soups.average([model.folder for model in models], name).name)]


def in_words(settings: Settings) -> str:
    """What settings change of the usual ones: "sentences 10, words False"; "as usual" if nothing."""
    usual = asdict(Settings())
    changed = [f"{name} {value}" for name, value in asdict(settings).items() if value != usual[name]]
    return ", ".join(changed) or "as usual"


def sizes(corpus: Corpus, models: Sequence[Encoder]) -> pd.DataFrame:
    """What models weigh, and what training took of those that were trained here, in the long format of `results`."""
    found = []
    for model in models:
        found.append((model.name, "parameters", model.parameters()))
        found.append((model.name, "megabytes", encoders.megabytes(model)))
        facts = model_cards.read(model.folder) if model.folder else {}
        if facts.get("history"):
            found.append((model.name, "training seconds", facts["seconds"]))
            found.append((model.name, "peak memory MB", facts["peak_memory_mb"]))
    return pd.DataFrame(found, columns=["model", "metric", "value"]).assign(corpus=corpus.name)


def rows(corpus: Corpus, variants: Sequence[Variant]) -> pd.DataFrame:
    """The variants in the long format of `results`: NDCG@10 with interval over queries, and with range over seeds."""
    return pd.DataFrame([row for each in variants for row in _rows(corpus, each)])


def compare(corpus: Corpus, variants: Sequence[Variant], baselines: Mapping[str, Variant]) -> pd.DataFrame:
    """Paired NDCG@10 differences of variants from their baselines, by label, in the long format of `results`.

    A variant without a baseline is left out.
    """
    found = []
    for each in variants:
        against = baselines.get(each.label)
        for cells, binary in ((each.float32, False), (each.binary, True)) if against else ():
            difference = statistics.mean_difference(each.scores(binary), against.scores(binary))
            found.append(
                {**_names(corpus, each, cells[0]), "against": against.label,
                 "metric": "ndcg@10 difference", **difference._asdict()}
            )  # fmt: skip
    return pd.DataFrame(found)


def by_words_shared(corpus: Corpus, shares: pd.Series, one: Variant, other: Variant) -> pd.DataFrame:
    """The difference of two variants on queries that have few, some and most of their words in the answer, as `rows`.

    `shares` are those of `corpus_facts.shared_words`. A group of fewer than MIN_QUERIES queries is left out.
    """
    groups = pd.cut(shares, [-1, 1 / 3, 2 / 3, 2], labels=SHARED)
    found = []
    for part in SHARED:
        queries = groups.index[groups == part]
        if len(queries) >= statistics.MIN_QUERIES:
            lost = statistics.mean_difference(one.scores()[queries], other.scores()[queries])
            names = {**_names(corpus, one, one.float32[0]), "against": other.label, "part": part}
            found.append({**names, "metric": "ndcg@10 difference", **lost._asdict()})
    return pd.DataFrame(found)


def farthest_apart(
    corpus: Corpus, shares: pd.Series, one: Variant, other: Variant, count: int = 3
) -> pd.DataFrame:  # fmt: skip
    """The queries that `one` loses most on, and those it wins most on, `count` of each, with an answer to look at."""
    scores = pd.DataFrame({each.label: each.scores() for each in (one, other)})
    order = (scores[one.label] - scores[other.label]).sort_values(kind="stable").index
    found = scores.loc[[*order[:count], *order[::-1][:count]]].round(2)
    best = [max(corpus.qrels[query], key=corpus.qrels[query].get) for query in found.index]
    answers = [corpus.documents[key].full if key in corpus.documents else "" for key in best]
    texts = {"query": [corpus.queries[query] for query in found.index], "an answer": answers}
    found = found.assign(**{name: [text[:100] for text in own] for name, own in texts.items()})
    return found.assign(**{"words shared": shares.reindex(found.index).round(2)}).reset_index(drop=True)


def table(variants: Sequence[Variant], judge: Variant, plain: Variant) -> pd.DataFrame:
    """The variants as people read them: a row each, scores and paired differences from `judge` and from `plain`."""
    found = []
    for each in variants:
        seeds = [cell.judgements[METRIC].mean() for cell in each.float32]
        row = {"NDCG@10": statistics.mean(each.scores())}
        row["range over seeds"] = f"{min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else ""
        for other in (judge, plain):
            own = each is other
            row[f"against {other.label}"] = "" if own else statistics.mean_difference(each.scores(), other.scores())
        row["one bit"] = statistics.mean(each.scores(binary=True))
        own, bits = each is plain, (each.scores(binary=True), plain.scores(binary=True))
        row[f"one bit, against {plain.label}"] = "" if own else statistics.mean_difference(*bits)
        found.append({name: _short(value) for name, value in row.items()})
    return pd.DataFrame(found, index=[each.label for each in variants])


def _short(value: object) -> str:
    """An interval in three digits, which a table of seven columns has room for; other text as it is."""
    return value.text(3) if isinstance(value, Interval) else str(value)


def _rows(corpus: Corpus, each: Variant) -> list[dict]:
    found = []
    for cells, binary in ((each.float32, False), (each.binary, True)):
        names = _names(corpus, each, cells[0])
        found.append({**names, "metric": METRIC, **statistics.mean(each.scores(binary))._asdict()})
        seeds = [cell.judgements[METRIC].mean() for cell in cells]
        of_seeds = {"value": sum(seeds) / len(seeds), "low": min(seeds), "high": max(seeds), "n": len(seeds)}
        found.append({**names, "metric": "ndcg@10 over seeds", **of_seeds})
    return found


def _names(corpus: Corpus, each: Variant, cell: Cell) -> dict[str, object]:
    return {
        "corpus": corpus.name, "model": cell.model, "dimension": cell.dimension, "setting": cell.setting,
        "search": cell.search, "method": each.label, "key": cell.key,
    }  # fmt: skip
