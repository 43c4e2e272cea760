"""Leaving out: by how much one logit falls where a token is deleted from the text, one run for each token.

    fall_t = logit − logit of the text without token t

Of a translator a token is deleted from the source, or from what its decoder has read. What two of these texts
have in common is run once, where the network lets it: see `shared_runs`.
Source: Li et al. 2016, "Understanding Neural Networks through Representation Erasure".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.engine.analyses import gradient, shared_runs
from nlptui.engine.analyses.attribution import SIDES
from nlptui.engine.analyses.gradient import define, logit_of
from nlptui.engine.analyses.one_logit import Place, logits
from nlptui.engine.inputs import batch_again
from nlptui.locale import _
from nlptui.nn import Batch
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked, Watch
    from nlptui.engine.engine import Engine

AT_ONCE = 64
"""Texts that are run in one batch."""


def fits(config: Any) -> bool:
    """Whether there is a logit to ask about."""
    return gradient.fits(config)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`fall` (batch pos); of a translator, `encoder.fall` and `decoder.fall`.

    There is none (NaN) for the token whose place the logit stands at. Edits of activations name positions of
    the whole text: with some in force, nothing is left out.
    """
    name, place = logit_of(trace, asked)
    value: Any = trace[name].value[(0, *place)]
    element = f"{name}[{','.join(map(str, (0, *place)))}]"
    words = _("{logit} − the same logit of the text without this token; none for the token asked about")
    batch = batch_again(trace, engine.device)
    for side, axes in SIDES.items() if batch.target_ids is not None else (("", ""),):
        ids = batch.target_ids if side == "decoder" else batch.ids
        assert ids is not None
        found = torch.full((1, ids.shape[1]), torch.nan, dtype=value.dtype)
        if not trace.activation_edits:
            _without_each(engine, trace, batch, side, name, place, found, asked.watch)
        scope = rec.at(side, pos=axes) if side else rec
        fall = value.cpu() - found
        define(scope, "fall", fall, ("batch", "pos"), words.format(logit=element), ((name, (0, *place)),))


def _without_each(
    engine: Engine,
    trace: Trace,
    batch: Batch,
    side: str,
    name: str,
    place: Place,
    found: Tensor,
    watch: Watch,
) -> None:
    """Put the logit of the text without each token into `found` (batch pos)."""
    at = _own(name, place, side)
    if engine.config.arch in ("gpt", "transformer") and side != "encoder":
        # What comes later is not read.
        found[0, place[0] + 1 :] = trace[name].value[(0, *place)].cpu()
        tokens = list(range(place[0]))
    else:
        tokens = [i for i in range(found.shape[1]) if i != at] if found.shape[1] > 1 else []
    run = shared_runs.fitting(engine, trace, name) if tokens else None
    with torch.no_grad():
        if run is not None:
            found[0, tokens] = run(engine, trace, place, tokens, watch).cpu()
            return
        for first in range(0, len(tokens), AT_ONCE):
            watch(first, len(tokens))
            some = tokens[first : first + AT_ONCE]
            places = [place if at is None else (at - (i < at), *place[1:]) for i in some]
            found[0, some] = logits(engine, _without(batch, side, some), name, places).cpu()


def _own(name: str, place: Place, side: str) -> int | None:
    """The position that the logit stands at, if it is one of the tokens'."""
    if side == "encoder":
        return None
    return place[0] if len(place) == 2 or name in ("start.logits", "end.logits") else None


def _without(batch: Batch, side: str, tokens: Sequence[int]) -> Batch:
    """The text without each of `tokens`, one a row; what has no such tokens stays whole."""
    given: dict[str, Any] = {}
    for key in ("ids", "segments", "chars", "target_ids"):
        value = getattr(batch, key)
        if value is None:
            continue
        if (key == "target_ids") != (side == "decoder"):
            given[key] = value.expand(len(tokens), *value.shape[1:])
            continue
        kept = [[i for i in range(value.shape[1]) if i != token] for token in tokens]
        given[key] = value[0][torch.tensor(kept, device=value.device)]
    return replace(batch, **given)
