"""Times in a terminal: from a key to the last byte of its answer, and what many such times say together.

Knows nothing of nlptui. A piece of output is stamped when it arrives and drawn only when the answer is over,
for drawing takes time on cores that the program needs.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.tui.pty import Terminal

Stamp = tuple[float, int]
"""When a piece of output came, and how many bytes it had."""


@dataclass(frozen=True)
class Answer:
    """What a terminal got after a key."""

    seconds: float
    """From the key to the last byte."""
    bytes: int
    pieces: int


def answer(pressed: float, stamps: Sequence[Stamp], quiet: float) -> Answer | None:
    """What came from `pressed` on until nothing came for `quiet` seconds; that quiet time does not count."""
    taken: list[Stamp] = []
    for stamp in stamps:
        if taken and stamp[0] - taken[-1][0] > quiet:
            break
        taken.append(stamp)
    if not taken:
        return None
    return Answer(taken[-1][0] - pressed, sum(size for _when, size in taken), len(taken))


def listen(terminal: Terminal, quiet: float, wait: float) -> list[Stamp]:
    """Take output until none has come for `quiet` seconds, waiting `wait` for the first; then draw it."""
    taken: list[tuple[float, bytes]] = []
    last = time.perf_counter()
    while (left := last + (quiet if taken else wait) - time.perf_counter()) > 0:
        if select.select([terminal.master], [], [], left)[0]:
            piece = os.read(terminal.master, 1 << 16)
            last = time.perf_counter()
            taken.append((last, piece))
    for _when, piece in taken:
        terminal.take(piece)
    return [(when, len(piece)) for when, piece in taken]


def press(terminal: Terminal, key: str, quiet: float, wait: float) -> Answer | None:
    """Send a key. Returns its answer; None if none came."""
    pressed = time.perf_counter()
    os.write(terminal.master, key.encode())
    return answer(pressed, listen(terminal, quiet, wait), quiet)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of `values` that is not exceeded by this share of them."""
    return float(np.percentile(np.fromiter(values, float), 100 * share, method="inverted_cdf"))


def summary(seconds: Sequence[float], limit: float) -> dict[str, Any]:
    """Median and 95th percentile in milliseconds, and the share of times within `limit` seconds."""
    return {
        "n": len(seconds),
        "median_ms": 1e3 * percentile(seconds, 0.5),
        "p95_ms": 1e3 * percentile(seconds, 0.95),
        "within": sum(second <= limit for second in seconds) / len(seconds),
    }
