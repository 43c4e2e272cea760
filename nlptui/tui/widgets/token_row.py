"""Tokens as chips in lines: each with its text, tag and probability if it has them, its id and its offsets.

Knows nothing of tokenizers: it gets `Tokens`. Lines are broken as far as they are needed, the rest in small
steps while nothing else happens, so that a text of 100,000 characters is on screen at once.
"""

from __future__ import annotations

from bisect import bisect_right

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.reactive import reactive

from nlptui.locale import _
from nlptui.tui.widgets.cells import fit
from nlptui.tui.widgets.keys import CURSOR_KEYS
from nlptui.tui.widgets.line_view import LineView
from nlptui.tui.widgets.messages import CellMoved, CellOpened
from nlptui.tui.widgets.search import Search
from nlptui.views.figure import Token, Tokens

WIDEST = 32
"""Cells that the text of one token may take."""
SLICE = 400
"""Tokens put into lines at a time: a few milliseconds."""


class TokenRow(Search, LineView):
    """Draws `part`; the cursor stands on token `row`. With little height, offsets and ids go first."""

    BINDINGS = CURSOR_KEYS
    CellMoved = CellMoved
    CellOpened = CellOpened

    part: reactive[Tokens | None] = reactive(None, repaint=False, always_update=True)
    row: reactive[int] = reactive(0, repaint=False)
    col = 0

    def __init__(
        self,
        part: Tokens | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._kinds: tuple[str, ...] = ("text",)
        self._starts: list[int] = []
        self._laid = 0
        self._line_width = 0
        self.part = part

    # What is shown

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return len(self.part.tokens) if self.part else 0

    @property
    def empty(self) -> bool:
        """Whether there is no token."""
        return not self.count

    def row_text(self, row: int) -> str:
        """Text and tag."""
        if self.part is None:
            return ""
        token = self.part.tokens[row]
        return token.text if token.tag is None else f"{token.text} {token.tag}"

    def validate_row(self, row: int) -> int:
        """Keep the cursor on a token."""
        return max(0, min(row, self.count - 1))

    def watch_part(self, part: Tokens | None) -> None:
        """Break the new tokens into lines, as far as they are in sight, and repaint what differs."""
        tokens = part.tokens if part else ()
        tagged = any(token.tag is not None or token.prob is not None for token in tokens)
        placed = any(token.start is not None for token in tokens)
        known = not tokens or any(token.id is not None for token in tokens)
        below = (("tag", tagged), ("id", known), ("offsets", placed))
        self._kinds = ("text", *(kind for kind, told in below if told))
        self._starts, self._laid = [], 0
        before = self.row
        self.set_reactive(TokenRow.row, self.validate_row(before))
        self.measure()
        self.repaint()
        if self.row != before and not self.empty:
            self.post_message(CellMoved(self.row, 0, self))

    @property
    def beyond(self) -> tuple[bool, bool]:
        """Whether lines of tokens are out of sight above, and below."""
        first = round(self.scroll_y)
        below = self._laid < self.count or first + self.size.height < len(self._starts) * self.block
        return first > 0, below

    @property
    def block(self) -> int:
        """Lines that one line of tokens takes."""
        return max(1, min(len(self._kinds), self.size.height))

    # Lines of tokens: where each begins

    def measure(self) -> None:
        """Break the tokens into lines for the present width, as far as they are needed now."""
        if not self.size:
            return
        # The last column is for the signs that there is more.
        width = max(1, self.size.width - 1)
        if self._line_width != width:
            self._line_width = width
            self._starts, self._laid = [], 0
        self._lay(until_line=round(self.scroll_y) // self.block + self.size.height + 1)
        self._lay(until_token=self.row)
        self._set_height()
        self.look_at(round(self.scroll_y))
        self._follow()
        if self._laid < self.count:
            self.call_later(self._lay_more, self.part)

    def _lay_more(self, part: Tokens | None) -> None:
        """Break some more tokens into lines, and come back for the rest."""
        if part is self.part and self._laid < self.count:
            self._lay(until_token=self._laid + SLICE)
            self._set_height()
            self.call_later(self._lay_more, part)

    def _lay(self, *, until_line: int | None = None, until_token: int | None = None) -> None:
        """Break tokens into lines until this line, or the line of this token, is complete."""
        if self.part is None or not self._line_width:
            return
        tokens, width = self.part.tokens, self._line_width
        while self._laid < len(tokens):
            if until_line is not None and len(self._starts) > until_line:
                return
            if until_token is not None and self._laid > until_token:
                return
            self._starts.append(self._laid)
            room = width - self._chip_width(tokens[self._laid])
            self._laid += 1
            while self._laid < len(tokens):
                room -= 1 + self._chip_width(tokens[self._laid])
                if room < 0:
                    break
                self._laid += 1

    def _set_height(self) -> None:
        height = self.size.height
        total = len(self._starts) * self.block
        self.set_extent(self.size.width, max(height, total))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """All lines of tokens, of those broken so far."""
        return max(1, len(self._starts)) * len(self._kinds)

    def _chip_width(self, token: Token) -> int:
        widths = [min(cell_len(token.text), WIDEST) + 2]
        widths += [1 + cell_len(_words(token, kind)) for kind in self._kinds[1:]]
        return min(max(widths), self._line_width)

    def _line_of(self, row: int) -> int:
        """The line of tokens in which token `row` stands."""
        self._lay(until_token=row)
        return bisect_right(self._starts, row) - 1

    def _tokens_of(self, line: int) -> range:
        """The tokens in this line of tokens."""
        self._lay(until_line=line)
        if not 0 <= line < len(self._starts):
            return range(0)
        return range(
            self._starts[line], self._starts[line + 1] if line + 1 < len(self._starts) else self._laid
        )

    # Drawing

    def segments(self, y: int) -> list[Segment]:
        """One kind of line of one line of tokens: texts, tags, ids or offsets."""
        if self.part is None or self.empty:
            return [Segment(fit(_("No tokens."), self.size.width))] if y == 0 else []
        line, kind = divmod(round(self.scroll_y) + y, self.block)
        segments: list[Segment] = []
        for row in self._tokens_of(line):
            token = self.part.tokens[row]
            width = self._chip_width(token)
            if segments:
                segments.append(Segment(" "))
            segments.append(self._chip(token, row, width, self._kinds[kind]))
        return segments

    def _chip(self, token: Token, row: int, width: int, kind: str) -> Segment:
        if kind != "text":
            word = "tag" if kind == "tag" else "faint"
            return Segment(fit(f" {_words(token, kind)}", width), self.palette.word(word))
        text = fit(
            f" {fit(token.text, min(WIDEST, max(1, cell_len(token.text)), max(1, width - 2)))} ", width
        )
        if row == self.row:
            return Segment(text, self.cursor_style)
        style: Style = self.palette.word("special") if token.special else self.palette.chip(token.segment)
        return Segment(text, style)

    # The cursor

    def watch_row(self, old: int, new: int) -> None:
        """Show the cursor where it is now, and say so."""
        if self.is_mounted and not self.empty:
            before = round(self.scroll_y)
            self._follow()
            if round(self.scroll_y) == before:
                self.repaint(*(self._line_of(row) * self.block - before for row in (old, new)))
            self.post_message(CellMoved(self.row, 0, self))

    def _follow(self) -> None:
        """Scroll as little as it takes to have the cursor's line of tokens in sight."""
        if self.empty:
            return
        block, first = self.block, round(self.scroll_y)
        line = self._line_of(self.row)
        self._set_height()
        wanted = min(max(first, (line + 1) * block - self.size.height), line * block)
        if wanted != first:
            self.look_at(wanted)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Break lines as far as they came into sight."""
        self._lay(until_line=round(new_value) // self.block + self.size.height + 1)
        super().watch_scroll_y(old_value, new_value)

    def move_to(self, row: int, col: int = 0) -> None:
        """Put the cursor on token `row`, or as near as there is one."""
        self.row = row

    def _centre(self, row: int) -> int:
        """The column in which the middle of token `row` stands."""
        assert self.part is not None
        before = self._tokens_of(self._line_of(row)).start
        widths = [self._chip_width(self.part.tokens[at]) for at in range(before, row + 1)]
        return sum(widths[:-1]) + len(widths) - 1 + widths[-1] // 2

    def _move_lines(self, lines: int) -> None:
        """Go up or down by lines of tokens, to the token nearest below or above."""
        if self.empty:
            return
        here = self._line_of(self.row)
        if here < 0:  # just put in, and not given its place yet
            return
        self._lay(until_line=here + lines + 1)
        line = max(0, min(here + lines, len(self._starts) - 1))
        if line != here:
            x = self._centre(self.row)
            self.row = min(self._tokens_of(line), key=lambda row: abs(self._centre(row) - x))

    def action_cursor_left(self) -> None:
        self.row -= 1

    def action_cursor_right(self) -> None:
        self.row += 1

    def action_cursor_up(self) -> None:
        self._move_lines(-1)

    def action_cursor_down(self) -> None:
        self._move_lines(1)

    def action_cursor_top(self) -> None:
        self.row = 0

    def action_cursor_bottom(self) -> None:
        self.row = self.count - 1

    def action_cursor_start(self) -> None:
        """To the first token of the line."""
        if not self.empty:
            self.row = self._tokens_of(self._line_of(self.row)).start

    def action_cursor_end(self) -> None:
        """To the last token of the line."""
        if not self.empty:
            self.row = self._tokens_of(self._line_of(self.row)).stop - 1

    def action_cursor_page_up(self) -> None:
        self._move_lines(-max(1, self.size.height // self.block))

    def action_cursor_page_down(self) -> None:
        self._move_lines(max(1, self.size.height // self.block))

    def action_cursor_open(self) -> None:
        """Ask for what stands under the cursor."""
        if not self.empty:
            self.post_message(CellOpened(self.row, 0, self))

    def token_at(self, x: int, y: int) -> int | None:
        """The token drawn at content offset (x, y)."""
        if self.part is None or self.empty:
            return None
        left = 0
        for row in self._tokens_of((round(self.scroll_y) + y) // self.block):
            right = left + self._chip_width(self.part.tokens[row])
            if left <= x < right:
                return row
            left = right + 1
        return None

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a double click opens."""
        offset = event.get_content_offset(self)
        row = None if offset is None else self.token_at(*offset)
        if row is None:
            return
        event.stop()
        self.row = row
        if event.chain == 2:
            self.action_cursor_open()


def _words(token: Token, kind: str) -> str:
    """The line below a chip: tag and probability, id, or offsets."""
    if kind == "tag":
        prob = "" if token.prob is None else f"{token.prob:.2f}"
        return " ".join(part for part in (token.tag or "", prob) if part)
    if kind == "id":
        return "–" if token.id is None else str(token.id)
    return "–" if token.start is None else f"{token.start}–{token.end}"
