"""What every test stands on: a home folder of its own, English, and a skip where a program is missing."""

from __future__ import annotations

import gc
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jaxtyping
import pytest

# One thread, and shapes of networks checked against the annotations: set before torch or one is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
jaxtyping.install_import_hook(["nlptui.nn", "nlptui.classical.lattice"], "beartype.beartype")

from nlptui.locale import set_language  # noqa: E402
from tests.warm_program import warm_program  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
SHAPES = ("classical", "engine", "nn", "parity", "tasks")
"""Folders whose tests check the shapes in every call of a network. Elsewhere the same calls go unchecked, for
a third of the time of training is checking."""

hypothesis.settings.register_profile("nlptui", deadline=None, max_examples=50, print_blob=True)
hypothesis.settings.load_profile("nlptui")


def pytest_collection_finish() -> None:
    """What all tests stand on stays to the end: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What is drawn by chance is the same each time, whichever tests ran before. Nothing is loaded for it."""
    jaxtyping.config.update("jaxtyping_disable", item.path.parent.name not in SHAPES)
    random.seed(0)
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the settings, models or runs of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLPTUI_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("NLPTUI_LANG", "en")
        patch.setenv("NLPTUI_RUNS", "8")  # Tests let runs go at once, whatever machine they run on.
        for name in ("LANGUAGE", "SSH_CONNECTION", "NO_COLOR", "COLUMNS", "LINES"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A test that changes the language changes it for itself only."""
    yield
    set_language("en")
    os.environ.pop("LANGUAGE", None)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the PATH, with an `nlptui` that starts at once."""
    with warm_program(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture
def warm_workers(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are started here have loaded torch already."""
    monkeypatch.setattr(sys, "executable", str(programs.parent / "python"))


def tool(name: str) -> str:
    """The path of a program; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
