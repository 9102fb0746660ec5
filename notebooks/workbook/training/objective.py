"""What a step of training minimises: Sentence Transformers' in-batch ranking loss, maybe softened by a teacher, or the
same among document vectors that stay as the teacher gave them.

The teacher, a transformer, tells how similar the documents of a batch are: to rank a similar one too high costs less.
(The same loss on one-bit vectors was tried at commit ec18af6 and gained nothing in one-bit search.)
"""

from collections.abc import Iterable

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.util import cos_sim
from torch import Tensor, nn
from torch.nn import functional

from workbook.errors import WorkbookError


class Objective(MultipleNegativesRankingLoss):
    """MultipleNegativesRankingLoss with a softer target; the labels of a batch are its documents' rows in `teacher`.

    `teacher` are the transformer's vectors, float32 (documents, d), or None; `teacher_weight` is the share of the
    target that they decide, 0 to 1. Raises WorkbookError for a loss that is not finite, before the step is taken.
    """

    def __init__(
        self, model: SentenceTransformer, scale: float, teacher: np.ndarray | None = None, teacher_weight: float = 0.0
    ) -> None:
        super().__init__(model, scale=scale)
        self.teacher = None if teacher is None else torch.from_numpy(np.array(teacher, dtype=np.float32))
        self.teacher_weight = teacher_weight

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """Loss of a batch: embeddings of its anchors and positives, (batch, d) each, and its labels, (batch,)."""
        loss = super().compute_loss_from_embeddings(embeddings, labels)
        if self.teacher_weight:
            rows = self.teacher[labels]
            soft = torch.softmax(cos_sim(rows, rows) * self.scale, dim=1)
            softened = functional.cross_entropy(cos_sim(*embeddings) * self.scale, soft)
            loss = (1 - self.teacher_weight) * loss + self.teacher_weight * softened
        return _finite(loss)


class FrozenDocuments(nn.Module):
    """In-batch ranking loss of queries alone: the labels of a batch are its anchors' documents' rows in `vectors`.

    `vectors` are the documents' by another model, of length 1, float32 (documents, d); only the queries' model learns.
    A document that several anchors of a batch share is one to find, and never a wrong one.
    """

    def __init__(self, model: SentenceTransformer, scale: float, vectors: np.ndarray) -> None:
        super().__init__()
        self.model, self.scale = model, scale
        self.vectors = torch.from_numpy(vectors)

    def forward(self, features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """Loss of a batch: the features of its anchors alone, and its labels, (batch,)."""
        (anchors,) = features
        queries = functional.normalize(self.model(anchors)["sentence_embedding"])
        documents, own = labels.unique(return_inverse=True)
        return _finite(functional.cross_entropy(queries @ self.vectors[documents].T * self.scale, own))


def _finite(loss: Tensor) -> Tensor:
    if not torch.isfinite(loss):
        raise WorkbookError("the loss is no longer a finite number: lower learning_rate")
    return loss
