"""The text that two experiments predict word by word: small sentences, as `nlptui.data.recall` makes them.

A grammar of some twenty sentences makes them, so a small network learns them in seconds. Knows nothing of
networks but the loss that every language model has.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from nlptui.data.recall import filler

WORDS, HELD_OUT = 40_000, 4_000
"""Words to learn from, and those that follow, to measure on."""
RARE = 5
"""A word that comes less often is one with all other such words: those made up."""


@dataclass(frozen=True)
class Sentences:
    """A text as ids."""

    train: Tensor
    test: Tensor
    vocab_size: int

    def draw(self, count: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Stretches of the text to learn from, anywhere, and what follows each of their words."""
        return _cut(
            self.train, torch.randint(len(self.train) - length, (count,), generator=generator), length
        )

    def held_out(self, length: int) -> tuple[Tensor, Tensor]:
        """The other text in stretches that lie end to end."""
        return _cut(self.test, torch.arange(0, len(self.test) - length, length), length)

    def pairs(self) -> Tensor:
        """Which word ever follows which in the text to learn from: true or false (word next)."""
        seen = torch.zeros(self.vocab_size, self.vocab_size, dtype=torch.bool)
        seen[self.train[:-1], self.train[1:]] = True
        return seen


@cache
def sentences() -> Sentences:
    """The text, the same each time."""
    words = filler(WORDS + HELD_OUT, random.Random("sentences"))
    counts = Counter(words)
    known = {word: n for n, word in enumerate(sorted(w for w in counts if counts[w] >= RARE), 1)}
    ids = torch.tensor([known.get(word, 0) for word in words])
    return Sentences(ids[:WORDS], ids[WORDS:], 1 + len(known))


def loss_of(scores: Tensor, wanted: Tensor) -> Tensor:
    """Nats a word: scores (… word), wanted (…)."""
    return F.cross_entropy(scores.flatten(0, -2), wanted.flatten())


def _cut(ids: Tensor, starts: Tensor, length: int) -> tuple[Tensor, Tensor]:
    cut = ids[starts[:, None] + torch.arange(length + 1)]
    return cut[:, :-1], cut[:, 1:]
