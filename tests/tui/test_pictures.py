"""What is on screen after many small changes is what drawing everything anew would give; and how little is
drawn for it.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

from nlptui.tui.panes.words import Words
from nlptui.tui.widgets.line_view import LineView
from nlptui.tui.widgets.token_row import TokenRow
from nlptui.tui.widgets.trace_tree import TraceTree
from tests.tui.driving import TEXT, opened
from tests.tui.pty import Terminal, environment, terminal

KEYS = [*"hjklhjkl[],.wWgGsdv123459", "\t", "\x1b[6~", "\x1b[5~"]
QUIET = 0.3


def cells(shown: Terminal) -> dict[int, list[Any]]:
    """Signs and colours of each line but the one about the last key."""
    buffer, columns = shown.screen.buffer, range(shown.width)
    return {
        y: [(buffer[y][x].data, buffer[y][x].fg, buffer[y][x].bg, buffer[y][x].bold) for x in columns]
        for y, line in enumerate(shown.screen.display)
        if "»" not in line
    }


def drawn_anew(shown: Terminal) -> dict[int, list[Any]]:
    """The same place, after another theme and back."""
    before = shown.screen.buffer[0][0].bg
    for there in (False, True):
        shown.send("D")
        shown.wait(lambda t, there=there: (t.screen.buffer[0][0].bg == before) is there)  # type: ignore[misc]
        shown.settle(2 * QUIET)
    return cells(shown)


@pytest.mark.parametrize(("model", "size"), [("gpt", (120, 40)), ("tag-lstm", (80, 24))])
def test_many_changes_leave_nothing_behind(
    model: str, size: tuple[int, int], model_folder: Path, tmp_path: Path, programs: Path
) -> None:
    rng = random.Random(model)
    env = environment(tmp_path, model_folder)
    with terminal(TEXT, "--model", model, env=env, size=size, programs=programs) as shown:
        shown.wait_for("▌")
        shown.settle(QUIET)
        for _round in range(3):
            keys = rng.choices(KEYS, k=12)
            for key in keys:
                shown.send(key)
                shown.pump(rng.choice([0.0, 0.02, 0.1]))
            shown.settle(2 * QUIET)
            seen = cells(shown)
            anew = drawn_anew(shown)
            assert len(seen) >= size[1] - 1
            assert [y for y in seen if seen[y] != anew[y]] == [], (keys, shown.text)


@pytest.mark.usefixtures("models")
async def test_a_key_is_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table's cursor and the read-out below it go out together."""
    async with opened("gpt") as session:
        pictures: list[Any] = []
        display = App._display
        monkeypatch.setattr(
            App, "_display", lambda app, screen, shown: (pictures.append(shown), display(app, screen, shown))
        )
        before = session.text()
        await session.press("l")
        assert session.text() != before
        assert len([shown for shown in pictures if shown is not None]) == 1


@pytest.mark.usefixtures("models")
async def test_pictures_wait_for_a_key_no_longer_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a key has set going that does not end."""
    async with opened("gpt") as session:
        monkeypatch.setattr(session.app, "on_passed", lambda passed: None)
        await session.pilot.press("l")
        await session.wait_for(lambda: not session.app.drawing_waits)


@pytest.mark.usefixtures("models")
async def test_another_token_of_the_same_run_draws_no_tree_and_no_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened("gpt") as session:
        tree = session.explorer.query_one("#tree", TraceTree)
        tokens = session.explorer.query_one("#tokens", TokenRow)
        parts, lines = (tree.part, tokens.part), []
        monkeypatch.setattr(TraceTree, "segments", lambda self, y: lines.append(y) or [])
        await session.press("j")
        assert session.explorer.shown.place.position == 1
        assert (tree.part, tokens.part) == parts and tree.part is parts[0]
        assert lines == []


@pytest.mark.usefixtures("models")
async def test_a_line_that_changes_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To see whether it differs it has to be drawn; the terminal gets that drawing."""
    async with opened("gpt") as session:
        exact = session.explorer.query_one("#exact", Words)
        drawn: list[int] = []
        strip = LineView._strip
        monkeypatch.setattr(
            LineView,
            "_strip",
            lambda self, y: (drawn.append(y) if self is exact else None, strip(self, y))[1],
        )
        await session.press("l")
        assert drawn == [0]
