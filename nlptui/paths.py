"""Where things live: settings, user models, runs, corpora.

`NLPTUI_HOME` puts all of them under one folder; `NLPTUI_DATA` names one more folder (or several, separated
as in PATH) to look for corpora in; `NLPTUI_MODELS` replaces the folder of shipped models.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def _home(kind: str, default: str) -> Path:
    root = os.environ.get("NLPTUI_HOME")
    return Path(root).expanduser() / kind if root else Path(default)


def home_config() -> Path:
    """The folder of the settings file."""
    return _home("config", platformdirs.user_config_dir("nlptui"))


def home_data() -> Path:
    """The folder of user models, runs and downloaded corpora."""
    return _home("data", platformdirs.user_data_dir("nlptui"))


def shipped_models() -> Path:
    """The folder of the models that ship: inside the package in a wheel, beside it in a checkout."""
    named = os.environ.get("NLPTUI_MODELS")
    if named:
        return Path(named).expanduser()
    package = Path(__file__).resolve().parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def models_dirs() -> list[Path]:
    """Folders that hold model folders, in order of preference."""
    return [shipped_models(), home_data() / "models"]


def tokenizers_dir() -> Path:
    """The folder of tokenizers that were trained by themselves."""
    return home_data() / "tokenizers"


def runs_dir() -> Path:
    """The folder of run directories."""
    return home_data() / "runs"


def data_dirs() -> list[Path]:
    """Folders that may hold a corpus, in order of preference."""
    named = [Path(part).expanduser() for part in os.environ.get("NLPTUI_DATA", "").split(os.pathsep) if part]
    return [*named, home_data() / "data"]
