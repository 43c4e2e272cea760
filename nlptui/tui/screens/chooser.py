"""A list to choose from, filtered as you type: the base of the pickers of models, tokenizers, recipes and of
the palette.

Knows nothing of what is chosen: it gets `Item`s and answers with the key of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from nlptui.locale import _
from nlptui.tui.panes.words import Word, Words
from nlptui.tui.screens.base import Dialog, TooSmall
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.line_view import RowsView
from nlptui.tui.widgets.messages import CellOpened

LIST_KEYS = {
    "up": "cursor_up",
    "down": "cursor_down",
    "pageup": "cursor_page_up",
    "pagedown": "cursor_page_down",
}


@dataclass(frozen=True)
class Item:
    """One line of the list."""

    key: str
    """What choosing it answers."""
    name: str
    detail: str = ""
    note: str = ""
    """Something short at the right end: keys, a measured number."""
    words: str = ""
    """More words to be found by."""
    broken: bool = False
    """Whether it cannot be chosen; `detail` says why."""
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", " ".join((self.name, self.detail, self.note, self.words)).casefold())


def matching(items: Sequence[Item], query: str) -> list[Item]:
    """The items that hold every word of `query`; those whose name begins with it come first."""
    wanted = query.casefold().split()
    found = [item for item in items if all(word in item.text for word in wanted)]
    start = query.casefold().strip()
    return sorted(
        found,
        key=lambda item: (not item.name.casefold().startswith(start), start not in item.name.casefold()),
    )


class ItemList(RowsView):
    """The lines in sight."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[Item] = []
        self.name_width = 24

    @property
    def count(self) -> int:
        """How many items are left."""
        return len(self.items)

    @property
    def shown(self) -> int:
        """All of them are in the list."""
        return self.count

    def row_text(self, row: int) -> str:
        """What a search looks at."""
        return self.items[row].text

    def show(self, items: list[Item]) -> None:
        """Another selection; the first line is the chosen one."""
        self.items = items
        self.row = 0
        self.measure()
        self.refresh()

    def row_segments(self, row: int) -> list[Segment]:
        """Name, detail and note of one item."""
        item, palette, width = self.items[row], self.palette, self.size.width
        here = row == self.row
        note = f" {item.note}" if item.note else ""
        room = max(0, width - self.name_width - 3)
        detail = fit(item.detail, max(0, room - cell_len(note)))
        faint = palette.word("warning" if item.broken else "faint")
        if here:
            return [Segment(f"▸ {fit(item.name, self.name_width)} {detail}{note}", palette.cursor)]
        return [
            Segment(f"  {fit(item.name, self.name_width)} "),
            Segment(detail, faint),
            Segment(note, palette.word("accent")),
        ]

    def action_cursor_open(self) -> None:
        """Choose the line under the cursor."""
        if self.items:
            self.post_message(CellOpened(self.row, 0, self))

    def on_click(self, event: events.Click) -> None:
        """A click chooses."""
        offset = event.get_content_offset(self)
        row = None if offset is None else self.row_at(offset.y)
        if row is not None:
            event.stop()
            self.row = row
            self.action_cursor_open()


class Chooser(Dialog):
    """The dialog: a field to type in, the lines that fit, and what to do."""

    CSS_PATH = "chooser.tcss"
    NAME_WIDTH = 24

    def title_text(self) -> str:
        """What is chosen here."""
        raise NotImplementedError

    def items(self) -> list[Item]:
        """What there is to choose, as far as it is known yet."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Title, field, list, keys."""
        yield TooSmall()
        with Vertical(classes="window"):
            yield Words(id="chooser-title")
            query = Input(placeholder=_("type to filter"), id="chooser-query")
            query.cursor_blink = False
            yield query
            yield ItemList()
            yield Words(id="chooser-keys")

    def on_mount(self) -> None:
        """Show everything, with the keyboard in the field."""
        self.query_one("#chooser-title", Words).left = (Word(self.title_text(), "bold"),)
        self.query_one("#chooser-keys", Words).left = (
            Word("↑ ↓", "accent"), Word(f" {_('choose')}   "),
            Word("Enter", "accent"), Word(f" {_('take')}   "),
            Word("Esc", "accent"), Word(f" {_('close')}"),
        )  # fmt: skip
        listing = self.query_one(ItemList)
        listing.can_focus = False
        self.fill()
        self.query_one(Input).focus()

    def fill(self) -> None:
        """Show the items that fit what is typed."""
        query = self.query_one(Input).value
        items = self.items()
        found = matching(items, query)
        longest = max((cell_len(item.name) for item in items), default=0)
        self.query_one(ItemList).name_width = min(self.NAME_WIDTH, longest + 1)
        self.query_one(ItemList).show(found)
        self.query_one("#chooser-title", Words).right = (Word(str(len(found)), "faint"),)

    def put_cursor(self, key: str) -> None:
        """Begin at the item that is in force."""
        listing = self.query_one(ItemList)
        listing.move_to(next((n for n, item in enumerate(listing.items) if item.key == key), 0))

    @on(Input.Changed)
    def typed(self) -> None:
        """Filter."""
        self.fill()

    @on(Input.Submitted)
    def entered(self) -> None:
        """Enter takes the line under the cursor."""
        self.take_row(self.query_one(ItemList).row)

    def take_row(self, row: int) -> None:
        """Answer with the key of an item, unless there is none or it is broken."""
        items = self.query_one(ItemList).items[row:]
        if items and not items[0].broken:
            self.dismiss(items[0].key)

    def on_key(self, event: events.Key) -> None:
        """The arrows move in the list while the keyboard is in the field."""
        if event.key in LIST_KEYS:
            event.stop()
            event.prevent_default()
            getattr(self.query_one(ItemList), f"action_{LIST_KEYS[event.key]}")()

    @on(CellOpened)
    def opened(self, event: CellOpened) -> None:
        """A click takes a line."""
        event.stop()
        self.take_row(event.row)
