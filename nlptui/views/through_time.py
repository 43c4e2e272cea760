"""Gradients through time: how much a change at each step would change one answer, on a logarithmic scale.

Knows nothing of how they are computed: it shows the analysis `gradient`. Sources: Bengio et al. 1994; Pascanu
et al. 2013.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Lines, Series, told
from nlptui.views.names import clamp, kind, place
from nlptui.views.view import State, View, config_of, cut, nothing, stack

if TYPE_CHECKING:
    from nlptui.trace import Trace

_RECURRENT = ("rnn", "lstm", "gru")


def scores(trace: Trace) -> str | None:
    """The recorded scores whose gradient is taken; None where there are none."""
    return next((name for name in ("logits", "emission") if name in trace.activations), None)


def prefix(trace: Trace, state: State) -> str:
    """What the names of the analysis begin with: the position asked about and the likeliest answer there."""
    name = scores(trace)
    if name is None or 0 in trace[name].shape:
        return ""
    values = trace.array(name)[0]
    if values.ndim == 1:
        target = int(values.argmax()) if state.target is None else clamp(state.target, len(values))
        return f"analysis.gradient.to_{target}."
    position = clamp(state.position, len(values))
    row = values[position]
    target = int(row.argmax()) if state.target is None else clamp(state.target, len(row))
    return f"analysis.gradient.at_{position}.to_{target}."


def norms(trace: Trace, before: str) -> list[str]:
    """The recorded norms of hidden and cell states, one for each direction of each layer."""
    found = [name for name in trace.analyses if name.startswith(before) and name.endswith(".norm")]
    return [name for name in found if name.split(".")[-3] in ("forward", "backward")]


def label(name: str, before: str) -> str:
    """What a line is called: "0 → hidden", "0 ← cell": the layer, the direction, the state."""
    _stack, layer, direction, state = name.removeprefix(before).removesuffix(".norm").split(".")
    words = {"hidden": _("hidden"), "cell": _("cell")}
    return f"{layer} {'→' if direction == 'forward' else '←'} {words[state]}"


def chart(trace: Trace, names: list[str], before: str) -> Lines:
    """One line for each state over the steps; where a gradient is 0 the line has a gap."""
    lines = []
    for name in names:
        values = trace.array(name)[0].astype(np.float64)
        steps = np.arange(len(values), dtype=np.float64)
        lines.append(Series(label(name, before), steps, np.where(values > 0, values, np.nan)))
    return Lines(_("‖∂ logit / ∂ state‖"), tuple(lines), _("token"), _("norm"), log=True)


def table(trace: Trace, names: list[str], before: str, state: State) -> HeatTable:
    """The same numbers: states × tokens."""
    tables = [cut(trace, name, "", "pos", scale="positive") for name in names]
    return stack(_("norms"), tables, [label(name, before) for name in names], "state", state.by)


def draw(trace: Trace, state: State) -> Figure:
    """The chart, the numbers, and the gradient of every unit of the chosen layer and direction."""
    title, before = _(VIEW.title), prefix(trace, state)
    names = norms(trace, before) if before else []
    if not names:
        return nothing(trace, "through_time", title)
    hidden = [name.removesuffix(".norm") for name in names if kind(name.removesuffix(".norm")) == "hidden"]
    name = hidden[clamp(state.layer, len(hidden))]
    words = _("∂ logit / ∂ hidden state: {place}").format(place=place(name.removeprefix(before)))
    units = cut(trace, name, "d_hidden", "pos", title=words, by=state.by)
    caption = _(
        "How much the score of '{answer}'{where} would change with each state: what is left of an error after"
        " so many steps back."
    ).format(answer=told(_answer(trace, before)), where=_where(trace, before))
    return Figure(
        "through_time",
        title,
        (chart(trace, names, before), table(trace, names, before, state), units),
        caption,
    )


def _answer(trace: Trace, before: str) -> str:
    name = scores(trace) or ""
    number = int(before.rstrip(".").rsplit("to_", 1)[1])
    return trace.labels(name, trace[name].axes[-1])[number]


def _where(trace: Trace, before: str) -> str:
    if ".at_" not in before:
        return ""
    position = int(before.split(".at_")[1].split(".")[0])
    token = trace.labels(scores(trace) or "", "pos")[position]
    return _(" at '{token}' ({position})").format(token=told(token), position=position)


def _layers(trace: Trace) -> int:
    ends = ("forward.hidden", "backward.hidden")
    return max(1, sum(name.endswith(ends) for name in trace.activations))


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    before = prefix(trace, state)
    return (before,) if before else ()


VIEW = View(
    "through_time",
    4,
    N_("Gradient through time"),
    applies=lambda thing: getattr(config_of(thing), "arch", "") in _RECURRENT,
    draw=draw,
    layers=_layers,
    needs=_needs,
)
