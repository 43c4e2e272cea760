"""Snapshots of a run: its weights alone, in half the precision, to look back on how it learned.

    snapshots/step_000064/     a loadable model folder, without what going on from there would need

They lie at steps further and further apart, as most happens at first: at 0, before anything was learned, and
then each about as many times the one before. Knows which steps and how many; nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_BYTES = 256 * 1024 * 1024
"""What all the snapshots of a run may take on the disk."""
LEAST = 2
"""Snapshots that are kept however large they are."""


def planned(steps: int, count: int) -> frozenset[int]:
    """`count` steps from 0 to `steps`, or as many as there are; the ratio of neighbours is about the same."""
    if count < 2:
        return frozenset({steps} if count else ())
    found = [0]
    while found[-1] < steps:
        left, last = count - len(found), found[-1]
        if left == 1:
            found.append(steps)
        else:
            ratio = (steps / max(last, 1)) ** (1 / (left - (last == 0)))
            found.append(min(steps, max(last + 1, round(last * ratio))))
    return frozenset(found)


def fitting(count: int, size: int) -> int:
    """How many of `count` snapshots of `size` bytes each may be kept."""
    return max(min(LEAST, count), min(count, MOST_BYTES // max(1, size)))


def surplus(kept: Sequence[int], count: int) -> list[int]:
    """Of the steps `kept`, those to drop so that `count` are left, spread as evenly as can be.

    The first and the last stay. A run that was given more steps has snapshots closer together than its new
    plan would have them.
    """
    left, dropped = sorted(kept), []
    while len(left) > max(count, LEAST):
        gaps = {(left[i + 1] + 1) / (left[i - 1] + 1): i for i in range(len(left) - 2, 0, -1)}
        dropped.append(left.pop(gaps[min(gaps)]))
    return dropped
