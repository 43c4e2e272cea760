"""How close two tensors are, and how to run a network on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nlptui.trace import Recorder

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
"""Largest |Δ| that two implementations of one equation may have."""


def assert_close(ours: Tensor, theirs: Tensor, keep: Tensor | None = None) -> None:
    """|Δ| ≤ the tolerance of the type, where `keep` (leading axes) is true; NaN never passes."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if keep is not None:
        ours, theirs = ours[keep], theirs[keep]
    assert ours.numel()
    worst = (ours - theirs).abs().max().item()
    assert worst <= TOLERANCE[ours.dtype], f"max |Δ| = {worst:.2e}"


def recorder_for(module: nn.Module) -> Recorder:
    """A recorder that knows the parameters of `module`."""
    return Recorder({**dict(module.named_parameters()), **dict(module.named_buffers())})


def recorded(module: nn.Module, call: Callable[[Recorder], Any]) -> tuple[Any, dict[str, Tensor]]:
    """What `call` returns with a recorder for `module`, and every activation by name."""
    recorder = recorder_for(module)
    with torch.no_grad():
        result = call(recorder)
    return result, {name: activation.value for name, activation in recorder.activations.items()}
