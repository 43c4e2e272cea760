"""The map of points on screen: labels at their places, a cursor that walks to the nearest one on a side."""

from __future__ import annotations

import numpy as np

from nlptui.tui.widgets.point_map import PointMap
from nlptui.views.figure import Points, Source
from tests.tui.widgets.widget_host import Host

LABELS = ("middle", "right", "left", "up", "[/bold]")
VALUES = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


def points() -> Points:
    return Points("map", LABELS, VALUES, Source("m", (0, "row", "col")), ("x", "y"))


async def test_the_cursor_walks_to_the_nearest_label() -> None:
    app = Host(PointMap(points()))
    async with app.run_test(size=(61, 21)) as pilot:
        lines = app.lines()
        assert "up" in lines[0] and "[/bold]" in lines[20] and "middle" in lines[10]
        assert lines[10].startswith("left") and lines[10].endswith("right")
        walked = []
        for key in ("right", "left", "up", "down", "down", "left", "G", "g"):
            await pilot.press(key)
            walked.append(LABELS[app.widget.row])
        assert walked == ["right", "middle", "up", "middle", "[/bold]", "left", "[/bold]", "middle"]
        await pilot.press("enter")
        assert app.seen()[-1] == ("CellOpened", 0, 0)


async def test_a_click_chooses_and_another_part_is_drawn() -> None:
    app = Host(PointMap(points()))
    async with app.run_test(size=(61, 21)) as pilot:
        await pilot.click(PointMap, offset=(1, 10))
        assert LABELS[app.widget.row] == "left"
        app.widget.part = Points("other", ("one",), np.zeros((1, 2)))
        await pilot.pause()
        assert app.widget.row == 0 and "one" in "".join(app.lines()) and "right" not in "".join(app.lines())
        app.widget.part = Points("none", (), np.zeros((0, 2)))
        await pilot.pause()
        assert app.lines()[0] == "Nothing to show here."
        await pilot.press("enter", "down", "G")
        assert app.widget.row == 0


async def test_a_label_is_found() -> None:
    app = Host(PointMap(points()))
    async with app.run_test(size=(61, 21)):
        assert app.widget.search("[/bo") and LABELS[app.widget.row] == "[/bold]"
        assert not app.widget.search("nowhere")
