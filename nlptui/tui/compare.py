"""Two figures of the same view as one: every table as A, B and A − B.

A is the run that was pinned, B the one on screen. Tables of different shapes are shown as A and B only.
"""

from __future__ import annotations

from dataclasses import replace

from nlptui.locale import _
from nlptui.views.figure import Bars, Figure, HeatTable, Part


def compared(pinned: Figure | None, current: Figure) -> Figure:
    """The figure of the comparison. `pinned` None: the pinned run has nothing of this kind."""
    if pinned is None:
        return replace(
            current,
            parts=tuple(_named(part, "B", 1) for part in current.parts),
            caption=_("A has nothing to show in this view; this is B."),
        )
    parts: list[Part] = []
    for number in range(max(len(pinned.parts), len(current.parts))):
        a = pinned.parts[number] if number < len(pinned.parts) else None
        b = current.parts[number] if number < len(current.parts) else None
        parts += [_named(a, "A", 0)] if a is not None else []
        parts += [_named(b, "B", 1)] if b is not None else []
        difference = _difference(a, b)
        parts += [difference] if difference is not None else []
    caption = _("A is the pinned run, B this one.")
    if not any(part.title.startswith("A − B") for part in parts):
        caption += " " + _("Their shapes differ, so there is no A − B.")
    return replace(current, parts=tuple(parts), caption=caption)


def _named(part: Part, name: str, trace: int) -> Part:
    """The part with A or B before its title, and sources that point into that trace."""
    part = replace(part, title=f"{name} · {part.title}")
    if isinstance(part, HeatTable | Bars) and part.source is not None:
        source = part.source
        moved = tuple(replace(s, trace=trace) for s in source) if isinstance(source, tuple) else replace(source, trace=trace)
        return replace(part, source=moved)
    return part


def _difference(a: Part | None, b: Part | None) -> HeatTable | None:
    if not isinstance(a, HeatTable) or not isinstance(b, HeatTable) or a.values.shape != b.values.shape:
        return None
    return replace(
        b,
        title=f"A − B · {b.title}",
        values=a.values - b.values,
        rows=tuple(x if x == y else f"{x}/{y}" for x, y in zip(a.rows, b.rows, strict=True)),
        cols=tuple(x if x == y else f"{x}/{y}" for x, y in zip(a.cols, b.cols, strict=True)),
        scale="diverging",
        source=None,
        note="A − B",
    )

