"""Heads: one large head against many small ones, with the same number of parameters.

    Maria Tom Zoe Leo ?   →   1st: Maria, 2nd: Tom, 3rd: Zoe, 4th: Leo

One layer of GPT reads a list of names; all of them, in their order, are asked of the one vector at the
question mark. A head gives that vector one weighted mean of the list: several names are then mixed, and which
of them was where is hard to tell. Several heads, each of a share of the width, can fetch one name each.
Source: Vaswani et al. 2017, section 3.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import GPTConfig
from nlptui.locale import N_
from nlptui.nn.batch import Batch
from nlptui.nn.gpt import GPT
from nlptui.train.experiments.parts import Made, Part, Row
from nlptui.train.experiments.training import generator_of, share_right, updates

NAMES = 16
ASKED = NAMES
"""The id of the question mark."""
LISTS = {2: N_("2 names"), 4: N_("4 names"), 8: N_("8 names")}


@dataclass(frozen=True)
class Budget:
    """How large a reader is, and how long it learns."""

    steps: int
    asked: int
    """New lists that it is asked about in the end."""
    heads: tuple[int, ...] = (1, 2, 4, 8)
    lists: tuple[int, ...] = tuple(LISTS)
    seeds: tuple[int, ...] = (1, 2)
    width: int = 64
    batch: int = 64
    rate: float = 2e-3


FULL = Budget(steps=800, asked=2000)
QUICK = Budget(steps=3, asked=20, heads=(1, 2), lists=(2, 4), seeds=(1,), width=8, batch=8)


class Reader(nn.Module):
    """One layer of GPT over a list of names; a head of its own for each place of the list."""

    def __init__(self, heads: int, names: int, width: int) -> None:
        super().__init__()
        self.names = names
        self.gpt = GPT(
            GPTConfig(
                arch="gpt", vocab_size=NAMES + 1, context=names + 1, d_model=width, n_heads=heads, n_layers=1,
                d_ff=2 * width,
            )
        )  # fmt: skip
        self.places = nn.Linear(width, names * NAMES)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (batch pos) → scores (batch place name)."""
        scores: Tensor = self.places(self.gpt.hidden(Batch(ids))[:, -1])
        return scores.view(-1, self.names, NAMES)


def examples(count: int, names: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Lists with the question mark behind them (list pos), and their names (list place)."""
    told = torch.randint(0, NAMES, (count, names), generator=generator)
    return torch.cat([told, torch.full((count, 1), ASKED)], 1), told


def measure(heads: int, names: int, seed: int, budget: Budget) -> Iterator[Made]:
    """Train one reader; then the share of names that it gives in the right place, of new lists."""
    generator = generator_of(seed)
    model = Reader(heads, names, budget.width)

    def loss_of_next() -> Tensor:
        ids, told = examples(budget.batch, names, generator)
        return F.cross_entropy(model(ids).flatten(0, 1), told.flatten())

    yield from updates(model, loss_of_next, budget.steps, budget.rate)
    ids, told = examples(budget.asked, names, generator)
    with torch.no_grad():
        yield Row("accuracy", LISTS[names], seed, heads, share_right(model(ids), told))


def parts(quick: bool) -> list[Part]:
    """One for each number of names, of heads, and seed."""
    budget = QUICK if quick else FULL
    return [
        Part(LISTS[names], seed, budget.steps, partial(measure, heads, names, seed, budget), at=heads)
        for names in budget.lists
        for heads in budget.heads
        for seed in budget.seeds
    ]
