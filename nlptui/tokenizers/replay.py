"""How a tokenizer came to its tokens, step by step: plain values, and the normalisation that comes first.

`replay(tokenizer, text)` finds the algorithm; each stands in a file of its own and ends in the ids of the
library. Knows nothing of models, and nothing of how steps are drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal
from weakref import WeakKeyDictionary

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tokenizers.base import Tokenizer, without_surrogates
from nlptui.tokenizers.characters import lowered


@dataclass(frozen=True)
class Change:
    """A stretch of the text that normalisation wrote differently."""

    start: int
    end: int
    """Code points: `text[start:end]` is `before`."""
    before: str
    after: str


@dataclass(frozen=True)
class Normalised:
    """A text before and after its normalisation."""

    before: str
    after: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Merge:
    """One merge of two neighbours."""

    left: str
    right: str
    rank: int
    """The place of the pair among all merges; in SentencePiece, minus the score of what it makes."""
    at: int
    """The place of `left` among the symbols before the merge."""
    symbols: tuple[str, ...]
    """All symbols of the word after it."""


@dataclass(frozen=True)
class MergedWord:
    """A word (in SentencePiece: the whole text) from its first symbols to its tokens."""

    start: tuple[str, ...]
    merges: tuple[Merge, ...]
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Try:
    """One look into the vocabulary: a piece of a word that stands there or does not."""

    start: int
    end: int
    piece: str
    id: int | None


@dataclass(frozen=True)
class TriedWord:
    """A word and all looks until it was spelled, or until it could not be."""

    word: str
    tries: tuple[Try, ...]
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A piece of the vocabulary that the normalised text has at a place."""

    start: int
    end: int
    """Code points of the normalised text."""
    piece: str
    id: int
    score: float
    """Its log-probability; for what the vocabulary has not, that of the least likely piece less 10."""
    total: float
    """The score of the best way from the start of the text through this piece."""
    best: bool = False
    """Whether it lies on the best path."""


@dataclass(frozen=True)
class Segmentation:
    """One way through the lattice."""

    pieces: tuple[str, ...]
    score: float
    """The sum of the log-probabilities."""
    probability: float
    """Its share among all ways through the lattice, with alpha as the exponent."""


@dataclass(frozen=True)
class Fallback:
    """A piece that the vocabulary has not, and the bytes that stand for it."""

    piece: str
    bytes: tuple[str, ...]


@dataclass(frozen=True)
class Placed:
    """A token and what it stands for: `text[start:end]`, in code points of the text as it was typed."""

    id: int
    token: str
    start: int
    end: int


@dataclass(frozen=True)
class Replay:
    """The steps of one text; of `words`, `tried` and `nodes` one is filled."""

    kind: str
    """bpe, unigram, wordpiece, lookup, or written: a model reads the pieces themselves, not their ids."""
    normalised: Normalised
    ids: tuple[int, ...]
    """What the steps end in: the library's own ids, without special tokens around the text."""
    words: tuple[MergedWord, ...] = ()
    tried: tuple[TriedWord, ...] = ()
    nodes: tuple[Node, ...] = ()
    best: tuple[Segmentation, ...] = ()
    """The n best segmentations, the best first."""
    fallbacks: tuple[Fallback, ...] = ()
    nfkc: Normalised | None = None
    """What NFKC would make of the text after the tokenizer's own normalisation; None: the same."""
    tokens: tuple[Placed, ...] = ()
    """The ids with their places."""


Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
Replayer = Callable[[str, int, float], Replay]
_WITH_STEPS = ("sentencepiece", "wordpiece", "bytelevel")
_replayers: WeakKeyDictionary[Tokenizer, Replayer] = WeakKeyDictionary()


def replay(tokenizer: Tokenizer, text: str, best: int = 5, alpha: float = 1.0) -> Replay:
    """The steps that lead from `text` to its tokens; unigram: the `best` likeliest ways too.

    Raises UserError for a tokenizer of a library whose settings these files do not follow.
    """
    text = without_surrogates(text)
    if tokenizer.kind not in _WITH_STEPS:
        steps = look_up(tokenizer, text)
    else:
        replayer = _replayers.get(tokenizer)
        if replayer is None:
            replayer = _replayers[tokenizer] = _find(tokenizer)
        steps = replayer(text, best, alpha)
    read = steps.normalised.after
    more = None if unicodedata.is_normalized("NFKC", read) else unicode_normalised(read)
    placed = (Placed(piece.id, tokenizer.token(piece.id), *piece[1:3]) for piece in tokenizer.pieces(text))
    return replace(steps, nfkc=more, tokens=tuple(placed))


def sample(tokenizer: Tokenizer, text: str, alpha: float, count: int, seed: int = 0) -> list[Segmentation]:
    """`count` segmentations of a unigram model, drawn with probability ∝ P(segmentation)^alpha.

    Raises UserError for any other tokenizer.
    """
    if tokenizer.kind != "sentencepiece":
        raise UserError(_("only a unigram tokenizer has several segmentations to draw from"))
    from nlptui.tokenizers.replay_sentencepiece import sampler

    return sampler(tokenizer)(without_surrogates(text), alpha, count, seed)


def _find(tokenizer: Tokenizer) -> Replayer:
    if tokenizer.kind == "sentencepiece":
        from nlptui.tokenizers.replay_sentencepiece import replayer

        return replayer(tokenizer)
    from nlptui.tokenizers.replay_library import library_replayer

    return library_replayer(tokenizer)


def look_up(tokenizer: Tokenizer, text: str) -> Replay:
    """Words, characters and bytes: one look into the vocabulary for each, where there is one."""
    lowercase = bool(getattr(tokenizer, "lowercase", False))
    unknown, bare = tokenizer.specials.get("unk", -1), has_no_words(tokenizer)
    found = tokenizer.pieces(text)
    tried = []
    for piece in found:
        word = text[piece.start : piece.end]
        known = None if piece.id == unknown else piece.id
        one = Try(0, len(word), lowered(word, lowercase), known)
        tried.append(TriedWord(word, () if bare else (one,), (word if bare else tokenizer.token(piece.id),)))
    letters = ((at, at + 1, lowered(letter, lowercase)) for at, letter in enumerate(text))
    normal = normalised_by(text, letters)
    kind = "written" if bare else "lookup"
    return Replay(kind, normal, tuple(piece.id for piece in found), tried=tuple(tried))


def has_no_words(tokenizer: Tokenizer) -> bool:
    """Whether a vocabulary is special tokens alone: its model (rules, a CRF) reads the words as they are
    written.
    """
    return tokenizer.vocab_size == len(set(tokenizer.specials.values()))


def normalised_by(text: str, parts: Iterable[tuple[int, int, str]]) -> Normalised:
    """From parts (start, end, what stands there afterwards) that cover the text; neighbours that changed
    stay apart.
    """
    changes, after = [], []
    done = 0
    for start, end, written in parts:
        if start > done:  # what no part covers was dropped
            changes.append(Change(done, start, text[done:start], ""))
        if text[start:end] != written:
            changes.append(Change(start, end, text[start:end], written))
        after.append(written)
        done = max(done, end)
    if done < len(text):
        changes.append(Change(done, len(text), text[done:], ""))
    return Normalised(text, "".join(after), tuple(changes))


def unicode_normalised(text: str, form: Form = "NFKC") -> Normalised:
    """What a Unicode normal form makes of a text: for tokenizers that have no normalisation of their own."""
    parts: list[tuple[int, int, str]] = []
    start = 0
    written: dict[str, str] = {}

    def normal(part: str) -> str:
        if part not in written:
            written[part] = unicodedata.normalize(form, part)
        return written[part]

    for at in range(1, len(text) + 1):
        # A letter begins a new part where the two sides have nothing to do with each other.
        whole = text[start:at]
        after = text[at : at + 1]
        joined = after and (
            unicodedata.combining(after) or normal(whole + after) != normal(whole) + normal(after)
        )
        if not joined:
            parts.append((start, at, normal(whole)))
            start = at
    return normalised_by(text, parts)


def unknown_setting(setting: str) -> UserError:
    """The error for what a library's file asks for and these files do not follow."""
    message = _("the steps of this tokenizer cannot be shown: it uses {setting}")
    return UserError(message.format(setting=setting))
