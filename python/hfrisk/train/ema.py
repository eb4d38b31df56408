"""The exponential moving average of the weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from hfrisk.model import CombinedModel


class MovingAverage:
    """A second copy of the weights that follows the first.

    The decay rises with the steps, min(decay, (1 + step) / (10 + step)), so that the beginning is forgotten soon. Running means and
    variances are averaged as well; counters are copied.

    Attributes:
        model: The averaged network, never trained.
    """

    def __init__(self, model: CombinedModel, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False)
        self._decay = decay
        state, averaged = model.state_dict(keep_vars=True), self.model.state_dict(keep_vars=True)
        floating = [name for name, tensor in state.items() if tensor.is_floating_point()]
        self._floats: tuple[list[Tensor], list[Tensor]] = [averaged[name] for name in floating], [state[name] for name in floating]
        counters = [name for name in state if name not in floating]
        self._counters: tuple[list[Tensor], list[Tensor]] = [averaged[name] for name in counters], [state[name] for name in counters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the weights after a step, counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(*self._floats, 1 - decay)  # one kernel for all weights
        if self._counters[0]:
            torch._foreach_copy_(*self._counters)
