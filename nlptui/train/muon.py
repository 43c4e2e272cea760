"""Muon: the matrices inside a network move by orthogonal steps, everything else by AdamW.

Knows nothing of models but the names of their parts, nothing of data or runs.
Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the iteration and its
coefficients are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nlptui.train.optimize import AdamW, NamedParameters
from nlptui.train.recipe import TrainConfig

_INSIDE = ("blocks.", "encoder.", "decoder.", "layers.")
_MOMENTUM = 0.95
_STEPS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon:
    """One step for a matrix w with the gradient g (embeddings, heads, vectors: AdamW's step).

        m = μ m + (1 − μ) g
        u = μ m + (1 − μ) g
        w = w − η λ w − η √max(1, rows / columns) · orthogonal(u)

    η is `matrix_rate`, scheduled as the other rate. Gates that a recurrent layer keeps in one matrix are
    matrices of their own.
    """

    def __init__(self, parameters: NamedParameters, train: TrainConfig) -> None:
        matrices = {name: weight for name, weight in parameters.items() if is_matrix(name, weight)}
        self.matrices = matrices
        self.rest = AdamW({name: w for name, w in parameters.items() if name not in matrices}, train)
        self.momentum = {name: torch.zeros_like(weight) for name, weight in matrices.items()}
        self.peak, self.matrix_rate, self.decay = train.learning_rate, train.matrix_rate, train.weight_decay

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.rest.zero_grad()
        for weight in self.matrices.values():
            weight.grad = None

    @torch.no_grad()
    def step(self, rate: float, skip: Tensor | None = None) -> None:
        """Move every weight that has a gradient; `rate` is AdamW's, and says how far the schedule is.

        skip: on the device, 1 where gradients are no numbers and nothing may move, else 0.
        """
        self.rest.step(rate, skip)
        moved = [(name, grad) for name, w in self.matrices.items() if (grad := w.grad) is not None]
        if not moved or not self.peak:
            return
        rate = self.matrix_rate * rate / self.peak
        gradients = [grad if skip is None else grad.where(skip == 0, 0.0) for _name, grad in moved]
        momenta = [self.momentum[name] for name, _grad in moved]
        if skip is None:
            torch._foreach_lerp_(momenta, gradients, 1 - _MOMENTUM)
        else:
            for momentum, gradient in zip(momenta, gradients, strict=True):
                momentum.lerp_(gradient, (1 - _MOMENTUM) * (1.0 - skip))
        updates = torch._foreach_lerp(gradients, momenta, _MOMENTUM)
        # Matrices of one shape go through the iteration together.
        shapes: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
        for (name, _grad), update in zip(moved, updates, strict=True):
            gates = self._gates(name)
            for part, of in zip(self.matrices[name].chunk(gates), update.chunk(gates), strict=True):
                shapes.setdefault(of.shape, []).append((part, of))
        for (rows, columns), pairs in shapes.items():
            directions = orthogonal(torch.stack([update for _part, update in pairs]))
            length = rate * max(1.0, rows / columns) ** 0.5
            for (part, _update), direction in zip(pairs, directions, strict=True):
                if skip is None:
                    part.mul_(1 - rate * self.decay).add_(direction, alpha=-length)
                else:
                    went = 1.0 - skip
                    part.mul_(1 - rate * self.decay * went).sub_(direction * (length * went))

    def _gates(self, name: str) -> int:
        """How many matrices lie in one: 4 in an LSTM's, 3 in a GRU's, else 1."""
        recurrent = self.matrices.get(name.replace(".weight_ih_", ".weight_hh_"))
        if recurrent is None or not name.startswith("layers."):
            return 1
        return recurrent.shape[0] // recurrent.shape[1]

    def tensors(self) -> dict[str, Tensor]:
        """What resuming needs, by name."""
        own = {f"optimizer/momentum/{name}": value for name, value in self.momentum.items()}
        return self.rest.tensors() | own

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put what `tensors` gave back."""
        for key, value in self.tensors().items():
            value.copy_(tensors[key])


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether Muon moves this parameter: a matrix inside a block or a recurrent layer."""
    return weight.ndim == 2 and name.startswith(_INSIDE)


def orthogonal(x: Tensor) -> Tensor:
    """Near U Vᵀ of the singular value decomposition of each matrix (n rows columns): values 0.7–1.2.

    x ← a x + (b x xᵀ + c (x xᵀ)²) x, five times, from x / ‖x‖.
    """
    a, b, c = _COEFFICIENTS
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _turn in range(_STEPS):
        gram = x @ x.mT
        x = a * x + torch.baddbmm(gram, gram, gram, beta=b, alpha=c) @ x
    return x if wide else x.mT
