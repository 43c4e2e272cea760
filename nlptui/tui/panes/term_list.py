"""The terms of a derivation as rows: name and index, what the index stands for, value, factor, contribution.

Knows nothing of where derivations come from. A row that is opened posts `CellOpened` with the term's number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView

if TYPE_CHECKING:
    from nlptui.tui.answers import Explained

NUMBER = 12
"""Width of a number at six digits, sign and exponent included."""
BAR = 8
LEAST = 14
"""Cells that a column of words needs to be worth having."""
MEASURED = 200
"""Terms whose names are measured for the width of their column."""


class Columns(NamedTuple):
    """Widths of the columns of words; 0: there is no room for it."""

    term: int
    where: int
    factor: int


class TermList(RowsView):
    """The rows; `order` maps a row to the number of its term."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.explained: Explained | None = None
        self.order: list[int] = []
        self.columns = Columns(LEAST, 0, 0)
        self._largest = 0.0

    @property
    def count(self) -> int:
        """How many terms there are."""
        return len(self.order)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        if self.explained is None:
            return ""
        number = self.order[row]
        return f"{label(self.explained, number)} {self.explained.wheres[number]}"

    @property
    def term(self) -> int | None:
        """The number of the term under the cursor."""
        return self.order[self.row] if self.order else None

    @property
    def sums(self) -> bool:
        """Whether the value is a sum of products, so that each term has a factor and a contribution."""
        return self.explained is not None and self.explained.derivation.sums

    def show(self, explained: Explained, by_size: bool, at: int = 0) -> None:
        """The terms of another derivation, the cursor on term number `at`."""
        self.explained = explained
        terms = explained.derivation.terms
        self.order = list(range(len(terms)))
        if by_size:
            self.order.sort(key=lambda n: -abs(terms[n].contribution))
        self._largest = max((abs(term.contribution) for term in terms), default=0.0)
        self.set_reactive(RowsView.row, self.order.index(at) if at in self.order else 0)
        self.measure()
        self.refresh()

    def measure(self) -> None:
        """Share the width out among the columns."""
        super().measure()
        if self.explained is not None and self.size:
            self.columns = self._columns()

    def _columns(self) -> Columns:
        assert self.explained is not None
        numbers = 3 * (NUMBER + 1) + BAR + 1 if self.sums else NUMBER + 1
        room = self.size.width - 2 - numbers
        some = self.order[:MEASURED]
        names = max((cell_len(label(self.explained, n)) for n in some), default=LEAST)
        wheres = max((cell_len(self.explained.wheres[n]) + 1 for n in some), default=0)
        factors = max((cell_len(factor(self.explained, n)) + 1 for n in some), default=0) if self.sums else 0
        term = min(names, max(LEAST, room))
        room -= term
        where = min(wheres, room) if room > LEAST else 0
        room -= where
        return Columns(term, where, min(factors, room) if room > LEAST else 0)

    def heads(self) -> str:
        """The names of the columns, each over its column."""
        if not self.order:
            return ""
        if not self.sums:
            return f"  {self._words(_('term'), _('stands for'), '')} {fit(_('value'), NUMBER, right=True)}"
        numbers = [fit(words, NUMBER, right=True) for words in (_("value"), _("× factor"), _("= adds"))]
        return f"  {self._words(_('term'), _('stands for'), _('factor'))} {' '.join(numbers)}"

    def _words(self, term: str, where: str, factor: str) -> str:
        columns = self.columns
        words = ending(term, columns.term)
        words += f" {fit(where, columns.where - 1)}" if columns.where else ""
        return words + (f" {ending(factor, columns.factor - 1)}" if columns.factor else "")

    def row_segments(self, row: int) -> list[Segment]:
        """One term."""
        assert self.explained is not None
        number = self.order[row]
        term = self.explained.derivation.terms[number]
        words = self._words(
            label(self.explained, number), self.explained.wheres[number], factor(self.explained, number)
        )
        here = row == self.row
        words = f"{'▸' if here else ' '} {words} {written(term.value)}"
        if self.sums:
            words += f" {' ' * NUMBER if term.factor is None else written(term.factor)}"
            words += f" {written(term.contribution)}"
        head = Segment(words, self.cursor_style if here else None)
        if not self.sums or not self._largest:
            return [head]
        full = round(BAR * abs(term.contribution) / self._largest)
        inks = self.palette.inks("diverging")
        return [head, Segment(" "), Segment("▰" * full, inks[0] if term.contribution < 0 else inks[-1])]


def ending(text: str, width: int) -> str:
    """`text` in `width` cells, cut at its beginning: what a name ends in tells it from others."""
    while cell_len(text) > width > 1:
        text = "…" + text.removeprefix("…")[1:]
    return fit(text, width)


def label(explained: Explained, number: int) -> str:
    """`blocks.0.attn.q[0,2,5,3]`, as far as there are indices."""
    term = explained.derivation.terms[number]
    return element(term.name, tuple(term.index))


def factor(explained: Explained, number: int) -> str:
    """What the term is multiplied by; empty where that is a number of the formula."""
    term = explained.derivation.terms[number]
    return element(term.factor_name, tuple(term.factor_index or ())) if term.factor_name else ""


def element(name: str, index: tuple[int, ...]) -> str:
    """Name and index of an element, for people."""
    return f"{visible(name)}[{','.join(map(str, index))}]" if index else visible(name)


def written(value: float) -> str:
    """A number in a column of NUMBER cells."""
    return f"{value:z.6g}".rjust(NUMBER)
