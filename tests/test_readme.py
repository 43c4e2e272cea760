"""The README is true: its commands run, its Python runs, and the make targets that it names exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nlptui.cli import cli
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.S) for line in block.splitlines()
]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture
def environment(programs: Path) -> dict[str, str]:
    """A shell in an empty folder that finds this tree's `nlptui`."""
    path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 12 and PYTHON


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme(command: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True,
        timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for option in ("--npz", "--svg"):
        if option in command:
            assert (folder / command.split(f"{option} ")[1].split()[0]).stat().st_size > 100
            break
    else:
        assert done.stdout.strip()


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_the_readme(code: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_the_command_that_opens_the_explorer(folder: Path, environment: dict[str, str]) -> None:
    (command,) = re.findall(r'^nlptui ".*$', README, re.M)
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True,
        timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "duck" in done.stdout, done.stderr


def test_every_command_that_it_names_exists() -> None:
    named = set(re.findall(r"(?:`|^\$ |\| )nlptui ([a-z]+)", README, re.M))
    assert named and named <= set(cli.commands)


def test_every_make_target_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make (\w+)$", README, re.M))
    assert targets >= {"run", "test", "check", "bench"}
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
