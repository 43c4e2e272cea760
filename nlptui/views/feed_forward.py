"""The feed-forward layer of a block: its units before and after the activation, and which are at work.

Knows nothing of how shares are computed: it shows the analysis `units`. Sources: Vaswani et al. 2017, section
3.3; Geva et al. 2021, "Transformer Feed-Forward Layers Are Key-Value Memories".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Bars, Figure, Part, Source, told
from nlptui.views.names import clamp, of_kind, place
from nlptui.views.view import State, View, asked_place, config_of, cut, fix, nothing, ordered, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.units."
TOP = 12
"""How many units of the chosen token are listed."""
_ORDERS = ("activity", "index")
"""Units by how active they are at the chosen token; or by number."""


def modules(trace: Trace) -> list[str]:
    """The prefixes of all feed-forward layers, in the order computed."""
    return [name.removesuffix("post") for name in of_kind(trace.activations, "post") if "mlp." in name]


def top(trace: Trace, name: str, position: int) -> Bars:
    """The units that are most active at one token."""
    row = trace.array(name)[0, position]
    units = np.argsort(-np.abs(row), kind="stable")[:TOP]
    token = trace.labels(name, "pos")[position]
    return Bars(
        _("most active units at '{token}' ({position})").format(token=told(token), position=position),
        tuple(str(int(unit)) for unit in units),
        row[units],
        Source(name, (0, position, "row"), rows=tuple(map(int, units))),
        digits=3,
        scale="diverging",
        axis="d_ff",
        fixed=(fix(trace, trace[name], "pos", position),),
    )


def draw(trace: Trace, state: State) -> Figure:
    """Shares of silent units, the most active ones of the chosen token, and the three tables."""
    title, found = _(VIEW.title), modules(trace)
    if not found or f"{PREFIX}{found[0]}silent" not in trace or not trace[f"{found[0]}post"].shape[1]:
        return nothing(trace, "feed_forward", title)
    module = found[clamp(state.layer, len(found))]
    post = trace.array(f"{module}post")[0]
    position = clamp(state.position, len(post))
    silent = cut(trace, f"{PREFIX}{module}silent", "", "pos", scale="probability")
    tables = [
        cut(trace, f"{module}{kind}", "pos", "d_ff", title=words, by=state.by) for kind, words in _tables()
    ]
    if state.name != _ORDERS[1]:
        order = np.argsort(-np.abs(post[position]), kind="stable").tolist()
        tables = [ordered(table, order, "cols") for table in tables]
    dead = float(trace.array(f"{PREFIX}{module}dead")[0, 0])
    caption = _("{dead} of the {n} units are active at no token here. Columns: units, {order}.").format(
        dead=f"{dead:.1%}",
        n=post.shape[1],
        order=_("by number") if state.name == _ORDERS[1] else _("by activity at the chosen token"),
    )
    parts: tuple[Part, ...] = (
        stack(_("share of units that are silent"), [silent], [_("silent")], "statistic"),
        top(trace, f"{module}post", position),
        *tables,
        cut(trace, f"{module}out", "pos", "d_model", title=_("out: what the layer adds"), by=state.by),
    )
    return Figure("feed_forward", titled(title, place(f"{module}post")), parts, caption)


def _tables() -> tuple[tuple[str, str], ...]:
    return (("post", _("post: after the activation")), ("pre", _("pre: before the activation")))


VIEW = View(
    "feed_forward",
    3,
    N_("Feed-forward"),
    applies=lambda thing: getattr(config_of(thing), "arch", "") in ("transformer", "bert", "gpt"),
    draw=draw,
    layers=lambda trace: max(1, len(modules(trace))),
    choices=lambda trace: _ORDERS if modules(trace) else (),
    needs=lambda trace, state: ("analysis.units",) if modules(trace) else (),
    start=asked_place,
)
