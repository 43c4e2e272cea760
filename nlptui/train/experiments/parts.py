"""What an experiment is made of: parts that run one after the other, and what a part gives while it runs.

A part is one network (or one setting) with one seed. It makes its own random numbers, so that it gives the
same rows whatever ran before it. Knows nothing of torch, of run directories, or of what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

COLUMNS = ("experiment", "chart", "series", "seed", "x", "y")
"""The columns of `experiment.csv`."""


@dataclass(frozen=True)
class Step:
    """One update of the weights, or one measurement; its training loss where it has one."""

    loss: float | None = None


@dataclass(frozen=True)
class Row:
    """One measurement: a point of a series of a chart, with one seed."""

    chart: str
    """The name of a chart of the experiment."""
    series: str
    """What was varied: the line that the point belongs to, in the words of the English chart."""
    seed: int
    x: float
    y: float


Made: TypeAlias = Step | Row


@dataclass(frozen=True)
class Part:
    """One network or setting with one seed."""

    series: str
    """What is varied, as its rows say it."""
    seed: int
    steps: int
    """How many `Step`s it gives."""
    run: Callable[[], Iterator[Made]]
    """Runs it, step by step; whoever asks may stop asking."""
    at: float | None = None
    """The setting, where a series has several: its x."""

    @property
    def name(self) -> str:
        """No other part of the experiment has it."""
        setting = "" if self.at is None else f" {self.at:g}"
        return f"{self.series}{setting}, seed {self.seed}"
