"""Fewer bytes, the same picture: what is sent is played back by a terminal emulator."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyte
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from nlptui.tui.widgets import frugal
from nlptui.tui.widgets.bar_list import BarList
from nlptui.tui.widgets.line_view import LineView
from nlptui.views.figure import Bars

CONSOLE = Console(color_system="truecolor", force_terminal=True)


def played(text: str) -> list[list[object]]:
    """The cells of a terminal after `text`."""
    screen = pyte.Screen(60, 4)
    pyte.Stream(screen).feed(text)
    return [[screen.buffer[y][x] for x in range(60)] for y in range(4)]


def random_strip(generator: random.Random) -> Strip:
    colours = [
        None,
        Color.from_ansi(0),
        Color.from_ansi(15),
        Color.from_ansi(208),
        Color.from_rgb(1, 2, 3),
        Color.default(),
    ]
    segments = []
    for _ in range(generator.randrange(1, 8)):
        style = Style(
            color=generator.choice(colours),
            bgcolor=generator.choice(colours),
            bold=generator.choice([None, True]),
            underline=generator.choice([None, True, False]),
            reverse=generator.choice([None, True]),
        )
        text = generator.choice(["ab", "  ", "床前", "x", "-0.12"])
        segments.append(Segment(text, generator.choice([style, None])))
    return Strip(segments)


def test_the_picture_is_the_same_and_costs_no_more() -> None:
    generator = random.Random(0)
    shorter = 0
    for _ in range(300):
        strip = random_strip(generator)
        plain = frugal._render_strip(Strip(list(strip)), CONSOLE)
        ours = frugal.render_strip(Strip(list(strip)), CONSOLE)
        assert played(ours) == played(plain)
        assert len(ours) <= len(plain)
        shorter += len(ours) < len(plain)
    assert shorter > 150


def test_a_strip_leaves_the_terminal_as_it_found_it() -> None:
    strip = Strip([Segment("red", Style(color=Color.from_ansi(1), bold=True))])
    text = frugal.render_strip(strip, CONSOLE)
    assert played(text + "x")[0][3] == played("   x")[0][3]


def test_links_are_left_to_textual() -> None:
    strip = Strip([Segment("here", Style(link="https://example.org"))])
    assert "\x1b]8;" in frugal.render_strip(strip, CONSOLE)


def test_only_the_changed_stretch_is_sent() -> None:
    line = Strip([Segment("0123456789", Style(color=Color.from_ansi(1))), Segment("abcdefghij")])
    update = ChopsUpdate([{0: line}], [(0, 12, 15)], [[20]])
    text = frugal.render_update(update, CONSOLE)
    assert "cde" in text and "b" not in text and "f" not in text and "0123" not in text
    screen = pyte.Screen(60, 4)
    pyte.Stream(screen).feed(text)
    assert screen.display[0][12:15] == "cde"


def test_a_change_that_ends_inside_a_wide_character_leaves_it_whole() -> None:
    """As when a widget below a dialog changes, whose edges are not those of what stands in front of it."""
    line = Strip([Segment("规范"), Segment("x化"), Segment(" 好")])
    whole = played(line.render(CONSOLE))
    for left in range(10):
        for right in range(left + 1, 11):
            update = ChopsUpdate([{0: line}], [(0, left, right)], [[10]])
            again = line.render(CONSOLE) + frugal.render_update(update, CONSOLE)
            assert played(again) == whole, (left, right)


def test_install_is_idempotent() -> None:
    frugal.install()
    frugal.install()
    assert Strip.render is frugal.render_strip
    assert ChopsUpdate.render_segments is frugal.render_update


async def test_the_focus_moves_without_a_repaint_of_the_screen() -> None:
    class Two(App[None]):
        def compose(self) -> ComposeResult:
            bars = Bars("t", ("a", "b", "c"), np.ones(3))
            yield BarList(bars, id="one")
            yield BarList(bars, id="two")

    app = Two()
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.press("tab")
        await pilot.pause()
        regions: list[Region] = []
        compositor = app.screen._compositor
        update = compositor.render_update

        def watched(*arguments: Any, **options: Any) -> Any:
            regions.extend(compositor._dirty_regions)
            return update(*arguments, **options)

        compositor.render_update = watched  # type: ignore[method-assign]
        before = app.focused
        await pilot.press("tab")
        await pilot.pause()
        assert app.focused is not before
        assert regions and sum(region.area for region in set(regions)) < 40


class Rows(LineView):
    """Lines of a letter; counts those that it is asked for."""

    def __init__(self, letter: str, **options: Any) -> None:
        super().__init__(**options)
        self.letter = letter
        self.drawn: list[int] = []

    def segments(self, y: int) -> list[Segment]:
        self.drawn.append(y)
        return [Segment(self.letter * self.size.width)]


class Stack(App[None]):
    """Three widgets below one another, and one in front of the second."""

    CSS = """
    Screen { layers: below above; }
    Rows { height: 4; layer: below; }
    #front { layer: above; width: 10; height: 2; offset: 5 5; position: absolute; }
    """

    def compose(self) -> ComposeResult:
        for name in ("one", "two", "three", "front"):
            yield Rows(name[0], id=name)


async def test_a_change_asks_no_widget_that_has_not_changed() -> None:
    app = Stack()
    async with app.run_test(size=(40, 12)) as pilot:
        one, two, three = (app.query_one(f"#{name}", Rows) for name in ("one", "two", "three"))
        await pilot.pause(0.1)
        for rows in app.query(Rows):
            rows.drawn.clear()
            rows._styles_cache.clear()
        one.refresh(Region(0, 1, 5, 1))
        three.refresh(Region(3, 2, 5, 1))
        await pilot.pause(0.1)
        assert (one.drawn, two.drawn, three.drawn) == ([1], [], [2])


async def test_a_change_behind_another_widget_is_drawn_as_it_is_seen() -> None:
    app = Stack()
    async with app.run_test(size=(40, 12)):
        two = app.query_one("#two", Rows)
        two.letter = "x"
        two.refresh(Region(3, 1, 20, 1))
        app.screen._compositor.update_widgets({two})
        update = frugal.render_changes(app.screen._compositor)
        assert update is not None
        screen = pyte.Screen(40, 12)
        pyte.Stream(screen).feed(frugal.render_update(update, CONSOLE))
        assert screen.display[5] == "   xx" + "f" * 10 + "x" * 8 + " " * 17
        assert "".join(screen.display).split() == [screen.display[5].strip()]


async def test_where_nothing_has_changed_nothing_is_sent() -> None:
    app = Stack()
    async with app.run_test(size=(40, 12)):
        assert frugal.render_changes(app.screen._compositor) is None


async def test_a_change_out_of_sight_makes_no_new_layout() -> None:
    app = Stack()
    async with app.run_test(size=(40, 12)) as pilot:
        hidden = app.query_one("#three", Rows)
        hidden.display = False
        await pilot.pause()
        compositor = app.screen._compositor
        layouts: list[object] = []
        arrange = compositor._arrange_root
        compositor._arrange_root = lambda *given, **named: (layouts.append(given), arrange(*given, **named))[
            1
        ]  # type: ignore[method-assign,func-returns-value]
        hidden.letter = "z"
        hidden.refresh()
        app.query_one("#one", Rows).refresh(Region(0, 0, 3, 1))
        await pilot.pause()
        assert layouts == []
        hidden.display = True
        await pilot.pause()
        assert "".join(strip.text for strip in compositor.render_strips()).count("z") == 4 * 40
