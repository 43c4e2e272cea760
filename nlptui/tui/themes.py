"""The two themes, in colours that the 256-colour palette has, so that they look the same on every
terminal.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="nlptui-dark",
    dark=True,
    primary="#5fafd7",
    secondary="#87af87",
    accent="#ffaf00",
    warning="#ffaf5f",
    error="#ff5f5f",
    success="#87d787",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    variables={"footer-key-foreground": "#5fafd7"},
)
LIGHT = Theme(
    name="nlptui-light",
    dark=False,
    primary="#005faf",
    secondary="#5f875f",
    accent="#af5f00",
    warning="#af5f00",
    error="#af0000",
    success="#008700",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#ffffff",
    panel="#eeeeee",
)
THEMES = {"dark": DARK, "light": LIGHT}
