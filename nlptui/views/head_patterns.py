"""What each head of a layer does, as numbers: how spread it looks, how far, and how much as known patterns.

Knows nothing of how they are computed: it shows the analysis `patterns`. Sources: Clark et al. 2019, "What
Does BERT Look At?"; Olsson et al. 2022, "In-context Learning and Induction Heads".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views import attention
from nlptui.views.attention import modules
from nlptui.views.figure import Figure, HeatTable, Origin, Thumbnails
from nlptui.views.names import clamp, place
from nlptui.views.view import State, View, chosen, cut, nothing, stack, titled
from nlptui.wording import listed

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
_SHORT = {
    "previous": N_("previous"),
    "first": N_("first"),
    "self": N_("itself"),
    "duplicate": N_("duplicate"),
    "induction": N_("induction"),
}
"""The same, as short as what stands under a picture must be."""
_SIZES = {"entropy": N_("entropy (nats)"), "distance": N_("distance")}
_STAGES = ("pictures", "numbers")
NAMED = 0.4
"""The share of its weight that a head gives to a pattern before it is named after it."""
CONTRAST = 2.0
"""How many times what other queries give the same keys that must be."""


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


def pattern_of(trace: Trace, module: str, head: int) -> tuple[str, str] | None:
    """The pattern that a head shows clearly, and its share; None where it shows none."""
    scores = {kind: measure(trace, module, kind, head) for kind in _rows(trace, module, _SHARES)}
    clear = [
        kind
        for kind, score in scores.items()
        if score >= NAMED and score >= CONTRAST * chance(trace, module, kind, head)
    ]
    best = max(clear, key=scores.__getitem__, default=None)
    return None if best is None else (best, f"{scores[best]:.2f}")


def chance(trace: Trace, module: str, kind: str, head: int) -> float:
    """What queries that are no part of a pattern give its keys; 0 where that is not measured."""
    others = f"{kind}.others"
    return measure(trace, module, others, head) if f"{PREFIX}{module}{others}" in trace else 0.0


def named(trace: Trace, module: str) -> str:
    """The heads that show a pattern clearly: "head 2: previous token (0.91)"; empty where none does."""
    found: list[str] = []
    for head in range(trace[f"{module}weights"].shape[1]):
        if shown := pattern_of(trace, module, head):
            words = _("head {n}: {pattern} ({share})")
            found.append(words.format(n=head, pattern=_(_SHARES[shown[0]]), share=shown[1]))
    return " · ".join(found)


def measure(trace: Trace, module: str, kind: str, head: int) -> float:
    """One measure of one head; the entropy of a head that is switched off is 0, not −0."""
    return float(trace.array(f"{PREFIX}{module}{kind}")[0, head]) + 0.0


def told_of(trace: Trace, module: str, head: int) -> str:
    """Every measure of one head: "entropy (nats) 1.20, distance 2.10, previous token 0.85 …"."""
    kinds = {**_SIZES, **{kind: _SHARES[kind] for kind in _rows(trace, module, _SHARES)}}
    return listed(f"{_(words)} {measure(trace, module, kind, head):.2f}" for kind, words in kinds.items())


def grid(trace: Trace, found: list[str]) -> Thumbnails:
    """All heads of all layers, each with its pattern and its entropy."""
    labels, images, origins, notes, details = [], [], [], [], []
    count = max(trace[f"{module}weights"].shape[1] for module in found)
    for module in found:
        weights = trace.array(f"{module}weights")[0]
        for head, image in enumerate(weights):
            labels.append(f"{place(module + 'weights')} · {head}")
            images.append(image)
            origins.append(Origin(f"{module}weights", (0, head)))
            shown = pattern_of(trace, module, head)
            words = _("entropy {value}").format(value=f"{measure(trace, module, 'entropy', head):.2f}")
            details.append(told_of(trace, module, head))
            notes.append(f"{_(_SHORT[shown[0]])} {shown[1]}" if shown else words)
    words = _("rows: layers; columns: heads; Enter opens one")
    return Thumbnails(
        words, tuple(labels), tuple(images), tuple(origins), count, tuple(notes), tuple(details)
    )


def draw(trace: Trace, state: State) -> Figure:
    """All heads as pictures; or for the chosen layer the patterns, entropy and distance of each head."""
    title, found = _(VIEW.title), modules(trace)
    if not found or f"{PREFIX}{found[0]}entropy" not in trace:
        return nothing(trace, "heads", title)
    if chosen(_STAGES, state.name) == _STAGES[0]:
        caption = _(
            "Row of a picture: who looks; column: who is looked at. The stronger the colour, the more weight."
        )
        return Figure("heads", title, (grid(trace, found),), caption)
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
    choices=lambda trace: _STAGES if modules(trace) else (),
    needs=lambda trace, state: ("analysis.patterns",) if modules(trace) else (),
)
