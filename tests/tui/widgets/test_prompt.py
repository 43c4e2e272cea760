"""The prompt: typing, moving, history, pause, paste of a megabyte, and what must never reach the terminal."""

from __future__ import annotations

import time
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.binding import Binding

from nlptui.tui.widgets.prompt import SIGN, Prompt
from tests.tui.widgets.hostile import HOSTILE, is_clean
from tests.tui.widgets.widget_host import Host


class PromptHost(Host):
    """Keeps what the prompt says, and has a key bound that is also a letter."""

    BINDINGS = [Binding("q", "quit", priority=False), Binding("g", "quit")]

    def __init__(self, widget: Prompt) -> None:
        super().__init__(widget)
        self.said: list[tuple[str, str]] = []

    def on_prompt_changed(self, message: Any) -> None:
        assert message.control is self.widget
        self.said.append(("changed", message.text))

    def on_prompt_submitted(self, message: Any) -> None:
        assert message.control is self.widget
        self.said.append(("submitted", message.text))


async def test_letters_are_text_whatever_they_are_bound_to() -> None:
    view = Prompt()
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        await pilot.press("q", "g", "j", "space", "中", "question_mark")
        assert view.text == "qgj 中?" and app.is_running
        assert app.lines()[0] == f"{SIGN} qgj 中?"


async def test_changed_comes_once_after_a_pause() -> None:
    view = Prompt(pause=0.05)
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        for letter in "abc":
            view.insert(letter)
        await pilot.pause(0.3)
        assert app.said == [("changed", "abc")]
        await pilot.press("left", "right", "home", "end")
        await pilot.pause(0.3)
        assert len(app.said) == 1, "moving the cursor changes nothing"


async def test_enter_says_the_text_at_once() -> None:
    view = Prompt(pause=60)
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        await pilot.press("a", "enter")
        await pilot.pause()
    assert app.said == [("changed", "a"), ("submitted", "a")]


async def test_a_text_set_from_outside_is_not_said() -> None:
    view = Prompt(pause=0.01)
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        view.text = "hello"
        await pilot.pause(0.1)
        assert app.lines()[0] == f"{SIGN} hello" and view.cursor == 5
    assert app.said == []


async def test_editing_keys() -> None:
    view = Prompt("the cat sat")
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        for keys, text, cursor in [
            (["backspace"], "the cat sa", 10),
            (["home", "delete"], "he cat sa", 0),
            (["ctrl+right", "X"], "heX cat sa", 3),
            (["ctrl+left", "left"], "heX cat sa", 0),
            (["end", "ctrl+w"], "heX cat ", 8),
            (["left", "ctrl+u"], " ", 0),
            (["b", "a", "left", "ctrl+k"], "b", 1),
            (["backspace", "backspace", "delete"], "", 0),
        ]:
            await pilot.press(*keys)
            assert (view.text, view.cursor) == (text, cursor), keys


async def test_backspace_takes_combining_marks_along() -> None:
    view = Prompt("xe\u0301")
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        await pilot.press("backspace")
        assert view.text == "x"


async def test_history_goes_back_and_forth() -> None:
    view = Prompt(history=["one", "two"])
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        await pilot.press("d", "r", "up")
        assert view.text == "two"
        await pilot.press("up", "up")
        assert view.text == "one"
        await pilot.press("down")
        assert view.text == "two"
        await pilot.press("down")
        assert view.text == "dr"
        await pilot.press("down")
        assert view.text == "dr"
        await pilot.press("enter", "x", "up", "up")
        assert view.text == "two" and view.history == ["one", "two", "dr"]


async def test_a_pasted_megabyte_is_kept_whole_and_shown_in_part() -> None:
    view = Prompt()
    app = PromptHost(view)
    text = "word 床\n" * 150_000
    async with app.run_test(size=(60, 3)) as pilot:
        view.post_message(events.Paste(text))
        await pilot.pause()
        assert view.text == text
        started = time.perf_counter()
        await pilot.press("home", "x", "end", "y", "left", "left", "backspace")
        assert time.perf_counter() - started < 20, "each key must look at one line, not at the whole text"
        assert len(view.text) == len(text) + 1
        line = app.screen._compositor.render_strips()[0]
        assert line.cell_length == 60
        assert app.lines()[0].startswith(f"{SIGN}…") and "⏎" in app.lines()[0]


async def test_the_cursor_is_always_in_sight() -> None:
    view = Prompt("".join(chr(0x4E00 + n) if n % 3 else "a" for n in range(300)))
    app = PromptHost(view)
    async with app.run_test(size=(30, 3)) as pilot:
        for key in [
            "home",
            *["right"] * 40,
            "end",
            *["left"] * 60,
            "ctrl+right",
            "ctrl+left",
            "end",
            "backspace",
        ]:
            await pilot.press(key)
            styles = [
                text
                for text, style in app.styles_on(0)
                if style and style.bgcolor and style.bgcolor.number == 15
            ]
            assert len(styles) == 1, key
            assert app.screen._compositor.render_strips()[0].cell_length == 30
            column = app.cursor_position.x
            shown = view.text[view.cursor] if view.cursor < len(view.text) else " "
            before = 0
            for text, _style in app.styles_on(0):
                if before == column:
                    assert text == shown
                    break
                before += cell_len(text)


async def test_hostile_text_is_shown_as_signs() -> None:
    for text in HOSTILE:
        view = Prompt()
        app = PromptHost(view)
        async with app.run_test(size=(60, 3)) as pilot:
            view.post_message(events.Paste(text))
            await pilot.press("left", "right", "end")
            assert app.is_running and view.text == text.replace("\r", "\n")
            assert is_clean("".join(app.lines()))
            assert app.screen._compositor.render_strips()[0].cell_length == 60


async def test_click_puts_the_cursor_there() -> None:
    view = Prompt("a床b")
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        for x, cursor in [(2, 0), (3, 1), (4, 1), (5, 2), (6, 3), (30, 3)]:
            await pilot.click(Prompt, offset=(x, 0))
            assert view.cursor == cursor, x


async def test_empty_prompt_says_what_it_is_for() -> None:
    app = PromptHost(Prompt())
    async with app.run_test(size=(40, 3)) as pilot:
        assert app.lines()[0] == f"{SIGN} Type a sentence."
        await pilot.press("backspace", "delete", "left", "up", "down", "ctrl+w", "ctrl+k")
        assert app.lines()[0] == f"{SIGN} Type a sentence."


async def test_tiny_sizes() -> None:
    view = Prompt("hello 床前")
    app = PromptHost(view)
    async with app.run_test(size=(40, 3)) as pilot:
        for width in (1, 2, 3, 5, 40):
            await pilot.resize_terminal(width, 2)
            await pilot.press("left", "right", "home", "end")
        assert app.lines()[0] == f"{SIGN} hello 床前"
