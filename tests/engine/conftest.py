"""Each family as a loaded engine."""

from pathlib import Path

import pytest

from nlptui.engine import Engine
from tests.engine.models import FAMILIES, make_model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def engines(folder: Path) -> dict[str, Engine]:
    return {family: Engine.load(make_model(folder, family), device="cpu") for family in FAMILIES}


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A GPT's folder that a test may damage."""
    return make_model(tmp_path, "gpt")
