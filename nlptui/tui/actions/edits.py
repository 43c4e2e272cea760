"""What is done with edits: made, listed, taken back, and compared with."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import EDIT, Action

EDIT_ACTIONS = (
    Action(
        "edit_number",
        ("x",),
        N_("edit"),
        N_("Change the number, its row, column, head or all: zero, mean, scale or force."),
        EDIT,
        show=True,
    ),
    Action("clear_edits", ("X",), N_("clear edits"), N_("Take back all edits."), EDIT),
    Action(
        "list_edits",
        ("E",),
        N_("edits"),
        N_("List the edits in force: switch each off and on, take it back, go to it."),
        EDIT,
    ),
    Action("undo_edit", ("u",), N_("undo"), N_("Take back the last edit."), EDIT),
    Action(
        "compare",
        ("c",),
        N_("compare"),
        N_("Pin this run and compare it with the next: another model, sentence or edit. Again: unpin."),
        EDIT,
        show=True,
    ),
)

EDIT_LIST_ACTIONS = (
    Action(
        "toggle_edit", ("space",), N_("on or off"), N_("Switch the edit off, or on again."), EDIT, "edits"
    ),
    Action(
        "remove_edit", ("d", "delete"), N_("take back"), N_("Take this edit back for good."), EDIT, "edits"
    ),
)
