"""The app under test, driven by keys: open it, press, wait until everything asked for is on screen, read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from nlptui.tui.backend import Worker
from nlptui.tui.clerk import Clerk
from nlptui.tui.panes.figure_pane import FigurePane
from nlptui.tui.place import Place
from nlptui.tui.program import NlptuiApp
from nlptui.tui.screens.explorer import ExplorerScreen
from nlptui.tui.settings import Settings
from nlptui.tui.workbench import Workbench

TEXT = "the old keeper can open a can of paint"
LIMIT = 60.0
"""Seconds after which something that was waited for will not come any more."""


@dataclass
class Session:
    """An open app and its keyboard."""

    app: NlptuiApp
    pilot: Pilot[int]

    @property
    def explorer(self) -> ExplorerScreen:
        """The explorer, whatever stands over it."""
        return self.app.explorer

    @property
    def place(self) -> Place:
        """Where the explorer is."""
        return self.app.explorer.place

    @property
    def pane(self) -> FigurePane:
        """The view's pane."""
        return self.app.explorer.query_one("#figure", FigurePane)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each when the answer to the one before is on screen."""
        for key in keys:
            await self.pilot.press(key)
            await self._answered()

    async def typed(self, characters: str) -> None:
        """Characters as a terminal sends them, which Textual's pilot does not know by name."""
        for character in characters:
            self.app.post_message(events.Key(_character_to_key(character), character))
            await self.settle()

    async def settle(self) -> None:
        """Wait until the backends are idle and what they answered is drawn."""
        await self.pilot.pause()
        await self._answered()

    async def _answered(self) -> None:
        """The same, where all that was sent to the widgets has arrived. To ask each of them takes a while."""
        start = time.monotonic()
        while True:
            while self._waiting():
                assert time.monotonic() - start < LIMIT, f"still waiting: {self.text()}"
                await asyncio.sleep(0.005)
            await self.app.workers.wait_for_complete()
            await self.pilot.pause()
            if not self._waiting():
                return

    def _waiting(self) -> bool:
        engine, clerk = self.app.engine.backend, self.app.clerk.backend
        starting = engine.state in ("waiting", "loading") or clerk.state in ("waiting", "loading")
        return starting or engine.busy or clerk.busy or self.explorer.pending

    def text(self) -> str:
        """What the screen on top shows, line by line."""
        compositor = self.app.screen._compositor
        lines = compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)

    async def wait_for(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        start = time.monotonic()
        while not true():
            assert time.monotonic() - start < LIMIT, self.text()
            await self.pilot.pause(0.02)


@asynccontextmanager
async def opened(
    model: str = "tag-lstm",
    text: str = TEXT,
    *,
    size: tuple[int, int] = (120, 40),
    settings: Settings | None = None,
    engine: Callable[[], Worker] = Workbench,
    clerk: Callable[[], Worker] = Clerk,
    low_bandwidth: bool = False,
    settle: bool = True,
    **place: Any,
) -> AsyncIterator[Session]:
    """The app on a terminal of `size`, at the place that is asked for."""
    app = NlptuiApp(
        Place(text=text, model=model, **place),
        settings or Settings(),
        engine,
        clerk,
        low_bandwidth=low_bandwidth,
    )
    async with app.run_test(size=size) as pilot:
        session = Session(app, pilot)
        try:
            if settle:
                await session.settle()
            yield session
        finally:
            await _let_be(app)


async def _let_be(app: NlptuiApp) -> None:
    """What is being drawn at the end of a test is drawn to its end, and nothing more is begun.

    Broken off, it would take the widgets that it removes with it, for whose end Textual then waits.
    """
    for desk in (app.engine, app.clerk, app.keeper):
        desk.deliver = lambda answer: None  # type: ignore[method-assign]
    if tasks := [worker._task for worker in app.workers if worker._task is not None]:
        await asyncio.wait(tasks, timeout=LIMIT)
