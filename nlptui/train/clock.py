"""How long training takes, by what it was at; what the machine slept through is left out.

A lap much longer than its like is a gap: the machine was asleep or the process stopped, and it counts as a
usual one. (On Linux and macOS the clock itself stands still in a machine's sleep; a process that was stopped,
or a virtual machine that was put away, still sees it jump.) Knows nothing of what is done in a lap.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# A gap is longer than this many seconds, and than so many times the usual lap of its kind.
_LONG, _TIMES = 30.0, 20.0
# How much the latest lap counts in what is usual.
_NEWS = 0.1


class Clock:
    """Adds up laps of several kinds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last = now()
        self._usual: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        """Of each kind, in this process."""

    def lap(self, kind: str) -> float:
        """The seconds since the last lap, which were spent on `kind`."""
        now = self._now()
        took, self._last = max(0.0, now - self._last), now
        usual = self._usual.get(kind)
        if usual is None:
            self._usual[kind] = took
        elif took > max(_LONG, _TIMES * usual):
            took = usual
        else:
            self._usual[kind] = usual + _NEWS * (took - usual)
        self.seconds[kind] = self.seconds.get(kind, 0.0) + took
        return took

    def skip(self) -> None:
        """Begin a lap here: what was before counts for nothing."""
        self._last = self._now()

    @property
    def total(self) -> float:
        """Seconds of all kinds."""
        return sum(self.seconds.values())

    def shares(self) -> dict[str, float]:
        """Of each kind, its share of the whole."""
        whole = max(self.total, 1e-9)
        return {kind: seconds / whole for kind, seconds in self.seconds.items()}
