"""How one token is read: as an id, as a one-hot vector, or as the row of the embedding matrix that the
vector picks.

Knows nothing of tokenizers: it gets a `Reading`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlptui.locale import _
from nlptui.tui.panes.words import Word, Words

if TYPE_CHECKING:
    from nlptui.tui.answers import Reading


class ReadingLine(Words):
    """One line under the tokens."""

    DEFAULT_CSS = """
    ReadingLine { height: 1; padding: 0 1; }
    """

    def show(self, reading: Reading | None, kind: str) -> None:
        """Draw `reading`; `kind` is one-hot or embedding (ids stand under the tokens already)."""
        self.set_class(reading is not None and kind != "ids", "-said")
        if reading is None or kind == "ids":
            return
        self.left = tuple(_one_hot(reading) if kind == "one-hot" else _row(reading))
        self.right = (Word(f" o  {_('token as…')}", "faint", "next_reading"),)


def _one_hot(reading: Reading) -> list[Word]:
    """`cat  [0 … 0 1 0 … 0]  a 1 at place 17 of 8000`."""
    before = "0 … 0 " if reading.id > 1 else "0 " * reading.id
    left = reading.size - reading.id - 1
    after = " 0 … 0" if left > 1 else " 0" * left
    return [
        Word(f"{reading.token} ", "bold"),
        Word(f"= [{before}"),
        Word("1", "accent"),
        Word(f"{after}]  "),
        Word(_("a 1 at place {id} of {size}").format(id=reading.id, size=reading.size), "faint"),
    ]


def _row(reading: Reading) -> list[Word]:
    """`cat = wte.weight[17] = 0.12 −0.30 …`."""
    numbers = " ".join(f"{value:z.2f}" for value in reading.row)
    more = " …" if len(reading.row) < reading.width else ""
    return [
        Word(f"{reading.token} ", "bold"),
        Word("= "),
        Word(f"{reading.name}[{reading.id}]", "accent"),
        Word(" = "),
        Word(_("{n} numbers: ").format(n=reading.width), "faint"),
        Word(numbers + more),
    ]
