"""The studio, every key of it: runs from files, curves read by hand, and one real worker that is steered."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from nlptui.paths import runs_dir
from nlptui.train import client
from nlptui.tui.actions import ACTIONS
from nlptui.tui.clerk import Clerk
from nlptui.tui.panes.studio_chart import StudioChart, Values
from nlptui.tui.panes.studio_facts import FactLines
from nlptui.tui.panes.studio_list import RunList
from nlptui.tui.place import Place
from nlptui.tui.program import NlptuiApp
from nlptui.tui.screens.studio import StudioScreen
from nlptui.tui.screens.studio_dialogs import AskScreen, ExperimentsScreen, FormScreen
from nlptui.tui.screens.train import TrainScreen
from nlptui.tui.settings import Settings
from tests.train.conftest import corpora, tiny_data  # noqa: F401
from tests.tui.driving import LIMIT, Session, opened
from tests.tui.still import Still

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No runs but those that the test makes."""
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(name: str, state: str = "done", losses: tuple[float, ...] = (4.0, 3.0, 2.0), **more: object) -> Path:
    """A run directory as a worker leaves it."""
    folder = runs_dir() / name
    folder.mkdir(parents=True)
    status = {"name": name, "state": state, "step": 10 * len(losses), "steps": 100, "seconds": 90.0, **more}
    (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
    rows = [
        {"step": 10 * n, "time": 0.5 * n, "loss": loss, "learning_rate": 0.1, "gradient_norm": 1.0 / n}
        for n, loss in enumerate(losses, 1)
    ]
    rows.append({"step": 20, "time": 1.1, "split": "dev", "loss": 3.5, "accuracy": 0.5})
    rows.append({"step": 20, "time": 1.1, "kind": "layers", "dead.blocks.0": 0.25})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "log.txt").write_text("all \x1b[31mwell\n", encoding="utf-8")
    time.sleep(0.02)
    return folder


def studio(session: Session) -> StudioScreen:
    assert isinstance(session.app.screen, StudioScreen)
    return session.app.screen


def chart(session: Session) -> StudioChart:
    return studio(session).query_one(StudioChart)


def values(session: Session) -> list[str]:
    return [words for _number, words in studio(session).query_one(Values).lines]


def rows(session: Session) -> list[str]:
    return [run.name for run in studio(session).query_one(RunList).runs]


def facts(session: Session) -> str:
    return "\n".join(words for words, _look in studio(session).query_one(FactLines).lines)


async def test_it_opens_by_one_key_and_closes() -> None:
    async with opened("tag-lstm") as session:
        await session.press("C")
        assert "No training run yet" in session.text()
        await session.press("p")
        assert "There is no training run" in session.text()
        await session.press("escape")
        assert session.app.screen is session.explorer


async def test_runs_are_walked_and_drawn_over_each_other() -> None:
    made("old", losses=(8.0, 6.0, 5.0))
    made("new")
    async with opened("tag-lstm") as session:
        await session.press("C")
        assert sorted(rows(session)) == ["new", "old"]
        first, second = rows(session)
        assert studio(session).chosen == first
        assert [s.name for s in chart(session).part.series] == ["train", "dev"]
        await session.press("space", "j")
        assert studio(session).chosen == second
        assert [s.name for s in chart(session).part.series] == [
            f"{second} train", f"{second} dev", f"{first} train", f"{first} dev"
        ]  # fmt: skip
        last = {"old": "5", "new": "2"}
        shown = [v.split("  ")[:3] for v in values(session)]
        assert [f"{second} train", last[second], "step 30"] in shown
        assert [f"{first} train", last[first], "step 30"] in shown
        await session.press("k", "space", "G")
        assert studio(session).chosen == second and studio(session).marked == []
        await session.press("g")
        assert studio(session).chosen == first


async def test_the_cursor_reads_exact_values_and_every_chart_is_reached() -> None:
    made("one", losses=(4.0, 3.0, 2.0625))
    async with opened("tag-lstm") as session:
        await session.press("C")
        assert values(session)[0] == "train  2.0625  step 30"
        await session.press("h")
        assert values(session) == ["train  3  step 20", "dev  3.5  step 20"]
        await session.press("home")
        assert values(session)[0] == "train  4  step 10"
        await session.press("l", "end")
        assert chart(session).follows
        await session.press("pageup")
        assert values(session)[0] == "train  3  step 20"
        await session.press("pagedown", "x")
        assert values(session)[0] == "train  2.0625  seconds 1.5"
        await session.press("x", "o")
        assert chart(session).part.log
        await session.press("o", "s")
        smooth = (0.36 * 4 + 0.6 * 3 + 2.0625) / 1.96
        assert chart(session).part.series[0].y[2] == pytest.approx(smooth)
        assert chart(session).part.series[1].y.tolist() == [3.5]
        await session.press("s", "s", "s")
        seen = []
        for _number in range(6):
            seen.append(studio(session).chart)
            await session.press("tab")
        assert seen == ["loss", "accuracy", "learning_rate", "gradient_norm", "dead", "loss"]
        await session.press("shift+tab")
        assert studio(session).chart == "loss"


async def test_a_run_that_grows_is_drawn_on_and_a_cursor_that_was_moved_stays() -> None:
    folder = made("one")
    async with opened("tag-lstm") as session:
        await session.press("C", "h")
        with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": 40, "time": 2.0, "loss": 1.5}) + "\n")
        studio(session).look()
        await session.settle()
        assert chart(session).part.series[0].y.tolist() == [4, 3, 2, 1.5]
        assert values(session)[0] == "train  3  step 20"
        await session.press("end")
        assert values(session)[0] == "train  1.5  step 40"


async def test_nothing_is_repainted_where_nothing_has_changed() -> None:
    made("one")
    async with opened("tag-lstm") as session:
        await session.press("C")
        part, painted = chart(session).part, []
        chart(session).repaint = lambda *lines: painted.append(lines)
        studio(session).look()
        await session.settle()
        assert chart(session).part is part and painted == []


async def test_the_filter_lists_what_has_its_letters() -> None:
    for name in ("lstm-a", "gru-b", "lstm-c"):
        made(name)
    async with opened("tag-lstm") as session:
        await session.press("C", "slash", *"gru")
        assert rows(session) == ["gru-b"] and studio(session).chosen == "gru-b"
        await session.press("enter", "j")
        assert not isinstance(session.app.focused, Input)
        await session.press("escape")
        assert len(rows(session)) == 3
        field = studio(session).query_one("#studio-filter")
        assert not field.display and "filter: " not in session.text()
        await session.press("slash", *"gru", "escape")
        assert len(rows(session)) == 3 and studio(session).chosen == "gru-b" and not field.display
        await session.press("slash", *"gru", "enter")
        studio(session).turn_to("lstm-a")  # as a run that was started
        await session.settle()
        assert studio(session).chosen == "lstm-a" and not field.display and not field.value
        await session.press("escape")
        assert session.app.screen is session.explorer


async def test_what_went_wrong_is_explained_with_the_key_that_resumes() -> None:
    folder = made("sick", "running", pid=os.getpid(), phase="training")
    async with opened("tag-lstm") as session:
        await session.press("C")
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
        status |= {"state": "failed", "error": "the loss is no number \x1b[2J", "phase": ""}
        (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
        studio(session).look()
        await session.settle()
        assert "the loss is no number" in studio(session).note and "r resumes it" in studio(session).note
        assert "r begins it again: it saved nothing" in facts(session)
        assert "\x1b" not in studio(session).note + facts(session)
        (folder / "status.json").write_text(json.dumps(status | {"latest": "step-10"}), encoding="utf-8")
        studio(session).look()
        await session.settle()
        assert "r goes on from its last checkpoint" in facts(session)


async def test_facts_samples_and_the_log() -> None:
    rows = [
        {"step": 10, "text": "a can", "output": {"tags": [{"token": "a", "tag": "DET"}]}},
        {"step": 20, "text": "a can", "output": {"labels": [{"label": "good", "prob": 0.5}]}},
        {"step": 30, "text": "a can", "problem": "no \x1b[2J"},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (made("one") / "samples.jsonl").write_text(text, encoding="utf-8")
    async with opened("tag-lstm") as session:
        await session.press("C")
        assert "one · done · step 30 of 100" in facts(session)
        await session.press("i")
        sentence, newest, middle, oldest = facts(session).split("\n")
        assert sentence == "a can"
        assert newest.startswith("30  no ") and "\x1b" not in newest
        assert (middle, oldest) == ("20  good 0.500", "10  a/DET")
        await session.press("i")
        assert "all" in facts(session) and "\x1b" not in facts(session)


async def test_a_run_is_forked_at_a_checkpoint_not_at_a_snapshot() -> None:
    """Weights alone are not enough to go on from."""
    folder = made("one")
    for name in ("step_000020", "snapshots/step_000000", "snapshots/step_000030"):
        (folder / name).mkdir(parents=True)
    async with opened("tag-lstm") as session:
        await session.press("C")
        assert "f forks it at step 20" in facts(session).split("\n")
        assert "F shows its weights of step 0 20 30" in facts(session).split("\n")
        await session.press("f")
        assert session.app.screen.query_one("#form-step", Input).value == "20"


async def test_a_run_is_watched_on_its_own_sentence() -> None:
    folder = made("one")
    (folder / "snapshots" / "step_000000").mkdir(parents=True)
    row = {"step": 0, "text": "a small bird", "pair": "a tree", "output": {}}
    (folder / "samples.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    async with opened("tag-lstm") as session:
        asked = []
        session.explorer.go = asked.append
        await session.press("C", "F")
        await session.wait_for(lambda: bool(asked))
        assert session.app.screen is session.explorer
        assert asked[0].text == "a small bird ||| a tree"
        assert asked[0].model == str(folder / "snapshots" / "step_000000")


async def test_an_empty_studio_says_what_begins_a_run() -> None:
    async with opened("tag-lstm") as session:
        await session.press("C")
        for words in ("No runs yet.", "t train a model", "E start an experiment"):
            assert words in session.text()


def test_a_runs_numbers_give_way_to_its_name_one_by_one() -> None:
    from nlptui.tui.panes.studio_list import _fitting

    words = ["████  50%", "loss 2.1", "1:20 left", "dev_accuracy 0.5"]
    assert _fitting(words, 100) == " ".join(words)
    assert _fitting(words, 20) == "████  50% loss 2.1"
    assert _fitting(words, 3) == "████  50%"


async def test_deleting_asks_first() -> None:
    folder = made("one")
    async with opened("tag-lstm") as session:
        await session.press("C", "d")
        assert isinstance(session.app.screen, AskScreen)
        await session.press("enter")
        assert folder.is_dir()
        await session.press("d", "j", "enter")
        assert not folder.exists()
        assert rows(session) == []


async def test_what_cannot_be_is_one_line() -> None:
    made("one")
    async with opened("tag-lstm") as session:
        await session.press("C", "F")
        assert "no weights to look at yet" in studio(session).note
        await session.press("escape")
        await session.press("C", "p")
        assert studio(session).note.startswith("✗ one is done")
        await session.press("f")
        assert "no checkpoint to fork from" in studio(session).note
        await session.press("M")
        assert "no model yet" in studio(session).note
        await session.press("c")
        assert studio(session).note.startswith("✗ one is done")
        await session.press("K", "enter")
        await session.wait_for(lambda: studio(session).note.startswith("✗"))


async def test_a_chart_is_written_to_a_file(home: Path) -> None:
    made("one")
    async with opened("tag-lstm") as session:
        await session.press("C", "e")
        session.app.screen.query_one(Input).value = "curve.csv"
        await session.press("enter")
        assert "curve.csv" in studio(session).note
        text = (home / "curve.csv").read_text(encoding="utf-8")
        assert "2.0" in text and "30" in text


async def test_an_experiments_charts_and_its_data(home: Path) -> None:
    from nlptui.train.experiments.parts import Row
    from nlptui.train.experiments.results import MEASURED, Settings, write_settings
    from nlptui.train.run import RunDirectory

    folder = runs_dir() / "experiment-recall"
    folder.mkdir(parents=True)
    write_settings(RunDirectory(folder), Settings("recall", False))
    (folder / "status.json").write_text(
        json.dumps({"name": "experiment-recall", "state": "done", "step": 1, "steps": 1}), encoding="utf-8"
    )
    row = Row("recall", "LSTM", 0, 4.0, 0.875)
    line = json.dumps({"step": 1, MEASURED: asdict(row)}) + "\n"
    (folder / "metrics.jsonl").write_text(line, encoding="utf-8")
    async with opened("tag-lstm") as session:
        await session.press("C")
        assert studio(session).studio.experiments == {"experiment-recall"}
        assert chart(session).part.series[0].y.tolist() == [0.875]
        assert "the more an RNN forgets" in facts(session) and "K makes it a model" not in facts(session)
        for key in "KfFM":  # there is no model to keep, fork, follow or open
            await session.press(key)
            assert studio(session).note == "experiment-recall is an experiment: it trains no model"
            await session.press("home")
        await session.press("e")
        session.app.screen.query_one(Input).value = "recall.csv"
        await session.press("enter")
        text = (home / "recall.csv").read_text(encoding="utf-8")
        assert text == client.experiment_table("experiment-recall") and "0.875" in text


async def test_experiments_and_trainings_are_started_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(client, "start_experiment", lambda name: asked.append(name) or "experiment-new")
    async with opened("tag-lstm") as session:
        await session.press("C", "E")
        assert isinstance(session.app.screen, ExperimentsScreen)
        assert len(session.app.screen.table) == 7
        await session.press("j", "enter")
        assert asked == ["gradients"] and "experiment-new trains" in studio(session).note
        await session.press("t")
        assert isinstance(session.app.screen, TrainScreen)


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (120, 40)])
async def test_all_that_matters_is_in_sight(size: tuple[int, int]) -> None:
    made("one", losses=(4.0, 3.0, 2.0))
    async with opened("tag-lstm", size=size) as session:
        await session.press("C")
        text = session.text()
        for words in ("Studio", "▍", "one", "loss", "train  2", "one · done"):
            assert words in text, text
        assert any(0x2801 <= ord(c) <= 0x28FF for c in text)


async def test_the_language_switches_here_too() -> None:
    made("one")
    async with opened("tag-lstm") as session:
        await session.press("C", "L")
        assert rows(session) == ["one"] and values(session)
        await session.press("L")


async def test_the_mouse_chooses_a_run_and_a_point() -> None:
    made("one")
    made("two")
    async with opened("tag-lstm") as session:
        await session.press("C")
        second = rows(session)[1]
        await session.pilot.click("#studio-list", offset=(6, 1))
        await session.settle()
        assert studio(session).chosen == second
        await session.pilot.click("#studio-chart", offset=(8, 3))
        await session.settle()
        assert values(session)[0] == "train  4  step 10"


@pytest.mark.parametrize("way", ["narrow", "wide", "light"])
def test_picture(
    snap_compare: Callable[..., bool], way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLPTUI_HOME", "home")  # named among the facts
    for name, losses in (("gru", (4.0, 3.0, 2.0)), ("lstm", (5.0, 2.5, 1.5))):
        made(name, losses=losses, metrics={"loss": losses[-1], "dev_accuracy": 0.5})
    for number, name in enumerate(("gru", "lstm")):
        os.utime(runs_dir() / name, (1e9 + number, 1e9 + number))
    size = (80, 24) if way == "narrow" else (120, 40)
    theme = "light" if way == "light" else "dark"
    app = NlptuiApp(Place("still-gpt", "the cat"), Settings(theme=theme), Still, Clerk)

    async def run_before(pilot: Pilot[Any]) -> None:
        session = Session(app, pilot)
        await session.settle()
        await session.press("C", "g", "space", "j", "h")

    assert snap_compare(app, terminal_size=size, run_before=run_before)


def test_every_key_of_the_studio_is_pressed_here() -> None:
    """Each key in a test of this file, so that a new one is tested too."""
    text = Path(__file__).read_text(encoding="utf-8")
    left = [a.id for a in ACTIONS if a.scope == "studio" and not any(f'"{key}"' in text for key in a.keys)]
    assert left == []


# a real worker


async def test_a_run_that_has_ended_is_not_ended_again() -> None:
    made("over", "done")
    async with opened("tag-lstm") as session:
        await session.press("C", "c")
        assert session.app.screen is studio(session)
        assert studio(session).note == "✗ over is done: there is nothing to stop"


@pytest.mark.slow
async def test_a_run_is_paused_resumed_forked_cancelled_and_opened(
    home: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("tiny_data")
    from tests.train.small import small

    recipe = small("lstm", steps=4000, save_every=20, evaluate_every=0, log_every=2)
    client.start(recipe, "real")

    async def until(name: str, state: str) -> None:
        await session.wait_for(lambda: name in rows(session) and client.status(name).state == state)

    try:
        async with opened("tag-lstm") as session:
            await session.press("C")
            await until("real", "running")
            await session.wait_for(lambda: client.status("real").step > 30)
            await session.press("p")
            await until("real", "paused")
            await session.press("r")
            await until("real", "running")
            await session.press("S")
            await until("real", "stopped")
            step = client.snapshots("real")[-1]
            studio(session).look()
            await session.settle()
            assert str(step) in facts(session) and "lstm" in facts(session)
            await session.press("f")
            assert isinstance(session.app.screen, FormScreen)
            session.app.screen.query_one("#form-step", Input).value = "x"
            await session.press("enter")
            assert "whole number" in session.text()
            session.app.screen.query_one("#form-step", Input).value = str(step)
            session.app.screen.query_one("#form-settings", Input).value = "train.learning_rate=0.0001"
            session.app.screen.query_one("#form-name", Input).value = "branch"
            await session.press("enter")
            await until("branch", "running")
            assert studio(session).chosen == "branch"
            assert client.parent_of("branch").step == step
            await session.press("c", "j", "enter")
            await until("branch", "stopped")
            assert client.status("branch").error == ""
            studio(session).look()
            await session.settle()
            assert f"forked from real at step {step}" in facts(session)
            studio(session).choose("real")
            await session.settle()
            await session.press("K")
            session.app.screen.query_one("#form-model", Input).value = "mine"
            await session.press("enter")
            await session.wait_for(lambda: "README.md" in studio(session).note)
            assert (home / "home" / "data" / "models" / "mine" / "README.md").is_file()
            await session.settle()
            assert "mine" in {model.name for model in session.app.models}
            await session.press("enter")
            assert session.explorer.shown.model.arch == "lstm"
            assert session.place.model.startswith(str(runs_dir() / "real"))
    finally:
        for run in client.runs():
            if run.state in ("queued", "running", "paused"):
                client.stop(run.name)
        start = time.monotonic()
        while any(r.state == "running" for r in client.runs()) and time.monotonic() - start < LIMIT:
            time.sleep(0.05)
