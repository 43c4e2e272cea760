"""BPE learnt merge by merge on a small text, to look at: count pairs, merge the most frequent, again.

Plain Python that counts everything anew at each step; tokenizers for models are learnt by libraries. What it
ends in is what the `tokenizers` library learns (ties go to the pair that was known first). Source: Sennrich
et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", algorithm 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

SPACE = "▁"
MOST = 20_000
"""Characters of a text that are looked at."""


@dataclass(frozen=True)
class Learnt:
    """One merge that was learnt."""

    left: str
    right: str
    count: int
    """How often the pair stood in the text."""
    runners_up: tuple[tuple[str, str, int], ...]
    """The next most frequent pairs."""
    words: tuple[tuple[tuple[str, ...], int], ...]
    """The words as they are cut after the merge, with how often each comes; the most frequent first."""


def learn_merges(text: str, merges: int, shown: int = 5) -> Iterator[Learnt]:
    """Up to `merges` merges over the words of a text, each with "▁" in front; pairs that come once too."""
    counted = Counter(SPACE + word for word in text[:MOST].split())
    words = {tuple(word): count for word, count in counted.items()}
    letters = sorted({letter for word in words for letter in word})
    known = {letter: number for number, letter in enumerate(letters)}
    for _step in range(merges):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:], strict=False):
                pairs[pair] += count
        if not pairs:
            return
        ranked = sorted(pairs.items(), key=lambda item: (-item[1], known[item[0][0]], known[item[0][1]]))
        (left, right), most = ranked[0]
        known.setdefault(left + right, len(known))
        again: Counter[tuple[str, ...]] = Counter()
        for word, count in words.items():
            again[merged(word, left, right)] += count
        words = dict(again)
        top = sorted(words.items(), key=lambda item: (-item[1], item[0]))
        yield Learnt(left, right, most, tuple((*p, n) for p, n in ranked[1 : 1 + shown]), tuple(top))


def merged(word: tuple[str, ...], left: str, right: str) -> tuple[str, ...]:
    """`word` with every `left` before a `right` joined to it, from the left."""
    parts: list[str] = []
    at = 0
    while at < len(word):
        if word[at] == left and at + 1 < len(word) and word[at + 1] == right:
            parts.append(left + right)
            at += 2
        else:
            parts.append(word[at])
            at += 1
    return tuple(parts)
