"""What a SentencePiece model file says: pieces, scores and types, read from its protocol buffer.

Reads the few fields that the algorithms need (sentencepiece_model.proto); the library, which has checked the
file before, shows no types and no settings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
_NORMAL, _UNKNOWN, _USER_DEFINED, _UNUSED = 1, 2, 4, 5


@dataclass(frozen=True)
class Model:
    """One model."""

    kind: str
    """unigram, bpe, word or char."""
    tokens: tuple[str, ...]
    scores: tuple[float, ...]
    pieces: dict[str, int]
    """Pieces that can be made of text, with their ids."""
    reserved: dict[str, int]
    """Control symbols, the unknown piece and bytes."""
    unused: frozenset[int]
    user_defined: tuple[str, ...]
    """The longest first."""
    unknown: int
    byte_fallback: bool

    @property
    def longest(self) -> int:
        """Characters of the longest piece."""
        return self._bounds[0]

    @property
    def least_score(self) -> float:
        """The score of the least likely normal piece."""
        return self._bounds[1]

    _bounds: tuple[int, float] = (0, 0.0)


def read_model(content: bytes) -> Model:
    """The model in a serialised ModelProto that the library takes."""
    tokens: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    kind, fallback = 1, False
    for number, value in fields(content):
        if number == 1:
            piece = dict(fields(value))
            tokens.append(bytes(piece.get(1, b"")).decode("utf-8", "replace"))
            scores.append(struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
            types.append(int(piece.get(3, _NORMAL)))
        elif number == 2:
            trainer = dict(fields(value))
            kind, fallback = int(trainer.get(3, kind)), bool(trainer.get(35, fallback))
    of_text = (_NORMAL, _USER_DEFINED, _UNUSED)
    normal = [score for score, sort in zip(scores, types, strict=True) if sort == _NORMAL]
    pieces = {token: n for n, token in enumerate(tokens) if types[n] in of_text}
    defined = [token for n, token in enumerate(tokens) if types[n] == _USER_DEFINED]
    return Model(
        kind=_KINDS.get(kind, "unigram"),
        tokens=tuple(tokens),
        scores=tuple(scores),
        pieces=pieces,
        reserved={token: n for n, token in enumerate(tokens) if types[n] not in of_text},
        unused=frozenset(n for n, sort in enumerate(types) if sort == _UNUSED),
        user_defined=tuple(sorted(defined, key=len, reverse=True)),
        unknown=types.index(_UNKNOWN),
        byte_fallback=fallback,
        _bounds=(max(map(len, pieces), default=0), min(normal, default=0.0)),
    )


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer message in order: number, and an int or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if size is None:
            size, at = _varint(message, at)
        yield number, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def model_kind(content: bytes) -> str:
    """Only which algorithm a model is for."""
    trainer = next((dict(fields(value)) for number, value in fields(content) if number == 2), {})
    return _KINDS.get(int(trainer.get(3, 1)), "unigram")
