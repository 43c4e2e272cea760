"""Runs of experiments: started, told from trainings, and what they have measured."""

from __future__ import annotations

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.train.client.reading import metrics
from nlptui.train.client.starting import new_directory, queue
from nlptui.train.experiments import Experiment, find_experiment
from nlptui.train.experiments.parts import Row
from nlptui.train.experiments.results import Settings, rows_in, settings_of, table, write_settings
from nlptui.train.run import RunStatus, find_run


def start_experiment(name: str, quick: bool = False) -> str:
    """Start the experiment `name` in a process of its own; returns the name of its run.

    With `quick` it takes seconds, and shows no more than that it runs.
    """
    experiment = find_experiment(name)
    run = new_directory(None, f"experiment-{experiment.name}")
    write_settings(run, Settings(experiment.name, quick))
    queue(run, RunStatus(run.name, "queued"))
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
