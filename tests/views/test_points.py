"""Maps of points: labels stand where the points are and cover no other; numbers and elements beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nlptui.views import Figure, describe
from nlptui.views.figure import Points, Source
from nlptui.views.point_layout import placed
from nlptui.views.render import to_svg, to_text

LABELS = ("cat", "[/bold]", "小狗", "\x1b[31m", "a very long word indeed")
VALUES = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.5], [1.0, -1.0], [0.2, 0.9]])


def points() -> Points:
    return Points("map", LABELS, VALUES, Source("m", (0, "row", "col")), ("first", "second"))


@given(
    st.lists(st.tuples(st.text(max_size=9), *[st.floats(-9, 9, width=32)] * 2), max_size=30),
    st.integers(4, 90),
    st.integers(1, 30),
)
def test_no_label_covers_another_or_leaves_the_grid(
    found: list[tuple[str, float, float]], width: int, height: int
) -> None:
    part = Points("m", tuple(x[0] for x in found), np.array([x[1:] for x in found]).reshape(-1, 2))
    taken: set[tuple[int, int]] = set()
    for place in placed(part, width, height):
        cells = {(place.x + dx, place.y) for dx in range(place.width)}
        assert place.width == max(1, cell_len(place.text)) and not cells & taken
        assert all(0 <= x < width and 0 <= y < height for x, y in cells)
        taken |= cells


def test_labels_stand_where_the_points_are() -> None:
    at = {place.point: place for place in placed(points(), 60, 15)}
    assert len(at) == 5
    assert (at[1].y, at[3].y) == (0, 14) and at[2].x == 0
    assert at[1].x == at[3].x > at[0].x > at[2].x
    assert placed(points(), 3, 9) == [] and placed(points(), 60, 0) == []
    assert placed(Points("m", (), np.zeros((0, 2))), 60, 9) == []


def test_text_and_svg_hold_every_label_and_number() -> None:
    figure = Figure("space", "near", (points(),), "words")
    text = to_text(figure, 80)
    assert "\x1b" not in text and "小狗" in text and "→ first · ↑ second" in text
    assert [line.split()[-2:] for line in text.splitlines() if line.startswith("cat  ")] == [
        ["0.000", "0.000"]
    ]
    svg = to_svg(figure)
    assert "小狗" in svg and "[/bold]" in svg and "\x1b" not in svg and svg.count('class="f0"') >= 5


def test_what_is_under_the_cursor() -> None:
    figure = Figure("space", "near", (points(),))
    assert describe(figure, 0, 2) == "'小狗' lies at -1, 0.5 of the map"
    origin = points().origin(2, 1)
    assert origin is not None and (origin.name, origin.index) == ("m", (0, 2, 1))
    with pytest.raises(ValueError, match="values"):
        Points("m", ("a",), np.zeros((1, 3)))
