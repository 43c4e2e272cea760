"""Choose a model, or a tokenizer: what it is, how large, how good, filtered as you type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.panes.title_line import counted
from nlptui.tui.requests import ListModels
from nlptui.tui.screens.chooser import Chooser, Item
from nlptui.wording import metric_words, what_words

if TYPE_CHECKING:
    from nlptui.tui.backend import Answer

FIRST_METRICS = ("accuracy", "f1", "mlm_accuracy", "perplexity", "bleu", "exact_match", "loss")
"""Which measured number stands beside a model, where there are several."""


class ModelsScreen(Chooser):
    """The list of models; the clerk reads it while the dialog is open already."""

    def __init__(self, present: str, known: tuple[Any, ...] | None = None) -> None:
        super().__init__()
        self.present = present
        self.entries: tuple[Any, ...] | None = known
        self.eager = False
        """Whether Enter was pressed before there was a list."""

    def title_text(self) -> str:
        """What is chosen here."""
        return _("Models")

    def items(self) -> list[Item]:
        """One line for each model."""
        if self.entries is None:
            return [Item("", _("reading the list…"), broken=True)]
        return [model_item(entry) for entry in self.entries] or [
            Item("", _("no models"), _("t trains one"), broken=True)
        ]

    def on_mount(self) -> None:
        """Ask for the list."""
        super().on_mount()
        self.nlptui.clerk.ask(ListModels(), self.listed)

    def listed(self, answer: Answer) -> None:
        """The list is there."""
        if not self.is_mounted:
            return
        self.entries = self.nlptui.models = answer.result if not answer.error else ()
        self.fill()
        if self.eager:
            self.take_row(0)
        elif not self.query_one(Input).value:
            self.put_cursor(self.present)

    def take_row(self, row: int) -> None:
        """Take a line, as soon as there are lines."""
        self.eager = self.entries is None
        super().take_row(row)


class TokenizersScreen(ModelsScreen):
    """The tokenizers of the models, and raw bytes."""

    def title_text(self) -> str:
        """What is chosen here."""
        return _("Tokenizers: cut the sentence as another model does")

    def items(self) -> list[Item]:
        """One line for each model's tokenizer."""
        listed = [item for item in super().items() if not item.broken]
        return [*listed, Item("bytes", _("bytes"), _("UTF-8, one token a byte"))]


def model_item(entry: Any) -> Item:
    """`bert-en   BERT · masked words… · English · 3.2 M · accuracy 0.93`."""
    name = visible(entry.name)
    if entry.problem:
        return Item(entry.name, name, visible(entry.problem), broken=True)
    facts = (*what_words(entry), counted(entry.parameters))
    words = f"{entry.arch} {entry.task} {entry.language}"
    return Item(entry.name, name, " · ".join(facts), best_metric(entry.metrics), words)


def best_metric(metrics: dict[str, float]) -> str:
    """The one number that says most about a model."""
    name = next((n for n in (*FIRST_METRICS, *metrics) if n in metrics), "")
    return f"{metric_words(name)} {metrics[name]:.3g}" if name else ""
