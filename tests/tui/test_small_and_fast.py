"""What the explorer does where there is little room, and where keys come by the thousand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key

from nlptui.tui.panes.figure_pane import FigurePane
from nlptui.tui.screens.help import HelpScreen
from nlptui.tui.widgets.prompt import Prompt
from nlptui.tui.widgets.readout import shortened
from tests.tui.driving import Session, opened

pytestmark = pytest.mark.usefixtures("models")

SENTENCE = "how much 'walks' (query 3) looks at 'the' (key 4) (block 0, head 0)"


def key(character: str) -> events.Key:
    return events.Key(_character_to_key(character), character)


def send(session: Session, *sent: events.Key) -> None:
    """Keys in one piece, as of a paste that the terminal does not mark."""
    for event in sent:
        session.app.post_message(event)


async def test_a_burst_of_characters_goes_into_the_sentence_in_few_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces: list[str] = []
    insert = Prompt.insert

    def counted(prompt: Prompt, text: str) -> None:
        pieces.append(text)
        insert(prompt, text)

    monkeypatch.setattr(Prompt, "insert", counted)
    burst = "the cat sat， 在 " * 150
    async with opened("gpt", text="") as session:
        await session.press("i")
        send(session, *map(key, burst), events.Key("escape", None), key("c"))
        await session.wait_for(lambda: session.place.pinned is not None)
        assert session.place.text == "".join(pieces) == burst, "what comes after the burst is a key again"
        assert session.place.pinned.text == burst, "and is about the sentence as it was typed"
        assert len(pieces) < len(burst) / 50


async def test_keys_of_the_view_are_never_put_together() -> None:
    async with opened("gpt", text="the old can") as session:
        send(session, *(events.Key("right", None) for _step in range(9)), *map(key, "l" * 12))
        await session.settle()
        assert session.place.col == min(21, len(session.pane.box.part.cols) - 1) and session.place.col > 9


@pytest.mark.parametrize(
    ("sentence", "width", "expected"),
    [
        (f"{SENTENCE}: 0.0323393", 90, f"{SENTENCE}: 0.0323393"),
        (f"{SENTENCE}: 0.0323393", 77, SENTENCE),
        (f"{SENTENCE}: -1.2e-05", 70, SENTENCE),
        (f"{SENTENCE}：-inf", 70, SENTENCE),
        (SENTENCE, 20, SENTENCE),
    ],
)
def test_a_sentence_too_long_for_the_line_does_not_end_in_half_a_number(
    sentence: str, width: int, expected: str
) -> None:
    assert shortened(sentence, width) == expected


async def test_help_begins_with_what_is_on_screen_in_full() -> None:
    """On a small screen there is no room for the caption, nor for the whole of a long sentence."""
    async with opened("gpt", text="the old can", size=(80, 24), view="rollout") as session:
        caption = session.pane.figure.caption
        assert caption[:30] not in session.text()
        await session.press("j", "question_mark")
        screen = session.app.screen
        assert isinstance(screen, HelpScreen)
        shown = " ".join(session.text().replace("│", " ").split())
        assert caption in shown and "in the input is left in 'h' after this layer" in shown
        await session.press("escape")
        assert session.app.screen is session.explorer and session.place.view == "rollout"


async def test_a_view_without_a_picture_says_why_on_a_small_screen_too() -> None:
    async with opened("gpt", text="the old can", size=(80, 24), view="effect") as session:
        assert "Nothing is edited: x on a number" in session.text()
        await session.press("1")
        assert "Nothing is edited" not in session.text()
        await session.press("i", "ctrl+u", "enter", "5")
        assert session.text().count("The text is empty.") == 1
    async with opened("gpt", text="the old can", size=(120, 40), view="effect") as session:
        assert session.text().count("Nothing is edited") == 1


async def test_at_the_smallest_size_the_view_keeps_lines_while_runs_are_open() -> None:
    async with opened("tag-lstm", size=(60, 16)) as session:
        await session.press("r")
        assert session.explorer.runs_open
        pane = session.explorer.query_one("#figure", FigurePane)
        assert pane.region.height >= 4
        assert session.explorer.query_one("#run-body").region.height == 3


async def test_the_tabs_say_what_is_walked_in_a_beam_search() -> None:
    async with opened("gpt", text="the old can", view="beam", size=(120, 40)) as session:
        assert "[ 5 tokens ]  , 3 beams ." in session.text()
        await session.press("]", ".")
        assert "[ 6 tokens ]  , 4 beams ." in session.text()
        await session.press("5")
        assert "layer 1 (0–1)" in session.text()


async def test_the_only_view_of_a_group_says_so() -> None:
    async with opened("tag-lstm") as session:
        await session.press("1", "tab")
        assert session.place.view == "tokens" and "only view of its group" in session.text()
        await session.press("shift+tab", "1")
        assert session.place.view == "tokens" and "only view of its group" in session.text()
        await session.press("2")
        assert session.place.view == "embedding"


async def test_a_picture_is_drawn_to_its_end_before_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off while it removes widgets, it would leave them half removed, and the next one waiting."""
    begun: list[str] = []
    ended: list[str] = []
    show = FigurePane.show

    async def slow(pane: FigurePane, figure: Any, **more: Any) -> None:
        begun.append(figure.view)
        await asyncio.sleep(0.05)
        await show(pane, figure, **more)
        ended.append(figure.view)

    async with opened("gpt") as session:
        monkeypatch.setattr(FigurePane, "show", slow)
        session.explorer.open_view("embedding")
        await session.wait_for(lambda: begun)
        assert not ended
        session.explorer.open_view("lens")
        await session.settle()
        assert begun == ended and begun[0] == "embedding" and "lens" in ended
        assert session.place.view == session.pane.figure.view == "lens"
