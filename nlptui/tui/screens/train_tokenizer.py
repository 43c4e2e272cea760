"""Ask what tokenizer to train: on what, which kind, how large, which name. Answers with the request."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from nlptui.locale import N_, _
from nlptui.tui.panes.choice_list import ChoiceList
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.requests import TrainTokenizer
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.messages import CellOpened

KINDS = {
    "bpe": N_("BPE: merges of frequent pairs (SentencePiece)"),
    "unigram": N_("unigram: pieces with probabilities (SentencePiece)"),
    "word": N_("words: the most frequent ones"),
    "character": N_("characters"),
}
FIELDS = {
    "source": N_("corpus, or the path of a text file"),
    "name": N_("name of the tokenizer"),
    "size": N_("vocabulary size (empty: 4000)"),
    "coverage": N_("character coverage (empty: 0.9995)"),
}


class TrainTokenizerScreen(Dialog):
    """Four fields and a list of kinds."""

    CSS_PATH = "train_tokenizer.tcss"

    def compose(self) -> ComposeResult:
        """Kinds, fields, keys."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="tokenizer-title")
            yield ChoiceList([(kind, _(words)) for kind, words in KINDS.items()], id="tokenizer-kinds")
            for name, words in FIELDS.items():
                field = Input(placeholder=_(words), id=f"tokenizer-{name}")
                field.cursor_blink = False
                yield field
            yield Words(id="tokenizer-said")
            yield Words(id="tokenizer-keys")

    def on_mount(self) -> None:
        """To the first field."""
        self.query_one("#tokenizer-title", Words).left = (Word(_("Train a tokenizer"), "bold"),)
        self.query_one("#tokenizer-keys", Words).left = (
            Word("↑ ↓", "accent"), Word(f" {_('choose')}   "),
            Word("Tab", "accent"), Word(f" {_('next field')}   "),
            Word("Enter", "accent"), Word(f" {_('start')}   "), Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        self.query_one(ChoiceList).focus()

    def value(self, name: str) -> str:
        """What stands in a field."""
        return self.query_one(f"#tokenizer-{name}", Input).value.strip()

    @on(CellOpened)
    @on(Input.Submitted)
    def start(self) -> None:
        """Answer, or say what is missing."""
        source, kind = self.value("source"), self.query_one(ChoiceList).key
        said = ""
        try:
            size, coverage = int(self.value("size") or 4000), float(self.value("coverage") or 0.9995)
        except ValueError:
            said = _("Vocabulary size and coverage must be numbers, such as 4000 and 0.9995.")
        if not source:
            said = _("Say what to train on: the name of a corpus, or a file.")
        if said:
            self.query_one("#tokenizer-said", Words).left = (Word(f"✗ {said}", "warning"),)
            return
        stem = source.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
        name = self.value("name") or f"{stem}-{kind}"
        self.dismiss(TrainTokenizer(source, kind, name, size, coverage))
