"""Attribution: how much each token of the input had to do with one logit, in four ways side by side.

    gradient × input        Σ_d x_d · ∂ logit / ∂ x_d                     x: the token's embedding
    integrated gradients    Σ_d x_d · ∫₀¹ ∂ logit / ∂ x_d at α·x dα       they add up to logit(x) − logit(0)
    left out                logit − logit of the text without the token
    attention               the token's share in the vector on top, by attention rollout

The integral is taken over 32 points (Gauss–Legendre). Sources: Sundararajan et al. 2017, "Axiomatic
Attribution for Deep Networks"; Li et al. 2016, "Understanding Neural Networks through Representation
Erasure"; Abnar & Zuidema 2020.
"""

from __future__ import annotations

from dataclasses import fields, replace
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

POINTS = 32
AXES = ("batch", "pos")


def fits(config: Any) -> bool:
    """Whether there is a logit with a gradient, and the text's tokens are embedded."""
    return gradient.fits(config)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`gradient_input`, `integrated`, `left_out`, `attention` (batch pos); `gap` (batch) is by how much the
    sum of the second misses what the logit gains from embeddings of zeros to those of the text.
    """
    name, place = logit_of(trace, asked)
    embed: Any = trace["token_embed"].value
    element = f"{name}[{','.join(map(str, (0, *place)))}]"
    made_of = (("token_embed", None), (name, (0, *place)))
    slope = _slope(engine, trace, name, place, 1.0)[0]
    words = _("∂ {logit} / ∂ x, by autograd").format(logit=element)
    full = define(rec, "slope", slope, trace["token_embed"].axes, words, made_of)
    rec("gradient_input", (embed * slope).sum(-1), "batch pos", by=f"sum(token_embed * {full})")

    mean, zero = _mean_slope(engine, trace, name, place)
    words = _("the mean of ∂ {logit} / ∂ x along the way from embeddings of zeros to x, by autograd")
    full = define(rec, "mean_slope", mean, trace["token_embed"].axes, words.format(logit=element), made_of)
    integrated = rec("integrated", (embed * mean).sum(-1), "batch pos", by=f"sum(token_embed * {full})")
    value: Any = trace[name].value[(0, *place)]
    rec.input("at_zero", zero.reshape(1), "batch")
    rec.input("at_text", value.reshape(1), "batch")
    gap = integrated.sum(-1) - (value - zero)
    rec("gap", gap, "batch", by="sum(integrated) - (at_text - at_zero)")

    without = _left_out(engine, trace, name, place, value)
    words = _("{logit} − the same logit of the text without this token; none for the token asked about")
    define(rec, "left_out", without, AXES, words.format(logit=element), ((name, (0, *place)),))
    _attention(trace, rec, place)


def _slope(
    engine: Engine, trace: Trace, name: str, place: tuple[int, ...], share: float
) -> tuple[Tensor, Tensor]:
    """The gradient for embeddings of `share` times their size, and the logit there."""
    more = () if share == 1.0 else (Edit("token_embed", (), "scale", amount=share),)
    watched, value = run_again(engine, trace, name, place, *more)
    (slope,) = torch.autograd.grad(value, [watched.activations["token_embed"].value])
    return slope.detach(), value.detach()


def _mean_slope(engine: Engine, trace: Trace, name: str, place: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The mean gradient along the way from zero, and the logit at zero."""
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    mean: Any = 0.0
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        mean = mean + float(weight) * _slope(engine, trace, name, place, float(point))[0]
    return mean, _slope(engine, trace, name, place, 0.0)[1]


def _left_out(engine: Engine, trace: Trace, name: str, place: tuple[int, ...], value: Tensor) -> Tensor:
    """By how much the logit falls without each token (batch pos); NaN for the token asked about."""
    batch = batch_of(trace.encoding, engine.device)
    length = batch.ids.shape[1]
    found = torch.full((1, length), torch.nan, dtype=value.dtype)
    spans = name in ("start.logits", "end.logits")
    for i in range(length if length > 1 else 0):
        at = place[0] if len(place) == 2 or spans else None
        if at == i:
            continue
        moved = place if at is None else (at - (i < at), *place[1:])
        found[0, i] = value - _logit(engine, trace, _without(batch, i), name, moved)
    return found


def _logit(engine: Engine, trace: Trace, batch: Batch, name: str, place: tuple[int, ...]) -> Tensor:
    with torch.no_grad():
        outputs: dict[str, Tensor] = engine.model(batch, OFF)
        return outputs[name][(0, *place)]


def _without(batch: Batch, i: int) -> Batch:
    """The batch without its token number `i`."""
    given = {f.name: getattr(batch, f.name) for f in fields(batch)}
    per_token = ("ids", "segments", "chars")
    return replace(
        batch,
        **{
            key: torch.cat([value[:, :i], value[:, i + 1 :]], 1)
            for key, value in given.items()
            if key in per_token and value is not None
        },
    )


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
