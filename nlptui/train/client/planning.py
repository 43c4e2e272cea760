"""Before a run: what it would take, a recipe that fits a wish, and what it can start from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlptui.engine.library import list_models
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import runs_dir
from nlptui.text import visible
from nlptui.train import places
from nlptui.train.client.experiments import experiment_of
from nlptui.train.client.recipes import kept_corpus, resolved
from nlptui.train.client.watching import runs
from nlptui.train.compose import Plan, Wish, compose, is_counted, within
from nlptui.train.estimate import Estimate
from nlptui.train.recipe import Recipe
from nlptui.train.run import find_run, step_of


def estimate(
    recipe: str | Path | Recipe,
    overrides: Mapping[str, Any] | None = None,
    going: Callable[[], None] = lambda: None,
) -> Estimate:
    """What a run would take: parameters, memory, time. Tries it for some seconds in a process of its own.

    going: called now and then; what it raises ends the process, and is let through.
    """
    asked = json.dumps(resolved(recipe, overrides).to_dict())
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
    recipe = compose(replace(wish, corpus=kept_corpus(wish.corpus)))
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
