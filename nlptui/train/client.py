"""What front ends know of training: start a run, list, watch, stop, pause, resume, remove.

Talks to workers through files only: many front ends may look at one run, and a run outlives them all.
Loads no torch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _, language
from nlptui.paths import home_data, runs_dir, shipped_models
from nlptui.text import visible
from nlptui.train.recipe import Recipe, parse_overrides, read_recipe, recipe_from_dict
from nlptui.train.run import ALIVE, STATES, RunDirectory, RunStatus, all_runs, check_run_name, find_run

__all__ = [
    "ALIVE", "STATES", "Kept", "RunHandle", "RunStatus", "follow", "keep", "log", "metrics",
    "parse_overrides", "pause", "remove", "resume", "runs", "start", "status", "stop", "wait",
]  # fmt: skip

# Workers that this process started: asked now and then, so that a dead one is no zombie that looks alive.
_started: list[subprocess.Popen[bytes]] = []


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

    Without `name` the run is called as the model, with a number where that is taken.
    """
    if isinstance(recipe, Recipe):
        resolved = recipe_from_dict(recipe.to_dict(), where=recipe.name, overrides=overrides)
    else:
        resolved = read_recipe(recipe, overrides)
    run = _new_directory(name, resolved.name)
    run.write_recipe(resolved)
    run.write_status(RunStatus(run.name, "queued", steps=resolved.train.steps))
    _spawn(run)
    return RunHandle(run.name, run.path)


def runs() -> list[RunStatus]:
    """Every run, oldest first."""
    _reap()
    return [run.status() for run in all_runs()]


def status(name: str) -> RunStatus:
    """The state of the run `name`."""
    _reap()
    return find_run(name).status()


def stop(name: str) -> None:
    """Ask the run to save and end; it answers after the step that it is at."""
    run = find_run(name)
    _need_alive(run, _("there is nothing to stop"))
    run.stop_path.touch()


def pause(name: str) -> None:
    """Ask the run to wait after the step that it is at, keeping everything in memory."""
    run = find_run(name)
    _need_alive(run, _("there is nothing to pause"))
    run.pause_path.touch()


def resume(name: str, overrides: Mapping[str, Any] | None = None) -> RunHandle:
    """Go on with a run that is paused, stopped, failed or lost, from its last checkpoint.

    `overrides` changes settings of [train].
    A run that is done goes on where `overrides` gives it more steps.
    """
    _reap()
    run = find_run(name)
    now = run.status()
    run.stop_path.unlink(missing_ok=True)
    run.pause_path.unlink(missing_ok=True)
    if now.state in ALIVE:
        if overrides:
            problem = _("{name} is {state}; stop it before changing its settings")
            raise UserError(problem.format(name=name, state=_(now.state)))
        return RunHandle(run.name, run.path)
    if overrides:
        _change_settings(run, overrides)
    recipe = run.recipe()
    if now.state == "done" and not overrides:
        problem = _("{name} is done; to train on, set more steps, as in --set train.steps={steps}")
        raise UserError(problem.format(name=name, steps=2 * max(now.step, 1)))
    run.write_status(
        replace(
            now, state="queued", pid=None, born=None, steps=recipe.train.steps or now.steps, error="",
            phase="", left=None,
        )
    )  # fmt: skip
    _spawn(run)
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
    _reap()
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

    A training row holds step, time, loss, learning_rate, gradient_norm, tokens_per_second; a row of the dev
    split holds step, time, split and the task's metrics.
    """
    return find_run(name).metrics(since)


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


def _spawn(run: RunDirectory) -> None:
    """Start the worker, tied to nothing of this process: no terminal, no group, no open files."""
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (package_root, os.environ.get("PYTHONPATH", "")) if part)
    with run.log_path.open("ab") as log_file:
        worker = subprocess.Popen(
            [sys.executable, "-m", "nlptui.train.worker", str(run.path)],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "NLPTUI_LANG": language()},
            start_new_session=True,
            close_fds=True,
        )
    _started.append(worker)


def _reap() -> None:
    _started[:] = [worker for worker in _started if worker.poll() is None]


def _need_alive(run: RunDirectory, otherwise: str) -> None:
    _reap()
    now = run.status()
    if now.state not in ALIVE:
        raise UserError(
            _("{name} is {state}: {otherwise}").format(name=run.name, state=_(now.state), otherwise=otherwise)
        )
