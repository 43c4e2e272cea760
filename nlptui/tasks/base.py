"""What a task is: corpora become examples, examples a batch, outputs a loss, metrics and an answer.

A task knows the names of a network's outputs and nothing else of it. All sampling takes a numpy generator
from its caller, so that every run can be repeated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.nn.batch import Batch
from nlptui.tokenizers import Encoding, Tokenizer

Targets = dict[str, Tensor]
Outputs = dict[str, Tensor]
Asked = Mapping[str, int]
"""How many answers each mean of a loss is over, by the mean's name."""
ALONE: Asked = {}
"""Of a batch that is no part of a larger one: as many answers as it has itself."""
Ids = np.ndarray[Any, np.dtype[np.int32]]
Segment = Callable[[Sequence[str]], list[list[str]]]
"""Cuts raw texts into words, each of which stands in its text as it is."""
E = TypeVar("E")

IGNORED = -100
"""The target of a position that has none; torch's cross-entropy leaves it out."""

BUCKET = 50
"""Batches whose examples are sorted by length together, so that a batch needs little padding."""


class Task(ABC, Generic[E]):
    """What a model is for. `config.data`, the recipe's [data] table, holds the task's own options."""

    name: ClassVar[str]
    OPTIONS: ClassVar[tuple[str, ...]] = ()
    """Keys of the recipe's [data] table that this task reads, beside those of `nlptui.data.splits`."""
    segment: Segment | None = None
    """Set by whoever runs a model that needs another one to find the words of raw text."""

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.pad = tokenizer.specials.get("pad", 0)
        self.label_smoothing = 0.0
        """Of the training loss alone (Szegedy et al. 2016); the recipe's, set by the trainer."""

    def option(self, name: str, default: Any) -> Any:
        """A value of the recipe's [data] table."""
        return self.config.data.get(name, default)

    # Examples and batches.

    @abstractmethod
    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[E]:
        """The examples of one split of the corpora that `recipe_data` names."""

    def load_for_baselines(self, recipe_data: Mapping[str, Any]) -> list[E]:
        """The training examples, as far as `baselines` looks at them: a task whose baselines need no tokens
        saves itself the tokenizing.
        """
        if self.BASELINE_EXAMPLES is not None:
            recipe_data = {"first": self.BASELINE_EXAMPLES} | dict(recipe_data)
        return self.load(recipe_data, "train")

    @abstractmethod
    def length(self, example: E) -> int:
        """Tokens of an example, by which batches are made of examples of about the same length."""

    @abstractmethod
    def collate(self, examples: Sequence[E], device: str) -> tuple[Batch, Targets]:
        """One padded batch and what the network should make of it."""

    def plan(self, examples: Sequence[E], batch_size: int, rng: np.random.Generator) -> list[list[Any]]:
        """One epoch: for each batch, what `draw` needs to make it; here the indices of its examples."""
        lengths = np.fromiter((self.length(example) for example in examples), np.int64, len(examples))
        return length_buckets(lengths, batch_size, rng)

    def draw(self, examples: Sequence[E], keys: Sequence[Any], rng: np.random.Generator) -> list[E]:
        """The examples of one batch of the plan, with what is new each time (masks, dropped words)."""
        return [examples[key] for key in keys]

    def share(self, drawn: Sequence[E], rank: int, size: int) -> list[E]:
        """What process number `rank` of `size` learns from of a batch that was drawn; it may be nothing.

        Every so-manieth example, so that each process gets texts of about the same lengths.
        """
        return list(drawn[rank::size])

    @abstractmethod
    def asked(self, drawn: Sequence[E]) -> dict[str, int]:
        """How many answers each mean of the loss is over.

        A batch that is split, over processes or over parts of a step, counts here as one: the mean over all
        its answers is not the mean of the parts' means.
        """

    # What the network makes of them.

    @abstractmethod
    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss, to call `backward` on, and more numbers for the log (tensors: reading one waits).

        over: what `asked` says of the whole of which these are a part, whose losses then add up to the mean.
        """

    @abstractmethod
    def metrics(
        self, model: nn.Module, examples: Sequence[E], device: str, batch_size: int
    ) -> dict[str, float]:
        """How good the model is on `examples`, by metric name."""

    BASELINE_EXAMPLES: ClassVar[int | None] = None
    """How many examples of train are enough for `baselines` to learn from; None: it takes all."""

    @abstractmethod
    def baselines(self, train_examples: Sequence[E], test_examples: Sequence[E]) -> dict[str, float]:
        """What the simplest method that learns from the same examples reaches, by metric name."""

    @abstractmethod
    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """The answer for one text (a batch of one): the `output` object of the command line."""

    def outputs(
        self, model: nn.Module, examples: Sequence[E], device: str, batch_size: int
    ) -> Iterator[tuple[Sequence[E], Outputs, Targets]]:
        """The network's outputs for all examples, without gradients or dropout, longest batches last."""
        order = sorted(range(len(examples)), key=lambda i: self.length(examples[i]))
        with evaluating(model):
            for start in range(0, len(order), batch_size):
                chosen = [examples[i] for i in order[start : start + batch_size]]
                batch, targets = self.collate(chosen, device)
                yield chosen, model(batch), targets


def mean_cross_entropy(logits: Tensor, wanted: Tensor, over: int | None, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy summed over the rows whose answer is not IGNORED, divided by `over` (None: their number).

    0 where there is no such row. smoothing ε (Szegedy et al. 2016): of V classes, the right one is wanted
    with 1 − ε + ε/V, the others with ε/V.
    """
    total = F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing)
    return total / _divisor(wanted, over)


def mean_over(total: Tensor, wanted: Tensor, over: int | None) -> Tensor:
    """A sum of losses divided by `over`, or by the number of answers in `wanted` that are not IGNORED."""
    return total / _divisor(wanted, over)


def _divisor(wanted: Tensor, over: int | None) -> Tensor | int:
    return (wanted != IGNORED).sum().clamp(min=1) if over is None else max(over, 1)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run the model as it is used, not as it is trained: no gradients, no dropout."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def length_buckets(
    lengths: np.ndarray[Any, Any], batch_size: int, rng: np.random.Generator
) -> list[list[Any]]:
    """Indices in batches: shuffled, each run of BUCKET batches sorted by length, the batches shuffled."""
    order = rng.permutation(len(lengths))
    run = batch_size * BUCKET
    for start in range(0, len(order), run):
        part = order[start : start + run]
        order[start : start + run] = part[np.argsort(lengths[part], kind="stable")]
    batches = [order[start : start + batch_size].tolist() for start in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def pad_rows(rows: Sequence[np.ndarray[Any, Any]], value: int) -> Tensor:
    """Rows of different lengths as one int64 tensor (batch pos)."""
    padded = np.full((len(rows), max(map(len, rows), default=0)), value, np.int64)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return torch.from_numpy(padded)


def pad_grids(grids: Sequence[np.ndarray[Any, Any]]) -> Tensor:
    """Character ids of several texts as one int64 tensor (batch pos char), 0 where there is none."""
    length = max((len(grid) for grid in grids), default=0)
    width = max((grid.shape[1] for grid in grids), default=0)
    padded = np.zeros((len(grids), length, max(width, 1)), np.int64)
    for i, grid in enumerate(grids):
        padded[i, : grid.shape[0], : grid.shape[1]] = grid
    return torch.from_numpy(padded)


def padding_mask(lengths: Sequence[int]) -> Tensor | None:
    """True at real tokens (batch pos); None where there is no padding."""
    longest = max(lengths, default=0)
    if all(length == longest for length in lengths):
        return None
    return torch.arange(longest)[None, :] < torch.tensor(lengths)[:, None]


def id_array(ids: Sequence[int]) -> Ids:
    """Token ids in little space."""
    return np.asarray(ids, np.int32)


def char_grid(char_ids: Sequence[Sequence[int]] | None) -> np.ndarray[Any, Any] | None:
    """Character ids of each token as one array (pos char), 0 where a token has no more."""
    if char_ids is None:
        return None
    grid = np.zeros((len(char_ids), max(map(len, char_ids), default=0)), np.int32)
    for i, row in enumerate(char_ids):
        grid[i, : len(row)] = row
    return grid


def top_tokens(logits: Tensor, tokenizer: Tokenizer, top: int) -> list[dict[str, Any]]:
    """The likeliest tokens of one position, by softmax over the vocabulary."""
    probs = logits.detach().float().softmax(-1)
    best = probs.topk(min(top, probs.shape[-1]))
    return [
        {"id": int(i), "text": tokenizer.token(int(i)), "prob": float(p)}
        for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
