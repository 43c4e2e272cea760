"""The cache of keys and values: what each step of writing computes, and what it reads again.

Knows nothing of how it is measured: it shows the analysis `cache`. Source: Pope et al. 2022, section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Lines, Series
from nlptui.views.names import place
from nlptui.views.view import State, View, config_of, cut, nothing, stack, titled

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.cache."


def counts(trace: Trace, state: State) -> HeatTable:
    """Keys and values computed at each step, with and without a cache."""
    rows = ((f"{PREFIX}with", _("with the cache")), (f"{PREFIX}without", _("without")))
    tables = [cut(trace, name, "", "query", scale="positive", digits=0) for name, _label in rows]
    title = _("keys and values computed, of each layer and head")
    return stack(title, tables, [label for _name, label in rows], "way", state.by)


def work(trace: Trace) -> Lines:
    """The same, added up over the steps."""
    lines = []
    for name, label in (("without", _("without")), ("with", _("with the cache"))):
        values = np.cumsum(trace.array(PREFIX + name)[0].astype(np.float64))
        lines.append(Series(label, np.arange(1, len(values) + 1, dtype=np.float64), values))
    return Lines(_("added up over the steps"), tuple(lines), _("tokens"), _("computed"))


def differences(trace: Trace) -> HeatTable:
    """Of every layer, how far the cached keys and values are from those of the whole run."""
    names = [name for name in trace.analyses if name.startswith(PREFIX) and name.endswith(".off")]
    kinds = {"k": _("keys"), "v": _("values")}
    labels = [titled(kinds[name.split(".")[-2]], place(name.removeprefix(PREFIX))) for name in names]
    tables = [cut(trace, name, "", "stat", scale="positive", digits=2) for name in names]
    return stack(_("largest difference from a run over the whole text"), tables, labels, "layer")


def draw(trace: Trace, state: State) -> Figure:
    """Steps × positions, the counts, their sums, and the proof that nothing changes."""
    title = _(VIEW.title)
    if f"{PREFIX}used" not in trace or not trace[f"{PREFIX}used"].shape[1]:
        return nothing(trace, "cache", title)
    words = _("row: a step; 2 computed now, 1 from the cache")
    used = cut(trace, f"{PREFIX}used", "query", "key", title=words, scale="positive", digits=0)
    parts = (used, counts(trace, state), work(trace), differences(trace))
    caption = _("Each step computes the key and value of its own token alone; those before it are kept.")
    return Figure("cache", title, parts, caption)


def _applies(thing: object) -> bool:
    config = config_of(thing)
    return getattr(config, "arch", "") == "gpt" or getattr(config, "task", "") == "translation"


VIEW = View(
    "cache",
    8,
    N_("Key–value cache"),
    applies=_applies,
    draw=draw,
    needs=lambda trace, state: ("analysis.cache",) if "logits" in trace.activations else (),
)
