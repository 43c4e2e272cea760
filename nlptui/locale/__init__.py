"""The language of the interface: gettext catalogues, English in the source.

`_` translates at run time; `N_` only marks a string that a table holds until it is shown.
"""

from __future__ import annotations

import gettext
import locale
import os
from pathlib import Path

LANGUAGES = ("en", "zh")
_current: gettext.NullTranslations = gettext.NullTranslations()
_name = "en"


def preferred_language() -> str:
    """The language that the environment asks for; NLPTUI_LANG comes first. English if unknown."""
    for variable in ("NLPTUI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    try:
        return "zh" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"
    except ValueError:
        return "en"


def set_language(name: str) -> None:
    """Switch every later `_` to `name` ("en" or "zh"); an unknown name falls back to English."""
    global _current, _name
    _name = name if name in LANGUAGES else "en"
    _current = gettext.translation("nlptui", Path(__file__).parent, languages=[_name], fallback=True)


def language() -> str:
    """The language in force, "en" or "zh"."""
    return _name


def _(message: str) -> str:
    return _current.gettext(message) if message else ""


def N_(message: str) -> str:
    """Mark `message` for translation without translating it now."""
    return message
