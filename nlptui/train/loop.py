"""The training loop, in phases: build or restore, update, log, evaluate, save.

Knows the run directory and the phases; what is trained, and how weights move, it leaves to the learner. Of
several processes that train together all go through the same phases; the first alone measures and writes.
Nothing waits for the device between two log lines.
"""

from __future__ import annotations

import math
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from nlptui.engine import checkpoint
from nlptui.engine.devices import pick_device
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.train.build import build, rebuild
from nlptui.train.clock import Clock
from nlptui.train.events import Events
from nlptui.train.inside import Sample, norms_by_layer
from nlptui.train.learner import Learner, norms
from nlptui.train.ranks import ALONE, Ranks
from nlptui.train.recipe import Recipe, TrainConfig
from nlptui.train.run import LAYERS, RunDirectory, step_of
from nlptui.train.samples import PinnedSentence
from nlptui.train.snapshots import fitting, planned, surplus
from nlptui.train.state import Progress, push_to_disk, read_state, write_state

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
# Between two lines of the metrics the status says how far the run is, so often.
_TELL_SECONDS = 0.5


class Wishes(Protocol):
    """What people want of the run."""

    def stop_wanted(self) -> bool: ...

    def pause_wanted(self) -> bool: ...


class Report(Protocol):
    """Where the state of the run is told."""

    def update(self, *, now: bool = True, **changes: object) -> None: ...


def settle_process(threads: int) -> None:
    """Settings of the whole process, which must be a child of the front end's; 0 threads: as it is."""
    if threads:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # On a CPU a denormal number costs many times a normal one.


def steps_to_make(settings: TrainConfig, steps_per_epoch: float) -> int:
    """Updates of a whole run."""
    return settings.steps or max(1, math.ceil(settings.epochs * steps_per_epoch))


class Trainer:
    """One run, from its recipe or its last checkpoint to its last step or the wish to stop."""

    def __init__(
        self, run: RunDirectory, recipe: Recipe, wishes: Wishes, report: Report, ranks: Ranks = ALONE
    ) -> None:
        self.directory = run
        self.recipe = recipe
        self.settings = recipe.train
        self.wishes = wishes
        self.report = report
        self.ranks = ranks
        self.progress = Progress()
        self.clock = Clock()
        self.events: Events | None = None
        self.told = 0.0
        """When the status was told last, as `time.monotonic` counts."""
        self.asked_step = -1
        """The step at which the model was asked about its sentence last."""

    def run(self) -> str:
        """Train; return the state that the run is in after that: "done" or "stopped"."""
        self.prepare()
        try:
            return self._train()
        finally:
            self.learner.dealer.close()
            if self.events:
                # What ended the run, a full disk perhaps, is more than a line that is missing here.
                with suppress(OSError):
                    self.events.close()

    def _train(self) -> str:
        while self.progress.step < self.progress.steps:
            stop, wait = self.ranks.any(self.wishes.stop_wanted(), self.wishes.pause_wanted())
            if stop:
                self.save()
                return "stopped"
            if wait:
                self.pause()
                continue
            self.update()
            self.after_update()
        self.look_inside()
        self.evaluate()
        self.ask_about_sentence()
        self.save()
        self.snapshot()
        return "done"

    # Phase: build or restore.

    def prepare(self) -> None:
        """Make everything, from the recipe or from the last checkpoint that can be read."""
        device = self.ranks.device(pick_device(self.settings.device))
        if self.ranks.first:
            self.directory.clear_scratch()
        folder, tensors, progress = self._last_checkpoint()
        with self.ranks.first_first():
            parts = rebuild(self.recipe, folder, device) if folder else build(self.recipe, device)
        self.parts = parts
        self._need_agreement()
        self.learner = Learner(parts, self.settings, self.recipe.seed, device, self.ranks)
        if folder is not None:
            self.progress = progress
            self.learner.restore(tensors, progress.data)
        self.progress.steps = steps_to_make(self.settings, self.learner.steps_per_epoch)
        self.sample: Sample | None = None
        self.pinned: PinnedSentence | None = None
        self.snapshots_due = planned(self.progress.steps, self._snapshots_that_fit())
        self.clock.skip()
        self.logged_seconds = 0.0
        if self.ranks.first:
            self._forget_after(self.progress.step)
            self.asked_step = max((row["step"] for row in self.directory.samples()), default=-1)
            if self.settings.tensorboard:
                self.events = Events(self.directory.path, self.progress.step)
        self.report.update(
            phase="training",
            step=self.progress.step,
            steps=self.progress.steps,
            metrics=self.progress.metrics,
            latest=folder.name if folder else "",
            best=self.progress.best_folder,
        )
        self.snapshot()

    def _last_checkpoint(self) -> tuple[Path | None, dict[str, Tensor], Progress]:
        """The newest checkpoint that the first process can read; one that it cannot is passed over."""
        found = self._newest_readable() if self.ranks.first else None
        name = self.ranks.from_first(found[0].name if found else "")
        if found is None and name:
            folder = self.directory.path / name
            found = (folder, *read_state(folder))
        return found or (None, {}, Progress())

    def _newest_readable(self) -> tuple[Path, dict[str, Tensor], Progress] | None:
        for folder in reversed(self.directory.checkpoints()):
            try:
                return (folder, *read_state(folder))
            except UserError as error:
                print(error, flush=True)
        return None

    def _need_agreement(self) -> None:
        """All processes must have made the same thing, of the same data; two machines may not."""
        if self.ranks.size == 1:
            return
        tokens = "\0".join(self.parts.tokenizer.vocabulary()).encode("utf-8", "surrogatepass")
        parameters = sum(weight.numel() for weight in self.parts.model.parameters())
        own = torch.tensor([zlib.crc32(tokens), len(self.parts.train_examples), parameters])
        if any(not torch.equal(own, other) for other in self.ranks.gathered(own)):
            raise UserError(
                _("the processes of this run differ in data or tokenizer; give all of them the same corpora")
            )

    def _forget_after(self, step: int) -> None:
        """Drop measurements and checkpoints beyond the step that the run goes on from: they are redone."""
        self.directory.rewind_metrics(step)
        for folder in (*self.directory.checkpoints(), *self.directory.snapshots()):
            if step_of(folder) > step:
                self.directory.drop(folder)

    # Phase: update.

    def update(self) -> None:
        """One step; an error where its loss or its gradient is no number, before the weights have moved."""
        step = self.progress.step + 1
        self.learner.update(step, self.progress.steps, look=self._measures_at(step))
        if self.learner.reads_are_free:
            self._need_sound_steps()
        self.progress.step = step
        self._lap("training")

    def _lap(self, kind: str) -> None:
        self.progress.seconds += self.clock.lap(kind)

    def after_update(self) -> None:
        """What is due after this step."""
        step, settings = self.progress.step, self.settings
        if self._logs_at(step):
            self.log()
        elif time.monotonic() - self.told > _TELL_SECONDS:
            self._tell()
        if step == self.progress.steps:
            return  # The end evaluates and saves whatever was due.
        improved = False
        if self._measures_at(step):
            self.look_inside()
            improved = self.evaluate()
            self.ask_about_sentence()
        if improved or (settings.save_every and step % settings.save_every == 0):
            self.save()
        self.snapshot()

    def _logs_at(self, step: int) -> bool:
        """Every so many steps, and at first at 1, 2, 4, 8, …: there is something to see at once."""
        every = self.settings.log_every
        early = step < every and not step & (step - 1)
        return early or step % every == 0 or step == self.progress.steps

    def _measures_at(self, step: int) -> bool:
        every = self.settings.evaluate_every
        return step == self.progress.steps or bool(every and step % every == 0)

    # Phase: log.

    def log(self) -> None:
        """A line of the metrics file: the mean loss since the last one. Waits for the device."""
        progress, learner = self.progress, self.learner
        loss = self.ranks.total(learner.loss_sum).item() / max(1, progress.step - progress.logged_step)
        tokens = int(self.ranks.total(torch.tensor(learner.tokens)).item())
        self._lap("training")
        self._need_sound_steps()
        self._need_finite(loss)
        spent = self.clock.seconds["training"] - self.logged_seconds
        learner.loss_sum.zero_()
        learner.tokens = 0
        progress.logged_step = progress.step
        self.logged_seconds = self.clock.seconds["training"]
        self._record(
            {
                "loss": loss,
                "learning_rate": learner.rate,
                "gradient_norm": learner.gradient_norm.item(),
                "tokens_per_second": tokens / max(spent, 1e-9),
                "seconds_left": self.seconds_left(),
            }
        )
        self._lap("logging")

    def _record(self, row: dict[str, float], split: str = "") -> None:
        """Append a line, and tell the latest values in the status."""
        self.progress.metrics |= {f"{split}_{key}" if split else key: value for key, value in row.items()}
        self._append(({"split": split} if split else {}) | row)
        self._tell()

    def _append(self, row: dict[str, Any]) -> None:
        if self.ranks.first:
            row = {"step": self.progress.step, "time": round(self.progress.seconds, 3)} | row
            self.directory.append_metrics(row)
            if self.events:
                self.events.add(row)

    def _tell(self, *, now: bool = False, **changes: object) -> None:
        progress = self.progress
        self.told = time.monotonic()
        self.report.update(
            now=now,
            step=progress.step,
            steps=progress.steps,
            metrics=dict(progress.metrics),
            seconds=progress.seconds,
            left=self.seconds_left(),
            **changes,
        )

    def seconds_left(self) -> float:
        """What the rest takes at the pace so far, measuring and saving included."""
        progress = self.progress
        return progress.seconds / max(1, progress.step) * (progress.steps - progress.step)

    # What is no number ends the run.

    def _need_sound_steps(self) -> None:
        """Raise UserError where a gradient was no number; the weights have not moved since."""
        step, norm, loss = self.learner.trouble.tolist()
        if not step:
            return
        loss = self.ranks.total(torch.tensor(loss)).item()
        if math.isfinite(loss):
            problem = _("the gradient is {norm} at step {step}").format(norm=norm, step=int(step))
        else:
            problem = _("the loss is {loss} at step {step}").format(loss=loss, step=int(step))
        raise UserError(f"{problem}; {self._advice()}")

    def _need_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            problem = _("the loss is {loss} at step {step}").format(loss=loss, step=self.progress.step)
            raise UserError(f"{problem}; {self._advice()}")

    def _need_finite_weights(self) -> None:
        if not self.learner.finite():
            problem = _("weights are nan at step {step}").format(step=self.progress.step)
            raise UserError(f"{problem}; {self._advice()}")

    def _advice(self) -> str:
        folders = self.directory.checkpoints()
        if folders:
            words = _("resume from {folder} with a lower train.learning_rate, or a smaller train.clip")
        else:
            words = _("start again with a lower train.learning_rate, or a smaller train.clip")
        advice = words.format(folder=folders[-1].name if folders else "")
        return advice if self.settings.precision == "fp32" else advice + _(", or train.precision=fp32")

    # Phase: look inside.

    def look_inside(self) -> None:
        """A row of what each layer is at, and of what training spends its time on. Waits for the device."""
        learner = self.learner
        if not self.ranks.first or not learner.gradient_norms:
            return
        if self.sample is None:
            examples = self.parts.dev_examples or self.parts.train_examples
            self.sample = Sample(self.parts.task, examples, learner.device)
        row = norms_by_layer("grad_norm", learner.gradient_norms)
        row |= norms_by_layer("weight_norm", norms(learner.parameters, gradients=False))
        row |= self.sample.look(learner.model)
        row |= {f"share.{kind}": share for kind, share in self.clock.shares().items() if kind != "training"}
        self._append({"kind": LAYERS} | row)
        learner.gradient_norms = {}
        self._lap("looking")

    # Phase: evaluate.

    def evaluate(self) -> bool:
        """Measure on dev; whether that is the best so far. Leaves the training's generators alone."""
        if self.progress.evaluated_step == self.progress.step or not len(self.parts.dev_examples):
            return False
        improved = self._measure() if self.ranks.first else False
        self.progress.evaluated_step = self.progress.step
        self._lap("evaluating")
        return bool(self.ranks.from_first(improved))

    def _measure(self) -> bool:
        self._tell(now=True, phase="evaluating")
        learner = self.learner
        examples = self.parts.dev_examples[: self.settings.evaluate_examples or None]
        with learner.weights_to_keep(), torch.random.fork_rng():
            measured = self.parts.task.metrics(
                learner.model, examples, learner.device, self.settings.batch_size
            )
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

    def ask_about_sentence(self) -> None:
        """A line of what the model makes of the pinned sentence."""
        if not self.ranks.first or self.asked_step == self.progress.step:
            return
        self.asked_step = self.progress.step
        learner = self.learner
        if self.pinned is None:
            self.pinned = PinnedSentence(self.parts, self.settings, learner.device)
        with learner.weights_to_keep():
            row = self.pinned.look()
        self.directory.append_sample({"step": self.progress.step} | row)
        self._lap("evaluating")

    # Phase: save.

    def save(self) -> None:
        """A checkpoint, whole or not at all; older ones go. One that stands already is left as it is."""
        folder = self.directory.step_folder(self.progress.step)
        if not self.progress.step:
            return
        if not self.ranks.from_first(folder.exists()):
            self._write(folder)
        self._lap("saving")
        self._tell(now=True, phase="training", latest=folder.name, best=self.progress.best_folder)

    def _write(self, folder: Path) -> None:
        """Write into a folder beside, then rename: a reader never finds half a checkpoint."""
        learner = self.learner
        self._need_sound_steps()
        self._need_finite(self.ranks.total(learner.loss_sum).item())
        self._need_finite_weights()
        self._tell(now=True, phase="saving")
        self.progress.data = dict(learner.dealer.position)
        tensors = learner.tensors()
        if not self.ranks.first:
            return
        scratch = self.directory.scratch_folder()
        try:
            with learner.weights_to_keep():
                checkpoint.save(scratch / "model", learner.model, self.parts.config, self.parts.tokenizer)
            write_state(scratch / "model", tensors, self.progress)
            (scratch / "model").rename(folder)
        finally:
            self.directory.clear_scratch()
        self._prune()

    def _prune(self) -> None:
        if not self.settings.keep:
            return
        for folder in self.directory.checkpoints()[: -self.settings.keep]:
            if folder.name != self.progress.best_folder:
                self.directory.drop(folder)

    def _snapshots_that_fit(self) -> int:
        numbers = sum(value.numel() for value in self.parts.model.state_dict().values())
        return fitting(self.settings.snapshots, 2 * numbers)

    def snapshot(self) -> None:
        """The weights alone, where it is time for that; whole or not at all. One that stands stays.

        Each goes with a line of what the model made of its sentence then.
        """
        step, learner = self.progress.step, self.learner
        folder = self.directory.snapshot_folder(step)
        if step not in self.snapshots_due or not self.ranks.first or folder.exists():
            return
        scratch = self.directory.scratch_folder()
        try:
            with learner.weights_to_keep():
                parts = self.parts
                checkpoint.save(scratch / "model", learner.model, parts.config, parts.tokenizer, half=True)
            size = push_to_disk(scratch / "model")
            folder.parent.mkdir(exist_ok=True)
            (scratch / "model").rename(folder)
        finally:
            self.directory.clear_scratch()
        steps = [step_of(path) for path in self.directory.snapshots()]
        for one in surplus(steps, fitting(self.settings.snapshots, size)):
            self.directory.drop(self.directory.snapshot_folder(one))
        self._lap("saving")
        self.ask_about_sentence()

    # Waiting.

    def pause(self) -> None:
        """Wait, with everything in memory, until people want the run to go on or to stop."""
        self._tell(now=True, state="paused", phase="")
        while self.ranks.any(self.wishes.stop_wanted(), self.wishes.pause_wanted()) == (False, True):
            time.sleep(_PAUSE_SECONDS)
        self.clock.skip()
        self._tell(now=True, state="running", phase="training")
