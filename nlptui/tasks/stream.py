"""An endless stream of training batches that can be left anywhere and taken up again.

Every batch is a function of (seed, epoch, index): what was drawn before plays no part, so the position is two
numbers. Knows nothing of networks or optimizers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import Targets, Task


class DataStream:
    """Batches of `examples`, epoch after epoch, each epoch in another order."""

    def __init__(
        self, task: Task[Any], examples: Sequence[Any], batch_size: int, seed: int, device: str = "cpu"
    ) -> None:
        if not examples:
            raise UserError(_("no examples to train on: the train split is empty"))
        if batch_size < 1:
            raise UserError(_("batch_size {n}: it must be 1 or more").format(n=batch_size))
        self.task = task
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.epoch = 0
        self.index = 0
        self._plan: list[list[Any]] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """Batches of the present epoch."""
        return len(self.plan)

    @property
    def plan(self) -> list[list[Any]]:
        """For each batch of the present epoch, what the task needs to draw it."""
        return self._planned()

    def _planned(self) -> list[list[Any]]:
        if self._plan is None:
            rng = np.random.default_rng([self.seed, self.epoch])
            self._plan = self.task.plan(self.examples, self.batch_size, rng)
            if not self._plan:
                raise UserError(_("no examples to train on: they are all too short for this model's context"))
        return self._plan

    def next(self) -> tuple[Batch, Targets, int]:
        """The next batch, what the network should make of it, and how many real tokens it holds."""
        drawn = self.draw()
        batch, targets = self.task.collate(drawn, self.device)
        return batch, targets, sum(map(self.task.length, drawn))

    def draw(self) -> list[Any]:
        """The examples of the next batch."""
        plan = self._planned()
        if self.index >= len(plan):
            self.epoch, self.index, self._plan = self.epoch + 1, 0, None
            plan = self._planned()
        # The third number keeps this generator apart from the one that made the plan.
        rng = np.random.default_rng([self.seed, self.epoch, self.index + 1])
        drawn = self.task.draw(self.examples, plan[self.index], rng)
        self.index += 1
        return drawn

    def state(self) -> dict[str, int]:
        """The position: of plain numbers, ready for JSON."""
        return {"seed": self.seed, "batch_size": self.batch_size, "epoch": self.epoch, "index": self.index}

    def restore(self, state: Mapping[str, int]) -> None:
        """Go on exactly where `state()` was taken. Raises UserError where it belongs to another stream."""
        for key, here in (("seed", self.seed), ("batch_size", self.batch_size)):
            if state.get(key) != here:
                raise UserError(
                    _(
                        "the data position was saved with {key} {saved}, this run has {here}; set it back"
                    ).format(key=key, saved=state.get(key), here=here)
                )
        self.epoch, self.index, self._plan = int(state["epoch"]), int(state["index"]), None
