"""Views: a trace (or two, or the metrics of a run) in, a figure out.

`VIEWS` is the list of all views, in the order of their groups; a group is a key. Nothing here runs a model.
"""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.views import (
    activation,
    add_norm,
    attention,
    attribution,
    beam,
    cache,
    embedding,
    feed_forward,
    gates,
    head_patterns,
    hidden,
    lens,
    next_token,
    output,
    rollout,
    sources,
    space,
    steps,
    surprisal,
    through_time,
    tokens,
    tree,
)  # fmt: skip
from nlptui.views.describe import describe
from nlptui.views.figure import Figure
from nlptui.views.view import State, View

GROUPS: dict[int, str] = {
    1: N_("Input"),
    2: N_("Embedding"),
    3: N_("Layers"),
    4: N_("Recurrent"),
    5: N_("Attention"),
    6: N_("Output"),
    7: N_("Attribution"),
    8: N_("Generation"),
    9: N_("Everything"),
}
"""The keys of the groups and their titles, marked for translation."""

VIEWS: dict[str, View] = {
    module.VIEW.name: module.VIEW
    for module in (
        tokens,
        embedding,
        space,
        hidden,
        add_norm,
        feed_forward,
        lens,
        sources,
        gates,
        through_time,
        attention,
        steps,
        head_patterns,
        rollout,
        output,
        attribution,
        next_token,
        beam,
        cache,
        surprisal,
        tree,
        activation,
    )  # fmt: skip
}

__all__ = ["GROUPS", "VIEWS", "Figure", "State", "View", "describe"]
