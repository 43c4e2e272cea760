"""The one table of what a person can do on screen. Key bindings, palette, help page, key bar and the docs
are made from it.

Knows nothing of how an action is carried out: a screen has a method `action_<id>` for each action of its
scope.
Users rebind by id in the settings file: `"keys": {"layer_up": "ctrl+up,]"}`.
"""

from __future__ import annotations

from nlptui.tui.actions.action import Action
from nlptui.tui.actions.cursor import CURSOR_ACTIONS
from nlptui.tui.actions.edits import EDIT_ACTIONS, EDIT_LIST_ACTIONS
from nlptui.tui.actions.explain import EXPLAIN_ACTIONS
from nlptui.tui.actions.explorer import FIND_ACTIONS, NUMBER_ACTIONS, SENTENCE_ACTIONS, VIEW_ACTIONS
from nlptui.tui.actions.program import DIALOG_ACTIONS, PROGRAM_ACTIONS
from nlptui.tui.actions.runs import RUN_ACTIONS
from nlptui.tui.actions.studio import STUDIO_ACTIONS
from nlptui.tui.actions.tokenizers import TOKENIZER_ACTIONS
from nlptui.tui.actions.writing import WRITING_ACTIONS

ACTIONS: tuple[Action, ...] = (
    *SENTENCE_ACTIONS,
    *VIEW_ACTIONS,
    *CURSOR_ACTIONS,
    *FIND_ACTIONS,
    *NUMBER_ACTIONS,
    *EDIT_ACTIONS,
    *EDIT_LIST_ACTIONS,
    *EXPLAIN_ACTIONS,
    *TOKENIZER_ACTIONS,
    *WRITING_ACTIONS,
    *RUN_ACTIONS,
    *STUDIO_ACTIONS,
    *PROGRAM_ACTIONS,
    *DIALOG_ACTIONS,
)
