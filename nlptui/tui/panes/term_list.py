"""The terms of a derivation as rows: name and index, what the index stands for, value, factor, contribution.

Knows nothing of where derivations come from. A row that is opened posts `CellOpened` with the term's number.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.requests import Explained
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView

NUMBER = 12
"""Width of a number at six digits, sign and exponent included."""
BAR = 8


class TermList(RowsView):
    """The rows; `order` maps a row to the number of its term."""

    top = 1

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.explained: Explained | None = None
        self.order: list[int] = []
        self.by_size = False
        self._largest = 0.0

    @property
    def count(self) -> int:
        """How many terms there are."""
        return len(self.order)

    @property
    def term(self) -> int | None:
        """The number of the term under the cursor."""
        return self.order[self.row] if self.order else None

    def show(self, explained: Explained, by_size: bool, at: int = 0) -> None:
        """The terms of another derivation, the cursor on term number `at`."""
        self.explained = explained
        terms = explained.derivation.terms
        self.order = list(range(len(terms)))
        self.by_size = by_size
        if by_size:
            self.order.sort(key=lambda n: -abs(terms[n].contribution))
        self._largest = max((abs(term.contribution) for term in terms), default=0.0)
        self.set_reactive(RowsView.row, self.order.index(at) if at in self.order else 0)
        self.measure()
        self.refresh()

    def columns(self) -> tuple[int, int]:
        """Widths of the name and of what the index stands for."""
        numbers = (3 * NUMBER + BAR + 3) if self.sums else NUMBER
        room = max(20, self.size.width - numbers - 4)
        longest = max((cell_len(label(self.explained, n)) for n in self.order[:200]), default=10) if self.explained else 10
        name = min(longest, max(16, room * 3 // 5))
        return name, max(0, room - name - 1)

    @property
    def sums(self) -> bool:
        """Whether the value is a sum of products, so that each term has a factor and a contribution."""
        return self.explained is not None and self.explained.derivation.sums

    def fixed_segments(self, y: int) -> list[Segment]:
        """The headers of the columns."""
        if y or not self.order:
            return []
        name, where = self.columns()
        words = f"  {fit(_('term'), name)} {fit(_('stands for'), where)} {fit(_('value'), NUMBER, right=True)}"
        if self.sums:
            words += f" {fit(_('× factor'), NUMBER, right=True)} {fit(_('= adds'), NUMBER, right=True)}"
        return [Segment(words, self.palette.word("faint"))]

    def row_segments(self, row: int) -> list[Segment]:
        """One term."""
        assert self.explained is not None
        number = self.order[row]
        term = self.explained.derivation.terms[number]
        name, where = self.columns()
        here = row == self.row
        words = f" {fit(label(self.explained, number), name)} {fit(self.explained.wheres[number], where)} {written(term.value)}"
        if self.sums:
            factor = " " * NUMBER if term.factor is None else written(term.factor)
            words += f" {factor} {written(term.contribution)}"
        head = Segment(("▸" if here else " ") + words, self.palette.cursor if here and self.has_focus else self.palette.parked if here else None)
        if not self.sums or not self._largest:
            return [head]
        full = round(BAR * abs(term.contribution) / self._largest)
        inks = self.palette.inks("diverging")
        style = inks[0] if term.contribution < 0 else inks[-1]
        return [head, Segment(" "), Segment(("▰" * full).ljust(BAR), style)]


def label(explained: Explained | None, number: int) -> str:
    """`blocks.0.attn.q[0,2,5,3]`, as far as there are indices."""
    assert explained is not None
    term = explained.derivation.terms[number]
    return element(term.name, term.index)


def element(name: str, index: tuple[int, ...]) -> str:
    """Name and index of an element, for people."""
    return f"{visible(name)}[{','.join(map(str, index))}]" if index else visible(name)


def written(value: float) -> str:
    """A number in a column of NUMBER cells."""
    return f"{value:z.6g}".rjust(NUMBER)
