"""The slope of ReLU averaged over a stretch of the way, instead of taken at the points of an integral.

At a point the slope is 0 or 1, and thousands of units switch somewhere along the way: a sum over points then
comes near the integral as 1 / points only. Between two neighbours of a batch that walks along the way,

    mean slope = (relu(b) − relu(a)) / (b − a)          a, b: before ReLU, at the ends of a point's share

which is the integral itself where the way of `pre` is straight. Knows nothing of what is integrated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nlptui.nn.layers import FeedForward


class _Averaged(torch.autograd.Function):
    """ReLU, with a slope for each row that is the mean over the row's share of its stretch."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, points: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(pre, points, weights)
        return pre.relu()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        pre, points, weights = ctx.saved_tensors
        rows = pre.unflatten(0, (-1, len(points)))
        # Where one point's share ends and the next one's begins, which is between the two points.
        between = (weights.cumsum(0)[:-1] - points[:-1]) / points.diff()
        between = between.to(rows).reshape(-1, *[1] * (rows.ndim - 2))
        ends = torch.cat([rows[:, :1], torch.lerp(rows[:, :-1], rows[:, 1:], between), rows[:, -1:]], 1)
        way = ends.diff(dim=1)
        slope = torch.where(way == 0, (rows > 0).to(way), ends.relu().diff(dim=1) / way)
        return grad * slope.flatten(0, 1), None, None


@contextmanager
def averaged(model: nn.Module, points: Sequence[float], weights: Sequence[float]) -> Iterator[None]:
    """While this holds, batches of `model` are stretches of `points`, and ReLUs have their mean slopes."""
    share = (torch.tensor(points, dtype=torch.float64), torch.tensor(weights, dtype=torch.float64))
    hooks = []
    for layer in model.modules():
        if isinstance(layer, FeedForward) and layer.activation == "relu":
            hooks += _hooks(layer, share)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hooks(layer: FeedForward, share: tuple[Tensor, Tensor]) -> list[Any]:
    """Note what goes into the layer's ReLU, and put ours in its place."""
    held: list[Tensor] = []

    def note(module: nn.Module, given: Any, pre: Tensor) -> None:
        held[:] = [pre]

    def replace(module: nn.Module, given: Any) -> tuple[Tensor]:
        return (_Averaged.apply(held[0], *share),)  # type: ignore[no-untyped-call]

    return [layer.up.register_forward_hook(note), layer.down.register_forward_pre_hook(replace)]
