"""Edit a recorded value or a parameter: which part of it, and what to do with that. Answers with the edit as
the command line writes it.

Knows nothing of the engine: an edit is a line of text here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from nlptui.locale import N_, _
from nlptui.text import visible
from nlptui.tui.panes.choice_list import ChoiceList
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.messages import CellMoved, CellOpened

OPERATIONS = (
    ("zero", N_("zero: set to 0")),
    ("mean", N_("mean: set to its mean over this sentence")),
    ("scale", N_("scale: multiply by a number")),
    ("force", N_("force: set to a number")),
)
OF_ROWS = ("mean", N_("mean: set to the mean of its rows"))
"""What `mean` is of a parameter, which has no positions."""
PATCH = ("from:A", N_("from A: take the value of the pinned run (patching)"))
"""Offered where a run is pinned."""
NEEDS_AMOUNT = ("scale", "force")


def scopes(index: Sequence[int], axes: Sequence[str], source: Sequence[int | str]) -> list[tuple[str, str]]:
    """What can be edited around one element, as (index, words): the cell, its row, column, head, position,
    everything.

    `source` is the index that the table was cut with: "row" and "col" stand where its rows and columns do.
    An index shorter than `axes` is that of a whole matrix: the picture of a head.
    """

    def region(keep: Sequence[bool]) -> str:
        kept = [str(i) if here else ":" for i, here in zip(index, keep, strict=False)]
        return ",".join([*kept, *[":"] * (len(axes) - len(kept))])

    if not index:  # a whole activation was chosen, not an element of it
        return [(",".join(":" for _axis in axes), _("everything"))]
    found: dict[str, str] = {}
    if len(index) == len(axes):
        found[region([True] * len(index))] = _("this cell")
    if "col" in source:
        found.setdefault(region([part != "col" for part in source]), _("its row in the table"))
    if "row" in source:
        found.setdefault(region([part != "row" for part in source]), _("its column in the table"))
    for axis, words in (
        ("head", N_("its head")), ("pos", N_("its position")), ("d_hidden", N_("its unit")),
        ("row", N_("its row")), ("column", N_("its column")),
    ):  # fmt: skip
        if axis in axes:
            found.setdefault(region([a in ("batch", axis) for a in axes]), _(words))
    found.setdefault(region([False] * len(index)), _("everything"))
    return list(found.items())


class EditScreen(Dialog):
    """Where, what, how much; the edit as it will read stands below."""

    CSS_PATH = "edit.tcss"

    def __init__(
        self, name: str, scopes: list[tuple[str, str]], pinned: bool = False, learned: bool = False
    ) -> None:
        super().__init__()
        operations = tuple(OF_ROWS if learned and o[0] == "mean" else o for o in OPERATIONS)
        self.operations = (*operations, PATCH) if pinned else operations
        self.edited = name
        self.scopes = scopes

    def compose(self) -> ComposeResult:
        """Two lists, a number, the edit."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="edit-title")
            with Horizontal():
                yield ChoiceList([(key, f"{words}  [{key}]") for key, words in self.scopes], id="edit-where")
                yield ChoiceList([(key, _(words)) for key, words in self.operations], id="edit-what")
            amount = Input("0", placeholder=_("number"), id="edit-amount", select_on_focus=True)
            amount.cursor_blink = False
            yield amount
            yield Words(id="edit-line")
            yield Words(id="edit-keys")

    def on_mount(self) -> None:
        """To the first list."""
        self.query_one("#edit-title", Words).left = (
            Word(_("Edit "), "bold"),
            Word(visible(self.edited), "accent"),
        )
        self.query_one("#edit-keys", Words).left = (
            Word("↑ ↓", "accent"), Word(f" {_('choose')}   "),
            Word("Tab", "accent"), Word(f" {_('next field')}   "),
            Word("Enter", "accent"), Word(f" {_('edit')}   "), Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        self.query_one("#edit-where").focus()
        self.draw()

    @property
    def operation(self) -> str:
        """What to do."""
        return self.query_one("#edit-what", ChoiceList).key

    @property
    def amount(self) -> float | None:
        """The number typed; None if it is none."""
        try:
            number = float(self.query_one("#edit-amount", Input).value.strip())
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    @property
    def edit(self) -> str:
        """The edit as it will be made; empty while its number is missing."""
        where = self.query_one("#edit-where", ChoiceList).key
        operation = self.operation
        if operation not in NEEDS_AMOUNT:
            return f"{self.edited}[{where}]={operation}"
        return "" if self.amount is None else f"{self.edited}[{where}]={operation}:{self.amount:g}"

    @on(CellMoved)
    @on(Input.Changed)
    def draw(self) -> None:
        """Show the edit as it will read."""
        self.query_one("#edit-amount").display = self.operation in NEEDS_AMOUNT
        line = self.query_one("#edit-line", Words)
        edit = self.edit
        line.left = (
            (Word(visible(edit), "special"),)
            if edit
            else (Word(_("Give a number, such as 0.5."), "warning"),)
        )

    @on(CellOpened)
    @on(Input.Submitted)
    def apply(self) -> None:
        """Enter makes the edit; from the list of operations, a number is asked for first."""
        amount = self.query_one("#edit-amount", Input)
        if self.operation in NEEDS_AMOUNT and not amount.has_focus:
            amount.focus()
        elif self.edit:
            self.dismiss(self.edit)
