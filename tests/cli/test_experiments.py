"""`nlptui experiment`: the list, a run from start to table, and what a run has measured."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from nlptui.cli import cli
from nlptui.cli_experiments import experiment, experiment_names
from nlptui.paths import runs_dir
from nlptui.train import client
from nlptui.train.experiments.results import Settings, write_settings
from nlptui.train.run import RunDirectory, RunStatus
from tests.cli.conftest import Nlptui


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(cli.commands, "experiment", experiment)
    return tmp_path


def made(name: str, state: str = "done", quick: bool = False) -> RunDirectory:
    """A run of `recall` with four rows."""
    path = runs_dir() / name
    path.mkdir(parents=True)
    run = RunDirectory(path)
    write_settings(run, Settings("recall", quick))
    for seed, y in ((1, 0.25), (2, float("nan"))):
        for x in (1, 40):
            row = {"chart": "recall", "series": "RNN", "seed": seed, "x": x, "y": y}
            run.append_metrics({"step": seed, "measured": row})
    run.write_status(RunStatus(name, state, step=2, steps=2))
    return run


def test_the_list(nlptui: Nlptui) -> None:
    told = nlptui("experiment", "--json").json["experiments"]
    assert [one["name"] for one in told] == list(client.EXPERIMENTS)
    assert all(set(one) == {"name", "title", "claim", "varied", "measured", "seconds"} for one in told)
    page = nlptui("experiment").out
    assert all(one.name in page and one.claim in page for one in client.EXPERIMENTS.values())


@pytest.mark.usefixtures("warm_workers")
def test_a_quick_run_to_its_end_with_both_files(nlptui: Nlptui, home: Path) -> None:
    table, picture = home / "length.csv", home / "length.svg"
    result = nlptui(
        "experiment",
        "length",
        "--quick",
        "--csv",
        str(table),
        "--svg",
        str(picture),
        "--foreground",
        "--json",
    )
    told = result.json
    assert (told["experiment"], told["run"], told["state"]) == ("length", "experiment-length", "done")
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert len(rows) == len(told["rows"]) == 18
    assert [float(row["y"]) for row in rows] == [row["y"] for row in told["rows"]]
    assert ET.parse(picture).getroot().tag.endswith("svg")
    assert "LSTM, seed 1" in result.err and "experiment-length: done" in result.err
    assert [run["name"] for run in nlptui("runs", "--json").json["runs"]] == ["experiment-length"]


@pytest.mark.usefixtures("warm_workers")
def test_started_in_the_background(nlptui: Nlptui) -> None:
    result = nlptui("experiment", "length", "--quick")
    assert result.out.strip() == "experiment-length" and "nlptui experiment experiment-length" in result.err
    client.wait("experiment-length", 120)


def test_what_a_run_has_measured(nlptui: Nlptui, home: Path) -> None:
    made("mine")
    told = nlptui("experiment", "mine", "--json").json
    assert told["rows"][0] == {"chart": "recall", "series": "RNN", "seed": 1, "x": 1, "y": 0.25}
    assert told["rows"][-1]["y"] == "nan" and told["state"] == "done"
    page = nlptui("experiment", "mine", "--csv", str(home / "x.csv"))
    assert "right answers by distance" in page.out and client.EXPERIMENTS["recall"].claim in page.out
    assert (home / "x.csv").read_text().splitlines()[1:3] == [
        "recall,recall,RNN,1,1,0.25",
        "recall,recall,RNN,1,40,0.25",
    ]
    made("cut", "stopped", quick=True)
    cut = nlptui("experiment", "cut")
    assert "so far" in cut.err and client.EXPERIMENTS["recall"].claim not in cut.out
    assert set(experiment_names()) == {*client.EXPERIMENTS, "mine", "cut"}
    assert nlptui("runs", "resume", "mine", status=1).err.count("nlptui experiment recall") == 1
    followed = nlptui("runs", "follow", "mine").out.splitlines()
    assert followed[0].split("measured ")[1] == "chart recall series RNN seed 1 x 1 y 0.2500"


def test_names_that_are_none(nlptui: Nlptui) -> None:
    result = nlptui("experiment", "recal", status=1)
    assert "recall, gradients" in result.err and len(result.err.strip().splitlines()) == 1
    write_settings(made("later"), Settings("not known yet"))
    assert "no experiment is called later" in nlptui("experiment", "later", status=1).err
    assert experiment_names() == list(client.EXPERIMENTS)
    path = runs_dir() / "train"
    path.mkdir(parents=True)
    assert "no experiment is called train" in nlptui("experiment", "train", status=1).err
    assert nlptui("experiment", "../x", status=1).err.count("\n") == 1
