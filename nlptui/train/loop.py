"""The training loop, in phases: build or restore, update, log, evaluate, save.

Knows the run directory and the phases; what is trained, and how weights move, it leaves to others.
Nothing waits for the device between two log lines.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from nlptui.engine import checkpoint
from nlptui.engine.engine import pick_device
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tasks import DataStream
from nlptui.train.build import Parts, build, rebuild
from nlptui.train.muon import Muon
from nlptui.train.optimize import AdamW, Average, clip_gradients, learning_rate
from nlptui.train.recipe import Recipe, TrainConfig
from nlptui.train.run import RunDirectory, step_of
from nlptui.train.state import (
    Progress,
    generator_tensors,
    read_state,
    restore_generators,
    write_state,
)

# The metric that says which checkpoint is best, by task, and whether more of it is better.
_CHOOSING = {
    "tagging": "accuracy",
    "classification": "accuracy",
    "language_model": "loss",
    "pretraining": "mlm_accuracy",
    "translation": "bleu",
    "question_answering": "exact_match",
    "skip_gram": "loss",
}
_LESS_IS_BETTER = frozenset({"loss", "perplexity"})
_PAUSE_SECONDS = 0.2


class Wishes(Protocol):
    """What people want of the run."""

    def stop_wanted(self) -> bool: ...

    def pause_wanted(self) -> bool: ...


class Report(Protocol):
    """Where the state of the run is told."""

    def update(self, *, now: bool = True, **changes: object) -> None: ...


def settle_process(settings: TrainConfig) -> None:
    """Settings of the whole process, which is the worker's own."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.set_flush_denormal(True)  # On a CPU a denormal number costs many times a normal one.


class Trainer:
    """One run, from its recipe or its last checkpoint to its last step or the wish to stop."""

    def __init__(self, run: RunDirectory, recipe: Recipe, wishes: Wishes, report: Report) -> None:
        self.directory = run
        self.recipe = recipe
        self.settings = recipe.train
        self.wishes = wishes
        self.report = report
        self.progress = Progress()

    def run(self) -> str:
        """Train; return the state that the run is in after that: "done" or "stopped"."""
        self.prepare()
        while self.progress.step < self.progress.steps:
            if self.wishes.pause_wanted():
                self.pause()
            if self.wishes.stop_wanted():
                self.save()
                return "stopped"
            self.update()
            self.after_update()
        self.evaluate()
        self.save()
        return "done"

    # Phase: build or restore.

    def prepare(self) -> None:
        """Make everything, from the recipe or from the last checkpoint that can be read."""
        self.device = pick_device(self.settings.device)
        self.directory.clear_scratch()
        folder, tensors, progress = self._last_checkpoint()
        if folder is None:
            self._assemble(build(self.recipe, self.device))
        else:
            self._assemble(rebuild(self.recipe, folder, self.device))
            self.restore(tensors, progress)
        self.progress.steps = self._steps_to_make()
        self.started = time.monotonic() - self.progress.seconds
        self.log_started, self.log_tokens = time.monotonic(), 0
        self._forget_after(self.progress.step)
        self.report.update(
            phase="training",
            step=self.progress.step,
            steps=self.progress.steps,
            metrics=self.progress.metrics,
            latest=folder.name if folder else "",
            best=self.progress.best_folder,
        )

    def _assemble(self, parts: Parts) -> None:
        self.parts = parts
        self.model: nn.Module = parts.model.train()
        self.parameters = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        optimizer = Muon if self.settings.optimizer == "muon" else AdamW
        self.optimizer: AdamW | Muon = optimizer(self.parameters, self.settings)
        self.average = Average(self.parameters, self.settings.average) if self.settings.average else None
        part_size = self.settings.batch_size // self.settings.accumulate
        self.stream = DataStream(parts.task, parts.train_examples, part_size, self.recipe.seed, self.device)
        self.loss_sum = torch.zeros((), device=self.device)
        self.gradient_norm = torch.zeros((), device=self.device)
        self.rate = 0.0

    def restore(self, tensors: dict[str, Tensor], progress: Progress) -> None:
        """Put everything where the checkpoint says that it was."""
        self.progress = progress
        self.optimizer.restore(tensors)
        self.loss_sum.copy_(tensors["sums/loss"])
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                if self.average and f"weights/{name}" in tensors:
                    self.average.values[name].copy_(parameter)
                if f"weights/{name}" in tensors:
                    parameter.copy_(tensors[f"weights/{name}"])
        self._restore_stream(progress.data)
        restore_generators(tensors)

    def _restore_stream(self, position: dict[str, int]) -> None:
        here = self.stream.state()
        if position["batch_size"] != here["batch_size"]:
            # Resumed with other batches: as many examples of the epoch are taken as read.
            seen = position["index"] * position["batch_size"]
            position = position | {"batch_size": here["batch_size"], "index": seen // here["batch_size"]}
        self.stream.restore(position)

    def _last_checkpoint(self) -> tuple[Path | None, dict[str, Tensor], Progress]:
        """The newest checkpoint that can be read; one that cannot is passed over, and logged."""
        for folder in reversed(self.directory.checkpoints()):
            try:
                tensors, progress = read_state(folder)
            except UserError as error:
                print(error, flush=True)
                continue
            return folder, tensors, progress
        return None, {}, Progress()

    def _forget_after(self, step: int) -> None:
        """Drop measurements and checkpoints beyond the step that the run goes on from: they are redone."""
        self.directory.rewind_metrics(step)
        for folder in self.directory.checkpoints():
            if step_of(folder) > step:
                shutil.rmtree(folder, ignore_errors=True)

    def _steps_to_make(self) -> int:
        if self.settings.steps:
            return self.settings.steps
        batches = self.stream.batches_per_epoch / self.settings.accumulate
        return max(1, math.ceil(self.settings.epochs * batches))

    # Phase: update.

    def update(self) -> None:
        """One step: gradients of the mean loss over the batch, clipped, then the optimizer's."""
        step = self.progress.step + 1
        self.optimizer.zero_grad()
        for _part in range(self.settings.accumulate):
            batch, targets, tokens = self.stream.next()
            with self._precision():
                loss, _numbers = self.parts.task.loss(self.model(batch), targets)
                loss = loss / self.settings.accumulate
            loss.backward()  # type: ignore[no-untyped-call]
            self.loss_sum += loss.detach()
            self.log_tokens += tokens
        self.gradient_norm = clip_gradients(self.parameters.values(), self.settings.clip)
        self.rate = learning_rate(self.settings, step, self.progress.steps)
        self.optimizer.step(self.rate)
        if self.average:
            self.average.update(step)
        self.progress.step = step

    def _precision(self) -> AbstractContextManager[object]:
        if self.settings.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16)

    def after_update(self) -> None:
        """What is due after this step."""
        step, settings = self.progress.step, self.settings
        if step % settings.log_every == 0 or step == self.progress.steps:
            self.log()
        if step == self.progress.steps:
            return  # The end evaluates and saves whatever was due.
        improved = False
        if settings.evaluate_every and step % settings.evaluate_every == 0:
            improved = self.evaluate()
        if improved or (settings.save_every and step % settings.save_every == 0):
            self.save()

    # Phase: log.

    def log(self) -> None:
        """A line of the metrics file: the mean loss since the last one. Waits for the device."""
        progress, now = self.progress, time.monotonic()
        loss = self.loss_sum.item() / max(1, progress.step - progress.logged_step)
        self._need_finite(loss)
        row = {
            "loss": loss,
            "learning_rate": self.rate,
            "gradient_norm": self.gradient_norm.item(),
            "tokens_per_second": self.log_tokens / max(now - self.log_started, 1e-9),
        }
        self.loss_sum.zero_()
        progress.logged_step = progress.step
        self.log_started, self.log_tokens = now, 0
        self._record(row)

    def _record(self, row: dict[str, float], split: str = "") -> None:
        """Append a line, and tell the latest values in the status."""
        self.progress.seconds = time.monotonic() - self.started
        self.progress.metrics |= {f"{split}_{key}" if split else key: value for key, value in row.items()}
        head = {"step": self.progress.step, "time": round(self.progress.seconds, 3)}
        self.directory.append_metrics(head | ({"split": split} if split else {}) | row)
        self._tell()

    def _tell(self, *, now: bool = False, **changes: object) -> None:
        progress = self.progress
        left = progress.seconds / max(1, progress.step) * (progress.steps - progress.step)
        self.report.update(
            now=now,
            step=progress.step,
            steps=progress.steps,
            metrics=dict(progress.metrics),
            seconds=progress.seconds,
            left=left,
            **changes,
        )

    def _need_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise UserError(
                _(
                    "the loss is {loss} at step {step}; resume from the last checkpoint with a lower "
                    "train.learning_rate, or a smaller train.clip"
                ).format(loss=loss, step=self.progress.step)
            )

    def _need_finite_weights(self) -> None:
        finite = torch.stack([weight.isfinite().all() for weight in self.parameters.values()])
        if not finite.all().item():
            self._need_finite(math.nan)

    # Phase: evaluate.

    def evaluate(self) -> bool:
        """Measure on dev; whether that is the best so far. Leaves the training's generators alone."""
        if self.progress.evaluated_step == self.progress.step or not len(self.parts.dev_examples):
            return False
        self._tell(now=True, phase="evaluating")
        examples = self.parts.dev_examples[: self.settings.evaluate_examples or None]
        with self._weights_to_keep(), torch.random.fork_rng():
            measured = self.parts.task.metrics(self.model, examples, self.device, self.settings.batch_size)
        self.progress.evaluated_step = self.progress.step
        improved = self._judge(measured)
        self._record(measured, "dev")
        self._tell(now=True, phase="training")
        return improved

    def _judge(self, measured: dict[str, float]) -> bool:
        chosen = self.settings.best
        chosen = _CHOOSING[self.parts.config.task] if chosen == "auto" else chosen
        if chosen == "none":
            return False
        if chosen not in measured:
            raise UserError(
                _("train.best = {name}: the task measures {known}").format(
                    name=chosen, known=", ".join(measured)
                )
            )
        value, best = measured[chosen], self.progress.best_value
        if not math.isfinite(value):
            return False
        if best is not None and (value >= best if chosen in _LESS_IS_BETTER else value <= best):
            return False
        self.progress.best_value = value
        self.progress.best_folder = self.directory.step_folder(self.progress.step).name
        return True

    @contextmanager
    def _weights_to_keep(self) -> Iterator[None]:
        """The weights that are measured and kept: the average where there is one."""
        with self.average.in_place() if self.average else nullcontext():
            yield

    # Phase: save.

    def save(self) -> None:
        """A checkpoint, whole or not at all; older ones go. One that stands already is left as it is."""
        folder = self.directory.step_folder(self.progress.step)
        if not self.progress.step:
            return
        if not folder.exists():
            self._write(folder)
            self._prune()
        self._tell(now=True, phase="training", latest=folder.name, best=self.progress.best_folder)

    def _write(self, folder: Path) -> None:
        """Write into a folder beside, then rename: a reader never finds half a checkpoint."""
        self._need_finite(self.loss_sum.item())
        self._need_finite_weights()
        self._tell(now=True, phase="saving")
        self.progress.data = self.stream.state()
        self.progress.seconds = time.monotonic() - self.started
        scratch = self.directory.scratch_folder()
        try:
            with self._weights_to_keep():
                checkpoint.save(scratch / "model", self.model, self.parts.config, self.parts.tokenizer)
            write_state(scratch / "model", self._state_tensors(), self.progress)
            (scratch / "model").rename(folder)
        finally:
            self.directory.clear_scratch()

    def _state_tensors(self) -> dict[str, Tensor]:
        tensors = self.optimizer.tensors() | generator_tensors()
        tensors["sums/loss"] = self.loss_sum
        if self.average:
            tensors |= {f"weights/{name}": parameter.detach() for name, parameter in self.parameters.items()}
        return tensors

    def _prune(self) -> None:
        if not self.settings.keep:
            return
        for folder in self.directory.checkpoints()[: -self.settings.keep]:
            if folder.name != self.progress.best_folder:
                shutil.rmtree(folder, ignore_errors=True)

    # Waiting.

    def pause(self) -> None:
        """Wait, with everything in memory, until people want the run to go on or to stop."""
        self._tell(now=True, state="paused", phase="")
        began = time.monotonic()
        while self.wishes.pause_wanted():
            time.sleep(_PAUSE_SECONDS)
        waited = time.monotonic() - began
        self.started += waited
        self.log_started += waited
        self._tell(now=True, state="running", phase="training")
