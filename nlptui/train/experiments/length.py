"""Length: how long a layer takes to read a text, and to learn from it, as the text grows.

The layers and the count of their arithmetic are those of the analysis `timing`: one layer of 128 values, one
text at a time, one thread. A recurrent layer does a step for each token, each after the other; attention does
all at once, and a product for each pair of tokens. What is measured is the processor's time of this thread,
so that other programs matter little; it is never twice the same. The order of the layers is that of the
library's kernels, and not of their arithmetic: torch 2.13 on a CPU has a fused kernel of oneDNN for an LSTM,
but makes an RNN of an operation after the other, and its step of training took up to four times as long as
the LSTM's. Source: Vaswani et al. 2017, section 4, table 1.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nlptui.engine.analyses.timing import SYSTEMS, WIDTH, operations
from nlptui.train.experiments.parts import Made, Part, Row, Step
from nlptui.train.experiments.training import generator_of

ORDER = ("RNN", "LSTM", "attention")  # as `timing` calls them; its view marks the word for translation


@dataclass(frozen=True)
class Budget:
    """Which lengths, and how often each is measured."""

    lengths: tuple[int, ...]
    runs: int
    """Measurements of which the middle one counts, after one to warm up."""
    systems: tuple[str, ...] = ORDER


FULL = Budget(lengths=(16, 32, 64, 128, 256, 512, 1024, 2048, 4096), runs=9)
QUICK = Budget(lengths=(4, 8), runs=1)


def output(layer: nn.Module, x: Tensor) -> Tensor:
    """The vectors that a layer makes of `x`; a recurrent one also gives its last state."""
    made = layer(x)
    vectors: Tensor = made[0] if isinstance(made, tuple) else made
    return vectors


def milliseconds(run: Callable[[], object], runs: int) -> float:
    """The processor's time of this thread in one run, in the middle of several."""
    run()
    times = []
    for _run in range(runs):
        started = time.thread_time()
        run()
        times.append(1000 * (time.thread_time() - started))
    return statistics.median(times)


def measure(system: str, seed: int, budget: Budget) -> Iterator[Made]:
    """At each length: reading, a step of training (reading, then the gradients), and the arithmetic."""
    generator = generator_of(seed)
    layer = SYSTEMS[system]()
    for length in budget.lengths:
        x = torch.randn(1, length, WIDTH, generator=generator)

        def read(x: Tensor = x) -> Tensor:
            with torch.no_grad():
                return output(layer, x)

        def learn(x: Tensor = x) -> None:
            layer.zero_grad()
            output(layer, x).sum().backward()  # type: ignore[no-untyped-call]

        yield Row("reading", system, seed, length, milliseconds(read, budget.runs))
        yield Row("step", system, seed, length, milliseconds(learn, budget.runs))
        yield Row("operations", system, seed, length, operations(system, length) / 1e6)
        yield Step()


def parts(quick: bool) -> list[Part]:
    """One for each layer."""
    budget = QUICK if quick else FULL
    return [
        Part(system, 1, len(budget.lengths), partial(measure, system, 1, budget)) for system in budget.systems
    ]
