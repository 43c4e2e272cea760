"""The lattice of an HMM or a CRF: a column of tags for each token, and the best path through them.

    score_t(j) = emission_t(j) + max_i [score_{t−1}(i) + transition(i, j)]

A walk shows one column at a time, with the way into it from the tag before on the best path; the other
choices show each matrix whole. Sources: Viterbi 1967; Rabiner 1989.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Part, Scale, Source, Token, Tokens, told
from nlptui.views.names import clamp
from nlptui.views.view import State, View, chosen, config_of, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

NO_TAG = "–"
CHOICES = ("walk", "lattice", "posteriors", "transitions")
_NEEDED = ("emission", "transition", "score", "backpointer", "path", "probs")


def has_lattice(thing: Any) -> bool:
    """Whether a model chooses the tags of a sentence together."""
    config = config_of(thing)
    return getattr(config, "arch", "") in ("hmm", "crf") or bool(getattr(config, "crf", False))


def tags_on_path(trace: Trace) -> list[int]:
    """The number of each token's tag on the best path; an edit may have put any number there."""
    size = trace["score"].shape[-1]
    found = trace.array("path")[0]
    return [clamp(round(float(value)) if value == value else 0, size) for value in found]


def path_row(trace: Trace) -> Tokens:
    """The tokens with their tags on the best path, and how likely each is over all paths."""
    names, probs = trace.labels("score", "tag"), trace.array("probs")[0]
    tokens = trace.labels("score", "pos")
    row = tuple(
        Token(token, tag=names[tag], prob=float(probs[place, tag]))
        for place, (token, tag) in enumerate(zip(tokens, tags_on_path(trace), strict=True))
    )
    source = tuple(Source("probs", (0, place, tag)) for place, tag in enumerate(tags_on_path(trace)))
    return Tokens(_("the best path"), row, source)


def column(trace: Trace, position: int, state: State) -> HeatTable:
    """One column of the lattice, and the way into it from the tag before on the best path."""
    path, names = tags_on_path(trace), trace.labels("score", "tag")
    at = {"pos": position, "tag": path[position - 1] if position else 0}
    before = names[path[position - 1]] if position else ""
    way = ("transition", "tag_next", _("transition from {tag}").format(tag=before))
    if not position:
        way = ("transition.start", "tag", _("transition at the beginning"))
    rows: list[tuple[str, str, str, Scale]] = [
        ("emission", "tag", _("emission"), "diverging"),
        (*way, "diverging"),
        ("score", "tag", _("score"), "diverging"),
        ("forward_score", "tag", _("forward"), "diverging"),
        ("backward_score", "tag", _("backward"), "diverging"),
        ("probs", "tag", _("posterior"), "probability"),
    ]
    rows = [row for row in rows if row[0] in trace]
    tables = [cut(trace, name, "", axis, at, scale=scale) for name, axis, _words, scale in rows]
    token = trace.labels("score", "pos")[position]
    title = _("column of '{token}' ({position})").format(token=told(token), position=position)
    return stack(title, tables, [words for _name, _axis, words, _scale in rows], "step", "row")


def before_each(trace: Trace, position: int, state: State) -> HeatTable:
    """The back-pointers of one column: which tag before leads best to each."""
    table = cut(trace, "backpointer", "", "tag", {"pos": position})
    return replace(
        table,
        title=_("back-pointers: the tag before, on the best path to each tag"),
        rows=(_("from"),),
        row_axis="step",
        scale="positive",
        texts=_tags_of(trace, table),
    )


def pointers(trace: Trace, state: State) -> HeatTable:
    """All back-pointers, as names of tags."""
    title = _("back-pointers: the tag before, on the best path")
    table = whole(trace, "backpointer", title, state, "positive")
    return replace(table, texts=_tags_of(trace, table))


def _tags_of(trace: Trace, table: HeatTable) -> tuple[tuple[str, ...], ...]:
    """The tags whose numbers stand in a table; none for −1, before the first token."""
    tags = trace.labels("score", "tag")
    known = dict(enumerate(tags))
    return tuple(
        tuple(known.get(round(v), NO_TAG) if v == v else NO_TAG for v in row) for row in table.values.tolist()
    )


def whole(trace: Trace, name: str, title: str, state: State, scale: Scale = "diverging") -> HeatTable:
    """A matrix of the lattice, tokens × tags."""
    return cut(trace, name, "pos", "tag", title=title, scale=scale, by=state.by)


def transitions(trace: Trace, state: State) -> list[Part]:
    """Tags after tags, and at both ends."""
    ends = [cut(trace, f"transition.{side}", "", "tag") for side in ("start", "end")]
    return [
        cut(trace, "transition", "tag", "tag_next", title=_("from each tag (row) to each tag"), by=state.by),
        stack(_("at both ends"), ends, [_("beginning"), _("end")], "step", state.by),
    ]


def draw(trace: Trace, state: State) -> Figure:
    """The best path, and what the choice asks for."""
    title = _(VIEW.title)
    if any(name not in trace for name in _NEEDED) or not trace["score"].shape[1]:
        return nothing(trace, "lattice", title)
    choice = chosen(CHOICES, state.name)
    position = clamp(state.position, trace["score"].shape[1])
    parts: list[Part] = [path_row(trace)]
    if choice == "walk":
        parts += [column(trace, position, state), before_each(trace, position, state)]
        parts.append(whole(trace, "score", _("scores of the best paths"), state))
        token = trace.labels("score", "pos")[position]
        title = titled(title, f"{told(token)} ({position})")
    elif choice == "lattice":
        parts += [
            whole(trace, "score", _("scores of the best paths"), state),
            pointers(trace, state),
            whole(trace, "emission", _("emissions"), state),
        ]
    elif choice == "posteriors":
        parts += [
            whole(trace, "probs", _("posterior: over all paths"), state, "probability"),
            whole(trace, "forward_score", _("forward"), state),
            whole(trace, "backward_score", _("backward"), state),
        ]
    else:
        parts += transitions(trace, state)
    caption = _(
        "score = emission + the best of (score before + transition); the back-pointer says which it was."
    )
    return Figure("lattice", title, tuple(parts), caption)


VIEW = View(
    "lattice",
    6,
    N_("Lattice"),
    applies=has_lattice,
    draw=draw,
    choices=lambda trace: CHOICES if has_lattice(trace) else (),
)
