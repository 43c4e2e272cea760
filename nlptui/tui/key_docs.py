"""The key map as a page of the documentation: `python -m nlptui.tui.key_docs [en|zh]` prints it.

Knows only the table of actions, so that the page cannot say anything else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from nlptui.locale import _, set_language
from nlptui.tui.actions import ACTIONS
from nlptui.tui.actions.action import GROUPS, help_of
from nlptui.tui.actions.keys import key_name


def page() -> str:
    """The page in the language that is set, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f"# {_('Keys')}"
    yield ""
    yield _("Every key can be bound anew, by the name in the last column, under “keys” in the settings file.")
    for group in GROUPS:
        yield from (
            "",
            f"## {_(group)}",
            "",
            f"| {_('key')} | {_('what it does')} | {_('name')} |",
            "| --- | --- | --- |",
        )
        for action in ACTIONS:
            if action.group == group:
                keys = " ".join(f"`{key_name(key)}`" for key in action.keys)
                yield f"| {keys} | {help_of(action)} | `{action.id}` |".replace("`|`", "`\\|`")


if __name__ == "__main__":
    set_language(sys.argv[1] if len(sys.argv) > 1 else "en")
    sys.stdout.write(page())
