"""New runs: a directory of their own, their recipe in it, and a place in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import runs_dir
from nlptui.train import places
from nlptui.train.client.recipes import resolved
from nlptui.train.client.watching import status
from nlptui.train.events import need_tensorboard
from nlptui.train.fork import checkpoint_at, copy_state, forked_recipe
from nlptui.train.recipe import Recipe
from nlptui.train.run import RunDirectory, RunStatus, check_run_name, find_run, step_of


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
    queue(run, ready)
    return RunHandle(run.name, run.path)


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
    wanted = resolved(recipe, overrides)
    if wanted.train.tensorboard:
        need_tensorboard()
    run = new_directory(name, wanted.name)
    run.write_recipe(wanted)
    return run, RunStatus(run.name, "queued", steps=wanted.train.steps)


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
    run = new_directory(new, f"{parent.name}-fork")
    copy_state(parent, folder, run, recipe)
    at = step_of(folder)
    queue(run, RunStatus(run.name, "queued", step=at, steps=recipe.train.steps, latest=folder.name))
    return RunHandle(run.name, run.path)


def queue(run: RunDirectory, now: RunStatus) -> None:
    """Start the run, at once if there is a place for it."""
    with places.one_at_a_time():
        places.wait_for_place(run, now)
    places.start_waiting()


def new_directory(name: str | None, model: str) -> RunDirectory:
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
