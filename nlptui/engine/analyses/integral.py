"""The mean slope of a function along a straight way, taken as finely as the function asks for.

    gain of a stretch = f(b·x) − f(a·x) = ∫_a^b x · ∇f(α·x) dα

Both sides are known for every stretch of the way: where the sum over the stretch misses its gain most, it is
cut in two, until all of them together miss little. Gauss–Lobatto's points hold both ends of a stretch.
Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Slopes = Callable[[list[float]], tuple[list[Tensor], Tensor]]
"""At each share of the way: the gradients with respect to the parts of x (share …), and f (share)."""
STARTS = (0.0, 0.25, 0.375, 0.5, 0.75, 1.0)
"""Where the way is cut to begin with: networks bend most where x outgrows what is added to it."""
COUNT = 6
"""Points of a stretch."""
CLOSE = 5e-4
"""How far the sums of all stretches together may miss their gains."""
AT_ONCE = 8192
"""Tokens of one batch, for the sake of memory."""


@dataclass
class Stretch:
    """A part of the way from `low` to `high`."""

    low: float
    high: float
    sums: list[Tensor]
    """The integral of the slopes over it."""
    missed: float
    """By how much they miss the gain."""
    start: float
    """f at its low end."""


def lobatto(count: int) -> tuple[list[float], list[float]]:
    """The points of Gauss–Lobatto in [0, 1], both ends among them, and their weights, which sum to 1."""
    legendre = np.polynomial.legendre.Legendre.basis(count - 1)
    points = np.concatenate([[-1.0], np.sort(legendre.deriv().roots().real), [1.0]])
    weights = 2 / (count * (count - 1) * legendre(points) ** 2)
    return ((points + 1) / 2).tolist(), (weights / 2).tolist()


def mean_slopes(
    slopes: Slopes, x: Sequence[Tensor], points: int, watch: Callable[[int, int], None]
) -> tuple[list[Tensor], float]:
    """The mean slopes along the way from 0 to `x` (in parts), and f at its start.

    points: how many there is time for; the first stretches are taken in any case.
    """
    tokens = sum(len(part) for part in x)
    at_once = min(8, max(1, AT_ONCE // (COUNT * tokens)))
    most = max(len(STARTS) - 1, points // COUNT)
    ways = list(zip(STARTS[:-1], STARTS[1:], strict=True))
    done: list[Stretch] = []
    taken = 0
    while ways:
        for first in range(0, len(ways), at_once):
            watch(taken + first, most)
            done += _measured(slopes, x, ways[first : first + at_once])
        taken += len(ways)
        done.sort(key=lambda stretch: stretch.missed)
        worst = (
            min(max(1, at_once // 2), (most - taken) // 2)
            if sum(stretch.missed for stretch in done) > CLOSE
            else 0
        )
        done, cut = done[: len(done) - worst], done[len(done) - worst :]
        halves = [((s.low, (s.low + s.high) / 2), ((s.low + s.high) / 2, s.high)) for s in cut]
        ways = [half for both in halves for half in both]
    means = [torch.stack(parts).sum(0) for parts in zip(*(stretch.sums for stretch in done), strict=True)]
    return means, min(done, key=lambda stretch: stretch.low).start


def _measured(slopes: Slopes, x: Sequence[Tensor], ways: list[tuple[float, float]]) -> list[Stretch]:
    """The stretches of these ends."""
    points, weights = lobatto(COUNT)
    found, values = slopes([low + (high - low) * point for low, high in ways for point in points])
    made = []
    for number, (low, high) in enumerate(ways):
        here = slice(number * COUNT, (number + 1) * COUNT)
        shares = values.new_tensor(weights) * (high - low)
        sums = [torch.einsum("n,n...->...", shares, part[here]) for part in found]
        gain = float(values[here][-1] - values[here][0])
        total = sum(float((a * b).sum()) for a, b in zip(x, sums, strict=True))
        made.append(Stretch(low, high, sums, abs(total - gain), float(values[here][0])))
    return made
