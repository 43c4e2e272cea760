"""Which vector stands for a text: what every pooler leads to, what each token gives it, and the vectors.

Knows nothing of how it is computed: it shows the analysis `pooling`. Sources: Devlin et al. 2019 (the first
token); Lin et al. 2017 (attention).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.locale import N_, _
from nlptui.views.figure import Figure
from nlptui.views.view import State, View, config_of, cut, nothing, stack, task_of

if TYPE_CHECKING:
    from nlptui.trace import Trace

PREFIX = "analysis.pooling."
WORDS = {
    "cls": N_("first token"),
    "mean": N_("mean"),
    "max": N_("max"),
    "attention": N_("attention"),
}


def poolers(trace: Trace) -> tuple[str, ...]:
    """The poolers that were recorded."""
    config: Any = config_of(trace)
    return tuple(name for name in WORDS if f"{PREFIX}{name}.probs" in trace and config is not None)


def draw(trace: Trace, state: State) -> Figure:
    """Poolers × classes, poolers × tokens, poolers × units."""
    title, names = _(VIEW.title), poolers(trace)
    if not names:
        return nothing(trace, "pooling", title)
    labels = [_(WORDS[name]) for name in names]
    probs = [cut(trace, f"{PREFIX}{name}.probs", "", "label", scale="probability") for name in names]
    shares = [cut(trace, f"{PREFIX}{name}.share", "", "pos", scale="probability") for name in names]
    vectors = [cut(trace, f"{PREFIX}{name}.pooled", "", "d_model") for name in names]
    parts = (
        stack(_("what each pooler leads to"), probs, labels, "pooler"),
        stack(_("what each token gives"), shares, labels, "pooler", state.by),
        stack(_("the vector that stands for the text"), vectors, labels, "pooler", "row"),
    )
    here = _(WORDS[str(config_of(trace).pooling)])
    words = _(
        "A pooler makes one vector of the top layer, and a classifier reads it. This run goes by: {name}."
    )
    caption = words.format(name=here)
    if len(names) > 1:
        caption += " " + _("P takes another one, in every view.")
    return Figure("pooling", title, parts, caption)


def _applies(thing: object) -> bool:
    return task_of(thing) == "classification" and bool(getattr(config_of(thing), "pooling", ""))


VIEW = View(
    "pooling",
    6,
    N_("Poolers"),
    applies=_applies,
    draw=draw,
    needs=lambda trace, state: ("analysis.pooling",) if trace.activations else (),
)
