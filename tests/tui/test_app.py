"""The whole program: palette, help, language, theme, failures, and keys that come faster than the screen."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from textual import events

from nlptui.errors import UserError
from nlptui.locale import language, set_language
from nlptui.paths import home_config
from nlptui.tui.actions import ACTIONS
from nlptui.tui.actions.action import help_of, label_of
from nlptui.tui.actions.keys import key_name
from nlptui.tui.app import first_place
from nlptui.tui.driver import log_path
from nlptui.tui.examples import FIRST
from nlptui.tui.panes.run_panel import RunPanel
from nlptui.tui.place import Place
from nlptui.tui.requests import Explain
from nlptui.tui.screens.chooser import ItemList
from nlptui.tui.screens.explain import ExplainScreen
from nlptui.tui.screens.explorer import ExplorerScreen
from nlptui.tui.screens.help import HelpScreen
from nlptui.tui.screens.palette import PaletteScreen
from nlptui.tui.settings import Settings, read_settings, settings_path
from nlptui.tui.widgets.heat_table import HeatTableView
from nlptui.tui.widgets.prompt import Prompt
from nlptui.tui.workbench import Workbench
from tests.tui.driving import TEXT, opened

pytestmark = pytest.mark.usefixtures("models")


# -- palette and help


@pytest.mark.parametrize("key", ["ctrl+p", "colon"])
async def test_the_palette_runs_an_action_by_its_name(key: str) -> None:
    async with opened("gpt") as session:
        await session.press(key)
        assert isinstance(session.app.screen, PaletteScreen)
        await session.press(*"layer up", "enter")
        assert isinstance(session.app.screen, ExplorerScreen) and session.place.layer == 1


async def test_the_palette_moves_the_cursor_and_opens_numbers_where_one_was() -> None:
    async with opened("gpt") as session:
        await session.press("ctrl+p", *"move the cell cursor down", "enter")
        assert session.pane.cell == (1, 0)
        await session.press("ctrl+p", *"term by term", "enter")
        assert isinstance(session.app.screen, ExplainScreen)


async def test_the_palette_opens_views() -> None:
    async with opened("gpt") as session:
        await session.press("ctrl+p", *"embedding view", "enter")
        assert session.place.view == "embedding"


async def test_the_palette_offers_every_action_of_the_explorer() -> None:
    async with opened("gpt") as session:
        await session.press("ctrl+p")
        listed = {item.key for item in session.app.screen.query_one(ItemList).items}
        assert {a.id for a in ACTIONS if a.scope in ("app", "explorer", "table")} <= listed


async def test_help_names_keys_and_can_be_left_by_its_keys() -> None:
    async with opened("gpt") as session:
        for leave in ("escape", "question_mark", "f1", "q"):
            await session.press("question_mark")
            assert isinstance(session.app.screen, HelpScreen)
            assert "Edit the sentence; the screen follows as you type." in session.text()
            await session.press("pagedown", "G", "g")
            await session.press(leave)
            assert isinstance(session.app.screen, ExplorerScreen)


async def test_help_shows_the_keys_that_a_user_has_bound() -> None:
    async with opened("gpt", settings=Settings(keys={"layer_up": "ctrl+up"})) as session:
        await session.press("ctrl+up")
        assert session.place.layer == 1
        await session.press("left_square_bracket", "right_square_bracket")
        assert session.place.layer == 0
        await session.press("f1")
        assert "Ctrl+UP" in session.text() or "Ctrl+↑" in session.text()


async def test_a_cursor_key_can_be_bound_anew() -> None:
    async with opened("gpt", settings=Settings(keys={"cursor.down": "n", "find_next": "ctrl+n"})) as session:
        await session.press("n", "j")
        assert session.pane.cell == (1, 0)


async def test_a_wrong_binding_is_said_and_the_keys_stay() -> None:
    async with opened("gpt", settings=Settings(keys={"quit": "i"})) as session:
        assert "bound to both" in session.text()
        await session.press("i")
        assert isinstance(session.app.focused, Prompt)


# -- language, theme, sizes


async def test_the_language_changes_at_run_time() -> None:
    async with opened("gpt", view="attention", head=1) as session:
        await session.press("j", "l", "L")
        assert language() == "zh"
        text = session.text()
        assert "注意力" in text and "language model" not in text
        assert session.pane.cell == (1, 1) and session.place.head == 1
        await session.press("question_mark")
        assert help_of(ACTIONS[0]) in session.text() and "Edit the sentence" not in session.text()
        await session.press("escape", "L")
        assert language() == "en" and "attention weights" in session.text()


async def test_the_run_panel_stays_open_when_the_language_changes() -> None:
    async with opened("gpt") as session:
        await session.press("r", "L")
        panel = session.explorer.query_one(RunPanel)
        assert panel.has_class("open") and panel.chart.is_attached
        await session.press("r")
        assert not session.explorer.query_one(RunPanel).has_class("open")


async def test_the_language_changes_while_a_number_is_open() -> None:
    async with opened("gpt") as session:
        await session.press("enter", "enter", "L")
        assert isinstance(session.app.screen, ExplainScreen)
        assert "How this number was made" not in session.text() and "blocks.0.attn.scores" in session.text()
        await session.press("backspace", "escape")
        assert "注意力" in session.text()


async def test_every_word_of_an_action_has_a_translation() -> None:
    async with opened("gpt") as session:
        await session.press("L")
        missing = [a.id for a in ACTIONS if label_of(a).isascii() or help_of(a).isascii()]
        assert missing == []


async def test_the_theme_changes_at_run_time_and_is_kept() -> None:
    async with opened("gpt") as session:
        assert session.app.current_theme.dark
        await session.press("D")
        assert not session.app.current_theme.dark
        session.app.save_settings()
        assert read_settings(settings_path())[0].theme == "light"


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60)])
async def test_it_fits_every_size_and_shows_what_matters(size: tuple[int, int]) -> None:
    async with opened("gpt", size=size) as session:
        lines = session.text().splitlines()
        assert len(lines) <= size[1]
        for words in ("GPT", "q quit", "1.00", "blocks.0.attn.weights"):
            assert words in session.text(), words
        assert session.pane.size.height >= 5


async def test_dialogs_fit_the_smallest_size() -> None:
    async with opened("gpt", size=(60, 16)) as session:
        for key in ("m", "ctrl+p", "question_mark", "x", "t", "e", "slash"):
            await session.press(key)
            assert session.app.screen is not session.explorer, key
            lines = session.text().splitlines()
            assert len(lines) <= 16 and lines[-1].strip().startswith(("╰", "i")), session.text()
            await session.press("escape")


# -- failures


class Failing(Workbench):
    """A workbench with a fault: in its start, in what it shows, or in how it explains."""

    fault = ""

    def load(self) -> None:
        if self.fault == "load":
            raise ImportError("no module named torch")
        super().load()

    def answer(self, request: Any, watch: Any) -> Any:
        if self.fault == "show" or (self.fault == "explain" and isinstance(request, Explain)):
            raise ZeroDivisionError("division by \x1b[31mzero")
        return super().answer(request, watch)


def failing(where: str) -> type[Failing]:
    return type("Failing", (Failing,), {"fault": where})


async def test_an_engine_that_cannot_start_is_said_and_the_rest_works() -> None:
    async with opened("gpt", engine=failing("load")) as session:
        assert "engine failed" in session.text() and "no module named torch" in session.text()
        await session.press("m")
        assert "class-lstm" in session.text()
        await session.press("escape", "question_mark", "escape", "t", "escape")
        assert isinstance(session.app.screen, ExplorerScreen)


async def test_a_fault_while_drawing_is_said_and_logged_and_the_app_goes_on() -> None:
    async with opened("gpt", engine=failing("show")) as session:
        assert "ZeroDivisionError: division by ␛[31mzero" in session.text()
        assert "Traceback" in log_path().read_text()
        await session.press("i", "x")
        assert session.place.text.endswith("x")


async def test_a_fault_while_explaining_leaves_the_view() -> None:
    async with opened("gpt", engine=failing("explain")) as session:
        await session.press("enter")
        assert "ZeroDivisionError" in session.text()
        await session.press("backspace")
        assert isinstance(session.app.screen, ExplorerScreen)
        await session.press("]")
        assert session.place.layer == 1 and session.explorer.problem == ""


async def test_an_unknown_model_is_one_line_with_a_hint() -> None:
    async with opened("gpx") as session:
        assert "no model named 'gpx'" in session.text() and "gpt" in session.text()
        await session.press("m", *"gpt", "enter")
        assert session.explorer.problem == "" and "attention weights" in session.text()


async def test_without_any_model_it_says_so_and_training_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path))
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    async with opened("") as session:
        assert "no models found" in session.explorer.problem
        await session.press("m")
        assert "t trains one" in session.text()
        await session.press("escape", "9", "j", "enter", "x", "y", "c", "w", "]", "e")
        assert isinstance(session.app.screen, ExplorerScreen)


async def test_a_view_that_the_model_lacks_is_said() -> None:
    async with opened("tag-lstm", view="attention") as session:
        assert session.explorer.shown.place.view == "gates"
        assert "nothing to show in the view attention" in session.text()
        await session.press("3")
        assert "nothing to show" not in session.text()


async def test_a_broken_model_is_listed_with_its_fault_and_cannot_be_taken(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    shutil.copytree(models / "gpt", folder / "cut")
    weights = folder / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    monkeypatch.setenv("NLPTUI_MODELS", str(folder))
    async with opened("cut") as session:
        assert "model.safetensors" in session.explorer.problem
        await session.press("m", *"cut", "enter")
        assert session.app.screen is not session.explorer and "model.safetensors" in session.text()
        await session.press("ctrl+u", *"gpt", "enter")
        assert session.explorer.problem == ""


async def test_a_tokenizer_that_does_not_fit_the_model_is_said(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    with (folder / "gpt" / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("".join(f"new{i}\n" for i in range(50)))
    monkeypatch.setenv("NLPTUI_MODELS", str(folder))
    async with opened("gpt") as session:
        assert session.explorer.problem and "\n" not in session.explorer.problem
        await session.press("m", *"tag-lstm", "enter")
        assert session.explorer.problem == ""


class Waiting(Workbench):
    """A workbench that waits at the gate."""

    gate = threading.Event()

    def answer(self, request: Any, watch: Any) -> Any:
        assert self.gate.wait(20)
        return super().answer(request, watch)


async def test_the_screen_answers_while_the_engine_is_busy() -> None:
    Waiting.gate.clear()
    async with opened("gpt", engine=Waiting, settle=False) as session:
        await session.wait_for(lambda: session.app.engine.backend.state == "ready")
        await session.wait_for(lambda: "running…" in session.text())
        await session.pilot.press("i", "x", "escape", "question_mark")
        await session.wait_for(lambda: isinstance(session.app.screen, HelpScreen))
        await session.pilot.press("escape")
        Waiting.gate.set()
        await session.settle()
        assert "attention weights" in session.text() and session.place.text == TEXT + "x"


async def test_only_the_newest_of_many_requests_is_shown() -> None:
    Waiting.gate.clear()
    async with opened("gpt", text="a", engine=Waiting, settle=False) as session:
        await session.wait_for(
            lambda: session.app.engine.backend.busy and session.app.engine.backend.state == "ready"
        )
        shown: list[str] = []
        take = session.explorer.take

        async def watched(result: Any) -> None:
            shown.append(result.place.text)
            await take(result)

        session.explorer.take = watched
        for text in ("ab", "abc", "abcd"):
            session.explorer.go(Place(model="gpt", text=text))
        Waiting.gate.set()
        await session.settle()
        assert shown == ["abcd"]


class Long(Workbench):
    """A workbench whose beam takes long."""

    def show(self, place: Place) -> Any:
        if place.view == "beam":
            for piece in range(2000):
                self._watch(piece, 2000)
                time.sleep(0.01)
        return super().show(place)


async def test_what_takes_long_says_how_far_it_is_and_escape_cancels_it() -> None:
    async with opened("gpt", engine=Long) as session:
        before = session.place.view
        session.explorer.open_view("beam")
        await session.wait_for(lambda: "of 2000  Esc cancels" in session.text())
        await session.pilot.press("j")  # the screen stays alive
        await session.pilot.press("escape")
        await session.settle()
        assert "Cancelled." in session.text() and session.place.view == before
        await session.press("l")
        assert "Cancelled." not in session.text() and session.pane.cell[1] == 1


async def test_what_takes_long_gives_way_to_what_is_asked_next() -> None:
    async with opened("gpt", engine=Long) as session:
        session.explorer.open_view("beam")
        await session.wait_for(lambda: "Esc cancels" in session.text())
        await session.press("1")
        assert session.place.view == "tokens" and "Esc cancels" not in session.text()


# -- hostile text


HOSTILE = [
    "", "a", " ", "\x00", "[/bold]", "[@click=app.quit]x[/]", "[red]x", "\x1b[31mred\x1b[0m", "\x1b]0;t\x07",
    "\u202eabc", "a\u200bb", "\ud800", "e\u0301\u0301\u0301", "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u0645\u0631\u062d\u0628\u0627", "中文 and English", "\t\n\r", "\x9b31m", "\ufdfd", "x" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("model", ["gpt", "tag-lstm", "bert"])
async def test_hostile_texts_are_shown_safely(model: str) -> None:
    async with opened(model) as session:
        for text in HOSTILE:
            session.explorer.go(Place(model=model, text=text))
            await session.settle()
            assert session.explorer.problem == "", repr(text)
            drawn = session.text()
            for raw in "\x00\x07\x1b\x9b\u202e\u200b\ud800":
                assert raw not in drawn, (repr(text), repr(raw))
        await session.press("9", "2", "enter", "escape", "i", "escape")
        assert isinstance(session.app.screen, ExplorerScreen)


async def test_hostile_names_of_models_are_shown_safely(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    shutil.copytree(models / "gpt", folder / "\x1b[31m[bold]\u202e")
    monkeypatch.setenv("NLPTUI_MODELS", str(folder))
    async with opened("gpt") as session:
        await session.press("m")
        assert "␛[31m[bold]" in session.text() and "\x1b" not in session.text()
        await session.press(*"bold", "enter")
        assert session.explorer.problem == "" and "\x1b" not in session.text()


# -- keys that come quickly


async def send(session: Any, *keys: str) -> None:
    """Keys all at once, as from a slow line."""
    for key in keys:
        character = key if len(key) == 1 else None
        name = {"/": "slash", "]": "right_square_bracket"}.get(key, key)
        session.app.post_message(events.Key(name, character))
    await session.settle()


async def test_keys_sent_at_once_do_what_they_do_one_by_one() -> None:
    async with opened("gpt") as session:
        await send(session, "/", "p", "enter", "]", "j")
        await session.settle()
        assert session.explorer.sought == "p" and session.place.layer == 1
        assert isinstance(session.app.screen, ExplorerScreen) and session.place.pinned is None
        await send(session, "i", "ctrl+u", "q", "x", "escape", "]")
        await session.settle()
        assert session.place.text == "qx" and isinstance(session.app.focused, HeatTableView)


async def test_ctrl_c_waits_for_no_other_key() -> None:
    async with opened("gpt") as session:
        session.app._held.extend(events.Key("j", "j") for _n in range(50))
        session.app.post_message(events.Key("ctrl+c", None))
        await session.pilot.pause(0.2)
        assert session.app._exit


# -- the first place


def test_what_is_asked_for_comes_before_what_was() -> None:
    last = Place("bert", "old text", view="gates", layer=2, row=5, by="row", reading="one-hot")
    assert first_place(last, None, None) == last
    asked = first_place(last, "new", "gpt", layer=1)
    assert (asked.model, asked.text, asked.layer, asked.row) == ("gpt", "new", 1, 0)
    assert (asked.by, asked.reading) == ("row", "one-hot")
    assert first_place(last, "", None).text == ""


def test_the_very_first_start_has_an_example() -> None:
    assert first_place(Place(), None, None).text == FIRST["en"]


async def test_without_a_model_a_default_one_opens() -> None:
    async with opened("") as session:
        assert session.place.model and session.explorer.problem == ""


async def test_a_reader_of_chinese_begins_with_a_chinese_model(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    for family in ("gpt", "tag-lstm"):
        shutil.copytree(models / family, folder / f"zh-{family}")
        path = folder / f"zh-{family}" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"language": "zh", "name": f"zh-{family}"}))
    monkeypatch.setenv("NLPTUI_MODELS", str(folder))
    set_language("zh")
    async with opened("") as session:
        assert session.place.model == "zh-tag-lstm"


async def test_a_model_that_is_gone_since_the_last_session_is_replaced() -> None:
    settings = Settings(last=Place("gone", "the can").kept())
    async with opened("gone", text="the can", settings=settings) as session:
        assert session.place.model != "gone" and "no model named 'gone'" in session.text()
        assert session.explorer.shown is not None


async def test_settings_are_saved_on_the_way_out() -> None:
    async with opened("gpt") as session:
        await session.press("]", "q")
    saved = json.loads((home_config() / "settings.json").read_text())
    assert saved["last"]["model"] == "gpt" and saved["last"]["layer"] == 1


async def test_a_low_bandwidth_session_types_slower_and_looks_less_often() -> None:
    async with opened("gpt", low_bandwidth=True) as session:
        assert session.explorer.query_one(Prompt).pause >= 0.2
        assert session.app.animation_level == "none"
        await session.press("i", "x", "escape")
        assert session.place.text.endswith("x")


def test_keys_are_named_in_both_languages() -> None:
    assert all(key_name(key) for action in ACTIONS for key in action.keys)


def test_user_errors_of_the_clerk_are_lines() -> None:
    from nlptui.tui.clerk import no_recipes

    assert isinstance(no_recipes(), UserError) and "\n" not in str(no_recipes())
