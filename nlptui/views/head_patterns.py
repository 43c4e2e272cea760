"""What each head of a layer does, as numbers: how spread it looks, how far, and how much as known patterns.

Knows nothing of how they are computed: it shows the analysis `patterns`. Sources: Clark et al. 2019, "What
Does BERT Look At?"; Olsson et al. 2022, "In-context Learning and Induction Heads".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views import attention
from nlptui.views.attention import modules
from nlptui.views.figure import Array, Figure, HeatTable
from nlptui.views.names import clamp, place
from nlptui.views.view import State, View, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.patterns."
_SHARES = {
    "previous": N_("previous token"),
    "first": N_("first token"),
    "self": N_("itself"),
    "duplicate": N_("duplicate"),
    "induction": N_("induction"),
}
_SIZES = {"entropy": N_("entropy (nats)"), "distance": N_("distance")}
NAMED = 0.4
"""The share of its weight that a head gives to a pattern before it is named after it."""


def _rows(trace: Trace, module: str, kinds: dict[str, str]) -> list[str]:
    return [kind for kind in kinds if f"{PREFIX}{module}{kind}" in trace]


def table(trace: Trace, module: str, kinds: dict[str, str], title: str, state: State) -> HeatTable:
    """Some measures × the heads of one layer."""
    shares = kinds is _SHARES
    names = _rows(trace, module, kinds)
    tables = [
        cut(trace, f"{PREFIX}{module}{kind}", "", "head", scale="probability" if shares else "positive")
        for kind in names
    ]
    return stack(title, tables, [_(kinds[kind]) for kind in names], "pattern", state.by if shares else "row")


def named(trace: Trace, module: str) -> str:
    """The heads that show a pattern clearly: "head 2: previous token (0.91)"; empty where none does."""
    found: list[str] = []
    kinds = _rows(trace, module, _SHARES)
    if not kinds:
        return ""
    scores: Array = np.stack([trace.array(f"{PREFIX}{module}{kind}")[0] for kind in kinds])
    for head in range(scores.shape[1]):
        best = int(scores[:, head].argmax())
        if scores[best, head] >= NAMED:
            words = _("head {n}: {pattern} ({share})")
            share = f"{scores[best, head]:.2f}"
            found.append(words.format(n=head, pattern=_(_SHARES[kinds[best]]), share=share))
    return " · ".join(found)


def draw(trace: Trace, state: State) -> Figure:
    """For the chosen layer: the patterns, then entropy and distance, for each head."""
    title, found = _(VIEW.title), modules(trace)
    if not found or f"{PREFIX}{found[0]}entropy" not in trace:
        return nothing(trace, "heads", title)
    module = found[clamp(state.layer, len(found))]
    parts = []
    if _rows(trace, module, _SHARES):
        parts.append(table(trace, module, _SHARES, _("share of the weight, mean over queries"), state))
    parts.append(table(trace, module, _SIZES, _("how spread and how far it looks"), state))
    told = named(trace, module) or _("No head of this layer shows one of the known patterns clearly.")
    caption = _("Column: a head. {told}").format(told=told)
    return Figure("heads", titled(title, place(f"{module}weights")), tuple(parts), caption)


VIEW = View(
    "heads",
    5,
    N_("Heads"),
    applies=attention.VIEW.applies,
    draw=draw,
    layers=lambda trace: max(1, len(modules(trace))),
    needs=lambda trace, state: ("analysis.patterns",) if modules(trace) else (),
)
