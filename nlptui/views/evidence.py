"""What an HMM or a CRF goes by at one token: its counts, or its features and their weights.

Of an HMM: how often the word was seen with each tag, and what smoothing makes of it. Of a CRF: each feature
of the token with its weight for each tag, and the features that speak most for and against a tag.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Bars, Figure, HeatTable, Part, Scale, Source, told
from nlptui.views.names import clamp
from nlptui.views.view import State, View, config_of, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

TOP = 12
"""Rows of a table of weights that are shown."""
_TABLES = {"hmm": "word_count.weight", "crf": "state.weight"}


def _arch(thing: Any) -> str:
    return str(getattr(config_of(thing), "arch", ""))


def tag_in_question(trace: Trace, position: int, state: State) -> int:
    """The tag that was asked for, or the one that the best path gives the token."""
    if state.target is not None:
        return clamp(state.target, trace["emission"].shape[-1])
    value = float(trace.array("path")[0, position])
    return clamp(round(value) if value == value else 0, trace["emission"].shape[-1])


def counts(trace: Trace, position: int, state: State) -> HeatTable:
    """What an HMM knows of the word, from count to emission."""
    rows: list[tuple[str, str, Scale]] = [
        ("count", _("times seen with the tag"), "positive"),
        ("class.count", _("rare words of its class"), "positive"),
        ("unseen", _("P(word | tag) if new"), "positive"),
        ("estimate", _("P(word | tag), smoothed"), "positive"),
        ("emission", _("its logarithm: emission"), "diverging"),
    ]
    tables = [cut(trace, name, "", "tag", {"pos": position}, scale=scale) for name, _w, scale in rows]
    labels = [words for _name, words, _scale in rows]
    return stack(_("from counts to the emission"), tables, labels, "step", "row")


def weights(trace: Trace, position: int, state: State) -> list[Part]:
    """A CRF's features of the token, each with its weight for each tag, and their sum."""
    table = cut(
        trace, "weights", "feature", "tag", {"pos": position}, title=_("weights of its features"), by=state.by
    )
    table = replace(table, rows=_as_strings(trace, position, table.rows))
    total = cut(trace, "emission", "", "tag", {"pos": position})
    return [table, stack(_("their sum"), [total], [_("emission")], "step", state.by)]


def _as_strings(trace: Trace, position: int, templates: tuple[str, ...]) -> tuple[str, ...]:
    """What each template found at the token, as `template=value`; the template alone where that has no
    weight."""
    known = trace.label_sets.get("evidence", ())
    numbers = trace.array("features")[0, position] if "features" in trace else np.zeros(len(templates))
    return tuple(
        known[int(n)] if 0 < int(n) < len(known) else f"({name})"
        for name, n in zip(templates, numbers, strict=True)
    )


def strongest(trace: Trace, tag: int) -> list[Part]:
    """The rows of the table with the largest numbers for a tag, and of a CRF with the smallest."""
    name = _TABLES[_arch(trace)]
    values = trace.array(name)[:, tag]
    labels = trace.label_sets.get("evidence", ())
    label = trace.labels("emission", "tag")[tag]
    order = np.argsort(-values, kind="stable")
    found: list[Part] = []
    sides = [(order[:TOP], _("what speaks most for {tag}"))]
    if _arch(trace) == "crf":
        sides.append((order[::-1][:TOP], _("what speaks most against {tag}")))
    else:
        sides = [(order[:TOP], _("words seen most with {tag}"))]
    for picked, title in sides:
        rows = tuple(map(int, picked))
        names = tuple(labels[i] if i < len(labels) else str(i) for i in rows)
        unit = _("weight") if _arch(trace) == "crf" else _("times")
        source = Source(name, ("row", tag), rows=rows)
        found.append(Bars(title.format(tag=label), names, values[list(rows)], source, unit=unit))
    return found


def draw(trace: Trace, state: State) -> Figure:
    """What speaks for each tag at the token, then what speaks for its tag at all."""
    title = _(VIEW.title)
    kept = _TABLES.get(_arch(trace), "")
    if any(name not in trace for name in ("emission", "path", kept)) or not trace["emission"].shape[1]:
        return nothing(trace, "evidence", title)
    position = clamp(state.position, trace["emission"].shape[1])
    parts: list[Part] = []
    if _arch(trace) == "hmm":
        parts.append(counts(trace, position, state))
    else:
        parts += weights(trace, position, state)
    parts += strongest(trace, tag_in_question(trace, position, state))
    token = trace.labels("emission", "pos")[position]
    caption = {
        "hmm": _("Emissions are logarithms of what was counted, smoothed so that nothing is impossible."),
        "crf": _("An emission is the sum of the weights of the features that the token has; 0: it has none."),
    }[_arch(trace)]
    return Figure("evidence", titled(title, f"{told(token)} ({position})"), tuple(parts), caption)


VIEW = View(
    "evidence", 6, N_("Counts and features"), applies=lambda thing: _arch(thing) in _TABLES, draw=draw
)
