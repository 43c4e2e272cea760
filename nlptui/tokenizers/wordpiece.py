"""WordPiece as BERT uses it: words and punctuation apart, each cut into the longest pieces that are known.

A piece inside a word begins with "##". Decoding gives the normalised text (in lower case and without
accents if `lowercase`) with spaces between words, punctuation and Chinese characters; a word that cannot be
spelled is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Self

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tokenizers.base import SPECIAL_TOKENS, special_names
from nlptui.tokenizers.counted import Texts
from nlptui.tokenizers.library import LibraryTokenizer, mark_specials, whole_texts

CONTINUES = "##"


class WordPieceTokenizer(LibraryTokenizer):
    """Longest-match-first pieces of words (Schuster & Nakajima 2012; Devlin et al. 2019)."""

    kind = "wordpiece"

    @classmethod
    def build(
        cls,
        texts: Texts,
        *,
        vocab_size: int = 8000,
        min_count: int = 2,
        lowercase: bool = True,
        template: str = "cls_sep",
        specials: Sequence[str] | None = None,
        joiner: str = " ",
    ) -> Self:
        """Learn a vocabulary by merging the most frequent pair of pieces, again and again.

        Letters seen fewer than `min_count` times are left out. The same texts give the same vocabulary each
        time.
        """
        names = special_names(template, specials)
        counts = _frequent_words(_count_words(texts, joiner, lowercase), min_count)
        special = [SPECIAL_TOKENS[name] for name in names]
        # The library numbers the letters inside words in the order it meets them, which differs from run to
        # run, and breaks ties by number. Given in order as "special" tokens, they are numbered first.
        inside = sorted({CONTINUES + letter for word in counts for letter in word[1:]})
        least = len(special) + len(inside) + len({letter for word in counts for letter in word})
        if vocab_size < least:
            message = _("a vocabulary of {size} is too small: the letters of these texts alone take {least}")
            raise UserError(message.format(size=vocab_size, least=least))
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size,
            min_frequency=min_count,
            special_tokens=special + inside,
            continuing_subword_prefix=CONTINUES,
            show_progress=False,
        )
        learning = wordpiece_library({}, lowercase)
        learning.train_from_iterator(_repeated(counts), trainer)
        library = wordpiece_library(learning.get_vocab(with_added_tokens=False), lowercase)
        return cls(library, mark_specials(library, names), template, joiner)


def wordpiece_library(vocabulary: dict[str, int], lowercase: bool) -> tokenizers.Tokenizer:
    """BERT's normalisation, division into words and pieces, over a vocabulary."""
    unknown = SPECIAL_TOKENS["unk"]
    library = tokenizers.Tokenizer(
        models.WordPiece(vocabulary, unk_token=unknown, continuing_subword_prefix=CONTINUES)
    )
    library.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(prefix=CONTINUES, cleanup=False)
    return library


def _count_words(texts: Texts, joiner: str, lowercase: bool) -> Counter[str]:
    """How often each word stands in the texts, words being what the library will cut into pieces."""
    library = wordpiece_library({}, lowercase)
    counts: Counter[str] = Counter()
    for text in whole_texts(texts, joiner):
        normal = library.normalizer.normalize_str(text)
        counts.update(word for word, _span in library.pre_tokenizer.pre_tokenize_str(normal))
    return counts


def _frequent_words(counts: Counter[str], min_count: int) -> Counter[str]:
    """The words all of whose letters are seen often enough to be in the vocabulary."""
    letters: Counter[str] = Counter()
    for word, count in counts.items():
        for letter in word:
            letters[letter] += count
    return Counter(
        {word: n for word, n in counts.items() if all(letters[letter] >= min_count for letter in word)}
    )


def _repeated(counts: Counter[str]) -> Iterator[str]:
    """Each word as often as it was counted, in lines of at most a thousand."""
    for word, count in sorted(counts.items()):
        for done in range(0, count, 1000):
            yield f"{word} " * min(1000, count - done)
