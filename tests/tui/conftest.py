"""Small models with random weights, and the terminal that the tests of the screen pretend to have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet

from nlptui.paths import home_config
from tests.engine.models import make_model

FAMILIES = ("tag-lstm", "gpt", "bert", "class-lstm", "translator")


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 colours; nothing is taken from the terminal that runs the tests."""
    for name in ("COLORTERM", "NO_COLOR", "FORCE_COLOR", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture(autouse=True)
def _a_machine_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What screens say of a busy machine is not said of the one that runs the tests."""
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    folder = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        make_model(folder, family)
    return folder


@pytest.fixture
def models(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small models are the shipped ones, and no settings are left from another test."""
    monkeypatch.setenv("NLPTUI_MODELS", str(model_folder))
    settings = home_config() / "settings.json"
    settings.unlink(missing_ok=True)
    return model_folder


@pytest.fixture(autouse=True, scope="session")
def _styles_are_read_once() -> Iterator[None]:
    """What Textual parsed for one app it need not parse for the next: the styles and colours are the same."""
    parsed: dict[Any, Any] = {}
    parse = Stylesheet._parse_rules

    def remembered(self: Stylesheet, *source: Any, **more: Any) -> Any:
        known = (source, *sorted(more.items()), *sorted(self._variables.items()))
        if known not in parsed:
            parsed[known] = parse(self, *source, **more)
        return parsed[known]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", remembered)
        yield
