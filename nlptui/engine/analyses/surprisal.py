"""Surprisal: how probable a language model found each token of the text, given what stands before it.

    prob_t = p(token_t | tokens before t)      surprisal_t = −log prob_t, in nats
    perplexity = exp(mean of surprisal)

The first token has no text before it, and so no probability here.
Sources: Hale 2001, "A Probabilistic Earley Parser as a Psycholinguistic Model"; Jelinek et al. 1977
(perplexity).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine


def fits(config: Any) -> bool:
    """Whether the model says what comes next."""
    return bool(config.task == "language_model")


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`prob` and `surprisal` (batch pos) of the tokens after the first, `mean` and `perplexity` (batch)."""
    ids: Any = trace["ids"].value
    if ids.shape[1] < 2:
        return
    trace.label_sets["following"] = trace.label_sets.get("tokens", trace.encoding.tokens)[1:]
    scope = rec.bind(pos="following")
    following = ids[:, 1:]
    scope.input("following", following, "batch pos")
    scope.root.inputs[f"{rec.prefix}following"] = replace(
        scope.root.inputs[f"{rec.prefix}following"], scope=scope
    )
    probs: Any = trace["probs"].value
    prob = probs[:, :-1].gather(-1, following[..., None])[..., 0]
    scope("prob", prob, "batch pos", by="pick(probs, following)")
    surprisal = scope("surprisal", -prob.log(), "batch pos", by="-log(prob)")
    mean = scope("mean", surprisal.mean(-1), "batch", by="mean_pos(surprisal)")
    scope("perplexity", mean.exp(), "batch", by="exp(mean)")
