"""The causal mask: what a language model learns where it may look at the word that it should predict.

Two networks of the same wiring, start and text; in one of them every word sees only itself and those before
it. The other finds the next word in its input and learns to copy it: its training loss falls to nearly
nothing, and so does its loss on new text while the answer is in sight. Read left to right, as a text is
written, it has learned nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nlptui.config import GPTConfig
from nlptui.locale import N_
from nlptui.nn.attention import causal_mask
from nlptui.nn.gpt import PreNormBlock
from nlptui.nn.layers import LayerNorm, initialise
from nlptui.train.experiments.parts import Made, Part, Row
from nlptui.train.experiments.sentences import Sentences, loss_of, sentences
from nlptui.train.experiments.training import generator_of, updates

MASKED, OPEN, IN_SIGHT = N_("with mask"), N_("without mask"), N_("answer in sight")


@dataclass(frozen=True)
class Budget:
    """How large a network is, how long it learns, and how much it writes."""

    steps: int
    every: int
    """Updates whose mean training loss is a point."""
    texts: int
    """Texts that it writes on."""
    seeds: tuple[int, ...] = (1, 2, 3)
    width: int = 48
    blocks: int = 2
    length: int = 24
    """Words of a stretch of text."""
    prompt: int = 8
    """Words that it is given to write on from."""
    batch: int = 32
    rate: float = 3e-3


FULL = Budget(steps=600, every=20, texts=100)
QUICK = Budget(steps=4, every=2, texts=3, seeds=(1,), width=8, length=6, prompt=2, batch=4)


class Network(nn.Module):
    """Tokens and positions → GPT's blocks under a mask that is given → scores of the next word."""

    def __init__(self, words: int, budget: Budget) -> None:
        super().__init__()
        config = GPTConfig(arch="gpt", d_model=budget.width, n_heads=4, d_ff=4 * budget.width)
        self.token_embedding = nn.Embedding(words, budget.width)
        self.pos_embedding = nn.Embedding(budget.length, budget.width)
        self.blocks = nn.ModuleList(PreNormBlock(config) for _block in range(budget.blocks))
        self.norm_final = LayerNorm(budget.width)
        self.head = nn.Linear(budget.width, words)
        initialise(self)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (batch pos), mask (1 1 pos pos), true where a word may look → scores (batch pos word)."""
        x = self.token_embedding(ids) + self.pos_embedding.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, mask)
        scores: Tensor = self.head(self.norm_final(x))
        return scores


def mask_of(kind: str, length: int) -> Tensor:
    """Where the words may look."""
    mask = causal_mask(length, length, torch.device("cpu"))
    return mask if kind == MASKED else torch.ones_like(mask)


def left_to_right(model: Network, kind: str, given: Tensor, wanted: Tensor) -> Iterator[tuple[int, float]]:
    """The loss of the word after the first n words, which alone are given, for each n."""
    for n in range(1, given.shape[1] + 1):
        scores = model(given[:, :n], mask_of(kind, n))[:, -1]
        yield n, loss_of(scores, wanted[:, n - 1]).item()


def written(model: Network, kind: str, prompts: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` more words of each text (batch pos), each drawn as likely as the network says."""
    ids = prompts
    for _word in range(count):
        scores = model(ids, mask_of(kind, ids.shape[1]))[:, -1]
        ids = torch.cat([ids, scores.softmax(-1).multinomial(1, generator=generator)], 1)
    return ids


def measure(kind: str, seed: int, budget: Budget) -> Iterator[Made]:
    """Train one network; then its losses on new text, and what it writes."""
    generator = generator_of(seed)
    text = sentences()
    model = Network(text.vocab_size, budget)
    mask = mask_of(kind, budget.length)

    def loss_of_next() -> Tensor:
        given, wanted = text.draw(budget.batch, budget.length, generator)
        return loss_of(model(given, mask), wanted)

    losses: list[float] = []
    for made in updates(model, loss_of_next, budget.steps, budget.rate):
        losses.append(made.loss or 0.0)
        yield made
        if len(losses) % budget.every == 0:
            yield Row("training", kind, seed, len(losses), sum(losses[-budget.every :]) / budget.every)
    with torch.no_grad():
        yield from _on_new_text(model, kind, seed, text, budget)
        yield from _of_its_own(model, kind, seed, text, budget, generator)


def _on_new_text(model: Network, kind: str, seed: int, text: Sentences, budget: Budget) -> Iterator[Row]:
    """Loss by the words before, read left to right; and, without the mask, as it was trained."""
    given, wanted = text.held_out(budget.length)
    for n, loss in left_to_right(model, kind, given, wanted):
        yield Row("held_out", kind, seed, n, loss)
    if kind == OPEN:
        scores = model(given, mask_of(kind, budget.length))
        for n in range(1, budget.length + 1):
            yield Row("held_out", IN_SIGHT, seed, n, loss_of(scores[:, n - 1], wanted[:, n - 1]).item())


def _of_its_own(
    model: Network, kind: str, seed: int, text: Sentences, budget: Budget, generator: torch.Generator
) -> Iterator[Row]:
    """Of the words that it writes, the share that ever follows the word before them in the text learned."""
    count = budget.length - budget.prompt
    prompts = text.held_out(budget.length)[0][: budget.texts, : budget.prompt]
    ids = written(model, kind, prompts, count, generator)
    possible = text.pairs()[ids[:, :-1], ids[:, 1:]].float().mean(0)
    for n in range(1, count + 1):
        yield Row("written", kind, seed, n, possible[budget.prompt + n - 2].item())


def parts(quick: bool) -> list[Part]:
    """One for each network and seed."""
    budget = QUICK if quick else FULL
    return [
        Part(kind, seed, budget.steps, partial(measure, kind, seed, budget))
        for kind in (MASKED, OPEN)
        for seed in budget.seeds
    ]
