"""Ask how the next token is chosen: temperature, top-k, top-p, seed. Answers with the settings.

Knows nothing of models; what a setting may be, `Sampling` says.
"""

from __future__ import annotations

from dataclasses import fields

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.sampling import Sampling
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import Dialog, TooSmall

LABELS = {
    "temperature": N_("temperature: below 1 keeps to the likely; 0 takes the likeliest"),
    "top_k": N_("top-k: only the k likeliest tokens; 0 takes all"),
    "top_p": N_("top-p: only the likeliest that have probability p together"),
    "seed": N_("seed: the same seed writes the same text"),
}


class SamplingScreen(Dialog):
    """Four numbers."""

    CSS_PATH = "sampling.tcss"

    def __init__(self, sampling: Sampling) -> None:
        super().__init__()
        self.sampling = sampling

    def compose(self) -> ComposeResult:
        """A line for each number."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="sampling-title")
            for name, label in LABELS.items():
                with Horizontal():
                    field = Input(
                        f"{getattr(self.sampling, name):g}", id=f"sampling-{name}", select_on_focus=True
                    )
                    field.cursor_blink = False
                    yield field
                    words = Words()
                    words.left = (Word(_(label)),)
                    yield words
            yield Words(id="sampling-problem")
            yield Words(id="sampling-keys")

    def on_mount(self) -> None:
        """To the first field."""
        self.query_one("#sampling-title", Words).left = (Word(_("How the next token is chosen"), "bold"),)
        self.query_one("#sampling-keys", Words).left = (
            Word("Tab", "accent"), Word(f" {_('next field')}   "),
            Word("Enter", "accent"), Word(f" {_('use')}   "), Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        self.query_one("#sampling-temperature", Input).focus()

    def read(self) -> Sampling:
        """What the fields say. Raises UserError for what is no number, or out of range."""
        found: dict[str, float | int] = {}
        for field in fields(Sampling):
            text = self.query_one(f"#sampling-{field.name}", Input).value.strip()
            try:
                found[field.name] = int(text) if isinstance(field.default, int) else float(text)
            except ValueError:
                name = field.name.replace("_", "-")
                raise UserError(_("{name}: write a number, such as {example}").format(
                    name=name, example=field.default
                )) from None  # fmt: skip
        return Sampling(**found)  # type: ignore[arg-type]

    @on(Input.Submitted)
    def use(self) -> None:
        """Answer, or say what is wrong."""
        try:
            self.dismiss(self.read())
        except UserError as error:
            self.query_one("#sampling-problem", Words).left = (Word(str(error), "warning"),)
