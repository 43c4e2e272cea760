"""Units of a recurrent layer that are on exactly over a marked span, and where else in the text they are.

Knows nothing of how it is computed: it shows the analysis `units_on`. Source: Strobelt et al. 2018,
"LSTMVis".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Bars, Figure, HeatTable, Source
from nlptui.views.names import clamp, place
from nlptui.views.output import best
from nlptui.views.view import State, View, config_of, cut, nothing, stack, titled
from nlptui.wording import listed

if TYPE_CHECKING:
    from nlptui.trace import Trace

TOP = 8


def span(trace: Trace, state: State) -> tuple[int, int]:
    """The first and the last token of the marked span; without a mark, the chosen token alone."""
    last = len(trace.encoding.tokens) - 1
    ends = (state.position, state.position if state.mark is None else state.mark)
    first, second = (clamp(end, last + 1) for end in ends)
    return min(first, second), max(first, second)


def prefix(trace: Trace, state: State) -> str:
    """What the names of the analysis begin with."""
    return "analysis.units_on.at_{}.to_{}.".format(*span(trace, state))


def states(trace: Trace, before: str) -> list[str]:
    """The states that were compared."""
    found = [name for name in trace.analyses if name.startswith(before) and name.endswith(".match")]
    return [name.removeprefix(before).removesuffix(".match") for name in found]


def picked(trace: Trace, name: str, units: tuple[int, ...], state: State) -> HeatTable:
    """The states of some units over the text: units × tokens."""
    values = trace.array(name)[0][:, list(units)].T
    return HeatTable(
        title=_("their states over the text"),
        values=values,
        rows=tuple(map(str, units)),
        cols=trace.labels(name, "pos"),
        row_axis="d_hidden",
        col_axis="pos",
        source=Source(name, (0, "col", "row"), rows=units),
        by=state.by,
        note=name,
    )


def draw(trace: Trace, state: State) -> Figure:
    """The best units with their matches, their states, and where else they are on."""
    title = _(VIEW.title)
    if not trace.encoding.tokens:
        return nothing(trace, "units_on", title)
    before = prefix(trace, state)
    names = states(trace, before)
    if not names:
        return nothing(trace, "units_on", title)
    name = names[clamp(state.layer, len(names))]
    match = trace.array(f"{before}{name}.match")[0]
    units = best(match, TOP)
    first, last = span(trace, state)
    words = " ".join(trace.labels(name, "pos")[first : last + 1])
    bars = Bars(
        _("units that are on at “{words}” and nowhere else").format(words=words),
        tuple(map(str, units)),
        match[list(units)],
        Source(f"{before}{name}.match", (0, "row"), rows=units),
        scale="probability",
        axis="d_hidden",
    )
    row = cut(trace, f"{before}{name}.share", "", "pos", scale="probability")
    share = stack(_("where else: the share of these units that are on"), [row], [_("on")], "statistic")
    values = np.array(row.values[0])
    values[first : last + 1] = -1
    again = [int(i) for i in np.argsort(-values, kind="stable")[:3] if values[i] > 0]
    tokens = trace.labels(name, "pos")
    found = listed(f"{tokens[i]} ({i})" for i in again) or _("nowhere")
    caption = _("1: on at each token of the span and at no other. Most alike elsewhere: {found}.").format(
        found=found
    )
    if state.mark is None:
        caption += " " + _("v marks where a span begins; then choose the token where it ends.")
    parts = (bars, share, picked(trace, name, units, state))
    return Figure("units_on", titled(title, place(name)), parts, caption)


VIEW = View(
    "units_on",
    4,
    N_("Units on a span"),
    applies=lambda thing: getattr(config_of(thing), "arch", "") in ("rnn", "lstm", "gru"),
    draw=draw,
    layers=lambda trace: max(
        1, sum(name.endswith((".forward.hidden", ".backward.hidden")) for name in trace.activations)
    ),
    needs=lambda trace, state: (prefix(trace, state),) if trace.activations else (),
)
