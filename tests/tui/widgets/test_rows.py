"""Bars, the trace tree and the read-out: rows with a cursor, drawn only where in sight."""

from __future__ import annotations

import numpy as np
import pytest
from textual.geometry import Region

from nlptui.tui.widgets.bar_list import BarList, bar
from nlptui.tui.widgets.line_view import difference
from nlptui.tui.widgets.readout import Readout
from nlptui.tui.widgets.thumbnail_grid import ThumbnailGrid
from nlptui.tui.widgets.trace_tree import TraceTree
from nlptui.views import describe
from nlptui.views.figure import Bars, Figure, Origin, Thumbnails, Tree, TreeRow
from tests.tui.widgets.hostile import HOSTILE, is_clean
from tests.tui.widgets.widget_host import Host

CANDIDATES = Bars("next token", ("cat", "dog", "床前"), np.array([0.5, 0.25, 0.0]), unit="probability")


def tree(blocks: int = 3) -> Tree:
    """`ids`, and in every block a norm with two parts below it and attention with three."""
    rows = [TreeRow("ids", 0, (1, 4), "", ("batch", "pos"))]
    for block in range(blocks):
        name = f"blocks.{block}"
        rows += [
            TreeRow(name, 0),
            TreeRow(f"{name}.norm1", 1, (1, 4, 8), f"layer_norm({name}.resid_pre)"),
            TreeRow(f"{name}.norm1.mean", 2, (1, 4)),
            TreeRow(f"{name}.attn", 1),
            *(
                TreeRow(f"{name}.attn.{part}", 2, (1, 2, 4, 4), f"made of {part}")
                for part in ("q", "k", "weights")
            ),
        ]
    return Tree("trace", tuple(rows))


# Bars


def test_a_bar_is_as_long_as_its_share() -> None:
    assert bar(0.5, 10) == "█████"
    assert bar(1.0, 3) == "███"
    assert bar(0.0, 10) == ""
    assert bar(0.05, 10) == "▌"
    assert bar(-0.5, 10) == "▒▒▒▒▒"
    assert bar(0.5, 0) == ""
    assert bar(7.0, 4) == "████"


async def test_bars_stand_on_a_scale_from_0_to_1() -> None:
    app = Host(BarList(CANDIDATES))
    async with app.run_test(size=(50, 6)):
        lines = app.lines()
    room = 50 - len(" 床前 0.500 ") - 2
    assert lines[0].split()[:2] == ["cat", "0.500"]
    assert lines[0].count("█") == round(room / 2 * 8) // 8
    assert abs(lines[0].count("█") - 2 * lines[1].count("█")) <= 1
    assert "█" not in lines[2]


async def test_bars_of_signed_numbers_end_at_the_largest() -> None:
    part = Bars("logits", ("a", "b", "c", "d"), np.array([4.0, -2.0, np.nan, -np.inf]))
    app = Host(BarList(part))
    async with app.run_test(size=(40, 6)):
        lines = app.lines()
    assert lines[0].rstrip()[-1] == "█" and len(lines[0]) == 40
    assert lines[1].split()[:2] == ["b", "-2.000"] and "▒" in lines[1]
    assert lines[2].split() == ["c", "nan"] and lines[3].split() == ["d", "-inf"]


async def test_keys_and_mouse_of_a_list() -> None:
    view = BarList(Bars("many", tuple(f"t{n}" for n in range(1000)), np.linspace(1, 0, 1000)))
    app = Host(view)
    async with app.run_test(size=(40, 10)) as pilot:
        for key, row in [
            ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("k", 0), ("pagedown", 10), ("pageup", 0),
            ("G", 999), ("j", 999), ("g", 0),
        ]:  # fmt: skip
            await pilot.press(key)
            assert view.row == row, key
        await pilot.press("j", "enter")
        await pilot.click(BarList, offset=(3, 4))
        await pilot.pause()
    assert app.seen()[-3:] == [("CellMoved", 1, 0), ("CellOpened", 1, 0), ("CellMoved", 4, 0)]


async def test_a_double_click_opens() -> None:
    app = Host(BarList(CANDIDATES))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.click(BarList, offset=(3, 1), times=2)
        await pilot.pause()
    assert app.seen() == [("CellMoved", 1, 0), ("CellOpened", 1, 0)]


async def test_a_cursor_move_repaints_two_rows() -> None:
    view = BarList(CANDIDATES)
    app = Host(view)
    async with app.run_test(size=(50, 6)) as pilot:
        regions: list[Region] = []
        original = view._set_dirty
        view._set_dirty = lambda *dirty: (regions.extend(dirty or [Region(0, 0, 50, 6)]), original(*dirty))  # type: ignore[method-assign,func-returns-value]
        await pilot.press("j")
        await pilot.pause()
        assert {region.y for region in regions} == {0, 1}
        assert all(region.width < 20 for region in regions)


async def test_search_in_a_list_goes_round() -> None:
    view = BarList(Bars("t", ("cat", "dog", "Cat", "bird"), np.ones(4)))
    app = Host(view)
    async with app.run_test(size=(50, 6)):
        assert view.search("cat") and view.row == 2
        assert view.search_again() and view.row == 0
        assert view.search_again(backwards=True) and view.row == 2
        assert not view.search("床") and view.row == 2


async def test_empty_bars() -> None:
    for part in (None, Bars("t", (), np.zeros(0))):
        app = Host(BarList(part))
        async with app.run_test(size=(40, 4)) as pilot:
            await pilot.press("j", "G", "enter", "pagedown")
            assert app.lines()[0] == "Nothing to show here."
        assert app.seen() == []


async def test_hostile_rows_stay_text() -> None:
    bars = BarList(Bars("t", HOSTILE, np.ones(len(HOSTILE))))
    rows = TraceTree(Tree("t", tuple(TreeRow(text or "x", 0, (1,), text) for text in HOSTILE)))
    for view in (bars, rows):
        app = Host(view)
        async with app.run_test(size=(80, 20)) as pilot:
            await pilot.press("G", "enter", "h", "l")
            text = "".join(app.lines())
            assert app.is_running
        assert is_clean(text) and "[/bold]" in text and "[@click=app.quit]x[/]" in text


# The tree


async def test_the_tree_shows_names_shapes_and_formulas() -> None:
    app = Host(TraceTree(tree()))
    async with app.run_test(size=(80, 24)):
        lines = app.lines()
    assert lines[0].split() == ["ids", "1×4"]
    assert lines[1].split() == ["▾", "blocks.0"]
    assert lines[2].split() == ["▾", "norm1", "1×4×8", "layer_norm(blocks.0.resid_pre)"]
    assert lines[5].startswith("      q")


async def test_branches_fold_and_the_cursor_follows() -> None:
    view = TraceTree(tree())
    app = Host(view)
    async with app.run_test(size=(80, 24)) as pilot:
        view.move_to(6)
        await pilot.press("h")
        assert view.row == 4
        await pilot.press("h")
        assert view.is_folded(4) and app.lines()[4].split() == ["▸", "attn"]
        await pilot.pause()
        assert app.lines()[5].split()[:2] == ["▾", "blocks.1"]
        await pilot.press("j")
        assert view.row == 8
        await pilot.press("k", "l", "l")
        assert view.row == 5 and not view.is_folded(4)
        await pilot.press("g", "j", "enter")
        assert view.is_folded(1)
        view.move_to(6)
        assert not view.is_folded(1) and view.row == 6
        await pilot.press("enter")
    assert app.seen()[-1] == ("CellOpened", 6, 0)


async def test_folds_survive_another_trace() -> None:
    view = TraceTree(tree())
    app = Host(view)
    async with app.run_test(size=(80, 24)) as pilot:
        view.fold(1, True)
        view.part = tree(4)
        await pilot.pause()
        assert app.lines()[2].split()[-1] == "blocks.1"
        view.part = Tree("one", (TreeRow("ids", 0, (1, 4)),))
        await pilot.pause()
        assert view.row == 0 and app.lines()[1] == ""


async def test_a_click_on_the_mark_folds() -> None:
    view = TraceTree(tree())
    app = Host(view)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(TraceTree, offset=(0, 1))
        assert view.is_folded(1) and view.row == 0
        await pilot.click(TraceTree, offset=(4, 1))
        assert view.row == 1


async def test_a_large_tree_draws_only_what_is_in_sight() -> None:
    view = TraceTree(tree(1000))
    drawn = []
    app = Host(view)
    async with app.run_test(size=(80, 24)) as pilot:
        original = view.row_segments
        view.row_segments = lambda row: (drawn.append(row), original(row))[1]  # type: ignore[method-assign,func-returns-value]
        await pilot.press("G")
        await pilot.pause()
        assert view.row == 7000
        assert len(set(drawn)) <= 2 * 24


async def test_a_shorter_part_takes_the_cursor_along_and_says_so() -> None:
    for view, short in (
        (TraceTree(tree(50)), tree(1)),
        (BarList(Bars("t", tuple(map(str, range(100))), np.ones(100))), CANDIDATES),
    ):
        app = Host(view)
        async with app.run_test(size=(60, 10)) as pilot:
            await pilot.press("G")
            view.part = short  # type: ignore[assignment]
            await pilot.pause()
            last = view.count - 1
            assert view.row == last and app.lines()[0]
        assert app.seen()[-1] == ("CellMoved", last, 0)


# The read-out, and what all share


async def test_the_readout_describes_and_repaints_what_differs() -> None:
    figure = Figure("output", "", (CANDIDATES,))
    view = Readout()
    app = Host(view)
    async with app.run_test(size=(80, 3)) as pilot:
        view.show(figure, 0, 1)
        await pilot.pause()
        assert app.lines()[0] == describe(figure, 0, 1)
        view.text = "evil\x1b[2J"
        await pilot.pause()
        assert is_clean(app.lines()[0])
        view.clear()
        await pilot.pause()
        assert app.lines()[0] == ""
        assert not view.can_focus


def test_difference_of_lines() -> None:
    from rich.segment import Segment
    from textual.strip import Strip

    a, b, c = Segment("ab"), Segment("床"), Segment("xyz")
    assert difference(Strip([a, b, c]), Strip([a, b, c])) == (0, 0)
    assert difference(Strip([a, b, c]), Strip([a, Segment("qq"), c])) == (2, 4)
    assert difference(Strip([a, b, c]), Strip([Segment("cd"), b, c])) == (0, 2)
    assert difference(Strip([a, b]), Strip([a, b, c])) == (0, 7)
    assert difference(Strip([a, a]), Strip([a, Segment("a"), Segment("b")])) == (2, 4)


def test_the_readout_says_nothing_of_a_cell_that_is_not_there() -> None:
    bars = Bars("b", ("one", "two"), np.array([0.25, 0.75]))
    view = Readout()
    view.show(Figure("x", "X", (bars,), ""), 0, 1)
    assert view.text
    for part, row in ((0, 2), (1, 0)):
        view.show(Figure("x", "X", (bars,), ""), part, row)
        assert view.text == ""


async def test_a_cursor_move_draws_two_rows_and_a_scroll_all(monkeypatch: pytest.MonkeyPatch) -> None:
    view = BarList(Bars("many", tuple(f"t{n}" for n in range(100)), np.linspace(1, 0, 100)))
    app = Host(view)
    async with app.run_test(size=(40, 10)) as pilot:
        drawn: list[int] = []
        original = view.row_segments
        monkeypatch.setattr(view, "row_segments", lambda row: (drawn.append(row), original(row))[1])
        await pilot.press("j")
        await pilot.pause(0.05)
        assert sorted(drawn) == [0, 1]
        drawn.clear()
        await pilot.press("G")
        await pilot.pause(0.05)
        assert set(drawn) == set(range(90, 100))
        assert app.lines()[-1].split()[0] == "t99"


async def test_a_picture_is_left_alone_where_only_its_label_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.linspace(0, 1, 36).reshape(6, 6)
    origins = tuple(Origin("blocks.0.attn.weights", (0, head)) for head in range(3))
    part = Thumbnails("heads", ("a", "b", "c"), (image, image, image), origins, columns=3)
    view = ThumbnailGrid(part)
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        before = app.lines()
        drawn: list[int] = []
        original = view.segments
        monkeypatch.setattr(view, "segments", lambda y: (drawn.append(y), original(y))[1])
        await pilot.press("l")
        await pilot.pause(0.05)
        assert drawn == [0] and app.lines() == before
        marked = [text.strip() for text, style in app.styles_on(0) if style == view._base + view.cursor_style]
        assert marked == ["b"]


async def test_a_row_of_pictures_stays_together_where_narrower_ones_fit() -> None:
    image = np.linspace(0, 1, 36).reshape(6, 6)
    origins = tuple(Origin("blocks.0.attn.weights", (0, head)) for head in range(4))
    notes = ("duplicate 0.46", "first 0.25", "", "")
    view = ThumbnailGrid(Thumbnails("heads", tuple("abcd"), (image,) * 4, origins, columns=4, notes=notes))
    app = Host(view)
    async with app.run_test(size=(52, 14)) as pilot:
        lines = app.lines()
        assert lines[0].split() == ["a", "b", "c", "d"] and len(lines[1].split()[0]) == 12
        assert lines[7].split() == ["duplic…", "0.46", "first", "0.25"], "the number is not cut"
        await pilot.resize_terminal(40, 14)  # too narrow for four: as many as there is room for, full width
        await pilot.pause(0.05)
        assert app.lines()[0].split() == ["a", "b"] and len(app.lines()[1].split()[0]) == 14
