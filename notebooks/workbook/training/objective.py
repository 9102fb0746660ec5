"""What a step of training minimises: Sentence Transformers' in-batch ranking loss, maybe softened by a teacher.

A transformer's similarities between the documents of the batch say which misses are near, and those cost less. (The
same loss on one-bit vectors, with a straight-through gradient, was tried at commit ec18af6: one-bit search gained
nothing by it, so it is gone.)
"""

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.util import cos_sim
from torch import Tensor
from torch.nn import functional

from workbook.errors import WorkbookError


class Objective(MultipleNegativesRankingLoss):
    """MultipleNegativesRankingLoss with a softer target; the labels of a batch are its documents' rows in `teacher`.

    `teacher`: float32 (documents, d), vectors of the transformer, or None. `teacher_weight`: the share of the target
    it decides, 0 to 1.
    The loss must stay finite: otherwise WorkbookError, before the step is taken.
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
        if not torch.isfinite(loss):
            raise WorkbookError("the loss is no longer a finite number: lower learning_rate")
        return loss
