"""Code points as tokens: for verse, for a play learnt letter by letter, for tagging Chinese.

Lossless for text whose characters are all in the vocabulary; any other character becomes the unknown token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from nlptui.tokenizers.base import MASK, REPLACEMENT, Piece, read_common, special_names, without_surrogates
from nlptui.tokenizers.counted import VOCABULARY_NAME, CountedTokenizer, Texts, count_vocabulary
from nlptui.tokenizers.files import Settings, read_vocabulary
from nlptui.tokenizers.splitter import word_numbers


class CharacterTokenizer(CountedTokenizer):
    """One token a code point."""

    kind = "characters"

    def __init__(
        self,
        tokens: Sequence[str],
        specials: Mapping[str, int],
        template: str = "none",
        joiner: str = " ",
        *,
        lowercase: bool = False,
    ) -> None:
        super().__init__(tokens, specials, template, joiner)
        self.lowercase = lowercase

    def pieces(self, text: str, before: str = "", limit: int | None = None) -> list[Piece]:
        both = zip(self._numbers(text[:limit]), word_numbers(text, limit), strict=True)
        return [Piece(number, at, at + 1, word) for at, (number, word) in enumerate(both)]

    def encode_ids(self, text: str) -> list[int]:
        if "mask" in self.specials and MASK in text:
            return super().encode_ids(text)
        return self._numbers(without_surrogates(text))

    def _numbers(self, text: str) -> list[int]:
        ids, unknown = self._ids, self._unknown
        return [ids.get(character, unknown) for character in lowered(text, self.lowercase)]

    def _decode(self, ids: Sequence[int]) -> str:
        return "".join(REPLACEMENT if number == self._unknown else self._list[number] for number in ids)

    def options(self) -> dict[str, Any]:
        return {"lowercase": self.lowercase}

    @classmethod
    def read(cls, folder: Path, settings: Settings) -> Self:
        size, specials, template, joiner = read_common(settings)
        lowercase = settings.take("lowercase", bool)
        settings.finish()
        tokens = read_vocabulary(folder / VOCABULARY_NAME, size)
        return cls(tokens, specials, template, joiner, lowercase=lowercase)

    @classmethod
    def build(
        cls,
        texts: Texts,
        *,
        vocab_size: int = 0,
        min_count: int = 1,
        lowercase: bool = False,
        template: str = "none",
        specials: Sequence[str] | None = None,
        joiner: str = " ",
    ) -> Self:
        """Count the characters of `texts` (words of a split sentence are joined by `joiner`)."""
        names = special_names(template, specials)
        counts: Counter[str] = Counter()
        for text in texts:
            whole = text if isinstance(text, str) else joiner.join(text)
            counts.update(lowered(without_surrogates(whole), lowercase))
        tokens, numbers = count_vocabulary(counts, names, vocab_size, min_count)
        return cls(tokens, numbers, template, joiner, lowercase=lowercase)


def lowered(text: str, lowercase: bool) -> str:
    """`text`, in lower case if so wished, and as long as before: a character that would grow ("İ") stays."""
    if not lowercase:
        return text
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)
