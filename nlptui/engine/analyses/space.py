"""The space of vectors: which tokens of the text are near each other, in the embedding and after each layer.

    unit_t   = x_t / |x_t|
    cosine   = unit_s · unit_t                       1: the same direction
    map      = (x − mean of x) · v₁, v₂              the plane in which the vectors spread most (PCA)

Typed as a text, a list of words is compared word with word. Source: Pearson 1901 (principal components).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.config import CLASSICAL
from nlptui.engine.analyses.gradient import define
from nlptui.locale import _
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

KINDS = ("token_embed", "hidden", "resid_post", "mlp_norm")
EPSILON = 1e-12


def fits(config: Any) -> bool:
    """Every network has vectors of its tokens."""
    return config.arch not in CLASSICAL


def layers(trace: Trace) -> list[str]:
    """The names of the vectors to compare: the embedding's, then each layer's, both directions joined."""
    return [
        name
        for name in trace.activations
        if name.rsplit(".", 1)[-1] in KINDS and ".forward." not in name and ".backward." not in name
    ]


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """Of every layer `{name}.cosine` (batch query key) and `{name}.map` (batch pos component)."""
    for name in layers(trace):
        side = {"encoder": "src", "decoder": "tgt"}.get(name.split(".")[0], "tokens")
        scope = rec.at(name, pos=side, query=side, key=side)
        x: Any = trace[name].value
        size = scope("length", size_of(x), "batch pos stat", by=f"sqrt(mean(square({name})) * {x.shape[-1]})")
        unit = scope("unit", x / size.clamp(min=EPSILON), "batch pos d_model", by=f"{name} / length")
        scope("cosine", unit @ unit.transpose(1, 2), "batch query key", by="dot(unit, unit)")
        spread, share = principal(x[0])
        words = _("x minus the mean of all x, projected on their two principal components")
        define(scope, "map", spread[None], ("batch", "pos", "component"), words, ((name, None),))
        words = _("the share of the spread of all x that lies along the component")
        define(scope, "share", share[None], ("batch", "component"), words, ((name, None),))


def size_of(x: Tensor) -> Tensor:
    """√Σ x², the last axis kept."""
    return x.square().sum(-1, keepdim=True).sqrt()


def principal(x: Tensor) -> tuple[Tensor, Tensor]:
    """Two coordinates of each row (pos 2), the largest of each positive; the share of the spread on each."""
    centred = x.double() - x.double().mean(0)
    _u, s, vh = torch.linalg.svd(centred, full_matrices=False)
    found = centred @ vh[:2].T
    found = found * torch.where(found.gather(0, found.abs().argmax(0, keepdim=True)) < 0, -1.0, 1.0)
    spread = s[:2].square() / s.square().sum().clamp(min=EPSILON)
    missing = 2 - found.shape[1]
    if missing > 0:
        found, spread = (torch.nn.functional.pad(value, (0, missing)) for value in (found, spread))
    return found.to(x.dtype), spread.to(x.dtype)
