"""Time to a floor: shipped recipes in our loop against a plain PyTorch loop of the same network, one thread.

The plain loop is what one would write: torch.nn's modules or nanoGPT's blocks, which begin as nanoGPT and
Vaswani et al. let them begin, batches in random order, AdamW with nanoGPT's settings, clipping, warm-up and
cosine; the same sizes, batch and number of steps. The loops take turns, a slice of steps each; dev is
measured after each slice, outside the clock. Time is processor time, which for one thread is the time on the
clock of an idle machine. Tokens are those of the examples, without padding.

Without more, a fifth of the recipe's steps and a floor that is near; NLPTUI_BENCH_FULL=1 takes all of them,
and the floor that the model has to reach (an hour or more). Needs the corpora.
"""

from __future__ import annotations

import itertools
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.data import find
from nlptui.nn.batch import Batch
from nlptui.tasks.base import IGNORED, Task
from nlptui.tasks.next_token import summed_loss
from nlptui.train import loop
from nlptui.train.build import Parts, build
from nlptui.train.recipe import Recipe, read_recipe
from nlptui.train.run import RunDirectory
from tests.benchmarks.bench_training import PlainBlock, PlainGPT, PlainTagger, PlainTransformer

MODELS = Path(__file__).resolve().parents[2] / "models"
SLICES = 12
SHARE = 5
"""The part of a recipe's steps that the short form takes."""
EXAMPLES = 400
"""Dev examples that are measured after a slice."""


@dataclass(frozen=True)
class Floor:
    """What has to be reached on dev, and by which plain network."""

    recipe: str
    metric: str
    near: float
    full: float
    network: Callable[[Any], nn.Module]
    target: str
    rate: float
    begin: Callable[[nn.Module], None]


def as_torch(network: nn.Module) -> None:
    """Torch's own beginning."""


def as_nanogpt(network: nn.Module) -> None:
    """Normal numbers of spread 0.02, less where a block adds to the residual stream; biases of 0."""
    blocks = sum(isinstance(module, PlainBlock) for module in network.modules())
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for name, parameter in network.named_parameters():
        if name.endswith(("join.weight", "down.weight")):
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * blocks))


def as_vaswani(network: nn.Module) -> None:
    """Glorot's matrices, as in torch.nn.Transformer; an embedding that is the head too: spread 1/√d_model."""
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)


FLOORS = (
    Floor("pos-lstm-en", "accuracy", 0.93, 0.945, PlainTagger, "labels", 2e-3, as_torch),
    Floor("gpt-shakespeare", "loss", 1.75, 1.48, PlainGPT, "next", 1e-3, as_nanogpt),
    Floor("transformer-en-zh", "loss", 3.6, 2.6, PlainTransformer, "next", 1e-3, as_vaswani),
)


class Named(nn.Module):
    """A plain network whose output has the name that a task asks for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return {"logits": self.network(batch)}


def plain_steps(parts: Parts, network: nn.Module, floor: Floor, recipe: Recipe) -> Iterator[None]:
    """One update for each `next`: nanoGPT's settings, its schedule from `rate` to a tenth of it."""
    groups = [
        {"params": [p for p in network.parameters() if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in network.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=floor.rate, betas=(0.9, 0.99), fused=True)
    rng, size, steps = np.random.default_rng(0), recipe.train.batch_size, recipe.train.steps
    keys: list[Any] = []
    for step in range(1, steps + 1):
        if len(keys) < size:
            epoch = [key for batch in parts.task.plan(parts.train_examples, 1, rng) for key in batch]
            keys = [epoch[i] for i in rng.permutation(len(epoch))]
        chosen, keys = keys[:size], keys[size:]
        batch, targets = parts.task.collate(parts.task.draw(parts.train_examples, chosen, rng), "cpu")
        done = max(0.0, (step - 100) / max(1, steps - 100))
        share = step / 100 if step <= 100 else 0.1 + 0.45 * (1 + math.cos(math.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = floor.rate * share
        optimizer.zero_grad(set_to_none=True)
        logits = network(batch).flatten(0, 1)
        F.cross_entropy(logits, targets[floor.target].flatten(), ignore_index=IGNORED).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        yield


def our_steps(trainer: loop.Trainer) -> Iterator[None]:
    while trainer.progress.step < trainer.progress.steps:
        trainer.update()
        yield


def measure(task: Task[Any], network: nn.Module, examples: Any, metric: str) -> float:
    """The dev metric; of a translator the loss alone, without translating."""
    if metric != "loss":
        return task.metrics(network, examples, "cpu", 32)[metric]
    windows = [w for e in examples for w in task.windows(e, 0)] if hasattr(task, "windows") else examples
    total, tokens = 0.0, 0
    for _chosen, outputs, targets in task.outputs(network, windows, "cpu", 32):
        total += summed_loss(outputs, targets)
        tokens += int((targets["next"] != IGNORED).sum())
    return total / tokens


@dataclass
class Racer:
    """One of the two loops, and how it does."""

    steps: Iterator[None]
    measured: Callable[[], float]
    done: int = 0
    seconds: float = 0.0
    reached: float | None = None
    best: float = math.nan

    def run(self, count: int, enough: Callable[[float], bool], lower: bool) -> None:
        """`count` more steps on the clock, then a look at dev."""
        started = time.process_time()
        self.done += sum(1 for _step in itertools.islice(self.steps, count))
        self.seconds += time.process_time() - started
        value = self.measured()
        self.best = value if math.isnan(self.best) else (min if lower else max)(self.best, value)
        if self.reached is None and enough(value):
            self.reached = self.seconds


def race(floor: Floor, full: bool, folder: Path) -> dict[str, Any]:
    """Seconds to the floor and tokens a second, of both."""
    recipe = read_recipe(MODELS / floor.recipe / "recipe.toml")
    parts = build(recipe, "cpu")
    size = recipe.train.batch_size
    batches = len(parts.task.plan(parts.train_examples, size, np.random.default_rng(0)))
    tokens = sum(map(parts.task.length, parts.train_examples)) / batches
    whole = recipe.train.steps or math.ceil(recipe.train.epochs * batches)
    recipe = replace(
        recipe, train=replace(recipe.train, steps=whole if full else whole // SHARE, device="cpu")
    )
    trainer = loop.Trainer(RunDirectory(folder), recipe, mock.Mock(), mock.Mock())
    with mock.patch.object(loop, "build", lambda *_: parts):
        trainer.prepare()
    torch.manual_seed(recipe.seed)
    network = floor.network(parts.config)
    floor.begin(network)
    counts = [sum(parameter.numel() for parameter in model.parameters()) for model in (parts.model, network)]
    if abs(counts[0] - counts[1]) > 0.005 * counts[0]:
        raise RuntimeError(f"{floor.recipe}: {counts[0]} and {counts[1]} parameters: not the same network")
    dev = parts.dev_examples[: EXAMPLES or None]
    target, lower = floor.full if full else floor.near, floor.metric == "loss"

    def ours() -> float:
        with trainer.learner.weights_to_keep():
            return measure(parts.task, parts.model, dev, floor.metric)

    racers = {
        "ours": Racer(our_steps(trainer), ours),
        "plain": Racer(
            plain_steps(parts, network.train(), floor, recipe),
            lambda: measure(parts.task, Named(network), dev, floor.metric),
        ),
    }
    enough = (lambda value: value <= target) if lower else (lambda value: value >= target)
    slice_steps = math.ceil(recipe.train.steps / SLICES)
    for _turn in range(SLICES):
        for racer in racers.values():
            racer.run(slice_steps, enough, lower)
        if all(racer.reached is not None for racer in racers.values()):
            break
    return told(floor, target, tokens, racers)


def told(floor: Floor, target: float, tokens: float, racers: dict[str, Racer]) -> dict[str, Any]:
    """The rows of one recipe; `tokens` are those of a step, on average over an epoch."""
    rows: dict[str, Any] = {}
    for name, racer in racers.items():
        rows[f"{floor.recipe}: {name}, tokens a second"] = racer.done * tokens / racer.seconds
        reached = "not reached" if racer.reached is None else racer.reached
        rows[f"{floor.recipe}: {name}, seconds to {floor.metric} {target:g} on dev"] = reached
        rows[f"{floor.recipe}: {name}, best {floor.metric} after {racer.seconds:.0f} s"] = racer.best
    ours, plain = racers["ours"].reached, racers["plain"].reached
    if ours is not None and plain is not None:
        rows[f"{floor.recipe}: ours / plain, time to the floor (aim ≤ 1.0)"] = ours / plain
    return rows


def run() -> dict[str, Any]:
    """Times and ratios of each recipe."""
    full = os.environ.get("NLPTUI_BENCH_FULL", "") not in ("", "0")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    try:
        for floor in FLOORS:
            corpus = read_recipe(MODELS / floor.recipe / "recipe.toml").data["corpus"]
            first = corpus if isinstance(corpus, str) else corpus[0]
            if find(first) is None:
                found[f"{floor.recipe}: skipped"] = f"the corpus {first} is not on this machine"
                continue
            with tempfile.TemporaryDirectory() as folder:
                found |= race(floor, full, Path(folder))
    finally:
        torch.set_num_threads(threads)
    return found


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<72} {value:.4g}" if isinstance(value, float) else f"{key:<72} {value}", flush=True)
