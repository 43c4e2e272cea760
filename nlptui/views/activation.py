"""Any activation, input or parameter by its name, as a table: its last two axes, the others held.

Knows nothing of what the numbers mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, Scale
from nlptui.views.gates import scale_of
from nlptui.views.names import kind
from nlptui.views.view import State, View, cut, nothing, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace


def choices(trace: Trace) -> tuple[str, ...]:
    """Every name that can be shown, activations first."""
    return (*trace.activations, *trace.inputs, *trace.parameters)


def name_of(trace: Trace, name: str | None) -> str | None:
    """`name` if the trace has it, otherwise the first activation; None in an empty trace."""
    if name is not None and name in trace:
        return name
    return next(iter(trace.activations), None)


def draw(trace: Trace, state: State) -> Figure:
    """One table. `State.head` chooses the head; `State.position` the token, where two more axes are shown."""
    title, name = _(VIEW.title), name_of(trace, state.name)
    if name is None:
        return nothing(trace, "activation", title)
    activation = trace[name]
    axes = tuple(axis for axis in activation.axes if axis != "batch")
    rows, cols = axes[-2:] if len(axes) > 1 else ("", axes[0] if axes else "")
    scale: Scale = "probability" if kind(name) in ("weights", "probs") else scale_of(name)
    integer = trace.array(name).dtype.kind in "biu"
    table = cut(
        trace, name, rows, cols, {"head": state.head, "pos": state.position},
        title=name, scale="positive" if integer else scale, by=state.by, digits=0 if integer else 2,
    )  # fmt: skip
    shape = " × ".join(f"{axis} {size}" for axis, size in zip(activation.axes, activation.shape, strict=True))
    caption = f"{name} = {activation.formula}" if activation.formula else ""
    return Figure("activation", titled(title, name, shape), (table,), caption)


def heads(trace: Trace) -> int:
    """The largest number of heads of any activation."""
    found = (a.shape[a.axes.index("head")] for a in trace.activations.values() if "head" in a.axes)
    return max(found, default=1)


VIEW = View(
    "activation", 9, N_("Activation"), applies=lambda thing: True, draw=draw, heads=heads, choices=choices
)
