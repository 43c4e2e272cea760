"""Whole words as tokens, each with the characters it is spelled with, for models that read both.

The words of raw text are those of `splitter`; text that comes split is taken as it is. With `longest_match`,
the words of raw Chinese are the longest ones of the vocabulary. Lossy: white space is forgotten, so decoding
puts the joiner between words; rare words become the unknown token.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

from nlptui.tokenizers.base import MASK, Piece, read_common, special_names, without_surrogates
from nlptui.tokenizers.characters import lowered
from nlptui.tokenizers.counted import VOCABULARY_NAME, CountedTokenizer, Texts, count_vocabulary
from nlptui.tokenizers.files import Settings, read_vocabulary, write_vocabulary
from nlptui.tokenizers.splitter import HAN, longest_matches, split_words, word_spans

CHARACTERS_NAME = "characters.txt"
CHARACTER_SPECIALS = ("[PAD]", "[UNK]", "[START]", "[END]")
"""The first characters of every character vocabulary: padding, unknown, and the two ends of a word."""


LONGEST_WORD = 30
"""Code points of the longest word in a vocabulary."""
_ADDRESS = re.compile(r"@\w|://|^www\.", re.IGNORECASE)


def _left_out(word: str) -> bool:
    """Whether a vocabulary does without `word`, however often it comes."""
    return len(word) > LONGEST_WORD or bool(_ADDRESS.search(word))


def chinese_words(words: Iterable[str]) -> frozenset[str]:
    """Those of two or more Chinese characters and nothing else."""
    return frozenset(word for word in words if len(word) > 1 and HAN.fullmatch(word))


def _counted(texts: Sequence[str | Sequence[str]], longest_match: bool) -> Counter[str]:
    """How often each word comes: of texts that are split, then of those that are not."""
    words: Counter[str] = Counter()
    for text in texts:
        if not isinstance(text, str):
            words.update(map(without_surrogates, text))
    known = chinese_words(words) if longest_match else frozenset()
    longest = max(map(len, known), default=1)
    for text in texts:
        if isinstance(text, str):
            text = without_surrogates(text)
            spans = longest_matches(text, known, longest) if longest_match else word_spans(text)
            words.update(text[start:end] for start, end in spans)
    return words


class WordTokenizer(CountedTokenizer):
    """One token a word; with `characters`, also the ids of its letters between the marks of start and end.

    Characters keep their case whatever `lowercase` says; only the first `max_word_length` of a word count.
    """

    kind = "words"

    def __init__(
        self,
        tokens: Sequence[str],
        specials: Mapping[str, int],
        template: str = "none",
        joiner: str = " ",
        *,
        lowercase: bool = False,
        characters: Sequence[str] = (),
        max_word_length: int = 20,
        longest_match: bool = False,
    ) -> None:
        super().__init__(tokens, specials, template, joiner)
        self.lowercase = lowercase
        self.longest_match = longest_match
        """Whether raw Chinese is cut into words of the vocabulary; otherwise a character is a word."""
        self._known = chinese_words(self._ids) if longest_match else frozenset()
        self._longest = max(map(len, self._known), default=1)
        self.characters = tuple(characters)
        """The character vocabulary; empty for a model that reads no characters."""
        self.max_word_length = max_word_length
        self._character_ids = {character: number for number, character in enumerate(self.characters)}

    def pieces(self, text: str, before: str = "", limit: int | None = None) -> list[Piece]:
        spans = self._matches(text, limit) if self.longest_match else word_spans(text, limit)
        return [
            Piece(self._number(text[start:end]), start, end, word) for word, (start, end) in enumerate(spans)
        ]

    def _matches(self, text: str, limit: int | None = None) -> Iterable[tuple[int, int]]:
        return islice(longest_matches(text, self._known, self._longest), limit)

    def word_pieces(self, word: str, before: str = "") -> list[Piece]:
        is_mask = word == MASK and "mask" in self.specials
        number = self.specials["mask"] if is_mask else self._number(without_surrogates(word))
        return [Piece(number, 0, len(word), 0)]

    def encode_ids(self, text: str) -> list[int]:
        if "mask" in self.specials and MASK in text:
            return super().encode_ids(text)
        if self.longest_match:
            text = without_surrogates(text)
            return [self._number(text[start:end]) for start, end in self._matches(text)]
        return [self._number(word) for word in split_words(without_surrogates(text))]

    def _number(self, word: str) -> int:
        return self._ids.get(lowered(word, self.lowercase), self._unknown)

    def _decode(self, ids: Sequence[int]) -> str:
        return self.joiner.join(self._list[number] for number in ids)

    # Characters.

    @property
    def char_vocab_size(self) -> int:
        return len(self.characters)

    def character_ids(self, surface: str) -> tuple[int, ...]:
        if not self.characters:
            return ()
        unknown, start, end = 1, 2, 3
        letters = surface[: self.max_word_length]
        return (start, *(self._character_ids.get(letter, unknown) for letter in letters), end)

    # Files and training.

    def options(self) -> dict[str, Any]:
        return {
            "lowercase": self.lowercase,
            "char_vocab_size": len(self.characters),
            "max_word_length": self.max_word_length,
            **({"longest_match": True} if self.longest_match else {}),
        }

    def _write(self, folder: Path) -> None:
        super()._write(folder)
        if self.characters:
            write_vocabulary(folder / CHARACTERS_NAME, self.characters)

    @classmethod
    def read(cls, folder: Path, settings: Settings) -> Self:
        size, specials, template, joiner = read_common(settings)
        lowercase = settings.take("lowercase", bool)
        char_vocab_size = settings.take("char_vocab_size", int)
        max_word_length = settings.take("max_word_length", int)
        longest_match = settings.has("longest_match") and settings.take("longest_match", bool)
        settings.finish()
        return cls(
            read_vocabulary(folder / VOCABULARY_NAME, size),
            specials,
            template,
            joiner,
            lowercase=lowercase,
            characters=read_vocabulary(folder / CHARACTERS_NAME, char_vocab_size) if char_vocab_size else (),
            max_word_length=max_word_length,
            longest_match=longest_match,
        )

    @classmethod
    def build(
        cls,
        texts: Texts,
        *,
        vocab_size: int = 0,
        min_count: int = 1,
        lowercase: bool = False,
        characters: bool = False,
        char_min_count: int = 1,
        max_word_length: int = 20,
        longest_match: bool = False,
        template: str = "none",
        specials: Sequence[str] | None = None,
        joiner: str = " ",
    ) -> Self:
        """Count the words of `texts`, and their characters if asked to.

        Addresses of people and pages, and forms of more than LONGEST_WORD characters (rows of signs), stay
        out of the vocabulary, however often they come: they are read as every unknown word is. With
        `longest_match`, the words that came split are those that Chinese texts are cut into.
        """
        names = special_names(template, specials)
        words = _counted(list(texts), longest_match)
        letters: Counter[str] = Counter()
        for word, count in words.items():
            for letter in word[:max_word_length] if characters else "":
                letters[letter] += count
        counts: Counter[str] = Counter()
        for word, count in words.items():
            counts[lowered(word, lowercase)] += count
        for word in filter(_left_out, list(counts)):
            del counts[word]
        tokens, numbers = count_vocabulary(counts, names, vocab_size, min_count)
        ranked = sorted(letters.items(), key=lambda item: (-item[1], item[0]))
        known = [letter for letter, count in ranked if count >= char_min_count]
        return cls(
            tokens,
            numbers,
            template,
            joiner,
            lowercase=lowercase,
            characters=[*CHARACTER_SPECIALS, *known] if characters else (),
            max_word_length=max_word_length,
            longest_match=longest_match,
        )
