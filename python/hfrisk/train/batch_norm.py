"""Batch normalisation over the whole batch where it is spread over processes.

PyTorch's own does this on CUDA only. With it, several processes train to what one trains to, and their running statistics agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor, nn

if TYPE_CHECKING:
    from typing import Any


class _MeanOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:  # noqa: ANN401
        return _mean(values)

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        # The sum of the ranks' losses depends on these values through the mean that all ranks use.
        return _mean(gradient)


class SharedBatchNorm(nn.BatchNorm2d):
    """`BatchNorm2d` whose mean and variance in training are those of all ranks' batches, which are equally large."""

    def forward(self, x_BC1T: Tensor) -> Tensor:  # noqa: N803
        """Normalise over all but the maps: (B, C, 1, T) to the same."""
        if not self.training:
            normalised: Tensor = super().forward(x_BC1T)
            return normalised
        x = x_BC1T.float()
        mean_C, mean_square_C = _across_ranks(torch.stack([x.mean(dim=(0, 2, 3)), x.square().mean(dim=(0, 2, 3))])).unbind()  # noqa: N806
        variance_C = (mean_square_C - mean_C.square()).clamp_min(0)  # noqa: N806
        self._follow(mean_C.detach(), variance_C.detach(), x.numel() // len(mean_C) * dist.get_world_size())
        scale_C = torch.rsqrt(variance_C + self.eps) * self.weight  # noqa: N806
        shift_C = self.bias - mean_C * scale_C  # noqa: N806
        return torch.addcmul(shift_C[:, None, None], x, scale_C[:, None, None]).to(x_BC1T.dtype)

    @torch.no_grad()
    def _follow(self, mean_C: Tensor, variance_C: Tensor, num_values: int) -> None:  # noqa: N803
        assert self.running_mean is not None  # noqa: S101
        assert self.running_var is not None  # noqa: S101
        assert self.num_batches_tracked is not None  # noqa: S101
        assert self.momentum is not None  # noqa: S101
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(variance_C * num_values / max(1, num_values - 1), self.momentum)


def share_batch_norm(model: nn.Module) -> None:
    """Exchange the normalisations of a network for shared ones, in place; parameters, buffers and their names stay."""
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm2d):
            shared = SharedBatchNorm(child.num_features, eps=child.eps, momentum=child.momentum)
            shared.weight, shared.bias = child.weight, child.bias
            shared.running_mean, shared.running_var = child.running_mean, child.running_var
            shared.num_batches_tracked = child.num_batches_tracked
            setattr(model, name, shared)
        else:
            share_batch_norm(child)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _across_ranks(values: Tensor) -> Tensor:
    shared: Tensor = _MeanOverRanks.apply(values)  # type: ignore[no-untyped-call]
    return shared


def _mean(values: Tensor) -> Tensor:
    total = values.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()
