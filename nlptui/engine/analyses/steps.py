"""Attention, step by step: what lies between the activations that a run records.

    row maximum   m = max_key scores                     softmax takes it away first, so that no exp overflows
    exponential   e = exp(scores − m)
    row sum       s = Σ_key e                            weights = e / s
    concat        the heads' z side by side              out = concat W_O + b
    head_out      z_h W_O,h                              what one head adds to out
For one query:
    products      q_query,d · k_key,d                    their sum over d is q·k
    weighted      weight_key · v_key,d                   their sum over keys is z

Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from nlptui.engine.analyses.patterns import fits, modules
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

__all__ = ["fits", "record"]


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """Of every attention layer `max`, `exp`, `sum`, `concat`, `head_out`; of a query `product`, `weighted`.

    A query that an attention layer does not have (a translator's decoder may have fewer) counts as its last.
    """
    for module in modules(trace):
        place = module.rstrip(".")
        recorded = trace[f"{module}scores"].scope
        sides = {axis: recorded.label_set(axis) for axis in ("query", "key")} if recorded else {}
        scope = rec.at(
            place,
            pos=sides.get("query", "pos"),
            **sides,
            **{name: f"{module}{name}" for name in ("q", "k", "v", "scores", "weights", "z")},
        )
        if asked.position is None:
            _whole(trace, module, scope)
        else:
            _one_query(trace, module, scope, asked.position)


def _whole(trace: Trace, module: str, scope: Recorder) -> None:
    """The steps that are matrices."""
    scores: Any = trace[f"{module}scores"].value
    z: Any = trace[f"{module}z"].value
    width = z.shape[-1]
    largest = scores.amax(-1, keepdim=True)
    largest = scope(
        "max", largest.masked_fill(largest.isinf(), 0.0), "batch head query stat", by="row_max(scores)"
    )
    exp = scope("exp", (scores - largest).exp(), "batch head query key", by="exp(scores - max)")
    scope("sum", exp.sum(-1, keepdim=True), "batch head query stat", by="row_sum(exp)")
    scope("concat", z.transpose(1, 2).flatten(2), "batch pos d_model", by="join(z)")
    weight: Any = trace[f"{module}wo.weight"].value
    rows = weight.unflatten(-1, (-1, width)).transpose(0, 1)
    by = f"dot(z, heads({module}wo.weight, {width}))"
    scope("head_out", z @ rows.transpose(-1, -2), "batch head query d_model", by=by)


def _one_query(trace: Trace, module: str, scope: Recorder, query: int) -> None:
    """The products behind one query's scores, and behind its z."""
    q, k, v, weights = (trace[f"{module}{name}"].value for name in ("q", "k", "v", "weights"))
    at = max(0, min(query, q.shape[2] - 1))
    picked = torch.as_tensor(q)[:, :, at : at + 1]
    axes = "batch head key d_head"
    scope("product", picked * k, axes, by=f"row(q, {at}) * k")
    shares = torch.as_tensor(weights)[:, :, at : at + 1].transpose(-1, -2)
    scope("weighted", shares * v, axes, by=f"swap(row(weights, {at})) * v")
