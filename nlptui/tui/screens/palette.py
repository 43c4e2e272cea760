"""The palette: every action, view, and the chosen one is run. Made from the table of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import _
from nlptui.tui.actions.action import Action, help_of, label_of
from nlptui.tui.actions.keys import key_name
from nlptui.tui.screens.chooser import Chooser, Item

if TYPE_CHECKING:
    from nlptui.tui.answers import ViewName

HIDDEN = ("dialog",)


class PaletteScreen(Chooser):
    """Answers with the id of an action, or `view:NAME`."""

    NAME_WIDTH = 20

    def __init__(self, actions: tuple[Action, ...], views: tuple[ViewName, ...] = ()) -> None:
        super().__init__()
        self.actions = actions
        self.views = views

    def title_text(self) -> str:
        """What is chosen here."""
        return _("What do you want to do?")

    def items(self) -> list[Item]:
        """Every action of this screen with its keys, then every view."""
        actions = [
            Item(
                a.id, label_of(a), help_of(a), "  ".join(map(key_name, a.keys)), f"{a.id} {a.label} {a.help}"
            )
            for a in self.actions
        ]
        views = [
            Item(f"view:{v.name}", _(v.title), _("Open this view."), str(v.group), f"{v.name} {v.title} view")
            for v in self.views
        ]
        return [*actions, *views]
