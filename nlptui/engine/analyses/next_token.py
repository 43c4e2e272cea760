"""What comes next: from the scores at the end of the text to the one token that is taken, stage by stage.

    scaled       logits / temperature
    probs        softmax(scaled)
    keep_k       1 for the k tokens with the largest scores
    keep_p       of those, 1 for the smallest set of likeliest tokens that have the probability p together
    final        softmax over what is kept
    cumulative   Σ final up to and including the token, in the order of ids
    choice       the first token whose cumulative sum exceeds the draw

With temperature 0 only the likeliest token is kept. Sources: Fan et al. 2018, "Hierarchical Neural Story
Generation" (top-k); Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration" (top-p).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.engine.analyses.gradient import define
from nlptui.engine.generation import allowed, choose, written
from nlptui.locale import _
from nlptui.sampling import PLAIN
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

AXES = "batch vocab"


def fits(config: Any) -> bool:
    """Whether a model writes text."""
    return config.task in ("language_model", "translation")


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """The stages (batch vocab), `draw` and `choice` (batch), for the sampling that is asked for."""
    sampling = asked.sampling or PLAIN
    before = written(trace, engine.tokenizer.specials.get("eos"))
    last = len(before) - 1
    logits: Any = trace["logits"].value[0, last].detach().cpu()
    words = _("the position whose scores are those of the next token: the last one before an end mark")
    define(rec, "position", torch.tensor([last]), ("batch",), words, (("logits", None),))
    temperature = sampling.temperature or 1.0
    scaled = (logits / temperature)[None]
    scaled = rec("scaled", scaled, AXES, by=f"at(logits, {last}) / {temperature!r}")
    rec("probs", scaled.softmax(-1), AXES, by="softmax(scaled)")
    greedy = sampling.temperature == 0
    by_k = allowed(logits, replace(sampling, top_p=1.0)) if not greedy else _only_best(logits)
    by_p = allowed(logits, sampling) if not greedy else by_k
    words = _("1 where the score is among the {k} largest").format(
        k=1 if greedy else sampling.top_k or len(logits)
    )
    source: tuple[tuple[str, None], ...] = ((f"{rec.prefix}scaled", None),)
    define(rec, "keep_k", _kept(by_k)[None].to(scaled), ("batch", "vocab"), words, source)
    words = _("1 for the likeliest of what top-k leaves, until their probabilities together reach {p}")
    words = words.format(p=sampling.top_p)
    source = ((f"{rec.prefix}scaled", None), (f"{rec.prefix}keep_k", None))
    define(rec, "keep_p", _kept(by_p)[None].to(scaled), ("batch", "vocab"), words, source)
    kept = scaled.masked_fill(~_kept(by_p)[None], -math.inf)
    kept = rec("kept", kept, AXES, by="mask(scaled, keep_p)")
    final = rec("final", kept.softmax(-1), AXES, by="softmax(kept)")
    words = _("the sum of the final probabilities up to and including this token, in the order of ids")
    final_name = ((f"{rec.prefix}final", None),)
    define(rec, "cumulative", final.cumsum(-1), ("batch", "vocab"), words, final_name)
    # The mark that a translation begins with is none of its tokens.
    tokens = last if engine.config.task == "translation" else len(before)
    draw = torch.tensor([sampling.draw(tokens)])
    words = _("the random number of the seed {seed} for what follows {n} tokens")
    define(rec, "draw", draw, ("batch",), words.format(seed=sampling.seed, n=tokens), (("ids", None),))
    token, _logprob = choose(logits, sampling, tokens)
    words = _("the number of the first token whose cumulative sum exceeds the draw")
    source = ((f"{rec.prefix}cumulative", None), (f"{rec.prefix}draw", None))
    define(rec, "choice", torch.tensor([token]), ("batch",), words, source)


def _only_best(logits: Tensor) -> Tensor:
    return torch.full_like(logits, -math.inf).index_fill(0, logits.argmax(), 0.0)


def _kept(scores: Tensor) -> Tensor:
    return scores > -math.inf
