"""Attribution: how much each token of the input had to do with one logit, in three ways side by side.

    gradient × input        Σ_d x_d · ∂ logit / ∂ x_d                     x: the token's embedding
    integrated gradients    Σ_d x_d · ∫₀¹ ∂ logit / ∂ x_d at α·x dα       they add up to logit(x) − logit(0)
    attention               the token's share in the vector on top, by attention rollout

The integral is taken over 32 to 256 points (Gauss–Legendre). Sources: Sundararajan et al. 2017, "Axiomatic
Attribution for Deep Networks"; Abnar & Zuidema 2020.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nlptui.engine.analyses import gradient, rollout
from nlptui.engine.analyses.gradient import define, logit_of, run_again
from nlptui.engine.inputs import batch_of
from nlptui.locale import _
from nlptui.nn import OFF, Batch
from nlptui.trace import Edit, Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

POINTS = (32, 64, 128, 256)
"""How many points the integral is taken over: more where fewer do not add up."""
CLOSE = 1e-4
"""How far the sum of the integrated gradients may miss the gain before more points are taken."""
AXES = ("batch", "pos")


def fits(config: Any) -> bool:
    """Whether there is a logit with a gradient, and the text's tokens are embedded."""
    return gradient.fits(config)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`gradient_input`, `integrated`, `attention` (batch pos); `gap` (batch) is by how much the
    sum of the second misses what the logit gains from embeddings of zeros to those of the text.
    """
    name, place = logit_of(trace, asked)
    embed: Any = trace["token_embed"].value
    element = f"{name}[{','.join(map(str, (0, *place)))}]"
    made_of = (("token_embed", None), (name, (0, *place)))
    value: Any = trace[name].value[(0, *place)]
    for count in POINTS:
        slope, zero, mean = _integral(engine, trace, name, place, count)
        if abs(float((embed * mean).sum() - (value - zero))) < CLOSE:
            break
    words = _("∂ {logit} / ∂ x, by autograd").format(logit=element)
    full = define(rec, "slope", slope, trace["token_embed"].axes, words, made_of)
    rec("gradient_input", (embed * slope).sum(-1), "batch pos", by=f"sum(token_embed * {full})")

    words = _("the mean of ∂ {logit} / ∂ x along the way from embeddings of zeros to x, by autograd")
    full = define(rec, "mean_slope", mean, trace["token_embed"].axes, words.format(logit=element), made_of)
    integrated = rec("integrated", (embed * mean).sum(-1), "batch pos", by=f"sum(token_embed * {full})")
    rec.input("at_zero", zero.reshape(1), "batch")
    rec.input("at_text", value.reshape(1), "batch")
    gap = integrated.sum(-1) - (value - zero)
    rec("gap", gap, "batch", by="sum(integrated) - (at_text - at_zero)")

    _attention(trace, rec, place)


def _integral(
    engine: Engine, trace: Trace, name: str, place: tuple[int, ...], count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient at x, the logit at zero, and the mean gradient on the way, over `count` points."""
    points, weights = np.polynomial.legendre.leggauss(count)
    slopes, values = _along(engine, trace, name, place, [1.0, 0.0, *((points + 1) / 2).tolist()])
    shares = torch.from_numpy(weights / 2).to(slopes)
    return slopes[:1], values[1], torch.einsum("n,npd->pd", shares, slopes[2:])[None]


def _along(
    engine: Engine, trace: Trace, name: str, place: tuple[int, ...], shares: list[float]
) -> tuple[Tensor, Tensor]:
    """The gradients (share pos d_model) of the logit, and the logit (share), for embeddings of these sizes.

    All in one batch by the fused kernels; with edits in force one by one, on record.
    """
    if trace.edits:
        found = [_at_share(engine, trace, name, place, share) for share in shares]
        return torch.cat([slope for slope, _value in found]), torch.stack([value for _s, value in found])
    kept: list[Tensor] = []

    def scaled(module: Any, given: Any, embedded: Tensor) -> Tensor:
        sizes = embedded.new_tensor(shares)[:, None, None]
        kept.append((embedded.detach() * sizes).requires_grad_())
        return kept[0]

    embedding: Any = engine.model.token_embedding
    hook = embedding.register_forward_hook(scaled)
    try:
        with torch.enable_grad():
            batch = _repeated(batch_of(trace.encoding, engine.device), len(shares))
            values = engine.model(batch, OFF)[name][(slice(None), *place)]
            (slopes,) = torch.autograd.grad(values.sum(), kept)
    finally:
        hook.remove()
    return slopes.detach(), values.detach()


def _at_share(
    engine: Engine, trace: Trace, name: str, place: tuple[int, ...], share: float
) -> tuple[Tensor, Tensor]:
    """The gradient for embeddings of `share` times their size, and the logit there, edits and all."""
    more = () if share == 1.0 else (Edit("token_embed", (), "scale", amount=share),)
    watched, value = run_again(engine, trace, name, place, *more)
    (slope,) = torch.autograd.grad(value, [watched.activations["token_embed"].value])
    return slope.detach(), value.detach()


def per_token(batch: Batch) -> dict[str, Tensor]:
    """What the batch holds of each token."""
    held = {key: getattr(batch, key) for key in ("ids", "segments", "chars")}
    return {key: value for key, value in held.items() if value is not None}


def _repeated(batch: Batch, times: int) -> Batch:
    """A batch of one, so many times."""
    held = per_token(batch)
    return replace(batch, **{k: v.expand(times, *v.shape[1:]) for k, v in held.items()})


def _attention(trace: Trace, rec: Recorder, place: tuple[int, ...]) -> None:
    """The row of the rollout for the position asked about; a pooled text asks with its first token."""
    blocks = [layers[-1].rsplit(".", 2)[0] for layers in rollout.stacks(trace)]
    if not blocks:
        return
    rolled = f"analysis.rollout.{blocks[0]}.rollout"
    weights: Any = trace[rolled].value
    row = place[0] if len(place) == 2 else 0
    rec.root.met[rolled] = None
    rec.input("row", torch.tensor(float(row)), "")
    rec("attention", weights[:, row], "batch pos", by=f"pick(swap({rolled}), row)")
