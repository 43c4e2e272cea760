"""What is here and whether it is sound: `data`, `check`, `locate`, `bench`, `completion`.

Runs no text through a model; torch loads for `check` alone.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from nlptui import cli_names
from nlptui.cli_base import Choice, Group, argument, command, end
from nlptui.cli_engine import load
from nlptui.cli_options import CORPUS, MODEL, json_option
from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.text import visible

TOLERANCE = 1e-5
"""How far our numbers may be from torch's fused ones before `check` fails."""

# ---------------------------------------------------------------------------------------------------- corpora


@click.group(cls=Group, help=N_("List the corpora, download one, or say where it is."))
def data() -> None:
    pass


@data.command("list", help=N_("List the corpora."))
@json_option
def data_list(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import corpus_lines, corpus_values
    from nlptui.engine.corpora import corpora

    found = list(map(corpus_values, corpora()))
    emit(as_json, {"corpora": found}, lambda: corpus_lines(found))


@data.command("get", help=N_("Download a corpus, where it is not here, and print its folder."))
@argument("name", type=CORPUS)
@json_option
def data_get(name: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import Download
    from nlptui.engine.corpora import get

    with Download() as progress:
        folder = str(get(name, progress))
    emit(as_json, {"name": name, "path": folder}, lambda: [visible(folder)])


@data.command("path", help=N_("Print the folder of a corpus that is here."))
@argument("name", type=CORPUS)
@json_option
def data_path(name: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.engine.corpora import find

    folder = find(name)
    if folder is None:
        raise UserError(_("{name} is not here; nlptui data get {name} downloads it").format(name=name))
    emit(as_json, {"name": name, "path": str(folder)}, lambda: [visible(str(folder))])


# ----------------------------------------------------------------------------------------- the program itself


@command(help=N_("Compare our step-by-step numbers with torch's fused ones, for one model or all."))
@argument("model", required=False, type=MODEL)
@json_option
def check(model: str | None, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import check_lines

    names = [model] if model else cli_names.model_names()
    if not names:
        raise UserError(_("there are no models to check; nlptui train makes one"))
    good = True
    for name in names:
        differences = load(name).check()
        # A NaN is never near enough.
        near = bool(differences) and all(value <= TOLERANCE for value in differences.values())
        values = {"model": name, "ok": near, "tolerance": TOLERANCE, "differences": differences}
        emit(as_json, values, partial(check_lines, values))
        good = good and near
    end(good)


@command(help=N_("Say where settings, models, runs and corpora live, and which versions run."))
@json_option
def locate(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import locate_lines, locate_values

    values = locate_values()
    emit(as_json, values, lambda: locate_lines(values))


@command(
    help=N_("Run the benchmarks (from a checkout only)."),
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)
@argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="…")
def bench(arguments: tuple[str, ...]) -> None:
    root = Path(__file__).resolve().parents[1]
    if not (root / "tests" / "benchmarks" / "__main__.py").is_file():
        raise UserError(_("the benchmarks are not part of an installed nlptui; run make bench in a checkout"))
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks", *arguments], cwd=root, check=False)
    if done.returncode:
        raise click.exceptions.Exit(2 if done.returncode == 2 else 1)


@command(help=N_("Print what makes bash, zsh or fish complete commands and names."))
@argument("shell", type=Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    script = get_completion_class(shell)
    assert script is not None
    program = click.get_current_context().find_root().command
    click.echo(script(program, {}, "nlptui", "_NLPTUI_COMPLETE").source())
