"""What a step of training minimises: Sentence Transformers' in-batch ranking loss, with two optional terms.

`teacher`: a transformer's similarities between the documents of the batch soften the target, so that a near miss costs
less than a far one. `binary`: the same loss on one-bit vectors, whose gradient passes straight through the sign.
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
    """MultipleNegativesRankingLoss, plus weighted terms; the labels of a batch are its documents' rows in `teacher`.

    `teacher`: float32 (documents, d), vectors of the transformer, or None. `teacher_weight`: the share of the target
    it decides, 0 to 1. `binary_weight`: how much the loss on one-bit vectors adds.
    The loss must stay finite: otherwise WorkbookError, before the step is taken.
    """

    def __init__(
        self, model: SentenceTransformer, scale: float, teacher: np.ndarray | None = None,
        teacher_weight: float = 0.0, binary_weight: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(model, scale=scale)
        self.teacher = None if teacher is None else torch.from_numpy(np.array(teacher, dtype=np.float32))
        self.teacher_weight = teacher_weight
        self.binary_weight = binary_weight

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """Loss of a batch: embeddings of its anchors and positives, (batch, d) each, and its labels, (batch,)."""
        loss = super().compute_loss_from_embeddings(embeddings, labels)
        if self.teacher_weight:
            rows = self.teacher[labels]
            soft = torch.softmax(cos_sim(rows, rows) * self.scale, dim=1)
            softened = functional.cross_entropy(cos_sim(*embeddings) * self.scale, soft)
            loss = (1 - self.teacher_weight) * loss + self.teacher_weight * softened
        if self.binary_weight:
            signs = [straight_through_sign(each) for each in embeddings]
            loss = loss + self.binary_weight * super().compute_loss_from_embeddings(signs, labels)
        if not torch.isfinite(loss):
            raise WorkbookError("the loss is no longer a finite number: lower learning_rate")
        return loss


def straight_through_sign(values: Tensor) -> Tensor:
    """Signs of the values, -1 or 1, whose gradient is that of the values themselves (Bengio et al. 2013)."""
    return values + (torch.where(values > 0, 1.0, -1.0) - values).detach()
