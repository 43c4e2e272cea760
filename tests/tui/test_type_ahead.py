"""What is drawn when a screen changes that another one covers: nothing of it, and all of the other."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.widgets import Static

from nlptui.tui.type_ahead import OnePicture, TypeAhead


class Page(OnePicture):
    """A screen with one widget in its lower half."""

    CSS = "Static { height: 5; offset: 0 5; }"

    def compose(self) -> ComposeResult:
        yield Static("x")


class Over(Page):
    """The same, and what is behind it shows through."""

    CSS = "Over { background: black 50%; } Static { height: 5; offset: 0 5; }"


class Drawing(TypeAhead):
    """Keeps what is drawn of which screen."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[tuple[Screen[Any], set[Region]]] = []

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        spans = getattr(renderable, "spans", ())
        self.drawn.append((screen, {Region(left, y, right - left, 1) for y, left, right in spans}))
        super()._display(screen, renderable)


async def changed_together(top: Page) -> tuple[Drawing, Page]:
    """What is drawn when a corner of the screen below and the widget of the one on top change at once."""
    app = Drawing()
    async with app.run_test(size=(40, 12)) as pilot:
        below = Page()
        await app.push_screen(below)
        await app.push_screen(top)
        await pilot.pause(0.3)
        app.drawn.clear()
        corner = below.query_one(Static)
        corner._set_dirty(Region(0, 0, 3, 1))
        below._dirty_widgets.add(corner)
        below._on_timer_update()
        # As a message of the widget does, which may come before the screen is drawn or after it.
        widget = top.query_one(Static)
        widget._set_dirty()
        top._dirty_widgets.add(widget)
        top._on_timer_update()
        await pilot.pause(0.3)
    return app, below


@pytest.mark.parametrize("kind", [Page, Over])
async def test_what_changes_on_top_is_drawn_whatever_changes_behind(kind: type[Page]) -> None:
    top = kind()
    app, _below = await changed_together(top)
    lines = {region for screen, regions in app.drawn if screen is top for region in regions}
    assert {region.y for region in lines if region.width == 40} == {5, 6, 7, 8, 9}


async def test_a_covered_screen_sends_nothing() -> None:
    top = Page()
    app, below = await changed_together(top)
    assert not any(region.width == 3 for _screen, regions in app.drawn for region in regions)
    assert not below._compositor._dirty_regions
