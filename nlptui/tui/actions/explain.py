"""What is done where a number is explained, term by term."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import NUMBER, Action

EXPLAIN_ACTIONS = (
    Action(
        "open_factor",
        ("f",),
        N_("open factor"),
        N_("Open what the term under the cursor is multiplied by."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "term_back",
        ("backspace",),
        N_("back"),
        N_("Go back to the number before; from the first one, to the view."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "close_explain",
        ("escape",),
        N_("to the view"),
        N_("Go back to the view at once."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "sort_terms",
        ("s",),
        N_("sort"),
        N_("Order the terms as computed, or by the size of their contribution."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "locate_number",
        ("v",),
        N_("show in its table"),
        N_("Show the whole activation that this number is an element of."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "edit_term",
        ("x",),
        N_("edit"),
        N_("Change the term under the cursor; a number that has no terms, itself."),
        NUMBER,
        scope="explain",
    ),
    Action(
        "copy_term",
        ("y",),
        N_("copy"),
        N_("Copy the number, its name and its index."),
        NUMBER,
        scope="explain",
    ),
)
