"""Writing on by keys: a token more, a token less, another one, by itself, and how it is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlptui.engine import Engine
from nlptui.sampling import Sampling
from nlptui.tui.screens.sampling import SamplingScreen
from nlptui.views.figure import HeatTable
from tests.tui.driving import TEXT, opened

pytestmark = pytest.mark.usefixtures("models")


async def test_space_writes_what_generate_writes_and_b_takes_it_back(models: Path) -> None:
    steps = list(Engine.load(models / "gpt").generate(TEXT, max_tokens=3, temperature=1.0))
    async with opened("gpt", view="next", text=TEXT[:9]) as session:
        start = session.place.text
        steps = list(Engine.load(models / "gpt").generate(start, max_tokens=3, temperature=1.0))
        await session.press("space", "space", "space")
        assert session.place.text == start + "".join(step.text for step in steps)
        assert session.place.position == len(session.explorer.shown.tokens.tokens) - 1
        await session.press("b", "b", "b")
        assert session.place.text == start


async def test_the_token_under_the_cursor_is_written(models: Path) -> None:
    async with opened("gpt", view="next", text="the old") as session:
        table = session.pane.box.part
        assert isinstance(table, HeatTable)
        await session.press("l", "l")
        wanted = table.cols[2]
        await session.press("plus")
        assert session.place.text == "the old" + wanted.replace("␣", " ")


async def test_a_translation_is_walked_forced_and_begun_again(models: Path) -> None:
    engine = Engine.load(models / "translator")
    async with opened("translator", view="next", text="the old") as session:
        assert session.place.written is None
        await session.press("B")
        assert session.place.written == ""
        await session.press("space")
        first = next(engine.generate("the old", max_tokens=1, temperature=1.0))
        assert session.place.written == str(first.id)
        table = session.pane.box.part
        await session.press("l")
        origin = table.origin(0, 1)
        await session.press("plus")
        assert session.place.written == f"{first.id},{origin.index[-1]}"
        assert session.explorer.shown.place.run == session.place.run
        await session.press("b")
        assert session.place.written == str(first.id)
        await session.press("B", "B")
        assert session.place.written is None
        assert "--written" not in session.place.command()


async def test_it_writes_by_itself_until_it_is_stopped() -> None:
    async with opened("gpt", view="next", text="the") as session:
        await session.press("A")
        for _n in range(40):
            await session.pilot.pause(0.05)
            if len(session.place.text) >= 6:
                break
        assert len(session.place.text) >= 6
        await session.press("A")
        await session.pilot.pause(0.3)
        text = session.place.text
        await session.pilot.pause(0.4)
        assert session.place.text == text and not session.explorer.writing


async def test_sampling_is_asked_for_and_wrong_numbers_are_told() -> None:
    async with opened("gpt", view="next", text="the old") as session:
        await session.press("percent_sign")
        assert isinstance(session.app.screen, SamplingScreen)
        await session.press("x", "enter")
        assert isinstance(session.app.screen, SamplingScreen) and "write a number" in session.text()
        await session.press("backspace", *"0.5", "tab", "3", "tab", *"7", "enter")
        assert "top-p is 7.0" in session.text()
        await session.press("backspace", *"0.9", "tab", "2", "enter")
        assert session.place.sampling == Sampling(0.5, 3, 0.9, 2)
        assert "--temperature 0.5 --top-k 3 --top-p 0.9 --seed 2" in session.place.command()
        assert "top-k removes" in session.explorer.shown.figure.caption
        await session.press("right_curly_bracket")
        assert session.place.sampling.temperature == pytest.approx(0.6)
        await session.press(*["left_curly_bracket"] * 7)
        assert session.place.sampling.temperature == 0 and "greedy" in session.explorer.shown.figure.caption


async def test_a_model_that_writes_nothing_says_so() -> None:
    async with opened("tag-lstm") as session:
        for key in ("space", "b", "plus", "A"):
            await session.press(key)
            assert "writes no text" in session.text()
