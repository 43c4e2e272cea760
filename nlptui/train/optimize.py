"""How the weights move: AdamW, the learning-rate schedule, clipping, and the moving average of the weights.

Knows nothing of models, data or runs; it gets named parameters and numbers.
Sources: Loshchilov & Hutter 2019 (AdamW, cosine schedule); Polyak & Juditsky 1992 (averaging).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nlptui.train.recipe import TrainConfig

NamedParameters = dict[str, nn.Parameter]


class AdamW:
    """AdamW (Loshchilov & Hutter 2019), every step in one fused kernel; only matrices decay.

        m = β₁ m + (1 − β₁) g
        v = β₂ v + (1 − β₂) g²
        w = w − η λ w − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    The kernel is torch's own; `torch.optim`, which takes as long to load as torch itself, stays out of it.
    """

    def __init__(self, parameters: NamedParameters, train: TrainConfig) -> None:
        self.parameters = parameters
        self.first = {name: torch.zeros_like(weight) for name, weight in parameters.items()}
        self.second = {name: torch.zeros_like(weight) for name, weight in parameters.items()}
        self.steps = {name: torch.zeros((), device=weight.device) for name, weight in parameters.items()}
        self.betas = (train.beta1, train.beta2)
        self.groups = [
            ([name for name, weight in parameters.items() if weight.ndim >= 2], train.weight_decay),
            ([name for name, weight in parameters.items() if weight.ndim < 2], 0.0),
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.parameters.values():
            weight.grad = None

    @torch.no_grad()
    def step(self, rate: float, skip: Tensor | None = None) -> None:
        """Move every weight that has a gradient; η is `rate`.

        skip: on the device, 1 where gradients are no numbers and nothing may move, else 0.
        """
        for group, decay in self.groups:
            moved = [(name, grad) for name in group if (grad := self.parameters[name].grad) is not None]
            if not moved:
                continue
            names = [name for name, _grad in moved]
            steps = [self.steps[name] for name in names]
            torch._foreach_add_(steps, 1)
            if skip is not None:
                torch._foreach_sub_(steps, [skip] * len(steps))
            torch._fused_adamw_(
                [self.parameters[name] for name in names],
                [grad for _name, grad in moved],
                [self.first[name] for name in names],
                [self.second[name] for name in names],
                [],
                steps,
                lr=rate,
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=decay,
                eps=1e-8,
                amsgrad=False,
                maximize=False,
                found_inf=skip,
            )

    def tensors(self) -> dict[str, Tensor]:
        """m, v and t of every weight, by name."""
        parts = {"first": self.first, "second": self.second, "step": self.steps}
        return {
            f"optimizer/{part}/{name}": value
            for part, values in parts.items()
            for name, value in values.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put what `tensors` gave back."""
        for key, value in self.tensors().items():
            value.copy_(tensors[key])


def learning_rate(train: TrainConfig, step: int, steps: int) -> float:
    """The rate of update number `step` (from 1) of `steps`: up in a line, then as the schedule says."""
    if step <= train.warmup:
        return train.learning_rate * step / train.warmup
    progress = min(1.0, (step - train.warmup) / max(1, steps - train.warmup))
    shape = {"constant": 1.0, "linear": 1.0 - progress, "cosine": 0.5 * (1.0 + math.cos(math.pi * progress))}
    if train.schedule == "constant":
        return train.learning_rate
    return train.learning_rate * (train.final_rate + (1.0 - train.final_rate) * shape[train.schedule])


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
