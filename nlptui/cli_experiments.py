"""Experiments from the command line: what there is, running one, and what a run of one has measured.

Knows the run client only: no torch, no engine. The chart is a view's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlptui.cli_base import argument, command, end, option
from nlptui.cli_options import FILE, Name, json_option
from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.text import visible

# What the rows of an experiment's run are called in the metrics, beside training losses.
FINISHED = "finished"


def experiment_names() -> list[str]:
    """The experiments, and the runs of one."""
    from nlptui.train import client

    return [*client.EXPERIMENTS, *(run.name for run in client.runs() if _is_run(run.name))]


EXPERIMENT = Name("experiment", experiment_names)


@command(help=N_("Run an experiment, or show what a run of one has measured; without a NAME, list them."))
@argument("name", required=False, type=EXPERIMENT, metavar="[NAME]")
@option("--quick", is_flag=True, help=N_("A few steps only, to see that it runs."))
@option(
    "--foreground", is_flag=True, help=N_("Stay until it is done, and show its charts; Ctrl+C stops the run.")
)
@option("--csv", "csv_file", type=FILE, metavar="FILE", help=N_("Write the measurements as a table."))
@option("--svg", "svg_file", type=FILE, metavar="FILE", help=N_("Write the charts as a picture."))
@json_option
def experiment(
    name: str | None,
    quick: bool,
    foreground: bool,
    csv_file: Path | None,
    svg_file: Path | None,
    as_json: bool,
) -> None:
    from nlptui.train import client

    if name is None:
        list_experiments(as_json)
        return
    if name not in client.EXPERIMENTS and _is_run(name):
        show(name, csv_file, svg_file, as_json)
        return
    run = client.start_experiment(name, quick)
    if foreground or csv_file or svg_file:
        good = follow(run)
        if good:
            show(run, csv_file, svg_file, as_json)
        end(good)
    else:
        _say_started(run, as_json)


def _is_run(name: str) -> bool:
    """Whether a run of an experiment has that name."""
    from nlptui.train import client

    try:
        return client.experiment_of(name) is not None
    except UserError:
        return False


def list_experiments(as_json: bool) -> None:
    """What there is, and what each claims."""
    from nlptui.cli_output import emit, table
    from nlptui.train.client import EXPERIMENTS

    told = [
        {
            "name": one.name, "title": _(one.title), "claim": _(one.claim), "varied": _(one.varied),
            "measured": _(one.measured), "seconds": one.seconds,
        }
        for one in EXPERIMENTS.values()
    ]  # fmt: skip

    def lines() -> list[str]:
        rows = [(one.name, _(one.title), duration(one.seconds)) for one in EXPERIMENTS.values()]
        names = table((_("experiment"), _("about"), _("time on one core")), rows, right=(2,))
        claims = [f"{one.name}: {_(one.claim)}" for one in EXPERIMENTS.values()]
        return [*names, "", *claims, "", _("nlptui experiment NAME runs one.")]

    emit(as_json, {"experiments": told}, lines)


def duration(seconds: float) -> str:
    """`2:05` for two minutes and five seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def follow(run: str) -> bool:
    """Say on stderr how the run goes until it ends; whether it is done. Ctrl+C stops it, and waits."""
    from nlptui.cli_output import message
    from nlptui.train import client

    message(_("run {name}; Ctrl+C saves and stops it").format(name=run))
    last, stopping = client.status(run), False
    told: set[str] = set()
    while True:
        try:
            for last, lines in client.follow(run):
                for line in (finished_line(line) for line in lines if FINISHED in line):
                    if line not in told:
                        message(f"{last.step}/{last.steps}  {line}")
                    told.add(line)
            break
        except KeyboardInterrupt:
            if stopping:
                raise
            stopping = True
            client.stop(run)
            message(_("stopping; what is finished stays"))
    words = _("{name}: {state}").format(name=last.name, state=_(last.state))
    problem = visible(last.error)
    message(_("{what}: {problem}").format(what=words, problem=problem) if problem else words)
    if last.state == "stopped":
        message(_("nlptui runs resume {name} goes on").format(name=run))
    return last.state == "done"


def finished_line(line: Mapping[str, Any]) -> str:
    """A part that is finished: what was varied, the setting, the seed, and how long it took."""
    from nlptui.cli_output import number

    part = line[FINISHED]
    setting = "" if part.get("at") is None else f" {number(part['at'])}"
    series = visible(_(str(part.get("series", ""))))
    words = _("{part}, seed {seed}: {seconds} s")
    return words.format(
        part=f"{series}{setting}", seed=number(part.get("seed")), seconds=number(part.get("seconds"))
    )


def show(run: str, csv_file: Path | None, svg_file: Path | None, as_json: bool) -> None:
    """The charts of a run as text, or its rows as JSON; both files where they are wanted."""
    from dataclasses import asdict

    from nlptui.cli_output import emit, message, text_width, write_text
    from nlptui.train import client
    from nlptui.views import experiment as view
    from nlptui.views.render import to_svg, to_text

    about, rows, state = client.experiment_of(run), client.read_experiment(run), client.status(run).state
    assert about is not None
    figure = view.draw(rows, about, quick=client.is_quick(run))
    if csv_file:
        write_text(csv_file, client.experiment_table(run))
    if svg_file:
        write_text(svg_file, to_svg(figure))
    told = {"experiment": about.name, "run": run, "state": state, "rows": [asdict(row) for row in rows]}
    emit(as_json, told, lambda: to_text(figure, text_width()).splitlines())
    if state != "done":
        message(_("{name} is {state}: this is what it has measured so far").format(name=run, state=_(state)))


def _say_started(run: str, as_json: bool) -> None:
    from nlptui.cli_output import emit, message
    from nlptui.cli_runs import run_values
    from nlptui.train import client

    emit(as_json, run_values(client.status(run)), lambda: [run])
    message(_("started; nlptui experiment {name} shows what it has measured").format(name=run))
