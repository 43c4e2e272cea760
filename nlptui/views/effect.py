"""What the edits in force change: the answer and the probabilities before and after them, and the difference.

Knows nothing of making edits: the run without them stands beside the trace. Cells of "before" point into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.text import visible
from nlptui.views import output
from nlptui.views.compare import difference, named
from nlptui.views.figure import Array, Figure, HeatTable, Part, Source, Tokens, told
from nlptui.views.names import clamp, of_kind, prefix
from nlptui.views.systems import FIRST
from nlptui.views.view import BEGIN, Peer, State, View, fix, nothing, stack, titled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlptui.trace import Trace

TOP = 8
"""How many candidates of a vocabulary are taken from before, and from after."""


def without_edits(trace: Trace, peers: Sequence[Peer], state: State = BEGIN) -> tuple[str, ...]:
    """The model at hand again, whose run beside the trace is the one without edits."""
    return (trace.model,) if trace.edits else ()


def probabilities(trace: Trace) -> list[str]:
    """The recorded probabilities of the answer; none of a second sentence where there is only one."""
    found = of_kind(trace.activations, "probs")
    return [name for name in found if not (output.head(name) == "nsp" and trace.pair is None)]


def row_of(trace: Trace, name: str, columns: tuple[int, ...], position: int | None) -> HeatTable:
    """The probabilities of some labels, at one position where there are positions: one row."""
    activation = trace[name]
    values = trace.array(name)[0] if position is None else trace.array(name)[0, position]
    labels = trace.labels(name, activation.axes[-1])
    return HeatTable(
        title=name,
        values=values[list(columns)].reshape(1, -1),
        rows=(name,),
        cols=tuple(labels[i] for i in columns),
        row_axis="",
        col_axis=activation.axes[-1],
        scale="probability",
        source=Source(name, (0, "col") if position is None else (0, position, "col"), cols=columns),
        digits=3,
        fixed=() if position is None else (fix(trace, activation, activation.axes[1], position),),
    )


def pair_of_rows(
    before: Trace, after: Trace, name: str, columns: tuple[int, ...], position: int | None, title: str
) -> list[Part]:
    """Before over after, and the change under them."""
    rows = [
        named(row_of(trace, name, columns, position), "", number)
        for trace, number in ((before, FIRST), (after, 1))
    ]
    both = [row for row in rows if isinstance(row, HeatTable)]
    change = difference(both[1], both[0])
    made = stack(title, both, [_("before"), _("after")], "run")
    below = HeatTable(
        _("change: after − before"), change.values, (_("change"),), made.cols, "run", made.col_axis,
        digits=3, fixed=made.fixed, differences=True,
    )  # fmt: skip
    return [made, below]


def changes_by_token(before: Trace, after: Trace, name: str) -> HeatTable:
    """Tokens × labels: after − before."""
    activation = after[name]
    values = after.array(name)[0] - before.array(name)[0]
    return HeatTable(
        _("change of every token: after − before"), values, after.labels(name, activation.axes[1]),
        after.labels(name, activation.axes[-1]), activation.axes[1], activation.axes[-1], digits=3,
        differences=True,
    )  # fmt: skip


def moved(before: Array, after: Array) -> float:
    """How much probability is elsewhere now: half the sum of the absolute differences."""
    return float(np.abs(after.astype(np.float64) - before.astype(np.float64)).sum(-1).mean() / 2)


def parts_of(before: Trace, after: Trace, name: str, state: State) -> list[Part]:
    """What changed in one array of probabilities."""
    shape, axes = after[name].shape, after[name].axes
    if before[name].shape != shape or 0 in shape:
        return []
    title = _(output.HEADS.get(output.head(name), N_("probabilities")))
    if len(axes) == 2:
        return pair_of_rows(before, after, name, tuple(range(shape[1])), None, title)
    position = clamp(state.position, shape[1])
    token = told(after.labels(name, axes[1])[position])
    title = titled(title, _("at '{token}' ({position})").format(token=token, position=position))
    both = [trace.array(name)[0, position] for trace in (before, after)]
    likely = dict.fromkeys([*output.best(both[1], TOP), *output.best(both[0], TOP)])
    found = pair_of_rows(before, after, name, tuple(likely), position, title)
    return found if axes[-1] == "vocab" else [*found, changes_by_token(before, after, name)]


def answers(before: Trace, after: Trace) -> list[Part]:
    """The answer itself, before and after, where it is a row of words."""
    found: list[Part] = []
    for trace, words, number in ((before, _("before"), FIRST), (after, _("after"), 1)):
        shown = [part for part in output.answered(trace) if isinstance(part, Tokens)]
        found += [named(part, words, number) for part in shown]
    return found


def draw(trace: Trace, state: State) -> Figure:
    """The answers, then each array of probabilities before and after."""
    title = _(VIEW.title)
    if not probabilities(trace) and not trace.output:
        return nothing(trace, "effect", title)
    before = trace.beside.get(trace.model)
    if before is None:
        return Figure("effect", title, (), _("Nothing is edited: x on a number changes it."))
    parts = answers(before, trace)
    shares = []
    for name in probabilities(trace):
        parts += parts_of(before, trace, name, state)
        if before[name].shape == trace[name].shape and trace[name].shape[1]:
            shares.append((name, moved(before.array(name)[0], trace.array(name)[0])))
    edits = "  ".join(visible(str(edit)) for edit in trace.edits)
    caption = _("edited: {edits}").format(edits=edits)
    for name, share in shares:
        words = _("{share} of the probability{which} has moved")
        which = f" ({output.head(name)})" if prefix(name) else ""
        caption += " · " + words.format(which=which, share=f"{share:.1%}")
    return Figure("effect", title, tuple(parts), caption)


VIEW = View(
    "effect",
    6,
    N_("Before and after edits"),
    applies=lambda thing: True,
    draw=draw,
    beside=without_edits,
)
