"""WordPiece and byte-level BPE, step by step, over a vocabulary of the `tokenizers` library.

Normalisation and the division into words are the library's own objects; what happens inside a word is done
here: WordPiece's longest match, try by try, and the merges of BPE, one at a time.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from typing import Any

import tokenizers

from nlptui.tokenizers.base import Tokenizer
from nlptui.tokenizers.library import LibraryTokenizer
from nlptui.tokenizers.replay import (
    Merge,
    MergedWord,
    Normalised,
    Replay,
    TriedWord,
    Try,
    normalised_by,
    unknown_setting,
)

_EVERY_LETTER = tokenizers.Regex(r"[\s\S]")


def library_replayer(tokenizer: Tokenizer) -> Callable[[str, int, float], Replay]:
    """The steps of a tokenizer of the library. UserError for settings that are not followed here."""
    assert isinstance(tokenizer, LibraryTokenizer)
    steps = _WordPiece if tokenizer.kind == "wordpiece" else _ByteLevel
    return steps(tokenizer.library)


class _Steps:
    """What both share: normalisation and words."""

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        described = json.loads(library.to_str())
        added = [token for token in described["added_tokens"] if not token["special"]]
        if added:
            raise unknown_setting("added_tokens")
        self.normalizer = library.normalizer
        self.pre_tokenizer = library.pre_tokenizer
        self.read(described["model"])

    def read(self, model: dict[str, Any]) -> None:
        """Take the vocabulary."""
        raise NotImplementedError

    def words(self, text: str) -> tuple[Normalised, list[str]]:
        """The normalised text and its words, as the library divides it."""
        divided = tokenizers.PreTokenizedString(text)
        normal = Normalised(text, text, ())
        if self.normalizer is not None:
            divided.normalize(self.normalizer.normalize)
            normal = _normalised(text, self.normalizer)
        if self.pre_tokenizer is not None and text:
            self.pre_tokenizer.pre_tokenize(divided)
        return normal, [word for word, _span, _tokens in divided.get_splits() if word]


def _normalised(text: str, normalizer: Any) -> Normalised:
    """Letter by letter, with the place that the library says each has come from."""
    letters = tokenizers.PreTokenizedString(text)
    letters.normalize(normalizer.normalize)
    letters.split(lambda _number, part: part.split(_EVERY_LETTER, "isolated"))
    places: dict[tuple[int, int], list[str]] = {}
    for letter, span, _tokens in letters.get_splits(offset_referential="original", offset_type="char"):
        places.setdefault(span, []).append(letter)
    parts = [(start, end, "".join(written)) for (start, end), written in places.items()]
    return normalised_by(text, sorted(parts))


class _WordPiece(_Steps):
    """The longest piece that is known, from the left (tokenizers: models/wordpiece)."""

    def read(self, model: dict[str, Any]) -> None:
        self.vocabulary: dict[str, int] = model["vocab"]
        self.prefix: str = model["continuing_subword_prefix"]
        self.unknown: str = model["unk_token"]
        self.most: int = model["max_input_chars_per_word"]

    def __call__(self, text: str, best: int = 5, alpha: float = 1.0) -> Replay:
        normal, words = self.words(text)
        tried = tuple(map(self._tries, words))
        ids = tuple(self.vocabulary[token] for word in tried for token in word.tokens)
        return Replay("wordpiece", normal, ids, tried=tried)

    def _tries(self, word: str) -> TriedWord:
        tries: list[Try] = []
        tokens: list[str] = []
        start = 0
        while start < len(word) <= self.most:
            for end in range(len(word), start, -1):
                piece = (self.prefix if start else "") + word[start:end]
                tries.append(Try(start, end, piece, self.vocabulary.get(piece)))
                if piece in self.vocabulary:
                    break
            else:
                break
            tokens.append(piece)
            start = end
        if start < len(word):
            tokens = [self.unknown]
        return TriedWord(word, tuple(tries), tuple(tokens))


class _ByteLevel(_Steps):
    """The pair of the lowest rank first, from the left (tokenizers: models/bpe)."""

    def read(self, model: dict[str, Any]) -> None:
        for setting in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "unk_token"):
            if model.get(setting):
                raise unknown_setting(setting)
        self.vocabulary: dict[str, int] = model["vocab"]
        self.whole = bool(model.get("ignore_merges"))
        pairs = (pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"])
        self.ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}

    def __call__(self, text: str, best: int = 5, alpha: float = 1.0) -> Replay:
        normal, words = self.words(text)
        merged = tuple(map(self._merged, words))
        ids = tuple(self.vocabulary[token] for word in merged for token in word.tokens)
        return Replay("bpe", normal, ids, words=merged)

    def _merged(self, word: str) -> MergedWord:
        if self.whole and word in self.vocabulary:
            return MergedWord((word,), (), (word,))
        symbols = [letter for letter in word if letter in self.vocabulary]
        start = tuple(symbols)
        agenda: list[tuple[int, int, int, str]] = []
        after = [*range(1, len(symbols)), -1]
        before = list(range(-1, len(symbols) - 1))

        def offer(left: int, right: int) -> None:
            if (
                left >= 0
                and right >= 0
                and (rank := self.ranks.get((symbols[left], symbols[right]))) is not None
            ):
                heapq.heappush(agenda, (rank, left, right, symbols[left] + symbols[right]))

        for right in range(1, len(symbols)):
            offer(right - 1, right)
        merges = []
        while agenda:
            rank, left, right, made = heapq.heappop(agenda)
            # What the pair was made of may have been merged with others since.
            if after[left] != right or not symbols[right] or symbols[left] + symbols[right] != made:
                continue
            if self.ranks.get((symbols[left], symbols[right])) != rank:
                continue
            parts = symbols[left], symbols[right]
            at = sum(1 for symbol in symbols[:left] if symbol)
            symbols[left], symbols[right] = made, ""
            after[left] = after[right]
            if after[right] >= 0:
                before[after[right]] = left
            merges.append(Merge(*parts, rank, at, tuple(filter(None, symbols))))
            offer(before[left], left)
            offer(left, after[left])
        return MergedWord(start, tuple(merges), tuple(filter(None, symbols)))
