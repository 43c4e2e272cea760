"""Positions: who calls whom, asked of Transformers that know the order of the words, and that do not.

    Maria calls Tom . <other words> who ?   →   Maria

Attention is a sum over a set: without positions, "Maria calls Tom" and "Tom calls Maria" are one and the same
to it, and the best that it can do is to guess one of the two. Four readers, of the same size but for the
table of positions: learned positions; sinusoidal ones; none; and none, but each word sees only those before
it, from which a second layer can tell what came first (Haviv et al. 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import BertConfig
from nlptui.locale import N_
from nlptui.nn.attention import causal_mask
from nlptui.nn.bert import EncoderBlock
from nlptui.nn.layers import initialise, sinusoids
from nlptui.train.experiments.parts import Made, Part, Row
from nlptui.train.experiments.training import generator_of, share_right, updates

NAMES, WORDS = 12, 24
"""How many names there are, and how many other words."""
CALLS, FULL_STOP, WHO = NAMES + WORDS, NAMES + WORDS + 1, NAMES + WORDS + 2
VOCABULARY = NAMES + WORDS + 3
LEARNED, SINUSOIDAL, NONE, CAUSAL = N_("learned"), N_("sinusoidal"), N_("none"), N_("none, causal")

BEFORE = 4
"""Other words, of which some stand before the sentence and the rest behind it."""
LENGTH = 4 + BEFORE + 1


@dataclass(frozen=True)
class Budget:
    """How large a reader is, and how long it learns."""

    steps: int
    every: int
    """Updates between two measurements."""
    asked: int
    """New texts that it is asked about at each."""
    readers: tuple[str, ...] = (LEARNED, SINUSOIDAL, NONE, CAUSAL)
    seeds: tuple[int, ...] = (1, 2, 3)
    width: int = 32
    batch: int = 64
    rate: float = 2e-3


FULL = Budget(steps=400, every=20, asked=1000)
QUICK = Budget(steps=4, every=2, asked=20, readers=(LEARNED, NONE), seeds=(1,), batch=8)


class Reader(nn.Module):
    """Tokens plus a table of positions → two of BERT's blocks → which name, read at the last word."""

    def __init__(self, table: nn.Parameter) -> None:
        super().__init__()
        width = table.shape[1]
        config = BertConfig(arch="bert", d_model=width, n_heads=2, d_ff=2 * width)
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _block in range(2))
        self.head = nn.Linear(width, NAMES)
        initialise(self)
        self.table = table

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """ids (batch pos) → scores of the names (batch name)."""
        x = self.token_embedding(ids) + self.table
        for block in self.blocks:
            x = block(x, mask)
        scores: Tensor = self.head(x[:, -1])
        return scores


def table_of(kind: str, width: int) -> nn.Parameter:
    """The positions of a reader; only learned ones are trained."""
    if kind == LEARNED:
        return nn.Parameter(0.02 * torch.randn(LENGTH, width))
    table = sinusoids(LENGTH, width) if kind == SINUSOIDAL else torch.zeros(LENGTH, width)
    return nn.Parameter(table, requires_grad=False)


def examples(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Texts (text pos), and who calls in each."""
    ids = torch.randint(NAMES, NAMES + WORDS, (count, LENGTH), generator=generator)
    ids[:, -1] = WHO
    who = torch.randint(0, NAMES, (count,), generator=generator)
    whom = (who + torch.randint(1, NAMES, (count,), generator=generator)) % NAMES
    first = torch.randint(0, BEFORE + 1, (count,), generator=generator)
    told = torch.stack([who, torch.full_like(who, CALLS), whom, torch.full_like(who, FULL_STOP)], 1)
    ids.scatter_(1, first[:, None] + torch.arange(4), told)
    return ids, who


def measure(kind: str, seed: int, budget: Budget) -> Iterator[Made]:
    """Train one reader, and ask it now and then about new texts."""
    generator = generator_of(seed)
    ids, who = examples(budget.asked, generator)
    model = Reader(table_of(kind, budget.width))
    mask = causal_mask(LENGTH, LENGTH, ids.device) if kind == CAUSAL else None

    def loss_of_next() -> Tensor:
        texts, answers = examples(budget.batch, generator)
        return F.cross_entropy(model(texts, mask), answers)

    for step, made in enumerate(updates(model, loss_of_next, budget.steps, budget.rate), 1):
        yield made
        if step % budget.every == 0:
            with torch.no_grad():
                yield Row("accuracy", kind, seed, step, share_right(model(ids, mask), who))


def parts(quick: bool) -> list[Part]:
    """One for each reader and seed."""
    budget = QUICK if quick else FULL
    return [
        Part(kind, seed, budget.steps, partial(measure, kind, seed, budget))
        for kind in budget.readers
        for seed in budget.seeds
    ]
