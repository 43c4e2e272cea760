"""What is done to let a model write on, token by token."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import WRITING, Action

WRITING_ACTIONS = (
    Action(
        "write_token",
        ("space",),
        N_("write on"),
        N_("Write one token more: the one that the model and the sampling choose."),
        WRITING,
    ),
    Action("take_back", ("b",), N_("take back"), N_("Take the last token back."), WRITING),
    Action(
        "write_this",
        ("plus",),
        N_("write this"),
        N_("Write the token under the cursor, and go on from there."),
        WRITING,
    ),
    Action("auto_write", ("A",), N_("write by itself"), N_("Write on by itself; again: stop."), WRITING),
    Action(
        "write_anew",
        ("B",),
        N_("from the start"),
        N_("Begin a translation again, with nothing written; again: the model's own."),
        WRITING,
    ),
    Action(
        "choose_sampling",
        ("percent_sign",),
        N_("sampling"),
        N_("Set temperature, top-k, top-p and the seed."),
        WRITING,
    ),
    Action("cooler", ("left_curly_bracket",), N_("cooler"), N_("Lower the temperature by 0.1."), WRITING),
    Action("warmer", ("right_curly_bracket",), N_("warmer"), N_("Raise the temperature by 0.1."), WRITING),
)
