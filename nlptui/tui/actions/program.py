"""What holds everywhere outside text fields, and in dialogs."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import PROGRAM, Action

PROGRAM_ACTIONS = (
    Action(
        "help", ("question_mark", "f1"), N_("help"), N_("Show this page."), PROGRAM, scope="app", show=True
    ),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        N_("palette"),
        N_("Find any action by its name."),
        PROGRAM,
        scope="app",
        show=True,
    ),
    Action(
        "switch_language",
        ("L",),
        N_("language"),
        N_("Switch between English and Chinese."),
        PROGRAM,
        scope="app",
    ),
    Action(
        "switch_theme",
        ("D",),
        N_("light or dark"),
        N_("Switch between the light and the dark theme."),
        PROGRAM,
        scope="app",
    ),
    Action("redraw", ("ctrl+l",), N_("redraw"), N_("Draw the whole screen again."), PROGRAM, scope="app"),
    Action(
        "suspend",
        ("ctrl+z",),
        N_("suspend"),
        N_("Stop the program and go to the shell; `fg` comes back."),
        PROGRAM,
        scope="app",
        priority=True,
    ),
    Action(
        "quit",
        ("q",),
        N_("quit"),
        N_("Leave at once; training goes on in the background."),
        PROGRAM,
        scope="app",
        show=True,
    ),
    Action(
        "interrupt",
        ("ctrl+c", "ctrl+q"),
        N_("quit now"),
        N_("Leave at once, from a text field or a dialog too."),
        PROGRAM,
        scope="app",
        priority=True,
    ),
)

DIALOG_ACTIONS = (
    Action(
        "close_dialog",
        ("escape",),
        N_("close"),
        N_("Close the dialog; nothing is changed."),
        PROGRAM,
        scope="dialog",
    ),
    Action(
        "close_help",
        ("question_mark", "f1", "q"),
        N_("close"),
        N_("Close the help page."),
        PROGRAM,
        scope="help",
    ),
)
