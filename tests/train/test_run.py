"""The run directory: states, broken files, metrics, names, and what front ends may ask for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train import client
from nlptui.train.recipe import recipe_from_dict
from nlptui.train.run import RunDirectory, RunStatus, check_run_name, process_birth
from tests.train.test_recipe import plain


@pytest.fixture
def run() -> RunDirectory:
    path = runs_dir() / "one"
    path.mkdir(parents=True)
    directory = RunDirectory(path)
    directory.write_recipe(recipe_from_dict(plain(), "here"))
    return directory


def write(run: RunDirectory, state: str, **more: Any) -> None:
    run.write_status(RunStatus("one", state, **more))


# states


def test_a_live_worker_is_running(run: RunDirectory) -> None:
    write(run, "running", pid=os.getpid(), born=process_birth(os.getpid()), step=3)
    assert (run.status().state, run.status().step) == ("running", 3)


@pytest.mark.parametrize("state", ["queued", "running", "paused"])
def test_a_dead_worker_is_lost(run: RunDirectory, state: str) -> None:
    worker = subprocess.Popen([sys.executable, "-c", ""])
    worker.wait()
    write(run, state, pid=worker.pid, born=1)
    assert run.status().state == "lost" and run.status().error


def test_a_dead_worker_that_nobody_waited_for_is_lost(run: RunDirectory) -> None:
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        write(run, "running", pid=worker.pid, born=process_birth(worker.pid))
        assert run.status().state == "running"
        worker.kill()
        until = time.monotonic() + 10
        while run.status().state != "lost" and time.monotonic() < until:
            time.sleep(0.02)
        assert run.status().state == "lost"
    finally:
        worker.kill()
        worker.communicate()


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="the system does not tell when a process started"
)
def test_another_process_with_the_same_number_is_not_the_worker(run: RunDirectory) -> None:
    birth = process_birth(os.getpid())
    assert birth
    write(run, "running", pid=os.getpid(), born=birth - 1)
    assert run.status().state == "lost"


def test_a_run_whose_worker_never_came_is_lost_after_a_while(run: RunDirectory) -> None:
    write(run, "queued")
    assert run.status().state == "queued"
    content = json.loads(run.status_path.read_text())
    run.status_path.write_text(json.dumps(content | {"updated": time.time() - 3600}))
    assert run.status().state == "lost"


@pytest.mark.parametrize("state", ["done", "stopped", "failed"])
def test_an_ended_run_needs_no_worker(run: RunDirectory, state: str) -> None:
    write(run, state, pid=1, born=1)
    assert run.status().state == state


def test_the_status_says_what_scripts_rely_on(run: RunDirectory) -> None:
    write(run, "done", step=5, steps=5, metrics={"loss": float("nan")})
    content = json.loads(run.status_path.read_text(), parse_constant=pytest.fail)
    assert content.keys() >= {"name", "state", "pid", "step", "steps", "metrics", "error"}
    assert content["metrics"] == {"loss": "nan"}
    assert run.status().to_dict().keys() == content.keys()


# broken files


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\x00", b"null"])
def test_a_broken_status_is_lost_and_explained(run: RunDirectory, content: bytes) -> None:
    (run.path / "step_000020").mkdir()
    run.status_path.write_bytes(content)
    status = run.status()
    assert (status.state, status.latest) == ("lost", "step_000020") and "status.json" in status.error
    assert [status.name for status in client.runs()] == ["one"]


def test_a_status_with_wrong_types_keeps_what_is_right(run: RunDirectory) -> None:
    run.status_path.write_text(
        json.dumps(
            {"state": "dancing", "pid": "7", "step": True, "steps": 9, "error": 3, "metrics": [], "x": 1}
        )
    )
    status = run.status()
    assert (status.steps, status.step, status.pid, status.metrics, status.error != 3) == (
        9,
        0,
        None,
        {},
        True,
    )


def test_a_missing_config_is_one_clear_error(run: RunDirectory) -> None:
    run.config_path.write_text("{")
    with pytest.raises(UserError, match=r"config\.json"):
        run.recipe()


def test_the_writing_of_a_status_is_never_seen_half(run: RunDirectory) -> None:
    before = RunStatus("one", "done", error="x" * 100_000)
    run.write_status(before)
    run.write_status(RunStatus("one", "failed", error="y" * 50))
    assert run.status().error == "y" * 50
    assert not [path for path in run.path.iterdir() if path.suffix == ".part"]


# metrics


def test_metrics_are_appended_and_read_from_a_place_on(run: RunDirectory) -> None:
    for step in range(5):
        run.append_metrics({"step": step, "loss": 1.0 / (step + 1)})
    assert [row["step"] for row in client.metrics("one")] == [0, 1, 2, 3, 4]
    assert [row["step"] for row in client.metrics("one", since=3)] == [3, 4]


def test_metrics_are_strict_json(run: RunDirectory) -> None:
    run.append_metrics({"step": 1, "loss": float("nan"), "more": [float("inf")]})
    line = run.metrics_path.read_text()
    assert json.loads(line, parse_constant=pytest.fail) == {"step": 1, "loss": "nan", "more": ["inf"]}


def test_a_torn_last_line_is_left_out_and_not_added_to(run: RunDirectory) -> None:
    run.append_metrics({"step": 1, "loss": 2.0})
    with run.metrics_path.open("ab") as file:
        file.write(b'{"step": 2, "lo')
    assert [row["step"] for row in run.metrics()] == [1]
    run.append_metrics({"step": 3, "loss": 1.0})
    assert [row["step"] for row in run.metrics()] == [1, 3]


def test_garbage_in_the_metrics_is_left_out(run: RunDirectory) -> None:
    run.metrics_path.write_bytes(b'\xff\xfe\n[1]\n{"loss": 1}\n{"step": "x"}\n\n{"step": 4}\n')
    assert run.metrics() == [{"step": 4}]


def test_rewinding_forgets_later_rows_and_torn_ones(run: RunDirectory) -> None:
    for step in (10, 20, 30):
        run.append_metrics({"step": step})
    with run.metrics_path.open("ab") as file:
        file.write(b'{"step')
    run.rewind_metrics(20)
    assert run.metrics_path.read_text() == '{"step": 10}\n{"step": 20}\n'


# names


@pytest.mark.parametrize("name", ["a", "pos-lstm-en", "run_2.1", "中文", "0"])
def test_good_names(name: str) -> None:
    assert check_run_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc",
        "-x",
        ".x",
        "a\0",
        "a\n",
        "a b",
        "\u202ea",
        "x" * 200,
        "~",
    ],
)
def test_names_that_lead_elsewhere_are_refused_everywhere(name: str, tmp_path: Path) -> None:
    for ask in (
        client.status,
        client.stop,
        client.pause,
        client.resume,
        client.remove,
        client.metrics,
        client.log,
    ):
        with pytest.raises(UserError):
            ask(name)
    with pytest.raises(UserError):
        client.start(recipe_from_dict(plain(), "here"), name=name)
    assert not runs_dir().exists() or not list(runs_dir().iterdir())


def test_an_unknown_run_is_one_line() -> None:
    with pytest.raises(UserError, match="nothing-here"):
        client.status("nothing-here")


# what front ends may ask for


def test_only_live_runs_can_be_stopped_or_paused(run: RunDirectory) -> None:
    write(run, "done")
    for ask in (client.stop, client.pause):
        with pytest.raises(UserError, match="done"):
            ask("one")
    assert not run.stop_path.exists() and not run.pause_path.exists()


def test_a_live_run_is_not_removed(run: RunDirectory) -> None:
    write(run, "running", pid=os.getpid(), born=process_birth(os.getpid()))
    with pytest.raises(UserError, match="stop it"):
        client.remove("one")
    assert run.path.is_dir()


def test_removing_a_link_leaves_what_it_points_to(run: RunDirectory, tmp_path: Path) -> None:
    write(run, "done")
    elsewhere = tmp_path / "elsewhere"
    run.path.rename(elsewhere)
    run.path.symlink_to(elsewhere)
    client.remove("one")
    assert not run.path.exists() and (elsewhere / "config.json").is_file()


def test_a_done_run_goes_on_only_with_more_steps(run: RunDirectory) -> None:
    write(run, "done", step=30, steps=30)
    with pytest.raises(UserError, match=r"train\.steps=60"):
        client.resume("one")


def test_settings_of_the_model_cannot_change_in_a_run(run: RunDirectory) -> None:
    write(run, "stopped", step=30, steps=30)
    with pytest.raises(UserError, match="d_hidden"):
        client.resume("one", {"model.d_hidden": 3})


def test_pausing_is_taken_back_by_resuming(run: RunDirectory) -> None:
    write(run, "running", pid=os.getpid(), born=process_birth(os.getpid()))
    client.pause("one")
    assert run.pause_path.exists()
    client.resume("one")
    assert not run.pause_path.exists()


def test_the_list_skips_what_is_no_run(run: RunDirectory) -> None:
    write(run, "done")
    (runs_dir() / "notes.txt").write_text("x")
    (runs_dir() / ".hidden").mkdir()
    assert [(status.name, status.state) for status in client.runs()] == [("one", "done")]
