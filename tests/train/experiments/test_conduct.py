"""Experiments as runs: quick ones from start to table, stopped and gone on with, and what front ends see."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train import client
from nlptui.train.experiments import EXPERIMENTS, find_experiment
from nlptui.train.experiments.conduct import Conductor
from nlptui.train.experiments.parts import COLUMNS, Part, Row, Step
from nlptui.train.experiments.results import Settings, rows_in, write_settings
from nlptui.train.run import RunDirectory, RunStatus

PATIENCE = 120.0
CLOCK = {"length": ("reading", "step")}
"""Charts whose numbers are never twice the same."""


class Wishes:
    """Stops, or waits once, after so many questions; -1: never."""

    def __init__(self, stop_after: int = -1, wait_after: int = -1) -> None:
        self.stop_after, self.wait_after = stop_after, wait_after
        self.asked = 0
        self.waited = False

    def stop_wanted(self) -> bool:
        self.asked += 1
        return self.asked > self.stop_after >= 0

    def pause_wanted(self) -> bool:
        wanted = self.asked == self.wait_after and not self.waited
        self.waited = self.waited or wanted
        return wanted


class Report:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def update(self, *, now: bool = True, **changes: Any) -> None:
        self.told.append(changes)


def directory(name: str, experiment: str) -> RunDirectory:
    path = runs_dir() / name
    path.mkdir(parents=True)
    run = RunDirectory(path)
    write_settings(run, Settings(experiment, quick=True))
    run.write_status(RunStatus(name, "queued"))
    return run


def conduct(run: RunDirectory, experiment: str, wishes: Wishes | None = None) -> tuple[str, Report]:
    report = Report()
    return Conductor(run, Settings(experiment, quick=True), wishes or Wishes(), report).run(), report


def table(run: RunDirectory) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((run.path / "experiment.csv").read_text(encoding="utf-8"))))


def repeatable(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows without the numbers that a clock made."""
    return [row | {"y": "clock"} if row["chart"] in CLOCK.get(row["experiment"], ()) else row for row in rows]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_quick_run_of_each_ends_with_a_complete_table(name: str) -> None:
    run = directory("one", name)
    state, report = conduct(run, name)
    assert state == "done"
    rows = table(run)
    assert tuple(rows[0]) == COLUMNS and {row["experiment"] for row in rows} == {name}
    assert {row["chart"] for row in rows} == {chart.name for chart in EXPERIMENTS[name].charts}
    assert all(row["series"] and row["seed"].isdigit() and float(row["x"]) >= 0 for row in rows)
    assert all(row["y"] not in ("", "None") for row in rows)
    points = [(row["chart"], row["series"], row["seed"], row["x"]) for row in rows]
    assert len(set(points)) == len(points)
    for chart in EXPERIMENTS[name].charts:
        at: dict[str, set[str]] = {}
        for row in rows:
            if row["chart"] == chart.name:
                at.setdefault(row["series"], set()).add(row["x"])
        assert len({frozenset(places) for places in at.values()}) == 1, chart.name
    steps = sum(
        part.steps for part in importlib.import_module(f"nlptui.train.experiments.{name}").parts(True)
    )
    assert report.told[-1]["step"] == report.told[-1]["steps"] == steps


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stopped_after_any_step_and_gone_on_with_it_gives_the_same_rows(name: str) -> None:
    whole, cut = directory("whole", name), directory("cut", name)
    conduct(whole, name)
    asked = len(whole.metrics())
    for after in (0, 3, asked // 2):
        assert conduct(cut, name, Wishes(stop_after=after))[0] == "stopped"
        assert not (cut.path / "experiment.csv").exists()
    assert conduct(cut, name)[0] == "done"
    assert repeatable(table(cut)) == repeatable(table(whole))


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("quick", [True, False])
def test_parts_are_told_apart_and_say_how_many_steps_they_take(name: str, quick: bool) -> None:
    parts: list[Part] = importlib.import_module(f"nlptui.train.experiments.{name}").parts(quick)
    assert len({part.name for part in parts}) == len(parts)
    if quick:
        for part in parts:
            made = list(part.run())
            assert sum(isinstance(one, Step) for one in made) == part.steps
            assert {one.seed for one in made if isinstance(one, Row)} == {part.seed}
    else:
        seeds: dict[tuple[str, float | None], list[int]] = {}
        for part in parts:
            seeds.setdefault((part.series, part.at), []).append(part.seed)
        assert len(set(map(tuple, seeds.values()))) == 1, "every setting has the same seeds"


def counted(monkeypatch: pytest.MonkeyPatch, *, fail_at: str = "") -> list[str]:
    """A made-up experiment of three parts under the name `positions`; which of them were begun."""
    begun: list[str] = []

    def run(series: str) -> Iterator[Step | Row]:
        begun.append(series)
        yield Row("accuracy", series, 1, 0, 0.5)
        for step in (1, 2):
            if series == fail_at and step == 2:
                raise OSError("it is torn off")
            yield Step(float(step))
            yield Row("accuracy", series, 1, step, float("nan") if series == "b" else step)

    module = importlib.import_module("nlptui.train.experiments.positions")
    parts = [Part(series, 1, 2, lambda series=series: run(series)) for series in "abc"]  # type: ignore[misc]
    monkeypatch.setattr(module, "parts", lambda quick: parts)
    return begun


def test_what_is_finished_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = counted(monkeypatch)
    run = directory("one", "positions")
    # Five things are made of each part: the seventh is in the middle of the second.
    assert conduct(run, "positions", Wishes(stop_after=7))[0] == "stopped"
    assert begun == ["a", "b"]
    assert conduct(run, "positions")[0] == "done"
    assert begun == ["a", "b", "b", "c"]
    assert [(row["series"], row["x"], row["y"]) for row in table(run)] == [
        (series, str(x), "nan" if series == "b" and x else str(x or 0.5))
        for series in "abc"
        for x in (0, 1, 2)
    ]


def test_a_part_that_was_torn_off_is_forgotten_with_all_that_it_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted(monkeypatch, fail_at="b")
    run = directory("one", "positions")
    with pytest.raises(OSError, match="torn off"):
        conduct(run, "positions")
    assert {row.series for row in rows_in(run.metrics())} == {"a", "b"}
    with run.metrics_path.open("ab") as file:
        file.write(b'{"step": 4, "measured": {"chart": "accur')
    begun = counted(monkeypatch)
    assert conduct(run, "positions")[0] == "done"
    assert begun == ["b", "c"] and len(table(run)) == 9
    lines = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    steps = [line["step"] for line in lines]
    assert steps == sorted(steps) and max(steps) == 6


def test_it_waits_when_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch)
    state, report = conduct(directory("one", "positions"), "positions", Wishes(wait_after=4))
    states = [told["state"] for told in report.told if "state" in told]
    assert state == "done" and states == ["paused", "running"]


def test_broken_lines_are_no_rows() -> None:
    good = {"chart": "a", "series": "b", "seed": 1, "x": 2, "y": "nan"}
    broken = [good | {"y": None}, good | {"x": "far"}, good | {"seed": "1"}, good | {"y": True}, [], 3, "x"]
    rows = rows_in([{"step": 1, "measured": told} for told in (good, *broken)] + [{"step": 2}])
    assert len(rows) == 1 and rows[0].y != rows[0].y and rows[0].x == 2


# as front ends see it


def until(condition: Callable[[], Any]) -> Any:
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.02)
    return found


@pytest.mark.usefixtures("warm_workers")
def test_a_run_in_the_background_from_start_to_table() -> None:
    name = client.start_experiment("length", quick=True)
    assert name == "experiment-length" and client.is_quick(name)
    status = client.wait(name, PATIENCE)
    assert (status.state, status.error, status.step, status.steps) == ("done", "", 6, 6), client.log(name)
    assert [run.name for run in client.runs()] == [name]
    rows = client.read_experiment(name)
    assert len(rows) == 3 * 2 * 3 and {row.series for row in rows} == {"RNN", "LSTM", "attention"}
    written = (runs_dir() / name / "experiment.csv").read_text(encoding="utf-8")
    assert written == client.experiment_table(name) and len(written.splitlines()) == 1 + len(rows)
    experiment = client.experiment_of(name)
    assert experiment is not None and experiment.name == "length"
    with pytest.raises(UserError, match="nlptui experiment length"):
        client.resume(name)
    with pytest.raises(UserError, match="trains no model"):
        client.keep(name)
    assert client.start_experiment("length", quick=True) == "experiment-length-2"
    client.wait("experiment-length-2", PATIENCE)
    client.remove(name)
    assert not (runs_dir() / name).exists()


@pytest.mark.usefixtures("warm_workers")
def test_a_run_in_the_background_is_stopped_and_gone_on_with() -> None:
    name = client.start_experiment("heads")
    status = until(lambda: client.status(name).step > 3 and client.status(name))
    assert status.state == "running" and status.phase == "training" and status.metrics["loss"] > 0
    client.stop(name)
    status = client.wait(name, PATIENCE)
    assert (status.state, status.error) == ("stopped", ""), client.log(name)
    assert not (runs_dir() / name / "experiment.csv").exists() and not (runs_dir() / name / "stop").exists()
    with pytest.raises(UserError, match="no settings"):
        client.resume(name, {"train.steps": 3})
    assert client.resume(name).name == name
    until(lambda: client.status(name).step > 0 and client.status(name).state == "running")
    client.stop(name)
    assert client.wait(name, PATIENCE).state == "stopped"


def test_names_that_are_none() -> None:
    with pytest.raises(UserError, match="recall, gradients"):
        client.start_experiment("recal\x1b[0m")
    with pytest.raises(UserError, match="recall, gradients"):
        find_experiment("")
    assert not runs_dir().exists()
    path = runs_dir() / "train"
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"name": "x"}')
    assert client.experiment_of("train") is None
    with pytest.raises(UserError, match="training"):
        client.read_experiment("train")


def test_front_ends_load_no_torch() -> None:
    code = (
        "import sys, nlptui.views.experiment, nlptui.cli_experiments; from nlptui.train import client\n"
        "assert len(client.EXPERIMENTS) == 7; client.read_experiment('one'); client.experiment_table('one')\n"
        "sys.exit('torch' in sys.modules)"
    )
    run = directory("one", "heads")
    run.append_metrics(
        {"step": 1, "measured": {"chart": "accuracy", "series": "a", "seed": 1, "x": 1, "y": 0.5}}
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
