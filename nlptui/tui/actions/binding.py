"""Actions bound to keys: those of the table, or a user's own, and no key to two actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from textual.binding import Binding, BindingType

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.actions import ACTIONS
from nlptui.tui.actions.action import TOGETHER, Action
from nlptui.tui.actions.keys import KEY_NAMES, key_name


def bindings(scope: str) -> list[BindingType]:
    """Textual's bindings for the actions of one scope; the ids are what a keymap rebinds."""
    return [
        Binding(",".join(a.keys), a.call, a.id, show=False, priority=a.priority, id=a.id)
        for a in ACTIONS
        if a.scope == scope
    ]


def rebound(keys: Mapping[str, str]) -> tuple[Action, ...]:
    """The table with a user's keys (`{id: "key,key"}`) in it. Raises UserError for an unknown id, no key, or
    a clash.
    """
    unknown = sorted(set(keys) - {action.id for action in ACTIONS})
    if unknown:
        raise UserError(_("settings, keys: no action is called {id!r}").format(id=visible(unknown[0])))
    table = tuple(replace(a, keys=_keys(a.id, keys[a.id])) if a.id in keys else a for a in ACTIONS)
    clash = next(clashes(table), None)
    if clash:
        first, second, key = clash
        raise UserError(
            _("settings, keys: {key} is bound to both {first} and {second}").format(
                key=visible(key_name(key)), first=first.id, second=second.id
            )
        )
    return table


def _keys(action: str, text: object) -> tuple[str, ...]:
    """The keys in a user's setting; a single character may stand for its name."""
    names = {shown: name for name, shown in KEY_NAMES.items()}
    parts = (
        [str(text)] if text in names or text == "," else str(text).split(",") if isinstance(text, str) else []
    )
    found = tuple(names.get(part.strip(), part.strip()) for part in parts if part.strip())
    if not found:
        raise UserError(_('settings, keys: {id} needs at least one key, as in "ctrl+n,n"').format(id=action))
    return found


def clashes(table: Iterable[Action]) -> Iterator[tuple[Action, Action, str]]:
    """Pairs of actions that hold at the same time and share a key."""
    table = tuple(table)
    for together in TOGETHER:
        seen: dict[str, Action] = {}
        for action in table:
            for key in action.keys if action.scope in together else ():
                if seen.setdefault(key, action) is not action:
                    yield seen[key], action, key
