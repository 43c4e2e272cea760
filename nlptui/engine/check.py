"""Our step-by-step numbers against torch's fused ones, part by part, for a loaded model.

The recorded path computes every gate, score and norm by its equation; the other path runs torch's fused
recurrent, attention and LayerNorm kernels. Both must tell the same story.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nlptui.nn import OFF, Batch
from nlptui.trace import Recorder


def differences(model: nn.Module, reference: nn.Module, batch: Batch) -> dict[str, float]:
    """Part or output → max |Δ| of `model` on record from `reference` run fused, over max(1, max |value|)."""
    recorder = Recorder({**dict(model.named_parameters()), **dict(model.named_buffers())})
    with torch.no_grad():
        outputs = model(batch, recorder)
        fused, fused_outputs = _parts(reference, batch)
    ours = {name: activation.value for name, activation in recorder.activations.items()}
    found = {
        name: _difference(ours[key], fused[name])
        for name in fused
        if (key := _recorded(name, fused[name], ours))
    }
    return found | {name: _difference(outputs[name], fused_outputs[name]) for name in outputs}


def _parts(model: nn.Module, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs of every module in a fused run."""
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, Tensor):
                seen[name] = value

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    try:
        return seen, model(batch, OFF)
    finally:
        for handle in handles:
            handle.remove()


def _recorded(part: str, value: Tensor, ours: dict[str, Tensor]) -> str:
    """The activation that a module's output corresponds to; empty where the module has none of its own."""
    candidates = [
        part,
        f"{part}.out",
        f"{part}.resid_post",
        f"{part}.mlp_norm",
        f"{part}.pooled",
        f"{part}.logits",
    ]
    if part == "layers":
        candidates = sorted(
            (name for name in ours if name.count(".") == 2 and name.endswith(".hidden")), reverse=True
        )
        candidates = [
            max(
                (name for name in candidates if name.split(".")[2] == "hidden"),
                key=lambda n: int(n.split(".")[1]),
            )
        ]
    return next((name for name in candidates if name in ours and ours[name].shape == value.shape), "")


def _difference(ours: Tensor, theirs: Tensor) -> float:
    scale = max(1.0, float(theirs.abs().max())) if theirs.numel() else 1.0
    return float((ours - theirs).abs().max()) / scale if theirs.numel() else 0.0
