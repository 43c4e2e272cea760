"""Screens that were closed: no answer reaches them any more, and nothing keeps them."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from textual._styles_cache import StylesCache

from nlptui.tui.backend import Watch
from nlptui.tui.requests import Explain
from nlptui.tui.screens.explain import ExplainScreen
from nlptui.tui.screens.studio import StudioScreen
from nlptui.tui.studio_desk import LookAtStudio
from nlptui.tui.workbench import Workbench
from tests.tui.driving import opened


@pytest.fixture(autouse=True)
def shipped(models: object) -> None:
    """The small models stand in for the shipped ones."""


class Held(Workbench):
    """A workbench that keeps explanations back until it is told to go on."""

    go = threading.Event()

    def answer(self, request: Any, watch: Watch) -> Any:
        if isinstance(request, Explain):
            self.go.wait(20)
        return super().answer(request, watch)


async def test_an_explanation_that_comes_too_late_is_nobodys() -> None:
    Held.go.clear()
    async with opened("tag-lstm", engine=Held) as session:
        await session.pilot.press("enter")
        await session.wait_for(lambda: isinstance(session.app.screen, ExplainScreen))
        await session.pilot.press("escape")
        await session.wait_for(lambda: session.app.screen is session.explorer)
        Held.go.set()
        await session.settle()
        assert session.app.crash == ""
        await session.press("l")


async def test_the_studio_is_left_while_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened("tag-lstm") as session:
        await session.press("C")
        screen = session.app.screen
        assert isinstance(screen, StudioScreen)
        answers: list[Callable[[], None]] = []
        deliver = session.app.clerk.deliver
        later = lambda answer: answers.append(lambda: deliver(answer))  # noqa: E731
        monkeypatch.setattr(session.app.clerk, "deliver", later)
        session.app.clerk.ask(LookAtStudio(), screen.seen)
        await session.wait_for(lambda: bool(answers))
        await session.press("escape")
        assert not screen.stands and screen.check_action("studio_down", ()) is False
        for answer in answers:
            answer()
        assert session.app.crash == ""


async def test_nothing_keeps_a_screen_that_was_closed() -> None:
    gc.collect()
    others = {id(one) for one in gc.get_objects() if type(one) is StylesCache}
    async with opened("tag-lstm") as session:
        kept = []
        for keys in (("enter",), ("C",), ("question_mark",), ("t",)):
            for _time in range(2):
                await session.press(*keys)
                kept.append(weakref.ref(session.app.screen))
                await session.press("escape")
        assert session.app.screen is session.explorer
        await session.press("l", "h")
        gc.collect()
        left = [type(screen()).__name__ for screen in kept if screen() is not None]
        assert len(left) <= 1, left  # the last is still on its way out, perhaps
        caches = [one for one in gc.get_objects() if type(one) is StylesCache and id(one) not in others]
        assert len(caches) < 200


async def test_a_new_theme_reaches_all_that_stands() -> None:
    from nlptui.tui.widgets.line_view import LineView

    async with opened("tag-lstm") as session:
        await session.press("C")
        before = [view.palette for view in session.app.screen.query(LineView)]
        await session.app.run_by_id("switch_theme")
        await session.settle()
        after = [view.palette for view in session.app.screen.query(LineView)]
        assert before and all(one is not other for one, other in zip(before, after, strict=True))
