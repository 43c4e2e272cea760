"""A guess at the answer to a question without reading: the baseline of a model for questions.

Take the last sentence of the passage that shares a rare word with the question (else the last sentence), and
say its first or its last k tokens, and what else belongs to the same words; k and which of the two come from
training. Knows tokens as numbers only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

from nlptui.tasks.base import IGNORED, Ids

COMMON = 0.03
"""A token that stands in a larger share of the training questions than this is no rare word."""


class Asked(Protocol):
    """A question with its passage, as `question_answering` holds it."""

    @property
    def ids(self) -> Ids: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def passage(self) -> tuple[int, int]: ...


class LastWords:
    """The rule, learned from training examples.

    `ends` are the tokens that end a sentence, `inside` those that go on with a word.
    """

    def __init__(
        self, examples: Sequence[Asked], ends: Collection[int], inside: Collection[int] = ()
    ) -> None:
        self.ends, self.inside = frozenset(ends), frozenset(inside)
        counts = Counter(token for example in examples for token in set(_question(example)))
        self.common = {token for token, n in counts.items() if n > COMMON * len(examples)}
        told = [example for example in examples if example.start != IGNORED]
        lengths = Counter(example.end - example.start + 1 for example in told)
        self.length = lengths.most_common(1)[0][0] if lengths else 1
        self.votes: dict[frozenset[int], Counter[int]] = {}
        self.all_votes: Counter[int] = Counter()
        for example in told:
            for choice, span in enumerate(self._candidates(example)):
                if span == (example.start, example.end):
                    self.votes.setdefault(self._kind(example), Counter())[choice] += 1
                    self.all_votes[choice] += 1

    def guess(self, example: Asked) -> tuple[int, int]:
        """The first and the last token of the guessed answer."""
        votes = self.votes.get(self._kind(example), self.all_votes)
        return self._candidates(example)[max((0, 1), key=lambda choice: votes[choice])]

    def _kind(self, example: Asked) -> frozenset[int]:
        """What kind of question it is, by the common words in it."""
        return frozenset(token for token in _question(example) if token in self.common)

    def _candidates(self, example: Asked) -> list[tuple[int, int]]:
        """The first k tokens of the chosen sentence, and the last k."""
        sentences = self._sentences(example)
        rare = {token for token in _question(example) if token not in self.common}
        chosen = sentences[-1]
        for first, last in sentences:
            if rare.intersection(example.ids[first:last].tolist()):
                chosen = (first, last)
        low, high = chosen
        first, last = low + self.length - 1, max(high - self.length, low)
        while first + 1 < high and int(example.ids[first + 1]) in self.inside:
            first += 1
        while last > low and int(example.ids[last]) in self.inside:
            last -= 1
        return [(low, first), (last, high - 1)]

    def _sentences(self, example: Asked) -> list[tuple[int, int]]:
        """First token and the one after the last, without the mark at the end."""
        low, high = example.passage
        found, begin = [], low
        for place in range(low, high):
            if int(example.ids[place]) in self.ends:
                found.append((begin, place))
                begin = place + 1
        if begin < high or not found:
            found.append((begin, high))
        return found


def _question(example: Asked) -> list[int]:
    """The tokens before the passage, but for the mark that begins a text."""
    tokens: list[int] = example.ids[1 : example.passage[0]].tolist()
    return tokens
