"""Walking over the snapshots of a run, and following one that goes on: weights change, the place does not."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nlptui.paths import runs_dir
from nlptui.train.run import RunDirectory, RunStatus
from nlptui.tui.panes.words import Words
from nlptui.tui.screens.explorer_snapshots import LOOK
from nlptui.tui.snapshots import beside, marks, run_of
from nlptui.tui.workbench import MODELS_KEPT, Workbench
from tests.train.conftest import corpora, tiny_data  # noqa: F401
from tests.train.small import small
from tests.train.test_loop import directory, train
from tests.tui.driving import Session, opened

STEPS = [0, 1, 2, 3, 4, 6, 8, 10, 12]


@pytest.fixture(autouse=True)
def workplace(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPTUI_MODELS", str(models))
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))


@pytest.fixture
def run(tiny_data: Path) -> RunDirectory:  # noqa: F811
    """A GPT with two heads that was trained for 12 steps."""
    found = directory("mine")
    recipe = small("gpt", snapshots=9, keep=1)
    found.write_recipe(recipe)
    train(found, recipe)
    found.write_status(RunStatus("mine", "done", step=12, steps=12, latest="step_000012"))
    return found


class Benches(list[Workbench]):
    """Makes workbenches as the app asks for them, and keeps them to be looked into."""

    def __call__(self) -> Workbench:
        self.append(Workbench())
        return self[-1]


def step(session: Session) -> int:
    here = run_of(session.place.model)
    assert here is not None
    return here[1]


def numbers(shown: Any) -> Any:
    """The table in sight."""
    return shown.figure.parts[0].values


async def test_older_and_newer_weights_in_the_same_place(run: RunDirectory) -> None:
    last, benches = str(run.step_folder(12)), Benches()
    where = {"view": "attention", "head": 1, "size": (120, 40)}
    async with opened(last, "the cat sees", engine=benches, **where) as session:
        await session.press("j", "l")
        before, place = session.explorer.shown, session.place
        kept = [int(path.name[5:]) for path in (*run.snapshots(), *run.checkpoints())]
        steps = sorted(set(kept))
        assert "mine  step 12/12" in session.text() and "[12]" in session.text()
        for wanted in (steps[-2], steps[-3]):
            await session.press("J")
            assert step(session) == wanted and f"[{wanted}]" in session.text()
            assert replace(session.place, model=last) == place
        assert session.pane.cell == (place.row, place.col)
        shown = session.explorer.shown
        assert str(shown.place.model) in shown.place.command()
        weights = load_file(Path(session.place.model) / "model.safetensors")
        told = benches[0].engine(session.place.model).parameters
        assert all(torch.equal(told[name].float(), value.float()) for name, value in weights.items())
        assert not np.array_equal(numbers(shown), numbers(before)), "the same numbers of other weights"
        await session.press("K", "K")
        assert step(session) == 12 and np.array_equal(numbers(session.explorer.shown), numbers(before))
        await session.press("K")
        assert "This is the newest snapshot." in session.text() and step(session) == 12


async def test_keys_pressed_quickly_add_up_and_engines_are_few(run: RunDirectory) -> None:
    benches = Benches()
    async with opened(str(run.step_folder(12)), "the cat", engine=benches) as session:
        for _press in range(40):
            await session.pilot.press("J")
        await session.settle()
        assert step(session) == 0
        await session.press("J")
        assert "This is the oldest snapshot." in session.text()
        for _press in range(12):
            await session.press("K")
        assert step(session) == 12
        assert 1 < len(benches[0]._engines) <= MODELS_KEPT


async def test_a_model_that_is_no_runs_has_none() -> None:
    async with opened("tag-lstm") as session:
        await session.press("J")
        assert "none of a run" in session.text()
        await session.press("F")
        assert "There is no training run" in session.text()


async def test_a_run_that_is_gone_is_told_once_asked(run: RunDirectory) -> None:
    async with opened(str(run.step_folder(12)), "the cat") as session:
        shutil.rmtree(run.path)
        await session.press("tab")
        assert "no run is called" not in session.text()
        await session.press("J")
        assert "no run is called mine" in session.text()


async def test_a_running_model_is_followed_to_its_end(run: RunDirectory) -> None:
    later = [run.snapshot_folder(8), run.snapshot_folder(12)]
    later = [path if path.exists() else run.snapshots()[-2] for path in later]
    away = run.path / "away"
    away.mkdir()
    shutil.move(run.step_folder(12), away / "full")
    names = []
    for path in run.snapshots()[3:]:
        shutil.move(path, away / path.name)
        names.append(path.name)
    going = RunStatus("mine", "running", pid=os.getpid(), step=3, steps=12)
    run.write_status(going)
    first = run.snapshots()[-1]
    async with opened(str(first), "the cat sees", view="attention", head=1) as session:
        await session.press("l", "F")
        assert "following mine" in session.text()
        for name in names:
            os.rename(away / name, run.path / "snapshots" / name)
            await session.wait_for(lambda name=name: Path(session.explorer.shown.place.model).name == name)
            assert session.place.head == 1 and session.place.view == "attention"
        assert f"step {int(names[-1][5:])}/12" in session.text()
        run.write_status(replace(going, state="done", step=12))
        await session.wait_for(lambda: not session.explorer.following)
        assert "mine: done; these are its last weights." in session.text()


async def test_the_number_under_a_sentence_is_that_of_the_run_on_screen(run: RunDirectory) -> None:
    """A run ends while one looks at its newest weights, and a sentence says so: until the next key."""
    async with opened(str(run.snapshots()[0]), "the cat sees", view="attention") as session:
        await session.press("j")
        exact = session.explorer.query_one("#exact", Words)
        before = exact.left[0].text.strip()
        session.explorer.say("These are its last weights.")
        session.explorer.go(replace(session.place, model=str(run.step_folder(12))))
        await session.settle()
        assert "» These are its last weights." in session.text()
        assert exact.left[0].text.strip() == session.explorer.cell_text() != before


async def test_the_key_again_or_another_model_or_a_walk_ends_the_following(run: RunDirectory) -> None:
    run.write_status(RunStatus("mine", "running", pid=os.getpid(), step=12, steps=90))
    async with opened(str(run.step_folder(12)), "the cat") as session:
        await session.press("F", "F")
        assert not session.explorer.following and "followed no more" in session.text()
        assert session.explorer._follow_timer is None
        await session.press("F", "J")
        assert not session.explorer.following and step(session) < 12
        await session.press("F")
        await session.wait_for(lambda: step(session) == 12)
        session.explorer.go(replace(session.place, model="tag-lstm"))
        await session.pilot.pause(2 * LOOK)
        await session.settle()
        assert not session.explorer.following and session.place.model == "tag-lstm"


async def test_a_run_without_weights_is_waited_for(tiny_data: Path) -> None:  # noqa: F811
    run = directory("slow")
    run.write_recipe(small("gpt"))
    run.write_status(RunStatus("slow", "running", pid=os.getpid(), steps=9))
    async with opened("tag-lstm") as session:
        await session.wait_for(lambda: bool(session.explorer.query_one("#runs").chosen))
        await session.press("F")
        assert "following slow: it has kept no weights yet" in session.text()
        run.write_status(RunStatus("slow", "failed", error="x"))
        await session.wait_for(lambda: "slow: failed; it has kept no weights." in session.text())


def test_whose_a_folder_is(run: RunDirectory) -> None:
    assert run_of(str(run.path / "step_000012")) == ("mine", 12)
    assert run_of(str(run.path / "snapshots" / "step_000004")) == ("mine", 4)
    assert run_of(str(runs_dir() / "snapshots" / "step_000004")) == ("snapshots", 4)
    for other in ("tag-lstm", "", "step_000004", str(run.path), str(runs_dir() / "step_000004"),
                  str(run.path / "other" / "step_000004"), str(run.path / "step_4")):  # fmt: skip
        assert run_of(other) is None, other


def test_the_neighbours_of_a_step_that_is_there_or_was() -> None:
    for at, stride, wanted in ((4, 1, 6), (4, -1, 3), (4, 99, 12), (4, -99, 0), (5, 1, 6), (5, -1, 4),
                               (12, 1, 12), (0, -2, 0)):  # fmt: skip
        assert beside(STEPS, at, stride) == wanted
    assert beside([], 5, 1) == 5


def test_marks_keep_the_present_one_in_sight() -> None:
    assert marks(STEPS, 4, 80) == "0 1 2 3 [4] 6 8 10 12"
    assert marks(STEPS, 5, 80) == "0 1 2 3 4 [5] 6 8 10 12"
    for at in STEPS:
        short = marks(STEPS, at, 14)
        assert f"[{at}]" in short and len(short) <= 14 and "…" in short
    assert marks([], 7, 3) == "[7]"
