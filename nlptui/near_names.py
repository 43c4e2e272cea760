"""A hint for a name that is not known. Knows nothing of what the names are of."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from nlptui.locale import _
from nlptui.text import visible


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint for a name that is not known: the nearest ones, or a few of those there are."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return _("did you mean {names}?").format(names=", ".join(map(visible, near)))
    return _("there are {names}").format(names=", ".join(map(visible, list(known)[:8])) or "—")
