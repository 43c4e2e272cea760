"""A run becomes a model of the user's own, measured, with its card; only the doing loads torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import home_data, shipped_models
from nlptui.text import visible
from nlptui.train.run import check_run_name, find_run


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
