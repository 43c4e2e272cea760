"""The training that experiments share: updates of a network, one at a time, and how often it is right.

Knows nothing of what is trained: it gets a function that gives the loss of the next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from nlptui.train.experiments.parts import Step
from nlptui.train.optimize import AdamW, clip_gradients, learning_rate
from nlptui.train.recipe import TrainConfig

Loss = Callable[[], Tensor]
"""The loss of the next batch."""


def updates(model: nn.Module, loss_of_next: Loss, steps: int, rate: float) -> Iterator[Step]:
    """`steps` updates with AdamW: a tenth of them to warm up, then a cosine; gradients clipped at 1.

    The network is in training mode while it is trained, and left in the other.
    """
    settings = TrainConfig(
        steps=steps, learning_rate=rate, warmup=steps // 10, final_rate=0.05, weight_decay=0.01, clip=1.0
    )
    parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = AdamW(parameters, settings)
    for step in range(1, steps + 1):
        model.train()
        optimizer.zero_grad()
        loss = loss_of_next()
        loss.backward()  # type: ignore[no-untyped-call]
        clip_gradients(parameters.values(), settings.clip)
        optimizer.step(learning_rate(settings, step, steps))
        model.eval()
        yield Step(loss.item())


def share_right(scores: Tensor, answers: Tensor) -> float:
    """How often the largest of the last axis of `scores` is at the answer."""
    return (scores.argmax(-1) == answers).float().mean().item()


def parameter_count(model: nn.Module) -> int:
    """Numbers that training may change."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def generator_of(seed: int) -> torch.Generator:
    """Random numbers of its own for a part's examples; also starts torch's own, for the weights."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(1_000_003 * (seed + 1))
