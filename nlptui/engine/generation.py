"""As many tokens as the model decides: the choice of the next token, with or without a cache.

Knows logits and ids; `next_scores` hides which network made them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nlptui.errors import UserError
from nlptui.locale import _


@dataclass(frozen=True)
class Step:
    """One generated token."""

    id: int
    text: str
    """What it adds to the text; empty while a character is not complete."""
    logprob: float
    """Natural logarithm of the probability that the model gave it, before temperature and cuts."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen from its scores."""

    temperature: float = 0.0
    """Scores are divided by it; 0 takes the likeliest token (greedy)."""
    top_k: int = 0
    """Only the k likeliest tokens stay; 0: all."""
    top_p: float = 1.0
    """Only the smallest set of likeliest tokens whose probabilities reach p stays (Holtzman et al. 2020)."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(
                _("temperature is {value}; it must be 0 (greedy) or more").format(value=self.temperature)
            )
        if self.top_k < 0:
            raise UserError(_("top-k is {value}; it must be 0 (all) or more").format(value=self.top_k))
        if not 0 < self.top_p <= 1:
            raise UserError(_("top-p is {value}; it must be above 0 and at most 1").format(value=self.top_p))


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


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> tuple[int, float]:
    """The next token's id and the log-probability that the model itself gave it."""
    logits = logits.detach().cpu()
    if sampling.temperature == 0:
        token = int(logits.argmax())
    else:
        token = int(torch.multinomial(allowed(logits, sampling).softmax(-1), 1, generator=generator))
    return token, float(logits.double().log_softmax(-1)[token])


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
    logprobs = logits.double().log_softmax(-1)
    ids = logits.argmax(-1).tolist() if forced is None else forced
    ids = ids[: ids.index(end)] if forced is None and end in ids else ids
    text = TextSoFar(decode, [])
    return [Step(token, text.add(token), float(logprobs[pos, token])) for pos, token in enumerate(ids)]


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
    generator = torch.Generator().manual_seed(sampling.seed)
    text = TextSoFar(decode, prompt or [])
    last: int | None = None
    for _n in range(max_tokens):
        last, logprob = choose(next_scores(last), sampling, generator)
        if last == end:
            return
        yield Step(last, text.add(last), logprob)
