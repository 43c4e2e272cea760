"""Depth: what residuals and LayerNorm are for. The loss after the same number of steps, at depth 2 to 12.

Four stacks of the same attention and feed-forward layers, with the same start and training; they differ in
what stands between the layers. Those with residuals are then trained at larger and larger rates, with and
without LayerNorm. Each predicts the next word of `sentences`. Sources: He et al. 2016 (residuals); Ba et al.
2016 (LayerNorm); Xiong et al. 2020 (the norm before each part).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nlptui.locale import N_
from nlptui.nn.attention import Attention
from nlptui.nn.layers import FeedForward, LayerNorm
from nlptui.train.experiments.parts import Made, Part, Row
from nlptui.train.experiments.sentences import loss_of, sentences
from nlptui.train.experiments.training import generator_of, updates

BOTH, RESIDUAL, NORM, BARE = (
    N_("residuals and LayerNorm"), N_("residuals only"), N_("LayerNorm only"), N_("neither"),
)  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """How long each stack learns."""

    steps: int
    depths: tuple[int, ...]
    """Blocks, all trained at `rate`."""
    rates: tuple[float, ...]
    """Rates, all at the depth `deep`."""
    deep: int
    seeds: tuple[int, ...]
    width: int = 32
    heads: int = 2
    length: int = 24
    batch: int = 16
    rate: float = 2e-3


FULL = Budget(steps=200, depths=(2, 4, 8, 12), rates=(0.01, 0.02, 0.04, 0.08), deep=8, seeds=(1, 2))
QUICK = Budget(steps=2, depths=(1, 2), rates=(0.01,), deep=1, seeds=(1,), width=8, length=6, batch=4)


class BothBlock(nn.Module):
    """x + attn(norm(x)), then x + mlp(norm(x)): GPT-2's block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attn = LayerNorm(width), Attention(width, heads)
        self.norm2, self.mlp = LayerNorm(width), FeedForward(width, 4 * width, "gelu")

    def forward(self, x: Tensor) -> Tensor:
        """x (batch pos d_model) → the same shape."""
        x = x + self.attn(self.norm1(x), causal=True)
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class ResidualBlock(nn.Module):
    """x + attn(x), then x + mlp(x): no LayerNorm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = FeedForward(width, 4 * width, "gelu")

    def forward(self, x: Tensor) -> Tensor:
        """x (batch pos d_model) → the same shape."""
        x = x + self.attn(x, causal=True)
        y: Tensor = x + self.mlp(x)
        return y


class NormBlock(nn.Module):
    """attn(norm(x)), then mlp(norm(x)): no residuals."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attn = LayerNorm(width), Attention(width, heads)
        self.norm2, self.mlp = LayerNorm(width), FeedForward(width, 4 * width, "gelu")

    def forward(self, x: Tensor) -> Tensor:
        """x (batch pos d_model) → the same shape."""
        x = self.attn(self.norm1(x), causal=True)
        y: Tensor = self.mlp(self.norm2(x))
        return y


class BareBlock(nn.Module):
    """attn(x), then mlp(x): neither."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = FeedForward(width, 4 * width, "gelu")

    def forward(self, x: Tensor) -> Tensor:
        """x (batch pos d_model) → the same shape."""
        y: Tensor = self.mlp(self.attn(x, causal=True))
        return y


BLOCKS: dict[str, type[BothBlock | ResidualBlock | NormBlock | BareBlock]] = {
    BOTH: BothBlock, RESIDUAL: ResidualBlock, NORM: NormBlock, BARE: BareBlock
}  # fmt: skip


class Stack(nn.Module):
    """Tokens and positions → blocks of one kind → scores of the next word. torch's own start everywhere."""

    def __init__(self, kind: str, depth: int, words: int, budget: Budget) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(words, budget.width)
        self.pos_embedding = nn.Embedding(budget.length, budget.width)
        self.blocks = nn.Sequential(*(BLOCKS[kind](budget.width, budget.heads) for _block in range(depth)))
        self.head = nn.Linear(budget.width, words)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (batch pos) → scores (batch pos word)."""
        x = self.token_embedding(ids) + self.pos_embedding.weight[: ids.shape[1]]
        scores: Tensor = self.head(self.blocks(x))
        return scores


def measure(
    chart: str, x: float, kind: str, depth: int, rate: float, seed: int, budget: Budget
) -> Iterator[Made]:
    """Train one stack; then its loss on the held-out text, a point at `x`. It may be no number any more."""
    generator = generator_of(seed)
    text = sentences()
    model = Stack(kind, depth, text.vocab_size, budget)

    def loss_of_next() -> Tensor:
        given, wanted = text.draw(budget.batch, budget.length, generator)
        return loss_of(model(given), wanted)

    yield from updates(model, loss_of_next, budget.steps, rate)
    given, wanted = text.held_out(budget.length)
    with torch.no_grad():
        yield Row(chart, kind, seed, x, loss_of(model(given), wanted).item())


def parts(quick: bool) -> list[Part]:
    """One for each kind of stack, depth and seed, and one for each rate of those with residuals."""
    budget = QUICK if quick else FULL
    steps = budget.steps
    deep = [
        Part(kind, seed, steps, partial(measure, "depth", n, kind, n, budget.rate, seed, budget), n)
        for kind in BLOCKS for n in budget.depths for seed in budget.seeds
    ]  # fmt: skip
    fast = [
        Part(kind, seed, steps, partial(measure, "rate", rate, kind, budget.deep, rate, seed, budget), rate)
        for kind in (BOTH, RESIDUAL) for rate in budget.rates for seed in budget.seeds
    ]  # fmt: skip
    return deep + fast
