"""Analyses: what a run does not compute by itself, made of it afterwards, as derived activations.

    analysis.rollout.blocks.0.mixing              NAME, then what the analysis records
    analysis.sources.to_17.blocks.0.attn          of token (or label) 17's logit
    analysis.gradient.at_5.to_17.embed            of the same at position 5
    analysis.beam.w_3.d_5.prob                    of a search with 3 beams, 5 tokens deep
    analysis.next.t_0p8.k_40.p_0p95.s_1.final     with temperature 0.8, top-k 40, top-p 0.95, seed 1

A name asks for its analysis: `Engine.analyse(trace, "analysis.rollout")` puts everything that begins so into
`trace.analyses`. What a formula can say opens as any other activation does; what autograd made opens to its
definition and to what it was computed from. Each analysis is one function in a file of this folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlptui.engine.analyses import (
    across,
    attribution,
    beam,
    cache,
    eras,
    finer,
    gradient,
    left_out,
    lens,
    neighbours,
    next_token,
    norms,
    patterns,
    pooling,
    positions,
    rollout,
    sources,
    space,
    steps,
    surprisal,
    timing,
    units,
    units_on,
)
from nlptui.engine.analyses.asked import Asked, Watch, unwatched
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.near_names import did_you_mean
from nlptui.sampling import SUFFIX, Sampling
from nlptui.text import visible
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.engine import Engine

PREFIX = "analysis."
_NAME = re.compile(
    rf"analysis\.(\w+)(?:\.at_(\d+))?(?:\.to_(\d+))?(?:\.({SUFFIX}))?"
    r"(?:\.w_(\d+)\.d_(\d+))?(?:\.|$)"
)


@dataclass(frozen=True)
class Analysis:
    """One analysis: for which models, and the function that records it."""

    fits: Callable[[Any], bool]
    """Whether a model's config has what it needs."""
    record: Callable[[Engine, Trace, Asked, Recorder], None]
    edits: bool = True
    """Whether it sees the edits of activations in force; one that runs other texts cannot, for those name
    places of this. Edits of parameters all analyses see.
    """
    after: tuple[str, ...] = ()
    """The analyses that it builds on, where the model has them."""


ANALYSES: dict[str, Analysis] = {
    "across": Analysis(across.fits, across.record, after=("space",)),
    "attribution": Analysis(attribution.fits, attribution.record, after=("rollout",)),
    "beam": Analysis(beam.fits, beam.record, edits=False),
    "cache": Analysis(cache.fits, cache.record, edits=False),
    "eras": Analysis(eras.fits, eras.record),
    "finer": Analysis(finer.fits, finer.record),
    "gradient": Analysis(gradient.fits, gradient.record),
    "left_out": Analysis(left_out.fits, left_out.record),
    "rollout": Analysis(rollout.fits, rollout.record),
    "patterns": Analysis(patterns.fits, patterns.record),
    "lens": Analysis(lens.fits, lens.record),
    "sources": Analysis(sources.fits, sources.record),
    "space": Analysis(space.fits, space.record),
    "neighbours": Analysis(neighbours.fits, neighbours.record),
    "pooling": Analysis(pooling.fits, pooling.record),
    "positions": Analysis(positions.fits, positions.record, edits=False),
    "next": Analysis(next_token.fits, next_token.record),
    "norms": Analysis(norms.fits, norms.record),
    "units_on": Analysis(units_on.fits, units_on.record),
    "timing": Analysis(timing.fits, timing.record),
    "units": Analysis(units.fits, units.record),
    "steps": Analysis(steps.fits, steps.record),
    "surprisal": Analysis(surprisal.fits, surprisal.record),
}


def analyse(engine: Engine, trace: Trace, name: str, watch: Watch = unwatched) -> None:
    """Record the analysis that `name` begins with into `trace.analyses`, if it is not there yet.

    `watch` is told how far a long one is; what it raises ends the work, and nothing of it is kept.
    Of an empty text nothing is made. Raises UserError for an unknown analysis, one that the model has nothing
    for, and a position or a target that it does not have.
    """
    asked = replace(parse(name), watch=watch)
    if asked.prefix in trace.done or not trace.encoding.ids:
        return
    analysis = ANALYSES[asked.name]
    if not analysis.fits(engine.config):
        raise UserError(
            _("{model} has nothing that the analysis {name} could read").format(
                model=visible(engine.name), name=asked.name
            )
        )
    if trace.activation_edits and not analysis.edits:
        words = _("{prefix} runs other texts, which the edits of this one do not fit; take the edits back")
        raise UserError(words.format(prefix=asked.prefix))
    for before in analysis.after:
        if ANALYSES[before].fits(engine.config):
            analyse(engine, trace, f"{PREFIX}{before}", watch)
    root = Recorder(trace.parameters)
    root.met.update(dict.fromkeys(trace.activations))
    root.inputs.update(trace.inputs)
    analysis.record(engine, trace, asked, root.at(asked.prefix))
    given = {key: value for key, value in root.inputs.items() if key not in trace.inputs}
    made = {key: replace(value, kind="analysis") for key, value in root.activations.items()}
    trace.analyses.update({**given, **made})
    trace.done.add(asked.prefix)


def parse(name: str) -> Asked:
    """What `analysis.NAME[.at_P][.to_T][.…]` asks for. Raises UserError for an unknown analysis."""
    found = _NAME.match(name)
    if not found or found[1] not in ANALYSES:
        tried = name.removeprefix(PREFIX).split(".")[0]
        raise UserError(
            _("no analysis named {name!r}; {hint}").format(
                name=visible(tried), hint=did_you_mean(tried, list(ANALYSES))
            )
        )
    position, target = (None if part is None else int(part) for part in found.groups()[1:3])
    sampling = Sampling.read(found[4]) if found[4] else None
    search = (int(found[5]), int(found[6])) if found[5] else None
    return Asked(found[1], position, target, sampling, search)
