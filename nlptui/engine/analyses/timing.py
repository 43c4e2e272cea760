"""Parallel or serial: how long one layer takes on this machine, by the length of the text.

Each layer is 128 wide and reads random vectors, one text at a time. A recurrent layer goes from step to step;
attention has every position at once, and pays with a product for each pair. Multiplications and additions,
with n tokens and width d (one of each counts as two):

    RNN 4nd²    GRU 12nd²    LSTM 16nd²    attention 8nd² + 4n²d

Measured, never the same twice: the median of five runs after one to warm up. Source: Vaswani et al. 2017,
section 4, table 1.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nlptui.engine.analyses.gradient import define
from nlptui.locale import _
from nlptui.nn.attention import Attention
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

WIDTH = 128
LENGTHS = (16, 32, 64, 128, 256, 512)
RUNS = 5
SYSTEMS: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: nn.RNN(WIDTH, WIDTH, batch_first=True),
    "GRU": lambda: nn.GRU(WIDTH, WIDTH, batch_first=True),
    "LSTM": lambda: nn.LSTM(WIDTH, WIDTH, batch_first=True),
    "attention": lambda: Attention(WIDTH, 4),
}


def fits(config: Any) -> bool:
    """Every network but word vectors has layers like these."""
    return config.arch in ("rnn", "lstm", "gru", "transformer", "bert", "gpt")


def operations(system: str, n: int, d: int = WIDTH) -> int:
    """Multiplications and additions of a layer that reads n vectors of width d."""
    per_token = {"RNN": 4, "GRU": 12, "LSTM": 16, "attention": 8}[system] * n * d * d
    return per_token + (4 * n * n * d if system == "attention" else 0)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`ms`, `flops` and `serial` (batch system length): milliseconds, operations, steps after each other."""
    axes = ("batch", "system", "length")
    trace.label_sets |= {"system": tuple(SYSTEMS), "length": tuple(map(str, LENGTHS))}
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        layers = [make().eval() for make in SYSTEMS.values()]
        times = []
        for number, layer in enumerate(layers):
            asked.watch(number, len(layers))
            times.append([_measured(layer, n) for n in LENGTHS])
    words = _("the median of {n} runs of one layer on this machine, in milliseconds").format(n=RUNS)
    define(rec, "ms", torch.tensor([times]), axes, words, ())
    counts = [[float(operations(system, n)) for n in LENGTHS] for system in SYSTEMS]
    words = _("multiplications and additions, by the formula of the layer")
    define(rec, "flops", torch.tensor([counts]), axes, words, ())
    steps = [[1.0 if system == "attention" else float(n) for n in LENGTHS] for system in SYSTEMS]
    define(rec, "serial", torch.tensor([steps]), axes, _("steps that must wait for each other"), ())


def _measured(layer: nn.Module, length: int) -> float:
    """Milliseconds of one run of `layer`, in the middle of several."""
    x = torch.randn(1, length, WIDTH)
    layer(x)
    times = []
    for _run in range(RUNS):
        started = time.perf_counter()
        layer(x)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)
