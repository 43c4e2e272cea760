"""Which tokens lie near each other: cosines of their vectors, and a map of them, in every layer.

A list of words typed as a text is compared word with word; in the layers above the embedding the same word in
two places has two vectors. Knows nothing of how it is computed: it shows the analysis `space`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, Part, Points, Source
from nlptui.views.names import clamp, of_kind, place
from nlptui.views.view import State, View, chosen, cut, is_network, nothing, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.space."
_STAGES = {"cosines": N_("cosines"), "map": N_("map")}
_KINDS = ("token_embed", "hidden", "resid_post", "mlp_norm")


def layers(trace: Trace) -> list[str]:
    """The vectors that are compared: the embedding's, then each layer's, both directions joined."""
    found = of_kind(trace.activations, *_KINDS)
    return [name for name in found if ".forward." not in name and ".backward." not in name]


def map_of(trace: Trace, name: str) -> Points:
    """The plane in which the vectors spread most, each token at its place."""
    full = f"{PREFIX}{name}.map"
    shares = trace.array(f"{PREFIX}{name}.share")[0]
    first, second = (f"{100 * float(share):.0f} %" for share in shares)
    return Points(
        title=_("map: {name}").format(name=_words(name)),
        labels=trace.labels(full, "pos"),
        values=trace.array(full)[0],
        source=Source(full, (0, "row", "col")),
        axes=(
            _("first component ({share} of the spread)").format(share=first),
            _("second component ({share})").format(share=second),
        ),
    )


def _words(name: str) -> str:
    return place(name) or _("embedding")


def draw(trace: Trace, state: State) -> Figure:
    """The cosines of the chosen layer's vectors, or the map of them."""
    title, found = _(VIEW.title), layers(trace)
    if not found or f"{PREFIX}{found[0]}.cosine" not in trace:
        return nothing(trace, "space", title)
    name = found[clamp(state.layer, len(found))]
    stage = chosen(tuple(_STAGES), state.name)
    part: Part
    if stage == "map":
        part = map_of(trace, name)
        caption = _("The plane in which these vectors spread most (PCA): far apart here is far apart in all.")
    else:
        words = _("cosines: {name}").format(name=_words(name))
        part = cut(trace, f"{PREFIX}{name}.cosine", "query", "key", title=words, by=state.by)
        caption = _("1: the vectors point the same way; 0: they have nothing in common; −1: opposite ways.")
    return Figure("space", titled(title, _words(name)), (part,), caption)


VIEW = View(
    "space",
    2,
    N_("Near and far"),
    applies=is_network,
    draw=draw,
    layers=lambda trace: max(1, len(layers(trace))),
    choices=lambda trace: tuple(_STAGES) if layers(trace) else (),
    needs=lambda trace, state: ("analysis.space",) if layers(trace) else (),
)
