"""What every tokenizer gives back, and the frame they share: specials, pairs, truncation, words, files.

A kind says how plain text becomes pieces and back. This file puts the special tokens around them, cuts them
to a length, and writes `tokenizer_config.json`. Knows nothing of any vocabulary, library or model.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import UNKNOWN, visible
from nlptui.tokenizers.files import CONFIG_NAME, Settings, shown, write_json

SPECIAL_TOKENS = {
    "pad": "[PAD]",
    "unk": "[UNK]",
    "cls": "[CLS]",
    "sep": "[SEP]",
    "mask": "[MASK]",
    "bos": "<s>",
    "eos": "</s>",
}
"""The special tokens by what they are for, with the string each has in a vocabulary that is built here."""

MASK = SPECIAL_TOKENS["mask"]
"""What a person types where a token is to be guessed, whatever the vocabulary calls its mask token."""

REPLACEMENT = "\ufffd"
"""What stands for a lone surrogate on the way in and for an unknown character on the way out."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Template(NamedTuple):
    """Which special tokens stand before the text, after it, and after the second text of a pair."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    after_pair: tuple[str, ...]


TEMPLATES = {
    "none": Template((), (), ()),
    "cls_sep": Template(("cls",), ("sep",), ("sep",)),
    "bos": Template(("bos",), (), ()),
    "bos_eos": Template(("bos",), ("eos",), ("eos",)),
}


class Piece(NamedTuple):
    """One token of plain text: its id, the span of code points it was made from, the number of its word."""

    id: int
    start: int
    end: int
    word: int | None


@dataclass(frozen=True)
class Encoding:
    """A text as a model reads it: tuples with one entry a token."""

    text: str
    """The whole text, even where only its beginning was used (`truncated`)."""
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    """`tokens[i]` is the vocabulary's string for `ids[i]`, raw: `visible()` it before display."""
    offsets: tuple[tuple[int, int] | None, ...]
    """Code points: `text[start:end]` is what token i was made from; in a pair, tokens of segment 1 index
    `pair`. None for the special tokens put around the text; a typed `[MASK]` has its place."""
    segments: tuple[int, ...]
    special: tuple[bool, ...]
    """True for the tokens that the template put around the text."""
    pair: str | None = None
    words: tuple[int | None, ...] = ()
    """The word a token belongs to, counted from 0 in each text; None for special tokens and white space."""
    char_ids: tuple[tuple[int, ...], ...] | None = None
    """Character ids of each token, for models that read characters."""
    truncated: bool = False

    def __post_init__(self) -> None:
        each = (self.tokens, self.offsets, self.segments, self.special, self.words or self.ids)
        assert all(len(entries) == len(self.ids) for entries in each)
        assert self.char_ids is None or len(self.char_ids) == len(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def surface(self, position: int) -> str:
        """The stretch of text that the token at `position` was made from; empty for a special token."""
        offset = self.offsets[position]
        if offset is None:
            return ""
        text = self.pair if self.pair is not None and self.segments[position] == 1 else self.text
        return text[offset[0] : offset[1]]

    def labels(self, unknown: str | None) -> tuple[str, ...]:
        """What a person reads for each token: its string; of those that are the string `unknown`, the text's
        own characters, marked.
        """
        return tuple(
            f"{surface}{UNKNOWN}" if token == unknown and (surface := self.surface(place)) else token
            for place, token in enumerate(self.tokens)
        )


class Tokenizer(ABC):
    """Text to ids and back.

    A subclass implements `pieces`, `_decode`, the vocabulary and its files.
    """

    kind: ClassVar[str]

    def __init__(self, specials: Mapping[str, int], template: str = "none", joiner: str = " ") -> None:
        self.specials: dict[str, int] = dict(specials)
        check_template(template, self.specials)
        self.template = template
        self.joiner = joiner
        """What stands between words that come already split: a space, or nothing in Chinese."""
        self._special_ids = frozenset(self.specials.values())
        self._tokens: list[str] | None = None

    # What a kind has to say.

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """How many ids there are, the special ones included."""

    @abstractmethod
    def vocabulary(self) -> list[str]:
        """Every token, in the order of ids."""

    @abstractmethod
    def find(self, token: str) -> int | None:
        """The id of a token of the vocabulary, special or not; None where there is none."""

    @abstractmethod
    def pieces(self, text: str, before: str = "", limit: int | None = None) -> list[Piece]:
        """The tokens of plain text, in which nothing is special; `before` is the character in front of it.

        Only the first `limit` are needed; a kind may save itself the others.
        """

    @abstractmethod
    def _decode(self, ids: Sequence[int]) -> str:
        """The text of valid ids; of the specials only the mask and the unknown token are among them."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write the vocabulary files into `folder`, which exists."""

    def options(self) -> dict[str, Any]:
        """The kind's own settings, as `tokenizer_config.json` holds them."""
        return {}

    # Text to ids.

    def encode(
        self, text: str, pair: str | None = None, *, special: bool = True, max_length: int | None = None
    ) -> Encoding:
        """The tokens of a text, or of two that belong together; `special` adds those that the template names.

        With `max_length`, tokens beyond it are dropped from the end, of a pair from the longer text first,
        and `truncated` says so.
        """
        limit = None if max_length is None or pair is not None else max_length + 1
        first = self._masked_pieces(text, limit=limit)
        second = None if pair is None else self._masked_pieces(pair)
        return self._assemble(text, first, pair, second, special, max_length)

    def encode_words(
        self,
        words: Sequence[str],
        *,
        text: str | None = None,
        special: bool = True,
        max_length: int | None = None,
    ) -> Encoding:
        """The tokens of text that is already split: none spans two words, and every word has one or more
        (the unknown token, if there is one, for a word whose characters the kind drops).

        Offsets point into `text`, in which the words stand in order; without it, into the words joined by
        `joiner`. What stands between the words is not encoded.
        """
        whole = self.joiner.join(words) if text is None else text
        spans = joined_spans(words, self.joiner) if text is None else locate(words, text)
        pieces: list[Piece] = []
        for number, (start, end) in enumerate(spans):
            before = whole[start - 1] if start else ""
            found = self.word_pieces(whole[start:end], before) if end > start else []
            if not found and "unk" in self.specials:
                found = [Piece(self.specials["unk"], 0, end - start, 0)]
            pieces += [Piece(piece.id, start + piece.start, start + piece.end, number) for piece in found]
        return self._assemble(whole, pieces, None, None, special, max_length)

    def encode_ids(self, text: str) -> list[int]:
        """Only the ids of a text, with no special tokens around it: what training on a long text needs."""
        return [piece.id for piece in self._masked_pieces(text)]

    def encode_ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode_ids` of many texts at once; a kind whose library is quicker with many says so."""
        return [self.encode_ids(text) for text in texts]

    def framed_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of `encode` for each text, with the special tokens around it, and nothing else."""
        before, after = ([self.specials[name] for name in names] for names in TEMPLATES[self.template][:2])
        found = self.encode_ids_of(texts)
        return [[*before, *ids, *after] for ids in found] if before or after else found

    def word_pieces(self, word: str, before: str = "") -> list[Piece]:
        """The tokens of one word of text that came split; `before` as in `pieces`."""
        return self._masked_pieces(word, before)

    def _masked_pieces(self, text: str, before: str = "", limit: int | None = None) -> list[Piece]:
        """The pieces of `text`, where each typed `[MASK]` is the mask token if there is one."""
        mask = self.specials.get("mask")
        text = without_surrogates(text)
        if mask is None or MASK not in text:
            return self.pieces(text, before, limit)
        pieces: list[Piece] = []
        start = words = 0
        for number, part in enumerate(text.split(MASK)):
            if limit is not None and len(pieces) >= limit:
                break
            if number:
                pieces.append(Piece(mask, start, start + len(MASK), words))
                start, words, before = start + len(MASK), words + 1, MASK[-1]
            found = self.pieces(part, before, limit) if part else []
            for piece in found:
                word = None if piece.word is None else piece.word + words
                pieces.append(Piece(piece.id, piece.start + start, piece.end + start, word))
            words += 1 + max((piece.word for piece in found if piece.word is not None), default=-1)
            start += len(part)
        return pieces

    def _assemble(
        self,
        text: str,
        first: list[Piece],
        pair: str | None,
        second: list[Piece] | None,
        special: bool,
        max_length: int | None,
    ) -> Encoding:
        """Cut to length and put the template's special tokens around."""
        before, after, after_pair = TEMPLATES[self.template if special else "none"]
        whole = (len(first), len(second or ()))
        around = len(before) + len(after) + (0 if second is None else len(after_pair))
        keep = whole if max_length is None else kept_lengths(*whole, max_length - around)
        parts = [(text, first[: keep[0]], before, after)]
        if second is not None:
            parts.append((pair or "", second[: keep[1]], (), after_pair))
        rows = _Rows()
        for segment, (source, pieces, ahead, behind) in enumerate(parts):
            rows.add_special([self.specials[name] for name in ahead], segment)
            rows.add(pieces, segment)
            rows.add_special([self.specials[name] for name in behind], segment)
            if self.char_vocab_size:
                rows.characters += self._characters(source, pieces, len(ahead), len(behind))
        tokens = self._strings()
        return Encoding(
            text=text,
            ids=tuple(rows.ids),
            tokens=tuple([tokens[number] for number in rows.ids]),
            offsets=tuple(rows.offsets),
            segments=tuple(rows.segments),
            special=tuple([offset is None for offset in rows.offsets]),
            pair=pair,
            words=tuple(rows.words),
            char_ids=tuple(rows.characters) if self.char_vocab_size else None,
            truncated=keep != whole,
        )

    def _characters(
        self, text: str, pieces: list[Piece], ahead: int, behind: int
    ) -> Iterator[tuple[int, ...]]:
        mask, empty = self.specials.get("mask"), self.character_ids("")
        yield from [empty] * ahead
        for number, start, end, _word in pieces:
            yield empty if number == mask else self.character_ids(text[start:end])
        yield from [empty] * behind

    # Characters, for models that read them beside tokens.

    @property
    def char_vocab_size(self) -> int:
        """How many character ids there are; 0 where the tokens carry none."""
        return 0

    def character_ids(self, surface: str) -> tuple[int, ...]:
        """Character ids of one token's surface, which is empty for a special token."""
        return ()

    # Ids to text.

    def token(self, number: int) -> str:
        """The vocabulary's string for an id."""
        if not 0 <= number < self.vocab_size:
            raise self._no_token(number)
        return self._strings()[number]

    def _no_token(self, number: int) -> UserError:
        message = _("there is no token {id}: this tokenizer's ids go from 0 to {last}")
        return UserError(message.format(id=number, last=self.vocab_size - 1))

    def id(self, token: str) -> int:
        """The id of a token; the unknown token's where the vocabulary does not hold it."""
        found = self.find(without_surrogates(token))
        if found is None:
            found = self.specials.get("unk")
        if found is None:
            message = _("this tokenizer has no token {token} and none for unknown tokens")
            raise UserError(message.format(token=visible(token)))
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; special tokens other than the mask and the unknown token are left out."""
        numbers, size = [int(number) for number in ids], self.vocab_size
        for number in numbers:
            if not 0 <= number < size:
                raise self._no_token(number)
        kept = {self.specials.get("mask"), self.specials.get("unk")}
        return self._decode([n for n in numbers if n not in self._special_ids or n in kept])

    def _strings(self) -> list[str]:
        if self._tokens is None:
            self._tokens = self.vocabulary()
        return self._tokens

    # Files.

    def save(self, folder: Path | str) -> None:
        """Write the tokenizer's files into `folder`: each file whole, the settings last."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder)
        common = {
            "kind": self.kind,
            "vocab_size": self.vocab_size,
            "specials": self.specials,
            "template": self.template,
            "joiner": self.joiner,
        }
        write_json(folder / CONFIG_NAME, common | self.options())

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, settings: Settings) -> Self:
        """The tokenizer that `save` wrote into `folder`, where `settings` has lost its `kind` already."""


class _Rows:
    """The columns of an encoding while it is put together."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.offsets: list[tuple[int, int] | None] = []
        self.segments: list[int] = []
        self.words: list[int | None] = []
        self.characters: list[tuple[int, ...]] = []

    def add_special(self, ids: list[int], segment: int) -> None:
        self.ids += ids
        self.offsets += [None] * len(ids)
        self.segments += [segment] * len(ids)
        self.words += [None] * len(ids)

    def add(self, pieces: list[Piece], segment: int) -> None:
        self.ids += [piece.id for piece in pieces]
        self.offsets += [(piece.start, piece.end) for piece in pieces]
        self.segments += [segment] * len(pieces)
        self.words += [piece.word for piece in pieces]


def without_surrogates(text: str) -> str:
    """`text` of the same length with U+FFFD for every lone surrogate, so that it has a UTF-8 form."""
    if text.isascii():
        return text
    return _LONE_SURROGATE.sub(REPLACEMENT, text)


def joined_spans(words: Sequence[str], joiner: str) -> Iterator[tuple[int, int]]:
    """Where each word stands in `joiner.join(words)`."""
    start = 0
    for word in words:
        yield start, start + len(word)
        start += len(word) + len(joiner)


def locate(words: Sequence[str], text: str) -> Iterator[tuple[int, int]]:
    """Where each word stands in `text`, one after the other."""
    end = 0
    for number, word in enumerate(words):
        start = text.find(word, end)
        if start < 0:
            raise ValueError(f"word {number} ({word!r}) does not stand in the text after character {end}")
        end = start + len(word)
        yield start, end


def kept_lengths(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of a pair fit in `room` when the longer loses one at a time.

    Of an odd room the longer has the one more, the second if they are equal, as in the `tokenizers` library.
    """
    if room < 0:
        raise ValueError("max_length leaves no room for the special tokens around the text")
    if first + second <= room:
        return first, second
    smaller = min(first, second)
    if smaller <= room // 2:
        return (first, room - first) if first <= second else (room - second, second)
    half = room // 2
    return (half, room - half) if first <= second else (room - half, half)


def special_names(template: str, names: Sequence[str] | None, *, unknown: bool = True) -> list[str]:
    """The special tokens of a new vocabulary: those of `names`, or padding, unknown and the template's."""
    check_template(template)
    if names is None:
        wanted = {"pad", *(["unk"] if unknown else []), *template_names(template)}
        wanted |= {"mask"} if template == "cls_sep" else set()
    else:
        wanted = set(names)
    if unknown and "unk" not in wanted:
        raise UserError(_("the special token unk is needed: some text has what the vocabulary has not"))
    for name in sorted(wanted - SPECIAL_TOKENS.keys()):
        message = _("unknown special token {name}: it is one of {names}")
        raise UserError(message.format(name=visible(str(name)), names=", ".join(SPECIAL_TOKENS)))
    check_template(template, wanted)
    return [name for name in SPECIAL_TOKENS if name in wanted]


def template_names(template: str) -> set[str]:
    """The special tokens that a template puts around a text."""
    return {name for part in TEMPLATES[template] for name in part}


def check_template(template: str, specials: Collection[str] = tuple(SPECIAL_TOKENS)) -> None:
    """Refuse a template that is none, or that needs a special token that is not among `specials`."""
    if template not in TEMPLATES:
        message = _("unknown template {name}: it is one of {names}")
        raise UserError(message.format(name=visible(template), names=", ".join(TEMPLATES)))
    for name in sorted(template_names(template)):
        if name not in specials:
            message = _("the template {template} needs the special token {name}, which is not there")
            raise UserError(message.format(template=template, name=name))


class Common(NamedTuple):
    """What `tokenizer_config.json` says of every kind."""

    vocab_size: int
    specials: dict[str, int]
    template: str
    joiner: str


def read_common(settings: Settings) -> Common:
    """Take the settings that every kind has, and check that they fit each other."""
    size = settings.take("vocab_size", int)
    specials = settings.take("specials", dict)
    for name, number in specials.items():
        if name not in SPECIAL_TOKENS or type(number) is not int or not 0 <= number < size:
            message = _("{path}: the special token {name} cannot have the id {id}")
            told = visible(json.dumps(number, ensure_ascii=False))[:80]
            raise UserError(message.format(path=shown(settings.path), name=visible(name), id=told))
    template = settings.take("template", str)
    try:
        check_template(template, specials)
    except UserError as error:
        raise UserError(f"{shown(settings.path)}: {error}") from error
    return Common(size, specials, template, settings.take("joiner", str))
