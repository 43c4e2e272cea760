"""The form of a run of one's own: what is chosen, what that takes, what is wrong, and the run it starts."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from nlptui.errors import UserError
from nlptui.paths import home_data
from nlptui.train import client, compose
from nlptui.train.client import Estimate, Plan, Wish, planning
from nlptui.tui.clerk import Clerk
from nlptui.tui.panes.choice_rows import ChoiceRows
from nlptui.tui.place import Place
from nlptui.tui.program import NlptuiApp
from nlptui.tui.screens import compose as form
from nlptui.tui.screens import train as dialog
from nlptui.tui.screens.compose import ComposeScreen, TextField
from nlptui.tui.screens.train import TrainScreen
from nlptui.tui.settings import Settings
from tests.train.conftest import corpora, tiny_data  # noqa: F401
from tests.tui.driving import LIMIT, Session, opened
from tests.tui.still import Still

TRIED = Estimate(
    parameters=123456, memory=345_000_000, weights=4000, optimizer=8000, seconds=9.0, steps=1000,
    seconds_a_step=0.01, seconds_to_load=4.0, seconds_to_measure=0.5, seconds_to_save=0.1,
)  # fmt: skip
REAL = client.estimate, client.plan
TEXT = "A small bird sings at the gate of the garden.\n" * 40


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: Path) -> list[Wish]:
    """Estimates without a process of their own; answers with what was asked."""
    asked: list[Wish] = []

    def estimate(recipe: Any, overrides: Any = None, going: Callable[[], None] = lambda: None) -> Estimate:
        return replace(TRIED)

    plan = client.plan

    def planned(wish: Wish, going: Callable[[], None] = lambda: None) -> Plan:
        asked.append(wish)
        return plan(wish, going)

    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(client, "estimate", estimate)
    monkeypatch.setattr(planning, "estimate", estimate)
    monkeypatch.setattr(client, "plan", planned)
    monkeypatch.setattr(form, "REST", 0.001)
    monkeypatch.setattr(dialog, "REST", 0.001)
    return asked


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Runs that would start."""
    runs: list[tuple[Any, ...]] = []

    def start(recipe: Any, name: str | None = None, overrides: Any = None) -> Any:
        runs.append((recipe, name, overrides))
        return client.RunHandle(name or recipe.name, Path())

    monkeypatch.setattr(client, "start", start)
    return runs


async def opened_form(session: Session) -> ComposeScreen:
    await session.press("t", "enter")
    screen = session.app.screen
    assert isinstance(screen, ComposeScreen)
    await session.wait_for(lambda: screen.plan is not None)
    return screen


def rows(screen: ComposeScreen) -> dict[str, str]:
    return {choice.name: choice.key for choice in screen.query_one(ChoiceRows).choices}


async def test_choices_follow_from_each_other_and_what_they_take_is_told(
    begun: list[Any], quick: list[Wish], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 99.0, 99.0), raising=False)
    async with opened("tag-lstm") as session:
        screen = await opened_form(session)
        assert rows(screen) == {
            "family": "rnn", "task": "language_model", "corpus": rows(screen)["corpus"], "from": "",
            "size": "tiny", "seconds": "60",
        }  # fmt: skip
        assert "123,456 parameters, 345 MB of memory" in session.text()
        assert "The machine is busy: load 99.0 on" in session.text()
        assert f"{screen.plan.recipe.train.steps:,} steps of 16 examples, 10.0 ms each" in session.text()
        await session.press("right", "j", "l", "j", "j", "j", "right", "j", "space", "k")
        await session.wait_for(lambda: screen.plan is not None and bool(quick) and quick[-1].seconds == 300)
        assert (quick[-1].family, quick[-1].task, quick[-1].size) == ("lstm", "tagging", "small")
        await session.press("g", "left", "left")
        assert rows(screen)["family"] == "crf"  # before the first comes the last
        await session.wait_for(lambda: "Trained on all sentences at once, by L-BFGS" in session.text())
        assert "The machine is busy" not in session.text()
        assert "size" not in rows(screen)
        await session.press("left")
        assert rows(screen)["family"] == "hmm"
        await session.wait_for(lambda: "Counted, not trained" in session.text())
        await session.press("right")
        await session.wait_for(lambda: "L-BFGS" in session.text())
        await session.press("enter")
        ((recipe, name, _overrides),) = begun
        assert recipe.model["arch"] == "crf" and name is None
        assert session.app.screen is session.explorer
        assert "crf-tagging" in session.text()


async def test_enter_waits_until_it_has_been_tried_out(
    begun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [True]

    def slow(wish: Wish, going: Callable[[], None]) -> Plan:
        while held[0]:
            going()
            time.sleep(0.01)
        return Plan(compose.compose(wish), None)

    monkeypatch.setattr(client, "plan", slow)
    async with opened("tag-lstm") as session:
        await session.press("t", "enter")
        screen = session.app.screen
        assert isinstance(screen, ComposeScreen)
        screen.query_one("#compose-name", Input).value = "mine"
        await session.press("enter")
        assert "starts as soon as it has been tried out" in session.text() and not begun
        held[0] = False
        await session.wait_for(lambda: session.app.screen is session.explorer)
        await session.settle()
        assert begun[0][1] == "mine"


async def test_a_text_of_ones_own_by_its_path_or_pasted(
    begun: list[Any], quick: list[Wish], tmp_path: Path
) -> None:
    path = tmp_path / "garden.txt"
    path.write_text(TEXT, encoding="utf-8")
    async with opened("tag-lstm") as session:
        screen = await opened_form(session)
        field = screen.query_one("#compose-text", TextField)
        assert not field.display
        await session.press("j", "j", "left")
        assert rows(screen)["corpus"] == "own" and field.display
        assert "Name a text file, or paste a text." in session.text()
        field.value = str(tmp_path / "none.txt")
        await session.wait_for(lambda: "no such file" in screen.problem)
        await session.press("enter")
        assert not begun
        field.value = str(path)
        await session.wait_for(lambda: screen.plan is not None)
        assert screen.plan.recipe.data["corpus"].startswith("own/garden-")
        field.focus()
        field.value = ""
        await session.settle()
        field.post_message(events.Paste(TEXT))
        await session.wait_for(lambda: screen.plan is not None)
        assert field.value == f"(a pasted text of {len(TEXT)} characters)"
        await session.press("enter")
        corpus = begun[0][0].data["corpus"]
        kept = home_data() / "texts" / corpus.removeprefix("own/")
        assert kept.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    ("sent", "pasted"),
    [
        (TEXT.replace("\n", "\r"), TEXT),  # as terminals send the end of a line
        (TEXT.replace("\n", "\r\n"), TEXT),
        ("The clock ticks on. " * 60, "The clock ticks on. " * 60),  # a paragraph in one line
        ("/garden/notes.txt", ""),
        ("/garden/notes.txt\r", ""),
    ],
    ids=["cr", "crlf", "one line", "path", "path and its end"],
)
async def test_what_a_terminal_pastes_is_a_text_or_a_path(sent: str, pasted: str, begun: list[Any]) -> None:
    async with opened("tag-lstm") as session:
        screen = await opened_form(session)
        await session.press("j", "j", "left")
        field = screen.query_one("#compose-text", TextField)
        field.focus()
        field.post_message(events.Paste(sent))
        await session.wait_for(lambda: field.value != "")
        assert field.pasted == pasted
        assert field.value == (
            f"(a pasted text of {len(pasted)} characters)" if pasted else "/garden/notes.txt"
        )


async def test_what_is_wrong_is_said_and_starts_nothing(
    begun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened("tag-lstm") as session:
        screen = await opened_form(session)
        screen.query_one("#compose-settings", Input).value = "train.nonsense=1"
        await session.wait_for(lambda: "nonsense" in screen.problem)
        await session.press("enter")
        assert not begun and isinstance(session.app.screen, ComposeScreen)
        screen.query_one("#compose-settings", Input).value = "train.clip=0.5"
        await session.wait_for(lambda: screen.plan is not None)
        assert screen.plan.recipe.train.clip == 0.5

        def refuse(*_given: Any) -> None:
            raise UserError("no place for it")

        monkeypatch.setattr(client, "start", refuse)
        await session.press("enter")
        assert "no place for it" in session.text()
        await session.press("escape")
        assert isinstance(session.app.screen, TrainScreen)
        assert session.app.screen.query_one(".window").display


async def test_from_the_weights_of_a_model(quick: list[Wish]) -> None:
    async with opened("tag-lstm") as session:
        screen = await opened_form(session)
        await session.press("right", "j", "right")
        models = [key for key, _words in screen.query_one(ChoiceRows).choices[3].options]
        assert "tag-lstm" in models
        await session.press("j", "j", *["right"] * models.index("tag-lstm"))
        await session.wait_for(lambda: screen.plan is not None and quick[-1].start_from == "tag-lstm")
        assert screen.plan.recipe.init == "tag-lstm"
        assert screen.plan.recipe.tokenizer == {"from": "tag-lstm"}
        assert "the model's" in session.text()


async def test_what_a_shipped_recipe_takes_is_told(tmp_path: Path, models: Path, monkeypatch: Any) -> None:
    from tests.train.small import small

    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    (folder / "one").mkdir()
    (folder / "one" / "recipe.toml").write_text(small("lstm").to_toml(), encoding="utf-8")
    monkeypatch.setenv("NLPTUI_MODELS", str(folder))
    async with opened("tag-lstm") as session:
        await session.press("t")
        assert "Enter opens the form." in session.text()
        await session.press("j")
        await session.wait_for(lambda: "123,456 parameters, 345 MB, 0:09 in all" in session.text())

        def fails(*_given: Any, **_named: Any) -> None:
            raise UserError("corpus en_ewt is not on this machine")

        monkeypatch.setattr(client, "estimate", fails)
        await session.press("tab", "tab", "5")
        await session.wait_for(lambda: "is not on this machine" in session.text())


async def test_the_mouse_changes_a_row() -> None:
    async with opened("tag-lstm") as session:
        screen = await opened_form(session)
        await session.pilot.click("#compose-rows", offset=(20, 0))
        await session.settle()
        assert rows(screen)["family"] == "lstm"
        await session.pilot.click("#compose-rows", offset=(20, 4))
        await session.settle()
        assert rows(screen)["size"] == "tiny" and screen.query_one(ChoiceRows).row == 4


@pytest.mark.parametrize("load", [0.0, 999.0])
@pytest.mark.parametrize("size", [(80, 24), (60, 16), (120, 40)])
async def test_all_of_the_form_is_in_sight(
    size: tuple[int, int], load: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine too, of which it says so."""
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load), raising=False)
    async with opened("tag-lstm", size=size) as session:
        await opened_form(session)
        text = session.text()
        for words in ("family", "learns from", "size", "time", "123,456 parameters", "Esc"):
            assert words in text, text
        assert ("The machine is busy" in text) is bool(load)


@pytest.mark.parametrize("way", ["narrow", "wide"])
def test_picture(snap_compare: Callable[..., bool], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setattr(client, "corpora_for", lambda task: (("en_garden", True),))
    monkeypatch.setattr(client, "plan", lambda wish, going: Plan(_drawn(), TRIED))
    app = NlptuiApp(Place("still-gpt", "the cat"), Settings(theme="dark"), Still, Clerk)

    async def run_before(pilot: Pilot[Any]) -> None:
        session = Session(app, pilot)
        await session.settle()
        await session.press("t", "enter", "j", "j", "j")
        await session.wait_for(lambda: "123,456" in session.text())

    size = (80, 24) if way == "narrow" else (120, 40)
    assert snap_compare(app, terminal_size=size, run_before=run_before)


def _drawn() -> Any:
    from tests.train.small import small

    return small("rnn", steps=1000)


@pytest.mark.slow
async def test_a_toy_run_from_the_form_to_its_end(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """With a real estimate and a real worker."""
    request.getfixturevalue("tiny_data")
    monkeypatch.setattr(planning, "estimate", REAL[0])
    monkeypatch.setattr(client, "plan", REAL[1])
    async with opened("tag-lstm") as session:
        await session.press("t", "enter")
        screen = session.app.screen
        assert isinstance(screen, ComposeScreen)
        screen.query_one("#compose-settings", Input).value = "train.nice=0"
        await session.press("enter")
        start = time.monotonic()
        while not client.runs():
            assert time.monotonic() - start < 5 * LIMIT
            await session.pilot.pause(0.05)
        await session.wait_for(lambda: session.app.screen is session.explorer)
        await session.settle()
        (run,) = client.runs()
        assert run.name == "rnn-language-model-en_shakespeare" and run.steps >= compose.LEAST_STEPS
        client.cancel(run.name)
