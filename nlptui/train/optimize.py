"""How the weights move: AdamW, the learning-rate schedule, clipping, and the moving average of the weights.

Knows nothing of models, data or runs; it gets named parameters and numbers.
Sources: Loshchilov & Hutter 2019 (AdamW, cosine schedule); Polyak & Juditsky 1992 (averaging).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nlptui.train.recipe import TrainConfig

NamedParameters = dict[str, nn.Parameter]


def build_optimizer(parameters: NamedParameters, train: TrainConfig) -> torch.optim.AdamW:
    """AdamW, in one fused kernel where torch has it; matrices decay, biases and norms do not."""
    decayed = [parameter for parameter in parameters.values() if parameter.ndim >= 2]
    plain = [parameter for parameter in parameters.values() if parameter.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": train.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    options = {"lr": train.learning_rate, "betas": (train.beta1, train.beta2)}
    try:
        return torch.optim.AdamW([group for group in groups if group["params"]], fused=True, **options)  # type: ignore[arg-type]
    except RuntimeError:
        return torch.optim.AdamW([group for group in groups if group["params"]], **options)  # type: ignore[arg-type]


def learning_rate(train: TrainConfig, step: int, steps: int) -> float:
    """The rate of update number `step` (from 1) of `steps`: up in a line, then as the schedule says."""
    if step <= train.warmup:
        return train.learning_rate * step / train.warmup
    progress = min(1.0, (step - train.warmup) / max(1, steps - train.warmup))
    shape = {"constant": 1.0, "linear": 1.0 - progress, "cosine": 0.5 * (1.0 + math.cos(math.pi * progress))}
    if train.schedule == "constant":
        return train.learning_rate
    return train.learning_rate * (train.final_rate + (1.0 - train.final_rate) * shape[train.schedule])


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> Tensor:
    """Scale all gradients so that their norm is at most `limit` (0: leave them); return the norm."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if limit:
        torch._foreach_mul_(gradients, torch.clamp(limit / (norm + 1e-6), max=1.0))
    return norm


class Average:
    """A moving average of the weights: a ← d·a + (1 − d)·w, with d growing to `decay` at first."""

    def __init__(self, parameters: NamedParameters, decay: float) -> None:
        self.decay = decay
        self.parameters = parameters
        self.values = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.values.values()), list(self.parameters.values()), 1.0 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network holds the averaged weights inside, and its own again after."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self.parameters.items():
            own = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(own)
