"""As many tokens as the model decides: the choice of the next token, with or without a cache.

Knows logits and ids; `next_scores` hides which network made them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nlptui.sampling import Sampling
from nlptui.trace import Trace


@dataclass(frozen=True)
class Step:
    """One generated token."""

    id: int
    text: str
    """What it adds to the text; empty while a character is not complete."""
    logprob: float
    """Natural logarithm of the probability that the model gave it, before temperature and cuts."""


def allowed(logits: Tensor, sampling: Sampling) -> Tensor:
    """Scores (vocab) after temperature, top-k and top-p; what is cut is −∞."""
    scores = logits.double() / (sampling.temperature or 1.0)
    if 0 < sampling.top_k < scores.numel():
        scores = scores.masked_fill(scores < scores.topk(sampling.top_k).values[-1], -math.inf)
    if sampling.top_p < 1:
        ordered, order = scores.sort(descending=True, stable=True)
        before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
        scores = scores.index_fill(0, order[before >= sampling.top_p], -math.inf)
    return scores


def drawn(probs: Tensor, draw: float) -> int:
    """The token whose stretch of the line from 0 to 1 holds `draw`; each is as long as its probability."""
    ends = probs.double().cumsum(-1)
    place = int(torch.searchsorted(ends, draw * float(ends[-1]), right=True))
    # What rounding leaves beyond the last end belongs to the last token that has any length.
    return min(place, int(probs.nonzero()[-1]))


def choose(logits: Tensor, sampling: Sampling, tokens: int) -> tuple[int, float]:
    """The id of what follows `tokens` tokens, and the log-probability that the model itself gave it."""
    logits = logits.detach().cpu()
    if sampling.temperature == 0:
        token = int(logits.argmax())
    else:
        token = drawn(allowed(logits, sampling).softmax(-1), sampling.draw(tokens))
    return token, float(logits.double().log_softmax(-1)[token])


def prompt_of(ids: Sequence[int], end: int | None) -> list[int]:
    """The tokens that a text goes on from: without the end mark that a tokenizer puts behind every text."""
    found = list(ids)
    if len(found) > 1 and found[-1] == end:
        found.pop()
    return found


def written(trace: Trace, end: int | None) -> list[int]:
    """The ids that the next token of a run follows: its text, or what a translator's decoder has read."""
    if "target_ids" in trace.inputs:
        ids: Any = trace.inputs["target_ids"].value
        return list(map(int, ids[0]))
    return prompt_of(trace.encoding.ids, end)


class TextSoFar:
    """The text of a growing list of ids, token by token."""

    def __init__(self, decode: Callable[[list[int]], str], ids: list[int]) -> None:
        self._decode = decode
        self._ids = list(ids)
        self._written = decode(self._ids)

    def add(self, token: int) -> str:
        """What `token` adds; nothing while it ends inside a character, whose text comes with its last
        token.
        """
        self._ids.append(token)
        text = self._decode(self._ids)
        if not text.startswith(self._written) or text.endswith("\ufffd"):
            return ""
        added, self._written = text[len(self._written) :], text
        return added


def steps_of(
    logits: Tensor, decode: Callable[[list[int]], str], end: int, forced: list[int] | None
) -> list[Step]:
    """What scores (pos vocab) that are there already say: the likeliest token of each position up to `end`,
    or
    the tokens of `forced`, with the probabilities that the scores give them.
    """
    ids = logits.argmax(-1).tolist() if forced is None else forced
    ids = ids[: ids.index(end)] if forced is None and end in ids else ids
    scores = logits[: len(ids)].double()
    chosen = scores.gather(1, torch.tensor(ids, device=logits.device).view(-1, 1)).squeeze(1)
    logprobs = (chosen - scores.logsumexp(-1)).tolist()
    text = TextSoFar(decode, [])
    return [Step(token, text.add(token), logprob) for token, logprob in zip(ids, logprobs, strict=True)]


def generate(
    next_scores: Callable[[int | None], Tensor],
    decode: Callable[[list[int]], str],
    max_tokens: int,
    sampling: Sampling,
    end: int | None,
    prompt: list[int] | None = None,
) -> Iterator[Step]:
    """Tokens one by one until `end` or `max_tokens`.

    next_scores: given the token chosen last (None at first), the scores (vocab) of the one after it.
    decode: ids → text; the text of a token is what it adds to that of `prompt` and the tokens before it.
    """
    read = len(prompt or [])
    text = TextSoFar(decode, prompt or [])
    last: int | None = None
    for n in range(max_tokens):
        last, logprob = choose(next_scores(last), sampling, read + n)
        if last == end:
            return
        yield Step(last, text.add(last), logprob)
