"""The bytes of UTF-8 as tokens: nothing is ever unknown, and a Chinese character is three of them.

Lossless, save that a lone surrogate, which has no UTF-8 form, becomes U+FFFD. All the bytes of a character
have its offset, counted in code points.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tokenizers.base import (
    MASK,
    SPECIAL_TOKENS,
    Piece,
    Tokenizer,
    read_common,
    special_names,
    without_surrogates,
)
from nlptui.tokenizers.files import Settings, check_size, shown
from nlptui.tokenizers.splitter import word_numbers


def byte_token(byte: int) -> str:
    """How a byte is written: as itself where it is a printable ASCII character, otherwise in hexadecimal."""
    return chr(byte) if 0x20 <= byte < 0x7F else f"<0x{byte:02X}>"


class ByteTokenizer(Tokenizer):
    """One token a byte: the special tokens, then the 256 bytes in order. There is no vocabulary file."""

    kind = "bytes"

    def __init__(self, specials: Sequence[str], template: str = "none", joiner: str = " ") -> None:
        super().__init__({name: number for number, name in enumerate(specials)}, template, joiner)
        self._first = len(self.specials)
        self._list = [SPECIAL_TOKENS[name] for name in specials] + [byte_token(byte) for byte in range(256)]
        self._ids = {token: number for number, token in enumerate(self._list)}

    @property
    def vocab_size(self) -> int:
        return len(self._list)

    def vocabulary(self) -> list[str]:
        return list(self._list)

    def find(self, token: str) -> int | None:
        return self._ids.get(token)

    def pieces(self, text: str, before: str = "", limit: int | None = None) -> list[Piece]:
        first = self._first
        both = zip(text[:limit], word_numbers(text, limit), strict=True)
        return [
            Piece(first + byte, at, at + 1, word)
            for at, (character, word) in enumerate(both)
            for byte in character.encode("utf-8")
        ]

    def encode_ids(self, text: str) -> list[int]:
        if "mask" in self.specials and MASK in text:
            return super().encode_ids(text)
        return [self._first + byte for byte in without_surrogates(text).encode("utf-8")]

    def _decode(self, ids: Sequence[int]) -> str:
        spelled = (
            bytes([number - self._first]) if number >= self._first else self._list[number].encode("utf-8")
            for number in ids
        )
        return b"".join(spelled).decode("utf-8", errors="replace")

    def _write(self, folder: Path) -> None:
        """Nothing to write: the settings say it all."""

    @classmethod
    def read(cls, folder: Path, settings: Settings) -> Self:
        size, specials, template, joiner = read_common(settings)
        settings.finish()
        tokenizer = cls(sorted(specials, key=specials.__getitem__), template, joiner)
        check_size(settings.path, tokenizer.vocab_size, size)
        if tokenizer.specials != specials:
            message = _("{path}: the special tokens of this kind are numbered from 0, without a gap")
            raise UserError(message.format(path=shown(settings.path)))
        return tokenizer

    @classmethod
    def build(
        cls,
        texts: Any = (),
        *,
        template: str = "none",
        specials: Sequence[str] | None = None,
        joiner: str = " ",
    ) -> Self:
        """There is nothing to learn; `texts` is there for the sake of the other kinds and is not read."""
        return cls(special_names(template, specials, unknown=False), template, joiner)
