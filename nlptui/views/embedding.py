"""How ids become vectors: one-hot × matrix = row, and the embeddings that are added up.

Knows nothing of what the layers do with them. The sum of three is that of BERT (Devlin et al. 2019, fig. 2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Source, told
from nlptui.views.names import clamp, kind, of_kind, place, prefix
from nlptui.views.view import State, View, cut, is_network, nothing, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

_STRIPS = {
    "token_embed": N_("token embedding"),
    "char_feature": N_("character feature"),
    "pos_embed": N_("position embedding"),
    "segment_embed": N_("segment embedding"),
    "embed": N_("their sum"),
    "embed_norm": N_("after LayerNorm"),
}
_JOINED = N_("both, side by side")
_ALONE = N_("embedding")
_NEIGHBOURS = 2


def groups(trace: Trace) -> list[str]:
    """The prefixes under which a token embedding was recorded: one, or one each for source and target."""
    return [prefix(name) for name in of_kind(trace.activations, "token_embed")]


def matrix_of(trace: Trace, name: str) -> str | None:
    """The parameter whose rows `name` (a token embedding) was taken from: the one that its formula names."""
    for word in re.findall(r"[\w.]+", trace[name].formula):
        for candidate in (word, f"{word}.weight"):
            if candidate in trace.parameters:
                return candidate
    return None


def product(trace: Trace, name: str, position: int, state: State) -> HeatTable | None:
    """The one-hot vector times the matrix: the rows around the token's id, and which of them is taken."""
    matrix = matrix_of(trace, name)
    ids = next((word for word in re.findall(r"[\w.]+", trace[name].formula) if word in trace.inputs), None)
    if matrix is None or ids is None or not trace.array(ids).shape[1]:
        return None
    values = trace.array(matrix)
    position = clamp(position, trace.array(ids).shape[1])
    token = int(trace.array(ids)[0, position])
    first = max(0, min(token - _NEIGHBOURS, len(values) - 2 * _NEIGHBOURS - 1))
    rows = tuple(range(first, min(len(values), first + 2 * _NEIGHBOURS + 1)))
    text = trace.labels(name, "pos")[position]
    return HeatTable(
        title=_("one-hot of '{token}' × embedding matrix: row {id} of {rows}").format(
            token=told(text), id=token, rows=len(values)
        ),
        values=values[first : rows[-1] + 1],
        rows=tuple(f"{int(row == token)} × {row}" for row in rows),
        cols=tuple(map(str, range(values.shape[1]))),
        row_axis="vocab",
        col_axis="d_model",
        source=Source(matrix, ("row", "col"), rows=rows),
        by=state.by,
        note=trace[name].formula,
    )


def whole(names: list[str]) -> str:
    """What the embedding that the layers read is of those recorded: a sum, a joining, or the only one."""
    kinds = {kind(name) for name in names}
    if "char_feature" in kinds:
        return _JOINED
    return _STRIPS["embed"] if kinds & {"pos_embed", "segment_embed"} else _ALONE


def draw(trace: Trace, state: State) -> Figure:
    """The product for one token, then one strip of tokens × units for each embedding and for their sum."""
    title, found = _(VIEW.title), groups(trace)
    if not found:
        return nothing(trace, "embedding", title)
    group = found[clamp(state.layer, len(found))]
    names = [n for n in of_kind(trace.activations, *_STRIPS) if prefix(n) == group]
    parts: list[HeatTable] = []
    first = product(trace, group + "token_embed", state.position, state)
    if first is not None:
        parts.append(first)
    words_of = {**_STRIPS, "embed": whole(names)}
    for name in names:
        axes = trace[name].axes
        parts.append(
            cut(
                trace,
                name,
                axes[-2],
                axes[-1],
                title=titled(_(words_of[kind(name)]), place(name)),
                by=state.by,
            )
        )
    caption = _(
        "An id picks one row of the embedding matrix, which is what multiplying with its one-hot vector does."
    )
    if "sqrt" in trace[f"{group}token_embed"].formula:
        caption += " " + _("Here the row is then multiplied by √d_model.")
    return Figure("embedding", titled(title, place(group + "embed")), tuple(parts), caption)


VIEW = View(
    "embedding",
    2,
    N_("Embedding"),
    applies=is_network,
    draw=draw,
    layers=lambda trace: max(1, len(groups(trace))),
)
