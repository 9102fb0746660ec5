"""The objective: each term against numpy by hand, and what must not pass."""

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from workbook.errors import WorkbookError
from workbook.training.objective import Objective

SCALE, BATCH = 5.0, 6
LABELS = np.array([4, 0, 9, 2, 7, 1])  # not in order: a batch is shuffled


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def embeddings(random):
    """Anchors and positives of a batch, each positive near its anchor: float32 (6, 8) each."""
    anchors = random.standard_normal((BATCH, 8)).astype(np.float32)
    return [anchors, anchors + 0.7 * random.standard_normal((BATCH, 8)).astype(np.float32)]


def loss_of(objective, embeddings):
    return objective.compute_loss_from_embeddings([torch.from_numpy(each) for each in embeddings], torch.tensor(LABELS))


def cosines(first, second):
    return (first / np.linalg.norm(first, axis=1)[:, None]) @ (second / np.linalg.norm(second, axis=1)[:, None]).T


def softmax(rows):
    return np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)


def ranking(first, second):
    """Mean over anchors of -log of the softmax share that their own positive has."""
    return -np.log(np.diag(softmax(SCALE * cosines(first, second)))).mean()


def test_without_terms_it_is_sentence_transformers_own_loss(embeddings):
    plain = loss_of(Objective(None, SCALE), embeddings)
    assert plain.item() == loss_of(MultipleNegativesRankingLoss(None, scale=SCALE), embeddings).item()
    assert plain.item() == pytest.approx(ranking(*embeddings), rel=1e-5)


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_a_teacher_softens_the_target(embeddings, random, weight):
    teacher = random.standard_normal((10, 12)).astype(np.float32)
    rows = teacher[LABELS]
    target = softmax(SCALE * cosines(rows, rows))
    softened = -(target * np.log(softmax(SCALE * cosines(*embeddings)))).sum(axis=1).mean()
    found = loss_of(Objective(None, SCALE, teacher, teacher_weight=weight), embeddings)
    assert found.item() == pytest.approx((1 - weight) * ranking(*embeddings) + weight * softened, rel=1e-5)
    assert abs(softened - ranking(*embeddings)) > 0.1


def test_the_teacher_is_a_copy_of_its_own_and_takes_no_part_in_training(random):
    teacher = random.standard_normal((10, 12))
    teacher.flags.writeable = False  # as a memory map is
    objective = Objective(None, SCALE, teacher, 0.3)
    assert objective.teacher.dtype == torch.float32
    assert list(objective.parameters()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_an_error(embeddings, value):
    embeddings[0][2, 3] = value
    with pytest.raises(WorkbookError, match=r"no longer a finite number: lower learning_rate"):
        loss_of(Objective(None, SCALE), embeddings)
