"""Training from the command line: `train`, and `runs` with everything that can be done to one.

Knows the run client only: no torch, no engine. What is printed of runs is made in `cli_runs`.
"""

from __future__ import annotations

import click

from nlptui.cli_base import Group, argument, command, end, option
from nlptui.cli_options import RECIPE, RUN, json_option, recipe_options
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
@json_option
def train(recipe: str, name: str | None, changes: tuple[str, ...], foreground: bool, as_json: bool) -> None:
    from nlptui.train import client

    run = client.start(recipe, name=name, overrides=client.parse_overrides(changes))
    _started(run.name, foreground, as_json)


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
    from nlptui.cli_runs import run_page, run_values
    from nlptui.train import client

    found = client.status(run)
    emit(as_json, run_values(found), lambda: run_page(found))


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
