"""Parallel or serial: milliseconds of one layer by the length of the text, measured here and now.

Knows nothing of how it is measured: it shows the analysis `timing`. Source: Vaswani et al. 2017, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Lines, Part, Series, Source
from nlptui.views.view import State, View, config_of, nothing

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.timing."
_ATTENTION = N_("attention")  # the one system whose name is a word
_TABLES = {
    "ms": (N_("milliseconds"), 3),
    "flops": (N_("operations (multiplications and additions)"), 2),
    "serial": (N_("steps that wait for each other"), 0),
}


def table(trace: Trace, kind: str, state: State) -> HeatTable:
    """Systems × lengths."""
    words, digits = _TABLES[kind]
    return HeatTable(
        title=_(words),
        values=trace.array(PREFIX + kind)[0],
        rows=tuple(map(_, trace.labels(PREFIX + kind, "system"))),
        cols=trace.labels(PREFIX + kind, "length"),
        row_axis="system",
        col_axis="length",
        scale="positive",
        source=Source(PREFIX + kind, (0, "row", "col")),
        digits=digits,
        by=state.by,
    )


def chart(trace: Trace) -> Lines:
    """Milliseconds over the length, one line for each system."""
    values = trace.array(f"{PREFIX}ms")[0].astype(np.float64)
    x = np.array(trace.labels(f"{PREFIX}ms", "length"), dtype=np.float64)
    names = trace.labels(f"{PREFIX}ms", "system")
    lines = tuple(
        Series(_(name), x, row, Source(f"{PREFIX}ms", (0, number, "col")))
        for number, (name, row) in enumerate(zip(names, values, strict=True))
    )
    return Lines(_("milliseconds by length"), lines, _("tokens"), _("ms"), log=True)


def draw(trace: Trace, state: State) -> Figure:
    """The chart, then the numbers."""
    title = _(VIEW.title)
    if f"{PREFIX}ms" not in trace:
        return nothing(trace, "timing", title)
    parts: tuple[Part, ...] = (chart(trace), *(table(trace, kind, state) for kind in _TABLES))
    caption = _(
        "One layer, 128 wide, measured on this machine: a recurrent layer takes a step for each token,"
        " attention sees all at once and pays for each pair."
    )
    return Figure("timing", title, parts, caption)


VIEW = View(
    "timing",
    9,
    N_("Parallel or serial"),
    applies=lambda thing: (
        getattr(config_of(thing), "arch", "") in ("rnn", "lstm", "gru", "transformer", "bert", "gpt")
    ),
    draw=draw,
    needs=lambda trace, state: ("analysis.timing",) if trace.activations else (),
)
