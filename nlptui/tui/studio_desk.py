"""What the studio asks of the clerk, and how the clerk answers: runs, their curves, their control.

Reads and writes the files of runs through the client of training and `run_logs`. Knows nothing of widgets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import runs_dir
from nlptui.text import visible
from nlptui.tui.exports import checked
from nlptui.tui.place import prompt_of
from nlptui.tui.run_logs import RunLogs
from nlptui.views.run_charts import charts_of, overlay, title_of

if TYPE_CHECKING:
    from nlptui.views.figure import Figure, Lines

LOG_LINES, SAMPLES = 20, 20
"""Lines of a worker's log, and outputs on its pinned sentence, that are shown."""


@dataclass(frozen=True)
class LookAtStudio:
    """All runs, and one chart of the first of `names` with the others over it."""

    names: tuple[str, ...] = ()
    chart: str = ""
    smooth: float = 0.0
    log: bool = False
    by: str = "step"
    lane: ClassVar[str] = "studio"


@dataclass(frozen=True)
class ForkRun:
    """Start a run from a checkpoint of another one (None: the newest), with changed settings."""

    name: str
    step: int | None
    settings: tuple[str, ...]
    new: str
    lane: ClassVar[str] = "steer"


@dataclass(frozen=True)
class KeepRun:
    """Make the best checkpoint of a run a model; takes a while."""

    name: str
    model: str
    lane: ClassVar[str] = "keep"


@dataclass(frozen=True)
class StartExperiment:
    """Start an experiment in a process of its own."""

    name: str
    lane: ClassVar[str] = "steer"


@dataclass(frozen=True)
class WriteExperiment:
    """Write what an experiment's run has measured as tidy CSV."""

    name: str
    path: Path
    overwrite: bool = False
    lane: ClassVar[str] = "write"


StudioRequest = (LookAtStudio, ForkRun, KeepRun, StartExperiment, WriteExperiment)


@dataclass(frozen=True)
class Facts:
    """What is known of one run beside its curves."""

    recipe: tuple[str, ...] = ()
    """Short sentences: network, corpus, settings."""
    parent: str = ""
    checkpoints: tuple[int, ...] = ()
    """Steps that it can be forked from."""
    snapshots: tuple[int, ...] = ()
    """Steps whose weights can be looked at, those among them."""
    log: tuple[str, ...] = ()
    samples: tuple[tuple[int, str, str], ...] = ()
    """Step, sentence and output, the newest first."""
    folder: str = ""
    trains: bool = True
    """Whether it is to become a model; an experiment is not."""


@dataclass(frozen=True)
class Studio:
    """What the studio draws."""

    runs: tuple[Any, ...]
    """RunStatus, the newest first."""
    experiments: frozenset[str]
    """The names of the runs that are experiments."""
    name: str
    """The run that the facts are of; empty where there is none."""
    facts: Facts
    charts: tuple[tuple[str, str], ...]
    """The name of each chart that there is, and its words."""
    chart: str
    lines: Lines | None
    figure: Figure | None = None
    """All that an experiment has measured."""


class StudioDesk:
    """The clerk's part in the studio; keeps what it has read of the runs."""

    def __init__(self) -> None:
        self._logs = RunLogs()
        self._experiments: dict[str, str] = {}
        self._drawn: tuple[object, Lines | None] = (None, None)

    def answer(self, request: Any) -> Any:
        """The result for one request."""
        from nlptui.train import client

        match request:
            case LookAtStudio():
                return self.look(request)
            case ForkRun(name=name, step=step, settings=settings, new=new):
                return client.fork(name, step, client.parse_overrides(list(settings)), new or None).name
            case KeepRun(name=name, model=model):
                return client.keep(name, model or None)
            case StartExperiment(name=name):
                return client.start_experiment(name)
            case WriteExperiment(name=name, path=path, overwrite=overwrite):
                return write_experiment(name, path, overwrite)
        raise TypeError(f"the studio has no answer to {request!r}")

    def look(self, request: LookAtStudio) -> Studio:
        """All runs, and what is asked about some of them."""
        from nlptui.train import client

        runs = tuple(reversed(client.runs()))
        names = [run.name for run in runs]
        self._know_experiments(names)
        shown = [name for name in request.names if name in names] or names[:1]
        experiments = frozenset(name for name in names if self._experiments[name])
        if not shown:
            return Studio(runs, experiments, "", Facts(), (), "", None)
        first = shown[0]
        if first in experiments:
            return self._experiment(runs, experiments, first, request)
        trained = [name for name in shown if name not in experiments]
        logs = {name: self._logs.read(name) for name in trained}
        charts = charts_of(chart for log in logs.values() for chart in log.points)
        chart = request.chart if request.chart in charts else (charts[0] if charts else "")
        key = (chart, request.smooth, request.log, request.by, tuple((n, id(g), g.version)
               for n, g in logs.items()))  # fmt: skip
        if self._drawn[0] != key:
            points = {name: log.points for name, log in logs.items()}
            drawn = overlay(points, chart, smooth=request.smooth, log=request.log, by=request.by)
            self._drawn = (key, drawn if chart else None)
        titles = tuple((name, title_of(name)) for name in charts)
        return Studio(runs, experiments, first, facts_of(first), titles, chart, self._drawn[1])

    def _experiment(
        self, runs: tuple[Any, ...], experiments: frozenset[str], name: str, request: LookAtStudio
    ) -> Studio:
        """An experiment's charts are those that it declares."""
        from nlptui.train import client
        from nlptui.views.experiment import draw, remarks
        from nlptui.views.figure import Lines

        about = client.experiment_of(name)
        assert about is not None
        rows = client.read_experiment(name)
        quick = client.is_quick(name)
        figure = draw(rows, about, quick)
        parts = {f"chart{n}": part for n, part in enumerate(figure.parts) if isinstance(part, Lines)}
        chart = request.chart if request.chart in parts else next(iter(parts), "")
        key = (name, chart, len(rows), tuple(len(row) for row in _numbers(parts.values())))
        if self._drawn[0] != key:
            self._drawn = (key, parts.get(chart))
        titles = tuple((n, part.title) for n, part in parts.items())
        facts = Facts(
            recipe=(_(about.title), _(about.claim), *([] if quick else remarks(rows, about))),
            log=_log(name),
            folder=visible(str(runs_dir() / name)),
            trains=False,
        )
        return Studio(runs, experiments, name, facts, titles, chart, self._drawn[1], figure)

    def _know_experiments(self, names: list[str]) -> None:
        """Which runs are experiments, asked once of each."""
        from nlptui.train import client

        known = {name: self._experiments[name] for name in names if name in self._experiments}
        for name in names:
            if name not in known:
                try:
                    about = client.experiment_of(name)
                except UserError:
                    about = None
                known[name] = about.name if about else ""
        self._experiments = known


def _numbers(parts: Iterable[Lines]) -> list[list[float]]:
    return [series.y.tolist() for part in parts for series in part.series]


def _log(name: str) -> tuple[str, ...]:
    from nlptui.train import client

    return tuple(client.log(name, LOG_LINES))


def facts_of(name: str) -> Facts:
    """What the run's files say beside the measurements; what is broken is left out."""
    from nlptui.train import client

    try:
        parent = client.parent_of(name)
        words = _("forked from {run} at step {step}")
        return Facts(
            recipe=_recipe(name),
            parent=words.format(run=visible(parent.run), step=parent.step) if parent else "",
            checkpoints=tuple(client.checkpoints(name)),
            snapshots=tuple(client.snapshots(name)),
            log=_log(name),
            samples=_samples(name),
            folder=visible(str(runs_dir() / name)),
        )
    except UserError as error:  # the run was deleted a moment ago, or its files are broken
        return Facts((visible(str(error)),))


def _recipe(name: str) -> tuple[str, ...]:
    """What the run trains; where that is broken, why."""
    from nlptui.train import client

    try:
        return client.recipe_lines(name)
    except UserError as error:
        return (visible(str(error)),)


def _samples(name: str) -> tuple[tuple[int, str, str], ...]:
    """What the model made of the pinned sentence at each measurement, if the run keeps that."""
    from nlptui.train import client

    return tuple(
        (int(row.get("step", 0)), visible(_asked(row)), said_of(row))
        for row in reversed(client.samples(name)[-SAMPLES:])
    )


def _asked(row: Mapping[str, Any]) -> str:
    """The sentence; of a model that reads two, both, as they are typed."""
    return prompt_of(str(row.get("text", "")), str(row["pair"]) if "pair" in row else None)


def said_of(row: Mapping[str, Any]) -> str:
    """The likeliest of an output of any task, or why there is none. What is broken is shown as it is."""
    if "problem" in row:
        return visible(str(row["problem"]))
    output: Any = row.get("output")
    try:
        if "tags" in output:
            return " ".join(f"{visible(one['token'])}/{visible(one['tag'])}" for one in output["tags"])
        if "text" in output:
            return visible(str(output["text"]))
        for kind, key in (("labels", "label"), ("spans", "text")):
            if kind in output:
                likely = output[kind][:3]
                return "  ".join(f"{visible(one[key])} {one['prob']:.3f}" for one in likely)
        return "  ".join(
            " ".join(visible(token["text"]) for token in place["tokens"][:3])
            for place in output["candidates"]
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return visible(str(output))


def write_experiment(name: str, path: Path, overwrite: bool) -> Path:
    """The rows that the experiment has measured, one a line. Raises UserError where it cannot be written."""
    from nlptui.train import client

    target = checked(path, overwrite)
    try:
        target.write_text(client.experiment_table(name), encoding="utf-8")
    except OSError as error:
        problem = _("{path}: cannot be written ({reason})")
        raise UserError(problem.format(path=visible(str(target)), reason=error.strerror)) from None
    return target
