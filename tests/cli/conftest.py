"""The command line in this process, with small models beside it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nlptui import cli
from tests.engine.models import make_model

MODELS = ("tag-lstm", "gpt", "bert", "class-bert", "pool-bert", "qa-bert", "translator")


@dataclass
class Result:
    """What one command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Strict JSON: NaN and Infinity are refused."""
        return json.loads(self.out, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


Nlptui = Callable[..., Result]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    folder = tmp_path_factory.mktemp("models")
    for family in MODELS:
        make_model(folder, family)
    return folder


@pytest.fixture
def nlptui(models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nlptui:
    """Run a command: `nlptui("predict", "x", stdin="…")`."""
    monkeypatch.setenv("NLPTUI_MODELS", str(models))

    def run(*arguments: str, stdin: str = "", status: int | None = 0) -> Result:
        stream = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stream)
        capsys.readouterr()
        code = cli.run(list(arguments))
        result = Result(code, *capsys.readouterr())
        if status is not None:
            assert code == status, result
        return result

    return run
