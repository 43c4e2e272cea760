"""Which units of a recurrent layer are on exactly over a span of the text, and where else they are.

A unit is on at a token where its state is beyond a threshold, on the side (above θ, or below −θ) that fits
the span better. Of each unit

    match = tokens of the span where it is on / tokens that are in the span or where it is on    (Jaccard)

so that 1 means on exactly there. The best units then say, at every token, how many of them are on: where that
is many again, the text does there what it did in the span. Source: Strobelt et al. 2018, "LSTMVis".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from nlptui.engine.analyses.gradient import RECURRENT, define
from nlptui.locale import _
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

THRESHOLD = 0.3
BEST = 8
"""How many units count for where else."""


def fits(config: Any) -> bool:
    """Whether a network has recurrent layers."""
    return config.arch in RECURRENT


def states(trace: Trace) -> list[str]:
    """The states of all layers and directions: the cell where there is one, or else the hidden state."""
    hidden = [name for name in trace.activations if name.endswith((".forward.hidden", ".backward.hidden"))]
    cells = [name.removesuffix("hidden") + "cell" for name in hidden]
    return [c if c in trace.activations else h for c, h in zip(cells, hidden, strict=True)]


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """Of every state `match` and `side` (batch d_hidden), and `share` (batch pos), for the span at … to …."""
    length = len(trace.encoding.ids)
    first = asked.position_of(length)
    last = min(asked.target if asked.target is not None else first, length - 1)
    first, last = min(first, last), max(first, last)
    inside = torch.zeros(length, 1, dtype=torch.bool)
    inside[first : last + 1] = True
    for name in states(trace):
        value: Any = trace[name].value
        scope = rec.at(name)
        x = value[0].cpu()
        above, below = (_jaccard(on, inside) for on in (x > THRESHOLD, x < -THRESHOLD))
        side = torch.where(above >= below, 1.0, -1.0)
        match = torch.maximum(above, below)
        made_of = ((name, None),)
        words = _("1 where the unit counts as on above {t}, −1 where it does below −{t}")
        define(scope, "side", side[None], ("batch", "d_hidden"), words.format(t=THRESHOLD), made_of)
        words = _(
            "tokens {first} to {last} where the unit is on, over those that are in the span or where it is on"
        )
        words = words.format(first=first, last=last)
        full = define(scope, "match", match[None], ("batch", "d_hidden"), words, made_of)
        best = match.argsort(descending=True, stable=True)[:BEST]
        share = (x[:, best] * side[best] > THRESHOLD).float().mean(-1)
        words = _("the share of the {n} units with the best match that are on").format(n=len(best))
        define(scope, "share", share[None], ("batch", "pos"), words, ((name, None), (full, None)))


def _jaccard(on: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Of each unit (pos unit): |on and inside| / |on or inside|."""
    return (on & inside).sum(0) / (on | inside).sum(0).clamp(min=1)
