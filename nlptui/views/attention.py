"""Who looks at whom: the weights of one attention head, or the scores that they were made from, query × key.

Knows nothing of values and outputs. Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure
from nlptui.views.names import clamp, of_kind, place, prefix
from nlptui.views.view import State, View, chosen, config_of, cut, nothing, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

_STAGES = {
    "weights": N_("attention weights"),
    "scores": N_("scores, masked"),
    "scaled": N_("q·k ÷ √d_head"),
    "dot": N_("q·k"),
}
_CAPTIONS = {
    "weights": N_("Row: who looks. Column: who is looked at. Each row adds up to 1."),
    "scores": N_(
        "Row: who looks. Column: who is looked at. Softmax over a row makes its weights; masked cells are −∞."
    ),
    "scaled": N_("Row: the query. Column: the key. Products divided by √d_head, before the mask."),
    "dot": N_("Row: the query. Column: the key. The product of the two vectors."),
}


def modules(trace: Trace) -> list[str]:
    """The prefixes of all attention layers in the order computed: the encoder's before the decoder's."""
    found = (prefix(name) for name in of_kind(trace.activations, *_STAGES) if "query" in trace[name].axes)
    return list(dict.fromkeys(found))


def where(trace: Trace, module: str) -> str:
    """Which attention of a translator, whose layers are of three kinds; empty where a number says it all."""
    return place(f"{module}weights") if getattr(config_of(trace), "arch", "") == "transformer" else ""


def choices(trace: Trace) -> tuple[str, ...]:
    """The stages that were recorded, weights first."""
    recorded = {name.rsplit(".", 1)[-1] for name in of_kind(trace.activations, *_STAGES)}
    return tuple(stage for stage in _STAGES if stage in recorded)


def draw(trace: Trace, state: State) -> Figure:
    """One table: the chosen stage of the chosen head of the chosen layer."""
    title, found = _(VIEW.title), modules(trace)
    if not found:
        return nothing(trace, "attention", title)
    module = found[clamp(state.layer, len(found))]
    recorded = tuple(stage for stage in _STAGES if module + stage in trace.activations)
    stage = chosen(recorded, state.name)
    table = cut(
        trace,
        module + stage,
        "query",
        "key",
        {"head": state.head},
        title=titled(_(_STAGES[stage]), where(trace, module)),
        scale="probability" if stage == "weights" else "diverging",
        by=state.by,
    )
    head = _("head {n}").format(n=table.fixed[0].label) if table.fixed else ""
    return Figure("attention", titled(title, place(module + stage), head), (table,), _(_CAPTIONS[stage]))


def heads(trace: Trace) -> int:
    """The largest number of heads of any attention layer."""
    names = of_kind(trace.activations, *_STAGES)
    return max([1, *(trace[name].shape[1] for name in names if "head" in trace[name].axes)])


VIEW = View(
    "attention",
    5,
    N_("Attention"),
    applies=lambda thing: getattr(config_of(thing), "arch", "") in ("transformer", "bert", "gpt"),
    draw=draw,
    layers=lambda trace: max(1, len(modules(trace))),
    heads=heads,
    choices=choices,
)
