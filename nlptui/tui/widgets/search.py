"""Finding a text among the rows of a widget, forwards and backwards, going round at the end.

Knows nothing of how rows are drawn; a row is found by `row_text`.
"""

from __future__ import annotations

from abc import abstractmethod

from nlptui.text import visible


class Search:
    """For widgets with a cursor: `search` and `search_again` move it to the next row that holds a text."""

    row: int
    _query = ""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many rows there are to look through."""

    @abstractmethod
    def row_text(self, row: int) -> str:
        """What a search looks at in `row`."""

    @abstractmethod
    def move_to(self, row: int, col: int = 0) -> None:
        """Put the cursor on `row`."""

    def find(self, query: str, start: int | None = None, *, backwards: bool = False) -> int | None:
        """The next row after `start` (default: the cursor) whose text holds `query`, capitals aside."""
        wanted = visible(query).casefold()
        count, here = self.count, self.row if start is None else start
        step = -1 if backwards else 1
        for distance in range(1, count + 1):
            row = (here + step * distance) % count
            if wanted in self.row_text(row).casefold():
                return row
        return None

    def search(self, query: str) -> bool:
        """Move the cursor to the next row that holds `query`, and keep the query; False if there is none."""
        self._query = query
        return self.search_again()

    def search_again(self, *, backwards: bool = False) -> bool:
        """Move to the next (or previous) row that holds the last query; False if there is none."""
        found = self.find(self._query, backwards=backwards) if self._query else None
        if found is None:
            return False
        self.move_to(found)
        return True
