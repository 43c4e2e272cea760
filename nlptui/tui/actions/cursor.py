"""What moves the cell cursor, in every table.

The widgets of tables bind these keys themselves (`nlptui.tui.widgets.keys`); a test holds the two lists
together.
"""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import CURSOR, NUMBER, Action

CURSOR_ACTIONS = (
    Action("cursor.left", ("h", "left"), N_("left"), N_("Move the cell cursor left."), CURSOR, "table"),
    Action("cursor.down", ("j", "down"), N_("down"), N_("Move the cell cursor down."), CURSOR, "table"),
    Action("cursor.up", ("k", "up"), N_("up"), N_("Move the cell cursor up."), CURSOR, "table"),
    Action("cursor.right", ("l", "right"), N_("right"), N_("Move the cell cursor right."), CURSOR, "table"),
    Action("cursor.top", ("g",), N_("first row"), N_("Move to the first row."), CURSOR, "table"),
    Action("cursor.bottom", ("G",), N_("last row"), N_("Move to the last row."), CURSOR, "table"),
    Action("cursor.start", ("home",), N_("first column"), N_("Move to the first column."), CURSOR, "table"),
    Action("cursor.end", ("end",), N_("last column"), N_("Move to the last column."), CURSOR, "table"),
    Action("cursor.page_up", ("pageup",), N_("page up"), N_("Move one screen up."), CURSOR, "table"),
    Action("cursor.page_down", ("pagedown",), N_("page down"), N_("Move one screen down."), CURSOR, "table"),
    Action("cursor.page_left", ("ctrl+left",), N_("page left"), N_("Move one screen left."), CURSOR, "table"),
    Action(
        "cursor.page_right", ("ctrl+right",), N_("page right"), N_("Move one screen right."), CURSOR, "table"
    ),
    Action(
        "cursor.open",
        ("enter",),
        N_("open"),
        N_("Open the number under the cursor: how it was made, term by term."),
        NUMBER,
        "table",
        show=True,
    ),
)
