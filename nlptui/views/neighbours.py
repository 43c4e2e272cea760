"""The nearest tokens of the vocabulary to the chosen one, and the chosen one in other places of the text.

A word that stands twice has one embedding; what the layers make of it differs with the words around it.
Knows nothing of how cosines are computed: it shows the analyses `neighbours` and `space`. Sources: Mikolov et
al. 2013; Ethayarajh 2019, "How Contextual are Contextualized Word Representations?".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views import space
from nlptui.views.figure import Bars, Figure, HeatTable, Part, Source, told
from nlptui.views.names import clamp, place
from nlptui.views.output import best
from nlptui.views.view import State, View, cut, is_network, nothing, stack, titled, words_of

if TYPE_CHECKING:
    from nlptui.trace import Trace

TOP = 15
ACROSS = "analysis.across."


def prefix(trace: Trace, state: State) -> str:
    """What the names of the analysis begin with, for the chosen token."""
    return f"analysis.neighbours.at_{clamp(state.position, len(trace.encoding.tokens))}."


def nearest(trace: Trace, before: str, token: int, title: str) -> Bars:
    """The tokens with the largest cosines, the token itself left out."""
    values = trace.array(f"{before}similarity")[0]
    rows = tuple(i for i in best(values, TOP + 1) if i != token)[:TOP]
    labels = trace.labels(f"{before}similarity", "vocab")
    return Bars(
        title,
        tuple(labels[i] for i in rows),
        values[list(rows)],
        Source(f"{before}similarity", (0, "row"), rows=rows),
        scale="diverging",
        axis="vocab",
    )


def elsewhere(trace: Trace, position: int, state: State) -> HeatTable | None:
    """Layers × the other places where the same token stands: the cosine of the two vectors."""
    ids = list(trace.encoding.ids)
    others = tuple(place for place, i in enumerate(ids) if i == ids[position] and place != position)
    if not others:
        return None
    names = [name for name in space.layers(trace) if not name.startswith("decoder")]
    tables = []
    for name in names:
        row = cut(trace, f"{space.PREFIX}{name}.cosine", "", "key", {"query": position})
        source = row.source
        assert isinstance(source, Source)
        cols = tuple(f"{row.cols[i]} {i}" for i in others)
        values = row.values[:, list(others)]
        tables.append(replace(row, values=values, cols=cols, source=replace(source, cols=others)))
    labels = [place(name) or _("embedding") for name in names]
    return stack(
        _("the same token in other places: cosine of the vectors"), tables, labels, "layer", state.by
    )


def across(trace: Trace, state: State) -> str:
    """The name of the analysis of the pinned run's tokens; empty where no run of the same model is pinned."""
    pinned = trace.pinned
    if pinned is None or pinned.model != trace.model or not pinned.encoding.tokens or not trace.activations:
        return ""
    return f"{ACROSS}at_{clamp(state.position, len(trace.encoding.tokens))}."


def in_pinned(trace: Trace, before: str, position: int, state: State) -> HeatTable | None:
    """Layers × the tokens of the pinned run: their cosines with the chosen token."""
    names = [name for name in space.layers(trace) if f"{before}{name}.cosine" in trace]
    if not names:
        return None
    tables = [cut(trace, f"{before}{name}.cosine", "", "key") for name in names]
    labels = [place(name) or _("embedding") for name in names]
    words = _("'{token}' ({position}) and each token of A: cosine of the vectors")
    token = told(words_of(trace)[position])
    return stack(words.format(token=token, position=position), tables, labels, "layer", state.by)


def draw(trace: Trace, state: State) -> Figure:
    """The nearest tokens, the same token elsewhere in the text, and the tokens of the pinned run."""
    title = _(VIEW.title)
    if not trace.encoding.tokens:
        return nothing(trace, "neighbours", title)
    before, position = prefix(trace, state), clamp(state.position, len(trace.encoding.tokens))
    if f"{before}similarity" not in trace:
        return nothing(trace, "neighbours", title)
    token = told(words_of(trace)[position])
    words = _("nearest to '{token}' in the embedding").format(token=token)
    parts: list[Part] = [nearest(trace, before, trace.encoding.ids[position], words)]
    caption = _("Cosines of rows of the embedding matrix: 1 is the same direction.")
    if trace.activations and (table := elsewhere(trace, position, state)) is not None:
        parts.append(table)
    elif len(space.layers(trace)) > 1:  # word vectors have no layers
        caption += " " + _(
            "Write the word twice, or pin this run (c) and write another sentence, to see what the layers"
            " make of it."
        )
    if (name := across(trace, state)) and (table := in_pinned(trace, name, position, state)) is not None:
        parts.append(table)
    return Figure("neighbours", titled(title, f"'{token}'"), tuple(parts), caption)


def needs(trace: Trace, state: State) -> tuple[str, ...]:
    """Neighbours of the chosen token, cosines within the text, and those with the pinned run's tokens."""
    if not trace.activations:
        return ()
    more = across(trace, state)
    return (prefix(trace, state), "analysis.space", *((more,) if more else ()))


VIEW = View(
    "neighbours",
    2,
    N_("Neighbours"),
    applies=is_network,
    draw=draw,
    needs=needs,
)
