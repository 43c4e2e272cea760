"""The studio's dialogs: are you sure, a few fields to fill in, and the list of experiments.

They answer with plain values; nothing is done here.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.panes.choice_list import ChoiceList
from nlptui.tui.panes.run_panel import clock
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.messages import CellMoved, CellOpened


def keys_line(enter: str) -> tuple[Word, ...]:
    """What Enter and Esc do."""
    return (
        Word("Enter", "accent"), Word(f" {enter}   "), Word("Esc", "accent"), Word(f" {_('close')}"),
    )  # fmt: skip


class AskScreen(Dialog):
    """A question; answers with True for yes. The cursor begins on no."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The question and its two answers."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Static(Text(self.question), id="ask-question")
            yield ChoiceList([("", _("no")), ("yes", _("yes"))], id="ask-answers")
            yield Words(id="ask-keys")

    def on_mount(self) -> None:
        """To the answers."""
        self.query_one("#ask-keys", Words).left = keys_line(_("answer"))
        self.query_one(ChoiceList).focus()

    @on(CellOpened)
    def entered(self) -> None:
        """That is the answer."""
        self.dismiss(bool(self.query_one(ChoiceList).key))


@dataclass(frozen=True)
class FormField:
    """One line to fill in."""

    name: str
    label: str
    value: str
    hint: str
    """Shown while the line is empty."""
    number: bool = False
    """Whether it takes a whole number only."""


class FormScreen(Dialog):
    """A few fields; answers with name → text."""

    def __init__(self, title: str, fields: tuple[FormField, ...]) -> None:
        super().__init__()
        self.title_words = title
        self.fields = fields

    def compose(self) -> ComposeResult:
        """A label over each field."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Static(Text(self.title_words), id="form-title")
            for field in self.fields:
                hint = f"  ({field.hint})" if field.value and field.hint != field.value else ""
                yield Static(Text(f"{field.label}{visible(hint)}"), classes="form-label")
                line = Input(field.value, placeholder=field.hint, id=f"form-{field.name}")
                line.cursor_blink = False
                yield line
            yield Words(id="form-said")
            yield Words(id="form-keys")

    def on_mount(self) -> None:
        """To the first field."""
        self.query_one("#form-keys", Words).left = (
            Word("Tab", "accent"), Word(f" {_('next field')}   "), *keys_line(_("go")),
        )  # fmt: skip
        self.query(Input).first().focus()

    @on(Input.Submitted)
    def entered(self) -> None:
        """Answer, if every number is one."""
        form = {
            field.name: self.query_one(f"#form-{field.name}", Input).value.strip() for field in self.fields
        }
        for field in self.fields:
            text = form[field.name]
            if field.number and text and not (text.isascii() and text.isdigit()):
                words = _("{field} must be a whole number.").format(field=field.label)
                self.query_one("#form-said", Words).left = (Word(f"✗ {words}", "warning"),)
                return
        self.dismiss(form)


class ExperimentsScreen(Dialog):
    """The experiments; answers with the name of the one to start."""

    def compose(self) -> ComposeResult:
        """The list, and what the chosen one claims."""
        from nlptui.train.client import EXPERIMENTS

        self.table = EXPERIMENTS
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="experiments-title")
            lines = [
                (name, f"{_(about.title)}   {_('about {time}').format(time=clock(about.seconds))}")
                for name, about in self.table.items()
            ]
            yield ChoiceList(lines, id="experiments-list")
            yield Static(id="experiments-claim", markup=False)
            yield Words(id="experiments-keys")

    def on_mount(self) -> None:
        """To the list."""
        self.query_one("#experiments-title", Words).left = (
            Word(_("Start an experiment in the background"), "bold"),
        )
        self.query_one("#experiments-keys", Words).left = keys_line(_("start"))
        self.query_one(ChoiceList).focus()
        self.draw()

    @on(CellMoved)
    def draw(self) -> None:
        """What the chosen experiment makes visible."""
        about = self.table[self.query_one(ChoiceList).key]
        varied = _("Varied: {what}.").format(what=_(about.varied))
        self.query_one("#experiments-claim", Static).update(Text(f"{_(about.claim)} {varied}"))

    @on(CellOpened)
    def entered(self) -> None:
        """Start it."""
        self.dismiss(self.query_one(ChoiceList).key)
