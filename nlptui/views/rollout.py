"""Attention rollout: how much of each token of the input is left in each vector after each layer.

Knows nothing of how it is computed: it shows the analysis `rollout`. Source: Abnar & Zuidema 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views import attention
from nlptui.views.figure import Figure
from nlptui.views.names import clamp, place
from nlptui.views.view import State, View, cut, nothing, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.rollout."


def stacks(trace: Trace) -> list[str]:
    """The blocks that have self-attention, in the order computed: "blocks.0", …"""
    ends = (".attn.weights", ".self_attn.weights")
    found = (name for name in trace.activations if name.endswith(ends))
    return [name.rsplit(".", 2)[0] for name in found]


def draw(trace: Trace, state: State) -> Figure:
    """One table: tokens of the chosen layer × tokens of the input."""
    title, blocks = _(VIEW.title), stacks(trace)
    names = [f"{PREFIX}{block}.rollout" for block in blocks]
    if not names or names[0] not in trace:
        return nothing(trace, "rollout", title)
    block = blocks[clamp(state.layer, len(blocks))]
    name = f"{PREFIX}{block}.rollout"
    words = _("share of the input's tokens")
    table = cut(trace, name, "query", "key", title=words, scale="probability", by=state.by)
    caption = _(
        "Row: a vector after this layer. Column: a token of the input. Each row adds up to 1: half of every"
        " vector comes by the residual connection, half by attention, all heads alike."
    )
    return Figure("rollout", titled(title, place(f"{block}.rollout")), (table,), caption)


VIEW = View(
    "rollout",
    5,
    N_("Rollout"),
    applies=attention.VIEW.applies,
    draw=draw,
    layers=lambda trace: max(1, len(stacks(trace))),
    needs=lambda trace, state: ("analysis.rollout",) if stacks(trace) else (),
)
