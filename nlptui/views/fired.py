"""Which rule decided on each token, which others would have fitted; of a dictionary, both ways to cut the
text.

Knows nothing of patterns: the rules' names are labels, what fits is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Bars, Figure, HeatTable, Part, Source, Token, Tokens
from nlptui.views.names import clamp
from nlptui.views.view import State, View, config_of, cut, in_words, nothing, ordered

if TYPE_CHECKING:
    from nlptui.trace import Trace


def _named(trace: Trace) -> tuple[str, ...]:
    return in_words(trace.label_sets.get("rule", ()))


def rule_row(trace: Trace) -> Tokens:
    """The tokens, each with the rule that decided on it."""
    names, rules = _named(trace), trace.array("rule")[0]
    tokens = trace.labels("path", "pos")
    row = tuple(
        Token(token, tag=names[clamp(int(rule), len(names))] if names else str(int(rule)))
        for token, rule in zip(tokens, rules, strict=True)
    )
    return Tokens(_("the rule that decided"), row, Source("rule", (0, "row")))


def fitting(trace: Trace) -> HeatTable:
    """Tokens × rules that fit anywhere; the first that fits decides."""
    table = cut(trace, "fits", "pos", "rule", title=_("which rules fit (1)"), scale="probability", digits=0)
    return ordered(table, np.flatnonzero(table.values.any(0)).tolist(), "cols")


def both_ways(trace: Trace) -> list[Part]:
    """The labels from the left and from the right, the chosen ones, and what each way costs."""
    labels = trace.label_sets.get("tag", ())
    names = {
        "forward_path": _("longest words from the left"),
        "backward_path": _("longest words from the right"),
        "path": _("chosen"),
    }
    tokens = trace.labels("path", "pos")
    parts: list[Part] = []
    for name, title in names.items():
        row = tuple(
            Token(token, tag=labels[clamp(int(tag), len(labels))])
            for token, tag in zip(tokens, trace.array(name)[0], strict=True)
        )
        parts.append(Tokens(title, row, Source(name, (0, "row"))))
    sides = ("forward", "backward")
    costs = Bars(
        _("words (after the point: single characters); fewer win, and the right where both are alike"),
        (_("from the left"), _("from the right")),
        np.array([float(trace.array(f"{side}_cost")[0, 0]) for side in sides]),
        tuple(Source(f"{side}_cost", (0, 0)) for side in sides),
        digits=4,
    )
    return [*parts, costs]


def draw(trace: Trace, state: State) -> Figure:
    """The rules that decided, and what else would have fitted."""
    title = _(VIEW.title)
    if "rule" not in trace or "path" not in trace or not trace["path"].shape[1]:
        return nothing(trace, "fired", title)
    parts: list[Part] = [rule_row(trace)]
    if "forward_path" in trace:
        parts += both_ways(trace)
    elif "fits" in trace:
        parts.append(fitting(trace))
    caption = _("Rules are tried in their order; they stand in rules.toml in the model's folder.")
    return Figure("fired", title, tuple(parts), caption)


def _is_rules(thing: Any) -> bool:
    return getattr(config_of(thing), "arch", "") == "rules"


VIEW = View("fired", 6, N_("Rules that fired"), applies=_is_rules, draw=draw)
