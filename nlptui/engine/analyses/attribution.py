"""Attribution: how much each token of the input had to do with one logit, in three ways side by side.

    gradient × input        Σ_d x_d · ∂ logit / ∂ x_d                     x: the token's embedding
    integrated gradients    Σ_d x_d · ∫₀¹ ∂ logit / ∂ x_d at α·x dα       they add up to logit(x) − logit(0)
    attention               the token's share in the vector on top, by attention rollout

Of a translator, x are the embeddings of the source and of what its decoder has read, on one way from nothing
to both; its attention to the source is the mean of all heads of all blocks.
Sources: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks"; Abnar & Zuidema 2020.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nlptui.edits import Edit
from nlptui.engine.analyses import gradient, rollout
from nlptui.engine.analyses.gradient import define, logit_of
from nlptui.engine.analyses.integral import COUNT, Slopes, lobatto, mean_slopes
from nlptui.engine.analyses.kinks import averaged
from nlptui.engine.analyses.one_logit import Place, left_to_right, logits
from nlptui.engine.inputs import batch_again
from nlptui.locale import _
from nlptui.nn import Batch
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

SIDES = {"encoder": "src", "decoder": "tgt"}
"""Of a translator: where its two embeddings are recorded, and whose tokens label them."""

WORK = 1.4e10
"""Weights times tokens, over all points of the way: between one and two seconds on one core."""
BESIDE = 450_000
"""What a token costs beside its products with the weights, in weights."""


def fits(config: Any) -> bool:
    """Whether there is a logit with a gradient, and the text's tokens are embedded."""
    return gradient.fits(config)


def sides(trace: Trace) -> list[str]:
    """What stands before `token_embed`, for each embedding that is read: "", or "encoder." and "decoder."."""
    return [""] if "token_embed" in trace.activations else [f"{side}." for side in SIDES]


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`gradient_input`, `integrated`, `attention` (batch pos); `gap` (batch) is by how much the
    sum of the second misses what the logit gains from embeddings of zeros to those of the text.

    Of a translator the first three once for each side: `encoder.integrated`, `decoder.integrated`.
    """
    by_gradients(engine, trace, asked, rec, WORK)
    _attention(trace, rec, logit_of(trace, asked)[1])


def by_gradients(engine: Engine, trace: Trace, asked: Asked, rec: Recorder, work: float) -> None:
    """`gradient_input`, `integrated` and `gap`; work: of how many weights times tokens, at most."""
    name, place = logit_of(trace, asked)
    element = f"{name}[{','.join(map(str, (0, *place)))}]"
    embedded = [torch.as_tensor(trace[f"{side}token_embed"].value)[0] for side in sides(trace)]
    run = _edited if trace.activation_edits else _fused
    slopes = run(engine, trace, name, place)
    ends = [part[0] for part in slopes([1.0])[0]]
    read = [x[: len(end)] for x, end in zip(embedded, ends, strict=True)]
    points = int(work / sum(map(len, read)) / (_weights(engine.model) + BESIDE))
    means, zero = _along(engine, trace, slopes, read, points, asked)
    for side, x, mean, slope in zip(sides(trace), embedded, means, ends, strict=True):
        rest = (0, 0, 0, len(x) - len(mean))
        _record_side(trace, rec, side, (name, (0, *place)), element, x, F.pad(slope, rest), F.pad(mean, rest))
    value: Any = trace[name].value[(0, *place)]
    rec.input("at_zero", value.new_tensor([zero]), "batch")
    rec.input("at_text", value.reshape(1), "batch")
    found = [rec.root.activations[f"{rec.prefix}{side}integrated"].value for side in sides(trace)]
    gap = sum((part.sum(-1) for part in found), -(value.reshape(1) - zero))
    total = " + ".join(f"sum({side}integrated)" for side in sides(trace))
    rec("gap", gap, "batch", by=f"{total} - (at_text - at_zero)")


def _record_side(
    trace: Trace,
    rec: Recorder,
    side: str,
    logit: tuple[str, tuple[int, ...]],
    element: str,
    x: Tensor,
    slope: Tensor,
    mean: Tensor,
) -> None:
    """The two methods that go by gradients, for the tokens of one embedding."""
    name = f"{side}token_embed"
    scope = _scope(rec, side)
    made_of = ((name, None), logit)
    axes = trace[name].axes
    words = _("∂ {logit} / ∂ x, by autograd").format(logit=element)
    full = define(scope, "slope", slope[None], axes, words, made_of)
    scope("gradient_input", (x * slope).sum(-1)[None], "batch pos", by=f"sum({name} * {full})")
    words = _("the mean of ∂ {logit} / ∂ x along the way from embeddings of zeros to x, by autograd")
    full = define(scope, "mean_slope", mean[None], axes, words.format(logit=element), made_of)
    scope("integrated", (x * mean).sum(-1)[None], "batch pos", by=f"sum({name} * {full})")


def _scope(rec: Recorder, side: str) -> Recorder:
    """Where the numbers of one side are recorded."""
    side = side.removesuffix(".")
    return rec.at(side, pos=SIDES[side]) if side else rec


# --------------------------------------------------------------------------------------- slopes along the way


def _along(
    engine: Engine, trace: Trace, slopes: Slopes, x: list[Tensor], points: int, asked: Asked
) -> tuple[list[Tensor], float]:
    """The mean slopes on the way to `x`, and the logit at its start."""
    if any(edit.name.endswith((".mlp.pre", ".mlp.post")) for edit in trace.activation_edits):
        return mean_slopes(slopes, x, points, asked.watch)  # the edits are on the ReLU's own numbers
    with averaged(engine.model, *lobatto(COUNT)):
        return mean_slopes(slopes, x, points, asked.watch)


def _weights(model: torch.nn.Module) -> int:
    """How many weights each token is multiplied with."""
    return sum(p.numel() for name, p in model.named_parameters() if "embedding" not in name)


def _fused(engine: Engine, trace: Trace, name: str, place: Place) -> Slopes:
    """The slopes for embeddings of several sizes, in one batch by the fused kernels.

    A model that reads from left to right reads no further than the logit; what comes later has no slope.
    """
    model: Any = engine.model
    translates = engine.config.arch == "transformer"
    # Embeddings are multiplied by √d_model after the table (Vaswani et al. 2017, section 3.4).
    scale = math.sqrt(model.config.d_model) if translates else 1.0
    names = {"source_embedding", model.target} if translates else {"token_embedding"}
    batch = batch_again(trace, engine.device)
    if left_to_right(engine.config) and len(place) == 2:
        batch = _beginning(batch, place[0] + 1)

    def slopes(shares: list[float]) -> tuple[list[Tensor], Tensor]:
        kept: list[Tensor] = []

        def scaled(module: Any, given: Any, embedded: Tensor) -> Tensor:
            sizes = embedded.new_tensor(shares)[:, None, None]
            kept.append((embedded.detach() * sizes).requires_grad_())
            return kept[-1]

        hooks = [getattr(model, part).register_forward_hook(scaled) for part in names]
        try:
            with torch.enable_grad():
                values = logits(engine, _repeated(batch, len(shares)), name, [place] * len(shares))
                found = torch.autograd.grad(values.sum(), kept)
        finally:
            for hook in hooks:
                hook.remove()
        return [part.detach() / scale for part in found], values.detach()

    return slopes


def _edited(engine: Engine, trace: Trace, name: str, place: Place) -> Slopes:
    """The same on record, with the edits in force in every text of the batch."""
    names = [f"{side}token_embed" for side in sides(trace)]
    batch = batch_again(trace, engine.device)

    def slopes(shares: list[float]) -> tuple[list[Tensor], Tensor]:
        sizes = np.array(shares).reshape(-1, 1, 1)
        scaled = [Edit(part, (), "from", tensor=sizes * trace.array(part)) for part in names]
        edits = [*(_in_every_text(edit, trace, len(shares)) for edit in trace.activation_edits), *scaled]
        recorder = Recorder(trace.parameters, edits, only=names)
        with torch.enable_grad():
            values = engine.model(_repeated(batch, len(shares)), recorder)[name][(slice(None), *place)]
            pieces = [recorder.activations[part].value for part in names]
            found = torch.autograd.grad(values.sum(), pieces)
        return [part.detach() for part in found], values.detach()

    return slopes


def _in_every_text(edit: Edit, trace: Trace, times: int) -> Edit:
    """An edit of a batch of one, as an edit of all texts of a batch."""
    index = (slice(None), *edit.index[1:]) if edit.index else ()
    if edit.tensor is None:
        return replace(edit, index=index)
    return replace(edit, index=index, tensor=np.repeat(edit.tensor, times, axis=0))


def _repeated(batch: Batch, times: int) -> Batch:
    """A batch of one, so many times."""
    given = _given(batch, ("ids", "segments", "chars", "target_ids"))
    return replace(batch, **{k: v.expand(times, *v.shape[1:]) for k, v in given.items()})


def _beginning(batch: Batch, count: int) -> Batch:
    """Its first tokens."""
    return replace(batch, **{k: v[:, :count] for k, v in _given(batch, ("ids", "segments", "chars")).items()})


def _given(batch: Batch, names: tuple[str, ...]) -> dict[str, Any]:
    """Those of its tensors that there are."""
    held = {name: getattr(batch, name) for name in names}
    return {name: value for name, value in held.items() if value is not None}


# --------------------------------------------------------------------------------------------- by the weights


def _attention(trace: Trace, rec: Recorder, place: Place) -> None:
    """The row of the rollout for the position asked about; a pooled text asks with its first token."""
    blocks = [layers[-1].rsplit(".", 2)[0] for layers in rollout.stacks(trace)]
    if not blocks:
        return
    row = place[0] if len(place) == 2 else 0
    rec.input("row", torch.tensor(float(row)), "")
    rolled = f"analysis.rollout.{blocks[-1]}.rollout"
    rec.root.met[rolled] = None
    weights: Any = trace[rolled].value
    _pick(_scope(rec, sides(trace)[-1]), weights, rolled, row)
    if len(blocks) > 1:
        scope = rec.bind(query=SIDES["decoder"], key=SIDES["encoder"])
        heads = [name for name in trace.activations if name.endswith(".cross_attn.weights")]
        mean = torch.stack([torch.as_tensor(trace[name].value).mean(1) for name in heads]).mean(0)
        by = " + ".join(f"mean_head({name})" for name in heads)
        mean = scope("cross", mean, "batch query key", by=f"({by}) / {len(heads)}")
        _pick(_scope(rec, "encoder."), mean, f"{rec.prefix}cross", row)


def _pick(scope: Recorder, weights: Tensor, name: str, row: int) -> None:
    """The weights of one query."""
    scope("attention", weights[:, row], "batch pos", by=f"pick(swap({name}), row)")
