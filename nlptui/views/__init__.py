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
    effect,
    embedding,
    eras,
    evidence,
    feed_forward,
    fired,
    gates,
    head_patterns,
    hidden,
    lattice,
    lens,
    neighbours,
    next_token,
    output,
    pooling,
    positions,
    rollout,
    sources,
    space,
    steps,
    surprisal,
    systems,
    through_time,
    timing,
    tokens,
    tree,
    units_on,
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
    view.name: view
    for view in (
        tokens.VIEW,
        embedding.VIEW,
        space.VIEW,
        neighbours.VIEW,
        positions.VIEW,
        hidden.VIEW,
        add_norm.VIEW,
        feed_forward.VIEW,
        lens.VIEW,
        sources.VIEW,
        gates.VIEW,
        through_time.VIEW,
        units_on.VIEW,
        attention.VIEW,
        steps.VIEW,
        head_patterns.VIEW,
        rollout.VIEW,
        output.VIEW,
        pooling.VIEW,
        lattice.VIEW,
        evidence.VIEW,
        fired.VIEW,
        effect.VIEW,
        systems.OUTPUTS,
        systems.SYSTEMS_VIEW,
        eras.VIEW,
        attribution.VIEW,
        next_token.VIEW,
        beam.VIEW,
        cache.VIEW,
        surprisal.VIEW,
        tree.VIEW,
        activation.VIEW,
        timing.VIEW,
    )  # fmt: skip
}

__all__ = ["GROUPS", "VIEWS", "Figure", "State", "View", "describe"]
