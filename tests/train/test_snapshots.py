"""Snapshots: what is kept of a run's way, how much of it, and that keeping it changes nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nlptui.engine import Engine
from nlptui.errors import UserError
from nlptui.train import client, places, snapshots
from nlptui.train.ranks import Ranks
from nlptui.train.run import RunDirectory, RunStatus, step_of
from nlptui.train.snapshots import fitting, planned, surplus
from nlptui.train.state import TENSORS_FILE
from nlptui.train.worker import Reporter
from tests.train.small import FAMILIES, small
from tests.train.test_loop import Trainer, Wish, curve, directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")


def steps(run: RunDirectory) -> list[int]:
    return [step_of(folder) for folder in run.snapshots()]


def test_a_plan_has_so_many_steps_from_first_to_last_each_a_like_multiple_of_the_one_before() -> None:
    for total, count in ((1000, 24), (12, 24), (100_000, 24), (7, 3), (1, 2), (50_000, 5)):
        plan = sorted(planned(total, count))
        assert len(plan) == min(count, total + 1) and plan[0] == 0 and plan[-1] == total
        far = [step for step in plan if step > 30]
        ratios = [math.log(b / a) for a, b in zip(far, far[1:], strict=False)]
        assert not ratios or max(ratios) < 1.1 * min(ratios) + 0.04
    assert planned(9, 0) == frozenset() and planned(9, 1) == {9}


def test_how_many_fit() -> None:
    assert fitting(24, 1000) == 24 and fitting(0, 1000) == 0 and fitting(1, 10**12) == 1
    assert fitting(24, snapshots.MOST_BYTES // 5) == 5 and fitting(24, 10**12) == 2


def test_what_is_dropped_leaves_the_first_the_last_and_even_gaps() -> None:
    kept = [0, 1, 2, 4, 8, 15, 16, 32]
    assert surplus(kept, 7) in ([15], [16]) and surplus(kept, 8) == []
    left = set(kept) - set(surplus(kept, 4))
    assert {0, 32} <= left and len(left) == 4
    assert surplus([3, 9], 1) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_snapshot_is_a_model_with_the_weights_of_that_step(family: str) -> None:
    run = directory("one")
    train(run, small(family, keep=0, snapshots=5, average=0.9))
    assert len(steps(run)) == 5 and {0, 12} <= set(steps(run))
    light, full = (folder / "step_000012" for folder in (run.path / "snapshots", run.path))
    assert not (light / TENSORS_FILE).exists()
    half, whole = (load_file(folder / "model.safetensors") for folder in (light, full))
    for name, value in whole.items():
        wanted = value.half() if value.dtype == torch.float32 else value
        assert torch.equal(half[name], wanted), name
    assert Engine.load(light, device="cpu").predict("the cat sees a dog")["output"]
    before, after = (load_file(folder / "model.safetensors") for folder in (run.snapshots()[0], light))
    assert any(not torch.equal(before[name], after[name]) for name in after), "it has learned nothing"


@pytest.mark.parametrize("family", ["lstm", "gpt"])
def test_a_run_with_and_one_without_end_in_the_same_weights(family: str) -> None:
    rich, bare = directory("rich"), directory("bare")
    train(rich, small(family, average=0.9))
    train(bare, small(family, average=0.9, snapshots=0))
    assert not bare.snapshots() and not (bare.path / "snapshots").exists() and len(rich.snapshots()) == 13
    assert curve(rich) == curve(bare)
    for file in ("model.safetensors", TENSORS_FILE):
        one, other = (load_file(run.path / "step_000012" / file) for run in (rich, bare))
        assert all(torch.equal(one[key], other[key]) for key in one), file


def test_a_killed_run_comes_to_the_same_snapshots() -> None:
    recipe = small("lstm", snapshots=6)
    whole, killed = directory("whole"), directory("killed")
    train(whole, recipe)
    trainer = Trainer(killed, recipe, Wish(), Reporter(killed, killed.status()))
    trainer.prepare()
    for _ in range(7):  # checkpoint at 4, snapshots up to 7 perhaps, then silence
        trainer.update()
        trainer.after_update()
    beyond = [step for step in steps(killed) if step > 4]
    assert beyond, "nothing to forget"
    for step in beyond:
        (killed.snapshot_folder(step) / "model.safetensors").write_bytes(b"from another life")
    train(killed, recipe)
    assert steps(killed) == steps(whole)
    for one, other in zip(whole.snapshots(), killed.snapshots(), strict=True):
        assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def test_more_steps_do_not_mean_more_snapshots() -> None:
    run = directory("one")
    train(run, small("lstm", snapshots=6))
    train(run, small("lstm", snapshots=6, steps=40))
    assert len(steps(run)) == 6 and {0, 40} <= set(steps(run))


def test_large_ones_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directory("one")
    train(run, small("lstm", snapshots=3, steps=4))
    size = sum(path.stat().st_size for path in run.snapshots()[0].iterdir())
    monkeypatch.setattr(snapshots, "MOST_BYTES", 4 * size + 10)
    other = directory("other")
    train(other, small("lstm"))
    kept = [path for folder in other.snapshots() for path in folder.iterdir()]
    assert len(steps(other)) == 4 and sum(path.stat().st_size for path in kept) <= 4 * size + 10


def test_a_full_disk_leaves_no_half_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directory("one")
    recipe = small("lstm", snapshots=4)
    trainer = Trainer(run, recipe, Wish(), Reporter(run, run.status()))
    trainer.prepare()

    def full(folder: Path) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nlptui.train.loop.push_to_disk", full)
    with pytest.raises(OSError, match="No space"):
        trainer._train()
    assert steps(run) == [0]
    assert not [path for path in run.path.iterdir() if path.name.startswith(".part_")]


class Second(Ranks):
    """Another process than the first."""

    rank = 1


def test_the_first_process_alone_writes() -> None:
    run = directory("one")
    recipe = small("lstm")
    trainer = Trainer(run, recipe, Wish(), Reporter(run, run.status()), Second())
    trainer.prepare()
    for _ in range(3):
        trainer.update()
        trainer.snapshot()
    trainer.ask_about_sentence()
    assert not run.snapshots() and not run.samples_path.exists()


def test_the_client_lists_both_kinds_and_finds_their_folders() -> None:
    run = directory("one")
    train(run, small("lstm", snapshots=4, keep=1))
    run.write_status(RunStatus("one", "done", step=12, steps=12))
    both = client.snapshots("one")
    assert set(both) == {*steps(run), *client.checkpoints("one")} and both == sorted(both)
    assert set(client.checkpoints("one")) < set(both)
    assert client.snapshot_folder("one", 12) == run.path / "step_000012"
    assert client.snapshot_folder("one", 0) == run.path / "snapshots" / "step_000000"
    with pytest.raises(UserError, match="no weights of step 11; there are 0, "):
        client.snapshot_folder("one", 11)


def test_a_fork_takes_along_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "spawn", lambda run: None)
    run = directory("parent")
    recipe = small("lstm", keep=0)
    run.write_recipe(recipe)
    train(run, recipe)
    child = RunDirectory(client.fork("parent", 4, {}, "child").path)
    assert steps(child) == [0, 1, 2, 3, 4]
    assert [row["step"] for row in child.samples()] == [0, 1, 2, 3, 4]
    child = RunDirectory(client.fork("parent", 8, {}, "other").path)
    assert [row["step"] for row in child.samples()] == list(range(9))
    files = [path for path in child.path.rglob("*") if path.is_file()]
    assert not [path for path in files if path.is_symlink() or path.stat().st_nlink > 1]
