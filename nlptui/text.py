"""Make hostile text safe to show: every character that would act on a terminal becomes one that can be read.

Knows nothing of widgets, markup or colours. Text from users, models and corpora passes `visible` before it
is shown.
"""

from __future__ import annotations

import unicodedata

_NAMED = {"\n": "⏎", "\r": "␍", "\t": "⇥", "\x7f": "␡"}
# Bidirectional controls and zero-width characters reorder or hide what stands beside them.
_HIDDEN = frozenset(
    [0x00AD, 0x061C, 0x180E, 0x2028, 0x2029, 0xFEFF]
    + list(range(0x200B, 0x2010))
    + list(range(0x202A, 0x202F))
    + list(range(0x2060, 0x2070))
    + list(range(0xFFF9, 0xFFFC))
    + list(range(0xE0000, 0xE0080))
)


def visible_character(character: str) -> str:
    """One character as something printable: itself, a control picture, or `⟨U+XXXX⟩`."""
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code < 0x7F:
        return character
    if code in _HIDDEN or unicodedata.category(character) in ("Cc", "Cs", "Cf", "Cn", "Co"):
        return f"⟨U+{code:04X}⟩"
    return character


def visible(text: str) -> str:
    """`text` with control, bidi, zero-width, unassigned and lone-surrogate characters spelled out.

    The result holds no character that a terminal would obey, so it can be drawn anywhere.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(visible_character, text))


UNKNOWN = "⁇"
"""Stands behind the characters of a text that a model reads as its token for unknown ones (SentencePiece
decodes that token to the same sign).
"""


def power_of_ten(value: float) -> str:
    """A small number in little room: 3e-4."""
    digit, power = f"{value:.0e}".split("e")
    return f"{digit}e{int(power)}"
