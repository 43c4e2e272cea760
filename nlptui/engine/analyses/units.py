"""Which units of the feed-forward layers are at work: at each token, and anywhere in the text.

    active at a token   post > 0, for ReLU and for GELU, whose output below zero is near zero
    silent              the share of units that are not, at each token
    dead                the share of units that are active at no token of this text

Source: Geva et al. 2021, "Transformer Feed-Forward Layers Are Key-Value Memories".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.engine.analyses.norms import fits
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

__all__ = ["fits", "record"]


def modules(trace: Trace) -> list[str]:
    """The prefixes of all feed-forward layers, `blocks.0.mlp.` and so on."""
    return [name.removesuffix("post") for name in trace.activations if name.endswith("mlp.post")]


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """Of every feed-forward layer `silent` (batch pos stat), `highest` (batch d_ff), `dead` (batch stat)."""
    for module in modules(trace):
        side = {"encoder": "src", "decoder": "tgt"}.get(module.split(".")[0], "tokens")
        scope = rec.at(module.rstrip("."), pos=side, post=f"{module}post")
        post: Any = trace[f"{module}post"].value
        active = (post > 0).to(post)
        silent = 1 - active.mean(-1, keepdim=True)
        scope("silent", silent, "batch pos stat", by="1 - mean(positive(post))")
        highest = scope("highest", post.amax(1), "batch d_ff", by="max_pos(post)")
        dead = 1 - (highest > 0).to(post).mean(-1, keepdim=True)
        scope("dead", dead, "batch stat", by="1 - mean(positive(highest))")
