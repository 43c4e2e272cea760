"""Ordered rules that a person wrote, in a TOML file that a person can change: the first that fits decides.

    scheme = "words"        a rule fits a whole word, and may ask for the words beside it
    scheme = "spans"        a rule fits a stretch of text from word to word: entities, in IOB2
    scheme = "dictionary"   characters: patterns first, then the longest words of a dictionary, from the
                            left and from the right; the way that takes fewer words wins, then the one with
                            fewer words of one character, then the one from the right (Chinese
                            segmentation, in BMES)

    otherwise = "NOUN"      the tag where no rule fits
    joiner = ""             what stands between words, for spans
    file = "words.txt"      the dictionary, one word a line; `words = [...]` adds to it

    [[rule]]
    name = "articles"
    tag = "DET"
    pattern = '(?i)the|a|an'
    before = '…'            optional, words only: what the word before must be
    after = '…'

Patterns are those of the `regex` package, which stops where it is told to: Python's own `re` can run for
ages on a short text, and a user's pattern is not to hang the program. All rules together have SECONDS for a
sentence. Knows nothing of tokenizers: words come in.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlptui.classical.lattice import AXES, NO_TAG, Rec
from nlptui.classical.rules_file import DICTIONARY, OTHERWISE, RULES_FILE, RuleBook, read_rules
from nlptui.classical.schemes import bmes
from nlptui.config import RulesConfig
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.trace import OFF

_COST_OF = {"B": 1.0, "S": 1.0001}
"""What a label of BMES adds to the cost of a way to cut: each word 1, and a little more if it is one
character.
"""
SECONDS = 2.0
"""How long the rules may look at one sentence."""
REMEMBERED = 50_000
"""Words of which it is kept which rules fit them."""
_STATS = "batch pos stat"


@dataclass
class Fired:
    """What the rules found in one sentence."""

    rules: list[int]
    """The rule that decides on each word; the last number stands for none."""
    begins: list[bool]
    """Whether a stretch of this rule begins at the word."""
    fits: list[set[int]] = field(default_factory=list)
    """All rules that fit each word."""


@dataclass
class Cuts:
    """The words that a dictionary finds, as the labels of characters."""

    forward: list[int]
    backward: list[int]
    forward_cost: float
    backward_cost: float
    rules: list[int]


class RuleTagger(nn.Module):
    """Rules as a model: `path`, the tags, and `probs`, which are 1 or 0."""

    begin_tag: Tensor
    inside_tag: Tensor
    tag_of: Tensor
    cost_of: Tensor
    unread = ("cost_of",)
    """What formulas say, and no run reads: costs are counted."""

    def __init__(self, config: RulesConfig, book: RuleBook, folder: Path) -> None:
        super().__init__()
        self.config, self.book, self.folder = config, book, folder
        self._seen: dict[str, tuple[int, ...]] = {}
        last = DICTIONARY if book.scheme == "dictionary" else OTHERWISE
        self.rule_names = (*(rule.name for rule in book.rules), last)
        """Names of the rules in their order, and one for what no rule fits."""
        numbers = {label: number for number, label in enumerate(config.labels)}
        begin = [[float(numbers[rule.begin])] for rule in book.rules]
        inside = [[float(numbers[rule.inside])] for rule in book.rules]
        rest = [float(numbers[book.otherwise])]
        self.register_buffer("begin_tag", torch.tensor([*begin, rest]), persistent=False)
        self.register_buffer("inside_tag", torch.tensor([*inside, rest]), persistent=False)
        self.register_buffer("tag_of", torch.eye(len(config.labels)), persistent=False)
        costs = [[_COST_OF.get(label, 0.0)] for label in config.labels]
        self.register_buffer("cost_of", torch.tensor(costs), persistent=False)

    @classmethod
    def read(cls, config: RulesConfig, folder: Path) -> RuleTagger:
        """The rules in `folder`. Raises UserError with file, line and column."""
        return cls(config, read_rules(folder / RULES_FILE, config.labels), folder)

    def write_lists(self, folder: Path) -> None:
        """Copy the files as they were read, comments and all."""
        for name in (RULES_FILE, *([self.book.file] if self.book.file else [])):
            shutil.copyfile(self.folder / name, folder / name)

    def forward(self, batch: Any, rec: Rec = OFF) -> dict[str, Tensor]:
        """`path` and `probs` of a batch with `words`; what they say at padding is not read."""
        width = max(map(len, batch.words), default=0)
        if self.book.scheme == "dictionary":
            path = self._segmented(batch.words, width, rec)
        else:
            path = self._tagged(batch.words, width, rec)
        place = path.clamp(0, len(self.config.labels) - 1).long()
        probs = rec("probs", self.tag_of[place], AXES, by="embedding(path, tag_of)")
        if batch.mask is not None:
            path = path.where(batch.mask, NO_TAG)
        return {"path": path, "probs": probs}

    def _tagged(self, sentences: Sequence[Sequence[str]], width: int, rec: Rec) -> Tensor:
        found = [self.fired(words) for words in sentences]
        rules = len(self.rule_names)
        fits = torch.zeros(len(found), width, rules)
        fits[..., -1] = 1.0
        begins = torch.ones(len(found), width, 1)
        for i, one in enumerate(found):
            for t, here in enumerate(one.fits):
                fits[i, t, list(here)] = 1.0
                begins[i, t] = float(one.begins[t])
        if rec.on:
            rec.input("fits", fits, "batch pos rule")
            rec.input("begins", begins, _STATS)
        rule = rec("rule", fits.argmax(-1).float(), "batch pos", by="argmax(fits)")
        place = rule.clamp(0, rules - 1).long()
        tags = begins * self.begin_tag[place] + (1 - begins) * self.inside_tag[place]
        by = "column(begins * embedding(rule, begin_tag) + (1 - begins) * embedding(rule, inside_tag), 0)"
        return rec("path", tags[..., 0], "batch pos", by=by)

    def _segmented(self, sentences: Sequence[Sequence[str]], width: int, rec: Rec) -> Tensor:
        cuts = [self.cuts(words) for words in sentences]
        grids = {
            name: torch.tensor(
                [row + [0] * (width - len(row)) for row in (getattr(cut, name) for cut in cuts)]
            ).float()
            for name in ("forward", "backward", "rules")
        }
        costs = {
            name: torch.tensor([[getattr(cut, name)] for cut in cuts])
            for name in ("forward_cost", "backward_cost")
        }
        if rec.on:
            rec.input("forward_path", grids["forward"], "batch pos")
            rec.input("backward_path", grids["backward"], "batch pos")
            rec.input("rule", grids["rules"], "batch pos")
        for side in ("forward", "backward"):
            by = f"row_sum(column(embedding({side}_path, cost_of), 0))"
            costs[f"{side}_cost"] = rec(f"{side}_cost", costs[f"{side}_cost"], "batch stat", by=by)
        choice = (costs["backward_cost"] > costs["forward_cost"]).float()
        by = "positive(backward_cost - forward_cost)"
        choice = rec("from_the_left", choice, "batch stat", by=by)
        path = choice * grids["forward"] + (1 - choice) * grids["backward"]
        by = "from_the_left * forward_path + (1 - from_the_left) * backward_path"
        return rec("path", path, "batch pos", by=by)

    # What the rules find.

    def fired(self, words: Sequence[str]) -> Fired:
        """The rule that decides on each word. Raises UserError where the patterns take too long."""
        clock = _Clock(self.folder / RULES_FILE)
        fits: list[set[int]] = [set() for _word in words]
        begins = [True] * len(words)
        taken = [False] * len(words)
        if self.book.scheme == "words":
            for at, word in enumerate(words):
                possible = self._rules_for(clock, word)
                fits[at] = {n for n in possible if self._beside(clock, self.book.rules[n], words, at)}
            return self._decided(fits, begins)
        for number, rule in enumerate(self.book.rules):
            for start, end in self._stretches(clock, rule, words):
                # A later rule has what the earlier ones left whole.
                if any(taken[start:end]):
                    continue
                for at in range(start, end):
                    taken[at], begins[at] = True, at == start
                    fits[at].add(number)
        return self._decided(fits, begins)

    def _decided(self, fits: list[set[int]], begins: list[bool]) -> Fired:
        """Of the rules that fit a word the first one decides."""
        rest = len(self.book.rules)
        return Fired([min(here, default=rest) for here in fits], begins, fits)

    def _rules_for(self, clock: _Clock, word: str) -> tuple[int, ...]:
        """The rules whose pattern fits `word`, whatever stands beside it; kept for when it comes again."""
        if (known := self._seen.get(word)) is None:
            rules = enumerate(self.book.rules)
            known = tuple(number for number, rule in rules if clock.fits(rule, rule.pattern, word))
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            self._seen[word] = known
        return known

    def _beside(self, clock: _Clock, rule: Any, words: Sequence[str], at: int) -> bool:
        before = words[at - 1] if at else ""
        after = words[at + 1] if at + 1 < len(words) else ""
        return (rule.before is None or clock.fits(rule, rule.before, before)) and (
            rule.after is None or clock.fits(rule, rule.after, after)
        )

    def _stretches(self, clock: _Clock, rule: Any, words: Sequence[str]) -> Iterator[tuple[int, int]]:
        """The words from and to which a rule fits the text, where both its ends are ends of words."""
        starts, ends, at = {}, {}, 0
        for number, word in enumerate(words):
            starts[at], ends[at + len(word)] = number, number + 1
            at += len(word) + len(self.book.joiner)
        text = self.book.joiner.join(words)
        for first, last in clock.found(rule, text):
            if first in starts and last in ends and first < last:
                yield starts[first], ends[last]

    def cuts(self, characters: Sequence[str]) -> Cuts:
        """The longest words from both sides. Raises UserError where the patterns take too long."""
        clock = _Clock(self.folder / RULES_FILE)
        rules = [len(self.book.rules)] * len(characters)
        fixed: dict[int, int] = {}
        for number, rule in enumerate(self.book.rules):
            for start, end in self._stretches(clock, rule, characters):
                if all(rules[at] == len(self.book.rules) for at in range(start, end)):
                    fixed[start] = end
                    rules[start:end] = [number] * (end - start)
        labels = {label: number for number, label in enumerate(self.config.labels)}
        both = []
        for search in (from_the_left, from_the_right):
            words, at = [], 0
            while at < len(characters):
                if at in fixed:
                    words.append(fixed[at] - at)
                else:
                    stop = next((start for start in sorted(fixed) if start > at), len(characters))
                    words += search(characters[at:stop], self.book.dictionary, self.book.longest)
                at = sum(words)
            both.append(words)
        forward, backward = ([labels[label] for length in words for label in bmes(length)] for words in both)
        return Cuts(forward, backward, _cost(both[0]), _cost(both[1]), rules)


class _Clock:
    """Lets patterns look at a sentence for SECONDS, all together."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.end = time.monotonic() + SECONDS

    def fits(self, rule: Any, pattern: Any, word: str) -> bool:
        """Whether `pattern` fits the whole of `word`."""
        try:
            return pattern.fullmatch(word, timeout=self._left(rule)) is not None
        except TimeoutError:
            raise self._late(rule) from None

    def found(self, rule: Any, text: str) -> list[tuple[int, int]]:
        """Where the rule's pattern fits in `text`."""
        try:
            return [match.span() for match in rule.pattern.finditer(text, timeout=self._left(rule))]
        except TimeoutError:
            raise self._late(rule) from None

    def _left(self, rule: Any) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise self._late(rule)
        return left

    def _late(self, rule: Any) -> UserError:
        return UserError(
            _(
                "{file}, line {line}: the rule {name!r} took too long on a text; make its pattern simpler"
            ).format(file=visible(str(self.file)), line=rule.line, name=visible(rule.name))
        )


def from_the_left(characters: Sequence[str], words: frozenset[str], longest: int) -> list[int]:
    """Lengths of the words, always the longest that begins where the last one ended; else one character."""
    found, at = [], 0
    while at < len(characters):
        sizes = range(min(longest, len(characters) - at), 1, -1)
        found.append(next((n for n in sizes if "".join(characters[at : at + n]) in words), 1))
        at += found[-1]
    return found


def from_the_right(characters: Sequence[str], words: frozenset[str], longest: int) -> list[int]:
    """The same from the end: always the longest word that ends where the next one begins."""
    found, at = [], len(characters)
    while at > 0:
        sizes = range(min(longest, at), 1, -1)
        found.append(next((n for n in sizes if "".join(characters[at - n : at]) in words), 1))
        at -= found[-1]
    return found[::-1]


def _cost(words: Sequence[int]) -> float:
    """Words, and after the point how many of them have one character."""
    return len(words) + sum(length == 1 for length in words) / 10_000
