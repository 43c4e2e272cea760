"""Attention rollout: how much of each token of the input is left in each vector, layer by layer.

    mixing_l  = ½ · mean over heads of weights_l + ½ · identity      half comes by the residual connection
    rollout_l = mixing_l · rollout_(l−1)

Source: Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers". It follows weights only: what
values, feed-forward layers and norms do to the vectors is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

AXES = "batch query key"


def fits(config: Any) -> bool:
    """Whether a model has stacks of self-attention."""
    return config.arch in ("transformer", "bert", "gpt")


def stacks(trace: Trace) -> list[list[str]]:
    """For each stack of self-attention, the layers' prefixes in order: ["blocks.0.attn.", …]."""
    found: dict[str, list[str]] = {}
    for name in trace.activations:
        if name.endswith((".attn.weights", ".self_attn.weights")):
            found.setdefault(name.split(".")[0], []).append(name.removesuffix("weights"))
    return list(found.values())


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`{layer}.mixing` and `{layer}.rollout` (batch query key) of every layer of every stack."""
    for layers in stacks(trace):
        below = ""
        rolled: Any = None
        for layer in layers:
            weights: Any = trace[f"{layer}weights"].value
            side = (
                "tgt" if layer.startswith("decoder") else "src" if layer.startswith("encoder") else "tokens"
            )
            place = layer.rsplit(".", 2)[0]
            scope = rec.at(place, query=side, key=side)
            identity = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)[None]
            scope.input("identity", identity, AXES)
            by = f"0.5 * mean_head({layer}weights) + 0.5 * identity"
            mixing = scope("mixing", 0.5 * weights.mean(1) + 0.5 * identity, AXES, by=by)
            by = f"mix(mixing, {below})" if below else "mixing"
            rolled = scope("rollout", mixing if rolled is None else mixing @ rolled, AXES, by=by)
            below = f"{rec.prefix}{place}.rollout"
