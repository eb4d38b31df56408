"""How much the model leans on each tabular feature: the AUROC that is lost when the feature is shuffled among persons."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from hfrisk import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hfrisk.batches import Batch
    from hfrisk.model import CombinedModel
    from hfrisk.tabular import FeatureStatistics

NUM_REPEATS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Importance:
    """What one feature is worth.

    Attributes:
        feature: Raw column.
        auroc_drop: Mean loss of AUROC over the repetitions; near 0 where the model does without the feature.
        low: Smallest loss among the repetitions.
        high: Largest.
    """

    feature: str
    auroc_drop: float
    low: float
    high: float


def permutation_importance(
    model: CombinedModel,
    batches: Iterable[Batch],
    persons: NDArray[np.generic],
    statistics: FeatureStatistics,
    *,
    num_repeats: int = NUM_REPEATS,
    seed: int = 0,
) -> list[Importance]:
    """Shuffle one feature at a time, with its missing indicator, among persons, and see how much worse the ranking gets.

    All ECGs of a person get the feature of one other person, as in life. The ECGs are embedded once.

    Args:
        model: The network, in evaluation mode.
        batches: The test split, in the order of `persons`.
        persons: Person of each ECG, (N,).
        statistics: Of the features.
        num_repeats: Shuffles of each feature.
        seed: Of the shuffles.

    Returns:
        One entry a feature, the most important first.
    """
    embedded, x_BF, y = _embed(model, batches)  # noqa: N806
    # One line a person stands for all of the person's ECGs: comorbidities are the person's, and ages differ by little.
    _, first, of_person = np.unique(persons, return_index=True, return_inverse=True)
    ranked = _Remembering(model, embedded)
    before = metrics.auroc(y, ranked.logits(x_BF))
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(first)) for _ in range(num_repeats)]
    found = []
    for position, name in enumerate(statistics.names):
        columns = [position]
        if name in statistics.indicators:
            columns.append(len(statistics.names) + statistics.indicators.index(name))
        drops = []
        for order in orders:
            shuffled = x_BF.copy()
            shuffled[:, columns] = x_BF[first[order]][of_person][:, columns]
            drops.append(before - metrics.auroc(y, ranked.logits(shuffled)))
        found.append(Importance(name, float(np.mean(drops)), min(drops), max(drops)))
    return sorted(found, key=lambda one: -one.auroc_drop)


def _embed(model: CombinedModel, batches: Iterable[Batch]) -> tuple[Tensor | None, NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings of the ECGs (None where the model reads none), encoded features and outcomes."""
    embeddings, features, outcomes = [], [], []
    with torch.inference_mode():
        for batch in batches:
            assert batch.x_BF is not None, "the model reads features"  # noqa: S101
            features.append(batch.x_BF.cpu().numpy())
            outcomes.append(batch.y.cpu().numpy())
            if model.ecg is not None and batch.x_BLT is not None:
                embeddings.append(model.ecg(batch.x_BLT * model.scale))
    return (torch.cat(embeddings) if embeddings else None), np.concatenate(features), np.concatenate(outcomes)


class _Remembering(nn.Module):
    """Stands in for the ECG encoder of a model and gives back what the encoder gave for the whole split."""

    def __init__(self, model: CombinedModel, embedded: Tensor | None) -> None:
        super().__init__()
        self._model = [model]  # in a list, so that it does not become a part of this module
        self._embedded = embedded

    def forward(self, _x_BLT: Tensor) -> Tensor | None:  # noqa: N803
        return self._embedded

    def logits(self, x_BF: NDArray[np.float32]) -> NDArray[np.float64]:  # noqa: N803
        (model,) = self._model
        encoder = model.ecg
        device = model.logit_shift.device
        try:
            model.ecg = None if encoder is None else self
            with torch.inference_mode():
                logits: Tensor = model(torch.zeros(1, device=device), torch.from_numpy(x_BF).to(device))
        finally:
            model.ecg = encoder
        found: NDArray[np.float64] = logits.cpu().numpy().astype(np.float64)
        return found
