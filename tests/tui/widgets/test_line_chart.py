"""The line chart: dots where the numbers are, nothing lost in decimation, gaps, scales, the cursor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from textual.geometry import Region

from nlptui.tui.widgets.line_chart import LineChart, columns, frame, plot
from nlptui.views.figure import Lines, Series
from tests.tui.widgets.hostile import HOSTILE, is_clean
from tests.tui.widgets.widget_host import Host


def lines(*ys: Any, log: bool = False) -> Lines:
    series = tuple(Series(f"s{n}", np.arange(len(y)), np.array(y, float)) for n, y in enumerate(ys))
    return Lines("loss", series, "step", "loss", log)


def dots(part: Lines, width: int = 20, height: int = 5) -> np.ndarray:
    """The plot as a table of dots, True where one is set."""
    area = frame(part)
    assert area is not None
    found = np.zeros((4 * height, 2 * width), bool)
    bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    for y, row in enumerate(plot(part, area, width, height)):
        for x, (mask, _owner) in enumerate(row):
            for dy in range(4):
                for dx in range(2):
                    found[4 * y + dy, 2 * x + dx] = bool(mask & bits[dy][dx])
    return found


def test_a_rising_line_goes_from_corner_to_corner() -> None:
    found = dots(lines(list(range(40))))
    assert found[-1, 0] and found[0, -1]
    assert found.any(axis=0).all(), "every column has a dot"
    heights = [int(np.flatnonzero(column)[0]) for column in found.T]
    assert heights == sorted(heights, reverse=True)


def test_a_single_peak_among_a_million_points_is_drawn() -> None:
    y = np.zeros(1_000_000)
    y[123_456] = 1.0
    found = dots(lines(y))
    assert found[0].sum() == 1
    column = int(np.flatnonzero(found[0])[0])
    assert abs(column - 123_456 / 1_000_000 * 40) <= 1
    assert found[:, column].all(), "the peak is joined to the line"


def test_few_points_are_joined() -> None:
    found = dots(lines([0.0, 1.0]))
    assert found.any(axis=0).all()
    # A line without holes: from one column to the next, heights touch.
    for left, right in zip(found.T[:-1], found.T[1:], strict=True):
        a, b = np.flatnonzero(left), np.flatnonzero(right)
        assert a.min() - 1 <= b.max() and b.min() - 1 <= a.max()


def test_gaps_stay_open() -> None:
    y = np.ones(40)
    y[10:30] = np.nan
    found = dots(lines(y))
    filled = found.any(axis=0)
    assert filled[5] and filled[35] and not filled[15:25].any()


def test_points_that_cannot_be_drawn_are_left_out() -> None:
    assert frame(lines([np.nan, np.inf])) is None
    assert frame(lines([])) is None
    assert frame(Lines("none", ())) is None
    area = frame(lines([0.0, -1.0, 100.0, 1.0], log=True))
    assert area is not None and (area.low, area.high) == (0.0, 2.0)


def test_a_constant_has_a_range() -> None:
    area = frame(lines([3.0, 3.0]))
    assert area is not None and area.low < 3.0 < area.high
    assert dots(lines([3.0])).sum() >= 1


def test_columns_keep_the_extremes() -> None:
    x, y = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 5.0, 10.0, 0.0])
    area = frame(Lines("t", (Series("s", x, y),)))
    assert area is not None
    low, high = columns(x, y, np.zeros(4, int), area, 2, 11)
    assert (low[0], high[0]) == (0, 10)


async def test_axes_legend_and_names_are_on_screen() -> None:
    app = Host(LineChart(lines([4.0, 2.0, 1.0], [8.0, 4.0, 2.0])))
    async with app.run_test(size=(60, 12)):
        found = app.lines()
    assert found[0].startswith("loss") and "s0 1" in found[0] and "s1 2" in found[0]
    assert found[1].split()[0] == "8.00" and found[9].split()[0] == "1.00"
    assert found[11].split() == ["0", "step", "2"]
    assert "└" in found[10] and "▲" in found[10]


async def test_a_logarithmic_axis_is_marked() -> None:
    app = Host(LineChart(lines([1.0, 10.0, 100.0], log=True)))
    async with app.run_test(size=(60, 12)):
        found = app.lines()
    assert "loss (log)" in found[0]
    labels = [line.split()[0] for line in (found[1], found[5], found[9])]
    assert labels == ["100", "10", "1"]


@pytest.mark.parametrize(
    ("width", "label", "values"), [(90, True, True), (50, True, False), (38, False, False)]
)
async def test_the_legend_names_every_line_before_it_tells_values(
    width: int, label: bool, values: bool
) -> None:
    app = Host(LineChart(lines(*([float(n + 1)] * 3 for n in range(6)))))
    async with app.run_test(size=(width, 12)):
        legend = app.lines()[0]
    assert all(f" s{n}" in legend for n in range(6)) and cell_len(legend) <= width
    assert ("loss" in legend, "s5 6" in legend) == (label, values)


async def test_series_are_told_apart_without_colour(terminal: Any) -> None:
    terminal(no_colour=True)
    part = lines([1.0] * 50, [2.0] * 50)
    app = Host(LineChart(part))
    async with app.run_test(size=(60, 12)):
        legend = app.lines()[0]
        marks = [legend.split(name)[0].split()[-1] for name in (" s0", " s1")]
        rows = [line for line in app.lines()[1:10] if any("\u2800" < c <= "\u28ff" for c in line)]
    assert marks[0] != marks[1]
    dots_in = [sum("\u2800" < c <= "\u28ff" for c in row) for row in rows]
    assert len(rows) == 2 and dots_in[0] < dots_in[1], "the second series is dashed"


async def test_the_cursor_walks_points_and_series() -> None:
    view = LineChart(lines(list(range(100)), list(range(0, 50))))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        for key, cell in [
            ("l", (0, 1)), ("right", (0, 2)), ("h", (0, 1)), ("end", (0, 99)), ("l", (0, 99)),
            ("j", (1, 49)), ("k", (0, 49)), ("home", (0, 0)), ("ctrl+right", (0, 10)), ("ctrl+left", (0, 0)),
        ]:  # fmt: skip
            await pilot.press(key)
            assert (view.row, view.col) == cell, key
        await pilot.press("enter")
        await pilot.pause()
    assert app.seen()[-1] == ("CellOpened", 0, 0)


async def test_new_points_repaint_only_what_changes() -> None:
    y = np.full(100, 5.0)
    y[0], y[1] = 0.0, 10.0
    other = y.copy()
    other[99] = 6.0
    view = LineChart(lines(y))
    app = Host(view)
    async with app.run_test(size=(80, 20)) as pilot:
        regions: list[Region] = []
        original = view._set_dirty
        view._set_dirty = lambda *dirty: (regions.extend(dirty or [Region(0, 0, 80, 20)]), original(*dirty))  # type: ignore[method-assign,func-returns-value]
        view.part = lines(other)
        await pilot.pause()
        assert 0 < len({region.y for region in regions}) <= 4


async def test_fewer_points_take_the_cursor_along() -> None:
    view = LineChart(lines(list(range(100)), list(range(100))))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("j", "end")
        view.part = lines([1.0, 2.0])
        await pilot.pause()
        assert (view.row, view.col) == (0, 1)


async def test_empty_charts_and_tiny_sizes() -> None:
    for part in (None, Lines("none", ()), lines([np.nan])):
        app = Host(LineChart(part))
        async with app.run_test(size=(40, 6)) as pilot:
            await pilot.press("l", "j", "end", "ctrl+right", "enter")
            assert app.lines()[0] == "No points yet."
        assert app.seen() == []
    app = Host(LineChart(lines([1.0, 2.0])))
    async with app.run_test(size=(40, 6)) as pilot:
        for size in ((20, 3), (8, 5), (2, 2), (1, 1), (60, 12)):
            await pilot.resize_terminal(*size)
            await pilot.press("l", "h")
        assert app.lines()[0].startswith("loss")


async def test_hostile_names_stay_text() -> None:
    series = tuple(Series(name, np.arange(3), np.arange(3.0)) for name in HOSTILE)
    app = Host(LineChart(Lines("[/bold]", series, "[/bold]", "\x1b[2J")))
    async with app.run_test(size=(200, 10)):
        text = "".join(app.lines())
        assert app.is_running
    assert is_clean(text) and "[/bold]" in text


async def test_points_that_come_while_it_is_hidden_are_drawn_when_it_shows() -> None:
    app = Host(LineChart(lines([1.0, 2.0])))
    async with app.run_test(size=(40, 8)) as pilot:
        for _n in range(2):
            app.widget.display = False
            await pilot.pause()
            app.widget.part = lines([3.0, 1.0, 2.0])
            app.widget.measure()
            app.widget.display = True
            await pilot.pause()
        assert any("⡀" <= mark <= "⣿" for mark in "".join(app.lines()))


def test_a_line_without_dots_is_empty() -> None:
    assert LineChart(lines([1.0, 2.0]))._plot_line(0) == []
