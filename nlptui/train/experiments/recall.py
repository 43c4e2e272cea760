"""Recall against distance: who was it, asked 1 to 40 words after it was told, of four kinds of network.

Texts are those of `nlptui.data.recall`, up to 40 words; only the last word, the answer, is learned. The four
networks have about the same number of parameters, and get the same texts, steps, rate and seeds.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import nn

from nlptui.config import GPTConfig, ModelConfig, RecurrentConfig
from nlptui.data.recall import DISTANCES, recall_en
from nlptui.nn import build_model
from nlptui.tasks import DataStream, task_for
from nlptui.tasks.base import IGNORED, id_array
from nlptui.tasks.language_model import LanguageModel, RunningText
from nlptui.tokenizers import Tokenizer, build_tokenizer
from nlptui.train.experiments.parts import Made, Part, Row, Step
from nlptui.train.experiments.training import updates

FARTHEST = 40
LONGEST = 64
"""Tokens that a network reads at most; a text takes some 50."""
NETWORKS: dict[str, dict[str, object]] = {
    "RNN": {"arch": "rnn", "d_hidden": 84},
    "LSTM": {"arch": "lstm", "d_hidden": 48},
    "GRU": {"arch": "gru", "d_hidden": 55},
    "Transformer": {"arch": "gpt", "d_model": 40, "n_layers": 2, "n_heads": 4, "d_ff": 104},
}


@dataclass(frozen=True)
class Budget:
    """How much one network learns from, and how it is measured."""

    texts: int
    steps: int
    asked: int
    """Other texts at each distance, to be asked about."""
    splits: tuple[str, str] = ("train", "test")
    """Splits of the corpus that both are from; the smaller ones are made sooner."""
    networks: tuple[str, ...] = tuple(NETWORKS)
    seeds: tuple[int, ...] = (1, 2)
    batch: int = 32
    rate: float = 1e-3


FULL = Budget(texts=16_000, steps=2500, asked=100)
QUICK = Budget(
    texts=300, steps=6, asked=4, splits=("dev", "dev"), networks=("RNN", "LSTM"), seeds=(1,), batch=8
)


@dataclass(frozen=True)
class Texts:
    """Texts as a network reads them."""

    tokenizer: Tokenizer
    train: tuple[RunningText, ...]
    test: tuple[RunningText, ...]


@cache
def texts(budget: Budget) -> Texts:
    """Texts to learn from and texts to be asked about, up to FARTHEST."""
    first, second = (
        [text for text in recall_en(split) if text.distance <= FARTHEST] for split in budget.splits
    )
    train = first[: budget.texts]
    tokenizer = build_tokenizer("words", (text.text for text in train), lowercase=True, min_count=3)
    test = [text for n in distances() for text in [t for t in second if t.distance == n][-budget.asked :]]
    read = [
        [RunningText(id_array(tokenizer.encode(t.text).ids), t.distance) for t in s] for s in (train, test)
    ]
    return Texts(tokenizer, tuple(read[0]), tuple(read[1]))


def distances() -> list[int]:
    """Where the networks are asked."""
    return [n for n in DISTANCES if n <= FARTHEST]


def network(name: str, vocab_size: int) -> tuple[nn.Module, ModelConfig]:
    """A new network of the kind `name`."""
    settings = NETWORKS[name] | {
        "task": "language_model", "vocab_size": vocab_size, "context": LONGEST, "data": {"answer_only": True}
    }  # fmt: skip
    config: ModelConfig
    if settings["arch"] == "gpt":
        config = GPTConfig(**settings)  # type: ignore[arg-type]
    else:
        config = RecurrentConfig(**settings | {"d_embed": 48, "embed_std": 1.0})  # type: ignore[arg-type]
    return build_model(config), config


def learned(name: str, seed: int, budget: Budget) -> Generator[Step, None, tuple[nn.Module, LanguageModel]]:
    """Train a network; returns it with its task."""
    known = texts(budget)
    torch.manual_seed(seed)
    model, config = network(name, known.tokenizer.vocab_size)
    task = task_for(config, known.tokenizer)
    assert isinstance(task, LanguageModel)
    stream = DataStream(task, known.train, budget.batch, seed)

    def loss_of_next() -> torch.Tensor:
        batch, targets, _tokens = stream.next()
        logits = model(batch)["logits"].flatten(0, 1)
        return F.cross_entropy(logits, targets["next"].flatten(), ignore_index=IGNORED)

    yield from updates(model, loss_of_next, budget.steps, budget.rate)
    return model, task


def measure(name: str, seed: int, budget: Budget) -> Iterator[Made]:
    """Train one network; then the share of right answers at each distance."""
    model, task = yield from learned(name, seed, budget)
    found = task.metrics(model, texts(budget).test, "cpu", 64)
    for n in distances():
        yield Row("recall", name, seed, n, found[f"accuracy_at_{n}"])


def parts(quick: bool) -> list[Part]:
    """One for each network and seed."""
    budget = QUICK if quick else FULL
    return [
        Part(name, seed, budget.steps, partial(measure, name, seed, budget))
        for name in budget.networks
        for seed in budget.seeds
    ]
