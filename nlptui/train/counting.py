"""Runs of models that came before the networks: an HMM counts once, a CRF climbs with L-BFGS.

The same run directory as that of a network, so that everything that shows runs shows these: a line of
metrics for each iteration, one measurement on dev, one checkpoint. A run that was stopped begins again.
Knows nothing of how either model learns.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from torch import nn

from nlptui.classical.crf_training import train as train_crf
from nlptui.classical.hmm import HMM
from nlptui.config import CRFConfig, HMMConfig, ModelConfig
from nlptui.engine import checkpoint
from nlptui.engine.segmenter import segmenter_for
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tasks import load_examples, task_for
from nlptui.text import visible
from nlptui.train.build import make_config, make_tokenizer
from nlptui.train.recipe import Recipe
from nlptui.train.run import RunDirectory
from nlptui.train.state import Progress, generator_tensors, write_state

_PAUSE_SECONDS = 0.2


def learn(run: RunDirectory, recipe: Recipe, wishes: Any, report: Any) -> str:
    """Train; the state of the run after that. Raises UserError for what cannot be learned so."""
    return _Counting(run, recipe, wishes, report).run()


class _Counting:
    def __init__(self, run: RunDirectory, recipe: Recipe, wishes: Any, report: Any) -> None:
        self.directory, self.recipe, self.wishes, self.report = run, recipe, wishes, report
        self.progress = Progress(steps=max(1, recipe.train.steps))
        self.started = time.monotonic()

    def run(self) -> str:
        self._begin()
        tokenizer = make_tokenizer(self.recipe)
        config = make_config(self.recipe, tokenizer)
        self._refuse(config)
        task = task_for(config, tokenizer)
        if (segmenter := segmenter_for(config)) is not None:
            segmenter.load()  # a model that is missing is told now, not when it is measured
            task.segment = segmenter
        examples = load_examples(self.recipe.data, "train", tokenizer, config)
        self._tell(phase="training")
        model, config = self._learned(config, examples, tokenizer.specials.get("unk", 0))
        self.progress.steps = self.progress.step
        stopped = bool(self.wishes.stop_wanted())
        if not stopped:
            self._tell(phase="evaluating")
            dev = load_examples(self.recipe.data, "dev", tokenizer, config)
            if len(dev):
                self._append(
                    {"split": "dev"} | task.metrics(model, dev, "cpu", self.recipe.train.batch_size), "dev_"
                )
        self._save(model, config, tokenizer)
        return "stopped" if stopped else "done"

    def _begin(self) -> None:
        """What a run that was stopped had made goes: it takes seconds to make it again."""
        self.directory.clear_scratch()
        for folder in self.directory.checkpoints():
            self.directory.drop(folder)
        self.directory.rewind_metrics(0)

    def _refuse(self, config: ModelConfig) -> None:
        name = visible(self.recipe.name)
        if self.recipe.init:
            raise UserError(
                _("{name}: init is for networks; a model that counts starts from nothing").format(name=name)
            )
        if config.task != "tagging":
            message = _("{name}: a model of arch {arch} tags words; its task cannot be {task}")
            raise UserError(message.format(name=name, arch=config.arch, task=config.task))
        if not isinstance(config, HMMConfig | CRFConfig):
            message = _("{name}: rules are written, not trained: edit the file rules.toml in its folder")
            raise UserError(message.format(name=name))

    def _learned(
        self, config: ModelConfig, examples: Sequence[Any], unknown: int
    ) -> tuple[nn.Module, ModelConfig]:
        if isinstance(config, HMMConfig):
            counted = [(one.ids.tolist(), one.strings, one.labels.tolist()) for one in examples]
            model, sized = HMM.counted(config, counted, unknown)
            self.progress.step = 1
            return model, sized
        assert isinstance(config, CRFConfig)
        tagged = [(one.strings, one.labels.tolist()) for one in examples]
        learned = train_crf(config, tagged, self.progress.steps, self._after)
        return learned.model, learned.config

    def _after(self, iteration: int, loss: float) -> bool:
        """A line of metrics; whether to stop here."""
        self.progress.step = iteration
        self._append({"loss": loss})
        while self.wishes.pause_wanted():
            self.report.update(state="paused", phase="")
            time.sleep(_PAUSE_SECONDS)
            if not self.wishes.pause_wanted():
                self.report.update(state="running", phase="training")
        return bool(self.wishes.stop_wanted())

    def _append(self, row: dict[str, Any], prefix: str = "") -> None:
        progress = self.progress
        progress.seconds = time.monotonic() - self.started
        self.directory.append_metrics({"step": progress.step, "time": round(progress.seconds, 3)} | row)
        progress.metrics |= {f"{prefix}{key}": v for key, v in row.items() if isinstance(v, float)}
        self._tell(now=False)

    def _tell(self, *, now: bool = True, **changes: object) -> None:
        progress = self.progress
        left = progress.seconds / max(1, progress.step) * (progress.steps - progress.step)
        self.report.update(
            now=now, step=progress.step, steps=progress.steps, metrics=dict(progress.metrics),
            seconds=progress.seconds, left=left, **changes,
        )  # fmt: skip

    def _save(self, model: nn.Module, config: ModelConfig, tokenizer: Any) -> None:
        """The one checkpoint, whole or not at all."""
        if not self.progress.step:
            return
        self.progress.seconds = time.monotonic() - self.started
        folder = self.directory.step_folder(self.progress.step)
        self.progress.best_folder = folder.name
        scratch = self.directory.scratch_folder()
        try:
            checkpoint.save(scratch / "model", model, config, tokenizer)
            write_state(scratch / "model", generator_tensors(), self.progress)
            (scratch / "model").rename(folder)
        finally:
            self.directory.clear_scratch()
        self._tell(latest=folder.name, best=folder.name)
