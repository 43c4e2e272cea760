"""What each layer hands on: hidden and cell states, or the residual stream, as tokens × units.

Knows nothing of what happens inside a layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable
from nlptui.views.names import clamp, kind, of_kind, place, prefix
from nlptui.views.view import State, View, asked_place, config_of, cut, is_network, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

_DIRECTIONS = ("forward.", "backward.")
_LAYER_ENDS = ("resid_post", "mlp_norm", "norm_final")
_WORDS = {
    "hidden": N_("hidden state"),
    "cell": N_("cell state"),
    "embed": N_("embedding"),
    "embed_norm": N_("embedding after LayerNorm"),
    "resid_post": N_("residual stream after the block"),
    "mlp_norm": N_("output of the block"),
    "norm_final": N_("after the final LayerNorm"),
}


def stream(trace: Trace) -> list[str]:
    """What each layer hands on, in the order computed: hidden states, or the stream from the embedding on."""
    hidden = of_kind(trace.activations, "hidden")
    if hidden:
        joined = [name for name in hidden if not prefix(name).endswith(_DIRECTIONS)]
        return joined or [name for name in hidden if prefix(name).endswith("forward.")]
    found = of_kind(trace.activations, "embed", "embed_norm", *_LAYER_ENDS)
    normed = {prefix(name) for name in found if kind(name) == "embed_norm"}
    return [name for name in found if kind(name) != "embed" or prefix(name) not in normed]


def side(name: str) -> str:
    """Which stack of layers a name belongs to: encoder, decoder, or the only one."""
    first = name.split(".")[0]
    return first if first in ("encoder", "decoder") else ""


def cells(trace: Trace, name: str) -> list[str]:
    """The cell states of the layer of the hidden state `name`, one a direction."""
    layer = prefix(name)
    for direction in _DIRECTIONS:
        layer = layer.removesuffix(direction)
    return [cell for cell in of_kind(trace.activations, "cell") if cell.startswith(layer)]


def comparable(trace: Trace, name: str, names: list[str]) -> list[str]:
    """Those of `names` that can stand in one table with `name`; the final LayerNorm has its own scale."""
    same = [n for n in names if trace[n].shape == trace[name].shape and side(n) == side(name)]
    return [n for n in same if kind(n) != "norm_final"]


def by_layer(trace: Trace, names: list[str], state: State) -> HeatTable:
    """One token's vector after each layer: layers × units."""
    at = {trace[names[0]].axes[1]: state.position}
    tables = [cut(trace, name, "", trace[name].axes[-1], at) for name in names]
    labels = [place(name) or _(_WORDS[kind(name)]) for name in names]
    title = _("'{token}' after each layer").format(token=tables[0].fixed[0].label)
    return stack(title, tables, labels, "layer", state.by)


def draw(trace: Trace, state: State) -> Figure:
    """The chosen layer for all tokens, then all layers for the chosen token."""
    title, names = _(VIEW.title), stream(trace)
    if not names:
        return nothing(trace, "hidden", title)
    name = names[clamp(state.layer, len(names))]
    axes = trace[name].axes
    words = titled(_(_WORDS[kind(name)]), place(name))
    parts = [cut(trace, name, axes[-2], axes[-1], title=words, by=state.by)]
    found = cells(trace, name)
    if found:
        cell = found[clamp(state.head, len(found))]
        parts.append(
            cut(trace, cell, "pos", "d_hidden", title=titled(_(_WORDS[kind(cell)]), place(cell)), by=state.by)
        )
    alike = comparable(trace, name, names)
    if len(alike) > 1 and trace[name].shape[1]:
        parts.append(by_layer(trace, alike, state))
    caption = _("Each row is the vector that stands for one token here; each column is one unit.")
    return Figure("hidden", titled(title, place(name)), tuple(parts), caption)


VIEW = View(
    "hidden",
    3,
    N_("Layers"),
    # Word vectors have no layers.
    applies=lambda thing: is_network(thing) and getattr(config_of(thing), "arch", "") != "word2vec",
    draw=draw,
    layers=lambda trace: max(1, len(stream(trace))),
    heads=lambda trace: max([1, *(len(cells(trace, name)) for name in stream(trace)[:1])]),
    start=asked_place,
)
