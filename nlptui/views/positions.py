"""The table of positions and its products, and what attention sees of the order of words without it.

Knows nothing of how it is computed: it shows the analysis `positions`. Sources: Vaswani et al. 2017, section
3.5; Haviv et al. 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable
from nlptui.views.names import place
from nlptui.views.view import State, View, chosen, config_of, cut, nothing, stack

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.positions."
_STAGES = {"table": N_("table"), "order": N_("order")}


def modules(trace: Trace) -> list[str]:
    """The layers of attention that were compared."""
    found = [name for name in trace.analyses if name.startswith(PREFIX) and name.endswith(".with")]
    return [name.removeprefix(PREFIX).removesuffix(".with") for name in found]


def changes(trace: Trace, state: State) -> HeatTable:
    """Layers × words, without positions and with them: how far z moves when the words are turned round."""
    kinds = {"without": _("{place}, without"), "with": _("{place}, with")}
    rows = [(f"{PREFIX}{name}.{kind}", name, kind) for kind in kinds for name in modules(trace)]
    tables = [cut(trace, full, "", "pos", scale="positive", digits=4) for full, _name, _kind in rows]
    labels = [kinds[kind].format(place=place(name + ".z")) for _full, name, kind in rows]
    return stack(_("how far z moves, without positions and with them"), tables, labels, "layer", state.by)


def draw(trace: Trace, state: State) -> Figure:
    """The table with its products; or the changes with positions and without."""
    title = _(VIEW.title)
    if f"{PREFIX}dot" not in trace:
        return nothing(trace, "positions", title)
    if chosen(tuple(_STAGES), state.name) == "order":
        caption = _(
            "The words are turned round. Where z of a word does not move, attention is blind to order."
        )
        if getattr(config_of(trace), "arch", "") == "gpt":
            caption += " " + _(
                "Here the mask alone tells order: a word sees those before it, which are others then."
            )
        return Figure("positions", title, (changes(trace, state),), caption)
    from nlptui.formula import reads

    name = reads(trace, f"{PREFIX}dot")[0]
    table = cut(trace, name, "row", "column", title=_("row: a position; column: a unit"), by=state.by)
    dot = cut(trace, f"{PREFIX}dot", "row", "column", title=_("products of two positions"), by=state.by)
    caption = _("Each position has a vector of its own, which is added to the embedding of the token there.")
    return Figure("positions", title, (table, dot), caption)


VIEW = View(
    "positions",
    2,
    N_("Positions"),
    applies=lambda thing: getattr(config_of(thing), "arch", "") in ("transformer", "bert", "gpt"),
    draw=draw,
    choices=lambda trace: tuple(_STAGES) if trace.activations else (),
    needs=lambda trace, state: ("analysis.positions",) if trace.activations else (),
)
