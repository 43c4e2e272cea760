"""Every bad end is a saved, explained state from which the run can go on: full disks, no memory, no numbers,
kills, a machine that was asleep.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nlptui.engine import checkpoint
from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train.clock import Clock
from nlptui.train.loop import Trainer
from nlptui.train.optimize import AdamW
from nlptui.train.run import RunDirectory, RunStatus
from nlptui.train.state import TENSORS_FILE, read_state
from nlptui.train.worker import Reporter
from tests.train.processes import ended, fork, until
from tests.train.small import small
from tests.train.test_devices import poison
from tests.train.test_loop import Wish, curve, directory, train

resource: Any = pytest.importorskip("resource", reason="this system has no limits of that kind")
pytestmark = [
    pytest.mark.usefixtures("tiny_data"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
]


def begun(name: str, recipe: Any) -> RunDirectory:
    """A run with its recipe, queued."""
    run = directory(name)
    run.write_recipe(recipe)
    run.write_status(RunStatus(name, "queued"))
    return run


def whole(folder: Path) -> bool:
    """Whether a checkpoint can be gone on from."""
    checkpoint.load(folder)
    read_state(folder)
    return True


def log(run: RunDirectory) -> str:
    return run.log_path.read_text(encoding="utf-8")


# Killed.


@pytest.mark.parametrize("family", ["rnn", "lstm", "gru", "transformer", "bert", "gpt", "word2vec"])
def test_killed_three_times_and_resumed_it_ends_in_the_same_weights(family: str) -> None:
    recipe = small(family, steps=45, save_every=4, evaluate_every=15, log_every=3, average=0.9)
    if family == "transformer":
        recipe = small(family, steps=30, save_every=4, evaluate_every=0, log_every=3)
    uninterrupted, killed = begun("whole", recipe), begun("killed", recipe)
    began = time.monotonic()
    assert ended(fork(uninterrupted)) == 0, log(uninterrupted)
    took = time.monotonic() - began
    seed = time.time_ns()
    rng = random.Random(seed)
    for _kill in range(3):
        pid = fork(killed)
        time.sleep(rng.uniform(0.1, 0.7) * took)
        os.kill(pid, signal.SIGKILL)
        assert ended(pid) in (-signal.SIGKILL, 0)
        status = killed.status()
        assert status.state in ("lost", "done", "queued"), seed
        assert status.state != "lost" or (status.error and all(map(whole, killed.checkpoints()))), seed
    assert ended(fork(killed)) == 0, log(killed)
    assert killed.status().state == "done" and curve(killed) == curve(uninterrupted), seed
    last = uninterrupted.checkpoints()[-1].name
    for file in ("model.safetensors", TENSORS_FILE):
        one, other = (load_file(run.path / last / file) for run in (uninterrupted, killed))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), (seed, file)


# A full disk.


@pytest.fixture
def little_disk() -> Iterator[Path]:
    """The folder of runs on a disk of 400 kB, which has no room for snapshots."""
    runs_dir().mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(runs_dir())]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield runs_dir()
    finally:
        subprocess.run(["umount", "-l", str(runs_dir())], check=False)


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    path = disk / ".rubbish"
    size = 65536
    with path.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
    return path


def test_a_disk_that_fills_up_while_saving(little_disk: Path) -> None:
    run = begun("one", small("lstm", steps=10**6, keep=0, save_every=5, evaluate_every=0, snapshots=0))
    assert ended(fork(run)) == 1
    status = run.status()
    assert status.state == "failed" and "disk is full" in status.error and "\n" not in status.error
    assert run.checkpoints() and all(map(whole, run.checkpoints()))
    assert status.latest == run.checkpoints()[-1].name
    assert not [path for path in run.path.iterdir() if path.name.startswith((".part", ".reserve"))]
    assert read_state(run.checkpoints()[-1])[1].step <= status.step
    for folder in run.checkpoints()[:-1]:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    settings = {"keep": 1, "save_every": 5, "evaluate_every": 0, "snapshots": 0}
    run.write_recipe(small("lstm", steps=status.step + 5, **settings))
    assert ended(fork(run)) == 0, log(run)
    assert run.status().state == "done"


def test_a_disk_that_fills_up_with_snapshots(little_disk: Path) -> None:
    run = begun("one", small("gpt", steps=10**6, save_every=0, evaluate_every=0, snapshots=100))
    assert ended(fork(run)) == 1
    assert run.status().state == "failed" and "disk is full" in run.status().error
    kept = run.snapshots()
    assert kept and all((folder / "model.safetensors").stat().st_size for folder in kept)
    assert not [path for path in run.path.iterdir() if path.name.startswith((".part", ".reserve"))]


@pytest.mark.parametrize("tensorboard", [False, True])
def test_a_disk_that_is_full_while_logging(little_disk: Path, tensorboard: bool) -> None:
    if tensorboard:
        pytest.importorskip("tensorboard", reason="the extra nlptui[tensorboard] is not installed")
    settings = {"save_every": 10, "evaluate_every": 0, "log_every": 1, "snapshots": 0}
    run = begun("one", small("lstm", steps=10**6, tensorboard=tensorboard, **settings))
    pid = fork(run)
    until(lambda: run.status().step > 15)
    rubbish = fill(little_disk)
    assert ended(pid) == 1
    status = run.status()
    assert status.state == "failed" and "disk is full" in status.error
    assert run.checkpoints() and all(map(whole, run.checkpoints()))
    assert all(row["step"] == step for step, row in enumerate(run.metrics(), 1))
    rubbish.unlink()
    run.write_recipe(small("lstm", steps=status.step + 5, evaluate_every=0, log_every=1, snapshots=0))
    assert ended(fork(run)) == 0, log(run)
    rows = [row["step"] for row in run.metrics() if "split" not in row]
    assert rows == list(range(1, status.step + 6))


def test_a_disk_that_is_full_before_the_start(little_disk: Path) -> None:
    run = begun("one", small("lstm", snapshots=0))
    rubbish = fill(little_disk)
    assert ended(fork(run)) == 1
    assert run.status().state == "failed" and "disk is full" in run.status().error
    rubbish.unlink()
    assert ended(fork(run)) == 0, log(run)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="this system cannot limit a running process")
def test_a_file_that_may_not_grow_is_a_full_disk_too() -> None:
    """What a quota on the size of files does, without being root."""
    run = begun("one", small("lstm", steps=10**6, save_every=10, evaluate_every=0, log_every=1))
    pid = fork(run)
    until(lambda: run.checkpoints())
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (run.metrics_path.stat().st_size + 8000,) * 2)
    assert ended(pid) == 1
    assert run.status().state == "failed" and "disk is full" in run.status().error
    assert run.checkpoints() and all(map(whole, run.checkpoints()))


# No memory.


def test_memory_that_runs_out_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun("one", small("lstm", steps=8))
    step = AdamW.step

    def greedy(optimizer: AdamW, *given: Any, **more: Any) -> None:
        step(optimizer, *given, **more)
        if float(next(iter(optimizer.steps.values()))) == 6:
            torch.zeros(1 << 46)

    with monkeypatch.context() as patch:
        patch.setattr(AdamW, "step", greedy)
        assert ended(fork(run)) == 1
    status = run.status()
    assert status.state == "failed" and "out of memory" in status.error and "batch_size" in status.error
    assert [folder.name for folder in run.checkpoints()] == ["step_000004"]
    assert ended(fork(run)) == 0 and run.status().state == "done"


# No numbers.


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_loss_that_is_no_number_stops_before_a_weight_moves(
    value: float, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = directory("one")
    recipe = small("gpt", optimizer=optimizer, average=0.9, log_every=100)
    trainer = Trainer(run, recipe, Wish(), Reporter(run, run.status()))
    trainer.prepare()
    poison("language_model", 6, monkeypatch, value)
    for _step in range(5):
        trainer.update()
        trainer.after_update()
    weights = {name: weight.detach().clone() for name, weight in trainer.learner.parameters.items()}
    with pytest.raises(
        UserError, match=rf"the loss is {value} at step 6; resume from step_000004 with .*rate"
    ):
        trainer.update()
    assert trainer.progress.step == 5
    assert all(torch.equal(trainer.learner.parameters[name], value) for name, value in weights.items())
    assert trainer.learner.average is not None
    assert all(value.isfinite().all() for value in trainer.learner.average.values.values())
    assert [folder.name for folder in run.checkpoints()] == ["step_000004"]


def test_a_gradient_that_is_no_number_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directory("one")
    trainer = Trainer(run, small("gpt", precision="bf16"), Wish(), Reporter(run, run.status()))
    trainer.prepare()
    weight = next(iter(trainer.learner.parameters.values()))
    weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(UserError, match=r"the gradient is (inf|nan) at step 1; start again .*precision=fp32"):
        trainer.update()


def test_a_run_goes_on_after_a_loss_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun("one", small("lstm"))
    with monkeypatch.context() as patch:
        poison("tagging", 6, patch)
        assert ended(fork(run)) == 1
    assert run.status().state == "failed" and "at step 6; resume from step_000004" in run.status().error
    assert ended(fork(run)) == 0 and run.status().state == "done"
    train(directory("whole"), small("lstm"))
    assert curve(run) == curve(directory("whole"))


# A machine that was asleep.


class Hands:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_gap_in_the_clock_is_no_work() -> None:
    hands = Hands()
    clock = Clock(hands)
    for _lap in range(10):
        hands.at += 0.5
        assert clock.lap("training") == 0.5
    hands.at += 2.0
    assert clock.lap("evaluating") == 2.0
    hands.at += 8 * 3600
    assert clock.lap("training") == pytest.approx(0.5)
    hands.at += 9.0  # Slower than usual, but work.
    assert clock.lap("training") == 9.0
    hands.at -= 50.0  # A clock that goes back.
    assert clock.lap("training") == 0.0
    hands.at += 1000.0
    clock.skip()
    assert clock.total == pytest.approx(5.0 + 2.0 + 0.5 + 9.0)
    assert clock.shares()["evaluating"] == pytest.approx(2.0 / 16.5)


def test_sleep_spoils_neither_the_pace_nor_the_time_left() -> None:
    run = directory("one")
    trainer = Trainer(
        run, small("lstm", steps=100, save_every=0, evaluate_every=0, log_every=10), Wish(),
        Reporter(run, run.status()),
    )  # fmt: skip
    trainer.prepare()
    hands = Hands()
    trainer.clock = Clock(hands)
    while trainer.progress.step < 60:
        hands.at += 0.1 if trainer.progress.step != 34 else 6 * 3600.0
        trainer.update()
        trainer.after_update()
    rows = [row for row in run.metrics() if row["step"] % 10 == 0]  # of several steps, whose batches differ
    paces = [row["tokens_per_second"] for row in rows]
    assert max(paces) < 1.5 * min(paces)
    assert rows[-1]["time"] == pytest.approx(6.0, abs=0.1)
    assert trainer.report.status.left == pytest.approx(4.0, abs=0.1)
    assert trainer.seconds_left() == pytest.approx(4.0, abs=0.1)
