"""A model is trained, watched, resumed and used, all from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow
RECIPE = """
name = "tiny"
[data]
corpus = "en_shakespeare"
[tokenizer]
kind = "characters"
[model]
arch = "gpt"
task = "language_model"
d_model = 16
n_layers = 1
n_heads = 2
d_ff = 32
context = 16
[train]
steps = 20
batch_size = 4
log_every = 5
evaluate_every = 10
save_every = 10
device = "cpu"
nice = 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpora" / "en_shakespeare"
    corpus.mkdir(parents=True)
    (corpus / "input.txt").write_text("The keeper sees the sea; the sea sees the keeper.\n" * 80)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


def nlptui(folder: Path, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "NLPTUI_HOME": str(folder / "home"),
        "NLPTUI_DATA": str(folder / "corpora"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "nlptui", *arguments], cwd=folder, env=environment,
        capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done


def test_from_recipe_to_text(folder: Path) -> None:
    done = nlptui(folder, "train", "tiny.toml", "--foreground", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["step"] == 20 and "done at step 20/20" in done.stderr
    shown = json.loads(nlptui(folder, "runs", "show", "tiny", "--json").stdout)
    assert shown["state"] == "done" and shown["step"] == 20 and shown["metrics"]

    started = nlptui(folder, "runs", "resume", "tiny", "--set", "train.steps=30")
    assert started.stdout == "tiny\n"
    assert "done at step 30/30" in nlptui(folder, "runs", "follow", "tiny").stderr

    checkpoint = folder / "home" / "data" / "runs" / "tiny" / "step_000030"
    said = nlptui(folder, "generate", "The", "--model", str(checkpoint), "--max-tokens", "5", "--json").stdout
    assert len(json.loads(said)["tokens"]) == 5

    kept = nlptui(folder, "runs", "keep", "tiny", "mine")
    assert kept.stdout.startswith("mine: step ") and "on test: loss " in kept.stdout
    assert kept.stdout.count("\n") == 1
    assert "exists already" in nlptui(folder, "runs", "keep", "tiny", "mine", status=1).stderr
    named = nlptui(folder, "generate", "The", "--model", "mine", "--max-tokens", "5", "--json").stdout
    assert len(json.loads(named)["tokens"]) == 5
    nlptui(folder, "runs", "rm", "tiny")
    assert json.loads(nlptui(folder, "runs", "--json").stdout) == {"runs": []}


def test_a_wrong_setting_is_said_before_anything_starts(folder: Path) -> None:
    done = nlptui(folder, "train", "tiny.toml", "--set", "train.stepz=5", status=1)
    assert "train.stepz" in done.stderr and done.stderr.count("\n") == 1
    assert json.loads(nlptui(folder, "runs", "--json").stdout) == {"runs": []}
