"""Keys one after the other: the next one is looked at when all that the last one set going has happened.

Textual sends a key to whatever has the focus when it arrives. Of `/cat` typed quickly, or sent in one piece
by a slow line, the `c` would arrive while the dialog that `/` opens is still on its way, and mean something
else. The base of the app.

What a key changes is drawn as one picture, when all of it has changed: Textual would draw what changes
first, and the rest some frames later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from nlptui.tui.once import once

PATIENCE = 1.0
"""Seconds after which the next key goes on, whatever became of the last one."""
BURST = 8
"""Characters waiting for a line of text that are put into it in one piece."""
HOLD = 0.1
"""Seconds that a picture waits at most for the rest of what a key changes."""


@dataclass
class Passed(Message):
    """Travels behind a key, from the widget that got it up to the app, through the same queues."""

    number: int
    again: bool


class OnePicture(Screen[Any]):
    """A screen that is not drawn while a key is on its way."""

    pictures = 0
    """How often it has been drawn, or parts of it."""
    _owed = False
    """Whether it was to be drawn at once, as after a layout, and was not."""

    @property
    def _waits(self) -> bool:
        return getattr(self.app, "drawing_waits", False)

    def _compositor_refresh(self) -> None:
        self._owed = self._waits
        if self._owed:
            return
        self.pictures += bool(self._compositor._dirty_regions)
        if self is not self.app.screen and self.app.screen.styles.background.a == 1:
            # Nothing of it is seen; it is drawn whole when the screen over it goes.
            self._compositor._dirty_regions.clear()
            self._dirty_widgets.clear()
            return
        super()._compositor_refresh()
        if self is not self.app.screen:
            # Textual would draw what is behind a dialog once more whenever nothing else happens there.
            self._repaint_required = False

    def _on_timer_update(self) -> None:
        if self._repaint_required and self._dirty_widgets and not self._layout_required:
            # A part of the screen is to be drawn, where something behind it has changed. Textual would forget
            # the widgets that have changed too.
            self._dirty_widgets.add(self)
            self._repaint_required = False
        super()._on_timer_update()

    async def _on_idle(self, event: events.Idle) -> None:
        if self._waits:
            event.prevent_default()  # of Textual's handler, which would have it drawn
        elif self._owed and not (
            self._layout_required or self._scroll_required or self._repaint_required or self._dirty_widgets
        ):  # with one of these it is drawn in any case
            self._compositor_refresh()


class TypeAhead(App[Any]):
    """Holds keys and pastes back until the one before is done with."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._held: deque[events.Key | events.Paste] = deque()
        self._not_yet = True
        self._number = 0
        self._patience: Timer | None = None
        self._release: asyncio.TimerHandle | None = None

    def urgent(self, key: str) -> bool:
        """Whether a key must not wait for others."""
        return False

    def read_key(self, key: events.Key) -> events.Key:
        """What a key means, said when its turn has come."""
        return key

    async def on_event(self, event: events.Event) -> None:
        """Keys and pastes wait for their turn; everything else goes on as ever."""
        mine = isinstance(event, events.Key | events.Paste) and not event.is_forwarded
        if not mine or (isinstance(event, events.Key) and self.urgent(event.key)):
            await super().on_event(event)
            return
        self._held.append(event)  # type: ignore[arg-type]
        if self._patience is None and not self._not_yet:
            await self._next()

    async def take_keys(self) -> None:
        """From now on keys are taken; those that came before are first."""
        self._not_yet = False
        await self._next()

    async def _next(self) -> None:
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        self._draw()
        if not self._held or not self.is_running:
            return
        self._number += 1
        self._patience = once(self, PATIENCE, self._next)
        event = self._in_one_piece(self._held.popleft())
        if not self._held:  # of many keys in one piece, the pictures between are shown
            self._release = asyncio.get_running_loop().call_later(HOLD, self._draw)
        target = self.focused or self.screen
        await super().on_event(self.read_key(event) if isinstance(event, events.Key) else event)
        if not target.post_message(Passed(self._number, False)):
            self._look_again(self._number)

    def _in_one_piece(self, first: events.Key | events.Paste) -> events.Key | events.Paste:
        """Of many characters that wait for a line of text, as a paste that the terminal does not mark as one,
        all as one paste; anything else as it is.
        """
        if len(self._held) < BURST or not getattr(self.focused, "takes_text", False):
            return first
        characters = []
        for event in (first, *self._held):
            if not (isinstance(event, events.Key) and event.is_printable and event.character):
                break
            characters.append(event.character)
        if len(characters) <= BURST:
            return first
        for _character in characters[1:]:
            self._held.popleft()
        return events.Paste("".join(characters))

    @property
    def drawing_waits(self) -> bool:
        """Whether a key is on its way whose picture is not complete."""
        return self._release is not None

    def _draw(self) -> None:
        """Let the picture be drawn."""
        if self._release is not None:
            self._release.cancel()
            self._release = None
            for screen in self.screen_stack:
                screen.check_idle()

    async def on_passed(self, passed: Passed) -> None:
        """The key has been everywhere. Once more, for what it set going and opened; then the next key."""
        passed.stop()
        if passed.number != self._number:
            return
        if passed.again:
            self.call_later(self._next)
        else:
            self.call_later(self._look_again, passed.number)

    def _look_again(self, number: int) -> None:
        if number != self._number:
            return
        if not self.screen.is_mounted:
            once(self, 0.01, lambda: self._look_again(number))
        elif not (self.focused or self.screen).post_message(Passed(number, True)):
            self.call_later(self._next)
