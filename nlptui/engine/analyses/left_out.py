"""Leaving out: by how much one logit falls where a token is deleted from the text, one run for each token.

    fall_t = logit − logit of the text without token t

Source: Li et al. 2016, "Understanding Neural Networks through Representation Erasure".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.engine.analyses import gradient
from nlptui.engine.analyses.attribution import per_token
from nlptui.engine.analyses.gradient import define, logit_of
from nlptui.engine.inputs import batch_of
from nlptui.locale import _
from nlptui.nn import OFF, Batch
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

AT_ONCE = 64
"""Texts that are run in one batch."""


def fits(config: Any) -> bool:
    """Whether there is a logit to ask about."""
    return gradient.fits(config)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`fall` (batch pos)."""
    name, place = logit_of(trace, asked)
    value: Any = trace[name].value[(0, *place)]
    found = _falls(engine, trace, name, place, value)
    element = f"{name}[{','.join(map(str, (0, *place)))}]"
    words = _("{logit} − the same logit of the text without this token; none for the token asked about")
    define(rec, "fall", found, ("batch", "pos"), words.format(logit=element), ((name, (0, *place)),))


def _falls(engine: Engine, trace: Trace, name: str, place: tuple[int, ...], value: Tensor) -> Tensor:
    """By how much the logit falls without each token (batch pos); NaN for the token asked about.

    Edits name positions of the whole text: with some in force, nothing is left out.
    """
    batch = batch_of(trace.encoding, engine.device)
    length = batch.ids.shape[1]
    found = torch.full((1, length), torch.nan, dtype=value.dtype)
    at = place[0] if len(place) == 2 or name in ("start.logits", "end.logits") else None
    tokens = [i for i in range(length) if i != at] if length > 1 and not trace.edits else []
    for first in range(0, len(tokens), AT_ONCE):
        some = tokens[first : first + AT_ONCE]
        with torch.no_grad():
            scores: Tensor = engine.model(_without(batch, some), OFF)[name]
        for row, i in enumerate(some):
            moved = place if at is None else (at - (i < at), *place[1:])
            found[0, i] = value - scores[(row, *moved)]
    return found


def _without(batch: Batch, tokens: list[int]) -> Batch:
    """The text without each of `tokens`, one a row."""
    length = batch.ids.shape[1]
    kept = torch.tensor([[i for i in range(length) if i != token] for token in tokens])
    return replace(batch, **{key: value[0][kept] for key, value in per_token(batch).items()})
