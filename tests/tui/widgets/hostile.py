"""Texts that break careless terminals: markup, actions, escapes, controls, surrogates, bidi, marks, emoji."""

HOSTILE = (
    "[/bold]",
    "[@click=app.quit]x[/]",
    "\x1b[31mred\x1b[2J",
    "\x00nul",
    "\x9b2J",
    "\ud800",
    "\u202eevil\u202c",
    "שלום",
    "مرحبا",
    "a\u200bb",
    "\u0301x",
    "🇫🇷👩\u200d👩\u200d👧",
    "line\nbreak\ttab",
    "",
)
FORBIDDEN = frozenset("\x1b\x00\x9b\ud800\u202e\u202c\u200b\u200d\n\t")


def is_clean(text: str) -> bool:
    """Whether nothing in `text` (lines joined by single line ends aside) would act on a terminal."""
    return not FORBIDDEN & set(text)
