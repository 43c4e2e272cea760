"""Two figures of the same view as one: each table as A, as B, and as A − B where their shapes agree.

Knows nothing of views: it pairs the parts of two figures by their order, or where one has more of them, by
what they hold. Sources of B point into the second trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlptui.lazy import numpy as np
from nlptui.locale import _
from nlptui.views.figure import Bars, Figure, HeatTable, Lines, Part, Points, Source, Tokens
from nlptui.views.names import kind
from nlptui.views.view import View, decimals

if TYPE_CHECKING:
    from nlptui.trace import Trace


def with_pinned(view: View, figure: Figure, pinned: Trace, draw: Callable[[], Figure]) -> Figure:
    """`figure`, of the run B, compared with what `draw` makes of the run A, `pinned`.

    Where the view has nothing to compare, `figure` alone; its caption says why.
    """
    words = ""
    if view.shows_others:
        words = _("This view shows several runs already; A is left out.")
    elif not view.applies(pinned):
        words = _("The pinned run, A, has nothing to show in this view; this is B.")
    return replace(figure, caption=f"{words} {figure.caption}") if words else compare(draw(), figure)


def compare(a: Figure, b: Figure) -> Figure:
    """A, then B, then their difference, part by part; a caption says where there can be no difference."""
    parts: list[Part] = []
    unequal = 0
    for left, right in paired(a.parts, b.parts):
        both_of = [
            named(part, label, trace) for part, label, trace in ((left, "A", 0), (right, "B", 1)) if part
        ]
        parts += both_of
        if isinstance(left, HeatTable) and isinstance(right, HeatTable):
            if left.values.shape == right.values.shape:
                minus: Any = tuple(both_of)
                parts.append(replace(difference(left, right), minus=minus))
            else:
                unequal += 1
    caption = a.caption if a.caption == b.caption else " ".join(filter(None, (a.caption, b.caption)))
    if unequal:
        caption += " " + _("Tables of different shapes have no A − B.")
    title = a.title if a.title == b.title else _("A: {a}   B: {b}").format(a=a.title, b=b.title)
    return Figure(a.view, title, tuple(parts), caption.strip())


def paired(a: Sequence[Part], b: Sequence[Part]) -> list[tuple[Part | None, Part | None]]:
    """The parts side by side. Where one figure has more of them, as an LSTM has more gates than a GRU, those
    of one kind or of one title stand together, and the others alone.
    """
    if len(a) == len(b):
        return list(zip(a, b, strict=True))
    found: list[tuple[Part | None, Part | None]] = []
    rest = list(b)
    for left in a:
        at = next((n for n, right in enumerate(rest) if _alike(left, right)), None)
        if at is not None:
            found += [(None, right) for right in rest[:at]]
        found.append((left, None if at is None else rest[at]))
        rest = rest if at is None else rest[at + 1 :]
    return found + [(None, right) for right in rest]


def _alike(a: Part, b: Part) -> bool:
    """Whether two parts hold values of one kind."""
    if type(a) is not type(b):
        return False
    sources = getattr(a, "source", None), getattr(b, "source", None)
    one, other = (source.name if isinstance(source, Source) else "" for source in sources)
    return a.title == b.title or (one != "" and kind(one) == kind(other))


def named(part: Part, label: str, trace: int) -> Part:
    """The part with "A" or "B" before its title, its cells opening in that trace."""
    title = f"{label} · {part.title}"
    if isinstance(part, HeatTable | Bars | Tokens):
        source = part.source
        if isinstance(source, tuple):
            return replace(part, title=title, source=tuple(replace(row, trace=trace) for row in source))
        return replace(part, title=title, source=_in_trace(source, trace))
    if isinstance(part, Points):
        return replace(part, title=title, source=_in_trace(part.source, trace))
    if isinstance(part, Lines):
        series = tuple(replace(line, source=_in_trace(line.source, trace)) for line in part.series)
        return replace(part, title=title, series=series)
    return replace(part, title=title)


def difference(a: HeatTable, b: HeatTable) -> HeatTable:
    """A − B, cell by cell; where both are infinite there is nothing to say, and the cell is blank."""
    with np.errstate(invalid="ignore"):
        values = np.subtract(a.values, b.values, dtype=np.result_type(a.values, b.values, np.float32))
    return HeatTable(
        title=f"A − B · {b.title}",
        values=values,
        rows=both(a.rows, b.rows),
        cols=both(a.cols, b.cols),
        row_axis=a.row_axis,
        col_axis=a.col_axis,
        digits=decimals(values),
        by=a.by,
        differences=True,
    )


def both(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    """One label where two tables agree, otherwise both: "can/may"."""
    return tuple(x if x == y else f"{x}/{y}" for x, y in zip(a, b, strict=True))


def _in_trace(source: Source | None, trace: int) -> Source | None:
    return None if source is None else replace(source, trace=trace)
