"""Forks: a run that begins at another's checkpoint goes on as that one would, but for what was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train import client, places
from nlptui.train.recipe import Recipe
from nlptui.train.run import Parent, RunDirectory, RunStatus
from nlptui.train.state import TENSORS_FILE, read_state
from tests.train.small import small
from tests.train.test_loop import curve, directory, train

pytestmark = pytest.mark.usefixtures("tiny_data", "no_workers")


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test goes on with a fork itself."""
    monkeypatch.setattr(places, "spawn", lambda run: None)


def parent(recipe: Recipe | None = None) -> RunDirectory:
    """A run of 12 steps with checkpoints at 4, 8 and 12, measured at 6 and 12."""
    recipe = recipe or small("lstm", keep=0, average=0.9)
    run = directory("parent")
    run.write_recipe(recipe)
    train(run, recipe)
    run.write_status(RunStatus("parent", "done", step=12, steps=12))
    return run


def forked(
    step: int | None = None, changes: dict[str, Any] | None = None, new: str = "child"
) -> RunDirectory:
    handle = client.fork("parent", step, changes, new)
    assert handle.name == new and client.status(new).state == "queued"
    return RunDirectory(handle.path)


def go_on(run: RunDirectory) -> None:
    assert train(run, run.recipe()) == "done"


def test_a_fork_without_changes_ends_as_its_parent_did() -> None:
    run = parent()
    child = forked(8)
    status = client.status("child")
    assert (status.step, status.latest) == (8, "step_000008")
    assert [row["step"] for row in child.metrics()] == [1, 2, 4, 6, 6, 8]
    go_on(child)
    assert curve(child) == curve(run)
    for file in ("model.safetensors", TENSORS_FILE):
        one, other = (load_file(made.path / "step_000012" / file) for made in (run, child))
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_it_remembers_its_parent_and_needs_it_no_more() -> None:
    run = parent()
    child = forked(None, {"train.steps": 20})
    assert client.parent_of("child") == Parent("parent", 12) and client.parent_of("parent") is None
    assert client.snapshots("parent")[-1] == 12 and client.snapshots("child")[-1] == 12
    files = [path for path in child.path.rglob("*") if path.is_file()]
    assert not [path for path in files if path.is_symlink() or path.stat().st_nlink > 1]
    client.remove(run.name)
    (child.path / "parent.json").write_text("{")
    assert client.parent_of("child") is None


def test_changed_settings_are_those_that_it_goes_on_with() -> None:
    run = parent()
    changes = {"train.learning_rate": 0.5, "train.schedule": "constant", "train.steps": 14, "seed": 9}
    child = forked(4, changes)
    assert child.recipe().train.learning_rate == 0.5 and run.recipe().train.learning_rate == 0.01
    go_on(child)
    rows = [row for row in child.metrics() if "split" not in row]
    before, after = rows[:3], rows[3:]
    assert before == [row for row in run.metrics() if "split" not in row][:3]
    assert [row["learning_rate"] for row in after] == [0.5] * 5 and after[-1]["step"] == 14


def test_dropout_and_the_tasks_options_may_change() -> None:
    parent()
    child = forked(4, {"model.dropout": 0.9, "data.word_dropout": 0.0})
    config = json.loads((child.path / "step_000004" / "config.json").read_text())
    assert config["dropout"] == 0.9 and config["data"]["word_dropout"] == 0.0
    go_on(child)
    one, other = (
        [row["loss"] for row in run.metrics() if "split" not in row] for run in (child, directory("parent"))
    )
    assert one[:3] == other[:3] and one[3:] != other[3:]


@pytest.mark.parametrize(
    "changes",
    [
        {"train.optimizer": "muon"},
        {"train.average": 0.0},
        {"train.batch_size": 5, "train.accumulate": 5},
        {"train.precision": "bf16"},
    ],
)
def test_how_weights_move_may_change(changes: dict[str, Any]) -> None:
    parent()
    child = forked(8, changes)
    go_on(child)
    losses = [row["loss"] for row in child.metrics() if "split" not in row]
    assert losses[-1] < losses[0]


def test_an_average_may_begin_in_a_fork() -> None:
    parent(small("lstm", keep=0))
    child = forked(8, {"train.average": 0.5})
    go_on(child)
    last = child.path / "step_000012"
    kept, state = load_file(last / "model.safetensors"), load_file(last / TENSORS_FILE)
    assert not torch.equal(kept["head.weight"], state["weights/head.weight"])


def test_the_best_so_far_comes_along_or_is_forgotten() -> None:
    run = parent()
    best = read_state(run.path / "step_000008")[1].best_folder
    assert best == "step_000006"
    child = forked(8)
    assert [folder.name for folder in child.checkpoints()] == ["step_000006", "step_000008"]
    assert read_state(child.path / "step_000008")[1].best_folder == best
    other = forked(8, {"train.best": "none"}, "other")
    progress = read_state(other.path / "step_000008")[1]
    assert (progress.best_folder, progress.best_value) == ("", None)
    run.drop(run.path / best)
    third = forked(8, {}, "third")
    progress = read_state(third.path / "step_000008")[1]
    assert (progress.best_folder, progress.best_value) == ("", None)
    assert [folder.name for folder in third.checkpoints()] == ["step_000008"]


@pytest.mark.parametrize(
    ("step", "changes", "says"),
    [
        (5, {}, "no checkpoint of step 5; there are 4, 6, 8, 12"),
        (4, {"model.d_hidden": 16}, "model.d_hidden cannot change"),
        (4, {"tokenizer.kind": "bytes"}, "tokenizer.kind cannot change"),
        (4, {"init": "bert-en"}, "init cannot change"),
        (4, {"name": "x"}, "name cannot change"),
        (4, {"train.stepz": 3}, "train.stepz"),
        (4, {"train.steps": 4}, "train.steps=8"),
        (12, {}, "train.steps=24"),
        (4, {"\x1b[31m": 1}, "cannot change"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing_behind(
    step: int, changes: dict[str, Any], says: str
) -> None:
    parent()
    with pytest.raises(UserError) as raised:
        client.fork("parent", step, changes, "child")
    assert says in str(raised.value) and "\n" not in str(raised.value) and "\x1b" not in str(raised.value)
    assert [path.name for path in Path(runs_dir()).iterdir() if path.is_dir()] == ["parent"]


def test_a_fork_is_named_after_its_parent_and_one_of_a_run_without_checkpoints_is_refused() -> None:
    parent()
    names = [client.fork("parent", 4).name for _fork in range(2)]
    assert names == ["parent-fork", "parent-fork-2"]
    with pytest.raises(UserError, match="exists"):
        client.fork("parent", 4, {}, "parent")
    empty = directory("empty")
    empty.write_recipe(small("lstm"))
    with pytest.raises(UserError, match="no checkpoint yet"):
        client.fork("empty")
