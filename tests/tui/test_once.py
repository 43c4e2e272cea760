"""What is to be done once after a while is done, however late the machine comes to it."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual import timer
from textual.app import App

import nlptui.tui
from nlptui.tui.once import once

LOOKS = 200
"""Of Textual's looks at the clock, those that each come 10 ms after the one before."""


def slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on another program has the processor whenever Textual has looked at the clock, for a while."""
    get_time, looks = timer._time.get_time, itertools.count()
    slow = SimpleNamespace(get_time=lambda: get_time() + 0.01 * min(next(looks), LOOKS))
    monkeypatch.setattr(timer, "_time", slow)


async def test_a_busy_machine_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    done = asyncio.Event()
    app: App[None] = App()
    async with app.run_test():
        slow_down(monkeypatch)
        once(app, 0.002, done.set)
        await asyncio.wait_for(done.wait(), 2)


async def test_what_is_stopped_is_not_done() -> None:
    done = asyncio.Event()
    app: App[None] = App()
    async with app.run_test() as pilot:
        once(app, 0.002, done.set).stop()
        await pilot.pause(0.05)
    assert not done.is_set()


def test_nothing_else_sets_such_a_timer() -> None:
    found = {
        path.name
        for path in Path(nlptui.tui.__file__).parent.rglob("*.py")
        if re.search(r"\.set_timer\(", path.read_text(encoding="utf-8"))
    }
    assert found == {"once.py"}
