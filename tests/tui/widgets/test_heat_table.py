"""The heat table: what it shows, how the cursor moves, what it repaints; hostile labels stay text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from textual import events
from textual.geometry import Region

from nlptui.tui.widgets.heat_table import HeatTableView
from nlptui.views.figure import HeatTable
from tests.tui.widgets.hostile import HOSTILE, is_clean
from tests.tui.widgets.widget_host import Host


def numbered(rows: int, cols: int, **options: Any) -> HeatTable:
    """A table whose value at (r, c) is r + c/1000, headers r0…, c0…."""
    values = np.arange(rows)[:, None] + np.arange(cols)[None, :] / 1000
    labels = tuple(f"r{row}" for row in range(rows)), tuple(f"c{col}" for col in range(cols))
    return HeatTable(
        "numbers", values, *labels, "row", "col", **{"scale": "positive", "digits": 3, **options}
    )


async def test_numbers_headers_and_legend_are_on_screen() -> None:
    part = HeatTable(
        "scores", np.array([[0.5, -1.25], [0.0, 2.0]]), ("the", "cat"), ("x", "y"), "query", "key"
    )
    app = Host(HeatTableView(part))
    async with app.run_test(size=(60, 10)):
        lines = app.lines()
    assert lines[0].split() == ["query\\key", "x", "y"]
    assert lines[1].split() == ["the", "0.50", "-1.25"]
    assert lines[2].split() == ["cat", "0.00", "2.00"]
    assert lines[9].startswith("-2.00")
    assert "2.00 · whole table · 2×2" in lines[9]


async def test_every_key_of_the_cursor() -> None:
    view = HeatTableView(numbered(100, 100))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        page_rows, page_cols = view._grid.rows, view._grid.cols
        for key, expected in [
            ("l", (0, 1)), ("right", (0, 2)), ("h", (0, 1)), ("left", (0, 0)), ("h", (0, 0)),
            ("j", (1, 0)), ("down", (2, 0)), ("k", (1, 0)), ("up", (0, 0)), ("k", (0, 0)),
            ("end", (0, 99)), ("G", (99, 99)), ("j", (99, 99)), ("l", (99, 99)), ("home", (99, 0)),
            ("g", (0, 0)), ("pagedown", (page_rows, 0)), ("pagedown", (2 * page_rows, 0)),
            ("pageup", (page_rows, 0)),
            ("ctrl+right", (page_rows, page_cols)),
            ("ctrl+left", (page_rows, 0)),
        ]:  # fmt: skip
            await pilot.press(key)
            assert (view.row, view.col) == expected, key
            assert view.first_row <= view.row < view.first_row + page_rows
            assert view.first_col <= view.col < view.first_col + page_cols


async def test_messages_say_where_the_cursor_is() -> None:
    view = HeatTableView(numbered(5, 5))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("j", "l", "h", "h", "enter")
    assert app.seen() == [("CellMoved", 1, 0), ("CellMoved", 1, 1), ("CellMoved", 1, 0), ("CellOpened", 1, 0)]
    assert all(message.control is view for message in app.messages)


async def test_headers_stay_while_the_table_scrolls() -> None:
    view = HeatTableView(numbered(200, 200))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("G", "end")
        await pilot.pause()
        lines = app.lines()
    assert lines[0].split()[-1] == "c199"
    assert lines[10].split()[0] == "r199"
    assert lines[10].split()[-1] == "199.20"
    assert "rows 191–200 of 200" in lines[11]


async def test_click_moves_and_a_second_click_opens() -> None:
    view = HeatTableView(numbered(10, 5))
    app = Host(view)
    async with app.run_test(size=(60, 14)) as pilot:
        region = view._cell_region(3, 2)
        await pilot.click(HeatTableView, offset=(region.x + 2, region.y))
        assert (view.row, view.col) == (3, 2)
        await pilot.click(HeatTableView, offset=(region.x + 2, region.y))
        await pilot.click(HeatTableView, offset=(0, 0))
        await pilot.pause()
    assert app.seen() == [("CellMoved", 3, 2), ("CellOpened", 3, 2)]


async def test_the_wheel_scrolls_whole_rows_and_leaves_the_cursor() -> None:
    view = HeatTableView(numbered(100, 100))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot._post_mouse_events([events.MouseScrollDown], view, offset=(5, 5))
        await pilot.pause()
        assert (view.first_row, view.row) == (3, 0)
        assert app.lines()[1].startswith("r3 ")


async def test_a_cursor_move_repaints_two_cells_and_their_headers() -> None:
    view = HeatTableView(numbered(30, 10))
    app = Host(view)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("j", "l")
        regions: list[Region] = []
        original = view._set_dirty
        view._set_dirty = lambda *dirty: (regions.extend(dirty or [Region(0, 0, 100, 30)]), original(*dirty))  # type: ignore[method-assign,func-returns-value]
        await pilot.press("l")
        await pilot.pause()
        assert {view._cell_region(1, 1), view._cell_region(1, 2)} <= set(regions)
        assert sum(region.area for region in set(regions)) <= 4 * view._grid.cell + view._grid.header


async def test_a_new_part_of_the_same_shape_repaints_only_rows_that_differ() -> None:
    part = numbered(10, 5)
    values = part.values.copy()
    values[4, 2] = 0.5
    changed = HeatTable("numbers", values, part.rows, part.cols, "row", "col", scale="positive", digits=3)
    view = HeatTableView(part)
    app = Host(view)
    async with app.run_test(size=(60, 14)) as pilot:
        regions: list[Region] = []
        original = view._set_dirty
        view._set_dirty = lambda *dirty: (regions.extend(dirty or [Region(0, 0, 60, 14)]), original(*dirty))  # type: ignore[method-assign,func-returns-value]
        view.part = changed
        await pilot.pause()
        assert {region.y for region in regions} == {5, 13}
        assert "0.500" in app.lines()[5]


async def test_the_cursor_stays_inside_a_smaller_table() -> None:
    view = HeatTableView(numbered(50, 50))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("G", "end")
        view.part = numbered(3, 2)
        await pilot.pause()
        assert (view.row, view.col) == (2, 1)
        assert app.lines()[3].startswith("r2 ")


async def test_not_a_number_and_infinities_are_words_and_take_no_level() -> None:
    values = np.array([[1.0, np.nan, np.inf, -np.inf]])
    part = HeatTable("scores", values, ("t",), ("a", "b", "c", "d"), "query", "key")
    app = Host(HeatTableView(part))
    async with app.run_test(size=(60, 6)) as pilot:
        assert app.lines()[1].split() == ["t", "1.00", "nan", "inf", "-inf"]
        assert app.lines()[5].startswith("-1.00")
        app.widget.show = "shades"  # type: ignore[attr-defined]
        await pilot.pause()
        assert app.lines()[1].split()[2:5] == ["?", "+∞", "-∞"]


@pytest.mark.parametrize("values", [np.full((2, 2), np.nan), np.zeros((2, 2)), np.full((2, 2), -np.inf)])
@pytest.mark.parametrize("scale", ["diverging", "probability", "positive"])
async def test_tables_without_a_range(values: Any, scale: Any) -> None:
    app = Host(HeatTableView(HeatTable("t", values, ("a", "b"), ("c", "d"), "r", "c", scale=scale)))
    async with app.run_test(size=(40, 6)):
        assert app.lines()[1].startswith("a")


async def test_empty_tables_say_so() -> None:
    for part in (None, HeatTable("t", np.zeros((0, 3)), (), ("a", "b", "c"), "r", "c")):
        view = HeatTableView(part)
        app = Host(view)
        async with app.run_test(size=(40, 6)) as pilot:
            await pilot.press("j", "l", "G", "pagedown", "enter")
            assert app.lines()[0] == "Nothing to show here."
        assert app.seen() == []


async def test_wide_headers_are_cut_by_cells() -> None:
    labels = ("床前明月光", "疑是地上霜举头望明月低头思故乡", "a")
    part = HeatTable("w", np.zeros((3, 3)), labels, labels, "query", "key")
    app = Host(HeatTableView(part))
    async with app.run_test(size=(40, 6)):
        strips = app.screen._compositor.render_strips()
        assert all(strip.cell_length == 40 for strip in strips)
        lines = app.lines()
    assert "…" in lines[2].split()[0]
    assert lines[1].startswith("床前明月光 ")


async def test_hostile_labels_stay_text() -> None:
    part = HeatTable("[/bold]\x1b[2J", np.zeros((len(HOSTILE),) * 2), HOSTILE, HOSTILE, "[/red]", "k")
    view = HeatTableView(part)
    app = Host(view)
    async with app.run_test(size=(200, 20)) as pilot:
        await pilot.press("l", "j", "enter")
        await pilot.click(HeatTableView, offset=(3, 2))
        text = "".join(app.lines())
        assert app.is_running
    assert is_clean(text)
    assert "[/bold]" in text and "[@click=app.quit]x[/]" in text
    text.encode()


async def test_find_goes_through_headers_then_round() -> None:
    labels = ("the", "cat", "sat", "The")
    view = HeatTableView(HeatTable("w", np.zeros((4, 4)), labels, labels, "query", "key"))
    app = Host(view)
    async with app.run_test(size=(60, 10)):
        assert view.find("cat", (0, 0)) == (0, 1)
        assert view.find("cat", (0, 1)) == (1, 1)
        assert view.find("the", (0, 0)) == (0, 3)
        assert view.find("the", (0, 3)) == (3, 3)
        assert view.find("the", (0, 3), backwards=True) == (0, 0)
        assert view.find("dog") is None
        assert view.search("cat") and (view.row, view.col) == (0, 1)
        assert view.search_again() and (view.row, view.col) == (1, 1)
        assert view.search_again(backwards=True) and (view.row, view.col) == (1, 1)
        assert not view.search("dog")


async def test_find_numbers_to_the_decimals_typed() -> None:
    values = np.array([[0.1, 0.254, np.nan], [-0.25, 12.0, -np.inf]])
    view = HeatTableView(HeatTable("w", values, ("a", "b"), ("x", "y", "z"), "r", "c"))
    app = Host(view)
    async with app.run_test(size=(60, 10)):
        assert view.find("0.25", (0, 0)) == (0, 1)
        assert view.find("-0.25", (0, 0)) == (1, 0)
        assert view.find("12", (0, 0)) == (1, 1)
        assert view.find("nan", (0, 0)) == (0, 2)
        assert view.find(float("-inf"), (0, 0)) == (1, 2)
        assert view.find("0.9", (0, 0)) is None


async def test_by_row_and_by_table_scale_differently() -> None:
    values = np.array([[1.0, 0.5], [100.0, 50.0]])
    views = {
        by: HeatTableView(HeatTable("w", values, ("a", "b"), ("x", "y"), "r", "c", by=by))
        for by in ("row", "table")
    }  # type: ignore[arg-type]
    assert views["row"].levels[:, 0].tolist() == [14, 14]
    assert views["table"].levels[0].tolist() == [7, 7]
    app = Host(views["row"])
    async with app.run_test(size=(60, 6)) as pilot:
        assert app.lines()[5].startswith("-1.00")
        await pilot.press("j")
        await pilot.pause()
        assert app.lines()[5].startswith("-100.0")


@pytest.mark.parametrize(("theme", "term"), [("textual-dark", "xterm-256color"), ("textual-light", "xterm")])
async def test_colours_follow_theme_and_terminal(
    theme: str, term: str, terminal: Callable[..., None]
) -> None:
    terminal(term)
    part = HeatTable("w", np.array([[-1.0, 0.0, 1.0, 0.0]]), ("a",), ("w", "x", "y", "z"), "r", "c")
    view = HeatTableView(part)
    app = Host(view, theme)
    async with app.run_test(size=(60, 6)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        styles = {text.strip(): style for text, style in app.styles_on(1)}
    negative, positive = styles["-1.00"].bgcolor, styles["1.00"].bgcolor
    assert negative.number is not None and positive.number is not None and negative != positive
    if term == "xterm":
        assert negative.number < 16 and positive.number < 16


async def test_no_colour_means_none(terminal: Callable[..., None]) -> None:
    terminal(no_colour=True)
    part = HeatTable("w", np.array([[-1.0, 0.0, 1.0]]), ("a",), ("x", "y", "z"), "r", "c")
    view = HeatTableView(part, show="shades")
    app = Host(view)
    async with app.run_test(size=(60, 6)):
        for line in range(6):
            for _text, style in app.styles_on(line):
                assert style.color is None or style.color.is_default
                assert style.bgcolor is None or style.bgcolor.is_default
        assert "-██" in app.lines()[1] and "+██" in app.lines()[1]


async def test_only_cells_in_sight_are_formatted() -> None:
    view = HeatTableView(numbered(512, 512))
    counted = []
    app = Host(view)
    async with app.run_test(size=(120, 40)) as pilot:
        written = view._format
        view._format = lambda value: (counted.append(value), written(value))[1]  # type: ignore[assignment,func-returns-value]
        await pilot.press("pagedown")
        await pilot.pause()
    assert 0 < len(counted) <= 2 * view._grid.rows * view._grid.cols


async def test_sizes_down_to_nothing() -> None:
    view = HeatTableView(numbered(20, 20))
    app = Host(view)
    async with app.run_test(size=(80, 24)) as pilot:
        for size in ((20, 5), (5, 3), (3, 2), (1, 1), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.press("j", "l", "pagedown", "G", "end", "g")
        assert app.lines()[0].split()[0] == "row\\col"


async def test_another_theme_changes_the_colours_at_once() -> None:
    view = HeatTableView(HeatTable("w", np.array([[-1.0, 0.0, 1.0]]), ("a",), ("x", "y", "z"), "r", "c"))
    app = Host(view)
    async with app.run_test(size=(60, 6)) as pilot:

        def background(text: str) -> int | None:
            style = next(style for cell, style in app.styles_on(1) if cell.strip() == text)
            return style.bgcolor.number if style.bgcolor else None

        dark = background("1.00")
        app.theme = "textual-light"
        await pilot.pause()
        assert dark is not None and background("1.00") not in (dark, None)


def named(*texts: tuple[str, ...]) -> HeatTable:
    """Two rows of tags in the place of numbers, which are all alike."""
    return HeatTable(
        "tags", np.ones((2, 2)), ("a", "b"), ("x", "y"), "model", "pos", "probability", texts=texts
    )


async def test_texts_stand_in_the_place_of_numbers() -> None:
    view = HeatTableView(named(("NOUN", "名词 ≠"), ("VERB", "[/bold]")))
    app = Host(view)
    async with app.run_test(size=(60, 10)) as pilot:
        lines = app.lines()
        assert lines[1].split() == ["a", "NOUN", "名词", "≠"]
        assert lines[2].split() == ["b", "VERB", "[/bold]"]
        # Only a text differs: the numbers and their colours are the same.
        view.part = named(("NOUN", "名词 ≠"), ("DET", "[/bold]"))
        await pilot.pause()
        assert app.lines()[2].split() == ["b", "DET", "[/bold]"]


async def test_a_legend_of_names_has_no_numbers() -> None:
    part = HeatTable(
        "from",
        np.array([[0.0, 7.0]]),
        ("from",),
        ("x", "y"),
        "step",
        "tag",
        "positive",
        texts=(("DET", "X"),),
    )
    app = Host(HeatTableView(part))
    async with app.run_test(size=(60, 10)):
        assert (
            app.lines()[9].startswith("names, each with a shade of its own") and "7.00" not in app.lines()[9]
        )
