"""Training from the explorer: start, watch, stop, resume and open, with real workers on a tiny corpus."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train import client
from nlptui.tui.clerk import look_at_runs, recipes
from nlptui.tui.panes.run_panel import RunPanel
from nlptui.tui.screens.compose import ComposeScreen
from nlptui.tui.screens.train import TrainScreen
from nlptui.tui.widgets.line_chart import LineChart
from nlptui.tui.widgets.prompt import Prompt
from tests.train.conftest import corpora, tiny_data  # noqa: F401
from tests.train.small import small
from tests.tui.driving import LIMIT, Session, opened


@pytest.fixture(autouse=True)
def workplace(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with two recipes in it, and no runs."""
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    for family, steps in (("lstm", 4000), ("gru", 6)):
        recipe = small(family, steps=steps, save_every=20, evaluate_every=0, log_every=2)
        (folder / recipe.name).mkdir()
        (folder / recipe.name / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    (folder / "broken").mkdir()
    (folder / "broken" / "recipe.toml").write_text("name = [", encoding="utf-8")
    monkeypatch.setenv("NLPTUI_MODELS", str(folder))
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def no_worker_is_left() -> None:
    """End whatever a failed test left training."""
    yield
    for run in client.runs():
        if run.state in ("queued", "running", "paused"):
            client.stop(run.name)
    start = time.monotonic()
    while (
        any(run.state in ("queued", "running") for run in client.runs()) and time.monotonic() - start < LIMIT
    ):
        time.sleep(0.05)


def panel(session: Session) -> RunPanel:
    return session.explorer.query_one(RunPanel)


async def until(session: Session, state: str) -> None:
    await session.wait_for(lambda: panel(session).status is not None and panel(session).status.state == state)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_data", "warm_workers", "no_worker_is_left")
async def test_a_model_is_trained_stopped_resumed_and_opened() -> None:
    async with opened("tag-lstm") as session:
        await session.press("t")
        assert isinstance(session.app.screen, TrainScreen)
        await session.press("j", "j", "tab", *"mine", "enter")
        assert "mine trains in the background" in session.text()
        await until(session, "running")
        await session.wait_for(lambda: panel(session).status.step > 30)
        await session.wait_for(lambda: len(panel(session).query_one(LineChart).part.series) > 0)
        # Typing goes on meanwhile.
        await session.press("i", "x", "escape")
        assert session.explorer.query_one(Prompt).text.endswith("x")
        await session.press("S")
        await until(session, "stopped")
        step = panel(session).status.step
        assert (runs_dir() / "mine" / panel(session).status.latest / "model.safetensors").is_file()
        await session.press("R")
        await session.wait_for(lambda: panel(session).status.step > step)
        await session.press("S")
        await until(session, "stopped")
        await session.press("M")
        assert session.explorer.problem == ""
        assert session.place.model == str(runs_dir() / "mine" / panel(session).status.latest)
        assert session.explorer.shown.model.arch == "lstm"


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_data", "warm_workers", "no_worker_is_left")
async def test_a_run_goes_on_when_the_program_ends_and_is_found_again() -> None:
    async with opened("tag-lstm") as session:
        await session.press("t", "j", "j", "tab", *"longer", "enter")
        await until(session, "running")
    assert client.status("longer").state in ("queued", "running")
    async with opened("tag-lstm") as session:
        assert panel(session).status.name == "longer" and panel(session).any_alive
        assert "longer" in session.text()


async def test_the_dialog_lists_recipes_and_leaves_broken_ones_out() -> None:
    assert [recipe.name for recipe in recipes()] == ["small-gru", "small-lstm"]
    async with opened("tag-lstm") as session:
        await session.press("t")
        assert "small-gru" in session.text() and "GRU · tagging · en_ewt · 6 steps" in session.text()


async def test_wrong_steps_are_said_in_the_dialog() -> None:
    async with opened("tag-lstm") as session:
        await session.press("t", "j", "tab", "tab", *"-3", "enter")
        assert isinstance(session.app.screen, TrainScreen)
        assert "must be a whole number above 0" in session.text()


async def test_a_name_that_cannot_be_one_is_said_in_the_dialog() -> None:
    async with opened("tag-lstm") as session:
        await session.press("t", "j", "tab", *"../x", "enter")
        assert isinstance(session.app.screen, TrainScreen)
        assert "cannot be the name of a run" in session.text()
        assert client.runs() == []


async def test_without_recipes_the_dialog_says_where_they_go(workplace: Path) -> None:
    for path in workplace.glob("*/recipe.toml"):
        path.unlink()
    async with opened("tag-lstm") as session:
        await session.press("t")
        assert "no recipe found" in session.text()
        await session.press("enter")
        assert isinstance(session.app.screen, ComposeScreen)


def write_run(name: str, state: str, step: int, rows: int = 0, **more: object) -> Path:
    """A run directory as a worker leaves it."""
    path = runs_dir() / name
    path.mkdir(parents=True)
    status = {"state": state, "step": step, "steps": 100, "metrics": {"loss": 1.5}, **more}
    (path / "status.json").write_text(json.dumps(status))
    (path / "config.json").write_text(json.dumps(small("lstm").to_dict()))
    lines = [json.dumps({"step": i, "loss": 1.0 / (i + 1)}) for i in range(rows)]
    (path / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))
    return path


async def test_runs_of_every_state_are_listed() -> None:
    for state in ("stopped", "done", "failed", "lost"):
        write_run(f"run-{state}", state, 50, error="out of memory" if state == "failed" else "")
    async with opened("tag-lstm") as session:
        await session.press("r")
        for state in ("stopped", "done", "failed", "lost"):
            assert f"run-{state}" in session.text()
        await session.press("less_than_sign", "less_than_sign", "less_than_sign")
        names = []
        for _step in range(4):
            names.append(panel(session).chosen)
            if panel(session).status.state == "failed":
                assert "out of memory" in session.text()
            await session.press("greater_than_sign")
        assert sorted(names) == ["run-done", "run-failed", "run-lost", "run-stopped"]


async def test_the_curve_is_that_of_the_chosen_run() -> None:
    write_run("one", "done", 10, rows=10)
    write_run("two", "done", 20, rows=20)
    async with opened("tag-lstm") as session:
        await session.press("r")
        for _step in range(2):
            length = {"one": 10, "two": 20}[panel(session).chosen]
            assert len(panel(session).query_one(LineChart).part.series[0].x) == length
            await session.press(
                "greater_than_sign"
                if panel(session).chosen != panel(session).runs[-1].name
                else "less_than_sign"
            )


async def test_a_run_that_starts_while_another_ones_curve_shows_gets_its_own() -> None:
    write_run("one", "done", 10, rows=10)
    async with opened("tag-lstm") as session:
        await session.press("r")
        assert panel(session).lines_seen == 10
        write_run("two", "done", 4, rows=4)
        panel(session).turn_to("two")
        assert panel(session).lines_seen == 0
        session.explorer.look_at_runs()
        await session.settle()
        assert len(panel(session).query_one(LineChart).part.series[0].x) == 4
        await session.press("r", "r", "r")
        assert len(panel(session).query_one(LineChart).part.series[0].x) == 4


def test_only_new_lines_of_the_log_are_read() -> None:
    path = write_run("one", "done", 3, rows=3)
    first = look_at_runs("one", 0)
    assert [row["step"] for row in first.lines] == [0, 1, 2]
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "loss": 0.1}\n')
    assert [row["step"] for row in look_at_runs("one", 3).lines] == [3]
    assert look_at_runs("gone", 3).name == "one"


async def test_a_line_of_the_panel_is_repainted_only_when_it_changes() -> None:
    path = write_run("one", "done", 3)
    async with opened("tag-lstm") as session:
        line = session.explorer.query_one("#run-line")
        before = line.left
        session.explorer.look_at_runs()
        await session.settle()
        assert line.left is before
        status = json.loads((path / "status.json").read_text())
        (path / "status.json").write_text(json.dumps(status | {"step": 77}))
        session.explorer.look_at_runs()
        await session.settle()
        assert "77/100" in session.text()


async def test_steering_without_a_run_says_so() -> None:
    async with opened("tag-lstm") as session:
        await session.press("S")
        assert "There is no training run" in session.text()
        await session.press("M")
        assert "has saved no model yet" in session.text()


async def test_stopping_what_has_ended_says_so() -> None:
    write_run("one", "done", 3)
    async with opened("tag-lstm") as session:
        await session.press("S")
        with pytest.raises(UserError) as error:
            client.stop("one")
        assert str(error.value)[:30] in session.text()


async def test_hostile_run_files_do_no_harm() -> None:
    path = write_run("one", "failed", 3, error="\x1b[31m[/bold]", metrics={"loss": "nan", "\x1b[0m": 1})
    (path / "metrics.jsonl").write_bytes(
        b'\xff\n{"step": "x"}\n{"step": 1, "loss": "inf"}\n{"step": 2, "loss": 0.5}\n'
    )
    (runs_dir() / "two").mkdir()
    async with opened("tag-lstm") as session:
        await session.press("r", "greater_than_sign", "less_than_sign")
        assert "\x1b" not in session.text() and "one" in session.text()
