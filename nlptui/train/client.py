"""What front ends know of training: start a run, list, watch, stop, pause, resume, fork, remove.

Talks to workers through files only: many front ends may look at one run, and a run outlives them all.
Loads no torch.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlptui.config import CLASSICAL as COUNTED
from nlptui.data import own
from nlptui.engine.library import list_models
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import home_data, runs_dir, shipped_models
from nlptui.text import visible
from nlptui.train import places
from nlptui.train.compose import (
    BUDGETS,
    OWN,
    TASKS,
    Plan,
    Wish,
    compose,
    corpora_for,
    is_counted,
    sizes_of,
    within,
)
from nlptui.train.estimate import Estimate
from nlptui.train.events import need_tensorboard
from nlptui.train.experiments import EXPERIMENTS, Experiment, find_experiment
from nlptui.train.experiments.parts import Row
from nlptui.train.experiments.results import Settings, rows_in, settings_of, table, write_settings
from nlptui.train.fork import checkpoint_at, copy_state, forked_recipe
from nlptui.train.recipe import Recipe, parse_overrides, read_recipe, recipe_from_dict
from nlptui.train.run import (
    ALIVE,
    STATES,
    Parent,
    RunDirectory,
    RunStatus,
    all_runs,
    check_run_name,
    find_run,
    step_of,
)

__all__ = [
    "ALIVE", "BUDGETS", "COUNTED", "EXPERIMENTS", "OWN", "STATES", "TASKS", "Estimate", "Kept",
    "Parent", "Plan", "RunHandle", "RunStatus", "Wish", "cancel", "checkpoints", "corpora_for", "create",
    "estimate", "experiment_of", "experiment_table", "follow", "fork", "is_quick", "keep", "keep_text",
    "layer_metrics", "log", "metrics", "parent_of", "parse_overrides", "pause", "plan", "read_experiment",
    "recipe_lines", "remove", "resume", "runs", "samples", "sizes_of", "snapshot_folder", "snapshots",
    "start", "start_experiment", "starting_points", "status", "stop", "wait",
]  # fmt: skip


@dataclass(frozen=True)
class RunHandle:
    """A run that was started: its name and its directory."""

    name: str
    path: Path

    def status(self) -> RunStatus:
        return status(self.name)


def start(
    recipe: str | Path | Recipe, name: str | None = None, overrides: Mapping[str, Any] | None = None
) -> RunHandle:
    """Start to train `recipe` (a file, a folder, a model's name, or a `Recipe`) in a process of its own.

    Without `name` the run is called as the model, with a number where that is taken. Where as many runs go on
    as there are places, it waits for its turn: state "queued", phase "waiting".
    """
    run, ready = _made(recipe, name, overrides)
    _queue(run, ready)
    return RunHandle(run.name, run.path)


def start_experiment(name: str, quick: bool = False) -> str:
    """Start the experiment `name` in a process of its own; returns the name of its run.

    With `quick` it takes seconds, and shows no more than that it runs.
    """
    experiment = find_experiment(name)
    run = _new_directory(None, f"experiment-{experiment.name}")
    write_settings(run, Settings(experiment.name, quick))
    _queue(run, RunStatus(run.name, "queued"))
    return run.name


def experiment_of(name: str) -> Experiment | None:
    """The experiment that the run `name` is of; None where it is a training."""
    settings = settings_of(find_run(name))
    return None if settings is None else find_experiment(settings.experiment)


def is_quick(name: str) -> bool:
    """Whether the experiment's run `name` only shows that it runs."""
    return _settings_of_experiment(name).quick


def read_experiment(name: str) -> list[Row]:
    """What the experiment's run `name` has measured so far."""
    _settings_of_experiment(name)
    return rows_in(metrics(name))


def experiment_table(name: str) -> str:
    """The same as tidy CSV: what `experiment.csv` in the run's folder holds in the end."""
    return table(_settings_of_experiment(name).experiment, read_experiment(name))


def _settings_of_experiment(name: str) -> Settings:
    settings = settings_of(find_run(name))
    if settings is None:
        raise UserError(_("{name} is no run of an experiment, but a training").format(name=name))
    return settings


def create(
    recipe: str | Path | Recipe, name: str | None = None, overrides: Mapping[str, Any] | None = None
) -> RunHandle:
    """A run that nobody has started yet, as `start` would make it: `resume` starts it, or torch's launcher.

    torchrun --nproc-per-node 2 --max-restarts 3 -m nlptui.train.worker PATH
    """
    run, ready = _made(recipe, name, overrides)
    run.write_status(replace(ready, state="stopped"))
    return RunHandle(run.name, run.path)


def _made(
    recipe: str | Path | Recipe, name: str | None, overrides: Mapping[str, Any] | None
) -> tuple[RunDirectory, RunStatus]:
    """A new run directory with its recipe in it, and its first status, not yet written."""
    resolved = _resolved(recipe, overrides)
    if resolved.train.tensorboard:
        need_tensorboard()
    run = _new_directory(name, resolved.name)
    run.write_recipe(resolved)
    return run, RunStatus(run.name, "queued", steps=resolved.train.steps)


def _resolved(recipe: str | Path | Recipe, overrides: Mapping[str, Any] | None) -> Recipe:
    if isinstance(recipe, Recipe):
        return _with_own_texts(recipe_from_dict(recipe.to_dict(), where=recipe.name, overrides=overrides))
    return _with_own_texts(read_recipe(recipe, overrides))


def _with_own_texts(recipe: Recipe) -> Recipe:
    """Text files that the recipe names in the place of corpora are copied, and the copies named instead."""
    named = recipe.data["corpus"]
    names = [named] if isinstance(named, str) else list(named)
    kept = [own.keep_file(Path(name)) if _is_file(name) else name for name in names]
    if kept == names:
        return recipe
    data = {**recipe.data, "corpus": kept[0] if isinstance(named, str) else kept}
    return replace(recipe, data=data)


def _is_file(corpus: str) -> bool:
    if corpus.startswith(own.PREFIX):
        return False
    return "/" in corpus or os.sep in corpus or corpus.endswith(".txt")


def keep_text(text: str) -> str:
    """Keep a text of one's own; returns the name of the corpus that it is then. Raises UserError."""
    return own.keep_text(text, "text")


def fork(
    name: str, step: int | None = None, changes: Mapping[str, Any] | None = None, new: str | None = None
) -> RunHandle:
    """Start a run that begins at a checkpoint of the run `name`, with `changes` of its settings.

    step: of the checkpoint; None: the newest. changes: as overrides of a recipe; of the model, only what
    leaves its weights their shapes. new: what to call the fork. Its first rows of metrics are its parent's.
    """
    parent = find_run(name)
    folder = checkpoint_at(parent, step)
    recipe = forked_recipe(parent, step_of(folder), changes or {})
    if recipe.train.tensorboard:
        need_tensorboard()
    run = _new_directory(new, f"{parent.name}-fork")
    copy_state(parent, folder, run, recipe)
    at = step_of(folder)
    _queue(run, RunStatus(run.name, "queued", step=at, steps=recipe.train.steps, latest=folder.name))
    return RunHandle(run.name, run.path)


def estimate(
    recipe: str | Path | Recipe,
    overrides: Mapping[str, Any] | None = None,
    going: Callable[[], None] = lambda: None,
) -> Estimate:
    """What a run would take: parameters, memory, time. Tries it for some seconds in a process of its own.

    going: called now and then; what it raises ends the process, and is let through.
    """
    asked = json.dumps(_resolved(recipe, overrides).to_dict())
    with subprocess.Popen(
        [sys.executable, "-m", "nlptui.train.estimate"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", env=places.environment(),
    ) as process:  # fmt: skip
        try:
            told, problems = _told(process, asked, going)
        except BaseException:
            process.kill()
            raise
    try:
        answer = json.loads(told)
    except ValueError:
        lines = problems.strip().splitlines() or [str(process.returncode)]
        raise UserError(_("no estimate could be made: {reason}").format(reason=visible(lines[-1]))) from None
    if "error" in answer:
        raise UserError(answer["error"])
    return Estimate(**answer)


def _told(process: subprocess.Popen[str], asked: str, going: Callable[[], None]) -> tuple[str, str]:
    """What the process writes on both its outputs until it ends."""
    given: str | None = asked
    while True:
        try:
            return process.communicate(given, timeout=0.1)
        except subprocess.TimeoutExpired:
            given = None
            going()


def plan(wish: Wish, going: Callable[[], None] = lambda: None) -> Plan:
    """The recipe that `wish` describes, with as many steps as its time has room for, as `estimate` finds."""
    named = own.keep_file(Path(wish.corpus)) if _is_file(wish.corpus) else wish.corpus
    recipe = compose(replace(wish, corpus=named))
    if is_counted(recipe):
        return Plan(recipe, None)
    return within(recipe, estimate(recipe, going=going), wish.seconds)


def starting_points() -> dict[str, tuple[tuple[str, str], ...]]:
    """Of each family, models and checkpoints that a run can start from: a name or a folder, and its words."""
    found: dict[str, list[tuple[str, str]]] = {}
    for model in list_models():
        if not model.problem:
            found.setdefault(model.arch, []).append((model.name, visible(model.name)))
    for status in reversed(runs()):
        folder = runs_dir() / status.name / (status.best or status.latest)
        with suppress(UserError):
            if status.latest and experiment_of(status.name) is None:
                arch = str(find_run(status.name).recipe().model["arch"])
                words = _("run {name}, step {step}").format(name=visible(status.name), step=step_of(folder))
                found.setdefault(arch, []).append((str(folder), words))
    return {arch: tuple(points) for arch, points in found.items()}


def parent_of(name: str) -> Parent | None:
    """The run that the run `name` was forked from, and the step; None where it began by itself."""
    return find_run(name).parent()


def checkpoints(name: str) -> list[int]:
    """The steps that the run can be forked from, from the first to the last."""
    return [step_of(folder) for folder in find_run(name).checkpoints()]


def snapshots(name: str) -> list[int]:
    """The steps whose weights can be looked at: those of checkpoints, and those of weights alone."""
    run = find_run(name)
    return sorted({step_of(folder) for folder in (*run.snapshots(), *run.checkpoints())})


def snapshot_folder(name: str, step: int) -> Path:
    """The model folder of the run at `step`, which is one of `snapshots`. Raises UserError for others."""
    run = find_run(name)
    for folder in (run.step_folder(step), run.snapshot_folder(step)):
        if folder.is_dir():
            return folder
    steps = ", ".join(map(str, snapshots(name))) or _("none")
    problem = _("{name} has no weights of step {step}; there are {steps}")
    raise UserError(problem.format(name=run.name, step=step, steps=steps))


def samples(name: str, since: int = 0) -> list[dict[str, Any]]:
    """What the run's model made of its pinned sentence, after the first `since` lines.

    A row holds step, text ("pair" too, of two texts) and output, as `predict` gives it; or a "problem" in its
    place.
    """
    return find_run(name).samples(since)


def recipe_lines(name: str) -> tuple[str, ...]:
    """What the run trains, in two short lines: the network and its corpus; the settings of the training."""
    recipe = find_run(name).recipe().to_dict()
    model, train = recipe["model"], recipe["train"]
    corpus = recipe["data"]["corpus"]
    corpora = corpus if isinstance(corpus, str) else ", ".join(map(str, corpus))
    sizes = [f"{key} {value}" for key, value in model.items() if key.startswith(("d_", "n_")) and value]
    wanted = (
        "steps",
        "epochs",
        "batch_size",
        "batch_tokens",
        "learning_rate",
        "schedule",
        "optimizer",
        "seed",
    )
    settings = [f"{key} {train[key]}" for key in wanted if train.get(key)]
    return tuple(
        visible("  ".join(map(str, line)))
        for line in ((model["arch"], model["task"], corpora, *sizes), settings)
    )


def runs() -> list[RunStatus]:
    """Every run, oldest first. Runs that wait are started where a place has become free."""
    places.reap()
    found = [run.status() for run in all_runs()]
    if not any(map(places.is_waiting, found)):
        return found
    places.start_waiting()
    return [run.status() for run in all_runs()]


def status(name: str) -> RunStatus:
    """The state of the run `name`. Where it waits, and a place has become free, it is started."""
    places.reap()
    run = find_run(name)
    now = run.status()
    if not places.is_waiting(now):
        return now
    places.start_waiting()
    return run.status()


def _queue(run: RunDirectory, now: RunStatus) -> None:
    """Start the run, at once if there is a place for it."""
    with places.one_at_a_time():
        places.wait_for_place(run, now)
    places.start_waiting()


def stop(name: str) -> None:
    """Ask the run to save and end; it answers after the step that it is at. One that waits ends here."""
    run = find_run(name)
    with places.one_at_a_time():
        now = run.status()
        if places.is_waiting(now):
            run.write_status(replace(now, state="stopped", phase=""))
            return
    _need_alive(run, _("there is nothing to stop"))
    run.stop_path.touch()


def cancel(name: str) -> None:
    """End the run at once, without saving; what it did after its last checkpoint is lost."""
    run = find_run(name)
    now = run.status()
    if places.is_waiting(now):
        stop(name)
        return
    _need_alive(run, _("there is nothing to stop"))
    run.stop_path.touch()  # whoever starts the worker again finds that it is to end
    if now.pid is None:
        return  # its worker is about to come, and ends at once
    with suppress(ProcessLookupError):
        os.kill(now.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    limit = time.monotonic() + 5
    while (now := run.status()).state in ALIVE:
        if time.monotonic() > limit:
            return
        places.reap()
        time.sleep(0.02)
    run.stop_path.unlink(missing_ok=True)
    run.write_status(replace(now, state="stopped", error="", phase="", left=None))


def pause(name: str) -> None:
    """Ask the run to wait after the step that it is at, keeping everything in memory."""
    run = find_run(name)
    if places.is_waiting(run.status()):
        raise UserError(_("{name} waits for its turn; there is nothing to pause").format(name=run.name))
    _need_alive(run, _("there is nothing to pause"))
    run.pause_path.touch()


def resume(name: str, overrides: Mapping[str, Any] | None = None) -> RunHandle:
    """Go on with a run that is paused, stopped, failed or lost, from its last checkpoint.

    `overrides` changes settings of [train].
    A run that is done goes on where `overrides` gives it more steps.
    """
    run = find_run(name)
    # Of two front ends that do this at once, the second finds the run alive.
    with places.one_at_a_time():
        handle = _resumed(run, overrides)
    places.start_waiting()
    return handle


def _resumed(run: RunDirectory, overrides: Mapping[str, Any] | None) -> RunHandle:
    places.reap()
    name = run.name
    now = run.status()
    run.stop_path.unlink(missing_ok=True)
    run.pause_path.unlink(missing_ok=True)
    if now.state in ALIVE:
        if overrides:
            problem = _("{name} is {state}; stop it before changing its settings")
            raise UserError(problem.format(name=name, state=_(now.state)))
        return RunHandle(run.name, run.path)
    if (experiment := settings_of(run)) is not None:
        return _resume_experiment(run, now, experiment.experiment, overrides)
    if overrides:
        _change_settings(run, overrides)
    recipe = run.recipe()
    if now.state == "done" and not overrides:
        problem = _("{name} is done; to train on, set more steps, as in --set train.steps={steps}")
        raise UserError(problem.format(name=name, steps=2 * max(now.step, 1)))
    if recipe.train.tensorboard:
        need_tensorboard()
    places.wait_for_place(run, replace(now, steps=recipe.train.steps or now.steps))
    return RunHandle(run.name, run.path)


def _resume_experiment(
    run: RunDirectory, now: RunStatus, experiment: str, overrides: Mapping[str, Any] | None
) -> RunHandle:
    """Go on with the first part that is not finished."""
    if overrides:
        problem = _("{name} is an experiment: it has no settings to change")
        raise UserError(problem.format(name=run.name))
    if now.state == "done":
        problem = _("{name} is done; nlptui experiment {experiment} runs the experiment again")
        raise UserError(problem.format(name=run.name, experiment=visible(experiment)))
    places.wait_for_place(run, now)
    return RunHandle(run.name, run.path)


def _change_settings(run: RunDirectory, overrides: Mapping[str, Any]) -> None:
    """Write the run's recipe with these settings of [train] in it."""
    for key in overrides:
        if not key.startswith("train."):
            raise UserError(
                _("{key} cannot change in a run that has begun; only train.… can").format(key=visible(key))
            )
    where = str(run.config_path)
    run.write_recipe(recipe_from_dict(run.recipe().to_dict(), where=where, overrides=overrides))


@dataclass(frozen=True)
class Kept:
    """A run that became a model."""

    name: str
    """The model's name."""
    path: Path
    step: int
    """Updates that its weights have behind them."""
    split: str
    """What it was measured on: test; dev where there is no test split; empty where there is neither."""
    metrics: Mapping[str, float]
    baselines: Mapping[str, float]
    problem: str = ""
    """Why a split was not there to measure on, in one line."""


def keep(name: str, model: str | None = None, force: bool = False) -> Kept:
    """Make the best checkpoint of the run `name` a model called `model` (or as the run) among the user's own.

    Measures it and writes its card, which takes a while and loads torch. With `force` it takes the place of a
    model of the user's that has that name.
    """
    run = find_run(name)
    target = home_data() / "models" / _check_model_name(model or run.name)
    if (shipped_models() / target.name / "config.json").is_file():
        problem = _("a model that ships is called {name}; choose another name: nlptui runs keep {run} NAME")
        raise UserError(problem.format(name=target.name, run=run.name))
    if os.path.lexists(target) and not (force and (target / "config.json").is_file()):
        problem = _("{path} exists already; choose another name, or --force to replace it")
        if force:
            problem = _("{path} exists already and is no model; choose another name")
        raise UserError(problem.format(path=visible(str(target))))
    from nlptui.train.finish import write_model

    made = write_model(run, target)
    measured = made.measured
    return Kept(
        target.name, made.path, made.step, measured.split, dict(measured.metrics), dict(measured.baselines),
        measured.missing,
    )  # fmt: skip


def _check_model_name(name: str) -> str:
    """`name`, if a model's folder can have it. Raises UserError."""
    try:
        return check_run_name(name)
    except UserError:
        problem = _("{name} cannot be the name of a model; use letters, digits, - _ and .")
        raise UserError(problem.format(name=visible(repr(name)))) from None


def remove(name: str) -> None:
    """Delete the run with all its checkpoints; one that is still going must be stopped first."""
    places.reap()
    run = find_run(name)
    now = run.status()
    if now.state in ALIVE:
        problem = _("{name} is {state}; stop it before removing it")
        raise UserError(problem.format(name=name, state=_(now.state)))
    if run.path.is_symlink():
        run.path.unlink()
    else:
        shutil.rmtree(run.path)


def metrics(name: str, since: int = 0) -> list[dict[str, Any]]:
    """The rows of the run's metrics after the first `since`.

    A training row holds step, time, loss, learning_rate, gradient_norm, tokens_per_second, seconds_left; a
    row of the dev split holds step, time, split and the task's metrics.
    """
    return find_run(name).metrics(since)


def layer_metrics(name: str, since: int = 0) -> list[dict[str, Any]]:
    """What each measurement saw of the network's layers, after the first `since`: norms, dead units, entropy.

    `nlptui.train.inside` says what the names mean: grad_norm.blocks.0.attn, entropy.blocks.0.h1, and so on.
    """
    return find_run(name).layer_metrics(since)


def log(name: str, lines: int = 20) -> list[str]:
    """The last lines of what the worker wrote, each safe to show."""
    try:
        text = find_run(name).log_path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [visible(line) for line in text.splitlines()[-lines:]]


def follow(name: str, interval: float = 0.5) -> Iterator[tuple[RunStatus, list[dict[str, Any]]]]:
    """The status and the new rows, each time that there are some, until the run ends."""
    run = find_run(name)
    seen = 0
    last: RunStatus | None = None
    while True:
        now = status(name)
        rows = run.metrics()
        if len(rows) < seen:  # A resumed run forgot what was measured after its checkpoint.
            seen = 0
        if rows[seen:] or now != last:
            yield now, rows[seen:]
        seen, last = len(rows), now
        if now.state not in ALIVE:
            return
        time.sleep(interval)


def wait(name: str, timeout: float | None = None) -> RunStatus:
    """The status of the run once it has ended. Raises TimeoutError after `timeout` seconds."""
    limit = None if timeout is None else time.monotonic() + timeout
    while (now := status(name)).state in ALIVE:
        if limit is not None and time.monotonic() > limit:
            raise TimeoutError(f"{name} is still {now.state} after {timeout} s")
        time.sleep(0.05)
    return now


def _new_directory(name: str | None, model: str) -> RunDirectory:
    """A directory of its own; `mkdir` decides between two front ends that want the same name."""
    runs_dir().mkdir(parents=True, exist_ok=True)
    if name is not None:
        path = runs_dir() / check_run_name(name)
        try:
            path.mkdir()
        except FileExistsError:
            raise UserError(
                _("a run called {name} exists; choose another name, or remove it").format(name=name)
            ) from None
        return RunDirectory(path)
    base = check_run_name(model)
    number = 1
    while True:
        path = runs_dir() / (base if number == 1 else f"{base}-{number}")
        with suppress(FileExistsError):
            path.mkdir()
            return RunDirectory(path)
        number += 1


def _need_alive(run: RunDirectory, otherwise: str) -> None:
    places.reap()
    now = run.status()
    if now.state not in ALIVE:
        raise UserError(
            _("{name} is {state}: {otherwise}").format(name=run.name, state=_(now.state), otherwise=otherwise)
        )
