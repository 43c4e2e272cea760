"""Runs an experiment in a run directory: part by part, its rows in the metrics, its state in the status.

It can be stopped and paused after every step. Gone on with, it begins again with the first part that is not
finished; each part makes its own random numbers, so the rows are the same as without the stop. Knows nothing
of what is measured.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from itertools import takewhile
from typing import Any, Protocol

from nlptui.train.experiments import find_experiment
from nlptui.train.experiments.parts import Part, Row, Step
from nlptui.train.experiments.results import (
    Settings,
    finished_in,
    line_of_part,
    line_of_row,
    write_table,
)
from nlptui.train.run import RunDirectory

LOSSES = 300
"""Training losses that are noted, over all parts."""
_PAUSE_SECONDS = 0.2


class Wishes(Protocol):
    """What people want of the run."""

    def stop_wanted(self) -> bool: ...

    def pause_wanted(self) -> bool: ...


class Report(Protocol):
    """Where the state of the run is told."""

    def update(self, *, now: bool = True, **changes: Any) -> None: ...


def conduct(run: RunDirectory, settings: Settings, wishes: Wishes, report: Report) -> str:
    """Run what is left of the experiment; returns "done" or "stopped"."""
    return Conductor(run, settings, wishes, report).run()


class Conductor:
    """One run of an experiment, from its first unfinished part to its last or to the wish to stop."""

    def __init__(self, run: RunDirectory, settings: Settings, wishes: Wishes, report: Report) -> None:
        self.directory = run
        self.experiment = find_experiment(settings.experiment).name
        self.wishes = wishes
        self.report = report
        module = importlib.import_module(f"nlptui.train.experiments.{self.experiment}")
        parts_of: Callable[[bool], list[Part]] = module.parts
        self.parts = parts_of(settings.quick)
        self.steps = sum(part.steps for part in self.parts)
        self.every = max(1, self.steps // LOSSES)
        self.step = 0
        self.seconds = 0.0
        self.loss: float | None = None

    def run(self) -> str:
        """Every part that is not finished; then the table."""
        finished = self._go_on()
        self._tell(now=True, phase="training")
        for part in self.parts[finished:]:
            if not self._run_part(part):
                return "stopped"
        write_table(self.directory, self.experiment)
        self._tell(now=True)
        return "done"

    def _go_on(self) -> int:
        """Forget what an unfinished part has measured; returns how many parts are finished."""
        known = finished_in(self.directory.metrics())
        finished = list(takewhile(lambda part: part.name in known, self.parts))
        self.step = sum(part.steps for part in finished)
        self.directory.rewind_metrics(self.step)
        lines = self.directory.metrics()
        times = [line["time"] for line in lines if isinstance(line.get("time"), int | float)]
        self.seconds = max(times, default=0.0)
        return len(finished)

    def _run_part(self, part: Part) -> bool:
        """Run a part to its end; False where people want the run to stop before that."""
        first, began, self.since = self.step, self.seconds, time.monotonic()
        print(part.name, flush=True)
        for made in part.run():
            if self.wishes.pause_wanted():
                self._pause()
            if self.wishes.stop_wanted():
                self._tell(now=True)
                return False
            if isinstance(made, Row):
                # What comes before a part's first step goes with it, not with the part before.
                self._note(max(self.step, first + 1), line_of_row(made))
            else:
                self._count(made, part)
        self.step = first + part.steps
        self._lap()
        self._note(self.step, line_of_part(part, self.seconds - began))
        return True

    def _count(self, step: Step, part: Part) -> None:
        self.step += 1
        self.loss = step.loss
        self._lap()
        if step.loss is not None and self.step % self.every == 0:
            self._note(self.step, {"part": part.name, "loss": step.loss})
        self._tell()

    def _lap(self) -> None:
        now = time.monotonic()
        self.seconds += now - self.since
        self.since = now

    def _note(self, step: int, line: dict[str, Any]) -> None:
        self.directory.append_metrics({"step": step, "time": round(self.seconds, 3)} | line)

    def _tell(self, *, now: bool = False, **changes: object) -> None:
        left = self.seconds / self.step * (self.steps - self.step) if self.step else None
        metrics = {} if self.loss is None else {"loss": self.loss}
        self.report.update(
            now=now,
            step=self.step,
            steps=self.steps,
            seconds=self.seconds,
            left=left,
            metrics=metrics,
            **changes,
        )

    def _pause(self) -> None:
        """Wait, with everything in memory, until people want the run to go on or to stop."""
        self._lap()
        self._tell(now=True, state="paused", phase="")
        while self.wishes.pause_wanted():
            time.sleep(_PAUSE_SECONDS)
        self.since = time.monotonic()
        self._tell(now=True, state="running", phase="training")
