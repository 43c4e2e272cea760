"""The lists of the tokenizer bench: tokenizers beside one another on a text, steps, and a vocabulary.

Know nothing of where rows come from; a row that is opened posts `CellOpened`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView
from nlptui.views.segmentation import chips
from nlptui.wording import kind_words

NAME = 17
KIND = 10
NUMBER = 7


class BenchRows(RowsView):
    """Rows of one kind; the cursor stays on its number."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[Any] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.rows)

    @property
    def shown(self) -> int:
        """All of them."""
        return self.count

    def show(self, rows: Sequence[Any], at: int | None = None) -> None:
        """Other rows, with the cursor on `at`, or where it is."""
        self.rows = rows
        if at is not None:
            self.set_reactive(RowsView.row, at)
        self.take_rows()

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return str(self.rows[row])


class TokenizerTable(BenchRows):
    """One tokenizer a row: name, kind, numbers, and its tokens as chips."""

    def heads(self) -> str:
        """The names of the columns."""
        numbers = (_("vocab"), _("tokens"), _("tok/ch"), _("unk"), _("byte/t"))
        cells = " ".join(fit(words, NUMBER, right=True) for words in numbers)
        return f"  {fit(_('tokenizer'), NAME)} {fit(_('kind'), KIND)} {cells}"

    def row_segments(self, row: int) -> list[Segment]:
        """One tokenizer."""
        one = self.rows[row]
        more = f" +{len(one.others)}" if one.others else ""
        name = fit(visible(one.name), NAME - len(more)) + more
        size, unknown = ("–", "–") if one.unknown is None else (str(one.vocab_size), str(one.unknown))
        numbers = (size, str(one.count), f"{one.per_character:.2f}", unknown, f"{one.bytes_each:.1f}")
        cells = " ".join(number.rjust(NUMBER) for number in numbers)
        here = row == self.row
        words = f"{'▸' if here else ' '} {name} {fit(kind_words(one.kind), KIND)} {cells} "
        room = self.size.width - cell_len(words)
        head = Segment(words, self.cursor_style if here else None)
        return [head, Segment(fit(chips(one.tokens[: max(room, 0)]), room))] if room > 3 else [head]


class StepList(BenchRows):
    """One step a row, and what there is after it."""

    def row_segments(self, row: int) -> list[Segment]:
        """One step."""
        step = self.rows[row]
        here = row == self.row
        width = self.size.width
        indent = "" if step.look == "bold" else "  "
        after = f"   {step.shown}" if step.after else ""
        look = self.palette.word(step.look) if step.look in ("accent", "faint") else None
        if here:
            return [Segment(fit(f"{indent}{step.text}{after}", width), self.cursor_style)]
        if step.look == "bold":
            return [Segment(step.text, self.palette.word("accent")), Segment(after)]
        return [Segment(f"{indent}{step.text}", look), Segment(after)]


class VocabularyList(BenchRows):
    """One token a row: id, token, length, score."""

    def heads(self) -> str:
        """The names of the columns."""
        number, length, score = (
            fit(words, width, right=True)
            for words, width in ((_("id"), 7), (_("length"), 6), (_("score"), 12))
        )
        return f"  {number}  {fit(_('token'), 32)} {length}{score}"

    def row_segments(self, row: int) -> list[Segment]:
        """One token."""
        entry = self.rows[row]
        score = "" if entry.score is None else f"{entry.score:12.4f}"
        token = visible(entry.token).replace(" ", "␣")
        here = row == self.row
        special = "" if not entry.special else f"  {_('special')}"
        words = (
            f"{'▸' if here else ' '} {entry.id:>7}  {fit(token, 32)} {len(entry.token):>6}{score}{special}"
        )
        return [Segment(fit(words, self.size.width), self.cursor_style if here else None)]
