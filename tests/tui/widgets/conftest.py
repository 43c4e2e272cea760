"""The terminal that the widget tests pretend to have."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """256 colours unless a test asks otherwise; nothing taken from the terminal that runs the tests."""

    def choose(term: str = "xterm-256color", no_colour: bool = False) -> None:
        for name in ("COLORTERM", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", term)
        if no_colour:
            monkeypatch.setenv("NO_COLOR", "1")

    choose()
    return choose
