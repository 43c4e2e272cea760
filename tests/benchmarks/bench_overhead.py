"""What measuring, snapshots, checkpoints and logging add to a training run, and recording while it is off.

Each is timed by itself in the loop, on made-up texts; what a run pays is its time over the steps between two
of its kind, at the rhythm of most of the shipped recipes. Aim: under 5 % of the run together. The recorder
that is off is called in a forward pass all the same: how often, and what so many calls take of a step.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from nlptui.tasks.language_model import RunningText
from nlptui.trace import OFF, Off
from nlptui.train.build import Parts
from nlptui.train.loop import Trainer
from tests.benchmarks.bench_training import bert_parts, gpt_parts, tagging_parts, trainer_of

EVERY = {"logging": 20, "measuring": 500, "saving": 250}
"""Steps between two of a kind."""
WHOLE, SNAPSHOTS = 9000, 24
"""Steps of a run, and snapshots that it keeps."""
STEPS, TIMES = 8, 3


def tagger() -> Parts:
    """An LSTM that tags, with 400 sentences to be measured on."""
    parts = tagging_parts("lstm")
    parts.dev_examples = parts.train_examples
    return parts


def gpt() -> Parts:
    """A character GPT, with 20,000 characters to be measured on."""
    parts = gpt_parts()
    parts.dev_examples = [RunningText(parts.train_examples[0].ids[:20_000])]
    return parts


def bert() -> Parts:
    """A BERT, measured on the book that it learns from."""
    parts = bert_parts()
    parts.dev_examples = parts.train_examples
    return parts


FAMILIES: dict[str, tuple[Callable[[], Parts], int]] = {
    "lstm tagger": (tagger, 32), "gpt": (gpt, 16), "bert": (bert, 24),
}  # fmt: skip


def seconds_of(work: Callable[[], Any], times: int = TIMES) -> float:
    """The best of a few."""
    best = float("inf")
    for _time in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def next_step(trainer: Trainer) -> None:
    """A step of its own, so that what was done is done again."""
    trainer.progress.step += 1


def log(trainer: Trainer) -> None:
    next_step(trainer)
    trainer.log()


def save(trainer: Trainer) -> None:
    next_step(trainer)
    trainer.save()


def measure(trainer: Trainer) -> None:
    """Layers, dev and the pinned sentence."""
    next_step(trainer)
    trainer.look_inside()
    trainer.evaluate()
    trainer.ask_about_sentence()


def snapshot(trainer: Trainer) -> None:
    """Weights alone, and what the model makes of its sentence then."""
    next_step(trainer)
    trainer.snapshots_due = frozenset({trainer.progress.step})
    trainer.snapshot()


def costs(trainer: Trainer) -> dict[str, float]:
    """Seconds of a step, and of each thing beside."""
    for _step in range(3):
        trainer.update()
    step = seconds_of(lambda: [trainer.update() for _ in range(STEPS)]) / STEPS
    trainer.learner.update(1, 10, look=True)  # so that there are norms to look at
    return {
        "step": step,
        "logging": seconds_of(lambda: log(trainer)),
        "measuring": seconds_of(lambda: measure(trainer), 1),
        "saving": seconds_of(lambda: save(trainer)),
        "snapshots": seconds_of(lambda: snapshot(trainer)),
    }


def shares(found: dict[str, float]) -> dict[str, float]:
    """What each takes of the whole run."""
    beside = {kind: found[kind] / every for kind, every in EVERY.items()}
    beside["snapshots"] = found["snapshots"] * SNAPSHOTS / WHOLE
    whole = found["step"] + sum(beside.values())
    return {kind: seconds / whole for kind, seconds in beside.items()}


def recorder_off(trainer: Trainer, step: float) -> float:
    """The share of a step that calls of the recorder take while it is off."""
    calls = [0]

    def counted(self: Off, *given: Any, **named: Any) -> Any:
        calls[0] += 1
        return given[1] if len(given) > 1 else self

    with mock.patch.multiple(Off, __call__=counted, at=counted, bind=counted, input=counted):
        trainer.update()
    value = torch.zeros(1)

    def call() -> None:
        for _call in range(calls[0]):
            OFF("q", value, "batch pos d_model", by="linear(x, wq)")

    return seconds_of(call) / step


def run() -> dict[str, Any]:
    """Shares of the whole for each family."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    try:
        for family, (made, batch_size) in FAMILIES.items():
            with tempfile.TemporaryDirectory() as folder:
                trainer = trainer_of(made(), batch_size, Path(folder))
                seconds = costs(trainer)
                each = shares(seconds)
                found[f"{family}: all beside the steps (aim ≤ 0.05)"] = sum(each.values())
                found |= {f"{family}: {kind}": share for kind, share in each.items()}
                found[f"{family}: the recorder that is off"] = recorder_off(trainer, seconds["step"])
    finally:
        torch.set_num_threads(threads)
    return found


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<52} {value:.4g}", flush=True)
