"""The wheel is the whole program: in an empty venv and an empty folder it runs every shipped model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow
SHIPPED = sorted(path.parent.name for path in (ROOT / "models").glob("*/config.json"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree, built with the build tools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new venv with the wheel in it; the packages that it depends on are those of this environment."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-compile",
         "--quiet", str(wheel)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    packages = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    for name, place in (("lib", "purelib"), ("arch", "platlib")):
        # Not the editable install of this tree: a .pth file inside a folder on sys.path is not read.
        (Path(packages) / f"{name}.pth").write_text(sysconfig.get_paths()[place] + "\n")
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return tmp_path


def nlptui(venv: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("NLPTUI_", "PYTHON"))
    }
    environment |= {"NLPTUI_HOME": str(folder / "home"), "NLPTUI_LANG": "en", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(venv / "bin" / "nlptui"), *arguments], cwd=folder, env=environment,
        capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip


def test_the_wheel_holds_models_translations_and_styles(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for model in SHIPPED:
        for path in (ROOT / "models" / model).iterdir():
            assert f"nlptui/models/{model}/{path.name}" in names
    assert "nlptui/locale/zh/LC_MESSAGES/nlptui.mo" in names
    for path in [*(ROOT / "nlptui").rglob("*.tcss"), *(ROOT / "nlptui").rglob("*.json")]:
        assert str(path.relative_to(ROOT)) in names
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]


@pytest.mark.skipif(not SHIPPED, reason="no model has been trained yet")
def test_the_installed_program_finds_the_shipped_models(venv: Path, empty: Path) -> None:
    where = json.loads(nlptui(venv, empty, "locate", "--json").stdout)
    assert where["models"][0].startswith(str(venv))
    listed = json.loads(nlptui(venv, empty, "models", "--json").stdout)["models"]
    assert [entry["name"] for entry in listed] == SHIPPED
    assert [path.name for path in empty.iterdir()] in ([], ["home"])


EVERY_MODEL = """
import json, sys
from nlptui import Engine
from nlptui.cli import run

for name in sys.argv[1:]:
    assert run(["predict", "Nobody saw the duck.", "--model", name, "--json"]) == 0
print(json.dumps(Engine.load(name).predict("Nobody saw the duck.")))
"""


def test_the_installed_program_and_package_run_every_shipped_model(venv: Path, empty: Path) -> None:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("NLPTUI_", "PYTHON"))
    }
    done = subprocess.run(
        [str(venv / "bin" / "python"), "-c", EVERY_MODEL, *SHIPPED],
        cwd=empty, env=environment | {"NLPTUI_HOME": str(empty / "home"), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *answers, last = map(json.loads, done.stdout.splitlines())
    assert [answer["model"] for answer in answers] == SHIPPED and all(answer["output"] for answer in answers)
    assert last["output"] == answers[-1]["output"]
    assert [path.name for path in empty.iterdir()] in ([], ["home"])


def test_the_installed_program_speaks_chinese(venv: Path, empty: Path) -> None:
    assert "模型" in nlptui(venv, empty, "--lang", "zh", "--help").stdout


def test_benchmarks_are_for_a_checkout(venv: Path, empty: Path) -> None:
    done = nlptui(venv, empty, "bench")
    assert done.returncode == 1 and "checkout" in done.stderr


def test_an_editable_install_knows_its_models_and_languages(tmp_path: Path) -> None:
    """What `make run` makes: found from another folder, the package is the tree."""
    done = subprocess.run(
        [sys.executable, "-c", "from nlptui.paths import shipped_models; print(shipped_models())"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("NLPTUI_")},
    )  # fmt: skip
    assert done.stdout.strip() == str(ROOT / "models")
