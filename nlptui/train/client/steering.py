"""Runs that are there: stop, cancel, pause, resume and remove them, by files that their workers read."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.train import places
from nlptui.train.client.starting import RunHandle
from nlptui.train.events import need_tensorboard
from nlptui.train.experiments.results import settings_of
from nlptui.train.recipe import recipe_from_dict
from nlptui.train.run import ALIVE, RunDirectory, RunStatus, find_run


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


def _need_alive(run: RunDirectory, otherwise: str) -> None:
    places.reap()
    now = run.status()
    if now.state not in ALIVE:
        raise UserError(
            _("{name} is {state}: {otherwise}").format(name=run.name, state=_(now.state), otherwise=otherwise)
        )


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
