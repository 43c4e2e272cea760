"""Inside one recurrent layer, one direction: every gate and state, for one step and over the whole text.

Knows nothing of what stands before or after the layer. Time runs across: a column is a step.
Source: Elman 1990 (RNN); Hochreiter & Schmidhuber 1997, Gers et al. 2000 (LSTM); Cho et al. 2014 (GRU).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Scale
from nlptui.views.names import clamp, place, prefix
from nlptui.views.view import State, View, chosen, config_of, cut, nothing, ordered, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

_WORDS = {
    "preact": N_("preactivation"),
    "input_gate": N_("input gate"),
    "forget_gate": N_("forget gate"),
    "candidate": N_("candidate"),
    "output_gate": N_("output gate"),
    "reset_gate": N_("reset gate"),
    "update_gate": N_("update gate"),
    "candidate.recurrent": N_("candidate, from the past"),
    "kept": N_("kept of the old cell"),
    "written": N_("written to the cell"),
    "cell": N_("cell state"),
    "hidden": N_("hidden state"),
    "input_gate.pre": N_("input gate before σ"),
    "forget_gate.pre": N_("forget gate before σ"),
    "candidate.pre": N_("candidate before tanh"),
    "output_gate.pre": N_("output gate before σ"),
    "reset_gate.pre": N_("reset gate before σ"),
    "update_gate.pre": N_("update gate before σ"),
}
_STAGES = ("gates", "active", "pre")
"""Gates and states; the same with the most active units first; what the gates were before σ and tanh."""
_DIRECTIONS = ("forward.", "backward.")


def scopes(trace: Trace) -> list[tuple[str, ...]]:
    """For each layer, the prefixes of its directions: (("layers.0.forward.", "layers.0.backward."), …)."""
    layers: dict[str, dict[str, None]] = {}
    for name in trace.activations:
        for direction in _DIRECTIONS:
            layer, found, rest = name.partition(direction)
            if found and rest in _WORDS:
                layers.setdefault(layer, {})[layer + direction] = None
    return [tuple(directions) for directions in layers.values()]


def values_of(trace: Trace, scope: str, stage: str) -> list[str]:
    """The activations to show, in the order computed: gates and states, or what gates were squashed from."""
    before = stage == "pre"
    names = [name for name in trace.activations if name.startswith(scope) and name[len(scope) :] in _WORDS]
    return [
        name
        for name in names
        if name.endswith((".pre", ".recurrent", "preact")) == before or name.endswith("preact")
    ]


def scale_of(name: str) -> Scale:
    """Gates are shares, from 0 to 1; everything else has a sign."""
    return "probability" if name.endswith("_gate") else "diverging"


def step(trace: Trace, names: list[str], state: State) -> HeatTable:
    """All values of one step: gates and states × units."""
    tables = [
        cut(trace, name, "", "d_hidden", {"pos": state.position}, scale=scale_of(name)) for name in names
    ]
    labels = [_(_WORDS[name.removeprefix(prefix_of(name))]) for name in names]
    token = tables[0].fixed[0].label
    return stack(_("one step: '{token}'").format(token=token), tables, labels, "activation", state.by)


def prefix_of(name: str) -> str:
    """The scope of a direction that `name` belongs to, with its dot."""
    for direction in _DIRECTIONS:
        before, found, _rest = name.partition(direction)
        if found:
            return before + found
    return prefix(name)


def by_activity(trace: Trace, name: str) -> list[int]:
    """The units of a state, those whose mean size over the text is largest first."""
    order: list[int] = np.argsort(-np.abs(trace.array(name)[0]).mean(0), kind="stable").tolist()
    return order


def draw(trace: Trace, state: State) -> Figure:
    """The chosen step, then a table of units × steps for each gate and state."""
    title, layers = _(VIEW.title), scopes(trace)
    if not layers:
        return nothing(trace, "gates", title)
    directions = layers[clamp(state.layer, len(layers))]
    scope = directions[clamp(state.head, len(directions))]
    stage = chosen(choices(trace), state.name)
    names = values_of(trace, scope, stage)
    parts = [step(trace, names, state)] if names and trace[names[0]].shape[1] else []
    for name in names:
        words = _(_WORDS[name.removeprefix(scope)])
        parts.append(cut(trace, name, "d_hidden", "pos", title=words, scale=scale_of(name), by=state.by))
    caption = _("Each column is a step through the text, each row a unit; gates are shares from 0 to 1.")
    if stage == "pre":
        caption = _("Each column is a step through the text, each row a unit; σ and tanh come next.")
    if stage == "active" and parts and trace[names[0]].shape[1]:
        order = by_activity(trace, scope + "hidden")
        parts = [ordered(table, order, "rows" if n else "cols") for n, table in enumerate(parts)]
        caption += " " + _("Units by the mean size of their hidden state over the text.")
    return Figure("gates", titled(title, place(scope + "hidden")), tuple(parts), caption)


def choices(trace: Trace) -> tuple[str, ...]:
    """Gates and states by number or by activity; before the squashing too, where the network has gates."""
    return _STAGES if any(name.endswith("_gate.pre") for name in trace.activations) else _STAGES[:2]


VIEW = View(
    "gates",
    4,
    N_("Gates"),
    applies=lambda thing: getattr(config_of(thing), "arch", "") in ("rnn", "lstm", "gru"),
    draw=draw,
    layers=lambda trace: max(1, len(scopes(trace))),
    heads=lambda trace: max([1, *map(len, scopes(trace))]),
    choices=choices,
)
