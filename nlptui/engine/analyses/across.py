"""One token of this run against every token of the pinned run, in each layer: a word in two sentences.

    cosine_s = unit_t · other_s / |other_s|        unit: of `space`; other: the vectors of the pinned run

Source: Ethayarajh 2019, "How Contextual are Contextualized Word Representations?".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.config import CLASSICAL
from nlptui.engine.analyses.space import EPSILON, layers, size_of
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine


def fits(config: Any) -> bool:
    """Every network has vectors of its tokens."""
    return config.arch not in CLASSICAL


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """Of every layer `{name}.cosine` (batch query key): one query, and the pinned run's tokens as keys.

    Raises UserError where no run of the same model is pinned.
    """
    pinned = trace.pinned
    if pinned is None or pinned.model != trace.model:
        raise UserError(_("{prefix} needs another run of this model, pinned").format(prefix=asked.prefix))
    position = asked.position_of(len(trace.encoding.ids))
    for name in layers(trace):
        if name.startswith("decoder.") or not pinned[name].shape[1]:
            continue
        scope = rec.at(name, key="pinned", query="chosen")
        other: Any = pinned[name].value
        scope.input("other", other, "batch key d_model")
        by = f"sqrt(mean(square(other)) * {other.shape[-1]})"
        size = scope("length", size_of(other), "batch key stat", by=by)
        unit = scope("unit", other / size.clamp(min=EPSILON), "batch key d_model", by="other / length")
        own: Any = trace[f"analysis.space.{name}.unit"].value[:, position : position + 1]
        near = f"dot(at(analysis.space.{name}.unit, {position}), unit)"
        scope("cosine", own @ unit.transpose(1, 2), "batch query key", by=near)
