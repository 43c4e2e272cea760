"""Training from the command line: `train`, and `runs` with everything that can be done to one.

Knows the run client only: no torch, no engine. What is printed of runs is made in `cli_runs`.
"""

from __future__ import annotations

from dataclasses import asdict

import click

from nlptui.cli_base import Group, argument, command, end, option
from nlptui.cli_options import COUNT, RECIPE, RUN, json_option, recipe_options
from nlptui.locale import N_, _


def _started(run: str, foreground: bool, as_json: bool, before: str = "") -> None:
    """Follow a run that was just started, or say where it is; `before` is the state that it was in."""
    from nlptui.cli_output import emit, message
    from nlptui.cli_runs import follow, run_values
    from nlptui.train import client

    if foreground:
        message(_("run {name}; Ctrl+C saves and stops it").format(name=run))
        end(follow(run, as_json, stop=True))
        return
    emit(as_json, run_values(client.status(run)), lambda: [run])
    said = _("started; nlptui runs follow {name} shows how it goes")
    if before in ("queued", "running"):
        said = _("{name} goes on already; nlptui runs follow {name} shows how it goes")
    message(said.format(name=run))


@command(help=N_("Train a model in the background; RECIPE is a TOML file or the name of a model."))
@argument("recipe", type=RECIPE)
@option("--name", metavar="RUN", help=N_("What to call the run."))
@recipe_options
@option("--tensorboard", is_flag=True, help=N_("Write what is measured as TensorBoard's files too."))
@option("--estimate", is_flag=True, help=N_("Say what the run would take; start nothing."))
@option("--prepare", is_flag=True, help=N_("Make the run and say how torchrun starts it; start nothing."))
@json_option
def train(
    recipe: str, name: str | None, changes: tuple[str, ...], foreground: bool, tensorboard: bool,
    estimate: bool, prepare: bool, as_json: bool,
) -> None:  # fmt: skip
    from nlptui.cli_output import emit, message
    from nlptui.cli_runs import estimate_lines, prepared_lines, run_values
    from nlptui.train import client
    from nlptui.wording import busy_words

    overrides = client.parse_overrides(changes)
    if tensorboard:
        overrides["train.tensorboard"] = True
    if estimate:
        found = client.estimate(recipe, overrides)
        emit(as_json, asdict(found), lambda: estimate_lines(found))
        if busy := busy_words():
            message(busy)
    elif prepare:
        made = client.create(recipe, name=name, overrides=overrides)
        values = run_values(client.status(made.name)) | {"path": str(made.path)}
        emit(as_json, values, lambda: prepared_lines(made))
    else:
        _started(client.start(recipe, name=name, overrides=overrides).name, foreground, as_json)


@click.group(cls=Group, help=N_("List the training runs; watch, stop, resume, keep or remove one."))
def runs() -> None:
    pass


@runs.command("list", help=N_("List the runs."))
@json_option
def runs_list(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import run_lines, run_values
    from nlptui.train import client

    found = client.runs()
    emit(as_json, {"runs": [run_values(run) for run in found]}, lambda: run_lines(found))


@runs.command("show", help=N_("Show the state of a run and what it has measured."))
@argument("run", type=RUN)
@json_option
def runs_show(run: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import Origin, run_page, run_values
    from nlptui.train import client

    found = client.status(run)
    origin = Origin(client.parent_of(run), client.checkpoints(run), client.snapshots(run))
    emit(as_json, run_values(found) | origin.values(), lambda: [*run_page(found), *origin.lines()])


@runs.command("metrics", help=N_("Print everything that a run has measured, line by line."))
@argument("run", type=RUN)
@option("--layers", is_flag=True, help=N_("What was measured of each layer: norms, dead units, entropy."))
@option("--csv", "as_csv", is_flag=True, help=N_("A table of comma-separated values."))
@json_option
def runs_metrics(run: str, layers: bool, as_csv: bool, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import csv_lines, progress_line
    from nlptui.train import client

    rows = client.layer_metrics(run) if layers else client.metrics(run)
    steps = client.status(run).steps

    def lines() -> list[str]:
        return csv_lines(rows) if as_csv else [progress_line(row, steps) for row in rows]

    emit(as_json, {"run": run, "rows": rows}, lines)


@runs.command("samples", help=N_("Print what a run's model made of one sentence at each measurement."))
@argument("run", type=RUN)
@json_option
def runs_samples(run: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import sample_lines
    from nlptui.train import client

    rows = client.samples(run)
    emit(as_json, {"run": run, "rows": rows}, lambda: sample_lines(rows))


@runs.command("fork", help=N_("Start a run that goes on from a checkpoint of another, with other settings."))
@argument("run", type=RUN)
@option("--at", "step", type=COUNT, help=N_("The step of the checkpoint; without it, the newest."))
@option("--name", metavar="RUN", help=N_("What to call the run."))
@recipe_options
@json_option
def runs_fork(
    run: str, step: int | None, name: str | None, changes: tuple[str, ...], foreground: bool, as_json: bool
) -> None:
    from nlptui.train import client

    made = client.fork(run, step, client.parse_overrides(changes), name)
    _started(made.name, foreground, as_json)


@runs.command("follow", help=N_("Show how a run goes until it ends; Ctrl+C leaves it running."))
@argument("run", type=RUN)
@json_option
def runs_follow(run: str, as_json: bool) -> None:
    from nlptui.cli_runs import follow

    end(follow(run, as_json, stop=False))


@runs.command("stop", help=N_("Ask a run to save and end."))
@argument("run", type=RUN)
def runs_stop(run: str) -> None:
    from nlptui.cli_output import message
    from nlptui.train import client

    client.stop(run)
    message(_("{name} saves and ends; nlptui runs resume {name} goes on").format(name=run))


@runs.command("pause", help=N_("Ask a run to wait."))
@argument("run", type=RUN)
def runs_pause(run: str) -> None:
    from nlptui.cli_output import message
    from nlptui.train import client

    client.pause(run)
    message(_("{name} waits; nlptui runs resume {name} goes on").format(name=run))


@runs.command("resume", help=N_("Go on with a run that waits, was stopped, failed or was lost."))
@argument("run", type=RUN)
@recipe_options
@json_option
def runs_resume(run: str, changes: tuple[str, ...], foreground: bool, as_json: bool) -> None:
    from nlptui.train import client

    before = client.status(run).state
    client.resume(run, overrides=client.parse_overrides(changes))
    _started(run, foreground, as_json, before)


@runs.command("keep", help=N_("Make a run's best checkpoint one of your models, measured and with a card."))
@argument("run", type=RUN)
@argument("name", required=False, metavar="[NAME]")
@option("--force", is_flag=True, help=N_("Replace a model of yours that has this name."))
@json_option
def runs_keep(run: str, name: str | None, force: bool, as_json: bool) -> None:
    from nlptui.cli_output import emit, message
    from nlptui.cli_runs import kept_line, kept_values
    from nlptui.train import client

    kept = client.keep(run, name, force)
    emit(as_json, kept_values(kept, run), lambda: [kept_line(kept)])
    message(_("nlptui -m {name} opens it; it lies in {path}").format(name=kept.name, path=kept.path))


@runs.command("rm", help=N_("Remove runs with all their checkpoints."))
@argument("names", nargs=-1, required=True, type=RUN, metavar="RUN…")
def runs_rm(names: tuple[str, ...]) -> None:
    from nlptui.cli_output import message
    from nlptui.train import client

    for name in names:
        client.remove(name)
        message(_("{name} removed").format(name=name))
