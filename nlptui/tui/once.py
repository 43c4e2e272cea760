"""Something done once, after a while.

Textual's own `set_timer` forgets it where the machine is busy: a timer whose time is over when it is first
looked at counts that as a tick it has missed, skips it, and has none left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.message_pump import MessagePump
from textual.timer import Timer


def once(owner: MessagePump, seconds: float, then: Callable[[], Awaitable[Any] | Any]) -> Timer:
    """Have `owner` call `then` after `seconds` or more, unless the timer is stopped or `owner` goes first."""
    timer = owner.set_timer(seconds, then)
    timer._skip = False  # its task has not begun yet
    return timer
