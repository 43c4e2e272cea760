"""Pairs of passages for next-sentence prediction: A, and a B that follows it or does not.

A stretch of whole sentences that fills the context is cut between two sentences, each cut as likely: A and B
begin and end at sentence boundaries and have the same distribution of lengths. In half of the pairs B is then
replaced by the B of another pair that is as long, give or take TOLERANCE tokens, so that length tells
nothing; half of these come from the same book, so that the subject tells little. A short document that is
whole (a poem) is cut in its middle.

Knows nothing of masks, batches or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nlptui.tasks.base import IGNORED, Ids

NEXT, NOT_NEXT = 0, 1
TOLERANCE = 2
"""How many tokens longer or shorter than the true B a false one may be."""
SHORTEST = 8
"""Tokens of the shortest stretch that is aimed at."""
TRIES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """A document as sentences: all its ids, and where each sentence begins."""

    ids: Ids
    starts: np.ndarray[Any, np.dtype[np.int64]]
    """One more than there are sentences: the last is where the book ends."""
    corpus: str = ""
    """The corpus that it stands in."""
    whole: bool = False
    """Whether it is read in one piece where it fits, and cut in its middle: the halves of a poem."""

    @property
    def sentences(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    def stretch(self, first: int, last: int) -> Ids:
        """Ids of the sentences from `first` up to, not including, `last`."""
        return self.ids[self.starts[first] : self.starts[last]]

    def size(self, first: int, last: int) -> int:
        """Tokens of the sentences from `first` up to, not including, `last`."""
        return int(self.starts[last] - self.starts[first])


class Part(NamedTuple):
    """Sentences of one book, from `first` up to, not including, `last`."""

    book: int
    first: int
    last: int


class Pair(NamedTuple):
    """A, B (None for a document of one sentence), and NEXT, NOT_NEXT or IGNORED."""

    a: Part
    b: Part | None
    label: int


def sentence_pairs(
    books: Sequence[Book], room: int, short_share: float, rng: np.random.Generator
) -> list[Pair]:
    """Every book cut into pairs of at most `room` tokens, half of them (±1) with a false B; single sentences
    last.

    A share of the stretches is shorter than the room.
    """
    cuts: list[tuple[Part, Part]] = []
    singles: list[Pair] = []
    for number, book in enumerate(books):
        if book.sentences == 1 and book.size(0, 1) <= room:
            singles.append(Pair(Part(number, 0, 1), None, IGNORED))
        cuts += [
            (Part(number, first, middle), Part(number, middle, last))
            for first, middle, last in _stretches(book, room - TOLERANCE, short_share, rng)
        ]
    false = np.arange(len(cuts)) % 2 == 1
    rng.shuffle(false)
    others = _false_parts([b for _a, b in cuts], books, false, rng)
    return [
        Pair(a, b, NEXT) if other is None else Pair(a, other, NOT_NEXT)
        for (a, b), other in zip(cuts, others, strict=True)
    ] + singles


def _stretches(
    book: Book, room: int, short_share: float, rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Stretches of at least two sentences, as (first, middle, last).

    They are taken from either end of what is left of the book, by chance: a sentence that no longer fits
    begins the next stretch, so the sentences at that side are longer, and A and B shall have this alike. A
    sentence that fits with no neighbour is left out.
    """
    if book.whole and book.sentences > 1 and book.size(0, book.sentences) <= room:
        return [(0, book.sentences // 2, book.sentences)]
    cuts: list[tuple[int, int, int]] = []
    shortest = min(SHORTEST, room)
    low, high = 0, book.sentences
    # In a long book the first stretch has any length, so that each epoch cuts it at other places.
    target = int(rng.integers(shortest, room + 1)) if book.size(low, high) > room else room
    while low + 2 <= high:
        from_left = rng.random() < 0.5
        if from_left:
            fits = int(np.searchsorted(book.starts, book.starts[low] + target, side="right")) - 1
            first, last = low, min(max(fits, low + 2), high)
        else:
            fits = int(np.searchsorted(book.starts, book.starts[high] - target, side="left"))
            first, last = max(min(fits, high - 2), low), high
        if book.size(first, last) > room:
            low, high = (low + 1, high) if from_left else (low, high - 1)
            continue
        cuts.append((first, int(rng.integers(first + 1, last)), last))
        low, high = (last, high) if from_left else (low, first)
        target = int(rng.integers(shortest, room + 1)) if rng.random() < short_share else room
    return cuts


class _Pool:
    """Numbers of parts in the order of their lengths."""

    def __init__(self, members: Sequence[int], lengths: np.ndarray[Any, Any]) -> None:
        order = np.asarray(members)[np.argsort(lengths[np.asarray(members)], kind="stable")]
        self.members: list[int] = order.tolist()
        self.lengths = lengths[order]

    def pick(
        self, shortest: int, longest: int, accept: Callable[[int], bool], rng: np.random.Generator
    ) -> int | None:
        """One of those between two lengths that `accept` accepts, at random; None where there is none."""
        low, high = np.searchsorted(self.lengths, (shortest, longest + 1))
        for _attempt in range(TRIES if high > low else 0):
            member = self.members[int(rng.integers(low, high))]
            if accept(member):
                return member
        rest = [member for member in self.members[low:high] if accept(member)]
        return rest[int(rng.integers(len(rest)))] if rest else None


def _false_parts(
    parts: Sequence[Part], books: Sequence[Book], false: np.ndarray[Any, Any], rng: np.random.Generator
) -> list[Part | None]:
    """For each part where `false`: another one as long, by turns from its own book and from another.

    Where the wanted kind does not exist, the other kind is taken; then a shorter one; where there is none,
    None.
    """
    lengths = np.array([books[part.book].size(part.first, part.last) for part in parts], np.int64)
    of_book: dict[int, list[int]] = {}
    for index, part in enumerate(parts):
        of_book.setdefault(part.book, []).append(index)
    pools = {book: _Pool(members, lengths) for book, members in of_book.items()}
    everyone = _Pool(range(len(parts)), lengths) if parts else None
    others: list[Part | None] = [None] * len(parts)
    same_book = True
    for index in rng.permutation(np.flatnonzero(false)).tolist():
        found = None
        for shortest in (lengths[index] - TOLERANCE, 0):
            longest = lengths[index] + TOLERANCE if shortest else lengths[index]
            for same in (same_book, not same_book):
                pool = pools[parts[index].book] if same else everyone
                if found is None and pool is not None:
                    accept = _other_than(index, parts, same)
                    found = pool.pick(int(shortest), int(longest), accept, rng)
        others[index] = None if found is None else parts[found]
        same_book = not same_book
    return others


def _other_than(index: int, parts: Sequence[Part], same: bool) -> Callable[[int], bool]:
    """Whether a part is another one than `index`, and of another book unless `same`."""
    return lambda other: other != index and (same or parts[other].book != parts[index].book)
