"""Byte-level BPE as GPT-2 uses it: merges over the bytes of words, a space belonging to the word after it.

Lossless, save that a lone surrogate, which has no UTF-8 form, becomes U+FFFD; nothing is ever unknown. In
tokens each byte is written as a printable letter, the space as "Ġ". Tokens that hold a part of a character
have all its offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tokenizers.base import MASK, SPECIAL_TOKENS, Piece, special_names
from nlptui.tokenizers.counted import Texts
from nlptui.tokenizers.library import LibraryTokenizer, mark_specials, whole_texts


class ByteLevelTokenizer(LibraryTokenizer):
    """Byte-pair merges over bytes (Sennrich et al. 2016; Radford et al. 2019)."""

    kind = "bytelevel"

    def word_pieces(self, word: str, before: str = "") -> list[Piece]:
        """The tokens of a word; after white space those that it has with one space in front."""
        if not before.isspace() or word == MASK:
            return super().word_pieces(word, before)
        spaced = super().word_pieces(f" {word}", before)
        return [Piece(p.id, max(p.start - 1, 0), max(p.end - 1, 0), p.word) for p in spaced]

    @classmethod
    def build(
        cls,
        texts: Texts,
        *,
        vocab_size: int = 8000,
        min_count: int = 2,
        template: str = "none",
        specials: Sequence[str] | None = None,
        joiner: str = " ",
    ) -> Self:
        """Learn merges of the most frequent pairs; on a small text there may be fewer than asked for."""
        names = special_names(template, specials, unknown=False)
        special = [SPECIAL_TOKENS[name] for name in names]
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        if vocab_size < len(special) + len(alphabet):
            message = _("a vocabulary of {size} is too small: bytes and special tokens alone take {least}")
            raise UserError(message.format(size=vocab_size, least=len(special) + len(alphabet)))
        library = tokenizers.Tokenizer(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_count,
            special_tokens=special,
            initial_alphabet=alphabet,
            show_progress=False,
        )
        library.train_from_iterator(whole_texts(texts, joiner), trainer)
        return cls(library, mark_specials(library, names), template, joiner)
