"""A vocabulary that is a list of strings, the most frequent first: what words and characters have in common.

Knows how to count, cut, look up and store tokens; not how a text is divided into them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tokenizers.base import SPECIAL_TOKENS, Tokenizer
from nlptui.tokenizers.files import write_vocabulary

VOCABULARY_NAME = "vocab.txt"

Texts = Iterable[str | Sequence[str]]
"""What a vocabulary is counted on: texts, or sentences that are already split into words."""


class CountedTokenizer(Tokenizer):
    """A tokenizer whose tokens stand in `vocab.txt`, one a line, the special ones among them."""

    def __init__(
        self, tokens: Sequence[str], specials: Mapping[str, int], template: str = "none", joiner: str = " "
    ) -> None:
        super().__init__(specials, template, joiner)
        self._list = list(tokens)
        special = set(self.specials.values())
        # A token of the text is never looked up among the special ones, whatever it looks like.
        self._ids = {token: number for number, token in enumerate(self._list) if number not in special}
        self._unknown = self.specials["unk"]

    @property
    def vocab_size(self) -> int:
        return len(self._list)

    def vocabulary(self) -> list[str]:
        return list(self._list)

    def find(self, token: str) -> int | None:
        if token in self._ids:
            return self._ids[token]
        return next((number for number in self.specials.values() if self._list[number] == token), None)

    def _write(self, folder: Path) -> None:
        write_vocabulary(folder / VOCABULARY_NAME, self._list)


def count_vocabulary(
    counts: Counter[str], specials: Sequence[str], vocab_size: int, min_count: int
) -> tuple[list[str], dict[str, int]]:
    """The tokens of a new vocabulary, and the ids of the special ones, which come first.

    The others were seen at least `min_count` times, the frequent ones first; with a `vocab_size`, that many
    in all.
    """
    if "unk" not in specials:
        raise UserError(
            _("the special token unk is needed here: most text has something the vocabulary has not")
        )
    strings = [SPECIAL_TOKENS[name] for name in specials]
    if vocab_size and vocab_size <= len(strings):
        message = _("a vocabulary of {size} has no room beside the {n} special tokens: raise vocab_size")
        raise UserError(message.format(size=vocab_size, n=len(strings)))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    tokens = [token for token, count in ranked if count >= min_count and token not in strings]
    room = vocab_size - len(strings) if vocab_size else len(tokens)
    return strings + tokens[:room], {name: number for number, name in enumerate(specials)}
