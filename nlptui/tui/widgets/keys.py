"""The keys of a cell cursor, the same in every widget that has one.

A widget offers the actions named here; the ids let users bind other keys.
"""

from __future__ import annotations

from textual.binding import Binding, BindingType

from nlptui.locale import N_


def _bind(keys: str, action: str, description: str) -> Binding:
    return Binding(keys, action, description, show=False, id=f"cursor.{action.removeprefix('cursor_')}")


CURSOR_KEYS: list[BindingType] = [
    _bind("h,left", "cursor_left", N_("Left")),
    _bind("j,down", "cursor_down", N_("Down")),
    _bind("k,up", "cursor_up", N_("Up")),
    _bind("l,right", "cursor_right", N_("Right")),
    _bind("g", "cursor_top", N_("First row")),
    _bind("G", "cursor_bottom", N_("Last row")),
    _bind("home", "cursor_start", N_("First column")),
    _bind("end", "cursor_end", N_("Last column")),
    _bind("pageup", "cursor_page_up", N_("Page up")),
    _bind("pagedown", "cursor_page_down", N_("Page down")),
    _bind("ctrl+left", "cursor_page_left", N_("Page left")),
    _bind("ctrl+right", "cursor_page_right", N_("Page right")),
    _bind("enter", "cursor_open", N_("Open")),
]
