"""What the tests of training share: a task, a model trained on it, and a trainer that only takes notes."""

import pytest
from sample_training import SAMPLE, USUAL, table
from workbook import paths
from workbook.embedding import encoders
from workbook.training import trainer, training


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Training on the sample from tiny models, in a data folder that is the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        start, teacher = encoders.load("tiny-static"), encoders.load("tiny-transformer")
        yield training.task("sample", SAMPLE, start, teacher, 0)


@pytest.fixture(scope="module")
def untouched(task):
    """The start's table before anything was trained."""
    return table(task.start.model)


@pytest.fixture(scope="module")
def trained(task, untouched):
    """Folder of a model trained with the USUAL settings and seed 0."""
    return training.train(task, USUAL, seed=0)


@pytest.fixture
def given(monkeypatch):
    """What the trainer is given, instead of training."""
    seen = {}

    def fit(model, columns, loss, score, work, **options):
        seen.update(options, table=table(model), loss=loss.loss, dimensions=loss.matryoshka_dims, **columns)
        return [{"epoch": 0.0, "seconds": 0.0, "score": 0.5, "error": 0.1, "rank": 0.0}]

    monkeypatch.setattr(trainer, "fit", fit)
    return seen
