"""Real worker processes: they outlive front ends, stop with a saved state, die and are found lost, go on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train import client, worker
from nlptui.train.run import RunDirectory, RunStatus
from tests.train.small import small
from tests.train.test_loop import curve

pytestmark = pytest.mark.usefixtures("tiny_data", "warm_workers")
PATIENCE = 60.0


def until(condition: Callable[[], Any]) -> Any:
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.01)
    return found


def directory(name: str) -> RunDirectory:
    return RunDirectory(runs_dir() / name)


def log(name: str) -> str:
    return directory(name).log_path.read_text(encoding="utf-8")


def endless(family: str = "lstm", **settings: Any) -> Any:
    """A recipe that goes on until it is stopped."""
    return small(
        family, **({"steps": 10**6, "evaluate_every": 0, "save_every": 50, "log_every": 10} | settings)
    )


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Any:
    yield
    for run in client.runs():
        if run.state in ("queued", "running", "paused") and run.pid:
            os.kill(run.pid, signal.SIGKILL)


def test_a_run_from_start_to_end_and_on_from_there() -> None:
    handle = client.start(small("lstm"))
    seen = list(client.follow(handle.name, interval=0.01))
    status = handle.status()
    assert (status.state, status.step, status.steps, status.error) == ("done", 12, 12, ""), log(handle.name)
    states = [(status.state, status.phase) for status, _rows in seen]
    assert states[0] == ("queued", "") and states[-1] == ("done", "") and ("running", "loading") in states
    assert [row for _status, rows in seen for row in rows] == client.metrics(handle.name)
    assert 0 <= status.metrics["dev_accuracy"] <= 1 and status.metrics["loss"] > 0
    assert (handle.path / status.latest).is_dir() and (handle.path / status.best).is_dir()
    assert not (handle.path / ".reserve").exists()
    assert log(handle.name) == ""
    client.resume(handle.name, {"train.steps": 20})
    status = client.wait(handle.name, PATIENCE)
    assert (status.state, status.step) == ("done", 20)


def test_a_worker_loads_no_compiler() -> None:
    """torch.optim would bring torch._dynamo, which takes as long to load as torch itself."""
    run = directory("one")
    run.path.mkdir(parents=True)
    run.write_recipe(small("bert", average=0.9))
    code = (
        "import sys; from nlptui.train.worker import main\n"
        "code = main(sys.argv[1:]); sys.exit(code or 'torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(run.path)], check=False).returncode == 0
    assert run.status().state == "done"


def test_two_runs_at_once_and_each_keeps_to_itself() -> None:
    first = client.start(small("lstm"), overrides={"train.steps": 30})
    second = client.start(small("lstm"), overrides={"train.steps": 40})
    assert (first.name, second.name) == ("small-lstm", "small-lstm-2")
    with pytest.raises(UserError, match="exists"):
        client.start(small("lstm"), name="small-lstm")
    assert [client.wait(run.name, PATIENCE).state for run in (first, second)] == ["done", "done"]
    assert [(run.name, run.step) for run in client.runs()] == [("small-lstm", 30), ("small-lstm-2", 40)]


def test_killed_at_random_moments_and_resumed_it_ends_in_the_same_weights() -> None:
    recipe = small("lstm", steps=240, save_every=20, evaluate_every=60, log_every=5)
    whole, killed = client.start(recipe, "whole"), client.start(recipe, "killed")
    rng = random.Random(time.time_ns())
    for _ in range(3):
        before = until(lambda: client.status("killed").phase == "training" and client.status("killed"))
        time.sleep(rng.uniform(0.0, 0.4))
        if (status := client.status("killed")).state == "done":
            break
        os.kill(before.pid, signal.SIGKILL)
        status = until(lambda: (found := client.status("killed")).state in ("lost", "done") and found)
        if status.state == "done":
            break
        # At most the steps since the last checkpoint are lost: 20, where it died while it saved the next one.
        assert status.error and 0 <= status.step - _step(status.latest) <= recipe.train.save_every
        client.resume("killed")
    assert client.wait("killed", PATIENCE).state == "done", log("killed")
    assert client.wait("whole", PATIENCE).state == "done", log("whole")
    assert curve(directory("killed")) == curve(directory("whole"))
    weights = [load_file(run.path / "step_000240" / "model.safetensors") for run in (whole, killed)]
    assert all(value.equal(weights[1][name]) for name, value in weights[0].items())


def _step(folder: str) -> int:
    return int(folder.removeprefix("step_")) if folder else 0


def test_a_worker_outlives_its_front_end_and_a_hang_up_and_ends_well_when_terminated() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from tests.train.test_worker import endless\n"
        "from nlptui.train import client; print(client.start(endless(save_every=0), 'orphan').path)"
    )
    front_end = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parents[2])],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    assert front_end.stdout.strip() == str(directory("orphan").path)
    status = until(lambda: client.status("orphan").step > 20 and client.status("orphan"))
    assert status.state == "running" and os.getsid(status.pid) == status.pid
    os.kill(status.pid, signal.SIGHUP)
    until(lambda: client.status("orphan").step > status.step + 20)
    os.kill(status.pid, signal.SIGTERM)
    status = client.wait("orphan", PATIENCE)
    assert (status.state, status.error) == ("stopped", "") and _step(status.latest) == status.step > 20


def test_pausing_and_going_on_while_a_second_worker_is_turned_away() -> None:
    handle = client.start(endless(), "one")
    until(lambda: client.status("one").step > 0)
    client.pause("one")
    paused = until(lambda: client.status("one").state == "paused" and client.status("one"))
    second = subprocess.run(
        [sys.executable, "-m", "nlptui.train.worker", str(handle.path)], capture_output=True, check=False
    )
    assert second.returncode == 2
    assert (client.status("one").pid, client.status("one").step) == (paused.pid, paused.step)
    client.resume("one")
    assert until(lambda: client.status("one").step > paused.step and client.status("one")).state == "running"
    client.pause("one")
    until(lambda: client.status("one").state == "paused")
    client.stop("one")
    assert client.wait("one", PATIENCE).state == "stopped"


def test_stopping_saves_a_broken_checkpoint_is_explained_and_other_batches_go_on() -> None:
    handle = client.start(endless(save_every=0), "one")
    until(lambda: client.status("one").step > 20)
    client.stop("one")
    stopped = client.wait("one", PATIENCE)
    assert (stopped.state, stopped.error) == ("stopped", "") and _step(stopped.latest) == stopped.step > 20
    assert not directory("one").stop_path.exists()
    weights = handle.path / stopped.latest / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    client.resume("one", {"train.batch_size": 4, "train.steps": stopped.step + 5})
    status = client.wait("one", PATIENCE)
    assert status.state == "failed" and "model.safetensors" in status.error and "\n" not in status.error
    assert "Traceback" in log("one")
    weights.write_bytes(content)
    client.resume("one")
    status = client.wait("one", PATIENCE)
    assert (status.state, status.step) == ("done", stopped.step + 5), log("one")


# what goes wrong


def test_a_missing_corpus_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path))
    client.start(small("lstm"), "one")
    status = client.wait("one", PATIENCE)
    assert status.state == "failed" and "en_ewt" in status.error and "\n" not in status.error
    assert "Traceback" in log("one")
    assert all(line.isprintable() for line in client.log("one"))


def test_a_broken_config_is_explained() -> None:
    run = directory("one")
    run.path.mkdir(parents=True)
    run.config_path.write_text("{")
    run.write_status(RunStatus("one", "stopped"))
    with pytest.raises(UserError, match=r"config\.json"):
        client.resume("one")
    ended = subprocess.run(
        [sys.executable, "-m", "nlptui.train.worker", str(run.path)], capture_output=True, check=False
    )
    assert ended.returncode == 1
    assert client.status("one").state == "failed" and "config.json" in client.status("one").error


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_full_ends_in_a_saved_explained_state(tmp_path: Path) -> None:
    runs_dir().mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(runs_dir())], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this system does not let tests mount a disk")
    try:
        client.start(endless(keep=0, save_every=5), "one")
        status = client.wait("one", PATIENCE)
        assert status.state == "failed" and "disk is full" in status.error, log("one")
        assert status.latest and (directory("one").path / status.latest / "model.safetensors").is_file()
        folders = directory("one").checkpoints()
        assert folders
        for folder in folders[:-1]:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        client.resume("one", {"train.keep": 1, "train.steps": status.step + 20})
        assert client.wait("one", PATIENCE).state == "done", log("one")
    finally:
        subprocess.run(["umount", "-l", str(runs_dir())], check=False)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device"), "disk is full"),
        (
            RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
            "disk is full",
        ),
        (MemoryError(), "out of memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate: not enough memory"),
            "out of memory",
        ),
        (UserError("the loss is nan"), "the loss is nan"),
        (KeyError("x\ny"), "KeyError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_every_failure_has_one_line(error: BaseException, says: str) -> None:
    line = worker.explain(error)
    assert says in line and "\n" not in line


def test_the_worker_refuses_what_is_no_run(tmp_path: Path) -> None:
    assert worker.main([]) == 2
    assert worker.main([str(tmp_path / "nowhere")]) == 2


def test_the_reporter_keeps_what_it_is_not_told_to_change(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    reporter = worker.Reporter(
        run, RunStatus(tmp_path.name, "lost", step=7, best="step_000005", error="gone")
    )
    reporter.update(phase="training")
    status = run.status()
    assert (status.state, status.step, status.best, status.error, status.pid) == (
        "running", 7, "step_000005", "", os.getpid(),
    )  # fmt: skip
