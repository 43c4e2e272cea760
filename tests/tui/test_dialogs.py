"""What dialogs cost: what stands behind them is drawn once, their styles are read before they open."""

from __future__ import annotations

from typing import Any

import pytest
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.css import stylesheet
from textual.renderables.background_screen import BackgroundScreen

from nlptui.tui.screens.behind import under
from tests.tui.driving import opened

VEIL = Color(18, 18, 18, 0.6)
DIALOGS = ("m", "question_mark", "x", "e", "slash", "ctrl+p")


@pytest.mark.parametrize(
    "style",
    [
        Style(),
        Style(color=RichColor.from_rgb(200, 10, 30), bold=True),
        Style(color=RichColor.from_ansi(208), bgcolor=RichColor.from_ansi(17), underline=True),
        Style(bgcolor=RichColor.from_rgb(0, 0, 0), link="https://example.org", meta={"@click": "app.quit"}),
    ],
)
def test_a_style_under_the_veil_is_textuals(style: Style) -> None:
    (theirs,) = BackgroundScreen.process_segments([Segment("x", style)], VEIL)
    ours = under(style, VEIL, Style())
    assert ours == theirs.style
    assert ours.link is None and not ours.meta


@pytest.mark.usefixtures("models")
async def test_keys_in_a_dialog_do_not_draw_what_is_behind_again() -> None:
    async with opened("gpt") as session:
        await session.press("m")
        behind = session.explorer._compositor
        drawn: list[Any] = []
        render = behind.render_strips
        behind.render_strips = lambda *given: (drawn.append(given), render(*given))[1]  # type: ignore[method-assign]
        for key in ("g", "p", "down", "backspace"):
            await session.press(key)
        session.app.screen.refresh()
        await session.pilot.pause(0.1)
        assert drawn == []
        assert "attention weights" in session.text()


@pytest.mark.usefixtures("models")
async def test_what_changes_behind_a_dialog_is_seen() -> None:
    async with opened("gpt") as session:
        await session.press("m")
        session.explorer.say("said behind the window")
        await session.wait_for(lambda: "said behind the window" in session.text())


@pytest.mark.usefixtures("models")
async def test_another_theme_and_another_size_are_seen_behind_a_dialog() -> None:
    async with opened("gpt", size=(120, 40)) as session:
        await session.press("m")
        before = session.app.screen._compositor.render_strips()[0]
        session.app.action_switch_theme()
        await session.pilot.pause(0.1)
        after = session.app.screen._compositor.render_strips()[0]
        assert after.text == before.text and list(after) != list(before)
        await session.pilot.resize_terminal(140, 40)
        await session.pilot.pause(0.1)
        title = session.app.screen._compositor.render_strips()[0]
        assert title.cell_length == 140 and title.text.rstrip().endswith("ms") and title.text != after.text


@pytest.mark.usefixtures("models")
async def test_no_dialog_has_styles_read_when_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual would read and apply all styles anew for each."""
    async with opened("gpt") as session:
        known = set(session.app.stylesheet.source)
        read: list[Any] = []
        parse = stylesheet.parse

        def noted(scope: str, css: str, read_from: Any, *more: Any, **options: Any) -> Any:
            read.append(read_from)
            return parse(scope, css, read_from, *more, **options)

        monkeypatch.setattr(stylesheet, "parse", noted)
        for key in DIALOGS:
            before = session.app.screen
            await session.press(key)
            assert session.app.screen is not before, key
            await session.press("escape")
        assert not known.intersection(read)
