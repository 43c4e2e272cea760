"""Training runs on the command line: what is printed of them, and which words reach the run client."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import BashComplete

from nlptui.cli import cli
from nlptui.paths import runs_dir
from nlptui.train import client
from nlptui.train.run import RunDirectory, RunStatus
from tests.cli.conftest import Nlptui
from tests.conftest import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path))
    return tmp_path


def make_run(name: str, **status: Any) -> RunDirectory:
    path = runs_dir() / name
    path.mkdir(parents=True)
    run = RunDirectory(path)
    run.write_status(RunStatus(name, **status))
    run.append_metrics({"step": 10, "time": 1.5, "loss": 2.25})
    run.append_metrics({"step": 20, "time": 3.0, "loss": 1.75, "tokens_per_second": 1200})
    run.append_metrics({"step": 20, "time": 3.1, "split": "dev", "accuracy": 0.5})
    return run


def test_no_runs(nlptui: Nlptui, home: Path) -> None:
    assert nlptui("runs", "--json").json == {"runs": []}
    assert "nlptui train" in nlptui("runs").out


def test_list_and_show(nlptui: Nlptui, home: Path) -> None:
    make_run("small", state="done", step=20, steps=20, metrics={"loss": 1.75, "dev_accuracy": 0.5})
    make_run("cut", state="running", pid=2**22 + 1, step=7, steps=20)
    listed = {run["name"]: run for run in nlptui("runs", "--json").json["runs"]}
    assert listed["small"]["state"] == "done" and listed["cut"]["state"] == "lost"
    shown = nlptui("runs", "show", "small", "--json").json
    assert shown == {
        "name": "small", "state": "done", "pid": None, "step": 20, "steps": 20,
        "metrics": {"loss": 1.75, "dev_accuracy": 0.5},
    }  # fmt: skip
    assert "small: done, step 20/20" in nlptui("runs", "show", "small").out
    assert {"small", "cut"} <= {line.split()[0] for line in nlptui("runs").out.splitlines()}


def test_follow_prints_what_was_measured_and_ends_with_the_run(nlptui: Nlptui, home: Path) -> None:
    make_run("small", state="done", step=20, steps=20)
    result = nlptui("runs", "follow", "small", "--json")
    assert [json.loads(line)["step"] for line in result.out.splitlines()] == [10, 20, 20]
    assert result.err == "small: done at step 20/20\n"
    lines = nlptui("runs", "follow", "small").out.splitlines()
    assert lines[0].split() == ["10/20", "loss", "2.2500"] and "dev" in lines[2].split()


def test_follow_of_a_failed_run_fails(nlptui: Nlptui, home: Path) -> None:
    make_run("bad", state="failed", step=3, steps=20, error="the loss is not a number")
    assert nlptui("runs", "follow", "bad", status=1).err.endswith("the loss is not a number\n")


def test_ctrl_c_leaves_a_followed_run_alone(
    nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("small", state="running", pid=os.getpid(), step=20, steps=40)
    monkeypatch.setattr("time.sleep", _interrupt)
    assert nlptui("runs", "follow", "small", status=130).err == "nlptui: interrupted\n"
    assert not run.stop_path.exists()


def _interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_in_the_foreground_stops_the_run(
    nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("small", state="running", pid=os.getpid(), step=20, steps=40)

    def sleep(_seconds: float) -> None:
        if not run.stop_path.exists():
            raise KeyboardInterrupt
        run.write_status(RunStatus("small", state="stopped", step=21, steps=40))

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(client, "start", lambda recipe, name, overrides: client.RunHandle("small", run.path))
    result = nlptui("train", "any", "--foreground")
    assert run.stop_path.exists() and result.err.endswith("small: stopped at step 21/40\n")


def test_train_hands_recipe_name_and_settings_over(
    nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def start(recipe: str, name: str | None, overrides: dict[str, Any]) -> client.RunHandle:
        asked.append((recipe, name, overrides))
        return client.RunHandle("mine", make_run("mine", state="queued", steps=5).path)

    monkeypatch.setattr(client, "start", start)
    settings = ("--set", "train.steps=5", "--set", "model.arch=gru", "--set", "train.learning_rate=1e-3")
    result = nlptui("train", "recipe.toml", "--name", "mine", *settings)
    assert asked == [
        ("recipe.toml", "mine", {"train.steps": 5, "model.arch": "gru", "train.learning_rate": 1e-3})
    ]
    assert result.out == "mine\n" and "nlptui runs follow mine" in result.err


def test_fork_reaches_the_client(nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run("old", state="done", step=20, steps=20)
    asked: list[Any] = []

    def fork(name: str, step: int | None, changes: dict[str, Any], new: str | None) -> client.RunHandle:
        asked.append((name, step, changes, new))
        run = make_run(new or "old-fork", state="queued", step=10, steps=40)
        return client.RunHandle(run.name, run.path)

    monkeypatch.setattr(client, "fork", fork)
    done = nlptui("runs", "fork", "old", "--at", "10", "--name", "new", "--set", "train.steps=40", "--json")
    assert asked == [("old", 10, client.parse_overrides(("train.steps=40",)), "new")]
    assert done.json["name"] == "new"


def test_fork_of_a_step_without_checkpoint_says_so(nlptui: Nlptui, home: Path) -> None:
    make_run("old", state="done", step=20, steps=20)
    done = nlptui("runs", "fork", "old", "--at", "10", status=1)
    assert "old" in done.err and len(done.err.splitlines()) == 1


def test_metrics_as_lines_as_a_table_and_as_json(nlptui: Nlptui, home: Path) -> None:
    run = make_run("small", state="done", step=20, steps=20)
    run.append_metrics({"step": 20, "time": 3.2, "kind": "layers", "grad_norm": {"layers.0": 0.25}})
    assert len(nlptui("runs", "metrics", "small").out.splitlines()) == 3
    table = nlptui("runs", "metrics", "small", "--csv").out.splitlines()
    assert table[0] == "step,time,loss,tokens_per_second,split,accuracy"
    assert table[2] == "20,3.0,1.75,1200,,"
    rows = nlptui("runs", "metrics", "small", "--layers", "--json").json["rows"]
    assert [row["grad_norm"] for row in rows] == [{"layers.0": 0.25}]
    assert "grad_norm.layers.0" in nlptui("runs", "metrics", "small", "--layers", "--csv").out.splitlines()[0]


SAMPLES: list[tuple[Any, str]] = [
    ({"output": {"tags": [{"token": "a b", "tag": "DET", "prob": 0.9}]}}, "a␣b/DET"),
    ({"output": {"text": "one\ntwo", "candidates": []}}, "one⏎two"),
    ({"output": {"labels": [{"label": "pos", "prob": 0.75}]}}, "pos 0.7500"),
    ({"output": {"spans": [{"text": "home", "start": 1, "end": 2, "prob": 0.5}]}}, "home 0.5000"),
    ({"output": {"candidates": [{"pos": 3, "tokens": [{"text": "cat"}, {"text": "dog"}]}]}}, "3: cat dog"),
    ({"problem": "it reads \x1b one text"}, "it reads ␛ one text"),
    ({"output": {"labels": 7}}, "{'labels': 7}"),
    ({}, "None"),
]


@pytest.mark.parametrize(("row", "said"), SAMPLES, ids=range(len(SAMPLES)))
def test_samples_a_line_a_step_under_their_sentence(
    nlptui: Nlptui, home: Path, row: dict[str, Any], said: str
) -> None:
    run = make_run("small", state="done", step=20, steps=20)
    assert "nothing yet" in nlptui("runs", "samples", "small").out
    for step in (10, 20):
        run.append_sample({"step": step, "text": "the sea"} | row)
    lines = nlptui("runs", "samples", "small").out.splitlines()
    assert lines == ["the sea", f"      10  {said}", f"      20  {said}"]
    assert nlptui("runs", "samples", "small", "--json").json["rows"][0]["step"] == 10


def test_show_tells_what_there_is_to_look_at_and_to_fork_from(nlptui: Nlptui, home: Path) -> None:
    run = make_run("small", state="done", step=20, steps=20)
    for folder in (run.step_folder(20), run.snapshot_folder(0), run.snapshot_folder(20)):
        folder.mkdir(parents=True)
    shown = nlptui("runs", "show", "small", "--json").json
    assert shown["checkpoints"] == [20] and shown["snapshots"] == [0, 20]
    lines = nlptui("runs", "show", "small").out.splitlines()
    assert lines[-2:] == ["checkpoints at steps 20", "weights to look at of steps 0, 20"]


def test_train_estimates_and_prepares_without_starting(
    nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = (1_234_567, 300_000_000, 5_000_000, 15_000_000)
    found = client.Estimate(*numbers, 3725.0, 20_000, 0.18, 5.0, 2.0, 0.1)
    asked: list[Any] = []

    def estimate(recipe: str, overrides: dict[str, Any]) -> client.Estimate:
        asked.append(overrides)
        return found

    monkeypatch.setattr(client, "estimate", estimate)
    recipe = str(ROOT / "models" / "recall-rnn" / "recipe.toml")
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 99.0, 99.0), raising=False)
    said = nlptui("train", recipe, "--estimate", "--tensorboard")
    told = said.out
    assert said.err.startswith("The machine is busy: load 99.0 on ")
    assert "1,234,567" in told and "300 MB" in told and "1:02:05" in told and "180.0 ms" in told
    assert asked == [{"train.tensorboard": True}]
    assert nlptui("train", recipe, "--estimate", "--json").json["seconds"] == 3725.0
    assert nlptui("runs", "--json").json == {"runs": []}
    made = nlptui("train", recipe, "--prepare", "--name", "later", "--json").json
    assert (made["name"], made["state"]) == ("later", "stopped")
    assert Path(made["path"]).is_dir()
    assert "torchrun" in nlptui("train", recipe, "--prepare", "--name", "later-2").out


def test_stop_needs_a_run_that_goes(nlptui: Nlptui, home: Path) -> None:
    run = make_run("small", state="done", step=20, steps=20)
    assert "small is done" in nlptui("runs", "stop", "small", status=1).err
    alive = make_run("alive", state="running", pid=os.getpid(), step=1, steps=20)
    assert "resume alive" in nlptui("runs", "stop", "alive").err
    assert alive.stop_path.exists() and not run.stop_path.exists()


def test_resume_reaches_the_client(nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("small", state="stopped", step=20, steps=40)
    asked: list[Any] = []

    def resume(name: str, overrides: dict[str, Any]) -> client.RunHandle:
        asked.append((name, overrides))
        return client.RunHandle(name, run.path)

    monkeypatch.setattr(client, "resume", resume)
    assert nlptui("runs", "resume", "small", "--set", "train.steps=80").out == "small\n"
    assert asked == [("small", {"train.steps": 80})]


def test_resume_of_a_run_that_goes_says_so(nlptui: Nlptui, home: Path) -> None:
    make_run("alive", state="running", pid=os.getpid(), step=1, steps=20)
    assert "alive goes on already" in nlptui("runs", "resume", "alive").err
    run = make_run("waits", state="paused", pid=os.getpid(), step=1, steps=20)
    run.pause_path.touch()
    assert "already" not in nlptui("runs", "resume", "waits").err and not run.pause_path.exists()


@pytest.mark.parametrize(
    ("state", "error", "reason"),
    [
        ("running", "", "the worker ended without a word (killed, or the machine went down)"),
        ("failed", "the loss is not a number", "the loss is not a number"),
        ("stopped", "", "stopped"),
    ],
)
def test_a_run_that_ended_early_says_how_it_goes_on(
    nlptui: Nlptui, home: Path, state: str, error: str, reason: str
) -> None:
    make_run("cut", state=state, error=error, pid=2**22 + 1, step=7, steps=20)
    offer = f"{reason}; nlptui runs resume cut goes on"
    assert nlptui("runs", "show", "cut").out.splitlines()[1] == offer
    assert nlptui("runs").out.splitlines()[-1] == f"cut: {offer}"


def test_a_run_that_is_done_or_alive_offers_nothing(nlptui: Nlptui, home: Path) -> None:
    make_run("small", state="done", step=20, steps=20)
    make_run("alive", state="running", pid=os.getpid(), step=7, steps=20)
    for words in (("runs",), ("runs", "show", "small"), ("runs", "show", "alive")):
        assert "resume" not in nlptui(*words).out


def test_runs_in_chinese_name_states_and_steps_in_chinese(nlptui: Nlptui, home: Path) -> None:
    make_run("small", state="done", step=20, steps=20)
    make_run("alive", state="running", pid=os.getpid(), step=7, steps=20)
    for words in (("show", "small"), ("stop", "small"), ("pause", "small"), ("rm", "alive"),
                  ("resume", "small"), ("resume", "alive", "--set", "train.steps=3")):  # fmt: skip
        told = nlptui("--lang", "zh", "runs", *words, status=None)
        said = (told.out + told.err).replace("train.steps", "")
        assert re.search("[一-鿿]", said) and not re.search(r"\b(done|running|step)\b", said), said


def test_rm_removes_a_run_that_has_ended(nlptui: Nlptui, home: Path) -> None:
    gone = make_run("gone", state="done")
    alive = make_run("alive", state="running", pid=os.getpid())
    nlptui("runs", "rm", "gone")
    assert "stop it" in nlptui("runs", "rm", "alive", status=1).err
    assert not gone.path.exists() and alive.path.exists()


BAD = "\x1b]0;x\x07\u202e"
BAD_STATES: list[dict[str, Any]] = [
    {"state": "failed", "error": BAD, "metrics": {BAD: 1.0}},
    {"state": "running", "pid": os.getpid(), "left": float("nan"), "metrics": {BAD: BAD, "loss": [BAD]}},
    {"state": "running", "pid": os.getpid(), "left": float("inf"), "phase": BAD, "steps": 5},
]


@pytest.mark.parametrize("status", BAD_STATES, ids=range(len(BAD_STATES)))
def test_what_a_status_holds_reaches_no_terminal(nlptui: Nlptui, home: Path, status: dict[str, Any]) -> None:
    make_run("odd").status_path.write_text(json.dumps(status))
    for words in (("runs",), ("runs", "show", "odd"), ("runs", "show", "odd", "--json")):
        result = nlptui(*words)
        assert "odd" in result.out and not result.err
        assert all(line.isprintable() for line in result.out.splitlines()), words


def test_what_was_measured_reaches_no_terminal(nlptui: Nlptui, home: Path) -> None:
    run = make_run("odd", state="failed", error=BAD)
    run.append_metrics({"step": 30, "split": BAD, BAD: BAD, "list": [BAD], "none": None, "table": {BAD: 1}})
    result = nlptui("runs", "follow", "odd", status=1)
    assert len(result.out.splitlines()) == 4 and result.err.count("\n") == 1
    assert all(line.isprintable() for line in (result.out + result.err).splitlines())


KEPT = {
    "test": "mine: step 30, on test: accuracy 0.9000 (baseline 0.8000), loss 0.1000",
    "dev": "mine: step 30, on dev, as there is no test split: accuracy 0.9000 (baseline 0.8000), loss 0.1000",
    "": "mine: step 30, not measured: the corpus ␛[31m is gone",
}


@pytest.mark.parametrize("split", KEPT)
def test_keep_says_what_was_measured(
    nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    metrics, baselines = {"accuracy": 0.9, "loss": 0.1}, {"accuracy": 0.8}
    asked: list[Any] = []

    def keep(run: str, name: str | None, force: bool) -> client.Kept:
        asked.append((run, name, force))
        problem = "the corpus \x1b[31m is gone"
        return client.Kept("mine", home / "mine", 30, split, metrics, baselines, problem)

    monkeypatch.setattr(client, "keep", keep)
    result = nlptui("runs", "keep", "small", "mine", "--force")
    assert result.out == KEPT[split] + "\n" and "nlptui -m mine" in result.err
    shown = nlptui("runs", "keep", "small", "--json").json
    assert shown["run"] == "small" and shown["name"] == "mine" and shown["path"] == str(home / "mine")
    assert (shown["split"], shown["metrics"], shown["baselines"]) == (split, metrics, baselines)
    assert asked == [("small", "mine", True), ("small", None, False)]


@pytest.mark.parametrize("verb", ["show", "follow", "stop", "pause", "resume", "keep", "rm"])
def test_an_unknown_run(nlptui: Nlptui, home: Path, verb: str) -> None:
    result = nlptui("runs", verb, "nothing", status=1)
    assert "nothing" in result.err and result.err.count("\n") == 1 and not result.out


def test_front_ends_may_import_nothing_of_training_but_the_client() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    rule = next(rule for rule in rules["contracts"] if rule["id"] == "front-ends")
    parts = {path.stem for path in (ROOT / "nlptui" / "train").glob("*.py")} - {"__init__"}
    assert parts and {f"nlptui.train.{part}" for part in parts} <= set(rule["forbidden_modules"])


def test_names_of_runs_complete(nlptui: Nlptui, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run("small", state="done")
    completion = BashComplete(cli, {}, "nlptui", "_NLPTUI_COMPLETE")
    assert "keep" in [item.value for item in completion.get_completions(["runs"], "k")]
    for verb in ("show", "resume", "keep", "rm"):
        assert [item.value for item in completion.get_completions(["runs", verb], "s")] == ["small"]
